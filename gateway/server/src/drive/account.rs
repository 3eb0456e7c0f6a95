//! One account's task: select an input, step the account, carry the outputs out in order.
//!
//! It owns everything of the account: the owner's value, its connections' outboxes, its upstream side, its place in line
//! at the store. When it ends, however it ends, all of that ends with it, and connections are told by their outboxes.

mod carry;
mod seat;
mod start;

use super::credentials::Kept;
use super::mail::Mail;
use super::upstream::{AccountUpstream, LoginMode, Upstreams};
use super::wake::Wakes;
use crate::metrics::UpstreamConnected;
use pimap_account::contract::OpenBy;
use pimap_account::{Account, Input, Options, Output};
use pimap_channels::Channels;
use pimap_channels::udp::UdpChannel;
use pimap_store::{Answer, Sealer, Store};
use pimap_types::rows::StoreFault;
use pimap_types::upstream::{UpstreamEvent, UpstreamReply};
use pimap_types::{AccountKey, ConnectionId, Ticket, Timestamp};
use seat::Seat;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);
/// How long an account that needs nothing stays in memory: the next request may be on its way.
const DORMANT_FOR: Duration = Duration::from_secs(60);
/// Upstream's facts that wait for the account; more: the watcher waits.
const EVENTS_MAX: usize = 64;
/// Room for outputs that is kept from step to step.
const OUTPUTS_KEPT_MAX: usize = 8;
/// For a draining account's connections to take their leave.
const DRAIN_PATIENCE: Duration = Duration::from_secs(8);

/// Told when upstream refuses an account's kept password.
pub type OnRefused = Box<dyn Fn(&AccountKey) + Send + Sync>;

/// What all accounts share.
pub struct Deps {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Seals rows under `secret/`.
    pub sealer: Sealer,
    /// The upstream side.
    pub upstreams: Box<dyn Upstreams>,
    /// How accounts log in there.
    pub login_mode: LoginMode,
    /// The owners' settings; set before the first account begins.
    pub options: OnceLock<Arc<Options>>,
    /// Outband channels; set before the first account begins.
    pub channels: OnceLock<Channels>,
    /// The UDP channel among them, for registrations kept over a restart.
    pub udp: OnceLock<UdpChannel>,
    /// Forgets that the password was accepted.
    pub on_refused: OnceLock<OnRefused>,
    /// The time of day.
    pub clock: fn() -> Timestamp,
}

/// How a task ended.
#[derive(Debug)]
pub enum Exit {
    /// Nothing needs the account; the directory has let go of it.
    Dormant,
    /// The process drains.
    Drained,
    /// The store refused; only loading tells what is true.
    Failed(StoreFault),
}

/// See the module.
pub struct Task<'a> {
    key: AccountKey,
    deps: &'a Deps,
    account: Account,
    kept: Option<Kept>,
    seats: HashMap<ConnectionId, Seat>,
    upstream: Arc<dyn AccountUpstream>,
    events: mpsc::Receiver<UpstreamEvent>,
    questions: JoinSet<(Ticket, UpstreamReply)>,
    /// Whose question each task is, for those that end without an answer.
    tickets: HashMap<tokio::task::Id, Ticket>,
    /// Questions that can be called off.
    cancels: HashMap<Ticket, AbortHandle>,
    commits: VecDeque<Commit>,
    wakes: Wakes,
    /// When upstream told what is being shown now.
    caused_at: Option<Instant>,
    draining: Option<tokio::time::Instant>,
    dormant_since: Option<tokio::time::Instant>,
    failed: Option<StoreFault>,
    connected: UpstreamConnected,
    outputs: Vec<Output>,
}

/// A batch on its way to the disk. Batches of the driver's own have no number.
struct Commit {
    number: Option<u64>,
    began: Instant,
    answer: Answer<()>,
}

/// What happens to a task.
enum Happening {
    Mail(Mail),
    Event(UpstreamEvent),
    Reply(Ticket, UpstreamReply),
    Stored(Result<(), StoreFault>),
    NoticeLeft,
    Tick,
}

impl<'a> Task<'a> {
    /// Runs the account until nothing needs it, or it fails. `retire` is asked before it leaves by itself.
    pub async fn run(
        key: AccountKey,
        deps: &'a Deps,
        letters: &mut mpsc::UnboundedReceiver<Mail>,
        retire: impl Fn(&mpsc::UnboundedReceiver<Mail>) -> bool,
    ) -> Exit {
        // Boxed apart: what beginning takes is not to be kept for the account's life (D16).
        let mut task = match Box::pin(Task::start(key, deps)).await {
            Ok(task) => Box::new(task),
            Err(fault) => return Exit::Failed(fault),
        };
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let happening = task.select(letters, &mut ticks).await;
            task.apply(happening);
            if let Some(fault) = task.failed.take() {
                return Exit::Failed(fault);
            }
            if task.has_drained() {
                return Exit::Drained;
            }
            if task.has_slept() && retire(letters) {
                return Exit::Dormant;
            }
        }
    }

    /// What is durable and what was answered comes first, then what is new: outputs go on before inputs come in.
    async fn select(
        &mut self,
        letters: &mut mpsc::UnboundedReceiver<Mail>,
        ticks: &mut tokio::time::Interval,
    ) -> Happening {
        tokio::select! {
            biased;
            stored = first_answer(&mut self.commits) => Happening::Stored(stored),
            Some(answered) = self.questions.join_next_with_id() => match answered {
                Ok((id, (ticket, reply))) => {
                    self.tickets.remove(&id);
                    Happening::Reply(ticket, reply)
                }
                Err(error) => self.on_lost_question(&error).unwrap_or(Happening::Tick),
            },
            Some(event) = self.events.recv() => Happening::Event(event),
            Some(mail) = letters.recv() => Happening::Mail(mail),
            () = self.wakes.left() => Happening::NoticeLeft,
            _ = ticks.tick() => Happening::Tick,
        }
    }

    fn apply(&mut self, happening: Happening) {
        match happening {
            Happening::Mail(mail) => self.on_mail(mail),
            Happening::Event(event) => {
                self.caused_at = Some(Instant::now());
                if event == UpstreamEvent::CredentialsRefused
                    && let Some(tell) = self.deps.on_refused.get()
                {
                    tell(&self.key);
                }
                self.step(Input::Upstream(event));
            }
            Happening::Reply(ticket, reply) => {
                self.cancels.remove(&ticket);
                self.step(Input::Reply(ticket, reply));
            }
            Happening::Stored(result) => self.on_stored(result),
            Happening::NoticeLeft => {}
            Happening::Tick => self.on_tick(),
        }
    }

    fn now(&self) -> Timestamp {
        (self.deps.clock)()
    }

    fn step(&mut self, input: Input) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.account.step(self.now(), input, &mut outputs);
        for output in outputs.drain(..) {
            self.carry_out(output);
        }
        outputs.shrink_to(OUTPUTS_KEPT_MAX);
        self.outputs = outputs;
    }

    fn on_mail(&mut self, mail: Mail) {
        self.dormant_since = None;
        match mail {
            Mail::Join { mut open, outbox, credentials } => {
                let epoch = credentials.map(|credentials| self.take_credentials(&credentials));
                if let (OpenBy::Login { credential_epoch, .. }, Some(epoch)) = (&mut open.by, epoch) {
                    *credential_epoch = epoch;
                }
                self.seats.insert(open.conn, Seat::new(outbox));
                self.step(Input::Open(*open));
            }
            // It let others in before: what came of it is over (F50).
            Mail::Refused(credentials) => {
                if self.kept.as_ref().is_some_and(|kept| kept.came_of(&credentials)) {
                    self.step(Input::Revoked);
                }
            }
            Mail::Drained { conn, lines } => {
                // More lines may have been written since: then another letter will come.
                if self.seats.get(&conn).is_some_and(|seat| seat.lines == lines) {
                    self.step(Input::Drained(conn));
                }
            }
            Mail::DeviceKey(device, answer) => {
                let stored = self.account.registrations().into_iter().find(|(id, _)| *id == device);
                let known =
                    self.account.device_key(&device).map(|key| (key, stored.map(|(_, octets)| octets)));
                drop(answer.send(known));
            }
            Mail::Input(input) => self.on_input(*input),
        }
    }

    fn on_input(&mut self, input: Input) {
        match &input {
            Input::Command(command) => self.busy(command.conn),
            Input::Done { conn, .. } => self.busy(*conn),
            Input::Registered { device, .. } => self.wakes.on_reachable(device, self.now()),
            Input::Drain => self.draining = Some(tokio::time::Instant::now() + DRAIN_PATIENCE),
            _ => {}
        }
        let gone = match &input {
            Input::Closed { conn, .. } => Some(*conn),
            _ => None,
        };
        self.step(input);
        if let Some(seat) = gone.and_then(|conn| self.seats.remove(&conn)) {
            seat.end();
        }
    }

    /// A command runs: what is written now is its answer, not a push.
    fn busy(&mut self, conn: ConnectionId) {
        self.caused_at = None;
        if let Some(seat) = self.seats.get_mut(&conn) {
            seat.busy = true;
        }
    }

    fn on_tick(&mut self) {
        let now = self.now();
        self.wakes.on_tick(now);
        let (watching, pooled) = self.upstream.connections();
        self.connected.now(watching, pooled);
        if self.is_dormant() {
            self.dormant_since.get_or_insert_with(tokio::time::Instant::now);
        } else {
            self.dormant_since = None;
            self.step(Input::Tick);
        }
    }

    fn is_dormant(&self) -> bool {
        self.account.is_dormant()
            && self.seats.is_empty()
            && self.commits.is_empty()
            && self.questions.is_empty()
            && self.wakes.is_quiet()
    }

    fn has_slept(&self) -> bool {
        self.dormant_since.is_some_and(|since| since.elapsed() >= DORMANT_FOR)
    }

    fn has_drained(&self) -> bool {
        let Some(until) = self.draining else { return false };
        self.commits.is_empty() && (self.seats.is_empty() || tokio::time::Instant::now() >= until)
    }
}

/// The answer to the batch that is first in line; pending for ever when none is.
async fn first_answer(commits: &mut VecDeque<Commit>) -> Result<(), StoreFault> {
    match commits.front_mut() {
        Some(commit) => commit.answer.as_mut().await,
        None => std::future::pending().await,
    }
}
