//! A small command: NOOP with INBOX selected, one after the other, in rounds that take turns: direct to Dovecot, through
//! HAProxy (which copies octets and no more), nginx's mail proxy and Dovecot as a proxy, and through the gateway as plain
//! IMAP, as a device and on an open HTTP request. Ratios are to the direct round of the same turn, which is plain always: TLS
//! is part of what a proxy that ends it adds.

use std::time::Instant;

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::http::{Duplex, Post};

use crate::client::Client;
use crate::peers::Security;
use crate::report::{Aim, Report, median, percentile};
use crate::ways::{PEERS, Ways};

/// Rounds of each way.
const ROUNDS: usize = 40;
/// Commands in a round.
const COMMANDS: usize = 100;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let dovecot = Dovecot::start();
    dovecot.deliver("joe", &mail("boss@example.org", "first", "text"));
    for (security, limit) in [(Security::Plain, 1.4), (Security::Tls, 1.7)] {
        let ways = Ways::before(&dovecot, security);
        let mut turns = Turns::begin(&dovecot, &ways);
        for _ in 0..ROUNDS {
            turns.take();
        }
        turns.report(report, security.name(), limit);
    }
}

/// The connections that take turns, and what was measured on each.
struct Turns {
    base: Client,
    direct: Client,
    theirs: [Client; PEERS.len()],
    regular: Client,
    device: Client,
    stream: Duplex,
    bases: Vec<f64>,
    /// Over the base of the same turn: direct, each peer, plain IMAP, device, HTTP.
    ratios: [Vec<f64>; PEERS.len() + 4],
    all: Vec<f64>,
}

impl Turns {
    fn begin(dovecot: &Dovecot, ways: &Ways) -> Turns {
        let selected = |mut client: Client| {
            client.command("SELECT INBOX");
            client
        };
        let commands = "A1 LOGIN joe#P2 pw\r\nA2 SELECT INBOX\r\n";
        let mut stream =
            Duplex::open(&ways.gateway().site(), &Post::new(""), commands).expect("an open request");
        stream.until("A2").expect("a selected INBOX");
        Turns {
            base: selected(Client::login(dovecot.imap(), "joe")),
            direct: selected(ways.direct("joe")),
            theirs: ways.theirs("joe").map(selected),
            regular: selected(ways.ours("joe")),
            device: selected(ways.ours("joe#P1")),
            stream,
            bases: Vec::new(),
            ratios: Default::default(),
            all: Vec::new(),
        }
    }

    fn take(&mut self) {
        let base = median(&times(|| noop(&mut self.base)));
        self.bases.push(base);
        let ours = times(|| noop(&mut self.regular));
        let over_http = || {
            let began = Instant::now();
            self.stream.say("n NOOP\r\n").expect("an open request");
            self.stream.until("n").expect("an answer to NOOP");
            began.elapsed().as_secs_f64() * 1e6
        };
        let mut taken = vec![median(&times(|| noop(&mut self.direct)))];
        taken.extend(self.theirs.iter_mut().map(|client| median(&times(|| noop(client)))));
        taken.push(median(&ours));
        taken.push(median(&times(|| noop(&mut self.device))));
        taken.push(median(&times(over_http)));
        for (ratios, taken) in self.ratios.iter_mut().zip(taken) {
            ratios.push(taken / base);
        }
        self.all.extend(ours);
    }

    fn report(&self, report: &mut Report, security: &str, limit: f64) {
        let [direct, rest @ ..] = self.ratios.each_ref().map(|ratios| median(ratios));
        let (theirs, [regular, device, stream]) = rest.split_at(PEERS.len()) else { unreachable!() };
        report.alone(
            format!("NOOP direct to Dovecot, plain, p50 ({security} run)"),
            "us",
            median(&self.bases),
            None,
        );
        if security != "plain" {
            report.alone(format!("NOOP over plain direct, {security}, direct to Dovecot"), "x", direct, None);
        }
        let what = |who| format!("NOOP over plain direct, {security}, {who}");
        for (name, theirs) in PEERS.into_iter().zip(theirs) {
            report.compare(what("plain IMAP"), "x", *regular, (name, *theirs), Some(Aim::AtMost(limit)));
        }
        let haproxy = (PEERS[0], theirs[0]);
        report.compare(what("device over IMAP"), "x", *device, haproxy, None);
        report.compare(what("device on an HTTP stream"), "x", *stream, haproxy, None);
        let p99 = percentile(&self.all, 0.99) / 1e3;
        report.alone(
            format!("NOOP, {security}, plain IMAP, p99: no stall"),
            "ms",
            p99,
            Some(Aim::AtMost(20.0)),
        );
    }
}

fn times(command: impl FnMut() -> f64) -> Vec<f64> {
    std::iter::repeat_with(command).take(COMMANDS).collect()
}

fn noop(client: &mut Client) -> f64 {
    client.forget();
    client.timed("NOOP")
}
