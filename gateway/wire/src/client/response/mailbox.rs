//! What upstream says of whole mailboxes: LIST, LSUB, NAMESPACE, STATUS.

use super::{StatusNumbers, UpstreamResponse};
use crate::client::code::mod_seq;
use crate::client::cursor::Cursor;
use pimap_types::MailboxName;
use pimap_types::limits::MAILBOX_NAME_BYTES_MAX;
use pimap_types::list::{Namespace, Namespaces};
use pimap_types::number::UidValidity;
use pimap_types::response::ListItem;

/// Namespaces of one kind that are kept; no server has more than a handful.
const NAMESPACES_MAX: usize = 64;

pub(super) fn status(cursor: &mut Cursor<'_>) -> Option<UpstreamResponse> {
    cursor.space()?;
    let name = mailbox(cursor)?;
    cursor.space()?;
    cursor.eat(b'(')?;
    let mut numbers = StatusNumbers::default();
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.eat(b')').is_some() {
            return Some(UpstreamResponse::Status(name, numbers));
        }
        let item = cursor.text()?.to_ascii_uppercase();
        cursor.space()?;
        match item.as_str() {
            "MESSAGES" => numbers.messages = Some(cursor.number()?),
            "RECENT" => numbers.recent = Some(cursor.number()?),
            "UIDNEXT" => numbers.uid_next = Some(cursor.number()?),
            "UIDVALIDITY" => numbers.uid_validity = UidValidity::new(cursor.number()?),
            "UNSEEN" => numbers.unseen = Some(cursor.number()?),
            "SIZE" => numbers.size = Some(cursor.number64()?),
            "HIGHESTMODSEQ" => numbers.highest_mod_seq = Some(mod_seq(cursor)?),
            _ => cursor.skip_value()?,
        }
    }
}

/// Three lists, each of which may be NIL (RFC 2342 6). Extensions of a namespace are passed over.
pub(super) fn namespaces(cursor: &mut Cursor<'_>) -> Option<Namespaces> {
    Some(Namespaces {
        personal: namespace_list(cursor)?,
        other_users: namespace_list(cursor)?,
        shared: namespace_list(cursor)?,
    })
}

fn namespace_list(cursor: &mut Cursor<'_>) -> Option<Vec<Namespace>> {
    cursor.space()?;
    let mut all = Vec::new();
    if cursor.keyword("NIL").is_some() {
        return Some(all);
    }
    cursor.eat(b'(')?;
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.eat(b')').is_some() {
            return Some(all);
        }
        cursor.eat(b'(')?;
        let prefix = cursor.string()?;
        let sound = prefix.len() <= MAILBOX_NAME_BYTES_MAX && !prefix.iter().any(u8::is_ascii_control);
        let prefix = std::str::from_utf8(&prefix).ok().filter(|_| sound)?.to_owned();
        cursor.space()?;
        let delimiter = delimiter(cursor)?;
        while cursor.eat(b' ').is_some() {
            cursor.skip_value()?;
        }
        cursor.eat(b')')?;
        if all.len() < NAMESPACES_MAX {
            all.push(Namespace { prefix, delimiter });
        }
    }
}

/// `"d"` or NIL.
fn delimiter(cursor: &mut Cursor<'_>) -> Option<Option<char>> {
    if cursor.keyword("NIL").is_some() {
        return Some(None);
    }
    Some(std::str::from_utf8(&cursor.string()?).ok()?.chars().next())
}

fn mailbox(cursor: &mut Cursor<'_>) -> Option<MailboxName> {
    let name = cursor.astring()?;
    let sound = name.len() <= MAILBOX_NAME_BYTES_MAX && !name.iter().any(u8::is_ascii_control);
    sound.then_some(())?;
    std::str::from_utf8(&name).ok().map(MailboxName::new)
}

/// A mailbox whose name cannot be spoken (not UTF-8, too long, with controls) is left out rather than costing the account its
/// list; nobody could select it anyway.
pub(super) fn list(cursor: &mut Cursor<'_>, subscribed: bool) -> Option<UpstreamResponse> {
    cursor.space()?;
    let attributes = cursor.words()?.into_iter().map(str::to_owned).collect();
    cursor.space()?;
    let delimiter = delimiter(cursor)?;
    cursor.space()?;
    let Some(mailbox) = mailbox(cursor) else { return Some(UpstreamResponse::Other) };
    let old_name = extended_old_name(cursor);
    Some(UpstreamResponse::List { subscribed, item: ListItem { attributes, delimiter, mailbox }, old_name })
}

/// `(("OLDNAME" ("name")) …)` after a LIST response (RFC 5465 5.4, RFC 5258 4).
fn extended_old_name(cursor: &mut Cursor<'_>) -> Option<MailboxName> {
    cursor.space()?;
    cursor.eat(b'(')?;
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.eat(b')').is_some() {
            return None;
        }
        // Dovecot and RFC 5258 write `"OLDNAME" ("x")`; RFC 5465's example wraps each pair in parentheses of its own.
        let wrapped = cursor.eat(b'(').is_some();
        let tag = cursor.astring()?;
        let is_old = tag.eq_ignore_ascii_case(b"OLDNAME");
        cursor.space()?;
        if is_old {
            cursor.eat(b'(')?;
            return mailbox(cursor);
        }
        cursor.skip_value()?;
        if wrapped {
            cursor.eat(b')')?;
        }
    }
}
