//! APPEND after its first line: the octets of literals, and what follows each of them.

use super::gather::{Gathered, Gathering};
use super::line::{Literal, is_url, trailing_literal};
use super::{Frame, Framer, LiteralMode, NO_CONTINUATION, Rejection, State, Step};
use pimap_types::Tag;
use pimap_types::limits::{
    LINE_BYTES_MAX, LITERALS_PER_COMMAND_MAX, PIECE_BYTES_MAX, STRING_LITERAL_BYTES_MAX,
};

impl Framer {
    pub(super) fn step_append(&mut self, tag: Option<Tag>, left: u64) -> Step {
        if left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES_MAX);
            let length = self.buffer.len().min(most);
            if length == 0 {
                return if self.ended { self.cut_short() } else { Step::Wait };
            }
            self.state = State::Append { tag, left: left.saturating_sub(length as u64) };
            return Step::Frame(Frame::AppendBytes(self.split(length)));
        }
        self.state = State::Tail { tag, at: Gathering::default() };
        Step::Again
    }

    /// Gathers what follows a literal of APPEND: the line's end, or a further message or part.
    pub(super) fn step_tail(&mut self, tag: Option<Tag>, at: Gathering) -> Step {
        let (at, line_end, next) = match self.gather(at, LINE_BYTES_MAX) {
            Gathered::Stretch(at, line_end, next) => (at, line_end, next),
            Gathered::Waits(at) => {
                self.state = State::Tail { tag, at };
                return Step::Wait;
            }
            Gathered::CutShort => return self.cut_short(),
            Gathered::Malformed(at, text) => return self.reject_tail(tag, at, text),
        };
        let text = self.stretch(at, line_end);
        let Some(literal) = trailing_literal(text) else {
            if at.piece == 0 && text.is_empty() {
                return self.end_append(next);
            }
            self.state = State::Command(Gathering::default());
            return Step::Frame(Frame::AppendPart { text: self.split_command(next), literal: None });
        };
        let Literal { size, synchronizing } = literal;
        if synchronizing && self.mode == LiteralMode::Body {
            return self.reject_tail(tag, at, NO_CONTINUATION);
        }
        if !is_url(text) {
            self.state = State::Verdict { tag, size, synchronizing };
            let text = self.split_command(next);
            return Step::Frame(Frame::AppendPart { text, literal: Some((size, synchronizing)) });
        }
        let literal_bytes = at.literal_bytes.saturating_add(size);
        let end = usize::try_from(size).ok().and_then(|size| next.checked_add(size));
        let (Some(end), true) =
            (end, at.literals < LITERALS_PER_COMMAND_MAX && literal_bytes <= STRING_LITERAL_BYTES_MAX)
        else {
            return self.reject_tail(tag, at, "literal too large");
        };
        let (literals, literal_end) = (at.literals + 1, Some(end));
        self.state = State::Tail { tag, at: Gathering { literal_end, literal_bytes, literals, ..at } };
        if synchronizing { Step::Frame(Frame::NeedContinuation) } else { Step::Again }
    }

    /// Refuses an APPEND for what follows a literal of it.
    fn reject_tail(&mut self, tag: Option<Tag>, at: Gathering, text: &'static str) -> Step {
        self.consume(at.piece);
        self.state = State::Swallowing { left: 0, swallowed: 0 };
        Step::Frame(Frame::Rejected(Rejection { tag, code: None, text, fatal: false }))
    }

    fn end_append(&mut self, line_bytes: usize) -> Step {
        self.consume(line_bytes);
        self.state = State::Command(Gathering::default());
        Step::Frame(Frame::AppendEnd)
    }
}
