//! What `.SILENT` keeps quiet for a regular login (RFC 3501 6.4.6, F35).
//!
//! A device is told even what it has stored itself, because the answer to its STORE can be lost. A regular login lives and dies with
//! its connection: it knows what it has stored, and is told nothing of it. In go what upstream reports and how things stood before;
//! out come the messages whose report holds the login's own change and no other client's.

use crate::account::Account;
use crate::connection::{Owner, Running};
use crate::mirror::Mirror;
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::upstream::FlagsReport;
use pimap_types::{ConnectionId, Flags, MailboxName, ModSeq, Uid};

impl Account {
    /// Whether the connection is a regular login's that asks for silence, and may be kept silent: who is told mod-sequences is told
    /// flags with them (RFC 7162 3.1.3).
    pub(super) fn is_hushed(&self, conn: ConnectionId, change: &StoreChange) -> bool {
        let Some(c) = self.connections.get(&conn).filter(|_| change.silent) else { return false };
        matches!(c.owner, Owner::Regular(_)) && !self.is_counting(&c.owner)
    }

    /// A STORE that asks for silence sets out: what is untold by now is told, so that whatever is untold when it is answered came after.
    pub(super) fn begin_silence(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        change: &StoreChange,
        running: &mut Running,
    ) {
        if self.is_hushed(conn, change) {
            self.tell_before(conn);
            let known = self.mirrors.get(mailbox).map(Mirror::highest_known);
            running.conditional.known = known.unwrap_or(ModSeq(0));
        }
    }

    /// Its reports are applied, and what the login knows of them, having stored it, counts as told.
    pub(super) fn apply_silently(
        &mut self,
        conn: ConnectionId,
        (owner, mailbox): (&Owner, &MailboxName),
        change: &StoreChange,
        running: &Running,
        reports: &[FlagsReport],
    ) {
        let Some(mirror) = self.mirrors.get(mailbox) else { return };
        let own = own_changes(mirror, change, running.conditional.known, reports);
        let notified = self.connections.get(&conn).is_some_and(|c| c.notify.is_some());
        if !notified {
            // The watcher was faster than the answer. With NOTIFY an older change may wait in the same mark.
            let seen = own.iter().filter(|report| mirror.is_applied(report)).map(|report| report.uid);
            let seen: Vec<Uid> = seen.collect();
            self.count_as_told(owner, mailbox, &seen);
        }
        self.tell_before(conn);
        for report in reports {
            self.apply_flags(mailbox, report, Some(owner));
        }
        let own: Vec<Uid> = own.iter().map(|report| report.uid).collect();
        self.count_as_told(owner, mailbox, &own);
    }

    fn count_as_told(&mut self, owner: &Owner, mailbox: &MailboxName, uids: &[Uid]) {
        let Some(session) = self.session_mut(owner) else { return };
        for uid in uids {
            session.flags_told(mailbox, *uid);
        }
    }
}

/// The reports that tell of nothing but the change: by the flags that are kept, or, where mod-sequences stand for them, because
/// nothing else can have happened between the last one known and the report's. A server that counts in larger steps leaves that
/// open, and the report is told (RFC 3501 6.4.6: SHOULD NOT).
fn own_changes<'a>(
    mirror: &Mirror,
    change: &StoreChange,
    known: ModSeq,
    reports: &'a [FlagsReport],
) -> Vec<&'a FlagsReport> {
    let mut reports: Vec<&FlagsReport> = reports.iter().collect();
    reports.sort_by_key(|report| report.mod_seq);
    let mut last = known;
    reports.retain(|report| {
        if let Some(facts) = mirror.facts.as_ref().and_then(|facts| facts.get(&report.uid)) {
            return changed(&facts.flags, change) == report.flags;
        }
        let next = report.mod_seq <= ModSeq(last.0.saturating_add(1));
        if next {
            last = last.max(report.mod_seq);
        }
        next
    });
    reports
}

/// The flags after the change.
fn changed(before: &Flags, change: &StoreChange) -> Flags {
    let named = change.flags.iter();
    match change.mode {
        StoreMode::Replace => change.flags.clone(),
        StoreMode::Add => Flags::new(before.iter().chain(named).cloned()),
        StoreMode::Remove => Flags::new(before.iter().filter(|flag| !change.flags.contains(flag)).cloned()),
    }
}

#[cfg(test)]
mod tests;
