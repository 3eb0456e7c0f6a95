//! Commands on whole mailboxes (RFC 3501 6.3).

use super::{DecodeError, Parsed, Scanner};
use crate::syntax::is_list_char;
use pimap_types::command::{ListPattern, StatusItem};
use pimap_types::limits::MAILBOX_NAME_BYTES_MAX;
use pimap_types::{Command, MailboxName};

/// `mailbox`: 7-bit as RFC 3501 5.1 demands, and free of control characters, so that it can be passed on anywhere.
pub(super) fn mailbox(scanner: &mut Scanner<'_>) -> Parsed<MailboxName> {
    checked(scanner.astring()?.printable_ascii())
}

/// A name that was read as an astring.
pub(super) fn checked(name: Option<&str>) -> Parsed<MailboxName> {
    match name {
        None => Err(DecodeError::bad("a mailbox name is 7-bit text in modified UTF-7")),
        Some("") => Err(DecodeError::no("empty mailbox name")),
        Some(name) if name.len() > MAILBOX_NAME_BYTES_MAX => Err(DecodeError::no("mailbox name too long")),
        Some(name) => Ok(MailboxName::new(name)),
    }
}

/// A mailbox as the next argument.
pub(super) fn argument(scanner: &mut Scanner<'_>) -> Parsed<MailboxName> {
    scanner.space()?;
    mailbox(scanner)
}

pub(super) fn rename(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    Ok(Command::Rename(argument(scanner)?, argument(scanner)?))
}

pub(super) fn status(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let mailbox = argument(scanner)?;
    scanner.space()?;
    let mut items = Vec::new();
    for item in scanner.list(status_item)? {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(Command::Status(mailbox, items))
}

fn status_item(scanner: &mut Scanner<'_>) -> Parsed<StatusItem> {
    match scanner.atom("a status item")?.to_ascii_uppercase().as_str() {
        "MESSAGES" => Ok(StatusItem::Messages),
        "RECENT" => Ok(StatusItem::Recent),
        "UIDNEXT" => Ok(StatusItem::UidNext),
        "UIDVALIDITY" => Ok(StatusItem::UidValidity),
        "UNSEEN" => Ok(StatusItem::Unseen),
        _ => Err(DecodeError::bad("unknown status item")),
    }
}

/// The arguments of LIST and LSUB: `SP mailbox SP list-mailbox`, both of which may be empty.
pub(super) fn list_pattern(scanner: &mut Scanner<'_>) -> Parsed<ListPattern> {
    const LONG: DecodeError = DecodeError::no("mailbox name too long");
    const CHARACTERS: DecodeError = DecodeError::bad("a mailbox name is 7-bit text in modified UTF-7");
    scanner.space()?;
    let reference = scanner.astring()?.printable_ascii().map(str::to_owned).ok_or(CHARACTERS)?;
    scanner.space()?;
    let pattern = if matches!(scanner.peek(), Some(b'"' | b'{')) {
        scanner.astring()?.printable_ascii().map(fewer_wildcards).ok_or(CHARACTERS)?
    } else {
        let pattern = scanner.run(is_list_char);
        if pattern.is_empty() {
            return Err(DecodeError::bad("expected a mailbox pattern"));
        }
        std::str::from_utf8(pattern).map(fewer_wildcards).map_err(|_| CHARACTERS)?
    };
    if reference.len() > MAILBOX_NAME_BYTES_MAX || pattern.len() > MAILBOX_NAME_BYTES_MAX {
        return Err(LONG);
    }
    Ok(ListPattern { reference, pattern })
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
