//! The HTTP binding over an in-memory pipe on paused time: batches, streams, cuts and statuses.

mod halves;
mod named;

use super::*;
use crate::testing::{Bench, Handset};
use std::sync::atomic::Ordering;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

/// Keeps a server from draining for as long as it lives.
struct Serving {
    _stopping: watch::Sender<bool>,
}

fn connect(bench: &Bench) -> (Handset<DuplexStream>, Serving) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let stopping = watch::Sender::new(false);
    tokio::spawn(plain_or_h1(
        ours,
        On { secured: false, peer: None },
        router(bench.front.clone()),
        stopping.subscribe(),
    ));
    (Handset::new(theirs), Serving { _stopping: stopping })
}

const HEAD: &str = "POST /pimap HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.pimap\r\n";

fn counted(body: &str, more: &str) -> String {
    format!("{HEAD}{more}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// The cookie of a response's head.
fn cookie(head: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(line.ends_with("; Path=/pimap; HttpOnly; SameSite=Strict"), "{line}");
    line.split(';').next().expect("a pair").to_owned()
}

/// Posts a batch on a connection of its own; the head and the body of the answer.
async fn post(bench: &Bench, body: &str, more: &str) -> (String, String) {
    let (mut handset, _serving) = connect(bench);
    handset.send(&counted(body, &format!("{more}Connection: close\r\n"))).await;
    let head = handset.until("\r\n\r\n").await;
    (head, handset.rest().await)
}

/// Logs a device in; its session's name, and its cookie as a header.
async fn log_in(bench: &Bench, device: &str) -> (String, String) {
    let (head, body) = post(bench, &format!("1 LOGIN joe#{device} pw\r\n2 SELECT INBOX\r\n"), "").await;
    let id = body.split_once("* SESSIONID ").expect("a session").1[..26].to_owned();
    (id, format!("Cookie: {}\r\n", cookie(&head)))
}

#[tokio::test(start_paused = true)]
async fn a_batch_gets_one_response_and_a_cookie_that_goes_on() {
    let (mut handset, _serving) = connect(&Bench::new());
    let batch = "1 CAPABILITY\r\n2 LOGIN joe#P1 pw\r\n3 SELECT INBOX\r\n4 NONSENSE\r\n5 IDLE\r\n6 NOOP\r\n7 APPEND INBOX {3}";
    handset.send(&counted(batch, "")).await;
    let head = handset.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for line in
        ["content-type: application/vnd.pimap", "cache-control: no-store", "transfer-encoding: chunked"]
    {
        assert!(head.contains(line), "{head}");
    }
    let body = handset.until("\r\n0\r\n\r\n").await;
    for answer in ["1 OK ", "2 OK ", "3 OK ", "4 BAD ", "5 BAD ", "6 OK ", "7 BAD "] {
        assert!(body.contains(&format!("\r\n{answer}")), "{answer} is not in {body}");
    }
    // The same connection, and then another: the cookie's session is still in its mailbox.
    handset.send(&counted("8 CHECK\r\n", &format!("Cookie: {}\r\n", cookie(&head)))).await;
    assert!(handset.until("\r\n0\r\n\r\n").await.contains("8 OK CHECK completed"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_batch_of_ours_is_answered_by_its_status() {
    let bench = Bench::new();
    for (request, status) in [
        ("GET /pimap HTTP/1.1\r\nHost: x\r\n\r\n", "405"),
        ("POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "404"),
        ("POST /pimap HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx", "415"),
        (&format!("{HEAD}Content-Length: 999999999999\r\n\r\n"), "413"),
        (&format!("{HEAD}PIMAP-Ack: x\r\nContent-Length: 0\r\n\r\n"), "400"),
        (&format!("{HEAD}PIMAP-Continue: x\r\nContent-Length: 0\r\n\r\n"), "409"),
        (&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"), "400"),
        (&format!("{HEAD}Content-Length: abc\r\n\r\n"), "400"),
    ] {
        let (mut handset, _serving) = connect(&bench);
        handset.send(request).await;
        let head = handset.until("\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request} got {head}");
        assert_eq!(head.contains("allow: POST"), status == "405");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_not_waited_for_for_ever() {
    let (mut handset, _serving) = connect(&Bench::new());
    handset.send(&format!("{HEAD}Content-Length: 10\r\n\r\n1 NO")).await;
    assert!(handset.until("\r\n\r\n").await.starts_with("HTTP/1.1 408 "));

    // Past what is read before the first command, the head has left: the response ends in words.
    let (mut handset, _serving) = connect(&Bench::new());
    let much = format!("1 LOGIN joe#P1 pw\r\n2 SELECT INBOX\r\n{}", "3 NOOP\r\n".repeat(10_000));
    handset.send(&format!("{HEAD}Content-Length: 999999\r\n\r\n{much}4 NO")).await;
    handset.until("* BYE the body came too slowly\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn without_a_session_commands_are_refused_in_the_body() {
    let (mut handset, _serving) = connect(&Bench::new());
    handset
        .send(&counted("1 SELECT INBOX\r\n2 LOGOUT\r\n3 NOOP\r\n", "Cookie: PIMAPSESSION=unknown\r\n"))
        .await;
    let response = handset.until("\r\n0\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200 "));
    assert!(response.contains("1 NO [AUTHENTICATIONFAILED]"), "{response}");
    assert!(response.contains("3 BAD session closed"), "{response}");
}

/// Whatever follows LOGOUT in a batch is answered, readable or not, and the response ends with the batch.
#[tokio::test(start_paused = true)]
async fn nothing_reopens_a_batch_after_logout() {
    for login in ["1 LOGIN joe#P1 pw\r\n", ""] {
        let (mut handset, _serving) = connect(&Bench::new());
        let rest = "???\r\n3 FETCH (\r\n4 STARTTLS\r\n5 LOGIN joe#P1 pw\r\n6 NOOP\r\n";
        let began = tokio::time::Instant::now();
        handset.send(&counted(&format!("{login}2 LOGOUT\r\n{rest}"), "")).await;
        let response = handset.until("\r\n0\r\n\r\n").await;
        assert!(response.contains("2 OK LOGOUT completed\r\n"), "{response}");
        for told in ["??? BAD ", "3 BAD ", "4 ", "5 BAD session closed", "6 BAD session closed"] {
            assert!(response.contains(&format!("\r\n{told}")), "{told}: {response}");
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "it hung");
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_failure_is_500_when_it_comes_first() {
    let bench = Bench::new();
    bench.store.fails.store(true, Ordering::Relaxed);
    let (mut handset, _serving) = connect(&bench);
    handset.send(&counted("1 LOGIN joe#P1 pw\r\n", "")).await;
    let response = handset.until("\r\n0\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
    assert!(response.contains("* BYE "), "{response}");
}

#[tokio::test(start_paused = true)]
async fn commands_and_answers_flow_both_ways_for_hours() {
    let (mut handset, _serving) = connect(&Bench::new());
    handset.send(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n")).await;
    let began = Instant::now();
    assert!(handset.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    // The patience for the end of a batch, then that for a first line that would bring a cookie.
    assert_eq!(began.elapsed().as_millis(), 25 + 250);
    for octet in "1 LOGIN joe#P1 pw\r\n2 SELECT INBOX\r\n3 IDLE\r\n".chars() {
        handset.send(&chunk(&octet.to_string())).await;
    }
    handset.until("+ idling\r\n").await;
    tokio::time::sleep(Duration::from_secs(150)).await;
    for _ in 0..30 {
        handset.until("* OK Still here\r\n").await;
    }
    assert_eq!(began.elapsed().as_secs() / 60, 120);
    handset.send(&chunk("DONE\r\n4 LOGOUT\r\n")).await;
    handset.until("3 OK IDLE completed\r\n").await;
    handset.until("4 OK LOGOUT completed\r\n").await;
    handset.send("0\r\n\r\n").await;
    handset.until("0\r\n\r\n").await;
    // The connection is good for another request.
    handset.send(&counted("1 NOOP\r\n", "")).await;
    handset.until("1 OK NOOP completed\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_body_ends_an_idle() {
    let (mut handset, _serving) = connect(&Bench::new());
    let body = chunk("1 LOGIN joe#P1 pw\r\n2 SELECT INBOX\r\n3 IDLE\r\n");
    handset.send(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}")).await;
    handset.until("+ idling\r\n").await;
    handset.send("0\r\n\r\n").await;
    handset.until("3 OK IDLE completed\r\n").await;
    handset.until("\r\n0\r\n\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn a_response_that_ends_first_waits_for_the_handsets_end() {
    let (mut handset, _serving) = connect(&Bench::new());
    handset
        .send(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{}", chunk("1 LOGIN joe#P1 pw\r\n")))
        .await;
    handset.until("1 OK ").await;
    handset.send(&chunk("2 LOGOUT\r\n")).await;
    handset.until("2 OK LOGOUT completed\r\n").await;
    let began = Instant::now();
    handset.until("0\r\n\r\n").await;
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn expect_is_answered_before_the_head() {
    let (mut handset, _serving) = connect(&Bench::new());
    handset.send(&format!("{HEAD}Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
    let first = handset.until("\r\n\r\n").await;
    assert!(first.starts_with("HTTP/1.1 100 "), "{first}");
    assert!(handset.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    handset.send(&chunk("1 NOOP\r\n")).await;
    handset.until("1 OK NOOP completed\r\n").await;
}

#[tokio::test(start_paused = true)]
async fn a_handset_may_shut_its_side_down_and_read_on() {
    let (mut handset, _serving) = connect(&Bench::new());
    let body = format!("{}{}0\r\n\r\n", chunk("1 LOGIN joe#P1 pw\r\n"), chunk("2 SELECT INBOX\r\n3 NOOP"));
    handset.send(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{body}")).await;
    handset.0.shutdown().await.expect("shut down");
    let response = handset.rest().await;
    assert!(response.contains("3 OK NOOP completed"), "{response}");
    assert!(response.ends_with("\r\n0\r\n\r\n"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn a_body_cut_in_the_middle_is_no_end_of_a_batch() {
    let (mut handset, _serving) = connect(&Bench::new());
    handset.send(&format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{}", chunk("1 NOOP\r\n2 NO"))).await;
    handset.until("1 OK NOOP completed\r\n").await;
    handset.0.shutdown().await.expect("shut down");
    let rest = handset.rest().await;
    assert!(!rest.contains("\r\n2 ") && rest.contains("* BYE the request body is broken"), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn the_same_device_takes_its_stream_over() {
    let bench = Bench::new();
    let (mut old, _serving) = connect(&bench);
    old.send(&format!(
        "{HEAD}Transfer-Encoding: chunked\r\n\r\n{}",
        chunk("1 LOGIN joe#P1 pw\r\n2 SELECT INBOX\r\n")
    ))
    .await;
    old.until("2 OK ").await;
    let (mut new, _also) = connect(&bench);
    new.send(&counted("1 LOGIN joe#P1 pw\r\n2 CHECK\r\n", "")).await;
    assert!(new.until("\r\n0\r\n\r\n").await.contains("2 OK CHECK completed"));
    old.until("* BYE [PIMAPTAKEOVER]").await;
}

/// Nothing can be asked of a handset whose request is all there is (digest 16.3).
#[tokio::test(start_paused = true)]
async fn authenticate_brings_its_message_with_it() {
    let (mut handset, _serving) = connect(&Bench::new());
    let plain = "AGpvZSNQMQBwdw==";
    let batch = format!(
        "1 CAPABILITY\r\n2 AUTHENTICATE PLAIN\r\n3 AUTHENTICATE LOGIN am9lI1Ax\r\n4 ID NIL\r\n\
         5 AUTHENTICATE XOAUTH2 dXNlcj1qb2UjUDEBYXV0aD1CZWFyZXIgc3RhbGUBAQ==\r\n6 AUTHENTICATE PLAIN {plain}\r\n7 SELECT INBOX\r\n"
    );
    handset.send(&counted(&batch, "")).await;
    let head = handset.until("\r\n\r\n").await;
    cookie(&head);
    let body = handset.until("\r\n0\r\n\r\n").await;
    assert!(body.contains(" SASL-IR AUTH=PLAIN AUTH=OAUTHBEARER AUTH=XOAUTH2\r\n"), "{body}");
    for answer in ["2 BAD ", "3 BAD ", "4 OK ", "5 NO [AUTHENTICATIONFAILED]", "6 OK ", "7 OK "] {
        assert!(body.contains(&format!("\r\n{answer}")), "{answer} is not in {body}");
    }
    assert!(!body.contains("\r\n+ "), "{body}");
}
