//! From the numbers a handset writes to UIDs, and back, through its client view (P-IMAP 5.1.2, PI-025).
//!
//! Holds the two readings of a sequence set. Refuses positions the view does not have; UIDs it does not have are passed
//! over in silence (RFC 3501 6.4.8), so a hidden message can be neither reached nor found out. In go a [`Target`] and
//! what was told; out come UIDs, all of them visible.

#[cfg(test)]
mod tests;

use crate::UidSet;
use pimap_types::set::SetNumber;
use pimap_types::{SequenceSet, Target, UidRanges};
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

/// The UIDs a command names, of those the handset was told.
pub fn resolve(target: &Target, told: &UidSet) -> Result<UidRanges, BeyondView> {
    match target {
        Target::Uids(set) => Ok(resolve_uids(set, told)),
        Target::Mobile(set) => resolve_positions(set, told),
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
    let mut pairs = Vec::new();
    for (first, last) in set.resolve(messages).ranges() {
        pairs.extend_from_slice(told.at_positions(*first, *last).ranges());
    }
    Ok(UidRanges::from_pairs(pairs))
}

/// The positions, ascending, of those UIDs that the handset was told: a SEARCH result in message numbers.
pub fn positions(told: &UidSet, uids: &UidRanges) -> Vec<u32> {
    let span = |&(first, last): &(u32, u32)| {
        told.count_through(first.saturating_sub(1)) + 1..=told.count_through(last)
    };
    uids.ranges().iter().flat_map(span).collect()
}
