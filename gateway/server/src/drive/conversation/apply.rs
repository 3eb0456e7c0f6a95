//! What each action does to the conversation.

use super::append::Pumped;
use super::{Action, Conversation, Joining, Outgoing, Phase, Running};
use crate::drive::link::{Link, Read};
use crate::drive::mail::Mail;
use crate::drive::outbox::{Outlook, Signal, Taken};
use pimap_account::Input;
use pimap_account::contract::{AppendRules, TransportKind};
use pimap_types::Response;
use pimap_types::append::AppendPiece;
use pimap_wire::frame::{Framer, LiteralMode};
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

impl<L: Link> Conversation<L> {
    pub(super) fn apply(&mut self, action: Action) {
        self.rest.again();
        match action {
            Action::Read(Read::Octets) => self.on_read(),
            Action::Read(Read::End) => self.on_end(),
            Action::Took(taken) => self.on_taken(taken),
            Action::Sent => self.on_sent(),
            Action::Admitted(verdict) => self.on_admitted(verdict),
            Action::Recalled(found) => self.on_recalled(found),
            Action::Pumped(pumped) => self.on_pumped(pumped),
            Action::Finished => self.on_finished(),
            Action::Deadline => self.on_deadline(),
            // That ends the run, and changes nothing.
            Action::Rest => {}
            Action::Unreadable(error) if self.manner.is_http() => self.on_broken_body(&error),
            Action::Unreadable(error) if self.is_undeflatable(&error) => self.on_undeflatable(&error),
            Action::Unreadable(error) | Action::Lost(error) => {
                tracing::debug!(conn = self.conn.0, %error, "handset is gone");
                self.phase = Phase::Over;
            }
        }
    }

    fn on_read(&mut self) {
        self.clock.read_at = Instant::now();
        match &mut self.phase {
            Phase::Ending { .. } => self.framer.input().clear(),
            Phase::Running(running) if !running.more_told && running.message.is_none() => {
                running.more_told = true;
                if let Some(membership) = &self.membership {
                    membership.input(Input::MoreInput(self.conn));
                }
            }
            _ => {}
        }
    }

    fn on_end(&mut self) {
        self.input_ended = true;
        if self.manner.is_http() {
            // A body that ended in good order ends its last line too; a TCP connection may have been cut anywhere.
            self.framer.end_of_input();
        } else if matches!(self.phase, Phase::Idling) {
            self.phase = Phase::Over;
        }
        if let Phase::Ending { finished } = self.phase
            && finished
        {
            self.phase = Phase::Over;
        }
    }

    /// A body that breaks off is a handset that vanished, not the end of a batch: what was half said is dropped, and
    /// nothing counts as received. If it was only framed wrongly, its sender can still read why this is the end.
    fn on_broken_body(&mut self, error: &std::io::Error) {
        tracing::debug!(conn = self.conn.0, %error, "request body broke off");
        self.input_ended = true;
        self.membership = None;
        self.framer = Framer::new(LiteralMode::Body);
        match self.phase {
            Phase::Ending { .. } => self.phase = Phase::Over,
            _ => self.bye("the request body is broken"),
        }
    }

    pub(super) fn on_taken(&mut self, taken: Taken) {
        if self.outbox.outlook() == Outlook::Overflowed {
            tracing::warn!(conn = self.conn.0, "handset reads too slowly; cut off");
            self.phase = Phase::Over;
            return;
        }
        let Taken { octets, signals, lines, caused_at } = taken;
        self.outgoing = Outgoing { octets, signals, lines, caused_at, under_way: true };
        self.clock.sending_since = Instant::now();
    }

    /// Everything taken is with the socket.
    fn on_sent(&mut self) {
        let outgoing = std::mem::take(&mut self.outgoing);
        self.clock.sent_at = Instant::now();
        if let Some(caused_at) = outgoing.caused_at {
            crate::metrics::push_seconds(caused_at.elapsed());
        }
        // Octets of a FETCH complete no line: the account need not hear of each of their packets.
        let lines = outgoing.lines.filter(|lines| *lines != self.drained);
        if let (Some(lines), Some(membership)) = (lines, &self.membership) {
            self.drained = lines;
            membership.account.send(Mail::Drained { conn: self.conn, lines });
        }
        for signal in outgoing.signals {
            self.on_signal(signal);
        }
        self.after_compress();
    }

    fn on_signal(&mut self, signal: Signal) {
        if matches!(self.phase, Phase::Over | Phase::Ending { .. } | Phase::LoggedOut) {
            return;
        }
        match signal {
            Signal::Complete { idling } => self.on_complete(idling),
            Signal::TakeAppend(to, rules) => self.on_take_append(to, rules),
            Signal::Finish => self.on_finish(),
        }
    }

    fn on_complete(&mut self, idling: bool) {
        self.clock.command_at = Instant::now();
        self.pipelined |= self.membership.is_some() && self.framer.has_buffered();
        let phase = std::mem::replace(&mut self.phase, Phase::Listening);
        let Phase::Running(Running { joining, message, .. }) = phase else {
            self.phase = phase;
            return;
        };
        if let Some(message) = message {
            message.answered(&mut self.framer);
        }
        if idling {
            self.framer.set_idle(true);
            self.phase = Phase::Idling;
        }
        match joining {
            None => {}
            Some(Joining::Login) => self.framer.set_logged_in(true),
            Some(Joining::Again(command)) => {
                self.framer.set_logged_in(true);
                self.give_as_named(*command);
            }
        }
    }

    fn on_take_append(&mut self, to: Sender<AppendPiece>, rules: Arc<AppendRules>) {
        let Phase::Running(Running { message: Some(message), .. }) = &mut self.phase else { return };
        message.flow_to(to, rules, &mut self.framer);
        if message.synchronizing {
            self.outbox.write_own(&Response::Continuation(Cow::Borrowed("Ready for literal data")));
        }
    }

    fn on_pumped(&mut self, pumped: Pumped) {
        self.clock.read_at = Instant::now();
        match pumped {
            Pumped::Broken(rejection) => {
                self.outbox.write_own(&rejection.response());
                self.finish();
            }
            Pumped::Awaited => {
                self.outbox.write_own(&Response::Continuation(Cow::Borrowed("Ready for literal data")));
            }
            // The account answers for the command when upstream has given up on it.
            Pumped::Moved | Pumped::Over => {}
        }
    }

    /// Ends the output of our own accord, once what was written is handed over.
    pub(super) fn finish(&mut self) {
        self.outbox.signal(Signal::Finish);
        self.phase = Phase::Running(Running { more_told: true, ..Running::default() });
    }

    /// Hands over the answer to STARTTLS.
    pub(super) fn flush_before_tls(&mut self) {
        // Nothing but the answer can be there: nobody else knows the outbox yet.
        let waker = std::task::Waker::noop();
        if let std::task::Poll::Ready(taken) =
            self.outbox.poll_take(&mut std::task::Context::from_waker(waker))
        {
            self.on_taken(taken);
        }
    }

    fn on_finish(&mut self) {
        // The account does not know the cookie, or turns it away: the handset is to log in, and the batch goes on.
        let phase = std::mem::replace(&mut self.phase, Phase::Listening);
        match phase {
            Phase::Running(Running { joining: Some(Joining::Again(command)), .. }) => {
                self.membership = None;
                return self.refuse_without_session(*command);
            }
            other => self.phase = other,
        }
        if self.logging_out && self.manner.transport.kind == TransportKind::HttpBatch {
            self.phase = Phase::LoggedOut;
            return;
        }
        self.clock.ending_since = Instant::now();
        // A TCP connection is shut down, then drained. The end of an HTTP response would make the server close the
        // connection while the handset still sends, so there the draining comes first (measured.md 1).
        self.phase = match (self.manner.is_http(), self.input_ended) {
            (true, true) => Phase::Over,
            (true, false) => Phase::Ending { finished: true },
            (false, _) => Phase::Ending { finished: false },
        };
    }

    fn on_finished(&mut self) {
        self.phase = if self.input_ended { Phase::Over } else { Phase::Ending { finished: true } };
    }
}
