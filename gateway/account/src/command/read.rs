//! FETCH on the mobile repository, and which messages a command names (RFC 3501 6.4.5; digest 5; F18, F25, F32).

use super::{Progress, bad, no, ok};
use crate::account::{Account, Question};
use crate::connection::{Ending, Owner, Stage};
use crate::contract::Carry;
use pimap_types::command::{FetchItem, FetchModifiers};
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, ConnectionId, Status, Target, UidRanges};
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
        let Some(session) = self.session(&owner) else { return Err(Progress::Over) };
        let Some(told) = session.told(&mailbox) else { return Err(Progress::Over) };
        let saved = match target {
            Target::Saved { .. } => session.saved(),
            _ => UidRanges::new(),
        };
        translate::resolve(target, &told.view, &saved).map_err(|_| bad("a message number beyond the mailbox"))
    }

    /// The client view, frozen for the numbers of one FETCH.
    pub(crate) fn numbers(&self, owner: &Owner, mailbox: &pimap_types::MailboxName) -> UidSet {
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
        FetchModifiers { partial, changed }: FetchModifiers,
    ) -> Progress {
        if let Some(refused) = self.qresync_refused(conn).filter(|_| changed.is_some_and(|c| c.vanished)) {
            return refused;
        }
        if items.iter().any(FetchItem::is_binary) && !self.upstream.announced.has("BINARY") {
            return bad("BINARY is not offered: the mail server does not have it");
        }
        let counted = changed.is_some() || items.contains(&FetchItem::ModSeq);
        if counted {
            self.enable_condstore(conn);
        }
        self.tell_before(conn);
        let mut uids = match self.targeted(conn, target) {
            Ok(uids) => uids,
            Err(progress) => return progress,
        };
        if let Some(partial) = partial {
            uids = partial.of(&uids);
        }
        if let Some(changed) = changed {
            uids = self.changed_of(conn, target, &uids, changed);
        }
        if uids.is_empty() {
            return ok();
        }
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let Some(at) = self.mirrors.get(&mailbox).and_then(|m| m.at(&mailbox)) else {
            return no("UNAVAILABLE", "the mailbox is not known yet; try again");
        };
        let mut items = items.to_vec();
        items.retain(|item| *item != FetchItem::ModSeq);
        if (counted || target.by_uid()) && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        let read_only =
            self.session(&owner).and_then(|s| s.selected.as_ref()).is_some_and(|selected| selected.read_only);
        if read_only {
            // EXAMINE promises that nothing changes, `\Seen` included (RFC 3501 6.3.2).
            items = items.into_iter().map(FetchItem::peeking).collect();
        }
        let numbers = Arc::new(self.numbers(&owner, &mailbox));
        let mod_seqs = if counted { self.mod_seqs_of(conn, &mailbox, &uids) } else { None };
        let request = UpstreamRequest::Fetch(at, uids, items);
        let ticket = self.ask(request, Carry::FetchTo(conn, numbers, mod_seqs), Question::Command(conn));
        Progress::Asked(ticket, Stage::Asked)
    }

    pub(super) fn fetched(&mut self, conn: ConnectionId, _target: &Target, reply: UpstreamReply) -> Progress {
        match self.fetched_flags(conn, reply) {
            Ok(expunge_issued) => {
                let code = expunge_issued.then(|| Code::word("EXPUNGEISSUED"));
                Progress::End(Ending::new(Status::Ok, code, ""))
            }
            Err(progress) => progress,
        }
    }

    /// What a FETCH reported besides what was streamed. Whether some of its messages are gone.
    pub(super) fn fetched_flags(
        &mut self,
        conn: ConnectionId,
        reply: UpstreamReply,
    ) -> Result<bool, Progress> {
        match reply {
            UpstreamReply::Ok(Data::Fetched { flags, expunge_issued, .. }) => {
                if let Some((owner, mailbox)) = self.selected_of(conn) {
                    for report in &flags {
                        self.apply_flags(&mailbox, report, Some(&owner));
                    }
                    if expunge_issued {
                        self.sync(&mailbox);
                    }
                }
                Ok(expunge_issued)
            }
            other => Err(self.refused(other)),
        }
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
