//! The body of an answer: chunks taken apart, gzip undone as it flows.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use super::Answer;

/// Where the body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many octets are left.
    Length(usize),
    /// A chunk head is due.
    ChunkHead,
    /// So many octets of a chunk are left.
    Chunk(usize),
    /// The line end after a chunk is due.
    ChunkEnd,
    /// Trailers, up to an empty line.
    Trailers,
    /// To the end of the connection.
    Connection,
}

/// A decoder of one body.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    octets: usize,
    whole: bool,
}

impl Body {
    /// The decoder that the head of an answer asks for.
    pub(super) fn of(answer: &Answer) -> Body {
        let is = |name: &str, value: &str| {
            answer.header(name).is_some_and(|told| told.eq_ignore_ascii_case(value))
        };
        let framing = if is("Transfer-Encoding", "chunked") {
            Framing::ChunkHead
        } else {
            match answer.header("Content-Length").and_then(|length| length.parse().ok()) {
                Some(length) => Framing::Length(length),
                None => Framing::Connection,
            }
        };
        let gzip = is("Content-Encoding", "gzip").then(|| MultiGzDecoder::new(Vec::new()));
        Body { framing, gzip, octets: 0, whole: matches!(answer.status, 204 | 304) }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn ends_with_connection(&self) -> bool {
        self.framing == Framing::Connection
    }

    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Decodes what came onto `out` and gives back what it could not use yet or what follows the body.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Vec<u8>, String> {
        let mut rest = bytes;
        while !self.whole {
            match self.framing {
                Framing::Connection => {
                    self.content(rest, out)?;
                    return Ok(Vec::new());
                }
                Framing::Length(0) => self.whole = true,
                Framing::Length(left) | Framing::Chunk(left) => {
                    let (now, later) = rest.split_at(left.min(rest.len()));
                    self.content(now, out)?;
                    rest = later;
                    let left = left - now.len();
                    self.framing = match self.framing {
                        Framing::Chunk(_) if left == 0 => Framing::ChunkEnd,
                        Framing::Chunk(_) => Framing::Chunk(left),
                        _ => Framing::Length(left),
                    };
                    if left > 0 {
                        return Ok(Vec::new());
                    }
                }
                Framing::ChunkHead | Framing::ChunkEnd | Framing::Trailers => {
                    let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                        return Ok(rest.to_vec());
                    };
                    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
                    rest = &rest[end + 2..];
                    self.line(&line)?;
                }
            }
        }
        Ok(rest.to_vec())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        self.framing = match self.framing {
            Framing::ChunkHead => {
                let size = line.split(';').next().unwrap_or_default();
                match usize::from_str_radix(size, 16).map_err(|_| format!("no chunk size: {line}"))? {
                    0 => Framing::Trailers,
                    size => Framing::Chunk(size),
                }
            }
            Framing::ChunkEnd if line.is_empty() => Framing::ChunkHead,
            Framing::ChunkEnd => return Err(format!("after a chunk comes {line}")),
            other => {
                self.whole = line.is_empty();
                other
            }
        };
        Ok(())
    }

    fn content(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        self.octets += bytes.len();
        match &mut self.gzip {
            None => out.extend_from_slice(bytes),
            Some(gzip) => {
                // Flushing hands out all that a sync flush of the sender makes decodable.
                gzip.write_all(bytes)
                    .and_then(|()| gzip.flush())
                    .map_err(|error| format!("gzip: {error}"))?;
                out.append(gzip.get_mut());
            }
        }
        Ok(())
    }
}
