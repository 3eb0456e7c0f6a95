//! What is pushed, what waits to be asked for and what is never told (P-IMAP 1.3, 3.1.3), over IMAP and over HTTP streams.

use pimap_tests::http::{Duplex, Post};
use pimap_tests::imap::Imap;
use pimap_tests::response::{Response, read};
use pimap_tests::wait::eventually;

use crate::stage::{Stage, untagged};

/// A handset with mail in its INBOX whose view is mail of example.org and which wants to be told of the boss's.
fn stage(event_filter: &str) -> (Stage, Imap) {
    let stage = Stage::new();
    stage.dovecot.deliver("joe", &mail_of("boss"));
    stage.dovecot.deliver("joe", &mail_of("friend"));
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET KNOWN \"\" (FROM \"example.org\")");
    handset.ok("XFILTER SET BOSS \"\" (FROM \"boss@\")");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V KNOWN)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX N BOSS)");
    handset.ok(&format!("XSETPIMAPPREF PIMAP_EVENT_FILTER {event_filter}"));
    handset.ok("SELECT INBOX");
    (stage, handset)
}

fn mail_of(who: &str) -> Vec<u8> {
    let domain = if who == "stranger" { "example.net" } else { "example.org" };
    pimap_tests::dovecot::mail(&format!("{who}@{domain}"), "hello", "Some text.")
}

/// Begins IDLE.
fn idle(handset: &mut Imap) -> String {
    let tag = handset.begin("IDLE");
    assert!(handset.line().starts_with(b"+"));
    tag
}

/// Reads lines up to the one that is wanted and gives all of them.
#[track_caller]
fn until(handset: &mut Imap, wanted: impl Fn(&Response) -> bool) -> Vec<Response> {
    let mut heard = Vec::new();
    loop {
        let response = read(&handset.line()).expect("a response");
        let found = wanted(&response);
        heard.push(response);
        if found {
            return heard;
        }
    }
}

/// PI-035, PI-037, PI-038, PI-044: an arrival of the boss is pushed; what is only seen waits for DONE.
#[test]
fn only_what_passes_every_filter_is_pushed() {
    let (stage, mut handset) = stage("NEW");
    let mut other = stage.dovecot.login("joe");
    let tag = idle(&mut handset);
    // Seen, not notified; then a flag, which NEW holds back; then one that is pushed, so that silence before it is proved.
    other.flag("INBOX", 1, "+FLAGS (\\Flagged)");
    other.flag("INBOX", 2, "+FLAGS (\\Flagged)");
    stage.dovecot.deliver("joe", &mail_of("boss"));
    let heard = until(&mut handset, |response| matches!(response, Response::Exists(_)));
    assert_eq!(heard.last(), Some(&Response::Exists(3)));
    assert!(
        !heard.iter().any(|response| matches!(response, Response::Fetch(..))),
        "flags are polled: {heard:?}"
    );
    handset.send(b"DONE\r\n");
    let rest = untagged(&handset.finish(&tag));
    assert_eq!(rest.matches("\\Flagged").count(), 2, "what was held back comes with DONE: {rest}");
}

/// PI-034: what the handset cannot see is never told, by push, by polling or by number.
#[test]
fn hidden_mail_is_never_told() {
    let (stage, mut handset) = stage("ALL");
    let tag = idle(&mut handset);
    stage.dovecot.deliver("joe", &mail_of("stranger"));
    let mut other = stage.dovecot.login("joe");
    other.flag("INBOX", 3, "+FLAGS (\\Flagged)");
    other.expunge("INBOX", 3);
    stage.dovecot.deliver("joe", &mail_of("boss"));
    let heard = until(&mut handset, |response| matches!(response, Response::Exists(_)));
    assert_eq!(heard.last(), Some(&Response::Exists(3)), "{heard:?}");
    handset.send(b"DONE\r\n");
    assert!(!untagged(&handset.finish(&tag)).contains("EXPUNGE"));
    assert_eq!(untagged(&handset.ok("UID SEARCH ALL")), "* SEARCH 1 2 4\n");
}

/// PI-036, PI-038: event filter ALL pushes flags and removals too, NONE nothing at all.
#[test]
fn the_event_filter_decides_which_changes_are_pushed() {
    let (stage, mut handset) = stage("ALL");
    let mut other = stage.dovecot.login("joe");
    let tag = idle(&mut handset);
    other.flag("INBOX", 1, "+FLAGS (\\Flagged)");
    until(&mut handset, |response| matches!(response, Response::Fetch(1, _)));
    other.expunge("INBOX", 1);
    until(&mut handset, |response| *response == Response::Expunge(1));
    handset.send(b"DONE\r\n");
    handset.finish(&tag);
    handset.ok("XSETPIMAPPREF PIMAP_EVENT_FILTER NONE");
    let tag = idle(&mut handset);
    stage.dovecot.deliver("joe", &mail_of("boss"));
    // The watcher has seen it when a regular client of the gateway has.
    let mut regular = stage.client("joe");
    eventually("the arrival", || {
        untagged(&regular.ok("STATUS INBOX (MESSAGES)")).contains("MESSAGES 2").then_some(())
    });
    regular.ok("SELECT INBOX");
    handset.send(b"DONE\r\n");
    let heard = until(&mut handset, |response| matches!(response, Response::Tagged(..)));
    assert!(heard.len() <= 2, "{tag} brought no more than the arrival: {heard:?}");
    if !heard.contains(&Response::Exists(2)) {
        eventually("polled", || untagged(&handset.ok("NOOP")).contains("* 2 EXISTS").then_some(()));
    }
}

/// PI-032: a notification filter rules what happens after it was set.
#[test]
fn a_new_notification_filter_rules_from_then_on() {
    let (stage, mut handset) = stage("NEW");
    handset.ok("XFILTER SET FRIEND \"\" (FROM \"friend@\")");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX N FRIEND)");
    let tag = idle(&mut handset);
    stage.dovecot.deliver("joe", &mail_of("boss"));
    stage.dovecot.deliver("joe", &mail_of("friend"));
    let heard = until(&mut handset, |response| *response == Response::Exists(4));
    assert!(!heard.contains(&Response::Exists(3)) || heard.len() == 2, "{heard:?}");
    handset.send(b"DONE\r\n");
    handset.finish(&tag);
}

/// D15: who never set a preference gets IDLE as RFC 2177 means it.
#[test]
fn an_untouched_device_and_a_regular_session_idle_as_usual() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    for user in ["joe#P7", "joe"] {
        let mut client = stage.client(user);
        client.ok("SELECT INBOX");
        let tag = idle(&mut client);
        let mut other = stage.dovecot.login("joe");
        other.flag("INBOX", 1, if user == "joe" { "-FLAGS (\\Flagged)" } else { "+FLAGS (\\Flagged)" });
        until(&mut client, |response| matches!(response, Response::Fetch(1, _)));
        client.send(b"DONE\r\n");
        assert!(client.finish(&tag).condition.is_ok());
    }
}

/// PI-046, PI-047: INBAND_PUSH pushes without IDLE, and never a removal between commands.
#[test]
fn inband_push_pushes_without_idle_but_no_removal() {
    let (stage, mut handset) = stage("ALL");
    handset.ok("XSETPIMAPPREF PIMAP_INBAND_PUSH ON");
    stage.dovecot.deliver("joe", &mail_of("boss"));
    until(&mut handset, |response| *response == Response::Exists(3));
    let mut other = stage.dovecot.login("joe");
    other.expunge("INBOX", 1);
    stage.dovecot.deliver("joe", &mail_of("boss"));
    let heard = until(&mut handset, |response| matches!(response, Response::Exists(_)));
    assert!(!heard.contains(&Response::Expunge(1)), "{heard:?}");
    assert_eq!(heard.last(), Some(&Response::Exists(4)), "the removed one still counts: {heard:?}");
    let told = untagged(&handset.ok("NOOP"));
    assert!(told.contains("* 1 EXPUNGE"), "{told}");
}

/// PI-096, PI-097: a chunked POST that stays open pushes before it ends, however its chunks are cut.
#[test]
fn an_open_post_is_pushed_to_whatever_its_chunks_are() {
    let (stage, handset) = stage("NEW");
    drop(handset);
    let mut stream =
        Duplex::open(&stage.gateway.site(), &Post::new(""), "a LOGIN joe#P2 pw\r\n").expect("a stream");
    stream.until("a").expect("LOGIN");
    stream.say_bytewise("b SELECT INBOX\r\nc IDLE\r\n").expect("bytes");
    stream.until_line(|response| *response == Response::Continue).expect("IDLE");
    stage.dovecot.deliver("joe", &mail_of("friend"));
    let lines = stream.until_line(|response| matches!(response, Response::Exists(_))).expect("a push");
    assert_eq!(lines.last().map(Vec::as_slice), Some(&b"* 3 EXISTS"[..]));
    stream.say_bytewise("DONE\r\nd FETCH 3 (UID)\r\n").expect("bytes");
    stream.until("c").expect("the end of IDLE");
    let lines = stream.until("d").expect("FETCH");
    assert!(lines.iter().any(|line| line == b"* 3 FETCH (UID 3)"));
    stream.end().expect("the end of the body");
    assert!(stream.line_within(pimap_tests::wait::PATIENCE).is_err(), "the answer ends with the request");
}

/// PI-033: changes of mailboxes are pushed whatever the filters say, to whoever said that it understands them.
#[test]
fn a_new_mailbox_is_pushed_past_every_filter() {
    let (stage, mut handset) = stage("NONE");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V NONE)");
    handset.ok("ENABLE XPIMAPACK");
    handset.ok("SELECT INBOX");
    let tag = idle(&mut handset);
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Fresh");
    // The server makes some mailboxes of its own accord when somebody logs in; they are told as well.
    let mut told = Vec::new();
    while told.last().is_none_or(|line: &String| !line.ends_with("Fresh")) {
        told.push(String::from_utf8_lossy(&handset.line()).into_owned());
    }
    assert!(told.iter().all(|line| line.starts_with("* LIST (")), "{told:?}");
    handset.send(b"DONE\r\n");
    assert!(handset.finish(&tag).condition.is_ok());
}
