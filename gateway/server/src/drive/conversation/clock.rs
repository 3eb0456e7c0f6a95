//! When a conversation has waited long enough. One timer, which is set back lazily: an idle handset wakes nobody.

use super::{Conversation, Phase, Running};
use crate::drive::link::Link;
use pimap_account::contract::TransportKind;
use pimap_types::{Response, Status};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// From the first octet to a LOGIN that succeeds.
pub(super) const LOGIN_PATIENCE: Duration = Duration::from_secs(60);
/// Between two lines to a handset that idles: below the five minutes of many radio networks (digest 16.5).
pub(super) const STILL_HERE: Duration = Duration::from_secs(240);
/// For the socket to take what is written; longer: the handset does not read, or is gone (measured.md 1).
pub(super) const SEND_PATIENCE: Duration = Duration::from_secs(60);
/// For the handset to end its side after ours has ended.
pub(super) const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// For the next octets of a request body whose end is known.
pub(super) const BODY_PATIENCE: Duration = Duration::from_secs(60);
/// For the next octets of a message on its way upstream: it keeps an upstream connection busy.
pub(super) const MESSAGE_PATIENCE: Duration = Duration::from_secs(300);

/// The times of a conversation.
pub(super) struct Clock {
    /// From the first time that there was something to wait for.
    timer: Option<Pin<Box<Sleep>>>,
    idle_timeout: Duration,
    began: Instant,
    /// The last whole command, or its answer.
    pub(super) command_at: Instant,
    pub(super) read_at: Instant,
    pub(super) sent_at: Instant,
    pub(super) sending_since: Instant,
    pub(super) ending_since: Instant,
}

impl Clock {
    pub(super) fn start(idle_timeout: Duration) -> Self {
        let now = Instant::now();
        Self {
            timer: None,
            idle_timeout,
            began: now,
            command_at: now,
            read_at: now,
            sent_at: now,
            sending_since: now,
            ending_since: now,
        }
    }

    /// Ready at the deadline, which may have moved since the timer was set.
    pub(super) fn poll_until(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl<L: Link> Conversation<L> {
    /// When something must have happened.
    pub(super) fn deadline(&self) -> Instant {
        let clock = &self.clock;
        if self.outgoing.under_way {
            return clock.sending_since + SEND_PATIENCE;
        }
        let autologout = clock.command_at + clock.idle_timeout;
        match self.phase {
            Phase::Ending { .. } => clock.ending_since + DRAIN_PATIENCE,
            Phase::Idling => clock.sent_at + STILL_HERE,
            _ if self.membership.is_none() => clock.began + LOGIN_PATIENCE,
            Phase::LoggedOut => clock.read_at + BODY_PATIENCE,
            Phase::Listening if self.manner.transport.kind == TransportKind::HttpBatch => {
                clock.command_at.max(clock.read_at) + BODY_PATIENCE
            }
            Phase::Running(Running { message: Some(_), .. }) => {
                clock.sent_at.max(clock.read_at) + MESSAGE_PATIENCE
            }
            // A stream may be pushed to without IDLE: it is kept alive, and ends when commands stay away.
            Phase::Listening if self.manner.transport.kind == TransportKind::HttpStream => {
                autologout.min(clock.sent_at + STILL_HERE)
            }
            Phase::Listening => autologout,
            // A long FETCH or APPEND is no idleness.
            _ => clock.command_at.max(clock.sent_at).max(clock.read_at) + clock.idle_timeout,
        }
    }

    /// The deadline has passed.
    pub(super) fn on_deadline(&mut self) {
        let idle = Instant::now() >= self.clock.command_at + self.clock.idle_timeout;
        match self.phase {
            _ if self.outgoing.under_way => {
                tracing::debug!(conn = self.conn.0, "handset does not read");
                self.phase = Phase::Over;
            }
            Phase::Ending { .. } | Phase::LoggedOut => self.phase = Phase::Over,
            Phase::Idling => self.still_here(),
            _ if self.membership.is_none() => self.bye("login timeout"),
            Phase::Running(Running { message: Some(_), .. }) => self.bye("the message came too slowly"),
            Phase::Listening if self.manner.transport.kind == TransportKind::HttpBatch => {
                self.bye("the body came too slowly");
            }
            Phase::Listening if !idle => self.still_here(),
            _ => self.bye("autologout; idle for too long"),
        }
    }

    fn still_here(&mut self) {
        self.outbox.write_own(&Response::Untagged {
            status: Status::Ok,
            code: None,
            text: "Still here".into(),
        });
    }
}
