//! COPY, MOVE, EXPUNGE, CLOSE and APPEND: what changes mail, and [`super::store`] besides. Only visible messages are ever touched (law 2).

use super::{Progress, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Ending, Owner, Running, Stage};
use crate::contract::Carry;
use pimap_types::command::Append;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::{Data, MailboxAt, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, Command, ConnectionId, Flag, MailboxName, Response, Status, Target, UidRanges};
use pimap_view::translate;
use std::sync::Arc;

impl Account {
    /// The selected mailbox as an address, and the visible UIDs of a command that changes them.
    pub(super) fn aimed(
        &mut self,
        conn: ConnectionId,
        target: &Target,
    ) -> Result<(MailboxAt, UidRanges), Progress> {
        self.tell_before(conn);
        let uids = self.targeted(conn, target)?;
        let Some((_, mailbox)) = self.selected_of(conn) else { return Err(Progress::Over) };
        let at = self.mirrors.get(&mailbox).and_then(|m| m.at(&mailbox));
        let at = at.ok_or_else(|| no("UNAVAILABLE", "the mailbox is not known yet; try again"))?;
        Ok((at, uids))
    }

    /// Whose command changed which mailbox; nothing when its UIDs mean nothing any more, which a synchronisation has told.
    pub(super) fn changed_by(&self, conn: ConnectionId, running: &Running) -> Option<(Owner, MailboxName)> {
        let owner = self.connections.get(&conn)?.owner.clone();
        let at = running.aimed.as_ref()?;
        let holds = self.mirrors.get(&at.mailbox)?.uid_validity == Some(at.uid_validity);
        holds.then(|| (owner, at.mailbox.clone()))
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
                self.judge_waiting(&mailbox);
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
            self.judge_waiting(&mailbox);
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
            other => self.refused(other),
        }
    }
}
