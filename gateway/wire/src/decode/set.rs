//! `sequence-set` (RFC 3501 9), and `$` in its place (RFC 5182 3). Reversed ranges and repetition are legal, `0` is not.

use super::{DecodeError, Parsed, Scanner};
use pimap_types::Target;
use pimap_types::limits::SET_RANGES_MAX;
use pimap_types::set::{SequenceSet, SetNumber};

/// Reads the messages that a command names.
pub(super) fn target(by_uid: bool, scanner: &mut Scanner<'_>) -> Parsed<Target> {
    if scanner.accept(b'$') {
        return Ok(Target::Saved { by_uid });
    }
    let set = sequence_set(scanner)?;
    Ok(if by_uid { Target::Uids(set) } else { Target::Mobile(set) })
}

/// Reads a set as written.
pub(crate) fn sequence_set(scanner: &mut Scanner<'_>) -> Parsed<SequenceSet> {
    let mut ranges = Vec::new();
    loop {
        if ranges.len() >= SET_RANGES_MAX {
            return Err(DecodeError::bad("too many ranges in a set"));
        }
        let first = set_number(scanner)?;
        let last = if scanner.accept(b':') { set_number(scanner)? } else { first };
        ranges.push((first, last));
        if !scanner.accept(b',') {
            return Ok(SequenceSet(ranges));
        }
    }
}

fn set_number(scanner: &mut Scanner<'_>) -> Parsed<SetNumber> {
    if scanner.accept(b'*') { Ok(SetNumber::Star) } else { scanner.nonzero_number().map(SetNumber::Number) }
}
