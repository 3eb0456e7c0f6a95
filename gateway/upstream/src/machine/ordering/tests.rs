//! Known answers of sorting, by the keys of RFC 5256 3 and RFC 5957.

use super::*;
use proptest::prelude::*;

fn told(date: &str, subject: &str, from: &str) -> Described {
    let mut told = Described::default();
    told.envelope.date = date.as_bytes().to_vec();
    told.envelope.subject = subject.as_bytes().to_vec();
    told.envelope.from =
        (!from.is_empty()).then(|| Address { mailbox: from.as_bytes().to_vec(), ..Address::default() });
    told
}

fn sorted(messages: &[Described], criteria: &[SortCriterion]) -> Vec<u32> {
    let uid = |at: usize| Uid::new(at as u32 + 1).expect("not zero");
    let messages = messages.iter().enumerate();
    let messages = messages.map(|(at, told)| Sortable::new(uid(at), told, criteria)).collect();
    sort(messages, criteria).into_iter().map(Uid::get).collect()
}

const fn by(key: SortKey) -> SortCriterion {
    SortCriterion { reverse: false, key }
}

const fn reversed(key: SortKey) -> SortCriterion {
    SortCriterion { reverse: true, key }
}

/// RFC 5256 3: REVERSE is of its criterion alone, and what compares alike stays in the order of the mailbox.
#[test]
fn criteria_order_one_after_the_other() {
    let messages = [
        told("1 Jan 2000 10:00 +0000", "b", "joe"),
        told("1 Jan 2000 11:00 +0200", "Re: B", "ann"),
        told("2 Jan 2000 10:00 +0000", "a", "Joe"),
        told("", "", ""),
    ];
    assert_eq!(sorted(&messages, &[by(SortKey::Subject)]), [4, 3, 1, 2]);
    assert_eq!(sorted(&messages, &[reversed(SortKey::Subject)]), [1, 2, 3, 4]);
    assert_eq!(sorted(&messages, &[by(SortKey::From), reversed(SortKey::Date)]), [4, 2, 3, 1]);
    assert_eq!(sorted(&messages, &[by(SortKey::Date)]), [4, 2, 1, 3]);
    assert_eq!(sorted(&messages, &[by(SortKey::Cc)]), [1, 2, 3, 4]);
}

/// RFC 5256 2.2: without a date the message was sent when it came.
#[test]
fn arrival_stands_in_for_the_sent_date() {
    let mut messages = [told("3 Jan 1970", "", ""), told("never", "", ""), told("", "", "")];
    for (at, day) in [5, 4, 2].into_iter().enumerate() {
        messages[at].received = Some(Timestamp((day - 1) * 86_400_000));
        messages[at].size = Some(day as u32);
    }
    assert_eq!(sorted(&messages, &[by(SortKey::Date)]), [3, 1, 2]);
    assert_eq!(sorted(&messages, &[by(SortKey::Arrival)]), [3, 2, 1]);
    assert_eq!(sorted(&messages, &[reversed(SortKey::Size)]), [1, 2, 3]);
}

/// RFC 5957 3: the name as it is read, else the address; a group is its name.
#[test]
fn display_names_are_what_is_seen() {
    let address = |name: &str, mailbox: &str, host: &str| {
        let octets = |text: &str| text.as_bytes().to_vec();
        let mut told = Described::default();
        told.envelope.to = Some(Address { name: octets(name), mailbox: octets(mailbox), host: octets(host) });
        told
    };
    let messages = [
        address("=?utf-8?q?=C3=84rger?=", "z", "x"),
        address("", "b", "y"),
        address("", "b", "x"),
        address("", "a group", ""),
        address("Zoe", "a", "x"),
        Described::default(),
    ];
    assert_eq!(sorted(&messages, &[by(SortKey::DisplayTo)]), [6, 4, 1, 3, 2, 5]);
    assert_eq!(sorted(&messages, &[by(SortKey::To)]), [6, 5, 4, 2, 3, 1]);
}

#[test]
fn what_the_keys_need_is_asked_for_and_no_more() {
    assert_eq!(items_to_sort(&[by(SortKey::Size)]), [FetchItem::Size]);
    assert_eq!(items_to_sort(&[by(SortKey::Date)]), [FetchItem::InternalDate, FetchItem::Envelope]);
    assert_eq!(items_to_thread(ThreadAlgorithm::OrderedSubject).len(), 2);
    assert_eq!(items_to_thread(ThreadAlgorithm::References).len(), 3);
}

proptest! {
    /// Nothing is lost, and a stable order is the same however often it is asked for.
    #[test]
    fn every_message_is_told_once(subjects in proptest::collection::vec("(re: )?[a-c]{0,2}", 0..20), reverse: bool) {
        let messages: Vec<_> = subjects.iter().map(|subject| told("", subject, "")).collect();
        let order = sorted(&messages, &[SortCriterion { reverse, key: SortKey::Subject }]);
        let mut all = order.clone();
        all.sort_unstable();
        prop_assert_eq!(all, (1..=subjects.len() as u32).collect::<Vec<_>>());
    }
}
