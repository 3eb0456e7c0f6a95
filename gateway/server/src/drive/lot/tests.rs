//! The lot with sleepers that say when they are roused: each way to be roused, and every moment at which a call may come.

use super::*;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Says its name when it is roused.
struct Dreamer<S> {
    name: &'static str,
    socket: S,
    told: UnboundedSender<&'static str>,
}

impl<S: AsRawFd + Send> Sleeper for Dreamer<S> {
    fn socket(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn rouse(self: Box<Self>, _runtime: &Handle) {
        self.told.send(self.name).expect("a test that listens");
    }
}

struct Night {
    lot: Arc<Lot>,
    told: UnboundedSender<&'static str>,
    roused: UnboundedReceiver<&'static str>,
}

impl Night {
    fn begin() -> Self {
        let (lot, warden) = Lot::open().expect("a lot");
        tokio::spawn(warden.run());
        let (told, roused) = unbounded_channel();
        Self { lot, told, roused }
    }

    /// Somebody on the way to rest, and the other end of its socket.
    fn dreamer(&self, name: &'static str) -> (Box<Dreamer<UnixStream>>, UnixStream) {
        let (socket, other) = UnixStream::pair().expect("two sockets");
        (Box::new(Dreamer { name, socket, told: self.told.clone() }), other)
    }

    /// Somebody at rest.
    fn asleep(&self, name: &'static str, patience: Duration) -> (Key, UnixStream) {
        let (dreamer, other) = self.dreamer(name);
        let key = self.lot.reserve();
        self.lot.settle(key, dreamer, Instant::now() + patience);
        (key, other)
    }

    async fn next(&mut self) -> &'static str {
        self.roused.recv().await.expect("somebody is roused")
    }

    fn nobody_else(&mut self) {
        assert!(self.roused.try_recv().is_err());
    }
}

const LONG: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn octets_and_the_end_rouse_whose_socket_has_them() {
    let mut night = Night::begin();
    let (_, mut first) = night.asleep("first", LONG);
    let (_, second) = night.asleep("second", LONG);
    assert_eq!(night.lot.resting(), 2);
    first.write_all(b"DONE\r\n").expect("written");
    assert_eq!(night.next().await, "first");
    drop(second);
    assert_eq!(night.next().await, "second");
    assert_eq!(night.lot.resting(), 0);
}

#[tokio::test]
async fn what_the_socket_had_before_is_seen() {
    let mut night = Night::begin();
    let (dreamer, mut other) = night.dreamer("one");
    other.write_all(b"DONE\r\n").expect("written");
    let key = night.lot.reserve();
    night.lot.settle(key, dreamer, Instant::now() + LONG);
    assert_eq!(night.next().await, "one");
}

/// The place is known to the outbox before anybody is in it: a call that finds it empty is kept for who comes.
#[tokio::test]
async fn a_call_on_the_way_to_rest_is_not_lost() {
    let mut night = Night::begin();
    let (dreamer, _other) = night.dreamer("one");
    let key = night.lot.reserve();
    night.lot.rouse(key);
    night.nobody_else();
    night.lot.settle(key, dreamer, Instant::now() + LONG);
    assert_eq!(night.next().await, "one");
    assert_eq!(night.lot.resting(), 0);
}

#[tokio::test]
async fn whoever_is_called_and_has_octets_is_roused_once() {
    let mut night = Night::begin();
    let (key, mut other) = night.asleep("one", LONG);
    // The warden has not run since: both are news.
    other.write_all(b"DONE\r\n").expect("written");
    night.lot.rouse(key);
    night.lot.rouse(key);
    assert_eq!(night.next().await, "one");
    // Whoever comes next gets the same place; news of the one before is none for it.
    let (_, mut next) = night.asleep("next", LONG);
    night.lot.rouse(key);
    night.lot.release(key);
    let (_, mut last) = night.asleep("last", LONG);
    last.write_all(b"DONE\r\n").expect("written");
    assert_eq!(night.next().await, "last");
    next.write_all(b"DONE\r\n").expect("written");
    assert_eq!(night.next().await, "next");
    night.nobody_else();
}

#[tokio::test(start_paused = true)]
async fn deadlines_come_in_their_order_and_never_early() {
    let mut night = Night::begin();
    let (_, _late) = night.asleep("late", Duration::from_millis(240_500));
    tokio::task::yield_now().await;
    let (_, _soon) = night.asleep("soon", Duration::from_secs(60));
    let (gone, _gone) = night.asleep("gone", Duration::from_secs(120));
    night.lot.rouse(gone);
    assert_eq!(night.next().await, "gone");
    let began = Instant::now();
    for (name, least) in [("soon", 60_000), ("late", 240_500)] {
        assert_eq!(night.next().await, name);
        let took = began.elapsed().as_millis();
        assert!((least..least + 1_500).contains(&took), "{name} after {took} ms");
    }
    night.nobody_else();
}

/// The system watches only so many, and not everything: whoever cannot be watched is not forgotten.
#[tokio::test]
async fn what_cannot_be_watched_stays_up() {
    let mut night = Night::begin();
    let socket = std::fs::File::open("Cargo.toml").expect("a file, which no poll takes");
    let key = night.lot.reserve();
    let dreamer = Dreamer { name: "one", socket, told: night.told.clone() };
    night.lot.settle(key, Box::new(dreamer), Instant::now() + LONG);
    assert_eq!(night.next().await, "one");
    assert_eq!(night.lot.resting(), 0);
}

#[tokio::test]
async fn a_place_given_back_is_free() {
    let night = Night::begin();
    let key = night.lot.reserve();
    night.lot.release(key);
    assert_eq!(night.lot.resting(), 0);
    let next = night.lot.reserve();
    assert_eq!(next.place, key.place);
    assert_ne!(next, key);
}

/// The other half of the way to rest: the outbox looks and remembers the place in one go.
#[tokio::test]
async fn an_outbox_lets_nobody_rest_on_what_it_holds() {
    let mut night = Night::begin();
    let line = || pimap_types::Response::Continuation("idling".into());
    let outbox = crate::drive::outbox::Outbox::default();
    let (dreamer, _other) = night.dreamer("one");
    let key = night.lot.reserve();
    outbox.write_own(&line());
    assert!(!outbox.rest(&night.lot, key));
    let cx = &mut std::task::Context::from_waker(std::task::Waker::noop());
    assert!(outbox.poll_take(cx).is_ready());
    assert!(outbox.rest(&night.lot, key));
    // Written before the place is taken, and once more: both ring it, and one rouses.
    outbox.write_own(&line());
    outbox.write_own(&line());
    night.lot.settle(key, dreamer, Instant::now() + LONG);
    assert_eq!(night.next().await, "one");
    night.nobody_else();
    assert!(outbox.poll_take(cx).is_ready());
}
