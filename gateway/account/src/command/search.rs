//! SEARCH on the mobile repository (RFC 3501 6.4.4, RFC 4731, RFC 5182; F28).
//!
//! Upstream never hears of the view filter, nor counts anything: it is asked for UIDs, which are cut to the client view, counted,
//! numbered and saved here. What the client view and `$` decide by themselves it is not asked at all.

mod program;

pub(crate) use program::Reduced;
use program::{Irreducible, Known, reduce};

use super::{Progress, bad, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Running, Stage};
use crate::contract::Carry;
use pimap_filters::upstream_program;
use pimap_types::response::SearchItem;
use pimap_types::search::{ReturnOptions, SearchKey};
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Command, ConnectionId, Response, Status, Tag, UidRanges};
use pimap_view::{UidSet, translate};

impl Account {
    pub(super) fn begin_search(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &mut Running,
    ) -> Progress {
        let Command::Search { by_uid, charset, program, .. } = command else { return Progress::Over };
        let reduced = match self.reduced(conn, *by_uid, program) {
            Ok(reduced) => reduced,
            Err(progress) => {
                // Only what was not understood leaves it as it was.
                if matches!(&progress, Progress::End(ending) if ending.status == Status::No) {
                    self.nothing_saved(conn, command);
                }
                return progress;
            }
        };
        let Some((_, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        // The smallest gaps of a long set are searched along: the answer is cut to what is asked for.
        let Some(question) = upstream_program(&reduced.key, &reduced.open) else {
            return self.answer_search(conn, command, running.tag.clone(), &reduced.certain);
        };
        let mirror = self.mirrors.get(&mailbox);
        let Some((mirror, at)) = mirror.and_then(|mirror| Some((mirror, mirror.at(&mailbox)?))) else {
            return no("UNAVAILABLE", "the mailbox is not known yet; try again");
        };
        // A search of all or most of a mailbox names no UIDs: servers are quicker so.
        let nearly_all = reduced.open.len() * 2 > u64::from(mirror.uids.len());
        let question = if nearly_all { reduced.key.clone() } else { question };
        let request = UpstreamRequest::Search(at, charset.clone(), question);
        let ticket = self.ask(request, Carry::Nothing, Question::Command(conn));
        Progress::Asked(ticket, Stage::Searching(Box::new(reduced)))
    }

    pub(super) fn searched(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &Running,
        reply: UpstreamReply,
    ) -> Progress {
        let (UpstreamReply::Ok(Data::Uids(found)), Stage::Searching(reduced)) = (&reply, &running.stage)
        else {
            self.nothing_saved(conn, command);
            return self.refused(reply);
        };
        let found = reduced.found(found);
        self.answer_search(conn, command, running.tag.clone(), &found)
    }

    /// The program as far as the client view decides it.
    fn reduced(
        &mut self,
        conn: ConnectionId,
        by_uid: bool,
        program: &SearchKey,
    ) -> Result<Reduced, Progress> {
        self.tell_before(conn);
        let synchronised = !self.numbers_refused(conn);
        if !synchronised && !by_uid {
            return Err(unsynchronised());
        }
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Err(Progress::Over) };
        let view = self.numbers(&owner, &mailbox);
        let Some(session) = self.session(&owner) else { return Err(Progress::Over) };
        let recent_from = session.told(&mailbox).map_or(0, |told| told.recent_from);
        let known = Known { view: &view, saved: &session.saved(), recent_from, synchronised };
        reduce(program, &known).map_err(|irreducible| match irreducible {
            Irreducible::BeyondView => bad("a message number beyond the mailbox"),
            Irreducible::Unsynchronised => unsynchronised(),
            Irreducible::NotInSearch(text) => bad(text),
            Irreducible::TooScattered => {
                no("LIMIT", "the sets in this program are too scattered: search for its parts")
            }
            Irreducible::TooDeep => no("LIMIT", "this program nests too deeply: search for its parts"),
        })
    }

    /// Tells what was found, all of it visible.
    fn answer_search(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        tag: Option<Tag>,
        found: &UidRanges,
    ) -> Progress {
        let Command::Search { by_uid, returns, .. } = command else { return Progress::Over };
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let view = self.numbers(&owner, &mailbox);
        let found = view.intersect_ranges(found);
        let Some(returns) = returns else {
            let numbers = match by_uid {
                true => found.iter().map(|uid| uid.get()).collect(),
                false => translate::positions(&view, &found),
            };
            self.write(conn, Response::Search(numbers));
            return ok();
        };
        if returns.save
            && let Some(session) = self.session_mut(&owner)
        {
            session.save(&saved_of(returns, &found));
        }
        let items = items(returns, &view, &found, *by_uid);
        if let Some(items) = items {
            self.write(conn, Response::ExtendedSearch { tag, by_uid: *by_uid, items });
        }
        ok()
    }

    /// A search that was to be saved and failed leaves `$` empty (RFC 5182 2.1).
    pub(super) fn nothing_saved(&mut self, conn: ConnectionId, command: &Command) {
        if let Command::Search { returns: Some(ReturnOptions { save: true, .. }), .. } = command
            && let Some((owner, _)) = self.selected_of(conn)
            && let Some(session) = self.session_mut(&owner)
        {
            session.save(&UidRanges::new());
        }
    }
}

fn unsynchronised() -> Progress {
    no("CLIENTBUG", "the mailbox must be synchronised again: SELECT it first")
}

/// What `$` becomes: with MIN or MAX alone those, else everything found (RFC 5182 2.4).
fn saved_of(returns: &ReturnOptions, found: &UidRanges) -> UidRanges {
    let ends_only = (returns.min || returns.max) && !returns.all && !returns.count;
    if !ends_only {
        return found.clone();
    }
    let first = found.ranges().first().map(|range| range.0).filter(|_| returns.min);
    let last = found.ranges().last().map(|range| range.1).filter(|_| returns.max);
    UidRanges::from_pairs(first.into_iter().chain(last).map(|uid| (uid, uid)))
}

/// The items of an ESEARCH; none at all when the result was only to be saved.
fn items(returns: &ReturnOptions, view: &UidSet, found: &UidRanges, by_uid: bool) -> Option<Vec<SearchItem>> {
    if *returns == (ReturnOptions { save: true, ..ReturnOptions::default() }) {
        return None;
    }
    let numbers = match by_uid {
        true => found.ranges().to_vec(),
        false => translate::position_ranges(view, found),
    };
    let mut items = Vec::new();
    // Of nothing there is no lowest, no highest and no set (RFC 4731 3.1).
    if let (Some((first, _)), Some((_, last))) = (numbers.first(), numbers.last()) {
        items.extend(returns.min.then_some(SearchItem::Min(*first)));
        items.extend(returns.max.then_some(SearchItem::Max(*last)));
        items.extend(returns.all.then(|| SearchItem::All(numbers.clone())));
    }
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    items.extend(returns.count.then_some(SearchItem::Count(count)));
    Some(items)
}
