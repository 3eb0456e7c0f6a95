//! The grammar of search keys, and a printer that proves it: what is printed is read as the same program.

use super::*;
use pimap_types::Status;
use pimap_types::set::{SequenceSet, SetNumber};
use proptest::prelude::*;
use std::sync::Arc;

fn program(text: &str) -> Result<SearchKey, Status> {
    parse_search_program(text.as_bytes()).map(|(_, key)| key).map_err(|error| error.status)
}

fn day(year: i32, month: u32, day: u32) -> Date {
    Date::from_calendar(year, month, day).expect("a day of the calendar")
}

#[test]
fn every_key() {
    use SearchKey::*;
    let not = |key| Not(Box::new(key));
    let keyword = || Flag(pimap_types::Flag::Keyword(Arc::from("$Junk")));
    let one = SequenceSet(vec![(SetNumber::Number(1), SetNumber::Star)]);
    let table = [
        ("all", All),
        ("ANSWERED", Flag(pimap_types::Flag::Answered)),
        ("UNANSWERED", not(Flag(pimap_types::Flag::Answered))),
        ("UNDELETED", not(Flag(pimap_types::Flag::Deleted))),
        ("DRAFT", Flag(pimap_types::Flag::Draft)),
        ("UNFLAGGED", not(Flag(pimap_types::Flag::Flagged))),
        ("SEEN", Flag(pimap_types::Flag::Seen)),
        ("KEYWORD $Junk", keyword()),
        ("UNKEYWORD $Junk", not(keyword())),
        ("RECENT", Recent),
        ("NEW", New),
        ("OLD", Old),
        ("LARGER 4294967295", Larger(u32::MAX)),
        ("SMALLER 0", Smaller(0)),
        ("OLDER 259200", Older(259_200)),
        ("younger 4294967295", Younger(u32::MAX)),
        ("$", Saved),
        ("UID $", Saved),
        ("BEFORE 1-Feb-1994", Before(day(1994, 2, 1))),
        ("ON \"29-feb-2004\"", On(day(2004, 2, 29))),
        ("SINCE 01-Jun-2003", Since(day(2003, 6, 1))),
        ("SENTBEFORE 1-Jan-1970", SentBefore(day(1970, 1, 1))),
        ("SENTON 1-Jan-1970", SentOn(day(1970, 1, 1))),
        ("SENTSINCE 1-Jan-1970", SentSince(day(1970, 1, 1))),
        ("HEADER X-Spam \"\"", Header(b"X-Spam".to_vec(), vec![])),
        ("FROM Smith", Field(super::Field::From, b"Smith".to_vec())),
        ("SUBJECT {4+}\r\na\r\nb", Field(super::Field::Subject, b"a\r\nb".to_vec())),
        ("BODY \"a\\\"b\"", Body(b"a\"b".to_vec())),
        ("TEXT x", Text(b"x".to_vec())),
        ("UID 1:*", Uid(one.clone())),
        ("1:*", Sequence(one)),
        ("SEEN RECENT", And(vec![Flag(pimap_types::Flag::Seen), Recent])),
        ("(SEEN)", Flag(pimap_types::Flag::Seen)),
        ("NOT (SEEN RECENT)", not(And(vec![Flag(pimap_types::Flag::Seen), Recent]))),
        (
            "OR SEEN (RECENT ALL)",
            Or(Box::new(Flag(pimap_types::Flag::Seen)), Box::new(And(vec![Recent, All]))),
        ),
    ];
    for (text, key) in table {
        assert_eq!(program(text), Ok(key), "{text}");
    }
}

#[test]
fn bad_programs() {
    for text in [
        "",
        " ALL",
        "ALL ",
        "ALL  ALL",
        "()",
        "(ALL",
        "ALL)",
        "NOT",
        "OR SEEN",
        "WHAT",
        "KEYWORD \\Seen",
        "KEYWORD",
        "LARGER",
        "LARGER -1",
        "LARGER 4294967296",
        "OLDER 0",
        "YOUNGER",
        "YOUNGER 4294967296",
        "$$",
        "UID $:5",
        "UID $,5",
        "BEFORE 30-Feb-2004",
        "BEFORE 1-Feb-94",
        "BEFORE 001-Feb-1994",
        "BEFORE \"1-Feb-1994",
        "BEFORE 1 Feb 1994",
        "HEADER X",
        "HEADER \"a b\" x",
        "HEADER \"\" x",
        "FROM",
        "FROM \u{f6}",
        "CHARSET US-ASCII TEXT {2+}\r\n\u{f6}",
        "CHARSET UTF-8 TEXT \"\u{f6}\"",
        "UID",
        "UID 0",
        "0",
        "DAYSBEFORETODAY 1",
        "CHARSET UTF-8 TEXT {2+}\r\n\u{f6}x",
        "ALL\0",
        "TEXT {1+}\r\n\0",
    ] {
        assert_eq!(program(text), Err(Status::Bad), "{text:?}");
    }
    for text in [&b"CHARSET UTF-8 TEXT {1+}\r\n\xff"[..], b"TEXT \"\xff\"", b"TEXT \"\xed\xa0\x80\""] {
        let invalid = parse_search_program(text).expect_err("not UTF-8");
        assert_eq!(invalid.status, Status::Bad);
    }
    // Without a charset it is for the account to say whether UTF-8 was enabled (RFC 6855 3).
    assert_eq!(program("TEXT \"\u{f6}\""), program("CHARSET UTF-8 TEXT {2+}\r\n\u{f6}"));
}

#[test]
fn programs_are_bounded() {
    let nested = |depth: usize| format!("{}ALL{}", "(".repeat(depth), ")".repeat(depth));
    assert!(program(&nested(NESTING_MAX)).is_ok());
    assert_eq!(program(&nested(NESTING_MAX + 1)), Err(Status::Bad));
    assert_eq!(program(&nested(4_000)), Err(Status::Bad));
    assert!(program(&format!("{}ALL", "NOT ".repeat(NESTING_MAX))).is_ok());
    assert_eq!(program(&format!("{}ALL", "NOT ".repeat(NESTING_MAX + 1))), Err(Status::Bad));
    assert!(program(&vec!["ALL"; SEARCH_KEYS_MAX].join(" ")).is_ok());
    assert_eq!(program(&vec!["ALL"; SEARCH_KEYS_MAX + 1].join(" ")), Err(Status::Bad));
}

#[test]
fn criteria_outlive_the_session() {
    let status = |text: &str| parse_criteria(text.as_bytes(), None).map(|_| ()).map_err(|error| error.status);
    for text in ["1:*", "UID 1", "NEW", "OLD", "RECENT", "NOT (SEEN OR FLAGGED NEW)"] {
        assert_eq!(status(text), Err(Status::No), "{text}");
    }
    for text in
        ["", "ALL ", " ALL", "(ALL", "ALL)", "DAYSBEFORETODAY", "DAYSBEFORETODAY x", "WHAT", "ALL\r\n"]
    {
        assert_eq!(status(text), Err(Status::Bad), "{text:?}");
    }
    let today = parse_criteria(b"NOT DAYSBEFORETODAY 0", None).expect("legal").key;
    assert_eq!(today, SearchKey::Not(Box::new(SearchKey::DaysBeforeToday(0))));
    assert_eq!(parse_criteria(b"ALL", Some("x")).expect_err("charset").status, Status::No);
    assert_eq!(parse_criteria(b"ALL", Some("utf-8")).expect("legal").charset.as_deref(), Some("UTF-8"));
}

#[test]
fn literals_of_criteria_are_rewritten() {
    let source = |text: &[u8], charset| {
        let criteria = parse_criteria(text, charset).expect("legal");
        let again = parse_criteria(&criteria.source, charset).expect("what is kept is legal");
        assert_eq!(again, criteria);
        String::from_utf8(criteria.source).expect("UTF-8")
    };
    assert_eq!(source(b"FROM {4}\r\na\"\\b (TO \"x\\\\\")", None), "FROM \"a\\\"\\\\b\" (TO \"x\\\\\")");
    assert_eq!(source(b"FROM {4+}\r\na\r\nb TO x", None), "FROM {4+}\r\na\r\nb TO x");
    assert_eq!(source("text {2+}\r\n\u{f6}".as_bytes(), Some("UTF-8")), "text {2+}\r\n\u{f6}");
}

/// Prints a program, strings as literals or quoted by turns.
fn print(key: &SearchKey, out: &mut Vec<u8>) {
    let text = |text: &[u8], out: &mut Vec<u8>| {
        if text.len().is_multiple_of(2) && crate::syntax::is_quotable(text) {
            crate::encode::write_quoted(text, out);
        } else {
            out.extend(format!("{{{}+}}\r\n", text.len()).into_bytes());
            out.extend(text);
        }
    };
    let mut word = |word: String| out.extend(word.into_bytes());
    match key {
        SearchKey::All => word("ALL".into()),
        SearchKey::And(keys) => {
            out.push(b'(');
            for (index, key) in keys.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                print(key, out);
            }
            out.push(b')');
        }
        SearchKey::Or(left, right) => {
            word("OR ".into());
            print(left, out);
            out.push(b' ');
            print(right, out);
        }
        SearchKey::Not(key) => {
            word("NOT ".into());
            print(key, out);
        }
        SearchKey::Flag(flag @ pimap_types::Flag::Keyword(_)) => word(format!("KEYWORD {}", flag.as_str())),
        SearchKey::Flag(flag) => word(flag.as_str().trim_start_matches('\\').to_owned()),
        SearchKey::Larger(n) => word(format!("LARGER {n}")),
        SearchKey::DaysBeforeToday(n) => word(format!("DAYSBEFORETODAY {n}")),
        SearchKey::Since(date) => word(format!("SINCE {date}")),
        SearchKey::Header(name, value) => {
            word(format!("HEADER {} ", String::from_utf8_lossy(name)));
            text(value, out);
        }
        SearchKey::Field(field, value) => {
            word(format!("{} ", field.as_str()));
            text(value, out);
        }
        other => panic!("not generated: {other:?}"),
    }
}

fn any_key() -> impl Strategy<Value = SearchKey> {
    let text = || prop::collection::vec(1u8..=127, 0..8);
    let leaf = prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::Flag(Flag::Seen)),
        Just(SearchKey::Flag(Flag::Keyword(Arc::from("$Junk")))),
        any::<u32>().prop_map(SearchKey::Larger),
        any::<u32>().prop_map(SearchKey::DaysBeforeToday),
        (0..50_000).prop_map(|days| SearchKey::Since(Date(days))),
        text().prop_map(|value| SearchKey::Header(b"X-Y".to_vec(), value)),
        text().prop_map(|value| SearchKey::Field(Field::Subject, value)),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(SearchKey::And),
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner).prop_map(|(left, right)| SearchKey::Or(Box::new(left), Box::new(right))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read(key in any_key()) {
        let mut text = Vec::new();
        print(&key, &mut text);
        let criteria = parse_criteria(&text, None);
        prop_assert_eq!(criteria.as_ref().map(|criteria| &criteria.key), Ok(&key));
        // The text that is kept means the same and is kept unchanged from then on.
        let source = criteria.map(|criteria| criteria.source).unwrap_or_default();
        let again = parse_criteria(&source, None);
        prop_assert_eq!(again.as_ref().map(|criteria| (&criteria.key, &criteria.source)), Ok((&key, &source)));
    }

    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(criteria) = parse_criteria(&octets, Some("UTF-8")) {
            prop_assert!(!criteria.source.is_empty());
        }
    }
}
