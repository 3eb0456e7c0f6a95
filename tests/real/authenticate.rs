//! AUTHENTICATE and ID before a real server: what stock clients do first.

use crate::stage::{Stage, line, post, refused};
use pimap_tests::http::Post;
use pimap_tests::imap::Imap;
use pimap_tests::wait::{PATIENCE, within};

/// Base64 of what PLAIN says.
fn plain(user: &str, password: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{password}"))
}

#[test]
fn plain_opens_a_regular_session_and_a_device_its_own() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut client = Imap::connect(stage.gateway.address("imap"));
    let entered = client.ok(&format!("AUTHENTICATE PLAIN {}", plain("joe", "pw")));
    assert!(!entered.untagged.iter().any(|line| line.starts_with(b"* SESSIONID")), "{entered:?}");
    client.ok("SELECT INBOX");
    // The device is the same whichever command it comes in by (P-IMAP -12 5.1.3).
    let first =
        stage.post(&format!("a AUTHENTICATE PLAIN {}\r\nb SELECT INBOX\r\n", plain("joe#P1", "pw"))).text();
    let again = stage.post("c LOGIN joe#P1@example.org pw\r\n").text();
    assert_eq!(line(&first, "* SESSIONID"), line(&again, "* SESSIONID"));
    line(&again, "* SESSION SELECTED");
}

/// Wrong passwords are judged by the mail server, over SASL too, and cost it one attempt.
#[test]
fn a_wrong_password_is_refused_by_the_server() {
    let stage = Stage::new();
    let mut client = Imap::connect(stage.gateway.address("imap"));
    for _ in 0..3 {
        let text = refused(&mut client, &format!("AUTHENTICATE PLAIN {}", plain("joe#P1", "wrong")), "NO");
        assert!(text.contains("AUTHENTICATIONFAILED"), "{text}");
    }
    // Dovecot counts attempts when a connection ends.
    let counted = || stage.dovecot.log().contains("auth failed").then(|| stage.dovecot.log());
    let log = within(PATIENCE, counted).expect("a refusal in Dovecot's log");
    assert_eq!(log.matches("auth failed, 1 attempts").count(), 1, "{log}");
    assert_eq!(log.matches("auth failed").count(), 1, "{log}");
    refused(&mut client, "AUTHENTICATE PLAIN =", "BAD");
    refused(&mut client, "AUTHENTICATE XOAUTH2 dXNlcj1q", "NO");
}

/// The server is told who asks; where it is to be told whose login that is, its log shows the handset's address.
#[test]
fn the_server_learns_who_asks() {
    let stage = Stage::with(|config| config.with("upstream.send_client_id", true));
    let answer = post(
        &stage.gateway.site(),
        &Post::new("a ID (\"name\" \"Phone\")\r\nb LOGIN joe#P1 pw\r\nc ID NIL\r\n"),
    );
    let text = answer.text();
    line(&text, "* ID (\"name\" ");
    line(&text, "c OK");
    // The name of the handset's connection stands where Dovecot would write one of its own making.
    let log = stage.dovecot.log();
    let session = log.lines().filter_map(|line| line.split_once("session=<")?.1.split_once('>')).next_back();
    let (session, _) = session.unwrap_or_else(|| panic!("no login in {log}"));
    let (life, number) = session.split_once('-').unwrap_or_else(|| panic!("{session} in {log}"));
    assert!(u32::from_str_radix(life, 16).is_ok() && u64::from_str_radix(number, 16).is_ok(), "{session}");
}
