//! One HTTP exchange as a conversation's transport: the request's body is its input, one slot is its output.
//!
//! The slot holds one group of lines at most. It is taken by the response's body, which runs the conversation within the
//! same task (measured.md 2), so that a handset that does not read stops its conversation and nothing piles up.

use crate::drive::link::{Link, Read};
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

/// Between a conversation and the response's body.
#[derive(Debug, Default)]
pub struct Slot {
    // Both sides are polled by one task; the lock is never contended.
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    octets: Bytes,
    hold_head: bool,
}

impl Slot {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits to leave, if anything.
    pub fn take(&self) -> Option<Bytes> {
        let octets = std::mem::take(&mut self.content().octets);
        (!octets.is_empty()).then_some(octets)
    }

    /// Whether something that belongs into the response's head is still being decided.
    pub fn holds_head(&self) -> bool {
        self.content().hold_head
    }
}

/// See the module.
#[derive(Debug)]
pub struct Exchange {
    body: Body,
    slot: Arc<Slot>,
}

impl Exchange {
    /// An exchange whose request body goes on in `body`.
    pub fn new(body: Body) -> (Self, Arc<Slot>) {
        let slot = Arc::<Slot>::default();
        (Self { body, slot: Arc::clone(&slot) }, slot)
    }
}

impl Link for Exchange {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<Read>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(Ok(Read::End)),
                // A body cut short, or framed wrongly: the handset is gone, or not to be understood.
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(octets) if !octets.is_empty() => {
                        into.extend_from_slice(&octets);
                        return Poll::Ready(Ok(Read::Octets));
                    }
                    // An empty chunk says nothing, nor do trailers.
                    Ok(_) | Err(_) => {}
                },
            }
        }
    }

    fn poll_send(&mut self, _cx: &mut Context<'_>, octets: &mut Bytes) -> Poll<io::Result<()>> {
        let mut content = self.slot.content();
        if !content.octets.is_empty() {
            // Whoever empties the slot polls the conversation next: no waker is needed.
            return Poll::Pending;
        }
        if octets.is_empty() {
            return Poll::Ready(Ok(()));
        }
        content.octets = std::mem::take(octets);
        Poll::Pending
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn hold_head(&mut self, hold: bool) {
        self.slot.content().hold_head = hold;
    }

    fn expected(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }
}
