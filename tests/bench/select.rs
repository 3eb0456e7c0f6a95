//! SELECT of a mailbox under a view filter on a header: the first time, when verdicts have to be found, and again; next to
//! what a client would do without a gateway, SELECT and SEARCH straight to Dovecot. The very first time, when Dovecot has not
//! looked into the mailbox either, is taken with accounts that nobody has touched.

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::gateway::{Config, Gateway};

use crate::client::Client;
use crate::report::{Aim, Report, median};

/// A mailbox to measure with, and how often.
#[derive(Clone, Copy)]
struct Case {
    /// Messages, as they are written.
    messages: usize,
    name: &'static str,
    /// Devices, each of which selects for the first time once.
    devices: usize,
    /// Accounts for the very first time, of each way.
    fresh: usize,
}

/// One in so many is in the view.
const VISIBLE: usize = 4;

/// Messages that one COPY makes at most, so that it is answered in time.
const COPY_MAX: usize = 10_000;

/// Takes the figure for 10 000 messages.
pub fn measure(report: &mut Report) {
    compare(report, Case { messages: 10_000, name: "10 000", devices: 9, fresh: 5 });
}

/// Takes the figure for 100 000 messages, which take long to make.
pub fn large(report: &mut Report) {
    compare(report, Case { messages: 100_000, name: "100 000", devices: 5, fresh: 1 });
}

fn compare(report: &mut Report, case: Case) {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    very_first(report, &dovecot, &gateway, case);
    fill(&dovecot, "joe", case.messages);
    let mut direct = Client::login(dovecot.imap(), "joe");
    let (mut first, mut again, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    filtered(&gateway, "joe#P0").command("SELECT INBOX");
    search(&mut direct);
    for number in 1..=case.devices {
        let mut device = filtered(&gateway, &format!("joe#P{number}"));
        first.push(select(&mut device, case.messages));
        again.push(select(&mut device, case.messages));
        theirs.push(search(&mut direct));
    }
    let peer = ("SELECT + SEARCH, Dovecot", median(&theirs));
    let aim = |limit| Some(Aim::RatioAtMost(limit));
    let what = |when| format!("SELECT of a filtered {}, {when}", case.name);
    report.compare(what("first of a device"), "ms", median(&first), peer, aim(1.5));
    report.compare(what("after"), "ms", median(&again), peer, aim(1.0));
}

fn very_first(report: &mut Report, dovecot: &Dovecot, gateway: &Gateway, case: Case) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for number in 0..case.fresh {
        fill(dovecot, &format!("ours{number}"), case.messages);
        fill(dovecot, &format!("theirs{number}"), case.messages);
        ours.push(select(&mut filtered(gateway, &format!("ours{number}#P1")), case.messages));
        theirs.push(search(&mut Client::login(dovecot.imap(), &format!("theirs{number}"))));
    }
    let peer = ("SELECT + SEARCH, Dovecot", median(&theirs));
    let what = format!("SELECT of a filtered {}, very first of all", case.name);
    report.compare(what, "ms", median(&ours), peer, Some(Aim::RatioAtMost(1.5)));
}

/// A device that sees the boss alone.
fn filtered(gateway: &Gateway, login: &str) -> Client {
    let mut device = Client::login(gateway.address("imap"), login);
    device.command("XFILTER SET BOSS \"the boss\" (FROM \"boss@example.org\")");
    device.command("XSETPIMAPPREF PIMAP_XFILTER (INBOX V BOSS)");
    device
}

/// How long SELECT takes, in milliseconds.
fn select(device: &mut Client, messages: usize) -> f64 {
    device.forget();
    let took = device.timed("SELECT INBOX") / 1e3;
    let answer = String::from_utf8_lossy(&device.down);
    let told = format!("* {} EXISTS", messages / VISIBLE);
    assert!(answer.contains(&told), "another view than expected: {answer}");
    device.command("CLOSE");
    took
}

/// How long SELECT and SEARCH take.
fn search(direct: &mut Client) -> f64 {
    let took = direct.timed("SELECT INBOX") + direct.timed("UID SEARCH FROM \"boss@example.org\"");
    direct.command("UNSELECT");
    took / 1e3
}

/// INBOX: one message of four from the boss.
fn fill(dovecot: &Dovecot, user: &str, messages: usize) {
    for number in 0..VISIBLE {
        let from = if number == 0 { "boss@example.org" } else { "friend@example.org" };
        dovecot.deliver(user, &mail(from, "one of many", "Some text."));
    }
    let mut client = Client::login(dovecot.imap(), user);
    client.command("SELECT INBOX");
    let mut count = VISIBLE;
    while count < messages {
        let more = count.min(messages - count).min(COPY_MAX);
        client.command(&format!("UID COPY 1:{more} INBOX"));
        count += more;
        client.command("NOOP");
    }
    client.command("UNSELECT");
}
