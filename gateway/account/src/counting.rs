//! Mod-sequences in motion: when they are kept and for how long, what a view's change means for them, and how a handset is told
//! (RFC 7162, design D4, F38, F39). The numbers themselves are [`ModSeqs`].

use crate::account::Account;
use crate::connection::Owner;
use crate::mod_seq::ModSeqs;
use pimap_types::limits::MOD_SEQ_MAILBOXES_PER_ACCOUNT_MAX;
use pimap_types::{Code, ConnectionId, DeviceId, MailboxName, ModSeq, Response, Timestamp, Uid};
use pimap_view::UidSet;

/// How exactly it is kept when a mailbox's mod-sequences were last used, as a part of the time for which they are kept.
const SELDOM_PER_RETENTION: i64 = 16;

impl Account {
    /// A counter for a mailbox that is new here. Microseconds, so that a mailbox would have to change a million times a second for a
    /// counter that begins anew, its rows lost, to begin below what was told before (F39).
    pub(crate) fn new_mod_seqs(&self) -> ModSeqs {
        let microseconds = u64::try_from(self.now.0).unwrap_or(0).saturating_mul(1_000);
        ModSeqs::starting(microseconds.max(self.mod_seq_mark.saturating_add(1)))
    }

    /// After loading: what was never told was not stored, and begins anew.
    pub(crate) fn restart_mod_seqs(&mut self) {
        let fresh = self.new_mod_seqs();
        for mirror in self.mirrors.values_mut().filter(|mirror| mirror.mod_seqs.used().is_none()) {
            mirror.mod_seqs = fresh.clone();
        }
    }

    /// The mod-sequences of a mirror that goes: another one of that name goes on above them.
    pub(crate) fn drop_mod_seqs(&mut self, mailbox: &MailboxName, mod_seqs: &ModSeqs) {
        if mod_seqs.used().is_some() {
            self.note_mod_seq_mark(mod_seqs.highest());
            self.forget_mod_seq_rows(mailbox, mod_seqs.all_keys());
        }
    }

    fn note_mod_seq_mark(&mut self, ModSeq(highest): ModSeq) {
        if highest > self.mod_seq_mark {
            self.mod_seq_mark = highest;
            self.write_mod_seq_mark();
        }
    }

    /// Mailboxes of which handsets know a mod-sequence with which they may come back.
    pub(crate) fn mailboxes_counted(&self) -> Vec<MailboxName> {
        let counted = self.mirrors.iter().filter(|(_, mirror)| mirror.mod_seqs.used().is_some());
        counted.map(|(mailbox, _)| mailbox.clone()).collect()
    }

    /// A handset is about to be told mod-sequences of the mailbox: they are kept for as long as a session would be.
    pub(crate) fn use_mod_seqs(&mut self, mailbox: &MailboxName) {
        let (now, seldom) = (self.now, (self.options.retention_ms / SELDOM_PER_RETENTION).max(1));
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        let first = mirror.mod_seqs.tell(now, seldom);
        self.dirty_mirrors.entry(mailbox.clone()).or_default();
        if first {
            self.keep_mirror(mailbox);
            self.bound_mailboxes_counted(mailbox);
        }
    }

    fn bound_mailboxes_counted(&mut self, newest: &MailboxName) {
        if self.mailboxes_counted().len() <= MOD_SEQ_MAILBOXES_PER_ACCOUNT_MAX {
            return;
        }
        let counted = self.mirrors.iter().filter(|(mailbox, _)| *mailbox != newest);
        let used = counted.filter_map(|(mailbox, mirror)| Some((mirror.mod_seqs.used()?, mailbox.clone())));
        if let Some((_, oldest)) = used.min() {
            self.disuse_mod_seqs(&oldest);
        }
    }

    fn disuse_mod_seqs(&mut self, mailbox: &MailboxName) {
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        mirror.mod_seqs.disuse();
        let highest = mirror.mod_seqs.highest();
        self.note_mod_seq_mark(highest);
        self.dirty_mirrors.entry(mailbox.clone()).or_default();
    }

    /// Mod-sequences that nobody used for as long as a session is kept are kept no more.
    pub(crate) fn expire_mod_seqs(&mut self) {
        for owner in self.owners() {
            let counting = self.session(&owner).filter(|session| session.condstore);
            let selected = counting.and_then(|s| s.selected.as_ref()).map(|s| s.mailbox.clone());
            if let Some(mailbox) = selected {
                self.use_mod_seqs(&mailbox);
            }
        }
        let (now, retention) = (self.now, self.options.retention_ms);
        let expired = |used: Timestamp| now.since_ms(used) > retention;
        for mailbox in self.mailboxes_counted() {
            let used = self.mirrors.get(&mailbox).and_then(|mirror| mirror.mod_seqs.used());
            if used.is_some_and(expired) {
                self.disuse_mod_seqs(&mailbox);
            }
        }
    }

    /// The mailbox's mod-sequence of this moment.
    pub(crate) fn mod_seq_now(&self, mailbox: &MailboxName) -> ModSeq {
        self.mirrors.get(mailbox).map_or(ModSeq(1), |mirror| mirror.mod_seqs.highest())
    }

    // === views ===

    /// A device's view of the mailbox is another than before, for whatever reason: what came into it counts as changed (F39).
    pub(crate) fn view_changed(&mut self, mailbox: &MailboxName, before: &UidSet, live: &UidSet) {
        let entered = live.difference(before);
        let left = before.difference(live);
        if entered.is_empty() && left.is_empty() {
            return;
        }
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        mirror.mod_seqs.entered(&entered);
        self.dirty_mirrors.entry(mailbox.clone()).or_default();
    }

    /// One message came into a device's view, or left it.
    pub(crate) fn view_changed_by(&mut self, mailbox: &MailboxName, uid: Uid, entered: bool) {
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        if entered {
            mirror.mod_seqs.touch(uid);
        } else {
            mirror.mod_seqs.left_a_view();
        }
        self.dirty_mirrors.entry(mailbox.clone()).or_default();
    }

    /// The filters of a device on a mailbox change. What its view was is known only where its session was told of it.
    pub(crate) fn view_in_doubt(&mut self, id: &DeviceId, mailbox: &MailboxName) {
        let session = self.devices.get(id).and_then(|device| device.session.as_ref());
        let known = session.and_then(|s| s.told(mailbox)).is_some_and(|told| !told.resync);
        if let Some(mirror) = self.mirrors.get_mut(mailbox).filter(|_| !known) {
            mirror.mod_seqs.forget();
            self.dirty_mirrors.entry(mailbox.clone()).or_default();
        }
    }

    // === telling ===

    /// Whether the owner's session enabled CONDSTORE.
    pub(crate) fn is_counting(&self, owner: &Owner) -> bool {
        self.session(owner).is_some_and(|session| session.condstore)
    }

    /// The mod-sequence up to which an owner knows a mailbox, everything being told that may be.
    pub(crate) fn known_mod_seq(&self, owner: &Owner, mailbox: &MailboxName) -> Option<ModSeq> {
        let highest = self.mirrors.get(mailbox)?.mod_seqs.highest();
        Some(self.session(owner)?.known_mod_seq(mailbox, highest))
    }

    /// Event lines with the mod-sequences of their messages (RFC 7162 3.1.2).
    pub(crate) fn with_mod_seqs(&mut self, conn: ConnectionId, mut lines: Vec<Response>) -> Vec<Response> {
        let Some((_, mailbox)) = self.selected_of(conn) else { return lines };
        let Some(mirror) = self.mirrors.get(&mailbox) else { return lines };
        let mut counted = false;
        for line in &mut lines {
            if let Response::FetchFlags { uid: Some(uid), mod_seq, .. } = line {
                *mod_seq = Some(mirror.mod_seqs.of(*uid));
                counted = true;
            }
        }
        if counted {
            self.counted(conn, &mailbox);
        }
        lines
    }

    /// MODSEQs are told on the connection.
    pub(crate) fn counted(&mut self, conn: ConnectionId, mailbox: &MailboxName) {
        self.use_mod_seqs(mailbox);
        if let Some(c) = self.connections.get_mut(&conn) {
            c.counted = true;
        }
    }

    /// `* OK [HIGHESTMODSEQ n]` of the selected mailbox.
    pub(crate) fn write_known_mod_seq(&mut self, conn: ConnectionId) {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return };
        self.use_mod_seqs(&mailbox);
        if let Some(known) = self.known_mod_seq(&owner, &mailbox) {
            self.write(conn, Response::ok_code(Code::HighestModSeq(known), "everything up to here is told"));
        }
    }

    /// Before a tagged line: a handset would take the highest MODSEQ that it saw for what it knows, and must not where something before
    /// it is withheld (RFC 7162 3.2, F38).
    pub(crate) fn limit_known_mod_seq(&mut self, conn: ConnectionId) {
        let told = self.connections.get_mut(&conn).is_some_and(|c| std::mem::take(&mut c.counted));
        let Some((owner, mailbox)) = self.selected_of(conn).filter(|_| told) else { return };
        let withheld = |session: &pimap_session::SessionLog| {
            session.condstore && session.told(&mailbox).is_some_and(|t| t.withheld_from.is_some())
        };
        if self.session(&owner).is_some_and(withheld) {
            self.write_known_mod_seq(conn);
        }
    }
}
