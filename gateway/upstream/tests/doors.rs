//! While a mailbox is made, deleted or renamed by us, none of our own connections has it open.

mod dovecot;
mod fake;
mod support;

use dovecot::Dovecot;
use fake::{Answer, Fake};
use pimap_types::MailboxName;
use pimap_types::command::StatusItem;
use pimap_types::upstream::*;
use pimap_upstream::{AccountUpstream, UpstreamConfig};
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::sync::mpsc;

const NEVER: Duration = Duration::from_secs(3_600);

fn watched(
    mut config: UpstreamConfig,
    first: &str,
    mailboxes: &[&str],
) -> (AccountUpstream, mpsc::Receiver<UpstreamEvent>) {
    config.connections_per_account_max = 4;
    (config.poll_interval, config.audit_interval) = (NEVER, NEVER);
    let (sender, events) = mpsc::channel(64);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    let mailboxes = mailboxes.iter().map(|name| MailboxName::new(name)).collect();
    account.watch(WatchList { first: Some(MailboxName::new(first)), mailboxes, all: false });
    (account, events)
}

/// The mailbox that each connection of a fake has open, by the log's first lines.
fn open_on(log: &[String], connection: usize) -> Option<String> {
    let commands = log.iter().filter_map(|line| line.strip_prefix(&format!("{connection} ")));
    commands.fold(None, |open, command| match command.split_once(' ').unwrap_or((command, "")) {
        ("EXAMINE" | "SELECT", name) => Some(name.split(" (").next().unwrap_or(name).replace('"', "")),
        ("UNSELECT" | "CLOSE" | "LOGOUT", _) => None,
        _ => open,
    })
}

/// Connections that have a mailbox open.
fn inside(log: &[String], mailbox: &str) -> Vec<usize> {
    let numbers = log.iter().filter_map(|line| line.split(' ').next()?.parse::<usize>().ok());
    let last = numbers.max().unwrap_or(0);
    (0..=last).filter(|number| open_on(log, *number).as_deref() == Some(mailbox)).collect()
}

fn search(mailbox: &str) -> UpstreamRequest {
    let uid_validity = pimap_types::UidValidity::new(7).expect("not zero");
    let at = MailboxAt { mailbox: MailboxName::new(mailbox), uid_validity, at_least: 0 };
    UpstreamRequest::Search(at, None, pimap_types::search::SearchKey::All)
}

/// The watching connection, one to spare and one of the pool have it, or what is below it, open; all leave before the command is sent.
async fn all_leave(capabilities: &'static str, request: UpstreamRequest, word: &'static str) {
    let fake = Fake::start(capabilities, |_, _, _| Answer::Default).await;
    let (account, _events) = watched(at_port(fake.port), "Work", &["Work", "Work/2026"]);
    fake.until(|log| {
        let idle = log.iter().filter(|line| line.ends_with(" IDLE")).count();
        idle == 2 && inside(log, "Work").len() == 1 && inside(log, "Work/2026").len() == 1
    })
    .await;
    assert!(matches!(ask(&account, search("Work")).await, UpstreamReply::Ok(_)));
    assert_eq!(inside(&fake.log(), "Work").len(), 2, "{:#?}", fake.log());
    assert!(matches!(ask(&account, request).await, UpstreamReply::Ok(_)));
    let log = fake.log();
    let at = log.iter().position(|line| line.contains(word)).expect("sent");
    assert_eq!(inside(&log[..at], "Work"), [0; 0], "{log:#?}");
    let renamed = word == "RENAME";
    assert_eq!(inside(&log[..at], "Work/2026").is_empty(), renamed, "{log:#?}");
    // Not by a command that expunges: what was open was open to be read.
    assert!(log.iter().all(|line| !line.contains("SELECT \"")), "{log:#?}");
    // It is watched again afterwards, for as long as the owner says so.
    fake.until(|log| inside(&log[at..], "Work").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_left_before_it_is_deleted() {
    all_leave("IDLE UNSELECT", UpstreamRequest::Delete(MailboxName::new("Work")), "DELETE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_left_where_there_is_no_unselect() {
    all_leave("IDLE", UpstreamRequest::Delete(MailboxName::new("Work")), "DELETE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_below_is_left_before_a_rename() {
    let rename = UpstreamRequest::Rename(MailboxName::new("Work"), MailboxName::new("Play"));
    all_leave("IDLE UNSELECT", rename, "RENAME").await;
}

/// Another request waits outside until the command is answered.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_enters_before_the_answer() {
    let fake = Fake::start("IDLE UNSELECT", |command, _, _| match command {
        _ if command.starts_with("DELETE") => Answer::Say(Vec::new()),
        _ => Answer::Default,
    })
    .await;
    let (account, _events) = watched(at_port(fake.port), "INBOX", &[]);
    let delete = {
        let account = account.clone();
        let request = UpstreamRequest::Delete(MailboxName::new("Work"));
        tokio::spawn(async move { ask(&account, request).await })
    };
    fake.until(|log| log.iter().any(|line| line.contains("DELETE"))).await;
    let waiting = {
        let account = account.clone();
        tokio::spawn(async move { ask(&account, search("Work")).await })
    };
    // Others are not kept.
    assert!(matches!(ask(&account, search("INBOX")).await, UpstreamReply::Ok(_)));
    let items = vec![StatusItem::Messages];
    let status = UpstreamRequest::Status(MailboxName::new("INBOX"), items);
    assert!(matches!(ask(&account, status).await, UpstreamReply::Ok(_)));
    assert!(inside(&fake.log(), "Work").is_empty() && !waiting.is_finished());
    delete.abort();
    assert!(matches!(waiting.await.expect("ends"), UpstreamReply::Ok(_)));
}

/// Made, filled, opened and deleted over and over, while it is what the watching connection looks at first.
#[tokio::test(flavor = "multi_thread")]
async fn dovecot_can_open_what_was_deleted_and_made_again() {
    for server in [Dovecot::start(), Dovecot::start_poor()] {
        server.save_some("joe", "INBOX", 1);
        let (account, mut events) = watched(config(&server), "Work", &["Work", "INBOX"]);
        let reading = tokio::spawn(async move { while events.recv().await.is_some() {} });
        for round in 0..12 {
            let work = MailboxName::new("Work");
            let made = ask(&account, UpstreamRequest::Create(work.clone())).await;
            assert!(matches!(made, UpstreamReply::Ok(_)), "{round}: {made:?}");
            server.save_some("joe", "Work", 1);
            let seen = sync(&account, "Work", None, true).await;
            assert_eq!(seen.messages, 1, "{round}");
            let found = ask(
                &account,
                UpstreamRequest::Search(at("Work", &seen, 0), None, pimap_types::search::SearchKey::All),
            )
            .await;
            assert!(matches!(found, UpstreamReply::Ok(_)), "{round}: {found:?}");
            let deleted = ask(&account, UpstreamRequest::Delete(work)).await;
            assert!(matches!(deleted, UpstreamReply::Ok(_)), "{round}: {deleted:?}");
        }
        reading.abort();
    }
}
