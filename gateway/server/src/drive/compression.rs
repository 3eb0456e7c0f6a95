//! COMPRESS=DEFLATE of one connection (RFC 4978): what is said is packed, what is heard is unpacked, in bounded steps.
//!
//! ```text
//!   Outbox ─► octets ─ 64 KiB at a time ─► Packer ─► link       link ─► octets ─► Unpacker ─ 8 KiB at a time ─► Framer
//! ```
//!
//! An idle connection holds no compressor and no decompressor (design D16): they belong to the thread and are lent for the
//! length of an answer, or of a command. What is packed after an answer knows nothing of what came before it, so a size tells
//! nothing across answers (CRIME). What the handset packs may refer to anything in the window before it, so the window's text
//! is kept: as much as was said, at most 32 KiB.
//!
//! Refused: octets that are no deflate stream, and anything behind a stream's end. A stream that swells is read no faster
//! than the framer takes it, and one that yields nothing costs what an empty line costs.

mod pack;
#[cfg(test)]
mod tests;
mod unpack;

use super::link::{Link, Read};
use bytes::{Buf, Bytes, BytesMut};
use pack::Packer;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use unpack::Unpacker;

/// Octets packed before the socket is given some.
const PACK_BYTES_MAX: usize = 64 << 10;

/// See the module.
#[derive(Default)]
pub struct Compression {
    packer: Packer,
    /// Packed, and not yet with the socket.
    packed: Bytes,
    unpacker: Unpacker,
    /// Heard, and not yet unpacked.
    heard: BytesMut,
}

impl Compression {
    /// Packs octets and hands them to the link, all of them; they can be unpacked as soon as they arrive. `last`: they end
    /// an answer, or are an event of their own, and the next ones will not refer to them.
    pub fn poll_send(
        &mut self,
        link: &mut impl Link,
        cx: &mut Context<'_>,
        octets: &mut Bytes,
        last: bool,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(link.poll_send(cx, &mut self.packed))?;
            if octets.is_empty() {
                if last {
                    self.packer.rest();
                }
                return Poll::Ready(Ok(()));
            }
            let some = octets.split_to(octets.len().min(PACK_BYTES_MAX));
            self.packed = self.packer.pack(&some, octets.is_empty());
        }
    }

    /// Octets packed that the socket has not taken.
    pub fn unsent(&self) -> usize {
        self.packed.len()
    }

    /// Nothing is half packed or half unpacked.
    pub fn is_at_rest(&self) -> bool {
        self.packed.is_empty() && self.heard.is_empty() && self.packer.rests() && self.unpacker.rests()
    }

    /// Reads and unpacks some octets. [`io::ErrorKind::InvalidData`]: they are no deflate stream.
    pub fn poll_read(
        &mut self,
        link: &mut impl Link,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<io::Result<Read>> {
        loop {
            if self.heard.is_empty() && !self.unpacker.swells() {
                if let Read::End = ready!(link.poll_read(cx, &mut self.heard))? {
                    return Poll::Ready(Ok(Read::End));
                }
            } else {
                // What was heard at once may swell to a thousand times its size: others get their turn in between.
                ready!(pin!(tokio::task::coop::consume_budget()).poll(cx));
            }
            let before = into.len();
            let used = self.unpacker.unpack(&self.heard, into)?;
            self.heard.advance(used);
            if self.heard.is_empty() {
                self.heard = BytesMut::new();
                self.unpacker.rest();
            }
            if into.len() > before {
                return Poll::Ready(Ok(Read::Octets));
            }
        }
    }
}
