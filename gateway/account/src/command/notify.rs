//! NOTIFY (RFC 5465 3.1): what is asked for takes effect when every mailbox concerned has been looked at, so that nothing that
//! happens after the tagged answer is missed, whatever upstream can do.

use super::{Progress, bad, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Owner, Running, Stage};
use crate::contract::Carry;
use crate::notify::mailbox_list::{MailboxList, Part};
use crate::notify::{TooMany, no_access};
use crate::sync::{Readiness, ending_of, is_gone};
use pimap_types::command::FetchItem;
use pimap_types::list::StatusItem;
use pimap_types::notify::Notify;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{ConnectionId, MailboxName, Response};

impl Account {
    pub(super) fn begin_notify(
        &mut self,
        conn: ConnectionId,
        notify: &Notify,
        running: &mut Running,
    ) -> Progress {
        if !self.can_idle(conn) {
            return bad("NOTIFY needs a connection that stays open: send the request chunked");
        }
        let Some(c) = self.connections.get_mut(&conn) else { return Progress::Over };
        let Notify::Set { selected, groups, status } = notify else {
            // What came before it was wanted.
            self.tell_elsewhere(conn);
            if let Some(c) = self.connections.get_mut(&conn) {
                c.notify = Some(Box::default());
            }
            return ok();
        };
        if !matches!(running.stage, Stage::Start) {
            return self.look_at_notified(conn, *status, running);
        }
        c.notify_next = None;
        if !crate::notify::Notify::looks_elsewhere(groups) {
            let next = crate::notify::Notify::new(selected.clone(), groups.clone(), None);
            return self.notify_from(conn, next, *status, running);
        }
        let request = match self.looking.namespaces {
            // Which mailboxes are the person's own is asked once.
            None => UpstreamRequest::Namespace,
            Some(_) => Part::Mailboxes.question(),
        };
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    /// The namespaces, the list of mailboxes, then that of subscriptions came.
    pub(super) fn notify_listed(
        &mut self,
        conn: ConnectionId,
        notify: &Notify,
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        let Notify::Set { selected, groups, status } = notify else { return ok() };
        let mut ask = |part: Part| self.ask(part.question(), Carry::Nothing, Question::Command(conn));
        let stage = std::mem::replace(&mut running.stage, Stage::Asked);
        let (items, listed) = match (reply, stage) {
            (UpstreamReply::Ok(Data::Listed(items)), Stage::Subscriptions(listed)) => (items, listed),
            (UpstreamReply::Ok(Data::Listed(items)), _) => {
                let ticket = ask(Part::Subscriptions);
                return Progress::Asked(ticket, Stage::Subscriptions(items));
            }
            (UpstreamReply::Ok(Data::Namespaces(namespaces)), _) => {
                let ticket = ask(Part::Mailboxes);
                self.looking.namespaces = Some(namespaces);
                return Progress::Asked(ticket, Stage::Asked);
            }
            (reply, _) => return self.refused(reply),
        };
        let namespaces = self.looking.namespaces.clone().unwrap_or_default();
        // Asked for no earlier than the command began; a list that was asked for since is as good or better.
        self.mailbox_list_came(MailboxList::new(listed, items, namespaces), running.since);
        let next = crate::notify::Notify::new(selected.clone(), groups.clone(), self.mailbox_list.as_ref());
        self.notify_from(conn, next, *status, running)
    }

    fn notify_from(
        &mut self,
        conn: ConnectionId,
        next: Result<crate::notify::Notify, TooMany>,
        status: bool,
        running: &mut Running,
    ) -> Progress {
        let Ok(next) = next else { return too_many() };
        if let Some(c) = self.connections.get_mut(&conn) {
            c.notify_next = Some(Box::new(next));
        }
        running.stage = Stage::AskedAgain;
        self.look_at_notified(conn, status, running)
    }

    /// Looks at one mailbox after the other; with all of them watched, events that come after are not lost.
    fn look_at_notified(&mut self, conn: ConnectionId, status: bool, running: &Running) -> Progress {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Progress::Over };
        if self.next_notify(conn).is_none() {
            // The mailboxes came to be too many while they were looked at.
            return too_many();
        }
        while let Some(mailbox) = self.next_notify(conn).and_then(|next| next.unknown()) {
            let open = match self.readiness(&owner, &mailbox, running.since) {
                Readiness::Ready => true,
                Readiness::Waiting => return Progress::Park(mailbox),
                Readiness::Failed(fault) if is_gone(&fault) => false,
                Readiness::Failed(fault) => {
                    self.drop_next(conn);
                    return Progress::End(ending_of(&fault));
                }
            };
            if let Some(next) = self.next_notify(conn) {
                next.looked_at(&mailbox, open);
            }
        }
        // SET is a NOOP too: what has accumulated is told with its answer.
        let progress = self.begin_poll(conn, running);
        if !matches!(&progress, Progress::End(ending) if ending.status == pimap_types::Status::Ok) {
            if matches!(progress, Progress::End(_)) {
                self.drop_next(conn);
            }
            return progress;
        }
        self.set_notify(conn, &owner, status, running)
    }

    fn next_notify(&mut self, conn: ConnectionId) -> Option<&mut crate::notify::Notify> {
        self.connections.get_mut(&conn)?.notify_next.as_deref_mut()
    }

    fn drop_next(&mut self, conn: ConnectionId) {
        if let Some(c) = self.connections.get_mut(&conn) {
            c.notify_next = None;
        }
    }

    /// What was asked for takes effect; with STATUS the numbers of every mailbox but the selected one are told (NQ-005).
    fn set_notify(&mut self, conn: ConnectionId, owner: &Owner, status: bool, running: &Running) -> Progress {
        let selected = self.selected_of(conn).map(|(_, mailbox)| mailbox);
        let looked_into = self.next_notify(conn).map(|next| next.looked_into()).unwrap_or_default();
        let others = looked_into.into_iter().filter(|(name, _)| selected.as_ref() != Some(name));
        let mut lines = Vec::new();
        let counting = self.is_counting(owner);
        for (mailbox, open) in others {
            match open {
                Some(events) => match self.numbers_line(owner, &mailbox, counting || events.flags) {
                    Some(line) => lines.extend(Some(line).filter(|_| status)),
                    // It went, or a filter changed under way: waiting for it without a question asked could be for ever.
                    None => {
                        if let Some(next) = self.next_notify(conn) {
                            next.look_again(&mailbox);
                        }
                        return self.look_at_notified(conn, status, running);
                    }
                },
                // RFC 5465 3.1: it can be listed, and cannot be looked into (NQ-006).
                None => {
                    let item = self.mailbox_list.as_ref().and_then(|list| list.item(&mailbox));
                    lines
                        .extend(item.map(|item| Response::List { subscribed: false, item: no_access(item) }));
                }
            }
        }
        // What was asked for before was wanted until now.
        let told = self.connections.get(&conn).and_then(|c| c.notify.as_ref()).map(|n| n.lines_waiting());
        self.tell_elsewhere(conn);
        if let (Some(next), Some(told)) = (self.next_notify(conn), told) {
            next.are_told(&told);
        }
        for line in lines {
            self.write(conn, line);
        }
        let mut mod_seqs = false;
        if let Some(c) = self.connections.get_mut(&conn) {
            c.notify = c.notify_next.take();
            mod_seqs = c.notify.as_ref().is_some_and(|n| n.selected.items.contains(&FetchItem::ModSeq));
        }
        if mod_seqs {
            self.enable_condstore(conn);
        }
        ok()
    }

    /// The numbers that STATUS asks for; where flags are notified of, the mod-sequence is among them (RFC 5465 3.1).
    fn numbers_line(&mut self, owner: &Owner, mailbox: &MailboxName, mod_seq: bool) -> Option<Response> {
        let mut items = vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
        items.extend(mod_seq.then_some(StatusItem::HighestModSeq));
        self.status_line(owner, mailbox, &items)
    }
}

fn too_many() -> Progress {
    no("NOTIFICATIONOVERFLOW", "too many mailboxes at once: ask for fewer")
}
