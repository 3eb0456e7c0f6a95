//! The door of this room: one value per mail account.

use crate::config::{Login, UpstreamConfig};
use crate::credentials::Credentials;
use crate::execute;
use crate::pool::Pool;
use crate::watch::{self, WatchState};
use pimap_types::append::AppendPiece;
use pimap_types::upstream::{FetchPiece, UpstreamEvent, UpstreamReply, UpstreamRequest, WatchList};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::task::JoinHandle;

/// The body that a request carries.
#[derive(Debug)]
pub enum BodyStream {
    /// None.
    None,
    /// Where the pieces of a FETCH go. Dropping the receiver cancels the FETCH.
    Fetch(mpsc::Sender<FetchPiece>),
    /// Where an APPEND's octets and what follows them come from. They are asked for only when the server is willing; closing early
    /// cancels.
    Append(mpsc::Receiver<AppendPiece>),
}

/// The upstream side of one account: its watching connection and its pool. Cheap to clone; everything ends when the last clone is
/// dropped.
#[derive(Clone)]
pub struct AccountUpstream {
    pool: Arc<Pool>,
    state: Arc<WatchState>,
    list: Arc<watch_channel::Sender<WatchList>>,
    _task: Arc<Task>,
}

/// Ends its task when dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl AccountUpstream {
    /// Starts watching with these credentials; events go to `events`. Must be called within a tokio runtime.
    pub fn start(config: Arc<UpstreamConfig>, login: Login, events: mpsc::Sender<UpstreamEvent>) -> Self {
        let pool = Arc::new(Pool::new(config, Credentials::new(login)));
        let state = Arc::new(WatchState::default());
        let (list, changes) = watch_channel::channel(WatchList::default());
        let task = {
            let (pool, state) = (Arc::clone(&pool), Arc::clone(&state));
            // Jitter only: any number that differs between accounts will do.
            let seed = RandomState::new().hash_one(0_u8);
            async move {
                tokio::join!(
                    watch::watch(&pool, &state, changes.clone(), &events, seed),
                    watch::spare::keep(&pool, &state, changes.clone(), &events),
                    watch::poll::poll(&pool, &state, changes.clone(), &events, seed),
                    pool.hints.tell(&events),
                    pool.sweep(),
                );
            }
        };
        let task = Arc::new(Task(tokio::spawn(task)));
        Self { pool, state, list: Arc::new(list), _task: task }
    }

    /// Carries out a request. Dropping the future closes the connection it ran on.
    pub async fn run(&self, request: UpstreamRequest, stream: BodyStream) -> UpstreamReply {
        execute::run(&self.pool, request, stream).await
    }

    /// Watches these mailboxes from now on.
    pub fn watch(&self, list: WatchList) {
        self.list.send_if_modified(|current| {
            let differs = *current != list;
            *current = list;
            differs
        });
    }

    /// Uses other credentials from now on; connections opened with older ones are closed.
    pub fn set_login(&self, login: Login) {
        self.pool.credentials.replace(login);
    }

    /// Connections open now: watching, and for commands.
    pub fn connection_counts(&self) -> (usize, usize) {
        (usize::from(self.state.is_connected()) + self.pool.watching_count(), self.pool.count())
    }
}
