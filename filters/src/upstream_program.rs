//! The question put to upstream for one of a filter's atoms.
//!
//! In go an atom of [`Filter::upstream_atoms`](crate::Filter::upstream_atoms) and the UIDs whose verdict is
//! wanted; out comes the program of one UID SEARCH. Refuses to name the charset: it belongs to the criteria,
//! and whoever keeps them sends it along.

use pimap_types::UidRanges;
use pimap_types::limits::UPSTREAM_SEARCH_RANGES_MAX;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use std::cmp::Reverse;

#[cfg(test)]
mod tests;

/// `UID set atom`, where the set covers `uids`; `None` when there is nothing to ask.
///
/// A set of more than [`UPSTREAM_SEARCH_RANGES_MAX`] ranges is asked with its smallest gaps closed, so that
/// one burst costs one bounded command and not many. The answer may therefore name other UIDs, as a hostile
/// upstream's may anyway: the caller keeps those of `uids` only.
pub fn upstream_program(atom: &SearchKey, uids: &UidRanges) -> Option<SearchKey> {
    if uids.is_empty() {
        return None;
    }
    let set = covering(uids);
    let set = set.ranges().iter().map(|(first, last)| (SetNumber::Number(*first), SetNumber::Number(*last)));
    Some(SearchKey::And(vec![SearchKey::Uid(SequenceSet(set.collect())), atom.clone()]))
}

/// At most [`UPSTREAM_SEARCH_RANGES_MAX`] ranges that cover `uids`, and the fewest possible others: a set for one command.
pub fn covering(uids: &UidRanges) -> UidRanges {
    UidRanges::from_pairs(close_smallest_gaps(uids.ranges(), UPSTREAM_SEARCH_RANGES_MAX))
}

/// At most `ranges_max` ranges that cover all of `ranges` (ascending and disjoint) and the fewest possible
/// others.
fn close_smallest_gaps(ranges: &[(u32, u32)], ranges_max: usize) -> Vec<(u32, u32)> {
    if ranges.len() <= ranges_max {
        return ranges.to_vec();
    }
    // (size, place) of each gap; the largest ones stay open. Places break ties, so equal sets give equal
    // programs.
    let mut gaps: Vec<(Reverse<u32>, usize)> = ranges
        .windows(2)
        .enumerate()
        .filter_map(|(place, pair)| match pair {
            [left, right] => Some((Reverse(right.0.saturating_sub(left.1)), place)),
            _ => None,
        })
        .collect();
    gaps.sort_unstable();
    gaps.truncate(ranges_max.saturating_sub(1));
    let mut open_after: Vec<usize> = gaps.into_iter().map(|(_, place)| place).collect();
    open_after.sort_unstable();

    let mut open_after = open_after.into_iter().peekable();
    let mut covered: Vec<(u32, u32)> = Vec::with_capacity(ranges_max);
    let mut start = None;
    for (place, (first, last)) in ranges.iter().copied().enumerate() {
        let first = *start.get_or_insert(first);
        if open_after.next_if_eq(&place).is_some() || place + 1 == ranges.len() {
            covered.push((first, last));
            start = None;
        }
    }
    covered
}
