//! TLS over a connection, as the listening side, in a few hundred octets beside rustls' own state (design D16).
//!
//! Ciphertext passes between socket and rustls by way of buffers that belong to the thread. A connection holds octets of
//! its own only while something is under way: a record that is half read, what was decrypted and not yet read, what was
//! encrypted and not yet taken by the socket. An idle connection holds none.
//!
//! The end of the input is an end only when the other side said so (`close_notify`, RFC 8446 6.1); else it is an error,
//! since anybody on the way can cut a connection. `close_notify` ends one direction: writing goes on after it.
//! Both directions must be polled by the same task: reading also writes what an earlier write has left.

#[cfg(test)]
mod tests;

use super::session::Session;
use crate::drive::link::Socket;
use rustls::ServerConfig;
use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread::LocalKey;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Ciphertext read at once: a whole record of the largest size, as a rule.
const READ_BYTES: usize = 17 << 10;
/// Octets encrypted by one write. Several records to a system call make bulk a tenth faster (measured.md 2).
const WRITE_BYTES_MAX: usize = 64 << 10;

thread_local! {
    static INCOMING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTGOING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static GATHERED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's buffer. It is taken out meanwhile, so that a stream within a stream gets one of its own.
fn borrow<T>(buffer: &'static LocalKey<Cell<Vec<u8>>>, job: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut octets = buffer.take();
    let result = job(&mut octets);
    buffer.set(octets);
    result
}

/// See the module.
pub struct TlsStream<S> {
    socket: S,
    // Boxed, so that futures that pass the stream on do not each keep room for it.
    session: Box<Session>,
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsStream(..)")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// Shakes hands; an error when the other side does not speak TLS, or not as we do. It is told why if it still listens.
    pub async fn accept(socket: S, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = Session::new(config).map_err(io::Error::other)?;
        let mut stream = Self { socket, session: Box::new(session) };
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    /// The protocol agreed on within the handshake (RFC 7301).
    pub fn protocol(&self) -> Option<&[u8]> {
        self.session.protocol()
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // Reading does not wait until all is written: the other side may write before it reads on.
            let drained = self.poll_drain(cx);
            if let Some(failure) = self.session.failure() {
                return Poll::Ready(Err(failure));
            }
            if let Poll::Ready(Err(error)) = drained {
                return Poll::Ready(Err(error));
            }
            if !self.session.is_handshaking() {
                ready!(drained)?;
                return Pin::new(&mut self.socket).poll_flush(cx);
            }
            ready!(self.poll_fill(cx))?;
        }
    }

    /// Reads from the socket once.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, session } = self;
        borrow(&INCOMING, |buffer| {
            let held = session.partial().len();
            let room = held + READ_BYTES;
            if buffer.len() < room {
                buffer.resize(room, 0);
            }
            let (front, back) = buffer.split_at_mut(held);
            let mut read = ReadBuf::new(&mut back[..READ_BYTES]);
            ready!(Pin::new(socket).poll_read(cx, &mut read))?;
            let octets = read.filled().len();
            if octets == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            front.copy_from_slice(session.partial());
            session.take_in(&mut buffer[..held + octets]);
            Poll::Ready(Ok(()))
        })
    }

    /// Gives the socket what an earlier write has left.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outgoing = self.session.outgoing();
        while !outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, outgoing.octets()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            outgoing.consume(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts and writes. What the socket does not take at once is kept, and goes before anything else.
    fn poll_seal(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if octets.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_drain(cx))?;
        let octets = &octets[..octets.len().min(WRITE_BYTES_MAX)];
        let Self { socket, session } = self;
        borrow(&OUTGOING, |sealed| {
            let length = session.seal(octets, sealed)?;
            let mut left = &sealed[..length];
            while !left.is_empty() {
                match Pin::new(&mut *socket).poll_write(cx, left) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(written)) => left = &left[written..],
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {
                        session.outgoing().append(left);
                        break;
                    }
                }
            }
            Poll::Ready(Ok(octets.len()))
        })
    }
}

/// A TLS connection without its place in the runtime.
pub struct TlsAtRest<S> {
    socket: S,
    session: Box<Session>,
}

impl<S: AsRawFd> AsRawFd for TlsAtRest<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<S: Socket> Socket for TlsStream<S> {
    type AtRest = TlsAtRest<S::AtRest>;

    fn is_quiet(&self) -> bool {
        self.session.is_quiet() && self.socket.is_quiet()
    }

    fn lie_down(self) -> io::Result<Self::AtRest> {
        Ok(TlsAtRest { socket: self.socket.lie_down()?, session: self.session })
    }

    fn rise(at_rest: Self::AtRest) -> io::Result<Self> {
        Ok(Self { socket: S::rise(at_rest.socket)?, session: at_rest.session })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            // An alert or the answer to a KeyUpdate may be on its way; reading does not wait for it.
            let drained = self.poll_drain(cx);
            let incoming = self.session.incoming();
            if !incoming.is_empty() {
                let octets = incoming.octets().len().min(into.remaining());
                into.put_slice(&incoming.octets()[..octets]);
                incoming.consume(octets);
                return Poll::Ready(Ok(()));
            }
            if let Some(failure) = self.session.failure() {
                return Poll::Ready(Err(failure));
            }
            if self.session.input_ended() {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(Err(error)) = drained {
                return Poll::Ready(Err(error));
            }
            ready!(self.poll_fill(cx))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_seal(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let (Some(first), Some(_)) = (filled.next(), filled.next()) else {
            let only = slices.iter().find(|slice| !slice.is_empty());
            return self.poll_seal(cx, only.map_or(&[], |slice| &slice[..]));
        };
        if first.len() >= WRITE_BYTES_MAX {
            return self.poll_seal(cx, first);
        }
        borrow(&GATHERED, |gathered| {
            gathered.clear();
            for slice in slices {
                let room = WRITE_BYTES_MAX - gathered.len();
                gathered.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            self.poll_seal(cx, gathered)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.close();
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
