//! Commands on whole mailboxes (RFC 3501 6.3).

use super::{DecodeError, Parsed, Scanner, mod_seq};
use pimap_types::limits::MAILBOX_NAME_BYTES_MAX;
use pimap_types::{Command, MailboxName};

/// `mailbox`: UTF-8 free of control characters. Without UTF8=ACCEPT the account takes 7-bit names only, as RFC 3501 5.1 demands.
pub(super) fn mailbox(scanner: &mut Scanner<'_>) -> Parsed<MailboxName> {
    checked(scanner.wide_astring()?.printable())
}

/// A name that was read as an astring.
pub(super) fn checked(name: Option<&str>) -> Parsed<MailboxName> {
    match name {
        None => Err(DecodeError::bad("a mailbox name is UTF-8 without control characters")),
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

/// SELECT and EXAMINE, with parameters (RFC 4466 2.1).
pub(super) fn select(scanner: &mut Scanner<'_>, read_only: bool) -> Parsed<Command> {
    let mailbox = argument(scanner)?;
    let parameters = mod_seq::select_parameters(scanner)?;
    Ok(Command::Select { mailbox, read_only, parameters })
}

pub(super) fn rename(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    Ok(Command::Rename(argument(scanner)?, argument(scanner)?))
}

pub(super) fn status(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let mailbox = argument(scanner)?;
    scanner.space()?;
    Ok(Command::Status(mailbox, super::list::status_items(scanner)?))
}
