//! What pool connections notice by the way: a mailbox changed, credentials were refused. Coalesced by mailbox, so that a busy
//! pool cannot flood the owner, and sent by the account's own task, so that a request never waits for the owner to
//! listen.

use crate::machine::watching::status_event;
use pimap_types::MailboxName;
use pimap_types::upstream::UpstreamEvent;
use pimap_wire::client::response::StatusNumbers;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// How long news are gathered before they are told.
const GATHER: Duration = Duration::from_millis(200);

#[derive(Default)]
struct News {
    mailboxes: BTreeMap<MailboxName, StatusNumbers>,
    refused: bool,
}

/// News not told yet. The lock is held for an insertion only.
#[derive(Default)]
pub(crate) struct Hints {
    news: Mutex<News>,
    some: Notify,
}

impl Hints {
    /// Something changed in a mailbox; the last numbers hold.
    pub(crate) fn mailbox(&self, mailbox: MailboxName, numbers: StatusNumbers) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).mailboxes.insert(mailbox, numbers);
        self.some.notify_one();
    }

    /// The credentials were refused.
    pub(crate) fn refused(&self) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).refused = true;
        self.some.notify_one();
    }

    /// Tells news as they come, until nobody listens.
    pub(crate) async fn tell(&self, events: &mpsc::Sender<UpstreamEvent>) {
        loop {
            self.some.notified().await;
            let refused = {
                let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut news.refused)
            };
            if refused && events.send(UpstreamEvent::CredentialsRefused).await.is_err() {
                return;
            }
            tokio::time::sleep(GATHER).await;
            let mailboxes = {
                let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut news.mailboxes)
            };
            for (mailbox, numbers) in mailboxes {
                if events.send(status_event(mailbox, numbers)).await.is_err() {
                    return;
                }
            }
        }
    }
}
