//! Commands in states where they do not belong, and conversations cut at every octet.

use pimap_tests::wait::eventually;

use crate::siege::{Foe, Siege};

/// Stalwart #765, #280: IDLE and DONE in one packet, in pieces, twice.
#[test]
fn idle_and_done_however_they_are_cut() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    foe.send(b"a IDLE\r\nDONE\r\nb NOOP\r\n");
    assert!(foe.answer("a").pop().expect("a tag").starts_with("a OK"));
    assert!(foe.answer("b").pop().expect("a tag").starts_with("b OK"));
    foe.send_slowly(b"a IDLE\r\nDONE\r\nb NOOP\r\n");
    foe.answer("a");
    foe.answer("b");
    // What is not DONE ends the IDLE and is not executed; a second IDLE neither.
    foe.send(b"a IDLE\r\nc IDLE\r\nDONE\r\n");
    let told = foe.answer("a");
    assert!(
        told.last().expect("a tag").starts_with("a BAD") && !told.iter().any(|line| line.starts_with("c OK"))
    );
    foe.is_heard();
    let mut other = Foe::inside(&siege.gateway);
    for foe in [&mut foe, &mut other] {
        foe.send(b"d IDLE\r\n");
        assert!(foe.line().expect("a continuation").starts_with('+'));
    }
    for foe in [&mut foe, &mut other] {
        foe.send(b"done\r\n");
        foe.answer("d");
    }
    // DONE without IDLE is no command.
    foe.send(b"DONE\r\n");
    foe.is_heard();
    siege.end();
}

/// After BYE nothing is heard any more, and nothing that was sent behind LOGOUT is done.
#[test]
fn nothing_is_done_after_logout() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    foe.send(b"a LOGOUT\r\nb CREATE Never\r\nc STORE 1:* +FLAGS (\\Deleted)\r\nd EXPUNGE\r\n");
    let told = foe.rest();
    assert_eq!(told.iter().filter(|line| line.starts_with("a ")).count(), 1, "{told:?}");
    assert!(!told.iter().any(|line| ["b ", "c ", "d "].iter().any(|tag| line.starts_with(tag))), "{told:?}");
    let mut other = Foe::inside(&siege.gateway);
    other.send(b"l LIST \"\" Never\r\n");
    assert_eq!(other.answer("l").len(), 1);
    siege.end();
}

/// Every command before LOGIN and before SELECT: refused, and the connection goes on.
#[test]
fn commands_in_the_wrong_state_are_refused() {
    let siege = Siege::begin();
    let needs_mailbox = [
        "CHECK",
        "CLOSE",
        "EXPUNGE",
        "UNSELECT",
        "FETCH 1 FLAGS",
        "STORE 1 FLAGS (\\Seen)",
        "SEARCH ALL",
        "COPY 1 INBOX",
        "MOVE 1 INBOX",
        "UID FETCH 1 FLAGS",
        "UID EXPUNGE 1",
    ];
    let needs_login = [
        "SELECT INBOX",
        "LIST \"\" *",
        "STATUS INBOX (MESSAGES)",
        "CREATE x",
        "IDLE",
        "ENABLE CONDSTORE",
        "APPEND INBOX {3}",
        "XPROVISION",
        "XGETPIMAPPREFS",
        "XFILTER GET ALL (DESC)",
    ];
    let mut foe = Foe::outside(&siege.gateway);
    for command in needs_login.iter().chain(&needs_mailbox) {
        foe.is_refused(format!("a {command}\r\n").as_bytes(), "a");
    }
    foe.says(b"l LOGIN joe#P1 pw\r\n", "l");
    for command in needs_mailbox {
        foe.is_refused(format!("a {command}\r\n").as_bytes(), "a");
    }
    foe.is_refused(b"a LOGIN joe pw\r\n", "a");
    foe.is_refused(b"a STARTTLS\r\n", "a");
    foe.is_refused(b"a SELECT Nowhere\r\n", "a");
    siege.end();
}

/// A conversation that ends after each of its octets, in every state that it passes: not authenticated, authenticated,
/// selected, idling, within a literal.
#[test]
fn a_conversation_may_end_anywhere() {
    let siege = Siege::begin();
    let whole = b"a LOGIN {3+}\r\njoe pw\r\nb SELECT INBOX\r\nc IDLE\r\nDONE\r\nd APPEND Drafts {4+}\r\na: b\r\ne LOGOUT\r\n";
    let kept = whole.windows(6).position(|window| window == b"a: b\r\n").expect("the message") + 6;
    for length in 0..whole.len() {
        let mut foe = Foe::outside(&siege.gateway);
        foe.send(&whole[..length]);
        foe.ends();
        if length % 4 == 0 || length >= kept {
            // The others do not even listen to the end.
            foe.rest();
        }
    }
    // What was cut short was not kept, and what was whole was.
    let mut foe = Foe::inside(&siege.gateway);
    eventually("the whole messages alone are kept", || {
        foe.send(b"s STATUS Drafts (MESSAGES)\r\n");
        let told = foe.answer("s");
        told[0].contains(&format!("MESSAGES {})", whole.len() - kept)).then_some(())
    });
    siege.end();
}

/// COMPRESS (CVE-2026-52687, CVE-2026-73209): what is no algorithm is refused, what is no stream ends the connection, and a
/// stream that becomes a thousand times as long costs no memory.
#[test]
fn compression_is_bounded() {
    let siege = Siege::begin();
    let mut foe = Foe::inside(&siege.gateway);
    for name in ["LZMA", "", "DEFLATE DEFLATE", "{7+}\r\nDEFLATE"] {
        foe.send(format!("a COMPRESS {name}\r\n").as_bytes());
        let told = foe.answer("a").pop().expect("a tag");
        assert!(told.starts_with("a BAD") || told.starts_with("a NO"), "{name}: {told}");
    }
    foe.is_heard();
    let bomb = {
        use std::io::Write;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        let piece = vec![b'x'; 1 << 20];
        (0..128).for_each(|_| encoder.write_all(&piece).expect("memory"));
        encoder.finish().expect("memory")
    };
    for octets in [&[0xff; 4096][..], &bomb, b"b NOOP\r\n", &[0x00; 64 << 10]] {
        let mut foe = Foe::inside(&siege.gateway);
        assert!(foe.says(b"a COMPRESS DEFLATE\r\n", "a").starts_with("a OK"));
        foe.send(octets);
        foe.ends();
        foe.rest();
    }
    siege.end();
}
