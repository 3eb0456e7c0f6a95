//! Marks: what a handset has not been told yet of one message. One mark per UID, without any sequence number: numbers are
//! made when a line is written, never when a fact is logged.

use pimap_types::Flags;

/// How an event is delivered (P-IMAP 1.3, the decision table).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// With the next response.
    Polled,
    /// At once: inband, else outband.
    Pushed,
}

/// How the message stands to the client view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Presence {
    /// Told, and still there.
    Same,
    /// Not told, and there.
    Arrived,
    /// Told, and gone.
    Gone,
}

/// What is untold of one message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Mark {
    /// Membership.
    pub presence: Presence,
    /// New flags of a message that is [`Presence::Same`], or that the handset's own STORE took out of the view; last known ones
    /// of one that arrived.
    pub flags: Option<Flags>,
    /// Delivery.
    pub class: Class,
    /// The handset's own command caused it: a departure of this kind waits for NOOP, CHECK, IDLE, EXPUNGE or SELECT, so
    /// that a view `UNSEEN` can be read in parts (F18).
    pub own: bool,
}

impl Mark {
    /// A mark of the presence given, without flags.
    pub fn new(presence: Presence, class: Class) -> Self {
        Self { presence, flags: None, class, own: false }
    }
}
