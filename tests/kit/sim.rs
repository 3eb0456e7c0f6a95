//! The simulation: handsets of every kind against the real account in a modelled world, all chance from one number.
//!
//! What it looks for: after every whole answer the handset holds what its session was told (law 1); what is changed was
//! meant by a handset and visible to it (law 2); a crash at any moment takes nothing back that was shown (law 3); and whenever
//! everything has come to rest, what the handset holds is the truth behind its filter. A failing seed replays exactly:
//! `SIM_SEED=n`.

pub mod cast;
mod check;
pub mod phone;
mod plan;
mod rest;

use crate::handset::Kind;
use crate::world::mail::letter;
use crate::world::rng::Rng;
use crate::world::{Weakness, World};
use cast::Cast;
use phone::{Came, Phone};
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::{ConnectionId, Flag, Flags, MailboxName};
use plan::Manners;

const MAILBOXES: [&str; 2] = ["INBOX", "Work"];

/// What may go wrong in a run; a seed chooses, so that simple runs are among them.
#[derive(Clone, Copy, Debug)]
struct Faults {
    radio: bool,
    crashes: bool,
    store: bool,
    upstream: bool,
    watcher: bool,
    clock: bool,
    filters: bool,
    folders: bool,
    replaced: bool,
}

/// A run.
pub struct Sim {
    world: World,
    phones: Vec<Phone>,
    rng: Rng,
    faults: Faults,
    transcript: Vec<String>,
}

/// What went wrong, and how it came about.
#[derive(Debug)]
pub struct Lie {
    /// The seed.
    pub seed: u64,
    /// What is untrue.
    pub found: Vec<String>,
    /// The conversation and what the world did.
    pub transcript: Vec<String>,
}

/// Runs one seed.
pub fn run(seed: u64, weakness: Option<Weakness>) -> Result<(), Lie> {
    run_with(seed, weakness, None)
}

/// Runs one seed with handsets and upstream of a choice: what they are there for can be shown.
pub fn run_with(seed: u64, weakness: Option<Weakness>, cast: Option<Cast>) -> Result<(), Lie> {
    let mut sim = Sim::new(seed, weakness, cast);
    let steps = 40 + sim.rng.below(160);
    let outcome = sim.go(steps);
    sim.gather();
    outcome.map_err(|found| Lie { seed, found, transcript: sim.transcript })
}

impl Sim {
    fn new(seed: u64, weakness: Option<Weakness>, cast: Option<Cast>) -> Sim {
        let mut rng = Rng::new(seed);
        let traits = cast::traits(&mut rng);
        let cast = cast.unwrap_or_else(|| Cast::draw(&mut rng));
        let faults = cast.faults(&mut rng);
        let phones = cast.phones(&mut rng);
        let mut world = World::new(traits);
        world.seed(seed);
        world.weakness = weakness;
        world.upstream.mail.create(&MailboxName::new("Work"));
        let mut sim = Sim { world, phones, rng, faults, transcript: Vec::new() };
        let least = if cast == Cast::Mixed { 0 } else { 4 };
        for _ in 0..least + sim.rng.below(6) {
            sim.deliver();
        }
        let who = |phone: &Phone| (phone.handset.kind, phone.regular, phone.names_requests);
        let kinds: Vec<(Kind, bool, bool)> = sim.phones.iter().map(who).collect();
        sim.note(format!("@ {traits:?} {faults:?} {cast:?} {kinds:?}"));
        sim
    }

    fn go(&mut self, steps: usize) -> Result<(), Vec<String>> {
        self.prepare()?;
        for at in 0..self.phones.len() {
            self.begin_counting(at)?;
        }
        for _ in 0..steps {
            self.step()?;
            if self.rng.chance(2) {
                self.rest()?;
            }
        }
        self.rest()?;
        self.end()
    }

    fn note(&mut self, line: String) {
        self.gather();
        self.transcript.push(line);
    }

    /// What the phones said goes into the transcript, in order.
    fn gather(&mut self) {
        for (at, phone) in self.phones.iter_mut().enumerate() {
            for line in phone.said() {
                let (who, rest) = line.split_at(1);
                self.transcript.push(if who == "@" {
                    format!("@ {at}{rest}")
                } else {
                    format!("{who}{at}{rest}")
                });
            }
        }
    }

    /// One thing happens.
    fn step(&mut self) -> Result<(), Vec<String>> {
        match self.rng.below(100) {
            0..=54 => self.phone_step()?,
            55..=87 => self.gateway_step(),
            88..=94 => self.other_client(),
            95..=96 => self.time(),
            _ => self.fault(),
        }
        self.check_world()
    }

    fn check_world(&mut self) -> Result<(), Vec<String>> {
        for (mailbox, uids, changed) in self.world.take_touched() {
            let meant = |phone: &Phone| {
                phone
                    .meant
                    .iter()
                    .any(|(meant, blindly)| *blindly || uids.iter().all(|uid| meant.contains(&uid.get())))
            };
            if changed && !self.phones.iter().any(meant) {
                self.world.broken.push(format!("nobody meant to change {uids:?} of {mailbox}"));
            }
        }
        if self.world.broken.is_empty() { Ok(()) } else { Err(std::mem::take(&mut self.world.broken)) }
    }

    fn phone_step(&mut self) -> Result<(), Vec<String>> {
        let at = self.rng.below(self.phones.len());
        self.phone_acts(at, true)
    }

    /// The phone does something. `lively`: it may begin something new.
    fn phone_acts(&mut self, at: usize, lively: bool) -> Result<(), Vec<String>> {
        let faulty = lively && self.faults.radio;
        let phone = &mut self.phones[at];
        if !phone.departing.is_empty() && self.rng.chance(60) {
            let id = phone.departing.remove(0);
            self.world.close(id, true);
            return Ok(());
        }
        if phone.is_idle() && lively && self.rng.chance(40) {
            self.begin(at, faulty);
            return Ok(());
        }
        let phone = &mut self.phones[at];
        if phone.is_idling() && self.rng.chance(if lively { 8 } else { 100 }) {
            phone.done();
        }
        let came = phone.step(&mut self.world, faulty, &mut self.rng);
        self.gather();
        if came == Came::Whole {
            return self.check_phone(at);
        }
        Ok(())
    }

    fn begin(&mut self, at: usize, faulty: bool) {
        let manners =
            Manners { mailboxes: &MAILBOXES, filters: self.faults.filters, folders: self.faults.folders };
        let phone = &mut self.phones[at];
        let manners = Manners { filters: manners.filters && !phone.regular, ..manners };
        if self.rng.chance(25) && phone.catch_up(&mut self.world, &mut self.rng) {
            return;
        }
        let mut plan = plan::plan(&phone.handset, &manners, &mut self.rng);
        let can_idle = !matches!(phone.handset.kind, Kind::Pipelining { .. });
        let idling = can_idle && self.rng.chance(12);
        if idling {
            plan = plan::Plan { commands: vec!["IDLE".to_owned()], ..plan::Plan::default() };
        }
        phone.begin(&mut self.world, &plan, idling, faulty, &mut self.rng);
    }

    /// Law 1: after a whole answer the handset holds what its session was told.
    fn check_phone(&mut self, at: usize) -> Result<(), Vec<String>> {
        let phone = &self.phones[at];
        let quiet = phone.connection().and_then(|id| self.world.conversations.get(&id));
        if quiet.is_some_and(|c| c.has_output() || !c.wire.is_empty()) || !phone.is_idle() {
            // More is on its way already: the next whole answer will tell.
            return Ok(());
        }
        let found = check::compare_with_session(phone, &self.world);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    // === the gateway and upstream go on ===

    fn gateway_step(&mut self) {
        match self.rng.below(10) {
            0..=2 => drop(self.world.commit()),
            3 | 4 => self.hand_over_one(),
            5 | 6 => {
                let at = self.rng.below(self.world.upstream.questions.len());
                self.world.execute(at);
            }
            7 | 8 => {
                let at = self.rng.below(self.world.upstream.questions.len());
                self.world.answer(at);
            }
            _ => {
                if self.rng.chance(10) {
                    self.world.upstream.repeat_event();
                }
                let dropped = self.world.weakness == Some(Weakness::DropsEvents) && self.rng.chance(30);
                if dropped {
                    self.world.upstream.events.pop_front();
                } else if self.rng.chance(30) && self.world.deliver_spare_event() {
                    // No order is promised between connections.
                } else if !self.world.deliver_event() {
                    self.world.upstream.poll();
                }
            }
        }
    }

    fn hand_over_one(&mut self) {
        let waiting: Vec<ConnectionId> =
            self.world.conversations.iter().filter(|(_, c)| c.has_output()).map(|(id, _)| *id).collect();
        if !waiting.is_empty() {
            let id = *self.rng.pick(&waiting);
            self.world.hand_over(id);
        }
    }

    // === the rest of the world ===

    fn deliver(&mut self) {
        let name = MailboxName::new(MAILBOXES[usize::from(self.rng.chance(25))]);
        let from = *self.rng.pick(&["anna", "bert"]);
        let subject = *self.rng.pick(&["re", "hello"]);
        let flags = match self.rng.below(6) {
            0 => Flags::new([Flag::Flagged]),
            1 => Flags::new([Flag::Seen]),
            _ => Flags::default(),
        };
        let age = self.rng.below(3) as i32;
        let uid = self.world.deliver(&name, letter(from, subject, "x"), flags.clone(), age);
        self.note(format!("@ delivered {name} {uid:?} from {from} {subject} {flags:?} {age} days old"));
    }

    fn other_client(&mut self) {
        let name = MailboxName::new(MAILBOXES[usize::from(self.rng.chance(25))]);
        let uids: Vec<u32> =
            self.world.mailbox(&name).map(|m| m.messages.keys().copied().collect()).unwrap_or_default();
        match self.rng.below(10) {
            0..=3 => self.deliver(),
            4..=6 if !uids.is_empty() => {
                let uid = *self.rng.pick(&uids);
                let mode = *self.rng.pick(&[StoreMode::Add, StoreMode::Add, StoreMode::Remove]);
                let flag = self.rng.pick(&[Flag::Seen, Flag::Flagged, Flag::Deleted]).clone();
                let change = StoreChange { mode, silent: false, flags: Flags::new([flag]) };
                self.world.store(&name, uid, &change);
                self.note(format!("@ another client stores {name} {uid} {change:?}"));
            }
            7 | 8 if !uids.is_empty() => {
                let uid = *self.rng.pick(&uids);
                self.world.remove(&name, [uid]);
                self.note(format!("@ another client expunges {name} {uid}"));
            }
            9 if self.faults.replaced => self.replace(&name),
            _ => {}
        }
    }

    /// Another client deletes and recreates the mailbox, empties it, or renames it away and back.
    fn replace(&mut self, name: &MailboxName) {
        if self.rng.chance(40) {
            let all: Vec<u32> =
                self.world.mailbox(name).map(|m| m.messages.keys().copied().collect()).unwrap_or_default();
            self.world.remove(name, all);
            return self.note(format!("@ another client empties {name}"));
        }
        let there = self.world.mailbox(name).is_some();
        if there && !name.is_inbox() && self.rng.chance(40) {
            self.world.upstream.mail.mailboxes.remove(name);
            self.note(format!("@ another client deletes {name}"));
        } else {
            self.world.upstream.mail.create(name);
            self.note(format!("@ another client makes {name} anew"));
        }
        self.world.upstream.folders_changed(name, None);
    }

    fn time(&mut self) {
        let ms = match self.rng.below(10) {
            0..=5 => 1_000,
            6 | 7 => 12_000,
            8 => 700_000,
            _ if self.faults.clock && self.rng.chance(50) => -3_600_000,
            _ if self.faults.clock => 24 * 3_600_000 - 1,
            _ => 60_000,
        };
        self.note(format!("@ {ms} ms pass"));
        self.world.pass(ms);
    }

    fn fault(&mut self) {
        match self.rng.below(8) {
            0 if self.faults.crashes => {
                let durable = self.rng.below(self.world.disk.waiting.len() + 1);
                let waiting = self.world.disk.waiting.len();
                self.note(format!("@ crash, {durable} of {waiting} batches durable"));
                self.world.crash(durable);
            }
            1 if self.faults.store && self.world.fail_commit() => self.note("@ the store failed".to_owned()),
            2 if self.faults.upstream && self.world.upstream.reachable => {
                self.note("@ upstream is lost".to_owned());
                self.world.upstream.lose_connections();
            }
            2 | 3 if !self.world.upstream.reachable => {
                self.note("@ upstream is back".to_owned());
                self.world.upstream.come_back();
            }
            4 if self.rng.chance(50) && !self.world.upstream.spared().is_empty() => {
                let name = self.rng.pick(&self.world.upstream.spared()).clone();
                self.note(format!("@ a command needs the connection that watches {name}"));
                self.world.upstream.rest_spare(&name);
            }
            4 if self.faults.watcher => {
                self.note("@ the watching connection is lost".to_owned());
                self.world.upstream.lose_watcher();
            }
            5 if self.faults.radio => {
                let at = self.rng.below(self.phones.len());
                let Sim { phones, world, rng, .. } = self;
                phones[at].lose_radio(world, rng);
            }
            _ => self.notice_zombie(),
        }
    }

    /// The gateway notices that a connection is dead; a hop took the whole response all the same, if it was whole.
    fn notice_zombie(&mut self) {
        let at = self.rng.below(self.phones.len());
        let clean = self.rng.chance(50);
        if let Some(id) = self.phones[at].zombies.pop() {
            self.note(format!("@ {at} the gateway notices the dead connection {id:?}, clean {clean}"));
            self.world.close(id, clean);
        }
    }
}
