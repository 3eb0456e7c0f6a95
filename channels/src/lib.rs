//! Outband channels: ways to wake a handset that has no connection open (P-IMAP B.2, design D10).
//!
//! In go [`Notice`]s, which say whom to wake and never what the mail says; out go datagrams or messages of a
//! carrier, and an [`Outcome`] for the counters. A notice is a hint: losing, repeating or reordering it costs
//! only delay, so nothing here is waited for by anything that matters, and nothing here removes an event (law
//! 3).
//!
//! This room refuses mail content, knowledge of sessions and filters, and storage: what must outlive a
//! restart is handed to the server through [`udp::KeyDirectory`]. Sockets live in the `transport` modules
//! only; everything else is pure and gets the time with its input.
//!
//! Reading order: [`emn`] (the payload), [`px1`] (the cipher), [`hello`] (what a handset says over UDP),
//! [`budget`] (limits), [`wake`] (when to send), [`udp`] (the channel), `fake` (for tests, behind the feature
//! of that name).

pub mod budget;
pub mod emn;
#[cfg(feature = "fake")]
pub mod fake;
pub mod hello;
pub mod px1;
pub mod udp;
pub mod wake;

use pimap_types::notice::Notice;
use pimap_types::preference::ChannelKind;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What became of one notice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// Handed to the carrier, which may still lose it.
    Accepted,
    /// Nothing has left; a later attempt may work (a full queue, a network that is down).
    Retry,
    /// Nothing has left, since no address of the device is known (no HELLO, or one too long ago).
    NoAddress,
    /// Nothing has left and repeating is useless: this channel cannot carry this notice.
    Refused,
    /// It is not known whether anything has left.
    Unknown,
}

impl Outcome {
    /// A word for `pimap_outband_total{outcome}`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Retry => "retry",
            Outcome::NoAddress => "no_address",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}

/// A notice on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One way to carry notices.
pub trait Channel: Send + Sync {
    /// The preference value that chooses this channel.
    fn kind(&self) -> ChannelKind;
    /// Sends one notice. Implementations queue within bounds, and answer [`Outcome::Retry`] instead of
    /// waiting for room.
    fn send<'a>(&'a self, notice: &'a Notice) -> Sending<'a>;
}

/// How long a channel may think about one notice; longer: [`Outcome::Unknown`] (a dead channel blocks
/// nothing, PI-106).
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// The channels that are configured, at most one of each kind.
#[derive(Clone, Default)]
pub struct Channels {
    by_kind: BTreeMap<ChannelKind, Arc<dyn Channel>>,
}

impl Channels {
    /// Adds a channel; an earlier one of the same kind is replaced.
    pub fn with(mut self, channel: Arc<dyn Channel>) -> Self {
        self.by_kind.insert(channel.kind(), channel);
        self
    }

    /// Whether notices of this kind can be carried at all.
    pub fn carries(&self, kind: ChannelKind) -> bool {
        kind != ChannelKind::None && self.by_kind.contains_key(&kind)
    }

    /// Sends by the channel the notice names. `NONE` (PI-104) and channels that are not configured are
    /// [`Outcome::Refused`].
    pub async fn send(&self, notice: &Notice) -> Outcome {
        if !self.carries(notice.channel) {
            return Outcome::Refused;
        }
        match self.by_kind.get(&notice.channel) {
            Some(channel) => {
                tokio::time::timeout(SEND_PATIENCE, channel.send(notice)).await.unwrap_or(Outcome::Unknown)
            }
            None => Outcome::Refused,
        }
    }
}
