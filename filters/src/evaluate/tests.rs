//! Known answers for each key, and the filter against the naive oracle.

use super::*;
use crate::oracle::{self, DAY, Message, meets, verdict};
use pimap_types::search::{Field, SearchKey};
use pimap_types::{Flag, Flags, ModSeq, Uid};
use proptest::prelude::*;
use std::cell::Cell;

const TODAY: Date = Date(DAY);

/// A message of two days ago, seen and marked as junk, 1000 octets.
fn letter() -> Message {
    Message {
        facts: MessageFacts {
            uid: Uid::new(7).expect("not zero"),
            flags: Flags::new([Flag::Seen, Flag::Keyword("$Junk".into())]),
            internal_date: Date(DAY - 2),
            size: 1000,
            mod_seq: ModSeq(0),
        },
        sent: Date(DAY - 3),
        headers: vec![
            (b"From".to_vec(), b"John <john@example.org>".to_vec()),
            (b"X-Loop".to_vec(), Vec::new()),
        ],
        body: b"the body".to_vec(),
    }
}

fn compiled(program: &SearchKey) -> Filter {
    Filter::compile(program).expect("storable")
}

#[test]
fn each_key_has_a_known_answer() {
    use SearchKey::{All, And, Before, Body, DaysBeforeToday, Header, Larger, Not, On, Or};
    use SearchKey::{SentBefore, SentOn, SentSince, Since, Smaller, Text};
    let keyword = |word: &str| SearchKey::Flag(Flag::Keyword(word.into()));
    let field = |field, text: &str| SearchKey::Field(field, text.as_bytes().to_vec());
    let cases = [
        (All, true),
        (And(vec![All, SearchKey::Flag(Flag::Seen)]), true),
        (And(vec![All, SearchKey::Flag(Flag::Draft)]), false),
        (Or(Box::new(Larger(1000)), Box::new(Smaller(1001))), true),
        (Or(Box::new(Larger(1000)), Box::new(Smaller(1000))), false),
        (Not(Box::new(SearchKey::Flag(Flag::Seen))), false),
        (SearchKey::Flag(Flag::Seen), true),
        (SearchKey::Flag(Flag::Flagged), false),
        (keyword("$Junk"), true),
        (keyword("$JUNK"), true),
        (keyword("$NotJunk"), false),
        (Larger(999), true),
        (Larger(1000), false),
        (Smaller(1001), true),
        (Smaller(1000), false),
        (Smaller(0), false),
        (Larger(u32::MAX), false),
        (Before(Date(DAY - 1)), true),
        (Before(Date(DAY - 2)), false),
        (On(Date(DAY - 2)), true),
        (On(Date(DAY - 1)), false),
        (Since(Date(DAY - 2)), true),
        (Since(Date(DAY - 1)), false),
        (SentBefore(Date(DAY - 2)), true),
        (SentBefore(Date(DAY - 3)), false),
        (SentOn(Date(DAY - 3)), true),
        (SentOn(Date(DAY - 2)), false),
        (SentSince(Date(DAY - 3)), true),
        (SentSince(Date(DAY - 2)), false),
        (DaysBeforeToday(0), false),
        (DaysBeforeToday(1), false),
        (DaysBeforeToday(2), true),
        (DaysBeforeToday(u32::MAX), true),
        (Header(b"x-loop".to_vec(), Vec::new()), true),
        (Header(b"x-none".to_vec(), Vec::new()), false),
        (field(Field::From, "JOHN"), true),
        (field(Field::To, "john"), false),
        (field(Field::Cc, "john"), false),
        (field(Field::Bcc, "john"), false),
        (field(Field::Subject, "john"), false),
        (Body(b"body".to_vec()), true),
        (Body(b"john".to_vec()), false),
        (Text(b"john".to_vec()), true),
        (Text(b"jane".to_vec()), false),
    ];
    for (program, passes) in cases {
        assert_eq!(verdict(&compiled(&program), &letter(), TODAY), passes, "{program:?}");
        assert_eq!(meets(&program, &letter(), TODAY), passes, "the oracle on {program:?}");
    }
}

#[test]
fn days_before_today_zero_is_today_and_days_to_come() {
    let filter = compiled(&SearchKey::DaysBeforeToday(0));
    for (day, passes) in [(-1, false), (0, true), (1, true), (400, true)] {
        let mut message = letter();
        message.facts.internal_date = Date(DAY + day);
        assert_eq!(verdict(&filter, &message, TODAY), passes, "{day}");
    }
}

#[test]
fn the_ends_of_the_calendar_overflow_nowhere() {
    for (received, days, today, passes) in [
        (i32::MIN, u32::MAX, i32::MIN, true),
        (i32::MIN, u32::MAX, i32::MAX, true),
        (i32::MIN, u32::MAX - 1, i32::MAX, false),
        (i32::MAX, 0, i32::MIN, true),
    ] {
        let mut message = letter();
        message.facts.internal_date = Date(received);
        let filter = compiled(&SearchKey::DaysBeforeToday(days));
        let asked = filter.evaluate(&message.facts, &|_| panic!("no atom is upstream's"), Date(today));
        assert_eq!(asked, passes, "{received} {days} {today}");
    }
}

#[test]
fn upstream_is_not_asked_where_the_verdict_is_clear() {
    let from = SearchKey::Field(Field::From, b"john".to_vec());
    let draft = SearchKey::Flag(Flag::Draft);
    let filter = compiled(&SearchKey::And(vec![draft, from]));
    let asked = Cell::new(0);
    let upstream = |_| {
        asked.set(asked.get() + 1);
        Some(true)
    };
    let mut message = letter();
    assert!(!filter.evaluate(&message.facts, &upstream, TODAY));
    assert_eq!(asked.get(), 0);
    message.facts.flags = Flags::new([Flag::Draft]);
    assert!(filter.evaluate(&message.facts, &upstream, TODAY));
    assert_eq!(asked.get(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_filter_says_what_its_program_says(
        program in oracle::program(), message in oracle::message(), today in oracle::days(),
    ) {
        let filter = compiled(&program);
        let said = verdict(&filter, &message, today);
        prop_assert_eq!(said, meets(&program, &message, today));
        // Twice, by this filter and by one compiled anew (after a restart), is the same.
        prop_assert_eq!(said, verdict(&filter, &message, today));
        prop_assert_eq!(said, verdict(&compiled(&program), &message, today));
        prop_assert!(!filter.is_all() || said);
        prop_assert!(!filter.is_none() || !said);
    }

    #[test]
    fn another_conjunct_never_adds_members(
        program in oracle::program(), conjunct in oracle::program(),
        message in oracle::message(), today in oracle::days(),
    ) {
        let narrower = compiled(&SearchKey::And(vec![program.clone(), conjunct]));
        if verdict(&narrower, &message, today) {
            prop_assert!(verdict(&compiled(&program), &message, today));
        }
    }

    #[test]
    fn the_passing_of_days_never_adds_members(
        program in oracle::program(), message in oracle::message(),
        today in oracle::days(), later in 1..5_i32,
    ) {
        let filter = compiled(&program);
        // What upstream says of a message does not depend on the day.
        let now = verdict(&filter, &message, today);
        let then = verdict(&filter, &message, Date(today.0 + later));
        prop_assert!(now || !then);
        prop_assert!(now == then || filter.uses_days());
    }

    #[test]
    fn what_upstream_refuses_to_say_never_adds_members(
        program in oracle::program(), message in oracle::message(), today in oracle::days(),
    ) {
        let filter = compiled(&program);
        let refused = filter.evaluate(&message.facts, &|_| None, today);
        // Whatever it would have said.
        for said in [true, false] {
            prop_assert!(!refused || filter.evaluate(&message.facts, &|_| Some(said), today));
        }
    }

    #[test]
    fn only_filters_that_use_flags_follow_them(
        program in oracle::program(), message in oracle::message(),
        flags in oracle::flags(), today in oracle::days(),
    ) {
        let filter = compiled(&program);
        let mut flagged = message.clone();
        flagged.facts.flags = flags;
        if verdict(&filter, &message, today) != verdict(&filter, &flagged, today) {
            prop_assert!(filter.uses_flags());
        }
    }

    #[test]
    fn without_facts_the_verdict_is_the_same_or_none(
        program in oracle::program(), message in oracle::message(), today in oracle::days(),
    ) {
        let filter = compiled(&program);
        let upstream = |index: usize| Some(meets(&filter.upstream_atoms()[index], &message, today));
        let bare = filter.evaluate_without_facts(&upstream);
        prop_assert_eq!(bare, (!filter.needs_facts()).then(|| verdict(&filter, &message, today)));
    }
}
