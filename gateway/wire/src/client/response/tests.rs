//! Responses as read, against known answers, hostile ones included.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> UpstreamResponse {
    UpstreamResponse::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"))
}

fn code(text: &str) -> Code {
    match parse(&format!("* OK [{text}] done")) {
        UpstreamResponse::Untagged(Condition { code: Some(code), .. }) => code,
        other => panic!("{text}: {other:?}"),
    }
}

fn ranges(pairs: &[(u32, u32)]) -> UidRanges {
    UidRanges::from_pairs(pairs.iter().copied())
}

#[test]
fn tagged_responses_belong_to_our_numbers_only() {
    let UpstreamResponse::Tagged(7, condition) = parse("U7 NO [TRYCREATE] no such\tmailbox") else {
        panic!()
    };
    assert_eq!(condition.status, Status::No);
    assert_eq!(condition.code_text.as_deref(), Some("TRYCREATE"));
    assert_eq!(condition.text, "no such mailbox");
    for foreign in ["A1 OK done", "U OK done", "U7", "U7 MAYBE", "", " ", "U-7 OK"] {
        assert_eq!(UpstreamResponse::parse(foreign.as_bytes()), Err(Malformed), "{foreign}");
    }
}

#[test]
fn numbers_and_sets() {
    assert_eq!(parse("* 3 EXISTS"), UpstreamResponse::Exists(3));
    assert_eq!(parse("* 0 RECENT"), UpstreamResponse::Other);
    assert_eq!(parse("* 3 EXPUNGE"), UpstreamResponse::Expunge(3));
    let earlier = UpstreamResponse::Vanished { earlier: true, uids: ranges(&[(1, 3), (9, 9)]) };
    assert_eq!(parse("* VANISHED (EARLIER) 3:1,9"), earlier);
    let now = UpstreamResponse::Vanished { earlier: false, uids: ranges(&[(4, 4)]) };
    assert_eq!(parse("* VANISHED 4"), now);
    let found = [Uid::new(2), Uid::new(5)].into_iter().flatten().collect();
    assert_eq!(parse("* SEARCH 2 5 (MODSEQ 917162500)"), UpstreamResponse::Search(found));
    assert_eq!(parse("* SEARCH"), UpstreamResponse::Search(vec![]));
    let esearch = UpstreamResponse::Esearch(Some(9), ranges(&[(1, 2), (7, 7)]));
    assert_eq!(parse("* ESEARCH (TAG \"U9\") UID COUNT 3 ALL 1:2,7 MODSEQ 5"), esearch);
    assert_eq!(parse("* ESEARCH (TAG \"U9\") UID"), UpstreamResponse::Esearch(Some(9), ranges(&[])));
}

#[test]
fn hostile_numbers_are_refused() {
    for text in [
        "* 4294967296 EXISTS",
        "* 99999999999999999999999 EXISTS",
        "* 0 EXPUNGE",
        "* VANISHED 0",
        "* VANISHED 1:*",
        "* VANISHED",
        "* SEARCH 0",
        "* SEARCH 1 x",
        "* ESEARCH (TAG \"U9\") ALL 1:2",
        "* STATUS INBOX (MESSAGES -1)",
        "* STATUS INBOX (HIGHESTMODSEQ 9223372036854775808)",
        "* STATUS INBOX (MESSAGES 1",
        "* LIST (\\A \"/\" x",
    ] {
        assert_eq!(UpstreamResponse::parse(text.as_bytes()), Err(Malformed), "{text}");
    }
    // More nested parentheses than any stack would bear are counted, not recursed into.
    let deep = format!("* STATUS INBOX (X {}", "(".repeat(900_000));
    assert_eq!(UpstreamResponse::parse(deep.as_bytes()), Err(Malformed));
}

#[test]
fn codes() {
    assert_eq!(code("UIDNEXT 12"), Code::UidNext(12));
    assert_eq!(code("highestmodseq 8"), Code::HighestModSeq(ModSeq(8)));
    assert_eq!(code("CLOSED"), Code::Closed);
    assert_eq!(code("PERMANENTFLAGS (\\Seen \\*)"), Code::PermanentFlags(Flags::new([Flag::Seen]), true));
    assert_eq!(code("UIDVALIDITY 0"), Code::Other);
    assert_eq!(code("XNEW thing"), Code::Other);
    let validity = UidValidity::new(3).unwrap();
    let pairs = Some((validity, ranges(&[(304, 304), (319, 320)]), ranges(&[(3956, 3958)])));
    assert_eq!(code("COPYUID 3 304,319:320 3956:3958"), Code::CopyUid(pairs));
    // Not ascending: the pairing cannot be kept, so it is not claimed.
    assert_eq!(code("COPYUID 3 4,2 10:11"), Code::CopyUid(None));
    assert_eq!(code("COPYUID 3 1:4 10:11"), Code::CopyUid(None));
    assert_eq!(code("APPENDUID 3 9"), Code::AppendUid(validity, Some(UidRanges::from_pairs([(9, 9)]))));
    let UpstreamResponse::Bye(bye) = parse("* BYE [BADURL \"a]b\"] so long") else { panic!() };
    assert_eq!(bye.code_text.as_deref(), Some("BADURL \"a]b\""));
    assert_eq!(bye.text, "so long");
}

#[test]
fn mailboxes() {
    let UpstreamResponse::Status(name, numbers) =
        parse("* STATUS \"a \\\"b\" (MESSAGES 3 X-NEW (1 (2)) UIDNEXT 9 UIDVALIDITY 5 HIGHESTMODSEQ 4)")
    else {
        panic!()
    };
    assert_eq!(name.as_str(), "a \"b");
    assert_eq!(
        (numbers.messages, numbers.uid_next, numbers.highest_mod_seq),
        (Some(3), Some(9), Some(ModSeq(4)))
    );
    for text in
        ["* LIST (\\A) \"/\" New (\"OLDNAME\" (\"Old\"))", "* LIST (\\A) \"/\" New ((\"OLDNAME\" (Old)))"]
    {
        let UpstreamResponse::List { subscribed: false, item, old_name } = parse(text) else { panic!() };
        assert_eq!((item.mailbox.as_str(), item.delimiter, item.attributes.len()), ("New", Some('/'), 1));
        assert_eq!(old_name.as_ref().map(MailboxName::as_str), Some("Old"), "{text}");
    }
    let UpstreamResponse::List { subscribed: true, item, old_name: None } =
        parse("* LSUB () NIL inbox (CHILDINFO (X))")
    else {
        panic!()
    };
    assert!(item.mailbox.is_inbox() && item.delimiter.is_none());
    // Names that cannot be spoken are left out.
    assert_eq!(UpstreamResponse::parse(b"* LIST () NIL {3}\r\na\rb"), Ok(UpstreamResponse::Other));
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "(\\* |U1 )?(OK |LIST |STATUS |ESEARCH |VANISHED |FLAGS |SEARCH )?[\\PC()\"\\\\\\[\\]{}0-9]{0,60}") {
        let _ = UpstreamResponse::parse(text.as_bytes());
    }
}
