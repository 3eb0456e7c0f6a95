//! The gateway around one real account: its store with batches that become durable later, its connections, its crashes.
//!
//! Carries out the owner's outputs in their order, as the server's driver does. What the owner shows before it is durable
//! is found by crashing: only rows that were committed are there afterwards.

use super::World;
use super::conversation::{Conversation, Manner, Phase};
use super::upstream::Stage;
use pimap_account::contract::{Carry, TransportKind};
use pimap_account::{Account, Input, Output};
use pimap_session::SessionLog;
use pimap_types::rows::{Batch, StoreFault};
use pimap_types::upstream::{UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_types::{AccountKey, ConnectionId, DeviceId, Ticket, UidRanges};
use pimap_wire::encode::{fetch_head, fetch_tail};
use std::collections::{BTreeMap, VecDeque};

/// Rows of one session, keys without its prefix.
type SessionRows<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The disk and what is on its way to it.
#[derive(Default)]
pub struct Disk {
    /// Durable rows.
    pub rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Batches that are not durable yet, oldest first.
    pub waiting: VecDeque<(u64, Batch)>,
}

impl Disk {
    fn apply(&mut self, batch: Batch) {
        for (key, value) in batch.rows {
            match value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

impl World {
    // === connections ===

    /// A TCP connection.
    pub fn dial(&mut self) -> ConnectionId {
        self.connect(TransportKind::Tcp, Manner::default(), b"")
    }

    /// A POST whose body is there whole.
    pub fn post(&mut self, manner: Manner, body: &[u8]) -> ConnectionId {
        self.connect(TransportKind::HttpBatch, manner, body)
    }

    /// A POST whose body stays open.
    pub fn open_stream(&mut self, manner: Manner) -> ConnectionId {
        self.connect(TransportKind::HttpStream, manner, b"")
    }

    fn connect(&mut self, kind: TransportKind, manner: Manner, body: &[u8]) -> ConnectionId {
        self.connected += 1;
        let id = ConnectionId(self.connected);
        let mut conversation = Conversation::new(id, kind, manner, body);
        conversation.blind = self.weakness == Some(super::Weakness::IgnoresWhatFollows);
        if self.weakness == Some(super::Weakness::ForgetsRequests) {
            conversation.forget_name();
        }
        self.conversations.insert(id, conversation);
        self.converse(id, Conversation::begin);
        id
    }

    /// Octets of the handset.
    pub fn feed(&mut self, id: ConnectionId, octets: &[u8]) {
        self.converse(id, |conversation, inputs| conversation.feed(octets, inputs));
    }

    /// The handset ends its stream.
    pub fn end_input(&mut self, id: ConnectionId) {
        self.converse(id, |conversation, inputs| conversation.end_input(inputs));
    }

    /// What is written goes to the socket.
    pub fn hand_over(&mut self, id: ConnectionId) {
        self.converse(id, |conversation, inputs| conversation.hand_over(inputs));
    }

    fn converse(&mut self, id: ConnectionId, act: impl FnOnce(&mut Conversation, &mut Vec<Input>)) {
        let mut inputs = Vec::new();
        if let Some(conversation) = self.conversations.get_mut(&id) {
            act(conversation, &mut inputs);
        }
        for input in inputs {
            self.step(input);
        }
    }

    /// The connection is gone. `clean`: an HTTP response was written whole and without error.
    pub fn close(&mut self, id: ConnectionId, clean: bool) {
        let Some(conversation) = self.conversations.remove(&id) else { return };
        self.regular_lingers |= conversation.regular && conversation.phase == Phase::Running;
        let clean = clean && conversation.kind != TransportKind::Tcp && conversation.is_written();
        // Whatever of a message did not come will not come.
        if let Some(at) = self.append_of(id) {
            self.upstream.questions[at].stage =
                Stage::Done(UpstreamReply::Failed(UpstreamFault::Cancelled), Vec::new());
        }
        if conversation.member {
            self.step(Input::Closed { conn: id, clean });
        }
    }

    fn append_of(&self, id: ConnectionId) -> Option<usize> {
        let of = |q: &super::upstream::Question| {
            matches!(&q.carry, Carry::AppendFrom(from, _) if *from == id) && q.stage == Stage::Asked
        };
        self.upstream.questions.iter().position(of)
    }

    // === the account ===

    /// One input, and all that comes of it at once.
    pub fn step(&mut self, input: Input) {
        let Some(mut account) = self.account.take() else { return };
        let mut outputs = Vec::new();
        let trace = std::env::var_os("SIM_TRACE").is_some();
        if trace {
            eprintln!("  > {input:?}");
        }
        account.step(self.now, input, &mut outputs);
        if trace {
            outputs.iter().for_each(|output| eprintln!("  < {}", brief(output)));
        }
        self.account = Some(account);
        for output in outputs {
            self.carry_out(output);
        }
        if let Some(Err(broken)) = self.account.as_ref().map(Account::check_invariants) {
            self.broken.push(format!("an invariant of the account: {broken}"));
        }
    }

    fn carry_out(&mut self, output: Output) {
        let Some(output) = self.weakened(output) else { return };
        let mut with = |id: ConnectionId, act: &mut dyn FnMut(&mut Conversation)| {
            if let Some(conversation) = self.conversations.get_mut(&id).filter(|c| c.phase != Phase::Over) {
                act(conversation);
            }
        };
        match output {
            Output::Write(id, response) => with(id, &mut |c| c.write(&response)),
            Output::SetCookie(id, cookie) => with(id, &mut |c| c.set_cookie(&cookie)),
            Output::Complete { conn, idling } => with(conn, &mut |c| c.complete(idling)),
            Output::Finish(id) => with(id, &mut Conversation::finish),
            Output::Reused(id) => with(id, &mut Conversation::refuse_reused),
            Output::Ask(ticket, request, carry) => self.ask(ticket, request, carry),
            Output::Cancel(ticket) => self.upstream.cancel(ticket),
            Output::Commit(number, batch) => self.disk.waiting.push_back((number, batch)),
            Output::Watch(list) => self.upstream.watch(list),
            Output::Wake(wake) => {
                self.woken.insert(wake.device);
            }
            Output::Contact(device) => {
                self.woken.remove(&device);
            }
            Output::Count(_) => {}
        }
    }

    fn ask(&mut self, ticket: Ticket, request: UpstreamRequest, carry: Carry) {
        self.check_touched(&request);
        if let Carry::AppendFrom(id, rules) = &carry
            && let Some(conversation) = self.conversations.get_mut(id)
        {
            conversation.want_append(rules);
        }
        let seated = match &carry {
            Carry::Nothing => true,
            Carry::FetchTo(id, ..) | Carry::AppendFrom(id, _) => self.conversations.contains_key(id),
        };
        self.upstream.ask(ticket, request, carry);
        if !seated && let Some(question) = self.upstream.questions.last_mut() {
            question.stage = Stage::Done(UpstreamReply::Failed(UpstreamFault::Cancelled), Vec::new());
        }
    }

    /// Law 2: what is changed is in the client view of some session, as it is durable at this moment.
    fn check_touched(&mut self, request: &UpstreamRequest) {
        let (at, uids) = match request {
            UpstreamRequest::Store(at, uids, ..)
            | UpstreamRequest::Copy(at, uids, _)
            | UpstreamRequest::Move(at, uids, _)
            | UpstreamRequest::Fetch(at, uids, _)
            | UpstreamRequest::Expunge { at, uids, .. } => (at, uids),
            _ => return,
        };
        // EXPUNGE takes whatever is deleted and visible by then; all others name their messages.
        let named = request.is_mutation() && !matches!(request, UpstreamRequest::Expunge { .. });
        self.touched.push((at.mailbox.clone(), uids.clone(), named));
        let seen = self.sessions().into_values().any(|session| match session.told(&at.mailbox) {
            // While a mailbox waits for RESYNC there is no client view; UID commands act on the live one.
            Some(told) => told.resync || told.view.intersect_ranges(uids) == *uids,
            None => false,
        });
        // A regular client sees everything that there is; which of it the command names its own side knows. New messages are
        // read for it unasked where it wants their items (NOTIFY).
        let reads = !request.is_mutation();
        let runs = |c: &Conversation| c.regular && (c.phase == Phase::Running || reads && c.member);
        let regular = self.regular_lingers || self.conversations.values().any(runs);
        if !seen && !regular {
            self.broken.push(format!("law 2: {uids:?} of {} are in no client view: {request:?}", at.mailbox));
        }
    }

    /// Carries the question out. An APPEND waits for its message.
    pub fn execute(&mut self, at: usize) -> bool {
        let Some(question) = self.upstream.questions.get(at).filter(|q| q.stage == Stage::Asked) else {
            return false;
        };
        let message = match question.carry {
            Carry::AppendFrom(id, _) => {
                match self.conversations.get_mut(&id).and_then(Conversation::take_message) {
                    Some(message) => Some(message),
                    None => return false,
                }
            }
            _ => None,
        };
        self.upstream.execute(at, message);
        true
    }

    /// Gives the account the answer to a question that was carried out.
    pub fn answer(&mut self, at: usize) -> bool {
        let Some(answered) = self.upstream.answer(at) else { return false };
        if let Carry::FetchTo(id, numbers, mod_seqs) = &answered.carry
            && let Some(conversation) = self.conversations.get_mut(id)
        {
            for (uid, items) in &answered.pieces {
                if let Some(position) = numbers.rank(*uid) {
                    let mod_seq = mod_seqs.as_ref().map(|mod_seqs| mod_seqs.of(*uid));
                    conversation.write_fetch(&fetch_head(position), items, &fetch_tail(mod_seq));
                }
            }
        }
        self.step(Input::Reply(answered.ticket, answered.reply));
        true
    }

    /// The next event of the watching connection reaches the account; where it has none, that of the connections to spare.
    pub fn deliver_event(&mut self) -> bool {
        let Some(event) = self.upstream.events.pop_front() else { return self.deliver_spare_event() };
        self.step(Input::Upstream(event));
        true
    }

    /// The next event of the connections to spare reaches the account.
    pub fn deliver_spare_event(&mut self) -> bool {
        let Some(event) = self.upstream.next_spare_event() else { return false };
        self.step(Input::Upstream(event));
        true
    }

    // === the store ===

    /// The oldest batch becomes durable, and the account learns of it.
    pub fn commit(&mut self) -> bool {
        let Some((number, batch)) = self.disk.waiting.pop_front() else { return false };
        if self.weakness == Some(super::Weakness::LosesBatches) && number.is_multiple_of(7) {
            // Said to be durable, and is not.
        } else {
            self.disk.apply(batch);
        }
        self.step(Input::Committed(number));
        true
    }

    /// The oldest batch is refused: the account is dropped, and loaded anew from what is durable.
    pub fn fail_commit(&mut self) -> bool {
        let Some((number, _)) = self.disk.waiting.pop_front() else { return false };
        self.step(Input::CommitFailed(number, StoreFault::Full));
        let all: Vec<ConnectionId> = self.conversations.keys().copied().collect();
        for id in all {
            self.converse(id, |conversation, inputs| conversation.hand_over(inputs));
        }
        self.reload();
        true
    }

    /// The process dies and begins anew. So many of the batches under way were durable before it knew.
    pub fn crash(&mut self, durable: usize) {
        for _ in 0..durable.min(self.disk.waiting.len()) {
            if let Some((_, batch)) = self.disk.waiting.pop_front() {
                self.disk.apply(batch);
            }
        }
        self.reload();
    }

    /// The process dies with all that was stored.
    pub fn lose_store(&mut self) {
        self.disk.rows.clear();
        self.reload();
    }

    fn reload(&mut self) {
        self.disk.waiting.clear();
        for conversation in self.conversations.values_mut() {
            conversation.die();
        }
        self.woken.clear();
        self.regular_lingers = false;
        let mut chance = self.chance.clone();
        self.upstream.abandon(|| chance.chance(50));
        self.chance.next();
        self.loads += 1;
        let rows = self.disk.rows.iter().map(|(key, row)| (key.clone(), row.clone())).collect();
        let (key, options) = (AccountKey::new("joe"), self.options.clone());
        match Account::load(key, options, [self.loads; 32], &rows, false) {
            Ok(account) => self.account = Some(account),
            Err(damaged) => self.broken.push(format!("what was stored cannot be loaded: {damaged:?}")),
        }
        self.step(Input::Tick);
    }

    /// The sessions as they are durable.
    pub fn sessions(&self) -> BTreeMap<DeviceId, SessionLog> {
        let mut rows: BTreeMap<DeviceId, SessionRows<'_>> = BTreeMap::new();
        for (key, row) in &self.disk.rows {
            let Some(rest) = key.strip_prefix(b"s/") else { continue };
            let Some(end) = rest.iter().position(|octet| *octet == 0) else { continue };
            let Some(device) = DeviceId::new(&String::from_utf8_lossy(&rest[..end])) else { continue };
            rows.entry(device).or_default().push((&rest[end + 1..], row));
        }
        let load =
            |(device, rows): (DeviceId, SessionRows<'_>)| Some((device, SessionLog::load(rows.into_iter())?));
        rows.into_iter().filter_map(load).collect()
    }

    /// What was changed or read since the last look: mailbox, UIDs, and whether it is a change that names its messages.
    pub fn take_touched(&mut self) -> Vec<(pimap_types::MailboxName, UidRanges, bool)> {
        std::mem::take(&mut self.touched)
    }

    /// Says goodbye to all connections, as a process that drains does.
    pub fn drain(&mut self) {
        self.step(Input::Drain);
    }
}

fn brief(output: &Output) -> String {
    match output {
        Output::Commit(number, batch) => {
            let keys = batch.rows.iter().map(|(key, row)| {
                format!("{}{}", crate::transcript::show(key), if row.is_some() { "" } else { " -" })
            });
            format!("Commit {number}: {}", keys.collect::<Vec<_>>().join(", "))
        }
        output => format!("{output:?}"),
    }
}
