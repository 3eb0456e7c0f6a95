//! From the numbers a handset writes to UIDs, and back, through its client view (P-IMAP 5.1.2, PI-025).
//!
//! Holds the two readings of a sequence set. Refuses positions the view does not have; UIDs it does not have are passed
//! over in silence (RFC 3501 6.4.8), so a hidden message can be neither reached nor found out. In go a [`Target`] and
//! what was told; out come UIDs, all of them visible.

#[cfg(test)]
mod tests;

use crate::UidSet;
use pimap_types::set::SetNumber;
use pimap_types::{MobileSeq, SequenceSet, Target, UidRanges};
use std::fmt;

/// The command names a position that the client view does not have; its answer is BAD (RFC 3501 9, `seq-number`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeyondView {
    /// How many messages the client view has.
    pub messages: u32,
}

impl fmt::Display for BeyondView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message number beyond the {} of the view", self.messages)
    }
}

impl std::error::Error for BeyondView {}

/// The UIDs a command names, of those the handset was told. `saved` is what `$` holds.
pub fn resolve(target: &Target, told: &UidSet, saved: &UidRanges) -> Result<UidRanges, BeyondView> {
    match target {
        Target::Uids(set) => Ok(resolve_uids(set, told)),
        Target::Mobile(set) => resolve_positions(set, told),
        // What was expunged since is not in it any more (RFC 5182 2.1).
        Target::Saved { .. } => Ok(told.intersect_ranges(saved)),
    }
}

/// The UIDs of a set written in UIDs that are in the view. `*` is the highest of the view, so `n:*` names it even
/// when `n` is larger (RFC 3501 6.4.8); on an empty view it names nothing.
pub fn resolve_uids(set: &SequenceSet, told: &UidSet) -> UidRanges {
    told.intersect_ranges(&set.resolve(told.last().map_or(0, |last| last.get())))
}

/// The UIDs at the positions of a set. `*` is the view's last position, not upstream's; on an empty view it is as
/// absent as any number.
pub fn resolve_positions(set: &SequenceSet, told: &UidSet) -> Result<UidRanges, BeyondView> {
    let messages = told.len();
    let exists = |number: &SetNumber| match number {
        SetNumber::Number(number) => (1..=messages).contains(number),
        SetNumber::Star => messages > 0,
    };
    if !set.0.iter().all(|(first, last)| exists(first) && exists(last)) {
        return Err(BeyondView { messages });
    }
    Ok(existing_positions(set, told))
}

/// The same of those positions that there are: for a search, which may ask for any.
pub fn existing_positions(set: &SequenceSet, told: &UidSet) -> UidRanges {
    let mut pairs = Vec::new();
    for (first, last) in set.resolve(told.len()).ranges() {
        pairs.extend_from_slice(told.at_positions(*first, *last).ranges());
    }
    UidRanges::from_pairs(pairs)
}

/// The positions, ascending, of those UIDs that the handset was told: a SEARCH result in message numbers.
pub fn positions(told: &UidSet, uids: &UidRanges) -> Vec<u32> {
    position_ranges(told, uids).into_iter().flat_map(|(first, last)| first..=last).collect()
}

/// The same as ranges: ascending, disjoint and not adjacent.
pub fn position_ranges(told: &UidSet, uids: &UidRanges) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &(first, last) in uids.ranges() {
        let (first, last) = (told.count_through(first.saturating_sub(1)) + 1, told.count_through(last));
        match ranges.last_mut() {
            _ if first > last => {}
            Some(tail) if first <= tail.1 + 1 => tail.1 = last,
            _ => ranges.push((first, last)),
        }
    }
    ranges
}

/// The shortest set that names, of all the handset was told, exactly these: UIDs that it was not told lie within as they
/// please. For a question whose answer is cut to the view.
pub fn spans(told: &UidSet, uids: &UidRanges) -> UidRanges {
    let uid_at = |position| MobileSeq::new(position).and_then(|position| told.select(position));
    let span = |(first, last)| Some((uid_at(first)?.get(), uid_at(last)?.get()));
    UidRanges::from_pairs(position_ranges(told, uids).into_iter().filter_map(span))
}
