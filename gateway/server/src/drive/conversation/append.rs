//! The message of an APPEND on its way from the handset to upstream, piece by piece, never held whole (law 5).

use bytes::Bytes;
use futures_util::future::BoxFuture;
use pimap_wire::frame::{Frame, Framer, Rejection};
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::{OwnedPermit, Sender, error::SendError};

/// A message that follows its command.
pub(super) struct Message {
    /// The handset waits for `+` before it sends the message.
    pub(super) synchronizing: bool,
    stage: Stage,
}

enum Stage {
    /// The account has not said yet whether it wants it.
    Offered,
    /// Upstream takes it.
    Flowing(Flow),
    /// Nobody wants the rest; it is read and dropped.
    Dropped,
}

struct Flow {
    to: Sender<Bytes>,
    room: Option<BoxFuture<'static, Result<OwnedPermit<Bytes>, SendError<()>>>>,
    /// The latest piece. It goes on only when the next one, or the command's end, has come: upstream must never see the
    /// last octet of a message whose command turns out to be broken.
    held: Option<Bytes>,
}

/// What the pump came to.
pub(super) enum Pumped {
    /// Something moved.
    Moved,
    /// The message is over, or nobody takes the rest of it.
    Over,
    /// The command is broken.
    Broken(Rejection),
}

impl Message {
    pub(super) fn new(synchronizing: bool) -> Self {
        Self { synchronizing, stage: Stage::Offered }
    }

    /// Upstream takes the message: from now on it flows.
    pub(super) fn flow_to(&mut self, to: Sender<Bytes>, framer: &mut Framer) {
        framer.accept_append();
        self.stage = Stage::Flowing(Flow { to, room: None, held: None });
    }

    /// The command was answered. A message that was never asked for is skipped by the framer; what still comes of one
    /// that was is dropped frame by frame.
    pub(super) fn answered(self, framer: &mut Framer) {
        if matches!(self.stage, Stage::Offered) {
            framer.refuse_append();
        }
    }

    /// Moves pieces on while there is room; pending when more input or room is needed.
    pub(super) fn poll_pump(&mut self, cx: &mut Context<'_>, framer: &mut Framer) -> Poll<Pumped> {
        let Stage::Flowing(flow) = &mut self.stage else { return Poll::Pending };
        let pumped = ready!(flow.poll(cx, framer));
        if !matches!(pumped, Pumped::Moved) {
            // The sender goes: after the last octet it means the end, before it that the rest will not come.
            self.stage = Stage::Dropped;
        }
        Poll::Ready(pumped)
    }
}

impl Flow {
    fn poll(&mut self, cx: &mut Context<'_>, framer: &mut Framer) -> Poll<Pumped> {
        let permit = match self.held {
            None => None,
            Some(_) => {
                let to = &self.to;
                let room = self.room.get_or_insert_with(|| Box::pin(to.clone().reserve_owned()));
                match ready!(room.as_mut().poll(cx)) {
                    Ok(permit) => Some(permit),
                    Err(_) => return Poll::Ready(Pumped::Over),
                }
            }
        };
        // A future that is ready must not be polled again; the permit, if not used, is given back.
        self.room = None;
        let (earlier, pumped) = match framer.next_frame() {
            Some(Frame::AppendBytes(piece)) => (self.held.replace(piece), Pumped::Moved),
            Some(Frame::AppendEnd) => (self.held.take(), Pumped::Over),
            Some(Frame::Rejected(rejection)) => return Poll::Ready(Pumped::Broken(rejection)),
            Some(_) => return Poll::Ready(Pumped::Over),
            None => return Poll::Pending,
        };
        if let (Some(permit), Some(earlier)) = (permit, earlier) {
            permit.send(earlier);
        }
        Poll::Ready(pumped)
    }
}
