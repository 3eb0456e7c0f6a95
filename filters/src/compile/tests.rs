//! What is refused, and what simplifying leaves.

use super::*;
use crate::oracle;
use pimap_types::search::Field;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{Date, Flag};
use proptest::prelude::*;

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

fn or(left: SearchKey, right: SearchKey) -> SearchKey {
    SearchKey::Or(Box::new(left), Box::new(right))
}

fn and(keys: &[SearchKey]) -> SearchKey {
    SearchKey::And(keys.to_vec())
}

fn from(text: &str) -> SearchKey {
    SearchKey::Field(Field::From, text.as_bytes().to_vec())
}

/// `key` inside that many NOTs.
fn nested(key: SearchKey, nots: usize) -> SearchKey {
    (0..nots).fold(key, |key, _| not(key))
}

#[test]
fn session_dependent_keys_are_refused_wherever_they_stand() {
    let set = SequenceSet(vec![(SetNumber::Number(1), SetNumber::Star)]);
    let cases = [
        (SearchKey::Recent, FilterRefused::SessionKey("RECENT")),
        (SearchKey::New, FilterRefused::SessionKey("NEW")),
        (SearchKey::Saved, FilterRefused::SessionKey("$")),
        (SearchKey::Older(60), FilterRefused::MovingWindow),
        (SearchKey::Younger(60), FilterRefused::MovingWindow),
        (SearchKey::Old, FilterRefused::SessionKey("OLD")),
        (SearchKey::Sequence(set.clone()), FilterRefused::SessionKey("a sequence set")),
        (SearchKey::Uid(set), FilterRefused::Uid),
    ];
    for (key, refused) in cases {
        // The last two would vanish if the program were simplified before it is judged.
        for program in [
            key.clone(),
            not(key.clone()),
            and(&[from("a"), key.clone()]),
            or(SearchKey::All, key.clone()),
            and(&[not(SearchKey::All), key.clone()]),
        ] {
            assert_eq!(Filter::compile(&program), Err(refused), "{program:?}");
        }
    }
    assert_eq!(
        FilterRefused::SessionKey("RECENT").to_string(),
        "RECENT depends on the session and cannot stand in a filter"
    );
    assert_eq!(
        FilterRefused::Uid.to_string(),
        "UID depends on one mailbox's UIDVALIDITY and cannot stand in a filter"
    );
}

#[test]
fn days_stand_in_positive_position_only() {
    let days = SearchKey::DaysBeforeToday(7);
    let seen = SearchKey::Flag(Flag::Seen);
    let refused = [
        not(days.clone()),
        not(and(&[seen.clone(), days.clone()])),
        not(or(seen.clone(), days.clone())),
        or(SearchKey::All, not(days.clone())),
        nested(days.clone(), 3),
    ];
    for program in refused {
        assert_eq!(Filter::compile(&program), Err(FilterRefused::NegatedDays), "{program:?}");
    }
    for program in
        [days.clone(), or(seen.clone(), days.clone()), and(&[not(seen), days.clone()]), nested(days, 2)]
    {
        let filter = Filter::compile(&program).expect("positive");
        assert!(filter.uses_days(), "{program:?}");
    }
}

#[test]
fn programs_beyond_the_limits_are_refused_and_those_at_them_are_not() {
    let list = |count: usize| and(&vec![not(from("a")); count]);
    assert!(Filter::compile(&list(SEARCH_KEYS_MAX)).is_ok());
    assert_eq!(Filter::compile(&list(SEARCH_KEYS_MAX + 1)), Err(FilterRefused::TooManyKeys));
    let empty_lists = |count: usize| and(&vec![SearchKey::And(Vec::new()); count]);
    assert_eq!(Filter::compile(&empty_lists(SEARCH_KEYS_MAX + 1)), Err(FilterRefused::TooManyKeys));

    // The list that the criteria themselves are does not count as nesting.
    let deep = |nots: usize| and(&[nested(from("a"), nots)]);
    assert!(Filter::compile(&deep(NESTING_MAX)).is_ok());
    assert_eq!(Filter::compile(&deep(NESTING_MAX + 1)), Err(FilterRefused::TooDeep));
    let lists = (0..NESTING_MAX + 2).fold(from("a"), |key, _| SearchKey::And(vec![key]));
    assert_eq!(Filter::compile(&lists), Err(FilterRefused::TooDeep));
    let ors = (0..NESTING_MAX + 2).fold(from("a"), |key, _| or(from("b"), key));
    assert_eq!(Filter::compile(&ors), Err(FilterRefused::TooDeep));
    // Far beyond what a stack would bear if it were walked, and not so deep that dropping it would break one.
    assert_eq!(Filter::compile(&nested(from("a"), 5_000)), Err(FilterRefused::TooDeep));
}

#[test]
fn system_filters_are_all_and_not_all() {
    assert_eq!(Filter::system("ALL"), Filter::compile(&SearchKey::All).ok());
    assert_eq!(Filter::system("NONE"), Filter::compile(&not(SearchKey::All)).ok());
    assert_eq!(Filter::system("none"), Filter::system("NONE"));
    assert_eq!(Filter::system("PROFILE1"), None);
    let (all, none) = (Filter::system("ALL").expect("known"), Filter::system("NONE").expect("known"));
    assert!(all.is_all() && !all.is_none() && none.is_none() && !none.is_all());
}

#[test]
fn constants_vanish_and_take_what_hangs_on_them_along() {
    let all = SearchKey::All;
    let a = from("a");
    let cases = [
        (not(all.clone()), "no message"),
        (nested(all.clone(), 2), "every message"),
        (SearchKey::And(Vec::new()), "every message"),
        (not(SearchKey::And(Vec::new())), "no message"),
        (and(&[all.clone(), a.clone()]), "FROM \"a\""),
        (and(&[not(all.clone()), a.clone()]), "no message"),
        (or(all.clone(), a.clone()), "every message"),
        (or(not(all.clone()), a.clone()), "FROM \"a\""),
        (not(or(all.clone(), a.clone())), "no message"),
        (not(and(&[a.clone(), or(a.clone(), not(all.clone()))])), "not FROM \"a\" or not FROM \"a\""),
        (nested(a.clone(), 2), "FROM \"a\""),
        (SearchKey::And(vec![SearchKey::And(vec![a.clone()])]), "FROM \"a\""),
    ];
    for (program, words) in cases {
        let filter = Filter::compile(&program).expect("storable");
        assert_eq!(filter.explain(), words, "{program:?}");
        assert_eq!(filter.upstream_atoms().is_empty(), !words.contains("FROM"), "{program:?}");
    }
}

#[test]
fn upstream_is_asked_each_distinct_atom_once() {
    let program =
        and(&[from("a"), or(not(from("a")), from("b")), or(SearchKey::All, from("c")), SearchKey::Larger(1)]);
    let filter = Filter::compile(&program).expect("storable");
    assert_eq!(filter.upstream_atoms(), &[from("a"), from("b")]);
    assert_eq!(filter.explain(), "FROM \"a\" and (not FROM \"a\" or FROM \"b\") and larger than 1 octets");
}

#[test]
fn what_a_filter_depends_on() {
    let check = |program: SearchKey, facts: bool, flags: bool, days: bool| {
        let filter = Filter::compile(&program).expect("storable");
        let found = (filter.needs_facts(), filter.uses_flags(), filter.uses_days());
        assert_eq!(found, (facts, flags, days), "{program:?}");
    };
    check(SearchKey::All, false, false, false);
    check(from("a"), false, false, false);
    check(SearchKey::SentSince(Date(1)), false, false, false);
    check(SearchKey::Larger(1), true, false, false);
    check(SearchKey::Since(Date(1)), true, false, false);
    check(not(SearchKey::Flag(Flag::Seen)), true, true, false);
    check(SearchKey::DaysBeforeToday(0), true, false, true);
    check(and(&[SearchKey::Flag(Flag::Seen), SearchKey::DaysBeforeToday(0), from("a")]), true, true, true);
    check(or(SearchKey::All, SearchKey::Flag(Flag::Seen)), false, false, false);
}

proptest! {
    #[test]
    fn exactly_the_storable_programs_compile(program in oracle::any_program()) {
        prop_assert_eq!(Filter::compile(&program).is_err(), oracle::refused(&program, 0));
    }

    #[test]
    fn double_negation_is_nothing(program in oracle::program()) {
        prop_assert_eq!(Filter::compile(&nested(program.clone(), 2)), Filter::compile(&program));
    }

    #[test]
    fn upstream_atoms_are_distinct_and_written(program in oracle::program()) {
        let filter = Filter::compile(&program).expect("storable");
        let atoms = filter.upstream_atoms();
        for (index, atom) in atoms.iter().enumerate() {
            prop_assert!(!atoms[..index].contains(atom));
            let (whole, part) = (format!("{program:?}"), format!("{atom:?}"));
            prop_assert!(whole.contains(&part));
        }
    }
}
