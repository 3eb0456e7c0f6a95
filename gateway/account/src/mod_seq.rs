//! Mod-sequences towards handsets: the gateway's own count of what changed in a mailbox (RFC 7162, design D4, F39).
//!
//! Holds one counter a mailbox, and for messages that changed lately the value of their last change. Refuses upstream's mod-sequences,
//! which stay between gateway and upstream. In go changes as they are applied, those of any device's view among them; out come the
//! numbers that handsets are told, and what changed since one of them. How all this stays bounded: docs/adr/0011.

use pimap_session::codec::{Reader, Writer};
use pimap_types::limits::MOD_SEQS_PER_MAILBOX_MAX;
use pimap_types::{ModSeq, Timestamp, Uid, UidRanges};
use pimap_view::UidSet;
use std::collections::{BTreeMap, BTreeSet};

/// The largest mod-sequence (RFC 7162 1).
const HIGHEST: u64 = i64::MAX as u64;
/// UIDs whose values share a stored row.
const UIDS_PER_ROW: u32 = 64;
const VERSION: u8 = 1;

/// The mod-sequences of one mailbox.
///
/// Laws: every message's value is at most `highest`; a change applied after a handset was told `highest` gets a larger value; a message
/// without a value of its own has `floor`, so that what it was before is covered by any number from `floor` up, and a number below it
/// means "everything".
#[derive(Clone, Debug)]
pub(crate) struct ModSeqs {
    highest: u64,
    floor: u64,
    /// Values above `floor`.
    changed: BTreeMap<Uid, u64>,
    /// When a handset was last told any of it; never: nothing is kept one by one, and nothing is stored.
    used: Option<Timestamp>,
    /// There are rows of it.
    stored: bool,
    /// Rows that changed.
    dirty: BTreeSet<u32>,
    dirty_head: bool,
}

impl ModSeqs {
    /// A counter that begins at `start`, before anything was told.
    pub(crate) fn starting(start: u64) -> Self {
        let start = start.clamp(1, HIGHEST);
        Self {
            highest: start,
            floor: start,
            changed: BTreeMap::new(),
            used: None,
            stored: false,
            dirty: BTreeSet::new(),
            dirty_head: false,
        }
    }

    /// The value of the last change.
    pub(crate) fn highest(&self) -> ModSeq {
        ModSeq(self.highest)
    }

    /// Something changed that is no message's: one left.
    pub(crate) fn left(&mut self, uid: Uid) {
        self.raise();
        if self.changed.remove(&uid).is_some() {
            self.dirty.insert(row_of(uid));
        }
    }

    /// A message came, changed its flags, or came into a view.
    pub(crate) fn touch(&mut self, uid: Uid) {
        self.raise();
        if self.used.is_none() {
            self.floor = self.highest;
            return;
        }
        self.changed.insert(uid, self.highest);
        self.dirty.insert(row_of(uid));
        if self.changed.len() > MOD_SEQS_PER_MAILBOX_MAX {
            self.forget_older_half();
        }
    }

    /// A message left a device's view and is still there: nothing of it changed, but the mailbox did.
    pub(crate) fn left_a_view(&mut self) {
        self.raise();
    }

    /// Messages came into a device's view together.
    pub(crate) fn entered(&mut self, uids: &UidRanges) {
        let many = uids.len() > MOD_SEQS_PER_MAILBOX_MAX as u64 / 4;
        if many || (self.used.is_none() && !uids.is_empty()) {
            return self.forget();
        }
        self.raise();
        for uid in uids.iter() {
            self.changed.insert(uid, self.highest);
            self.dirty.insert(row_of(uid));
        }
        if self.changed.len() > MOD_SEQS_PER_MAILBOX_MAX {
            self.forget_older_half();
        }
    }

    /// Nobody can tell what changed: everything counts as changed.
    pub(crate) fn forget(&mut self) {
        self.raise();
        self.floor = self.highest;
        self.dirty.extend(self.changed.keys().map(|uid| row_of(*uid)));
        self.changed.clear();
    }

    fn raise(&mut self) {
        self.highest = self.highest.saturating_add(1).min(HIGHEST);
        self.dirty_head = true;
    }

    /// The floor rises to the middle of what is kept.
    fn forget_older_half(&mut self) {
        let mut values: Vec<u64> = self.changed.values().copied().collect();
        let middle = values.len() / 2;
        let (_, floor, _) = values.select_nth_unstable(middle);
        self.floor = *floor;
        let (floor, dirty) = (self.floor, &mut self.dirty);
        self.changed.retain(|uid, value| {
            let kept = *value > floor;
            if !kept {
                dirty.insert(row_of(*uid));
            }
            kept
        });
    }

    /// A message's value.
    pub(crate) fn of(&self, uid: Uid) -> ModSeq {
        ModSeq(self.changed.get(&uid).copied().unwrap_or(self.floor))
    }

    /// Which of `uids` changed after `since` was the highest.
    pub(crate) fn changed_since(&self, since: ModSeq, uids: &UidRanges) -> UidRanges {
        if since.0 < self.floor {
            return uids.clone();
        }
        let later = self.changed.iter().filter(|(_, value)| **value > since.0).map(|(uid, _)| *uid);
        UidRanges::from_uids(later.filter(|uid| uids.contains(*uid)))
    }

    /// The values of messages as they are now, to be told with them later.
    pub(crate) fn frozen(&self, uids: &UidRanges) -> FrozenModSeqs {
        let values = self.changed.iter().filter(|(uid, _)| uids.contains(**uid));
        FrozenModSeqs { floor: self.floor, changed: values.map(|(uid, value)| (*uid, *value)).collect() }
    }

    // === use and storage ===

    /// A handset is about to be told: from now on changes are kept one by one, and stored. `seldom` is how exactly the time is kept, ms.
    /// True: this was the first time.
    pub(crate) fn tell(&mut self, now: Timestamp, seldom: i64) -> bool {
        let first = self.used.is_none();
        if self.used.is_none_or(|used| now.since_ms(used) >= seldom) {
            self.used = Some(now);
            self.dirty_head = true;
        }
        first
    }

    /// When a handset was last told any of it.
    pub(crate) fn used(&self) -> Option<Timestamp> {
        self.used
    }

    /// Nobody will ask any more: nothing is kept but the counter.
    pub(crate) fn disuse(&mut self) {
        self.forget();
        self.used = None;
    }

    /// The rows that changed, by their keys within the mailbox: `q` the counter, `c` values.
    pub(crate) fn take_rows(&mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut rows = Vec::new();
        let concerned = self.stored || self.used.is_some();
        self.stored = self.used.is_some();
        let head = std::mem::take(&mut self.dirty_head);
        if !concerned {
            self.dirty.clear();
            return rows;
        }
        if head {
            rows.push((b"q".to_vec(), self.used.map(|used| self.head_row(used))));
        }
        for row in std::mem::take(&mut self.dirty) {
            let key = [b"c".as_slice(), &row.to_be_bytes()].concat();
            rows.push((key, self.values_row(row).filter(|_| self.used.is_some())));
        }
        rows
    }

    /// The keys of all rows there may be, to be deleted.
    pub(crate) fn all_keys(&self) -> Vec<Vec<u8>> {
        let rows: BTreeSet<u32> =
            self.changed.keys().map(|uid| row_of(*uid)).chain(self.dirty.iter().copied()).collect();
        let values = rows.iter().map(|row| [b"c".as_slice(), &row.to_be_bytes()].concat());
        std::iter::once(b"q".to_vec()).chain(values).collect()
    }

    fn head_row(&self, used: Timestamp) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.number(self.highest).number(self.floor).signed(used.0);
        w.finish()
    }

    fn values_row(&self, row: u32) -> Option<Vec<u8>> {
        let (first, last) =
            (row.checked_mul(UIDS_PER_ROW)?, row.checked_mul(UIDS_PER_ROW)?.saturating_add(UIDS_PER_ROW - 1));
        let mut values = self.changed.range(Uid::new(first.max(1))?..=Uid::new(last)?).peekable();
        values.peek()?;
        let mut w = Writer::version(VERSION);
        for (uid, value) in values {
            w.number(uid.get().into()).number(*value);
        }
        Some(w.finish())
    }

    /// Reads a row back; `None`: damaged.
    pub(crate) fn read_row(&mut self, key: &[u8], row: &[u8]) -> Option<()> {
        let mut r = Reader::version(row, VERSION)?;
        if key == b"q" {
            (self.highest, self.floor) = (r.number()?.min(HIGHEST), r.number()?.min(HIGHEST));
            self.used = Some(Timestamp(r.signed()?));
            self.stored = true;
            return r.at_end().then_some(());
        }
        while !r.at_end() {
            self.changed.insert(Uid::new(r.small()?)?, r.number()?);
        }
        Some(())
    }
}

fn row_of(uid: Uid) -> u32 {
    uid.get() / UIDS_PER_ROW
}

/// Mod-sequences of a FETCH's messages, as they were when it was asked for: what upstream answers is as new or newer, so that a change
/// in between is told once more rather than not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrozenModSeqs {
    floor: u64,
    changed: BTreeMap<Uid, u64>,
}

impl FrozenModSeqs {
    /// A message's value.
    pub fn of(&self, uid: Uid) -> ModSeq {
        ModSeq(self.changed.get(&uid).copied().unwrap_or(self.floor))
    }
}

/// `known` without what is visible: all that a handset may take for gone (F40). Made here, never from what upstream says: it names
/// nothing that a handset could not tell from what it sees, and misses no departure from a view.
pub(crate) fn vanished(known: &UidRanges, visible: &UidSet) -> UidRanges {
    known.difference(&visible.intersect_ranges(known))
}

#[cfg(test)]
mod tests;
