//! One chunk at rest, in the cheapest of three forms: runs for what is mostly there, an array for what is mostly not,
//! a bitmap for the rest; never above 512 bytes.
//!
//! Holds look-ups. Refuses change: a chunk is unpacked to [`Bits`], changed and packed again (some hundred
//! nanoseconds), so the form follows from the members alone and cannot depend on the road that led to them.

use super::bits::{Bits, runs_of};

/// Members of one chunk; which form is a function of the members.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Chunk {
    /// Maximal runs, first and last offset, ascending.
    Runs(Box<[(u16, u16)]>),
    /// Offsets, ascending.
    Array(Box<[u16]>),
    /// One bit each.
    Bitmap(Box<Bits>),
}

impl Chunk {
    pub(super) fn pack(bits: &Bits) -> Self {
        let runs = bits.run_count() * size_of::<(u16, u16)>();
        let array = usize::from(bits.count()) * size_of::<u16>();
        if runs <= array.min(Bits::BYTES) {
            Self::Runs(bits.runs().collect())
        } else if array <= Bits::BYTES {
            Self::Array(bits.runs().flat_map(|(first, last)| first..=last).collect())
        } else {
            Self::Bitmap(Box::new(bits.clone()))
        }
    }

    pub(super) fn unpack(&self) -> Bits {
        let mut bits = Bits::EMPTY;
        match self {
            Self::Runs(runs) => runs.iter().for_each(|(first, last)| bits.fill(*first, *last)),
            Self::Array(offsets) => offsets.iter().for_each(|offset| bits.fill(*offset, *offset)),
            Self::Bitmap(packed) => bits = (**packed).clone(),
        }
        bits
    }

    pub(super) fn contains(&self, offset: u16) -> bool {
        match self {
            Self::Runs(runs) => runs.get(reached(runs, offset)).is_some_and(|(first, _)| *first <= offset),
            Self::Array(offsets) => offsets.binary_search(&offset).is_ok(),
            Self::Bitmap(bits) => bits.contains(offset),
        }
    }

    pub(super) fn count_below(&self, offset: u16) -> u16 {
        match self {
            Self::Runs(runs) => {
                let begun = runs.iter().take_while(|(first, _)| *first < offset);
                begun.map(|(first, last)| offset.min(last + 1) - first).sum()
            }
            Self::Array(offsets) => offsets.partition_point(|member| *member < offset) as u16,
            Self::Bitmap(bits) => bits.count_below(offset),
        }
    }

    /// The offset of the member that has `index` members below it.
    pub(super) fn select(&self, mut index: u16) -> Option<u16> {
        match self {
            Self::Runs(runs) => runs.iter().find_map(|(first, last)| {
                let here = last - first + 1;
                if index < here {
                    return Some(first + index);
                }
                index -= here;
                None
            }),
            Self::Array(offsets) => offsets.get(usize::from(index)).copied(),
            Self::Bitmap(bits) => bits.select(index),
        }
    }

    /// Maximal runs at or after `from`, ascending; the first is clipped to begin there.
    pub(super) fn runs(&self, from: u16) -> impl Iterator<Item = (u16, u16)> + '_ {
        runs_of(from, |from| self.next_run(from))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Runs(runs) => size_of_val(&**runs),
            Self::Array(offsets) => size_of_val(&**offsets),
            Self::Bitmap(_) => Bits::BYTES,
        }
    }

    fn next_run(&self, from: u16) -> Option<(u16, u16)> {
        match self {
            Self::Runs(runs) => runs.get(reached(runs, from)).map(|(first, last)| (*first.max(&from), *last)),
            Self::Array(offsets) => {
                let mut rest = offsets.iter().skip(offsets.partition_point(|member| *member < from)).copied();
                let first = rest.next()?;
                let consecutive = (first + 1..).zip(rest).take_while(|(expected, member)| expected == member);
                Some((first, consecutive.last().map_or(first, |(last, _)| last)))
            }
            Self::Bitmap(bits) => bits.next_run(from),
        }
    }
}

/// The first run that ends at or after `offset`.
fn reached(runs: &[(u16, u16)], offset: u16) -> usize {
    runs.partition_point(|(_, last)| *last < offset)
}
