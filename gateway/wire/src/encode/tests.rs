//! Known answers, every example of the digest among them, and strings that try to become lines.

use super::*;
use pimap_types::command::Cursor;
use pimap_types::response::PreferenceValue;
use pimap_types::{SessionId, Tag, UidRanges, UidValidity};
use proptest::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

fn encoded(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    encode(response, &mut out);
    out
}

#[track_caller]
fn check(response: Response, expected: &str) {
    assert_eq!(String::from_utf8_lossy(&encoded(&response)), format!("{expected}\r\n"));
}

fn tag() -> Tag {
    Tag::new("A01")
}

fn seq(n: u32) -> MobileSeq {
    MobileSeq::new(n).expect("from 1 up")
}

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("from 1 up")
}

fn validity(n: u32) -> UidValidity {
    UidValidity::new(n).expect("from 1 up")
}

#[test]
fn conditions_and_codes() {
    check(Response::tagged(&tag(), Status::Ok, "LOGIN completed"), "A01 OK LOGIN completed");
    check(Response::tagged(&tag(), Status::Bad, "x"), "A01 BAD x");
    check(
        Response::coded(&tag(), Status::No, Code::word("AUTHENTICATIONFAILED"), "no"),
        "A01 NO [AUTHENTICATIONFAILED] no",
    );
    let bye = |code| Response::Bye { code, text: Cow::Borrowed("session taken over") };
    check(bye(None), "* BYE session taken over");
    check(bye(Some(Code::word("UNAVAILABLE"))), "* BYE [UNAVAILABLE] session taken over");
    check(Response::Continuation(Cow::Borrowed("Ready for argument")), "+ Ready for argument");
    let set = |pairs: &[(u32, u32)]| UidRanges::from_pairs(pairs.iter().copied());
    let flags = Flags::new([Flag::Seen, Flag::Keyword(Arc::from("$Junk"))]);
    let codes = [
        (Code::word("READ-WRITE"), "READ-WRITE"),
        (Code::UidValidity(validity(7)), "UIDVALIDITY 7"),
        (Code::UidNext(4392), "UIDNEXT 4392"),
        (Code::Unseen(seq(12)), "UNSEEN 12"),
        (Code::PermanentFlags(flags.clone(), true), "PERMANENTFLAGS (\\Seen $Junk \\*)"),
        (Code::PermanentFlags(Flags::default(), false), "PERMANENTFLAGS ()"),
        (Code::AppendUid(validity(38505), UidRanges::one(uid(3955))), "APPENDUID 38505 3955"),
        (
            Code::CopyUid(validity(3), set(&[(304, 304), (319, 320)]), set(&[(3956, 3958)])),
            "COPYUID 3 304,319:320 3956:3958",
        ),
        (Code::Capability(Arc::from("IMAP4rev1 IDLE")), "CAPABILITY IMAP4rev1 IDLE"),
        (Code::Cursor(Cursor { incarnation: 5, position: 17 }), "PIMAPCURSOR 5.17"),
    ];
    for (code, expected) in codes {
        check(Response::ok_code(code, "done"), &format!("* OK [{expected}] done"));
    }
    check(Response::ok_code(Code::CopyUid(validity(3), set(&[]), set(&[])), "none"), "* OK none");
}

#[test]
fn data_of_rfc_3501() {
    check(Response::Capability(Arc::from("IMAP4rev1 XPIMAPv1")), "* CAPABILITY IMAP4rev1 XPIMAPv1");
    check(Response::Enabled(vec!["CONDSTORE".into(), "XPIMAPACK".into()]), "* ENABLED CONDSTORE XPIMAPACK");
    check(Response::Enabled(vec![]), "* ENABLED");
    check(Response::Exists(172), "* 172 EXISTS");
    check(Response::Recent(0), "* 0 RECENT");
    check(Response::Expunge(seq(44)), "* 44 EXPUNGE");
    let fetch = |uid, flags: &[Flag], recent| Response::FetchFlags {
        seq: seq(49),
        uid,
        flags: Flags::new(flags.iter().cloned()),
        recent,
        mod_seq: None,
    };
    check(fetch(None, &[Flag::Seen], false), "* 49 FETCH (FLAGS (\\Seen))");
    check(fetch(Some(uid(7)), &[Flag::Deleted], true), "* 49 FETCH (UID 7 FLAGS (\\Deleted \\Recent))");
    check(fetch(None, &[], true), "* 49 FETCH (FLAGS (\\Recent))");
    check(Response::Flags(Flags::new([Flag::Answered])), "* FLAGS (\\Answered)");
    check(Response::Search(vec![2, 5], Some(ModSeq(917_162_500))), "* SEARCH 2 5 (MODSEQ 917162500)");
    check(Response::Search(vec![2, 84, 882], None), "* SEARCH 2 84 882");
    check(Response::Search(vec![], None), "* SEARCH");
    let list = |subscribed, attributes: &[&str], delimiter, name: &str| Response::List {
        subscribed,
        item: ListItem {
            attributes: attributes.iter().map(|attribute| (*attribute).to_owned()).collect(),
            delimiter,
            mailbox: MailboxName::new(name),
        },
    };
    check(
        list(false, &["\\Noselect", "\\HasNoChildren"], Some('/'), "a b"),
        "* LIST (\\Noselect \\HasNoChildren) \"/\" \"a b\"",
    );
    check(list(true, &[], Some('\\'), "inbox"), "* LSUB () \"\\\\\" INBOX");
    check(list(false, &[], None, "nil"), "* LIST () NIL \"nil\"");
    let item = ListItem { attributes: Vec::new(), delimiter: Some('/'), mailbox: MailboxName::new("New") };
    check(
        Response::Renamed { item, old_name: MailboxName::new("Old box") },
        "* LIST () \"/\" New (\"OLDNAME\" (\"Old box\"))",
    );
    use StatusItem::*;
    let items = vec![(Messages, 231), (UidNext, 44292), (Recent, 0), (UidValidity, 9), (Unseen, 3)];
    check(
        Response::Status(MailboxName::new("blurdy\"bloop"), items),
        "* STATUS \"blurdy\\\"bloop\" (MESSAGES 231 UIDNEXT 44292 RECENT 0 UIDVALIDITY 9 UNSEEN 3)",
    );
    assert_eq!([fetch_head(seq(3)), fetch_tail(None)].concat(), b"* 3 FETCH ()\r\n");
    let counted =
        [&fetch_head(seq(3))[..], b"UID 7", &fetch_tail(Some(ModSeq(9_223_372_036_854_775_807)))].concat();
    assert_eq!(counted, b"* 3 FETCH (UID 7 MODSEQ (9223372036854775807))\r\n");
}

#[test]
fn sessions() {
    check(Response::Session { selected: true }, "* SESSION SELECTED");
    check(Response::Session { selected: false }, "* SESSION AUTHENTICATED");
    check(Response::SessionId(SessionId("123456".into())), "* SESSIONID 123456");
    check(Response::Folder(MailboxName::new("Inbox")), "* FOLDER INBOX");
    check(Response::Folder(MailboxName::new("My Mail")), "* FOLDER \"My Mail\"");
    check(Response::Resync, "* RESYNC");
}

#[test]
fn provision() {
    let lines: [(&str, &[&str], &str); 7] = [
        ("XFILTER_GET", &["DESC", "CRITERIA"], "XFILTER_GET (DESC CRITERIA)"),
        ("XFILTER_SET", &[], "XFILTER_SET ()"),
        (
            "XPIMAPPREF PIMAP_OUTBAND_CHANNEL",
            &["SMS", "UDP", "SIP", "NONE"],
            "XPIMAPPREF PIMAP_OUTBAND_CHANNEL (SMS UDP SIP NONE)",
        ),
        ("XPIMAPPREF XFILTER_FOLDER", &["INBOX", "a b"], "XPIMAPPREF XFILTER_FOLDER (INBOX \"a b\")"),
        ("PIMAP_UDP_HOST", &["push.example.net"], "PIMAP_UDP_HOST (push.example.net)"),
        ("PIMAP_UDP_PORT", &["5143"], "PIMAP_UDP_PORT (5143)"),
        ("PIMAP_ENC_KEY", &["AAECAwQFBgcICQoLDA0ODw=="], "PIMAP_ENC_KEY (AAECAwQFBgcICQoLDA0ODw==)"),
    ];
    for (item, values, expected) in lines {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        check(Response::Xprovision { item: item.into(), values }, &format!("* XPROVISION {expected}"));
    }
}

#[test]
fn preferences() {
    let word = |word| PreferenceValue::Word(Cow::Borrowed(word));
    let activation = |mailbox: Option<&str>, kind, filter: &str| {
        PreferenceValue::Activation(mailbox.map(MailboxName::new), kind, Arc::from(filter))
    };
    check(
        Response::Preferences(vec![("PIMAP_OUTBAND_CHANNEL", word("SMS"))]),
        "* XGETPIMAPPREFS (PIMAP_OUTBAND_CHANNEL SMS)",
    );
    let filters =
        [(Some("INBOX"), "V", "ALL"), (Some("INBOX"), "N", "PROFILE1"), (Some("FOLDER2"), "B", "ALL")];
    let pairs = filters.map(|(mailbox, kind, filter)| ("PIMAP_XFILTER", activation(mailbox, kind, filter)));
    check(
        Response::Preferences(pairs.to_vec()),
        "* XGETPIMAPPREFS (PIMAP_XFILTER (INBOX V ALL) PIMAP_XFILTER (INBOX N PROFILE1) PIMAP_XFILTER (FOLDER2 B ALL))",
    );
    let pairs = vec![
        ("PIMAP_XFILTER", activation(None, "V", "my filter")),
        ("PIMAP_XFILTER", activation(Some("ALL"), "V", "x")),
        ("PIMAP_OUTBAND_ADDRESS", PreferenceValue::Nil),
        ("PIMAP_OUTBAND_ADDRESS", PreferenceValue::Text("13335559999".into())),
        ("PIMAP_OUTBAND_ADDRESS", PreferenceValue::Text("NIL".into())),
    ];
    check(
        Response::Preferences(pairs),
        "* XGETPIMAPPREFS (PIMAP_XFILTER (ALL V \"my filter\") PIMAP_XFILTER (\"ALL\" V x) PIMAP_OUTBAND_ADDRESS NIL \
         PIMAP_OUTBAND_ADDRESS 13335559999 PIMAP_OUTBAND_ADDRESS \"NIL\")",
    );
    check(Response::Preferences(vec![]), "* XGETPIMAPPREFS ()");
}

#[test]
fn filters() {
    let filter = |name: &str, description: Option<&str>, criteria: Option<&str>| Response::Filter {
        name: Arc::from(name),
        description: description.map(|text| text.as_bytes().to_vec()),
        criteria: criteria.map(|text| text.as_bytes().to_vec()),
    };
    check(
        filter("PROFILE1", Some("Today's messages only"), Some("DAYSBEFORETODAY 0")),
        "* XFILTER PROFILE1 (DESC \"Today's messages only\" CRITERIA (DAYSBEFORETODAY 0))",
    );
    check(filter("a b", Some("x"), None), "* XFILTER \"a b\" (DESC \"x\")");
    check(filter("x", None, Some("FROM \"a\"")), "* XFILTER x (CRITERIA (FROM \"a\"))");
    // A server's literals are plain ones, and nothing of a stored text becomes a line.
    check(
        filter("x", Some("\u{f6}"), Some("TEXT {2+}\r\n\u{f6}")),
        "* XFILTER x (DESC {2}\r\n\u{f6} CRITERIA (TEXT {2}\r\n\u{f6}))",
    );
    check(filter("x", None, Some("ALL\r\n* BYE")), "* XFILTER x (CRITERIA (ALL* BYE))");
}

#[test]
fn text_stays_text() {
    check(Response::tagged(&tag(), Status::No, "no\r\n* BYE \u{f6}\0"), "A01 NO no  * BYE ? ");
    check(Response::tagged(&tag(), Status::No, "[TRYCREATE] no"), "A01 NO (TRYCREATE] no");
    check(Response::tagged(&tag(), Status::Ok, ""), "A01 OK .");
    check(Response::ok_code(Code::Word(Cow::Borrowed("X] y\r\n* BYE [")), "t"), "* OK [X y* BYE [] t");
    check(Response::Folder(MailboxName::new("a\r\n* BYE")), "* FOLDER {8}\r\na\r\n* BYE");
    check(Response::Folder(MailboxName::new("a\0\u{f6}")), "* FOLDER {3}\r\na\u{f6}");
    check(Response::Folder(MailboxName::new("")), "* FOLDER \"\"");
    let keyword = Flag::Keyword(Arc::from("\\a) b\r\n"));
    check(Response::Flags(Flags::new([keyword])), "* FLAGS (\\ab)");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What any string is written as reads back as that string, and as nothing else.
    #[test]
    fn astrings_come_back(text in prop::collection::vec(1u8.., 0..40)) {
        let mut out = Vec::new();
        write_astring(&text, &mut out);
        let mut scanner = crate::decode::Scanner::new(&out);
        let read = scanner.astring().map(|read| read.octets.into_owned());
        prop_assert_eq!(read, Ok(text));
        prop_assert!(scanner.rest().is_empty());
    }

    /// Free text of any kind makes exactly one line.
    #[test]
    fn one_response_is_one_line(text in any::<String>(), code in any::<String>(), attribute in any::<String>()) {
        let item = ListItem { attributes: vec![attribute.clone()], delimiter: text.chars().next(), mailbox: MailboxName::new("x") };
        for response in [
            Response::Tagged { tag: Tag::new(&attribute), status: Status::No, code: Some(Code::Word(code.into())), text: text.clone().into() },
            Response::Bye { code: None, text: text.clone().into() },
            Response::Continuation(text.clone().into()),
            Response::Capability(Arc::from(text.as_str())),
            Response::Enabled(vec![text.clone()]),
            Response::SessionId(SessionId(text.clone())),
            Response::List { subscribed: false, item },
            Response::Flags(Flags::new([Flag::Keyword(Arc::from(text.as_str()))])),
            Response::Xprovision { item: text.clone(), values: vec![] },
            Response::Preferences(vec![("PIMAP_INBAND_PUSH", PreferenceValue::Word(text.clone().into()))]),
        ] {
            let out = encoded(&response);
            prop_assert_eq!(out.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count(), 2);
            prop_assert!(out.ends_with(b"\r\n") && out.is_ascii() && !out.contains(&0));
        }
    }
}

/// The examples of RFC 4731 3.1 and RFC 5182 2.1.
#[test]
fn extended_searches() {
    use pimap_types::response::SearchItem::{All, Count, Max, Min, Partial};
    use pimap_types::search::PartialRange;
    let answer = |by_uid, items| Response::ExtendedSearch { tag: Some(Tag::new("A282")), by_uid, items };
    check(answer(false, vec![Min(2), Count(3)]), "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3");
    check(answer(true, vec![Min(7), Max(3800)]), "* ESEARCH (TAG \"A282\") UID MIN 7 MAX 3800");
    check(answer(false, vec![All(vec![(2, 2), (10, 11)])]), "* ESEARCH (TAG \"A282\") ALL 2,10:11");
    check(answer(true, vec![]), "* ESEARCH (TAG \"A282\") UID");
    let partial = |first, last, from_end, ranges| Partial(PartialRange { first, last, from_end }, ranges);
    check(
        answer(true, vec![partial(1, 500, false, vec![(7, 9), (12, 12)]), Count(4)]),
        "* ESEARCH (TAG \"A282\") UID PARTIAL (1:500 7:9,12) COUNT 4",
    );
    check(answer(false, vec![partial(1, 9, true, vec![])]), "* ESEARCH (TAG \"A282\") PARTIAL (-1:-9 NIL)");
    let untagged = Response::ExtendedSearch { tag: None, by_uid: false, items: vec![Count(0)] };
    check(untagged, "* ESEARCH COUNT 0");
}

/// The examples of RFC 5256 4, and threads as deep as a mailbox is large.
#[test]
fn sorted_and_threaded() {
    use pimap_types::Threads;
    use pimap_types::thread::Place;
    check(Response::Sort(vec![2, 84, 882], None), "* SORT 2 84 882");
    check(Response::Sort(vec![], None), "* SORT");
    let threads = |places: &[(u32, u32)]| {
        let place = |(depth, n): &(u32, u32)| Place { depth: *depth, message: Some(*n).filter(|n| *n > 0) };
        Response::Thread(Threads { places: places.iter().map(place).collect() })
    };
    check(threads(&[]), "* THREAD");
    check(threads(&[(0, 2)]), "* THREAD (2)");
    check(
        threads(&[(0, 2), (0, 3), (1, 6), (2, 4), (3, 23), (2, 44), (3, 7), (4, 96)]),
        "* THREAD (2)(3 6 (4 23)(44 7 96))",
    );
    check(threads(&[(0, 0), (1, 3), (1, 5)]), "* THREAD ((3)(5))");
    check(threads(&[(0, 1), (1, 2), (2, 3), (2, 4), (1, 5), (0, 6)]), "* THREAD (1 (2 (3)(4))(5))(6)");
    let deep: Vec<(u32, u32)> = (0..200_000).map(|depth| (depth, 7)).collect();
    check(threads(&deep), &format!("* THREAD ({}7)", "7 ".repeat(199_999)));
}

#[test]
fn challenges_are_base64_and_an_empty_one_is_nothing() {
    check(Response::Challenge(Vec::new()), "+ ");
    check(Response::Challenge(b"Username:".to_vec()), "+ VXNlcm5hbWU6");
}

#[test]
fn what_the_gateway_says_of_itself() {
    check(Response::Id(Vec::new()), "* ID ()");
    let pairs = vec![("name", Cow::Borrowed("a \"b\"")), ("version", Cow::Borrowed("1"))];
    check(Response::Id(pairs), "* ID (\"name\" \"a \\\"b\\\"\" \"version\" \"1\")");
}
