//! How credentials are shown to a server, what it is told of who asks, and what is remembered of what it takes.

mod dovecot;
mod fake;
mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake::{Answer, Fake};
use pimap_types::upstream::{UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_types::{Credential, Secret};
use pimap_upstream::{Login, Mechanisms, Origin, VerifyError, probe, verify};
use support::*;

fn with_token(token: &str) -> Login {
    Login { user: "joe".into(), credential: Credential::Token(Secret::new(token)) }
}

/// A server that takes the token `good`, asks for it in its turn, and says why when it is another.
async fn token_server(capabilities: &'static str) -> Fake {
    Fake::start(capabilities, |said, _, before| {
        let asked = before.iter().rev().find(|line| line.contains("AUTHENTICATE"));
        match said {
            said if said.starts_with("AUTHENTICATE") => Answer::Say(b"+ \r\n".to_vec()),
            "" | "AQ==" => Answer::lines(&["{tag} NO [AUTHENTICATIONFAILED] no such token"]),
            said if asked.is_some() && STANDARD.decode(said).is_ok() => {
                let message = STANDARD.decode(said).expect("base64");
                match message.windows(11).any(|part| part == b"Bearer good") {
                    true => Answer::lines(&["{tag} OK in"]),
                    false => Answer::lines(&["+ eyJzdGF0dXMiOiI0MDEifQ=="]),
                }
            }
            _ => Answer::Default,
        }
    })
    .await
}

/// What was said after AUTHENTICATE, out of base64.
fn messages(fake: &Fake) -> Vec<String> {
    let log = fake.log();
    let said = log.iter().filter_map(|line| STANDARD.decode(line.split_once(' ')?.1).ok());
    said.map(|octets| String::from_utf8(octets).expect("text")).filter(|text| text.len() > 1).collect()
}

#[tokio::test]
async fn tokens_go_by_the_mechanism_that_is_announced() {
    let both = token_server("LOGINDISABLED AUTH=XOAUTH2 AUTH=OAUTHBEARER").await;
    let config = at_port(both.port);
    assert!(verify(&config, &with_token("good"), None).await.is_ok());
    let expected = format!("n,a=joe,\x01host=127.0.0.1\x01port={}\x01auth=Bearer good\x01\x01", both.port);
    assert_eq!(messages(&both), [expected]);
    let older = token_server("AUTH=PLAIN AUTH=XOAUTH2").await;
    assert!(verify(&at_port(older.port), &with_token("good"), None).await.is_ok());
    assert_eq!(messages(&older), ["user=joe\x01auth=Bearer good\x01\x01"]);
    // Where there is none, it goes nowhere: not as a password either.
    let none = token_server("AUTH=PLAIN").await;
    let outcome = verify(&at_port(none.port), &with_token("good"), None).await;
    assert!(matches!(outcome, Err(VerifyError::Unavailable(_))), "{outcome:?}");
    assert_eq!(none.count("AUTHENTICATE") + none.count("LOGIN"), 0);
}

/// The server's challenge that says why is answered, as RFC 7628 3.2.3 asks, and its NO understood.
#[tokio::test]
async fn a_token_that_has_ended_is_one_refusal_until_another_comes() {
    for (capabilities, dummy) in [("AUTH=OAUTHBEARER", "AQ=="), ("AUTH=XOAUTH2", "")] {
        let fake = token_server(capabilities).await;
        let outcome = verify(&at_port(fake.port), &with_token("stale"), None).await;
        assert_eq!(outcome, Err(VerifyError::Refused("no such token".into())), "{:#?}", fake.log());
        assert!(fake.log().contains(&format!("1 {dummy}")), "{:#?}", fake.log());
    }
    let fake = token_server("AUTH=XOAUTH2").await;
    let account = {
        let (events, mut listen) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move { while listen.recv().await.is_some() {} });
        pimap_upstream::AccountUpstream::start(at_port(fake.port).into(), with_token("stale"), events)
    };
    let noop = || UpstreamRequest::Sync {
        mailbox: pimap_types::MailboxName::new("INBOX"),
        known: None,
        facts: false,
    };
    for _ in 0..3 {
        assert_eq!(ask(&account, noop()).await, UpstreamReply::Failed(UpstreamFault::CredentialsRefused));
    }
    assert_eq!(fake.count("AUTHENTICATE"), 1, "{:#?}", fake.log());
    account.set_login(with_token("good"));
    assert!(matches!(ask(&account, noop()).await, UpstreamReply::Ok(_)));
}

#[tokio::test]
async fn what_the_server_takes_is_remembered() {
    for (capabilities, passwords, tokens) in [
        ("", true, false),
        ("AUTH=PLAIN AUTH=XOAUTH2", true, true),
        ("LOGINDISABLED AUTH=OAUTHBEARER", false, true),
        ("LOGINDISABLED AUTH=PLAIN", true, false),
    ] {
        let fake = Fake::start(capabilities, |_, _, _| Answer::Default).await;
        let config = at_port(fake.port);
        assert_eq!(config.mechanisms.get(), None);
        assert!(probe(&config).await);
        assert_eq!(config.mechanisms.get(), Some(Mechanisms { passwords, tokens }), "{capabilities}");
        assert_eq!(fake.count("LOGIN") + fake.count("AUTHENTICATE"), 0, "nobody was let in");
    }
    assert!(!probe(&at_port(1)).await);
}

/// RFC 2971: a name for every connection that works; whose login it is, before it, only where that is wanted and known.
#[tokio::test]
async fn the_server_is_told_who_asks() {
    let origin =
        Origin { address: "[::ffff:192.0.2.7]:4711".parse().expect("an address"), connection: "c-1".into() };
    let about = format!("\"name\" \"P-IMAP gateway\" \"version\" \"{}\"", env!("CARGO_PKG_VERSION"));
    let ids = |fake: &Fake| -> Vec<String> {
        fake.log().iter().filter_map(|line| Some(line.split_once(" ID ")?.1.to_owned())).collect()
    };
    let fake = Fake::start("ID", |_, _, _| Answer::Default).await;
    let mut config = at_port(fake.port);
    assert!(verify(&config, &login("joe"), Some(&origin)).await.is_ok());
    assert_eq!(ids(&fake), [""; 0], "not where it is not wanted");
    config.send_client_id = true;
    assert!(verify(&config, &login("joe"), Some(&origin)).await.is_ok());
    let told = format!(
        "({about} \"x-originating-ip\" \"192.0.2.7\" \"x-originating-port\" \"4711\" \"x-session-id\" \"c-1\")"
    );
    assert_eq!(ids(&fake), [told]);
    let log = fake.log();
    let place = |word: &str| log.iter().rposition(|line| line.contains(word)).expect(word);
    assert!(place(" ID ") < place(" LOGIN "), "{log:#?}");

    let fake = Fake::start("ID", |said, _, _| match said.starts_with("ID ") {
        true => Answer::lines(&["* ID NIL", "{tag} NO whoever you are"]),
        false => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    sync(&account, "INBOX", None, false).await;
    assert!(ids(&fake).contains(&format!("({about})")), "{:#?}", fake.log());
    let fake = Fake::start("", |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    sync(&account, "INBOX", None, false).await;
    assert_eq!(ids(&fake), [""; 0], "not announced, not said");
}
