//! The answers to extended searches (RFC 4731).

use super::string::{write_number, write_quoted, write_ranges};
use pimap_types::Tag;
use pimap_types::response::SearchItem;

/// `ESEARCH (TAG "tag") UID item value …`
pub(super) fn write_extended(tag: Option<&Tag>, by_uid: bool, items: &[SearchItem], out: &mut Vec<u8>) {
    out.extend_from_slice(b"ESEARCH");
    if let Some(tag) = tag {
        out.extend_from_slice(b" (TAG ");
        write_quoted(tag.0.as_bytes(), out);
        out.push(b')');
    }
    if by_uid {
        out.extend_from_slice(b" UID");
    }
    for item in items {
        let (word, number) = match item {
            SearchItem::Min(number) => (" MIN ", number),
            SearchItem::Max(number) => (" MAX ", number),
            SearchItem::Count(number) => (" COUNT ", number),
            SearchItem::All(ranges) => {
                out.extend_from_slice(b" ALL ");
                write_ranges(ranges, out);
                continue;
            }
        };
        out.extend_from_slice(word.as_bytes());
        write_number(*number, out);
    }
}
