//! What waits to be written to one handset, and what its conversation is to do once that is written.
//!
//! Three write here: the account task (response lines), a streamed FETCH (pieces of messages, which wait for room), and
//! the conversation itself. One takes: the conversation. A line that comes while a message of a FETCH is half written is
//! held back until the message is whole, since a line within a line would be a lie about both.
//!
//! Bounds (law 5): a FETCH waits at [`PIECES_BYTES_MAX`]; lines do not wait, since the account serves others too, and a
//! handset that lets [`LINES_BYTES_MAX`] pile up is cut off: only it pays.

mod batch;

pub use batch::Batch;

use super::lot::{Key, Lot};
use bytes::Bytes;
use pimap_account::contract::AppendRules;
use pimap_types::append::AppendPiece;
use pimap_types::limits::{PIECE_BYTES_MAX, PIECES_IN_FLIGHT_MAX};
use pimap_types::{Code, Response, Secret};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::sync::mpsc;

/// Octets of a streamed FETCH that wait here; more: the FETCH waits, and upstream is not read.
pub const PIECES_BYTES_MAX: usize = PIECE_BYTES_MAX * PIECES_IN_FLIGHT_MAX;
/// Octets of lines that wait here; more: the connection is cut off.
pub const LINES_BYTES_MAX: usize = 16 << 20;

/// What the conversation is to do when the octets before it are handed to the socket.
#[derive(Debug)]
pub enum Signal {
    /// The running command is answered; `idling`: it is an IDLE that has begun.
    Complete {
        /// Only DONE may come.
        idling: bool,
    },
    /// Upstream takes the message of the running APPEND.
    TakeAppend(mpsc::Sender<AppendPiece>, Arc<AppendRules>),
    /// Nothing more is written after this.
    Finish,
}

/// What a conversation takes out at once.
#[derive(Debug, Default)]
pub struct Taken {
    /// Octets to be handed to the socket.
    pub octets: Bytes,
    /// To be done afterwards, in order.
    pub signals: Vec<Signal>,
    /// How many lines of the account these octets complete; `None` while some still wait.
    pub lines: Option<u64>,
    /// When upstream told what these octets tell, if that is being measured.
    pub caused_at: Option<Instant>,
}

/// How an outbox came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outlook {
    /// It has not.
    Open,
    /// Its account's task failed: our fault (HTTP: 500 when nothing was written yet).
    Failed,
    /// Too much waited in it.
    Overflowed,
    /// The conversation is over.
    Gone,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    // A lock and no channel: lines are appended to one buffer that costs nothing while it is empty (measured.md 2), and
    // it is never held across an await.
    state: Mutex<State>,
}

/// What few connections need at a time stands apart: an idle one has one of these and nothing beside it (D16).
#[derive(Debug)]
struct State {
    octets: Vec<u8>,
    signals: Vec<Signal>,
    streaming: Option<Box<Streaming>>,
    cookie: Option<Box<Cookie>>,
    /// Who is told that there is something to take.
    taker: Option<Taker>,
    lines: u64,
    caused_at: Option<Instant>,
    message_open: bool,
    outlook: Outlook,
    /// Something was written before anything failed.
    said: bool,
    failed_first: bool,
    reused: bool,
}

/// What a FETCH makes wait, and what it waits for.
#[derive(Debug, Default)]
struct Streaming {
    /// Lines that wait for the end of the message being streamed.
    held: Vec<u8>,
    held_signals: Vec<Signal>,
    /// Who waits for room.
    room: Vec<Waker>,
}

/// The session cookie until it is taken, and its SHA-256, which stays.
#[derive(Debug)]
struct Cookie {
    itself: Option<Secret>,
    hash: [u8; 32],
}

/// Who takes.
#[derive(Debug)]
enum Taker {
    /// The conversation's task.
    Task(Waker),
    /// The conversation is at rest, in this place.
    AtRest(Arc<Lot>, Key),
}

impl Taker {
    fn call(self) {
        match self {
            Taker::Task(waker) => waker.wake(),
            Taker::AtRest(lot, key) => lot.rouse(key),
        }
    }
}

impl Default for State {
    fn default() -> Self {
        State {
            octets: Vec::new(),
            signals: Vec::new(),
            streaming: None,
            cookie: None,
            taker: None,
            lines: 0,
            caused_at: None,
            message_open: false,
            outlook: Outlook::Open,
            said: false,
            failed_first: false,
            reused: false,
        }
    }
}

impl Outbox {
    /// Whoever panics with the lock held has left nothing half done that matters to the others.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let taker = {
            let mut state = self.state();
            if state.outlook == Outlook::Gone {
                return;
            }
            change(&mut state);
            if state.octets.len() + state.held() > LINES_BYTES_MAX {
                state.outlook = Outlook::Overflowed;
                state.octets = Vec::new();
                state.streaming().held = Vec::new();
            }
            state.taker.take()
        };
        if let Some(taker) = taker {
            taker.call();
        }
    }

    /// A line of the account. The number of lines so far is returned, by which [`Taken::lines`] is judged.
    pub fn write(&self, response: &Response) -> u64 {
        let mut lines = 0;
        self.change(|state| {
            state.line(response);
            state.lines += 1;
            lines = state.lines;
        });
        lines
    }

    /// A line of the conversation's own.
    pub fn write_own(&self, response: &Response) {
        self.change(|state| state.line(response));
    }

    /// Something to be done after what was written so far.
    pub fn signal(&self, signal: Signal) {
        self.change(|state| {
            let signals =
                if state.message_open { &mut state.streaming().held_signals } else { &mut state.signals };
            signals.push(signal);
        });
    }

    /// The session cookie for the head of the HTTP response.
    pub fn set_cookie(&self, cookie: Secret) {
        self.change(|state| {
            let hash = Sha256::digest(cookie.expose()).into();
            state.cookie = Some(Box::new(Cookie { itself: Some(cookie), hash }));
        });
    }

    /// SHA-256 of the session cookie, if one was given out.
    pub fn cookie_hash(&self) -> Option<[u8; 32]> {
        self.state().cookie.as_ref().map(|cookie| cookie.hash)
    }

    /// The session cookie, once.
    pub fn take_cookie(&self) -> Option<Secret> {
        self.state().cookie.as_mut()?.itself.take()
    }

    /// The next lines are caused by what upstream told at `instant`.
    pub fn stamp(&self, instant: Instant) {
        self.state().caused_at.get_or_insert(instant);
    }

    /// The account's task is gone: the handset is told, as far as that is still possible.
    pub fn fail(&self) {
        let bye =
            Response::Bye { code: Some(Code::word("UNAVAILABLE")), text: Cow::Borrowed("internal failure") };
        self.change(|state| {
            if state.outlook == Outlook::Open && !state.signals.iter().any(|s| matches!(s, Signal::Finish)) {
                state.outlook = Outlook::Failed;
                state.failed_first = !state.said;
                // Within a message nothing can be said any more.
                if !state.message_open {
                    state.line(&bye);
                }
                state.signals.push(Signal::Finish);
            }
        });
    }

    /// The request's name is that of another request: nothing of it is executed.
    pub fn refuse_reused(&self) {
        let text = Cow::Borrowed("this Idempotency-Key is that of another request");
        self.change(|state| {
            state.reused = true;
            state.line(&Response::Bye { code: Some(Code::word("CLIENTBUG")), text });
            state.signals.push(Signal::Finish);
        });
    }

    /// Whether the request's name is that of another request.
    pub fn is_reused(&self) -> bool {
        self.state().reused
    }

    /// Whether our own failure was the first thing to be said.
    pub fn failed_first(&self) -> bool {
        self.state().failed_first
    }

    /// How things stand.
    pub fn outlook(&self) -> Outlook {
        self.state().outlook
    }

    /// Whether everything written here was taken, and no message was left half written.
    pub fn is_whole(&self) -> bool {
        let state = self.state();
        state.outlook != Outlook::Overflowed && !state.message_open && state.octets.is_empty()
    }

    /// Octets of a streamed FETCH, as soon as there is room; the batch is empty afterwards. Lines that waited for the end of a
    /// message follow the last one that ends here.
    pub async fn stream(&self, batch: &mut Batch) -> Result<(), Gone> {
        if batch.octets.is_empty() {
            return Ok(());
        }
        self.wait_for_room().await?;
        // A message that goes on in the next batch is as open there as here.
        let open = batch.open;
        let Batch { octets, last_end, .. } = std::mem::replace(batch, Batch { open, ..Batch::default() });
        self.change(|state| {
            let end = last_end.filter(|_| state.streaming.as_ref().is_some_and(|waits| waits.is_holding()));
            match end.and_then(|end| octets.split_at_checked(end)) {
                Some((whole, begun)) => {
                    state.octets.extend_from_slice(whole);
                    state.release();
                    state.octets.extend_from_slice(begun);
                }
                // The buffer changes hands, uncopied as a rule: a conversation that keeps up has taken what was there.
                None if state.octets.is_empty() => state.octets = octets,
                None => state.octets.extend_from_slice(&octets),
            }
            state.message_open = open;
        });
        Ok(())
    }

    /// The open message will not be whole: what was begun cannot be mended, so the connection ends here.
    pub fn break_message(&self) {
        self.change(|state| {
            if state.message_open {
                let streaming = state.streaming();
                (streaming.held, streaming.held_signals) = Default::default();
                state.signals.push(Signal::Finish);
            }
        });
    }

    async fn wait_for_room(&self) -> Result<(), Gone> {
        poll_fn(|cx| {
            let mut state = self.state();
            match state.outlook {
                Outlook::Open if state.octets.len() < PIECES_BYTES_MAX => Poll::Ready(Ok(())),
                Outlook::Open => {
                    let room = &mut state.streaming().room;
                    if !room.iter().any(|waiting| waiting.will_wake(cx.waker())) {
                        room.push(cx.waker().clone());
                    }
                    Poll::Pending
                }
                _ => Poll::Ready(Err(Gone)),
            }
        })
        .await
    }

    /// Waits until there is something to write or to do.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Taken> {
        let mut state = self.state();
        if state.has_something() {
            return Poll::Ready(taken(state));
        }
        match &state.taker {
            Some(Taker::Task(waker)) if waker.will_wake(cx.waker()) => {}
            _ => state.taker = Some(Taker::Task(cx.waker().clone())),
        }
        Poll::Pending
    }

    /// Whoever writes from now on rouses the conversation from that place. `false`: there is something to take already, so
    /// that it cannot rest.
    #[must_use]
    pub fn rest(&self, lot: &Arc<Lot>, key: Key) -> bool {
        let mut state = self.state();
        let rests = !state.has_something();
        if rests {
            state.taker = Some(Taker::AtRest(Arc::clone(lot), key));
        }
        rests
    }

    /// A line of the conversation's own, taken at once with all that was before it, and with nothing that comes after it.
    /// Not to be called while a message is half written.
    pub fn write_last(&self, response: &Response) -> Taken {
        let mut state = self.state();
        state.line(response);
        taken(state)
    }

    /// The conversation is over: writers are told, nothing is kept.
    pub fn close(&self) {
        let room = {
            let mut state = self.state();
            state.outlook = Outlook::Gone;
            (state.octets, state.signals, state.taker) = Default::default();
            state.streaming.take().map(|streaming| streaming.room)
        };
        room.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Takes all there is, and tells those who wait for room.
fn taken(mut state: MutexGuard<'_, State>) -> Taken {
    let taken = Taken {
        octets: Bytes::from(std::mem::take(&mut state.octets)),
        signals: std::mem::take(&mut state.signals),
        lines: (state.held() == 0).then_some(state.lines),
        caused_at: state.caused_at.take(),
    };
    let room = state.streaming.as_mut().map(|streaming| std::mem::take(&mut streaming.room));
    if !state.message_open {
        state.streaming = None;
    }
    drop(state);
    room.into_iter().flatten().for_each(Waker::wake);
    taken
}

impl State {
    fn has_something(&self) -> bool {
        !self.octets.is_empty() || !self.signals.is_empty() || self.outlook == Outlook::Overflowed
    }

    fn streaming(&mut self) -> &mut Streaming {
        self.streaming.get_or_insert_default()
    }

    /// Octets of lines that wait for the end of a message.
    fn held(&self) -> usize {
        self.streaming.as_ref().map_or(0, |streaming| streaming.held.len())
    }

    fn line(&mut self, response: &Response) {
        let target = if self.message_open { &mut self.streaming().held } else { &mut self.octets };
        pimap_wire::encode::encode(response, target);
        self.said = true;
    }

    fn release(&mut self) {
        self.message_open = false;
        if let Some(streaming) = &mut self.streaming {
            self.octets.append(&mut streaming.held);
            self.signals.append(&mut streaming.held_signals);
        }
    }
}

impl Streaming {
    fn is_holding(&self) -> bool {
        !self.held.is_empty() || !self.held_signals.is_empty()
    }
}

/// The handset's side is gone, or is about to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;
