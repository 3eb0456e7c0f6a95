//! Framing: known streams, refusals that stay in sync, and independence of how octets are cut.

use super::line::TAIL_BYTES;
use super::*;
use pimap_types::limits::{PIECE_BYTES_MAX, SWALLOW_BYTES_MAX};
use proptest::prelude::*;

/// Feeds the pieces and tells what came out, one line a frame; the octets of a message are joined. APPENDs are let in
/// unless their size is in `refused`; IDLE is taken up as the session would.
fn run(mode: LiteralMode, logged_in: bool, refused: &[u64], pieces: &[&[u8]]) -> Vec<String> {
    let mut framer = Framer::new(mode);
    framer.set_logged_in(logged_in);
    let mut told = Vec::new();
    let mut message: Option<Vec<u8>> = None;
    for (index, piece) in pieces.iter().enumerate() {
        framer.feed(piece);
        if mode == LiteralMode::Body && index + 1 == pieces.len() {
            framer.end_of_input();
        }
        while let Some(frame) = framer.next_frame() {
            match frame {
                Frame::Command(command) => {
                    let text = String::from_utf8_lossy(command.octets()).into_owned();
                    framer.set_idle(text.ends_with(" IDLE\r\n"));
                    if text.contains(" AUTHENTICATE ") {
                        framer.set_sasl();
                    }
                    told.push(text);
                }
                Frame::NeedContinuation => told.push("+".to_owned()),
                Frame::AppendStart { command, size, synchronizing } => {
                    told.push(format!(
                        "{:?} {size} {synchronizing}",
                        String::from_utf8_lossy(command.octets())
                    ));
                    if refused.contains(&size) {
                        framer.refuse_append();
                    } else {
                        framer.accept_append();
                        message = Some(Vec::new());
                    }
                }
                Frame::AppendBytes(bytes) => {
                    assert!(bytes.len() <= PIECE_BYTES_MAX);
                    message.as_mut().expect("bytes only after a start").extend_from_slice(&bytes);
                }
                Frame::AppendEnd => {
                    told.push(format!(
                        "message {:?}",
                        String::from_utf8_lossy(&message.take().expect("open"))
                    ));
                }
                Frame::AppendPart { text, literal } => {
                    let octets = message.take().expect("a part only after a literal");
                    told.push(format!("message {:?}", String::from_utf8_lossy(&octets)));
                    told.push(format!("{:?} {literal:?}", String::from_utf8_lossy(text.octets())));
                    match literal {
                        Some((size, _)) if refused.contains(&size) => framer.refuse_append(),
                        Some(_) => {
                            framer.accept_append();
                            message = Some(Vec::new());
                        }
                        None => {}
                    }
                }
                Frame::Done => told.push("done".to_owned()),
                Frame::NotDone => told.push("not done".to_owned()),
                Frame::Half(tag, octets) => {
                    let tag = tag.map_or("*".to_owned(), |tag| tag.to_string());
                    told.push(format!("half {tag} {:?}", String::from_utf8_lossy(octets.octets())));
                }
                Frame::Sasl(line) => {
                    told.push(format!("sasl {:?}", String::from_utf8_lossy(line.octets())));
                }
                Frame::Rejected(rejection) => {
                    message = None;
                    let tag = rejection.tag.map_or("*".to_owned(), |tag| tag.to_string());
                    let end = if rejection.fatal { " (fatal)" } else { "" };
                    told.push(format!("{tag} BAD {}{end}", rejection.text));
                }
            }
        }
    }
    told
}

fn stream(input: &[u8]) -> Vec<String> {
    run(LiteralMode::Stream, true, &[], &[input])
}

fn body(input: &[u8]) -> Vec<String> {
    run(LiteralMode::Body, true, &[], &[input])
}

#[test]
fn lines_and_literals() {
    assert_eq!(stream(b"a NOOP\r\nb CHECK\n\r\n\nc NOOP\r\n"), ["a NOOP\r\n", "b CHECK\n", "c NOOP\r\n"]);
    assert_eq!(
        stream(b"a LOGIN {3+}\r\njoe {4+}\r\n{1}\n\r\nb NOOP\r\n"),
        ["a LOGIN {3+}\r\njoe {4+}\r\n{1}\n\r\n", "b NOOP\r\n"]
    );
    assert_eq!(stream(b"a LOGIN {3}\r\njoe {2}\r\npw\r\n"), ["+", "+", "a LOGIN {3}\r\njoe {2}\r\npw\r\n"]);
    // A literal may hold what looks like anything.
    assert_eq!(stream(b"a LOGIN {9+}\r\n\r\nb LOGOU x\r\n"), ["a LOGIN {9+}\r\n\r\nb LOGOU x\r\n"]);
}

#[test]
fn the_message_of_append_is_streamed() {
    let told = ["\"a APPEND INBOX (\\\\Seen) {5+}\\r\\n\" 5 false", "message \"hello\"", "b NOOP\r\n"];
    assert_eq!(stream(b"a APPEND INBOX (\\Seen) {5+}\r\nhello\r\nb NOOP\r\n"), told);
    // The mailbox may be a literal of its own.
    assert_eq!(
        stream(b"a append {5+}\r\nINBOX {2}\r\nhi\r\n"),
        ["\"a append {5+}\\r\\nINBOX {2}\\r\\n\" 2 true", "message \"hi\""]
    );
    assert_eq!(stream(b"a APPEND x {0+}\r\n\r\nb NOOP\r\n")[1..], ["message \"\"", "b NOOP\r\n"]);
}

/// RFC 3502, RFC 4469: what follows a literal is told, and its own literals are streamed in turn.
#[test]
fn an_append_may_go_on_behind_its_literal() {
    assert_eq!(
        stream(b"a APPEND x {2+}\r\nhi (\\Seen) {3}\r\nhey\r\nb NOOP\r\n")[1..],
        ["message \"hi\"", "\" (\\\\Seen) {3}\\r\\n\" Some((3, true))", "message \"hey\"", "b NOOP\r\n"]
    );
    // A refused one is skipped with all that follows.
    assert_eq!(
        run(
            LiteralMode::Stream,
            true,
            &[8],
            &[b"a APPEND x {2+}\r\nhi {8+}\r\nz NOOP\r\n {1+}\r\nx\r\nb NOOP\r\n"]
        )[2..],
        ["\" {8+}\\r\\n\" Some((8, false))", "b NOOP\r\n"]
    );
    // URLs may be literals; they are not streamed.
    let catenate = b"a APPEND x CATENATE (URL {2+}\r\n/a TEXT {2+}\r\nhi URL {3}\r\n/bc)\r\nb NOOP\r\n";
    assert_eq!(
        stream(catenate),
        [
            "\"a APPEND x CATENATE (URL {2+}\\r\\n/a TEXT {2+}\\r\\n\" 2 false",
            "+",
            "message \"hi\"",
            "\" URL {3}\\r\\n/bc)\\r\\n\" None",
            "b NOOP\r\n",
        ]
    );
    assert_eq!(stream(b"a APPEND x CATENATE (URL {2+}\r\n/a)\r\n").len(), 1);
    let long = [b"a APPEND x {2+}\r\nhi ".as_slice(), &vec![b'x'; 70_000], b"\r\nb NOOP\r\n"].concat();
    assert_eq!(stream(&long)[1..], ["a BAD line too long", "b NOOP\r\n"]);
    assert_eq!(
        stream(b"a APPEND x {2+}\r\nhi\0\r\nb NOOP\r\n")[1],
        "a BAD a bare CR or a NUL is not allowed"
    );
    assert_eq!(body(b"a APPEND x {2+}\r\nhi {3}\r\nb NOOP\r\n")[1..], [format!("a BAD {NO_CONTINUATION}")]);
}

/// An APPEND that is answered before it ended: what is still to come of it is skipped wherever it stands, asks for nothing, and is not
/// answered again.
#[test]
fn what_is_left_of_an_answered_append_is_skipped() {
    let rest_after = |sent: &[&[u8]], rest: &[&[u8]]| {
        let mut framer = Framer::new(LiteralMode::Stream);
        framer.set_logged_in(true);
        for piece in sent {
            framer.feed(piece);
            while let Some(frame) = framer.next_frame() {
                if matches!(frame, Frame::AppendStart { .. } | Frame::AppendPart { .. }) {
                    framer.accept_append();
                }
            }
        }
        framer.refuse_append();
        let mut told = Vec::new();
        for piece in rest {
            framer.feed(piece);
            told.extend(std::iter::from_fn(|| framer.next_frame()).map(|frame| match frame {
                Frame::Command(command) => String::from_utf8_lossy(command.octets()).into_owned(),
                other => format!("{other:?}"),
            }));
        }
        told
    };
    let begun = b"a APPEND x CATENATE (TEXT {4+}\r\n";
    // Within a literal, at its end, within the line that follows, and within a literal of that.
    let url: &[&[u8]] = &[b" URL {13}\r\n", b"b NOOP\r\n"];
    assert_eq!(rest_after(&[begun], &[b"z NO", url[0], url[1]]), ["b NOOP\r\n"]);
    assert_eq!(rest_after(&[begun, b"z NO"], url), ["b NOOP\r\n"]);
    assert_eq!(rest_after(&[begun, b"z NO UR"], &[b"L {13}\r\n", b"b NOOP\r\n"]), ["b NOOP\r\n"]);
    assert_eq!(
        rest_after(&[begun, b"z NO URL {13}\r\n"], &[b"/x\r\nz DELETE y)\r\nb NOOP\r\n"]),
        ["b NOOP\r\n"]
    );
    assert_eq!(
        rest_after(
            &[begun, b"z NO URL {13}\r\n/x\r\n"],
            &[b"z DELETE y TEXT {9+}\r\nz LOGOUT\n)\r\nb NOOP\r\n"]
        ),
        ["b NOOP\r\n"]
    );
    // A line that would have been refused is not refused a second time.
    assert_eq!(rest_after(&[begun, b"z NO"], &[b" \0 URL {1+}\r\nx)\r\nb NOOP\r\n"]), ["b NOOP\r\n"]);
    // One that came whole is not followed by anything of its own.
    assert_eq!(rest_after(&[begun, b"z NO)\r\n"], &[b"b NOOP\r\n"]), ["b NOOP\r\n"]);
}

#[test]
fn a_refused_message_is_never_commands() {
    let input = b"a APPEND x {17+}\r\nx DELETE Archive\n\r\nb NOOP\r\n";
    assert_eq!(run(LiteralMode::Stream, true, &[17], &[input])[1..], ["b NOOP\r\n"]);
    // A handset that asks first sends nothing after a refusal.
    let asked = run(LiteralMode::Stream, true, &[17], &[b"a APPEND x {17}\r\n", b"b NOOP\r\n"]);
    assert_eq!(asked[1..], ["b NOOP\r\n"]);
    // One that asks and does not wait has sent the literal already.
    let hasty =
        run(LiteralMode::Stream, true, &[17], &[b"a APPEND x {17}\r\nx DELETE Archive\n\r\nb NOOP\r\n"]);
    assert_eq!(hasty[1..], ["b NOOP\r\n"]);
    // Too much to skip: the connection ends rather than guess.
    let size = SWALLOW_BYTES_MAX + 1;
    let huge = format!("a APPEND x {{{size}+}}\r\nx DELETE Archive\r\n");
    assert_eq!(
        run(LiteralMode::Stream, true, &[size], &[huge.as_bytes()])[1..],
        ["* BAD too much to skip (fatal)"]
    );
}

#[test]
fn oversized_literals_are_skipped_in_their_exact_length() {
    let mut input = b"a LOGIN {70000+}\r\n".to_vec();
    input.extend(b"x DELETE Archive\r\n".iter().cycle().take(70_000));
    input.extend(b" {18+}\r\nx DELETE Archive\r\n pw\r\nb NOOP\r\n");
    assert_eq!(stream(&input), ["a BAD literal too large", "b NOOP\r\n"]);
    assert_eq!(
        stream(b"a LOGIN {4294967295+}\r\nx DELETE Archive\r\n"),
        ["a BAD literal too large", "* BAD too much to skip (fatal)"]
    );
    assert_eq!(stream(b"a LOGIN {99999999999999999999999999+}\r\nx NOOP\r\n").len(), 2);
    // Synchronizing and waited for: refused at no cost.
    let told = run(LiteralMode::Stream, true, &[], &[b"a LOGIN {4294967295}\r\n", b"b NOOP\r\n"]);
    assert_eq!(told, ["a BAD literal too large", "b NOOP\r\n"]);
}

#[test]
fn literals_are_bounded_in_number_and_in_sum() {
    let mut input = b"a SEARCH".to_vec();
    input.extend(b" TEXT {1+}\r\nx".repeat(LITERALS_PER_COMMAND_MAX + 1));
    input.extend(b"\r\nb NOOP\r\n");
    assert_eq!(stream(&input), ["a BAD too many literals in one command", "b NOOP\r\n"]);

    let mut literal = b" {65536+}\r\n".to_vec();
    literal.extend(vec![b'x'; 65_536]);
    let mut input = b"a SEARCH".to_vec();
    input.extend(literal.repeat(COMMAND_BYTES_MAX / 65_536 + 1));
    input.extend(b"\r\nb NOOP\r\n");
    assert_eq!(stream(&input), ["a BAD literal too large", "b NOOP\r\n"]);
    // A stranger gets less.
    let told = run(
        LiteralMode::Stream,
        false,
        &[],
        &[b"a LOGIN {16385+}\r\n", &[b'x'; 16_385], b" x\r\nb NOOP\r\n"],
    );
    assert_eq!(told, ["a BAD literal too large", "b NOOP\r\n"]);
}

#[test]
fn lines_are_bounded() {
    let line = |bytes: usize| [b"a NOOP ", "(".repeat(bytes - 7).as_bytes(), b"\r\nb NOOP\r\n"].concat();
    let stranger = |input: &[u8]| run(LiteralMode::Stream, false, &[], &[input]);
    assert_eq!(stranger(&line(LINE_BEFORE_LOGIN_BYTES_MAX)).len(), 2);
    let refused = ["a BAD line too long", "b NOOP\r\n"];
    assert_eq!(stranger(&line(LINE_BEFORE_LOGIN_BYTES_MAX + 1)), refused);
    assert_eq!(stream(&line(LINE_BYTES_MAX))[1], "b NOOP\r\n");
    assert_eq!(stream(&line(LINE_BYTES_MAX + 1)), refused);
    // What stands between literals counts too.
    let input =
        [b"a X ", vec![b'x'; 40_000].as_slice(), b" {1+}\r\ny", &[b'x'; 40_000], b"\r\nb NOOP\r\n"].concat();
    assert_eq!(stream(&input), refused);
    // A literal at the end of an overlong line belongs to it.
    let input = [b"a X ", vec![b'x'; 70_000].as_slice(), b" {9+}\r\nz LOGOUT\n\r\nb NOOP\r\n"].concat();
    assert_eq!(stream(&input), refused);
}

#[test]
fn an_endless_line_costs_no_memory_and_ends() {
    let mut framer = Framer::new(LiteralMode::Stream);
    let piece = vec![b'('; 1 << 20];
    let mut frames = Vec::new();
    for _ in 0..=SWALLOW_BYTES_MAX >> 20 {
        framer.feed(&piece);
        frames.extend(std::iter::from_fn(|| framer.next_frame()));
        assert!(framer.buffer.len() <= TAIL_BYTES);
    }
    let fatal = frames.iter().map(|frame| matches!(frame, Frame::Rejected(rejection) if rejection.fatal));
    assert_eq!(fatal.collect::<Vec<_>>(), [false, true]);
    framer.feed(b"\r\na NOOP\r\n");
    assert_eq!(framer.next_frame(), None);
}

#[test]
fn malformed_lines_are_refused_alone() {
    let text = "a BAD a bare CR or a NUL is not allowed";
    assert_eq!(stream(b"a NO\0OP\r\nb NOOP\r\n"), [text, "b NOOP\r\n"]);
    assert_eq!(stream(b"a NO\rOP\r\nb NOOP\r\n"), [text, "b NOOP\r\n"]);
    assert_eq!(stream(b"a NOOP\r\r\nb NOOP\r\n"), [text, "b NOOP\r\n"]);
    assert_eq!(stream(b"a X\0 {8+}\r\nz NOOP\r\n\r\nb NOOP\r\n"), [text, "b NOOP\r\n"]);
    assert_eq!(stream(b"(\0\r\n"), ["* BAD a bare CR or a NUL is not allowed"]);
}

#[test]
fn idle_takes_done_only() {
    assert_eq!(stream(b"a IDLE\r\ndOnE\r\nb NOOP\r\n"), ["a IDLE\r\n", "done", "b NOOP\r\n"]);
    assert_eq!(
        stream(b"a IDLE\r\nb NOOP {3+}\r\nxyz\r\nc NOOP\r\n"),
        ["a IDLE\r\n", "not done", "c NOOP\r\n"]
    );
    assert_eq!(stream(b"a IDLE\r\nDO\0NE\r\nc NOOP\r\n"), ["a IDLE\r\n", "not done", "c NOOP\r\n"]);
    // However long the line is, the IDLE ends at once and nothing of the line is kept.
    let long = [b"a IDLE\r\n".as_slice(), &vec![b'x'; 200_000], b"\r\nc NOOP\r\n"].concat();
    assert_eq!(stream(&long), ["a IDLE\r\n", "not done", "c NOOP\r\n"]);
    assert_eq!(stream(b"DONE\r\n"), ["DONE\r\n"]);
}

#[test]
fn a_body_asks_for_nothing_and_ends_anywhere() {
    assert_eq!(body(b"a NOOP\r\nb NOOP"), ["a NOOP\r\n", "b NOOP"]);
    let text = "a BAD a synchronizing literal cannot be sent in a request body: use {n+}";
    assert_eq!(body(b"a LOGIN {8}\r\nz NOOP\r\n pw\r\nb NOOP\r\n"), [text, "b NOOP\r\n"]);
    assert_eq!(body(b"a APPEND x {8}\r\nz NOOP\r\n\r\nb NOOP\r\n"), [text, "b NOOP\r\n"]);
    assert_eq!(body(b"a APPEND x {500}\r\n"), [text]);
    assert_eq!(body(b"a APPEND x {500}\r\nx DELETE Archive\r\n"), [text]);
    let cut = "a BAD the input ended inside a literal (fatal)";
    assert_eq!(body(b"a LOGIN {8+}\r\nz NOOP"), [cut]);
    assert_eq!(body(b"a APPEND x {8+}\r\nz NOOP")[1..], [cut]);
    assert_eq!(body(b"a APPEND x {2+}\r\nhi")[1..], ["message \"hi\""]);
    // A connection that went away does not complete a command.
    assert_eq!(run(LiteralMode::Stream, true, &[], &[b"a STORE 1"]), Vec::<String>::new());
}

#[test]
fn an_idle_framer_holds_no_buffer_and_counts_octets() {
    let mut framer = Framer::new(LiteralMode::Stream);
    framer.feed(b"a NOOP\r\nb NO");
    assert!(matches!(framer.next_frame(), Some(Frame::Command(command)) if command.octets() == "a NOOP\r\n"));
    assert_eq!((framer.consumed(), framer.has_buffered()), (8, true));
    assert_eq!(framer.next_frame(), None);
    framer.feed(b"OP\r\n");
    assert!(matches!(framer.next_frame(), Some(Frame::Command(_))));
    assert_eq!(framer.next_frame(), None);
    assert_eq!((framer.consumed(), framer.has_buffered(), framer.buffer.capacity()), (17 - 1, false, 0));
}

#[test]
fn neither_commands_nor_mail_print() {
    let frames = [
        Frame::Command(CommandBytes::new(Bytes::from_static(b"a LOGIN joe hunter2\r\n"))),
        Frame::AppendBytes(Bytes::from_static(b"dear hunter2")),
    ];
    assert!(!format!("{frames:?}").contains("hunter2"));
}

/// Scraps of which streams are made that try every state.
fn scrap() -> impl Strategy<Value = Vec<u8>> {
    let fixed: [&[u8]; 22] = [
        b"a1 NOOP",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"{3+}\r\n",
        b"{0+}\r\n",
        b"{3}\r\n",
        b"{70000+}\r\n",
        b"{99999999999999999999+}\r\n",
        b"b APPEND x ",
        b"c APPEND {1+}\r\nx (\\Seen) ",
        b"d LOGIN ",
        b"{20+}\r\n",
        b"e IDLE\r\n",
        b"DONE\r\n",
        b"\"",
        b"abc",
        b"{}",
        b"+}",
    ];
    prop_oneof![
        8 => prop::sample::select(fixed.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (8_000usize..9_000).prop_map(|length| vec![b'x'; length]),
    ]
}

fn cut(input: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| input[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// In a body even refusals do not depend on timing, so that anything may be fed.
    #[test]
    fn cutting_changes_nothing(
        scraps in prop::collection::vec(scrap(), 0..24), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        logged_in in any::<bool>(),
    ) {
        let input = scraps.concat();
        let pieces = cut(&input, &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let whole = run(LiteralMode::Body, logged_in, &[3], &[&input]);
        prop_assert_eq!(&run(LiteralMode::Body, logged_in, &[3], &pieces), &whole);
        let octets: Vec<&[u8]> = input.chunks(1).collect();
        if octets.len() < 4_000 && !octets.is_empty() {
            prop_assert_eq!(&run(LiteralMode::Body, logged_in, &[3], &octets), &whole);
        }
    }

    /// Nor does it matter how the rest of an APPEND is cut that is answered as soon as some of it has come.
    #[test]
    fn cutting_changes_nothing_of_what_is_skipped(
        scraps in prop::collection::vec(scrap(), 0..24), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let input = [b"a APPEND x {9+}\r\n".as_slice(), &scraps.concat()].concat();
        let commands = |pieces: &[&[u8]]| {
            let mut framer = Framer::new(LiteralMode::Body);
            framer.set_logged_in(true);
            let mut told = Vec::new();
            for (index, piece) in pieces.iter().enumerate() {
                framer.feed(piece);
                if index + 1 == pieces.len() {
                    framer.end_of_input();
                }
                while let Some(frame) = framer.next_frame() {
                    match frame {
                        Frame::AppendStart { .. } | Frame::AppendPart { .. } => framer.accept_append(),
                        Frame::AppendBytes(_) => framer.refuse_append(),
                        frame => told.push(frame),
                    }
                }
            }
            told
        };
        let pieces = cut(&input, &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(commands(&pieces), commands(&[&input]));
    }

    /// On a stream the same holds as long as no literal that is asked for is refused.
    #[test]
    fn cutting_a_stream_changes_nothing(
        lines in prop::collection::vec(prop::sample::select(vec![
            "a NOOP\r\n", "b LOGIN {3}\r\njoe {2+}\r\npw\n", "c APPEND x {7}\r\n1\r\n2 3\n\r\n", "d IDLE\r\nDONE\r\n", "\r\n",
            "e APPEND {1+}\r\nx {3+}\r\nabc\r\n", "f X\0\r\n", "g LOGIN {66000+}\r\n", "z\r\n",
        ]), 1..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let input = lines.concat().into_bytes();
        let pieces = cut(&input, &cuts);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(run(LiteralMode::Stream, true, &[3], &pieces), run(LiteralMode::Stream, true, &[3], &[&input]));
    }
}

/// What answers a challenge is no command, has no literals, and is never echoed as a tag.
#[test]
fn the_line_after_a_challenge_is_whatever_it_is() {
    let whole = b"a AUTHENTICATE PLAIN\r\n\r\nb AUTHENTICATE PLAIN\r\nx LOGOUT {3+}\r\nc NOOP\r\n";
    let told = [
        "a AUTHENTICATE PLAIN\r\n",
        "sasl \"\\r\\n\"",
        "b AUTHENTICATE PLAIN\r\n",
        "sasl \"x LOGOUT {3+}\\r\\n\"",
        "c NOOP\r\n",
    ];
    assert_eq!(stream(whole), told);
    for cut in 1..whole.len() {
        let (first, rest) = whole.split_at(cut);
        assert_eq!(run(LiteralMode::Stream, true, &[], &[first, rest]), told);
    }
    let refused =
        run(LiteralMode::Stream, false, &[], &[b"a AUTHENTICATE PLAIN\r\nc2Vj\0cmV0 x\r\nb NOOP\r\n"]);
    assert_eq!(
        refused,
        ["a AUTHENTICATE PLAIN\r\n", "* BAD a bare CR or a NUL is not allowed", "b NOOP\r\n"]
    );
    let long =
        [b"a AUTHENTICATE PLAIN\r\n".as_slice(), &[b'x'; LINE_BEFORE_LOGIN_BYTES_MAX + 1], b"\r\nb NOOP\r\n"];
    let refused = run(LiteralMode::Stream, false, &[], &long);
    assert_eq!(refused, ["a AUTHENTICATE PLAIN\r\n", "* BAD line too long", "b NOOP\r\n"]);
}

/// F6: only what ends the body can be continued, and what continues it is a literal whatever it looks like.
#[test]
fn a_body_may_end_where_a_literal_begins() {
    let run = |octets: &[u8]| {
        let mut framer = Framer::new(LiteralMode::Body);
        framer.set_continues(true);
        framer.feed(octets);
        framer.end_of_input();
        let mut frames = Vec::new();
        while let Some(frame) = framer.next_frame() {
            if matches!(frame, Frame::AppendStart { .. }) {
                framer.accept_append();
            }
            frames.push(frame);
        }
        frames
    };
    let half = |octets: &'static [u8]| {
        Frame::Half(Some(Tag::new("b")), CommandBytes::new(Bytes::from_static(octets)))
    };
    assert_eq!(run(b"a NOOP\r\nb APPEND Sent {11}\r\n")[1], half(b"b APPEND Sent {11+}\r\n"));
    assert_eq!(run(b"b LOGIN {3+}\r\njoe {4}\n"), [half(b"b LOGIN {3+}\r\njoe {4+}\n")]);
    // It goes on with what the next body brings.
    let whole = run(b"b APPEND Sent {11+}\r\nx LOGOUT\r\n!\r\nc NOOP\r\n");
    assert!(matches!(
        &whole[..],
        [Frame::AppendStart { size: 11, .. }, Frame::AppendBytes(_), Frame::AppendEnd, Frame::Command(_)]
    ));
    for octets in [&b"b APPEND Sent {11}\r\nx"[..], b"b APPEND Sent {11}\r\n\r\n", b"b APPEND Sent {11}"] {
        assert!(matches!(run(octets)[0], Frame::Rejected(_)), "{octets:?}");
    }
    // What only looks like one inside of a message is none.
    assert!(!run(b"b APPEND Sent {5+}\r\n{1}\r\n").iter().any(|frame| matches!(frame, Frame::Half(..))));
}
