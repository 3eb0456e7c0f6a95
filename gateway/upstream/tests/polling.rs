//! When upstream is asked what it does not tell by itself, how often it is asked where it fails, and what the watching connection makes
//! of a server that speaks without end.

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::MailboxName;
use pimap_types::limits::UPSTREAM_UNTAGGED_MAX;
use pimap_types::upstream::{UpstreamEvent, WatchList};
use pimap_upstream::{AccountUpstream, UpstreamConfig};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::*;
use tokio::sync::mpsc;

type Events = mpsc::Receiver<UpstreamEvent>;

const NEVER: Duration = Duration::from_secs(3_600);

fn watch(config: UpstreamConfig, mailboxes: &[&str]) -> (AccountUpstream, Events) {
    let mailboxes: Vec<_> = mailboxes.iter().map(|name| MailboxName::new(name)).collect();
    let (sender, events) = mpsc::channel(16);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    account.watch(WatchList { first: mailboxes.first().cloned(), mailboxes, all: false });
    (account, events)
}

/// An account with one connection, which polls so often.
fn polled(port: u16, poll_interval: Duration, audit_interval: Duration) -> UpstreamConfig {
    let mut config = at_port(port);
    (config.poll_interval, config.audit_interval) = (poll_interval, audit_interval);
    config.connections_per_account_max = 1;
    config
}

/// The next numbers told of a mailbox: its UIDNEXT, or none where the owner is to look itself.
async fn told(events: &mut Events, name: &str) -> Option<u32> {
    event(events, |event| match event {
        UpstreamEvent::Status { mailbox, uid_next, .. } if mailbox.as_str() == name => Some(*uid_next),
        _ => None,
    })
    .await
}

/// The mailbox of a STATUS.
fn asked(command: &str) -> Option<&str> {
    command.strip_prefix("STATUS \"")?.split('"').next()
}

fn status(name: &str, uid_next: u32) -> Answer {
    let line = format!("* STATUS \"{name}\" (MESSAGES 3 UIDNEXT {uid_next} UIDVALIDITY 7)");
    Answer::lines(&[&line, "{tag} OK told"])
}

fn flood(lines: u64, end: &str) -> Answer {
    Answer::Say(format!("{}{end}", "* LIST () \"/\" \"a\"\r\n".repeat(lines as usize)).into_bytes())
}

async fn ends(fake: &Fake) {
    fake.until(|log| log.iter().any(|line| line == "1 closed")).await;
}

/// D14: who speaks without end instead of answering IDLE is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_before_idle_begins_ends_the_connection() {
    let fake = Fake::start("IDLE", |command, connection, _| match command {
        "IDLE" if connection == 1 => flood(UPSTREAM_UNTAGGED_MAX + 100, "+ idling\r\n"),
        _ => Answer::Default,
    })
    .await;
    let (_account, mut events) = watch(at_port(fake.port), &["INBOX"]);
    event(&mut events, |event| matches!(event, UpstreamEvent::Lost).then_some(())).await;
    ends(&fake).await;
}

/// The same at its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_behind_done_ends_the_connection() {
    let fake = Fake::start("IDLE", |command, connection, _| match command {
        "DONE" if connection == 1 => flood(UPSTREAM_UNTAGGED_MAX + 100, "{tag} OK done\r\n"),
        _ => Answer::Default,
    })
    .await;
    let (account, mut events) = watch(at_port(fake.port), &["INBOX"]);
    fake.until(|log| log.iter().any(|line| line == "1 IDLE")).await;
    account.watch(WatchList { all: true, ..WatchList::default() });
    event(&mut events, |event| matches!(event, UpstreamEvent::Lost).then_some(())).await;
    ends(&fake).await;
}

/// What is said within a command is told before its end: nothing piles up behind a server that never comes to it.
#[tokio::test(flavor = "multi_thread")]
async fn news_within_a_command_do_not_wait_for_its_end() {
    let fake = Fake::start("IDLE", |command, _, _| match command {
        "IDLE" => flood(1_000, ""),
        _ => Answer::Default,
    })
    .await;
    let (_account, mut events) = watch(at_port(fake.port), &["INBOX"]);
    for _ in 0..500 {
        event(&mut events, |event| matches!(event, UpstreamEvent::Mailbox { .. }).then_some(())).await;
    }
}

/// F49: a message that is moved away while its facts are asked for leaves a higher UIDNEXT, and that was no fault of upstream's.
#[tokio::test(flavor = "multi_thread")]
async fn an_arrival_moved_away_at_once_is_not_missed() {
    let second = Arc::new(AtomicBool::new(false));
    let silent = Arc::clone(&second);
    let fake = Fake::start("IDLE", move |command, _, before| match command {
        "IDLE" if before.iter().filter(|line| line.ends_with(" IDLE")).count() == 1 => {
            Answer::lines(&["+ idling", "* 4 EXISTS"])
        }
        _ if command.starts_with("UID FETCH 4:*") => Answer::lines(&[
            "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \"01-Feb-2004 10:00:00 +0000\" RFC822.SIZE 3)",
            "* 4 EXPUNGE",
            "{tag} OK done",
        ]),
        _ if command.starts_with("STATUS") => status("INBOX", 5 + u32::from(silent.load(Ordering::SeqCst))),
        _ if command.starts_with("UID SEARCH") && silent.load(Ordering::SeqCst) => {
            Answer::lines(&["* SEARCH 1 2 3 5", "{tag} OK found"])
        }
        _ => Answer::Default,
    })
    .await;
    let mut config = at_port(fake.port);
    (config.audit_interval, config.poll_interval) = (Duration::from_millis(50), NEVER);
    let (_account, mut events) = watch(config, &["INBOX"]);
    let searched = |fake: &Fake| fake.count("UID SEARCH UID 4");
    let mut audits = 0;
    while audits < 4 {
        audits += event(&mut events, |event| match event {
            UpstreamEvent::Missed => panic!("nothing was missed: {:#?}", fake.log()),
            // Audits before the mailbox was open find nothing to look into.
            UpstreamEvent::Status { uid_next: Some(5), .. } => (searched(&fake) > 0).then_some(1),
            _ => None,
        })
        .await;
    }
    assert_eq!(searched(&fake), 1, "what was looked into once is settled: {:#?}", fake.log());
    // The next one stays, and nobody tells of it.
    second.store(true, Ordering::SeqCst);
    event(&mut events, |event| matches!(event, UpstreamEvent::Missed).then_some(())).await;
    assert_eq!(searched(&fake), 1, "{:#?}", fake.log());
}

/// F49: a server that was caught once is relied upon again after a time, and caught again if it is silent still.
#[tokio::test(flavor = "multi_thread")]
async fn distrust_ends_after_a_time() {
    let fake = Fake::start("IDLE", |command, _, _| match command {
        _ if command.starts_with("STATUS") => status("INBOX", 5),
        _ if command.starts_with("UID SEARCH") => Answer::lines(&["* SEARCH 4", "{tag} OK found"]),
        _ => Answer::Default,
    })
    .await;
    let mut config = at_port(fake.port);
    (config.audit_interval, config.poll_interval) = (Duration::from_millis(10), Duration::from_millis(20));
    let (_account, mut events) = watch(config, &["INBOX"]);
    for _ in 0..2 {
        event(&mut events, |event| matches!(event, UpstreamEvent::Missed).then_some(())).await;
    }
}

/// F50, D3: an upstream that fails is tried once a round, and rounds wait longer and longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_upstream_gets_one_attempt_a_round() {
    let logins = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&logins);
    let fake = Fake::start("", move |command, _, _| match command {
        _ if command.starts_with("LOGIN") => {
            seen.lock().expect("moments").push(Instant::now());
            Answer::Default
        }
        _ if command.starts_with("STATUS") => Answer::close("* BYE not now\r\n"),
        _ => Answer::Default,
    })
    .await;
    let names: Vec<String> = (0..40).map(|n| format!("Box{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let millisecond = Duration::from_millis(1);
    for (poll_interval, audit_interval) in [(millisecond, NEVER), (NEVER, millisecond)] {
        logins.lock().expect("moments").clear();
        let (_account, _events) = watch(polled(fake.port, poll_interval, audit_interval), &names);
        let enough = |_: &[String]| logins.lock().expect("moments").len() >= 4;
        fake.until(enough).await;
        // The connection that was there, and a new one in its place: the first round. Then half of 250 ms, and of 500 ms, at least.
        let at = logins.lock().expect("moments").clone();
        let (first, second) = (at[2] - at[1], at[3] - at[2]);
        assert!(
            first >= Duration::from_millis(125) && second >= Duration::from_millis(250),
            "{first:?} {second:?}"
        );
    }
}

/// A mailbox that always ends the connection does not hide those behind it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_upstream_fails_at_keeps_no_other_from_being_told() {
    let fake = Fake::start("", |command, _, _| match asked(command) {
        Some("Bad") => Answer::close(""),
        Some(name) => status(name, 4),
        None => Answer::Default,
    })
    .await;
    let (_account, mut events) = watch(polled(fake.port, Duration::from_millis(1), NEVER), &["Bad", "Good"]);
    assert_eq!(told(&mut events, "Good").await, Some(4));
}

/// A polled mailbox that is not there any more is told once as something to look at, and one that never was is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_polled_mailbox_that_disappears_is_told() {
    let fake = Fake::start("", |command, _, before| match asked(command) {
        Some("Gone") if before.iter().filter(|line| line.contains("STATUS \"Gone\"")).count() < 3 => {
            status("Gone", 5)
        }
        Some("Gone" | "Never") => Answer::lines(&["{tag} NO [NONEXISTENT] no such mailbox"]),
        Some(name) => status(name, 4),
        None => Answer::Default,
    })
    .await;
    let config = polled(fake.port, Duration::from_millis(1), NEVER);
    let (_account, mut events) = watch(config, &["Never", "Gone", "INBOX"]);
    assert_eq!(told(&mut events, "Gone").await, Some(5));
    assert_eq!(told(&mut events, "Gone").await, None);
    let asked_so_often = fake.count("STATUS \"Gone\"");
    fake.until(|_| fake.count("STATUS \"Gone\"") > asked_so_often + 3).await;
    while let Ok(event) = events.try_recv() {
        assert!(matches!(&event, UpstreamEvent::Status { mailbox, .. } if mailbox.is_inbox()), "{event:?}");
    }
}

/// F49: with one connection for everything audits look too: without mod-sequences nothing else finds changed flags, and numbers that
/// were told once are told again.
#[tokio::test(flavor = "multi_thread")]
async fn one_connection_for_everything_is_audited() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let (_account, mut events) = watch(polled(fake.port, NEVER, Duration::from_millis(20)), &["INBOX"]);
    for uid_next in [Some(4), None, Some(4), None] {
        assert_eq!(told(&mut events, "INBOX").await, uid_next);
    }
}
