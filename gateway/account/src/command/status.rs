//! STATUS on the mobile repository (RFC 3501 6.3.10, digest 5): counts are of visible messages.

use super::{Progress, ok};
use crate::account::{Account, Question};
use crate::connection::{Owner, Running, Stage};
use crate::contract::Carry;
use pimap_types::command::StatusItem;
use pimap_types::search::SearchKey;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{ConnectionId, Flag, MailboxName, Response};

impl Account {
    pub(super) fn begin_status(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        running: &mut Running,
    ) -> Progress {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Progress::Over };
        if !self.counts_itself(&owner, mailbox) {
            let request = UpstreamRequest::Status(mailbox.clone(), items.to_vec());
            return Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked);
        }
        if let Err(progress) = self.need_mailbox(conn, mailbox, running.since) {
            return progress;
        }
        let at = self.mirrors.get(mailbox).and_then(|m| m.at(mailbox));
        match at.filter(|_| items.contains(&StatusItem::Unseen)) {
            Some(at) => {
                let unseen = SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen)));
                let request = UpstreamRequest::Search(at, None, unseen);
                Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
            }
            None => self.write_status(conn, mailbox, items, 0),
        }
    }

    /// Whether the numbers are ours to count: a view filter hides messages. Else upstream's are the truth.
    fn counts_itself(&mut self, owner: &Owner, mailbox: &MailboxName) -> bool {
        let Owner::Device(id) = owner else { return false };
        self.ensure_verdicts(id, mailbox);
        let verdicts = self.devices.get(id).and_then(|d| d.verdicts.get(mailbox));
        verdicts.is_none_or(|v| !v.view.filter.is_all())
    }

    pub(super) fn status_answered(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        reply: UpstreamReply,
    ) -> Progress {
        match reply {
            UpstreamReply::Ok(Data::Status(mut numbers)) => {
                for (item, number) in &mut numbers {
                    if *item == StatusItem::Recent {
                        *number = self.recent_of(conn, mailbox);
                    }
                }
                numbers.retain(|(item, _)| items.contains(item));
                self.write(conn, Response::Status(mailbox.clone(), numbers));
                ok()
            }
            UpstreamReply::Ok(Data::Uids(unseen)) => {
                let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else {
                    return Progress::Over;
                };
                let live =
                    self.live_if_ready(&owner, mailbox).map(|live| live.into_owned()).unwrap_or_default();
                let unseen = live.intersect_ranges(&unseen).len();
                self.write_status(conn, mailbox, items, u32::try_from(unseen).unwrap_or(u32::MAX))
            }
            other => self.refused(other),
        }
    }

    fn write_status(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        unseen: u32,
    ) -> Progress {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Progress::Over };
        let messages = self.live_if_ready(&owner, mailbox).map_or(0, |live| live.len());
        let recent = self.recent_of(conn, mailbox);
        let Some(mirror) = self.mirrors.get(mailbox) else { return ok() };
        let number = |item: &StatusItem| match item {
            StatusItem::Messages => messages,
            StatusItem::Recent => recent,
            StatusItem::UidNext => mirror.uid_next,
            StatusItem::UidValidity => mirror.uid_validity.map_or(0, |v| v.get()),
            StatusItem::Unseen => unseen,
        };
        let numbers = items.iter().map(|item| (*item, number(item))).collect();
        self.write(conn, Response::Status(mailbox.clone(), numbers));
        ok()
    }

    fn recent_of(&self, conn: ConnectionId, mailbox: &MailboxName) -> u32 {
        let owner = self.connections.get(&conn).map(|c| &c.owner);
        let told = owner.and_then(|owner| self.session(owner)).and_then(|s| s.told(mailbox));
        told.map_or(0, |told| told.recent_count())
    }
}
