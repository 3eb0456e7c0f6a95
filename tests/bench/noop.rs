//! A small command: NOOP with INBOX selected, one after the other, in rounds that take turns: direct to Dovecot, through
//! HAProxy (which copies octets and no more), through the gateway as plain IMAP, as a device and on an open HTTP request.
//! Ratios are to the direct round of the same turn.

use std::time::Instant;

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::http::{Duplex, Post};

use crate::client::Client;
use crate::peers::Peer;
use crate::report::{Aim, Report, median, percentile};

/// Rounds of each way.
const ROUNDS: usize = 40;
/// Commands in a round.
const COMMANDS: usize = 100;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let dovecot = Dovecot::start();
    dovecot.deliver("joe", &mail("boss@example.org", "first", "text"));
    let haproxy = Peer::haproxy(dovecot.imap());
    let gateway = Gateway::start(Config::before(&dovecot));
    let selected = |address, user| {
        let mut client = Client::login(address, user);
        client.command("SELECT INBOX");
        client
    };
    let mut direct = selected(dovecot.imap(), "joe");
    let mut proxied = selected(haproxy.address(), "joe");
    let mut regular = selected(gateway.address("imap"), "joe");
    let mut device = selected(gateway.address("imap"), "joe#P1");
    let commands = "A1 LOGIN joe#P2 pw\r\nA2 SELECT INBOX\r\n";
    let mut stream = Duplex::open(&gateway.site(), &Post::new(""), commands).expect("an open request");
    stream.until("A2").expect("a selected INBOX");

    let mut rounds: [Vec<f64>; 5] = Default::default();
    let mut all: Vec<f64> = Vec::new();
    for _ in 0..ROUNDS {
        let base = median(&times(|| noop(&mut direct)));
        rounds[0].push(base);
        rounds[1].push(median(&times(|| noop(&mut proxied))) / base);
        let ours = times(|| noop(&mut regular));
        rounds[2].push(median(&ours) / base);
        all.extend(ours);
        rounds[3].push(median(&times(|| noop(&mut device))) / base);
        let over_http = times(|| {
            let began = Instant::now();
            stream.say("n NOOP\r\n").expect("an open request");
            stream.until("n").expect("an answer to NOOP");
            began.elapsed().as_secs_f64() * 1e6
        });
        rounds[4].push(median(&over_http) / base);
    }
    let haproxy = ("HAProxy TCP", median(&rounds[1]));
    report.alone("NOOP direct to Dovecot, p50", "us", median(&rounds[0]), None);
    let aim = Some(Aim::AtMost(1.4));
    report.compare("NOOP over direct, plain IMAP", "x", median(&rounds[2]), haproxy, aim);
    report.compare("NOOP over direct, device over IMAP", "x", median(&rounds[3]), haproxy, None);
    report.compare("NOOP over direct, device on an HTTP stream", "x", median(&rounds[4]), haproxy, None);
    report.alone(
        "NOOP, plain IMAP, p99: no stall",
        "ms",
        percentile(&all, 0.99) / 1e3,
        Some(Aim::AtMost(20.0)),
    );
}

fn times(command: impl FnMut() -> f64) -> Vec<f64> {
    std::iter::repeat_with(command).take(COMMANDS).collect()
}

fn noop(client: &mut Client) -> f64 {
    client.forget();
    client.timed("NOOP")
}
