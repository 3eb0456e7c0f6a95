//! What a connection is told of mailboxes that are not selected: events as they are logged go in, STATUS and LIST lines come
//! out.

use super::mailbox_list::{self, MailboxList};
use super::{Access, Changed, Notify, TooMany, no_access};
use crate::account::Account;
use crate::connection::Owner;
use pimap_filters::What;
use pimap_types::list::StatusItem;
use pimap_types::{Code, ConnectionId, DeviceId, MailboxName, Response, Uid, UidRanges};
use std::collections::BTreeSet;

impl Account {
    /// Whether any connection is notified of mailboxes that are not selected.
    pub(crate) fn is_notifying(&self) -> bool {
        self.connections
            .values()
            .any(|c| c.notify.as_ref().is_some_and(|n| Notify::looks_elsewhere(&n.groups)))
    }

    /// An event of an owner's mobile repository (NQ-019): what was hidden before and after is none.
    pub(crate) fn notice(&mut self, owner: &Owner, mailbox: &MailboxName, what: What, uid: Uid, own: bool) {
        if own || self.mailbox_list.is_none() {
            return;
        }
        for c in self.connections.values_mut().filter(|c| c.owner == *owner) {
            if let Some(notify) = &mut c.notify {
                notify.note(mailbox, what, uid);
            }
        }
    }

    /// A device's view of a mailbox is another one than before, in ways that no single event told.
    pub(crate) fn notice_view(&mut self, id: &DeviceId, mailbox: &MailboxName) {
        for c in self.connections.values_mut().filter(|c| c.owner == Owner::Device(id.clone())) {
            let watched = c.notify.as_mut().and_then(|notify| notify.watched.get_mut(mailbox));
            if let Some(watched) = watched.filter(|w| w.access == Access::Open) {
                watched.changed.others = true;
            }
        }
    }

    /// The mailbox has another UIDVALIDITY.
    pub(crate) fn notice_replaced(&mut self, mailbox: &MailboxName) {
        for c in self.connections.values_mut() {
            if let Some(watched) = c.notify.as_mut().and_then(|notify| notify.watched.get_mut(mailbox)) {
                watched.changed = Changed { replaced: true, others: true, ..Changed::default() };
            }
        }
    }

    /// A connection's own command put messages somewhere: they are no news to it (NQ-012, NQ-014). Others hear of them at once,
    /// also where upstream reports nothing by itself.
    pub(crate) fn messages_put(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        uids: Option<&UidRanges>,
    ) {
        let notify = self.connections.get_mut(&conn).and_then(|c| c.notify.as_mut());
        if let (Some(notify), Some(uids)) = (notify, uids) {
            notify.note_own(mailbox, uids);
        }
        let notified = |notify: &Notify| notify.watched.contains_key(mailbox);
        let heeded = self.connections.values().any(|c| c.notify.as_deref().is_some_and(notified));
        if heeded && !self.is_watched_live(mailbox) {
            self.sync(mailbox);
        }
    }

    /// Writes what has happened to mailboxes that are not selected. Whether anything was written.
    pub(crate) fn tell_elsewhere(&mut self, conn: ConnectionId) -> bool {
        let Some(c) = self.connections.get_mut(&conn).filter(|c| !c.finished) else { return false };
        let Some(mut notify) = c.notify.take() else { return false };
        let overflow = self.look_again(conn, &mut notify).is_err();
        let mut lines: Vec<Response> = notify.lines.drain(..).collect();
        lines.extend(self.statuses(conn, &mut notify));
        if overflow {
            *notify = Notify::default();
            lines = vec![overflowed()];
        }
        let wrote = !lines.is_empty();
        if let Some(c) = self.connections.get_mut(&conn) {
            c.notify = Some(notify);
        }
        for line in lines {
            self.write(conn, line);
        }
        wrote
    }

    /// Which mailboxes can be looked into now, and no longer (RFC 5465 5.9).
    fn look_again(&mut self, conn: ConnectionId, notify: &mut Notify) -> Result<(), TooMany> {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Ok(()) };
        let (mut regained, mut denied) = (Vec::new(), Vec::new());
        let mut lost = false;
        for (mailbox, watched) in &mut notify.watched {
            match watched.access {
                Access::Joined | Access::Deleted | Access::Denied | Access::Lost | Access::Doubted(_)
                    if self.is_known(&owner, mailbox) =>
                {
                    if watched.access == Access::Denied {
                        regained.push(mailbox.clone());
                    }
                    let made = watched.access == Access::Joined
                        && self.mirrors.get(mailbox).is_some_and(|mirror| mirror.uid_next <= 1);
                    watched.access = Access::Open;
                    watched.changed = Changed { replaced: !made, others: !made, made, ..Changed::default() };
                }
                Access::Open | Access::Joined | Access::Deleted if self.is_denied(mailbox) => {
                    watched.access = Access::Lost;
                    watched.changed = Changed::default();
                    lost = true;
                }
                // Still there, and not to be looked into.
                Access::Doubted(listed) if self.is_denied_since(mailbox, listed) => {
                    watched.access = Access::Denied;
                    denied.push(mailbox.clone());
                }
                _ => {}
            }
        }
        if lost {
            // It may be gone altogether: only the list of mailboxes tells.
            self.refresh_mailbox_list();
        }
        let item = |mailbox: &MailboxName| self.mailbox_list.as_ref().and_then(|list| list.item(mailbox));
        let denied = denied.iter().filter_map(item).map(no_access);
        for item in regained.iter().filter_map(item).chain(denied) {
            notify.push(Response::List { subscribed: false, item })?;
        }
        Ok(())
    }

    /// Whether the mailbox can be counted.
    fn is_known(&self, owner: &Owner, mailbox: &MailboxName) -> bool {
        let there = self.mirrors.get(mailbox).is_some_and(|m| m.uid_validity.is_some() && m.synced_by > 0);
        there && self.live_if_ready(owner, mailbox).is_some()
    }

    /// Mailboxes of which a handset was told, or is about to be, that they cannot be looked into: they are tried again now and then.
    pub(super) fn denied(&self) -> BTreeSet<MailboxName> {
        let notified = self.connections.values().filter_map(|c| c.notify.as_ref());
        let watched = notified.flat_map(|notify| &notify.watched);
        let tried = |access| matches!(access, Access::Denied | Access::Doubted(_));
        watched.filter(|(_, w)| tried(w.access)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether the last look at the mailbox was refused.
    fn is_denied(&self, mailbox: &MailboxName) -> bool {
        self.is_denied_since(mailbox, 0)
    }

    /// The same of a look later than question number `asked`.
    fn is_denied_since(&self, mailbox: &MailboxName, asked: u64) -> bool {
        let fault = self.sync_faults.get(mailbox);
        fault.is_some_and(|(by, fault)| *by > asked && crate::sync::is_gone(fault))
    }

    /// STATUS lines of what has changed (RFC 5465 5.1 to 5.3). Of the selected mailbox only its own group tells anything.
    fn statuses(&mut self, conn: ConnectionId, notify: &mut Notify) -> Vec<Response> {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Vec::new() };
        let selected = self.selected_of(conn).map(|(_, mailbox)| mailbox);
        let counting = self.is_counting(&owner);
        let mut lines = Vec::new();
        for (mailbox, watched) in &mut notify.watched {
            let flags = watched.changed.flags && watched.events.flags;
            let messages = watched.changed.is_worth_telling();
            let tells = watched.access == Access::Open && (messages || flags);
            if !tells || selected.as_ref() == Some(mailbox) {
                continue;
            }
            let mut items = Vec::new();
            if watched.changed.replaced || watched.changed.made || !messages {
                items.push(StatusItem::UidValidity);
            }
            if messages {
                items.extend([StatusItem::UidNext, StatusItem::Messages]);
            }
            // New flags show in nothing but the mod-sequence, which is all that RFC 5465 5.1 tells of them.
            items.extend((counting || !messages).then_some(StatusItem::HighestModSeq));
            if let Some(line) = self.status_line(&owner, mailbox, &items) {
                watched.changed = Changed::default();
                lines.push(line);
            }
        }
        lines
    }

    /// STATUS of a mailbox as the owner sees it; `None` while it cannot be said.
    pub(crate) fn status_line(
        &mut self,
        owner: &Owner,
        mailbox: &MailboxName,
        items: &[StatusItem],
    ) -> Option<Response> {
        let messages = self.live_if_ready(owner, mailbox)?.len();
        if items.contains(&StatusItem::HighestModSeq) {
            self.use_mod_seqs(mailbox);
        }
        let highest = self.known_mod_seq(owner, mailbox)?.0;
        let mirror = self.mirrors.get(mailbox)?;
        let uid_validity = mirror.uid_validity?.get();
        let number = |item: &StatusItem| match item {
            StatusItem::Messages => Some(u64::from(messages)),
            StatusItem::UidNext => Some(u64::from(mirror.uid_next)),
            StatusItem::UidValidity => Some(u64::from(uid_validity)),
            StatusItem::HighestModSeq => Some(highest),
            _ => None,
        };
        let numbers = items.iter().filter_map(|item| Some((*item, number(item)?))).collect();
        Some(Response::Status(mailbox.clone(), numbers))
    }

    /// The mailbox is the selected one, described a moment ago: nothing of it is news.
    pub(crate) fn forget_changes(&mut self, conn: ConnectionId, mailbox: &MailboxName) {
        let notify = self.connections.get_mut(&conn).and_then(|c| c.notify.as_mut());
        if let Some(watched) = notify.and_then(|notify| notify.watched.get_mut(mailbox)) {
            watched.changed = Changed::default();
        }
    }

    /// The list of mailboxes is another one: what it means for every connection that is notified.
    pub(super) fn mailbox_list_changed(&mut self, before: &MailboxList, refreshed: u64) {
        let Some(after) = self.mailbox_list.take() else { return };
        let changes = mailbox_list::changes(before, &after);
        let mut unseen = BTreeSet::new();
        for c in self.connections.values_mut().filter(|c| !c.finished) {
            if let Some(notify) = &mut c.notify {
                let told = notify.on_mailbox_list(before, &after, &changes, refreshed, Access::Joined);
                if told.is_err() {
                    **notify = Notify::default();
                    notify.lines.push_back(overflowed());
                }
                unseen.extend(notify.unseen().cloned());
            }
            // One that is being set up was evaluated on the list of before: what joins is looked at like the rest.
            if let Some(next) = &mut c.notify_next {
                let told = next.on_mailbox_list(before, &after, &changes, refreshed, Access::Unknown);
                if told.is_err() {
                    c.notify_next = None;
                }
            }
        }
        self.mailbox_list = Some(after);
        // A mailbox that was made anew between two looks at the list seems never to have gone: nobody else asks for it.
        unseen.retain(|mailbox| !self.mirrors.contains_key(mailbox));
        for mailbox in unseen {
            self.sync(&mailbox);
        }
    }

    /// The mailbox was deleted: one of that name that comes is told of as another.
    pub(crate) fn notice_deleted(&mut self, mailbox: &MailboxName) {
        for c in self.connections.values_mut() {
            if let Some(notify) = &mut c.notify {
                notify.deleted(mailbox);
            }
            if let Some(next) = &mut c.notify_next {
                next.look_again(mailbox);
            }
        }
    }
}

/// RFC 5465 5.8: from here on nothing is notified.
fn overflowed() -> Response {
    let text = "more happens than can be told: use NOTIFY again, for less";
    Response::ok_code(Code::word("NOTIFICATIONOVERFLOW"), text)
}
