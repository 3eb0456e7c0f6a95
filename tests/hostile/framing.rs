//! Lines, literals and octets that are none.

use std::io::Write;
use std::net::TcpStream;

use crate::siege::{Foe, Siege};

/// CVE-2026-27857: an unfinished command of nested lists on many connections.
#[test]
fn open_lists_on_many_connections_cost_little() {
    let siege = Siege::begin();
    let nested = [b"a NOOP ".to_vec(), vec![b'('; 4_000]].concat();
    let mut foes: Vec<Foe> = (0..300).map(|_| Foe::outside(&siege.gateway)).collect();
    foes.iter_mut().for_each(|foe| foe.send(&nested));
    foes.iter_mut().for_each(|foe| foe.is_refused(b"\r\n", "a"));
    siege.end();
}

/// imap-next#87: lines without an end, before login and after.
#[test]
fn endless_lines_are_swallowed() {
    let siege = Siege::begin();
    for foe in [&mut Foe::outside(&siege.gateway), &mut Foe::inside(&siege.gateway)] {
        for length in [8_193, 65_537, 4 << 20] {
            let line = [b"a NOOP ".to_vec(), vec![b'x'; length], b"\r\n".to_vec()].concat();
            foe.is_refused(&line, "a");
        }
        let tag = vec![b't'; 70_000];
        foe.send(&[&tag[..], b" NOOP\r\n"].concat());
        foe.is_heard();
        // Never an end: nothing is kept of it.
        (0..64).for_each(|_| foe.send(&vec![b'y'; 1 << 20]));
    }
    siege.end();
}

/// Stalwart #2768, CVE-2024-34055, CVE-2025-61600: sizes are checked wherever a literal may stand.
#[test]
fn literals_of_any_size_keep_the_connection_in_step() {
    let siege = Siege::begin();
    for size in ["4294967295", "4294967296", "18446744073709551616", "999999999999999999999999"] {
        for command in ["LOGIN", "LOGIN joe", "APPEND INBOX", "SELECT", "SEARCH SUBJECT", "NONSENSE"] {
            for foe in [&mut Foe::outside(&siege.gateway), &mut Foe::inside(&siege.gateway)] {
                foe.is_refused(format!("a {command} {{{size}}}\r\n").as_bytes(), "a");
            }
        }
    }
    // What is sent unasked is skipped by its own length, whatever stands in it.
    let bait = b"x DELETE INBOX\r\n".repeat(8 << 10);
    for command in ["LOGIN", "SELECT", "SEARCH SUBJECT", "NONSENSE"] {
        let mut foe = Foe::inside(&siege.gateway);
        let head = format!("a {command} {{{}+}}\r\n", bait.len());
        foe.is_refused(&[head.as_bytes(), &bait, b"\r\n"].concat(), "a");
    }
    // More than it is worth to skip: it hangs up.
    let mut foe = Foe::outside(&siege.gateway);
    foe.send(b"a LOGIN {4294967295+}\r\n");
    assert!(foe.rest().iter().any(|line| line.starts_with("* BYE") || line.starts_with("a BAD")));
    // Many literals in one command.
    let mut foe = Foe::inside(&siege.gateway);
    let many = b"{1+}\r\nx ".repeat(5_000);
    foe.is_refused(&[b"a SEARCH SUBJECT ", &many[..], b"\r\n"].concat(), "a");
    siege.end();
}

/// NUL, bare CR, bare LF, 8-bit and overlong octets, modified UTF-7 that says nothing (CVE-2026-42395).
#[test]
fn octets_that_are_no_text_are_refused_or_passed_whole() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    for octets in [
        &b"a SELECT \"in\0box\"\r\n"[..],
        b"a SELECT {3+}\r\na\0b\r\n",
        b"a SELECT \"in\rbox\"\r\n",
        b"a SELECT \xff\xfe\r\n",
        b"a SELECT \"\xc0\xae\xc0\xae\"\r\n",
        b"a SELECT {4+}\r\na\r\nb\r\n",
        b"a SELECT \"&AAA\"\r\n",
        b"a SELECT \"&\"\r\n",
        b"a CREATE \"&2AA-\"\r\n",
        b"a SELECT \"../../../etc\"\r\n",
        b"a NO\0OP\r\n",
        b"a LOGIN \0 \0\r\n",
        b"a \r\n",
        b"a\r\n",
        b"+ NOOP\r\n",
        b"* OK hello\r\n",
        b"( NOOP\r\n",
    ] {
        foe.send(octets);
        foe.is_heard();
    }
    // A line feed alone ends a line for terminals; an empty line is none.
    foe.send(b"\r\n\n\n\r\n");
    assert!(foe.says(b"b NOOP\n", "b").starts_with("b OK"));
    siege.end();
}

/// 40 servers took commands from before the handshake into the secured session (NO STARTTLS).
#[test]
fn what_comes_before_the_handshake_is_not_taken_into_it() {
    let siege = Siege::begin();
    let mut foe = Foe::outside(&siege.gateway);
    foe.send(b"a STARTTLS\r\nb LOGIN joe pw\r\nc SELECT INBOX\r\n");
    assert!(foe.answer("a").pop().expect("an answer").starts_with("a OK"));
    // Nobody shakes hands like that.
    foe.send(b"d NOOP\r\n");
    let told = foe.rest();
    assert!(!told.iter().any(|line| line.starts_with("b ") || line.starts_with("c ")), "{told:?}");
    // No handshake at all, and half of one.
    for octets in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\xff\xff\x01\x00", &[0x80; 4096]] {
        let mut stream = TcpStream::connect(siege.gateway.address("imaps")).expect("imaps");
        let _ = stream.write_all(octets);
    }
    siege.end();
}
