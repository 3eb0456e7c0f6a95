//! NOTIFY (RFC 5465) on one connection: what it asked for, and what is to be told of mailboxes that are not selected.
//!
//! Goes in: events of the mobile repository, as they are logged (`Account::notice`), and the list of mailboxes as it changes
//! ([`mailbox_list`]). Comes out: STATUS and LIST lines, written between commands and before tagged lines. What is hidden from a
//! device is no event of its mobile repository and causes no line (law 2). Nothing is a row of the store: a NOTIFY lasts as long
//! as its connection, and what it tells of other mailboxes is a hint that the next STATUS repeats. Message events of the
//! *selected* mailbox go the way of all events, through the session's log; here is only which of them are wanted.

pub(crate) mod mailbox_list;
mod tell;

use mailbox_list::MailboxList;
use pimap_filters::What;
use pimap_types::limits::{NOTIFY_CHANGES_MAX, NOTIFY_MAILBOXES_MAX};
use pimap_types::notify::{EventGroup, Events, MailboxFilter, SelectedEvents};
use pimap_types::response::ListItem;
use pimap_types::{MailboxName, Response, Uid, UidRanges};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Arrivals remembered by UID for one mailbox; more are others' for sure.
const ARRIVALS_MAX: usize = 64;
/// Own arrivals remembered, by command; the oldest are told as others' would be.
const OWN_MAX: usize = 16;

/// What one connection wants to hear of.
#[derive(Default)]
pub(crate) struct Notify {
    pub(crate) selected: SelectedEvents,
    groups: Vec<EventGroup>,
    /// Mailboxes whose messages matter, by the groups and the list of mailboxes.
    watched: BTreeMap<MailboxName, Watched>,
    /// Lines about mailboxes that wait to be written.
    lines: VecDeque<Response>,
    /// What the connection's own commands put where.
    own_messages: VecDeque<(MailboxName, UidRanges)>,
    /// Names that its own commands changed, with the number of the question after which nothing more is due to them.
    own_names: BTreeMap<MailboxName, u64>,
}

/// One mailbox whose messages matter.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Watched {
    events: Events,
    access: Access,
    changed: Changed,
}

/// Whether a mailbox can be looked into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// It has not been looked at.
    Unknown,
    /// It joined after NOTIFY was answered, and has not been looked at: its numbers are news.
    Joined,
    /// It is mirrored, and its numbers as of some moment are known to the handset or were not asked for.
    Open,
    /// It was deleted after it was looked into: one of that name that comes is another.
    Deleted,
    /// It could be looked into and no longer can; whether it is still there is being found out.
    Lost,
    /// So it was, and the list of mailboxes asked for by that question has it: it may have been made anew between two looks. Only a look
    /// after that list shows whether it can be looked into.
    Doubted(u64),
    /// It is there and cannot be looked into; the handset was told `\NoAccess`.
    Denied,
}

/// What happened in a mailbox and was not told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Changed {
    arrived: BTreeSet<Uid>,
    /// Other arrivals, and departures.
    others: bool,
    /// Flags, told of by the mod-sequence (RFC 5465 5.1).
    flags: bool,
    /// The mailbox has another UIDVALIDITY.
    replaced: bool,
    /// It was made a moment ago and holds nothing. That is no news, but its first news are of another mailbox than one of that name
    /// that was there before.
    made: bool,
}

impl Changed {
    fn is_worth_telling(&self) -> bool {
        !self.arrived.is_empty() || self.others || self.replaced
    }
}

/// More is asked for than one connection is notified of.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Notify {
    /// What SET asks for, of the mailboxes there are.
    pub(crate) fn new(
        selected: SelectedEvents,
        groups: Vec<EventGroup>,
        list: Option<&MailboxList>,
    ) -> Result<Self, TooMany> {
        let mut notify = Notify { selected, groups, ..Notify::default() };
        if let Some(list) = list {
            notify.evaluate(list, Access::Unknown)?;
        }
        Ok(notify)
    }

    /// Whether anything of other mailboxes is wanted.
    pub(crate) fn looks_elsewhere(groups: &[EventGroup]) -> bool {
        groups.iter().any(|group| group.events != Events::default())
    }

    /// Mailboxes to be watched upstream.
    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = &MailboxName> {
        self.watched.keys()
    }

    /// The next mailbox that was not looked at.
    pub(crate) fn unknown(&self) -> Option<MailboxName> {
        let unknown = |(_, watched): &(&MailboxName, &Watched)| watched.access == Access::Unknown;
        self.watched.iter().find(unknown).map(|(name, _)| name.clone())
    }

    /// What was seen of the mailbox is gone: it is to be looked at again.
    pub(crate) fn look_again(&mut self, mailbox: &MailboxName) {
        if let Some(watched) = self.watched.get_mut(mailbox) {
            watched.access = Access::Unknown;
        }
    }

    /// The mailbox was deleted. `Unknown` stays what it is: it will be looked at.
    fn deleted(&mut self, mailbox: &MailboxName) {
        if let Some(watched) = self.watched.get_mut(mailbox).filter(|w| w.access == Access::Open) {
            watched.access = Access::Deleted;
            watched.changed = Changed::default();
        }
    }

    /// Mailboxes that nobody has looked into since they came.
    fn unseen(&self) -> impl Iterator<Item = &MailboxName> {
        let unseen = |(_, watched): &(&MailboxName, &Watched)| {
            matches!(watched.access, Access::Joined | Access::Deleted | Access::Open | Access::Doubted(_))
        };
        self.watched.iter().filter(unseen).map(|(name, _)| name)
    }

    /// It was looked at, and can be looked into or not.
    pub(crate) fn looked_at(&mut self, mailbox: &MailboxName, open: bool) {
        if let Some(watched) = self.watched.get_mut(mailbox) {
            watched.access = if open { Access::Open } else { Access::Denied };
        }
    }

    /// Mailboxes with the events wanted of them, if they can be looked into.
    pub(crate) fn looked_into(&self) -> Vec<(MailboxName, Option<Events>)> {
        let open = |watched: &Watched| (watched.access == Access::Open).then_some(watched.events);
        self.watched.iter().map(|(name, watched)| (name.clone(), open(watched))).collect()
    }

    /// Which mailboxes matter, as the list of mailboxes has it now. New ones are in the state given.
    fn evaluate(&mut self, list: &MailboxList, access: Access) -> Result<(), TooMany> {
        let mut before = std::mem::take(&mut self.watched);
        for name in list.selectable() {
            let matching = self.groups.iter().filter(|group| list.matches(&group.mailboxes, name));
            let mut events = Events::default();
            for group in matching {
                events.messages |= group.events.messages;
                events.flags |= group.events.flags;
            }
            if !events.messages {
                continue;
            }
            if self.watched.len() >= NOTIFY_MAILBOXES_MAX {
                return Err(TooMany);
            }
            let watched = match before.remove(name) {
                Some(known) => Watched { events, ..known },
                None => Watched { events, access, changed: Changed::default() },
            };
            self.watched.insert(name.clone(), watched);
        }
        Ok(())
    }

    /// Arrivals that are not of the connection's own making.
    pub(crate) fn not_own(&self, mailbox: &MailboxName, uids: &UidRanges) -> UidRanges {
        let own =
            |uid: &Uid| self.own_messages.iter().any(|(name, set)| name == mailbox && set.contains(*uid));
        UidRanges::from_uids(uids.iter().filter(|uid| !own(uid)))
    }

    fn note_own(&mut self, mailbox: &MailboxName, uids: &UidRanges) {
        if self.own_messages.len() >= OWN_MAX {
            self.own_messages.pop_front();
        }
        self.own_messages.push_back((mailbox.clone(), uids.clone()));
        if let Some(watched) = self.watched.get_mut(mailbox) {
            watched.changed.arrived.retain(|uid| !uids.contains(*uid));
        }
    }

    fn note(&mut self, mailbox: &MailboxName, what: What, uid: Uid) {
        let own = |(name, set): &(MailboxName, UidRanges)| name == mailbox && set.contains(uid);
        let is_own = what == What::Arrived && self.own_messages.iter().any(own);
        let Some(watched) = self.watched.get_mut(mailbox).filter(|w| w.access == Access::Open) else {
            return;
        };
        let changed = &mut watched.changed;
        match what {
            What::Arrived if is_own => {}
            What::Arrived if changed.arrived.len() < ARRIVALS_MAX => drop(changed.arrived.insert(uid)),
            What::Arrived | What::Gone => changed.others = true,
            What::Flags => changed.flags = true,
            What::Nothing => {}
        }
    }

    /// What waits to be written.
    pub(crate) fn lines_waiting(&self) -> Vec<Response> {
        self.lines.iter().cloned().collect()
    }

    /// These were written on behalf of what was asked for before.
    pub(crate) fn are_told(&mut self, told: &[Response]) {
        self.lines.retain(|line| !told.contains(line));
    }

    /// Something to be told about a mailbox; too much of it ends the notifications.
    fn push(&mut self, line: Response) -> Result<(), TooMany> {
        if self.lines.len() >= NOTIFY_CHANGES_MAX {
            return Err(TooMany);
        }
        self.lines.push_back(line);
        Ok(())
    }
}

impl Notify {
    /// The list of mailboxes is another one. Mailboxes that join are in the state given.
    fn on_mailbox_list(
        &mut self,
        before: &MailboxList,
        after: &MailboxList,
        changes: &[mailbox_list::Change],
        refreshed: u64,
        joining: Access,
    ) -> Result<(), TooMany> {
        for change in changes {
            let name = &change.item.mailbox;
            let names = [Some(name), change.old_name.as_ref()].into_iter().flatten();
            let concerns = |group: &EventGroup| {
                let wanted = match change.subscription {
                    true => group.events.subscription,
                    false => group.events.name,
                };
                let mut names = names.clone();
                wanted
                    && names.any(|name| {
                        before.covers(&group.mailboxes, name) || after.covers(&group.mailboxes, name)
                    })
            };
            let own = self.own_names.contains_key(name);
            if own || !self.groups.iter().any(concerns) {
                continue;
            }
            let line = match &change.old_name {
                Some(old_name) => Response::Renamed { item: change.item.clone(), old_name: old_name.clone() },
                None => Response::List { subscribed: false, item: change.item.clone() },
            };
            // A mailbox that was made and subscribed at once is one line.
            if !self.lines.contains(&line) {
                self.push(line)?;
            }
        }
        self.own_names.retain(|_, since| *since >= refreshed);
        let lost: Vec<MailboxName> = self
            .watched
            .iter()
            .filter(|(_, watched)| watched.access == Access::Lost)
            .map(|(name, _)| name.clone())
            .collect();
        self.evaluate(after, joining)?;
        for mailbox in lost {
            if let Some(watched) = self.watched.get_mut(&mailbox) {
                watched.access = Access::Doubted(refreshed);
            }
        }
        Ok(())
    }

    /// A name that the connection itself changed: a list asked for after question number `asked` shows it.
    fn note_own_name(&mut self, name: &MailboxName, asked: u64) {
        if self.own_names.len() >= NOTIFY_CHANGES_MAX {
            self.own_names.clear();
        }
        self.own_names.insert(name.clone(), asked);
    }
}

/// The item of a mailbox that is there and cannot be looked into (RFC 5465 3.1).
pub(crate) fn no_access(item: ListItem) -> ListItem {
    let mut attributes = item.attributes;
    attributes.insert(0, "\\NoAccess".to_owned());
    ListItem { attributes, ..item }
}
