//! The client against a small server that answers each line while the request is still open.

mod server;

use std::time::Duration;

use self::server::Server;
use super::*;

fn both_framings() -> [Post; 3] {
    let post = Post::new("A1 NOOP\r\nA2 NOOP\r\n").header("PIMAP-Ack", "i.3");
    [post.clone(), post.clone().framing(Framing::Chunked(1)), post.framing(Framing::Chunked(7))]
}

#[test]
fn http_requests_are_framed_and_answers_taken_apart() {
    for tls in [false, true] {
        let server = Server::start(tls);
        for (post, gzip) in both_framings().into_iter().zip([false, true, true]) {
            let post = if gzip { post.gzip() } else { post };
            let answer = server.site.post(&post).expect("a whole answer");
            assert_eq!((answer.status, answer.text().as_str()), (200, "A1 OK NOOP\r\nA2 OK NOOP\r\n"));
            assert_eq!(answer.header("X-Ack"), Some("i.3"));
            assert_eq!(answer.cookie(), Some("k=v"));
            assert_eq!(answer.header("content-encoding").is_some(), gzip);
        }
    }
}

#[test]
fn one_connection_carries_many_posts_and_pipelined_ones() {
    let server = Server::start(false);
    let mut connection = server.site.connect().expect("a connection");
    for post in both_framings() {
        assert_eq!(connection.post(&post).expect("an answer").status, 200);
    }
    let both =
        [Post::new("A1 X\r\n").bytes(), Post::new("A2 Y\r\n").framing(Framing::Chunked(2)).bytes()].concat();
    connection.send_bytewise(&both).expect("octets that leave");
    assert_eq!(connection.answer().expect("the first").text(), "A1 OK X\r\n");
    assert_eq!(connection.answer().expect("the second").text(), "A2 OK Y\r\n");
}

#[test]
fn an_answer_can_be_cut_at_any_octet() {
    let server = Server::start(false);
    let whole = Post::new("A1 NOOP\r\n").framing(Framing::Chunked(3));
    let mut lengths = Vec::new();
    for octets in (0..).step_by(5) {
        let mut connection = server.site.connect().expect("a connection");
        connection.send(&whole.bytes()).expect("a request that leaves");
        match connection.answer_within(octets) {
            Ok(answer) => {
                assert_eq!(answer.text(), "A1 OK NOOP\r\n");
                break;
            }
            Err(Broken { heard, .. }) => lengths.push(heard.map_or(0, |heard| heard.body.len())),
        }
        connection.reset();
    }
    assert!(lengths.is_sorted() && lengths.first() == Some(&0) && lengths.len() > 10, "{lengths:?}");
}

#[test]
fn an_open_post_flows_both_ways() {
    for tls in [false, true] {
        let server = Server::start(tls);
        let mut stream =
            Duplex::open(&server.site, &Post::new("").gzip(), "A1 LOGIN x y\r\n").expect("an open stream");
        assert_eq!(stream.until("A1"), Ok(vec![b"A1 OK LOGIN x y".to_vec()]));
        stream.say_bytewise("A2 NOOP\r\n").expect("it takes more");
        assert_eq!(stream.line().as_deref(), Ok(&b"A2 OK NOOP"[..]));
        assert_eq!(stream.line_within(Duration::from_millis(50)), Ok(None));
        assert_eq!(stream.take_heard(), b"A1 OK LOGIN x y\r\nA2 OK NOOP\r\n");
        stream.end().expect("the last chunk");
        assert_eq!(stream.line(), Err("the answer has ended".to_owned()));
    }
}

#[test]
fn a_vanished_server_breaks_the_answer() {
    let nobody = Site::plain(([127, 0, 0, 1], crate::wait::free_ports::<1>()[0]).into());
    assert_eq!(nobody.post(&Post::new("A1 NOOP\r\n")).expect_err("nobody listens").heard, None);
    assert_eq!(chunk(b"0123456789abcdef0"), b"11\r\n0123456789abcdef0\r\n");
}
