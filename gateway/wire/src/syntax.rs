//! Character classes and tags of RFC 3501 9, shared by frame, decode and encode.

use pimap_types::Tag;
use pimap_types::limits::TAG_BYTES_MAX;

/// `ATOM-CHAR`
pub(crate) const fn is_atom_char(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E) && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`
pub(crate) const fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// `list-char`
pub(crate) const fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

/// What may stand in a tag.
const fn is_tag_char(byte: u8) -> bool {
    is_astring_char(byte) && byte != b'+'
}

/// Whether the octets may stand in a quoted string (escaped where needed).
pub(crate) fn is_quotable(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, 0x01..=0x7F) && !matches!(byte, b'\r' | b'\n'))
}

/// Whether the octets are an atom.
pub(crate) fn is_atom(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_atom_char)
}

/// The tag at the start of a line, if a space or the line's end follows it.
pub(crate) fn leading_tag(line: &[u8]) -> Option<Tag> {
    let length = line.iter().take_while(|byte| is_tag_char(**byte)).count();
    let ends = line.get(length).is_none_or(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
    if !ends || !(1..=TAG_BYTES_MAX).contains(&length) {
        return None;
    }
    std::str::from_utf8(line.get(..length)?).ok().map(Tag::new)
}
