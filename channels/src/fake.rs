//! A channel that records what it is given, for the tests of other rooms.

use crate::{Channel, Outcome, Sending};
use pimap_types::notice::Notice;
use pimap_types::preference::ChannelKind;
use tokio::sync::watch;

/// Records notices; answers [`Outcome::Accepted`] unless told otherwise.
#[derive(Debug)]
pub struct FakeChannel {
    kind: ChannelKind,
    answer: watch::Sender<Option<Outcome>>,
    notices: watch::Sender<Vec<Notice>>,
}

impl FakeChannel {
    /// A channel of a kind.
    pub fn new(kind: ChannelKind) -> Self {
        Self { kind, answer: watch::Sender::new(Some(Outcome::Accepted)), notices: watch::Sender::default() }
    }

    /// What is answered from now on; with `None` the channel is dead: it takes notices and never answers.
    pub fn answer_with(&self, outcome: Option<Outcome>) {
        self.answer.send_replace(outcome);
    }

    /// What it was given so far, whatever it answered.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.borrow().clone()
    }

    /// Waits until it was given `count` notices or more.
    pub async fn wait_for(&self, count: usize) -> Vec<Notice> {
        let mut notices = self.notices.subscribe();
        let enough = notices.wait_for(|notices| notices.len() >= count).await;
        enough.map(|notices| notices.clone()).unwrap_or_default()
    }
}

impl Channel for FakeChannel {
    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn send<'a>(&'a self, notice: &'a Notice) -> Sending<'a> {
        self.notices.send_modify(|notices| notices.push(notice.clone()));
        let answer = *self.answer.borrow();
        Box::pin(async move {
            match answer {
                Some(outcome) => outcome,
                None => std::future::pending().await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channels;
    use pimap_types::preference::OutbandFormat;
    use pimap_types::{AccountKey, DeviceId, Timestamp};
    use std::sync::Arc;

    fn notice(channel: ChannelKind) -> Notice {
        Notice {
            account: AccountKey::new("joe"),
            device: DeviceId::new("P1").unwrap(),
            channel,
            format: OutbandFormat::Emn,
            address: None,
            mail_address: "joe@foo.com".to_owned(),
            event_time: Timestamp(0),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn channels_send_by_kind_and_outlive_a_dead_one() {
        let fake = Arc::new(FakeChannel::new(ChannelKind::Sms));
        let channels = Channels::default().with(fake.clone());
        assert_eq!(channels.send(&notice(ChannelKind::Sms)).await, Outcome::Accepted);
        assert_eq!(fake.wait_for(1).await, [notice(ChannelKind::Sms)]);
        // PI-104: NONE sends nothing; nor does what is not configured.
        for kind in [ChannelKind::None, ChannelKind::Udp] {
            assert!(!channels.carries(kind));
            assert_eq!(channels.send(&notice(kind)).await, Outcome::Refused);
        }
        fake.answer_with(Some(Outcome::Retry));
        assert_eq!(channels.send(&notice(ChannelKind::Sms)).await, Outcome::Retry);
        fake.answer_with(None);
        assert_eq!(channels.send(&notice(ChannelKind::Sms)).await, Outcome::Unknown);
        assert_eq!(fake.notices().len(), 3);
    }
}
