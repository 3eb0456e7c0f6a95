//! [`Response`] → octets for a handset.
//!
//! Every line that leaves begins and ends here. Strings, whoever they come from, are written as atoms, quoted strings or
//! literals, and human-readable text is reduced to printable ASCII: none of them can begin a line of its own.

mod code;
mod pimap;
mod search;
mod string;
#[cfg(test)]
mod tests;

pub(crate) use string::write_quoted;
pub use string::{write_astring, write_set};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use code::write_code;
use pimap_types::list::{Namespaces, StatusItem};
use pimap_types::response::ListItem;
use pimap_types::{Code, Flag, Flags, MailboxName, MobileSeq, ModSeq, Response, Status, Uid};
use std::borrow::Cow;
use std::io::Write;
use string::{write_flag, write_list, write_mailbox, write_number, write_string, write_text, write_word};

/// What closes a streamed FETCH that [`fetch_head`] opened, after at least one item; with the message's MODSEQ, where that is to be
/// told.
pub fn fetch_tail(mod_seq: Option<ModSeq>) -> Bytes {
    match mod_seq {
        None => Bytes::from_static(b")\r\n"),
        Some(ModSeq(n)) => Bytes::from(format!(" MODSEQ ({n}))\r\n")),
    }
}

/// `* n FETCH (`: opens a FETCH whose items are streamed.
pub fn fetch_head(seq: MobileSeq) -> Bytes {
    Bytes::from(format!("* {seq} FETCH ("))
}

/// Appends one response, its line end included.
pub fn encode(response: &Response, out: &mut Vec<u8>) {
    match response {
        Response::Tagged { tag, .. } => {
            write_word(tag.0.as_bytes(), out);
            out.push(b' ');
        }
        Response::Continuation(_) | Response::Challenge(_) => out.extend_from_slice(b"+ "),
        _ => out.extend_from_slice(b"* "),
    }
    write_body(response, out);
    out.extend_from_slice(b"\r\n");
}

/// What stands between the tag, `*` or `+` and the line end.
fn write_body(response: &Response, out: &mut Vec<u8>) {
    match response {
        Response::Tagged { status, code, text, .. } | Response::Untagged { status, code, text } => {
            write_condition(status_word(*status), code.as_ref(), text, out);
        }
        Response::Bye { code, text } => write_condition("BYE", code.as_ref(), text, out),
        Response::Continuation(text) => write_text(text, false, out),
        Response::Challenge(octets) => out.extend_from_slice(STANDARD.encode(octets).as_bytes()),
        Response::Capability(words) => {
            out.extend_from_slice(b"CAPABILITY ");
            write_text(words, true, out);
        }
        Response::Id(pairs) => {
            out.extend_from_slice(b"ID ");
            let pair = |(name, value): &(&str, Cow<'_, str>), out: &mut Vec<u8>| {
                write_string(name.as_bytes(), out);
                out.push(b' ');
                write_string(value.as_bytes(), out);
            };
            write_list(pairs, pair, out);
        }
        Response::Enabled(words) => {
            out.extend_from_slice(b"ENABLED");
            for word in words {
                out.push(b' ');
                write_word(word.as_bytes(), out);
            }
        }
        Response::Exists(count) => write_counted(*count, "EXISTS", out),
        Response::Recent(count) => write_counted(*count, "RECENT", out),
        Response::Expunge(seq) => write_counted(seq.get(), "EXPUNGE", out),
        Response::Vanished { earlier, uids } => {
            out.extend_from_slice(if *earlier { b"VANISHED (EARLIER) " } else { b"VANISHED " });
            write_set(uids, out);
        }
        Response::FetchFlags { seq, uid, flags, recent, mod_seq } => {
            write_fetch_flags(*seq, *uid, flags, *recent, *mod_seq, out)
        }
        Response::Flags(flags) => {
            out.extend_from_slice(b"FLAGS ");
            write_flags(flags, None, out);
        }
        Response::Search(numbers, mod_seq) => search::write_numbers("SEARCH", numbers, *mod_seq, out),
        Response::Sort(numbers, mod_seq) => search::write_numbers("SORT", numbers, *mod_seq, out),
        Response::Thread(threads) => search::write_threads(threads, out),
        Response::ExtendedSearch { tag, by_uid, items } => {
            search::write_extended(tag.as_ref(), *by_uid, items, out)
        }
        Response::List { subscribed, item } => write_list_item(*subscribed, item, out),
        Response::ListParent(item, option) => {
            write_list_item(false, item, out);
            out.extend_from_slice(b" (\"CHILDINFO\" (");
            write_quoted(option.as_bytes(), out);
            out.extend_from_slice(b"))");
        }
        Response::Namespace(namespaces) => write_namespaces(namespaces, out),
        Response::Renamed { item, old_name } => {
            write_list_item(false, item, out);
            out.extend_from_slice(b" (\"OLDNAME\" (");
            write_mailbox(old_name, out);
            out.extend_from_slice(b"))");
        }
        Response::Status(mailbox, items) => write_status(mailbox, items, out),
        Response::Session { selected: true } => out.extend_from_slice(b"SESSION SELECTED"),
        Response::Session { selected: false } => out.extend_from_slice(b"SESSION AUTHENTICATED"),
        Response::SessionId(id) => {
            out.extend_from_slice(b"SESSIONID ");
            write_word(id.0.as_bytes(), out);
        }
        Response::Folder(mailbox) => {
            out.extend_from_slice(b"FOLDER ");
            write_mailbox(mailbox, out);
        }
        Response::Resync => out.extend_from_slice(b"RESYNC"),
        Response::Login => out.extend_from_slice(b"LOGIN"),
        Response::Xprovision { item, values } => pimap::write_provision(item, values, out),
        Response::Preferences(pairs) => pimap::write_preferences(pairs, out),
        Response::Filter { name, description, criteria } => {
            pimap::write_filter(name, description.as_deref(), criteria.as_deref(), out);
        }
    }
}

const fn status_word(status: Status) -> &'static str {
    match status {
        Status::Ok => "OK",
        Status::No => "NO",
        Status::Bad => "BAD",
    }
}

/// `word [code] text`
fn write_condition(word: &str, code: Option<&Code>, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(word.as_bytes());
    out.push(b' ');
    if let Some(code) = code {
        write_code(code, out);
    }
    write_text(text, code.is_some(), out);
}

fn write_counted(number: u32, word: &str, out: &mut Vec<u8>) {
    write_number(number, out);
    out.push(b' ');
    out.extend_from_slice(word.as_bytes());
}

fn write_fetch_flags(
    seq: MobileSeq,
    uid: Option<Uid>,
    flags: &Flags,
    recent: bool,
    mod_seq: Option<ModSeq>,
    out: &mut Vec<u8>,
) {
    write_counted(seq.get(), "FETCH (", out);
    if let Some(uid) = uid {
        out.extend_from_slice(b"UID ");
        write_number(uid.get(), out);
        out.push(b' ');
    }
    out.extend_from_slice(b"FLAGS ");
    write_flags(flags, recent.then_some("\\Recent"), out);
    if let Some(ModSeq(n)) = mod_seq {
        // Writing into a vector cannot fail.
        let _ = write!(out, " MODSEQ ({n})");
    }
    out.push(b')');
}

/// `(flag …)`, with one more that is no [`Flag`].
fn write_flags(flags: &Flags, more: Option<&str>, out: &mut Vec<u8>) {
    write_list(flags.iter().map(Flag::as_str).chain(more), write_flag, out);
}

fn write_list_item(subscribed: bool, item: &ListItem, out: &mut Vec<u8>) {
    out.extend_from_slice(if subscribed { b"LSUB " } else { b"LIST " });
    write_list(item.attributes.iter().map(String::as_str), write_flag, out);
    out.push(b' ');
    write_delimiter(item.delimiter, out);
    out.push(b' ');
    write_mailbox(&item.mailbox, out);
}

/// `"d"` or NIL.
fn write_delimiter(delimiter: Option<char>, out: &mut Vec<u8>) {
    match delimiter.filter(char::is_ascii_graphic) {
        Some(delimiter) => write_quoted(delimiter.encode_utf8(&mut [0; 4]).as_bytes(), out),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `NAMESPACE personal other shared`, each a list or NIL (RFC 2342 6).
fn write_namespaces(namespaces: &Namespaces, out: &mut Vec<u8>) {
    out.extend_from_slice(b"NAMESPACE");
    for kind in [&namespaces.personal, &namespaces.other_users, &namespaces.shared] {
        out.push(b' ');
        if kind.is_empty() {
            out.extend_from_slice(b"NIL");
            continue;
        }
        out.push(b'(');
        for namespace in kind {
            out.push(b'(');
            match namespace.prefix.is_ascii() {
                true => write_string(namespace.prefix.as_bytes(), out),
                false => write_mailbox(&MailboxName::new(&namespace.prefix), out),
            }
            out.push(b' ');
            write_delimiter(namespace.delimiter, out);
            out.push(b')');
        }
        out.push(b')');
    }
}

fn write_status(mailbox: &MailboxName, items: &[(StatusItem, u64)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"STATUS ");
    write_mailbox(mailbox, out);
    out.push(b' ');
    let write_item = |(item, number): &(StatusItem, u64), out: &mut Vec<u8>| {
        out.extend_from_slice(item.as_str().as_bytes());
        out.push(b' ');
        write_number(*number, out);
    };
    write_list(items, write_item, out);
}
