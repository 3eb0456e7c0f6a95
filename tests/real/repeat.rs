//! F4: a request that comes twice is executed once, whoever repeated it.

use pimap_tests::dovecot::mail;
use pimap_tests::http::Post;
use pimap_tests::imap::Imap;

use crate::stage::{Stage, Web, line, post};

/// Four mails, a handset that has selected them and proved that it knows them.
fn stage() -> (Stage, Web, Imap) {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three", "four"]);
    let mut web = stage.web();
    web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    web.say("c FETCH 1:* (UID FLAGS)\r\n");
    let other = stage.dovecot.login("joe");
    (stage, web, other)
}

fn uids(other: &mut Imap, mailbox: &str) -> Vec<u32> {
    other.truth(mailbox).messages.iter().map(|(uid, _)| *uid).collect()
}

/// The tagged lines of an answer.
fn tagged(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.starts_with('*')).map(str::to_owned).collect()
}

/// Sends the same octets twice; the first answer is lost on the way half of the time in life, so both are looked at.
#[track_caller]
fn twice(web: &Web, body: &str) -> (String, String) {
    let request = web.request(body);
    let first = post(&web.site, &request);
    let second = post(&web.site, &request);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(
        tagged(&first.text()),
        tagged(&second.text()),
        "\nfirst:\n{}\nsecond:\n{}",
        first.text(),
        second.text()
    );
    (first.text(), second.text())
}

#[test]
fn store_by_number_and_expunge() {
    let (_stage, web, mut other) = stage();
    twice(&web, "d STORE 2 +FLAGS (\\Deleted)\r\ne EXPUNGE\r\n");
    assert_eq!(uids(&mut other, "INBOX"), [1, 3, 4]);
}

#[test]
fn append() {
    let (_stage, web, mut other) = stage();
    let message = String::from_utf8(mail("joe@example.org", "sent once", "x")).expect("text");
    let body = format!("d APPEND Sent (\\Seen) {{{}+}}\r\n{message}\r\n", message.len());
    let (first, second) = twice(&web, &body);
    assert!(line(&first, "d OK [APPENDUID").len() == line(&second, "d OK [APPENDUID").len());
    assert_eq!(uids(&mut other, "Sent").len(), 1);
}

#[test]
fn copy_and_move() {
    let (_stage, web, mut other) = stage();
    twice(&web, "d COPY 1 Sent\r\ne MOVE 2 Trash\r\n");
    assert_eq!(uids(&mut other, "Sent").len(), 1);
    assert_eq!(uids(&mut other, "Trash").len(), 1);
    assert_eq!(uids(&mut other, "INBOX"), [1, 3, 4]);
}

/// Commands that make something answer a repeat from the record.
#[test]
fn create() {
    let (_stage, web, mut other) = stage();
    let (first, _) = twice(&web, "d CREATE Work\r\n");
    assert!(line(&first, "d ").starts_with("d OK"), "{first}");
    assert_eq!(uids(&mut other, "Work").len(), 0);
}

/// The radio takes the first answer away: the handset repeats after LOGIN in the same body, as the draft's example does.
#[test]
fn a_whole_session_in_one_body() {
    let (stage, _web, mut other) = stage();
    let body = "a LOGIN joe#P2 pw\r\nb SELECT INBOX\r\nc STORE 1 +FLAGS (\\Deleted)\r\nd EXPUNGE\r\n";
    let site = stage.gateway.site();
    let mut connection = site.connect().expect("a connection");
    connection.send(&Post::new(body).bytes()).expect("bytes");
    // The head is read, the rest never.
    connection.interim().expect("a head");
    connection.reset();
    let answer = post(&site, &Post::new(body));
    assert_eq!(uids(&mut other, "INBOX"), [2, 3, 4], "{}", answer.text());
}

/// `Idempotency-Key` names the request: its repeat is known though its octets differ, and another key is another request.
#[test]
fn a_named_request() {
    let (_stage, web, mut other) = stage();
    let named = |key: &str, body: &str| post(&web.site, &web.request(body).idempotency_key(key)).text();
    let first = named("k1", "d COPY 1 Sent\r\n");
    let again = named("k1", "d COPY 1 Sent\r\n");
    assert_eq!(tagged(&first), tagged(&again));
    assert_eq!(uids(&mut other, "Sent").len(), 1);
    let fresh = named("k2", "d COPY 1 Sent\r\n");
    assert!(line(&fresh, "d ").starts_with("d OK"));
    assert_eq!(uids(&mut other, "Sent").len(), 2);
}

/// After the answer was acknowledged, the same octets are a new wish.
#[test]
fn the_same_wish_later_is_granted_again() {
    let (_stage, mut web, mut other) = stage();
    web.say("d COPY 1 Sent\r\n");
    web.say("e NOOP\r\n");
    web.say("f NOOP\r\n");
    web.say("d COPY 1 Sent\r\n");
    assert_eq!(uids(&mut other, "Sent").len(), 2);
}

/// The record of what was done survives `kill -9`.
#[test]
fn a_repeat_after_a_crash() {
    let (mut stage, web, mut other) = stage();
    let request = web.request("d COPY 1 Sent\r\ne STORE 2 +FLAGS (\\Deleted)\r\nf EXPUNGE\r\n");
    let first = post(&web.site, &request).text();
    assert!(line(&first, "f ").starts_with("f OK"), "{first}");
    stage.gateway.kill();
    stage.gateway.restart();
    let second = post(&stage.gateway.site(), &request).text();
    assert!(!second.contains("d BAD"), "{second}");
    assert_eq!(uids(&mut other, "Sent").len(), 1, "{second}");
    assert_eq!(uids(&mut other, "INBOX"), [1, 3, 4], "{second}");
}

/// F5: numbers mean what the handset holds, not what has become of it: a batch that was composed before a removal was told.
#[test]
fn numbers_composed_before_a_removal_hit_nothing_else() {
    let (stage, mut web, mut other) = stage();
    other.expunge("INBOX", 2);
    // The gateway knows when a fresh look shows three.
    pimap_tests::wait::eventually("the removal is known", || {
        stage.post("x LOGIN joe#P9 pw\r\ny SELECT INBOX\r\n").text().contains("* 3 EXISTS").then_some(())
    });
    let told = web.say("d LOGIN joe#P1 pw\r\ne STORE 3 +FLAGS (\\Deleted)\r\nf EXPUNGE\r\n");
    // Message 3 was UID 3; whether it is marked or refused, nothing else may be gone.
    let left = uids(&mut other, "INBOX");
    assert!(left == [1, 4] || left == [1, 3, 4], "{left:?}\n{told}");
    let told = web.say("g NOOP\r\nh UID SEARCH ALL\r\n");
    let found = line(&told, "* SEARCH").to_owned();
    assert_eq!(found.split(' ').skip(2).collect::<Vec<_>>().len(), left.len(), "{told}");
}

/// A chunked batch is a batch like others.
#[test]
fn a_chunked_request() {
    let (_stage, web, mut other) = stage();
    let request = web.request("d COPY 1 Sent\r\n").framing(pimap_tests::http::Framing::Chunked(5));
    let (first, second) = (post(&web.site, &request).text(), post(&web.site, &request).text());
    assert_eq!(tagged(&first), tagged(&second));
    assert_eq!(uids(&mut other, "Sent").len(), 1);
}
