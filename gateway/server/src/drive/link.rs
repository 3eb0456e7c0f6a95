//! What a conversation asks of its transport: octets in, octets out, and an end.

use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Octets read at once.
const READ_BYTES: usize = 8 << 10;

thread_local! {
    /// Where octets land: one buffer for each thread, which is not in the idle future (measured.md 3) and not cleared at each look.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// What reading brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// Octets, appended to the buffer.
    Octets,
    /// The input ended in good order: nothing more will come. (TCP: the handset closed its side.)
    End,
}

/// A transport. An error means that the other side is gone, or as good as gone.
pub trait Link: Send {
    /// Reads some octets.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<Read>>;
    /// Hands octets to the socket, all of them, and flushes; ready when nothing is left with us.
    fn poll_send(&mut self, cx: &mut Context<'_>, octets: &mut Bytes) -> Poll<io::Result<()>>;
    /// Ends the output: the other side will see its end.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Whether the head of the response, where there is one, is to wait: what stands in it is not decided yet.
    fn hold_head(&mut self, _hold: bool) {}
    /// How many octets are known to be still to come, beyond those read; `None`: not known.
    fn expected(&self) -> Option<u64> {
        None
    }
}

/// A socket that can do without the runtime while nothing happens on it.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + Sized + 'static {
    /// What is left of it.
    type AtRest: AsRawFd + Send;
    /// Nothing is half read, and nothing waits to be written.
    fn is_quiet(&self) -> bool;
    /// Leaves the runtime. It must be quiet.
    fn lie_down(self) -> io::Result<Self::AtRest>;
    /// Comes back, to the runtime that this is called in.
    fn rise(at_rest: Self::AtRest) -> io::Result<Self>;
}

impl Socket for TcpStream {
    type AtRest = std::net::TcpStream;

    fn is_quiet(&self) -> bool {
        true
    }

    fn lie_down(self) -> io::Result<std::net::TcpStream> {
        self.into_std()
    }

    fn rise(at_rest: std::net::TcpStream) -> io::Result<Self> {
        // It never became a blocking one.
        Self::from_std(at_rest)
    }
}

/// A TCP connection, TLS or not.
#[derive(Debug)]
pub struct Stream<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link for Stream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<Read>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
            let octets = buffer.filled();
            into.extend_from_slice(octets);
            Poll::Ready(Ok(if octets.is_empty() { Read::End } else { Read::Octets }))
        })
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, octets: &mut Bytes) -> Poll<io::Result<()>> {
        while !octets.is_empty() {
            let written = ready!(Pin::new(&mut self.0).poll_write(cx, octets))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes::Buf::advance(octets, written);
        }
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
