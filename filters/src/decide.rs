//! Which event, if any, a change in the complete repository is for one device (P-IMAP 1.3, digest 1.3).
//!
//! In go the verdicts of the view and the notification filter before and after the change, and the device's
//! event filter; out comes what the handset is to be told and whether at once. Refuses to know how it is
//! told: an arrival below the highest UID told, a change made by the handset itself (F35), or a full channel
//! are the caller's affair.
//!
//! | change in view | what | pushed under ALL | pushed under NEW |
//! |---|---|---|---|
//! | outside before and after | nothing | – | – |
//! | enters | arrived | in the push repository after | the same |
//! | leaves | gone | in the push repository before | never |
//! | stays | flags | in the push repository before **or** after (F34) | enters the push repository |
//!
//! A message is in the push repository while it passes both filters. Ageing is never pushed, and tells only
//! of what enters or leaves the view.

use pimap_types::preference::EventFilter;

#[cfg(test)]
mod tests;

/// One message's change, with the verdicts on both sides of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    /// What happened upstream.
    pub kind: ChangeKind,
    /// The view filter's verdict before; without meaning for an arrival.
    pub view_before: bool,
    /// The view filter's verdict after; without meaning for a removal.
    pub view_after: bool,
    /// The notification filter's verdict before, as it was stored: a message that is gone can no longer be
    /// searched.
    pub notification_before: bool,
    /// The notification filter's verdict after.
    pub notification_after: bool,
}

/// What happened to a message of the complete repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChangeKind {
    /// It was delivered, appended, copied or moved here.
    Arrival,
    /// Its flags or keywords changed.
    FlagChange,
    /// It was expunged or moved away.
    Removal,
    /// Nothing but the day changed (DAYSBEFORETODAY).
    Ageing,
}

/// What a change is for one device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Decision {
    /// What the handset is to be told.
    pub what: What,
    /// When it is to be told; `Polled` where there is nothing to tell.
    pub class: Class,
}

/// What a handset is to be told of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum What {
    /// Not an event: never reported in any way.
    Nothing,
    /// The message has entered the view.
    Arrived,
    /// The message has left the view.
    Gone,
    /// The message's flags may have changed.
    Flags,
}

/// When an event is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// With the next poll.
    Polled,
    /// At once, inband or outband.
    Pushed,
}

/// Classifies one message's change for a device with this event filter.
pub fn decide(change: Change, event_filter: EventFilter) -> Decision {
    let in_view_before = change.view_before && change.kind != ChangeKind::Arrival;
    let in_view_after = change.view_after && change.kind != ChangeKind::Removal;
    let what = match (in_view_before, in_view_after) {
        (false, false) => What::Nothing,
        (false, true) => What::Arrived,
        (true, false) => What::Gone,
        (true, true) if change.kind == ChangeKind::Ageing => What::Nothing,
        (true, true) => What::Flags,
    };

    // The notification filter alone makes no member of the push repository: what was pushed is, or was, in
    // the view.
    let in_push_before = in_view_before && change.notification_before;
    let in_push_after = in_view_after && change.notification_after;
    let pushed = change.kind != ChangeKind::Ageing
        && match event_filter {
            // Before or after: a message read elsewhere leaves a notification filter UNSEEN, and the phone
            // that it made ring must learn of it (F34).
            EventFilter::All => in_push_before || in_push_after,
            // "New messages arriving to the push repository" (P-IMAP 3.1.3): one that a flag makes urgent is
            // among them.
            EventFilter::New => in_push_after && !in_push_before,
            EventFilter::None => false,
        };
    Decision { what, class: if pushed { Class::Pushed } else { Class::Polled } }
}

/// The class of a mailbox created, deleted, renamed, subscribed or unsubscribed (P-IMAP 1.3, "folder event"):
/// no filter applies to it, not even the event filter NONE, so none is asked for.
pub const fn folder_event_class() -> Class {
    Class::Pushed
}
