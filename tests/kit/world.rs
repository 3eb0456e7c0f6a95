//! The world in one process: a modelled upstream, the real account, connections whose octets can be cut anywhere, a store whose
//! batches become durable when the world says so, and a clock.
//!
//! Pure and deterministic: no thread, no socket, no clock of the machine. Whoever drives a world chooses what happens
//! next; nothing happens by itself. Two drive it: the golden transcripts ([`stage`]) let everything happen in good
//! order, the simulation lets a seed choose.

pub mod conversation;
pub mod gateway;
pub mod mail;
pub mod rng;
mod sort;
pub mod stage;
pub mod upstream;
mod weak;

use conversation::Conversation;
use gateway::Disk;
use mail::Mailbox;
use pimap_account::contract::{Options, SidTags};
use pimap_account::{Account, Input};
use pimap_types::preference::ChannelKind;
use pimap_types::{AccountKey, ConnectionId, DeviceId, Flags, MailboxName, Timestamp, UidRanges};
use rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use upstream::{Traits, Upstream};

/// Ten in the morning of 22 November 2025, UTC.
pub const MORNING: Timestamp = Timestamp(1_763_805_600_000);

/// Ways to do wrong, to prove that it is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weakness {
    /// The store says that a batch is durable which is not.
    LosesBatches,
    /// An event of the watching connection is lost now and then, and nobody looks afterwards.
    DropsEvents,
    /// Pipelining and what follows a command are not noticed.
    IgnoresWhatFollows,
    /// Repeated requests are not recognised.
    ForgetsRequests,
    /// STATUS lines that nobody asked for are lost now and then.
    DropsStatus,
    /// Removals are told whenever they happen, to those who asked for them with a command only.
    DropsRemovals,
    /// Handsets are told to know more than they were told (F38).
    CountsAhead,
    /// What is told to one regular client is told to another one.
    MixesClients,
}

/// See the module.
pub struct World {
    /// The time of day.
    pub now: Timestamp,
    /// Upstream.
    pub upstream: Upstream,
    /// Connections by name.
    pub conversations: BTreeMap<ConnectionId, Conversation>,
    /// The store.
    pub disk: Disk,
    /// Devices that were woken and not heard of since.
    pub woken: BTreeSet<DeviceId>,
    /// Laws that were broken, as far as the world itself can see.
    pub broken: Vec<String>,
    /// Upstream takes its time: questions are carried out and answered one by one, when the world says so.
    pub hold_answers: bool,
    /// Something to do wrong.
    pub weakness: Option<Weakness>,
    account: Option<Account>,
    options: Arc<Options>,
    chance: Rng,
    touched: Vec<(MailboxName, UidRanges, bool)>,
    connected: u64,
    loads: u8,
    /// A regular client went away while a command of its own ran, which may go on.
    regular_lingers: bool,
}

impl World {
    /// A world in the morning, with an upstream that has an empty INBOX and a gateway that was never used.
    pub fn new(traits: Traits) -> World {
        let options = Arc::new(Options {
            retention_ms: 24 * 3_600_000,
            login_valid_ms: None,
            log_events_max: 10_000,
            udp: Some(("push.example.org".to_owned(), 5143)),
            channels: vec![ChannelKind::Udp, ChannelKind::Sms],
            zone_minutes: 0,
            delete_hidden: false,
            sid_tags: SidTags::Http,
        });
        let mut world = World {
            now: MORNING,
            upstream: Upstream::new(traits),
            conversations: BTreeMap::new(),
            disk: Disk::default(),
            woken: BTreeSet::new(),
            broken: Vec::new(),
            hold_answers: false,
            weakness: None,
            account: Some(Account::new(AccountKey::new("joe"), options.clone(), [0; 32])),
            options,
            chance: Rng::new(1),
            touched: Vec::new(),
            connected: 0,
            loads: 0,
            regular_lingers: false,
        };
        world.upstream.today = world.now.date(0);
        world
    }

    /// A login holds for a time only. Before anything else: the gateway is one that was never used.
    pub fn limit_logins(&mut self, ms: i64) {
        self.options = Arc::new(Options { login_valid_ms: Some(ms), ..(*self.options).clone() });
        self.account = Some(Account::new(AccountKey::new("joe"), self.options.clone(), [0; 32]));
    }

    /// Upstream refused somebody the password that was good before.
    pub fn revoke(&mut self) {
        self.step(Input::Revoked);
    }

    /// Chance for what the world decides by itself.
    pub fn seed(&mut self, seed: u64) {
        self.chance = Rng::new(seed);
    }

    /// Time passes, or steps back.
    pub fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        self.upstream.today = self.now.date(0);
        self.step(Input::Tick);
    }

    /// The mailbox of that name.
    pub fn mailbox(&mut self, name: &MailboxName) -> Option<&mut Mailbox> {
        self.upstream.mail.mailboxes.get_mut(name)
    }

    /// Another client delivers a message.
    pub fn deliver(&mut self, name: &MailboxName, text: Vec<u8>, flags: Flags, age: i32) -> Option<u32> {
        let date = pimap_types::Date(self.now.date(0).0 - age);
        let uid = self.mailbox(name)?.deliver(text, flags, date);
        self.upstream.changed(name, &[uid]);
        Some(uid)
    }

    /// Another client removes messages.
    pub fn remove(&mut self, name: &MailboxName, uids: impl IntoIterator<Item = u32>) {
        let Some(gone) = self.mailbox(name).map(|mailbox| mailbox.remove(uids)) else { return };
        self.upstream.vanished(name, &gone);
    }

    /// Another client changes flags.
    pub fn store(&mut self, name: &MailboxName, uid: u32, change: &pimap_types::command::StoreChange) {
        let Some(uid) = pimap_types::Uid::new(uid) else { return };
        let Some(stored) = self.mailbox(name).map(|m| m.store(&UidRanges::one(uid), change)) else { return };
        self.upstream.changed(name, &stored);
    }

    /// Everything that is under way comes to its end, in good order, except what handsets do. The link to each handset
    /// stays as it is: octets wait on the wire.
    pub fn settle(&mut self) {
        self.settle_with(true);
    }

    /// The same while the store takes its time: batches wait.
    pub fn settle_but_store(&mut self) {
        self.settle_with(false);
    }

    fn settle_with(&mut self, store: bool) {
        for _ in 0..10_000 {
            if !(store && self.commit() || self.settle_step()) {
                return;
            }
        }
        self.broken.push("the gateway never comes to rest".to_owned());
    }

    /// Everything goes on until changes of mail are carried out upstream; their answers are still on their way.
    pub fn settle_unanswered(&mut self) {
        loop {
            let changes = |q: &upstream::Question| q.request.is_mutation();
            if let Some(at) = self.upstream.questions.iter().position(changes) {
                self.execute(at);
                return;
            }
            if !(self.commit() || self.settle_step()) {
                return;
            }
        }
    }

    /// The oldest question that can be is carried out, or answered if it was.
    fn answer_next(&mut self) -> bool {
        (0..self.upstream.questions.len()).any(|at| self.execute(at) || self.answer(at))
    }

    /// The oldest question of a kind is carried out and answered.
    pub fn answer_one(&mut self, kind: &str) -> bool {
        (0..self.upstream.questions.len()).any(|at| {
            let is_kind = format!("{:?}", self.upstream.questions[at].request).starts_with(kind);
            if is_kind {
                self.execute(at);
            }
            is_kind && self.answer(at)
        })
    }

    /// The oldest question of a kind is carried out, and answered later.
    pub fn execute_one(&mut self, kind: &str) -> bool {
        let is_kind = |question: &upstream::Question| format!("{:?}", question.request).starts_with(kind);
        let at = self.upstream.questions.iter().position(is_kind);
        at.is_some_and(|at| self.execute(at))
    }

    fn settle_step(&mut self) -> bool {
        let waiting = self.conversations.iter().find(|(_, c)| c.has_output()).map(|(id, _)| *id);
        if let Some(id) = waiting {
            self.hand_over(id);
            return true;
        }
        if !self.hold_answers && self.answer_next() {
            return true;
        }
        if self.deliver_event() {
            return true;
        }
        self.upstream.poll();
        !self.upstream.events.is_empty() || self.deliver_spare_event()
    }
}
