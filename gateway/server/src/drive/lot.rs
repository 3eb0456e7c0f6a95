//! Where connections at rest wait: no task, no buffer and no registration of each with the runtime, only a place here and one
//! registration with a poll of our own (design D16).
//!
//! ```text
//!              reserve ─► its outbox is told the key ─► settle ─────► at rest
//!                              │ something is written      ▲             │ octets or the end come, something is written,
//!                              └──► the place is rung ─────┘             ▼ its time is over
//!                                   (settle rouses at once)            roused: it runs again, as a task
//! ```
//!
//! Nothing is lost on the way there. What is written before the outbox knows the key keeps the conversation up; what is
//! written between that and its coming rings an empty place; what the socket had by then is told when it is registered.
//! A key is good for one rest: a call that comes late rouses nobody else.
//!
//! In: sleepers with their deadline, calls by key. Out: sleepers, each roused once.

#[cfg(test)]
mod tests;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Sockets whose news is taken at once.
const EVENTS_AT_ONCE: usize = 256;

/// The warden goes. No place has this name: there are not so many.
const END: Token = Token(usize::MAX);

/// Something that rests.
pub trait Sleeper: Send {
    /// The socket whose octets, or whose end, rouse it.
    fn socket(&self) -> RawFd;
    /// Lets it run again as a task of that runtime. It had better not come back before something has happened to it: its
    /// socket's news may not have reached the runtime yet, and perhaps it could not be watched here.
    fn rouse(self: Box<Self>, runtime: &Handle);
}

/// A place, for one rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    place: u32,
    turn: u32,
}

impl Key {
    fn token(self) -> Token {
        // Both halves fit: the gateway is for machines of 64 bits.
        Token((self.turn as usize) << 32 | self.place as usize)
    }

    fn of(token: Token) -> Self {
        Self { place: token.0 as u32, turn: (token.0 >> 32) as u32 }
    }
}

/// See the module.
pub struct Lot {
    registry: Registry,
    places: Mutex<Places>,
    /// The first deadline is earlier than it was.
    hurried: Notify,
    runtime: Handle,
    began: Instant,
}

impl fmt::Debug for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lot(..)")
    }
}

#[derive(Default)]
struct Places {
    all: Vec<Place>,
    free: Vec<u32>,
    /// Who is to be roused when, in whole seconds since the lot began: one list for all, and no timer for each.
    deadlines: BTreeSet<(u32, u32)>,
}

#[derive(Default)]
struct Place {
    turn: u32,
    deadline: u32,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Free,
    Reserved {
        rung: bool,
    },
    Taken(Box<dyn Sleeper>),
}

/// Looks after a lot: to be run as a task for as long as anybody may rest.
pub struct Warden {
    lot: Arc<Lot>,
    /// Ends the watch when the warden goes.
    end: Waker,
}

impl Lot {
    /// A lot without anybody in it, and its warden. To be called within a runtime.
    pub fn open() -> io::Result<(Arc<Self>, Warden)> {
        let poll = Poll::new()?;
        let end = Waker::new(poll.registry(), END)?;
        let lot = Arc::new(Self {
            registry: poll.registry().try_clone()?,
            places: Mutex::default(),
            hurried: Notify::new(),
            runtime: Handle::current(),
            began: Instant::now(),
        });
        let watched = Arc::clone(&lot);
        thread::Builder::new().name("lot".into()).spawn(move || watched.watch(poll))?;
        Ok((Arc::clone(&lot), Warden { lot, end }))
    }

    /// Whoever panics with the lock held has left nothing half done that matters to the others.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many rest.
    pub fn resting(&self) -> usize {
        let places = self.places();
        places.all.len() - places.free.len()
    }

    /// A place for somebody who is about to come.
    pub fn reserve(&self) -> Key {
        let mut places = self.places();
        let place = places.free.pop().unwrap_or_else(|| {
            places.all.push(Place::default());
            // As many as there are sockets, at most.
            (places.all.len() - 1) as u32
        });
        let turn = places.all.get_mut(place as usize).map_or(0, |place| {
            place.state = State::Reserved { rung: false };
            place.turn
        });
        Key { place, turn }
    }

    /// Nobody comes after all.
    pub fn release(&self, key: Key) {
        self.places().vacate(key);
    }

    /// Somebody comes to rest, until that deadline at most. Who was called meanwhile is roused at once.
    pub fn settle(&self, key: Key, sleeper: Box<dyn Sleeper>, deadline: Instant) {
        let socket = sleeper.socket();
        let (watched, called) = {
            let mut places = self.places();
            // Within the lock, so that its news is not told before it is here.
            let watched = self.registry.register(&mut SourceFd(&socket), key.token(), Interest::READABLE);
            let due = u32::try_from(deadline.saturating_duration_since(self.began).as_secs() + 1)
                .unwrap_or(u32::MAX);
            let hurries = places.deadlines.first().is_none_or(|(first, _)| due < *first);
            let called = places.settle(key, sleeper, due, watched.is_ok());
            if called.is_none() && hurries {
                self.hurried.notify_one();
            }
            (watched, called)
        };
        if let Err(error) = &watched {
            tracing::warn!(%error, "cannot watch a connection at rest");
        }
        if let Some(sleeper) = called {
            self.send_off(sleeper);
        }
    }

    /// Rouses whoever rests in that place, or is on the way to it.
    pub fn rouse(&self, key: Key) {
        let sleeper = self.places().rouse(key);
        if let Some(sleeper) = sleeper {
            self.send_off(sleeper);
        }
    }

    /// Rouses whose sockets have something, until the warden goes. A thread of its own: the runtime's way to wait for another
    /// poll is not safe (`AsyncFd`), and this one sleeps as long as all do.
    fn watch(&self, mut poll: Poll) {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        loop {
            if let Err(error) = poll.poll(&mut events, None) {
                // The system has nothing to refuse here but a signal's interruption, after which the watch goes on.
                tracing::debug!(%error, "connections at rest");
                continue;
            }
            for event in &events {
                match event.token() {
                    END => return,
                    token => self.rouse(Key::of(token)),
                }
            }
        }
    }

    fn send_off(&self, sleeper: Box<dyn Sleeper>) {
        // What was never registered cannot be deregistered; there is nothing else that could fail.
        drop(self.registry.deregister(&mut SourceFd(&sleeper.socket())));
        sleeper.rouse(&self.runtime);
    }

    /// Rouses all whose time is over. Returns when to look again.
    fn rouse_due(&self) -> Option<Instant> {
        let now = u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX);
        loop {
            let (sleeper, next) = {
                let mut places = self.places();
                match places.deadlines.first().copied() {
                    Some((due, place)) if due <= now => (places.rouse_in(place), None),
                    first => (None, Some(first.map(|(due, _)| due))),
                }
            };
            if let Some(next) = next {
                return next.map(|due| self.began + Duration::from_secs(due.into()));
            }
            if let Some(sleeper) = sleeper {
                self.send_off(sleeper);
            }
        }
    }
}

impl Places {
    fn of(&mut self, key: Key) -> Option<&mut Place> {
        self.all.get_mut(key.place as usize).filter(|place| place.turn == key.turn)
    }

    fn settle(
        &mut self,
        key: Key,
        sleeper: Box<dyn Sleeper>,
        due: u32,
        watched: bool,
    ) -> Option<Box<dyn Sleeper>> {
        match self.of(key) {
            Some(place) if watched && matches!(place.state, State::Reserved { rung: false }) => {
                place.state = State::Taken(sleeper);
                place.deadline = due;
                self.deadlines.insert((due, key.place));
                None
            }
            _ => {
                self.vacate(key);
                Some(sleeper)
            }
        }
    }

    fn rouse(&mut self, key: Key) -> Option<Box<dyn Sleeper>> {
        match &mut self.of(key)?.state {
            State::Reserved { rung } => {
                *rung = true;
                None
            }
            State::Taken(_) => self.vacate(key),
            State::Free => None,
        }
    }

    /// Rouses whoever rests in a place, whatever the turn.
    fn rouse_in(&mut self, place: u32) -> Option<Box<dyn Sleeper>> {
        let turn = self.all.get(place as usize)?.turn;
        self.vacate(Key { place, turn })
    }

    fn vacate(&mut self, key: Key) -> Option<Box<dyn Sleeper>> {
        let place = self.of(key)?;
        place.turn = place.turn.wrapping_add(1);
        let (due, state) = (place.deadline, std::mem::take(&mut place.state));
        self.free.push(key.place);
        match state {
            State::Taken(sleeper) => {
                self.deadlines.remove(&(due, key.place));
                Some(sleeper)
            }
            State::Free | State::Reserved { .. } => None,
        }
    }
}

impl Warden {
    /// Rouses whose time is over, for ever.
    pub async fn run(self) {
        loop {
            let next = self.lot.rouse_due();
            tokio::select! {
                () = at(next) => {}
                () = self.lot.hurried.notified() => {}
            }
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        if let Err(error) = self.end.wake() {
            tracing::error!(%error, "the watch on connections at rest does not end");
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
