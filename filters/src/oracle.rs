//! The slow, naive oracle: it reads a program directly on a synthetic message whose content it can see,
//! header and text included, and shares nothing with the compiler but the vocabulary. Also the generators of
//! programs and messages.

use pimap_types::search::{Field, SearchKey};
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{Date, Flag, Flags, MessageFacts, ModSeq, Uid};
use proptest::prelude::*;

/// A message with everything that a key can look at.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub facts: MessageFacts,
    pub sent: Date,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// Whether the message meets the program, taken at its word.
pub(crate) fn meets(program: &SearchKey, message: &Message, today: Date) -> bool {
    let day = message.facts.internal_date;
    match program {
        SearchKey::All => true,
        SearchKey::And(keys) => keys.iter().all(|key| meets(key, message, today)),
        SearchKey::Or(left, right) => meets(left, message, today) || meets(right, message, today),
        SearchKey::Not(key) => !meets(key, message, today),
        SearchKey::Flag(flag) => {
            message.facts.flags.iter().any(|set| set.as_str().eq_ignore_ascii_case(flag.as_str()))
        }
        SearchKey::Larger(octets) => message.facts.size > *octets,
        SearchKey::Smaller(octets) => message.facts.size < *octets,
        SearchKey::Before(date) => day.0 < date.0,
        SearchKey::On(date) => day.0 == date.0,
        SearchKey::Since(date) => day.0 >= date.0,
        SearchKey::SentBefore(date) => message.sent.0 < date.0,
        SearchKey::SentOn(date) => message.sent.0 == date.0,
        SearchKey::SentSince(date) => message.sent.0 >= date.0,
        // Day by day: today, one day before, …; days to come count as today.
        SearchKey::DaysBeforeToday(days) => {
            day.0 > today.0 || (0..=i64::from(*days)).any(|n| i64::from(day.0) == i64::from(today.0) - n)
        }
        SearchKey::Header(name, text) => header_holds(message, name, text),
        SearchKey::Field(field, text) => header_holds(message, field.as_str().as_bytes(), text),
        SearchKey::Body(text) => holds(&message.body, text),
        SearchKey::Text(text) => {
            holds(&message.body, text)
                || message.headers.iter().any(|(name, value)| holds(name, text) || holds(value, text))
        }
        SearchKey::Recent
        | SearchKey::New
        | SearchKey::Old
        | SearchKey::ModSeq(_)
        | SearchKey::Uid(_)
        | SearchKey::Sequence(_)
        | SearchKey::Saved
        | SearchKey::Older(_)
        | SearchKey::Younger(_) => {
            panic!("{program:?} has no place in a filter")
        }
    }
}

fn header_holds(message: &Message, name: &[u8], text: &[u8]) -> bool {
    message.headers.iter().any(|(known, value)| known.eq_ignore_ascii_case(name) && holds(value, text))
}

fn holds(value: &[u8], text: &[u8]) -> bool {
    let (value, text) = (value.to_ascii_lowercase(), text.to_ascii_lowercase());
    (0..=value.len()).any(|start| value[start..].starts_with(&text))
}

/// Whether a program may not be stored, by digest 1.2 and F31. The limits are not its concern.
pub(crate) fn refused(program: &SearchKey, nots: usize) -> bool {
    match program {
        SearchKey::Recent
        | SearchKey::New
        | SearchKey::Old
        | SearchKey::ModSeq(_)
        | SearchKey::Uid(_)
        | SearchKey::Sequence(_)
        | SearchKey::Saved
        | SearchKey::Older(_)
        | SearchKey::Younger(_) => true,
        SearchKey::DaysBeforeToday(_) => nots % 2 == 1,
        SearchKey::Not(key) => refused(key, nots + 1),
        SearchKey::And(keys) => keys.iter().any(|key| refused(key, nots)),
        SearchKey::Or(left, right) => refused(left, nots) || refused(right, nots),
        _ => false,
    }
}

/// A day that everything generated lies close to.
pub(crate) const DAY: i32 = 13_210;

/// The filter's verdict on the message, with the oracle standing in for upstream.
pub(crate) fn verdict(filter: &crate::Filter, message: &Message, today: Date) -> bool {
    let upstream = |index: usize| Some(meets(&filter.upstream_atoms()[index], message, today));
    filter.evaluate(&message.facts, &upstream, today)
}

pub(crate) fn days() -> impl Strategy<Value = Date> + Clone {
    (DAY - 6..=DAY + 3).prop_map(Date)
}

fn flag() -> impl Strategy<Value = Flag> + Clone {
    let words =
        ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "\\Draft", "$Junk", "$JUNK", "$junk", "urgent"];
    prop::sample::select(words.to_vec()).prop_map(|word| Flag::parse(word).expect("a flag"))
}

fn text() -> impl Strategy<Value = Vec<u8>> + Clone {
    prop::collection::vec(prop::sample::select(b"abAB".to_vec()), 0..3)
}

fn name() -> impl Strategy<Value = Vec<u8>> + Clone {
    prop::sample::select(vec!["From", "TO", "Cc", "bcc", "Subject", "X-A"])
        .prop_map(|name| name.as_bytes().to_vec())
}

fn field() -> impl Strategy<Value = Field> + Clone {
    prop::sample::select(vec![Field::From, Field::To, Field::Cc, Field::Bcc, Field::Subject])
}

fn octets() -> impl Strategy<Value = u32> + Clone {
    prop_oneof![0_u32..5, Just(u32::MAX)]
}

/// A key without parts that a filter may hold.
fn allowed_leaf() -> BoxedStrategy<SearchKey> {
    prop_oneof![
        2 => Just(SearchKey::All),
        6 => flag().prop_map(SearchKey::Flag),
        2 => octets().prop_map(SearchKey::Larger),
        2 => octets().prop_map(SearchKey::Smaller),
        1 => days().prop_map(SearchKey::Before),
        1 => days().prop_map(SearchKey::On),
        1 => days().prop_map(SearchKey::Since),
        1 => days().prop_map(SearchKey::SentBefore),
        1 => days().prop_map(SearchKey::SentOn),
        1 => days().prop_map(SearchKey::SentSince),
        3 => (0_u32..8).prop_map(SearchKey::DaysBeforeToday),
        2 => (name(), text()).prop_map(|(name, text)| SearchKey::Header(name, text)),
        3 => (field(), text()).prop_map(|(field, text)| SearchKey::Field(field, text)),
        2 => text().prop_map(SearchKey::Body),
        2 => text().prop_map(SearchKey::Text),
    ]
    .boxed()
}

fn forbidden_leaf() -> BoxedStrategy<SearchKey> {
    let set = SequenceSet(vec![(SetNumber::Number(1), SetNumber::Star)]);
    prop::sample::select(vec![
        SearchKey::Recent,
        SearchKey::New,
        SearchKey::Old,
        SearchKey::Uid(set.clone()),
        SearchKey::Sequence(set),
        SearchKey::Saved,
        SearchKey::Older(60),
        SearchKey::Younger(60),
    ])
    .boxed()
}

fn grown(leaf: BoxedStrategy<SearchKey>) -> BoxedStrategy<SearchKey> {
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 0..4).prop_map(SearchKey::And),
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
            3 => inner.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
    .boxed()
}

/// Any program, storable or not.
pub(crate) fn any_program() -> BoxedStrategy<SearchKey> {
    grown(prop_oneof![12 => allowed_leaf(), 1 => forbidden_leaf()].boxed())
}

/// A program that may be stored.
pub(crate) fn program() -> BoxedStrategy<SearchKey> {
    grown(allowed_leaf()).prop_map(|key| without_negated_days(key, false)).boxed()
}

/// Puts a constant where the days key may not stand.
fn without_negated_days(key: SearchKey, negated: bool) -> SearchKey {
    let again = |key: Box<SearchKey>, negated| Box::new(without_negated_days(*key, negated));
    match key {
        SearchKey::DaysBeforeToday(_) if negated => SearchKey::All,
        SearchKey::Not(key) => SearchKey::Not(again(key, !negated)),
        SearchKey::Or(left, right) => SearchKey::Or(again(left, negated), again(right, negated)),
        SearchKey::And(keys) => {
            SearchKey::And(keys.into_iter().map(|key| without_negated_days(key, negated)).collect())
        }
        leaf => leaf,
    }
}

pub(crate) fn flags() -> impl Strategy<Value = Flags> + Clone {
    prop::collection::vec(flag(), 0..4).prop_map(Flags::new)
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let headers = prop::collection::vec((name(), text()), 0..4);
    (flags(), days(), octets(), days(), headers, text()).prop_map(
        |(flags, day, size, sent, headers, body)| Message {
            facts: MessageFacts {
                uid: Uid::new(7).expect("not zero"),
                flags,
                internal_date: day,
                size,
                mod_seq: ModSeq(0),
            },
            sent,
            headers,
            body,
        },
    )
}
