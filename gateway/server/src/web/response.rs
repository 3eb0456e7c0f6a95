//! The body of a response: it owns the conversation and runs it whenever the server asks for more to send. No task, no
//! channel; when the server drops it, the conversation ends with it (measured.md 2). A conversation that was cut off, such as in the
//! middle of a message whose rest never came from upstream, breaks the response off: it must not look whole (law 1).

use super::departure::Departures;
use super::exchange::{Exchange, Slot};
use super::gzip::Gzip;
use crate::drive::conversation::Ended;
use crate::drive::mail::Membership;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::Frame;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// A stream's head leaves this soon even if there is nothing to say, so that the handset goes on.
const HEAD_PATIENCE: Duration = Duration::from_millis(250);
/// The head leaves without a cookie when LOGIN takes this long.
const COOKIE_PATIENCE: Duration = Duration::from_secs(10);
/// What may wait for the head.
const AHEAD_BYTES_MAX: usize = 64 << 10;

/// See the module.
pub struct ResponseBody {
    conversation: Option<BoxFuture<'static, Ended<Exchange>>>,
    slot: Arc<Slot>,
    /// What was said before the head left.
    ahead: VecDeque<Bytes>,
    gzip: Option<Gzip>,
    departures: Arc<Departures>,
    /// The conversation is over; what it said may not be written yet.
    leaving: Option<Membership>,
    /// It was cut off.
    cut: bool,
}

impl ResponseBody {
    /// A body that runs a conversation over an exchange with this slot.
    pub fn new(
        conversation: BoxFuture<'static, Ended<Exchange>>,
        slot: Arc<Slot>,
        gzip: bool,
        departures: Arc<Departures>,
    ) -> Self {
        let gzip = gzip.then(Gzip::default);
        Self {
            conversation: Some(conversation),
            slot,
            ahead: VecDeque::new(),
            gzip,
            departures,
            leaving: None,
            cut: false,
        }
    }

    /// Runs the conversation until the head of the response can be written: something was said and no cookie is to come,
    /// or it took too long. An open stream gets its head soon in any case.
    pub async fn until_head(&mut self, is_stream: bool) {
        let began = Instant::now();
        let first = if is_stream { began + HEAD_PATIENCE } else { began + COOKIE_PATIENCE };
        for deadline in [first, began + COOKIE_PATIENCE] {
            let known = poll_fn(|cx| self.poll_head(cx));
            if tokio::time::timeout_at(deadline, known).await.is_ok() || !self.slot.holds_head() {
                return;
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let running = self.poll_conversation(cx).is_pending();
            let said = self.slot.take();
            let more = said.is_some();
            self.ahead.extend(said);
            let bytes: usize = self.ahead.iter().map(Bytes::len).sum();
            let settled = bytes > 0 && !self.slot.holds_head();
            if !running || settled || bytes > AHEAD_BYTES_MAX {
                return Poll::Ready(());
            }
            if !more {
                return Poll::Pending;
            }
        }
    }

    fn poll_conversation(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(conversation) = &mut self.conversation else { return Poll::Ready(()) };
        match conversation.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(ended) => {
                self.conversation = None;
                if let Ended::Over { membership, whole } = ended {
                    self.leaving = membership;
                    self.cut = !whole;
                }
                Poll::Ready(())
            }
        }
    }

    fn next_group(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(octets) = self.ahead.pop_front().or_else(|| self.slot.take()) {
            return Poll::Ready(Some(octets));
        }
        let ran = self.poll_conversation(cx);
        match (self.slot.take(), ran) {
            (Some(octets), _) => Poll::Ready(Some(octets)),
            (None, Poll::Ready(())) => Poll::Ready(None),
            (None, Poll::Pending) => Poll::Pending,
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let octets = match this.next_group(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(octets)) => match &mut this.gzip {
                Some(gzip) => gzip.group(&octets),
                None => octets,
            },
            Poll::Ready(None) if std::mem::take(&mut this.cut) => {
                this.gzip = None;
                return Poll::Ready(Some(Err(io::Error::other("what was to be said was cut off"))));
            }
            Poll::Ready(None) => match this.gzip.take() {
                Some(mut gzip) => gzip.end(),
                None => {
                    if let Some(membership) = this.leaving.take() {
                        this.departures.ended(membership);
                    }
                    return Poll::Ready(None);
                }
            },
        };
        Poll::Ready(Some(Ok(Frame::data(octets))))
    }
}
