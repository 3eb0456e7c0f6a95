//! Commands on messages by number or by UID: FETCH, STORE, SEARCH, SORT, THREAD, COPY, MOVE, UID EXPUNGE (RFC 3501 6.4,
//! RFC 5256, RFC 6851, RFC 4315).

use super::mailbox::argument;
use super::section::{binary_item, binary_part, section_item};
use super::set::target;
use super::{DecodeError, Parsed, Scanner, mod_seq};
use crate::search;
use pimap_types::command::{FetchItem, StoreChange, StoreMode};
use pimap_types::{Command, Flag, Flags};
use std::collections::HashSet;

/// The form whose numbers are positions in the client view.
pub(super) fn by_number(name: &str, scanner: &mut Scanner<'_>) -> Parsed<Command> {
    numbered(name, false, scanner)
}

/// The arguments of UID.
pub(super) fn by_uid(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let name = scanner.atom("a command after UID")?.to_ascii_uppercase();
    if name == "EXPUNGE" {
        scanner.space()?;
        return target(true, scanner).map(Command::UidExpunge);
    }
    numbered(&name, true, scanner)
}

fn numbered(name: &str, by_uid: bool, scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let messages = |scanner: &mut Scanner<'_>| {
        scanner.space()?;
        target(by_uid, scanner)
    };
    match name {
        "FETCH" => {
            let (target, items) = (messages(scanner)?, fetch_items(scanner)?);
            Ok(Command::Fetch(target, items, mod_seq::fetch_modifiers(scanner, by_uid)?))
        }
        "STORE" => {
            let (target, unchanged_since) = (messages(scanner)?, mod_seq::unchanged_since(scanner)?);
            Ok(Command::Store(target, store_change(scanner)?, unchanged_since))
        }
        "COPY" => Ok(Command::Copy(messages(scanner)?, argument(scanner)?)),
        "MOVE" => Ok(Command::Move(messages(scanner)?, argument(scanner)?)),
        "SEARCH" => {
            scanner.space()?;
            let returns = search::return_options(scanner)?;
            let (charset, program) = search::search_arguments(scanner)?;
            Ok(Command::Search { by_uid, returns, charset, program })
        }
        "SORT" => {
            scanner.space()?;
            let criteria = search::sort_criteria(scanner)?;
            let (charset, program) = search::charset_and_program(scanner)?;
            Ok(Command::Sort { by_uid, criteria, charset, program })
        }
        "THREAD" => {
            scanner.space()?;
            let algorithm = search::thread_algorithm(scanner)?;
            let (charset, program) = search::charset_and_program(scanner)?;
            Ok(Command::Thread { by_uid, algorithm, charset, program })
        }
        _ => Err(DecodeError::bad("unknown command after UID")),
    }
}

fn fetch_items(scanner: &mut Scanner<'_>) -> Parsed<Vec<FetchItem>> {
    scanner.space()?;
    fetch_criteria(scanner)
}

/// One item, one macro, or a list in which a macro may stand among items: RFC 3501 allows it alone only, handsets built
/// to the draft send `(ALL BODY[])` (digest 2). Repetition is dropped.
pub(super) fn fetch_criteria(scanner: &mut Scanner<'_>) -> Parsed<Vec<FetchItem>> {
    let mut items = if scanner.peek() == Some(b'(') {
        scanner.list(fetch_item)?.into_iter().flatten().collect()
    } else {
        fetch_item(scanner)?
    };
    let mut seen = HashSet::new();
    items.retain(|item| seen.insert(item.clone()));
    Ok(items)
}

/// One item; three to five for a macro.
pub(super) fn fetch_item(scanner: &mut Scanner<'_>) -> Parsed<Vec<FetchItem>> {
    use FetchItem::*;
    let name = scanner.run(|byte| byte.is_ascii_alphanumeric() || byte == b'.').to_ascii_uppercase();
    let item = match name.as_slice() {
        b"ALL" => return Ok(vec![Flags, InternalDate, Size, Envelope]),
        b"FAST" => return Ok(vec![Flags, InternalDate, Size]),
        b"FULL" => return Ok(vec![Flags, InternalDate, Size, Envelope, Body]),
        b"FLAGS" => Flags,
        b"UID" => Uid,
        b"MODSEQ" => ModSeq,
        b"INTERNALDATE" => InternalDate,
        b"RFC822.SIZE" => Size,
        b"ENVELOPE" => Envelope,
        b"BODY" if scanner.peek() == Some(b'[') => section_item(false, scanner)?,
        b"BODY.PEEK" => section_item(true, scanner)?,
        b"BODY" => Body,
        b"BODYSTRUCTURE" => BodyStructure,
        b"BINARY" => binary_item(false, scanner)?,
        b"BINARY.PEEK" => binary_item(true, scanner)?,
        b"BINARY.SIZE" => BinarySize(binary_part(scanner)?),
        b"RFC822" => Rfc822 { peek: false },
        b"RFC822.HEADER" => Rfc822Header,
        b"RFC822.TEXT" => Rfc822Text { peek: false },
        _ => return Err(DecodeError::bad("unknown fetch item")),
    };
    Ok(vec![item])
}

fn store_change(scanner: &mut Scanner<'_>) -> Parsed<StoreChange> {
    scanner.space()?;
    let mode = match scanner.peek() {
        Some(b'+') => StoreMode::Add,
        Some(b'-') => StoreMode::Remove,
        _ => StoreMode::Replace,
    };
    let name = scanner.atom("FLAGS")?;
    let name = name.strip_prefix(['+', '-']).unwrap_or(name).to_ascii_uppercase();
    let silent = match name.as_str() {
        "FLAGS" => false,
        "FLAGS.SILENT" => true,
        _ => return Err(DecodeError::bad("expected FLAGS, +FLAGS or -FLAGS")),
    };
    scanner.space()?;
    if scanner.peek() == Some(b'(') {
        return Ok(StoreChange { mode, silent, flags: flag_list(scanner)? });
    }
    let mut flags = vec![flag(scanner)?];
    while scanner.more() {
        flags.push(flag(scanner)?);
    }
    Ok(StoreChange { mode, silent, flags: Flags::new(flags) })
}

/// `flag-list`, which may be empty.
pub(super) fn flag_list(scanner: &mut Scanner<'_>) -> Parsed<Flags> {
    if scanner.rest().starts_with(b"()") {
        scanner.take(2);
        return Ok(Flags::default());
    }
    Ok(Flags::new(scanner.list(flag)?))
}

/// `flag`: `\Recent` cannot be set by anybody (RFC 3501 2.3.2).
fn flag(scanner: &mut Scanner<'_>) -> Parsed<Flag> {
    let backslash = scanner.accept(b'\\');
    let word = scanner.atom("a flag")?;
    let parsed = if backslash { Flag::parse(&format!("\\{word}")) } else { Flag::parse(word) };
    parsed.ok_or(DecodeError::bad("\\Recent cannot be changed"))
}
