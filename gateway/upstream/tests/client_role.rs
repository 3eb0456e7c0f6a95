//! The gateway as a client: what goes upstream, word for word (RFC 2177, 5465, 7162, the disconnected-client draft).

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::command::StatusItem;
use pimap_types::search::SearchKey;
use pimap_types::upstream::*;
use pimap_types::{Flag, MailboxName, ModSeq, UidValidity};
use pimap_upstream::AccountUpstream;
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::sync::mpsc;

fn inbox() -> MailboxName {
    MailboxName::new("INBOX")
}

fn here() -> MailboxAt {
    MailboxAt { mailbox: inbox(), uid_validity: UidValidity::new(7).expect("not zero"), at_least: 1 }
}

fn list(mailboxes: &[&str]) -> WatchList {
    let mailboxes = mailboxes.iter().map(|name| MailboxName::new(name)).collect();
    WatchList { first: Some(inbox()), mailboxes, all: false }
}

const THREE: &str =
    "* 1 FETCH (UID 3 FLAGS () MODSEQ (55) INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)";

/// A server with mod-sequences that says yes to what it announced.
async fn rich(capabilities: &'static str, examine: &'static [&'static str]) -> Fake {
    Fake::start(capabilities, move |said, _, _| match said {
        "ENABLE QRESYNC CONDSTORE" => Answer::lines(&["* ENABLED QRESYNC CONDSTORE", "{tag} OK on"]),
        "ENABLE CONDSTORE" => Answer::lines(&["* ENABLED CONDSTORE", "{tag} OK on"]),
        said if said.starts_with("EXAMINE") && !examine.is_empty() => Answer::lines(examine),
        said if said.starts_with("UID FETCH 3 ") => Answer::lines(&[THREE, "{tag} OK fetched"]),
        _ => Answer::Default,
    })
    .await
}

const ALL: &str = "ENABLE CONDSTORE QRESYNC NOTIFY IDLE ESEARCH MOVE UNSELECT";

fn commands(fake: &Fake) -> Vec<String> {
    fake.log().iter().filter_map(|l| l.split_once(' ').map(|(_, c)| c.to_owned())).collect()
}

fn watched(
    fake: &Fake,
    list: WatchList,
    change: impl FnOnce(&mut pimap_upstream::UpstreamConfig),
) -> (AccountUpstream, mpsc::Receiver<UpstreamEvent>) {
    let mut config = at_port(fake.port);
    change(&mut config);
    let (sender, events) = mpsc::channel(64);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    account.watch(list);
    (account, events)
}

/// NQ-020, NQ-023, NQ-044: ENABLE right after the login, before any mailbox is opened; NOTIFY with arrivals and departures
/// together, and nothing fetched by it that would mark a message as read or take it to have parts.
#[tokio::test]
async fn what_is_announced_is_switched_on_and_nothing_else() {
    let fake = rich(ALL, &[]).await;
    let _account = watched(&fake, list(&["INBOX"]), |_| {});
    fake.until(|log| log.iter().any(|l| l.ends_with(" IDLE"))).await;
    let said = commands(&fake);
    let at = |word: &str| {
        said.iter().position(|c| c.starts_with(word)).unwrap_or_else(|| panic!("{word}: {said:#?}"))
    };
    assert!(at("LOGIN") < at("ENABLE QRESYNC CONDSTORE"));
    assert!(
        at("ENABLE") < at("NOTIFY SET") && at("NOTIFY SET") < at("EXAMINE") && at("EXAMINE") < at("IDLE")
    );
    let notify = &said[at("NOTIFY SET")];
    assert!(notify.contains("MessageNew") && notify.contains("MessageExpunge"), "{notify}");
    assert!(!notify.contains("BODY") && !notify.contains("RFC822.TEXT"), "{notify}");
    for capabilities in ["IDLE", "IDLE CONDSTORE"] {
        let fake = rich(capabilities, &[]).await;
        let _account = watched(&fake, list(&["INBOX"]), |_| {});
        fake.until(|log| log.iter().any(|l| l.ends_with(" IDLE"))).await;
        assert_eq!(fake.count("ENABLE") + fake.count("NOTIFY"), 0, "{capabilities}");
    }
    // Announced and not confirmed: not relied upon.
    let fake = Fake::start(ALL, |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let known = Known {
        uid_validity: here().uid_validity,
        highest_mod_seq: ModSeq(9),
        uids: set(&[(1, 3)]),
        facts: false,
    };
    let request = UpstreamRequest::Sync { mailbox: inbox(), known: Some(known), facts: false };
    ask(&account, request).await;
    assert!(!commands(&fake).iter().any(|c| c.contains("(QRESYNC")), "{:#?}", fake.log());
}

/// NQ-021, NQ-022: news between commands and in their answers cost nothing; whatever is asked for is asked for by UID.
#[tokio::test]
async fn news_between_commands_are_taken_and_numbers_never_sent() {
    let fake = Fake::start("ESEARCH", |said, _, _| match said.starts_with("UID SEARCH") {
        true => Answer::lines(&[
            "* 4 EXISTS",
            "* 2 FETCH (FLAGS (\\Seen))",
            "* STATUS Other (MESSAGES 5 UIDNEXT 9)",
            "* ESEARCH (TAG \"{tag}\") UID ALL 1:3",
            "{tag} OK found",
            "* LIST () \"/\" Fresh",
            "* VANISHED 900:903",
            "* 5 EXISTS",
            "* OK [ALERT] hello",
        ]),
        false => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    for _ in 0..3 {
        let found = data(&account, UpstreamRequest::Search(here(), None, SearchKey::All)).await;
        assert_eq!(found, Data::Uids(set(&[(1, 3)])));
    }
    ask(&account, UpstreamRequest::Store(here(), set(&[(2, 2)]), add(Flag::Seen), None)).await;
    ask(&account, UpstreamRequest::Copy(here(), set(&[(2, 2)]), MailboxName::new("Sent"))).await;
    ask(&account, UpstreamRequest::Expunge { at: here(), uids: set(&[(2, 2)]), all_visible: false }).await;
    for command in commands(&fake) {
        let word = command.split(' ').next().unwrap_or_default();
        assert!(!["FETCH", "STORE", "COPY", "SEARCH", "MOVE", "EXPUNGE"].contains(&word), "{command}");
    }
}

/// NQ-024: NOTIFY refused or given up by the server: everything is looked at, and watched as without it.
#[tokio::test]
async fn a_notify_that_is_refused_or_overflows_is_done_without() {
    let fake = Fake::start(ALL, |said, _, _| match said {
        said if said.starts_with("NOTIFY") => Answer::lines(&["{tag} NO [BADEVENT (MessageNew)] too much"]),
        _ => Answer::Default,
    })
    .await;
    let polls = |config: &mut pimap_upstream::UpstreamConfig| {
        (config.poll_interval, config.spare_watchers_max) = (Duration::from_millis(20), 0);
    };
    let (_account, mut events) = watched(&fake, list(&["INBOX", "Work"]), polls);
    let notify = event(&mut events, |e| match e {
        UpstreamEvent::Back { notify, .. } => Some(*notify),
        _ => None,
    });
    assert!(!notify.await);
    fake.until(|log| log.iter().any(|l| l.contains("STATUS \"Work\""))).await;
    // Overflow in the middle: the connection is made anew, and `Back` has the owner look at everything.
    let fake = Fake::start(ALL, |said, connection, _| match said {
        "IDLE" if connection == 1 => Answer::lines(&["+ idling", "* OK [NOTIFICATIONOVERFLOW] too much"]),
        _ => Answer::Default,
    })
    .await;
    let (_account, mut events) = watched(&fake, list(&["INBOX"]), |_| {});
    event(&mut events, |e| matches!(e, UpstreamEvent::Lost).then_some(())).await;
    event(&mut events, |e| matches!(e, UpstreamEvent::Back { .. }).then_some(())).await;
}

/// NQ-025: a server that gives NOTIFY up again and again is asked for no more than it can watch: a mailbox for each connection, of
/// a thousand.
#[tokio::test]
async fn a_server_that_cannot_watch_everything_is_asked_for_less() {
    let fake = Fake::start(ALL, |said, connection, before| {
        let notified = before.iter().any(|line| line.starts_with(&format!("{connection} NOTIFY SET")));
        match said {
            "IDLE" if notified => Answer::lines(&["+ idling", "* OK [NOTIFICATIONOVERFLOW] too much"]),
            _ => Answer::Default,
        }
    })
    .await;
    let names: Vec<String> = (0..1_000).map(|n| format!("Box{n}")).collect();
    let mailboxes = [vec!["INBOX"], names.iter().map(String::as_str).collect()].concat();
    let (_account, mut events) = watched(&fake, list(&mailboxes), |_| {});
    let mut overflows = 0;
    loop {
        let notify = event(&mut events, |e| match e {
            UpstreamEvent::Back { notify, .. } => Some(*notify),
            _ => None,
        });
        if !notify.await {
            break;
        }
        overflows += 1;
    }
    assert_eq!((overflows, fake.count("NOTIFY SET")), (3, 3), "{:#?}", fake.log());
    // Watched then are the first, and the one of the connection to spare.
    fake.until(|log| log.iter().any(|line| line.contains("EXAMINE \"Box0\""))).await;
    let opened = fake.log().iter().filter(|line| line.contains("EXAMINE \"Box")).count();
    assert_eq!(opened, 1, "{:#?}", fake.log());
}

/// NQ-027: IDLE is issued anew in time, on the same connection.
#[tokio::test]
async fn idle_is_renewed_in_time() {
    assert!(at_port(1).idle_renewal < Duration::from_secs(29 * 60));
    let fake = Fake::start("IDLE", |said, _, _| match said {
        "DONE" => Answer::lines(&["{tag} OK was idle"]),
        _ => Answer::Default,
    })
    .await;
    let (account, _events) =
        watched(&fake, list(&["INBOX"]), |config| config.idle_renewal = Duration::from_millis(20));
    fake.until(|log| log.iter().filter(|l| *l == "1 IDLE").count() > 3).await;
    assert!(fake.count("DONE") >= 3);
    assert_eq!((fake.count("LOGIN"), account.connection_counts()), (1, (1, 0)));
}

/// NQ-045, NQ-046, NQ-048: what is known goes into EXAMINE; HIGHESTMODSEQ is what the code says, whatever the messages say; what
/// vanished earlier is not taken off the count.
#[tokio::test]
async fn catching_up_says_what_is_known() {
    const EXAMINE: &[&str] = &[
        "* FLAGS (\\Seen)",
        "* 3 EXISTS",
        "* OK [UIDVALIDITY 7] x",
        "* OK [UIDNEXT 9] x",
        "* OK [HIGHESTMODSEQ 40] x",
        "* VANISHED (EARLIER) 1:2,4",
        THREE,
        "{tag} OK [READ-ONLY] open",
    ];
    let fake = rich(ALL, EXAMINE).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let known = Known {
        uid_validity: here().uid_validity,
        highest_mod_seq: ModSeq(12),
        uids: set(&[(1, 5)]),
        facts: false,
    };
    let synced = sync(&account, "INBOX", Some(known), false).await;
    assert!(commands(&fake).contains(&"EXAMINE \"INBOX\" (QRESYNC (7 12))".to_owned()), "{:#?}", fake.log());
    assert_eq!((synced.highest_mod_seq, synced.messages), (ModSeq(40), 3));
    let Delta::Since { vanished, changed } = synced.delta else { panic!("a difference") };
    assert_eq!((vanished, uids(&changed)), (set(&[(1, 2), (4, 4)]), vec![3]));
}

/// NQ-047: a mailbox without mod-sequences: what was known of them counts for nothing.
#[tokio::test]
async fn without_mod_sequences_everything_is_looked_at() {
    const EXAMINE: &[&str] = &[
        "* FLAGS (\\Seen)",
        "* 3 EXISTS",
        "* OK [UIDVALIDITY 7] x",
        "* OK [UIDNEXT 4] x",
        "* OK [NOMODSEQ] none kept",
        "{tag} OK [READ-ONLY] open",
    ];
    let fake = rich("ENABLE CONDSTORE QRESYNC", EXAMINE).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let known = Known {
        uid_validity: here().uid_validity,
        highest_mod_seq: ModSeq(12),
        uids: set(&[(1, 5)]),
        facts: false,
    };
    let synced = sync(&account, "INBOX", Some(known), false).await;
    assert_eq!(synced.highest_mod_seq, ModSeq(0));
    assert_eq!(synced.delta, Delta::Full { uids: set(&[(1, 3)]), facts: vec![] });
}

/// NQ-059: the numbers of a mailbox are not asked for where it is open; it is left first, and expunges nothing.
#[tokio::test]
async fn status_is_not_asked_for_where_the_mailbox_is_open() {
    for (capabilities, leaving) in [("UNSELECT", "UNSELECT"), ("", "CLOSE")] {
        let fake = Fake::start(capabilities, |_, _, _| Answer::Default).await;
        let mut config = at_port(fake.port);
        // One connection for everything, so that it is the same one.
        config.connections_per_account_max = 1;
        let account = quiet_account(config, "joe");
        ask(&account, UpstreamRequest::Store(here(), set(&[(2, 2)]), add(Flag::Deleted), None)).await;
        data(&account, UpstreamRequest::Status(inbox(), vec![StatusItem::Messages])).await;
        let said = commands(&fake);
        let status = said.iter().position(|c| c.starts_with("STATUS")).expect("asked");
        assert_eq!(said[status - 1], leaving);
        if leaving == "CLOSE" {
            assert_eq!(
                said[status - 2],
                "EXAMINE \"INBOX\"",
                "CLOSE of a mailbox open to be changed would expunge"
            );
        }
    }
}

/// NQ-056: without mod-sequences what is new is asked for first, then what is known; of that, what is not named is gone.
#[tokio::test]
async fn new_messages_are_asked_for_before_those_that_are_known() {
    let fact = |number: u32, uid: u32| {
        format!(
            "* {number} FETCH (UID {uid} FLAGS () INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)"
        )
    };
    let fake = Fake::start("IDLE", move |said, _, _| match said {
        said if said.starts_with("EXAMINE") => Answer::lines(&[
            "* FLAGS (\\Seen)",
            "* 3 EXISTS",
            "* OK [UIDVALIDITY 7] x",
            "* OK [UIDNEXT 10] x",
            "{tag} OK [READ-ONLY] open",
        ]),
        // The second is not asked for: a server may tell of it all the same.
        said if said.starts_with("UID FETCH 6:* ") => {
            Answer::lines(&[&fact(3, 9), &fact(2, 5), "{tag} OK fetched"])
        }
        said if said.starts_with("UID FETCH 1:5 ") => {
            Answer::lines(&[&fact(1, 2), &fact(2, 5), "{tag} OK fetched"])
        }
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let uid_validity = UidValidity::new(7).expect("not zero");
    let known =
        Known { uid_validity, highest_mod_seq: ModSeq(0), uids: set(&[(2, 3), (5, 5)]), facts: false };
    let synced = sync(&account, "INBOX", Some(known), true).await;
    let Delta::Full { uids: all, facts } = &synced.delta else { panic!("{synced:?}") };
    assert_eq!((all, uids(facts)), (&set(&[(2, 2), (5, 5), (9, 9)]), vec![2, 5, 9]));
    let asked: Vec<String> = commands(&fake).into_iter().filter(|line| line.contains("FETCH")).collect();
    assert!(
        asked.len() == 2 && asked[0].starts_with("UID FETCH 6:*") && asked[1].starts_with("UID FETCH 1:5"),
        "{asked:?}"
    );
}
