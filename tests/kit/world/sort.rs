//! SORT and THREAD of the modelled server: right in what goes where, simple in what a subject is.

use super::mail::{Mailbox, Message, header, meets};
use pimap_types::search::{SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
use pimap_types::thread::Place;
use pimap_types::{Date, Threads, Uid};
use std::cmp::Ordering;

/// UIDs that a program finds, sorted; what is alike stays in the mailbox's order (RFC 5256 3).
pub(super) fn sort(
    mailbox: &Mailbox,
    criteria: &[SortCriterion],
    program: &SearchKey,
    today: Date,
) -> Vec<Uid> {
    let mut found = found(mailbox, program, today);
    found.sort_by(|(_, a), (_, b)| {
        let by = |criterion: &SortCriterion| {
            let order = compare(criterion.key, a, b);
            if criterion.reverse { order.reverse() } else { order }
        };
        criteria.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    found.into_iter().map(|(uid, _)| uid).collect()
}

/// Threads: messages of one subject in the order of their arrival, as replies to the first or each to the one before.
pub(super) fn thread(
    mailbox: &Mailbox,
    algorithm: ThreadAlgorithm,
    program: &SearchKey,
    today: Date,
) -> Threads<Uid> {
    let mut threads: Vec<(Vec<u8>, Vec<Uid>)> = Vec::new();
    for (uid, message) in found(mailbox, program, today) {
        let subject = base_subject(message);
        match threads.iter_mut().find(|(known, _)| *known == subject) {
            Some((_, uids)) => uids.push(uid),
            None => threads.push((subject, vec![uid])),
        }
    }
    let depth = |at: usize| match algorithm {
        ThreadAlgorithm::OrderedSubject => at.min(1),
        _ => at,
    };
    let place = |(at, uid)| Place { depth: depth(at) as u32, message: Some(uid) };
    Threads {
        places: threads.into_iter().flat_map(|(_, uids)| uids.into_iter().enumerate().map(place)).collect(),
    }
}

fn found<'a>(mailbox: &'a Mailbox, program: &SearchKey, today: Date) -> Vec<(Uid, &'a Message)> {
    let last = mailbox.messages.keys().next_back().copied().unwrap_or(0);
    let found = mailbox.messages.iter().filter(|(uid, message)| meets(program, **uid, message, last, today));
    found.map(|(uid, message)| (Uid::new(*uid).expect("not zero"), message)).collect()
}

fn compare(key: SortKey, a: &Message, b: &Message) -> Ordering {
    match key {
        SortKey::Size => a.text.len().cmp(&b.text.len()),
        SortKey::Subject => base_subject(a).cmp(&base_subject(b)),
        SortKey::From | SortKey::DisplayFrom => header(a, "From").cmp(&header(b, "From")),
        // No modelled message has a Date, nor anybody but its sender.
        SortKey::Arrival | SortKey::Date => a.date.cmp(&b.date),
        SortKey::To | SortKey::DisplayTo | SortKey::Cc => Ordering::Equal,
    }
}

fn base_subject(message: &Message) -> Vec<u8> {
    let mut subject = header(message, "Subject").unwrap_or_default().to_ascii_lowercase();
    while subject.starts_with(b"re: ") {
        subject.drain(..4);
    }
    subject
}
