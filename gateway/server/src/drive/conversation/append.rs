//! The message of an APPEND on its way from the handset to upstream, piece by piece, never held whole (law 5).

use bytes::Bytes;
use futures_util::future::BoxFuture;
use pimap_account::contract::AppendRules;
use pimap_types::Code;
use pimap_types::append::{AppendPart, AppendPiece, Within};
use pimap_types::limits::APPEND_PARTS_MAX;
use pimap_wire::decode::append_parts;
use pimap_wire::frame::{CommandBytes, Frame, Framer, Rejection};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::{OwnedPermit, Sender, error::SendError};

/// A message that follows its command.
pub(super) struct Message {
    /// The handset waits for `+` before it sends the message.
    pub(super) synchronizing: bool,
    /// What stands around it.
    pub(super) within: Within,
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
    to: Sender<AppendPiece>,
    room: Option<BoxFuture<'static, Result<OwnedPermit<AppendPiece>, SendError<()>>>>,
    /// The latest octets. They go on only when the next ones, or what follows the literal, have come: upstream must never see
    /// the last octet of a message whose command turns out to be broken.
    held: Option<Bytes>,
    /// What waits for room; a few pieces at most.
    ready: VecDeque<AppendPiece>,
    /// Nothing follows what is ready.
    last: bool,
    rules: Arc<AppendRules>,
    /// What stands around the literal.
    within: Within,
    /// Parts so far.
    parts: usize,
}

/// What the pump came to.
pub(super) enum Pumped {
    /// Something moved.
    Moved,
    /// The handset waits for `+` before it goes on.
    Awaited,
    /// The message is over, or nobody takes the rest of it.
    Over,
    /// Nothing that follows can be understood: the connection ends.
    Broken(Rejection),
}

impl Message {
    pub(super) fn new(synchronizing: bool) -> Self {
        Self { synchronizing, within: Within::Command, stage: Stage::Offered }
    }

    /// Upstream takes the message: from now on it flows.
    pub(super) fn flow_to(&mut self, to: Sender<AppendPiece>, rules: Arc<AppendRules>, framer: &mut Framer) {
        framer.accept_append();
        self.stage = Stage::Flowing(Flow {
            to,
            room: None,
            held: None,
            ready: VecDeque::new(),
            last: false,
            rules,
            within: self.within,
            parts: 0,
        });
    }

    /// The command was answered, maybe before it ended: the framer skips what is still to come of it.
    pub(super) fn answered(self, framer: &mut Framer) {
        framer.refuse_append();
    }

    /// Moves pieces on while there is room; pending when more input or room is needed. `ended`: no more input will come, and a
    /// message that is not whole never will be.
    pub(super) fn poll_pump(
        &mut self,
        cx: &mut Context<'_>,
        framer: &mut Framer,
        ended: bool,
    ) -> Poll<Pumped> {
        let Stage::Flowing(flow) = &mut self.stage else { return Poll::Pending };
        let pumped = ready!(flow.poll(cx, framer, ended));
        if !matches!(pumped, Pumped::Moved | Pumped::Awaited) {
            // The sender goes: without the end before it that means that the rest will not come.
            self.stage = Stage::Dropped;
        }
        Poll::Ready(pumped)
    }
}

impl Flow {
    fn poll(&mut self, cx: &mut Context<'_>, framer: &mut Framer, ended: bool) -> Poll<Pumped> {
        if !self.ready.is_empty() {
            let to = &self.to;
            let room = self.room.get_or_insert_with(|| Box::pin(to.clone().reserve_owned()));
            let permit = ready!(room.as_mut().poll(cx));
            // A future that is ready must not be polled again.
            self.room = None;
            let (Ok(permit), Some(piece)) = (permit, self.ready.pop_front()) else {
                return Poll::Ready(Pumped::Over);
            };
            permit.send(piece);
            let over = self.last && self.ready.is_empty();
            return Poll::Ready(if over { Pumped::Over } else { Pumped::Moved });
        }
        Poll::Ready(match framer.next_frame() {
            Some(Frame::AppendBytes(octets)) => {
                self.ready.extend(self.held.replace(octets).map(AppendPiece::Bytes));
                Pumped::Moved
            }
            Some(Frame::AppendPart { text, literal }) => self.go_on(&text, literal, framer),
            Some(Frame::AppendEnd) if self.within.unclosed().is_some() => {
                let text = self.within.unclosed().unwrap_or_default();
                self.give_up("CLIENTBUG".to_owned(), text.to_owned())
            }
            Some(Frame::AppendEnd) => {
                self.ready.extend(self.held.take().map(AppendPiece::Bytes));
                self.end();
                Pumped::Moved
            }
            Some(Frame::NeedContinuation) => Pumped::Awaited,
            Some(Frame::Rejected(rejection)) if rejection.fatal => Pumped::Broken(rejection),
            Some(Frame::Rejected(rejection)) => self.give_up(word(rejection.code), rejection.text.to_owned()),
            Some(_) => Pumped::Over,
            None if ended => Pumped::Over,
            None => return Poll::Pending,
        })
    }

    fn end(&mut self) {
        self.ready.push_back(AppendPiece::End);
        self.last = true;
    }

    /// The command turned out to be none, which is its answer; upstream never sees it whole.
    fn give_up(&mut self, code: String, text: String) -> Pumped {
        self.ready.push_back(AppendPiece::Refused { code, text });
        self.last = true;
        Pumped::Moved
    }

    /// What follows a literal: checked as the command itself was, before upstream sees the literal's last octet.
    fn go_on(&mut self, text: &CommandBytes, literal: Option<(u64, bool)>, framer: &mut Framer) -> Pumped {
        let parts = match self.checked(text) {
            Ok(parts) => parts,
            Err((code, text)) => {
                framer.refuse_append();
                return self.give_up(code, text);
            }
        };
        self.within = Within::of(&parts);
        self.ready.extend(self.held.take().map(AppendPiece::Bytes));
        self.ready.push_back(AppendPiece::Parts(parts));
        match literal {
            None => self.end(),
            Some((_, synchronizing)) => {
                framer.accept_append();
                if synchronizing {
                    return Pumped::Awaited;
                }
            }
        }
        Pumped::Moved
    }

    fn checked(&mut self, text: &CommandBytes) -> Result<Vec<AppendPart>, (String, String)> {
        let parts =
            append_parts(text, self.within).map_err(|error| (word(error.code), error.text.into_owned()))?;
        self.parts = self.parts.saturating_add(parts.len());
        if self.parts > APPEND_PARTS_MAX {
            return Err(("LIMIT".to_owned(), "too many parts".to_owned()));
        }
        self.rules.check(parts, false).map_err(|why| (word(Some(why.code())), why.text().to_owned()))
    }
}

/// The code of a refusal as a word.
fn word(code: Option<Code>) -> String {
    match code {
        Some(Code::Word(word)) => word.into_owned(),
        _ => "CLIENTBUG".to_owned(),
    }
}
