//! Telling: with responses, inband, or by a wake-up outband (P-IMAP 3.2, design D10).

use crate::account::Account;
use crate::announce::{Afterwards, Telling};
use crate::connection::{Owner, Running, Task};
use crate::contract::{Count, Output, TransportKind, Wake};
use pimap_filters::{Change, Decision, What, decide};
use pimap_session::{Class, Departures, Flush, SessionLog, Wanted};
use pimap_types::preference::{ChannelKind, EventFilter};
use pimap_types::{
    Code, Command, ConnectionId, DeviceId, Flags, MailboxName, ModSeq, Response, Timestamp, Uid,
};

/// An inband push that is not acknowledged within this time is told outband too (D5, F14), ms.
const INBAND_UNPROVED_MS: i64 = 10_000;

/// What happened to one message, the same for whomever it concerns.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) uid: Uid,
    pub(crate) flags: &'a Flags,
    /// A command of the very owner caused it.
    pub(crate) own: bool,
    /// The mod-sequence before it, and before all that it meant for the view of any device: whoever is not told of it must not be
    /// told a higher one (F38).
    pub(crate) before: ModSeq,
}

/// Why a connection ends whose mailbox can no longer be told as events.
pub(crate) const RESYNC_NEEDED: &str = "the mailbox must be synchronised again";

impl Account {
    /// Writes what is untold and may be told, as events of the selected mailbox.
    pub(crate) fn tell(&mut self, conn: ConnectionId, flush: Flush) {
        self.tell_wanted(conn, flush, Wanted::ALL, false);
    }

    /// The same of the kinds of event that are wanted; `uncounted`: without the EXISTS of what came, for which a FETCH is to
    /// stand. Whether anything was written.
    pub(crate) fn tell_wanted(
        &mut self,
        conn: ConnectionId,
        flush: Flush,
        wanted: Wanted,
        uncounted: bool,
    ) -> bool {
        // What is told on a connection that was taken over would be told to nobody.
        let live = self.connections.get(&conn).filter(|c| !c.finished);
        let Some(c) = live else { return false };
        let (owner, named) = (c.owner.clone(), c.by_uid || c.notify.is_some());
        let Some(session) = self.session_mut(&owner) else { return false };
        let counted = session.condstore;
        let waits = |session: &SessionLog| session.selected_told().is_some_and(|(_, told)| told.resync);
        let waited = waits(session);
        let told_max = |session: &SessionLog| session.selected_told().map_or(0, |(_, told)| told.told_max);
        let before = told_max(session);
        let mut lines = session.flush_wanted(flush, wanted);
        let given_up = !waited && waits(session);
        if uncounted && told_max(session) > before {
            lines.pop();
        }
        let wrote = !lines.is_empty() || given_up;
        let lines = match (counted, named) {
            (true, _) => self.with_mod_seqs(conn, lines),
            (false, true) => lines,
            (false, false) => lines.into_iter().map(by_number).collect(),
        };
        for line in lines {
            self.write(conn, line);
        }
        if given_up {
            self.give_up(conn);
        }
        wrote
    }

    /// Too much was offered and never acknowledged: the mailbox went to RESYNC while it was being told (D5, law 5).
    fn give_up(&mut self, conn: ConnectionId) {
        self.count(Count::Resync("unacknowledged"));
        if self.connections.get(&conn).is_some_and(|c| c.is_stream()) {
            self.end_connection(conn, None, "the mailbox must be synchronised again");
        } else {
            self.write(conn, Response::Resync);
        }
    }

    /// The cursor of what was written, as its last untagged line (D5, F1); nothing when the handset has it already.
    pub(crate) fn tell_cursor(&mut self, conn: ConnectionId) {
        let Some(c) = self.connections.get(&conn).filter(|c| c.cursors && !c.finished) else { return };
        let (owner, told) = (c.owner.clone(), c.cursor_told);
        if matches!(owner, Owner::Regular(_)) {
            return;
        }
        let Some(session) = self.session_mut(&owner) else { return };
        let cursor = session.cursor();
        if told == Some(cursor.position) {
            return;
        }
        session.use_cursors();
        if let Some(c) = self.connections.get_mut(&conn) {
            c.cursor_told = Some(cursor.position);
        }
        self.write(conn, Response::ok_code(Code::Cursor(cursor), "acknowledge"));
    }

    /// How far removals may be told, given what is pending on the connection (F5).
    pub(crate) fn permitted(&self, conn: ConnectionId, wanted: Departures) -> Departures {
        match self.connections.get(&conn) {
            Some(c) if c.awaits_more() => Departures::Held,
            Some(_) => wanted,
            None => Departures::Held,
        }
    }

    /// An event for one device or regular session: a mark in its log, and the question whom to wake.
    pub(crate) fn log_event(
        &mut self,
        owner: &Owner,
        mailbox: &MailboxName,
        event: &Event<'_>,
        change: Change,
    ) {
        let Event { uid, flags, own, before } = *event;
        let event_filter = match owner {
            Owner::Device(id) => {
                self.devices.get(id).map_or(EventFilter::None, |d| d.preferences.event_filter)
            }
            // A regular session is told everything at once, as RFC 2177 has it (F30).
            Owner::Regular(_) => EventFilter::All,
        };
        let Decision { what, class } = decide(change, event_filter);
        // Own changes are polled for the device that made them, never outband (F35).
        let class = match class {
            pimap_filters::Class::Pushed if !own => Class::Pushed,
            _ => Class::Polled,
        };
        if what == What::Nothing {
            return;
        }
        let log_events_max = self.options.log_events_max;
        let mut overflow = false;
        let wanted = self.connections_of(owner).first().map_or(Wanted::ALL, |conn| self.wanted(*conn, None));
        if let Some(session) = self.session_mut(owner) {
            match what {
                What::Arrived => session.arrived(mailbox, uid, flags, class),
                What::Gone => session.gone(mailbox, uid, class, own),
                What::Flags => session.flags_changed(mailbox, uid, flags, class),
                What::Nothing => {}
            }
            session.withhold(mailbox, uid, before, wanted);
            overflow = session.told(mailbox).is_some_and(|told| told.marks.len() > log_events_max);
        }
        if overflow {
            self.break_truth(owner, mailbox, "log_overflow");
        }
        self.notice(owner, mailbox, what, uid, own);
        self.count(Count::Event(if class == Class::Pushed { "pushed" } else { "polled" }));
        if class == Class::Pushed
            && let Owner::Device(id) = owner
        {
            self.pushed(id, mailbox);
        }
    }

    /// A pushed event: inband if the device has a live stream on that mailbox, else its channel (design D10).
    fn pushed(&mut self, id: &DeviceId, mailbox: &MailboxName) {
        if !self.has_live_stream(id, mailbox) {
            self.wake(id, self.now);
        }
    }

    fn has_live_stream(&self, id: &DeviceId, mailbox: &MailboxName) -> bool {
        let owner = Owner::Device(id.clone());
        let selected = self.session(&owner).and_then(|s| s.selected.as_ref());
        selected.is_some_and(|s| s.mailbox == *mailbox)
            && self
                .connections_of(&owner)
                .iter()
                .any(|conn| self.streams(*conn) && self.wanted(*conn, None) != Wanted::NONE)
    }

    /// Whether events may be written to the connection unasked.
    fn streams(&self, conn: ConnectionId) -> bool {
        let Some(c) = self.connections.get(&conn).filter(|c| !c.finished && c.is_stream()) else {
            return false;
        };
        let push = match &c.owner {
            Owner::Device(id) => self.devices.get(id).is_some_and(|d| d.preferences.inband_push),
            Owner::Regular(_) => false,
        };
        // NOTIFY is asked for where lines are read at any time (RFC 5465 3.1).
        c.idle.is_some()
            || (c.running.is_none() && (c.notify.is_some() || (push && self.is_settled_stream(conn))))
    }

    /// INBAND_PUSH: as if IDLE ran whenever a mailbox is selected, on connections that are open in both directions.
    fn is_settled_stream(&self, conn: ConnectionId) -> bool {
        self.connections.get(&conn).is_some_and(|c| match c.transport.kind {
            TransportKind::Tcp => true,
            TransportKind::HttpStream => c.interactive || c.selected_here,
            TransportKind::HttpBatch => false,
        })
    }

    /// Asks for a wake-up, if the device wants one.
    pub(crate) fn wake(&mut self, id: &DeviceId, at: Timestamp) {
        let Some(device) = self.devices.get_mut(id) else { return };
        if device.preferences.channel == ChannelKind::None {
            return;
        }
        device.waking = true;
        device.event_time = device.event_time.max(at);
        let wake = Wake {
            device: id.clone(),
            channel: device.preferences.channel,
            format: device.preferences.format,
            address: device.preferences.address.as_deref().map(str::to_owned),
            mail_address: device.mail_address.as_ref().to_owned(),
            event_time: device.event_time,
        };
        self.outbox.push(Output::Wake(wake));
    }

    /// Writes events to the connections that stream, as far as they have taken what was written before.
    pub(crate) fn push_inband(&mut self) {
        let ready: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, c)| !c.writing && !c.finished && (c.idle.is_some() || c.running.is_none()))
            // Whatever is announced comes whole and first; so does what it holds up.
            .filter(|(_, c)| c.announcing.is_none())
            .map(|(id, _)| *id)
            .collect();
        for conn in ready {
            if self.streams(conn) {
                self.push_to(conn);
            }
        }
    }

    fn push_to(&mut self, conn: ConnectionId) {
        let Some(c) = self.connections.get(&conn) else { return };
        let (owner, idling) = (c.owner.clone(), c.idle.is_some());
        let immediate = c.notify.as_ref().is_some_and(|notify| !notify.selected.delayed);
        // An explicit NOTIFY counts more than what the device has set for all its connections (digest 21).
        let whole = idling && !self.is_push_only(&owner) || c.notify.is_some();
        let flush = Flush {
            // Whoever is told mod-sequences is told everything, or a smaller one would be missed for ever (F38).
            pushed_only: !whole && !self.is_counting(&owner),
            // Between commands a removal waits for one (RFC 3501 7.4.1, PI-047), unless the handset has said that it speaks in
            // UIDs only (RFC 5465 5.3); in IDLE nothing else can be under way.
            departures: if idling || immediate { Departures::All } else { Departures::Held },
        };
        let wanted = self.wanted(conn, None);
        let elsewhere = self.tell_elsewhere(conn);
        let untold = self.session(&owner).is_some_and(|s| s.has_untold_of(flush, wanted));
        if !untold && !elsewhere {
            return;
        }
        let telling = if untold { self.tell_news(conn, flush, wanted) } else { Telling::default() };
        let now = self.now;
        if let Some(c) = self.connections.get_mut(&conn) {
            c.writing = telling.wrote || elsewhere;
            if untold {
                c.inband_at.get_or_insert(now);
            }
        }
        self.announce(conn, telling, Afterwards::Pushed);
    }

    /// IDLE of a device that set a preference or filter tells pushed events only (D15, F30).
    fn is_push_only(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Device(id) => self.devices.get(id).is_some_and(|d| d.touched),
            Owner::Regular(_) => false,
        }
    }

    pub(crate) fn drained(&mut self, conn: ConnectionId) {
        if let Some(c) = self.connections.get_mut(&conn) {
            c.writing = false;
        }
    }

    /// Pushes that were written inband and proved by nothing are told outband too (F14).
    pub(crate) fn wake_unproved(&mut self) {
        let now = self.now;
        let mut unproved = Vec::new();
        for (conn, c) in &self.connections {
            let (Owner::Device(id), Some(at)) = (&c.owner, c.inband_at) else { continue };
            let session = self.devices.get(id).and_then(|d| d.session.as_ref());
            let acknowledged = session.is_none_or(|s| !s.has_unacknowledged_push());
            // A handset with cursors acknowledges; of another one only the socket can tell, which dies when its peer does
            // not take the octets.
            let doubtful = c.writing || session.is_some_and(|s| s.cursors);
            if acknowledged {
                unproved.push((*conn, None));
            } else if doubtful && now.since_ms(at) >= INBAND_UNPROVED_MS {
                unproved.push((*conn, Some(id.clone())));
            }
        }
        for (conn, id) in unproved {
            if let Some(c) = self.connections.get_mut(&conn) {
                c.inband_at = None;
            }
            if let Some(id) = id {
                self.wake(&id, now);
            }
        }
    }

    /// The truth of a mailbox can no longer be told to this session as events: `* BYE` on a live connection, RESYNC at the
    /// next resume (F8). A regular session just ends. What a connection waits for that may be done already is answered before.
    pub(crate) fn break_truth(&mut self, owner: &Owner, mailbox: &MailboxName, reason: &'static str) {
        let Some(session) = self.session_mut(owner) else { return };
        if session.told(mailbox).is_none_or(|told| told.resync) {
            return;
        }
        let selected = session.selected.as_ref().is_some_and(|s| s.mailbox == *mailbox);
        session.declare_resync(mailbox);
        self.count(Count::Resync(reason));
        if !selected {
            return;
        }
        for conn in self.connections_of(owner) {
            let batch = self.connections.get(&conn).is_some_and(|c| !c.is_stream());
            if batch || self.is_entering(conn) {
                // The SELECT of a regular login says all there is, and one that fails closes the mailbox.
                let answered = !batch && matches!(owner, Owner::Regular(_));
                if let Some(c) = self.connections.get_mut(&conn).filter(|_| !answered) {
                    c.say_resync = true;
                }
            } else if let Some(c) = self.connections.get_mut(&conn)
                && !c.finished
                && c.running.as_deref().is_some_and(Running::is_owed)
            {
                c.bye_next = true;
            } else {
                self.end_connection(conn, None, RESYNC_NEEDED);
            }
        }
    }

    /// Whether the connection waits for the answer to a LOGIN or SELECT: that will say how things are.
    fn is_entering(&self, conn: ConnectionId) -> bool {
        let task = self.connections.get(&conn).and_then(|c| c.running.as_ref()).map(|running| &running.task);
        matches!(task, Some(Task::Login { .. } | Task::Command(Command::Select { .. })))
    }

    /// After a restart: devices with pushed events that nobody acknowledged are woken.
    pub(crate) fn wake_after_restart(&mut self) {
        let waiting: Vec<DeviceId> = self
            .devices
            .iter()
            .filter(|(_, d)| {
                let session = d.session.as_ref();
                session.is_some_and(|s| {
                    s.has_unacknowledged_push() || s.mailboxes().any(|(_, t)| t.has_pushed())
                })
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            self.wake(&id, self.now);
        }
    }
}

/// An event as RFC 3501 7.4.2 has it. The number names the message; the UID, which a resume would pay for on the air with each
/// event, is for those who asked for it: by a `UID` form (RFC 3501 6.4.8), CONDSTORE (RFC 7162 3.2.4) or NOTIFY (RFC 5465 5.1).
fn by_number(line: Response) -> Response {
    match line {
        Response::FetchFlags { seq, flags, recent, mod_seq, .. } => {
            Response::FetchFlags { seq, uid: None, flags, recent, mod_seq }
        }
        other => other,
    }
}
