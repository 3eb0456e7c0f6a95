//! STATUS on the mobile repository (RFC 3501 6.3.10, RFC 7889, RFC 8438, digest 5): counts are of visible messages.

use super::Progress;
use crate::account::{Account, Question};
use crate::connection::{Owner, Running, Stage};
use crate::contract::Carry;
use pimap_types::list::StatusItem;
use pimap_types::search::SearchKey;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{ConnectionId, Flag, MailboxName, ModSeq, Response, Ticket, UidRanges};

/// The numbers of a STATUS.
pub(crate) type Numbers = Vec<(StatusItem, u64)>;

/// The STATUS of one mailbox on its way: what has been found out.
#[derive(Default)]
pub(crate) struct Counting {
    unseen: Option<u64>,
    deleted: Option<u64>,
    size: Option<u64>,
}

/// What counting led to.
pub(crate) enum Counted {
    /// The numbers.
    Numbers(Numbers),
    /// Upstream was asked.
    Asked(Ticket),
    /// It waits for the mailbox, or cannot be had.
    Stopped(Progress),
    /// Upstream refused.
    Refused(UpstreamReply),
}

impl Account {
    pub(super) fn begin_status(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        running: &mut Running,
    ) -> Progress {
        let mut counting = Counting::default();
        let counted = self.count_mailbox(conn, mailbox, items, running.since, &mut counting);
        self.end_status(conn, mailbox, counting, counted)
    }

    pub(super) fn status_answered(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        let mut counting = match std::mem::replace(&mut running.stage, Stage::Start) {
            Stage::Counting(counting) => *counting,
            _ => Counting::default(),
        };
        let counted = self.count_answered(conn, mailbox, items, running.since, &mut counting, reply);
        self.end_status(conn, mailbox, counting, counted)
    }

    fn end_status(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        counting: Counting,
        counted: Counted,
    ) -> Progress {
        match counted {
            Counted::Numbers(numbers) => {
                self.write(conn, Response::Status(mailbox.clone(), numbers));
                super::ok()
            }
            Counted::Asked(ticket) => Progress::Asked(ticket, Stage::Counting(Box::new(counting))),
            Counted::Stopped(progress) => progress,
            Counted::Refused(reply) => self.refused(reply),
        }
    }

    /// Counts a mailbox, or asks for what is needed to.
    pub(crate) fn count_mailbox(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        since: u64,
        counting: &mut Counting,
    ) -> Counted {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else {
            return Counted::Stopped(Progress::Over);
        };
        if items.contains(&StatusItem::HighestModSeq) {
            self.enable_condstore(conn);
            // The gateway's own count is of what it has seen.
            if let Err(progress) = self.need_mailbox(conn, mailbox, since) {
                return Counted::Stopped(progress);
            }
            self.use_mod_seqs(mailbox);
        }
        if !self.counts_itself(conn, &owner, mailbox, items) {
            let own = [StatusItem::AppendLimit, StatusItem::HighestModSeq];
            let mut asked: Vec<StatusItem> =
                items.iter().copied().filter(|item| !own.contains(item)).collect();
            if asked.is_empty() {
                // Whether the mailbox is there is still upstream's to say.
                asked.push(StatusItem::Messages);
            }
            let request = UpstreamRequest::Status(mailbox.clone(), asked);
            return Counted::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)));
        }
        if let Err(progress) = self.need_mailbox(conn, mailbox, since) {
            return Counted::Stopped(progress);
        }
        self.count_visible(conn, &owner, mailbox, items, counting)
    }

    /// Counts what the owner sees of a mailbox whose mirror is fresh.
    fn count_visible(
        &mut self,
        conn: ConnectionId,
        owner: &Owner,
        mailbox: &MailboxName,
        items: &[StatusItem],
        counting: &mut Counting,
    ) -> Counted {
        let live = self.live_if_ready(owner, mailbox).map(|live| live.into_owned()).unwrap_or_default();
        let Some(mirror) = self.mirrors.get(mailbox) else { return Counted::Stopped(super::ok()) };
        if let Some(facts) = &mirror.facts {
            let sizes = live.iter().filter_map(|uid| facts.get(&uid)).map(|facts| u64::from(facts.size));
            counting.size = Some(sizes.sum());
        }
        let wants = |item, known: Option<u64>| items.contains(&item) && known.is_none() && !live.is_empty();
        let missing = [
            wants(StatusItem::Unseen, counting.unseen).then_some(StatusItem::Unseen),
            wants(StatusItem::Deleted, counting.deleted).then_some(StatusItem::Deleted),
            wants(StatusItem::Size, counting.size).then_some(StatusItem::Size),
        ];
        if let (Some(at), Some(item)) = (mirror.at(mailbox), missing.into_iter().flatten().next()) {
            let request = match item {
                StatusItem::Unseen => {
                    let unseen = SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen)));
                    UpstreamRequest::Search(at, None, unseen)
                }
                StatusItem::Deleted => UpstreamRequest::Search(at, None, SearchKey::Flag(Flag::Deleted)),
                _ => UpstreamRequest::Facts(at, live.to_ranges()),
            };
            return Counted::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)));
        }
        let number = |item: &StatusItem| match item {
            StatusItem::Messages => u64::from(live.len()),
            StatusItem::Recent => u64::from(self.recent_of(conn, mailbox)),
            StatusItem::UidNext => u64::from(mirror.uid_next),
            StatusItem::UidValidity => mirror.uid_validity.map_or(0, |v| v.get().into()),
            StatusItem::Unseen => counting.unseen.unwrap_or(0),
            StatusItem::Deleted => counting.deleted.unwrap_or(0),
            StatusItem::Size => counting.size.unwrap_or(0),
            StatusItem::AppendLimit => self.append_limit(),
            StatusItem::HighestModSeq => self.mod_seq_of(conn, mailbox),
        };
        Counted::Numbers(items.iter().map(|item| (*item, number(item))).collect())
    }

    /// Takes in what upstream answered, and goes on.
    pub(crate) fn count_answered(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
        since: u64,
        counting: &mut Counting,
        reply: UpstreamReply,
    ) -> Counted {
        let data = match reply {
            UpstreamReply::Ok(data) => data,
            other => return Counted::Refused(other),
        };
        match data {
            Data::Status(numbers) => {
                let number = |item: &StatusItem| match item {
                    StatusItem::Recent => Some(u64::from(self.recent_of(conn, mailbox))),
                    StatusItem::AppendLimit => Some(self.append_limit()),
                    StatusItem::HighestModSeq => Some(self.mod_seq_of(conn, mailbox)),
                    item => numbers.iter().find(|(told, _)| told == item).map(|(_, number)| *number),
                };
                Counted::Numbers(items.iter().filter_map(|item| Some((*item, number(item)?))).collect())
            }
            Data::Uids(found) => {
                let count = Some(self.visible_among(conn, mailbox, &found).len());
                // They are asked for in this order.
                match items.contains(&StatusItem::Unseen) && counting.unseen.is_none() {
                    true => counting.unseen = count,
                    false => counting.deleted = count,
                }
                self.count_mailbox(conn, mailbox, items, since, counting)
            }
            Data::Facts(facts) => {
                counting.size = Some(facts.iter().map(|facts| u64::from(facts.size)).sum());
                self.count_mailbox(conn, mailbox, items, since, counting)
            }
            other => Counted::Refused(UpstreamReply::Ok(other)),
        }
    }

    fn visible_among(&self, conn: ConnectionId, mailbox: &MailboxName, uids: &UidRanges) -> UidRanges {
        let owner = self.connections.get(&conn).map(|c| &c.owner);
        let live = owner.and_then(|owner| self.live_if_ready(owner, mailbox));
        live.map(|live| live.intersect_ranges(uids)).unwrap_or_default()
    }

    /// Whether the mailbox has to be looked at for its numbers.
    pub(super) fn needs_mirror(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        items: &[StatusItem],
    ) -> bool {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return true };
        items.contains(&StatusItem::HighestModSeq) || self.counts_itself(conn, &owner, mailbox, items)
    }

    /// Whether the numbers are ours to count: a view filter hides messages, upstream cannot, or the connection is notified of the
    /// mailbox, where numbers from two sources would make UIDNEXT go back. Else upstream's are the truth.
    fn counts_itself(
        &mut self,
        conn: ConnectionId,
        owner: &Owner,
        mailbox: &MailboxName,
        items: &[StatusItem],
    ) -> bool {
        let notify = self.connections.get(&conn).and_then(|c| c.notify.as_ref());
        if notify.is_some_and(|notify| notify.mailboxes().any(|notified| notified == mailbox)) {
            return true;
        }
        if items.contains(&StatusItem::Deleted) {
            // Few servers have it.
            return true;
        }
        if items.contains(&StatusItem::Size) && !self.upstream.announced.has("STATUS=SIZE") {
            return true;
        }
        self.is_filtered(owner, mailbox)
    }

    /// Whether a view filter may hide messages of the mailbox from the owner.
    pub(crate) fn is_filtered(&mut self, owner: &Owner, mailbox: &MailboxName) -> bool {
        let Owner::Device(id) = owner else { return false };
        self.ensure_verdicts(id, mailbox);
        let verdicts = self.devices.get(id).and_then(|d| d.verdicts.get(mailbox));
        verdicts.is_none_or(|v| !v.view.filter.is_all())
    }

    fn mod_seq_of(&self, conn: ConnectionId, mailbox: &MailboxName) -> u64 {
        let owner = self.connections.get(&conn).map(|c| &c.owner);
        owner.and_then(|owner| self.known_mod_seq(owner, mailbox)).map_or(0, |ModSeq(n)| n)
    }

    fn recent_of(&self, conn: ConnectionId, mailbox: &MailboxName) -> u32 {
        let owner = self.connections.get(&conn).map(|c| &c.owner);
        let told = owner.and_then(|owner| self.session(owner)).and_then(|s| s.told(mailbox));
        told.map_or(0, |told| told.recent_count())
    }
}
