//! Skipping what was refused by its own bounds, so that the content of a literal is never taken for a command (F6).

use super::gather::Gathering;
use super::line::{Literal, TAIL_BYTES, trailing_literal, without_cr};
use super::{Framer, LiteralMode, State, Step};
use memchr::memchr;
use pimap_types::limits::SWALLOW_BYTES_MAX;

impl Framer {
    /// Keeps the message of [`Frame::AppendStart`] out: it is skipped if it comes all the same. So is all that is still to come of an
    /// APPEND that flows: it was answered, nobody reads on, and nothing more is asked for or answered in its name.
    pub fn refuse_append(&mut self) {
        match self.state {
            State::Verdict { size, synchronizing, .. } => {
                self.skip_literal(Literal { size, synchronizing }, 0);
            }
            State::Append { left, .. } => self.state = State::Swallowing { left, swallowed: 0 },
            State::Tail { at, .. } => {
                let length = self.buffer.len();
                // A literal whose octets were asked for comes, whatever was answered since.
                let (gathered, left) = match at.literal_end {
                    Some(end) => (end.min(length), end.saturating_sub(length) as u64),
                    None => (at.piece, 0),
                };
                self.consume(gathered);
                self.state = State::Swallowing { left, swallowed: 0 };
            }
            State::Command(_) | State::Swallowing { .. } | State::Closed => {}
        }
    }

    /// Skips `left` octets of a literal, then the rest of the refused command, line by line and literal by literal.
    pub(super) fn step_swallow(&mut self, left: u64, swallowed: u64) -> Step {
        if swallowed.saturating_add(left) > SWALLOW_BYTES_MAX {
            return self.close(None, "too much to skip");
        }
        if left > 0 {
            let length = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if length == 0 {
                return Step::Wait;
            }
            self.consume(length);
            self.state =
                State::Swallowing { left: left - length as u64, swallowed: swallowed + length as u64 };
            return Step::Again;
        }
        if let Some(index) = memchr(b'\n', &self.buffer) {
            // Only the tail counts, however much of the line happens to be buffered: else it would matter how it was split.
            let tail = index.saturating_sub(TAIL_BYTES)..index;
            let literal = trailing_literal(without_cr(self.buffer.get(tail).unwrap_or_default()));
            self.consume(index + 1);
            self.state = State::Command(Gathering::default());
            if let Some(literal) = literal {
                self.skip_literal(literal, swallowed.saturating_add(index as u64));
            }
            return Step::Again;
        }
        // What a literal's head may need stays: the line may still end with one.
        let keep = if self.ended { 0 } else { TAIL_BYTES };
        let surplus = self.buffer.len().saturating_sub(keep);
        if surplus == 0 {
            return Step::Wait;
        }
        self.consume(surplus);
        self.state = State::Swallowing { left: 0, swallowed: swallowed.saturating_add(surplus as u64) };
        Step::Again
    }

    /// Skips a refused literal, unless the handset waits for `+` and so has understood the refusal. Octets that are there
    /// already show that it did not wait: they are the literal's, not the next command.
    fn skip_literal(&mut self, literal: Literal, swallowed: u64) {
        let waits = literal.synchronizing && self.mode == LiteralMode::Stream && self.buffer.is_empty();
        self.state = if waits {
            State::Command(Gathering::default())
        } else {
            State::Swallowing { left: literal.size, swallowed }
        };
    }
}
