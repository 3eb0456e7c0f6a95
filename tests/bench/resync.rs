//! Synchronising 10 000 messages by plain IMAP after 10 new, 20 flags, 5 gone: through the gateway by QRESYNC, which before a
//! poor server is the gateway's own, and straight at the same server by what it has: comparison of all flags, or QRESYNC.
//! Round trips after LOGIN, octets down, time.

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway};
use std::net::SocketAddr;
use std::time::Instant;

use crate::client::Client;
use crate::report::{Aim, Report, median};
use crate::resume::{change, fill};

/// Messages.
const MESSAGES: u32 = 10_000;
/// How often each way is gone.
const TURNS: usize = 7;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    for (name, dovecot, rich) in
        [("poor Dovecot", Dovecot::poor(), false), ("rich Dovecot", Dovecot::start(), true)]
    {
        let (ours, theirs) = compare(&dovecot, rich);
        let peer = if rich { "QRESYNC, direct" } else { "comparison of flags, direct" };
        let at_most = |limit| (!rich).then_some(Aim::RatioAtMost(limit));
        let what = |what: &str| format!("resync of 10 000 by QRESYNC, {name}: {what}");
        report.compare(what("round trips"), "", ours.trips, (peer, theirs.trips), at_most(1.0));
        report.compare(what("octets down"), "octets", ours.octets, (peer, theirs.octets), at_most(0.1));
        report.compare(what("time"), "ms", ours.millis, (peer, theirs.millis), None);
    }
}

/// What a way took.
struct Taken {
    trips: f64,
    octets: f64,
    millis: f64,
}

fn compare(dovecot: &Dovecot, rich: bool) -> (Taken, Taken) {
    let mut other = fill(dovecot, "joe", MESSAGES);
    let gateway = Gateway::start(Config::before(dovecot));
    let address = gateway.address("imap");
    // A device of the account keeps it loaded and watched, as it is where anybody uses P-IMAP.
    let mut device = Client::login(address, "joe#P1");
    device.command("SELECT INBOX");
    let mut client = Client::login(address, "joe");
    client.command("ENABLE QRESYNC");
    client.forget();
    client.command("SELECT INBOX");
    let ours = (client.code("UIDVALIDITY"), client.code("HIGHESTMODSEQ"));
    client.command("LOGOUT");
    other.command("EXAMINE INBOX");
    let theirs = rich.then(|| (other.code("UIDVALIDITY"), other.code("HIGHESTMODSEQ")));
    change(dovecot, &mut other, "joe", MESSAGES);
    let told = || {
        device.command("NOOP");
        String::from_utf8_lossy(&device.down)
            .contains(&format!("* {} EXISTS", MESSAGES + 10 - 5))
            .then_some(())
    };
    pimap_tests::wait::eventually("the gateway knows of all changes", told);
    (take(address, Some(ours)), take(dovecot.imap(), theirs))
}

/// What a client pays that knew the mailbox then; by QRESYNC where it has something to resume from.
fn take(address: SocketAddr, known: Option<(u64, u64)>) -> Taken {
    let commands = match known {
        Some((validity, mod_seq)) => {
            let select = format!("SELECT INBOX (QRESYNC ({validity} {mod_seq} 1:{MESSAGES}))");
            ["ENABLE QRESYNC".to_owned(), select]
        }
        None => ["SELECT INBOX".to_owned(), "UID FETCH 1:* (FLAGS)".to_owned()],
    };
    let (mut millis, mut taken) = (Vec::new(), (0, 0));
    for _ in 0..TURNS {
        let mut client = Client::login(address, "joe");
        let began = Instant::now();
        for command in &commands {
            client.command(command);
        }
        millis.push(began.elapsed().as_secs_f64() * 1e3);
        taken = (client.round_trips, client.down.len());
        check(&String::from_utf8_lossy(&client.down), known.is_some());
        client.command("LOGOUT");
    }
    let number = |count: usize| f64::from(u32::try_from(count).expect("less than 4 GiB"));
    Taken { trips: number(taken.0), octets: number(taken.1), millis: median(&millis) }
}

/// The answer holds all that happened.
fn check(told: &str, quick: bool) {
    let flagged = told.lines().filter(|line| line.contains("\\Flagged") && line.contains(" FETCH (")).count();
    assert!(flagged >= 20, "{flagged} of 20 flags told");
    assert!(told.contains(&format!("* {} EXISTS", MESSAGES + 10 - 5)), "another count than expected");
    assert_eq!(quick, told.contains("* VANISHED (EARLIER) "), "departures of a QRESYNC");
}
