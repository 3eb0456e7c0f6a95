//! STORE, and STORE on a condition (RFC 7162 3.1.3).
//!
//! The condition is the handset's: a mod-sequence of the gateway's own (ADR 11). It is judged here after a fresh synchronisation, and
//! what holds goes upstream on the condition that nothing changed since the state that was judged, in upstream's own mod-sequences.
//! What upstream leaves alone is judged again: another client's change breaks the handset's condition too, an echo of what is
//! known already does not, and that is tried again (NQ-049). Where upstream has no mod-sequences a race of one round trip is left.

use super::{Progress, no};
use crate::account::{Account, Question};
use crate::connection::{Ending, Running, Stage};
use crate::contract::Carry;
use pimap_types::command::StoreChange;
use pimap_types::upstream::{Data, FlagsReport, MailboxAt, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, ConnectionId, ModSeq, Status, Target, UidRanges};
use pimap_view::translate;

/// How often upstream is asked again about what it left alone (RFC 7162 3.1.3: at least twice).
const RETRIES: u32 = 3;

impl Account {
    pub(super) fn begin_store(
        &mut self,
        conn: ConnectionId,
        target: &Target,
        change: &StoreChange,
        unchanged_since: Option<ModSeq>,
        running: &mut Running,
    ) -> Progress {
        if unchanged_since.is_some() {
            self.enable_condstore(conn);
            // What changed is looked at afresh: what another client did a moment ago is not to be overwritten.
            if let Some((_, mailbox)) = self.selected_of(conn)
                && let Err(progress) = self.need_mailbox(conn, &mailbox, running.since)
            {
                return progress;
            }
        }
        let aimed = match running.conditional.again.take() {
            Some(uids) => self.aimed_again(conn, &uids, running),
            None => self.aimed(conn, target),
        };
        let (at, mut uids) = match aimed {
            Ok(aimed) => aimed,
            Err(progress) => return progress,
        };
        let mut upstream_since = None;
        if let Some(since) = unchanged_since {
            let modified;
            (uids, modified) = self.unchanged_since(&at.mailbox, since, &uids);
            running.conditional.modified.extend(&modified);
            // Everything up to there is applied, and was judged.
            let judged = self.mirrors.get(&at.mailbox).map(|mirror| mirror.highest);
            upstream_since = judged.filter(|judged| *judged > ModSeq(0));
        }
        if uids.is_empty() {
            return Progress::End(self.stored_ending(conn, target, running));
        }
        if !running.intended {
            self.intend(conn, running);
        }
        self.begin_silence(conn, &at.mailbox, change, running);
        running.aimed = Some(at.clone());
        let request = UpstreamRequest::Store(at, uids, change.clone(), upstream_since);
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    /// What upstream left alone, as far as it is still there and visible.
    fn aimed_again(
        &self,
        conn: ConnectionId,
        uids: &UidRanges,
        running: &Running,
    ) -> Result<(MailboxAt, UidRanges), Progress> {
        let before = running.aimed.as_ref();
        let (owner, mailbox) = self
            .selected_of(conn)
            .filter(|(_, mailbox)| before.is_some_and(|at| at.mailbox == *mailbox))
            .ok_or_else(|| no("UNAVAILABLE", "the mailbox was left meanwhile"))?;
        let at = self.mirrors.get(&mailbox).and_then(|mirror| mirror.at(&mailbox));
        let at = at
            .filter(|at| before.is_some_and(|before| before.uid_validity == at.uid_validity))
            .ok_or_else(|| no("UNAVAILABLE", "the mailbox was replaced meanwhile"))?;
        let there = self.mirrors.get(&mailbox).map(|mirror| mirror.uids.intersect_ranges(uids));
        let there = self.numbers(&owner, &mailbox).intersect_ranges(&there.unwrap_or_default());
        Ok((at, there))
    }

    pub(super) fn stored(
        &mut self,
        conn: ConnectionId,
        (target, change, since): (&Target, &StoreChange, Option<ModSeq>),
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        let (flags, modified, refusal) = match reply {
            UpstreamReply::Ok(Data::Stored { flags, modified }) => (flags, modified, None),
            UpstreamReply::Refused { code, text, data: Some(Data::Stored { flags, modified }) } => {
                let refusal = UpstreamReply::Refused { code, text, data: None };
                (flags, modified, Some(refusal))
            }
            other => return self.refused(other),
        };
        self.apply_own_flags(conn, running, &flags, change);
        if let Some(refusal) = refusal {
            return self.refused(refusal);
        }
        if modified.is_empty() {
            return Progress::End(self.stored_ending(conn, target, running));
        }
        if running.conditional.retries >= RETRIES {
            running.conditional.modified.extend(&modified);
            return Progress::End(self.stored_ending(conn, target, running));
        }
        running.conditional.retries += 1;
        running.conditional.again = Some(modified);
        // Judged again when what upstream knows more is known here.
        running.since = self.asked;
        self.begin_store(conn, target, change, since, running)
    }

    /// OK, with what a conditional STORE left alone, named as the command named messages (RFC 7162 3.1.3). Where numbers mean nothing
    /// any more what was left alone cannot be named, and OK without a name would be taken for all of it being done.
    fn stored_ending(&self, conn: ConnectionId, target: &Target, running: &Running) -> Ending {
        let left_alone = &running.conditional.modified;
        if left_alone.is_empty() {
            return Ending::new(Status::Ok, None, "");
        }
        let modified = match target.by_uid() {
            true => Some(left_alone.ranges().to_vec()),
            false => self.numbers_of(conn, running),
        };
        match modified.map(Code::Modified) {
            Some(code) => Ending::new(Status::Ok, Some(code), "some of them changed and were left alone"),
            None => {
                let text = "some of them changed and were left alone; the mailbox must be synchronised again";
                Ending::new(Status::No, None, text)
            }
        }
    }

    /// The numbers of what was left alone, while the mailbox that the command meant is selected and its numbers mean something (F8).
    fn numbers_of(&self, conn: ConnectionId, running: &Running) -> Option<Vec<(u32, u32)>> {
        let (owner, mailbox) = self.selected_of(conn).filter(|_| !self.numbers_refused(conn))?;
        let aimed = running.aimed.as_ref();
        let meant = aimed.is_none_or(|at| at.mailbox == mailbox);
        let numbers =
            || translate::position_ranges(&self.numbers(&owner, &mailbox), &running.conditional.modified);
        meant.then(numbers)
    }

    /// Flags that the handset's own STORE left: told with its answer, or, when it asked for silence, with the next one, because
    /// another client's change may stand in the same report (F35). Silence of a regular login is [`silence`]'s.
    fn apply_own_flags(
        &mut self,
        conn: ConnectionId,
        running: &Running,
        reports: &[FlagsReport],
        change: &StoreChange,
    ) {
        let Some((owner, mailbox)) = self.changed_by(conn, running) else { return };
        if self.is_hushed(conn, change) {
            return self.apply_silently(conn, (&owner, &mailbox), change, running, reports);
        }
        // Who counts is told in any case (RFC 7162 3.1.3), and flags along with the mod-sequence: another client's change that stands in
        // the same report would be missed for ever by a handset that knows its number (F38).
        let silent = change.silent && !self.is_counting(&owner);
        if silent {
            // What was untold before is told before, so that silence concerns this change alone.
            self.tell_before(conn);
        }
        let version = self.mirrors.get(&mailbox).map(|mirror| mirror.version);
        // No other change was applied since it was asked: what it reports is how things are.
        let unraced = running.aimed.as_ref().is_some_and(|at| Some(at.at_least) == version);
        for report in reports {
            self.apply_flags(&mailbox, report, Some(&owner));
        }
        if !silent {
            for report in reports {
                let kept =
                    self.mirrors.get(&mailbox).and_then(|mirror| mirror.facts.as_ref()?.get(&report.uid));
                let (flags, current) = match kept {
                    Some(facts) => (facts.flags.clone(), true),
                    None => (report.flags.clone(), unraced),
                };
                if let Some(session) = self.session_mut(&owner) {
                    session.stored(&mailbox, report.uid, &flags, current);
                }
            }
        }
        if silent && let Some(c) = self.connections.get_mut(&conn) {
            c.silent = true;
        }
    }
}

mod silence;
#[cfg(test)]
mod tests;
