//! The HTTP binding on the wire (P-IMAP A.1, A.3): methods, headers, framing, and what a bad radio does to a request.

use std::time::Duration;

use pimap_tests::http::{Duplex, Framing, Post};
use pimap_tests::response::Response;
use pimap_tests::wait::{PATIENCE, within};

use crate::stage::{Stage, line, post, session_id};

const LOGIN: &str = "a LOGIN joe#P1 pw\r\n";

/// PI-087, PI-090: a batch of commands, answered in their order, in chunks of our media type.
#[test]
fn a_batch_of_commands_is_answered_in_one_response() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let answer = stage.post("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc FETCH 1 (UID)\r\nd NOOP\r\n");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("application/vnd.pimap"));
    assert_eq!(answer.header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let text = answer.text();
    let tagged: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('*')).filter_map(|line| line.get(..4)).collect();
    assert_eq!(tagged, ["a OK", "b OK", "c OK", "d OK"]);
}

/// PI-088.
#[test]
fn refused_commands_are_an_answer_like_others() {
    let stage = Stage::new();
    let answer =
        stage.post("a LOGIN joe#P1 pw\r\nb SELECT Nowhere\r\nc NONSENSE\r\nd FETCH 1 (FLAGS)\r\ne NOOP\r\n");
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(line(&text, "b ").starts_with("b NO") && line(&text, "c ").starts_with("c BAD"), "{text}");
    assert!(line(&text, "d ").starts_with("d BAD") && line(&text, "e ").starts_with("e OK"), "{text}");
    let answer = stage.post("a NOOP\r\nb SELECT INBOX\r\n");
    assert_eq!(answer.status, 200);
    assert!(line(&answer.text(), "b ").starts_with("b NO [AUTHENTICATIONFAILED]"), "{}", answer.text());
}

/// PI-091 and the other statuses of a head that asks for what there is not.
#[test]
fn heads_that_ask_for_what_there_is_not_are_told_by_status() {
    let stage = Stage::new();
    let site = stage.gateway.site();
    let ours = || Post::new(LOGIN);
    for (request, status) in [
        (Post::new("").line("GET", "/pimap"), 405),
        (ours().line("PUT", "/pimap"), 405),
        (ours().line("POST", "/elsewhere"), 404),
        (ours().header("Content-Type", "text/plain"), 415),
        (ours().header("Content-Encoding", "gzip"), 415),
        (ours().header("PIMAP-Ack", "nonsense"), 400),
        (ours().header("PIMAP-Continue", "token"), 409),
    ] {
        let answer = post(&site, &request);
        assert_eq!(answer.status, status, "{request:?}");
        assert!(!answer.text().contains("SESSIONID"));
    }
    let mut connection = site.connect().expect("a connection");
    let head = Post::new("").head("Content-Length: 300000000000");
    connection.send(&head).expect("a head");
    assert_eq!(connection.answer().expect("an answer").status, 413);
    // And a connection that was answered by status served nobody else's request.
    assert_eq!(stage.post(LOGIN).status, 200);
}

/// PI-089.
#[test]
fn the_answer_is_zipped_if_and_only_if_that_is_allowed() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three", "four", "five"]);
    let site = stage.gateway.site();
    let body = "a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc FETCH 1:* (ENVELOPE BODYSTRUCTURE)\r\n";
    let plain = post(&site, &Post::new(body));
    assert_eq!(plain.header("Content-Encoding"), None);
    assert_eq!(plain.body_octets, plain.body.len());
    let zipped = post(&site, &Post::new(body).gzip());
    assert_eq!(zipped.header("Content-Encoding"), Some("gzip"));
    assert!(zipped.body_octets < zipped.body.len(), "{} of {}", zipped.body_octets, zipped.body.len());
    let fetched = |text: &str| {
        text.lines().filter(|line| line.contains(" FETCH ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(fetched(&plain.text()), fetched(&zipped.text()));
    let refused = post(&site, &Post::new(body).header("Accept-Encoding", "gzip;q=0, deflate"));
    assert_eq!(refused.header("Content-Encoding"), None);
}

/// PI-097.
#[test]
fn framing_of_the_body_changes_nothing() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let site = stage.gateway.site();
    let body = "a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc FETCH 1 (UID FLAGS)\r\n";
    for framing in [Framing::Length, Framing::Chunked(1), Framing::Chunked(3), Framing::Chunked(1 << 16)] {
        let answer = post(&site, &Post::new(body).framing(framing));
        assert!(answer.text().contains("* 1 FETCH (UID 1 FLAGS ("), "{framing:?}: {}", answer.text());
        assert!(line(&answer.text(), "c ").starts_with("c OK"));
    }
    let mut connection = site.connect().expect("a connection");
    connection.send_bytewise(&Post::new(body).bytes()).expect("bytes");
    assert!(line(&connection.answer().expect("an answer").text(), "c ").starts_with("c OK"));
}

/// A handset may shut its side down after the last chunk and read the rest (measured with real libraries).
#[test]
fn a_half_closed_connection_is_answered_whole() {
    let stage = Stage::new();
    let site = stage.gateway.site();
    for framing in [Framing::Length, Framing::Chunked(7)] {
        let mut connection = site.connect().expect("a connection");
        connection
            .send(&Post::new("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n").framing(framing).bytes())
            .expect("bytes");
        connection.half_close().expect("a half close");
        assert!(line(&connection.answer().expect("an answer").text(), "b ").starts_with("b OK"));
    }
}

#[test]
fn who_waits_for_100_continue_gets_it() {
    let stage = Stage::new();
    let mut connection = stage.gateway.site().connect().expect("a connection");
    let request = Post::new("").header("Expect", "100-continue");
    connection.send(&request.head(&format!("Content-Length: {}", LOGIN.len()))).expect("a head");
    let interim = connection.interim().expect("an interim answer");
    assert!(interim.starts_with("HTTP/1.1 100"), "{interim}");
    connection.send(LOGIN.as_bytes()).expect("a body");
    session_id(&connection.answer().expect("an answer").text());
}

/// F6: the literal of a body that ends with `{n}` begins the next request, whatever it looks like; without the token of that
/// answer nothing of a body is a literal.
#[test]
fn a_synchronizing_literal_is_continued_in_the_next_request() {
    let stage = Stage::new();
    for (message, framing) in
        [("Subject: b\r\n\r\nc NOOP\r\n", Framing::Length), ("d CLOSE\r\n", Framing::Chunked(1 << 16))]
    {
        let site = stage.gateway.site();
        let body = format!("a LOGIN joe#P1 pw\r\nb APPEND INBOX {{{}}}\r\n", message.len());
        let asked = post(&site, &Post::new(body).framing(framing));
        assert!(asked.text().ends_with("+ Ready for literal data\r\n"), "{}", asked.text());
        let (cookie, token) =
            (asked.cookie().expect("a cookie"), asked.header("PIMAP-Continue").expect("a token"));
        let rest = format!("{message}\r\ne NOOP\r\n");
        let with = |token: &str| Post::new(&rest).header("Cookie", cookie).header("PIMAP-Continue", token);
        assert_eq!(post(&site, &with("0123456789abcdef0123456789abcdef")).status, 409);
        let text = post(&site, &with(token)).text();
        assert!(
            line(&text, "b ").starts_with("b OK [APPENDUID") && line(&text, "e ").starts_with("e OK"),
            "{text}"
        );
        assert!(!text.contains("c OK") && !text.contains("d "), "{text}");
    }
    let mut other = stage.dovecot.login("joe");
    assert_eq!(other.truth("INBOX").messages.len(), 2);
    let text = stage.post("a LOGIN joe#P1 pw\r\nb APPEND INBOX {5+}\r\nhello\r\nc NOOP\r\n").text();
    assert!(
        line(&text, "b ").starts_with("b OK [APPENDUID") && line(&text, "c ").starts_with("c OK"),
        "{text}"
    );
}

/// PI-095.
#[test]
fn idle_is_refused_in_a_batch() {
    let stage = Stage::new();
    let text = stage.post("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc IDLE\r\nd NOOP\r\n").text();
    assert!(line(&text, "c ").starts_with("c BAD") && line(&text, "d ").starts_with("d OK"), "{text}");
    assert!(!text.contains("\r\n+ "), "{text}");
}

/// PI-094: a cookie reattaches the session with its mailbox, on any connection.
#[test]
fn a_cookie_takes_up_the_session_where_it_was() {
    let stage = Stage::new();
    stage.deliver(&["one", "two"]);
    let mut web = stage.web();
    web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    let text = web.say("c FETCH 1:* (UID)\r\n");
    assert!(text.contains("* 2 FETCH (UID 2)"), "{text}");
    let mut connection = web.site.connect().expect("a connection");
    for _ in 0..3 {
        let answer = connection.post(&web.request("d FETCH 2 (UID)\r\n")).expect("an answer");
        assert!(answer.text().contains("* 2 FETCH (UID 2)"), "keep-alive: {}", answer.text());
    }
}

/// A body that comes slowly is answered as it comes; one that stops for good costs its sender alone.
#[test]
fn a_slow_body_is_answered_as_it_comes() {
    let stage = Stage::new();
    let mut stream = Duplex::open(&stage.gateway.site(), &Post::new(""), LOGIN).expect("a stream");
    stream.until("a").expect("LOGIN");
    stream.say("b SEL").expect("a part");
    // Another request is served meanwhile.
    assert!(line(&stage.post("x LOGIN ann#P1 pw\r\n").text(), "x ").starts_with("x OK"));
    stream.say("ECT INBOX\r\n").expect("the rest");
    stream.until("b").expect("SELECT");
}

/// A handset that vanishes inside its request executes nothing that was not whole, and keeps its session.
#[test]
fn a_handset_that_vanishes_inside_a_body_keeps_its_session() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut web = stage.web();
    let id = session_id(&web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n"));
    let store = web.request("c STORE 1 +FLAGS (\\Flagged)\r\nd APPEND INBOX {100+}\r\nonly the beginning");
    for whole in [false, true] {
        let mut connection = web.site.connect().expect("a connection");
        let bytes = store.bytes();
        if whole {
            // Announced to be longer than it is.
            let mut head = web.request("").head("Content-Length: 4000");
            head.extend_from_slice(b"e APPEND INBOX {3000+}\r\nonly the beginning");
            connection.send(&head).expect("bytes");
        } else {
            connection.send(&bytes[..bytes.len() - 30]).expect("bytes");
        }
        connection.reset();
    }
    let mut other = stage.dovecot.login("joe");
    let told = web.say("f LOGIN joe#P1 pw\r\ng SELECT INBOX\r\n");
    assert_eq!(session_id(&told), id);
    assert_eq!(other.truth("INBOX").messages.len(), 1, "half a message was stored");
}

/// Over the wire the gateway's answer to a chunk that is no chunk is an error of HTTP, and others are served on.
#[test]
fn broken_framing_costs_its_sender_alone() {
    let stage = Stage::new();
    let mut connection = stage.gateway.site().connect().expect("a connection");
    connection.send(&Post::new("").head("Transfer-Encoding: chunked")).expect("a head");
    connection.send(b"zz\r\nnonsense\r\n").expect("bytes");
    connection.patience(Duration::from_secs(10));
    if let Ok(answer) = connection.answer() {
        assert_ne!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(stage.post(LOGIN).status, 200);
}

/// F1: a zipped answer cut at any place is no answer, whatever could be inflated of it: the next login says it all again.
#[test]
fn a_zipped_answer_that_was_cut_is_told_again() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three"]);
    let site = stage.gateway.site();
    let mut other = stage.dovecot.login("joe");
    stage.post("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    let whole = post(&site, &Post::new("c LOGIN joe#P1 pw\r\nd SELECT INBOX\r\n").gzip());
    let octets = whole.body_octets;
    for (round, cut) in [(1, 1), (2, octets / 3), (3, octets / 2), (4, octets.saturating_sub(3))] {
        other.flag("INBOX", 1, if round % 2 == 1 { "+FLAGS (\\Flagged)" } else { "-FLAGS (\\Flagged)" });
        let mut connection = site.connect().expect("a connection");
        let request = Post::new("e LOGIN joe#P1 pw\r\nf SELECT INBOX\r\ng FETCH 1:* (FLAGS)\r\n").gzip();
        connection.send(&request.bytes()).expect("a request");
        // The head is some 200 octets; what is cut is the body.
        let broken = connection.answer_within(200 + cut).expect_err("an answer that was cut");
        assert!(broken.heard.is_none_or(|heard| heard.body_octets < octets * 2), "it came whole");
        connection.reset();
        let told = stage.post("h LOGIN joe#P1 pw\r\ni SELECT INBOX\r\nj FETCH 1 (FLAGS)\r\n").text();
        let flagged = line(&told, "* 1 FETCH (FLAGS").contains("Flagged");
        assert_eq!(flagged, round % 2 == 1, "{told}");
        assert!(told.contains("* 3 EXISTS") && told.contains("j OK"), "{told}");
    }
}

/// PI-105, first half: a handset whose stream is gone misses nothing.
#[test]
fn what_a_broken_stream_did_not_bring_comes_with_the_next_login() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let site = stage.gateway.site();
    let mut stream = Duplex::open(&site, &Post::new(""), LOGIN).expect("a stream");
    stream.until("a").expect("LOGIN");
    stream.say("b SELECT INBOX\r\n").expect("bytes");
    stream.until("b").expect("SELECT");
    stream.say("c IDLE\r\n").expect("bytes");
    let continued = |response: &Response| *response == Response::Continue;
    stream.until_line(continued).expect("IDLE");
    // Said after the `+` was heard: it proves that all before it was (D5).
    stream.say("DONE\r\n").expect("bytes");
    stream.until("c").expect("the end of IDLE");
    stream.say("d IDLE\r\n").expect("bytes");
    stream.until_line(continued).expect("IDLE again");
    stream.into_connection().reset();
    stage.deliver(&["two"]);
    let mut told = String::new();
    let came = within(PATIENCE, || {
        told.push_str(&stage.post("d LOGIN joe#P1 pw\r\ne NOOP\r\n").text());
        told.contains("* 2 EXISTS").then_some(())
    });
    assert!(came.is_some() && !told.contains("* RESYNC"), "{told:.2000}");
}

/// RFC 2177 3: what is no DONE ends the IDLE and is not executed, in a body that stays open as anywhere.
#[test]
fn an_idle_in_a_stream_ends_with_whatever_is_said() {
    let stage = Stage::new();
    let mut stream = Duplex::open(&stage.gateway.site(), &Post::new(""), LOGIN).expect("a stream");
    stream.until("a").expect("LOGIN");
    stream.say("b SELECT INBOX\r\nc IDLE\r\n").expect("bytes");
    stream.until_line(|response| *response == Response::Continue).expect("IDLE");
    stream.say("d CREATE Never\r\n").expect("bytes");
    let told = stream.until("c").expect("the end of IDLE");
    assert!(told.last().is_some_and(|line| line.starts_with(b"c BAD")), "{told:?}");
    stream.say("e LIST \"\" Never\r\n").expect("bytes");
    assert_eq!(stream.until("e").expect("LIST").len(), 1);
}
