//! Responses cut anywhere, hostile ones included.

use super::*;
use proptest::prelude::*;

fn pieces(framer: &mut ResponseFramer, octets: &[u8]) -> Vec<Piece> {
    framer.buffer().extend_from_slice(octets);
    let mut out = Vec::new();
    while let Some(piece) = framer.next_piece().expect("frames") {
        out.push(piece);
    }
    out
}

fn line(text: &str, start: bool, literal: Option<u64>) -> Piece {
    Piece::Line { text: Bytes::copy_from_slice(text.as_bytes()), start, literal }
}

#[test]
fn a_tag_inside_a_literal_is_not_at_a_start() {
    let mut framer = ResponseFramer::new();
    let got = pieces(&mut framer, b"* 1 FETCH (BODY[] {10}\r\n\r\nU7 OK x\n)\r\nU7 OK done\r\n");
    assert_eq!(
        got,
        vec![
            line("* 1 FETCH (BODY[] {10}\r\n", true, Some(10)),
            Piece::Literal { octets: Bytes::from_static(b"\r\nU7 OK x\n"), rest: 0 },
            line(")", false, None),
            line("U7 OK done", true, None),
        ]
    );
    assert!(framer.is_idle());
}

#[test]
fn free_text_announces_no_literal() {
    let mut framer = ResponseFramer::new();
    let got = pieces(&mut framer, b"* OK see {5}\r\nU1 NO {9}\r\n+ {3}\r\n");
    let starts = got.iter().all(|p| matches!(p, Piece::Line { start: true, literal: None, .. }));
    assert!(starts && got.len() == 3);
}

#[test]
fn a_bare_line_feed_ends_nothing() {
    let mut framer = ResponseFramer::new();
    let got = pieces(&mut framer, b"* LIST () \"/\" \"a\nU1 OK\"\r\n");
    assert_eq!(got, vec![line("* LIST () \"/\" \"a\nU1 OK\"", true, None)]);
}

#[test]
fn an_endless_line_is_refused() {
    let mut framer = ResponseFramer::new();
    framer.buffer().resize(UPSTREAM_LINE_BYTES_MAX + 1, b'x');
    assert_eq!(framer.next_piece(), Err(FrameFault::LineTooLong));
    // The limit counts all line parts of one response, so that literals of nothing cannot hide it.
    let mut framer = ResponseFramer::new();
    framer.buffer().extend_from_slice(b"* X ");
    let mut outcome = Ok(None);
    for _ in 0..UPSTREAM_LINE_BYTES_MAX {
        framer.buffer().extend_from_slice(b"{0}\r\n");
        outcome = framer.next_piece();
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome, Err(FrameFault::LineTooLong));
}

#[test]
fn a_literal_beyond_32_bits_is_refused() {
    let mut framer = ResponseFramer::new();
    framer.buffer().extend_from_slice(b"* 1 FETCH (BODY[] {4294967296}\r\n");
    assert_eq!(framer.next_piece(), Err(FrameFault::LiteralTooLong));
}

proptest! {
    /// However the octets are cut, the pieces put together are the octets.
    #[test]
    fn cuts_do_not_matter(cuts in proptest::collection::vec(1usize..9, 1..60)) {
        let stream: &[u8] = b"* 3 EXISTS\r\n* 1 FETCH (BODY[] {4}\r\nab\r\n UID 3)\r\n* LIST () NIL {0}\r\n\r\nU1 OK {2}\r\n";
        let flatten = |all: &[Piece]| {
            let mut out = Vec::new();
            for piece in all {
                match piece {
                    Piece::Line { text, literal, .. } => {
                        out.extend_from_slice(text);
                        if literal.is_none() { out.extend_from_slice(b"\r\n") }
                    }
                    Piece::Literal { octets, .. } => out.extend_from_slice(octets),
                }
            }
            out
        };
        let mut framer = ResponseFramer::new();
        let (mut rest, mut got) = (stream, Vec::new());
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            got.extend(pieces(&mut framer, now));
            rest = later;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(flatten(&got), stream.to_vec());
        prop_assert!(framer.is_idle());
    }

    #[test]
    fn garbage_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut framer = ResponseFramer::new();
        framer.buffer().extend_from_slice(&octets);
        while let Ok(Some(_)) = framer.next_piece() {}
    }
}
