//! The strings of RFC 3501 9, written so that whatever they hold stays inside of them.

use crate::syntax::{is_astring_char, is_atom_char, is_quotable};
use pimap_types::{MailboxName, UidRanges};
use std::fmt::Display;
use std::io::Write;

/// Longer quoted strings go as literals: some readers of lines are short of breath.
const QUOTED_BYTES_MAX: usize = 1_024;

/// Appends an astring: an atom where that is unmistakable, else a quoted string or a literal.
pub fn write_astring(text: &[u8], out: &mut Vec<u8>) {
    let is_atom = !text.is_empty() && text.iter().copied().all(is_astring_char);
    // NIL would be read as the absence of a string.
    if is_atom && !text.eq_ignore_ascii_case(b"NIL") {
        out.extend_from_slice(text);
    } else {
        write_string(text, out);
    }
}

/// A mailbox's name: an astring; beyond ASCII a quoted string in UTF-8, which only those are told who enabled it (RFC 6855 3).
pub(super) fn write_mailbox(name: &MailboxName, out: &mut Vec<u8>) {
    let name = name.as_str();
    if name.is_ascii() || name.chars().any(char::is_control) {
        return write_astring(name.as_bytes(), out);
    }
    out.push(b'"');
    for byte in name.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// A quoted string or a literal. NUL can be in neither and is left out.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    if is_quotable(text) && text.len() <= QUOTED_BYTES_MAX {
        return write_quoted(text, out);
    }
    let nuls = text.iter().filter(|byte| **byte == 0).count();
    out.extend_from_slice(format!("{{{}}}\r\n", text.len() - nuls).as_bytes());
    out.extend(text.iter().filter(|byte| **byte != 0));
}

/// A quoted string. What cannot be in one is left out; callers look first.
pub(crate) fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\r' | b'\n' | 0 | 0x80.. => {}
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Characters of an atom only; what cannot be in one is left out.
pub(super) fn write_word(word: &[u8], out: &mut Vec<u8>) {
    out.extend(word.iter().copied().filter(|byte| is_astring_char(*byte)));
}

/// A flag or a mailbox attribute: an atom, with or without a backslash; `\*` too.
pub(super) fn write_flag(flag: &str, out: &mut Vec<u8>) {
    let word = match flag.strip_prefix('\\') {
        Some(word) => {
            out.push(b'\\');
            word
        }
        None => flag,
    };
    if word == "*" {
        out.push(b'*');
    } else {
        out.extend(word.bytes().filter(|byte| is_atom_char(*byte)));
    }
}

/// `text` of RFC 3501: printable ASCII, not empty. Unless a response code precedes it, it cannot begin with a bracket,
/// which would be taken for one.
pub(super) fn write_text(text: &str, after_code: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(text.chars().map(|character| match character {
        ' '..='~' => character as u8,
        _ if character.is_control() => b' ',
        _ => b'?',
    }));
    match out.get_mut(start) {
        None => out.push(b'.'),
        Some(first) if *first == b'[' && !after_code => *first = b'(',
        Some(_) => {}
    }
}

pub(super) fn write_number(number: impl Display, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(out, "{number}");
}

/// `(item item …)`, maybe empty.
pub(super) fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    mut write_item: impl FnMut(T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.push(b'(');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write_item(item, out);
    }
    out.push(b')');
}

/// Appends a UID set, `1:3,7`; nothing for the empty set, which IMAP cannot express.
pub fn write_set(set: &UidRanges, out: &mut Vec<u8>) {
    write_ranges(set.ranges(), out);
}

/// The same for ranges of any kind of number.
pub(super) fn write_ranges(ranges: &[(u32, u32)], out: &mut Vec<u8>) {
    for (index, (first, last)) in ranges.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_number(*first, out);
        if last != first {
            out.push(b':');
            write_number(*last, out);
        }
    }
}
