//! Gathering a command, or what follows a literal of APPEND: text up to a literal, the literal, text again, to the end of the line.
//! Refuses text that is too long, or none.

use super::line::without_cr;
use super::{Framer, LINE_TOO_LONG};
use memchr::{memchr, memchr2};

/// How far the command at the start of the buffer has been read. Positions count from the start of the buffer.
#[derive(Clone, Copy, Default)]
pub(super) struct Gathering {
    /// Where the current stretch of text, after the last literal, begins.
    pub(super) piece: usize,
    /// Up to where no line feed was found.
    pub(super) scanned: usize,
    /// Where the literal being gathered ends.
    pub(super) literal_end: Option<usize>,
    /// Text before `piece`, without literals.
    pub(super) text_bytes: usize,
    pub(super) literal_bytes: u64,
    pub(super) literals: usize,
}

/// What came of looking for the end of a stretch of text.
pub(super) enum Gathered {
    /// It ends before the first position; what follows it begins at the second.
    Stretch(Gathering, usize, usize),
    /// Its end has not come yet.
    Waits(Gathering),
    /// The input ended inside the literal before it.
    CutShort,
    /// It is no text.
    Malformed(Gathering, &'static str),
}

impl Framer {
    /// Looks for the end of the stretch of text behind the last gathered literal: the head of the next one, or the line's end.
    pub(super) fn gather(&self, mut at: Gathering, text_bytes_max: usize) -> Gathered {
        if let Some(end) = at.literal_end {
            if self.buffer.len() < end {
                return if self.ended { Gathered::CutShort } else { Gathered::Waits(at) };
            }
            at = Gathering { piece: end, scanned: end, literal_end: None, ..at };
        }
        let unscanned = self.buffer.get(at.scanned..).unwrap_or_default();
        let (line_end, next) = match memchr(b'\n', unscanned) {
            Some(index) => (at.scanned + index, at.scanned + index + 1),
            None => {
                let length = self.buffer.len();
                at.scanned = length;
                // One octet more than the limit may still be the CR of the line end.
                if at.text_bytes.saturating_add(length - at.piece) > text_bytes_max + 1 {
                    return Gathered::Malformed(at, LINE_TOO_LONG);
                }
                if !self.ended {
                    return Gathered::Waits(at);
                }
                (length, length)
            }
        };
        let text = self.stretch(at, line_end);
        let text_bytes = at.text_bytes.saturating_add(text.len());
        if text_bytes > text_bytes_max {
            return Gathered::Malformed(at, LINE_TOO_LONG);
        }
        if memchr2(b'\r', 0, text).is_some() {
            return Gathered::Malformed(at, "a bare CR or a NUL is not allowed");
        }
        Gathered::Stretch(Gathering { text_bytes, ..at }, line_end, next)
    }

    /// The stretch of text that ends before `line_end`.
    pub(super) fn stretch(&self, at: Gathering, line_end: usize) -> &[u8] {
        without_cr(self.buffer.get(at.piece..line_end).unwrap_or_default())
    }
}
