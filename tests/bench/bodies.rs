//! Bodies of 1 KB, 100 KB and 10 MB fetched over plain IMAP, ten megabytes with one command, in turns: straight from Dovecot,
//! through each peer and through the gateway. How many megabytes a second, and how much processor time a gigabyte takes of
//! what stands in the way (the mail server's own and the client's are in neither).

use pimap_tests::dovecot::{Dovecot, mail};

use crate::client::Client;
use crate::peers::Security;
use crate::process::processor_seconds;
use crate::report::{Aim, Report, median};
use crate::ways::{PEERS, Ways};

/// Octets of all bodies of a mailbox together.
const OCTETS: usize = 10_000_000;
/// Mailboxes by the size of their bodies: whose INBOX it is, its name in a row, the size.
const SIZES: [(&str, &str, usize); 3] =
    [("small", "1 KB", 1_000), ("medium", "100 KB", 100_000), ("large", "10 MB", OCTETS)];
/// Turns.
const TURNS: usize = 15;
/// What is fetched.
const FETCH: &str = "UID FETCH 1:* BODY.PEEK[]";

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let dovecot = Dovecot::start();
    for (user, _, size) in SIZES {
        fill(&dovecot, user, size);
    }
    for security in [Security::Plain, Security::Tls] {
        let mut ways = Ways::before(&dovecot, security);
        for (user, size, _) in SIZES {
            compare(report, &mut ways, user, &format!("FETCH of {size} bodies, {}", security.name()));
        }
    }
}

fn compare(report: &mut Report, ways: &mut Ways, user: &str, what: &str) {
    let (gateway, peers) = ways.processes();
    let [haproxy, nginx, proxy] = ways.theirs(user);
    let [first, second, third] = peers.map(Some);
    let mut taken = [
        (ways.ours(user), Some(gateway)),
        (haproxy, first),
        (nginx, second),
        (proxy, third),
        (ways.direct(user), None),
    ]
    .map(|(client, process)| Taken::begin(client, process));
    for _ in 0..TURNS {
        taken.iter_mut().for_each(Taken::take);
    }
    let [ours, theirs @ .., direct] = &taken;
    for (name, theirs) in PEERS.into_iter().zip(theirs) {
        let aim = (name == "nginx mail proxy").then_some(Aim::RatioAtLeast(0.9));
        report.compare(what, "MB/s", median(&ours.speeds), (name, median(&theirs.speeds)), aim);
    }
    report.compare(what, "MB/s", median(&ours.speeds), ("direct", median(&direct.speeds)), None);
    for (name, theirs) in PEERS.into_iter().zip(theirs) {
        let what = format!("{what}: processor");
        report.compare(
            what,
            "s/GB",
            ours.seconds_per_gigabyte(),
            (name, theirs.seconds_per_gigabyte()),
            None,
        );
    }
}

/// One way, and what it took.
struct Taken {
    client: Client,
    process: Option<u32>,
    speeds: Vec<f64>,
    seconds: f64,
    octets: f64,
}

impl Taken {
    fn begin(mut client: Client, process: Option<u32>) -> Taken {
        client.command("SELECT INBOX");
        client.command(FETCH);
        Taken { client, process, speeds: Vec::new(), seconds: 0.0, octets: 0.0 }
    }

    fn take(&mut self) {
        self.client.forget();
        let had = self.process.map(processor_seconds);
        let micros = self.client.timed(FETCH);
        // Octets as they came, since that is what a proxy copies. The cast: some megabytes.
        #[allow(clippy::cast_precision_loss)]
        let octets = self.client.down.len() as f64;
        self.speeds.push(octets / micros);
        self.octets += octets;
        if let (Some(had), Some(process)) = (had, self.process) {
            self.seconds += processor_seconds(process) - had;
        }
    }

    fn seconds_per_gigabyte(&self) -> f64 {
        self.seconds / (self.octets / 1e9)
    }
}

/// An INBOX of bodies of that size.
fn fill(dovecot: &Dovecot, user: &str, size: usize) {
    let line = "All work and no play makes a dull mail server, and a line of text like any other.\r\n";
    dovecot.deliver(user, &mail("boss@example.org", "one of many", &line.repeat(size / line.len())));
    let mut client = Client::login(dovecot.imap(), user);
    client.command("SELECT INBOX");
    let (mut count, wanted) = (1, OCTETS / size);
    while count < wanted {
        let more = count.min(wanted - count);
        client.command(&format!("UID COPY 1:{more} INBOX"));
        count += more;
        client.command("NOOP");
    }
}
