//! Connections to spare watch mailboxes that the watching connection does not hear of, and never keep a command waiting (F48).

mod dovecot;
mod fake;
mod support;

use dovecot::Dovecot;
use fake::{Answer, Fake};
use pimap_types::MailboxName;
use pimap_types::command::StatusItem;
use pimap_types::upstream::*;
use pimap_upstream::{AccountUpstream, BodyStream, UpstreamConfig};
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::sync::mpsc;

const NEVER: Duration = Duration::from_secs(3_600);

fn list(mailboxes: &[&str]) -> WatchList {
    let mailboxes = mailboxes.iter().map(|name| MailboxName::new(name)).collect();
    WatchList { first: Some(MailboxName::new("INBOX")), mailboxes, all: false }
}

/// An account that polls nothing as long as a test may take.
fn watched(
    mut config: UpstreamConfig,
    connections: usize,
    mailboxes: &[&str],
) -> (AccountUpstream, mpsc::Receiver<UpstreamEvent>) {
    config.connections_per_account_max = connections;
    (config.poll_interval, config.audit_interval) = (NEVER, NEVER);
    let (sender, events) = mpsc::channel(64);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    account.watch(list(mailboxes));
    (account, events)
}

/// Which connection has a mailbox open in IDLE now: its last commands were EXAMINE of it and IDLE.
fn idling(log: &[String], mailbox: &str) -> Option<String> {
    let examined = log.iter().rev().find_map(|line| line.strip_suffix(&format!(" EXAMINE \"{mailbox}\"")))?;
    let mut since = log.iter().rev().filter_map(|line| line.strip_prefix(&format!("{examined} ")));
    let is_idle = since.next() == Some("IDLE");
    let same =
        since.find(|command| command.starts_with("EXAMINE")) == Some(&format!("EXAMINE \"{mailbox}\""));
    (is_idle && same).then(|| examined.to_owned())
}

/// A fake that answers no SEARCH: it keeps a command busy for as long as somebody waits for it.
async fn with_slow_search() -> Fake {
    Fake::start("IDLE", |command, _, _| match command {
        _ if command.starts_with("UID SEARCH") => Answer::Say(Vec::new()),
        _ => Answer::Default,
    })
    .await
}

fn search(mailbox: &str) -> UpstreamRequest {
    let uid_validity = pimap_types::UidValidity::new(7).expect("not zero");
    let at = MailboxAt { mailbox: MailboxName::new(mailbox), uid_validity, at_least: 0 };
    UpstreamRequest::Search(at, None, pimap_types::search::SearchKey::All)
}

fn status() -> UpstreamRequest {
    UpstreamRequest::Status(MailboxName::new("INBOX"), vec![StatusItem::Messages])
}

/// A command that is never answered, until it is given up.
fn begin(account: &AccountUpstream, request: UpstreamRequest) -> tokio::task::JoinHandle<UpstreamReply> {
    let account = account.clone();
    tokio::spawn(async move { account.run(request, BodyStream::None).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_another_mailbox_need_no_poll() {
    let server = Dovecot::start_poor();
    server.save_some("joe", "INBOX", 1);
    server.save_some("joe", "Work", 1);
    let (account, mut events) = watched(config(&server), 3, &["INBOX", "Work"]);
    event(&mut events, |event| {
        let opened = matches!(event, UpstreamEvent::Status { mailbox, uid_next: Some(2), .. }
            if mailbox.as_str() == "Work");
        opened.then_some(())
    })
    .await;
    server.save_some("joe", "Work", 1);
    let facts = event(&mut events, |event| match event {
        UpstreamEvent::Changed { mailbox, facts, .. } if mailbox.as_str() == "Work" => Some(facts.clone()),
        _ => None,
    });
    assert_eq!(uids(&facts.await), [2]);
    assert_eq!(account.connection_counts(), (2, 0));
}

/// The first so many of the list, each on a connection of its own, and one connection is left for commands.
#[tokio::test(flavor = "multi_thread")]
async fn the_most_important_are_watched() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let (account, _events) = watched(at_port(fake.port), 4, &["INBOX", "Zoo", "Archive", "Work"]);
    fake.until(|log| ["INBOX", "Zoo", "Archive"].iter().all(|name| idling(log, name).is_some())).await;
    assert_eq!(account.connection_counts(), (3, 0));
    // Another takes the place of what is not watched any more.
    account.watch(list(&["INBOX", "Work", "Archive"]));
    fake.until(|log| idling(log, "Work").is_some() && idling(log, "Zoo").is_none()).await;
    // Enough for a command without giving anything up.
    let log = fake.log();
    assert!(matches!(ask(&account, status()).await, UpstreamReply::Ok(_)));
    assert_eq!(idling(&fake.log(), "Archive"), idling(&log, "Archive"));
    assert!(account.connection_counts().0 == 3 && fake.count("EXAMINE \"Archive\"") <= 1);
}

/// A connection to spare that may not IDLE goes without; the others know nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_costs_the_others_nothing() {
    let opened = |log: &[String], number: usize, name: &str| {
        log.iter().rev().find_map(|line| line.strip_prefix(&format!("{number} EXAMINE ")))
            == Some(&format!("\"{name}\""))
    };
    let fake = Fake::start("IDLE", move |command, number, log| match command {
        "IDLE" if opened(log, number, "Zoo") => Answer::lines(&["{tag} NO [LIMIT] too many"]),
        _ => Answer::Default,
    });
    let fake = fake.await;
    let (account, _events) = watched(at_port(fake.port), 4, &["INBOX", "Zoo"]);
    let refused = |log: &[String]| {
        let asked = log.iter().filter_map(|line| line.strip_suffix(" IDLE")?.parse().ok());
        asked.filter(|number| opened(log, *number, "Zoo")).count() > 0
    };
    fake.until(refused).await;
    account.watch(list(&["INBOX", "Zoo", "Archive"]));
    fake.until(|log| idling(log, "Archive").is_some()).await;
    assert!(idling(&fake.log(), "INBOX").is_some());
}

/// Whoever needs a connection has it, from the least important first, and it watches again when nobody does.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_takes_the_connection_of_the_least_important() {
    let fake = with_slow_search().await;
    let (account, _events) = watched(at_port(fake.port), 4, &["INBOX", "Zoo", "Archive"]);
    fake.until(|log| ["INBOX", "Zoo", "Archive"].iter().all(|name| idling(log, name).is_some())).await;
    let least = idling(&fake.log(), "Archive").expect("idling");
    // The one that was left for commands, and then one more.
    let slow = begin(&account, search("Sent"));
    fake.until(|log| log.iter().any(|line| line.contains("UID SEARCH"))).await;
    assert!(matches!(ask(&account, status()).await, UpstreamReply::Ok(_)));
    let log = fake.log();
    assert!(log.contains(&format!("{least} DONE")), "{log:#?}");
    assert!(idling(&log, "Zoo").is_some() && idling(&log, "INBOX").is_some(), "{log:#?}");
    assert_eq!(fake.count("LOGIN"), 4, "no more connections than allowed: {log:#?}");
    // As long as commands are under way, one connection stays free for them.
    let again = begin(&account, search("Sent"));
    slow.abort();
    again.abort();
    let before = log.len();
    fake.until(|log| log.len() > before && idling(log, "Archive").is_some()).await;
}

/// Every connection may be needed at once, and is had.
#[tokio::test(flavor = "multi_thread")]
async fn commands_have_all_connections_but_the_watching_one() {
    let fake = with_slow_search().await;
    let (account, _events) = watched(at_port(fake.port), 4, &["INBOX", "Zoo", "Archive"]);
    fake.until(|log| ["INBOX", "Zoo", "Archive"].iter().all(|name| idling(log, name).is_some())).await;
    let slow = [search("INBOX"), search("Zoo"), search("Archive")].map(|request| begin(&account, request));
    fake.until(|log| log.iter().filter(|line| line.contains("UID SEARCH")).count() == 3).await;
    assert_eq!(account.connection_counts(), (1, 3));
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Where NOTIFY is refused or nothing is to spare, the rest is polled; a bound of none is kept.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_spare_is_nothing_watched() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let mut config = at_port(fake.port);
    config.spare_watchers_max = 0;
    let (account, _events) = watched(config, 4, &["INBOX", "Zoo"]);
    fake.until(|log| idling(log, "INBOX").is_some()).await;
    assert!(matches!(ask(&account, status()).await, UpstreamReply::Ok(_)));
    assert!(fake.log().iter().all(|line| !line.contains("Zoo")), "{:#?}", fake.log());
    assert_eq!(account.connection_counts().0, 1);
}

/// F49 on a connection to spare: who announces IDLE and stays silent is not relied upon.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_found_out_there_too() {
    let fake = Fake::start("IDLE", |command, _, before| {
        let watched = before.iter().any(|line| line.ends_with(" IDLE"));
        match command.strip_prefix("STATUS ").and_then(|rest| rest.split_once(' ')) {
            Some(("\"Zoo\"", _)) if watched => {
                Answer::lines(&["* STATUS \"Zoo\" (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 7)", "{tag} OK told"])
            }
            Some((name, _)) => {
                let line = format!("* STATUS {name} (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)");
                Answer::lines(&[&line, "{tag} OK told"])
            }
            None if command.starts_with("UID SEARCH") => Answer::lines(&["* SEARCH 4", "{tag} OK found"]),
            None => Answer::Default,
        }
    })
    .await;
    let mut config = at_port(fake.port);
    config.audit_interval = Duration::from_millis(200);
    let (sender, mut events) = mpsc::channel(64);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    account.watch(list(&["INBOX", "Zoo"]));
    fake.until(|log| idling(log, "Zoo").is_some()).await;
    event(&mut events, |event| matches!(event, UpstreamEvent::Missed).then_some(())).await;
    fake.until(|log| idling(log, "Zoo").is_none()).await;
}

/// A mailbox that was deleted here is not watched on, whatever the server makes of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_mailbox_is_left() {
    let fake = Fake::start("IDLE", |command, _, before| {
        let deleted = before.iter().any(|line| line.contains("DELETE"));
        match command {
            _ if deleted && command == "EXAMINE \"Zoo\"" => Answer::lines(&["{tag} NO no such mailbox"]),
            _ => Answer::Default,
        }
    })
    .await;
    let (account, mut events) = watched(at_port(fake.port), 3, &["INBOX", "Zoo"]);
    fake.until(|log| idling(log, "Zoo").is_some()).await;
    let delete = UpstreamRequest::Delete(MailboxName::new("Zoo"));
    assert!(matches!(ask(&account, delete).await, UpstreamReply::Ok(_)));
    fake.until(|log| idling(log, "Zoo").is_none()).await;
    // That it cannot be opened any more is for the owner to look at.
    event(&mut events, |event| {
        let look = matches!(event, UpstreamEvent::Status { mailbox, uid_next: None, .. }
            if mailbox.as_str() == "Zoo");
        look.then_some(())
    })
    .await;
}
