//! LIST and LSUB (RFC 3501 6.3.8, 6.3.9), LIST with options (RFC 5258, RFC 5819, RFC 6154), and the items of STATUS.

use super::{DecodeError, Parsed, Scanner};
use crate::syntax::is_list_char;
use pimap_types::Command;
use pimap_types::limits::{LIST_PATTERNS_MAX, LIST_WILDCARDS_MAX, MAILBOX_NAME_BYTES_MAX};
use pimap_types::list::{List, ListPattern, ListReturn, ListSelection, StatusItem};

const CHARACTERS: DecodeError = DecodeError::bad("a mailbox name is UTF-8 without control characters");

/// `SP [select-options SP] mailbox SP mbox-or-pat [SP "RETURN" SP return-options]`
pub(super) fn list(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let mut list = List::default();
    scanner.space()?;
    if scanner.peek() == Some(b'(') {
        list.extended = true;
        list.selection = selection(scanner)?;
        scanner.space()?;
    }
    list.reference = reference(scanner)?;
    scanner.space()?;
    if scanner.peek() == Some(b'(') {
        list.extended = true;
        list.patterns = scanner.list(pattern)?;
        if list.patterns.len() > LIST_PATTERNS_MAX {
            return Err(DecodeError::bad("too many patterns"));
        }
    } else {
        list.patterns = vec![pattern(scanner)?];
    }
    if scanner.accept(b' ') {
        if !scanner.atom("RETURN")?.eq_ignore_ascii_case("RETURN") {
            return Err(DecodeError::bad("expected RETURN"));
        }
        scanner.space()?;
        list.extended = true;
        list.returns = returns(scanner)?;
    }
    Ok(Command::List(list))
}

/// The arguments of LSUB: `SP mailbox SP list-mailbox`, both of which may be empty.
pub(super) fn lsub(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    let reference = reference(scanner)?;
    scanner.space()?;
    Ok(Command::Lsub(ListPattern { reference, pattern: pattern(scanner)? }))
}

/// A list of options that may be empty.
fn options(scanner: &mut Scanner<'_>, option: impl FnMut(&mut Scanner<'_>) -> Parsed<()>) -> Parsed<()> {
    if scanner.rest().starts_with(b"()") {
        scanner.take(2);
        return Ok(());
    }
    scanner.list(option).map(drop)
}

fn selection(scanner: &mut Scanner<'_>) -> Parsed<ListSelection> {
    let mut selection = ListSelection::default();
    options(scanner, |scanner| {
        match scanner.atom("a selection option")?.to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => selection.subscribed = true,
            "SPECIAL-USE" => selection.special_use = true,
            "RECURSIVEMATCH" => selection.recursive_match = true,
            // Mailboxes on other servers would come in addition; none are known.
            "REMOTE" => {}
            _ => return Err(DecodeError::bad("unknown selection option")),
        }
        Ok(())
    })?;
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        return Err(DecodeError::bad("RECURSIVEMATCH needs an option that selects (RFC 5258 3.1)"));
    }
    Ok(selection)
}

fn returns(scanner: &mut Scanner<'_>) -> Parsed<ListReturn> {
    let mut returns = ListReturn::default();
    options(scanner, |scanner| {
        match scanner.atom("a return option")?.to_ascii_uppercase().as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "STATUS" => {
                scanner.space()?;
                returns.status = status_items(scanner)?;
            }
            _ => return Err(DecodeError::bad("unknown return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}

/// `"(" status-att *(SP status-att) ")"`, repetition dropped.
pub(super) fn status_items(scanner: &mut Scanner<'_>) -> Parsed<Vec<StatusItem>> {
    let mut items = Vec::new();
    for item in scanner.list(status_item)? {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(items)
}

fn status_item(scanner: &mut Scanner<'_>) -> Parsed<StatusItem> {
    let word = scanner.atom("a status item")?;
    let known = StatusItem::ALL.into_iter().find(|item| item.as_str().eq_ignore_ascii_case(word));
    known.ok_or(DecodeError::bad("unknown status item"))
}

fn reference(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let reference = scanner.wide_astring()?.printable().map(str::to_owned).ok_or(CHARACTERS)?;
    not_too_long(reference)
}

/// `list-mailbox`
fn pattern(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let pattern = if matches!(scanner.peek(), Some(b'"' | b'{')) {
        scanner.wide_astring()?.printable().map(fewer_wildcards).ok_or(CHARACTERS)?
    } else {
        let pattern = scanner.run(is_list_char);
        if pattern.is_empty() {
            return Err(DecodeError::bad("expected a mailbox pattern"));
        }
        std::str::from_utf8(pattern).map(fewer_wildcards).map_err(|_| CHARACTERS)?
    };
    if pattern.matches(['%', '*']).count() > LIST_WILDCARDS_MAX {
        return Err(DecodeError::no("too many wildcards"));
    }
    not_too_long(pattern)
}

fn not_too_long(name: String) -> Parsed<String> {
    if name.len() > MAILBOX_NAME_BYTES_MAX { Err(DecodeError::no("mailbox name too long")) } else { Ok(name) }
}

/// Wildcards side by side mean no more than the stronger one, but cost a matcher that backtracks dearly.
fn fewer_wildcards(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match (out.chars().next_back(), character) {
            (Some('*'), '*' | '%') | (Some('%'), '%') => {}
            (Some('%'), '*') => {
                out.pop();
                out.push('*');
            }
            _ => out.push(character),
        }
    }
    out
}
