//! One handset's conversation: commands in, one at a time, answers and events out; over TCP, TLS or one HTTP exchange.
//!
//! ```text
//!  Listening ─ LOGIN ──► Admitting ─ let in ─► Running ─ Complete ─► Listening ─ command ─► Running …
//!      │    ─ AUTHENTICATE ──► Challenged ─ answer ─► Admitting …
//!      │    ─ cookie ──► Recalling ─ found ──────┘  │                    ▲
//!      │                                            ├─ Complete, idling ─► Idling ─ DONE ─► Running
//!      └─ input ended ─► Over                       └─ Finish ─► Ending ─ input ended, 5 s ─► Over
//! ```
//!
//! Idling, and after a while Listening, a TCP connection rests: see [`rest`].
//!
//! It decides nothing about mail: what is allowed before LOGIN is answered here, everything else goes to the account.
//! The next command goes there only after the last one is answered, while reading goes on into a bounded buffer, so that
//! a handset that vanished is noticed and pipelining is seen (F2). One loop: wait for an action, apply it.

mod append;
mod apply;
mod clock;
mod command;
mod compress;
mod manner;
pub mod rest;
mod sasl;
mod session_id;
#[cfg(test)]
mod tests;

pub use manner::Manner;

use super::compression::Compression;
use super::link::{Link, Read};
use super::mail::{AccountHandle, Membership};
use super::outbox::{Outbox, Signal, Taken};
use crate::auth::{Admission, Refusal};
use crate::front::Front;
use append::{Message, Pumped};
use bytes::Bytes;
use clock::Clock;
use futures_util::future::BoxFuture;
use pimap_account::contract::{OpenBy, Pending, TransportKind};
use pimap_types::{Command, ConnectionId, DeviceId, Response, Tag};
use pimap_wire::frame::{Framer, LiteralMode};
use pimap_wire::sasl::Mechanism;
use rest::Rest;
use session_id::TakenUp;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// Octets read ahead of the running command; more: the handset waits. The tail of an APPEND, a line and a literal, fits.
const READ_AHEAD_BYTES_MAX: usize = 160 << 10;

/// How a conversation ended.
pub enum Ended<L> {
    /// It is over. The account is not told yet: whether an HTTP response was written whole is known only later.
    Over {
        /// The membership, if all that was written can still arrive.
        membership: Option<Membership>,
        /// Nothing was cut off. Else the transport had better not end in good order.
        whole: bool,
    },
    /// TLS is to begin on this link, now that `OK` is sent.
    StartTls(L),
    /// Nothing is under way, and it may be long until something is.
    Quiet(Box<Conversation<L>>),
}

/// See the module.
pub struct Conversation<L> {
    link: L,
    front: Arc<Front>,
    manner: Manner,
    conn: ConnectionId,
    framer: Framer,
    outbox: OwnOutbox,
    membership: Option<Membership>,
    phase: Phase,
    outgoing: Outgoing,
    /// Lines of the account that it knows to be with the socket.
    drained: u64,
    /// From the OK to COMPRESS on.
    compression: Option<Box<Compression>>,
    clock: Clock,
    /// The input has ended in good order.
    input_ended: bool,
    /// A command was there before the answer to an earlier one was handed over, whoever answered: it stays so (F2).
    pipelined: bool,
    /// LOGOUT was given to the account.
    logging_out: bool,
    /// Logins that were refused here.
    refused: u32,
    /// What took the session up; nothing: a LOGIN did, or there is none.
    taken_up: Option<TakenUp>,
    /// The cookie was tried: what comes after is like a request without one.
    cookie_tried: bool,
    rest: Rest,
}

/// The conversation's outbox: closed with it, however it ends, so that nobody waits for room in it.
struct OwnOutbox(Arc<Outbox>);

impl std::ops::Deref for OwnOutbox {
    type Target = Outbox;
    fn deref(&self) -> &Outbox {
        &self.0
    }
}

impl Drop for OwnOutbox {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What is being handed to the socket, and what is to be done afterwards.
#[derive(Default)]
struct Outgoing {
    octets: Bytes,
    signals: Vec<Signal>,
    lines: Option<u64>,
    caused_at: Option<Instant>,
    under_way: bool,
}

enum Phase {
    /// The next command may come.
    Listening,
    /// Upstream judges a password.
    Admitting { by: Box<Applicant>, verdict: BoxFuture<'static, Result<Admission, Refusal>> },
    /// AUTHENTICATE waits for the handset's next message.
    Challenged(Box<sasl::Exchange>),
    /// The account of a cookie or session ID is looked up; the command waits.
    Recalling { found: BoxFuture<'static, Option<Found>>, command: Box<Deferred> },
    /// Something is being answered.
    Running(Running),
    /// IDLE.
    Idling,
    /// After LOGOUT within a batch: the rest of it is refused, command by command.
    LoggedOut,
    /// Nothing is written any more; what still comes is read, so that a reset does not destroy what was written last.
    Ending { finished: bool },
    /// TLS is to begin once `OK` is sent.
    StartTls,
    /// The connection is compressed once `OK` is sent; with the tag of a COMPRESS that waits for what is being sent.
    Compressing(Option<Tag>),
    /// The end.
    Over,
}

#[derive(Default)]
struct Running {
    /// The connection is joining the account; this waits until it has.
    joining: Option<Joining>,
    /// The account need not be told (again) that input follows.
    more_told: bool,
    /// The message of the running APPEND.
    message: Option<Message>,
}

/// Who waits to be let in.
struct Applicant {
    tag: Tag,
    /// LOGIN or AUTHENTICATE.
    command: &'static str,
    device: Option<DeviceId>,
    /// How a token was brought.
    token_by: Option<Mechanism>,
}

/// What follows when the account has taken the connection in.
enum Joining {
    Login,
    Again(Box<Deferred>),
}

/// An account, and what opens it.
type Found = (AccountHandle, OpenBy);

/// A command whose connection has no account yet.
struct Deferred {
    tag: Tag,
    command: Command,
    message: Option<Message>,
}

enum Action {
    Read(Read),
    Sent,
    Took(Taken),
    Admitted(Result<Admission, Refusal>),
    Recalled(Option<Found>),
    Pumped(Pumped),
    Finished,
    Deadline,
    Rest,
    /// The input broke off, or cannot be understood.
    Unreadable(io::Error),
    Lost(io::Error),
}

impl<L: Link> Conversation<L> {
    /// A conversation about to begin. `already` are octets of the input that were read before.
    pub fn new(link: L, front: Arc<Front>, manner: Manner, already: &[u8]) -> Self {
        let conn = front.next_connection();
        let mut this = Self::of(link, front, manner, conn, OwnOutbox(Arc::default()));
        this.framer.feed(already);
        this
    }

    /// One in which nothing was said yet.
    fn of(link: L, front: Arc<Front>, manner: Manner, conn: ConnectionId, outbox: OwnOutbox) -> Self {
        let mode = match manner.transport.kind {
            TransportKind::HttpBatch => LiteralMode::Body,
            TransportKind::HttpStream | TransportKind::Tcp => LiteralMode::Stream,
        };
        let mut framer = Framer::new(mode);
        framer.set_continues(manner.continuation.is_some());
        Self {
            link,
            conn,
            clock: Clock::start(front.settings.idle_timeout),
            front,
            manner,
            framer,
            outbox,
            membership: None,
            phase: Phase::Listening,
            outgoing: Outgoing::default(),
            drained: 0,
            compression: None,
            input_ended: false,
            pipelined: false,
            logging_out: false,
            refused: 0,
            taken_up: None,
            cookie_tried: false,
            rest: Rest::Never,
        }
    }

    /// What will be written, for whoever must know how it began.
    pub fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox.0)
    }

    /// The input ended with the octets given to [`Conversation::new`].
    pub fn end_input(&mut self) {
        self.input_ended = true;
        self.framer.end_of_input();
    }

    /// Runs the conversation to its end. Boxed, so that no future around it holds it twice (D16).
    pub async fn run(mut self: Box<Self>) -> Ended<L> {
        if self.manner.greet {
            self.outbox.write_own(&self.front.greeting(self.manner.may_login, self.manner.starttls));
        }
        loop {
            self.advance();
            match self.phase {
                Phase::Over => break,
                Phase::StartTls if !self.outgoing.under_way && self.outgoing.signals.is_empty() => {
                    return Ended::StartTls(self.link);
                }
                _ => {}
            }
            match poll_fn(|cx| self.poll_action(cx)).await {
                Action::Rest => return Ended::Quiet(self),
                action => self.apply(action),
            }
        }
        // What was cut off did not arrive: the membership goes here, and tells "not clean".
        let whole = !self.outgoing.under_way && self.outbox.is_whole();
        Ended::Over { membership: self.membership.take().filter(|_| whole), whole }
    }

    /// The next thing that happens. Reading comes before sending, so that what was there before an answer is handed
    /// over is known to have been there (F2).
    fn poll_action(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        if self.wants_input()
            && let Poll::Ready(read) = self.poll_read(cx)
        {
            return Poll::Ready(read.map_or_else(Action::Unreadable, Action::Read));
        }
        if self.outgoing.under_way {
            let left = self.unsent();
            if let Poll::Ready(sent) = self.poll_send(cx) {
                return Poll::Ready(sent.map_or_else(Action::Lost, |()| Action::Sent));
            }
            if self.unsent() != left {
                // A slow handset is not one that does not read.
                self.clock.sending_since = tokio::time::Instant::now();
            }
        } else if !matches!(self.phase, Phase::Ending { .. })
            && let Poll::Ready(taken) = self.outbox.poll_take(cx)
        {
            return Poll::Ready(Action::Took(taken));
        }
        if let Poll::Ready(action) = self.poll_phase(cx) {
            return Poll::Ready(action);
        }
        if let Some(quiet_at) = self.rests_at()
            && self.clock.poll_until(cx, quiet_at).is_ready()
        {
            return Poll::Ready(Action::Rest);
        }
        let deadline = self.deadline();
        self.clock.poll_until(cx, deadline).map(|()| Action::Deadline)
    }

    fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        match &mut self.phase {
            Phase::Admitting { verdict, .. } => verdict.as_mut().poll(cx).map(Action::Admitted),
            Phase::Recalling { found, .. } => found.as_mut().poll(cx).map(Action::Recalled),
            Phase::Running(Running { message: Some(message), .. }) => {
                message.poll_pump(cx, &mut self.framer, self.input_ended).map(Action::Pumped)
            }
            Phase::Ending { finished: false } => {
                self.link.poll_finish(cx).map(|end| end.map_or_else(Action::Lost, |()| Action::Finished))
            }
            _ => Poll::Pending,
        }
    }

    fn wants_input(&mut self) -> bool {
        if self.input_ended {
            return false;
        }
        match self.phase {
            // What comes next may be compressed, or not: that is known once the answer is with the socket.
            Phase::Over | Phase::StartTls | Phase::Compressing(_) => false,
            Phase::Listening
            | Phase::Challenged(_)
            | Phase::Idling
            | Phase::LoggedOut
            | Phase::Ending { .. } => true,
            _ => self.framer.input().len() < READ_AHEAD_BYTES_MAX,
        }
    }

    /// Takes what can be taken of the input.
    fn advance(&mut self) {
        loop {
            let frame = match self.phase {
                Phase::Listening | Phase::Challenged(_) | Phase::Idling | Phase::LoggedOut => {
                    self.framer.next_frame()
                }
                _ => break,
            };
            match frame {
                Some(frame) => self.on_frame(frame),
                None if self.input_ended => self.on_input_end(),
                None => break,
            }
        }
        self.answer_compress();
        let undecided = self.membership.is_none()
            && (self.framer.has_buffered()
                || matches!(self.phase, Phase::Admitting { .. } | Phase::Recalling { .. }));
        let joining = matches!(&self.phase, Phase::Running(running) if running.joining.is_some());
        self.link.hold_head(undecided || joining);
    }

    /// Nothing more will come, and all that came is answered.
    fn on_input_end(&mut self) {
        match (&self.phase, &self.membership) {
            // The end of the body is the DONE that can no longer come: the handset gets its answer.
            (Phase::Idling, Some(membership)) if self.manner.is_http() => {
                let conn = self.conn;
                let pending = Pending::Nothing;
                membership.input(pimap_account::Input::Done {
                    conn,
                    pending,
                    pipelined: true,
                    misspoken: false,
                });
                self.phase = Phase::Running(Running { more_told: true, ..Running::default() });
            }
            _ => {
                self.logging_out = false;
                self.finish();
            }
        }
    }

    /// What follows the octets consumed so far.
    fn pending(&self) -> Pending {
        if self.framer.has_buffered() {
            return Pending::More;
        }
        match (self.manner.transport.kind, self.link.expected()) {
            (TransportKind::Tcp, _) => Pending::Nothing,
            _ if self.input_ended => Pending::Nothing,
            (_, Some(0)) => Pending::Nothing,
            (_, Some(_)) => Pending::More,
            (_, None) => Pending::Unknown,
        }
    }

    /// Writes an answer of our own; the next command may come when it is handed over. After LOGOUT none may: what is left of a
    /// batch is answered, and nothing else comes of it.
    fn answer(&mut self, response: &Response) {
        self.outbox.write_own(response);
        if matches!(self.phase, Phase::LoggedOut) {
            return;
        }
        self.outbox.signal(Signal::Complete { idling: false });
        self.phase = Phase::Running(Running { more_told: true, ..Running::default() });
    }

    /// Says goodbye and ends.
    fn bye(&mut self, text: &'static str) {
        self.outbox.write_own(&Response::Bye { code: None, text: text.into() });
        self.outbox.signal(Signal::Finish);
        self.phase = Phase::Running(Running { more_told: true, ..Running::default() });
    }
}
