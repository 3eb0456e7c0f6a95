//! Time, and what ends with it: expiry, ageing, late verdicts, connections that close, a store that fails.

use crate::account::Account;
use crate::connection::{Owner, Running};
use crate::contract::{Count, Output};
use crate::deliver::Event;
use crate::verdict::VERDICT_LATE_MS;
use pimap_filters::{Change, ChangeKind};
use pimap_types::rows::StoreFault;
use pimap_types::{ConnectionId, DeviceId, MailboxName, Response, Uid};

impl Account {
    pub(crate) fn tick(&mut self) {
        self.last_tick = self.now;
        self.open_deferred();
        self.expire_sessions();
        self.expire_logins();
        self.turn_out();
        self.wake_unproved();
        self.release_late_verdicts();
        self.ask_atoms_again();
        let today = self.now.date(self.options.zone_minutes);
        if today != self.today {
            self.today = today;
            self.age_views();
        }
        self.expire_mod_seqs();
        self.note_identities();
        self.drop_unneeded_mirrors();
        self.tick_mailbox_list();
        self.look_for_missing();
    }

    /// A session without connection ends after the retention (P-IMAP 3.4); preferences, filters and keys stay.
    fn expire_sessions(&mut self) {
        let (now, retention) = (self.now, self.options.retention_ms);
        let expired: Vec<DeviceId> = self
            .devices
            .iter()
            .filter(|(_, d)| d.session.is_some() && now.since_ms(d.last_seen) > retention)
            .map(|(id, _)| id.clone())
            .filter(|id| self.connections_of(&Owner::Device(id.clone())).is_empty())
            .collect();
        for id in expired {
            self.end_session(&id);
        }
    }

    /// Messages leave views as days pass: removals that are polled (DAYSBEFORETODAY, digest 5).
    fn age_views(&mut self) {
        let today = self.today;
        let uses_days = |v: &crate::verdict::Verdicts| v.filters().iter().any(|f| f.filter.uses_days());
        let aged: Vec<(DeviceId, MailboxName)> = self
            .devices
            .iter()
            .flat_map(|(id, d)| d.verdicts.iter().map(move |(m, v)| (id, m, v)))
            .filter(|(_, _, v)| v.ready && uses_days(v))
            .map(|(id, m, _)| (id.clone(), m.clone()))
            .collect();
        for (id, mailbox) in aged {
            let Some(mirror) = self.mirrors.get(&mailbox) else { continue };
            let Some(verdicts) = self.devices.get(&id).and_then(|d| d.verdicts.get(&mailbox)) else {
                continue;
            };
            let judged: Vec<(Uid, (bool, bool))> = mirror
                .uids
                .iter()
                .filter(|uid| !verdicts.awaited().queue.contains_key(uid))
                .filter_map(|uid| Some((uid, verdicts.judge(mirror, uid, today)?)))
                .collect();
            for (uid, after) in judged {
                self.rejudged(&id, &mailbox, uid, after);
            }
        }
    }

    /// Verdicts that upstream owes for too long: in view, polled; corrected when the verdict comes (F24).
    fn release_late_verdicts(&mut self) {
        let now = self.now;
        let mut late: Vec<(DeviceId, MailboxName, Uid)> = Vec::new();
        for (id, device) in &mut self.devices {
            for (mailbox, verdicts) in device.verdicts.iter_mut().filter(|(_, v)| v.ready) {
                while let Some(uid) = verdicts.take_late(|since| now.since_ms(since) >= VERDICT_LATE_MS) {
                    verdicts.await_more().assumed.insert(uid);
                    verdicts.record(uid, true, false);
                    late.push((id.clone(), mailbox.clone(), uid));
                }
            }
        }
        let change = Change {
            kind: ChangeKind::Arrival,
            view_before: false,
            view_after: true,
            notification_before: false,
            notification_after: false,
        };
        for (id, mailbox, uid) in late {
            // Commands wait for the queue to be empty.
            self.moved.insert(mailbox.clone());
            let verdicts = self.devices.get(&id).and_then(|d| d.verdicts.get(&mailbox));
            if verdicts.is_none_or(|v| v.view.filter.is_none()) {
                continue;
            }
            let flags = self.flags_of(&mailbox, uid);
            let before = self.mod_seq_now(&mailbox);
            self.view_changed_by(&mailbox, uid, true);
            let event = Event { uid, flags: &flags, own: false, before };
            self.log_event(&Owner::Device(id), &mailbox, &event, change);
        }
    }

    pub(crate) fn closed(&mut self, conn: ConnectionId, clean: bool) {
        self.cancel_reading(conn);
        self.cancel_announcing(conn);
        self.deferred.retain(|(_, open)| open.conn != conn);
        let now = self.now;
        let Some(c) = self.connections.get_mut(&conn) else { return };
        let (owner, was_finished, inband) = (c.owner.clone(), c.finished, c.inband_at.take().is_some());
        let is_stream = c.is_stream();
        c.finished = true;
        c.gone = true;
        c.idle = None;
        // A mutation under way finishes and is recorded (F14): the entry stays until then.
        let finishing = c.running.as_deref().is_some_and(Running::is_changing);
        if !finishing {
            self.connections.remove(&conn);
        }
        if let Owner::Device(id) = &owner {
            self.device_left(id, now, clean && !was_finished, is_stream, inband);
        }
        self.open_deferred();
    }

    /// One of a device's connections is gone.
    fn device_left(
        &mut self,
        id: &DeviceId,
        now: pimap_types::Timestamp,
        response_whole: bool,
        is_stream: bool,
        inband: bool,
    ) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.last_seen = now;
        self.dirty_devices.insert(id.clone());
        let Some(session) = device.session.as_mut() else { return };
        if response_whole {
            session.response_written();
        }
        // What was pushed into a connection that is gone, or is still untold, needs another way.
        let untold = session.mailboxes().any(|(_, told)| told.has_pushed());
        let unproved = inband && session.has_unacknowledged_push();
        if (untold && is_stream) || unproved {
            self.wake(id, now);
        }
    }

    /// LOGOUT, or expiry: the session and its log are deleted.
    pub(crate) fn end_session(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.get_mut(id) else { return };
        let Some(session) = device.session.take() else { return };
        device.waking = false;
        let cookies = std::mem::take(&mut device.cookies);
        self.dirty_devices.insert(id.clone());
        self.forget_session_rows(id, session, cookies);
        self.outbox.push(Output::Contact(id.clone()));
        self.count(Count::Sessions(-1));
    }

    pub(crate) fn drain(&mut self) {
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for conn in all {
            if self.connections.get(&conn).is_some_and(|c| !c.finished) {
                self.end_connection(conn, None, "the gateway is going down; the session is kept");
            }
        }
    }

    /// The store refused: what was held must not be shown, and memory is ahead of the disk. Connections end with BYE (an
    /// internal failure that stops processing, PI-117); the driver drops this value and loads the account anew, which is
    /// what a crash does and is proved like one.
    pub(crate) fn commit_failed(&mut self, fault: &StoreFault) {
        let text = match fault {
            StoreFault::Full => "the gateway's store is full; try again later",
            StoreFault::Failed(_) => "the gateway's store failed; try again later",
        };
        self.outbox.give_up();
        let all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for conn in all {
            self.outbox.push(Output::Write(conn, Response::Bye { code: None, text: text.into() }));
            self.outbox.push(Output::Finish(conn));
        }
        self.connections.clear();
        self.questions.clear();
        self.failed = true;
    }
}
