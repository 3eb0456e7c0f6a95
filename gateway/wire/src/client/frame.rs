//! Finds where responses, their line parts and their literals begin and end; understands nothing else.
//!
//! In: octets as they come from the socket, appended to [`ResponseFramer::buffer`]. Out: [`Piece`]s. A literal is never
//! held: it leaves in pieces of at most [`PIECE_BYTES_MAX`]. Only `CRLF` ends a line, so that a bare LF smuggled into a
//! quoted string cannot begin a response; and [`Piece::Line::start`] tells the first line of a response, the only place where
//! a tag counts: mail text inside a literal cannot forge `U7 OK`.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use pimap_types::limits::{PIECE_BYTES_MAX, UPSTREAM_LINE_BYTES_MAX};

/// A part of a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A line, or the part of one up to and including a literal's announcement.
    Line {
        /// The octets. The CRLF is part of them exactly when a literal follows.
        text: Bytes,
        /// Whether a response begins here.
        start: bool,
        /// The octets of the literal that follows.
        literal: Option<u64>,
    },
    /// Octets of the announced literal.
    Literal {
        /// The octets.
        octets: Bytes,
        /// How many of the literal are still to come.
        rest: u64,
    },
}

/// Why the octets cannot be framed; the connection is of no further use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameFault {
    /// The line parts of one response exceed [`UPSTREAM_LINE_BYTES_MAX`].
    LineTooLong,
    /// A literal of more than 4 GiB was announced (RFC 3501 9: 32 bits).
    LiteralTooLong,
}

/// Splits the octets of one upstream connection. It has no `Debug`: what it holds is mail.
#[derive(Default)]
pub struct ResponseFramer {
    buffer: BytesMut,
    /// No CRLF begins before this offset.
    searched: usize,
    /// Octets of the current literal still to come.
    literal: u64,
    /// Line octets of the current response that have left already; zero at its start.
    line_bytes: usize,
    /// Whether the current response is of a kind that may hold literals.
    literals: bool,
}

impl ResponseFramer {
    /// An empty framer at the start of a response.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where octets from the socket are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether nothing is buffered and no response is half read.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.literal == 0 && self.line_bytes == 0
    }

    /// The next piece, `None` when more octets are needed.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, FrameFault> {
        if self.literal > 0 {
            return Ok(self.literal_piece());
        }
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = memmem::find(unsearched, b"\r\n") else {
            // The last octet may be the CR of a CRLF cut in two.
            self.searched = self.buffer.len().saturating_sub(1);
            let over = self.line_bytes.saturating_add(self.buffer.len()) > UPSTREAM_LINE_BYTES_MAX;
            return if over { Err(FrameFault::LineTooLong) } else { Ok(None) };
        };
        let end = self.searched + found;
        self.searched = 0;
        if self.line_bytes.saturating_add(end) > UPSTREAM_LINE_BYTES_MAX {
            return Err(FrameFault::LineTooLong);
        }
        let mut text = self.buffer.split_to(end + 2).freeze();
        if self.buffer.is_empty() {
            // An idle connection holds no buffer (design D16).
            self.buffer = BytesMut::new();
        }
        let start = self.line_bytes == 0;
        if start {
            self.literals = may_hold_literals(&text);
        }
        let announced = if self.literals { announcement(&text[..end])? } else { None };
        match announced {
            Some(length) => {
                self.line_bytes = self.line_bytes.saturating_add(end + 2);
                self.literal = length;
            }
            None => {
                self.line_bytes = 0;
                text.truncate(end);
            }
        }
        Ok(Some(Piece::Line { text, start, literal: announced }))
    }

    fn literal_piece(&mut self) -> Option<Piece> {
        let here =
            usize::try_from(self.literal).unwrap_or(usize::MAX).min(self.buffer.len()).min(PIECE_BYTES_MAX);
        if here == 0 {
            return None;
        }
        let octets = self.buffer.split_to(here).freeze();
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        self.literal -= here as u64;
        Some(Piece::Literal { octets, rest: self.literal })
    }
}

/// Status responses, tagged ones and continuations end in free text, where `{5}` announces nothing (RFC 3501 7.1).
fn may_hold_literals(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"* ") else { return false };
    let word = rest.split(|b| matches!(b, b' ' | b'\r')).next().unwrap_or_default();
    !["OK", "NO", "BAD", "BYE", "PREAUTH"].iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
}

/// The length in `{n}` or `{n+}` at the end of a line.
fn announcement(line: &[u8]) -> Result<Option<u64>, FrameFault> {
    let Some(body) = line.strip_suffix(b"}") else { return Ok(None) };
    let body = body.strip_suffix(b"+").unwrap_or(body);
    let digits = body.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (head, digits) = body.split_at(body.len() - digits);
    if digits.is_empty() || head.last() != Some(&b'{') {
        return Ok(None);
    }
    let length = std::str::from_utf8(digits).ok().and_then(|d| d.parse::<u32>().ok());
    length.map(|n| Some(u64::from(n))).ok_or(FrameFault::LiteralTooLong)
}

#[cfg(test)]
mod tests;
