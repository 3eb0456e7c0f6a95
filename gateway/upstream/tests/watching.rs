//! What the watching connection reports of a real Dovecot, rich and poor.

mod dovecot;
mod support;

use dovecot::Dovecot;
use pimap_types::upstream::*;
use pimap_types::{Flag, MailboxName, MessageFacts, ModSeq};
use pimap_upstream::{AccountUpstream, UpstreamConfig};
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::sync::mpsc;

type Events = mpsc::Receiver<UpstreamEvent>;

fn list(first: &str, mailboxes: &[&str]) -> WatchList {
    let mailboxes = mailboxes.iter().map(|name| MailboxName::new(name)).collect();
    WatchList { first: Some(MailboxName::new(first)), mailboxes, all: false }
}

fn watch(config: UpstreamConfig, list: WatchList) -> (AccountUpstream, Events) {
    let (sender, events) = mpsc::channel(16);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    account.watch(list);
    (account, events)
}

/// The next facts reported of a mailbox.
async fn changed(events: &mut Events, name: &str) -> Vec<MessageFacts> {
    event(events, |event| match event {
        UpstreamEvent::Changed { mailbox, facts, .. } if mailbox.as_str() == name => Some(facts.clone()),
        _ => None,
    })
    .await
}

/// The next numbers reported of a mailbox: UIDNEXT and HIGHESTMODSEQ.
async fn status(events: &mut Events, name: &str, fits: impl Fn(Option<u32>, Option<ModSeq>) -> bool) {
    event(events, |event| match event {
        UpstreamEvent::Status { mailbox, uid_next, highest_mod_seq, .. } if mailbox.as_str() == name => {
            fits(*uid_next, *highest_mod_seq).then_some(())
        }
        _ => None,
    })
    .await;
}

async fn back(events: &mut Events) -> (bool, bool) {
    event(events, |event| match event {
        UpstreamEvent::Back { notify, mod_seqs, .. } => Some((*notify, *mod_seqs)),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_and_idle_report_everything_on_one_connection() {
    let server = Dovecot::start();
    server.save_some("joe", "INBOX", 2);
    server.save_some("joe", "Work", 1);
    let (account, mut events) = watch(config(&server), list("INBOX", &["INBOX", "Work"]));
    assert_eq!(back(&mut events).await, (true, true));
    status(&mut events, "INBOX", |next, mod_seq| next == Some(3) && mod_seq.is_some()).await;

    server.save_some("joe", "INBOX", 1);
    let facts = changed(&mut events, "INBOX").await;
    assert_eq!(uids(&facts), [3]);
    assert!(facts[0].size > 10 && facts[0].internal_date.0 > 10_000 && facts[0].mod_seq > ModSeq(0));

    // New flags come without date and size; the event has them all the same.
    server.doveadm(&["flags", "add", "-u", "joe", "\\Flagged", "mailbox", "INBOX", "uid", "1"]);
    let facts = changed(&mut events, "INBOX").await;
    assert_eq!(uids(&facts), [1]);
    assert!(
        facts[0].flags.contains(&Flag::Flagged) && facts[0].size > 10 && facts[0].internal_date.0 > 10_000
    );

    server.doveadm(&["expunge", "-u", "joe", "mailbox", "INBOX", "uid", "2"]);
    let gone = event(&mut events, |event| match event {
        UpstreamEvent::Vanished { mailbox, uids, .. } if mailbox.is_inbox() => Some(uids.clone()),
        _ => None,
    });
    assert_eq!(gone.await, set(&[(2, 2)]));

    server.save_some("joe", "Work", 1);
    status(&mut events, "Work", |next, _| next == Some(3)).await;
    server.doveadm(&["flags", "add", "-u", "joe", "\\Seen", "mailbox", "Work", "uid", "1"]);
    // Dovecot then tells no more than the mod-sequence.
    status(&mut events, "Work", |_, mod_seq| mod_seq > Some(ModSeq(2))).await;

    assert_eq!(account.connection_counts(), (1, 0), "one connection saw it all");
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_that_come_and_change_their_names() {
    // Dovecot overlooks a second change to its list within a second and finds it at its next check only.
    let server = Dovecot::start_with("mailbox_idle_check_interval = 1 secs");
    let (_account, mut events) = watch(config(&server), list("INBOX", &["INBOX"]));
    back(&mut events).await;
    server.doveadm(&["mailbox", "create", "-u", "joe", "Fresh"]);
    let named = |name: &'static str| {
        move |event: &UpstreamEvent| match event {
            UpstreamEvent::Mailbox { item, old_name } if item.mailbox.as_str() == name => {
                Some(old_name.clone())
            }
            _ => None,
        }
    };
    assert_eq!(event(&mut events, named("Fresh")).await, None);
    server.doveadm(&["mailbox", "rename", "-u", "joe", "Fresh", "Renamed"]);
    assert_eq!(event(&mut events, named("Renamed")).await, Some(MailboxName::new("Fresh")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_first_mailbox_is_opened_on_the_same_connection() {
    let server = Dovecot::start();
    server.save_some("joe", "Work", 4);
    let (account, mut events) = watch(config(&server), list("INBOX", &["INBOX", "Work"]));
    back(&mut events).await;
    account.watch(list("Work", &["INBOX", "Work"]));
    status(&mut events, "Work", |next, _| next == Some(5)).await;
    // The count is what it was before, but the UID tells.
    server.doveadm(&["expunge", "-u", "joe", "mailbox", "Work", "uid", "1"]);
    server.save_some("joe", "Work", 1);
    assert_eq!(uids(&changed(&mut events, "Work").await), [5]);
    server.save_some("joe", "INBOX", 1);
    status(&mut events, "INBOX", |next, _| next == Some(2)).await;
    // One that is not there is told as something to look at, and costs nothing else.
    account.watch(list("Nowhere", &["INBOX", "Nowhere"]));
    status(&mut events, "Nowhere", |next, _| next.is_none()).await;
    server.save_some("joe", "INBOX", 1);
    status(&mut events, "INBOX", |next, _| next == Some(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poor_server_is_idled_on_and_polled() {
    let server = Dovecot::start_poor();
    server.save_some("joe", "INBOX", 3);
    server.save_some("joe", "Work", 1);
    let mut config = config(&server);
    // With nothing to spare; see `spare.rs`.
    (config.poll_interval, config.spare_watchers_max) = (Duration::from_millis(100), 0);
    let (_account, mut events) = watch(config, list("INBOX", &["INBOX", "Work"]));
    assert_eq!(back(&mut events).await, (false, false));
    server.save_some("joe", "INBOX", 1);
    let facts = changed(&mut events, "INBOX").await;
    assert_eq!((uids(&facts), facts[0].size > 10, facts[0].mod_seq), (vec![4], true, ModSeq(0)));
    // Expunges and flags come by number, which only says: look.
    server.doveadm(&["expunge", "-u", "joe", "mailbox", "INBOX", "uid", "1"]);
    status(&mut events, "INBOX", |next, _| next.is_none()).await;
    server.doveadm(&["flags", "add", "-u", "joe", "\\Seen", "mailbox", "INBOX", "uid", "2"]);
    status(&mut events, "INBOX", |next, _| next.is_none()).await;
    // The other mailbox is polled; its first numbers were told long ago.
    server.save_some("joe", "Work", 1);
    status(&mut events, "Work", |next, _| next == Some(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_idle_is_polled() {
    let server = Dovecot::start_with("imap_capability = IMAP4rev1 UIDPLUS");
    server.save_some("joe", "INBOX", 1);
    let mut config = config(&server);
    config.poll_interval = Duration::from_millis(100);
    config.connections_per_account_max = 1;
    let all = WatchList { all: true, ..WatchList::default() };
    let (account, mut events) = watch(config, all);
    assert_eq!(back(&mut events).await, (false, false));
    status(&mut events, "INBOX", |next, _| next == Some(2)).await;
    server.save_some("joe", "Sent", 1);
    status(&mut events, "Sent", |next, _| next == Some(2)).await;
    assert_eq!(account.connection_counts(), (0, 1), "one connection for everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_comes_back_by_itself() {
    let server = Dovecot::start();
    server.save_some("joe", "INBOX", 1);
    let (account, mut events) = watch(config(&server), list("INBOX", &["INBOX"]));
    back(&mut events).await;
    let before = sync(&account, "INBOX", None, false).await;
    // Both the watching and the pool connection end.
    server.doveadm(&["kick", "joe"]);
    event(&mut events, |event| matches!(event, UpstreamEvent::Lost).then_some(())).await;
    server.save_some("joe", "INBOX", 1);
    assert_eq!(back(&mut events).await, (true, true));
    let later = sync(&account, "INBOX", Some(known(&before)), true).await;
    let Delta::Since { changed, .. } = later.delta else { panic!("a difference") };
    assert_eq!(uids(&changed), [2]);
    server.save_some("joe", "INBOX", 1);
    assert_eq!(uids(&self::changed(&mut events, "INBOX").await).last(), Some(&3));
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_tell_the_numbers_of_every_watched_mailbox() {
    let server = Dovecot::start();
    server.save_some("joe", "Work", 2);
    let mut config = config(&server);
    config.audit_interval = Duration::from_millis(100);
    let (_account, mut events) = watch(config, list("INBOX", &["INBOX", "Work"]));
    back(&mut events).await;
    for _ in 0..3 {
        status(&mut events, "Work", |next, _| next == Some(3)).await;
        status(&mut events, "INBOX", |next, _| next == Some(1)).await;
    }
}
