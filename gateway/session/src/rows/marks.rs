//! Marks as rows: those of 64 UIDs share one, so that an event costs a few octets of it and not a row with a key of its own.
//!
//! Holds the coding of a group and of the row that each mark had before there were groups. Refuses what neither wrote.
//!
//! ```text
//! version 3 · keywords: number, each a text · marks: number, each, ascending:
//!   octet  0..=5 the UID's place in the group   6..=7 presence
//!   octet  0 pushed   1 own   2 flags   3 keywords   the others zero
//!   flags:    octet  0 \Answered  1 \Flagged  2 \Deleted  3 \Seen  4 \Draft   the others zero
//!   keywords: number, each its place among the keywords above
//! ```
//!
//! A new message that nobody has flagged takes three octets.

use super::{VERSION, read_class, read_flags};
use crate::codec::{Reader, Writer};
use crate::mark::{Class, Mark, Presence};
use pimap_types::{Flag, Flags, Uid};
use std::collections::BTreeMap;

/// UIDs whose marks share a row.
const UIDS: u32 = 64;
const GROUP_VERSION: u8 = 3;
const SYSTEM: [Flag; 5] = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft];

const PUSHED: u8 = 1;
const OWN: u8 = 2;
const FLAGS: u8 = 4;
const KEYWORDS: u8 = 8;

/// The group that a UID's mark is in.
pub(crate) fn group_of(uid: Uid) -> u32 {
    uid.get() / UIDS
}

/// The row of a group; none when nothing is marked in it.
pub(super) fn group_row(marks: &BTreeMap<Uid, Mark>, group: u32) -> Option<Vec<u8>> {
    let first = group.checked_mul(UIDS)?;
    let last = Uid::new(first.saturating_add(UIDS - 1))?;
    let marks = marks.range(Uid::new(first.max(1))?..=last);
    let mut keywords: Vec<&str> = marks.clone().flat_map(|(_, mark)| keywords_of(mark)).collect();
    keywords.sort_unstable();
    keywords.dedup();
    let mut w = Writer::version(GROUP_VERSION);
    w.number(keywords.len() as u64);
    for word in &keywords {
        w.text(word);
    }
    let count = marks.clone().count();
    w.number(count as u64);
    for (uid, mark) in marks {
        write_mark(&mut w, (uid.get() - first) as u8, mark, &keywords);
    }
    (count > 0).then(|| w.finish())
}

fn keywords_of(mark: &Mark) -> impl Iterator<Item = &str> {
    mark.flags.iter().flat_map(Flags::iter).filter_map(|flag| match flag {
        Flag::Keyword(word) => Some(&**word),
        _ => None,
    })
}

fn write_mark(w: &mut Writer, place: u8, mark: &Mark, keywords: &[&str]) {
    let presence = match mark.presence {
        Presence::Same => 0,
        Presence::Arrived => 1,
        Presence::Gone => 2,
    };
    let its: Vec<&str> = keywords_of(mark).collect();
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    w.octet(place | presence << 6).octet(
        bit(mark.class == Class::Pushed, PUSHED)
            | bit(mark.own, OWN)
            | bit(mark.flags.is_some(), FLAGS)
            | bit(!its.is_empty(), KEYWORDS),
    );
    if let Some(flags) = &mark.flags {
        let set = SYSTEM.iter().enumerate().filter(|(_, flag)| flags.iter().any(|f| f == *flag));
        w.octet(set.fold(0, |octet, (place, _)| octet | 1 << place));
    }
    if !its.is_empty() {
        w.number(its.len() as u64);
        for word in its {
            w.number(keywords.partition_point(|known| *known < word) as u64);
        }
    }
}

/// Reads a group's row; `None`: damaged.
pub(super) fn read_group(row: &[u8], group: u32, marks: &mut BTreeMap<Uid, Mark>) -> Option<()> {
    let first = group.checked_mul(UIDS)?;
    let mut r = Reader::version(row, GROUP_VERSION)?;
    let mut keywords = Vec::new();
    for _ in 0..r.number()? {
        keywords.push(Flag::parse(r.text()?)?);
    }
    for _ in 0..r.number()? {
        let (place, bits) = (r.octet()?, r.octet()?);
        let presence = match place >> 6 {
            0 => Presence::Same,
            1 => Presence::Arrived,
            2 => Presence::Gone,
            _ => return None,
        };
        if bits > PUSHED | OWN | FLAGS | KEYWORDS || bits & (FLAGS | KEYWORDS) == KEYWORDS {
            return None;
        }
        let flags = if bits & FLAGS == 0 { None } else { Some(read_bits(&mut r, bits, &keywords)?) };
        let class = if bits & PUSHED == 0 { Class::Polled } else { Class::Pushed };
        let uid = Uid::new(first.checked_add(u32::from(place & 0x3F))?)?;
        marks.insert(uid, Mark { presence, flags, class, own: bits & OWN != 0 });
    }
    r.at_end().then_some(())
}

fn read_bits(r: &mut Reader, bits: u8, keywords: &[Flag]) -> Option<Flags> {
    let octet = r.octet()?;
    if octet >> SYSTEM.len() != 0 {
        return None;
    }
    let set = SYSTEM.iter().enumerate().filter(|(place, _)| octet >> place & 1 == 1);
    let mut flags: Vec<Flag> = set.map(|(_, flag)| flag.clone()).collect();
    if bits & KEYWORDS != 0 {
        for _ in 0..r.number()? {
            flags.push(keywords.get(usize::try_from(r.number()?).ok()?)?.clone());
        }
    }
    Some(Flags::new(flags))
}

/// Reads the row that a mark had for itself up to version 2.
pub(super) fn read_single(row: &[u8]) -> Option<Mark> {
    let mut r = Reader::version(row, VERSION)?;
    let presence = match r.number()? {
        0 => Presence::Same,
        1 => Presence::Arrived,
        2 => Presence::Gone,
        _ => return None,
    };
    let class = read_class(&mut r)?;
    let own = r.flag()?;
    let flags = if r.flag()? { Some(read_flags(&mut r)?) } else { None };
    r.at_end().then_some(Mark { presence, flags, class, own })
}
