//! Finds the bounds of a handset's commands, and nothing else: octets go in, [`Frame`]s come out.
//!
//! Holds one buffer, empty while nothing is pending, and the state of the literal being read. Refuses grammar: a frame's
//! content is decoded by [`crate::decode`]. How the octets are cut into pieces makes no difference. Whatever is refused
//! is skipped by its own bounds, so that the content of a literal is never taken for a command (F6).
//!
//! ```text
//!              line with no literal ──► Command
//!   ┌─► Command ── {n} {n+} ──► gathered into the same command ──┐
//!   │      │ ▲                                                   │
//!   │      │ └───────────────────────────────────────────────────┘
//!   │      ├── APPEND's message ──► Verdict ─ accept ─► Append ── AppendBytes… ─► Tail ── AppendEnd ──┐
//!   │      │                          │ refuse                                             │
//!   │      └── over a limit, NUL … ───┴─► Swallowing ── too much ──► Closed                │
//!   └─────────────────────────────────────┴────────────────────────────────────────────────┘
//! ```
//!
//! An APPEND that was answered before it ended goes from Verdict, Append or Tail to Swallowing too.

mod append;
mod gather;
mod line;
mod swallow;
#[cfg(test)]
mod tests;
mod value;

pub use value::{CommandBytes, Frame, Rejection};

use crate::syntax::leading_tag;
use bytes::{Buf, Bytes, BytesMut};
use gather::{Gathered, Gathering};
use line::{Literal, is_append_message, trailing_literal};
use pimap_types::limits::{
    COMMAND_BYTES_MAX, LINE_BEFORE_LOGIN_BYTES_MAX, LINE_BYTES_MAX, LITERALS_PER_COMMAND_MAX,
    STRING_LITERAL_BYTES_MAX,
};
use pimap_types::{Code, Tag};

/// How a handset's literals are carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LiteralMode {
    /// TCP or a full-duplex stream: `{n}` is asked for with `+`.
    Stream,
    /// The body of one POST: nothing can be asked for, `{n}` is refused (F6, digest 16.3), but for one that ends it where that
    /// can be continued.
    Body,
}

/// The machine. Feed it, then take frames until there is none.
pub struct Framer {
    /// What is not yet consumed, beginning with the command being read.
    buffer: BytesMut,
    state: State,
    mode: LiteralMode,
    logged_in: bool,
    idle: bool,
    sasl: bool,
    continues: bool,
    ended: bool,
    consumed: u64,
}

#[derive(Clone)]
enum State {
    Command(Gathering),
    Verdict {
        tag: Option<Tag>,
        size: u64,
        synchronizing: bool,
    },
    Append {
        tag: Option<Tag>,
        left: u64,
    },
    /// Behind a literal of APPEND: what follows it stands at the start of the buffer.
    Tail {
        tag: Option<Tag>,
        at: Gathering,
    },
    Swallowing {
        left: u64,
        swallowed: u64,
    },
    Closed,
}

/// What one step of the machine came to.
enum Step {
    Frame(Frame),
    Again,
    Wait,
}

impl Framer {
    /// A framer at the start of a connection or of a body.
    pub fn new(mode: LiteralMode) -> Self {
        Self {
            buffer: BytesMut::new(),
            state: State::Command(Gathering::default()),
            mode,
            logged_in: false,
            idle: false,
            sasl: false,
            continues: false,
            ended: false,
            consumed: 0,
        }
    }

    /// Appends octets that came in.
    pub fn feed(&mut self, octets: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The buffer, for reading into its spare room directly; only appending to it is meant.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The input ended in good order (the end of a POST body): a last line without a line end counts as a whole one
    /// (digest 16.2). Not to be called for a connection that went away, whose last line may be half a command.
    pub fn end_of_input(&mut self) {
        self.ended = true;
    }

    /// Whether a LOGIN succeeded: larger limits hold from then on.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        self.logged_in = logged_in;
    }

    /// Whether an IDLE is running, so that `DONE` is the only line allowed. [`Frame::Done`] ends it, and so does [`Frame::NotDone`].
    pub fn set_idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    /// The next line answers a challenge of AUTHENTICATE and is no command, whatever it looks like. It never becomes part of an
    /// answer: what it holds is a secret.
    pub fn set_sasl(&mut self) {
        self.sasl = true;
    }

    /// Whether a command that ends the input with `{n}` can be continued: it becomes [`Frame::Half`] instead of being refused.
    pub fn set_continues(&mut self, continues: bool) {
        self.continues = continues;
    }

    /// Whether octets are there that no frame has consumed: the handset did not wait (F2), or a command is half read.
    pub fn has_buffered(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Whether nothing of a command, or of what else is expected, has come: another framer told the same would do as well.
    pub fn is_at_rest(&self) -> bool {
        self.buffer.is_empty() && !self.sasl && !self.ended && matches!(self.state, State::Command(_))
    }

    /// Octets consumed so far, by frames and by skipping.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Lets the message of [`Frame::AppendStart`] in. If it is synchronizing, `+` is the caller's to send.
    pub fn accept_append(&mut self) {
        if let State::Verdict { tag, size, .. } = &self.state {
            self.state = State::Append { tag: tag.clone(), left: *size };
        }
    }

    /// The next frame; `None` until more octets are fed, or [`Frame::AppendStart`] has had its verdict.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let step = match self.state.clone() {
                State::Command(at) => self.step_command(at),
                State::Verdict { .. } => Step::Wait,
                State::Append { tag, left } => self.step_append(tag, left),
                State::Tail { tag, at } => self.step_tail(tag, at),
                State::Swallowing { left, swallowed } => self.step_swallow(left, swallowed),
                State::Closed => {
                    self.buffer.clear();
                    Step::Wait
                }
            };
            match step {
                Step::Frame(frame) => return Some(frame),
                Step::Again => {}
                Step::Wait => {
                    if self.buffer.is_empty() {
                        // An idle handset costs no buffer (design D16).
                        self.buffer = BytesMut::new();
                    }
                    return None;
                }
            }
        }
    }

    fn step_command(&mut self, at: Gathering) -> Step {
        let (at, line_end, next) = match self.gather(at, self.line_bytes_max()) {
            Gathered::Stretch(at, line_end, next) => (at, line_end, next),
            Gathered::Waits(at) => {
                self.state = State::Command(at);
                return Step::Wait;
            }
            Gathered::CutShort => return self.cut_short(),
            Gathered::Malformed(at, text) => return self.reject(at, text),
        };
        if next == 0 {
            // The input has ended, and not with half a line.
            return Step::Wait;
        }
        if self.sasl {
            self.sasl = false;
            self.state = State::Command(Gathering::default());
            return Step::Frame(Frame::Sasl(self.split_command(next)));
        }
        let text = self.stretch(at, line_end);
        if at.piece == 0 && text.is_empty() {
            // A terminal's empty line says nothing and gets no answer.
            self.consume(next);
            self.state = State::Command(Gathering::default());
            return Step::Again;
        }
        if self.idle {
            if at.piece == 0 && text.eq_ignore_ascii_case(b"DONE") {
                self.idle = false;
                self.consume(next);
                self.state = State::Command(Gathering::default());
                return Step::Frame(Frame::Done);
            }
            return self.reject(at, "expected DONE");
        }
        match trailing_literal(text) {
            Some(literal) => self.on_literal(at, literal, line_end, next),
            None => {
                self.state = State::Command(Gathering::default());
                Step::Frame(Frame::Command(self.split_command(next)))
            }
        }
    }

    fn on_literal(&mut self, at: Gathering, literal: Literal, line_end: usize, next: usize) -> Step {
        let Literal { size, synchronizing } = literal;
        if synchronizing && self.mode == LiteralMode::Body {
            if self.continues && self.ended && next > line_end && next == self.buffer.len() {
                return self.hand_over_half(next);
            }
            return self.reject(at, NO_CONTINUATION);
        }
        let first_line = self.buffer.get(..line_end).unwrap_or_default();
        if is_append_message(first_line, at.literals) {
            self.state = State::Verdict { tag: leading_tag(&self.buffer), size, synchronizing };
            let command = self.split_command(next);
            return Step::Frame(Frame::AppendStart { command, size, synchronizing });
        }
        let literal_bytes = at.literal_bytes.saturating_add(size);
        if at.literals >= LITERALS_PER_COMMAND_MAX {
            return self.reject(at, "too many literals in one command");
        }
        if size > self.literal_bytes_max() || literal_bytes > self.literals_bytes_max() {
            return self.reject_coded(at, Some(Code::word("TOOBIG")), "literal too large");
        }
        let Some(end) = usize::try_from(size).ok().and_then(|size| next.checked_add(size)) else {
            return self.reject(at, "literal too large");
        };
        self.state = State::Command(Gathering {
            literal_end: Some(end),
            literal_bytes,
            literals: at.literals + 1,
            ..at
        });
        if synchronizing { Step::Frame(Frame::NeedContinuation) } else { Step::Again }
    }

    /// The body ends where the handset would wait for `+`.
    fn hand_over_half(&mut self, length: usize) -> Step {
        let tag = leading_tag(&self.buffer);
        let mut octets = self.split(length).to_vec();
        if let Some(brace) = octets.iter().rposition(|octet| *octet == b'}') {
            octets.insert(brace, b'+');
        }
        self.state = State::Command(Gathering::default());
        Step::Frame(Frame::Half(tag, CommandBytes::new(Bytes::from(octets))))
    }

    fn reject(&mut self, at: Gathering, text: &'static str) -> Step {
        self.reject_coded(at, None, text)
    }

    /// Refuses the command being gathered; its current line and what belongs to it is skipped next.
    fn reject_coded(&mut self, at: Gathering, code: Option<Code>, text: &'static str) -> Step {
        let tag = if std::mem::take(&mut self.sasl) { None } else { leading_tag(&self.buffer) };
        self.consume(at.piece);
        self.state = State::Swallowing { left: 0, swallowed: 0 };
        if std::mem::take(&mut self.idle) {
            return Step::Frame(Frame::NotDone);
        }
        Step::Frame(Frame::Rejected(Rejection { tag, code, text, fatal: false }))
    }

    fn cut_short(&mut self) -> Step {
        let tag = match &self.state {
            State::Append { tag, .. } | State::Tail { tag, .. } => tag.clone(),
            _ => leading_tag(&self.buffer),
        };
        self.close(tag, "the input ended inside a literal")
    }

    fn close(&mut self, tag: Option<Tag>, text: &'static str) -> Step {
        self.state = State::Closed;
        Step::Frame(Frame::Rejected(Rejection { tag, code: None, text, fatal: true }))
    }

    fn line_bytes_max(&self) -> usize {
        if self.logged_in { LINE_BYTES_MAX } else { LINE_BEFORE_LOGIN_BYTES_MAX }
    }

    /// A stranger's literal is a user name or a password: no larger than a stranger's line.
    fn literal_bytes_max(&self) -> u64 {
        if self.logged_in { STRING_LITERAL_BYTES_MAX } else { LINE_BEFORE_LOGIN_BYTES_MAX as u64 }
    }

    fn literals_bytes_max(&self) -> u64 {
        if self.logged_in { COMMAND_BYTES_MAX as u64 } else { 2 * LINE_BEFORE_LOGIN_BYTES_MAX as u64 }
    }

    fn consume(&mut self, length: usize) {
        let length = length.min(self.buffer.len());
        self.buffer.advance(length);
        self.consumed = self.consumed.saturating_add(length as u64);
    }

    fn split(&mut self, length: usize) -> Bytes {
        let length = length.min(self.buffer.len());
        self.consumed = self.consumed.saturating_add(length as u64);
        self.buffer.split_to(length).freeze()
    }

    fn split_command(&mut self, length: usize) -> CommandBytes {
        CommandBytes::new(self.split(length))
    }
}

const LINE_TOO_LONG: &str = "line too long";
const NO_CONTINUATION: &str = "a synchronizing literal cannot be sent in a request body: use {n+}";
