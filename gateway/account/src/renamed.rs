//! Mailboxes that another client renamed where upstream tells of no names (F19): known by their UIDVALIDITY, so that what a filter
//! hides under the old name is not shown under the new one.
//!
//! In: the answer to the first look at a mailbox. Out: whether it is to wait until the mailbox that it resembles has been looked for; if
//! that one is gone, its filters are set for this name too. A mailbox of which nobody has seen more than its name is not recognised, nor one
//! that got another UIDVALIDITY with its name: nobody can know those. A server that gives two mailboxes one UIDVALIDITY may have
//! the wrong one filtered when the other is deleted: that hides, and shows nothing.

use crate::account::Account;
use pimap_types::preference::FilterScope;
use pimap_types::upstream::{Synced, UpstreamFault};
use pimap_types::{DeviceId, MailboxName, UidValidity, limits};

/// What tells one mailbox from another, whatever their names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) uid_validity: UidValidity,
    /// UIDNEXT when it was seen first: it never goes back (RFC 3501 2.3.1.1).
    pub(crate) uid_next: u32,
}

/// A mailbox under suspicion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Suspect {
    /// What it may have been called.
    old: MailboxName,
    /// Whether that one is still there is shown by a look that was asked for after this question.
    since: u64,
}

impl Account {
    /// What mailboxes with filters of their own are, as far as they are looked into. What nobody filters is forgotten.
    pub(crate) fn note_identities(&mut self) {
        for (id, device) in &mut self.devices {
            let filtered: Vec<MailboxName> = device.filtered_mailboxes().cloned().collect();
            let before = device.seen.len();
            device.seen.retain(|mailbox, _| filtered.contains(mailbox));
            let mut changed = device.seen.len() != before;
            for mailbox in filtered {
                let Some(mirror) = self.mirrors.get(&mailbox) else { continue };
                let Some(uid_validity) = mirror.uid_validity else { continue };
                if device.seen.get(&mailbox).is_none_or(|seen| seen.uid_validity != uid_validity) {
                    device.seen.insert(mailbox, Identity { uid_validity, uid_next: mirror.uid_next });
                    changed = true;
                }
            }
            if changed {
                self.dirty_devices.insert(id.clone());
            }
        }
    }

    /// Whether a mailbox that was looked into for the first time may be one that a filter knows under another name. Then nothing is
    /// made of the answer, that name is looked for, and the mailbox is asked for again.
    pub(crate) fn is_suspect(&mut self, mailbox: &MailboxName, synced: &Synced) -> bool {
        self.note_identities();
        let known = self.mirrors.get(mailbox).and_then(|mirror| mirror.uid_validity);
        if known == Some(synced.uid_validity) {
            return false;
        }
        let since = self.suspects.get(mailbox).map(|suspect| suspect.since);
        let Some(old) = self.resembled(mailbox, synced, since) else {
            self.suspects.remove(mailbox);
            return false;
        };
        let since = since.unwrap_or(self.asked);
        self.suspects.insert(mailbox.clone(), Suspect { old: old.clone(), since });
        self.sync(&old);
        true
    }

    /// The filtered mailbox under another name that it may be, unless that one was seen since.
    fn resembled(&self, mailbox: &MailboxName, synced: &Synced, since: Option<u64>) -> Option<MailboxName> {
        let is_same = |identity: &Identity| {
            identity.uid_validity == synced.uid_validity
                && (synced.uid_next == 0 || identity.uid_next <= synced.uid_next)
        };
        let seen_since = |old: &MailboxName| {
            let mirror = self.mirrors.get(old).filter(|mirror| mirror.uid_validity.is_some());
            let synced_by = mirror.map_or(0, |mirror| mirror.synced_by);
            let denied_by = match self.sync_faults.get(old) {
                Some((asked, UpstreamFault::NoAccess(_))) => *asked,
                _ => 0,
            };
            since.is_some_and(|since| synced_by.max(denied_by) > since)
        };
        // It is known under its own name.
        let itself = |seen: &Identity| seen.uid_validity == synced.uid_validity;
        if self.devices.values().any(|device| device.seen.get(mailbox).is_some_and(itself)) {
            return None;
        }
        let own = FilterScope::Mailbox(mailbox.clone());
        let strangers = self.devices.values().filter(|device| !device.activations.contains_key(&own));
        let mut seen = strangers.flat_map(|device| &device.seen);
        // INBOX is not renamed: its messages go (RFC 3501 6.3.5).
        let is_it = |old: &MailboxName, identity: &Identity| {
            old != mailbox && !old.is_inbox() && is_same(identity) && !seen_since(old)
        };
        seen.find(|(old, identity)| is_it(old, identity)).map(|(old, _)| old.clone())
    }

    /// The filters of a mailbox that is gone are those of another name too. They stay where they were as well: a server may say of a
    /// mailbox that it is gone and mean that it cannot be had now.
    fn filters_follow(&mut self, old: &MailboxName, new: &MailboxName) {
        let (from, to) = (FilterScope::Mailbox(old.clone()), FilterScope::Mailbox(new.clone()));
        for (id, device) in &mut self.devices {
            if device.activations.contains_key(&to) {
                continue;
            }
            let Some(names) = device.activations.get(&from).cloned() else { continue };
            if device.activations.len() >= limits::ACTIVATIONS_PER_DEVICE_MAX {
                device.activations.remove(&from);
            }
            device.activations.insert(to.clone(), names);
            self.dirty_devices.insert(id.clone());
        }
        // Verdicts that were begun under the filters of before are made anew.
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            self.ensure_verdicts(&id, new);
        }
    }

    /// A mailbox was looked for: what resembles it is another one, or it under another name, or nobody knows yet.
    pub(crate) fn suspicion_settled(&mut self, old: &MailboxName) {
        let fault = self.sync_faults.get(old).cloned();
        let resemble: Vec<(MailboxName, u64)> = self
            .suspects
            .iter()
            .filter(|(_, suspect)| suspect.old == *old)
            .map(|(name, suspect)| (name.clone(), suspect.since))
            .collect();
        for (mailbox, since) in resemble {
            match &fault {
                Some((asked, UpstreamFault::NoSuchMailbox(_))) if *asked > since => {
                    self.filters_follow(old, &mailbox);
                    self.sync(&mailbox);
                }
                // It is there, whoever may look into it.
                Some((_, UpstreamFault::NoAccess(_))) => self.sync(&mailbox),
                // Not shown before it is known: whoever waits is told, and may come again.
                Some((asked, _)) if *asked > since => {
                    let unavailable = (self.asked, UpstreamFault::Unavailable);
                    self.sync_faults.insert(mailbox.clone(), unavailable);
                    self.moved.insert(mailbox);
                }
                _ => self.sync(&mailbox),
            }
        }
    }
}
