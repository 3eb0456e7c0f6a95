//! SEARCH, SORT and THREAD on the mobile repository (RFC 3501 6.4.4, RFC 4731, RFC 5182, RFC 5256; F28).
//!
//! Upstream never hears of the view filter, nor counts anything: it is asked for UIDs, which are cut to the client view, counted,
//! numbered and saved here. What the client view and `$` decide by themselves it is not asked at all.

mod answer;
mod program;

pub(crate) use program::Reduced;
use program::{Irreducible, Known, reduce};

use super::{Progress, bad, no};
use crate::account::{Account, Question};
use crate::connection::{Running, Stage};
use crate::contract::Carry;
use crate::mirror::Mirror;
use pimap_filters::covering;
use pimap_types::limits::UPSTREAM_LINE_BYTES_MAX;
use pimap_types::search::{SearchKey, ThreadAlgorithm};
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Command, ConnectionId, Status};

impl Account {
    pub(super) fn begin_search(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &mut Running,
    ) -> Progress {
        if let Some(refusal) = self.unknown_upstream(command) {
            return refusal;
        }
        let reduced = match self.reduced(conn, command) {
            Ok(reduced) => reduced,
            Err(progress) => {
                // Only what was not understood leaves `$` as it was.
                if matches!(&progress, Progress::End(ending) if ending.status == Status::No) {
                    self.nothing_saved(conn, command);
                }
                return progress;
            }
        };
        let in_order = !matches!(command, Command::Search { .. });
        let nothing_to_order = reduced.certain.is_empty() || !in_order;
        if reduced.open.is_empty() && nothing_to_order {
            return self.answer_found(conn, command, running.tag.clone(), &reduced.certain);
        }
        self.ask_search(conn, command, reduced)
    }

    /// The next question of a search: what is found; and then, where that cannot be asked in one, in which order.
    fn ask_search(&mut self, conn: ConnectionId, command: &Command, reduced: Reduced) -> Progress {
        let Some((_, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let mirror = self.mirrors.get(&mailbox);
        let Some((mirror, at)) = mirror.and_then(|mirror| Some((mirror, mirror.at(&mailbox)?))) else {
            return no("UNAVAILABLE", "the mailbox is not known yet; try again");
        };
        let search_first = !reduced.certain.is_empty() && !reduced.open.is_empty();
        let (request, messages) = match command {
            Command::Sort { criteria, charset, .. } if !search_first => {
                let (question, messages) = question(&reduced, mirror, false);
                (UpstreamRequest::Sort(at, criteria.clone(), charset.clone(), question), messages)
            }
            Command::Thread { algorithm, charset, .. } if !search_first => {
                // A message that is looked at may stand between others, so it should be a visible one.
                let (question, messages) = question(&reduced, mirror, true);
                (UpstreamRequest::Thread(at, *algorithm, charset.clone(), question), messages)
            }
            Command::Search { charset, .. } => {
                // Without a name it is UTF-8, or it would have been refused (RFC 6855 3).
                let charset =
                    (!reduced.key.is_ascii()).then(|| charset.clone().unwrap_or("UTF-8".to_owned()));
                (UpstreamRequest::Search(at, charset, question(&reduced, mirror, false).0), 0)
            }
            Command::Sort { charset, .. } | Command::Thread { charset, .. } => {
                (UpstreamRequest::Search(at, Some(charset.clone()), question(&reduced, mirror, false).0), 0)
            }
            _ => return Progress::Over,
        };
        // `(4294967295)` at most, in one line.
        let digits = mirror.uids.last().map_or(1, |last| u64::from(last.get().ilog10()) + 1);
        if messages.saturating_mul(digits + 3) > UPSTREAM_LINE_BYTES_MAX as u64 - 64 {
            return no("LIMIT", "too many messages for one answer of the mail server: name fewer");
        }
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
        let Stage::Searching(reduced) = &running.stage else { return self.refused(reply) };
        match reply {
            UpstreamReply::Ok(Data::Uids(found)) => {
                let found = reduced.found(&found);
                if matches!(command, Command::Search { .. }) || found.is_empty() {
                    return self.answer_found(conn, command, running.tag.clone(), &found);
                }
                self.ask_search(conn, command, Reduced::known(found))
            }
            UpstreamReply::Ok(Data::Sorted(uids)) => self.answer_sorted(conn, command, reduced, &uids),
            UpstreamReply::Ok(Data::Threaded(threads)) => {
                self.answer_threaded(conn, command, reduced, &threads)
            }
            other => {
                self.nothing_saved(conn, command);
                self.refused(other)
            }
        }
    }

    /// REFS is there only where upstream has it, which is where it is announced; all else is done before any server.
    fn unknown_upstream(&self, command: &Command) -> Option<Progress> {
        let announced = &self.upstream.announced;
        let Command::Thread { algorithm: algorithm @ ThreadAlgorithm::Refs, .. } = command else {
            return None;
        };
        let known = announced.is_empty() || announced.has(algorithm.capability());
        (!known).then(|| bad("the mail server does not know this"))
    }

    /// The program as far as the client view decides it.
    fn reduced(&mut self, conn: ConnectionId, command: &Command) -> Result<Reduced, Progress> {
        let (Command::Search { by_uid, program, .. }
        | Command::Sort { by_uid, program, .. }
        | Command::Thread { by_uid, program, .. }) = command
        else {
            return Err(Progress::Over);
        };
        if program.names_mod_seq() {
            self.enable_condstore(conn);
        }
        self.tell_before(conn);
        let synchronised = !self.numbers_refused(conn);
        if !synchronised && !by_uid {
            return Err(unsynchronised());
        }
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Err(Progress::Over) };
        let view = self.numbers(&owner, &mailbox);
        let Some(session) = self.session(&owner) else { return Err(Progress::Over) };
        let recent_from = session.told(&mailbox).map_or(0, |told| told.recent_from);
        let Some(mod_seqs) = self.mirrors.get(&mailbox).map(|mirror| &mirror.mod_seqs) else {
            return Err(no("UNAVAILABLE", "the mailbox is not known yet; try again"));
        };
        let saved = session.saved();
        let known = Known { view: &view, saved: &saved, recent_from, mod_seqs, synchronised };
        reduce(program, &known).map_err(|irreducible| match irreducible {
            Irreducible::Unsynchronised => unsynchronised(),
            Irreducible::NotInSearch(text) => bad(text),
            Irreducible::TooScattered => {
                no("LIMIT", "the sets in this program are too scattered: search for its parts")
            }
            Irreducible::TooDeep => no("LIMIT", "this program nests too deeply: search for its parts"),
        })
    }
}

fn unsynchronised() -> Progress {
    no("CLIENTBUG", "the mailbox must be synchronised again: SELECT it first")
}

/// What to ask upstream for, and how many messages its answer may name. Of a long set the smallest gaps are searched along: the
/// answer is cut to what is wanted. No UIDs are named where most of the mailbox is wanted, or `exactly` all of it.
fn question(reduced: &Reduced, mirror: &Mirror, exactly: bool) -> (SearchKey, u64) {
    let (uids, key) = match reduced.open.is_empty() {
        true => (&reduced.certain, &SearchKey::All),
        false => (&reduced.open, &reduced.key),
    };
    let messages = u64::from(mirror.uids.len());
    let whole = match exactly {
        true => mirror.uids.to_ranges().difference(uids).is_empty(),
        false => uids.len() * 2 > messages,
    };
    if whole {
        return (key.clone(), messages);
    }
    let uids = covering(uids);
    let messages = mirror.uids.intersect_ranges(&uids).len();
    let range = |(first, last): &(u32, u32)| (SetNumber::Number(*first), SetNumber::Number(*last));
    let mut keys = vec![SearchKey::Uid(SequenceSet(uids.ranges().iter().map(range).collect()))];
    match key {
        SearchKey::All => {}
        SearchKey::And(more) => keys.extend(more.iter().cloned()),
        key => keys.push(key.clone()),
    }
    (SearchKey::And(keys), messages)
}
