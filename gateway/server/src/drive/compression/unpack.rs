//! The decompressor's side: a handset's deflate stream, a few octets at a time.

use bytes::BytesMut;
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::Cell;
use std::io;

/// Octets unpacked at once, on the stack.
const UNPACK_BYTES_MAX: usize = 8 << 10;
/// How far back a deflate stream may refer (RFC 1951 2).
const WINDOW_BYTES: usize = 32 << 10;
/// What a flush leaves at a stream's end: an empty stored block, so that the next block begins with a whole octet
/// (RFC 1951 3.2.4).
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

thread_local! {
    static SPARE: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// See the module. Between commands it holds the text that the next command may refer to.
#[derive(Default)]
pub(super) struct Unpacker {
    at_work: Option<Decompress>,
    /// The text unpacked last.
    window: Vec<u8>,
    /// The octets taken last.
    tail: [u8; 4],
    /// There may be more text than was given.
    swells: bool,
    /// The stream has said that nothing follows.
    ended: bool,
}

impl Unpacker {
    /// Unpacks some of `octets`, and says how many were used.
    pub(super) fn unpack(&mut self, octets: &[u8], into: &mut BytesMut) -> io::Result<usize> {
        if self.ended {
            return Err(broken("something follows the end of the deflate stream"));
        }
        let mut decompress = match self.at_work.take() {
            Some(decompress) => decompress,
            None => self.begin()?,
        };
        let (before_in, before_out) = (decompress.total_in(), decompress.total_out());
        let mut text = [0; UNPACK_BYTES_MAX];
        let status = decompress
            .decompress(octets, &mut text, FlushDecompress::Sync)
            .map_err(|_| broken("this is no deflate stream"))?;
        let amount = |octets: u64| usize::try_from(octets).unwrap_or(usize::MAX);
        let used = amount(decompress.total_in() - before_in);
        let text = text.get(..amount(decompress.total_out() - before_out)).unwrap_or_default();
        if used == 0 && text.is_empty() && !octets.is_empty() {
            return Err(broken("the deflate stream does not go on"));
        }
        self.at_work = Some(decompress);
        self.ended = status == Status::StreamEnd;
        self.swells = text.len() == UNPACK_BYTES_MAX && !self.ended;
        self.remember(octets.get(..used).unwrap_or_default(), text);
        into.extend_from_slice(text);
        Ok(used)
    }

    /// Whether text may come without more octets.
    pub(super) fn swells(&self) -> bool {
        self.swells
    }

    /// Nothing more is there for now. Where the handset has flushed a line, the decompressor is given back. What it was in the
    /// middle of cannot be seen from outside, but in the middle of a stored block the last octets would be the text's last,
    /// which are no line end.
    pub(super) fn rest(&mut self) {
        if self.swells || self.ended || self.tail != FLUSHED || self.window.last() != Some(&b'\n') {
            return;
        }
        SPARE.set(self.at_work.take());
        self.trim();
        self.window.shrink_to_fit();
    }

    /// No decompressor is at work, and no text is to come.
    pub(super) fn rests(&self) -> bool {
        self.at_work.is_none() && !self.swells
    }

    fn begin(&self) -> io::Result<Decompress> {
        let mut decompress = match SPARE.take() {
            Some(mut decompress) => {
                decompress.reset(false);
                decompress
            }
            None => Decompress::new(false),
        };
        if !self.window.is_empty() {
            decompress.set_dictionary(&self.window).map_err(io::Error::other)?;
        }
        Ok(decompress)
    }

    fn remember(&mut self, octets: &[u8], text: &[u8]) {
        for octet in octets.iter().skip(octets.len().saturating_sub(self.tail.len())) {
            self.tail.rotate_left(1);
            self.tail[3] = *octet;
        }
        self.window.extend_from_slice(text);
        if self.window.len() >= 2 * WINDOW_BYTES {
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.window.drain(..self.window.len().saturating_sub(WINDOW_BYTES));
    }

    /// Octets held, and whether a decompressor is.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, bool) {
        (self.window.capacity(), self.at_work.is_some())
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
