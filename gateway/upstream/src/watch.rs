//! The watching connection: one per account, from start to end, reconnected by itself (design D3). Where it cannot hear of every
//! mailbox, connections that no command needs watch more of them ([`spare`], F48), and the rest is asked ([`poll`]).
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
//! event. What responses mean is decided by [`crate::machine::watching`], the talking is in [`watcher`]; here is when.

pub(crate) mod poll;
pub(crate) mod spare;
mod watcher;

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::fault::Fault;
use crate::pool::Pool;
use pimap_types::MailboxName;
use pimap_types::upstream::{UpstreamEvent, WatchList};
use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::time::Duration;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::time::{Instant, sleep};
use watcher::{Interrupts, Watcher};

/// A connection that held this long was a good one: the next failure is a first one.
const HELD: Duration = Duration::from_secs(60);

/// A server that gave NOTIFY up so often is asked for as many mailboxes as connections can watch, and for the numbers of the rest
/// (RFC 5465 3.1: a client bounds what it watches). Once may be a storm that is over.
const OVERFLOWS_MAX: u32 = 3;

/// What is covered by connections that hear of news by themselves, for the poller and for spare watchers.
pub(crate) struct WatchState(watch_channel::Sender<Coverage>);

/// What is covered.
#[derive(Clone, Default)]
pub(crate) struct Coverage {
    /// The connection is up.
    connected: bool,
    /// All mailboxes are covered.
    notify: bool,
    /// IDLE works: open mailboxes are covered.
    idle: bool,
    /// The mailbox that is open, and the UIDNEXT that events have told of it.
    open: Option<(MailboxName, u32)>,
    /// Those open on connections to spare, likewise.
    spares: BTreeMap<MailboxName, u32>,
    /// How often the server gave NOTIFY up.
    overflows: u32,
    /// An audit found what no event had announced: nothing this server pushes is relied upon any more (F49).
    distrusted: bool,
}

impl Coverage {
    /// Whether news of this mailbox are heard of without asking.
    fn covers(&self, mailbox: &MailboxName) -> bool {
        let is_open = || self.told(mailbox).is_some();
        self.connected && !self.distrusted && (self.notify || self.idle && is_open())
    }

    /// The UIDNEXT that events have told of a mailbox that is open.
    fn told(&self, mailbox: &MailboxName) -> Option<u32> {
        let first = self.open.as_ref().filter(|(open, _)| open == mailbox).map(|(_, uid_next)| *uid_next);
        first.or_else(|| self.spares.get(mailbox).copied())
    }
}

impl Default for WatchState {
    fn default() -> Self {
        Self(watch_channel::Sender::new(Coverage::default()))
    }
}

impl WatchState {
    fn change(&self, change: impl FnOnce(&mut Coverage)) {
        self.0.send_modify(change);
    }

    fn coverage(&self) -> Coverage {
        self.0.borrow().clone()
    }

    fn subscribe(&self) -> watch_channel::Receiver<Coverage> {
        self.0.subscribe()
    }

    /// Whether NOTIFY for all mailboxes is more than this server has shown to report.
    fn is_overflowing(&self) -> bool {
        self.0.borrow().overflows >= OVERFLOWS_MAX
    }

    /// Whether the watching connection is up.
    pub(crate) fn is_connected(&self) -> bool {
        self.0.borrow().connected
    }

    /// Takes away what the connection covered; distrust stays, and so do other connections.
    fn disconnected(&self) {
        self.change(|c| {
            let (distrusted, overflows) = (c.distrusted, c.overflows);
            let spares = std::mem::take(&mut c.spares);
            *c = Coverage { distrusted, overflows, spares, ..Coverage::default() };
        });
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
            Ok(mut connection) => {
                let mut watcher = Watcher::new(&mut connection, pool, state, events, None);
                let fault = match Box::pin(watcher.begin(&mut list)).await {
                    Ok(()) => {
                        let interrupts = Interrupts::First { list: &mut list, epochs: &mut epochs };
                        let fault = watcher.run(interrupts).await.err().unwrap_or(Fault::Lost);
                        if events.send(UpstreamEvent::Lost).await.is_err() {
                            return;
                        }
                        fault
                    }
                    Err(fault) => fault,
                };
                state.disconnected();
                if fault == Fault::Overflowed {
                    state.change(|c| c.overflows = c.overflows.saturating_add(1));
                }
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

/// Numbers told last, by mailbox.
type Numbers = HashMap<MailboxName, pimap_wire::client::response::StatusNumbers>;
