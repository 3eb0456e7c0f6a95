//! CONDSTORE and QRESYNC as commands see them (RFC 7162): what enables them, and what a handset that comes back is told.

use super::{Progress, bad};
use crate::account::{Account, Question};
use crate::connection::{Ending, Owner, Stage};
use crate::contract::Carry;
use crate::mod_seq::{FrozenModSeqs, vanished};
use pimap_session::{Departures, Flush};
use pimap_types::command::FetchItem;
use pimap_types::mod_seq::{ChangedSince, Qresync};
use pimap_types::upstream::UpstreamRequest;
use pimap_types::{
    Code, Command, ConnectionId, MailboxName, ModSeq, Response, Status, Target, Uid, UidRanges,
};
use pimap_view::UidSet;
use std::sync::Arc;

impl Account {
    /// A command enables CONDSTORE (RFC 7162 3.1). Where a mailbox is selected, the handset is told up to where it knows it, after all
    /// that may be told.
    pub(super) fn enable_condstore(&mut self, conn: ConnectionId) {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return };
        let Some(session) = self.session_mut(&owner).filter(|session| !session.condstore) else { return };
        session.enable(true, session.qresync);
        self.tell(conn, Flush { pushed_only: false, departures: Departures::Held });
        if !self.numbers_refused(conn) {
            self.write_known_mod_seq(conn);
        }
    }

    /// ENABLE QRESYNC, which implies CONDSTORE (RFC 7162 3.2.3).
    pub(super) fn enable_qresync(&mut self, conn: ConnectionId) {
        self.enable_condstore(conn);
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return };
        if let Some(session) = self.session_mut(&owner) {
            session.enable(true, true);
        }
    }

    /// QRESYNC and VANISHED are for those who enabled QRESYNC by ENABLE (RFC 7162 3.2.5, 3.2.6).
    pub(super) fn qresync_refused(&self, conn: ConnectionId) -> Option<Progress> {
        let owner = &self.connections.get(&conn)?.owner;
        let enabled = self.session(owner).is_some_and(|session| session.qresync);
        (!enabled).then(|| bad("ENABLE QRESYNC first"))
    }

    /// The messages of a FETCH that changed since a mod-sequence, after those that are gone were named.
    pub(super) fn changed_of(
        &mut self,
        conn: ConnectionId,
        target: &Target,
        uids: &UidRanges,
        changed: ChangedSince,
    ) -> UidRanges {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return UidRanges::new() };
        let view = self.numbers(&owner, &mailbox);
        let Some(mirror) = self.mirrors.get(&mailbox) else { return UidRanges::new() };
        if let (true, Target::Uids(set)) = (changed.vanished, target) {
            let named = set.resolve(view.last().map_or(0, |last| last.get()));
            let known = below(&named, mirror.uid_next);
            let gone = self.gone_among(&owner, &mailbox, &known, &view);
            if !gone.is_empty() {
                self.write(conn, Response::Vanished { earlier: true, uids: gone });
            }
        }
        let mirror = self.mirrors.get(&mailbox);
        mirror.map(|mirror| mirror.mod_seqs.changed_since(changed.since, uids)).unwrap_or_default()
    }

    /// Mod-sequences that go along with a FETCH.
    pub(crate) fn mod_seqs_of(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        uids: &UidRanges,
    ) -> Option<Arc<FrozenModSeqs>> {
        self.counted(conn, mailbox);
        Some(Arc::new(self.mirrors.get(mailbox)?.mod_seqs.frozen(uids)))
    }

    /// The highest mod-sequence among messages that a SEARCH found (RFC 7162 3.1.5); none of nothing.
    pub(super) fn highest_of(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        found: impl Iterator<Item = Uid>,
    ) -> Option<ModSeq> {
        self.counted(conn, mailbox);
        let mod_seqs = &self.mirrors.get(mailbox)?.mod_seqs;
        found.map(|uid| mod_seqs.of(uid)).max()
    }

    /// What a handset that said what it knows is told behind the data of a SELECT: what is gone, computed here and never taken from
    /// upstream (F40), then what changed (RFC 7162 3.2.5.1).
    pub(super) fn resynchronise(
        &mut self,
        conn: ConnectionId,
        qresync: &Qresync,
        ending: Ending,
    ) -> Progress {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::End(ending) };
        let view = self.numbers(&owner, &mailbox);
        let Some(mirror) = self.mirrors.get(&mailbox) else { return Progress::End(ending) };
        let everything = UidRanges::from_pairs([(1, u32::MAX)]);
        let known = below(qresync.known.as_ref().unwrap_or(&everything), mirror.uid_next);
        let mut changed = mirror.mod_seqs.changed_since(qresync.since, &view.to_ranges());
        let at = mirror.at(&mailbox);
        if qresync.known.is_some() && !self.hides(&owner, &mailbox) {
            // Only of these it wants to hear (RFC 7162 3.2.5.1). Behind a filter that would leave out what has come back into the view,
            // which it cannot know; and a filter that hides nothing now may have hidden something then.
            let looked_at = match owner {
                Owner::Device(_) => UidRanges::from_pairs(known.ranges().last().map(|(_, last)| (1, *last))),
                Owner::Regular(_) => known.clone(),
            };
            changed = changed.intersection(&looked_at);
        }
        let gone = self.gone_among(&owner, &mailbox, &known, &view);
        if !gone.is_empty() {
            self.write(conn, Response::Vanished { earlier: true, uids: gone });
        }
        let Some(at) = at.filter(|_| !changed.is_empty()) else { return Progress::End(ending) };
        // Flags need not be mirrored: upstream is asked for those that changed.
        let mod_seqs = self.mod_seqs_of(conn, &mailbox, &changed);
        let request = UpstreamRequest::Fetch(at, changed, vec![FetchItem::Uid, FetchItem::Flags]);
        let carry = Carry::FetchTo(conn, Arc::new(view), mod_seqs);
        Progress::Asked(self.ask(request, carry, Question::Command(conn)), Stage::AskedAgain)
    }

    /// What of `known` is gone, as far as the view shows. A message that came and is yet to be told of is not gone: whoever heard that
    /// it is would take what EXISTS announces later for another.
    fn gone_among(
        &self,
        owner: &Owner,
        mailbox: &MailboxName,
        known: &UidRanges,
        view: &UidSet,
    ) -> UidRanges {
        let mut gone = vanished(known, view);
        if let Some(told) = self.session(owner).and_then(|session| session.told(mailbox)) {
            gone = gone.difference(&told.to_be_announced());
        }
        let Owner::Device(id) = owner else { return gone };
        let verdicts = self.devices.get(id).and_then(|device| device.verdicts.get(mailbox));
        match verdicts.and_then(|verdicts| verdicts.awaited().queue.first_key_value()) {
            // Whether this one will be visible is not known yet, and no handset has seen it or any after it. Leaving out it alone would
            // show that it is there.
            Some((undecided, _)) => below(&gone, undecided.get()),
            None => gone,
        }
    }

    /// Whether a view filter hides messages of the mailbox from the owner.
    pub(super) fn hides(&self, owner: &Owner, mailbox: &MailboxName) -> bool {
        let Owner::Device(id) = owner else { return false };
        let verdicts = self.devices.get(id).and_then(|device| device.verdicts.get(mailbox));
        verdicts.is_none_or(|verdicts| !verdicts.view.filter.is_all())
    }

    /// The code of a tagged answer: what took messages away says up to where all is told now, to those who were told by UID
    /// (RFC 7162 3.2.7, 3.2.8, RFC 6851 4.4).
    pub(super) fn code_after(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        status: Status,
        code: Option<Code>,
    ) -> Option<Code> {
        let takes_away = matches!(command, Command::Expunge | Command::UidExpunge(_) | Command::Move(..));
        if !takes_away || status != Status::Ok || code.is_some() || self.qresync_refused(conn).is_some() {
            return code;
        }
        let (owner, mailbox) = self.selected_of(conn)?;
        self.use_mod_seqs(&mailbox);
        self.known_mod_seq(&owner, &mailbox).map(Code::HighestModSeq)
    }

    /// Splits what a conditional STORE names: what did not change since, and what did (RFC 7162 3.1.3).
    pub(super) fn unchanged_since(
        &self,
        mailbox: &MailboxName,
        since: ModSeq,
        uids: &UidRanges,
    ) -> (UidRanges, UidRanges) {
        let Some(mirror) = self.mirrors.get(mailbox) else { return (UidRanges::new(), uids.clone()) };
        let (kept, modified): (Vec<_>, Vec<_>) =
            uids.iter().partition(|uid| mirror.mod_seqs.of(*uid) <= since);
        (UidRanges::from_uids(kept), UidRanges::from_uids(modified))
    }
}

/// The UIDs below UIDNEXT: no handset can know others.
fn below(uids: &UidRanges, uid_next: u32) -> UidRanges {
    match uid_next.checked_sub(1) {
        None | Some(0) => UidRanges::new(),
        Some(last) => uids.intersection(&UidRanges::from_pairs([(1, last)])),
    }
}
