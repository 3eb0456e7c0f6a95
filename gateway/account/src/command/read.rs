//! FETCH and SEARCH on the mobile repository (RFC 3501 6.4.4, 6.4.5; digest 5; F18, F25, F28, F32).

use super::{Progress, bad, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Ending, Owner, Stage};
use crate::contract::Carry;
use pimap_types::command::FetchItem;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, ConnectionId, Response, Status, Target, UidRanges};
use pimap_view::{UidSet, translate};
use std::sync::Arc;

impl Account {
    /// The UIDs a command names. By number: positions in the client view, BAD beyond it. By UID: what is visible; while
    /// the mailbox waits for RESYNC that is the live view, since no client view exists (F8).
    pub(crate) fn targeted(&mut self, conn: ConnectionId, target: &Target) -> Result<UidRanges, Progress> {
        let Some((owner, mailbox)) = self.selected_of(conn) else {
            return Err(bad("no mailbox is selected"));
        };
        if self.numbers_refused(conn) {
            let Target::Uids(set) = target else {
                return Err(no("CLIENTBUG", "the mailbox must be synchronised again: SELECT it first"));
            };
            let live = self.live_if_ready(&owner, &mailbox);
            return Ok(live.map(|live| translate::resolve_uids(set, &live)).unwrap_or_default());
        }
        let Some(told) = self.session(&owner).and_then(|s| s.told(&mailbox)) else {
            return Err(Progress::Over);
        };
        translate::resolve(target, &told.view).map_err(|_| bad("a message number beyond the mailbox"))
    }

    /// The client view, frozen for the numbers of one FETCH.
    fn numbers(&self, owner: &Owner, mailbox: &pimap_types::MailboxName) -> UidSet {
        match self.session(owner).and_then(|s| s.told(mailbox)) {
            Some(told) if !told.resync => told.view.clone(),
            _ => self.live_if_ready(owner, mailbox).map(|live| live.into_owned()).unwrap_or_default(),
        }
    }

    pub(super) fn begin_fetch(
        &mut self,
        conn: ConnectionId,
        target: &Target,
        items: &[FetchItem],
    ) -> Progress {
        self.tell_before(conn);
        let uids = match self.targeted(conn, target) {
            Ok(uids) => uids,
            Err(progress) => return progress,
        };
        if uids.is_empty() {
            return ok();
        }
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let Some(at) = self.mirrors.get(&mailbox).and_then(|m| m.at(&mailbox)) else {
            return no("UNAVAILABLE", "the mailbox is not known yet; try again");
        };
        let mut items = items.to_vec();
        if matches!(target, Target::Uids(_)) && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        let read_only =
            self.session(&owner).and_then(|s| s.selected.as_ref()).is_some_and(|selected| selected.read_only);
        if read_only && !peek_only(&mut items) {
            return no("CANNOT", "the mailbox was opened by EXAMINE: fetch BODY.PEEK[] instead");
        }
        let numbers = Arc::new(self.numbers(&owner, &mailbox));
        let request = UpstreamRequest::Fetch(at, uids, items);
        let ticket = self.ask(request, Carry::FetchTo(conn, numbers), Question::Command(conn));
        Progress::Asked(ticket, Stage::Asked)
    }

    pub(super) fn fetched(&mut self, conn: ConnectionId, _target: &Target, reply: UpstreamReply) -> Progress {
        match reply {
            UpstreamReply::Ok(Data::Fetched { flags, expunge_issued }) => {
                if let Some((owner, mailbox)) = self.selected_of(conn) {
                    for report in &flags {
                        self.apply_flags(&mailbox, report, Some(&owner));
                    }
                    if expunge_issued {
                        self.sync(&mailbox);
                    }
                }
                let code = expunge_issued.then(|| Code::word("EXPUNGEISSUED"));
                Progress::End(Ending::new(Status::Ok, code, ""))
            }
            other => self.refused(other),
        }
    }

    /// SEARCH runs upstream without the view filter, in UIDs, and is intersected with the client view here (F28).
    pub(super) fn begin_search(
        &mut self,
        conn: ConnectionId,
        by_uid: bool,
        charset: Option<String>,
        program: &SearchKey,
    ) -> Progress {
        self.tell_before(conn);
        if self.numbers_refused(conn) && !by_uid {
            return no("CLIENTBUG", "the mailbox must be synchronised again: SELECT it first");
        }
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let Some(at) = self.mirrors.get(&mailbox).and_then(|m| m.at(&mailbox)) else {
            return no("UNAVAILABLE", "the mailbox is not known yet; try again");
        };
        let numbers = self.numbers(&owner, &mailbox);
        let recent_from = self.session(&owner).and_then(|s| s.told(&mailbox)).map_or(0, |t| t.recent_from);
        let program = match translated(program, &numbers, recent_from) {
            Ok(program) => program,
            Err(text) => return bad(text),
        };
        if numbers.is_empty() {
            self.write(conn, Response::Search(Vec::new()));
            return ok();
        }
        let request = UpstreamRequest::Search(at, charset, program);
        let ticket = self.ask(request, Carry::Nothing, Question::Command(conn));
        Progress::Asked(ticket, Stage::Asked)
    }

    pub(super) fn searched(&mut self, conn: ConnectionId, by_uid: bool, reply: UpstreamReply) -> Progress {
        let UpstreamReply::Ok(Data::Uids(found)) = reply else { return self.refused(reply) };
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let numbers = self.numbers(&owner, &mailbox);
        let visible = numbers.intersect_ranges(&found);
        let result = if by_uid {
            visible.iter().map(|uid| uid.get()).collect()
        } else {
            translate::positions(&numbers, &visible)
        };
        self.write(conn, Response::Search(result));
        ok()
    }

    /// Upstream said NO, or something that no command asked for.
    pub(crate) fn refused(&mut self, reply: UpstreamReply) -> Progress {
        match reply {
            UpstreamReply::Refused { code, text, .. } => {
                let code = code.map(|code| Code::Word(code.into()));
                Progress::End(Ending::new(
                    Status::No,
                    code,
                    if text.is_empty() { "refused".into() } else { text },
                ))
            }
            _ => no("SERVERBUG", "the mail server broke the protocol"),
        }
    }
}

/// EXAMINE promises that nothing changes, `\Seen` included (RFC 3501 6.3.2): sections are peeked at. False: an item is among
/// them that upstream has no peeking form for.
fn peek_only(items: &mut [FetchItem]) -> bool {
    for item in items.iter_mut() {
        if let FetchItem::Section { peek, .. } = item {
            *peek = true;
        }
    }
    !items.iter().any(FetchItem::sets_seen)
}

/// The program as upstream may see it: positions become UIDs, RECENT becomes a UID range, everything else stays.
fn translated(program: &SearchKey, numbers: &UidSet, recent_from: u32) -> Result<SearchKey, &'static str> {
    let part = |key: &SearchKey| translated(key, numbers, recent_from);
    Ok(match program {
        SearchKey::And(keys) => SearchKey::And(keys.iter().map(part).collect::<Result<_, _>>()?),
        SearchKey::Or(a, b) => SearchKey::Or(Box::new(part(a)?), Box::new(part(b)?)),
        SearchKey::Not(key) => SearchKey::Not(Box::new(part(key)?)),
        SearchKey::Sequence(set) => {
            let uids = translate::resolve_positions(set, numbers)
                .map_err(|_| "a message number beyond the mailbox")?;
            uid_key(&uids)
        }
        SearchKey::Uid(set) => uid_key(&translate::resolve_uids(set, numbers)),
        SearchKey::Recent => recent_key(recent_from),
        SearchKey::Old => SearchKey::Not(Box::new(recent_key(recent_from))),
        SearchKey::New => SearchKey::And(vec![
            recent_key(recent_from),
            SearchKey::Not(Box::new(SearchKey::Flag(pimap_types::Flag::Seen))),
        ]),
        SearchKey::DaysBeforeToday(_) => return Err("DAYSBEFORETODAY belongs to filters"),
        other => other.clone(),
    })
}

/// `UID set`; the empty set, which IMAP cannot write, as a contradiction.
fn uid_key(uids: &UidRanges) -> SearchKey {
    if uids.is_empty() {
        return SearchKey::Not(Box::new(SearchKey::All));
    }
    let range = |(a, b): &(u32, u32)| (SetNumber::Number(*a), SetNumber::Number(*b));
    SearchKey::Uid(SequenceSet(uids.ranges().iter().map(range).collect()))
}

/// Recent messages by our own mark (F27).
fn recent_key(recent_from: u32) -> SearchKey {
    if recent_from == 0 {
        return SearchKey::Not(Box::new(SearchKey::All));
    }
    // `n:*` would name the last message whatever its UID (RFC 3501 6.4.8); the largest number there is does not.
    SearchKey::Uid(SequenceSet(vec![(SetNumber::Number(recent_from), SetNumber::Number(u32::MAX))]))
}
