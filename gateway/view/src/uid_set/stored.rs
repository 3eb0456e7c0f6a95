//! A set in the store, chunk by chunk, so that one new message rewrites some bytes and not the mailbox.
//!
//! Holds the two byte forms and their decoder. Refuses bytes that do not make a chunk: they come from a store that may
//! be shared, older, newer or broken. The first byte names the form; a new form takes a new number.
//!
//! ```text
//! 1  runs    for each maximal run: gap, length - 1     each 0..=4095, 7 bits a byte, low ones first
//!            gap: the first run's offset, else the non-members before the run, less the one there must be
//! 2  bitmap  512 bytes, the lowest offset in the lowest bit of the first
//! ```
//!
//! A dense chunk takes 4 bytes, none takes more than 513.

use super::{Bits, CHUNK_ID_MAX, MESSAGES_PER_MAILBOX_MAX, Slot, UidSet};
use std::fmt;

const RUNS: u8 = 1;
const BITMAP: u8 = 2;

/// Stored bytes that do not make a chunk; the set was left as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkDamaged {
    /// The chunk that was to be read.
    pub chunk: u32,
    /// What is wrong with it.
    pub fault: &'static str,
}

impl fmt::Display for ChunkDamaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stored UID chunk {} is damaged: {}", self.chunk, self.fault)
    }
}

impl std::error::Error for ChunkDamaged {}

impl UidSet {
    /// The chunk's bytes for the store; none when nothing is in it, which is stored as absence.
    pub fn encode_chunk(&self, id: u32) -> Option<Vec<u8>> {
        let slot = self.slot(id)?;
        let mut bytes = vec![RUNS];
        let mut expected = 0;
        for (first, last) in slot.chunk.runs(0) {
            push_number(&mut bytes, first - expected);
            push_number(&mut bytes, last - first);
            expected = last + 2;
        }
        if bytes.len() > 1 + Bits::BYTES {
            bytes = vec![BITMAP];
            bytes.extend(slot.chunk.unpack().to_bytes());
        }
        Some(bytes)
    }

    /// Replaces the chunk by what [`encode_chunk`](Self::encode_chunk) gave.
    pub fn decode_chunk(&mut self, id: u32, bytes: &[u8]) -> Result<(), ChunkDamaged> {
        let damaged = |fault| ChunkDamaged { chunk: id, fault };
        if id > CHUNK_ID_MAX {
            return Err(damaged("no UID falls in a chunk of that number"));
        }
        let bits = decode(bytes).map_err(damaged)?;
        if id == 0 && bits.contains(0) {
            return Err(damaged("zero is no UID"));
        }
        let held = self.slot(id).map_or(0, |slot: &Slot| u32::from(slot.count));
        if self.len() - held + u32::from(bits.count()) > MESSAGES_PER_MAILBOX_MAX {
            return Err(damaged("the set would exceed the limit of a mailbox"));
        }
        self.edit(id, |chunk| *chunk = bits);
        Ok(())
    }
}

fn decode(bytes: &[u8]) -> Result<Bits, &'static str> {
    let bits = match bytes.split_first() {
        Some((&RUNS, rest)) => decode_runs(rest)?,
        Some((&BITMAP, rest)) => Bits::from_bytes(rest.try_into().map_err(|_| "a bitmap of the wrong size")?),
        Some(_) => return Err("an unknown form"),
        None => return Err("no bytes"),
    };
    if bits.count() == 0 { Err("an empty chunk is not stored") } else { Ok(bits) }
}

fn decode_runs(mut bytes: &[u8]) -> Result<Bits, &'static str> {
    let mut bits = Bits::EMPTY;
    let mut expected = 0;
    while !bytes.is_empty() {
        // No overflow: `expected` is at most 4097 and a number at most 16383.
        let first = expected + take_number(&mut bytes)?;
        let last = first + take_number(&mut bytes)?;
        if last > Bits::LAST {
            return Err("a run past the end of the chunk");
        }
        bits.fill(first, last);
        expected = last + 2;
    }
    Ok(bits)
}

/// One or two bytes: offsets need 12 bits.
fn push_number(bytes: &mut Vec<u8>, number: u16) {
    let low = (number & 0x7F) as u8;
    match (number >> 7) as u8 {
        0 => bytes.push(low),
        high => bytes.extend([low | 0x80, high]),
    }
}

fn take_number(bytes: &mut &[u8]) -> Result<u16, &'static str> {
    match **bytes {
        [low @ 0..0x80, ref rest @ ..] => {
            *bytes = rest;
            Ok(u16::from(low))
        }
        [low, high @ 1..0x80, ref rest @ ..] => {
            *bytes = rest;
            Ok(u16::from(low & 0x7F) | u16::from(high) << 7)
        }
        [_, _, ..] => Err("a number too long"),
        _ => Err("the bytes end within a run"),
    }
}
