//! What CONDSTORE and QRESYNC add to SELECT, FETCH and STORE (RFC 7162 7). Sets hold no `*`: what a handset knows has no end
//! that moves.

use super::{DecodeError, Parsed, Scanner, sequence_set};
use crate::search::partial_range;
use pimap_types::command::FetchModifiers;
use pimap_types::mod_seq::{ChangedSince, Qresync, SelectParameters};
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{ModSeq, UidRanges, UidValidity};

/// `mod-sequence-valzer`: 63 bits, zero among them.
pub(crate) fn value_or_zero(scanner: &mut Scanner<'_>) -> Parsed<ModSeq> {
    let digits = scanner.run(|byte| byte.is_ascii_digit());
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
    let value = number.filter(|n| i64::try_from(*n).is_ok());
    value.map(ModSeq).ok_or(DecodeError::bad("expected a mod-sequence of 63 bits"))
}

/// `mod-sequence-value`
fn value(scanner: &mut Scanner<'_>) -> Parsed<ModSeq> {
    match value_or_zero(scanner)? {
        ModSeq(0) => Err(DecodeError::bad("a mod-sequence is not zero")),
        value => Ok(value),
    }
}

/// `[SP "(" select-param *(SP select-param) ")"]`
pub(super) fn select_parameters(scanner: &mut Scanner<'_>) -> Parsed<SelectParameters> {
    let mut parameters = SelectParameters::default();
    if !scanner.more() {
        return Ok(parameters);
    }
    // RFC 4466 2.1 wants one at least; clients that put the command together from pieces send none.
    if scanner.rest().starts_with(b"()") {
        scanner.take(2);
        return Ok(parameters);
    }
    scanner.list(|scanner| {
        match scanner.atom("a parameter of SELECT")?.to_ascii_uppercase().as_str() {
            "CONDSTORE" => parameters.condstore = true,
            "QRESYNC" if parameters.qresync.is_none() => parameters.qresync = Some(qresync(scanner)?),
            _ => return Err(DecodeError::bad("unknown parameter of SELECT")),
        }
        Ok(())
    })?;
    Ok(parameters)
}

/// `SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
fn qresync(scanner: &mut Scanner<'_>) -> Parsed<Qresync> {
    scanner.space()?;
    scanner.expect(b'(', "a parenthesised list")?;
    let uid_validity = UidValidity::new(scanner.nonzero_number()?);
    let uid_validity = uid_validity.ok_or(DecodeError::bad("expected a UIDVALIDITY"))?;
    scanner.space()?;
    let since = value(scanner)?;
    let mut known = None;
    let mut more = scanner.accept(b' ');
    if more && scanner.peek() != Some(b'(') {
        known = Some(plain_set(scanner)?.resolve(0));
        more = scanner.accept(b' ');
    }
    if more {
        sequence_match(scanner)?;
    }
    scanner.expect(b')', "a closing parenthesis")?;
    Ok(Qresync { uid_validity, since, known })
}

/// `"(" known-sequence-set SP known-uid-set ")"`: checked and passed over. It tells how far the handset's numbers are those of now,
/// so that fewer UIDs need be named. In a view where old messages come back that conclusion is false: as many may have come as went.
fn sequence_match(scanner: &mut Scanner<'_>) -> Parsed<()> {
    scanner.expect(b'(', "a parenthesised list")?;
    let numbers = plain_set(scanner)?;
    scanner.space()?;
    let uids = plain_set(scanner)?;
    scanner.expect(b')', "a closing parenthesis")?;
    let (numbers, uids): (UidRanges, UidRanges) = (numbers.resolve(0), uids.resolve(0));
    if numbers.len() == uids.len() {
        Ok(())
    } else {
        Err(DecodeError::bad("as many sequence numbers as UIDs are to be given"))
    }
}

/// A set without `*`.
fn plain_set(scanner: &mut Scanner<'_>) -> Parsed<SequenceSet> {
    let set = sequence_set(scanner)?;
    let star = |(first, last): &(SetNumber, SetNumber)| [first, last].contains(&&SetNumber::Star);
    if set.0.iter().any(star) { Err(DecodeError::bad("* cannot stand here")) } else { Ok(set) }
}

/// `[SP "(" modifier *(SP modifier) ")"]`, in any order: `CHANGEDSINCE` SP mod-sequence-value, `VANISHED`, `PARTIAL` SP partial-range
/// (RFC 9394 3.3).
pub(super) fn fetch_modifiers(scanner: &mut Scanner<'_>, by_uid: bool) -> Parsed<FetchModifiers> {
    if !scanner.more() {
        return Ok(FetchModifiers::default());
    }
    let (mut since, mut vanished, mut partial) = (None, false, None);
    scanner.list(|scanner| {
        match scanner.atom("a modifier of FETCH")?.to_ascii_uppercase().as_str() {
            "CHANGEDSINCE" if since.is_none() => {
                scanner.space()?;
                since = Some(value(scanner)?);
            }
            "VANISHED" => vanished = true,
            "PARTIAL" if partial.is_none() => partial = Some(partial_range(scanner)?),
            _ => return Err(DecodeError::bad("unknown modifier of FETCH")),
        }
        Ok(())
    })?;
    let changed = match since {
        // RFC 7162 3.2.6: only with UID FETCH, and never alone.
        Some(_) if vanished && !by_uid => return Err(DecodeError::bad("VANISHED belongs to UID FETCH")),
        Some(since) => Some(ChangedSince { since, vanished }),
        None if vanished => return Err(DecodeError::bad("VANISHED needs CHANGEDSINCE")),
        None => None,
    };
    Ok(FetchModifiers { partial, changed })
}

/// `[SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"]`, before the flags.
pub(super) fn unchanged_since(scanner: &mut Scanner<'_>) -> Parsed<Option<ModSeq>> {
    if !scanner.rest().starts_with(b" (") {
        return Ok(None);
    }
    scanner.space()?;
    scanner.expect(b'(', "a parenthesised list")?;
    if !scanner.atom("a modifier of STORE")?.eq_ignore_ascii_case("UNCHANGEDSINCE") {
        return Err(DecodeError::bad("unknown modifier of STORE"));
    }
    scanner.space()?;
    let value = value_or_zero(scanner)?;
    scanner.expect(b')', "a closing parenthesis")?;
    Ok(Some(value))
}
