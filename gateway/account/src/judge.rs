//! Verdicts in motion: arrivals get theirs in UID order, filters that changed judge anew, and what a new verdict means for a
//! session is logged (design D2, F23, F24).

use crate::account::Account;
use crate::apply::whole_change;
use crate::connection::Owner;
use crate::deliver::Event;
use pimap_filters::{Change, ChangeKind};
use pimap_types::{DeviceId, Flags, MailboxName, Uid};
use pimap_view::UidSet;

impl Account {
    /// Gives arrivals their verdicts, in UID order for each device (F24).
    pub(crate) fn release_queue(&mut self, mailbox: &MailboxName) {
        let today = self.today;
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            loop {
                let Some(mirror) = self.mirrors.get(mailbox) else { return };
                let Some(verdicts) = self.devices.get(&id).and_then(|d| d.verdicts.get(mailbox)) else {
                    break;
                };
                if !verdicts.ready {
                    break;
                }
                let Some(uid) = verdicts.awaited().queue.keys().next().copied() else { break };
                let Some(after) = verdicts.judge(mirror, uid, today) else { break };
                let flags = self.flags_of(mailbox, uid);
                let Some(verdicts) = self.devices.get_mut(&id).and_then(|d| d.verdicts.get_mut(mailbox))
                else {
                    break;
                };
                let own = verdicts.is_judged(uid);
                let event = Event { uid, flags: &flags, own, before: self.mod_seq_now(mailbox) };
                self.change_verdict(&id, mailbox, &event, ChangeKind::Arrival, (false, false), after);
            }
        }
    }

    /// Atoms or facts came: devices whose verdicts waited for them judge, and late ones are corrected.
    pub(crate) fn judge_waiting(&mut self, mailbox: &MailboxName) {
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            let Some(verdicts) = self.devices.get(&id).and_then(|d| d.verdicts.get(mailbox)) else {
                continue;
            };
            if !verdicts.ready {
                self.rejudge(&id, mailbox);
            }
            self.correct_assumed(&id, mailbox);
        }
        self.release_queue(mailbox);
    }

    fn correct_assumed(&mut self, id: &DeviceId, mailbox: &MailboxName) {
        let today = self.today;
        let Some(mirror) = self.mirrors.get(mailbox) else { return };
        let Some(verdicts) = self.devices.get(id).and_then(|d| d.verdicts.get(mailbox)) else { return };
        let judged: Vec<(Uid, (bool, bool))> = verdicts
            .awaited()
            .assumed
            .iter()
            .filter_map(|uid| Some((uid, verdicts.judge(mirror, uid, today)?)))
            .collect();
        for (uid, after) in judged {
            if let Some(v) = self.devices.get_mut(id).and_then(|d| d.verdicts.get_mut(mailbox)) {
                v.is_corrected(uid);
            }
            self.rejudged(id, mailbox, uid, after);
        }
    }

    /// Judges every message anew, for every device.
    pub(crate) fn rejudge_all(&mut self, mailbox: &MailboxName) {
        for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
            if let Some(v) = self.devices.get_mut(&id).and_then(|d| d.verdicts.get_mut(mailbox)) {
                v.ready = false;
            }
        }
        self.ask_atoms(mailbox);
    }

    /// Judges every message of a mailbox anew for one device, as soon as all is known; what changes by it is told.
    pub(crate) fn rejudge(&mut self, id: &DeviceId, mailbox: &MailboxName) {
        self.ensure_verdicts(id, mailbox);
        let today = self.today;
        let Some(mirror) = self.mirrors.get(mailbox).filter(|m| m.uid_validity.is_some()) else { return };
        let Some(verdicts) = self.devices.get(id).and_then(|d| d.verdicts.get(mailbox)) else { return };
        let Some(fresh) = verdicts.judge_all(mirror, today) else { return };
        let live = fresh.live(mirror).into_owned();
        let before = verdicts.judged.then(|| verdicts.live(mirror).into_owned());
        let everything = fresh.view.filter.is_all();
        // What was judged by other filters before is forgotten by now: whoever counts this mailbox from afar is told anew.
        let moved = !verdicts.judged || live != *verdicts.live(mirror);
        let told = self.session(&Owner::Device(id.clone())).and_then(|s| s.told(mailbox));
        let told_live = told.filter(|told| !told.resync).map(|told| told.live());
        let notifies = |uid: Uid| fresh.notifies(uid);
        let (mut gone, mut arrived) = (Vec::new(), Vec::new());
        if let Some(told_live) = &told_live {
            gone.extend(told_live.difference(&live).iter());
            arrived.extend(live.difference(told_live).iter().map(|uid| (uid, notifies(uid))));
        }
        if let Some(device) = self.devices.get_mut(id) {
            device.verdicts.insert(mailbox.clone(), Box::new(fresh));
        }
        let owner = Owner::Device(id.clone());
        let mod_seq_before = self.mod_seq_now(mailbox);
        match told_live.or(before) {
            Some(before) => self.view_changed(mailbox, &before, &live),
            // All was in the view before, and what came since has counted as it came.
            None if everything => {}
            None => self.view_changed(mailbox, &UidSet::new(), &live),
        }
        for uid in gone {
            let change = Change { kind: ChangeKind::Removal, ..whole_change(ChangeKind::Ageing) };
            let change = Change { notification_before: false, ..change };
            let event = Event { uid, flags: &Flags::default(), own: false, before: mod_seq_before };
            self.log_event(&owner, mailbox, &event, change);
        }
        for (uid, notified) in arrived {
            let change = Change {
                kind: ChangeKind::Arrival,
                view_before: false,
                view_after: true,
                notification_before: false,
                notification_after: notified,
            };
            let flags = self.flags_of(mailbox, uid);
            let event = Event { uid, flags: &flags, own: false, before: mod_seq_before };
            self.log_event(&owner, mailbox, &event, change);
        }
        if moved {
            self.notice_view(id, mailbox);
        }
        self.moved.insert(mailbox.clone());
    }

    /// A message's verdicts are others than before though upstream changed nothing: time passed, or they came late.
    pub(crate) fn rejudged(&mut self, id: &DeviceId, mailbox: &MailboxName, uid: Uid, after: (bool, bool)) {
        let Some(mirror) = self.mirrors.get(mailbox) else { return };
        let Some(verdicts) = self.devices.get(id).and_then(|d| d.verdicts.get(mailbox)) else { return };
        let before = (verdicts.views(mirror, uid), verdicts.notifies(uid));
        let flags = self.flags_of(mailbox, uid);
        let event = Event { uid, flags: &flags, own: false, before: self.mod_seq_now(mailbox) };
        self.change_verdict(id, mailbox, &event, ChangeKind::Ageing, before, after);
    }

    /// An event that may have changed a message's verdicts: whether it is in a device's view, and whether it notifies.
    pub(crate) fn change_verdict(
        &mut self,
        id: &DeviceId,
        mailbox: &MailboxName,
        event: &Event<'_>,
        kind: ChangeKind,
        before: (bool, bool),
        after: (bool, bool),
    ) {
        let uid = event.uid;
        if let Some(v) = self.devices.get_mut(id).and_then(|d| d.verdicts.get_mut(mailbox)) {
            v.record(uid, after.0, after.1);
        }
        if before.0 != after.0 {
            self.view_changed_by(mailbox, uid, after.0);
        }
        let change = Change {
            kind,
            view_before: before.0,
            view_after: after.0,
            notification_before: before.1,
            notification_after: after.1,
        };
        self.log_event(&Owner::Device(id.clone()), mailbox, event, change);
    }
}
