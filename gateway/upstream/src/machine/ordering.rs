//! SORT and THREAD (RFC 5256, RFC 5957) for servers that lack them: what FETCH told of each message becomes keys, and the keys an order.
//!
//! In: messages ascending by UID, which is the order of their numbers, with what [`pimap_wire::client::envelope`] read of them. Out: UIDs in
//! order, or threads. Nothing is recursive: a thread may be as deep as there are messages. What is held is counted by whoever
//! gathers, [`Sortable::octets`] and [`Threadable::octets`]; what threading may cost is bounded by [`threading::STEPS_MAX`].

pub(crate) mod casemap;
pub(crate) mod date;
pub(crate) mod identity;
pub(crate) mod subject;
pub(crate) mod threading;
pub(crate) mod words;

use pimap_types::command::FetchItem;
use pimap_types::search::{SortCriterion, SortKey, ThreadAlgorithm};
use pimap_types::{Timestamp, Uid};
use pimap_wire::client::envelope::{Address, Described};
use std::cmp::Ordering;
use subject::BaseSubject;

/// A message to be sorted, with a value for each criterion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sortable {
    pub(crate) uid: Uid,
    values: Box<[Value]>,
}

/// By what two messages compare. Of one criterion all values are of one kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Value {
    Number(i64),
    Text(Box<str>),
}

impl Sortable {
    pub(crate) fn new(uid: Uid, told: &Described, criteria: &[SortCriterion]) -> Self {
        let value = |criterion: &SortCriterion| value(told, criterion.key);
        Self { uid, values: criteria.iter().map(value).collect() }
    }

    /// About what it takes to hold it.
    pub(crate) fn octets(&self) -> usize {
        let text = |value: &Value| match value {
            Value::Number(_) => 0,
            Value::Text(text) => text.len(),
        };
        size_of::<Self>() + self.values.iter().map(|value| size_of::<Value>() + text(value)).sum::<usize>()
    }
}

/// What is to be asked of each message.
pub(crate) fn items_to_sort(criteria: &[SortCriterion]) -> Vec<FetchItem> {
    let any = |wanted: &[SortKey]| criteria.iter().any(|criterion| wanted.contains(&criterion.key));
    let mut items = Vec::new();
    items.extend(any(&[SortKey::Arrival, SortKey::Date]).then_some(FetchItem::InternalDate));
    items.extend(any(&[SortKey::Size]).then_some(FetchItem::Size));
    let by_envelope =
        criteria.iter().any(|criterion| !matches!(criterion.key, SortKey::Arrival | SortKey::Size));
    items.extend(by_envelope.then_some(FetchItem::Envelope));
    items
}

/// What is to be asked of each message to thread it.
pub(crate) fn items_to_thread(algorithm: ThreadAlgorithm) -> Vec<FetchItem> {
    let mut items = vec![FetchItem::InternalDate, FetchItem::Envelope];
    if algorithm != ThreadAlgorithm::OrderedSubject {
        let section = "HEADER.FIELDS (REFERENCES)".to_owned();
        items.push(FetchItem::Section { peek: true, section, partial: None });
    }
    items
}

/// The order asked for; messages that compare alike stay in the order of their numbers, whatever is reversed (RFC 5256 3).
pub(crate) fn sort(mut messages: Vec<Sortable>, criteria: &[SortCriterion]) -> Vec<Uid> {
    messages.sort_by(|a, b| {
        let values = a.values.iter().zip(&b.values).zip(criteria);
        values
            .map(|((a, b), criterion)| if criterion.reverse { b.cmp(a) } else { a.cmp(b) })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
            .then(a.uid.cmp(&b.uid))
    });
    messages.into_iter().map(|message| message.uid).collect()
}

fn value(told: &Described, key: SortKey) -> Value {
    let envelope = &told.envelope;
    match key {
        SortKey::Arrival => Value::Number(told.received.unwrap_or_default().0),
        SortKey::Date => Value::Number(sent(told).0),
        SortKey::Size => Value::Number(i64::from(told.size.unwrap_or_default())),
        SortKey::Subject => {
            Value::Text(casemap::mapped(&BaseSubject::of(&envelope.subject).text).into_boxed_str())
        }
        SortKey::From => mailbox(envelope.from.as_ref()),
        SortKey::To => mailbox(envelope.to.as_ref()),
        SortKey::Cc => mailbox(envelope.cc.as_ref()),
        SortKey::DisplayFrom => display(envelope.from.as_ref()),
        SortKey::DisplayTo => display(envelope.to.as_ref()),
    }
}

/// The sent date, or INTERNALDATE where there is none (RFC 5256 2.2).
pub(crate) fn sent(told: &Described) -> Timestamp {
    date::sent(&told.envelope.date).or(told.received).unwrap_or_default()
}

fn mailbox(address: Option<&Address>) -> Value {
    let mailbox = address.map(|address| String::from_utf8_lossy(&address.mailbox)).unwrap_or_default();
    Value::Text(casemap::mapped(&mailbox).into_boxed_str())
}

/// The display name, or the address where it has none (RFC 5957 3); of a group its name.
fn display(address: Option<&Address>) -> Value {
    let shown = match address {
        None => String::new(),
        Some(Address { name, .. }) if !name.is_empty() => words::decoded(name),
        Some(Address { mailbox, host, .. }) if host.is_empty() => words::decoded(mailbox),
        Some(Address { mailbox, host, .. }) => {
            format!("{}@{}", String::from_utf8_lossy(mailbox), String::from_utf8_lossy(host))
        }
    };
    Value::Text(casemap::mapped(&shown).into_boxed_str())
}

#[cfg(test)]
mod tests;
