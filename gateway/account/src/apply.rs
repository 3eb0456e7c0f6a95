//! Applying what happened upstream: to the mirror, to every device's verdicts, to every session's log (design D2).

use crate::account::Account;
use crate::connection::Owner;
use crate::deliver::Event;
use crate::mirror::{ECHOES_MAX, Facts};
use pimap_filters::{Change, ChangeKind};
use pimap_types::upstream::{Delta, FlagsReport, Synced};
use pimap_types::{DeviceId, Flags, MailboxName, MessageFacts, Uid, UidRanges};
use pimap_view::UidSet;
use std::collections::BTreeMap;

/// A loss larger than this, and than half the mailbox, must be reported twice (F53).
const LOSS_SUSPECT_MESSAGES: u64 = 20;

impl Account {
    /// A mailbox's state as of one moment. False: it is to be confirmed by another synchronisation first (F53).
    pub(crate) fn apply_synced(&mut self, mailbox: &MailboxName, mut synced: Synced) -> bool {
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return true };
        let replaced = mirror.uid_validity.is_some_and(|known| known != synced.uid_validity);
        if replaced {
            self.mailbox_replaced(mailbox);
        }
        if let Some(mirror) = self.mirrors.get_mut(mailbox) {
            // Flags without mod-sequences cannot tell which is newer: another look settles it.
            let overtaken = mirror.version != mirror.asked_version && mirror.uid_validity.is_some();
            mirror.sync_again |= overtaken && synced.highest_mod_seq.0 == 0;
        }
        let nothing = Delta::Since { vanished: UidRanges::new(), changed: Vec::new() };
        match std::mem::replace(&mut synced.delta, nothing) {
            Delta::Flags { flags, facts } => {
                let Some(mirror) = self.mirrors.get_mut(mailbox) else { return true };
                let Some((uids, facts)) = mirror.completed(flags, facts) else {
                    // Whatever was kept then: everything is asked for.
                    mirror.facts = None;
                    return false;
                };
                if !self.apply_full(mailbox, &synced, uids, facts) {
                    return false;
                }
            }
            Delta::Full { uids, facts } => {
                if !self.apply_full(mailbox, &synced, uids, facts) {
                    return false;
                }
            }
            Delta::Since { vanished, mut changed } => {
                self.apply_gone(mailbox, &vanished, None);
                if let Some(mirror) = self.mirrors.get(mailbox) {
                    changed.retain(|facts| !mirror.gone_since.contains(facts.uid));
                }
                self.apply_changed(mailbox, changed, None, ChangeKind::FlagChange);
            }
        }
        if let Some(mirror) = self.mirrors.get_mut(mailbox) {
            mirror.settled(&synced);
            mirror.loss_suspected = false;
        }
        self.dirty_mirrors.entry(mailbox.clone()).or_default();
        self.judge_waiting(mailbox);
        true
    }

    /// Everything that is there: the difference to what was known is applied.
    fn apply_full(
        &mut self,
        mailbox: &MailboxName,
        synced: &Synced,
        uids: UidRanges,
        facts: Vec<MessageFacts>,
    ) -> bool {
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return true };
        let Ok(mut there) = UidSet::from_ranges(&uids) else { return true };
        // What came and went since it was asked for is known better than the answer knows.
        there.remove_ranges(&mirror.gone_since.to_ranges());
        let since: Vec<Uid> = mirror.uids.above(Uid::new(mirror.asked_last)).collect();
        if mirror.uid_validity == Some(synced.uid_validity) {
            for uid in &since {
                there.insert(*uid);
            }
        }
        let gone = mirror.uids.difference(&there);
        let large = gone.len() > LOSS_SUSPECT_MESSAGES && gone.len() * 2 > u64::from(mirror.uids.len());
        if large && !mirror.loss_suspected && mirror.uid_validity == Some(synced.uid_validity) {
            mirror.loss_suspected = true;
            return false;
        }
        let first_time = mirror.uid_validity.is_none();
        let had_facts = mirror.facts.take();
        let mut by_uid: BTreeMap<Uid, MessageFacts> = facts.into_iter().map(|f| (f.uid, f)).collect();
        let told_of_none = by_uid.is_empty();
        if !by_uid.is_empty() || there.is_empty() {
            let keep = |f: &MessageFacts| Facts {
                flags: f.flags.clone(),
                internal_date: f.internal_date,
                size: f.size,
            };
            let wanted = by_uid.len() as u64 == uids.len();
            let newer = by_uid.values().filter(|f| !mirror.is_overtaken(f.uid, f.mod_seq));
            let mut kept: BTreeMap<Uid, Facts> = newer.map(|f| (f.uid, keep(f))).collect();
            // What was applied since it was asked for is known better than the answer knows.
            let known = had_facts.iter().flatten().filter(|(uid, _)| !kept.contains_key(uid));
            let known: Vec<_> = known.filter(|(uid, _)| there.contains(**uid)).collect();
            kept.extend(known.into_iter().map(|(uid, facts)| (*uid, facts.clone())));
            // Or it is not kept, and asked for once more: nothing else would ever say it again (F35).
            mirror.sync_again |= wanted && kept.len() < there.len() as usize;
            mirror.facts = wanted.then_some(kept);
        }
        mirror.uid_validity = Some(synced.uid_validity);
        if first_time {
            mirror.mod_seqs.forget();
            mirror.uids = there;
            mirror.version += 1;
            let chunks: Vec<u32> = mirror.uids.chunk_ids().collect();
            self.dirty_mirrors.entry(mailbox.clone()).or_default().extend(chunks);
            // A view told before, and no mirror of that time: nobody can tell what happened in between.
            for owner in self.owners() {
                self.break_truth(&owner, mailbox, "gap");
            }
            self.rejudge_all(mailbox);
            return true;
        }
        // Flags changed while nobody looked: by MODSEQ where there is one, else by comparison with what was kept.
        let highest = mirror.highest;
        let mut changed = Vec::new();
        by_uid.retain(|uid, facts| there.contains(*uid) && !mirror.is_overtaken(*uid, facts.mod_seq));
        for (uid, facts) in by_uid {
            let known = mirror.uids.contains(uid);
            let flagged = match (&had_facts, facts.mod_seq.0) {
                (_, n) if n > 0 => facts.mod_seq > highest,
                (Some(had), _) => had.get(&uid).is_none_or(|f| f.flags != facts.flags),
                (None, _) => false,
            };
            if !known || flagged {
                // Kept as it was until it is applied, or it would be taken for an echo of what is kept (F35).
                let before = had_facts.as_ref().and_then(|had| had.get(&uid)).filter(|_| known);
                if let (Some(kept), Some(before)) = (mirror.facts.as_mut(), before) {
                    kept.insert(uid, before.clone());
                }
                changed.push(facts);
            }
        }
        let bare: Vec<Uid> = there.difference(&mirror.uids).iter().collect();
        let undatable = had_facts.is_none() && synced.highest_mod_seq.0 == 0;
        let unseen = had_facts.is_none() && told_of_none && synced.highest_mod_seq > highest;
        if (undatable || unseen)
            && let Some(mirror) = self.mirrors.get_mut(mailbox)
        {
            mirror.mod_seqs.forget();
        }
        self.apply_gone(mailbox, &gone, None);
        self.apply_changed(mailbox, changed, None, ChangeKind::FlagChange);
        for uid in bare {
            self.apply_arrival(mailbox, uid, None, None);
        }
        if undatable {
            // Without mod-sequences and without what was kept nobody can tell whose flags changed (digest 4.2).
            for owner in self.owners() {
                self.break_truth(&owner, mailbox, "gap");
            }
        }
        self.rejudge_all(mailbox);
        true
    }

    /// The mailbox has another UIDVALIDITY: nothing known of it holds (RFC 3501 2.3.1.1, PI-010).
    pub(crate) fn mailbox_replaced(&mut self, mailbox: &MailboxName) {
        for owner in self.owners() {
            self.break_truth(&owner, mailbox, "uid_validity");
        }
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        let chunks: Vec<u32> = mirror.uids.chunk_ids().collect();
        let version = mirror.version + 1;
        // The count goes on upwards: what was told under the other UIDVALIDITY is below all that is told under this one.
        let mut mod_seqs = mirror.mod_seqs.clone();
        mod_seqs.forget();
        *mirror = crate::mirror::Mirror { version, ..crate::mirror::Mirror::new(mod_seqs) };
        self.dirty_mirrors.entry(mailbox.clone()).or_default().extend(chunks);
        for device in self.devices.values_mut() {
            device.verdicts.remove(mailbox);
        }
        for id in self.devices.keys().cloned().collect::<Vec<_>>() {
            self.ensure_verdicts(&id, mailbox);
        }
        self.notice_replaced(mailbox);
    }

    /// New messages, and new flags of known ones. `by`: the handset whose command caused it.
    pub(crate) fn apply_changed(
        &mut self,
        mailbox: &MailboxName,
        facts: Vec<MessageFacts>,
        by: Option<&Owner>,
        _kind: ChangeKind,
    ) {
        for facts in facts {
            let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
            if mirror.uids.contains(facts.uid) {
                let report =
                    FlagsReport { uid: facts.uid, flags: facts.flags.clone(), mod_seq: facts.mod_seq };
                let overtaken = mirror.is_overtaken(facts.uid, facts.mod_seq);
                if mirror.facts.is_some() && mirror.facts_of(facts.uid).is_none() && !overtaken {
                    mirror.keep(&facts);
                }
                self.apply_flags(mailbox, &report, by);
            } else {
                let uid = facts.uid;
                self.apply_arrival(mailbox, uid, Some(facts), by);
            }
        }
        self.ask_atoms(mailbox);
    }

    /// A message is there that was not known.
    fn apply_arrival(
        &mut self,
        mailbox: &MailboxName,
        uid: Uid,
        facts: Option<MessageFacts>,
        by: Option<&Owner>,
    ) {
        let now = self.now;
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        if mirror.uids.contains(uid) || !mirror.uids.insert(uid) {
            return;
        }
        mirror.version += 1;
        for atom in &mut mirror.atoms {
            atom.arrived(uid);
        }
        let before = mirror.mod_seqs.highest();
        mirror.mod_seqs.touch(uid);
        mirror.uid_next = mirror.uid_next.max(uid.get().saturating_add(1));
        let flags = facts.as_ref().map(|f| f.flags.clone()).unwrap_or_default();
        if let Some(facts) = &facts {
            mirror.keep(facts);
            mirror.applied(uid, facts.mod_seq);
        }
        self.dirty_mirrors.entry(mailbox.clone()).or_default().insert(UidSet::chunk_of(uid));
        for device in self.devices.values_mut() {
            if let Some(verdicts) = device.verdicts.get_mut(mailbox) {
                verdicts.await_more().queue.insert(uid, now);
            }
        }
        let change = whole_change(ChangeKind::Arrival);
        for owner in self.owners() {
            if matches!(owner, Owner::Regular(_)) {
                let event = Event { uid, flags: &flags, own: by == Some(&owner), before };
                self.log_event(&owner, mailbox, &event, change);
            }
        }
        self.moved.insert(mailbox.clone());
        if let Some(Owner::Device(id)) = by
            && let Some(verdicts) = self.devices.get_mut(id).and_then(|d| d.verdicts.get_mut(mailbox))
        {
            verdicts.await_more().own.insert(uid);
        }
        self.release_queue(mailbox);
    }

    /// Flags were reported; echoes of what is applied already are dropped (F35).
    pub(crate) fn apply_flags(&mut self, mailbox: &MailboxName, report: &FlagsReport, by: Option<&Owner>) {
        let today = self.today;
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        if !mirror.uids.contains(report.uid) || !mirror.is_news(report.uid, &report.flags, report.mod_seq) {
            return;
        }
        mirror.version += 1;
        let before_all = mirror.mod_seqs.highest();
        mirror.mod_seqs.touch(report.uid);
        self.dirty_mirrors.entry(mailbox.clone()).or_default();
        mirror.applied(report.uid, report.mod_seq);
        if let Some(facts) = mirror.facts.as_mut().and_then(|f| f.get_mut(&report.uid)) {
            facts.flags = report.flags.clone();
        }
        if mirror.echoes.len() > ECHOES_MAX {
            // A synchronisation raises what is applied as a whole, and the single reports are forgotten.
            self.sync(mailbox);
        }
        self.moved.insert(mailbox.clone());
        // Where the change takes the message out of one view the count rises once more, and another device must not be told that.
        let event = Event { uid: report.uid, flags: &report.flags, own: false, before: before_all };
        for owner in self.owners() {
            if matches!(owner, Owner::Regular(_)) {
                let change = whole_change(ChangeKind::FlagChange);
                let event = Event { own: by == Some(&owner), ..event };
                self.log_event(&owner, mailbox, &event, change);
            }
        }
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            let own = by == Some(&Owner::Device(id.clone()));
            let Some(mirror) = self.mirrors.get(mailbox) else { return };
            let Some(verdicts) = self.devices.get(&id).and_then(|d| d.verdicts.get(mailbox)) else {
                continue;
            };
            if verdicts.awaited().queue.contains_key(&report.uid) {
                continue;
            }
            let before = (verdicts.views(mirror, report.uid), verdicts.notifies(report.uid));
            // Where facts are not there yet the verdict stays what it was; the synchronisation under way judges anew.
            let after = verdicts.judge(mirror, report.uid, today).unwrap_or(before);
            let event = Event { own, ..event };
            self.change_verdict(&id, mailbox, &event, ChangeKind::FlagChange, before, after);
        }
    }

    /// Messages are gone.
    pub(crate) fn apply_gone(&mut self, mailbox: &MailboxName, uids: &UidRanges, by: Option<&Owner>) {
        let Some(mirror) = self.mirrors.get(mailbox) else { return };
        let gone: Vec<Uid> = mirror.uids.intersect_ranges(uids).iter().collect();
        for uid in gone {
            self.apply_one_gone(mailbox, uid, by);
        }
    }

    fn apply_one_gone(&mut self, mailbox: &MailboxName, uid: Uid, by: Option<&Owner>) {
        let none = Flags::default();
        let event = Event { uid, flags: &none, own: false, before: self.mod_seq_now(mailbox) };
        if let Some(mirror) = self.mirrors.get_mut(mailbox) {
            mirror.mod_seqs.left(uid);
        }
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            let Some(mirror) = self.mirrors.get(mailbox) else { return };
            let Some(verdicts) = self.devices.get(&id).and_then(|d| d.verdicts.get(mailbox)) else {
                continue;
            };
            let before = (verdicts.views(mirror, uid), verdicts.notifies(uid));
            let change = Change {
                kind: ChangeKind::Removal,
                view_before: before.0,
                view_after: false,
                notification_before: before.1,
                notification_after: false,
            };
            let owner = Owner::Device(id.clone());
            let own = by == Some(&owner);
            if let Some(v) = self.devices.get_mut(&id).and_then(|d| d.verdicts.get_mut(mailbox)) {
                v.forget(uid);
            }
            self.log_event(&owner, mailbox, &Event { own, ..event }, change);
        }
        for owner in self.owners() {
            if matches!(owner, Owner::Regular(_)) {
                let change = whole_change(ChangeKind::Removal);
                self.log_event(&owner, mailbox, &Event { own: by == Some(&owner), ..event }, change);
            }
        }
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        mirror.uids.remove(uid);
        mirror.version += 1;
        if mirror.syncing.is_some() {
            mirror.gone_since.insert(uid);
        }
        mirror.echoes.remove(&uid);
        for atom in &mut mirror.atoms {
            atom.forget(uid);
        }
        if let Some(facts) = &mut mirror.facts {
            facts.remove(&uid);
        }
        self.dirty_mirrors.entry(mailbox.clone()).or_default().insert(UidSet::chunk_of(uid));
        self.moved.insert(mailbox.clone());
        self.release_queue(mailbox);
    }
}

/// A change of a message that is in everything.
pub(crate) fn whole_change(kind: ChangeKind) -> Change {
    Change { kind, view_before: true, view_after: true, notification_before: true, notification_after: true }
}
