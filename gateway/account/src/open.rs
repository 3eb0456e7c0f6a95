//! A connection joins: LOGIN and cookies, new and resumed sessions, takeover (P-IMAP 5.1.4; F3, F9–F16).

use crate::account::Account;
use crate::announce::{Afterwards, Telling};
use crate::connection::{Conditional, Connection, Ending, Owner, Running, Stage, Task};
use crate::contract::{Count, Open, OpenBy, Output, Pending, TransportKind};
use crate::device::Device;
use crate::entropy::sha256;
use pimap_session::{Departures, Flush, SessionLog, Wanted};
use pimap_types::rows::{IndexChange, IndexKey};
use pimap_types::{Code, ConnectionId, DeviceId, Response, Status, Tag, Timestamp, limits};

/// How long a request waits to learn whether the earlier response was written whole, ms.
const DEFER_MS: i64 = 1_000;
/// When a device was last seen is stored at least this often while it is, ms.
const SEEN_STORED_MS: i64 = 60_000;
/// And this often within the time that sessions are kept, where that is short.
const SEEN_PER_RETENTION: i64 = 16;

impl Account {
    pub(crate) fn open(&mut self, open: Open) {
        if !open.announced.is_empty() {
            self.upstream.announced = open.announced.clone();
        }
        if let OpenBy::Login { credential_epoch, .. } = &open.by {
            self.kill_cookies(Some(*credential_epoch));
            // It was let in just now, with what is used from now on.
            self.upstream.refused = false;
        }
        match open.by.clone() {
            OpenBy::Login { tag, device: Some(id), mail_address, credential_epoch, .. } => {
                self.open_device(&open, tag, id, mail_address, credential_epoch);
            }
            OpenBy::Login { tag, device: None, .. } => self.open_regular(&open, tag),
            OpenBy::Cookie(_) | OpenBy::SessionId(_) => self.open_again(&open),
        }
    }

    /// A regular IMAP session: no SESSIONID, no filters, nothing kept (PI-001).
    fn open_regular(&mut self, open: &Open, tag: Tag) {
        if self.is_crowded(open.conn, &tag) {
            return;
        }
        let log = SessionLog::new(self.entropy.session_id(), self.entropy.incarnation());
        let owner = Owner::Regular(open.conn);
        self.connections.insert(
            open.conn,
            Box::new(Connection { regular: Some(Box::new(log)), ..connection(open, owner, self) }),
        );
        self.write_logged_in(open.conn, &tag, false);
        self.complete(open.conn, false);
    }

    fn open_device(&mut self, open: &Open, tag: Tag, id: DeviceId, mail_address: String, epoch: u64) {
        if self.is_crowded(open.conn, &tag) {
            return;
        }
        if self.is_reused(&id, open) {
            return self.outbox.push(Output::Reused(open.conn));
        }
        let full = self.devices.len() >= limits::DEVICES_PER_ACCOUNT_MAX;
        if full && !self.devices.contains_key(&id) {
            return self.refuse(open.conn, &tag, Code::word("LIMIT"), "too many devices");
        }
        let now = self.now;
        let mail_address = self.shared_address(&mail_address);
        if !self.devices.contains_key(&id) {
            self.devices.insert(id.clone(), Box::new(Device::new(mail_address.clone(), now)));
            self.outbox.index(IndexChange { key: IndexKey::Device(id.clone()), present: true });
        }
        if !self.take_over(&id, open.conn) {
            return self.refuse(open.conn, &tag, Code::word("INUSE"), "the session is in use by another");
        }
        let new = self.ensure_session(&id);
        let mut informed = false;
        let owner = Owner::Device(id.clone());
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.mail_address = mail_address;
        device.credential_epoch = epoch;
        device.logged_in_at = now;
        self.connections.insert(open.conn, Box::new(connection(open, owner.clone(), self)));
        self.heard_of(&id);
        if !new {
            // A new connection has enabled nothing (RFC 5161 3.1).
            if let Some(session) = self.session_mut(&owner) {
                session.enable(false, false);
            }
            // A request with LOGIN proves nothing of what came before it; a cursor proves exactly (F3, F10).
            let lost = self.resume_position(open, &owner, false);
            informed = open.presented.is_some() && !lost;
        }
        self.remember_request(open, &owner);
        self.set_cookie(open, &id);
        let running = Running {
            tag: Some(tag),
            task: Task::Login { new, informed },
            stage: Stage::Start,
            since: self.asked,
            ticket: None,
            parked: None,
            index: 0,
            aimed: None,
            intended: false,
            cancelled: false,
            conditional: Conditional::default(),
            behind: self.mutation_under_way(&owner, open.conn),
        };
        let waits = running.behind.is_some();
        if let Some(c) = self.connections.get_mut(&open.conn) {
            c.running = Some(Box::new(running));
        }
        if !waits {
            self.set_out(open.conn);
        }
    }

    /// A session is taken up by its cookie, or by its name before a tag.
    fn open_again(&mut self, open: &Open) {
        let Some(id) = self.device_named(&open.by) else {
            self.outbox.push(Output::Finish(open.conn));
            return;
        };
        if self.is_reused(&id, open) {
            return self.outbox.push(Output::Reused(open.conn));
        }
        if self.must_defer(&id) && self.deferred.len() < limits::CONNECTIONS_PER_ACCOUNT_MAX {
            // The earlier response was answered whole and is just being written: whether it was is about to be known, and
            // deciding before would cost a handset that did nothing wrong a RESYNC (F3).
            let now = self.now;
            self.deferred.push((now, open.clone()));
            return;
        }
        if !self.take_over(&id, open.conn) {
            self.outbox.push(Output::Finish(open.conn));
            return;
        }
        let newest = self.use_cookie(&id, &open.by);
        let owner = Owner::Device(id.clone());
        self.connections.insert(open.conn, Box::new(connection(open, owner.clone(), self)));
        self.heard_of(&id);
        // On TCP nothing is known of how an earlier connection ended.
        if !newest && let Some(session) = self.session_mut(&owner).filter(|_| open.presented.is_none()) {
            session.return_to_last();
        }
        let lost = self.resume_position(open, &owner, newest && open.transport.kind != TransportKind::Tcp);
        self.remember_request(open, &owner);
        let stale = self
            .session(&owner)
            .is_some_and(|s| s.selected.as_ref().is_some_and(|x| s.needs_resync(&x.mailbox)));
        if let Some(c) = self.connections.get_mut(&open.conn) {
            c.say_resync = lost || stale;
        }
        if stale {
            self.declare_selected_resync(&owner, "stale");
        }
        // Nothing was answered on this connection yet: its first command proves nothing of what came before it (F3), as it
        // would if the log's position were noted as handed over.
        self.outbox.push(Output::Complete { conn: open.conn, idling: false });
    }

    /// The cookie before the newest lives until that is used (F16), and the newest dies when the one before it is used: then the
    /// answer that set it never arrived, or another phone has it (F15). Whether it is the newest that is used.
    fn use_cookie(&mut self, id: &DeviceId, by: &OpenBy) -> bool {
        let (Some(device), OpenBy::Cookie(used)) = (self.devices.get_mut(id), by) else { return true };
        let [current, before] = device.cookies;
        let newest = current == Some(*used);
        let retired = if newest { before } else { current };
        device.cookies = [Some(*used), None];
        if let Some(old) = retired {
            self.outbox.index(IndexChange { key: IndexKey::Cookie(old), present: false });
            self.dirty_devices.insert(id.clone());
        }
        newest
    }

    /// Whether the device's session knows the request's name as that of another request.
    fn is_reused(&self, id: &DeviceId, open: &Open) -> bool {
        let session = self.session(&Owner::Device(id.clone()));
        open.request.is_some_and(|key| session.is_some_and(|session| session.requests.is_reused(key)))
    }

    /// Whether the session of a connection bears that name, by its SHA-256.
    pub(crate) fn bears_name(&self, owner: &Owner, named: [u8; 32]) -> bool {
        self.session(owner).is_some_and(|session| sha256(session.id.0.as_bytes()) == named)
    }

    /// Whose session that is. Both are looked up by SHA-256, so that how long a comparison takes tells nothing of a secret.
    fn device_named(&self, by: &OpenBy) -> Option<DeviceId> {
        let holds = |device: &Device| match (by, &device.session) {
            (OpenBy::Cookie(hash), Some(_)) => device.cookies.contains(&Some(*hash)),
            // A session whose password was changed since is taken up by LOGIN only (F50).
            (OpenBy::SessionId(hash), Some(session)) => {
                device.credential_epoch != 0 && sha256(session.id.0.as_bytes()) == *hash
            }
            _ => false,
        };
        let holds = |device: &Device| holds(device) && !self.is_login_old(device);
        self.devices.iter().find(|(_, device)| holds(device)).map(|(id, _)| id.clone())
    }

    fn must_defer(&self, id: &DeviceId) -> bool {
        let owner = Owner::Device(id.clone());
        self.connections_of(&owner).iter().any(|old| {
            self.connections
                .get(old)
                .filter(|c| !c.is_stream() && c.running.is_none() && c.announcing.is_none())
                .is_some_and(|c| c.pending == Pending::Nothing)
        })
    }

    /// Requests that waited for the earlier response's fate go on; after a second whatever it is.
    pub(crate) fn open_deferred(&mut self) {
        let now = self.now;
        for (since, open) in std::mem::take(&mut self.deferred) {
            let id = self.device_named(&open.by);
            let waits = id.as_ref().is_some_and(|id| self.must_defer(id));
            if waits && (0..DEFER_MS).contains(&now.since_ms(since)) {
                self.deferred.push((since, open));
            } else {
                if let (true, Some(id)) = (waits, id) {
                    self.end_lingering(id);
                }
                self.open_again(&open);
            }
        }
    }

    /// The earlier response takes too long to be written: its output ends here.
    fn end_lingering(&mut self, id: DeviceId) {
        for old in self.connections_of(&Owner::Device(id)) {
            self.end_connection(old, Some(Code::word("PIMAPTAKEOVER")), "the session was taken over");
        }
    }

    /// What a new request says about what was offered before. Returns whether a mailbox went to RESYNC.
    fn resume_position(&mut self, open: &Open, owner: &Owner, by_cookie: bool) -> bool {
        let incarnation = self.entropy.incarnation();
        let body = open.request.map(|key| key.hash);
        let Some(session) = self.session_mut(owner) else { return false };
        if open.presented.is_none() {
            session.return_to_repeat(body);
        }
        if !by_cookie && open.transport.kind != TransportKind::Tcp && !open.cursors {
            session.leave_cursors(incarnation);
        }
        let lost = match open.presented {
            Some(cursor) if session.resume_at(cursor).is_ok() => false,
            Some(_) => {
                // A cursor of another life of the log (F11): nothing is known of what the handset holds.
                session.declare_resync_everywhere(incarnation);
                true
            }
            None if by_cookie => session.request_begins(body),
            None => session.settle(),
        };
        if lost {
            let reason = if open.presented.is_some() { "foreign_cursor" } else { "unacknowledged" };
            self.count(Count::Resync(reason));
        }
        lost
    }

    fn remember_request(&mut self, open: &Open, owner: &Owner) {
        if open.transport.kind == TransportKind::Tcp {
            return;
        }
        let body = open.request.map(|key| key.hash);
        if let Some(session) = self.session_mut(owner) {
            session.remember_request(body);
        }
    }

    fn ensure_session(&mut self, id: &DeviceId) -> bool {
        if self.devices.get(id).is_none_or(|device| device.session.is_some()) {
            return false;
        }
        let log = SessionLog::new(self.entropy.session_id(), self.entropy.incarnation());
        if let Some(device) = self.devices.get_mut(id) {
            device.session = Some(Box::new(log));
        }
        self.count(Count::Sessions(1));
        true
    }

    /// The device was heard of: outstanding wake-ups are settled.
    pub(crate) fn heard_of(&mut self, id: &DeviceId) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(id) else { return };
        device.last_seen = now;
        self.dirty_devices.insert(id.clone());
        if std::mem::take(&mut device.waking) {
            self.outbox.push(Output::Contact(id.clone()));
        }
    }

    /// A command came on a connection of the device. When it was seen goes to the store seldom, or every NOOP would cost a
    /// commit; a crash makes the device look a little longer gone, a small part of what sessions are kept for.
    pub(crate) fn heard_again(&mut self, id: &DeviceId) {
        let now = self.now;
        let seldom = (self.options.retention_ms / SEEN_PER_RETENTION).clamp(1, SEEN_STORED_MS);
        let period = |at: Timestamp| at.0.div_euclid(seldom);
        match self.devices.get_mut(id) {
            Some(device) if !device.waking && period(device.last_seen) == period(now) => {
                device.last_seen = now
            }
            _ => self.heard_of(id),
        }
    }

    /// Every LOGIN over HTTP gives a new cookie; the one before lives until the new one is used (F16).
    fn set_cookie(&mut self, open: &Open, id: &DeviceId) {
        let name = self.devices.get(id).and_then(|device| device.session.as_ref());
        if let Some(name) = name.filter(|_| self.options.sid_tags.are_on(open.transport.kind)) {
            let key = IndexKey::Session(sha256(name.id.0.as_bytes()));
            self.outbox.index(IndexChange { key, present: true });
        }
        if open.transport.kind == TransportKind::Tcp {
            // The session goes on elsewhere than where the cookies' holder believes, who may be another phone (F15).
            let cookies = self.devices.get_mut(id).map(|device| std::mem::take(&mut device.cookies));
            for cookie in cookies.into_iter().flatten().flatten() {
                self.outbox.index(IndexChange { key: IndexKey::Cookie(cookie), present: false });
            }
            return;
        }
        let cookie = self.entropy.cookie();
        let hash = sha256(cookie.expose());
        let Some(device) = self.devices.get_mut(id) else { return };
        let [current, before] = device.cookies;
        device.cookies = [Some(hash), current];
        self.outbox.index(IndexChange { key: IndexKey::Cookie(hash), present: true });
        if let Some(before) = before {
            self.outbox.index(IndexChange { key: IndexKey::Cookie(before), present: false });
        }
        self.outbox.push(Output::SetCookie(open.conn, cookie));
    }

    /// The newest connection of a device wins; the older one's output ends here and counts as offered (F14, F15). False: it
    /// flaps, and the newcomer is turned away.
    fn take_over(&mut self, id: &DeviceId, by: ConnectionId) -> bool {
        let owner = Owner::Device(id.clone());
        let now = self.now;
        for old in self.connections_of(&owner) {
            if old == by {
                continue;
            }
            let Some((heard, stream)) = self.connections.get(&old).map(|c| (c.last_heard, c.is_stream()))
            else {
                continue;
            };
            // A request that merely has not finished being written is no rival.
            let rival = stream;
            let allowed = !rival || self.devices.get_mut(id).is_some_and(|d| d.takeovers.allow(heard, now));
            if !allowed {
                return false;
            }
            self.end_connection(old, Some(Code::word("PIMAPTAKEOVER")), "the session was taken over");
        }
        true
    }

    /// Ends a connection's output: what it was reading is cancelled; a mutation under way finishes and is recorded.
    pub(crate) fn end_connection(&mut self, conn: ConnectionId, code: Option<Code>, text: &'static str) {
        self.write(conn, Response::Bye { code, text: text.into() });
        self.cancel_reading(conn);
        self.cancel_announcing(conn);
        if let Some(c) = self.connections.get_mut(&conn) {
            c.finished = true;
            c.idle = None;
            // Anything else would still move the session, and nobody would be told: a SELECT above all.
            c.running.take_if(|running| !running.is_changing());
        }
        self.outbox.push(Output::Finish(conn));
    }

    fn is_crowded(&mut self, conn: ConnectionId, tag: &Tag) -> bool {
        let crowded = self.connections.len() >= limits::CONNECTIONS_PER_ACCOUNT_MAX;
        if crowded {
            self.refuse(conn, tag, Code::word("LIMIT"), "too many connections of this account");
        }
        crowded
    }

    /// LOGIN is refused for a connection that the account does not take.
    fn refuse(&mut self, conn: ConnectionId, tag: &Tag, code: Code, text: &'static str) {
        self.outbox.push(Output::Write(conn, Response::coded(tag, Status::No, code, text)));
        self.outbox.push(Output::Write(conn, BYE_REFUSED));
        self.count(Count::Command("LOGIN", "no"));
        self.outbox.push(Output::Finish(conn));
    }

    /// Who is `informed` was told the capabilities by an earlier answer that it has read: they would be the larger part of a resume
    /// without news, and RFC 3501 6.2.3 only permits them here.
    fn write_logged_in(&mut self, conn: ConnectionId, tag: &Tag, informed: bool) {
        let entered = self.connections.get(&conn).map_or("LOGIN", |c| c.entered);
        let code = (!informed).then(|| Code::Capability(self.capability(conn)));
        self.count(Count::Command(entered, "ok"));
        let (tag, text) = (tag.clone(), format!("{entered} completed").into());
        self.write(conn, Response::Tagged { tag, status: Status::Ok, code, text });
    }

    /// LOGIN of a device, once its mailbox is up to date: SESSION, FOLDER, events or RESYNC, SESSIONID, OK (P-IMAP 5.1.4).
    pub(crate) fn begin_login(&mut self, conn: ConnectionId, mut running: Running) {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return };
        let Task::Login { new, informed } = running.task else { return };
        let selected = self.session(&owner).and_then(|s| s.selected.clone());
        if let Some(selected) = &selected {
            match self.readiness(&owner, &selected.mailbox, running.since) {
                crate::sync::Readiness::Ready => {}
                crate::sync::Readiness::Waiting => {
                    running.parked = Some(selected.mailbox.clone());
                    return self.put_back(conn, running);
                }
                crate::sync::Readiness::Failed(fault) if crate::sync::is_gone(&fault) => {
                    // The mailbox was deleted meanwhile: the session is in no mailbox (digest 4.2).
                    if let Some(session) = self.session_mut(&owner) {
                        session.forget_mailbox(&selected.mailbox);
                    }
                }
                crate::sync::Readiness::Failed(fault) => {
                    let Ending { code, text, .. } = crate::sync::ending_of(&fault);
                    let tag = running.tag.clone().unwrap_or_else(|| Tag::new("*"));
                    self.count(Count::Command("LOGIN", "no"));
                    self.write(conn, Response::Tagged { tag, status: Status::No, code, text });
                    self.write(conn, BYE_REFUSED);
                    self.outbox.push(Output::Finish(conn));
                    if let Some(c) = self.connections.get_mut(&conn) {
                        c.finished = true;
                    }
                    return;
                }
            }
        }
        let selected = self.session(&owner).and_then(|s| s.selected.clone());
        if let Some(c) = self.connections.get_mut(&conn) {
            // Whatever broke while it waited, this answer says how things are.
            c.say_resync = false;
        }
        if !new {
            self.write(conn, Response::Session { selected: selected.is_some() });
        }
        let mut telling = Telling::default();
        if let Some(selected) = selected {
            self.write(conn, Response::Folder(selected.mailbox.clone()));
            if self.session(&owner).is_some_and(|s| s.needs_resync(&selected.mailbox)) {
                self.declare_selected_resync(&owner, "resume");
                self.write(conn, Response::Resync);
            } else {
                let departures = self.permitted(conn, Departures::NotOwn);
                telling = self.tell_news(conn, Flush { pushed_only: false, departures }, Wanted::ALL);
            }
        }
        self.announce(conn, telling, Afterwards::Login { tag: running.tag, informed });
    }

    /// The events that LOGIN tells are told.
    pub(crate) fn login_told(&mut self, conn: ConnectionId, tag: Option<&Tag>, informed: bool) {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else { return };
        if let Some(id) = self.session(&owner).map(|s| s.id.clone()) {
            self.write(conn, Response::SessionId(id));
        }
        self.tell_cursor(conn);
        if let Some(tag) = tag {
            self.write_logged_in(conn, tag, informed);
        }
        self.complete(conn, false);
    }

    /// A stale view cannot be told as events: it becomes RESYNC, durably.
    pub(crate) fn declare_selected_resync(&mut self, owner: &Owner, reason: &'static str) {
        let Some(session) = self.session_mut(owner) else { return };
        let Some(mailbox) = session.selected.as_ref().map(|s| s.mailbox.clone()) else { return };
        if session.told(&mailbox).is_some_and(|told| !told.resync) {
            session.declare_resync(&mailbox);
            self.count(Count::Resync(reason));
        }
    }
}

/// What follows a LOGIN refused, since the rest of a batch is not answered.
const BYE_REFUSED: Response =
    Response::Bye { code: None, text: std::borrow::Cow::Borrowed("log in again later") };

fn connection(open: &Open, owner: Owner, account: &Account) -> Connection {
    Connection {
        owner,
        transport: open.transport,
        entered: match open.by {
            OpenBy::Login { command, .. } => command,
            OpenBy::Cookie(_) | OpenBy::SessionId(_) => "LOGIN",
        },
        cursors: open.cursors || open.presented.is_some(),
        request: open.request.map(Box::new),
        commands: 0,
        by_uid: false,
        pipelined: false,
        interactive: false,
        reads: false,
        pending: if matches!(open.by, OpenBy::Login { .. }) { open.pending } else { Pending::More },
        handed: 0,
        cursor_told: None,
        running: None,
        idle: None,
        writing: false,
        selected_here: false,
        enabled: false,
        utf8: false,
        last_heard: account.now,
        inband_at: None,
        finished: false,
        gone: false,
        regular: None,
        silent: false,
        counted: false,
        say_resync: false,
        bye_next: false,
        notify: None,
        notify_next: None,
        announcing: None,
        waiting: None,
    }
}
