//! The stream while it is lent to async-imap for logging in (design D12).
//!
//! async-imap reads ahead, buffers up to 512 MiB, stops for good at an untagged response it does not know, and cannot give its stream
//! back. So it gets this: one line at a time, tagged lines and continuations only, nothing beyond what a login needs. What
//! stands behind the last line it was given stays here, and [`Loan::take`] brings everything back with not an octet
//! lost. Writes are gathered until flushed: async-imap writes a command in four parts, which would be four packets.

use crate::io::Io;
use bytes::{Bytes, BytesMut};
use pimap_wire::client::frame::{Piece, ResponseFramer};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets a server may send before the login is decided.
const LOGIN_BYTES_MAX: usize = 256 << 10;

/// A lent stream.
pub(crate) struct Loan {
    io: Option<Io>,
    framer: ResponseFramer,
    /// What is left of the line being handed over, its CRLF included.
    line: Bytes,
    /// Octets read so far.
    read: usize,
    out: Vec<u8>,
    heard: Heard,
}

/// Lines that matter after the login.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    /// The last `* CAPABILITY` line.
    pub(crate) capability: Option<Bytes>,
    /// The last tagged line, without its tag.
    pub(crate) tagged: Option<Bytes>,
    /// A `* BYE` line.
    pub(crate) bye: Option<Bytes>,
}

impl Loan {
    /// Lends the stream, with what was already read of it.
    pub(crate) fn new(io: Io, framer: ResponseFramer) -> Self {
        Self { io: Some(io), framer, line: Bytes::new(), read: 0, out: Vec::new(), heard: Heard::default() }
    }

    /// Takes the stream back; the borrower sees its end.
    pub(crate) fn take(&mut self) -> Option<(Io, ResponseFramer, Heard)> {
        let io = self.io.take()?;
        Some((io, std::mem::take(&mut self.framer), std::mem::take(&mut self.heard)))
    }

    /// What was heard so far.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// The next line for the borrower, from what has been read.
    fn next_line(&mut self) -> io::Result<Option<Bytes>> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "not a login dialogue");
        while let Some(piece) = self.framer.next_piece().map_err(|_| broken())? {
            let Piece::Line { text, literal: None, .. } = piece else { return Err(broken()) };
            if let Some(rest) = text.strip_prefix(b"* ") {
                let word = rest.split(|b| *b == b' ').next().unwrap_or_default();
                if word.eq_ignore_ascii_case(b"CAPABILITY") {
                    self.heard.capability = Some(text);
                } else if word.eq_ignore_ascii_case(b"BYE") {
                    self.heard.bye = Some(text);
                    return Err(broken());
                }
                continue;
            }
            if text.first() != Some(&b'+') {
                let rest =
                    text.iter().position(|b| *b == b' ').map_or_else(Bytes::new, |at| text.slice(at + 1..));
                self.heard.tagged = Some(rest);
            }
            let mut line = BytesMut::from(&text[..]);
            line.extend_from_slice(b"\r\n");
            return Ok(Some(line.freeze()));
        }
        Ok(None)
    }
}

impl AsyncRead for Loan {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.line.is_empty() {
                let octets = this.line.split_to(this.line.len().min(buf.remaining()));
                buf.put_slice(&octets);
                return Poll::Ready(Ok(()));
            }
            if let Some(line) = this.next_line()? {
                this.line = line;
                continue;
            }
            // Taken back: the borrower sees the end of the stream.
            let Some(io) = &mut this.io else { return Poll::Ready(Ok(())) };
            let mut scratch = [0_u8; 4096];
            let mut read = ReadBuf::new(&mut scratch);
            ready!(Pin::new(io).poll_read(cx, &mut read))?;
            let octets = read.filled();
            if octets.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.read = this.read.saturating_add(octets.len());
            if this.read > LOGIN_BYTES_MAX {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "too much before login")));
            }
            this.framer.buffer().extend_from_slice(octets);
        }
    }
}

impl AsyncWrite for Loan {
    fn poll_write(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.io.is_none() {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        self.out.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(io) = &mut this.io else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        while !this.out.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &this.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // The password may be among what was written: it does not stay in memory.
            this.out[..written].fill(0);
            this.out.drain(..written);
        }
        Pin::new(io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Some(io) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// async-imap asks for `Debug`; what passes through is nobody's to print.
impl std::fmt::Debug for Loan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loan")
    }
}
