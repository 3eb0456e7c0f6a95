//! The owner itself: see [`Account`].

use crate::announce::Done;
use crate::connection::{Connection, Owner, Running};
use crate::contract::{Carry, Count, Input, Open, Options, Output};
use crate::device::Device;
use crate::entropy::Entropy;
use crate::filter::NamedFilter;
use crate::mirror::Mirror;
use crate::notify::mailbox_list::{Looking, MailboxList, Part};
use crate::outbox::Outbox;
use crate::renamed::Suspect;
use crate::utf8;
use pimap_session::SessionLog;
use pimap_types::upstream::{Announced, UpstreamFault, UpstreamReply, UpstreamRequest, WatchList};
use pimap_types::{
    AccountKey, ConnectionId, Date, DeviceId, MailboxName, Response, Secret, Ticket, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One mail account: the single owner of its mirrors, devices, sessions and logs (design D1).
///
/// ```text
///   Input ─► step ─┬─ connection: open, command, done, closed      (open.rs, command.rs)
///                  ├─ upstream: events, replies                    (sync.rs, apply.rs, judge.rs, folders.rs)
///                  └─ time                                         (tick.rs)
///              then: deliver what may be told (deliver.rs), write rows (rows.rs), release outputs (outbox.rs)
/// ```
///
/// Commands wait in two ways only: for the answer to a question (a ticket), or parked on a mailbox that is being
/// synchronised; a parked command is begun again when the mailbox has moved. The downside: what a command did before it
/// was parked must be harmless to do again, so nothing is written before everything is known.
///
/// Invariants, checked after every step by [`Account::check_invariants`] in tests and simulation: each told view with its
/// marks is the live view of its device; session logs keep their own laws; no ticket is lost.
pub struct Account {
    pub(crate) key: AccountKey,
    pub(crate) options: Arc<Options>,
    pub(crate) entropy: Entropy,
    pub(crate) now: Timestamp,
    pub(crate) outbox: Outbox,
    // Boxed, here and within: a node of a map has room for eleven, and an idle connection runs nothing (D16).
    pub(crate) connections: BTreeMap<ConnectionId, Box<Connection>>,
    /// Requests that wait to learn what became of the earlier response.
    pub(crate) deferred: Vec<(Timestamp, Open)>,
    pub(crate) devices: BTreeMap<DeviceId, Box<Device>>,
    pub(crate) filters: BTreeMap<Arc<str>, NamedFilter>,
    pub(crate) mirrors: BTreeMap<MailboxName, Mirror>,
    pub(crate) questions: BTreeMap<Ticket, Question>,
    /// Questions asked so far; also the tickets.
    pub(crate) asked: u64,
    pub(crate) upstream: Upstream,
    pub(crate) watching: Option<WatchList>,
    /// Mailboxes in which something moved during this step: commands parked on them are begun again.
    pub(crate) moved: BTreeSet<MailboxName>,
    /// Mailboxes that may be another one under a new name, and the question after which that is found out (F19).
    pub(crate) suspects: BTreeMap<MailboxName, Suspect>,
    /// Synchronisations that failed, by the question's number.
    pub(crate) sync_faults: BTreeMap<MailboxName, (u64, UpstreamFault)>,
    /// Devices whose row changed.
    pub(crate) dirty_devices: BTreeSet<DeviceId>,
    /// Mirrors whose rows changed: head, and chunks.
    pub(crate) dirty_mirrors: BTreeMap<MailboxName, BTreeSet<u32>>,
    /// No mod-sequence told of a mailbox whose counter was dropped is above this: counters never go back (F39).
    pub(crate) mod_seq_mark: u64,
    /// The day of the last evaluation of DAYSBEFORETODAY.
    pub(crate) today: Date,
    /// Mailboxes that the account's own handsets created, renamed or deleted: their echo is no event.
    pub(crate) own_folders: BTreeSet<MailboxName>,
    /// All mailboxes, while a connection is notified of them.
    pub(crate) mailbox_list: Option<MailboxList>,
    pub(crate) looking: Looking,
    /// The first step after loading has not run.
    pub(crate) just_loaded: bool,
    pub(crate) last_tick: Timestamp,
    /// A batch could not be stored: this value does nothing any more.
    pub(crate) failed: bool,
}

/// What is known of upstream.
#[derive(Clone, Default)]
pub(crate) struct Upstream {
    pub(crate) up: bool,
    pub(crate) notify: bool,
    pub(crate) mod_seqs: bool,
    pub(crate) refused: bool,
    pub(crate) announced: Announced,
    /// The hierarchy delimiter, as last told.
    pub(crate) delimiter: Option<char>,
}

/// What a question was asked for.
#[derive(Clone)]
pub(crate) enum Question {
    Sync(MailboxName),
    Atom(MailboxName),
    Command(ConnectionId),
    /// Items of arrivals, streamed to the connection unasked.
    Announce(ConnectionId),
    /// A part of the list of mailboxes.
    MailboxList(Part),
}

/// The stored rows cannot be understood: the account starts anew, its sessions are gone (which is true, if sad).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damaged(pub String);

impl Account {
    /// An account that nothing is known of. `seed` is 32 fresh random octets; session ids, cookies and keys come of it.
    pub fn new(key: AccountKey, options: Arc<Options>, seed: [u8; 32]) -> Self {
        Self {
            key,
            options,
            entropy: Entropy::new(seed),
            now: Timestamp(0),
            outbox: Outbox::default(),
            connections: BTreeMap::new(),
            deferred: Vec::new(),
            devices: BTreeMap::new(),
            filters: BTreeMap::new(),
            mirrors: BTreeMap::new(),
            questions: BTreeMap::new(),
            asked: 0,
            // Taken for a good server until the watcher says otherwise: the first synchronisation then asks for little.
            upstream: Upstream { mod_seqs: true, ..Upstream::default() },
            watching: None,
            moved: BTreeSet::new(),
            suspects: BTreeMap::new(),
            sync_faults: BTreeMap::new(),
            dirty_devices: BTreeSet::new(),
            dirty_mirrors: BTreeMap::new(),
            mod_seq_mark: 0,
            today: Date(0),
            own_folders: BTreeSet::new(),
            mailbox_list: None,
            looking: Looking::default(),
            just_loaded: false,
            last_tick: Timestamp(0),
            failed: false,
        }
    }

    /// Takes one input in, pushes what is to be done.
    pub fn step(&mut self, now: Timestamp, input: Input, out: &mut Vec<Output>) {
        if self.failed {
            return;
        }
        self.now = now;
        if self.today == Date(0) {
            self.today = now.date(self.options.zone_minutes);
        }
        if std::mem::take(&mut self.just_loaded) {
            self.restart_mod_seqs();
            self.wake_after_restart();
        }
        match input {
            Input::Open(open) => self.open(open),
            Input::Command(command) => self.command(command),
            Input::Done { conn, pending, pipelined, misspoken } => {
                self.done(conn, Done { pending, pipelined, misspoken });
            }
            Input::MoreInput(conn) => self.more_input(conn),
            Input::Drained(conn) => self.drained(conn),
            Input::Closed { conn, clean } => self.closed(conn, clean),
            Input::Upstream(event) => self.upstream_event(event),
            Input::Revoked => self.revoked(),
            Input::Reply(ticket, reply) => self.reply(ticket, reply),
            Input::Committed(number) => self.outbox.committed(number),
            Input::CommitFailed(_, fault) => self.commit_failed(&fault),
            Input::Registered { device, registration } => self.registered(&device, registration),
            Input::Tick => self.tick(),
            Input::Drain => self.drain(),
        }
        if !self.failed {
            self.resume_parked();
            self.push_inband();
            self.update_watch();
            self.write_rows();
        }
        self.outbox.end_step(out);
    }

    /// Whether nothing of the account needs memory: no connection, no session to watch for, nothing outstanding.
    pub fn is_dormant(&self) -> bool {
        self.connections.is_empty()
            && self.questions.is_empty()
            && !self.outbox.is_waiting()
            && self.devices.values().all(|device| device.session.is_none() && !device.notifies())
    }

    /// A device's key for HELLO and notices (P-IMAP 5.1.6), if XPROVISION has made one.
    pub fn device_key(&self, device: &DeviceId) -> Option<Secret> {
        self.devices.get(device)?.key.clone()
    }

    /// UDP registrations kept with the devices, as [`Input::Registered`] brought them.
    pub fn registrations(&self) -> Vec<(DeviceId, Vec<u8>)> {
        let kept = self.devices.iter();
        kept.filter_map(|(id, device)| Some((id.clone(), device.registration.clone()?.into_vec()))).collect()
    }

    /// The account's key.
    pub fn key(&self) -> &AccountKey {
        &self.key
    }

    // === access ===

    /// The session of an owner.
    pub(crate) fn session(&self, owner: &Owner) -> Option<&SessionLog> {
        match owner {
            Owner::Device(id) => self.devices.get(id)?.session.as_deref(),
            Owner::Regular(conn) => self.connections.get(conn)?.regular.as_deref(),
        }
    }

    /// The session of an owner, to be changed.
    pub(crate) fn session_mut(&mut self, owner: &Owner) -> Option<&mut SessionLog> {
        match owner {
            Owner::Device(id) => self.devices.get_mut(id)?.session.as_deref_mut(),
            Owner::Regular(conn) => self.connections.get_mut(conn)?.regular.as_deref_mut(),
        }
    }

    /// The connections of an owner that are not finished.
    pub(crate) fn connections_of(&self, owner: &Owner) -> Vec<ConnectionId> {
        let live = |c: &Connection| c.owner == *owner && !c.finished;
        self.connections.iter().filter(|(_, c)| live(c)).map(|(id, _)| *id).collect()
    }

    /// All owners of sessions.
    pub(crate) fn owners(&self) -> Vec<Owner> {
        let devices = self.devices.iter().filter(|(_, device)| device.session.is_some());
        let regular = self.connections.iter().filter(|(_, c)| c.regular.is_some());
        devices
            .map(|(id, _)| Owner::Device(id.clone()))
            .chain(regular.map(|(id, _)| Owner::Regular(*id)))
            .collect()
    }

    /// A mail address, shared with a device that has it: most accounts have one.
    pub(crate) fn shared_address(&self, address: &str) -> Arc<str> {
        let known = self.devices.values().find(|device| *device.mail_address == *address);
        known.map_or_else(|| Arc::from(address), |device| device.mail_address.clone())
    }

    pub(crate) fn write(&mut self, conn: ConnectionId, response: Response) {
        if let Some(c) = self.connections.get(&conn).filter(|c| !c.finished) {
            let response = if c.utf8 { utf8::told(response) } else { response };
            self.outbox.push(Output::Write(conn, response));
        }
    }

    pub(crate) fn count(&mut self, count: Count) {
        self.outbox.push(Output::Count(count));
    }

    /// Asks upstream.
    pub(crate) fn ask(&mut self, request: UpstreamRequest, carry: Carry, question: Question) -> Ticket {
        self.asked += 1;
        let ticket = Ticket(self.asked);
        self.questions.insert(ticket, question);
        self.outbox.push(Output::Ask(ticket, request, carry));
        ticket
    }

    fn reply(&mut self, ticket: Ticket, reply: UpstreamReply) {
        match self.questions.remove(&ticket) {
            Some(Question::Sync(mailbox)) => self.synced(&mailbox, ticket, reply),
            Some(Question::Atom(mailbox)) => self.atom_answered(&mailbox, ticket, reply),
            Some(Question::Command(conn)) => self.command_answered(conn, ticket, reply),
            Some(Question::Announce(conn)) => self.announced(conn, ticket, reply),
            Some(Question::MailboxList(part)) => self.mailbox_list_answered(part, reply),
            None => {}
        }
    }

    /// Begins again what was parked on a mailbox that moved.
    fn resume_parked(&mut self) {
        while let Some(mailbox) = self.moved.pop_first() {
            let parked = |running: &Running| running.parked.as_ref() == Some(&mailbox);
            let waiting: Vec<ConnectionId> = self
                .connections
                .iter()
                .filter(|(_, c)| c.running.as_deref().is_some_and(parked))
                .map(|(id, _)| *id)
                .collect();
            for conn in waiting {
                self.begin(conn);
            }
        }
    }

    /// The laws named above, for tests and simulation.
    pub fn check_invariants(&self) -> Result<(), String> {
        for owner in self.owners() {
            let Some(session) = self.session(&owner) else { continue };
            session.check_invariants().map_err(|e| format!("{owner:?}: {e}"))?;
            for (mailbox, told) in session.mailboxes().filter(|(_, told)| !told.resync) {
                let Some(live) = self.live_if_ready(&owner, mailbox) else { continue };
                if told.live() != *live {
                    let (marked, live) = (told.live().to_ranges(), live.to_ranges());
                    return Err(format!(
                        "{owner:?} {mailbox}: marks lead to {marked:?}, the live view is {live:?}"
                    ));
                }
            }
        }
        for (ticket, question) in &self.questions {
            if let Question::Command(conn) = question {
                let running = self.connections.get(conn).and_then(|c| c.running.as_ref());
                if running.is_some_and(|running| running.ticket.is_none()) {
                    return Err(format!("{ticket:?} is asked for {conn:?}, which waits for nothing"));
                }
            }
        }
        Ok(())
    }
}
