//! What is not taken for granted of a server: its quirks as data (design D3), read from what it announces.
//!
//! A server without UIDPLUS is served by the letter of nothing but what every server was seen to do right. GNU mailutils 3.15, which
//! is one, was seen to do all of this:
//!
//! * An open mailbox is a picture of the moment it was opened. NOOP brings the first change in and no other; UIDs of one left open
//!   come to mean other messages. A STORE is kept, and seen by others, once the mailbox is left.
//! * A UID that is not there means the next one, or the last: `UID STORE 900` changes the last message (law 2).
//! * `UID` in a SEARCH counts positions, a sequence set there finds nothing, `UNKEYWORD` ends the server.

use pimap_types::search::SearchKey;
use pimap_types::set::UidRanges;
use pimap_types::{MessageFacts, Uid};
use pimap_wire::client::capability::Capabilities;
use std::collections::BTreeMap;

/// How a server is talked to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Manners {
    /// A mailbox is opened anew for every request, and again after a change.
    pub(crate) opens_anew: bool,
    /// Only UIDs that were seen to be there are named.
    pub(crate) names_only_what_is_there: bool,
    /// A SEARCH asks for one term about content; flags, dates, sizes, UIDs and their logic are evaluated here.
    pub(crate) searches_term_by_term: bool,
}

impl Manners {
    /// Those for a server with these capabilities.
    pub(crate) fn towards(capabilities: &Capabilities) -> Self {
        let wary = !capabilities.uid_plus;
        Self { opens_anew: wary, names_only_what_is_there: wary, searches_term_by_term: wary }
    }
}

/// A search program taken apart.
pub(crate) struct Terms {
    /// What the server is asked, one by one and in this order.
    pub(crate) asked: Vec<SearchKey>,
}

impl Terms {
    /// Takes a program apart. It was parsed with bounded depth and width.
    pub(crate) fn of(key: &SearchKey) -> Self {
        let mut terms = Self { asked: Vec::new() };
        terms.collect(key);
        terms
    }

    fn collect(&mut self, key: &SearchKey) {
        match key {
            SearchKey::And(keys) => keys.iter().for_each(|key| self.collect(key)),
            SearchKey::Or(a, b) => {
                self.collect(a);
                self.collect(b);
            }
            SearchKey::Not(key) => self.collect(key),
            SearchKey::All | SearchKey::Uid(_) => {}
            key if is_of_facts(key) => {}
            key => self.asked.push(key.clone()),
        }
    }

    /// Puts the answers together; one for each term asked, in order.
    pub(crate) fn found(
        key: &SearchKey,
        answers: Vec<UidRanges>,
        facts: &BTreeMap<Uid, MessageFacts>,
    ) -> UidRanges {
        let all = UidRanges::from_uids(facts.keys().copied());
        let mut evaluation = Evaluation { all, facts, answers: answers.into_iter() };
        evaluation.found(key)
    }
}

struct Evaluation<'a, I> {
    all: UidRanges,
    facts: &'a BTreeMap<Uid, MessageFacts>,
    answers: I,
}

impl<I: Iterator<Item = UidRanges>> Evaluation<'_, I> {
    fn found(&mut self, key: &SearchKey) -> UidRanges {
        match key {
            SearchKey::All => self.all.clone(),
            SearchKey::And(keys) => {
                // Every part takes its answers, also when nothing is left that could fit.
                let parts: Vec<UidRanges> = keys.iter().map(|key| self.found(key)).collect();
                parts.iter().fold(self.all.clone(), |both, part| both.intersection(part))
            }
            SearchKey::Or(a, b) => {
                let mut either = self.found(a);
                either.extend(&self.found(b));
                either
            }
            SearchKey::Not(key) => {
                let found = self.found(key);
                super::difference::subtract(&self.all, &found)
            }
            SearchKey::Uid(set) => {
                let last = self.all.ranges().last().map_or(0, |range| range.1);
                set.resolve(last).intersection(&self.all)
            }
            key if is_of_facts(key) => {
                let fitting = self.facts.values().filter(|facts| fits(key, facts));
                UidRanges::from_uids(fitting.map(|facts| facts.uid))
            }
            _ => self.answers.next().unwrap_or_default().intersection(&self.all),
        }
    }
}

/// Whether a message's facts decide the term.
fn is_of_facts(key: &SearchKey) -> bool {
    use SearchKey::{Before, Flag, Larger, On, Since, Smaller};
    matches!(key, Flag(_) | Larger(_) | Smaller(_) | Before(_) | On(_) | Since(_))
}

/// What they decide.
fn fits(key: &SearchKey, facts: &MessageFacts) -> bool {
    match key {
        SearchKey::Flag(flag) => facts.flags.contains(flag),
        SearchKey::Larger(size) => facts.size > *size,
        SearchKey::Smaller(size) => facts.size < *size,
        SearchKey::Before(day) => facts.internal_date < *day,
        SearchKey::On(day) => facts.internal_date == *day,
        SearchKey::Since(day) => facts.internal_date >= *day,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pimap_types::search::Field;
    use pimap_types::set::{SequenceSet, SetNumber};
    use pimap_types::{Date, Flag, Flags, ModSeq};

    fn facts() -> BTreeMap<Uid, MessageFacts> {
        let message = |n: u32| {
            let uid = Uid::new(n).expect("not zero");
            let flags = if n.is_multiple_of(2) { Flags::new([Flag::Seen]) } else { Flags::default() };
            let facts =
                MessageFacts { uid, flags, internal_date: Date(n as i32), size: n * 100, mod_seq: ModSeq(0) };
            (uid, facts)
        };
        [1, 2, 4, 7].map(message).into()
    }

    fn set(uids: &[u32]) -> UidRanges {
        UidRanges::from_pairs(uids.iter().map(|n| (*n, *n)))
    }

    #[test]
    fn logic_uids_flags_dates_and_sizes_are_evaluated_here() {
        let subject = || SearchKey::Field(Field::Subject, b"x".to_vec());
        let from = || SearchKey::Field(Field::From, b"y".to_vec());
        let uids = SearchKey::Uid(SequenceSet(vec![(SetNumber::Number(2), SetNumber::Star)]));
        let key = SearchKey::And(vec![
            uids,
            SearchKey::Or(Box::new(subject()), Box::new(SearchKey::Not(Box::new(from())))),
            SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen))),
            SearchKey::Larger(100),
            SearchKey::Since(Date(7)),
        ]);
        let terms = Terms::of(&key);
        assert_eq!(terms.asked, [subject(), from()]);
        let found = |answers| Terms::found(&key, answers, &facts());
        assert_eq!(found(vec![set(&[7]), set(&[7])]), set(&[7]));
        assert_eq!(found(vec![set(&[]), set(&[1])]), set(&[7]));
        assert_eq!(found(vec![set(&[]), set(&[7])]), set(&[]));
        // What the server names and nobody has is not found.
        assert_eq!(Terms::found(&subject(), vec![set(&[4, 9])], &facts()), set(&[4]));
        assert_eq!(Terms::found(&SearchKey::Before(Date(4)), vec![], &facts()), set(&[1, 2]));
    }

    #[test]
    fn a_server_with_uidplus_is_taken_at_its_word() {
        let rich = Capabilities { uid_plus: true, ..Capabilities::default() };
        assert_eq!(Manners::towards(&rich), Manners::default());
        assert!(Manners::towards(&Capabilities::default()).opens_anew);
    }
}
