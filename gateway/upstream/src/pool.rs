//! The account's command connections: few, reused, handed out one request at a time.
//!
//! A request leases a connection, preferably one that has its mailbox open already; when all are busy it waits in a bounded queue
//! (full: [`Fault::Busy`]). A lease that is dropped without being given back closes its connection: nobody knows how far
//! the command got. Connections without work are logged out after a while.

pub(crate) mod doors;
mod spare;

pub(crate) use spare::Spare;

use crate::config::UpstreamConfig;
use crate::connect::{greeted, log_in};
use crate::connection::Connection;
use crate::credentials::{Credentials, LoginOutcome, Suspended};
use crate::fault::Fault;
use crate::hints::Hints;
use doors::{Doors, Inside};
use pimap_types::MailboxName;
use pimap_wire::client::response::StatusNumbers;
use spare::Spares;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Requests that may wait for a connection; more are answered at once that upstream is not available.
const WAITING_MAX: usize = 256;

struct Idle {
    connection: Connection,
    since: Instant,
}

/// The pool of one account.
pub(crate) struct Pool {
    pub(crate) config: Arc<UpstreamConfig>,
    pub(crate) credentials: Credentials,
    pub(crate) hints: Hints,
    /// The lock is held for a push or a removal only, never across a wait.
    idle: Mutex<Vec<Idle>>,
    /// Wakes [`Pool::sweep`].
    returned: Notify,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    open: Arc<AtomicUsize>,
    /// Connections that are lent to watchers.
    watching: Arc<AtomicUsize>,
    spares: Mutex<Spares>,
    /// Mailboxes whose names are being changed, and who has which open.
    pub(crate) doors: Arc<Doors>,
}

/// A connection for one request.
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    /// It was used before: that it fails now says nothing about upstream.
    pub(crate) reused: bool,
    /// The mailboxes that the request touches: held until the connection is back among the idle ones, where it can be made to leave.
    pub(crate) inside: Option<Inside>,
    count: Counted,
    _permit: OwnedSemaphorePermit,
}

/// Counts an open connection for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request in the queue, counted however it leaves.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    pub(crate) fn new(config: Arc<UpstreamConfig>, credentials: Credentials) -> Self {
        // One of the connections is the watcher's.
        let commands = config.connections_per_account_max.saturating_sub(1).max(1);
        Self {
            config,
            credentials,
            hints: Hints::default(),
            idle: Mutex::new(Vec::new()),
            returned: Notify::new(),
            permits: Arc::new(Semaphore::new(commands)),
            waiting: AtomicUsize::new(0),
            open: Arc::new(AtomicUsize::new(0)),
            watching: Arc::new(AtomicUsize::new(0)),
            spares: Mutex::default(),
            doors: Doors::new(),
        }
    }

    /// Connections open for commands, busy or not.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed) + self.idle().len()
    }

    /// Connections that watch while no command needs them.
    pub(crate) fn watching_count(&self) -> usize {
        self.watching.load(Ordering::Relaxed)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection for a request on this mailbox (or on none), once there is one to be had.
    pub(crate) async fn lease(&self, mailbox: Option<&MailboxName>, fresh: bool) -> Result<Lease, Fault> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::Busy);
        }
        let queued = Waiting(&self.waiting);
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.want_spare();
                Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Fault::Lost)?
            }
        };
        drop(queued);
        self.leased(permit, mailbox, fresh).await
    }

    /// A connection for who holds a permit.
    async fn leased(
        &self,
        permit: OwnedSemaphorePermit,
        mailbox: Option<&MailboxName>,
        fresh: bool,
    ) -> Result<Lease, Fault> {
        while !fresh && let Some(mut connection) = self.take_idle(mailbox) {
            if connection.epoch == self.credentials.epoch() && connection.is_alive().await {
                let count = Counted::new(&self.open);
                return Ok(Lease { connection, reused: true, inside: None, count, _permit: permit });
            }
        }
        // The new connection takes the place of an idle one: open connections never exceed the permits.
        if self.idle().len() > self.permits.available_permits() {
            drop(self.take_idle(None));
        }
        let count = Counted::new(&self.open);
        let connection = self.connect().await?;
        Ok(Lease { connection, reused: false, inside: None, count, _permit: permit })
    }

    /// The best idle connection: one that has the mailbox open, else one that has none, else any.
    fn take_idle(&self, mailbox: Option<&MailboxName>) -> Option<Connection> {
        let mut idle = self.idle();
        let rank = |entry: &Idle| match (&entry.connection.selected, mailbox) {
            (Some(selected), Some(mailbox)) if selected.mailbox == *mailbox => 0,
            (None, _) => 1,
            _ => 2,
        };
        let best = (0..idle.len()).min_by_key(|at| idle.get(*at).map(rank))?;
        Some(idle.swap_remove(best).connection)
    }

    /// Takes a connection back that is at the end of a command; what it noticed by the way is told.
    pub(crate) fn give_back(&self, lease: Lease) {
        let Lease { mut connection, inside, count, _permit, .. } = lease;
        (connection.in_doubt, connection.events) = (false, None);
        let news = std::mem::take(&mut connection.news);
        if let Some(selected) = connection.selected.as_ref().filter(|_| news.any) {
            let numbers = StatusNumbers {
                messages: Some(selected.exists),
                uid_validity: Some(selected.uid_validity),
                highest_mod_seq: news.mod_seq,
                ..StatusNumbers::default()
            };
            self.hints.mailbox(selected.mailbox.clone(), numbers);
        }
        self.idle().push(Idle { connection, since: Instant::now() });
        drop(inside);
        drop(count);
        self.returned.notify_one();
    }

    /// A mailbox was deleted or renamed by us: connections that have it open would go on with what is no more.
    pub(crate) fn forget(&self, mailbox: &MailboxName) {
        self.idle().retain(|entry| entry.connection.selected.as_ref().is_none_or(|s| s.mailbox != *mailbox));
        self.want_spares_of(|watched| watched == mailbox);
    }

    /// Opens a connection with the current credentials. While the password is tried nobody else tries it (F50).
    pub(crate) async fn connect(&self) -> Result<Connection, Fault> {
        self.login_now()?;
        let greeted = greeted(&self.config).await?;
        let _gate = self.credentials.gate.lock().await;
        // Another connection may have learnt that the password is stale while this one was opened.
        let (login, epoch) = self.login_now()?;
        let outcome = match log_in(greeted, &self.config, &login).await {
            Ok(mut connection) => {
                self.credentials.record(epoch, &LoginOutcome::Accepted);
                connection.epoch = epoch;
                return Ok(connection);
            }
            Err(outcome) => outcome,
        };
        tracing::info!(host = %self.config.host, ?outcome, "login at upstream failed");
        if self.credentials.record(epoch, &outcome) {
            self.hints.refused();
        }
        self.login_now().and(Err(Fault::Lost))
    }

    fn login_now(&self) -> Result<(crate::config::Login, u64), Fault> {
        self.credentials.current().map_err(|suspended| match suspended {
            Suspended::Refused => Fault::CredentialsRefused,
            Suspended::Pause => Fault::Lost,
        })
    }

    /// Logs out connections that had no work for a while, or whose credentials are of the past; never ends.
    pub(crate) async fn sweep(&self) {
        let mut epochs = self.credentials.subscribe();
        loop {
            let oldest = self.idle().iter().map(|entry| entry.since).min();
            match oldest {
                None => self.returned.notified().await,
                Some(since) => tokio::select! {
                    () = sleep_until(since + self.config.idle_timeout) => {}
                    _ = epochs.changed() => {}
                },
            }
            let (now, epoch) = (Instant::now(), self.credentials.epoch());
            let ripe = |entry: &Idle| {
                entry.connection.epoch != epoch || now.duration_since(entry.since) >= self.config.idle_timeout
            };
            let mut ended = Vec::new();
            {
                let mut idle = self.idle();
                let mut at = 0;
                while let Some(entry) = idle.get(at) {
                    if ripe(entry) { ended.push(idle.swap_remove(at).connection) } else { at += 1 }
                }
            }
            for connection in ended {
                // Boxed: the future that waits is not to be as large as the one that works (D16).
                Box::pin(connection.log_out()).await;
            }
        }
    }
}
