//! The responses that P-IMAP adds (P-IMAP 5.1.4, 5.2.1, 5.2.2, 5.2.3).

use super::string::{write_astring, write_list, write_mailbox, write_quoted, write_string, write_word};
use crate::search::{LiteralForm, write_criteria};
use crate::syntax::is_quotable;
use pimap_types::response::PreferenceValue;

/// `XPROVISION item (value …)`
pub(super) fn write_provision(item: &str, values: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(b"XPROVISION ");
    for word in item.split(' ') {
        write_word(word.as_bytes(), out);
        out.push(b' ');
    }
    write_list(values, |value, out| write_astring(value.as_bytes(), out), out);
}

/// `XGETPIMAPPREFS (name value …)`, flat as in the draft's examples (digest 10).
pub(super) fn write_preferences(pairs: &[(&'static str, PreferenceValue)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"XGETPIMAPPREFS ");
    write_list(pairs, |(name, value), out| write_preference(name, value, out), out);
}

fn write_preference(name: &str, value: &PreferenceValue, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b' ');
    match value {
        PreferenceValue::Word(word) => write_word(word.as_bytes(), out),
        PreferenceValue::Text(text) => write_astring(text.as_bytes(), out),
        // Made by the decoder, of printable ASCII only; nothing else could end the line either.
        PreferenceValue::Items(items) => out.extend(items.bytes().filter(|byte| matches!(byte, b' '..=b'~'))),
        PreferenceValue::Nil => out.extend_from_slice(b"NIL"),
        PreferenceValue::Activation(mailbox, kind, filter) => {
            out.push(b'(');
            match mailbox {
                None => out.extend_from_slice(b"ALL"),
                // The atom ALL means every mailbox; a mailbox of that name is a string (digest OA-09).
                Some(mailbox) if mailbox.as_str().eq_ignore_ascii_case("ALL") => {
                    write_quoted(mailbox.as_str().as_bytes(), out);
                }
                Some(mailbox) => write_mailbox(mailbox, out),
            }
            out.push(b' ');
            write_word(kind.as_bytes(), out);
            out.push(b' ');
            write_filter_name(filter, out);
            out.push(b')');
        }
    }
}

/// `filter-name`: an atom or a quoted string, never a literal.
fn write_filter_name(name: &str, out: &mut Vec<u8>) {
    if is_quotable(name.as_bytes()) {
        write_astring(name.as_bytes(), out);
    } else {
        write_quoted(name.as_bytes(), out);
    }
}

/// `XFILTER name (DESC … CRITERIA (…))`
pub(super) fn write_filter(
    name: &str,
    description: Option<&[u8]>,
    criteria: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"XFILTER ");
    write_filter_name(name, out);
    out.extend_from_slice(b" (");
    if let Some(description) = description {
        out.extend_from_slice(b"DESC ");
        write_string(description, out);
    }
    if let Some(criteria) = criteria {
        if description.is_some() {
            out.push(b' ');
        }
        out.extend_from_slice(b"CRITERIA (");
        write_criteria(criteria, LiteralForm::Plain, out);
        out.push(b')');
    }
    out.push(b')');
}
