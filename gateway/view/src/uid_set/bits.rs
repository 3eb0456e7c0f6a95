//! One chunk as 4096 bits: the form every change is made in, and the stored form of the irregular chunks.
//!
//! Holds bit arithmetic on offsets. Refuses to know UIDs. An offset past the chunk is never a member and never an
//! error; words are reached through a mask, so no offset can miss the array.

use super::CHUNK_UIDS;

const WORDS: usize = CHUNK_UIDS as usize / 64;

/// Membership of one chunk, bit by bit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Bits([u64; WORDS]);

impl Bits {
    /// No member.
    pub(super) const EMPTY: Self = Self([0; WORDS]);
    /// The highest offset.
    pub(super) const LAST: u16 = CHUNK_UIDS as u16 - 1;
    /// Size as bytes, in memory and stored.
    pub(super) const BYTES: usize = WORDS * 8;

    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut bits = Self::EMPTY;
        for (word, bytes) in bits.0.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        bits
    }

    pub(super) fn to_bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().flat_map(|word| word.to_le_bytes())
    }

    pub(super) fn contains(&self, offset: u16) -> bool {
        offset <= Self::LAST && self.word(offset) >> (offset % 64) & 1 == 1
    }

    pub(super) fn count(&self) -> u16 {
        ones(&self.0)
    }

    /// How many maximal runs of members there are.
    pub(super) fn run_count(&self) -> usize {
        let (mut runs, mut carry) = (0, 0);
        for word in &self.0 {
            runs += (word & !(word << 1 | carry)).count_ones() as usize;
            carry = word >> 63;
        }
        runs
    }

    pub(super) fn count_below(&self, offset: u16) -> u16 {
        if offset > Self::LAST {
            return self.count();
        }
        let (whole, _) = self.0.split_at(index(offset));
        ones(whole) + (self.word(offset) & !(u64::MAX << (offset % 64))).count_ones() as u16
    }

    /// The offset of the member that has `index` members below it.
    pub(super) fn select(&self, mut index: u16) -> Option<u16> {
        for (base, word) in (0u16..).step_by(64).zip(&self.0) {
            let here = word.count_ones() as u16;
            if index < here {
                let rest = (0..index).fold(*word, |rest, _| rest & (rest - 1));
                return Some(base + rest.trailing_zeros() as u16);
            }
            index -= here;
        }
        None
    }

    pub(super) fn fill(&mut self, first: u16, last: u16) {
        self.change(first, last, |word, mask| *word |= mask);
    }

    pub(super) fn clear(&mut self, first: u16, last: u16) {
        self.change(first, last, |word, mask| *word &= !mask);
    }

    /// The members that are not in `other`.
    pub(super) fn without(mut self, other: &Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
        self
    }

    /// Maximal runs of members, ascending.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        runs_of(0, |from| self.next_run(from))
    }

    /// The first run of members at or after `from`, clipped to begin there.
    pub(super) fn next_run(&self, from: u16) -> Option<(u16, u16)> {
        let first = self.next(from, |word| word)?;
        // Above the last set bit there is always a clear one, or the end of the chunk.
        let end = self.next(first, |word| !word).unwrap_or(CHUNK_UIDS as u16);
        Some((first, end - 1))
    }

    /// The first offset at or after `from` whose bit is set once `look` was applied.
    fn next(&self, from: u16, look: impl Fn(u64) -> u64) -> Option<u16> {
        if from > Self::LAST {
            return None;
        }
        let rest = look(self.word(from)) & (u64::MAX << (from % 64));
        if rest != 0 {
            return Some((from & !63) + rest.trailing_zeros() as u16);
        }
        let words = (0u16..).step_by(64).zip(&self.0).skip(index(from) + 1);
        let (base, rest) = words.map(|(base, word)| (base, look(*word))).find(|(_, rest)| *rest != 0)?;
        Some(base + rest.trailing_zeros() as u16)
    }

    fn change(&mut self, first: u16, last: u16, apply: impl Fn(&mut u64, u64)) {
        let words = (0u16..).step_by(64).zip(&mut self.0);
        for (base, word) in words.skip(index(first)).take_while(|(base, _)| *base <= last) {
            let above = u64::MAX << first.saturating_sub(base);
            let below = u64::MAX >> (base + 63).saturating_sub(last);
            apply(word, above & below);
        }
    }

    fn word(&self, offset: u16) -> u64 {
        self.0[index(offset)]
    }
}

/// The word an offset falls in; masked, so that it is always one of them.
fn index(offset: u16) -> usize {
    usize::from(offset / 64) % WORDS
}

fn ones(words: &[u64]) -> u16 {
    words.iter().map(|word| word.count_ones() as u16).sum()
}

/// Walks runs by asking for the next one; offsets end at 4095, so one past the last still fits.
pub(super) fn runs_of(
    mut from: u16,
    next_run: impl Fn(u16) -> Option<(u16, u16)>,
) -> impl Iterator<Item = (u16, u16)> {
    std::iter::from_fn(move || {
        let run = next_run(from)?;
        from = run.1 + 1;
        Some(run)
    })
}
