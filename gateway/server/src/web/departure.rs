//! Whether a response was written whole: known only by the socket, after the body has ended (F3).
//!
//! The body leaves its membership here when it has ended; the socket's next successful flush that covers the end tells
//! the account "clean". A socket that goes away first tells "not clean", by dropping what is left.

use crate::drive::mail::Membership;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Responses of one connection that wait for their last octet to leave.
#[derive(Debug, Default)]
pub struct Departures {
    written: AtomicU64,
    // Shared by the bodies of one connection and its socket, for the length of a push.
    waiting: Mutex<Vec<(u64, Membership)>>,
}

impl Departures {
    fn waiting(&self) -> MutexGuard<'_, Vec<(u64, Membership)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body has ended. Its end mark is still to be written, so something more must be written before it is whole.
    pub fn ended(&self, membership: Membership) {
        let mark = self.written.load(Ordering::Acquire);
        self.waiting().push((mark, membership));
    }

    fn wrote(&self, octets: usize) {
        self.written.fetch_add(octets as u64, Ordering::AcqRel);
    }

    fn flushed(&self) {
        let written = self.written.load(Ordering::Acquire);
        let departed: Vec<_> = self.waiting().extract_if(.., |(mark, _)| *mark < written).collect();
        for (_, membership) in departed {
            membership.end(true);
        }
    }

    fn lost(&self) {
        self.waiting().clear();
    }
}

/// A socket that knows what it has written.
#[derive(Debug)]
pub struct Watched<S> {
    socket: S,
    departures: Arc<Departures>,
}

impl<S> Watched<S> {
    /// Watches a socket.
    pub fn new(socket: S, departures: Arc<Departures>) -> Self {
        Self { socket, departures }
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        self.departures.lost();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        self.departures.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        self.departures.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.departures.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::mail::{AccountHandle, Mail};
    use pimap_account::Input;
    use pimap_types::{AccountKey, ConnectionId};
    use tokio::io::AsyncWriteExt;
    use tokio::sync::mpsc;

    fn member() -> (Membership, mpsc::UnboundedReceiver<Mail>) {
        let (mail, letters) = mpsc::unbounded_channel();
        let account = AccountHandle { key: AccountKey::new("joe"), mail };
        (Membership::new(account, ConnectionId(1)), letters)
    }

    #[track_caller]
    fn told(letters: &mut mpsc::UnboundedReceiver<Mail>) -> Option<bool> {
        match letters.try_recv() {
            Ok(Mail::Input(input)) => match *input {
                Input::Closed { clean, .. } => Some(clean),
                other => panic!("unexpected {other:?}"),
            },
            Ok(other) => panic!("unexpected {other:?}"),
            Err(_) => None,
        }
    }

    #[tokio::test]
    async fn clean_only_after_the_end_mark_is_flushed() {
        let departures = Arc::new(Departures::default());
        let mut socket = Watched::new(Vec::new(), departures.clone());
        let (membership, mut letters) = member();
        socket.write_all(b"line").await.expect("written");
        departures.ended(membership);
        socket.flush().await.expect("flushed");
        assert_eq!(told(&mut letters), None);
        socket.write_all(b"0\r\n\r\n").await.expect("written");
        assert_eq!(told(&mut letters), None);
        socket.flush().await.expect("flushed");
        assert_eq!(told(&mut letters), Some(true));
    }

    #[tokio::test]
    async fn a_socket_that_goes_first_is_not_clean() {
        let departures = Arc::new(Departures::default());
        let socket = Watched::new(Vec::<u8>::new(), departures.clone());
        let (membership, mut letters) = member();
        departures.ended(membership);
        drop(socket);
        assert_eq!(told(&mut letters), Some(false));
    }
}
