//! The compressor's side: deflate blocks without a head or an end, flushed to a whole octet.

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use std::cell::Cell;

/// What a flush may take beyond its content.
const ROOM_BYTES: usize = 64;

thread_local! {
    // One is enough: a thread serves one connection at a time, and only answers that wait for their socket hold one longer.
    static SPARE: Cell<Option<Compress>> = const { Cell::new(None) };
}

/// See the module. Nothing is held between answers.
#[derive(Default)]
pub(super) struct Packer {
    at_work: Option<Compress>,
}

impl Packer {
    /// Packs octets. With `flush` all that was given so far can be unpacked.
    pub(super) fn pack(&mut self, octets: &[u8], flush: bool) -> Bytes {
        let compress = self.at_work.get_or_insert_with(|| match SPARE.take() {
            Some(mut compress) => {
                compress.reset();
                compress
            }
            None => Compress::new(Compression::default(), false),
        });
        let flush = if flush { FlushCompress::Sync } else { FlushCompress::None };
        let mut packed = Vec::with_capacity(octets.len() / 2 + ROOM_BYTES);
        let mut rest = octets;
        loop {
            packed.reserve(ROOM_BYTES);
            let before = compress.total_in();
            // Fed into memory with room to spare, deflate has nothing to complain about.
            if compress.compress_vec(rest, &mut packed, flush).is_err() {
                break;
            }
            let used = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(used..).unwrap_or_default();
            // A flush is whole when it leaves room unused.
            if rest.is_empty() && packed.len() < packed.capacity() {
                break;
            }
        }
        Bytes::from(packed)
    }

    /// The answer is over: what comes next begins without a memory.
    pub(super) fn rest(&mut self) {
        if let Some(compress) = self.at_work.take() {
            SPARE.set(Some(compress));
        }
    }

    /// No compressor is at work.
    pub(super) fn rests(&self) -> bool {
        self.at_work.is_none()
    }
}
