//! Patterns against a slow matcher, and the examples of RFC 5258 5.

use super::*;
use pimap_types::list::{ListReturn, ListSelection};
use proptest::prelude::*;

/// RFC 3501 6.3.8, word for word.
fn slowly(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| slowly(rest, &name[at..])),
        Some((b'%', rest)) => {
            let most = name.iter().position(|byte| *byte == b'/').unwrap_or(name.len());
            (0..=most).any(|at| slowly(rest, &name[at..]))
        }
        Some((byte, rest)) => name.first() == Some(byte) && slowly(rest, &name[1..]),
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_the_standard_says(pattern in "[ab/*%]{0,8}", name in "[ab/]{0,8}") {
        let expected = slowly(pattern.as_bytes(), name.as_bytes());
        prop_assert_eq!(is_match(&pattern, &name, Some('/')), expected);
    }
}

#[test]
fn inbox_has_no_case_and_without_a_delimiter_everything_is_one_level() {
    assert!(is_match("inbox", "INBOX", Some('/')) && is_match("InBox/%", "INBOX/a", Some('/')));
    assert!(!is_match("inboxes", "INBOXES", Some('/')) && !is_match("a", "A", Some('/')));
    assert!(is_match("%", "a/b", None) && !is_match("%", "a/b", Some('/')));
    assert!(!is_match("", "a", Some('/')) && is_match("", "", None));
}

fn item(attributes: &[&str], name: &str) -> ListItem {
    let attributes = attributes.iter().map(|a| (*a).to_owned()).collect();
    ListItem { attributes, delimiter: Some('/'), mailbox: MailboxName::new(name) }
}

/// The mailboxes of RFC 5258 5, example 1.
fn fruits(list: &List, children_known: bool) -> Vec<String> {
    let mut listing = Listing::new(list, children_known, false);
    listing.existing = [
        item(&["\\Marked", "\\Noinferiors"], "INBOX"),
        item(&[], "Fruit"),
        item(&[], "Fruit/Apple"),
        item(&[], "Fruit/Banana"),
        item(&["\\Drafts"], "Tofu"),
        item(&[], "Vegetable"),
        item(&[], "Vegetable/Broccoli"),
        item(&[], "Vegetable/Corn"),
    ]
    .into();
    let lsub = ["INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli"];
    if listing.questions.iter().any(|(lsub, _)| *lsub) {
        listing.subscribed = lsub.map(|name| item(&[], name)).into();
    }
    let show = |line: Line| {
        let parent = line.parent_of.map(|option| format!(" +{option}")).unwrap_or_default();
        format!("({}) {}{parent}", line.item.attributes.join(" "), line.item.mailbox)
    };
    listing.lines(list).into_iter().map(show).collect()
}

fn list(pattern: &str) -> List {
    List { patterns: vec![pattern.to_owned()], extended: true, ..List::default() }
}

const SUBSCRIBED: ListSelection =
    ListSelection { subscribed: true, special_use: false, recursive_match: false };

/// RFC 5258 5, example 3: what is subscribed and not there is told as such.
#[test]
fn subscriptions_select() {
    let told = fruits(&List { selection: SUBSCRIBED, ..list("*") }, true);
    assert_eq!(
        told,
        [
            "(\\Marked \\Noinferiors \\Subscribed) INBOX",
            "(\\Subscribed) Fruit/Banana",
            "(\\Subscribed) Vegetable",
            "(\\Subscribed) Vegetable/Broccoli",
            "(\\NonExistent \\Subscribed) Fruit/Peach",
        ]
    );
}

/// RFC 5258 5, examples 8 and 9: parents of what is subscribed.
#[test]
fn parents_of_what_is_selected_are_told() {
    let selection = ListSelection { recursive_match: true, ..SUBSCRIBED };
    let told = fruits(&List { selection, ..list("%") }, true);
    assert_eq!(
        told,
        [
            "(\\Marked \\Noinferiors \\Subscribed) INBOX",
            "() Fruit +SUBSCRIBED",
            "(\\Subscribed) Vegetable +SUBSCRIBED",
        ]
    );
    // Redundant ones are not: Fruit and its children match alike.
    let told = fruits(&List { selection, ..list("Fruit*") }, true);
    assert_eq!(told, ["(\\Subscribed) Fruit/Banana", "(\\NonExistent \\Subscribed) Fruit/Peach"]);
    let uses = ListSelection { subscribed: false, special_use: true, recursive_match: true };
    assert_eq!(fruits(&List { selection: uses, ..list("*") }, true), ["(\\Drafts) Tofu"]);
}

#[test]
fn a_parent_that_is_nowhere_is_told_as_such() {
    let selection = ListSelection { recursive_match: true, ..SUBSCRIBED };
    let wanted = List { selection, ..list("%") };
    let mut listing = Listing::new(&wanted, true, false);
    listing.subscribed = vec![item(&[], "Attic/Box/Hat")];
    let lines = listing.lines(&wanted);
    assert_eq!(lines, [Line { item: item(&["\\NonExistent"], "Attic"), parent_of: Some("SUBSCRIBED") }]);
}

/// Only what was asked for is told in the extended form, and children are found where upstream does not name them.
#[test]
fn children_are_computed_where_upstream_is_silent() {
    let returns = ListReturn { children: true, ..ListReturn::default() };
    let told = fruits(&List { returns, ..list("%") }, false);
    assert_eq!(
        told,
        [
            "(\\Marked \\Noinferiors) INBOX",
            "(\\HasChildren) Fruit",
            "(\\HasNoChildren) Tofu",
            "(\\HasChildren) Vegetable",
        ]
    );
    // A plain LIST tells what upstream told.
    let plain = List { extended: false, ..list("T%") };
    assert_eq!(fruits(&plain, false), ["(\\Drafts \\HasNoChildren) Tofu"]);
    assert_eq!(fruits(&list("T%"), false).len(), 8, "without anything to compute upstream's match is taken");
}

/// The patterns asked upstream: as they are, or with all that is below them.
#[test]
fn upstream_is_asked_no_more_than_needed() {
    let asked = |list: &List, known: bool| -> Vec<(bool, String)> {
        Listing::new(list, known, false).questions.into_iter().map(|(lsub, p)| (lsub, p.pattern)).collect()
    };
    let two = List { patterns: vec!["a%".into(), "b*".into()], ..list("") };
    assert_eq!(asked(&two, true), [(false, "a%".to_owned()), (false, "b*".to_owned())]);
    let subscribed = List { returns: ListReturn { subscribed: true, ..ListReturn::default() }, ..list("%") };
    assert_eq!(asked(&subscribed, true), [(false, "%".to_owned()), (true, "%*".to_owned())]);
    let plain = |pattern: &str| List { extended: false, ..list(pattern) };
    assert_eq!(asked(&plain("%"), true), [(false, "%".to_owned())]);
    assert_eq!(asked(&plain("%"), false), [(false, "%*".to_owned())]);
    assert_eq!(asked(&plain(""), false), [(false, String::new())]);
}
