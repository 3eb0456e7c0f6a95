//! gzip for a response that may live for hours: every group of lines leaves at once, and nothing is kept between two.
//!
//! Each group is compressed by itself and ends on an octet (RFC 1951 3.2.4, an empty stored block), so that the groups
//! one after the other are one stream. A compressor that lived on would compress the next group a little better, and cost
//! every idle stream a quarter of a megabyte.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// Magic, deflate, no flags, no time, no extra flags, unknown system (RFC 1952 2.3).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The last block: fixed codes, empty.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// What a group may take beyond its own size when it does not compress.
const ROOM_BYTES: usize = 64;

/// A gzip stream in the making.
#[derive(Debug, Default)]
pub struct Gzip {
    crc: Crc,
    begun: bool,
}

impl Gzip {
    /// Compresses one group, to its last octet.
    pub fn group(&mut self, octets: &[u8]) -> Bytes {
        self.crc.update(octets);
        let mut out = Vec::with_capacity(octets.len() / 2 + ROOM_BYTES);
        self.head(&mut out);
        let mut compress = Compress::new(Compression::default(), false);
        loop {
            out.reserve(ROOM_BYTES);
            let consumed = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
            let rest = octets.get(consumed..).unwrap_or_default();
            let before = out.len();
            // Fed into memory with room to spare, deflate has nothing to complain about.
            if compress.compress_vec(rest, &mut out, FlushCompress::Sync).is_err() {
                break;
            }
            let all_in = compress.total_in() == octets.len() as u64;
            // A flush is whole when it leaves room unused.
            if all_in && (out.len() < out.capacity() || out.len() == before) {
                break;
            }
        }
        Bytes::from(out)
    }

    /// Ends the stream.
    pub fn end(&mut self) -> Bytes {
        let mut out = Vec::with_capacity(HEAD.len() + LAST_BLOCK.len() + 8);
        self.head(&mut out);
        out.extend_from_slice(&LAST_BLOCK);
        out.extend_from_slice(&self.crc.sum().to_le_bytes());
        out.extend_from_slice(&self.crc.amount().to_le_bytes());
        Bytes::from(out)
    }

    fn head(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.extend_from_slice(&HEAD);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn unpacked(octets: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(octets).read_to_end(&mut plain).expect("gzip");
        plain
    }

    #[test]
    fn groups_make_one_stream() {
        let noise: Vec<u8> =
            (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let groups: [&[u8]; 5] = [b"* 1 EXISTS\r\n", b"", b"a OK done\r\n", &noise, &[b'x'; 100_000]];
        let mut gzip = Gzip::default();
        let mut packed = Vec::new();
        for group in groups {
            packed.extend_from_slice(&gzip.group(group));
        }
        packed.extend_from_slice(&gzip.end());
        assert_eq!(unpacked(&packed), groups.concat());
    }

    #[test]
    fn an_empty_stream_is_a_stream() {
        assert_eq!(unpacked(&Gzip::default().end()), b"");
    }

    #[test]
    fn every_group_can_be_read_when_it_came() {
        let mut gzip = Gzip::default();
        let mut reader = flate2::write::GzDecoder::new(Vec::new());
        for line in ["* OK Still here\r\n", "* 5 EXISTS\r\n"] {
            reader.write_all(&gzip.group(line.as_bytes())).expect("gzip");
            reader.flush().expect("flushed");
            assert!(reader.get_ref().ends_with(line.as_bytes()));
        }
    }
}
