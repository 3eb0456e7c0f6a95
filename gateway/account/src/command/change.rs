//! STORE, COPY, MOVE, EXPUNGE, CLOSE and APPEND: what changes mail. Only visible messages are ever touched (law 2).

use super::{Progress, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Ending, Owner, Running, Stage};
use crate::contract::Carry;
use pimap_types::command::{Append, StoreChange};
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::{Data, FlagsReport, MailboxAt, UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_types::{
    Code, Command, ConnectionId, Flag, MailboxName, ModSeq, Response, Status, Target, UidRanges,
};
use pimap_view::translate;
use std::sync::Arc;

impl Account {
    /// The selected mailbox as an address, and the visible UIDs of a command that changes them.
    fn aimed(&mut self, conn: ConnectionId, target: &Target) -> Result<(MailboxAt, UidRanges), Progress> {
        self.tell_before(conn);
        let uids = self.targeted(conn, target)?;
        let Some((_, mailbox)) = self.selected_of(conn) else { return Err(Progress::Over) };
        let at = self.mirrors.get(&mailbox).and_then(|m| m.at(&mailbox));
        let at = at.ok_or_else(|| no("UNAVAILABLE", "the mailbox is not known yet; try again"))?;
        Ok((at, uids))
    }

    /// Whose command changed which mailbox; nothing when its UIDs mean nothing any more, which a synchronisation has told.
    fn changed_by(&self, conn: ConnectionId, running: &Running) -> Option<(Owner, MailboxName)> {
        let owner = self.connections.get(&conn)?.owner.clone();
        let at = running.aimed.as_ref()?;
        let holds = self.mirrors.get(&at.mailbox)?.uid_validity == Some(at.uid_validity);
        holds.then(|| (owner, at.mailbox.clone()))
    }

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
        let (at, mut uids) = match self.aimed(conn, target) {
            Ok(aimed) => aimed,
            Err(progress) => return progress,
        };
        if let Some(since) = unchanged_since {
            (uids, running.modified) = self.unchanged_since(&at.mailbox, since, &uids);
        }
        if uids.is_empty() {
            return Progress::End(self.stored_ending(conn, target, running));
        }
        self.intend(conn, running);
        running.aimed = Some(at.clone());
        let request = UpstreamRequest::Store(at, uids, change.clone());
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    pub(super) fn stored(
        &mut self,
        conn: ConnectionId,
        target: &Target,
        change: &StoreChange,
        running: &Running,
        reply: UpstreamReply,
    ) -> Progress {
        let (reports, refusal) = match reply {
            UpstreamReply::Ok(Data::Stored(reports)) => (reports, None),
            UpstreamReply::Refused { code, text, data: Some(Data::Stored(reports)) } => {
                let refusal = UpstreamReply::Refused { code, text, data: None };
                (reports, Some(refusal))
            }
            other => return self.refused(other),
        };
        self.apply_own_flags(conn, running, &reports, change.silent);
        match refusal {
            Some(refusal) => self.refused(refusal),
            None => Progress::End(self.stored_ending(conn, target, running)),
        }
    }

    /// OK, with what a conditional STORE left alone, named as the command named messages (RFC 7162 3.1.3).
    fn stored_ending(&self, conn: ConnectionId, target: &Target, running: &Running) -> Ending {
        let Some((owner, mailbox)) = self.selected_of(conn).filter(|_| !running.modified.is_empty()) else {
            return Ending::new(Status::Ok, None, "");
        };
        let modified = match target.by_uid() {
            true => running.modified.ranges().to_vec(),
            false => translate::position_ranges(&self.numbers(&owner, &mailbox), &running.modified),
        };
        let code = Code::Modified(modified);
        Ending::new(Status::Ok, Some(code), "some of them changed and were left alone")
    }

    /// Flags that the handset's own STORE left: told with its answer, or, when it asked for silence, with the next one, because
    /// another client's change may stand in the same report (F35).
    fn apply_own_flags(
        &mut self,
        conn: ConnectionId,
        running: &Running,
        reports: &[FlagsReport],
        silent: bool,
    ) {
        let Some((owner, mailbox)) = self.changed_by(conn, running) else { return };
        // Who counts is told in any case (RFC 7162 3.1.3), and flags along with the mod-sequence: another client's change that stands in
        // the same report would be missed for ever by a handset that knows its number (F38).
        let silent = silent && !self.is_counting(&owner);
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

    pub(super) fn begin_copy(
        &mut self,
        conn: ConnectionId,
        target: &Target,
        to: &MailboxName,
        moving: bool,
        running: &mut Running,
    ) -> Progress {
        let (at, uids) = match self.aimed(conn, target) {
            Ok(aimed) => aimed,
            Err(progress) => return progress,
        };
        if uids.is_empty() {
            return ok();
        }
        self.intend(conn, running);
        running.aimed = Some(at.clone());
        let request = match moving {
            true => UpstreamRequest::Move(at, uids, to.clone()),
            false => UpstreamRequest::Copy(at, uids, to.clone()),
        };
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    pub(super) fn copied(
        &mut self,
        conn: ConnectionId,
        to: &MailboxName,
        moving: bool,
        running: &Running,
        reply: UpstreamReply,
    ) -> Progress {
        let (data, refusal) = match reply {
            UpstreamReply::Ok(data) => (Some(data), None),
            UpstreamReply::Refused { code, text, data } => {
                (data, Some(UpstreamReply::Refused { code, text, data: None }))
            }
            other => return self.refused(other),
        };
        let mut code = None;
        if let Some(Data::Copied { copy_uid, vanished }) = data {
            self.messages_put(conn, to, copy_uid.as_ref().map(|(_, _, there)| there));
            code = copy_uid.map(|(validity, from, to)| Code::CopyUid(validity, from, to));
            if let Some((owner, mailbox)) = self.changed_by(conn, running) {
                // A NO does not mean that nothing moved (RFC 6851 3.3).
                self.apply_gone(&mailbox, &vanished, Some(&owner));
            }
        }
        if let Some(refusal) = refusal {
            return self.refused(refusal);
        }
        if let Some(code) = code.take_if(|_| moving) {
            // RFC 6851 4.3: before the EXPUNGEs.
            self.write(conn, Response::ok_code(code, "moved"));
        }
        self.end_when_seen(conn, to, Ending::new(Status::Ok, code, ""))
    }

    /// EXPUNGE of what is visible and `\Deleted`: asked for by a search first, because the mirror need not keep flags.
    pub(super) fn begin_expunge(&mut self, conn: ConnectionId, only: Option<&Target>) -> Progress {
        if self.numbers_refused(conn) {
            return no("CLIENTBUG", "the mailbox must be synchronised again: SELECT it first");
        }
        let everything = Target::Uids(SequenceSet(vec![(SetNumber::Number(1), SetNumber::Star)]));
        let (at, uids) = match self.aimed(conn, only.unwrap_or(&everything)) {
            Ok(aimed) => aimed,
            Err(progress) => return progress,
        };
        if uids.is_empty() {
            return ok();
        }
        let request = UpstreamRequest::Search(at, None, SearchKey::Flag(Flag::Deleted));
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    pub(super) fn expunge_answered(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        let closing = matches!(command, Command::Close);
        if matches!(running.stage, Stage::Asked) {
            let UpstreamReply::Ok(Data::Uids(deleted)) = reply else { return self.refused(reply) };
            return self.expunge_found(conn, command, running, &deleted);
        }
        let (gone, refusal) = match reply {
            UpstreamReply::Ok(Data::Expunged(gone)) => (gone, None),
            UpstreamReply::Refused { code, text, data } => {
                let gone = if let Some(Data::Expunged(gone)) = data { gone } else { UidRanges::new() };
                (gone, Some(UpstreamReply::Refused { code, text, data: None }))
            }
            other => return self.refused(other),
        };
        if let Some((owner, mailbox)) = self.changed_by(conn, running) {
            self.apply_gone(&mailbox, &gone, Some(&owner));
        }
        // A request that took the session over may have selected another meanwhile, which is not closed by this.
        let selected = self.selected_of(conn).map(|(_, mailbox)| mailbox);
        let still = selected.as_ref() == running.aimed.as_ref().map(|at| &at.mailbox);
        match refusal {
            Some(refusal) => self.refused(refusal),
            None if closing && still => self.closed_mailbox(conn),
            None => ok(),
        }
    }

    fn expunge_found(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &mut Running,
        deleted: &UidRanges,
    ) -> Progress {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let Some(session) = self.session(&owner) else { return Progress::Over };
        let Some(told) = session.told(&mailbox) else { return Progress::Over };
        let mut uids = told.view.intersect_ranges(deleted);
        if let Command::UidExpunge(target) = command {
            let named = translate::resolve(target, &told.view, &session.saved());
            uids = uids.intersection(&named.unwrap_or_default());
        }
        // A plain EXPUNGE takes all that is `\Deleted`: it is harmless only if that is what was asked for (F20).
        let known = self.mirrors.get(&mailbox).is_some_and(|mirror| told.view == mirror.uids);
        let all_visible = known && uids == *deleted;
        let Some(at) = self.mirrors.get(&mailbox).and_then(|m| m.at(&mailbox)).filter(|_| !uids.is_empty())
        else {
            return if matches!(command, Command::Close) { self.closed_mailbox(conn) } else { ok() };
        };
        self.intend(conn, running);
        running.aimed = Some(at.clone());
        let request = UpstreamRequest::Expunge { at, uids, all_visible };
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::AskedAgain)
    }

    /// CLOSE expunges what is visible, and never by upstream's CLOSE (digest 5). EXAMINEd mailboxes just close.
    pub(super) fn begin_close(&mut self, conn: ConnectionId, _running: &Running) -> Progress {
        let Some((owner, _)) = self.selected_of(conn) else { return Progress::Over };
        let read_only = self.session(&owner).and_then(|s| s.selected.as_ref()).is_some_and(|s| s.read_only);
        if read_only {
            return self.closed_mailbox(conn);
        }
        if self.numbers_refused(conn) {
            return no("CLIENTBUG", "the mailbox must be synchronised again: SELECT or UNSELECT it");
        }
        match self.begin_expunge(conn, None) {
            Progress::End(ending) if ending.status == Status::Ok => self.closed_mailbox(conn),
            progress => progress,
        }
    }

    pub(crate) fn closed_mailbox(&mut self, conn: ConnectionId) -> Progress {
        if let Some((owner, _)) = self.selected_of(conn)
            && let Some(session) = self.session_mut(&owner)
        {
            session.deselect();
        }
        ok()
    }

    pub(super) fn begin_unselect(&mut self, conn: ConnectionId) -> Progress {
        self.closed_mailbox(conn)
    }

    pub(super) fn begin_append(
        &mut self,
        conn: ConnectionId,
        append: &Append,
        running: &mut Running,
    ) -> Progress {
        let rules = self.append_rules(conn);
        let parts = match rules.check(append.parts.clone(), true) {
            Ok(parts) => parts,
            // Before a single octet of it is asked for (RFC 7889 4).
            Err(why) => return Progress::End(Ending::new(Status::No, Some(why.code()), why.text())),
        };
        self.intend(conn, running);
        let carry = match append.streams() {
            Some(_) => Carry::AppendFrom(conn, Arc::new(rules)),
            None => Carry::Nothing,
        };
        let append = Append { mailbox: append.mailbox.clone(), parts };
        let ticket = self.ask(UpstreamRequest::Append(append), carry, Question::Command(conn));
        Progress::Asked(ticket, Stage::Asked)
    }

    pub(super) fn appended(&mut self, conn: ConnectionId, append: &Append, reply: UpstreamReply) -> Progress {
        match reply {
            UpstreamReply::Ok(Data::Appended(uids)) => {
                self.messages_put(conn, &append.mailbox, uids.as_ref().map(|(_, uids)| uids));
                let code = uids.map(|(validity, uids)| Code::AppendUid(validity, uids));
                self.end_when_seen(conn, &append.mailbox, Ending::new(Status::Ok, code, ""))
            }
            UpstreamReply::Failed(UpstreamFault::Cancelled) => {
                no("CLIENTBUG", "the message did not arrive whole")
            }
            other => self.refused(other),
        }
    }
}
