//! Search programs as octets towards upstream. Keys whose meaning depends on a session, on today's date or on sequence
//! numbers are not upstream's to judge (F23, F27, law 4) and are refused; the account owner resolves them before.

use super::request::Unencodable;
use super::request::writer::Writer;
use pimap_types::limits::NESTING_MAX;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::{Date, Flag};

/// Why a program cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SearchFault {
    Octets,
    Key,
}

impl From<Unencodable> for SearchFault {
    fn from(_: Unencodable) -> Self {
        SearchFault::Octets
    }
}

/// Writes a whole program: the keys of a top-level AND stand side by side.
pub(super) fn write_program(out: &mut Writer, key: &SearchKey) -> Result<(), SearchFault> {
    match key {
        SearchKey::And(keys) => write_keys(out, keys, 0),
        key => write_key(out, key, 0),
    }
}

fn write_keys(out: &mut Writer, keys: &[SearchKey], depth: usize) -> Result<(), SearchFault> {
    if keys.is_empty() {
        out.raw("ALL");
    }
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            out.raw(" ");
        }
        write_key(out, key, depth)?;
    }
    Ok(())
}

fn write_key(out: &mut Writer, key: &SearchKey, depth: usize) -> Result<(), SearchFault> {
    // What a handset may nest, and what the account owner wraps around it.
    if depth > NESTING_MAX * 2 {
        return Err(SearchFault::Key);
    }
    let deeper = depth + 1;
    match key {
        SearchKey::All => out.raw("ALL"),
        SearchKey::And(keys) => {
            out.raw("(");
            write_keys(out, keys, deeper)?;
            out.raw(")");
        }
        SearchKey::Or(a, b) => {
            out.raw("OR ");
            write_key(out, a, deeper)?;
            out.raw(" ");
            write_key(out, b, deeper)?;
        }
        SearchKey::Not(inner) => match &**inner {
            SearchKey::Flag(flag) => write_flag(out, flag, true)?,
            inner => {
                out.raw("NOT ");
                write_key(out, inner, deeper)?;
            }
        },
        SearchKey::Flag(flag) => write_flag(out, flag, false)?,
        SearchKey::Larger(n) => write_number(out, "LARGER ", SIZE_MAX.min(*n)),
        SearchKey::Smaller(n) => write_number(out, "SMALLER ", SIZE_MAX.min(*n)),
        SearchKey::Older(seconds) => write_number(out, "OLDER ", *seconds),
        SearchKey::Younger(seconds) => write_number(out, "YOUNGER ", *seconds),
        SearchKey::Before(date) => write_date(out, "BEFORE ", *date),
        SearchKey::On(date) => write_date(out, "ON ", *date),
        SearchKey::Since(date) => write_date(out, "SINCE ", *date),
        SearchKey::SentBefore(date) => write_date(out, "SENTBEFORE ", *date),
        SearchKey::SentOn(date) => write_date(out, "SENTON ", *date),
        SearchKey::SentSince(date) => write_date(out, "SENTSINCE ", *date),
        SearchKey::Header(name, text) => {
            out.raw("HEADER ");
            out.string(name)?;
            out.raw(" ");
            out.string(text)?;
        }
        SearchKey::Field(field, text) => write_text(out, field.as_str(), text)?,
        SearchKey::Body(text) => write_text(out, "BODY", text)?,
        SearchKey::Text(text) => write_text(out, "TEXT", text)?,
        SearchKey::Uid(set) => {
            out.raw("UID ");
            write_set(out, set)?;
        }
        SearchKey::Recent
        | SearchKey::ModSeq(_)
        | SearchKey::New
        | SearchKey::Old
        | SearchKey::DaysBeforeToday(_)
        | SearchKey::Sequence(_)
        | SearchKey::Saved => return Err(SearchFault::Key),
    }
    Ok(())
}

/// `UNSEEN` rather than `NOT SEEN`: small servers answer the word of its own more reliably.
fn write_flag(out: &mut Writer, flag: &Flag, negated: bool) -> Result<(), SearchFault> {
    out.raw(if negated { "UN" } else { "" });
    match flag {
        Flag::Answered => out.raw("ANSWERED"),
        Flag::Flagged => out.raw("FLAGGED"),
        Flag::Deleted => out.raw("DELETED"),
        Flag::Seen => out.raw("SEEN"),
        Flag::Draft => out.raw("DRAFT"),
        Flag::Keyword(word) => {
            out.raw("KEYWORD ");
            out.flag_word(word)?;
        }
    }
    Ok(())
}

fn write_number(out: &mut Writer, word: &str, n: u32) {
    out.raw(word);
    out.number(u64::from(n));
}

/// The largest size that is asked for: Cyrus reads sizes as signed numbers and ends the connection at a larger one, although numbers
/// have 32 bits (RFC 3501 9). Messages of 2 GiB and more are therefore not told apart by size.
const SIZE_MAX: u32 = i32::MAX as u32;

fn write_date(out: &mut Writer, word: &str, date: Date) {
    out.raw(word);
    out.raw(&date.to_string());
}

fn write_text(out: &mut Writer, word: &str, text: &[u8]) -> Result<(), SearchFault> {
    out.raw(word);
    out.raw(" ");
    Ok(out.string(text)?)
}

fn write_set(out: &mut Writer, set: &SequenceSet) -> Result<(), SearchFault> {
    if set.0.is_empty() {
        return Err(SearchFault::Key);
    }
    let number = |out: &mut Writer, n: SetNumber| match n {
        SetNumber::Number(n) => out.number(u64::from(n)),
        SetNumber::Star => out.raw("*"),
    };
    for (at, (first, last)) in set.0.iter().enumerate() {
        if at > 0 {
            out.raw(",");
        }
        number(out, *first);
        if first != last {
            out.raw(":");
            number(out, *last);
        }
    }
    Ok(())
}
