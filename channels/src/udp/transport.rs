//! The socket of the UDP channel, and the one task that owns it and the [`Machine`].
//!
//! In: datagrams, notices. Out: datagrams, registrations to store. Decides nothing. The task never waits for
//! the store or the network: look-ups run beside it, at most [`LOOK_UPS_MAX`] at once, and a datagram that
//! the kernel has no room for is reported as [`Outcome::Retry`]. It ends when the last [`UdpChannel`] is
//! dropped.

use super::machine::{Answer, Machine, Question, Step, Verdict};
use super::{Candidate, Registration, UdpSettings};
use crate::hello::DATAGRAM_BYTES_MAX;
use crate::{Channel, Outcome, Sending, emn};
use pimap_types::notice::Notice;
use pimap_types::preference::{ChannelKind, OutbandFormat};
use pimap_types::{AccountKey, DeviceId, Timestamp};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Orders that wait for the task; more: [`Outcome::Retry`].
pub const QUEUE_MAX: usize = 1_024;
/// HELLOs whose keys are being looked up or stored; more: [`Verdict::Overload`].
pub const LOOK_UPS_MAX: usize = 64;
/// How long the server may take over one look-up or write; longer: the HELLO is dropped, and the handset
/// repeats it.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// After a socket error: a socket that fails at once, again and again, shall not take a whole core.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Where device keys are, and where registrations are kept. The server implements it over the accounts' rows.
pub trait KeyDirectory: Send + Sync + 'static {
    /// The accounts that have a device of this ID, with its key; none when it has no key. More than
    /// [`CANDIDATES_MAX`](super::CANDIDATES_MAX) are not looked at.
    fn keys_of(&self, device: &DeviceId) -> impl Future<Output = Vec<Candidate>> + Send;

    /// A device has proved its key: `registration` is to be stored in place of an earlier one. The handset
    /// gets its OK when this is done.
    fn on_bound(
        &self,
        account: &AccountKey,
        device: &DeviceId,
        registration: Registration,
    ) -> impl Future<Output = ()> + Send;
}

/// The time of day.
pub fn wall_clock() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// A handle on the channel; clones are the same channel.
#[derive(Clone, Debug)]
pub struct UdpChannel {
    orders: mpsc::Sender<Order>,
    local_addr: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts([AtomicU64; Verdict::ALL.len()]);

impl Counts {
    fn add(&self, verdict: Verdict) {
        if let Some(count) = self.0.get(verdict as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Debug)]
enum Order {
    Send { account: AccountKey, device: DeviceId, text: String, outcome: oneshot::Sender<Outcome> },
    Import { account: AccountKey, device: DeviceId, registration: Registration },
    Export { account: AccountKey, device: DeviceId, registration: oneshot::Sender<Option<Registration>> },
    Forget { account: AccountKey, device: DeviceId },
}

impl UdpChannel {
    /// Opens the socket and starts the task on the current runtime.
    pub async fn bind(
        listen: SocketAddr,
        settings: UdpSettings,
        directory: impl KeyDirectory,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen).await?;
        let local_addr = socket.local_addr()?;
        // Until the runtime has seen the socket writable once, it would report "no room" for the first
        // datagrams.
        socket.writable().await?;
        let (orders, inbox) = mpsc::channel(QUEUE_MAX);
        let counts = Arc::<Counts>::default();
        let seed = RandomState::new().hash_one(local_addr);
        let driver = Driver {
            machine: Machine::new(&settings, local_addr.port(), seed),
            clock: settings.clock,
            socket,
            directory: Arc::new(directory),
            beside: JoinSet::new(),
            counts: counts.clone(),
        };
        tokio::spawn(driver.run(inbox));
        Ok(Self { orders, local_addr, counts })
    }

    /// Where the socket listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Takes in a registration that [`KeyDirectory::on_bound`] was given, after a restart.
    pub async fn import(&self, account: AccountKey, device: DeviceId, registration: Registration) {
        let _ = self.orders.send(Order::Import { account, device, registration }).await;
    }

    /// What is known of a device.
    pub async fn export(&self, account: AccountKey, device: DeviceId) -> Option<Registration> {
        let (answer, registration) = oneshot::channel();
        self.orders.send(Order::Export { account, device, registration: answer }).await.ok()?;
        registration.await.ok()?
    }

    /// Forgets a device that is gone or has another key now.
    pub async fn forget(&self, account: AccountKey, device: DeviceId) {
        let _ = self.orders.send(Order::Forget { account, device }).await;
    }

    /// How many datagrams had which verdict.
    pub fn counts(&self) -> impl Iterator<Item = (Verdict, u64)> {
        Verdict::ALL.into_iter().zip(self.counts.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    async fn deliver(&self, notice: &Notice) -> Outcome {
        // EXTENDED needs a sequence number and the device key; it is refused until it is built.
        if notice.channel != ChannelKind::Udp || notice.format != OutbandFormat::Emn {
            return Outcome::Refused;
        }
        let Some(text) = emn::text(&notice.mail_address, notice.event_time) else { return Outcome::Refused };
        let (answer, outcome) = oneshot::channel();
        let (account, device) = (notice.account.clone(), notice.device.clone());
        match self.orders.try_send(Order::Send { account, device, text, outcome: answer }) {
            Ok(()) => outcome.await.unwrap_or(Outcome::Unknown),
            Err(_) => Outcome::Retry,
        }
    }
}

impl Channel for UdpChannel {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Udp
    }

    fn send<'a>(&'a self, notice: &'a Notice) -> Sending<'a> {
        Box::pin(self.deliver(notice))
    }
}

/// What a look-up or write beside the task came to; `None` when it took too long.
type Beside = Option<Progress>;

enum Progress {
    Found(Question, Vec<Candidate>),
    Stored(Answer),
}

enum Action {
    Received(io::Result<(usize, SocketAddr)>),
    Order(Order),
    Beside(Beside),
    Close,
}

struct Driver<D> {
    machine: Machine,
    clock: fn() -> Timestamp,
    socket: UdpSocket,
    directory: Arc<D>,
    beside: JoinSet<Beside>,
    counts: Arc<Counts>,
}

impl<D: KeyDirectory> Driver<D> {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        // One octet more than a HELLO may have, so that a longer one is seen to be longer.
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        loop {
            let action = self.select(&mut inbox, &mut buffer).await;
            match action {
                Action::Received(Ok((length, from))) => {
                    self.on_datagram(from, buffer.get(..length).unwrap_or_default());
                }
                Action::Received(Err(error)) => {
                    tracing::warn!(%error, "the outband socket failed to receive");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
                Action::Order(order) => self.on_order(order),
                Action::Beside(Some(Progress::Found(question, candidates))) => {
                    self.on_found(question, &candidates)
                }
                Action::Beside(Some(Progress::Stored(answer))) => self.reply(&answer),
                Action::Beside(None) => {
                    tracing::warn!("a HELLO was dropped: the key directory did not answer")
                }
                Action::Close => return,
            }
        }
    }

    async fn select(&mut self, inbox: &mut mpsc::Receiver<Order>, buffer: &mut [u8]) -> Action {
        tokio::select! {
            received = self.socket.recv_from(buffer) => Action::Received(received),
            order = inbox.recv() => order.map_or(Action::Close, Action::Order),
            // A directory that panics costs the HELLO that it panicked over.
            Some(done) = self.beside.join_next() => Action::Beside(done.ok().flatten()),
        }
    }

    fn on_datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        match self.machine.on_datagram(from, datagram, (self.clock)()) {
            Step::Settled(answer) => self.settle(&answer),
            Step::LookUp(_) if self.beside.len() >= LOOK_UPS_MAX => self.counts.add(Verdict::Overload),
            Step::LookUp(question) => {
                let directory = self.directory.clone();
                self.beside.spawn(async move {
                    let candidates =
                        timeout(STORE_PATIENCE, directory.keys_of(question.device())).await.ok()?;
                    Some(Progress::Found(question, candidates))
                });
            }
        }
    }

    fn on_found(&mut self, question: Question, candidates: &[Candidate]) {
        let device = question.device().clone();
        let answer = self.machine.on_candidates(question, candidates, (self.clock)());
        if answer.bound.is_empty() {
            return self.settle(&answer);
        }
        self.counts.add(answer.verdict);
        let directory = self.directory.clone();
        self.beside.spawn(async move {
            let store = async {
                for (account, registration) in &answer.bound {
                    directory.on_bound(account, &device, registration.clone()).await;
                }
            };
            timeout(STORE_PATIENCE, store).await.ok()?;
            Some(Progress::Stored(answer))
        });
    }

    fn settle(&mut self, answer: &Answer) {
        self.counts.add(answer.verdict);
        self.reply(answer);
    }

    /// A reply that cannot leave now is dropped: the handset says HELLO again.
    fn reply(&mut self, answer: &Answer) {
        if let Some(reply) = &answer.reply
            && let Err(error) = self.socket.try_send_to(reply, answer.to)
        {
            tracing::debug!(%error, "an answer to HELLO was not sent");
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Send { account, device, text, outcome } => {
                let address = self.machine.address_of(&account, &device, (self.clock)());
                let sent = address.map(|to| self.socket.try_send_to(text.as_bytes(), to));
                let _ = outcome.send(match sent {
                    None => Outcome::NoAddress,
                    Some(Ok(_)) => Outcome::Accepted,
                    Some(Err(_)) => Outcome::Retry,
                });
            }
            Order::Import { account, device, registration } => {
                self.machine.import(account, device, &registration)
            }
            Order::Export { account, device, registration } => {
                let _ = registration.send(self.machine.export(&account, &device).cloned());
            }
            Order::Forget { account, device } => self.machine.forget(&account, &device),
        }
    }
}

#[cfg(test)]
mod tests;
