//! What an account costs the mail server: its connections there, counted by Dovecot itself, for three devices that hear of
//! five mailboxes each, idle and busy; beside them fifteen plain clients in IDLE, which is how three devices hear of five
//! mailboxes without NOTIFY, straight at Dovecot and through the gateway.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::wait::within;

use crate::client::Client;
use crate::report::{Aim, Report};

/// The mailboxes of each device.
const MAILBOXES: [&str; 5] = ["INBOX", "Work", "Family", "Lists", "Bills"];
/// Devices of the account.
const DEVICES: usize = 3;
/// For so long the devices are busy.
const BUSY: Duration = Duration::from_secs(4);
/// Connections that are not needed any more go after a while; so long their number is looked at.
const SETTLED: Duration = Duration::from_secs(90);

/// Takes the figure.
pub fn measure(report: &mut Report) {
    // Without NOTIFY the most important other mailboxes are watched on two connections to spare (F48).
    for (name, dovecot, least) in
        [("rich Dovecot", Dovecot::start(), 1.0), ("poor Dovecot", Dovecot::poor(), 3.0)]
    {
        fill(&dovecot);
        let plain = {
            let _clients = plain_clients(dovecot.imap());
            count(&dovecot)
        };
        let peer = ("15 plain IDLE clients", plain);
        let (idle, busy) = devices(&dovecot, least);
        let what =
            |how: &str| format!("upstream connections, {DEVICES} devices x 5 mailboxes, {name}, {how}");
        report.compare(what("idle"), "", idle, peer, Some(Aim::AtMost(least)));
        report.compare(what("busy, most"), "", busy, peer, Some(Aim::AtMost(3.0)));
        let gateway = Gateway::start(Config::before(&dovecot));
        let _clients = plain_clients(gateway.address("imap"));
        let what = format!("upstream connections, the same 15 clients through the gateway, {name}");
        report.compare(what, "", settled(&dovecot, least), peer, None);
    }
}

/// Connections while the devices only listen, and the most while they all work.
fn devices(dovecot: &Dovecot, least: f64) -> (f64, f64) {
    let gateway = Gateway::start(Config::before(dovecot));
    let devices: Vec<Client> = (0..DEVICES).map(|number| device(gateway.address("imap"), number)).collect();
    let idle = settled(dovecot, least);
    let done = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        for client in devices {
            scope.spawn(|| work(client, &done));
        }
        let began = Instant::now();
        let mut most: f64 = 0.0;
        while began.elapsed() < BUSY {
            most = most.max(count(dovecot));
        }
        done.store(true, Ordering::SeqCst);
        most
    });
    (idle, busy)
}

/// A device that hears of all five mailboxes on one connection.
fn device(address: SocketAddr, number: usize) -> Client {
    let mut client = Client::login(address, &format!("joe#P{number}"));
    client.command("SELECT INBOX");
    let others = MAILBOXES[1..].join(" ");
    let events = "(MessageNew MessageExpunge)";
    client.command(&format!("NOTIFY SET (selected {events}) (mailboxes ({others}) {events})"));
    client
}

/// Goes through the mailboxes, reads all of each and changes something, over and over.
fn work(mut client: Client, done: &AtomicBool) {
    while !done.load(Ordering::SeqCst) {
        for mailbox in MAILBOXES {
            client.forget();
            client.command(&format!("SELECT {mailbox}"));
            client.command("UID FETCH 1:* (FLAGS BODY.PEEK[])");
            client.command("UID STORE 1 +FLAGS (\\Answered)");
            client.command("UID STORE 1 -FLAGS (\\Answered)");
            client.command("UID SEARCH TEXT tomorrow");
        }
    }
}

/// A client in IDLE for each device and mailbox.
fn plain_clients(address: SocketAddr) -> Vec<Client> {
    let idle = |at: usize| {
        let mut client = Client::login(address, "joe");
        client.command(&format!("SELECT {}", MAILBOXES[at % MAILBOXES.len()]));
        client.send(b"i IDLE\r\n");
        client.until(b"+ ");
        client
    };
    (0..DEVICES * MAILBOXES.len()).map(idle).collect()
}

/// The user's connections once no more of them go: `least` are kept while the account is watched.
fn settled(dovecot: &Dovecot, least: f64) -> f64 {
    let mut seen = count(dovecot);
    within(SETTLED, || {
        seen = count(dovecot).min(seen);
        (seen <= least).then_some(())
    });
    seen
}

/// The user's connections.
fn count(dovecot: &Dovecot) -> f64 {
    let who = dovecot.doveadm(&["who", "-1", "joe"]);
    f64::from(u32::try_from(who.lines().filter(|line| line.starts_with("joe ")).count()).expect("a few"))
}

fn fill(dovecot: &Dovecot) {
    let mut client = Client::login(dovecot.imap(), "joe");
    for mailbox in &MAILBOXES[1..] {
        client.command(&format!("CREATE {mailbox}"));
    }
    for mailbox in MAILBOXES {
        for number in 0..20 {
            let text = "See you tomorrow.\r\n".repeat(200);
            dovecot.save("joe", mailbox, &mail("friend@example.org", &format!("letter {number}"), &text));
        }
    }
    client.command("LOGOUT");
}
