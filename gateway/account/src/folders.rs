//! Mailboxes that are created, renamed, deleted: folder events, always pushed (P-IMAP 1.3), and what they mean for filters and
//! sessions (F19).

use crate::account::Account;
use crate::contract::{Count, Output};
use pimap_types::response::ListItem;
use pimap_types::{DeviceId, MailboxName, Response};

impl Account {
    /// A mailbox was created, renamed, deleted or (un)subscribed: a folder event, always pushed (P-IMAP 1.3).
    pub(crate) fn folder_event(&mut self, item: &ListItem, old_name: Option<&MailboxName>) {
        self.hint_mailbox_list(old_name, &item.mailbox);
        self.upstream.delimiter = item.delimiter.or(self.upstream.delimiter);
        let gone = item.attributes.iter().any(|a| a.eq_ignore_ascii_case("\\NonExistent"));
        if let Some(old) = old_name {
            self.mailbox_renamed(old, &item.mailbox);
        } else if gone && self.is_told(&item.mailbox) {
            // The news may be older than what was told: one of that name may have been made and opened since (F22). Whether it is gone,
            // a look says.
            self.notice_deleted(&item.mailbox);
            self.sync(&item.mailbox);
        } else if gone {
            self.mailbox_deleted(&item.mailbox);
        }
        if !gone {
            self.mailbox_appeared(&item.mailbox);
        }
        if self.own_folders.remove(&item.mailbox) {
            return;
        }
        self.count(Count::Event("folder"));
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            if self.devices.get(&id).is_some_and(|d| d.session.is_some()) {
                self.wake(&id, self.now);
            }
        }
        let listening: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, c)| c.enabled && c.idle.is_some() && !c.finished && c.notify.is_none())
            .map(|(id, _)| *id)
            .collect();
        for conn in listening {
            let response = Response::List { subscribed: false, item: item.clone() };
            self.outbox.push(Output::Write(conn, response));
        }
    }

    /// Whether a session was told what is in the mailbox, and holds it.
    fn is_told(&mut self, mailbox: &MailboxName) -> bool {
        self.owners().iter().any(|owner| {
            let told =
                self.session_mut(owner).and_then(|session| session.told(mailbox).map(|told| told.resync));
            told == Some(false)
        })
    }

    /// The mailbox is gone.
    pub(crate) fn mailbox_deleted(&mut self, mailbox: &MailboxName) {
        for owner in self.owners() {
            // It stays selected, to be said RESYNC: a session that was merely forgotten in it would learn of nothing until its
            // next LOGIN.
            self.break_truth(&owner, mailbox, "deleted");
        }
        self.notice_deleted(mailbox);
        self.drop_mirror(mailbox);
    }

    /// Filters follow a renamed mailbox, by whoever renamed it (F19); what was told under the old name is void.
    pub(crate) fn mailbox_renamed(&mut self, old: &MailboxName, new: &MailboxName) {
        use pimap_types::preference::FilterScope;
        let delimiter = self.upstream.delimiter.unwrap_or('/');
        let prefix = format!("{old}{delimiter}");
        for (id, device) in &mut self.devices {
            let moved: Vec<(FilterScope, FilterScope)> = device
                .activations
                .keys()
                .filter_map(|scope| match scope {
                    FilterScope::Mailbox(m) if m == old => {
                        Some((scope.clone(), FilterScope::Mailbox(new.clone())))
                    }
                    FilterScope::Mailbox(m) => {
                        let rest = m.as_str().strip_prefix(&prefix)?;
                        let renamed = MailboxName::new(&format!("{new}{delimiter}{rest}"));
                        Some((scope.clone(), FilterScope::Mailbox(renamed)))
                    }
                    FilterScope::AllMailboxes => None,
                })
                .collect();
            for (from, to) in moved {
                if let Some(names) = device.activations.remove(&from) {
                    device.activations.insert(to, names);
                    self.dirty_devices.insert(id.clone());
                }
            }
        }
        self.mailbox_deleted(old);
    }
}
