//! What an idle IMAP connection costs: KiB of proportional memory for each that is logged in, has INBOX selected and is in
//! IDLE; for the gateway everything that is cached for it included. Beside it HAProxy, nginx's mail proxy and Dovecot with
//! hibernation, which hold as many before the same mail server, or are it. Kernel memory of sockets is in none.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use pimap_tests::gateway::Gateway;
use pimap_tests::http::{Post, Site};
use pimap_tests::wait::within;

use crate::client::{Link, Trust, connect};
use crate::idle::{WARM, each, opened};
use crate::peers::{Peer, Security};
use crate::process::{count_named, memory_kib};
use crate::push::before;
use crate::report::{Aim, Report};
use crate::upstream::{Riches, Scripted};

/// Connections held.
const CONNECTIONS: usize = 4_000;
/// Connections of one account where accounts are shared.
const SHARED: usize = 32;
/// The gateway's connections rest at once; the last of them may still be on its way there.
const AT_REST: Duration = Duration::from_secs(30);
/// Dovecot hibernates a connection after a second, and moves thousands not at once.
const HIBERNATED: Duration = Duration::from_secs(120);

/// Takes the figure.
pub fn measure(report: &mut Report) {
    for (security, aim) in [(Security::Plain, 2.5), (Security::Tls, 6.0)] {
        let device = |number: usize| format!("u{}#P{}", number / SHARED, number % SHARED);
        let name = security.name();
        let ours = gateway(CONNECTIONS, &device, security, "");
        let what = format!("idle IMAP connection, {name}, {CONNECTIONS}, {SHARED} an account");
        for (peer, theirs) in peers(security) {
            report.compare(format!("{what}, device"), "KiB", ours, (peer, theirs), Some(Aim::AtMost(aim)));
        }
        let ours = gateway(CONNECTIONS, &regular, security, "");
        report.alone(format!("{what}, regular"), "KiB", ours, Some(Aim::AtMost(aim)));
        let ours = gateway(CONNECTIONS, &device, security, "COMPRESS DEFLATE");
        report.alone(format!("{what}, device, compressed"), "KiB", ours, None);
    }
    let own = |number: usize| format!("u{number}");
    let ours = gateway(1_000, &own, Security::Plain, "");
    report.alone("idle IMAP connection, plain, 1000, each its own account", "KiB", ours, None);
}

/// The name a connection logs in by.
type Login<'a> = &'a (dyn Fn(usize) -> String + Sync);

fn regular(number: usize) -> String {
    format!("u{}", number / SHARED)
}

/// KiB for each connection. `last` is a command before IDLE, where there is one.
fn gateway(connections: usize, login: Login<'_>, security: Security, last: &str) -> f64 {
    let server = Scripted::start(Riches::Notify);
    let config = before(server.address().port()).with("listen.admin", "127.0.0.1:0");
    let (mut gateway, listener) = match security {
        Security::Plain => (Gateway::start(config), "imap"),
        Security::Tls => (Gateway::start_tls(config.with("listen.imaps", "127.0.0.1:0")), "imaps"),
    };
    let admin = Site::plain(gateway.address("admin"));
    let settled = |held: usize| {
        let all = || (resting(&admin) >= held).then_some(());
        within(AT_REST, all).unwrap_or_else(|| panic!("{} of {held} connections rest", resting(&admin)));
    };
    let (address, trust) = (gateway.address(listener), gateway.site().tls);
    let process = gateway.process_id();
    held(connections, process, &|number| Idler::new(address, &trust, &login(number), last), settled)
}

/// How many connections the gateway says are at rest.
fn resting(admin: &Site) -> usize {
    let metrics = admin.post(&Post::new("").line("GET", "/metrics")).expect("the gateway's metrics").text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("pimap_connections_resting "));
    line.and_then(|count| count.parse().ok()).expect("the connections that rest")
}

/// The same of each peer.
fn peers(security: Security) -> [(&'static str, f64); 3] {
    let server = Scripted::start(Riches::Notify).address();
    let proxy = |mut peer: Peer| {
        let (address, trust, process) = (peer.address(), peer.trust(), peer.process_id());
        held(CONNECTIONS, process, &|number| Idler::new(address, &trust, &regular(number), ""), |_| {})
    };
    [
        ("HAProxy TCP", proxy(Peer::haproxy(server, security))),
        ("nginx mail proxy", proxy(Peer::nginx_mail(server, security))),
        ("Dovecot hibernating", hibernating(security)),
    ]
}

fn hibernating(security: Security) -> f64 {
    let mut peer = Peer::dovecot_hibernating(security);
    let (address, trust, process) = (peer.address(), peer.trust(), peer.process_id());
    let settled = |_| {
        let asleep = || (count_named(process, "imap") == 0).then_some(());
        let left = || format!("{} sessions do not hibernate", count_named(process, "imap"));
        within(HIBERNATED, asleep)
            .unwrap_or_else(|| panic!("{}; are there inotify instances enough?", left()));
    };
    // An INBOX is made when it is first opened; of two connections that open it at once, one would be refused.
    for number in (0..WARM + CONNECTIONS).step_by(SHARED) {
        drop(Idler::new(address, &trust, &regular(number), ""));
    }
    held(CONNECTIONS, process, &|number| Idler::new(address, &trust, &regular(number), ""), settled)
}

/// KiB of a program for each of so many connections more, when they have settled.
fn held(
    connections: usize,
    process: u32,
    hold: &(dyn Fn(usize) -> Idler + Sync),
    settled: impl Fn(usize),
) -> f64 {
    let few: Vec<Idler> = opened(0..WARM, hold);
    settled(WARM);
    let before = memory_kib(process);
    let more: Vec<Idler> = opened(WARM..WARM + connections, hold);
    settled(WARM + connections);
    let after = memory_kib(process);
    drop((few, more));
    each(after - before, connections)
}

/// A connection in IDLE.
struct Idler {
    _link: Box<dyn Link>,
}

impl Idler {
    fn new(address: SocketAddr, trust: &Trust, login: &str, last: &str) -> Idler {
        let mut link = connect(address, trust);
        until(&mut link, "* OK ");
        let compresses = last.starts_with("COMPRESS");
        for (command, answer) in
            [(&*format!("LOGIN {login} pw"), "a OK"), ("SELECT INBOX", "a OK"), (last, "a OK")]
        {
            if !command.is_empty() {
                link.write_all(format!("a {command}\r\n").as_bytes())
                    .expect("a connection that takes commands");
                until(&mut link, answer);
            }
        }
        if compresses {
            let mut compress = flate2::Compress::new(flate2::Compression::default(), false);
            let mut octets = Vec::with_capacity(128);
            let flush = flate2::FlushCompress::Sync;
            compress.compress_vec(b"a IDLE\r\n", &mut octets, flush).expect("a compressed command");
            link.write_all(&octets).expect("a connection that takes commands");
            let read = link.read(&mut [0; 256]).expect("an answer to IDLE");
            assert!(read > 0, "the connection ended");
        } else {
            link.write_all(b"a IDLE\r\n").expect("a connection that takes commands");
            until(&mut link, "+ ");
        }
        Idler { _link: link }
    }
}

/// Reads until the last line begins so.
fn until(link: &mut impl Read, beginning: &str) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = link.read(&mut buffer).expect("an answer in time");
        heard.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&heard);
        assert!(read > 0, "the connection ended after {text:?}");
        if text.ends_with("\r\n") && text.lines().last().is_some_and(|line| line.starts_with(beginning)) {
            return;
        }
        assert!(!text.contains("a NO ") && !text.contains("a BAD "), "{text:?}");
    }
}
