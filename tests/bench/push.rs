//! Push added by the gateway: from the mail server's untagged line to the line at the handset, the event durable in the
//! embedded store in between, with so many sessions live. Beside it a bare IDLE on the same scripted server, in turns, and
//! what the disk takes for a durable write.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::http::{Duplex, Post, Site};
use pimap_tests::wait::{Scratch, eventually};

use crate::client::Client;
use crate::report::{Aim, Report, median, percentile};
use crate::upstream::{Riches, Scripted};

/// Live sessions, each of an account of its own.
const SESSIONS: usize = 1_000;
/// Sessions where arrivals cost a question upstream.
const SESSIONS_IDLE: usize = 100;
/// Announcements measured.
const SAMPLES: usize = 3_000;
/// Durable writes measured each time.
const DISK_SAMPLES: usize = 500;
/// Mails delivered to Dovecot.
const MAILS: usize = 20;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    let what = format!("push added, NOTIFY, {SESSIONS} live, durable");
    scripted(report, &what, Riches::Notify, SESSIONS, true);
    let what = format!("push added, bare IDLE upstream, {SESSIONS_IDLE} live, durable");
    scripted(report, &what, Riches::Idle, SESSIONS_IDLE, false);
}

fn scripted(report: &mut Report, what: &str, riches: Riches, sessions: usize, aimed: bool) {
    let server = Scripted::start(riches);
    let gateway = Gateway::start(before(server.address().port()));
    let site = gateway.site();
    let mut handsets: Vec<Duplex> = (0..sessions).map(|at| listening(&site, &format!("u{at}#P1"))).collect();
    let mut bare = Client::login(server.address(), "bare");
    bare.command("EXAMINE INBOX");
    bare.send(b"i IDLE\r\n");
    bare.until(b"+ ");
    // Each session hears once, so that nothing measured is a first time.
    for (at, handset) in handsets.iter_mut().enumerate() {
        announced(&server, handset, &format!("u{at}"));
    }
    let (mut ours, mut theirs, mut disk) = (Vec::new(), Vec::new(), Disk::new());
    disk.write();
    for at in (0..SAMPLES).map(|sample| sample * 7 % sessions) {
        ours.push(announced(&server, &mut handsets[at], &format!("u{at}")));
        bare.forget();
        let began = Instant::now();
        let count = server.announce("bare");
        bare.until_line(&format!("* {count} EXISTS"));
        theirs.push(millis(began.elapsed()));
    }
    disk.write();
    let base = median(&theirs);
    let aim = |limit| aimed.then_some(Aim::AtMost(limit));
    for (name, share, limit) in [("p50", 0.5, 0.7), ("p99", 0.99, 5.0)] {
        let peer = ("a durable write of 4 KiB", percentile(&disk.millis, share));
        report.compare(format!("{what}: {name}"), "ms", percentile(&ours, share) - base, peer, aim(limit));
    }
    report.alone(format!("{what}: bare IDLE itself, p50"), "ms", base, None);
}

/// What the disk alone takes, before and after (in between it would slow the store down): nothing durable is faster.
struct Disk {
    file: File,
    millis: Vec<f64>,
    _scratch: Scratch,
}

impl Disk {
    fn new() -> Disk {
        let scratch = Scratch::new("disk");
        let file = File::create(scratch.join("file")).expect("a file to write to");
        Disk { file, millis: Vec::new(), _scratch: scratch }
    }

    fn write(&mut self) {
        for _ in 0..DISK_SAMPLES {
            let began = Instant::now();
            self.file.write_all(&[7; 4096]).expect("a disk that takes 4 KiB");
            self.file.sync_data().expect("a disk that keeps them");
            self.millis.push(millis(began.elapsed()));
        }
    }
}

/// From an announcement to the handset's line, in milliseconds.
fn announced(server: &Scripted, handset: &mut Duplex, user: &str) -> f64 {
    // The watching connection leaves IDLE for a moment to ask something; what comes then is no push.
    eventually("the gateway is in IDLE", || (server.idlers(user) == 1).then_some(()));
    let began = Instant::now();
    let count = server.announce(user);
    hear(handset, &format!("* {count} EXISTS")).expect("a pushed line");
    millis(began.elapsed())
}

/// The same before Dovecot, which itself waits half a second: a bare IDLE and the handset hear of the same mail.
pub fn arrival(report: &mut Report) {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    dovecot.deliver("joe", &mail("boss@example.org", "first", "text"));
    let mut handset = listening(&gateway.site(), "joe#P1");
    let mut bare = Client::login(dovecot.imap(), "joe");
    bare.command("EXAMINE INBOX");
    bare.send(b"i IDLE\r\n");
    bare.until(b"+ ");
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        for count in 2..MAILS + 2 {
            bare.forget();
            bare.until_line(&format!("* {count} EXISTS"));
            if told.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for count in 2..MAILS + 2 {
        dovecot.deliver("joe", &mail("boss@example.org", "next", "text"));
        let began = Instant::now();
        if let Err(reason) = hear(&mut handset, &format!("* {count} EXISTS")) {
            let fault = heard.try_recv().map_or("Dovecot told nobody", |_| "the bare IDLE heard");
            panic!("mail {count} was not pushed ({fault}): {reason}");
        }
        ours.push(millis(began.elapsed()));
        let at = heard.recv_timeout(Duration::from_secs(10)).expect("the bare IDLE hears as well");
        theirs.push(millis(at.saturating_duration_since(began)));
    }
    let peer = ("bare IDLE, Dovecot", median(&theirs));
    report.compare(
        "new mail delivered to handset told: p50",
        "ms",
        median(&ours),
        peer,
        Some(Aim::RatioAtMost(1.2)),
    );
}

/// A configuration before a scripted server.
pub fn before(port: u16) -> Config {
    Config::default()
        .with("listen.http", "127.0.0.1:0")
        .with("listen.imap", "127.0.0.1:0")
        .with("listen.allow_cleartext", true)
        .with("upstream.host", "127.0.0.1")
        .with("upstream.port", i64::from(port))
        .with("upstream.security", "none")
        .with("session.default_domain", "example.org")
        .with("store.kind", "embedded")
}

/// A session in IDLE on INBOX, on an open request.
pub fn listening(site: &Site, login: &str) -> Duplex {
    let commands = format!("A1 LOGIN {login} pw\r\nA2 SELECT INBOX\r\nA3 IDLE\r\n");
    let mut stream = Duplex::open(site, &Post::new(""), &commands).expect("an open request");
    loop {
        let line = stream.line().expect("a line before IDLE");
        let text = String::from_utf8_lossy(&line);
        assert!(!text.contains(" NO ") && !text.contains(" BAD "), "{text}");
        if text.starts_with('+') {
            return stream;
        }
    }
}

fn hear(handset: &mut Duplex, wanted: &str) -> Result<(), String> {
    while handset.line()?.trim_ascii() != wanted.as_bytes() {}
    handset.take_heard();
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
