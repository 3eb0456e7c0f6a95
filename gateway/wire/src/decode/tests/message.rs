//! Commands on messages, and APPEND.

use super::*;
use pimap_types::append::Within;
use pimap_types::command::FetchModifiers;
use pimap_types::search::{PartialRange, ReturnOptions, SortCriterion, SortKey, ThreadAlgorithm};

#[test]
fn sequence_sets() {
    let copy = |set| Command::Copy(Target::Mobile(set), mailbox("x"));
    check("COPY 1:* x", copy(set(&[(1, 0)])));
    check("COPY *:4,2,*,9:7 x", copy(set(&[(0, 4), (2, 2), (0, 0), (9, 7)])));
    check("UID COPY 4294967295:* x", Command::Copy(Target::Uids(set(&[(u32::MAX, 0)])), mailbox("x")));
    refused(
        Status::Bad,
        &[
            "COPY 0 x",
            "COPY -1 x",
            "COPY 4294967296 x",
            "COPY 1: x",
            "COPY ,1 x",
            "COPY 1, x",
            "COPY 1::2 x",
            "COPY 1,2:3:4 x",
            "COPY 01 x",
            "COPY +1 x",
            "COPY 1 2 x",
            "COPY 1",
            &format!("COPY 1{} x", ",1:*".repeat(4_096)),
        ],
    );
    assert!(decoded(format!("COPY 1{} x", ",1:*".repeat(4_095)).as_bytes()).is_ok());
}

#[test]
fn fetch_items() {
    use FetchItem::*;
    let fetch = |line: &str, items: Vec<FetchItem>| {
        check(line, Command::Fetch(Target::Mobile(set(&[(501, 501)])), items, FetchModifiers::default()))
    };
    let section = |peek, section: &str, partial| Section { peek, section: section.into(), partial };
    fetch("FETCH 501 ALL", vec![Flags, InternalDate, Size, Envelope]);
    fetch("FETCH 501 fast", vec![Flags, InternalDate, Size]);
    fetch("FETCH 501 FULL", vec![Flags, InternalDate, Size, Envelope, Body]);
    fetch("FETCH 501 (ALL BODY[])", vec![Flags, InternalDate, Size, Envelope, section(false, "", None)]);
    fetch("FETCH 501 (UID FLAGS flags ENVELOPE FAST)", vec![Uid, Flags, Envelope, InternalDate, Size]);
    fetch(
        "FETCH 501 (RFC822 RFC822.HEADER RFC822.TEXT BODYSTRUCTURE BODY)",
        vec![Rfc822 { peek: false }, Rfc822Header, Rfc822Text { peek: false }, BodyStructure, Body],
    );
    fetch("FETCH 501 BODY.PEEK[text]<0.100>", vec![section(true, "TEXT", Some((0, 100)))]);
    fetch("FETCH 501 body[1.2.mime]", vec![section(false, "1.2.MIME", None)]);
    fetch("FETCH 501 body[1]", vec![section(false, "1", None)]);
    fetch("FETCH 501 body[3.header]", vec![section(false, "3.HEADER", None)]);
    fetch(
        "FETCH 501 BODY[1.header.fields (From {2+}\r\nTo)]",
        vec![section(false, "1.HEADER.FIELDS (FROM TO)", None)],
    );
    fetch(
        "FETCH 501 BODY.PEEK[HEADER.FIELDS.NOT (\"X-A(\" \"q\\\"\")]",
        vec![section(true, "HEADER.FIELDS.NOT (\"X-A(\" \"Q\\\"\")", None)],
    );
    check(
        "UID FETCH 1:* FLAGS",
        Command::Fetch(Target::Uids(set(&[(1, 0)])), vec![Flags], FetchModifiers::default()),
    );
    refused(
        Status::Bad,
        &[
            "FETCH 1",
            "FETCH 1 ()",
            "FETCH 1 (FLAGS",
            "FETCH 1 FLAGS UID",
            "FETCH 1 BODY[",
            "FETCH 1 BODY[MIME]",
            "FETCH 1 BODY[0]",
            "FETCH 1 BODY[1.]",
            "FETCH 1 BODY[HEADER.FIELDS]",
            "FETCH 1 BODY[HEADER.FIELDS ()]",
            "FETCH 1 BODY[HEADER.FIELDS (a:b)]",
            "FETCH 1 BODY[HEADER.FIELDS (\"a b\")]",
            "FETCH 1 BODY[HEADER.FIELDS ({4+}\r\na\r\nb)]",
            "FETCH 1 BODY[]<0.0>",
            "FETCH 1 BODY[]<1>",
            "FETCH 1 BODY[]<4294967296.1>",
            "FETCH 1 BODY.PEEK",
            "FETCH 1 BODY[TEXT.1]",
            "FETCH FLAGS",
            "UID",
            "UID NOOP",
            "UID FETCH",
            &format!("FETCH 1 BODY[{}1]", "1.".repeat(32)),
            "FETCH 1 BODY[1 TEXT]",
            "FETCH 1 BODY[4294967296]",
        ],
    );
}

#[test]
fn store_copy_move_expunge() {
    let change =
        |mode, silent, flags: &[Flag]| StoreChange { mode, silent, flags: Flags::new(flags.iter().cloned()) };
    let store =
        |line: &str, change| check(line, Command::Store(Target::Mobile(set(&[(1, 1)])), change, None));
    store("STORE 1 +FLAGS (\\Deleted)", change(StoreMode::Add, false, &[Flag::Deleted]));
    store(
        "STORE 1 -flags.silent \\seen $Junk",
        change(StoreMode::Remove, true, &[Flag::Seen, Flag::Keyword(Arc::from("$Junk"))]),
    );
    store("STORE 1 FLAGS ()", change(StoreMode::Replace, false, &[]));
    store("STORE 1 FLAGS (\\X)", change(StoreMode::Replace, false, &[Flag::Keyword(Arc::from("\\X"))]));
    check("UID MOVE 1 x", Command::Move(Target::Uids(set(&[(1, 1)])), mailbox("x")));
    check("MOVE 1 x", Command::Move(Target::Mobile(set(&[(1, 1)])), mailbox("x")));
    check("UID EXPUNGE 3:5", Command::UidExpunge(Target::Uids(set(&[(3, 5)]))));
    refused(
        Status::Bad,
        &[
            "STORE 1 FLAGS (\\Recent)",
            "STORE 1 FLAGS \\recent",
            "STORE 1 FLAGS (\\*)",
            "STORE 1 FLAGS",
            "STORE 1 FLAGS ",
            "STORE 1 *FLAGS (a)",
            "STORE 1 ++FLAGS (a)",
            "STORE 1 FLAGS (a",
            "STORE 1 FLAGS (\"a\")",
            "STORE 1 FLAGS (\\)",
            "EXPUNGE 1",
            "UID EXPUNGE",
            "UID EXPUNGE 0",
        ],
    );
}

#[test]
fn append() {
    let append = |flags: &[Flag], date: Option<&str>, size| {
        let flags = Flags::new(flags.iter().cloned());
        let message = AppendPart::Message { flags, date: date.map(str::to_owned) };
        let parts = vec![message, AppendPart::Literal { size, binary: false }];
        Command::Append(Append { mailbox: mailbox("INBOX"), parts })
    };
    // The line end that `decoded` adds would be the message's first octets: here the command ends with its literal head.
    let head = |line: &str| {
        decode(&CommandBytes::new(Bytes::from(format!("A1 APPEND {line}\r\n")))).map(|(_, command)| command)
    };
    assert_eq!(head("inbox {310}"), Ok(append(&[], None, 310)));
    let date = " 1-Feb-2004 10:00:00 +0000";
    assert_eq!(head(&format!("INBOX (\\Seen) \"{date}\" {{3+}}")), Ok(append(&[Flag::Seen], Some(date), 3)));
    assert_eq!(head("{5+}\r\nINBOX () {0+}"), Ok(append(&[], None, 0)));
    let error = head("INBOX {134217729+}").expect_err("too large");
    assert_eq!((error.status, error.code), (Status::No, Some(Code::word("TOOBIG"))));
    for line in [
        "INBOX",
        "INBOX \"x\"",
        "INBOX (\\Recent) {1}",
        "INBOX {5+}\r\nhello",
        "{5+}\r\nINBOX",
        "INBOX \"30-Feb-2004 10:00:00 +0000\" {1}",
        "INBOX \"10-Feb-2004 24:00:00 +0000\" {1}",
        "INBOX \"10-Feb-2004 10:00:00 0000\" {1}",
        "INBOX x {1}",
        "INBOX \"10-Feb-2004 10:00:00 +00é\" {1}",
        "INBOX {x}",
    ] {
        assert_eq!(head(line).map_err(|error| error.status), Err(Status::Bad), "{line}");
    }
}

/// RFC 3516 4.2, 4.3.
#[test]
fn fetch_binary() {
    let line = b"A1 FETCH 1 (BINARY[1.2]<0.5> BINARY.PEEK[] binary.size[3])\r\n";
    let decoded = decode(&CommandBytes::new(Bytes::from_static(line))).map(|(_, command)| command);
    let Ok(Command::Fetch(_, items, ..)) = decoded else { panic!("{decoded:?}") };
    assert_eq!(
        items,
        [
            FetchItem::Binary { peek: false, part: "1.2".into(), partial: Some((0, 5)) },
            FetchItem::Binary { peek: true, part: String::new(), partial: None },
            FetchItem::BinarySize("3".into()),
        ]
    );
    refused(
        Status::Bad,
        &[
            "FETCH 1 BINARY",
            "FETCH 1 BINARY[TEXT]",
            "FETCH 1 BINARY[1.MIME]",
            "FETCH 1 BINARY[0]",
            "FETCH 1 BINARY[1",
            "FETCH 1 BINARY.SIZE[1]<0.5>",
            "FETCH 1 BINARY[1]<0>",
        ],
    );
}

/// RFC 3502, RFC 4469, RFC 3516 4.4.
#[test]
fn append_in_parts() {
    use AppendPart::*;
    let head = |line: &str| match decode(&CommandBytes::new(Bytes::from(format!("A1 APPEND x {line}\r\n")))) {
        Ok((_, Command::Append(append))) => Ok(append.parts),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err((error.status, error.code)),
    };
    let message = || Message { flags: Flags::default(), date: None };
    let url = |url: &str| Url(url.to_owned());
    assert_eq!(head("~{3+}"), Ok(vec![message(), Literal { size: 3, binary: true }]));
    assert_eq!(head("catenate (TEXT {3}"), Ok(vec![message(), Catenate, Text { size: 3 }]));
    assert_eq!(
        head("CATENATE (URL \"/a\" URL {2+}\r\n/b TEXT {3}"),
        Ok(vec![message(), Catenate, url("/a"), url("/b"), Text { size: 3 }])
    );
    assert_eq!(head("CATENATE (URL /a)"), Ok(vec![message(), Catenate, url("/a"), EndCatenate]));
    assert_eq!(
        head("CATENATE (URL /a) (\\Seen) {5}"),
        Ok(vec![
            message(),
            Catenate,
            url("/a"),
            EndCatenate,
            Message { flags: Flags::new([Flag::Seen]), date: None },
            Literal { size: 5, binary: false }
        ])
    );
    for line in [
        "CATENATE",
        "CATENATE ()",
        "CATENATE (URL)",
        "CATENATE (URL /a",
        "CATENATE (BODY {3}",
        "CATENATE (TEXT /a)",
        "CATENATES (URL /a)",
        "~",
    ] {
        assert_eq!(head(line), Err((Status::Bad, None)), "{line}");
    }
    let long = format!("CATENATE (URL {})", "x".repeat(5_000));
    assert_eq!(head(&long), Err((Status::No, Some(Code::word("BADURL")))));
    let many = format!("CATENATE ({})", ["URL a"; 5_000].join(" "));
    assert_eq!(head(&many), Err((Status::No, Some(Code::word("LIMIT")))));
    let more = |text: &str, catenating| {
        let within = if catenating { Within::Catenate } else { Within::Command };
        append_parts(&CommandBytes::new(Bytes::from(format!("{text}\r\n"))), within)
            .map_err(|error| error.status)
    };
    assert_eq!(more(" {4+}", false), Ok(vec![message(), Literal { size: 4, binary: false }]));
    assert_eq!(more(")", true), Ok(vec![EndCatenate]));
    assert_eq!(more(" URL /a TEXT {2}", true), Ok(vec![url("/a"), Text { size: 2 }]));
    assert_eq!(
        more(") CATENATE (URL /a)", true),
        Ok(vec![EndCatenate, message(), Catenate, url("/a"), EndCatenate])
    );
    for (text, catenating) in
        [(")", false), (" x", false), ("x", false), (" {4}", true), ("", true), (") x", true)]
    {
        assert_eq!(more(text, catenating), Err(Status::Bad), "{text}");
    }
}

#[test]
fn search_commands() {
    let search = |by_uid, charset: Option<&str>, program| Command::Search {
        by_uid,
        returns: None,
        charset: charset.map(str::to_owned),
        program,
    };
    check("SEARCH ALL", search(false, None, SearchKey::All));
    check(
        "UID SEARCH charset utf-8 TEXT {2+}\r\n\u{f6}",
        search(true, Some("UTF-8"), SearchKey::Text("\u{f6}".into())),
    );
    refused(Status::Bad, &["SEARCH", "SEARCH ", "SEARCH ALL ", "SEARCH CHARSET", "SEARCH CHARSET UTF-8"]);
    let error = decoded(b"SEARCH CHARSET KOI8-R ALL").expect_err("unknown");
    assert_eq!((error.status, error.code), (Status::No, Some(Code::word("BADCHARSET (US-ASCII UTF-8)"))));
}

/// RFC 4731 3.1, RFC 5182 2.1.
#[test]
fn extended_search_commands() {
    let returning = |line: &str, by_uid, returns| {
        let all = SearchKey::All;
        check(line, Command::Search { by_uid, returns: Some(returns), charset: None, program: all });
    };
    let none = ReturnOptions::default();
    returning("SEARCH RETURN () ALL", false, ReturnOptions { all: true, ..none });
    returning("UID SEARCH return (min MAX) ALL", true, ReturnOptions { min: true, max: true, ..none });
    returning(
        "SEARCH RETURN (SAVE COUNT SAVE) ALL",
        false,
        ReturnOptions { save: true, count: true, ..none },
    );
    for (text, first, last, from_end) in
        [("1:500", 1, 500, false), ("500:400", 500, 400, false), ("-1:-4294967295", 1, u32::MAX, true)]
    {
        let partial = Some(PartialRange { first, last, from_end });
        returning(
            &format!("UID SEARCH RETURN (partial {text}) ALL"),
            true,
            ReturnOptions { partial, ..none },
        );
    }
    check(
        "SEARCH RETURN (SAVE) CHARSET UTF-8 $ UID $",
        Command::Search {
            by_uid: false,
            returns: Some(ReturnOptions { save: true, ..none }),
            charset: Some("UTF-8".to_owned()),
            program: SearchKey::And(vec![SearchKey::Saved, SearchKey::Saved]),
        },
    );
    refused(
        Status::Bad,
        &[
            "SEARCH RETURN ALL",
            "SEARCH RETURN (ALL)",
            "SEARCH RETURN (ALL )",
            "SEARCH RETURN ( ) ALL",
            "SEARCH RETURN (EVERYTHING) ALL",
            "SEARCH RETURN (PARTIAL) ALL",
            "SEARCH RETURN (PARTIAL 5) ALL",
            "SEARCH RETURN (PARTIAL 0:5) ALL",
            "SEARCH RETURN (PARTIAL 1:*) ALL",
            "SEARCH RETURN (PARTIAL -1:5) ALL",
            "SEARCH RETURN (PARTIAL 1:-5) ALL",
            "SEARCH RETURN (PARTIAL --1:-5) ALL",
            "SEARCH RETURN (PARTIAL 1:4294967296) ALL",
            "SEARCH RETURN (PARTIAL 1:5,7:9) ALL",
            "SEARCH RETURN (PARTIAL 1:5 PARTIAL 6:9) ALL",
            "SEARCH RETURN (PARTIAL 1:5 ALL) ALL",
            "SEARCH RETURN (ALL PARTIAL 1:5) ALL",
            "SEARCH RETURN(ALL) ALL",
            "SEARCH RETURN (MIN 1) ALL",
            "SEARCH CHARSET UTF-8 RETURN (ALL) ALL",
        ],
    );
}

/// RFC 5182 3: `$` in the place of any set.
#[test]
fn the_saved_result_as_a_set() {
    let saved = |by_uid| Target::Saved { by_uid };
    check("FETCH $ FLAGS", Command::Fetch(saved(false), vec![FetchItem::Flags], FetchModifiers::default()));
    check("UID FETCH $ UID", Command::Fetch(saved(true), vec![FetchItem::Uid], FetchModifiers::default()));
    check("COPY $ x", Command::Copy(saved(false), mailbox("x")));
    check("UID MOVE $ x", Command::Move(saved(true), mailbox("x")));
    check("UID EXPUNGE $", Command::UidExpunge(saved(true)));
    refused(
        Status::Bad,
        &["FETCH $1 FLAGS", "FETCH 1,$ FLAGS", "COPY $:2 x", "SEARCH $x", "UID EXPUNGE $,2", "SEARCH UID $1"],
    );
}

/// RFC 5256 3, with its examples; RFC 5957 3.
#[test]
fn sort_and_thread_commands() {
    let by = |reverse, key| SortCriterion { reverse, key };
    let sort = |by_uid, criteria, charset: &str, program| Command::Sort {
        by_uid,
        criteria,
        charset: charset.to_owned(),
        program,
    };
    check(
        "SORT (SUBJECT) UTF-8 SEEN",
        sort(false, vec![by(false, SortKey::Subject)], "UTF-8", SearchKey::Flag(Flag::Seen)),
    );
    check(
        "UID SORT (subject REVERSE date displayto) us-ascii ALL",
        sort(
            true,
            vec![by(false, SortKey::Subject), by(true, SortKey::Date), by(false, SortKey::DisplayTo)],
            "US-ASCII",
            SearchKey::All,
        ),
    );
    let thread = |by_uid, algorithm| Command::Thread {
        by_uid,
        algorithm,
        charset: "UTF-8".to_owned(),
        program: SearchKey::All,
    };
    check("THREAD ORDEREDSUBJECT UTF-8 ALL", thread(false, ThreadAlgorithm::OrderedSubject));
    check("UID THREAD references \"utf-8\" ALL", thread(true, ThreadAlgorithm::References));
    check("THREAD REFS UTF-8 ALL", thread(false, ThreadAlgorithm::Refs));
    let many = format!("SORT (DATE{}) UTF-8 ALL", " DATE".repeat(16));
    refused(
        Status::Bad,
        &[
            "SORT",
            "SORT () UTF-8 ALL",
            "SORT (DATE REVERSE) UTF-8 ALL",
            "SORT (REVERSE REVERSE DATE) UTF-8 ALL",
            "SORT (AGE) UTF-8 ALL",
            "SORT DATE UTF-8 ALL",
            "SORT (DATE) UTF-8",
            "SORT RETURN (ALL) (DATE) UTF-8 ALL",
            &many,
            "THREAD",
            "THREAD UTF-8 ALL",
            "THREAD JOSTLE UTF-8 ALL",
            "THREAD (REFERENCES) UTF-8 ALL",
        ],
    );
    for line in ["SORT (DATE) KOI8-R ALL", "THREAD REFERENCES KOI8-R ALL"] {
        let error = decoded(line.as_bytes()).expect_err("unknown");
        assert_eq!(error.code, Some(Code::word("BADCHARSET (US-ASCII UTF-8)")), "{line}");
    }
}

/// Octets that the grammar does not have, and clients send all the same; each reads as what it can only mean.
#[test]
fn spaces_too_many_and_small_things_left_out() {
    for (sent, meant) in [
        ("NOOP ", "NOOP"),
        ("SELECT  INBOX", "SELECT INBOX"),
        ("SELECT INBOX ", "SELECT INBOX"),
        ("SELECT INBOX ()", "SELECT INBOX"),
        ("FETCH 1 (FLAGS  UID)", "FETCH 1 (FLAGS UID)"),
        ("FETCH 1 ( FLAGS UID )", "FETCH 1 (FLAGS UID)"),
        ("STORE 1  +FLAGS  (\\Seen ) ", "STORE 1 +FLAGS (\\Seen)"),
        ("UID  SEARCH  ALL", "UID SEARCH ALL"),
    ] {
        let meant = decoded(meant.as_bytes()).expect("the grammar has it");
        assert_eq!(decoded(sent.as_bytes()), Ok(meant), "{sent:?}");
    }
    let appended =
        |date: &str| decoded(format!("APPEND Sent \"{date} 10:00:00 +0000\" {{3}}\r\n").as_bytes());
    assert_eq!(appended("1-Feb-2004"), appended(" 1-Feb-2004"));
    refused(
        Status::Bad,
        &[" NOOP", "NOOP  x", "FETCH 1 ()", "FETCH 1 ( )", "SELECT INBOX ( )", "SELECT\tINBOX", "NOOP\t"],
    );
}
