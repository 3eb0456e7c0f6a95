//! What upstream is to keep an eye on, and in which order (design D3, F48).
//!
//! Refuses any knowledge of connections to the server: how many mailboxes can be heard of at once is decided there, by the order made
//! here.

use crate::account::Account;
use crate::connection::Owner;
use crate::contract::Output;
use pimap_types::upstream::WatchList;
use pimap_types::{DeviceId, MailboxName};
use std::collections::{BTreeMap, BTreeSet};

/// Why a mailbox is watched; the strongest claim comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Claim {
    /// A live stream shows what happens there.
    Streamed,
    /// A connected handset has it selected.
    Connected,
    /// A filter, or NOTIFY, asks for its news.
    Asked,
    /// A session without a connection has it selected, or filters ask for news of every mailbox.
    Kept,
}

impl Account {
    /// Mailboxes whose changes matter: selected in a session, or with a notification filter (design D3).
    fn claims(&self) -> BTreeMap<MailboxName, Claim> {
        let mut claims = BTreeMap::new();
        let mut claim = |mailbox: &MailboxName, claim: Claim| match claims.get_mut(mailbox) {
            Some(known) => *known = claim.min(*known),
            None => drop(claims.insert(mailbox.clone(), claim)),
        };
        for owner in self.owners() {
            self.selected_by(&owner).into_iter().for_each(|mailbox| claim(mailbox, Claim::Kept));
        }
        for device in self.devices.values().filter(|d| d.notifies()) {
            device.notified_mailboxes().for_each(|mailbox| claim(mailbox, Claim::Asked));
            if device.notifies_everywhere() {
                claim(&MailboxName::new("INBOX"), Claim::Asked);
                self.mirrors.keys().for_each(|mailbox| claim(mailbox, Claim::Kept));
            }
        }
        for c in self.connections.values().filter(|c| !c.finished) {
            let live = if c.idle.is_some() { Claim::Streamed } else { Claim::Connected };
            self.selected_by(&c.owner).into_iter().for_each(|mailbox| claim(mailbox, live));
            let notified = [&c.notify, &c.notify_next].into_iter().flatten();
            notified.flat_map(|notify| notify.mailboxes()).for_each(|mailbox| claim(mailbox, Claim::Asked));
        }
        claims
    }

    /// Mailboxes whose changes matter.
    pub(crate) fn watched(&self) -> BTreeSet<MailboxName> {
        self.claims().into_keys().collect()
    }

    /// Those of which a notification filter or NOTIFY asks for news by their name.
    pub(crate) fn asked_for(&self) -> BTreeSet<MailboxName> {
        let notifying = self.devices.values().filter(|device| device.notifies());
        let live = self.connections.values().filter(|c| !c.finished);
        let notified = live.flat_map(|c| [&c.notify, &c.notify_next]).flatten();
        let notified = notified.flat_map(|notify| notify.mailboxes());
        notifying.flat_map(|device| device.notified_mailboxes()).chain(notified).cloned().collect()
    }

    /// Whether somebody wants to hear of the mailbox, mirrored or not.
    pub(crate) fn is_heeded(&self, mailbox: &MailboxName) -> bool {
        self.devices.values().any(|device| device.notifies_everywhere()) || self.watched().contains(mailbox)
    }

    /// A mailbox is there under this name. Nobody would hear of its mail if it was deleted before, or never there, and is watched.
    pub(crate) fn mailbox_appeared(&mut self, mailbox: &MailboxName) {
        if !self.mirrors.contains_key(mailbox) && self.is_heeded(mailbox) {
            self.sync(mailbox);
        }
    }

    fn selected_by(&self, owner: &Owner) -> Option<&MailboxName> {
        Some(&self.session(owner)?.selected.as_ref()?.mailbox)
    }

    /// Tells upstream what to watch, when that changed.
    pub(crate) fn update_watch(&mut self) {
        let claims = self.claims();
        let streamed = self.connections.values().filter(|c| c.idle.is_some() && !c.finished);
        let streamed = streamed.into_iter().find_map(|c| self.selected_by(&c.owner).cloned());
        let inbox = claims.keys().find(|m| m.is_inbox()).cloned();
        let first = streamed.or(inbox).or_else(|| claims.keys().next().cloned());
        let all = self.devices.values().any(|d| d.notifies_everywhere());
        let mut ordered: Vec<(Claim, MailboxName)> =
            claims.into_iter().map(|(name, claim)| (claim, name)).collect();
        ordered.sort();
        let mailboxes = ordered.into_iter().map(|(_, mailbox)| mailbox).collect();
        let list = WatchList { first, mailboxes, all };
        if self.watching.as_ref() != Some(&list) {
            // A mailbox that joins is looked at at once: what happened while nobody watched is not lost.
            let before: BTreeSet<MailboxName> =
                self.watching.take().map(|w| w.mailboxes.into_iter().collect()).unwrap_or_default();
            let joined: Vec<MailboxName> =
                list.mailboxes.iter().filter(|mailbox| !before.contains(*mailbox)).cloned().collect();
            self.watching = Some(list.clone());
            self.outbox.push(Output::Watch(list));
            for mailbox in &joined {
                let unknown =
                    self.mirrors.get(mailbox).is_none_or(|m| m.synced_by == 0 && m.syncing.is_none());
                // The one that is opened there is reported with its numbers; of the others nothing was heard until now.
                let unheard = self.watching.as_ref().is_some_and(|list| list.first.as_ref() != Some(mailbox));
                if unknown || unheard {
                    for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
                        self.ensure_verdicts(&id, mailbox);
                    }
                    self.sync(mailbox);
                }
            }
        }
    }

    /// Whether changes of the mailbox are reported within about a second.
    pub(crate) fn is_watched_live(&self, mailbox: &MailboxName) -> bool {
        let Some(watching) = self.watching.as_ref().filter(|_| self.upstream.up) else { return false };
        let synced = self.mirrors.get(mailbox).is_some_and(|m| m.synced_by > 0 && m.syncing.is_none());
        synced && (self.upstream.notify || watching.first.as_ref() == Some(mailbox))
    }
}

#[cfg(test)]
mod tests;
