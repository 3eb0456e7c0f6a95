//! Requests as written, against known answers and properties.

use super::*;
use pimap_types::append::AppendPart;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{Date, Flag, Flags};
use proptest::prelude::*;
use std::sync::Arc;

/// The command without tag and CRLF; parts joined by `⏎`.
fn encode(request: Request<'_>) -> Result<String, Unencodable> {
    let encoded = request.encode(7)?;
    let parts: Vec<String> = encoded.parts.iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect();
    let text = parts.join("⏎");
    Ok(text.strip_prefix("U7 ").and_then(|t| t.strip_suffix("\r\n")).expect("tag and CRLF").to_owned())
}

fn search(key: SearchKey) -> Result<String, Unencodable> {
    encode(Request::UidSearch { extended: false, charset: None, key: &key })
}

fn set(pairs: &[(u32, u32)]) -> UidRanges {
    UidRanges::from_pairs(pairs.iter().copied())
}

#[test]
fn strings_cannot_end_a_command() {
    let name = MailboxName::new("a\"b\\c");
    assert_eq!(encode(Request::Create(&name)).as_deref(), Ok("CREATE \"a\\\"b\\\\c\""));
    let name = MailboxName::new("a\r\nU8 DELETE INBOX");
    // Whatever is in it, the server must first want it.
    assert_eq!(encode(Request::Create(&name)).as_deref(), Ok("CREATE {18}\r\n⏎a\r\nU8 DELETE INBOX"));
    assert_eq!(encode(Request::Create(&MailboxName::new("a\0"))), Err(Unencodable::Octets));
    let flags = Flags::new([Flag::Keyword(Arc::from("x) y"))]);
    let change = StoreChange { mode: StoreMode::Add, silent: true, flags };
    assert_eq!(encode(Request::UidStore(&set(&[(1, 1)]), &change, None)), Err(Unencodable::Octets));
    let section = FetchItem::Section { peek: true, section: "1] {3".into(), partial: None };
    let fetch = Request::UidFetch {
        uids: UidsArgument::From(1),
        items: FetchArgument::Asked(std::slice::from_ref(&section)),
        changed_since: None,
    };
    assert_eq!(encode(fetch), Err(Unencodable::Octets));
}

#[test]
fn commands() {
    let inbox = MailboxName::new("INBOX");
    let uids = set(&[(1, 3), (9, 9)]);
    let change = StoreChange { mode: StoreMode::Remove, silent: true, flags: Flags::new([Flag::Seen]) };
    assert_eq!(
        encode(Request::UidStore(&uids, &change, None)).as_deref(),
        Ok("UID STORE 1:3,9 -FLAGS (\\Seen)")
    );
    let resync = Resync::Qresync(UidValidity::new(5).unwrap(), ModSeq(8));
    let examine = Request::Select { mailbox: &inbox, read_only: true, resync };
    assert_eq!(encode(examine).as_deref(), Ok("EXAMINE \"INBOX\" (QRESYNC (5 8))"));
    let items = [
        FetchItem::Flags,
        FetchItem::Section { peek: false, section: "HEADER.FIELDS (FROM)".into(), partial: Some((0, 9)) },
        FetchItem::Uid,
    ];
    let fetch = Request::UidFetch {
        uids: UidsArgument::Set(&uids),
        items: FetchArgument::Asked(&items),
        changed_since: Some(ModSeq(4)),
    };
    let expect = "UID FETCH 1:3,9 (UID FLAGS BODY[HEADER.FIELDS (FROM)]<0.9>) (CHANGEDSINCE 4)";
    assert_eq!(encode(fetch).as_deref(), Ok(expect));
    let status = Request::Status { mailbox: &inbox, items: &[StatusItem::Messages], mod_seq: true };
    assert_eq!(encode(status).as_deref(), Ok("STATUS \"INBOX\" (MESSAGES HIGHESTMODSEQ)"));
}

#[test]
fn an_append_asks_first() {
    let head = AppendPart::Message {
        flags: Flags::new([Flag::Seen]),
        date: Some(" 1-Feb-2004 10:00:00 +0000".into()),
    };
    let append = |size| {
        let parts = vec![head.clone(), AppendPart::Literal { size, binary: false }];
        Append { mailbox: MailboxName::new("Sent"), parts }
    };
    for size in [10, 10 << 20] {
        let encoded = Request::Append(&append(size)).encode(1).unwrap();
        let expect = format!("U1 APPEND \"Sent\" (\\Seen) \" 1-Feb-2004 10:00:00 +0000\" {{{size}}}\r\n");
        assert_eq!((encoded.parts, encoded.message_waits), (vec![expect.into_bytes()], true));
    }
}

/// RFC 3516 4.
#[test]
fn parts_without_their_encoding() {
    let items = [
        FetchItem::Binary { peek: true, part: "1.2".into(), partial: Some((0, 9)) },
        FetchItem::Binary { peek: false, part: String::new(), partial: None },
        FetchItem::BinarySize("1".into()),
    ];
    let uids = set(&[(1, 1)]);
    let fetch = |items: &[FetchItem]| {
        let items = FetchArgument::Asked(items);
        encode(Request::UidFetch { uids: UidsArgument::Set(&uids), items, changed_since: None })
    };
    let expect = "UID FETCH 1 (UID BINARY.PEEK[1.2]<0.9> BINARY[] BINARY.SIZE[1])";
    assert_eq!(fetch(&items).as_deref(), Ok(expect));
    assert_eq!(fetch(&[FetchItem::BinarySize("1]".into())]), Err(Unencodable::Octets));
}

/// RFC 4469, RFC 3502, RFC 3516.
#[test]
fn what_follows_a_literal_of_append() {
    use AppendPart::*;
    let text = |parts: &[AppendPart]| {
        encode_parts(parts).map(|encoded| String::from_utf8(encoded.parts.concat()).unwrap())
    };
    let message = Message { flags: Flags::default(), date: None };
    assert_eq!(text(&[]).unwrap(), "\r\n");
    assert_eq!(text(&[EndCatenate]).unwrap(), ")\r\n");
    assert_eq!(text(&[Url("/a".into()), Text { size: 3 }]).unwrap(), " URL \"/a\" TEXT {3}\r\n");
    let all = [EndCatenate, message.clone(), Catenate, Url("/a".into()), Url("/b".into()), EndCatenate];
    assert_eq!(text(&all).unwrap(), ") CATENATE (URL \"/a\" URL \"/b\")\r\n");
    assert_eq!(text(&[message, Literal { size: 9, binary: true }]).unwrap(), " ~{9}\r\n");
    assert_eq!(text(&[Url("a\0".into())]), Err(Unencodable::Octets));
}

#[test]
fn search_programs() {
    use SearchKey::*;
    let not = |key: SearchKey| Not(Box::new(key));
    let program = And(vec![
        not(Flag(pimap_types::Flag::Seen)),
        Or(
            Box::new(And(vec![Larger(5), All])),
            Box::new(not(Field(pimap_types::search::Field::From, b"a\"b".to_vec()))),
        ),
        Uid(SequenceSet(vec![
            (SetNumber::Number(4), SetNumber::Star),
            (SetNumber::Number(2), SetNumber::Number(2)),
        ])),
        Since(Date::from_calendar(2006, 3, 3).unwrap()),
        Header(b"X-Y".to_vec(), "ä".as_bytes().to_vec()),
    ]);
    let expect = "UID SEARCH UNSEEN OR (LARGER 5 ALL) NOT FROM \"a\\\"b\" UID 4:*,2 SINCE 3-Mar-2006 HEADER \"X-Y\" {2}\r\n⏎ä";
    assert_eq!(search(program).as_deref(), Ok(expect));
    assert_eq!(search(And(vec![])).as_deref(), Ok("UID SEARCH ALL"));
    for key in [Recent, New, Old, DaysBeforeToday(3), Sequence(SequenceSet(vec![])), not(Recent)] {
        assert_eq!(search(key), Err(Unencodable::SearchKey));
    }
    // Cyrus reads sizes as signed numbers.
    for (key, expect) in [
        (Larger(u32::MAX), "LARGER 2147483647"),
        (Larger(u32::MAX - 1), "LARGER 2147483647"),
        (Larger(2_147_483_647), "LARGER 2147483647"),
        (Smaller(2_147_483_647), "SMALLER 2147483647"),
        (Smaller(2_147_483_648), "SMALLER 2147483647"),
        (not(Larger(u32::MAX)), "NOT LARGER 2147483647"),
    ] {
        assert_eq!(search(key), Ok(format!("UID SEARCH {expect}")));
    }
    let deep = (0..1_000).fold(All, |inner, _| Not(Box::new(inner)));
    assert_eq!(search(deep), Err(Unencodable::SearchKey));
}

proptest! {
    /// Split sets are short enough and together what was split.
    #[test]
    fn splitting_keeps_the_set(pairs in proptest::collection::vec((1u32.., 0u32..50), 0..80), bytes_max in 30usize..200) {
        let whole = UidRanges::from_pairs(pairs.iter().map(|(a, n)| (*a, a.saturating_add(*n))));
        let parts = split_set(&whole, bytes_max);
        let mut joined = UidRanges::new();
        for part in &parts {
            let text = encode(Request::UidExpunge(part)).expect("encodes");
            prop_assert!(text.len() - "UID EXPUNGE ".len() <= bytes_max);
            joined.extend(part);
        }
        prop_assert_eq!(joined, whole);
    }

    /// Whatever the octets, they come back out of the string as they went in.
    #[test]
    fn strings_round_trip(octets in proptest::collection::vec(1u8.., 0..40)) {
        let mut out = Writer::new();
        out.string(&octets).expect("no NUL");
        let text = out.into_parts().concat();
        if octets.is_ascii() {
            let read = super::super::cursor::Cursor::new(&text).string().expect("reads");
            prop_assert_eq!(read.as_ref(), &octets[..]);
        }
    }
}
