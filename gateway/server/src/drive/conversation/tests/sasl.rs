//! AUTHENTICATE and ID as a handset meets them.

use super::*;

/// `\0joe#P1\0pw`
const PLAIN: &str = "AGpvZSNQMQBwdw==";
/// `\0joe#P1\0wrong`
const WRONG: &str = "AGpvZSNQMQB3cm9uZw==";
/// `user=joe#P1^Aauth=Bearer token^A^A`
const XOAUTH2: &str = "dXNlcj1qb2UjUDEBYXV0aD1CZWFyZXIgdG9rZW4BAQ==";
/// The same with `stale` for the token.
const STALE: &str = "dXNlcj1qb2UjUDEBYXV0aD1CZWFyZXIgc3RhbGUBAQ==";
/// `n,a=joe#P1,^Aauth=Bearer stale^A^A`
const BEARER_STALE: &str = "bixhPWpvZSNQMSwBYXV0aD1CZWFyZXIgc3RhbGUBAQ==";

async fn greeted(bench: &Bench) -> Handset<DuplexStream> {
    let mut handset = connect(bench, true, 1 << 16);
    handset.until("\r\n").await;
    handset
}

#[tokio::test(start_paused = true)]
async fn every_mechanism_that_is_offered_lets_in() {
    let bench = Bench::new();
    let mut handset = connect(&bench, true, 1 << 16);
    let greeting = handset.until("\r\n").await;
    for mechanism in ["PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"] {
        assert!(greeting.contains(&format!(" AUTH={mechanism}")), "{greeting}");
    }
    assert!(greeting.contains(" SASL-IR "), "{greeting}");
    let bearer = "bixhPWpvZSNQMSwBYXV0aD1CZWFyZXIgdG9rZW4BAQ==";
    for (script, challenges) in [
        (format!("a AUTHENTICATE PLAIN {PLAIN}\r\n"), ""),
        (format!("a authenticate plain\r\n{PLAIN}\r\n"), "+ \r\n"),
        ("a AUTHENTICATE LOGIN\r\nam9lI1Ax\r\ncHc=\r\n".into(), "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n"),
        ("a AUTHENTICATE LOGIN am9lI1Ax\r\ncHc=\r\n".into(), "+ UGFzc3dvcmQ6\r\n"),
        (format!("a AUTHENTICATE XOAUTH2 {XOAUTH2}\r\n"), ""),
        (format!("a AUTHENTICATE OAUTHBEARER\r\n{bearer}\r\n"), "+ \r\n"),
    ] {
        let mut handset = greeted(&bench).await;
        handset.send(&script).await;
        let told = handset.until(" AUTHENTICATE completed\r\n").await;
        let rest = told.strip_prefix(challenges).unwrap_or_else(|| panic!("{script}: {told}"));
        assert!(rest.starts_with("* SESSION"), "{script}: {told}");
        assert!(rest.contains("\r\na OK [CAPABILITY IMAP4rev1 "), "{told}");
        handset.send("b AUTHENTICATE PLAIN\r\nc LOGIN joe pw\r\nd ID NIL\r\n").await;
        assert_eq!(handset.until("\r\n").await, "b BAD already logged in\r\n");
        assert_eq!(handset.until("\r\n").await, "c BAD already logged in\r\n");
        assert!(handset.until("\r\n").await.contains("\"version\""));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_login_is_refused_and_nothing_of_it_is_echoed() {
    let bench = Bench::new();
    for (script, answer) in [
        ("a AUTHENTICATE PLAIN\r\n*\r\n".into(), "+ \r\na BAD authentication cancelled\r\n"),
        ("a AUTHENTICATE LOGIN am9l\r\n*\r\n".into(), "+ UGFzc3dvcmQ6\r\na BAD authentication cancelled\r\n"),
        ("a AUTHENTICATE GSSAPI\r\n".into(), "a NO [CANNOT] this mechanism is not supported\r\n"),
        (format!("a AUTHENTICATE PLAIN\r\n{}\t=\r\n", &PLAIN[..8]), "+ \r\na BAD this is not base64\r\n"),
        ("a AUTHENTICATE PLAIN\r\nx NOOP\r\n".into(), "+ \r\na BAD this is not base64\r\n"),
        ("a AUTHENTICATE PLAIN\r\nAGpv\0\r\n".into(), "+ \r\na BAD a bare CR or a NUL is not allowed\r\n"),
        (
            format!("a AUTHENTICATE PLAIN {WRONG}\r\n"),
            "a NO [AUTHENTICATIONFAILED] name or password is wrong\r\n",
        ),
        // `ann\0joe\0pw`: nobody acts for another (F42).
        (
            "a AUTHENTICATE PLAIN YW5uAGpvZQBwdw==\r\n".into(),
            "a NO [AUTHORIZATIONFAILED] nobody can act for another user here\r\n",
        ),
    ] {
        let mut handset = greeted(&bench).await;
        handset.send(&format!("{script}z NOOP\r\n")).await;
        assert_eq!(
            handset.until("z OK NOOP completed\r\n").await,
            format!("{answer}z OK NOOP completed\r\n")
        );
    }
    let mut handset = greeted(&bench).await;
    handset.send(&format!("a AUTHENTICATE PLAIN\r\n{}\r\nz NOOP\r\n", "QUJD".repeat(5_000))).await;
    assert_eq!(
        handset.until("z OK NOOP completed\r\n").await,
        "+ \r\na BAD line too long\r\nz OK NOOP completed\r\n"
    );
}

/// RFC 7628 3.2.3: why comes in a challenge; the handset answers it and then gets its NO.
#[tokio::test(start_paused = true)]
async fn a_token_is_refused_in_two_steps() {
    let bench = Bench::new();
    let no = "a NO [AUTHENTICATIONFAILED] the token is not good (any more)\r\n";
    for (script, answer, why) in [
        (format!("a AUTHENTICATE XOAUTH2 {STALE}\r\n"), "\r\n", "eyJzdGF0dXMiOiI0MDEi"),
        (
            format!("a AUTHENTICATE OAUTHBEARER {BEARER_STALE}\r\n"),
            "AQ==\r\n",
            "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=",
        ),
    ] {
        let mut handset = greeted(&bench).await;
        handset.send(&script).await;
        let challenge = handset.until("\r\n").await;
        assert!(challenge.starts_with(&format!("+ {why}")), "{challenge}");
        handset.send(answer).await;
        assert_eq!(handset.until("\r\n").await, no);
        handset.send(&format!("b AUTHENTICATE XOAUTH2 {XOAUTH2}\r\n")).await;
        handset.until("b OK ").await;
    }
    // An answer that cannot be read does not undo the refusal.
    let mut handset = greeted(&bench).await;
    handset.send(&format!("a AUTHENTICATE XOAUTH2 {STALE}\r\n")).await;
    handset.until("\r\n").await;
    handset.send("x\0y\r\n").await;
    assert_eq!(handset.until("\r\n").await, no);
    // `n,,^A^A` asks what is needed.
    let mut handset = greeted(&bench).await;
    handset.send("a AUTHENTICATE OAUTHBEARER biwsAQE=\r\nAQ==\r\n").await;
    assert!(handset.until("\r\n").await.starts_with("+ eyJ"));
    assert_eq!(handset.until("\r\n").await, "a NO [AUTHENTICATIONFAILED] a token is needed\r\n");
}

#[tokio::test(start_paused = true)]
async fn nothing_secret_is_taken_without_tls() {
    let mut handset = connect(&Bench::new(), false, 1 << 16);
    handset.until("\r\n").await;
    handset.send(&format!("1 AUTHENTICATE PLAIN {PLAIN}\r\n2 AUTHENTICATE XOAUTH2\r\n3 NOOP\r\n")).await;
    for tag in [1, 2] {
        assert!(handset.until("\r\n").await.starts_with(&format!("{tag} NO [PRIVACYREQUIRED]")));
    }
    assert_eq!(handset.until("\r\n").await, "3 OK NOOP completed\r\n");
}

#[tokio::test(start_paused = true)]
async fn who_guesses_is_shown_out() {
    let mut handset = greeted(&Bench::new()).await;
    for _ in 1..pimap_types::limits::LOGINS_REFUSED_MAX {
        handset.send("a LOGIN joe wrong\r\n").await;
        assert!(handset.until("\r\n").await.starts_with("a NO [AUTHENTICATIONFAILED]"));
    }
    handset.send(&format!("b AUTHENTICATE PLAIN {WRONG}\r\nc LOGIN joe pw\r\n")).await;
    let end = handset.rest().await;
    assert!(
        end.starts_with("b NO [AUTHENTICATIONFAILED]")
            && end.ends_with("* BYE too many logins were refused\r\n"),
        "{end}"
    );
}

#[tokio::test(start_paused = true)]
async fn id_is_answered_before_login_and_bounded() {
    let mut handset = greeted(&Bench::new()).await;
    let many: String = (0..31).map(|n| format!(" \"f{n}\" NIL")).collect();
    handset
        .send(&format!("1 ID (\"name\" \"Mail\" \"os\" NIL)\r\n2 ID ({})\r\n3 NOOP\r\n", &many[1..]))
        .await;
    assert_eq!(handset.until("\r\n").await, "* ID (\"name\" \"P-IMAP gateway\")\r\n");
    assert_eq!(handset.until("\r\n").await, "1 OK ID completed\r\n");
    assert_eq!(handset.until("\r\n").await, "2 BAD too many fields\r\n");
    assert_eq!(handset.until("\r\n").await, "3 OK NOOP completed\r\n");
}

/// P-IMAP 1.2.3 on TCP, where the operator wants it: never where a password might not be sent either.
#[tokio::test(start_paused = true)]
async fn a_tag_takes_a_session_up_on_tcp() {
    let bench = Bench::new();
    let mut handset = greeted(&bench).await;
    handset.send("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n").await;
    let told = handset.until("SELECT completed\r\n").await;
    let sid = &told.split_once("* SESSIONID ").expect("a session").1[..26];
    drop(handset);
    let mut handset = greeted(&bench).await;
    handset.send(&format!("{sid}1 NOOP\r\n{sid}2 CHECK\r\n3 NOOP\r\n")).await;
    assert_eq!(handset.until("\r\n").await, format!("{sid}1 OK NOOP completed\r\n"), "its tag is only a tag");
    let told = handset.until("3 OK NOOP completed\r\n").await;
    assert!(told.contains(&format!("{sid}2 OK CHECK completed\r\n")), "{told}");
    let mut open = connect(&bench, false, 1 << 16);
    open.until("\r\n").await;
    open.send(&format!("{sid}1 CHECK\r\n")).await;
    assert_eq!(open.until("\r\n").await, format!("{sid}1 BAD log in first\r\n"));
}
