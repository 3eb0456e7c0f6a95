//! AUTHENTICATE and ID before a real server: what stock clients do first.

use crate::stage::{Stage, line, post, refused, session_id};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pimap_tests::dovecot::Dovecot;
use pimap_tests::http::Post;
use pimap_tests::imap::Imap;
use pimap_tests::wait::{PATIENCE, within};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Base64 of what PLAIN says.
fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{user}\0{password}"))
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
    // The watching connection has logged in too, and has one of Dovecot's.
    let sessions = || log.lines().filter_map(|line| Some(line.split_once("session=<")?.1.split_once('>')?.0));
    let is_ours = |session: &str| {
        session.split_once('-').is_some_and(|(life, number)| {
            u32::from_str_radix(life, 16).is_ok() && u64::from_str_radix(number, 16).is_ok()
        })
    };
    assert!(sessions().any(is_ours), "{log}");
}

/// Reads to the goodbye that a refused login is given.
#[track_caller]
fn told_to_log_in(client: &mut Imap) {
    loop {
        let line = String::from_utf8(client.line()).expect("text");
        if line.starts_with("* BYE") {
            assert!(line.starts_with("* BYE [AUTHENTICATIONFAILED] "), "{line}");
            return;
        }
    }
}

/// F50: the password is changed at the mail server. It is tried there once in vain; who listens is told, what came of the old
/// password is dead, and the new one takes the session up.
#[test]
fn a_password_changed_at_the_server_ends_what_the_old_one_opened() {
    let mut stage = Stage::new();
    stage.deliver(&["one"]);
    let mut web = stage.web();
    let first = web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    let sid = session_id(&first);
    let by_tag = format!("{sid}x CHECK\r\n");
    assert!(stage.post(&by_tag).text().contains(&format!("{sid}x OK ")));
    let mut idle = stage.client("joe#P2");
    idle.ok("SELECT INBOX");
    idle.begin("IDLE");
    stage.dovecot.reconfigure(|text, _| {
        let others = "  driver = static\n  args = password=pw\n  username_filter = !joe\n}\n\
                      passdb {\n  driver = static\n  args = password=changed\n  username_filter = joe\n";
        text.replace("  driver = static\n  args = password=pw\n", others)
    });
    told_to_log_in(&mut idle);
    let counted = || stage.dovecot.log().contains("auth failed").then(|| stage.dovecot.log());
    let log = within(PATIENCE, counted).expect("a refusal in Dovecot's log");
    assert_eq!(log.matches("auth failed").count(), 1, "{log}");
    assert!(web.say("c CHECK\r\n").contains("c NO [AUTHENTICATIONFAILED]"));
    assert!(stage.post(&by_tag).text().starts_with("* LOGIN\r\n"));
    assert!(web.say("d LOGIN joe#P1 pw\r\n").contains("d NO [AUTHENTICATIONFAILED]"));
    let again = web.say("e LOGIN joe#P1 changed\r\nf SELECT INBOX\r\n");
    assert_eq!(line(&again, "* SESSIONID"), line(&first, "* SESSIONID"));
    line(&again, "f OK");
}

/// A token as an issuer signs it with this key.
fn token(key: &str, user: &str) -> String {
    let until = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() + 3_600;
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let head = part(r#"{"alg":"HS256","typ":"JWT"}"#);
    let body = part(&format!(r#"{{"sub":"{user}","iat":1000,"nbf":1000,"exp":{until}}}"#));
    let signed = format!("{head}.{body}");
    // RFC 2104: a key shorter than a block is filled up with zeros.
    let block = |pad: u8| -> Vec<u8> {
        let mut block = key.as_bytes().to_vec();
        block.resize(64, 0);
        block.iter().map(|octet| octet ^ pad).collect()
    };
    let inner = Sha256::digest([block(0x36), signed.clone().into_bytes()].concat());
    let mac = Sha256::digest([block(0x5C), inner.to_vec()].concat());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// Dovecot takes tokens signed with this key.
fn trust(directory: &Path, key: &str) {
    let keys = directory.join("keys/default/HS256");
    std::fs::create_dir_all(&keys).expect("a directory for keys");
    std::fs::write(keys.join("default"), STANDARD.encode(key)).expect("a key");
}

fn with_tokens(text: String, directory: &Path) -> String {
    trust(directory, "first key");
    let place = directory.display();
    let settings = format!(
        "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={place}/keys/\nusername_attribute = sub\n"
    );
    std::fs::write(directory.join("oauth2.conf"), settings).expect("oauth2.conf");
    let tokens = format!(
        "passdb {{\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n  args = {place}/oauth2.conf\n}}\n\
         passdb {{\n  mechanisms = plain login\n  driver = static\n"
    );
    text.replace("auth_mechanisms = plain login\n", "auth_mechanisms = plain login oauthbearer xoauth2\n")
        .replace("passdb {\n  driver = static\n", &tokens)
}

fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

/// D7: the handset's token is what upstream is asked with, also by watcher and pool; when it is taken no more, its handsets are
/// told, and another token revives the account.
#[test]
fn a_token_goes_upstream_as_it_came() {
    let mut dovecot = Dovecot::start();
    dovecot.reconfigure(with_tokens);
    let mut stage = Stage::before(dovecot, |config| config);
    stage.deliver(&["one"]);
    let capability = stage.post("a CAPABILITY\r\n").text();
    assert!(
        line(&capability, "* CAPABILITY").contains(" AUTH=PLAIN AUTH=OAUTHBEARER AUTH=XOAUTH2"),
        "{capability}"
    );
    let good = token("first key", "joe");
    let bearer = STANDARD.encode(format!("n,a=joe#P1,\x01auth=Bearer {good}\x01\x01"));
    let told = stage
        .post(&format!("a AUTHENTICATE OAUTHBEARER {bearer}\r\nb SELECT INBOX\r\nc FETCH 1 (UID)\r\n"))
        .text();
    line(&told, "* 1 EXISTS");
    line(&told, "c OK");
    // Another's token, a broken one, and one that nobody here signed.
    for bad in [token("first key", "ann"), format!("{good}x"), token("other key", "joe")] {
        let told = stage.post(&format!("a AUTHENTICATE XOAUTH2 {}\r\n", xoauth2("joe#P1", &bad))).text();
        line(&told, "a NO [AUTHENTICATIONFAILED]");
    }
    let mut idle = Imap::connect(stage.gateway.address("imap"));
    idle.ok(&format!("AUTHENTICATE XOAUTH2 {}", xoauth2("joe#P2", &good)));
    idle.ok("SELECT INBOX");
    idle.begin("IDLE");
    stage.dovecot.reconfigure(|text, directory| {
        trust(directory, "second key");
        text
    });
    told_to_log_in(&mut idle);
    let fresh = token("second key", "joe");
    let told = stage
        .post(&format!("a AUTHENTICATE XOAUTH2 {}\r\nb SELECT INBOX\r\n", xoauth2("joe#P1", &fresh)))
        .text();
    line(&told, "* SESSION SELECTED");
    line(&told, "b OK");
    // The log of the gateway has neither of them.
    let secret = |text: &str| text.contains(&good) || text.contains(&fresh);
    assert!(!secret(&stage.gateway.log()), "a token was logged");
}
