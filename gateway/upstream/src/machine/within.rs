//! OLDER and YOUNGER (RFC 5032) for servers that do not know them: a program taken apart into what the server is asked and what
//! INTERNALDATE decides.
//!
//! A server finds messages by the day only, and in which zone that day is meant is its own affair (RFC 3501 6.4.4). So it is asked
//! with a margin of a day on either side, and the moment itself is read of the few messages between.

use super::difference::subtract;
use pimap_types::search::SearchKey;
use pimap_types::set::UidRanges;
use pimap_types::{Date, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Different intervals in one program; more are refused.
pub(crate) const INTERVALS_MAX: usize = 16;

/// A program with OLDER or YOUNGER in it.
pub(crate) struct Program<'a> {
    key: &'a SearchKey,
    /// Parts without them, to be asked one by one and in this order.
    pub(crate) asked: Vec<SearchKey>,
    /// The intervals, in seconds.
    pub(crate) intervals: BTreeSet<u32>,
}

impl<'a> Program<'a> {
    /// Takes a program apart, if it has any. It was parsed with bounded depth and width.
    pub(crate) fn of(key: &'a SearchKey) -> Option<Self> {
        let mut program = Program { key, asked: Vec::new(), intervals: BTreeSet::new() };
        if !mentions(key) {
            return None;
        }
        program.collect(key);
        Some(program)
    }

    fn collect(&mut self, key: &SearchKey) {
        match key {
            SearchKey::Older(seconds) | SearchKey::Younger(seconds) => {
                self.intervals.insert(*seconds);
            }
            SearchKey::And(keys) => {
                self.asked.extend(plain(keys));
                keys.iter().filter(|key| mentions(key)).for_each(|key| self.collect(key));
            }
            SearchKey::Or(a, b) => {
                self.collect(a);
                self.collect(b);
            }
            SearchKey::Not(key) if mentions(key) => self.collect(key),
            key => self.asked.push(key.clone()),
        }
    }

    /// Puts the answers together: one for each part asked, and for each interval what is younger.
    pub(crate) fn found(
        &self,
        all: &UidRanges,
        answers: Vec<UidRanges>,
        younger: &BTreeMap<u32, UidRanges>,
    ) -> UidRanges {
        Evaluation { all, answers: answers.into_iter(), younger }.found(self.key)
    }
}

struct Evaluation<'a, I> {
    all: &'a UidRanges,
    answers: I,
    younger: &'a BTreeMap<u32, UidRanges>,
}

impl<I: Iterator<Item = UidRanges>> Evaluation<'_, I> {
    /// Takes answers in the order in which [`Program::collect`] asked for them, also where nothing is left that could fit.
    fn found(&mut self, key: &SearchKey) -> UidRanges {
        let younger = |seconds: &u32| self.younger.get(seconds).cloned().unwrap_or_default();
        match key {
            SearchKey::Younger(seconds) => younger(seconds),
            SearchKey::Older(seconds) => subtract(self.all, &younger(seconds)),
            SearchKey::And(keys) => {
                let mut found = match plain(keys) {
                    Some(_) => self.answers.next().unwrap_or_default(),
                    None => self.all.clone(),
                };
                for key in keys.iter().filter(|key| mentions(key)) {
                    found = found.intersection(&self.found(key));
                }
                found
            }
            SearchKey::Or(a, b) => {
                let mut either = self.found(a);
                either.extend(&self.found(b));
                either
            }
            SearchKey::Not(key) if mentions(key) => {
                let found = self.found(key);
                subtract(self.all, &found)
            }
            _ => self.answers.next().unwrap_or_default(),
        }
    }
}

/// The parts of a conjunction that the server can be asked together.
fn plain(keys: &[SearchKey]) -> Option<SearchKey> {
    let plain: Vec<SearchKey> = keys.iter().filter(|key| !mentions(key)).cloned().collect();
    (!plain.is_empty()).then_some(SearchKey::And(plain))
}

fn mentions(key: &SearchKey) -> bool {
    match key {
        SearchKey::Older(_) | SearchKey::Younger(_) => true,
        SearchKey::And(keys) => keys.iter().any(mentions),
        SearchKey::Or(a, b) => mentions(a) || mentions(b),
        SearchKey::Not(key) => mentions(key),
        _ => false,
    }
}

/// What is asked about a moment.
pub(crate) struct Moment {
    /// The moment.
    pub(crate) at: Timestamp,
    /// Whoever is found was received after it, in whatever zone a day is meant.
    pub(crate) certainly: SearchKey,
    /// Of these the time must be read.
    pub(crate) perhaps: SearchKey,
}

impl Moment {
    /// So many seconds ago.
    pub(crate) fn ago(now: Timestamp, seconds: u32) -> Moment {
        let at = now.plus_ms(-1_000 * i64::from(seconds));
        let day = at.date(0);
        let certainly = SearchKey::Since(Date(day.0.saturating_add(2)));
        let since = SearchKey::Since(Date(day.0.saturating_sub(1)));
        let perhaps = SearchKey::And(vec![since, SearchKey::Not(Box::new(certainly.clone()))]);
        Moment { at, certainly, perhaps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SearchKey::{All, And, Older, Since, Younger};
    use pimap_types::Flag;

    fn set(uids: &[u32]) -> UidRanges {
        UidRanges::from_pairs(uids.iter().map(|n| (*n, *n)))
    }

    fn seen() -> SearchKey {
        SearchKey::Flag(Flag::Seen)
    }

    fn not(key: SearchKey) -> SearchKey {
        SearchKey::Not(Box::new(key))
    }

    fn or(a: SearchKey, b: SearchKey) -> SearchKey {
        SearchKey::Or(Box::new(a), Box::new(b))
    }

    #[test]
    fn programs_without_intervals_are_left_whole() {
        assert!(Program::of(&And(vec![seen(), not(or(All, seen()))])).is_none());
    }

    /// Of 1 to 6 the even ones are seen, 3 to 6 are younger than 60 seconds and 5 and 6 than 10.
    #[test]
    fn logic_between_intervals_and_the_rest_is_evaluated_here() {
        let younger = BTreeMap::from([(60, set(&[3, 4, 5, 6])), (10, set(&[5, 6]))]);
        for (key, questions, expected) in [
            (Younger(60), 0, &[3, 4, 5, 6][..]),
            (Older(60), 0, &[1, 2]),
            (not(Older(10)), 0, &[5, 6]),
            (And(vec![seen(), Younger(60), Older(10)]), 1, &[4]),
            (And(vec![Younger(60), seen(), seen()]), 1, &[4, 6]),
            (or(seen(), Younger(10)), 1, &[2, 4, 5, 6]),
            (or(And(vec![seen(), Younger(10)]), not(seen())), 2, &[1, 3, 5, 6]),
            (not(And(vec![seen(), or(Older(60), seen())])), 2, &[1, 3, 5]),
        ] {
            let program = Program::of(&key).expect("intervals");
            assert_eq!(program.asked.len(), questions, "{key:?}");
            let even = set(&[2, 4, 6]);
            let odd = set(&[1, 3, 5]);
            let answer = |asked: &SearchKey| if *asked == not(seen()) { odd.clone() } else { even.clone() };
            let answers = program.asked.iter().map(answer).collect();
            assert_eq!(program.found(&set(&[1, 2, 3, 4, 5, 6]), answers, &younger), set(expected), "{key:?}");
        }
    }

    /// Noon of day 10 in Greenwich: from day 12 on it is later everywhere, and before day 9 earlier.
    #[test]
    fn days_are_asked_with_a_margin() {
        let now = Timestamp(10 * 86_400_000 + 43_200_000 + 3_600_000);
        let moment = Moment::ago(now, 3_600);
        assert_eq!(moment.at.date(0), Date(10));
        assert_eq!(moment.certainly, Since(Date(12)));
        assert_eq!(moment.perhaps, And(vec![Since(Date(9)), not(Since(Date(12)))]));
        // The longest interval there is leads to a day that can be written.
        assert!(Moment::ago(now, u32::MAX).at.date(0).to_string().len() > 8);
    }
}
