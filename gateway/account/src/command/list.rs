//! LIST in all its forms, LSUB and NAMESPACE: the folder set is the same in all repositories (P-IMAP 1.3); filters hide messages, never
//! mailboxes. STATUS told along (RFC 5819) is of the mobile repository.

use super::status::{Counted, Counting};
use super::{Progress, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Ending, Running, Stage};
use crate::contract::Carry;
use crate::listing::{Listing, is_match, is_selectable};
use crate::utf8;
use pimap_types::limits::{LIST_ITEMS_MAX, LIST_STATUS_COUNTED_MAX, LIST_STATUS_MAX};
use pimap_types::list::{List, ListPattern, StatusItem};
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{ConnectionId, Response, Status};

impl Account {
    /// LIST begins, or goes on with a STATUS that waited for its mailbox.
    pub(super) fn begin_list(&mut self, conn: ConnectionId, list: &List, running: &mut Running) -> Progress {
        let stage = std::mem::replace(&mut running.stage, Stage::Start);
        if let Stage::Listing(listing, counting) = stage {
            return self.list_statuses(conn, list, *listing, *counting, running.since);
        }
        let children_known = self.upstream.announced.has("CHILDREN");
        let utf8 = self.speaks_utf8(conn);
        self.list_next(conn, list, Listing::new(list, children_known, utf8), running.since)
    }

    /// Asks upstream the next question of a LIST, or tells what was found.
    fn list_next(&mut self, conn: ConnectionId, list: &List, mut listing: Listing, since: u64) -> Progress {
        if let Some((subscribed, pattern)) = listing.questions.front().cloned() {
            let request = UpstreamRequest::List { subscribed, pattern, extended: list.extended };
            let ticket = self.ask(request, Carry::Nothing, Question::Command(conn));
            return Progress::Asked(ticket, Stage::Listing(Box::new(listing), Box::default()));
        }
        for line in listing.lines(list) {
            if !list.returns.status.is_empty() && is_selectable(&line.item) {
                listing.statuses.push_back(line.item.mailbox.clone());
            }
            let response = match line.parent_of {
                Some(option) => Response::ListParent(line.item, option),
                None => Response::List { subscribed: false, item: line.item },
            };
            self.write(conn, response);
        }
        listing.curtailed = listing.statuses.len() > LIST_STATUS_MAX;
        listing.statuses.truncate(LIST_STATUS_MAX);
        self.list_statuses(conn, list, listing, Counting::default(), since)
    }

    /// Tells the STATUS of one mailbox after the other. One that cannot be had is left out (RFC 5819 2).
    fn list_statuses(
        &mut self,
        conn: ConnectionId,
        list: &List,
        mut listing: Listing,
        mut counting: Counting,
        since: u64,
    ) -> Progress {
        while let Some(mailbox) = listing.statuses.front().cloned() {
            if self.counts_too_many(conn, &list.returns.status, &mut listing) {
                listing.statuses.pop_front();
                continue;
            }
            let counted = self.count_mailbox(conn, &mailbox, &list.returns.status, since, &mut counting);
            match self.list_counted(conn, &mut listing, counted) {
                Some(Progress::Asked(ticket, _)) => {
                    return Progress::Asked(ticket, Stage::Listing(Box::new(listing), Box::new(counting)));
                }
                Some(Progress::Park(mailbox)) => {
                    return Progress::ParkAt(mailbox, Stage::Listing(Box::new(listing), Box::new(counting)));
                }
                Some(progress) => return progress,
                None => counting = Counting::default(),
            }
        }
        let text =
            if listing.curtailed { "LIST completed, the status of some mailboxes left out" } else { "" };
        Progress::End(Ending::new(Status::Ok, None, text))
    }

    /// Whether this mailbox, whose messages would have to be counted here, is one too many for one command.
    fn counts_too_many(&mut self, conn: ConnectionId, items: &[StatusItem], listing: &mut Listing) -> bool {
        let Some(mailbox) = listing.statuses.front() else { return true };
        if self.mirrors.contains_key(mailbox) || !self.needs_mirror(conn, mailbox, items) {
            return false;
        }
        listing.counted += 1;
        listing.curtailed |= listing.counted > LIST_STATUS_COUNTED_MAX;
        listing.counted > LIST_STATUS_COUNTED_MAX
    }

    /// What counting the mailbox at the front led to; nothing: it is done with.
    fn list_counted(
        &mut self,
        conn: ConnectionId,
        listing: &mut Listing,
        counted: Counted,
    ) -> Option<Progress> {
        match counted {
            Counted::Asked(ticket) => return Some(Progress::Asked(ticket, Stage::Asked)),
            Counted::Stopped(Progress::Over) => return Some(Progress::Over),
            Counted::Stopped(Progress::Park(mailbox)) => return Some(Progress::Park(mailbox)),
            Counted::Stopped(_) | Counted::Refused(_) => {
                listing.statuses.pop_front();
            }
            Counted::Numbers(numbers) => {
                if let Some(mailbox) = listing.statuses.pop_front() {
                    self.write(conn, Response::Status(mailbox, numbers));
                }
            }
        }
        None
    }

    /// Upstream answered a question of LIST.
    pub(super) fn list_answered(
        &mut self,
        conn: ConnectionId,
        list: &List,
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        let stage = std::mem::replace(&mut running.stage, Stage::Start);
        let Stage::Listing(mut listing, mut counting) = stage else { return self.refused(reply) };
        let since = running.since;
        let Some((subscribed, _)) = listing.questions.front() else {
            let Some(mailbox) = listing.statuses.front().cloned() else { return ok() };
            let items = &list.returns.status;
            let counted = self.count_answered(conn, &mailbox, items, since, &mut counting, reply);
            return match self.list_counted(conn, &mut listing, counted) {
                Some(Progress::Asked(ticket, _)) => {
                    Progress::Asked(ticket, Stage::Listing(listing, counting))
                }
                Some(Progress::Park(mailbox)) => Progress::ParkAt(mailbox, Stage::Listing(listing, counting)),
                Some(progress) => progress,
                None => self.list_statuses(conn, list, *listing, Counting::default(), since),
            };
        };
        let UpstreamReply::Ok(Data::Listed(items)) = reply else { return self.refused(reply) };
        if *subscribed {
            listing.subscribed.extend(items)
        } else {
            listing.existing.extend(items)
        }
        if listing.subscribed.len().max(listing.existing.len()) > LIST_ITEMS_MAX {
            return no("LIMIT", "more mailboxes than can be listed at once");
        }
        listing.questions.pop_front();
        self.list_next(conn, list, *listing, since)
    }

    pub(super) fn begin_lsub(&mut self, conn: ConnectionId, pattern: &ListPattern) -> Progress {
        let pattern = match self.speaks_utf8(conn) {
            true => utf8::wider(&pattern.reference, &pattern.pattern),
            false => pattern.clone(),
        };
        let request = UpstreamRequest::List { subscribed: true, pattern, extended: false };
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    pub(super) fn lsub_answered(
        &mut self,
        conn: ConnectionId,
        pattern: &ListPattern,
        reply: UpstreamReply,
    ) -> Progress {
        let UpstreamReply::Ok(Data::Listed(items)) = reply else { return self.refused(reply) };
        let whole = format!("{}{}", pattern.reference, pattern.pattern);
        let utf8 = self.speaks_utf8(conn);
        for item in items {
            // More was asked for than was meant.
            if utf8 && !is_match(&whole, &utf8::in_utf8(item.mailbox.as_str()), item.delimiter) {
                continue;
            }
            self.write(conn, Response::List { subscribed: true, item });
        }
        ok()
    }

    fn speaks_utf8(&self, conn: ConnectionId) -> bool {
        self.connections.get(&conn).is_some_and(|c| c.utf8)
    }

    pub(super) fn begin_namespace(&mut self, conn: ConnectionId) -> Progress {
        let ticket = self.ask(UpstreamRequest::Namespace, Carry::Nothing, Question::Command(conn));
        Progress::Asked(ticket, Stage::Asked)
    }

    pub(super) fn namespace_answered(&mut self, conn: ConnectionId, reply: UpstreamReply) -> Progress {
        let UpstreamReply::Ok(Data::Namespaces(namespaces)) = reply else { return self.refused(reply) };
        self.write(conn, Response::Namespace(namespaces));
        ok()
    }
}
