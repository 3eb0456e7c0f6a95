//! The gateway as a client that is often not there: what the drafts and RFCs ask of such a one, read from what goes upstream
//! (the disconnected-client draft, RFC 5465, RFC 7162).

mod dovecot;
mod fake;
mod support;

use bytes::Bytes;
use fake::{Answer, Fake};
use pimap_types::append::{Append, AppendPart, AppendPiece};
use pimap_types::command::{FetchItem, StatusItem};
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::*;
use pimap_types::{Flag, Flags, MailboxName, ModSeq, UidValidity};
use pimap_upstream::{AccountUpstream, BodyStream, UpstreamConfig};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::*;
use tokio::sync::mpsc;

const QRESYNC: &str = "ENABLE CONDSTORE QRESYNC";
const ENABLED: &[&str] = &["* ENABLED QRESYNC CONDSTORE", "{tag} OK on"];

fn in_mailbox(name: &str) -> MailboxAt {
    let uid_validity = UidValidity::new(7).expect("not zero");
    MailboxAt { mailbox: MailboxName::new(name), uid_validity, at_least: 1 }
}

fn here() -> MailboxAt {
    in_mailbox("INBOX")
}

fn known_before() -> Known {
    Known {
        uid_validity: here().uid_validity,
        highest_mod_seq: ModSeq(12),
        uids: set(&[(1, 5)]),
        facts: false,
    }
}

/// A server whose mailboxes are opened with these lines.
async fn opened_with(capabilities: &'static str, lines: &'static [&'static str]) -> Fake {
    Fake::start(capabilities, move |said, _, _| match said {
        "ENABLE QRESYNC CONDSTORE" => Answer::lines(ENABLED),
        said if said.starts_with("EXAMINE") || said.starts_with("SELECT") => Answer::lines(lines),
        said if said.starts_with("APPEND") => Answer::lines(&["+ go on"]),
        _ => Answer::Default,
    })
    .await
}

fn commands(fake: &Fake) -> Vec<String> {
    fake.log().iter().filter_map(|l| l.split_once(' ').map(|(_, c)| c.to_owned())).collect()
}

fn watched(
    fake: &Fake,
    mailboxes: Vec<MailboxName>,
    change: impl FnOnce(&mut UpstreamConfig),
) -> (AccountUpstream, mpsc::Receiver<UpstreamEvent>) {
    let mut config = at_port(fake.port);
    change(&mut config);
    let (sender, events) = mpsc::channel(64);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    account.watch(WatchList { first: Some(MailboxName::new("INBOX")), mailboxes, all: false });
    (account, events)
}

fn inbox_alone() -> Vec<MailboxName> {
    vec![MailboxName::new("INBOX")]
}

/// IDLE is renewed all the time, so that the server gets to say something.
fn restless(config: &mut UpstreamConfig) {
    config.idle_renewal = Duration::from_millis(20);
}

const MESSAGE: &[u8] = b"Message-ID: <a@b>";

async fn append(account: &AccountUpstream, mailbox: &str) -> UpstreamReply {
    let parts = vec![
        AppendPart::Message { flags: Flags::default(), date: None },
        AppendPart::Literal { size: MESSAGE.len() as u64, binary: false },
    ];
    let (sender, octets) = mpsc::channel(2);
    sender.send(AppendPiece::Bytes(Bytes::from_static(MESSAGE))).await.expect("room");
    sender.send(AppendPiece::End).await.expect("room");
    let append = Append { mailbox: MailboxName::new(mailbox), parts };
    account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await
}

/// NQ-025: however many mailboxes matter, a thousand are looked at and the round comes to its end.
#[tokio::test]
async fn only_so_many_mailboxes_are_polled() {
    let fake = Fake::start("", |_, _, _| Answer::Default).await;
    let mailboxes = (0..1_005).map(|n| MailboxName::new(&format!("M{n}"))).collect();
    let (_account, _events) =
        watched(&fake, mailboxes, |config| config.poll_interval = Duration::from_millis(1));
    let first = "STATUS \"M0\" ";
    fake.until(|log| log.iter().filter(|line| line.contains(first)).count() == 2).await;
    let asked: BTreeSet<String> = commands(&fake).into_iter().filter(|c| c.starts_with("STATUS")).collect();
    assert_eq!(asked.len(), 1_000);
}

/// NQ-026: a handset that does not take its message stops the connection it is read from, and the watching one not at all.
#[tokio::test]
async fn a_slow_handset_does_not_keep_the_watcher_from_reading() {
    const FOURTH: &str =
        "* 4 FETCH (UID 4 FLAGS () INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)";
    let fake = Fake::start("IDLE", |said, _, before| match said {
        "DONE" if before.iter().any(|line| line.contains("BODY.PEEK[]")) => {
            Answer::lines(&["* 4 EXISTS", "{tag} OK was idle"])
        }
        said if said.starts_with("UID FETCH 4:*") => Answer::lines(&[FOURTH, "{tag} OK fetched"]),
        said if said.contains("BODY.PEEK[]") => {
            let body = "x".repeat(16 << 20);
            let told = format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n{body})", body.len());
            Answer::lines(&[&told, "{tag} OK fetched"])
        }
        _ => Answer::Default,
    })
    .await;
    let (account, mut events) = watched(&fake, inbox_alone(), restless);
    let (sender, mut pieces) = mpsc::channel(1);
    let body = FetchItem::Section { peek: true, section: String::new(), partial: None };
    let request = UpstreamRequest::Fetch(here(), set(&[(1, 1)]), vec![body]);
    let fetching = tokio::spawn(async move { account.run(request, BodyStream::Fetch(sender)).await });
    assert!(matches!(pieces.recv().await, Some(FetchPiece::Start(_))));
    let arrived = event(&mut events, |e| match e {
        UpstreamEvent::Changed { facts, .. } => Some(uids(facts)),
        _ => None,
    });
    assert_eq!(arrived.await, [4]);
    assert!(!fetching.is_finished());
    // Nothing is lost of what waited.
    let mut octets = 0;
    while let Some(piece) = pieces.recv().await {
        octets += if let FetchPiece::Bytes(piece) = piece { piece.len() } else { 0 };
    }
    assert!(octets > 16 << 20, "{octets}");
    assert!(matches!(fetching.await, Ok(UpstreamReply::Ok(Data::Fetched { .. }))));
}

/// NQ-046: the code is taken, and that only once the command has been answered; a mod-sequence that a message bears never is,
/// as others below it may still be on their way (RFC 7162 6, its example of 99 and 104).
#[tokio::test]
async fn a_mod_sequence_that_is_seen_is_not_the_highest() {
    const FETCHED: &str =
        "* 3 FETCH (UID 3 FLAGS () MODSEQ (104) INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)";
    const BEGUN: &[&str] = &["* 3 EXISTS", "* OK [UIDVALIDITY 7] x", "* OK [UIDNEXT 4] x", FETCHED];
    let highest = |code: Option<&'static str>, ends: bool| async move {
        let fake = Fake::start(QRESYNC, move |said, _, _| match said {
            "ENABLE QRESYNC CONDSTORE" => Answer::lines(ENABLED),
            said if said.starts_with("EXAMINE") => {
                let lines = [BEGUN, code.as_slice()].concat();
                match ends {
                    true => Answer::lines(&[&lines[..], &["{tag} OK open"]].concat()),
                    false => Answer::close(&format!("{}\r\n", lines.join("\r\n"))),
                }
            }
            said if said.starts_with("UID FETCH") => Answer::lines(&[FETCHED, "{tag} OK fetched"]),
            _ => Answer::Default,
        })
        .await;
        let account = quiet_account(at_port(fake.port), "joe");
        let request = UpstreamRequest::Sync {
            mailbox: MailboxName::new("INBOX"),
            known: Some(known_before()),
            facts: false,
        };
        match ask(&account, request).await {
            UpstreamReply::Ok(Data::Synced(synced)) => Some(synced.highest_mod_seq.0),
            UpstreamReply::Failed(UpstreamFault::Unavailable) => None,
            other => panic!("{other:?}"),
        }
    };
    let code = Some("* OK [HIGHESTMODSEQ 99] x");
    assert_eq!(highest(code, true).await, Some(99));
    assert_eq!(highest(code, false).await, None);
    assert_eq!(highest(None, true).await, Some(0));
}

/// NQ-050: under another UIDVALIDITY nothing that is known counts, nothing named by UID is done, and what is only to be saved is
/// saved.
#[tokio::test]
async fn a_mailbox_made_anew_is_read_anew_and_not_touched() {
    const ANEW: &[&str] = &[
        "* FLAGS (\\Seen \\Deleted)",
        "* 3 EXISTS",
        "* OK [UIDVALIDITY 8] x",
        "* OK [UIDNEXT 4] x",
        "* OK [HIGHESTMODSEQ 40] x",
        "{tag} OK open",
    ];
    for capabilities in ["", QRESYNC] {
        let fake = opened_with(capabilities, ANEW).await;
        let account = quiet_account(at_port(fake.port), "joe");
        let synced = sync(&account, "INBOX", Some(known_before()), false).await;
        assert_eq!(synced.uid_validity.get(), 8);
        assert_eq!(synced.delta, Delta::Full { uids: set(&[(1, 3)]), facts: vec![] }, "{capabilities}");
        for request in [
            UpstreamRequest::Store(here(), set(&[(2, 2)]), add(Flag::Deleted), None),
            UpstreamRequest::Copy(here(), set(&[(2, 2)]), MailboxName::new("Work")),
            UpstreamRequest::Move(here(), set(&[(2, 2)]), MailboxName::new("Work")),
            UpstreamRequest::Expunge { at: here(), uids: set(&[(2, 2)]), all_visible: true },
            UpstreamRequest::Facts(here(), set(&[(2, 2)])),
        ] {
            let reply = ask(&account, request.clone()).await;
            assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::UidValidityChanged), "{request:?}");
        }
        let searches = fake.count("UID SEARCH");
        assert_eq!(fake.count("UID "), searches, "{:#?}", fake.log());
        assert_eq!(append(&account, "INBOX").await, UpstreamReply::Ok(Data::Appended(None)));
        assert_eq!(fake.count("APPEND"), 1);
    }
}

/// NQ-053, NQ-054: what is deleted is named, even where nothing is hidden; and a mailbox open to be changed is left by UNSELECT, by
/// opening one, or by LOGOUT: what others have marked stays.
#[tokio::test]
async fn a_mailbox_is_left_without_expunging() {
    for capabilities in ["", "UNSELECT"] {
        let fake = Fake::start(capabilities, |said, _, _| match said.starts_with("APPEND") {
            true => Answer::lines(&["+ go on"]),
            false => Answer::Default,
        })
        .await;
        let mut config = at_port(fake.port);
        config.connections_per_account_max = 1;
        config.idle_timeout = Duration::from_millis(300);
        let account = quiet_account(config, "joe");
        let mark = || UpstreamRequest::Store(here(), set(&[(2, 2)]), add(Flag::Deleted), None);
        data(&account, mark()).await;
        let expunge = UpstreamRequest::Expunge { at: here(), uids: set(&[(2, 2)]), all_visible: true };
        data(&account, expunge).await;
        sync(&account, "Work", None, false).await;
        data(&account, mark()).await;
        data(&account, UpstreamRequest::Status(MailboxName::new("INBOX"), vec![StatusItem::Messages])).await;
        data(&account, mark()).await;
        assert!(matches!(append(&account, "INBOX").await, UpstreamReply::Ok(_)));
        data(&account, mark()).await;
        fake.until(|log| log.iter().any(|line| line.ends_with(" LOGOUT"))).await;
        let said = commands(&fake);
        assert!(said.contains(&"UID EXPUNGE 2".to_owned()), "{said:#?}");
        for pair in said.windows(2) {
            assert_ne!(pair[1], "EXPUNGE");
            let examined = capabilities.is_empty() && pair[0] == "EXAMINE \"INBOX\"";
            assert!(pair[1] != "CLOSE" || examined, "{capabilities}: {said:#?}");
        }
    }
}

/// NQ-057: what the gateway asks for by itself is UID, FLAGS, INTERNALDATE, size and MODSEQ; no body, and nothing is opened to be
/// changed.
#[tokio::test]
async fn nothing_is_read_in_the_background_that_sets_seen() {
    let fake = Fake::start("IDLE ENABLE CONDSTORE", |said, _, _| match said {
        "ENABLE CONDSTORE" => Answer::lines(&["* ENABLED CONDSTORE", "{tag} OK on"]),
        "DONE" => Answer::lines(&["* 4 EXISTS", "* 2 FETCH (UID 2 FLAGS (\\Seen))", "{tag} OK was idle"]),
        _ => Answer::Default,
    })
    .await;
    let (account, _events) = watched(&fake, inbox_alone(), restless);
    let request = |known| UpstreamRequest::Sync { mailbox: MailboxName::new("INBOX"), known, facts: true };
    ask(&account, request(None)).await;
    ask(&account, request(Some(known_before()))).await;
    ask(&account, UpstreamRequest::Facts(here(), set(&[(1, 2)]))).await;
    fake.until(|log| log.iter().any(|line| line.contains("UID FETCH 4:*"))).await;
    let fetches: Vec<String> = commands(&fake).into_iter().filter(|c| c.contains("FETCH")).collect();
    assert!(fetches.len() >= 3, "{fetches:#?}");
    for fetch in fetches {
        let items = fetch.split_once(" (").map_or("", |(_, items)| items);
        assert!(items.starts_with("UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"), "{fetch}");
    }
    assert_eq!(fake.count("SELECT"), 0, "{:#?}", fake.log());
}

/// NQ-058: connections are few however many mailboxes there are, and the one that has a mailbox open is asked about it.
#[tokio::test]
async fn connections_are_not_made_by_the_mailbox() {
    let fake = Fake::start("", |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let all = |mailbox: &str| UpstreamRequest::Search(in_mailbox(mailbox), None, SearchKey::All);
    let mut requests = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (account, request) = (account.clone(), all(&format!("M{n}")));
        requests.spawn(async move { ask(&account, request).await });
    }
    while let Some(reply) = requests.join_next().await {
        assert!(matches!(reply, Ok(UpstreamReply::Ok(Data::Uids(_)))), "{reply:?}");
    }
    assert!(account.connection_counts().1 <= 2 && fake.count("LOGIN") <= 3, "{:#?}", fake.log());
    for mailbox in ["One", "Two", "Two", "One", "One", "Two", "Two"] {
        data(&account, all(mailbox)).await;
    }
    assert_eq!((fake.count("EXAMINE \"One\""), fake.count("EXAMINE \"Two\"")), (1, 1), "{:#?}", fake.log());
}

/// The ends of all ranges of UIDs in a command, `*` left out.
fn uids_named(command: &str) -> Vec<u64> {
    let words: Vec<&str> = command.split([' ', '(', ')']).collect();
    let set = match words[..] {
        ["UID", "SEARCH", ref program @ ..] => {
            program.iter().position(|word| *word == "UID").and_then(|at| program.get(at + 1).copied())
        }
        ["UID", _, set, ..] => Some(set),
        _ => None,
    };
    let ends = set.unwrap_or_default().split([',', ':']).filter(|end| !end.is_empty() && *end != "*");
    ends.map(|end| end.parse().unwrap_or_else(|_| panic!("{command}"))).collect()
}

/// NQ-062: whatever a server says of UIDNEXT, and whatever is asked for, what is sent as a UID is one.
#[tokio::test]
async fn what_is_sent_as_a_uid_is_one() {
    for (uid_next, exists) in [
        (None, "* 3 EXISTS"),
        (Some("* OK [UIDNEXT 0] x"), "* 3 EXISTS"),
        (Some("* OK [UIDNEXT 1] x"), "* 3 EXISTS"),
        (Some("* OK [UIDNEXT 4294967295] x"), "* 3 EXISTS"),
        (Some("* OK [UIDNEXT 4294967296] x"), "* 3 EXISTS"),
        // Asked for in slices.
        (Some("* OK [UIDNEXT 200001] x"), "* 200000 EXISTS"),
    ] {
        let fake = Fake::start("IDLE", move |said, _, _| match said {
            "DONE" => Answer::lines(&["* 4 EXISTS", "{tag} OK was idle"]),
            said if said.starts_with("EXAMINE") || said.starts_with("SELECT") => {
                let lines = [&[exists, "* OK [UIDVALIDITY 7] x"], uid_next.as_slice(), &["{tag} OK open"]];
                Answer::lines(&lines.concat())
            }
            _ => Answer::Default,
        })
        .await;
        let (account, _events) = watched(&fake, inbox_alone(), restless);
        let extremes = set(&[(0, 0), (0, 1), (7, 7), (u32::MAX, u32::MAX)]);
        let program = |first| SearchKey::Uid(SequenceSet(vec![(SetNumber::Number(first), SetNumber::Star)]));
        for request in [
            UpstreamRequest::Sync { mailbox: MailboxName::new("INBOX"), known: None, facts: false },
            UpstreamRequest::Facts(here(), extremes.clone()),
            UpstreamRequest::Search(here(), None, program(u32::MAX)),
            UpstreamRequest::Store(here(), extremes.clone(), add(Flag::Seen), None),
            UpstreamRequest::Copy(here(), extremes.clone(), MailboxName::new("Work")),
            UpstreamRequest::Move(here(), extremes.clone(), MailboxName::new("Work")),
            UpstreamRequest::Expunge { at: here(), uids: extremes.clone(), all_visible: false },
        ] {
            ask(&account, request).await;
        }
        let idles = |log: &[String]| log.iter().filter(|line| line.ends_with(" IDLE")).count();
        fake.until(|log| idles(log) >= 3).await;
        let named: Vec<(String, Vec<u64>)> =
            commands(&fake).into_iter().map(|command| (command.clone(), uids_named(&command))).collect();
        assert!(named.iter().any(|(_, uids)| uids.contains(&u64::from(u32::MAX))), "{named:#?}");
        for (command, uids) in named {
            assert!(
                uids.iter().all(|uid| (1..=u64::from(u32::MAX)).contains(uid)),
                "{uid_next:?}: {command}"
            );
        }
    }
}

/// NQ-063: CAPABILITY is not asked for where it was told, and UIDPLUS names what goes and tells what came. LITERAL+ is left alone:
/// what a server refuses before it comes to the literal, it might execute.
#[tokio::test]
async fn what_is_offered_is_used() {
    let fake =
        Fake::start_with_greeting("* OK [CAPABILITY IMAP4rev1 LITERAL+] ready", "LITERAL+", |said, _, _| {
            match said {
                said if said.starts_with("LOGIN") => {
                    Answer::lines(&["{tag} OK [CAPABILITY IMAP4rev1 UIDPLUS LITERAL+] in"])
                }
                said if said.starts_with("APPEND") => Answer::lines(&["+ go on"]),
                "Message-ID: <a@b>" => Answer::lines(&["{tag} OK [APPENDUID 9 5] saved"]),
                _ => Answer::Default,
            }
        })
        .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let expunge = UpstreamRequest::Expunge { at: here(), uids: set(&[(2, 2)]), all_visible: false };
    data(&account, expunge).await;
    let validity = UidValidity::new(9).expect("not zero");
    let saved = UpstreamReply::Ok(Data::Appended(Some((validity, set(&[(5, 5)])))));
    assert_eq!(append(&account, "Sent").await, saved);
    let said = commands(&fake);
    assert_eq!(fake.count("CAPABILITY"), 0, "{said:#?}");
    assert!(said.contains(&"UID EXPUNGE 2".to_owned()), "{said:#?}");
    assert!(said.iter().any(|c| c.starts_with("APPEND") && c.ends_with("{17}")), "{said:#?}");
    // Nothing of it where nothing is offered.
    let fake = opened_with("", &["* 0 EXISTS", "* OK [UIDVALIDITY 7] x", "{tag} OK open"]).await;
    let account = quiet_account(at_port(fake.port), "joe");
    append(&account, "Sent").await;
    let said = commands(&fake);
    assert!(said.iter().any(|c| c.starts_with("APPEND") && c.ends_with("{17}")), "{said:#?}");
    assert_eq!(fake.count("CAPABILITY"), 2 * fake.count("LOGIN"), "{said:#?}");
}

/// Dovecot makes a mailbox when it is first opened, and says NO to one of two who open it at once.
#[tokio::test]
async fn a_mailbox_that_another_makes_at_this_moment_is_opened() {
    let asked = AtomicUsize::new(0);
    let fake = Fake::start("", move |said, _, _| match said {
        said if said.starts_with("EXAMINE") && asked.fetch_add(1, Ordering::SeqCst) == 0 => {
            Answer::lines(&["{tag} NO [ALREADYEXISTS] Mailbox already exists"])
        }
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    assert_eq!(sync(&account, "INBOX", None, false).await.messages, 3);
    assert_eq!(fake.count("EXAMINE"), 2);
    // Who says so again and again has not the mailbox.
    let fake = opened_with("", &["{tag} NO [ALREADYEXISTS] Mailbox already exists"]).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let request = UpstreamRequest::Sync { mailbox: MailboxName::new("INBOX"), known: None, facts: false };
    let reply = account.run(request, BodyStream::None).await;
    assert!(matches!(reply, UpstreamReply::Failed(UpstreamFault::NoSuchMailbox(_))), "{reply:?}");
}
