//! Upstreams that lie, break off, or forget their manners: each costs a bounded answer and nothing else (design D14).

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::command::FetchItem;
use pimap_types::search::{SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
use pimap_types::upstream::*;
use pimap_types::{Credential, Flag, MailboxName, ModSeq, Secret, UidValidity};
use pimap_upstream::{
    AccountUpstream, Login, Security, UpstreamConfig, VerifyError, tls_client_config, verify,
};
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio::sync::mpsc;

fn here() -> MailboxAt {
    let uid_validity = UidValidity::new(7).expect("not zero");
    MailboxAt { mailbox: MailboxName::new("INBOX"), uid_validity, at_least: 1 }
}

fn body() -> Vec<FetchItem> {
    vec![FetchItem::Section { peek: true, section: String::new(), partial: None }]
}

/// An account on a fake that answers one kind of command as told.
async fn scripted(
    capabilities: &'static str,
    command: &'static str,
    answer: fn(usize) -> Answer,
) -> (Fake, AccountUpstream) {
    let fake = Fake::start(capabilities, move |said, connection, _| match said.starts_with(command) {
        true => answer(connection),
        false => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    (fake, account)
}

fn failed(fault: UpstreamFault) -> UpstreamReply {
    UpstreamReply::Failed(fault)
}

fn everything() -> UpstreamRequest {
    UpstreamRequest::Search(here(), None, SearchKey::All)
}

#[tokio::test]
async fn bye_inside_a_literal() {
    let (_fake, account) = scripted("", "UID FETCH", |_| {
        Answer::close("* 1 FETCH (UID 1 BODY[] {100}\r\nhalf of it\r\n* BYE going down\r\n")
    })
    .await;
    let (text, reply) = fetch(&account, here(), set(&[(1, 1)]), body()).await;
    assert_eq!(reply, failed(UpstreamFault::Unavailable));
    assert!(text.starts_with("<1:") && !text.ends_with('>'), "cut, and to be seen as such: {text}");
}

#[tokio::test]
async fn bye_instead_of_an_answer() {
    let (fake, account) = scripted("", "UID SEARCH", |_| Answer::close("* BYE overloaded\r\n")).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Unavailable));
    assert_eq!(fake.count("UID SEARCH"), 1);
}

#[tokio::test]
async fn a_forged_tag_in_a_body_ends_nothing() {
    let (_fake, account) = scripted("", "UID FETCH", |_| {
        Answer::lines(&["* 1 FETCH (UID 1 BODY[] {14}", "{tag} OK x", ")", "{tag} NO really"])
    })
    .await;
    let (_, reply) = fetch(&account, here(), set(&[(1, 1)]), body()).await;
    assert!(!matches!(reply, UpstreamReply::Ok(_)), "{reply:?}");
}

#[tokio::test]
async fn lying_counts_and_broken_numbers() {
    for line in [
        "* 1000000000 EXISTS",
        "* 99999999999999 EXISTS",
        "* 0 EXPUNGE",
        "* 1 FETCH (UID 0)",
        "* 1 FETCH (UID 1 MODSEQ (99999999999999999999))",
        "* 1 FETCH (UID 1 BODY[] {4294967295}",
        "* SEARCH 1 two",
        "* VANISHED 0:9",
    ] {
        let fake = Fake::start("", move |said, _, _| match said.starts_with("UID SEARCH") {
            true => Answer::lines(&[line, "* SEARCH 1", "{tag} OK done"]),
            false => Answer::Default,
        })
        .await;
        let account = quiet_account(at_port(fake.port), "joe");
        assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Misbehaved), "{line}");
    }
}

#[tokio::test]
async fn an_endless_line() {
    let endless = |_| Answer::Say([b"* OK ".to_vec(), vec![b'x'; 3 << 20]].concat());
    let (fake, account) = scripted("", "UID SEARCH", endless).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Misbehaved));
    fake.until(|log| log.iter().any(|l| l.ends_with("closed"))).await;
}

#[tokio::test]
async fn answers_that_are_none() {
    // "OK" without a SEARCH line is not "nothing found".
    let (_fake, account) = scripted("", "UID SEARCH", |_| Answer::lines(&["{tag} OK done"])).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Misbehaved));
    // A tag that is not the running command's.
    let (_fake, account) =
        scripted("", "UID SEARCH", |_| Answer::lines(&["* SEARCH 1", "U1 OK", "{tag} OK"])).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Misbehaved));
    // An ESEARCH for another command.
    let esearch = |_| Answer::lines(&["* ESEARCH (TAG \"U99\") UID ALL 1", "{tag} OK"]);
    let (_fake, account) = scripted("ESEARCH", "UID SEARCH", esearch).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Misbehaved));
    // No UIDVALIDITY: no UID means anything.
    let (_fake, account) = scripted("", "EXAMINE", |_| Answer::lines(&["* 3 EXISTS", "{tag} OK"])).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Misbehaved));
    // NO that only means "not now" must not look like a mailbox that is gone.
    let (_fake, account) =
        scripted("", "EXAMINE", |_| Answer::lines(&["{tag} NO [UNAVAILABLE] backend down"])).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::Unavailable));
    let (_fake, account) = scripted("", "EXAMINE", |_| Answer::lines(&["{tag} NO what?"])).await;
    assert_eq!(ask(&account, everything()).await, failed(UpstreamFault::NoSuchMailbox("what?".into())));
}

#[tokio::test]
async fn a_fetch_without_flags_is_asked_once_more() {
    let (fake, account) = scripted("", "UID FETCH", |_| {
        Answer::lines(&[
            "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)",
            "* 2 FETCH (UID 2 RFC822.SIZE 5)",
            "* 2 FETCH (UID 2 RFC822.SIZE 5)",
            "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 4)",
            "{tag} OK done",
        ])
    })
    .await;
    let synced = sync(&account, "INBOX", None, true).await;
    let Delta::Full { facts, .. } = synced.delta else { panic!("in full") };
    assert_eq!((uids(&facts), facts[1].size, facts[1].flags.is_empty()), (vec![1, 2, 3], 5, true));
    let asked = fake.log().into_iter().filter(|l| l.contains("UID FETCH")).collect::<Vec<_>>();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains("UID FETCH 2 (UID FLAGS"), "{asked:?}");
}

#[tokio::test]
async fn a_uid_behind_its_body() {
    let (fake, account) = scripted("", "UID FETCH", |_| {
        Answer::lines(&[
            "* 1 FETCH (BODY[] {2}",
            "ab UID 1)",
            "* 2 FETCH (BODY[] {2}",
            "cd UID 2)",
            "{tag} OK done",
        ])
    })
    .await;
    let (text, reply) = fetch(&account, here(), set(&[(1, 2)]), body()).await;
    assert!(matches!(reply, UpstreamReply::Ok(_)), "{reply:?}");
    assert_eq!(text, "<1:BODY[] {2}\r\nab><2:BODY[] {2}\r\ncd>");
    assert_eq!(fake.count("UID FETCH"), 1);
}

#[tokio::test]
async fn a_uid_behind_a_body_too_large_to_hold() {
    const LARGE: usize = 3 << 20;
    let fake = Fake::start("", |said, _, _| {
        let message = |uid: u32, length: usize| {
            let head = format!("* {uid} FETCH (BODY[] {{{length}}}\r\n").into_bytes();
            [head, vec![b'x'; length], format!(" UID {uid})\r\n").into_bytes()].concat()
        };
        let done = || b"{tag} OK done\r\n".to_vec();
        match said.strip_prefix("UID FETCH ").and_then(|rest| rest.split(' ').next()) {
            Some("1:2") => Answer::Say([message(1, 5), message(2, LARGE), done()].concat()),
            Some("2") => Answer::Say([message(2, LARGE), done()].concat()),
            _ => Answer::Default,
        }
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let (text, reply) = fetch(&account, here(), set(&[(1, 2)]), body()).await;
    assert!(matches!(reply, UpstreamReply::Ok(_)), "{reply:?}");
    assert!(text.starts_with("<1:BODY[] {5}\r\nxxxxx><2:BODY[] {3145728}\r\nxxx"));
    assert_eq!(text.matches('<').count(), 2, "each message once");
}

#[tokio::test]
async fn strangers_in_a_fetch_are_not_shown() {
    let (_fake, account) = scripted("", "UID FETCH", |_| {
        Answer::lines(&[
            "* 9 FETCH (UID 9 BODY[] {1}",
            "x)",
            "* 1 FETCH (UID 1 BODY[] {1}",
            "y)",
            "{tag} OK done",
        ])
    })
    .await;
    assert_eq!(fetch(&account, here(), set(&[(1, 2)]), body()).await.0, "<1:BODY[] {1}\r\ny>");
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_in_doubt_and_not_repeated() {
    let (fake, account) =
        scripted("", "UID STORE", |_| Answer::close("* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n")).await;
    let store = || UpstreamRequest::Store(here(), set(&[(1, 1)]), add(Flag::Seen), None);
    assert_eq!(ask(&account, store()).await, failed(UpstreamFault::InDoubt));
    assert_eq!(fake.count("UID STORE"), 1);
    // Lost before it was sent: nothing happened.
    let (fake, account) = scripted("", "SELECT", |_| Answer::close("")).await;
    assert_eq!(ask(&account, store()).await, failed(UpstreamFault::Unavailable));
    assert_eq!(fake.count("UID STORE"), 0);
}

#[tokio::test]
async fn a_connection_that_died_idle_is_replaced_without_notice() {
    let (fake, account) = scripted("", "UID SEARCH", |connection| match connection {
        // The watching connection may come first or second; each closes after one search.
        1..=3 => Answer::close("* SEARCH 1\r\n{tag} OK done\r\n"),
        _ => Answer::Default,
    })
    .await;
    for _ in 0..4 {
        assert!(
            matches!(ask(&account, everything()).await, UpstreamReply::Ok(Data::Uids(_))),
            "{:#?}",
            fake.log()
        );
    }
}

#[tokio::test]
async fn a_mailbox_that_looks_empty_is_looked_at_twice() {
    let fake = Fake::start("", |said, _, before| {
        let examined = before.iter().filter(|l| l.contains("EXAMINE")).count();
        match said {
            // The first look, whoever's connection it is, sees an empty mailbox.
            "EXAMINE \"INBOX\"" if examined == 1 => Answer::lines(&[
                "* 0 EXISTS",
                "* OK [UIDVALIDITY 7] x",
                "* OK [UIDNEXT 100] x",
                "{tag} OK open",
            ]),
            "EXAMINE \"INBOX\"" => Answer::lines(&[
                "* 60 EXISTS",
                "* OK [UIDVALIDITY 7] x",
                "* OK [UIDNEXT 100] x",
                "{tag} OK open",
            ]),
            said if said.starts_with("UID SEARCH") => {
                let all: Vec<String> = (1..=60).map(|n| n.to_string()).collect();
                Answer::lines(&[&format!("* SEARCH {}", all.join(" ")), "{tag} OK done"])
            }
            _ => Answer::Default,
        }
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let uid_validity = UidValidity::new(7).expect("not zero");
    let known = Known { uid_validity, highest_mod_seq: ModSeq(0), uids: set(&[(1, 60)]), facts: false };
    let synced = sync(&account, "INBOX", Some(known), false).await;
    assert_eq!(synced.delta, Delta::Full { uids: set(&[(1, 60)]), facts: vec![] });
    let examined: Vec<String> = fake.log().into_iter().filter(|l| l.contains("EXAMINE")).collect();
    assert_eq!(examined.len(), 2);
    assert_ne!(examined[0], examined[1], "on two connections");
}

#[tokio::test]
async fn preauth_and_floods_before_login() {
    for greeting in ["* PREAUTH welcome", "* BYE full", "* OK [X see {5}", "nonsense"] {
        let fake = Fake::start_with_greeting(greeting, "", |_, _, _| Answer::Default).await;
        let outcome = verify(&at_port(fake.port), &login("joe"), None).await;
        if greeting.starts_with("* OK") {
            assert!(outcome.is_ok(), "free text holds no literal");
        } else {
            assert!(matches!(outcome, Err(VerifyError::Unavailable(_))), "{greeting}: {outcome:?}");
            assert_eq!(fake.count("LOGIN"), 0);
        }
    }
    let flood = |_: &str, _: usize, _: &[String]| Answer::Say(b"* OK still thinking\r\n".repeat(100_000));
    let fake = Fake::start("", move |said, n, log| match said.starts_with("LOGIN") {
        true => flood(said, n, log),
        false => Answer::Default,
    })
    .await;
    assert!(matches!(
        verify(&at_port(fake.port), &login("joe"), None).await,
        Err(VerifyError::Unavailable(_))
    ));
    let fake = Fake::start("", |said, _, _| match said.starts_with("LOGIN") {
        true => Answer::lines(&["* X {500000000}", ""]),
        false => Answer::Default,
    })
    .await;
    assert!(matches!(
        verify(&at_port(fake.port), &login("joe"), None).await,
        Err(VerifyError::Unavailable(_))
    ));
}

#[tokio::test]
async fn odd_lines_around_a_login_do_no_harm() {
    let fake = Fake::start("IDLE", |said, _, _| match said.starts_with("LOGIN") {
        true => {
            Answer::lines(&["* NAMESPACE ((\"\" \"/\")) NIL NIL", "* X-ODD )(", "{tag} OK in", "* ID NIL"])
        }
        false => Answer::Default,
    })
    .await;
    assert!(verify(&at_port(fake.port), &login("joe"), None).await.is_ok());
    assert_eq!(fake.count("CAPABILITY"), 2, "before and after the login: neither told by itself");
}

#[tokio::test]
async fn what_is_injected_before_starttls_is_refused() {
    let fake = Fake::start("STARTTLS AUTH=PLAIN", |said, _, _| match said {
        "STARTTLS" => Answer::lines(&["{tag} OK begin", "* CAPABILITY IMAP4rev1 AUTH=PLAIN"]),
        _ => Answer::Default,
    })
    .await;
    let mut config = UpstreamConfig::new("127.0.0.1", fake.port, Security::StartTls);
    config.tls = Some(tls_client_config(None).expect("built-in authorities"));
    assert!(matches!(verify(&config, &login("joe"), None).await, Err(VerifyError::Unavailable(_))));
    assert_eq!(fake.count("LOGIN") + fake.count("AUTHENTICATE"), 0);
    // A server that offers no TLS gets no password.
    let fake = Fake::start("", |said, _, _| match said {
        "STARTTLS" => Answer::lines(&["{tag} BAD unknown"]),
        _ => Answer::Default,
    })
    .await;
    config.port = fake.port;
    assert!(matches!(verify(&config, &login("joe"), None).await, Err(VerifyError::Unavailable(_))));
    assert_eq!(fake.count("LOGIN"), 0);
}

#[tokio::test]
async fn a_stale_password_costs_exactly_one_failure() {
    let fake = Fake::start("IDLE", |said, _, _| match said.starts_with("LOGIN") && said.contains("old") {
        true => Answer::lines(&["{tag} NO [AUTHENTICATIONFAILED] wrong"]),
        false => Answer::Default,
    })
    .await;
    let (sender, mut events) = mpsc::channel(16);
    let old = Login { user: "joe".into(), credential: Credential::Password(Secret::new("old")) };
    let account = AccountUpstream::start(Arc::new(at_port(fake.port)), old, sender);
    let replies =
        tokio::join!(ask(&account, everything()), ask(&account, everything()), ask(&account, everything()));
    let refused = failed(UpstreamFault::CredentialsRefused);
    assert_eq!(replies, (refused.clone(), refused.clone(), refused.clone()));
    event(&mut events, |e| matches!(e, UpstreamEvent::CredentialsRefused).then_some(())).await;
    assert_eq!(ask(&account, everything()).await, refused);
    assert_eq!(fake.count("LOGIN"), 1, "watching and pool connections together");
    account.set_login(Login { user: "joe".into(), credential: Credential::Password(Secret::new("new")) });
    event(&mut events, |e| matches!(e, UpstreamEvent::Back { .. }).then_some(())).await;
    assert!(matches!(ask(&account, everything()).await, UpstreamReply::Ok(_)));
    let told_twice = events.try_recv().is_ok_and(|e| e == UpstreamEvent::CredentialsRefused);
    assert!(!told_twice);
}

#[tokio::test]
async fn a_new_password_ends_the_connections_of_the_old_one() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    assert!(matches!(ask(&account, everything()).await, UpstreamReply::Ok(_)));
    fake.until(|log| log.iter().filter(|l| l.contains("LOGIN")).count() == 2).await;
    account.set_login(Login { user: "joe".into(), credential: Credential::Password(Secret::new("new")) });
    fake.until(|log| ["1 closed", "2 closed"].iter().all(|end| log.iter().any(|l| l == end))).await;
    assert!(matches!(ask(&account, everything()).await, UpstreamReply::Ok(_)));
    // The same again changes nothing.
    let logins = fake.count("LOGIN");
    account.set_login(Login { user: "joe".into(), credential: Credential::Password(Secret::new("new")) });
    assert!(matches!(ask(&account, everything()).await, UpstreamReply::Ok(_)));
    assert!(fake.count("LOGIN") <= logins + 1, "at most the watching connection, on its way before");
}

#[tokio::test]
async fn many_requests_share_few_connections() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let account = account.clone();
        requests.spawn(async move { ask(&account, everything()).await });
    }
    while let Some(reply) = requests.join_next().await {
        assert!(matches!(reply, Ok(UpstreamReply::Ok(Data::Uids(_)))), "{reply:?}");
    }
    assert!(fake.count("LOGIN") <= 3, "{:#?}", fake.log());
    assert!(account.connection_counts().1 <= 2);
}

#[tokio::test]
async fn everything_ends_with_the_account() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let watched = WatchList { first: Some(MailboxName::new("INBOX")), mailboxes: vec![], all: false };
    account.watch(watched);
    assert!(matches!(ask(&account, everything()).await, UpstreamReply::Ok(_)));
    fake.until(|log| log.iter().any(|l| l.ends_with(" IDLE"))).await;
    drop(account);
    fake.until(|log| log.iter().filter(|l| l.ends_with("closed")).count() == 2).await;
}

#[tokio::test]
async fn idle_pool_connections_are_logged_out() {
    let fake = Fake::start("IDLE", |_, _, _| Answer::Default).await;
    let mut config = at_port(fake.port);
    config.idle_timeout = Duration::from_millis(50);
    let account = quiet_account(config, "joe");
    assert!(matches!(ask(&account, everything()).await, UpstreamReply::Ok(_)));
    fake.until(|log| log.iter().any(|l| l.ends_with("LOGOUT"))).await;
    assert_eq!(account.connection_counts().1, 0);
}

#[tokio::test]
async fn a_server_that_promises_idle_and_stays_silent_is_polled() {
    let fake = Fake::start("IDLE", |said, _, before| match said.starts_with("STATUS") {
        true => {
            // UIDNEXT grows from look to look, and IDLE never says so.
            let next = 4 + before.iter().filter(|l| l.contains("STATUS")).count();
            let line = format!("* STATUS \"INBOX\" (MESSAGES 3 UIDNEXT {next} UIDVALIDITY 7)");
            Answer::lines(&[&line, "{tag} OK done"])
        }
        false if said.starts_with("UID SEARCH") => Answer::lines(&["* SEARCH 4", "{tag} OK found"]),
        false => Answer::Default,
    })
    .await;
    let mut config = at_port(fake.port);
    config.audit_interval = Duration::from_millis(300);
    config.poll_interval = Duration::from_millis(20);
    let (sender, mut events) = mpsc::channel(16);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    let inbox = MailboxName::new("INBOX");
    account.watch(WatchList { first: Some(inbox.clone()), mailboxes: vec![inbox], all: false });
    event(&mut events, |e| matches!(e, UpstreamEvent::Back { .. }).then_some(())).await;
    event(&mut events, |e| matches!(e, UpstreamEvent::Missed).then_some(())).await;
    // Audits come every 300 ms; more numbers than that can only come from polling.
    let mut told = 0;
    while told < 20 {
        event(&mut events, |e| {
            matches!(e, UpstreamEvent::Status { uid_next: Some(n), .. } if *n > 4).then_some(())
        })
        .await;
        told += 1;
    }
    assert!(fake.count("STATUS") >= 20);
}

#[tokio::test]
async fn a_server_that_refuses_the_idle_it_announced_is_polled() {
    let fake = Fake::start("IDLE", |said, _, _| match said {
        "IDLE" => Answer::lines(&["{tag} BAD not today"]),
        _ => Answer::Default,
    })
    .await;
    let mut config = at_port(fake.port);
    config.poll_interval = Duration::from_millis(20);
    let (sender, mut events) = mpsc::channel(16);
    let account = AccountUpstream::start(Arc::new(config), login("joe"), sender);
    let inbox = MailboxName::new("INBOX");
    account.watch(WatchList { first: Some(inbox.clone()), mailboxes: vec![inbox], all: false });
    event(&mut events, |e| matches!(e, UpstreamEvent::Back { .. }).then_some(())).await;
    fake.until(|log| log.iter().filter(|l| l.contains("STATUS")).count() > 3).await;
    assert_eq!((fake.count("IDLE"), fake.count("LOGIN")), (1, 2));
}

fn sorted() -> UpstreamRequest {
    let criteria = vec![SortCriterion { reverse: true, key: SortKey::Date }];
    UpstreamRequest::Sort(here(), criteria, "UTF-8".to_owned(), SearchKey::All)
}

fn threaded() -> UpstreamRequest {
    UpstreamRequest::Thread(here(), ThreadAlgorithm::References, "UTF-8".to_owned(), SearchKey::All)
}

const SORTING: &str = "SORT THREAD=REFERENCES";

#[tokio::test]
async fn sorting_that_is_none() {
    for lines in [&["{tag} OK done"][..], &["* SORT 1 0", "{tag} OK"], &["* SORT one", "{tag} OK"]] {
        let fake = Fake::start(SORTING, move |said, _, _| match said.starts_with("UID SORT") {
            true => Answer::lines(lines),
            false => Answer::Default,
        })
        .await;
        let account = quiet_account(at_port(fake.port), "joe");
        assert_eq!(ask(&account, sorted()).await, failed(UpstreamFault::Misbehaved), "{lines:?}");
    }
    let deep = |_| Answer::Say(format!("* THREAD {}1\r\nU9 OK\r\n", "(".repeat(400_000)).into_bytes());
    for answer in [deep, |_| Answer::lines(&["* THREAD (1))", "{tag} OK"]), |_| Answer::lines(&["{tag} OK"])]
    {
        let (_fake, account) = scripted(SORTING, "UID THREAD", answer).await;
        assert_eq!(ask(&account, threaded()).await, failed(UpstreamFault::Misbehaved));
    }
}

/// RFC 5256 3: a charset that this server does not know is said with those that it knows.
#[tokio::test]
async fn a_charset_refused_is_told() {
    let no = |_| Answer::lines(&["{tag} NO [BADCHARSET (US-ASCII)] what is that?"]);
    for (command, request) in
        [("UID SORT", sorted()), ("UID THREAD", threaded()), ("UID SEARCH", everything())]
    {
        let (_fake, account) = scripted(SORTING, command, no).await;
        let code = Some("BADCHARSET (US-ASCII)".to_owned());
        let refused = UpstreamReply::Refused { code, text: "what is that?".to_owned(), data: None };
        assert_eq!(ask(&account, request).await, refused, "{command}");
    }
}

/// A search that the server does not know is one that it cannot do; a NO without a code may be of today.
#[tokio::test]
async fn a_search_the_server_does_not_know_is_told_from_one_that_it_refuses() {
    let bad = |_| Answer::lines(&["{tag} BAD what is that?"]);
    let no = |_| Answer::lines(&["{tag} NO not now"]);
    let (_fake, account) = scripted(SORTING, "UID SEARCH", bad).await;
    let (code, text) = (Some("CANNOT".to_owned()), "what is that?".to_owned());
    assert_eq!(ask(&account, everything()).await, UpstreamReply::Refused { code, text, data: None });
    let (_fake, account) = scripted(SORTING, "UID SEARCH", no).await;
    let refused = UpstreamReply::Refused { code: None, text: "not now".to_owned(), data: None };
    assert_eq!(ask(&account, everything()).await, refused);
}

/// What was not announced is not asked for, and what cannot be made of other things neither.
#[tokio::test]
async fn a_server_that_cannot_sort() {
    let (fake, account) = scripted("THREAD=ORDEREDSUBJECT", "UID SORT", |_| Answer::Default).await;
    let refs = UpstreamRequest::Thread(here(), ThreadAlgorithm::Refs, "UTF-8".to_owned(), SearchKey::All);
    assert_eq!(ask(&account, refs).await, failed(UpstreamFault::Unsupported));
    for request in [sorted(), threaded()] {
        ask(&account, request).await;
    }
    assert_eq!(fake.count("UID SORT") + fake.count("UID THREAD"), 0);
}

/// A server without ESEARCH whose UIDs lie at the far end of the numbers is asked once, however many slices that would make.
#[tokio::test]
async fn uids_that_lie_far_apart_are_not_asked_for_in_ever_so_many_slices() {
    for (exists, asked) in [(3, "UID SEARCH ALL"), (100_000, "UID FETCH 1:* (UID)")] {
        let fake = Fake::start("IDLE", move |said, _, _| match said {
            _ if said.starts_with("EXAMINE") => {
                let exists = format!("* {exists} EXISTS");
                let uid_next = "* OK [UIDNEXT 4294967295] x";
                Answer::lines(&[&exists, "* OK [UIDVALIDITY 7] x", uid_next, "{tag} OK open"])
            }
            "UID SEARCH ALL" => Answer::lines(&["* SEARCH 1 7 4294967294", "{tag} OK found"]),
            "UID FETCH 1:* (UID)" => Answer::lines(&[
                "* 1 FETCH (UID 1)",
                "* 2 FETCH (UID 7)",
                "* 3 FETCH (UID 4294967294)",
                "{tag} OK fetched",
            ]),
            _ => Answer::Default,
        })
        .await;
        let account = quiet_account(at_port(fake.port), "joe");
        let synced = sync(&account, "INBOX", None, false).await;
        let there = set(&[(1, 1), (7, 7), (4_294_967_294, 4_294_967_294)]);
        assert!(matches!(&synced.delta, Delta::Full { uids, .. } if *uids == there), "{synced:?}");
        let log = fake.log();
        let questions: Vec<&String> = log.iter().filter(|line| line.contains(" UID ")).collect();
        assert!(questions.len() == 1 && questions[0].ends_with(asked), "{log:#?}");
    }
}
