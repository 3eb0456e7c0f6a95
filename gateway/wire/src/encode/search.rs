//! The answers to searches (RFC 3501 7.2.5, RFC 4731, RFC 5256 4).

use super::string::{write_number, write_quoted, write_ranges};
use pimap_types::response::SearchItem;
use pimap_types::search::PartialRange;
use pimap_types::{ModSeq, Tag, Threads};

/// `SEARCH n …`, `SORT n …`, with the mod-sequence where one was searched for (RFC 7162 3.1.5, 3.1.6).
pub(super) fn write_numbers(word: &str, numbers: &[u32], mod_seq: Option<ModSeq>, out: &mut Vec<u8>) {
    out.extend_from_slice(word.as_bytes());
    for number in numbers {
        out.push(b' ');
        write_number(*number, out);
    }
    if let Some(ModSeq(n)) = mod_seq {
        out.extend_from_slice(format!(" (MODSEQ {n})").as_bytes());
    }
}

/// `THREAD (n n (n)(n))(n)`: a place that stands alone below another follows it, several are lists of their own.
pub(super) fn write_threads(threads: &Threads<u32>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"THREAD");
    if !threads.places.is_empty() {
        out.push(b' ');
    }
    let replies = replies(threads);
    // Depths at which lists were opened and are not closed yet.
    let mut lists: Vec<u32> = Vec::new();
    // Replies of each place above the present one.
    let mut above: Vec<u32> = Vec::new();
    let mut after_number = false;
    for (place, replies) in threads.places.iter().zip(replies) {
        while lists.last().is_some_and(|depth| *depth >= place.depth) {
            lists.pop();
            out.push(b')');
            after_number = false;
        }
        above.truncate(place.depth as usize);
        if after_number {
            out.push(b' ');
        }
        if above.last().is_none_or(|siblings| *siblings > 1) {
            lists.push(place.depth);
            out.push(b'(');
        }
        above.push(replies);
        after_number = place.message.is_some();
        if let Some(number) = place.message {
            write_number(number, out);
        }
    }
    out.extend(lists.iter().map(|_| b')'));
}

/// For each place, how many stand directly below it.
fn replies(threads: &Threads<u32>) -> Vec<u32> {
    let mut replies = vec![0_u32; threads.places.len()];
    let mut above: Vec<usize> = Vec::new();
    for (at, place) in threads.places.iter().enumerate() {
        above.truncate(place.depth as usize);
        if let Some(count) = above.last().and_then(|parent| replies.get_mut(*parent)) {
            *count += 1;
        }
        above.push(at);
    }
    replies
}

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
            SearchItem::Partial(PartialRange { first, last, from_end }, ranges) => {
                let sign = if *from_end { "-" } else { "" };
                out.extend_from_slice(format!(" PARTIAL ({sign}{first}:{sign}{last} ").as_bytes());
                match ranges.is_empty() {
                    true => out.extend_from_slice(b"NIL"),
                    false => write_ranges(ranges, out),
                }
                out.push(b')');
                continue;
            }
            SearchItem::ModSeq(ModSeq(number)) => {
                out.extend_from_slice(format!(" MODSEQ {number}").as_bytes());
                continue;
            }
        };
        out.extend_from_slice(word.as_bytes());
        write_number(*number, out);
    }
}
