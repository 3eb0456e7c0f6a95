//! The watching connection: one per account, from start to end, reconnected by itself (design D3).
//!
//! ```text
//!  connect ─► NOTIFY SET (if announced) ─► EXAMINE first mailbox ─► Back ─┐
//!     ▲                                                                   ▼
//!     │ Lost, backoff                    ┌────────── IDLE ◄───────────────┤
//!     └──────────────────────────────────┤            │ octets            │
//!                                        │            ▼                   │
//!                                        └── DONE ─► facts of UIDs named ─┘
//! ```
//!
//! NOTIFY is set before anything else, so that nothing falls between the catch-up that [`UpstreamEvent::Back`] asks for and the first
//! event. What responses mean is decided by [`crate::machine::watching`]; here is only the talking. Never SELECT: `\Recent`
//! stays where it is (F27).

pub(crate) mod poll;

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::execute::{fetch_facts, open};
use crate::fault::Fault;
use crate::machine::collect::Collected;
use crate::machine::watching::{Due, Open, Watching, look_at};
use crate::pool::Pool;
use pimap_types::MailboxName;
use pimap_types::response::Status;
use pimap_types::upstream::{UpstreamEvent, WatchList};
use pimap_wire::client::request::Request;
use pimap_wire::client::response::UpstreamResponse;
use std::collections::HashMap;
use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch as watch_channel};
use tokio::time::{Instant, sleep, sleep_until};

/// How long an arrival's facts may follow its EXISTS by themselves (NOTIFY) before they are asked for.
const FACTS_FOLLOW: Duration = Duration::from_millis(500);
/// A connection that held this long was a good one: the next failure is a first one.
const HELD: Duration = Duration::from_secs(60);

/// What the watching connection covers now, for the poller. The lock is held for an assignment only.
#[derive(Default)]
pub(crate) struct WatchState {
    coverage: Mutex<Coverage>,
    /// Wakes the poller when coverage changes.
    changed: Notify,
}

/// What is covered.
#[derive(Clone, Default)]
pub(crate) struct Coverage {
    /// The connection is up.
    connected: bool,
    /// All mailboxes are covered.
    notify: bool,
    /// IDLE works: the open mailbox is covered.
    idle: bool,
    /// The mailbox that is open, and the UIDNEXT that events have told of it.
    open: Option<(MailboxName, u32)>,
    /// An audit found what no event had announced: nothing this server pushes is relied upon any more (F49).
    distrusted: bool,
}

impl WatchState {
    fn change(&self, change: impl FnOnce(&mut Coverage)) {
        change(&mut self.coverage.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    fn coverage(&self) -> Coverage {
        self.coverage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the watching connection is up.
    pub(crate) fn is_connected(&self) -> bool {
        self.coverage().connected
    }

    /// Takes away what the connection covered; distrust stays.
    fn disconnected(&self) {
        self.change(|c| *c = Coverage { distrusted: c.distrusted, ..Coverage::default() });
    }
}

/// Watches until nobody listens to the events.
pub(crate) async fn watch(
    pool: &Pool,
    state: &WatchState,
    mut list: watch_channel::Receiver<WatchList>,
    events: &mpsc::Sender<UpstreamEvent>,
    seed: u64,
) {
    if pool.config.connections_per_account_max < 2 {
        return Box::pin(announce_polling(pool, events, Backoff::new(seed))).await;
    }
    let mut backoff = Backoff::new(seed);
    let mut epochs = pool.credentials.subscribe();
    while !events.is_closed() {
        epochs.borrow_and_update();
        let connected = Instant::now();
        // Boxed apart, here and below: what connecting and asking take is not to be kept while nothing happens (D16).
        let fault = match Box::pin(pool.connect()).await {
            Ok(connection) => {
                let mut watcher =
                    Watcher { connection, watching: Watching::default(), pool, state, events, out: vec![] };
                let fault = match Box::pin(watcher.begin(&mut list)).await {
                    Ok(()) => {
                        let fault = watcher.run(&mut list, &mut epochs).await;
                        if events.send(UpstreamEvent::Lost).await.is_err() {
                            return;
                        }
                        fault
                    }
                    Err(fault) => fault,
                };
                state.disconnected();
                fault
            }
            Err(fault) => fault,
        };
        if connected.elapsed() > HELD {
            backoff.reset();
        }
        let delay = backoff.next_delay();
        tracing::debug!(?fault, ?delay, "watching connection is down");
        let retry = async {
            match fault {
                // F50: not again with this password.
                Fault::CredentialsRefused => pending().await,
                _ => sleep(delay).await,
            }
        };
        tokio::select! {
            () = retry => {}
            _ = epochs.changed() => {}
            () = events.closed() => {}
        }
    }
}

/// With one connection for everything nothing is watched: says so once upstream has been reached, and what it can do.
async fn announce_polling(pool: &Pool, events: &mpsc::Sender<UpstreamEvent>, mut backoff: Backoff) {
    loop {
        if let Ok(lease) = pool.lease(None, false).await {
            let event = back(&lease.connection, false);
            pool.give_back(lease);
            let _ = events.send(event).await;
            return;
        }
        sleep(backoff.next_delay()).await;
    }
}

fn back(connection: &Connection, notify: bool) -> UpstreamEvent {
    let can = connection.capabilities;
    UpstreamEvent::Back {
        notify,
        mod_seqs: can.condstore,
        uid_plus: can.uid_plus,
        r#move: can.r#move,
        announced: connection.announced.clone(),
    }
}

/// One watching connection.
struct Watcher<'a> {
    connection: Connection,
    watching: Watching,
    pool: &'a Pool,
    state: &'a WatchState,
    events: &'a mpsc::Sender<UpstreamEvent>,
    out: Vec<UpstreamEvent>,
}

/// Why waiting has ended.
enum Woken {
    Octets,
    List,
    Credentials,
    Renew,
    Ask,
}

impl Watcher<'_> {
    /// Sets everything up; ends with [`UpstreamEvent::Back`].
    async fn begin(&mut self, list: &mut watch_channel::Receiver<WatchList>) -> Result<(), Fault> {
        let can = self.connection.capabilities;
        self.connection.events = Some(Vec::new());
        let list_now = list.borrow_and_update().clone();
        self.watching.watch(list_now.clone());
        if can.notify && can.idle {
            let mod_seq = self.connection.condstore;
            self.watching.notify = self.converse(&Request::Notify { mod_seq }).await?;
        }
        let told = std::mem::take(&mut self.out);
        self.open_first(&list_now).await?;
        let first = std::mem::replace(&mut self.out, vec![back(&self.connection, self.watching.notify)]);
        self.out.extend(told);
        self.out.extend(first);
        self.tell().await?;
        let notify = self.watching.notify;
        self.state.change(|c| (c.connected, c.notify, c.idle) = (true, notify, can.idle));
        Ok(())
    }

    /// Watches until the connection ends.
    async fn run(
        &mut self,
        list: &mut watch_channel::Receiver<WatchList>,
        epochs: &mut watch_channel::Receiver<u64>,
    ) -> Fault {
        loop {
            if let Err(fault) = self.round(list, epochs).await {
                return fault;
            }
        }
    }

    /// One IDLE, and what it led to.
    async fn round(
        &mut self,
        list: &mut watch_channel::Receiver<WatchList>,
        epochs: &mut watch_channel::Receiver<u64>,
    ) -> Result<(), Fault> {
        let may = self.connection.capabilities.idle;
        let idle = may
            && (self.watching.notify || self.watching.opened().is_some())
            && Box::pin(self.idle()).await?;
        let woken = self.wait(list, epochs, idle).await?;
        Box::pin(self.after(woken, idle, list)).await
    }

    /// Leaves IDLE and does what waiting was ended for.
    async fn after(
        &mut self,
        woken: Woken,
        idle: bool,
        list: &mut watch_channel::Receiver<WatchList>,
    ) -> Result<(), Fault> {
        if idle {
            self.connection.write(b"DONE\r\n").await?;
            self.finish().await?;
        } else if matches!(woken, Woken::Renew) {
            self.converse(&Request::Noop).await?;
        }
        match woken {
            Woken::Credentials => return Err(Fault::Lost),
            Woken::List => {
                let now = list.borrow_and_update().clone();
                self.watching.watch(now.clone());
                self.open_first(&now).await?;
            }
            Woken::Octets | Woken::Renew | Woken::Ask => {}
        }
        self.ask().await?;
        self.tell().await
    }

    /// Begins IDLE: waits for `+`. A server that announced it and refuses is polled instead.
    async fn idle(&mut self) -> Result<bool, Fault> {
        let mut collected = Collected::default();
        if self.connection.send(&Request::Idle, &mut collected).await?.is_some() {
            return Err(Fault::Misbehaved);
        }
        loop {
            match self.connection.response().await? {
                UpstreamResponse::Continuation => return Ok(true),
                response @ UpstreamResponse::Tagged(..) => {
                    self.connection.absorb(response, &mut collected)?;
                    self.connection.capabilities.idle = false;
                    self.state.change(|c| (c.idle, c.notify) = (false, false));
                    return Ok(false);
                }
                response => self.watching.on_response(response, &mut self.out)?,
            }
        }
    }

    /// Waits, telling what comes, until there is something to do besides.
    async fn wait(
        &mut self,
        list: &mut watch_channel::Receiver<WatchList>,
        epochs: &mut watch_channel::Receiver<u64>,
        idle: bool,
    ) -> Result<Woken, Fault> {
        let patience = if idle { self.pool.config.idle_renewal } else { self.pool.config.poll_interval };
        let renew = Instant::now() + patience;
        let mut ask_at: Option<Instant> = None;
        loop {
            while let Some(response) = self.connection.buffered_response()? {
                if matches!(response, UpstreamResponse::Tagged(..)) {
                    return Err(Fault::Misbehaved);
                }
                self.watching.on_response(response, &mut self.out)?;
            }
            self.tell().await?;
            ask_at = match self.watching.due() {
                None => None,
                Some(Due::Arrivals(_)) if self.watching.notify => {
                    ask_at.or(Some(Instant::now() + FACTS_FOLLOW))
                }
                Some(_) => return Ok(Woken::Ask),
            };
            let ask = async {
                match ask_at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let woken = tokio::select! {
                read = self.connection.wait_for_octets() => { read?; Woken::Octets }
                changed = list.changed() => { changed.map_err(|_| Fault::Lost)?; Woken::List }
                _ = epochs.changed() => Woken::Credentials,
                () = sleep_until(renew) => Woken::Renew,
                () = ask => Woken::Ask,
                () = self.events.closed() => return Err(Fault::Lost),
            };
            if !matches!(woken, Woken::Octets) {
                return Ok(woken);
            }
        }
    }

    /// Runs a command whose untagged data are news; whether it was accepted.
    async fn converse(&mut self, request: &Request<'_>) -> Result<bool, Fault> {
        let mut collected = Collected::default();
        if let Some(condition) = self.connection.send(request, &mut collected).await? {
            return Ok(condition.status == Status::Ok);
        }
        self.finish().await
    }

    async fn finish(&mut self) -> Result<bool, Fault> {
        loop {
            match self.connection.response().await? {
                response @ UpstreamResponse::Tagged(..) => {
                    let condition = self.connection.absorb(response, &mut Collected::default())?;
                    return Ok(condition.is_some_and(|c| c.status == Status::Ok));
                }
                response => self.watching.on_response(response, &mut self.out)?,
            }
        }
    }

    /// Opens the first mailbox of the list, if it is another than before; its numbers are told, because what happened
    /// before is not.
    async fn open_first(&mut self, list: &WatchList) -> Result<(), Fault> {
        let wanted = list.first.as_ref();
        if self.watching.opened().map(|open| &open.mailbox) == wanted {
            return Ok(());
        }
        let Some(mailbox) = wanted else { return Ok(()) };
        // What was on its way about the mailbox that is left is lost with it.
        self.out.extend(self.watching.opened().map(|left| look_at(left.mailbox.clone())));
        let resync = open::plain(&self.connection);
        match open::select(&mut self.connection, mailbox, true, resync).await {
            Ok(collected) => {
                let uid_validity = collected.uid_validity.ok_or(Fault::Misbehaved)?;
                let uid_next = collected.uid_next.unwrap_or(0);
                self.watching.open(Some(Open { mailbox: mailbox.clone(), uid_validity, uid_next }));
                self.out.push(UpstreamEvent::Status {
                    mailbox: mailbox.clone(),
                    uid_validity: Some(uid_validity),
                    uid_next: collected.uid_next,
                    messages: collected.exists,
                    highest_mod_seq: collected.highest_mod_seq,
                });
            }
            // Gone, or not to be opened: the owner learns that when it looks.
            Err(Fault::NoSuchMailbox(_)) => {
                self.watching.open(None);
                self.out.push(look_at(mailbox.clone()));
            }
            Err(fault) => return Err(fault),
        }
        self.told_meanwhile()
    }

    /// Asks for facts that events did not bring.
    async fn ask(&mut self) -> Result<(), Fault> {
        while let Some(due) = self.watching.due() {
            let facts = match &due {
                Due::Facts(uids) => fetch_facts(&mut self.connection, uids).await?,
                Due::Arrivals(from) => open::facts_from(&mut self.connection, *from).await?,
            };
            self.watching.asked(&due);
            // `n:*` names the last message even when it is below n, and flags of others may have come in between: telling
            // what has not changed is harmless, losing what has is not.
            facts.into_values().for_each(|facts| self.watching.on_facts(facts));
            let news = std::mem::take(&mut self.connection.news);
            if (news.any || news.nameless)
                && let Some(open) = self.watching.opened()
            {
                // Something else happened while we asked; its own lines were not kept.
                self.out.push(look_at(open.mailbox.clone()));
            }
        }
        self.told_meanwhile()
    }

    /// Takes in the events that came while a command ran.
    fn told_meanwhile(&mut self) -> Result<(), Fault> {
        for response in self.connection.events.as_mut().map(std::mem::take).unwrap_or_default() {
            self.watching.on_response(response, &mut self.out)?;
        }
        Ok(())
    }

    /// Tells what has come together; waits for the owner if it is slow, and reads nothing meanwhile.
    async fn tell(&mut self) -> Result<(), Fault> {
        self.watching.settle(&mut self.out);
        if !self.out.is_empty() {
            let open = self.watching.opened().map(|o| (o.mailbox.clone(), o.uid_next));
            self.state.change(|c| c.open = open);
        }
        for event in self.out.drain(..) {
            self.events.send(event).await.map_err(|_| Fault::Lost)?;
        }
        Ok(())
    }
}

/// Numbers told last, by mailbox.
type Numbers = HashMap<MailboxName, pimap_wire::client::response::StatusNumbers>;
