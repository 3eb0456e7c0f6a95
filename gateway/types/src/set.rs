//! Sets as they stand in commands and responses: short lists of ranges. The large sets that back views live in the
//! view room.

use crate::number::Uid;

/// A normalised set of UIDs: ascending, disjoint, non-adjacent inclusive ranges.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct UidRanges {
    ranges: Vec<(u32, u32)>,
}

impl UidRanges {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Builds the set from inclusive pairs in any order; zeroes are clipped to 1, reversed pairs are turned round.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut all: Vec<(u32, u32)> =
            pairs.into_iter().map(|(a, b)| (a.min(b).max(1), a.max(b))).filter(|(_, b)| *b > 0).collect();
        all.sort_unstable();
        let mut set = Self::new();
        for (first, last) in all {
            set.push_range(first, last);
        }
        set
    }

    /// The set of one UID.
    pub fn one(uid: Uid) -> Self {
        Self { ranges: vec![(uid.get(), uid.get())] }
    }

    /// Builds the set from UIDs in any order.
    pub fn from_uids(uids: impl IntoIterator<Item = Uid>) -> Self {
        Self::from_pairs(uids.into_iter().map(|u| (u.get(), u.get())))
    }

    /// Appends a range whose first number is not below the last range's first; merges where they touch.
    fn push_range(&mut self, first: u32, last: u32) {
        match self.ranges.last_mut() {
            Some(tail) if first <= tail.1.saturating_add(1) => tail.1 = tail.1.max(last),
            _ => self.ranges.push((first, last)),
        }
    }

    /// Inclusive ranges, ascending.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many UIDs are in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(a, b)| u64::from(b - a) + 1).sum()
    }

    /// Whether the UID is in the set.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < uid.get());
        self.ranges.get(at).is_some_and(|(first, _)| *first <= uid.get())
    }

    /// The UIDs from the `first` to the `last` of them, counted from 1; those of these places that there are.
    pub fn at_places(&self, first: u64, last: u64) -> UidRanges {
        let (mut before, mut out) = (0_u64, Vec::new());
        for (low, high) in self.ranges.iter().copied() {
            let count = u64::from(high - low) + 1;
            // Places within this range, from zero; `to` is one behind the last.
            let from = first.max(1).saturating_sub(1).saturating_sub(before).min(count);
            let to = last.saturating_sub(before).min(count);
            if from < to {
                let at = |place: u64| low.saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
                out.push((at(from), at(to - 1)));
            }
            before += count;
        }
        UidRanges { ranges: out }
    }

    /// Every UID, ascending. Large ranges are walked lazily.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|(a, b)| *a..=*b).filter_map(Uid::new)
    }

    /// Adds every UID of `other`.
    pub fn extend(&mut self, other: &UidRanges) {
        let merged = self.ranges.iter().chain(&other.ranges).copied();
        *self = Self::from_pairs(merged.collect::<Vec<_>>());
    }

    /// Adds one UID.
    pub fn insert(&mut self, uid: Uid) {
        match self.ranges.last_mut() {
            Some(tail) if uid.get() == tail.1.wrapping_add(1) => tail.1 = uid.get(),
            Some(tail) if uid.get() <= tail.1 => self.extend(&UidRanges::one(uid)),
            _ => self.ranges.push((uid.get(), uid.get())),
        }
    }

    /// The UIDs of this set that are not in `other`.
    pub fn difference(&self, other: &UidRanges) -> UidRanges {
        let mut out = Vec::new();
        let mut holes = other.ranges.iter().peekable();
        for (first, last) in self.ranges.iter().copied() {
            while holes.next_if(|hole| hole.1 < first).is_some() {}
            // What is left of this range; nothing once a hole reaches its end.
            let mut from = Some(first);
            while let Some(start) = from {
                let Some(hole) = holes.peek().filter(|hole| hole.0 <= last) else {
                    out.push((start, last));
                    break;
                };
                if start < hole.0 {
                    out.push((start, hole.0 - 1));
                }
                from = hole.1.checked_add(1).filter(|next| *next <= last);
                if from.is_some() {
                    holes.next();
                }
            }
        }
        UidRanges { ranges: out }
    }

    /// The UIDs in both sets.
    pub fn intersection(&self, other: &UidRanges) -> UidRanges {
        let (mut i, mut j, mut out) = (0, 0, Vec::new());
        while let (Some(a), Some(b)) = (self.ranges.get(i), other.ranges.get(j)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                out.push((first, last));
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        UidRanges { ranges: out }
    }
}

/// A number of a sequence set: a plain one, or `*`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SetNumber {
    /// A number from 1 up.
    Number(u32),
    /// `*`: the largest number in use.
    Star,
}

/// A sequence set as written (RFC 3501 9, `sequence-set`): not yet resolved against any view.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SequenceSet(pub Vec<(SetNumber, SetNumber)>);

impl SequenceSet {
    /// Resolves `*` to `star` and normalises. With `star` 0 (nothing there) an element that holds `*` is left out,
    /// a range `n:*` included.
    pub fn resolve(&self, star: u32) -> UidRanges {
        let value = |n: SetNumber| match n {
            SetNumber::Number(n) => n,
            SetNumber::Star => star,
        };
        UidRanges::from_pairs(
            self.0.iter().map(|(a, b)| (value(*a), value(*b))).filter(|(a, b)| *a > 0 && *b > 0),
        )
    }

    /// The largest plain number written, if any.
    pub fn largest_number(&self) -> Option<u32> {
        let plain = |n: &SetNumber| match n {
            SetNumber::Number(n) => Some(*n),
            SetNumber::Star => None,
        };
        self.0.iter().flat_map(|(a, b)| [plain(a), plain(b)]).flatten().max()
    }
}
