//! A search program, as far as the client view decides it.
//!
//! In go a program and what the session knows: its view, `$`, and where recent messages begin. Out comes what is found whatever
//! upstream says, and one program without sequence numbers that upstream is to decide for the rest. Hidden messages do not matter: what comes out is true of the visible ones, and everything else is cut away.

use crate::mod_seq::ModSeqs;
use pimap_types::limits::{NESTING_MAX, UPSTREAM_SEARCH_RANGES_MAX};
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{Flag, ModSeq, UidRanges};
use pimap_view::{UidSet, translate};

#[cfg(test)]
mod tests;

/// Lists, NOT and OR nested in a program sent upstream: what a handset may nest, and sets written around it.
const DEPTH_MAX: usize = NESTING_MAX * 2 - 2;

/// What a session knows by itself.
pub(super) struct Known<'a> {
    /// The client view.
    pub(super) view: &'a UidSet,
    /// `$`.
    pub(super) saved: &'a UidRanges,
    /// UIDs from here on are recent (F27); zero: none.
    pub(super) recent_from: u32,
    /// The gateway's mod-sequences (F39).
    pub(super) mod_seqs: &'a ModSeqs,
    /// The handset knows the view: positions mean something (F8).
    pub(super) synchronised: bool,
}

/// A program of which everything is decided but what only upstream can know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reduced {
    /// Found, whatever upstream says.
    pub(crate) certain: UidRanges,
    /// Found if upstream finds them. Disjoint from `certain`; empty: nothing needs to be asked.
    pub(crate) open: UidRanges,
    /// What upstream is to say of them.
    pub(crate) key: SearchKey,
}

impl Reduced {
    /// Exactly these, and nothing to ask.
    pub(super) fn known(certain: UidRanges) -> Self {
        Self { certain, open: UidRanges::new(), key: SearchKey::All }
    }

    /// What is found when upstream has found these.
    pub(crate) fn found(&self, upstream: &UidRanges) -> UidRanges {
        let mut found = self.open.intersection(upstream);
        found.extend(&self.certain);
        found
    }
}

/// Why a program cannot be executed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Irreducible {
    /// It names positions, or `$`, of a view that the handset does not know.
    Unsynchronised,
    /// A key that has no place in a search.
    NotInSearch(&'static str),
    /// Upstream would have to be told sets of more ranges than one command may have.
    TooScattered,
    /// With those sets it nests deeper than what may be sent.
    TooDeep,
}

/// A part of a program, evaluated on the view.
enum Part {
    /// Exactly these.
    Known(UidRanges),
    /// Those that upstream finds.
    Asked(SearchKey),
    /// `certain`, and of `open` those that upstream finds.
    Mixed(Reduced),
}

/// Reduces a program.
pub(super) fn reduce(program: &SearchKey, known: &Known<'_>) -> Result<Reduced, Irreducible> {
    let everything = known.view.to_ranges();
    let mut reducer = Reducer { known, everything, ranges: 0 };
    let part = reducer.part(program)?;
    if reducer.ranges > UPSTREAM_SEARCH_RANGES_MAX {
        return Err(Irreducible::TooScattered);
    }
    if let Part::Asked(key) | Part::Mixed(Reduced { key, .. }) = &part
        && depth(key) > DEPTH_MAX
    {
        return Err(Irreducible::TooDeep);
    }
    Ok(match part {
        Part::Known(certain) => Reduced::known(certain),
        Part::Asked(key) => Reduced { certain: UidRanges::new(), open: reducer.everything, key },
        Part::Mixed(reduced) => reduced,
    })
}

struct Reducer<'a> {
    known: &'a Known<'a>,
    /// The view.
    everything: UidRanges,
    /// Ranges of the sets that had to be written into the program.
    ranges: usize,
}

impl Reducer<'_> {
    /// Recursion is as deep as the grammar lets programs nest.
    fn part(&mut self, key: &SearchKey) -> Result<Part, Irreducible> {
        let view = self.known.view;
        Ok(match key {
            SearchKey::All => Part::Known(self.everything.clone()),
            SearchKey::And(keys) => {
                let parts = keys.iter().map(|key| self.part(key)).collect::<Result<Vec<_>, _>>()?;
                self.all_of(parts)
            }
            SearchKey::Or(a, b) => match (self.part(a)?, self.part(b)?) {
                (Part::Asked(a), Part::Asked(b)) => Part::Asked(SearchKey::Or(Box::new(a), Box::new(b))),
                // NOT (NOT a NOT b): with one algebra for sets there is one to be wrong.
                (a, b) => {
                    let neither = vec![self.not(a), self.not(b)];
                    let neither = self.all_of(neither);
                    self.not(neither)
                }
            },
            SearchKey::Not(key) => {
                let part = self.part(key)?;
                self.not(part)
            }
            SearchKey::Sequence(_) | SearchKey::Saved if !self.known.synchronised => {
                return Err(Irreducible::Unsynchronised);
            }
            SearchKey::Sequence(set) => {
                // A number that no message has finds nothing, as in Dovecot. RFC 3501 9 (and RFC 9051 9) says that a server "should" answer
                // BAD to any command that uses one; but a search only asks, the answer is true, and clients written to real servers search
                // ahead of what they know. FETCH, STORE, COPY and MOVE refuse, since there such a number is a mistake.
                Part::Known(translate::existing_positions(set, view))
            }
            SearchKey::Uid(set) => Part::Known(translate::resolve_uids(set, view)),
            SearchKey::Saved => Part::Known(view.intersect_ranges(self.known.saved)),
            SearchKey::Recent => Part::Known(self.recent()),
            SearchKey::Old => Part::Known(self.everything.difference(&self.recent())),
            SearchKey::New => {
                let unseen = SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen)));
                let parts = vec![Part::Known(self.recent()), Part::Asked(unseen)];
                self.all_of(parts)
            }
            SearchKey::ModSeq(ModSeq(from)) => {
                let before = ModSeq(from.saturating_sub(1));
                Part::Known(self.known.mod_seqs.changed_since(before, &self.everything))
            }
            SearchKey::DaysBeforeToday(_) => {
                return Err(Irreducible::NotInSearch("DAYSBEFORETODAY belongs to filters"));
            }
            other => Part::Asked(other.clone()),
        })
    }

    /// By our own mark (F27).
    fn recent(&self) -> UidRanges {
        match self.known.recent_from {
            0 => UidRanges::new(),
            from => self.known.view.intersect_ranges(&UidRanges::from_pairs([(from, u32::MAX)])),
        }
    }

    fn not(&self, part: Part) -> Part {
        match part {
            Part::Known(uids) => Part::Known(self.everything.difference(&uids)),
            Part::Asked(key) => Part::Asked(not(key)),
            Part::Mixed(Reduced { certain, open, key }) => {
                let certain = self.everything.difference(&certain).difference(&open);
                Part::Mixed(Reduced { certain, open, key: not(key) })
            }
        }
    }

    fn all_of(&mut self, parts: Vec<Part>) -> Part {
        let mut within: Option<UidRanges> = None;
        let (mut keys, mut mixed) = (Vec::new(), Vec::new());
        for part in parts {
            let uids = match part {
                Part::Known(uids) => uids,
                Part::Asked(key) => {
                    keys.push(key);
                    continue;
                }
                // Found within a set if upstream says so: a set and a key.
                Part::Mixed(reduced) if reduced.certain.is_empty() => {
                    keys.push(reduced.key);
                    reduced.open
                }
                Part::Mixed(reduced) => {
                    mixed.push(reduced);
                    continue;
                }
            };
            within = Some(match within {
                None => uids,
                Some(within) => within.intersection(&uids),
            });
        }
        if within.as_ref().is_some_and(UidRanges::is_empty) {
            return Part::Known(UidRanges::new());
        }
        if keys.is_empty() && mixed.len() == 1 {
            return match (mixed.pop(), within) {
                (Some(reduced), Some(within)) => narrowed(reduced, &within),
                (Some(reduced), None) => Part::Mixed(reduced),
                (None, _) => Part::Known(UidRanges::new()),
            };
        }
        for reduced in &mixed {
            let key = self.in_words(reduced);
            keys.push(key);
        }
        let key = match keys.len() {
            0 => return Part::Known(within.unwrap_or_else(|| self.everything.clone())),
            1 => keys.pop().unwrap_or(SearchKey::All),
            _ => SearchKey::And(keys),
        };
        match within {
            None => Part::Asked(key),
            Some(open) => Part::Mixed(Reduced { certain: UidRanges::new(), open, key }),
        }
    }

    /// A part with its sets written out, for where upstream must put it together with other parts.
    fn in_words(&mut self, reduced: &Reduced) -> SearchKey {
        let (certain, open) = (self.uid_key(&reduced.certain), self.uid_key(&reduced.open));
        let maybe = SearchKey::And(vec![open, reduced.key.clone()]);
        SearchKey::Or(Box::new(certain), Box::new(maybe))
    }

    /// `UID set`; the empty set, which IMAP cannot write, as a contradiction.
    fn uid_key(&mut self, uids: &UidRanges) -> SearchKey {
        let spans = translate::spans(self.known.view, uids);
        self.ranges = self.ranges.saturating_add(spans.ranges().len());
        if spans.is_empty() {
            return not(SearchKey::All);
        }
        let range = |(a, b): &(u32, u32)| (SetNumber::Number(*a), SetNumber::Number(*b));
        SearchKey::Uid(SequenceSet(spans.ranges().iter().map(range).collect()))
    }
}

/// What of a part lies within a set.
fn narrowed(reduced: Reduced, within: &UidRanges) -> Part {
    let (certain, open) = (reduced.certain.intersection(within), reduced.open.intersection(within));
    if open.is_empty() {
        return Part::Known(certain);
    }
    Part::Mixed(Reduced { certain, open, key: reduced.key })
}

/// A key negated; twice negated is the key itself, so that programs do not grow by being turned round.
fn not(key: SearchKey) -> SearchKey {
    match key {
        SearchKey::Not(key) => *key,
        key => SearchKey::Not(Box::new(key)),
    }
}

/// How deep a program nests.
fn depth(key: &SearchKey) -> usize {
    match key {
        SearchKey::And(keys) => 1 + keys.iter().map(depth).max().unwrap_or(0),
        SearchKey::Or(a, b) => 1 + depth(a).max(depth(b)),
        SearchKey::Not(key) => 1 + depth(key),
        _ => 1,
    }
}
