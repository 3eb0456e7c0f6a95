//! The ordered UID set: chunked by UID, with prefix counts, so that position of a UID (rank) and UID at a position
//! (select) cost two short searches (design D2).
//!
//! Holds membership and nothing else. Refuses more than [`MESSAGES_PER_MAILBOX_MAX`] UIDs, whatever ranges an
//! upstream claims; every other operation costs by what is in the set, never by the width of a range. In go UIDs and
//! [`UidRanges`]; out come positions, UIDs, ranges and, chunk by chunk, bytes for the store.
//!
//! A chunk is a function of its members alone, so equality and hash by field are equality and hash by membership.

mod bits;
mod chunk;
mod stored;
#[cfg(test)]
mod tests;

pub use stored::ChunkDamaged;

use bits::Bits;
use chunk::Chunk;
use pimap_types::limits::MESSAGES_PER_MAILBOX_MAX;
use pimap_types::{MobileSeq, Uid, UidRanges};
use std::fmt;

/// UIDs per chunk. 4096 keeps a bitmap at 512 bytes and the directory of a dense 100 000-message mailbox at 25 slots.
pub const CHUNK_UIDS: u32 = 1 << CHUNK_SHIFT;
const CHUNK_SHIFT: u32 = 12;
const CHUNK_ID_MAX: u32 = u32::MAX >> CHUNK_SHIFT;

/// The set would hold more UIDs than a mailbox may have messages; nothing was added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// How many UIDs the set would hold.
    pub would_hold: u64,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} UIDs exceed the limit of {MESSAGES_PER_MAILBOX_MAX}", self.would_hold)
    }
}

impl std::error::Error for TooMany {}

/// An ordered set of UIDs with rank and select.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct UidSet {
    /// Ascending by `id`; no slot is empty.
    slots: Vec<Slot>,
}

/// One non-empty chunk and its place among the others.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Slot {
    id: u32,
    /// How many UIDs the earlier slots hold.
    before: u32,
    count: u16,
    chunk: Chunk,
}

impl Slot {
    /// `before` is filled in by [`UidSet::recount`].
    fn new(id: u32, bits: &Bits) -> Self {
        Self { id, before: 0, count: bits.count(), chunk: Chunk::pack(bits) }
    }

    fn end(&self) -> u32 {
        self.before + u32::from(self.count)
    }
}

/// The chunk a number falls in, and its offset there.
const fn split(number: u32) -> (u32, u16) {
    (number >> CHUNK_SHIFT, (number % CHUNK_UIDS) as u16)
}

/// The number at an offset of a chunk.
fn join(id: u32, offset: u16) -> u32 {
    (id << CHUNK_SHIFT) | u32::from(offset)
}

impl UidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// The set of the UIDs in `ranges`, unless they are too many.
    pub fn from_ranges(ranges: &UidRanges) -> Result<Self, TooMany> {
        let mut set = Self::new();
        set.insert_ranges(ranges)?;
        Ok(set)
    }

    /// How many UIDs are in the set.
    pub fn len(&self) -> u32 {
        self.slots.last().map_or(0, Slot::end)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether the set holds as many UIDs as a mailbox may have messages, so that nothing can be added.
    pub fn is_full(&self) -> bool {
        self.len() >= MESSAGES_PER_MAILBOX_MAX
    }

    /// Whether the UID is in the set.
    pub fn contains(&self, uid: Uid) -> bool {
        let (id, offset) = split(uid.get());
        self.slot(id).is_some_and(|slot| slot.chunk.contains(offset))
    }

    /// The UID's position, from 1, if it is in the set.
    pub fn rank(&self, uid: Uid) -> Option<MobileSeq> {
        let (id, offset) = split(uid.get());
        let slot = self.slot(id).filter(|slot| slot.chunk.contains(offset))?;
        MobileSeq::new(slot.before + u32::from(slot.chunk.count_below(offset)) + 1)
    }

    /// How many UIDs of the set are below this one, which need not be in it.
    pub fn count_below(&self, uid: Uid) -> u32 {
        self.count_below_number(uid.get())
    }

    /// The UID at a position, if the set reaches that far.
    pub fn select(&self, position: MobileSeq) -> Option<Uid> {
        let index = position.get() - 1;
        let slot = self.slots.get(self.slots.partition_point(|slot| slot.end() <= index))?;
        let offset = slot.chunk.select(u16::try_from(index.checked_sub(slot.before)?).ok()?)?;
        Uid::new(join(slot.id, offset))
    }

    /// The lowest UID.
    pub fn first(&self) -> Option<Uid> {
        self.select(MobileSeq::new(1)?)
    }

    /// The highest UID: what `*` means in a `UID` command on this view.
    pub fn last(&self) -> Option<Uid> {
        self.select(MobileSeq::new(self.len())?)
    }

    /// Adds a UID; whether the set changed. It does not when the UID is there already or the set
    /// [is full](Self::is_full).
    pub fn insert(&mut self, uid: Uid) -> bool {
        if self.is_full() || self.contains(uid) {
            return false;
        }
        let (id, offset) = split(uid.get());
        self.edit(id, |bits| bits.fill(offset, offset));
        true
    }

    /// Takes a UID out; whether it was there.
    pub fn remove(&mut self, uid: Uid) -> bool {
        if !self.contains(uid) {
            return false;
        }
        let (id, offset) = split(uid.get());
        self.edit(id, |bits| bits.clear(offset, offset));
        true
    }

    /// Adds every UID of `ranges`, or nothing when the set would grow past its limit: a lying upstream may claim
    /// `1:4294967295` (F53), and the answer must not depend on how much memory there is.
    pub fn insert_ranges(&mut self, ranges: &UidRanges) -> Result<(), TooMany> {
        let would_hold = u64::from(self.len()) + ranges.len() - self.count_within(ranges);
        if would_hold > u64::from(MESSAGES_PER_MAILBOX_MAX) {
            return Err(TooMany { would_hold });
        }
        let Some((lowest, _)) = ranges.ranges().first() else { return Ok(()) };
        // What lies below the first touched chunk stays where it is: appending, the common case, is cheap.
        let untouched = self.slots.partition_point(|slot| slot.id < split(*lowest).0);
        let mut old = self.slots.split_off(untouched).into_iter().peekable();
        let mut pieces = pieces(ranges).peekable();
        while let Some((id, first, last)) = pieces.next() {
            while let Some(slot) = old.next_if(|slot| slot.id < id) {
                self.slots.push(slot);
            }
            let mut bits = old.next_if(|slot| slot.id == id).map_or(Bits::EMPTY, |slot| slot.chunk.unpack());
            bits.fill(first, last);
            while let Some((_, first, last)) = pieces.next_if(|piece| piece.0 == id) {
                bits.fill(first, last);
            }
            self.slots.push(Slot::new(id, &bits));
        }
        self.slots.extend(old);
        self.recount(untouched);
        Ok(())
    }

    /// Takes every UID of `ranges` out.
    pub fn remove_ranges(&mut self, ranges: &UidRanges) {
        let ranges = ranges.ranges();
        self.slots.retain_mut(|slot| {
            let (lowest, highest) = (join(slot.id, 0), join(slot.id, Bits::LAST));
            let reaching = ranges.get(ranges.partition_point(|range| range.1 < lowest)..).unwrap_or_default();
            let mut touching = reaching.iter().take_while(|range| range.0 <= highest).peekable();
            if touching.peek().is_none() {
                return true;
            }
            let mut bits = slot.chunk.unpack();
            for (first, last) in touching {
                bits.clear(split(lowest.max(*first)).1, split(highest.min(*last)).1);
            }
            *slot = Slot::new(slot.id, &bits);
            slot.count > 0
        });
        self.recount(0);
    }

    /// The set as ranges.
    pub fn to_ranges(&self) -> UidRanges {
        UidRanges::from_pairs(self.ranges_from(0))
    }

    /// Every UID, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.above(None)
    }

    /// The UIDs greater than `floor`, ascending; all of them without a floor.
    pub fn above(&self, floor: Option<Uid>) -> impl Iterator<Item = Uid> + '_ {
        let from = floor.map_or(Some(0), |floor| floor.get().checked_add(1));
        let ranges = from.map(|from| self.ranges_from(from)).into_iter().flatten();
        ranges.flat_map(|(first, last)| first..=last).filter_map(Uid::new)
    }

    /// The UIDs in both. Costs one search per range and then by what is in the set: `1:4294967295` is cheap.
    pub fn intersect_ranges(&self, ranges: &UidRanges) -> UidRanges {
        UidRanges::from_pairs(ranges.ranges().iter().flat_map(|range| self.ranges_within(*range)))
    }

    /// The UIDs in this set that are not in `other`. Chunks that are alike cost one comparison.
    pub fn difference(&self, other: &UidSet) -> UidRanges {
        let mut pairs = Vec::new();
        let mut theirs = other.slots.iter().peekable();
        for slot in &self.slots {
            while theirs.next_if(|their| their.id < slot.id).is_some() {}
            let bits = match theirs.next_if(|their| their.id == slot.id) {
                Some(their) if their.chunk == slot.chunk => continue,
                Some(their) => slot.chunk.unpack().without(&their.chunk.unpack()),
                None => slot.chunk.unpack(),
            };
            pairs.extend(bits.runs().map(|(first, last)| (join(slot.id, first), join(slot.id, last))));
        }
        UidRanges::from_pairs(pairs)
    }

    /// The UIDs at positions `first..=last`; positions outside the set are passed over.
    pub fn at_positions(&self, first: u32, last: u32) -> UidRanges {
        let uid_at = |position| MobileSeq::new(position).and_then(|position| self.select(position));
        match (uid_at(first.max(1)), uid_at(last.min(self.len()))) {
            (Some(lowest), Some(highest)) if lowest <= highest => {
                UidRanges::from_pairs(self.ranges_within((lowest.get(), highest.get())))
            }
            _ => UidRanges::new(),
        }
    }

    /// Bytes held on the heap, without the allocator's own overhead.
    pub fn heap_bytes(&self) -> usize {
        let chunks: usize = self.slots.iter().map(|slot| slot.chunk.heap_bytes()).sum();
        self.slots.capacity() * size_of::<Slot>() + chunks
    }

    /// The chunk a UID falls in.
    pub const fn chunk_of(uid: Uid) -> u32 {
        split(uid.get()).0
    }

    /// The chunks that hold something, ascending.
    pub fn chunk_ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.slots.iter().map(|slot| slot.id)
    }

    fn slot(&self, id: u32) -> Option<&Slot> {
        self.slots.get(self.slots.binary_search_by_key(&id, |slot| slot.id).ok()?)
    }

    /// How many members are below `number`.
    fn count_below_number(&self, number: u32) -> u32 {
        let (id, offset) = split(number);
        match self.slots.get(self.slots.partition_point(|slot| slot.id < id)) {
            Some(slot) if slot.id == id => slot.before + u32::from(slot.chunk.count_below(offset)),
            Some(slot) => slot.before,
            None => self.len(),
        }
    }

    /// How many members are at or below `number`.
    pub(crate) fn count_through(&self, number: u32) -> u32 {
        number.checked_add(1).map_or_else(|| self.len(), |above| self.count_below_number(above))
    }

    /// How many members lie in `ranges`.
    fn count_within(&self, ranges: &UidRanges) -> u64 {
        let within = |(first, last): &(u32, u32)| self.count_through(*last) - self.count_below_number(*first);
        ranges.ranges().iter().map(|range| u64::from(within(range))).sum()
    }

    /// Maximal runs within each chunk, ascending, from `number` up; a run that straddles it is clipped.
    fn ranges_from(&self, number: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let (id, offset) = split(number);
        let reached = self.slots.partition_point(|slot| slot.id < id);
        self.slots.iter().skip(reached).flat_map(move |slot| {
            let from = if slot.id == id { offset } else { 0 };
            slot.chunk.runs(from).map(|(first, last)| (join(slot.id, first), join(slot.id, last)))
        })
    }

    /// The members in `first..=last`, as ranges.
    fn ranges_within(&self, (first, last): (u32, u32)) -> impl Iterator<Item = (u32, u32)> + '_ {
        let reaching = self.ranges_from(first).take_while(move |run| run.0 <= last);
        reaching.map(move |run| (run.0, run.1.min(last)))
    }

    /// Changes one chunk and keeps the slots in order, none of them empty.
    fn edit(&mut self, id: u32, change: impl FnOnce(&mut Bits)) {
        let at = self.slots.partition_point(|slot| slot.id < id);
        let known = self.slots.get_mut(at).filter(|slot| slot.id == id);
        let mut bits = known.as_ref().map_or(Bits::EMPTY, |slot| slot.chunk.unpack());
        change(&mut bits);
        match (known, bits.count()) {
            (Some(_), 0) => drop(self.slots.remove(at)),
            (Some(slot), _) => *slot = Slot::new(id, &bits),
            (None, 0) => {}
            (None, _) => self.slots.insert(at, Slot::new(id, &bits)),
        }
        self.recount(at);
    }

    /// Restores the prefix counts from slot `from` on.
    fn recount(&mut self, from: usize) {
        let mut before = from.checked_sub(1).and_then(|at| self.slots.get(at)).map_or(0, Slot::end);
        for slot in self.slots.iter_mut().skip(from) {
            slot.before = before;
            before = slot.end();
        }
    }
}

/// The ranges cut at chunk borders: chunk, first and last offset.
fn pieces(ranges: &UidRanges) -> impl Iterator<Item = (u32, u16, u16)> + '_ {
    ranges.ranges().iter().flat_map(|&(first, last)| {
        let (low, high) = (split(first), split(last));
        (low.0..=high.0).map(move |id| {
            (id, if id == low.0 { low.1 } else { 0 }, if id == high.0 { high.1 } else { Bits::LAST })
        })
    })
}
