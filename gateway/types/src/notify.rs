//! NOTIFY (RFC 5465): which events of which mailboxes a handset wants to hear of unasked.

use crate::command::FetchItem;
use crate::mailbox::MailboxName;

/// The arguments of NOTIFY (RFC 5465 3.1), its rules checked.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Notify {
    /// `NONE`: nothing is wanted, of no mailbox.
    None,
    /// `SET`: replaces what was wanted before.
    Set {
        /// `STATUS`: the numbers of every other mailbox concerned come before the tagged answer.
        status: bool,
        /// What is wanted of the selected mailbox; nothing when no group speaks of it.
        selected: SelectedEvents,
        /// What is wanted of others.
        groups: Vec<EventGroup>,
    },
}

/// Events wanted of one set of mailboxes other than the selected one (RFC 5465 6).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EventGroup {
    /// The mailboxes.
    pub mailboxes: MailboxFilter,
    /// The events.
    pub events: Events,
}

/// A set of mailboxes, evaluated anew whenever mailboxes or subscriptions change (RFC 5465 6.2–6.6).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum MailboxFilter {
    /// `inboxes`: where mail is delivered to.
    Inboxes,
    /// `personal`: all of the person's own.
    Personal,
    /// `subscribed`
    Subscribed,
    /// `subtree`: these and all below them.
    Subtree(Vec<MailboxName>),
    /// `mailboxes`: these; `*` and `%` mean themselves.
    Mailboxes(Vec<MailboxName>),
}

/// Kinds of event of a mailbox (RFC 5465 5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Events {
    /// MessageNew and MessageExpunge, which are wanted together or not at all.
    pub messages: bool,
    /// FlagChange
    pub flags: bool,
    /// MailboxName: created, deleted, renamed.
    pub name: bool,
    /// SubscriptionChange
    pub subscription: bool,
}

/// What is wanted of the selected mailbox (RFC 5465 6.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct SelectedEvents {
    /// MessageNew and MessageExpunge.
    pub messages: bool,
    /// FlagChange
    pub flags: bool,
    /// `selected-delayed`: removals wait for a command that may tell them.
    pub delayed: bool,
    /// Items to be told of a new message, besides its EXISTS.
    pub items: Vec<FetchItem>,
}

/// The names of the events that are supported, as BADEVENT lists them.
pub const SUPPORTED_EVENTS: [&str; 5] =
    ["MessageNew", "MessageExpunge", "FlagChange", "MailboxName", "SubscriptionChange"];
