//! COMPRESS (RFC 4978): the connection's turn from plain to compressed octets, and the way of octets thereafter.
//!
//! The turn is one octet wide: the CRLF of the OK is plain, what follows it is not, whoever writes it. So the OK is written
//! and taken from the outbox in one go, and nothing is read meanwhile.

use super::{Conversation, Deferred, Phase};
use crate::drive::link::{Link, Read};
use pimap_account::contract::TransportKind;
use pimap_types::{Code, Response, Status};
use pimap_wire::frame::{Framer, LiteralMode};
use std::io;
use std::task::{Context, Poll};
use tokio::time::Instant;

impl<L: Link> Conversation<L> {
    /// COMPRESS after login.
    pub(super) fn on_compress(&mut self, deferred: Deferred, mechanism: &str) {
        let refusal = if self.manner.transport.kind != TransportKind::Tcp {
            Some((Status::Bad, None, "over HTTP it is the body that is compressed"))
        } else if mechanism != "DEFLATE" {
            Some((Status::Bad, None, "unknown compression mechanism"))
        } else if self.compression.is_some() {
            Some((Status::No, Some(Code::word("COMPRESSIONACTIVE")), "DEFLATE is active already"))
        } else if self.framer.has_buffered() {
            // RFC 4978 3: nothing may follow before the answer is seen. Nobody could tell whether it is compressed.
            Some((Status::Bad, None, "wait for the answer to COMPRESS before you go on"))
        } else {
            None
        };
        match refusal {
            Some((status, code, text)) => self.refuse(deferred, status, code, text),
            None => self.phase = Phase::Compressing(Some(deferred.tag)),
        }
    }

    /// Answers a COMPRESS, when nothing else is being sent.
    pub(super) fn answer_compress(&mut self) {
        if self.outgoing.under_way {
            return;
        }
        let Phase::Compressing(waiting) = &mut self.phase else { return };
        let Some(tag) = waiting.take() else { return };
        let taken = self.outbox.write_last(&Response::tagged(&tag, Status::Ok, "DEFLATE active"));
        crate::metrics::command("COMPRESS", "ok");
        self.on_taken(taken);
    }

    /// What was being sent is with the socket.
    pub(super) fn after_compress(&mut self) {
        if matches!(self.phase, Phase::Compressing(None)) {
            self.compression = Some(Box::default());
            self.clock.command_at = Instant::now();
            self.phase = Phase::Listening;
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Read>> {
        match &mut self.compression {
            Some(compression) => compression.poll_read(&mut self.link, cx, self.framer.input()),
            None => self.link.poll_read(cx, self.framer.input()),
        }
    }

    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let octets = &mut self.outgoing.octets;
        match &mut self.compression {
            Some(compression) => {
                // Within an answer, what follows may refer to what was said. An event stands alone.
                let last = !self.outgoing.signals.is_empty() || !matches!(self.phase, Phase::Running(_));
                compression.poll_send(&mut self.link, cx, octets, last)
            }
            None => self.link.poll_send(cx, octets),
        }
    }

    /// Octets that the socket has yet to take.
    pub(super) fn unsent(&self) -> usize {
        self.outgoing.octets.len() + self.compression.as_ref().map_or(0, |compression| compression.unsent())
    }

    /// Whether the input ended because it could not be unpacked: then its sender can still read why.
    pub(super) fn is_undeflatable(&self, error: &io::Error) -> bool {
        self.compression.is_some() && error.kind() == io::ErrorKind::InvalidData
    }

    /// The handset's octets are no deflate stream: nothing that follows can be understood.
    pub(super) fn on_undeflatable(&mut self, error: &io::Error) {
        tracing::debug!(conn = self.conn.0, %error, "compressed input");
        self.input_ended = true;
        self.membership = None;
        self.framer = Framer::new(LiteralMode::Stream);
        match self.phase {
            Phase::Ending { .. } => self.phase = Phase::Over,
            _ => self.bye("the compressed data are broken"),
        }
    }
}
