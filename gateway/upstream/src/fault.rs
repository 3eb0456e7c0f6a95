//! Why a request was not answered by upstream, inside this room; one place turns it into the contract's word.

use pimap_types::upstream::UpstreamFault;
use pimap_wire::client::Malformed;
use pimap_wire::client::frame::FrameFault;
use pimap_wire::client::request::Unencodable;

/// A fault of a connection or of what was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Not reachable, closed, silent for too long, or said BYE.
    Lost,
    /// What NOTIFY asks for is more than the server reports: it has given it up (RFC 5465 5.8).
    Overflowed,
    /// Broke the grammar or a limit.
    Misbehaved,
    /// The mailbox cannot be opened: upstream's text.
    NoSuchMailbox(String),
    /// The mailbox is there and its rights keep this user out: upstream's text.
    NoAccess(String),
    /// Another UIDVALIDITY (F22).
    UidValidityChanged,
    /// The request needs what upstream lacks, or cannot be written at all.
    Unsupported,
    /// The handset's side of a stream went away.
    Cancelled,
    /// The credentials are refused (F50).
    CredentialsRefused,
    /// Too many requests wait already.
    Busy,
    /// The server put the UID behind more octets than may be held: ask for one message at a time.
    UidTooLate,
}

impl Fault {
    /// The contract's word. `in_doubt`: a mutation had been sent when it happened (F45).
    pub(crate) fn told(self, in_doubt: bool) -> UpstreamFault {
        match self {
            Fault::Lost | Fault::Misbehaved if in_doubt => UpstreamFault::InDoubt,
            Fault::Lost | Fault::Overflowed | Fault::Busy => UpstreamFault::Unavailable,
            Fault::Misbehaved | Fault::UidTooLate => UpstreamFault::Misbehaved,
            Fault::NoSuchMailbox(text) => UpstreamFault::NoSuchMailbox(text),
            Fault::NoAccess(text) => UpstreamFault::NoAccess(text),
            Fault::UidValidityChanged => UpstreamFault::UidValidityChanged,
            Fault::Unsupported => UpstreamFault::Unsupported,
            Fault::Cancelled => UpstreamFault::Cancelled,
            Fault::CredentialsRefused => UpstreamFault::CredentialsRefused,
        }
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Fault::Misbehaved
    }
}

impl From<FrameFault> for Fault {
    fn from(_: FrameFault) -> Self {
        Fault::Misbehaved
    }
}

impl From<Unencodable> for Fault {
    fn from(_: Unencodable) -> Self {
        Fault::Unsupported
    }
}

impl From<std::io::Error> for Fault {
    fn from(_: std::io::Error) -> Self {
        Fault::Lost
    }
}
