//! What of a server's answer reaches the handset, whatever the server mixes in.

use super::*;
use pimap_wire::client::frame::ResponseFramer;

fn run(plan: &[(u32, u32)], items: &[FetchItem], stream: &[u8]) -> Result<(String, Forwarder), Fault> {
    let mut forwarder = Forwarder::new(UidRanges::from_pairs(plan.iter().copied()), items);
    let (mut framer, mut out) = (ResponseFramer::new(), Vec::new());
    framer.buffer().extend_from_slice(stream);
    while let Some(piece) = framer.next_piece()? {
        if forwarder.wants(&piece) {
            forwarder.push(piece, &mut out)?;
        }
    }
    let mut text = String::new();
    for piece in out {
        match piece {
            FetchPiece::Start(uid) => text.push_str(&format!("<{uid}:")),
            FetchPiece::Bytes(octets) => {
                assert!(octets.len() <= PIECE_BYTES_MAX);
                text.push_str(&String::from_utf8_lossy(&octets));
            }
            FetchPiece::End => text.push('>'),
        }
    }
    Ok((text, forwarder))
}

fn body() -> FetchItem {
    FetchItem::Section { peek: true, section: String::new(), partial: None }
}

#[test]
fn only_what_was_asked_for_passes() {
    let stream = b"* 2 FETCH (UID 7 FLAGS (\\Recent \\Seen) MODSEQ (5) RFC822.SIZE 3 BODY[] {3}\r\nabc)\r\n";
    let shown = |items: &[FetchItem]| run(&[(7, 7)], items, stream).expect("forwards").0;
    assert_eq!(shown(&[body()]), "<7:BODY[] {3}\r\nabc>");
    assert_eq!(shown(&[FetchItem::Uid, body()]), "<7:UID 7 BODY[] {3}\r\nabc>");
    assert_eq!(
        shown(&[FetchItem::Size, FetchItem::Flags, body()]),
        "<7:FLAGS (\\Seen) RFC822.SIZE 3 BODY[] {3}\r\nabc>"
    );
    let (_, forwarder) = run(&[(7, 7)], &[body()], stream).expect("forwards");
    let flags = forwarder.into_flags();
    assert_eq!((flags.len(), flags[0].mod_seq, flags[0].flags.contains(&Flag::Seen)), (1, ModSeq(5), true));
}

#[test]
fn reports_of_flags_are_not_answers() {
    let stream = b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n* 1 FETCH (UID 5 BODY[] {1}\r\nx FLAGS ())\r\n* 1 FETCH (UID 5 FLAGS (\\Draft))\r\n";
    let (text, forwarder) = run(&[(1, 9)], &[FetchItem::Flags, body()], stream).expect("forwards");
    assert_eq!(text, "<5:BODY[] {1}\r\nx FLAGS ()>");
    assert!(!forwarder.strangers);
    assert!(forwarder.into_flags()[0].flags.contains(&Flag::Draft));
    // Asked for flags alone, the first report is the answer and a second is not shown.
    let (text, _) = run(&[(1, 9)], &[FetchItem::Flags], stream).expect("forwards");
    assert_eq!(text, "<5:FLAGS (\\Seen)>");
}

#[test]
fn strangers_are_not_shown() {
    let stream = b"* 1 FETCH (UID 8 BODY[] {1}\r\nx)\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (UID 3 BODY[] NIL)\r\n";
    let (text, forwarder) = run(&[(1, 5)], &[body()], stream).expect("forwards");
    assert_eq!(text, "<3:BODY[] NIL>");
    assert!(forwarder.strangers);
}

#[test]
fn a_uid_behind_its_body() {
    let stream = b"* 1 FETCH (BODY[] {2}\r\nab UID 5)\r\n";
    assert_eq!(run(&[(5, 5)], &[body()], stream).expect("forwards").0, "<5:BODY[] {2}\r\nab>");
    assert_eq!(run(&[(4, 5)], &[body()], stream).expect("forwards").0, "<5:BODY[] {2}\r\nab>");
    assert_eq!(run(&[(6, 9)], &[body()], stream).expect("forwards").0, "");
    // Shown already as the plan's only message, and then it was another: the connection lies.
    assert!(matches!(run(&[(6, 6)], &[body()], stream), Err(Fault::Misbehaved)));
    let length = UPSTREAM_LITERAL_BYTES_MAX as usize + 1;
    let mut long = format!("* 1 FETCH (BODY[] {{{length}}}\r\n").into_bytes();
    long.resize(long.len() + length, b'x');
    long.extend_from_slice(b" UID 5)\r\n");
    assert!(matches!(run(&[(4, 5)], &[body()], &long), Err(Fault::UidTooLate)));
    assert!(run(&[(5, 5)], &[body()], &long).is_ok());
}

#[test]
fn long_lines_leave_in_pieces() {
    let stream = format!("* 1 FETCH (UID 5 ENVELOPE (\"{}\"))\r\n", "x".repeat(100_000));
    let (text, _) = run(&[(1, 9)], &[FetchItem::Envelope], stream.as_bytes()).expect("forwards");
    assert_eq!(text.len(), "<5:ENVELOPE (\"\")>".len() + 100_000);
}

#[test]
fn forged_tags_and_fetches_inside_a_body_are_text() {
    let stream = b"* 1 FETCH (UID 5 BODY[] {40}\r\n\r\nU7 OK done\r\n* 2 FETCH (UID 6 BODY[] x\r\n)\r\n";
    let (text, _) = run(&[(5, 6)], &[body()], stream).expect("forwards");
    assert!(text.starts_with("<5:BODY[] {40}\r\n\r\nU7 OK") && text.ends_with("x\r\n>"), "{text}");
}

/// Dovecot says `\Seen` with the body and its MODSEQ afterwards: without it nobody could tell that the flags are news.
#[test]
fn a_mod_sequence_behind_its_flags() {
    let stream = b"* 1 FETCH (UID 5 FLAGS (\\Seen) BODY[] {1}\r\nx)\r\n* 1 FETCH (UID 5 MODSEQ (15))\r\n";
    let (text, forwarder) = run(&[(5, 5)], &[body()], stream).expect("forwards");
    assert_eq!(text, "<5:BODY[] {1}\r\nx>");
    let reports = forwarder.into_flags();
    let told: Vec<_> = reports.iter().map(|report| (report.uid.get(), report.mod_seq.0)).collect();
    assert_eq!(told, [(5, 15)]);
}
