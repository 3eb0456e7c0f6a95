//! The list of mailboxes, kept while a connection is notified of mailboxes, and the differences between two of them: what was
//! created, deleted, renamed, subscribed (RFC 5465 5.4, 5.5).
//!
//! Whatever hints that something changed (an event from upstream, a command of one of our own connections, time where upstream
//! reports nothing) leads to LIST and LSUB being asked anew; the difference is the truth whatever the hint said. Only that a
//! deletion and a creation are one renaming is taken from the hint.

use super::MailboxFilter;
use crate::account::{Account, Question};
use crate::contract::Carry;
use pimap_types::list::{ListPattern, Namespace, Namespaces};
use pimap_types::response::ListItem;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Command, ConnectionId, MailboxName, Ticket, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Between two looks where upstream reports changes of mailboxes, and where it does not, ms.
const LOOK_MS: i64 = 300_000;
const LOOK_BLIND_MS: i64 = 30_000;
/// Renamings remembered until the list is looked at; more are told as deletion and creation.
const RENAMINGS_MAX: usize = 64;

/// All mailboxes of the account.
#[derive(Clone, Default)]
pub(crate) struct MailboxList {
    items: BTreeMap<MailboxName, ListItem>,
    subscribed: BTreeSet<MailboxName>,
    namespaces: Namespaces,
    delimiter: Option<char>,
    /// Renamings heard of since.
    renamed: Vec<(MailboxName, MailboxName)>,
}

/// Asking for a new one.
#[derive(Default)]
pub(crate) struct Looking {
    /// What upstream's namespaces are; asked once.
    pub(crate) namespaces: Option<Namespaces>,
    /// The number of the question for LIST, while it or LSUB is under way.
    asked: Option<u64>,
    /// LIST's answer, while LSUB is asked.
    listed: Option<Vec<ListItem>>,
    /// Another look is wanted after this one.
    again: bool,
    /// The question for LIST whose answer is held now.
    applied: u64,
    /// The last question that was asked when something was last heard of a mailbox's name: a list asked for no later may lack it.
    hinted: u64,
    looked_at: Timestamp,
    /// When refused mailboxes were tried again.
    tried_at: Timestamp,
    /// When mailboxes without a mirror were.
    missed_at: Timestamp,
}

/// What a list is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// All mailboxes: LIST.
    Mailboxes,
    /// All subscriptions: LSUB.
    Subscriptions,
}

/// One line to be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) item: ListItem,
    pub(crate) old_name: Option<MailboxName>,
    /// A subscription began or ended; else a name came, went or changed.
    pub(crate) subscription: bool,
}

impl MailboxList {
    pub(crate) fn new(items: Vec<ListItem>, subscribed: Vec<ListItem>, namespaces: Namespaces) -> Self {
        let delimiter = items.iter().find_map(|item| item.delimiter);
        let items = items.into_iter().map(|item| (item.mailbox.clone(), item)).collect();
        let subscribed = subscribed.into_iter().map(|item| item.mailbox).collect();
        Self { items, subscribed, namespaces, delimiter, renamed: Vec::new() }
    }

    /// Whether the mailbox is the person's own (RFC 5465 6.2): of the namespaces it may be in, the narrowest is personal.
    fn is_personal(&self, name: &MailboxName) -> bool {
        let narrowest = |namespaces: &[Namespace]| {
            let prefixes = namespaces.iter().map(|namespace| namespace.prefix.as_str());
            prefixes.filter(|prefix| name.as_str().starts_with(prefix)).map(str::len).max()
        };
        let foreign = narrowest(&self.namespaces.other_users).max(narrowest(&self.namespaces.shared));
        name.is_inbox() || narrowest(&self.namespaces.personal) >= foreign
    }

    fn is_there(&self, name: &MailboxName) -> bool {
        self.items.get(name).is_some_and(|item| !has(item, "\\NonExistent"))
    }

    /// Mailboxes that can be selected.
    pub(crate) fn selectable(&self) -> impl Iterator<Item = &MailboxName> {
        let can = |item: &&ListItem| !has(item, "\\NonExistent") && !has(item, "\\Noselect");
        self.items.values().filter(can).map(|item| &item.mailbox)
    }

    /// Whether a filter means the mailbox, as far as it is listed.
    pub(crate) fn matches(&self, filter: &MailboxFilter, name: &MailboxName) -> bool {
        match filter {
            // RFC 5465 6.3: where mail is delivered to cannot be known here, so all are.
            MailboxFilter::Inboxes | MailboxFilter::Personal => self.is_personal(name),
            MailboxFilter::Subscribed => self.subscribed.contains(name),
            MailboxFilter::Subtree(roots) => {
                let is_in = |root: &MailboxName| {
                    root.as_str().is_empty() || root == name || self.is_below(name, root)
                };
                roots.iter().any(is_in)
            }
            MailboxFilter::Mailboxes(names) => names.contains(name),
        }
    }

    /// The same for a name that may be listed or not.
    pub(super) fn covers(&self, filter: &MailboxFilter, name: &MailboxName) -> bool {
        let personal = matches!(filter, MailboxFilter::Inboxes | MailboxFilter::Personal);
        self.matches(filter, name) && (!personal || self.items.contains_key(name))
    }

    fn is_below(&self, name: &MailboxName, root: &MailboxName) -> bool {
        let rest = name.as_str().strip_prefix(root.as_str());
        rest.is_some_and(|rest| self.delimiter.is_some_and(|delimiter| rest.starts_with(delimiter)))
    }

    fn parent(&self, name: &MailboxName) -> Option<MailboxName> {
        let (parent, _) = name.as_str().rsplit_once(self.delimiter?)?;
        (!parent.is_empty()).then(|| MailboxName::new(parent))
    }

    /// The line of a listed mailbox, all attributes right: `\Subscribed` among them (RFC 5465 5.5).
    pub(crate) fn item(&self, name: &MailboxName) -> Option<ListItem> {
        let mut item = self.items.get(name)?.clone();
        item.attributes.retain(|word| !word.eq_ignore_ascii_case("\\Subscribed"));
        if self.subscribed.contains(name) {
            item.attributes.push("\\Subscribed".to_owned());
        }
        Some(item)
    }

    /// The line of any name, listed or not.
    fn item_or_none(&self, name: &MailboxName) -> ListItem {
        self.item(name).unwrap_or_else(|| {
            let mut attributes = vec!["\\NonExistent".to_owned()];
            if self.items.keys().any(|other| self.is_below(other, name)) {
                attributes.push("\\HasChildren".to_owned());
            }
            if self.subscribed.contains(name) {
                attributes.push("\\Subscribed".to_owned());
            }
            ListItem { attributes, delimiter: self.delimiter, mailbox: name.clone() }
        })
    }
}

fn has(item: &ListItem, attribute: &str) -> bool {
    item.attributes.iter().any(|word| word.eq_ignore_ascii_case(attribute))
}

/// What is to be told of the difference, in an order in which each line is true after those before it.
pub(super) fn changes(before: &MailboxList, after: &MailboxList) -> Vec<Change> {
    let mut gone: BTreeSet<&MailboxName> =
        before.items.keys().filter(|name| before.is_there(name) && !after.is_there(name)).collect();
    let mut new: BTreeSet<&MailboxName> =
        after.items.keys().filter(|name| after.is_there(name) && !before.is_there(name)).collect();
    let mut changes = Vec::new();
    // Some servers report what is below a renamed mailbox too, in any order: above comes first.
    let renamed: BTreeSet<&(MailboxName, MailboxName)> = before.renamed.iter().collect();
    for (from, to) in renamed {
        // INBOX stays where it is, and what it held moves (RFC 3501 6.3.5).
        let left = from.is_inbox() || gone.contains(from);
        if !left || !new.remove(to) {
            continue;
        }
        let item = after.item_or_none(to);
        changes.push(Change { item, old_name: Some(from.clone()), subscription: false });
        gone.remove(from);
        // Children go along, and nothing is said of them (NQ-015).
        let children: Vec<&MailboxName> =
            gone.iter().copied().filter(|name| before.is_below(name, from)).collect();
        for child in children {
            let rest = child.as_str().strip_prefix(from.as_str()).unwrap_or_default();
            let moved = MailboxName::new(&format!("{to}{rest}"));
            if new.remove(&moved) {
                gone.remove(child);
            }
        }
    }
    // The mailbox and its parent are affected (RFC 5465 5.4).
    let affected = |names: &BTreeSet<&MailboxName>| -> Vec<MailboxName> {
        names.iter().flat_map(|name| [Some((*name).clone()), after.parent(name)]).flatten().collect()
    };
    let mut told = BTreeSet::new();
    for name in affected(&gone).into_iter().chain(affected(&new)) {
        if told.insert(name.clone()) {
            changes.push(Change { item: after.item_or_none(&name), old_name: None, subscription: false });
        }
    }
    for name in before.subscribed.symmetric_difference(&after.subscribed) {
        changes.push(Change { item: after.item_or_none(name), old_name: None, subscription: true });
    }
    changes
}

impl Account {
    /// A fresh list was had by asking for it since question number `asked`. What differs is told.
    pub(crate) fn mailbox_list_came(&mut self, list: MailboxList, asked: u64) {
        if asked < self.looking.applied {
            return;
        }
        self.looking.applied = asked;
        self.looking.looked_at = self.now;
        if let Some(before) = self.mailbox_list.replace(list) {
            self.mailbox_list_changed(&before, asked);
        }
        if self.looking.hinted > asked {
            self.refresh_mailbox_list();
        }
    }

    /// Asks for the list of mailboxes, or notes that another look is wanted after the one under way.
    pub(crate) fn refresh_mailbox_list(&mut self) {
        if self.mailbox_list.is_none() {
            return;
        }
        if self.looking.asked.is_some() {
            self.looking.again = true;
            return;
        }
        let ticket = self.ask_mailbox_list(Part::Mailboxes);
        self.looking.asked = Some(ticket.0);
    }

    fn ask_mailbox_list(&mut self, part: Part) -> Ticket {
        self.ask(part.question(), Carry::Nothing, Question::MailboxList(part))
    }

    /// LIST or LSUB was answered.
    pub(crate) fn mailbox_list_answered(&mut self, part: Part, reply: UpstreamReply) {
        let UpstreamReply::Ok(Data::Listed(items)) = reply else {
            // Looked at again in time.
            self.looking.asked = None;
            self.looking.listed = None;
            self.looking.looked_at = self.now;
            return;
        };
        if part == Part::Mailboxes {
            self.looking.listed = Some(items);
            self.ask_mailbox_list(Part::Subscriptions);
            return;
        }
        let (Some(asked), Some(listed)) = (self.looking.asked.take(), self.looking.listed.take()) else {
            return;
        };
        let namespaces = self.looking.namespaces.clone().unwrap_or_default();
        let again = std::mem::take(&mut self.looking.again);
        self.mailbox_list_came(MailboxList::new(listed, items, namespaces), asked);
        if again && self.looking.asked.is_none() {
            self.refresh_mailbox_list();
        }
    }

    /// Something was heard of a mailbox's name.
    pub(crate) fn hint_mailbox_list(&mut self, old_name: Option<&MailboxName>, name: &MailboxName) {
        self.looking.hinted = self.asked;
        let Some(list) = &mut self.mailbox_list else { return };
        if let Some(old) = old_name.filter(|_| list.renamed.len() < RENAMINGS_MAX) {
            let renaming = (old.clone(), name.clone());
            if !list.renamed.contains(&renaming) {
                list.renamed.push(renaming);
            }
        }
        self.refresh_mailbox_list();
    }

    /// One of our own connections changed mailboxes: the others are told, it is not (NQ-014).
    pub(crate) fn folders_moved(&mut self, conn: ConnectionId, command: &Command) {
        let (old_name, name) = match command {
            Command::Create(name) | Command::Delete(name) => (None, name),
            Command::Subscribe(name) | Command::Unsubscribe(name) => (None, name),
            Command::Rename(old, name) => (Some(old), name),
            _ => return,
        };
        let parent = self.mailbox_list.as_ref().and_then(|list| list.parent(name));
        let asked = self.asked;
        if let Some(notify) = self.connections.get_mut(&conn).and_then(|c| c.notify.as_mut()) {
            for name in [Some(name), old_name, parent.as_ref()].into_iter().flatten() {
                notify.note_own_name(name, asked);
            }
        }
        self.hint_mailbox_list(old_name, name);
    }

    /// Time: the list is looked at where upstream reports no changes of it, refused mailboxes are tried again, and nothing is
    /// kept that nobody asks for.
    pub(crate) fn tick_mailbox_list(&mut self) {
        if self.mailbox_list.is_none() {
            return;
        }
        let asking = self.connections.values().any(|c| c.notify_next.is_some());
        if !asking && !self.is_notifying() {
            self.mailbox_list = None;
            return;
        }
        let patience = if self.upstream.notify { LOOK_MS } else { LOOK_BLIND_MS };
        if self.now.since_ms(self.looking.looked_at) >= patience {
            self.looking.looked_at = self.now;
            self.refresh_mailbox_list();
        }
        if self.now.since_ms(self.looking.tried_at) >= LOOK_BLIND_MS {
            self.looking.tried_at = self.now;
            for mailbox in self.denied() {
                self.sync(&mailbox);
            }
        }
    }

    /// Time: mailboxes that somebody is notified of and that could not be looked into are tried again, or mail that comes into one
    /// that was made anew would be noticed with the next event only.
    pub(crate) fn look_for_missing(&mut self) {
        if self.now.since_ms(self.looking.missed_at) < LOOK_MS {
            return;
        }
        self.looking.missed_at = self.now;
        for mailbox in self.asked_for() {
            if !self.mirrors.contains_key(&mailbox) {
                self.sync(&mailbox);
            }
        }
    }
}

impl Part {
    /// Asks for all of it.
    pub(crate) fn question(self) -> UpstreamRequest {
        let pattern = ListPattern { reference: String::new(), pattern: "*".to_owned() };
        let subscribed = self == Part::Subscriptions;
        // In a LIST line all attributes are to be right (RFC 5465 5.5).
        UpstreamRequest::List { subscribed, pattern, extended: !subscribed }
    }
}

#[cfg(test)]
mod tests;
