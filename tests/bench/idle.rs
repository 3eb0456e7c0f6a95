//! What an idle session costs: KiB of proportional memory for each handset that is logged in, has INBOX selected and is
//! in IDLE on an open HTTP request, everything that is cached for it included (its session, its share of the account and
//! of the watching connection). Beside it nginx with the same number of requests waiting. Kernel memory of sockets is in
//! neither.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pimap_tests::gateway::Gateway;
use pimap_tests::http::{Connection, Duplex, Post, Site};
use pimap_tests::wait::eventually;

use crate::peers::{Peer, Security};
use crate::process::memory_kib;
use crate::push::{before, listening};
use crate::report::{Aim, Report};
use crate::upstream::{Riches, Scripted};

/// Devices of one account where accounts are shared.
const SHARED: usize = 32;
/// Sessions that are there before counting begins, so that pools and tables are not counted.
pub const WARM: usize = 64;
/// Connections are opened by so many threads.
const OPENERS: usize = 4;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    for (tls, name, aim) in [(false, "plain", 13.0), (true, "TLS", 18.0)] {
        for (sessions, peer) in [(1_000, "nginx long-poll"), (5_000, "nginx long-poll")] {
            let theirs = nginx(sessions, tls);
            let ours = gateway(sessions, SHARED, tls);
            let what = format!("idle inband session, {name}, {sessions} live, {SHARED} an account");
            report.compare(what, "KiB", ours, (peer, theirs), Some(Aim::AtMost(aim)));
        }
    }
    let ours = gateway(1_000, 1, false);
    report.alone("idle inband session, plain, 1000 live, each its own account", "KiB", ours, None);
}

/// KiB for each session.
fn gateway(sessions: usize, devices: usize, tls: bool) -> f64 {
    let server = Scripted::start(Riches::Notify);
    let config = before(server.address().port());
    let mut gateway = if tls { Gateway::start_tls(config) } else { Gateway::start(config) };
    let site = gateway.site();
    let login = |number: usize| format!("u{}#P{}", number / devices, number % devices);
    let held: Vec<Duplex> = opened(0..WARM, |number| listening(&site, &login(number)));
    let process = gateway.process_id();
    let before = memory_kib(process);
    let more: Vec<Duplex> = opened(WARM..WARM + sessions, |number| listening(&site, &login(number)));
    let after = memory_kib(process);
    drop((held, more));
    each(after - before, sessions)
}

/// The same for nginx.
fn nginx(sessions: usize, tls: bool) -> f64 {
    let (holder, waiting) = holder();
    let security = if tls { Security::Tls } else { Security::Plain };
    let mut nginx = Peer::nginx(holder, security);
    let site = Site { address: nginx.address(), tls: nginx.trust() };
    let post = Post::new("A1 LOGIN u1#P1 pw\r\nA2 SELECT INBOX\r\nA3 IDLE\r\n").bytes();
    let open = |_| {
        let mut connection = site.connect().expect("a connection to nginx");
        connection.send(&post).expect("nginx takes a request");
        connection
    };
    let until = |count| {
        let all = || (waiting.load(Ordering::SeqCst) >= count).then_some(());
        eventually("requests wait behind nginx", all);
    };
    let held: Vec<Connection> = opened(0..WARM, open);
    until(WARM);
    let before = memory_kib(nginx.process_id());
    let more: Vec<Connection> = opened(0..sessions, open);
    until(WARM + sessions);
    let after = memory_kib(nginx.process_id());
    drop((held, more));
    each(after - before, sessions)
}

/// A server that takes requests and never answers; and how many wait.
fn holder() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let waiting = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&waiting);
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        let mut buffer = [0; 4096];
        for mut stream in listener.incoming().flatten() {
            let read = stream.read(&mut buffer).unwrap_or(0);
            // A request that came is held; a probe that came without one is let go.
            if read > 0 {
                held.push(stream);
                count.fetch_add(1, Ordering::SeqCst);
            } else {
                let _ = stream.flush();
            }
        }
    });
    (address, waiting)
}

/// Opens many connections by a few threads.
pub fn opened<T: Send>(numbers: std::ops::Range<usize>, open: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(numbers.start);
    let opener = || {
        let mut held = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= numbers.end {
                return held;
            }
            held.push(open(number));
        }
    };
    thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(opener)).collect();
        openers.into_iter().flat_map(|opener| opener.join().expect("an opener")).collect()
    })
}

/// The share of one.
pub fn each(kib: f64, sessions: usize) -> f64 {
    kib / f64::from(u32::try_from(sessions).expect("a few thousand"))
}
