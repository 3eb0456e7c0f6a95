//! Coming back: 10 new, 20 flags, 5 gone in a mailbox of 10 000 on a real Dovecot, while nobody was connected.
//!
//! The gateway's way is one POST: LOGIN with the last cursor, and a FETCH of the new messages in the same request. The
//! peers' ways go straight to Dovecot after login: comparison of all flags (as IMAP without extensions must), and
//! QRESYNC. Octets down and up; for the gateway with the HTTP head and without it. The envelopes of the 10 new messages
//! are taken out of the rows named "events", since they are the same for everybody.

use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use pimap_tests::dovecot::{Dovecot, PASSWORD, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::http::{Answer, Connection, Post, Site};

use crate::client::Client;
use crate::report::{Aim, Report, median};

/// Messages in the large mailbox and in the small one, which shows whether time depends on the size.
const SIZES: [(&str, u32); 2] = [("joe", 10_000), ("ann", 1_000)];
/// Devices that come back in each way, each once. An account has 32 at most.
const DEVICES: usize = 7;

/// What the handset must have at the end, apart from the envelopes.
const NEW: u32 = 10;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    let [large, small] = Ways::take(SIZES.map(|(user, size)| Changed::new(&dovecot, &gateway, user, size)));
    let quick = &large.qresync;
    let at_most = |limit| Some(Aim::AtMost(limit));
    let mut row =
        |what: &str, unit, ours, peer, aim| report.compare(format!("resume: {what}"), unit, ours, peer, aim);
    row("round trips, LOGIN included", "", 1.0, ("QRESYNC after LOGIN", quick.trips), at_most(1.0));
    let peer = ("QRESYNC, no envelopes", quick.events);
    row("events, body down", "octets", large.events.body, peer, at_most(1024.0));
    let peer = ("QRESYNC, deflated", quick.events_deflated);
    row("events, body down, gzip", "octets", large.zipped_events.body, peer, at_most(512.0));
    let peer = ("state comparison", large.comparison.octets);
    row("with 10 envelopes, body down", "octets", large.whole.body, peer, None);
    row("with 10 envelopes, body down", "octets", large.whole.body, ("QRESYNC", quick.octets), None);
    let peer = ("QRESYNC, deflated", quick.deflated);
    row("with 10 envelopes, body down, gzip", "octets", large.zipped.body, peer, None);
    row("request with HTTP head", "octets", large.whole.up, ("QRESYNC", quick.up), None);
    report.alone("resume: HTTP head of the answer", "octets", large.whole.head, None);
    let mut row =
        |what: &str, ours, peer, aim| report.compare(format!("resume: {what}"), "ms", ours, peer, aim);
    let peer = ("itself in 1 000", small.events.millis);
    row("time in 10 000, events", large.events.millis, peer, Some(Aim::RatioAtMost(1.5)));
    row("time in 10 000, events", large.events.millis, ("QRESYNC after LOGIN", quick.events_millis), None);
    row("time in 10 000, with 10 envelopes", large.whole.millis, ("QRESYNC after LOGIN", quick.millis), None);
}

/// What the ways cost in one mailbox.
struct Ways {
    events: Exchange,
    zipped_events: Exchange,
    whole: Exchange,
    zipped: Exchange,
    comparison: Direct,
    qresync: Direct,
}

/// A resume through the gateway: octets of the request, of the answer's head and of its body.
struct Exchange {
    up: f64,
    head: f64,
    body: f64,
    millis: f64,
}

/// A way straight to Dovecot.
#[derive(Default)]
struct Direct {
    trips: f64,
    up: f64,
    octets: f64,
    deflated: f64,
    millis: f64,
    events: f64,
    events_deflated: f64,
    events_millis: f64,
}

/// A mailbox in which something has changed, and who knows it as it was before.
struct Changed {
    size: u32,
    fetch: String,
    devices: Vec<Device>,
    compared: Client,
    quick: Client,
    /// How to select it by QRESYNC.
    select: String,
}

impl Changed {
    fn new(dovecot: &Dovecot, gateway: &Gateway, user: &str, size: u32) -> Self {
        let mut other = fill(dovecot, user, size);
        let site = gateway.site();
        let devices = (0..4 * DEVICES).map(|number| Device::ready(&site, user, number)).collect();
        let compared = Client::login(dovecot.imap(), user);
        let quick = Client::login(dovecot.imap(), user);
        other.command("EXAMINE INBOX");
        let (validity, mod_seq) = (other.code("UIDVALIDITY"), other.code("HIGHESTMODSEQ"));
        change(dovecot, &mut other, user, size);
        // Whatever the gateway does on hearing of it is over when a handset of this account has been told all.
        let mut witness = Device::ready(&site, user, 99);
        witness.until_exists(size + NEW - 5);
        let fetch = format!("UID FETCH {}:* (FLAGS ENVELOPE)", size + 1);
        let select = format!("EXAMINE INBOX (QRESYNC ({validity} {mod_seq} 1:{size}))");
        Self { size, fetch, devices, compared, quick, select }
    }
}

impl Ways {
    fn take(mut mailboxes: [Changed; 2]) -> [Ways; 2] {
        let events = exchange(&mut mailboxes, false, false);
        let whole = exchange(&mut mailboxes, true, false);
        let zipped_events = exchange(&mut mailboxes, false, true);
        let zipped = exchange(&mut mailboxes, true, true);
        let through = events.into_iter().zip(whole).zip(zipped_events.into_iter().zip(zipped));
        let mut ways = mailboxes.into_iter().zip(through).map(|(mailbox, ((events, whole), zips))| {
            let Changed { fetch, mut compared, mut quick, select, .. } = mailbox;
            let comparison = direct(&mut compared, &["EXAMINE INBOX", "UID FETCH 1:* (FLAGS)"], &fetch);
            let qresync = direct(&mut quick, &["ENABLE QRESYNC", &select], &fetch);
            let (zipped_events, zipped) = zips;
            Ways { events, zipped_events, whole, zipped, comparison, qresync }
        });
        std::array::from_fn(|_| ways.next().expect("one for each mailbox"))
    }
}

/// The next few devices come back, to either mailbox in turns: what else the machine does in that time is the same for both.
fn exchange(mailboxes: &mut [Changed; 2], fetches: bool, gzip: bool) -> [Exchange; 2] {
    let mut taken: [[Vec<f64>; 4]; 2] = Default::default();
    for _ in 0..DEVICES {
        for (mailbox, taken) in mailboxes.iter_mut().zip(&mut taken) {
            let mut device = mailbox.devices.pop().expect("a device that has not come back");
            let (answer, up, millis) = device.resume(fetches.then_some(&mailbox.fetch), gzip);
            check(&answer, mailbox.size, fetches);
            let figures = [octets(up), octets(head_octets(&answer)), octets(answer.body_octets), millis];
            for (taken, figure) in taken.iter_mut().zip(figures) {
                taken.push(figure);
            }
        }
    }
    taken.map(|taken| {
        let [up, head, body, millis] = taken.map(|figures| median(&figures));
        Exchange { up, head, body, millis }
    })
}

fn direct(client: &mut Client, commands: &[&str], fetch: &str) -> Direct {
    let mut direct = Direct::default();
    let (mut events_millis, mut millis) = (Vec::new(), Vec::new());
    for _ in 0..DEVICES {
        client.forget();
        let began = Instant::now();
        for command in commands {
            client.command(command);
        }
        events_millis.push(began.elapsed().as_secs_f64() * 1e3);
        let events = client.down.len();
        client.command(fetch);
        millis.push(began.elapsed().as_secs_f64() * 1e3);
        direct = Direct {
            trips: octets(client.round_trips),
            up: octets(client.up),
            octets: octets(client.down.len()),
            deflated: deflated(&client.down),
            millis: median(&millis),
            events: octets(events),
            events_deflated: deflated(&client.down[..events]),
            events_millis: median(&events_millis),
        };
        // What was opened is forgotten with the mailbox.
        client.command("UNSELECT");
    }
    direct
}

/// An INBOX of that many messages, most of them read; gives the connection that made it.
pub fn fill(dovecot: &Dovecot, user: &str, size: u32) -> Client {
    dovecot.deliver(user, &mail("boss@example.org", "one of many", "Some text."));
    let mut client = Client::login(dovecot.imap(), user);
    client.command("SELECT INBOX");
    let mut count = 1;
    while count < size {
        let more = count.min(size - count);
        client.command(&format!("UID COPY 1:{more} INBOX"));
        count += more;
        client.command("NOOP");
    }
    client.command("UID STORE 1:* +FLAGS.SILENT (\\Seen)");
    client.command("UNSELECT");
    client
}

/// 10 new, 20 flags, 5 gone.
pub fn change(dovecot: &Dovecot, client: &mut Client, user: &str, size: u32) {
    for number in 0..NEW {
        dovecot.deliver(user, &mail("friend@example.org", &format!("news {number}"), "Some text."));
    }
    client.command("SELECT INBOX");
    // Scattered, as flags are.
    let step = size / 25;
    for number in 0..20 {
        client.command(&format!("UID STORE {} +FLAGS.SILENT (\\Flagged)", 7 + number * step));
    }
    let gone: Vec<String> = (0..5).map(|number| (11 + number * step * 5).to_string()).collect();
    let gone = gone.join(",");
    client.command(&format!("UID STORE {gone} +FLAGS.SILENT (\\Deleted)"));
    client.command(&format!("UID EXPUNGE {gone}"));
    client.command("UNSELECT");
}

/// The answer holds all that happened.
fn check(answer: &Answer, size: u32, fetched: bool) {
    let text = answer.text();
    assert!(!text.contains("* RESYNC"), "a full resynchronisation: {text}");
    let lines = |word: &str| text.lines().filter(|line| line.contains(word)).count();
    // Nothing is told gone before a FETCH in the same request, so that its numbers hold (F5).
    let count = if fetched { size + NEW } else { size + NEW - 5 };
    assert!(text.contains(&format!("* {count} EXISTS")), "no EXISTS in {text}");
    assert_eq!(lines("ENVELOPE ("), if fetched { 10 } else { 0 }, "{text}");
    assert_eq!(lines(" EXPUNGE") + lines("* VANISHED"), 5, "{text}");
    assert!(lines("\\Flagged") >= 20, "{text}");
}

/// A device that holds INBOX and a cursor, and has gone away.
struct Device {
    site: Site,
    login: String,
    cursor: String,
}

impl Device {
    fn ready(site: &Site, user: &str, number: usize) -> Device {
        let login = format!("A1 LOGIN {user}#P{number} {PASSWORD}\r\n");
        let mut device = Device { site: site.clone(), login, cursor: String::new() };
        device.say("A2 SELECT INBOX\r\n", false);
        device
    }

    /// One POST on a connection that is open already, as a browser or a library keeps it; its answer, the octets of the
    /// request, and how long it took.
    fn say(&mut self, commands: &str, gzip: bool) -> (Answer, usize, f64) {
        let mut post = Post::new(format!("{}{commands}", self.login)).header("PIMAP-Ack", &self.cursor);
        if gzip {
            post = post.gzip();
        }
        let mut connection: Connection = self.site.connect().expect("a connection to the gateway");
        let began = Instant::now();
        let answer = connection.post(&post).expect("an answer");
        let millis = began.elapsed().as_secs_f64() * 1e3;
        let text = answer.text();
        assert!(answer.status == 200 && !text.contains(" NO ") && !text.contains(" BAD "), "{text}");
        let cursor = text.rfind("[PIMAPCURSOR ").and_then(|at| text[at + 13..].split(']').next());
        self.cursor = cursor.expect("a cursor").to_owned();
        (answer, post.bytes().len(), millis)
    }

    fn resume(&mut self, fetch: Option<&String>, gzip: bool) -> (Answer, usize, f64) {
        let fetch = fetch.map(|fetch| format!("A2 {fetch}\r\n")).unwrap_or_default();
        self.say(&fetch, gzip)
    }

    /// Asks until the mailbox has that many messages.
    fn until_exists(&mut self, count: u32) {
        let wanted = format!("* {count} EXISTS");
        let told = || self.say("A2 SELECT INBOX\r\n", false).0.text().contains(&wanted).then_some(());
        pimap_tests::wait::eventually("the gateway knows of all changes", told);
    }
}

fn head_octets(answer: &Answer) -> usize {
    let lines = answer.headers.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len());
    "HTTP/1.1 200 OK\r\n".len() + lines.sum::<usize>() + "\r\n".len()
}

fn deflated(octets: &[u8]) -> f64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(octets).expect("a vector takes octets");
    self::octets(encoder.finish().expect("a vector takes octets").len())
}

/// A count of octets as a figure.
fn octets(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("less than 4 GiB"))
}
