//! SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2; digest 5; F7, F13).

use super::{Progress, no};
use crate::account::{Account, Question};
use crate::connection::{Ending, Owner, Running, Stage};
use crate::contract::{Carry, Count};
use pimap_session::offer::Selected;
use pimap_session::{Baseline, Departures, Flush};
use pimap_types::mod_seq::SelectParameters;
use pimap_types::search::SearchKey;
use pimap_types::upstream::{Data, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, ConnectionId, Flag, Flags, MailboxName, Response, Status, UidRanges};

impl Account {
    pub(super) fn begin_select(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        _read_only: bool,
        parameters: &SelectParameters,
        running: &mut Running,
    ) -> Progress {
        if let Some(refused) = self.qresync_refused(conn).filter(|_| parameters.qresync.is_some()) {
            return refused;
        }
        running.stage = Stage::Start;
        if let Err(progress) = self.need_mailbox(conn, mailbox, running.since) {
            return progress;
        }
        let Some(at) = self.mirrors.get(mailbox).and_then(|m| m.at(mailbox)) else {
            return no("UNAVAILABLE", "the mailbox is not known yet; try again");
        };
        // [UNSEEN n] is required where there is one (RFC 3501 6.3.1), and flags need not be mirrored.
        let unseen = SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen)));
        let request = UpstreamRequest::Search(at, None, unseen);
        Progress::Asked(self.ask(request, Carry::Nothing, Question::Command(conn)), Stage::Asked)
    }

    /// A SELECT failed: what was open is closed, and that is said as for one that succeeds (RFC 7162 3.2.11).
    pub(super) fn leave_mailbox(&mut self, conn: ConnectionId) {
        let Some((owner, _)) = self.selected_of(conn) else { return };
        self.write(conn, Response::ok_code(Code::word("CLOSED"), "the mailbox before is closed"));
        if let Some(session) = self.session_mut(&owner) {
            session.deselect();
        }
    }

    pub(super) fn select_answered(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        read_only: bool,
        parameters: &SelectParameters,
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        if matches!(running.stage, Stage::AskedAgain) {
            return match self.fetched_flags(conn, reply) {
                Ok(_) => Progress::End(selected_ending(read_only)),
                Err(progress) => progress,
            };
        }
        let UpstreamReply::Ok(Data::Uids(unseen)) = reply else { return self.refused(reply) };
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return Progress::Over };
        let (Some(live), Some(mirror)) =
            (self.live_if_ready(&owner, mailbox).map(|live| live.into_owned()), self.mirrors.get(mailbox))
        else {
            // Filters changed under way, or the mailbox went: looked at anew.
            return self.begin_select(conn, mailbox, read_only, parameters, running);
        };
        let Some(uid_validity) = mirror.uid_validity else {
            return self.begin_select(conn, mailbox, read_only, parameters, running);
        };
        let (uid_next, flags, permanent) = (mirror.uid_next, mirror.flags.clone(), mirror.permanent.clone());
        if self.selected_of(conn).is_some_and(|(_, open)| open != *mailbox) {
            // RFC 7162 3.2.11: what comes after it is of the other mailbox.
            self.write(conn, Response::ok_code(Code::word("CLOSED"), "the mailbox before is closed"));
        }
        let selected = Selected { mailbox: mailbox.clone(), read_only };
        let qresync = parameters.qresync.as_ref().filter(|known| known.uid_validity == uid_validity);
        let is_regular = matches!(owner, Owner::Regular(_));
        let Some(session) = self.session_mut(&owner) else { return Progress::Over };
        if parameters.condstore || parameters.qresync.is_some() {
            session.enable(true, session.qresync);
        }
        // Departures that are told by UID mean nothing behind a SELECT, when no UID has been told yet: its view is the one of now. So
        // is that of a regular login, which holds nothing over from the last time it had the mailbox open (RFC 3501 6.3.1).
        let baseline = match is_regular || qresync.is_some() || session.qresync {
            true => session.select_afresh(selected, uid_validity, &live, uid_next),
            false => session.select(selected, uid_validity, &live, uid_next),
        };
        self.keep_mirror(mailbox);
        self.forget_changes(conn, mailbox);
        let mut unsaid = false;
        if let Some(c) = self.connections.get_mut(&conn) {
            c.selected_here = true;
            unsaid = std::mem::take(&mut c.say_resync);
        }
        self.write_baseline(conn, mailbox, &unseen, flags, permanent, read_only);
        self.write(conn, Response::ok_code(Code::UidValidity(uid_validity), "UIDs valid"));
        self.write(conn, Response::ok_code(Code::UidNext(uid_next), "predicted next UID"));
        // The delta to what was told before; a view told just now has none.
        self.tell(conn, Flush { pushed_only: false, departures: self.permitted(conn, Departures::All) });
        if self.is_counting(&owner) {
            self.write_known_mod_seq(conn);
        }
        if let Some(qresync) = qresync {
            // It says what it holds, and is told what that lacks: whatever it was told before, nothing is left to be said by RESYNC.
            return self.resynchronise(conn, qresync, selected_ending(read_only));
        }
        // The truth may have broken while this very command waited: then nobody has said so yet. A regular login knows no RESYNC, and
        // this answer tells it all there is.
        let replaced =
            baseline == (Baseline::Fresh { resync: true }) || (unsaid && baseline != Baseline::Continued);
        if replaced && !is_regular {
            self.count(Count::Resync("select"));
            self.write(conn, Response::Resync);
        }
        Progress::End(selected_ending(read_only))
    }

    /// FLAGS, EXISTS, RECENT, UNSEEN, PERMANENTFLAGS of the view as told.
    fn write_baseline(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        unseen: &UidRanges,
        flags: Flags,
        permanent: (Flags, bool),
        read_only: bool,
    ) {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return };
        let Some(told) = self.session(&owner).and_then(|s| s.told(mailbox)) else { return };
        let (exists, recent) = (told.view.len(), told.recent_count());
        let first_unseen =
            told.view.intersect_ranges(unseen).iter().next().and_then(|uid| told.view.rank(uid));
        let permanent = if read_only { (Flags::default(), false) } else { permanent };
        self.write(conn, Response::Flags(flags));
        let code = Code::PermanentFlags(permanent.0, permanent.1);
        self.write(conn, Response::ok_code(code, "flags kept"));
        self.write(conn, Response::Exists(exists));
        self.write(conn, Response::Recent(recent));
        if let Some(seq) = first_unseen {
            self.write(conn, Response::ok_code(Code::Unseen(seq), "first unseen"));
        }
    }
}

fn selected_ending(read_only: bool) -> Ending {
    let code = if read_only { "READ-ONLY" } else { "READ-WRITE" };
    Ending::new(Status::Ok, Some(Code::word(code)), "")
}
