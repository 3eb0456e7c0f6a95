//! A conversation at rest: what is left of it while nothing is said (design D16).
//!
//! It may rest on TCP, logged in, between commands or in IDLE, with nothing half read, half written or half compressed. Then
//! its task ends, and its framer, its clock and its registration with the runtime go; the rest stands in one allocation, in a
//! place of the [lot](crate::drive::lot), and becomes a conversation again when its socket, the account or the time says so.
//! In IDLE that is at once, since a handset says nothing there for minutes; between commands only when they stay away.
//!
//! ```text
//!   Conversation ─ lie_down ─► AtRest ─ settle ─► Lot ─ rouse ─► AtRest ─ rise ─► Conversation
//! ```

use super::session_id::TakenUp;
use super::{Conversation, Manner, OwnOutbox, Phase};
use crate::drive::compression::Compression;
use crate::drive::link::{Link, Socket, Stream};
use crate::drive::lot::{Key, Lot};
use crate::drive::mail::Membership;
use crate::front::Front;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Commands of one exchange follow each other sooner than that; lying down and rising for each would be work for nothing.
const BETWEEN_COMMANDS: Duration = Duration::from_secs(5);

/// Whether a conversation may rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// Its transport has no way to.
    Never,
    /// When it is quiet.
    WhenQuiet,
    /// It could not just now: not before something happens.
    NotNow,
}

impl Rest {
    /// Something happened.
    pub(super) fn again(&mut self) {
        if *self == Rest::NotNow {
            *self = Rest::WhenQuiet;
        }
    }
}

impl<L: Link> Conversation<L> {
    /// When it has been quiet for long enough; `None`: something is under way.
    pub(super) fn rests_at(&self) -> Option<Instant> {
        let quiet = self.rest == Rest::WhenQuiet
            && self.membership.is_some()
            && !self.outgoing.under_way
            && !self.input_ended
            && !self.logging_out
            && self.framer.is_at_rest()
            && self.compression.as_ref().is_none_or(|compression| compression.is_at_rest());
        match self.phase {
            Phase::Idling if quiet => Some(self.clock.sent_at),
            Phase::Listening if quiet => {
                Some(self.clock.command_at.max(self.clock.sent_at) + BETWEEN_COMMANDS)
            }
            _ => None,
        }
    }
}

/// What is left of a conversation.
pub struct AtRest<S: Socket> {
    socket: S::AtRest,
    front: Arc<Front>,
    membership: Membership,
    outbox: OwnOutbox,
    drained: u64,
    compression: Option<Box<Compression>>,
    taken_up: Option<Box<TakenUp>>,
    command_at: Instant,
    sent_at: Instant,
    refused: u32,
    may_show_key: bool,
    idling: bool,
    pipelined: bool,
}

impl<S: Socket> AsRawFd for AtRest<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl<S: Socket> Conversation<Stream<S>> {
    /// Lets it end with [`Ended::Quiet`](super::Ended::Quiet) where it may rest, if there is a lot to rest in.
    pub fn allow_rest(&mut self) {
        if self.front.lot.get().is_some() {
            self.rest = Rest::WhenQuiet;
        }
    }

    /// Where a quiet conversation can lie down, and until when; `None`: something has come up, and it goes on.
    pub fn bed(&mut self) -> Option<(Arc<Lot>, Key, Instant)> {
        let lot = self.front.lot.get().filter(|_| self.link.0.is_quiet());
        let bed = lot.and_then(|lot| {
            let key = lot.reserve();
            if self.outbox.rest(lot, key) {
                return Some((Arc::clone(lot), key, self.deadline()));
            }
            lot.release(key);
            None
        });
        if bed.is_none() {
            self.rest = Rest::NotNow;
        }
        bed
    }

    /// Lies down. An error: the handset is gone.
    pub fn lie_down(self) -> io::Result<AtRest<S>> {
        let idling = matches!(self.phase, Phase::Idling);
        let membership = self.membership.ok_or(io::ErrorKind::NotConnected)?;
        Ok(AtRest {
            socket: self.link.0.lie_down()?,
            front: self.front,
            membership,
            outbox: self.outbox,
            drained: self.drained,
            compression: self.compression,
            taken_up: self.taken_up.map(Box::new),
            command_at: self.clock.command_at,
            sent_at: self.clock.sent_at,
            refused: self.refused,
            may_show_key: self.manner.transport.may_show_key,
            idling,
            pipelined: self.pipelined,
        })
    }

    /// Rises again. An error: the handset is gone.
    pub fn rise(at_rest: AtRest<S>) -> io::Result<Box<Self>> {
        let link = Stream(S::rise(at_rest.socket)?);
        let conn = at_rest.membership.conn;
        let manner = Manner::of_tcp(at_rest.may_show_key);
        let mut this = Box::new(Self::of(link, at_rest.front, manner, conn, at_rest.outbox));
        this.framer.set_logged_in(true);
        if at_rest.idling {
            this.framer.set_idle(true);
            this.phase = Phase::Idling;
        }
        this.membership = Some(at_rest.membership);
        this.drained = at_rest.drained;
        this.compression = at_rest.compression;
        this.taken_up = at_rest.taken_up.map(|taken_up| *taken_up);
        (this.clock.command_at, this.clock.sent_at) = (at_rest.command_at, at_rest.sent_at);
        this.refused = at_rest.refused;
        this.pipelined = at_rest.pipelined;
        // What roused it is not seen yet: the runtime tells of octets only when it has asked the system about them.
        this.rest = Rest::NotNow;
        Ok(this)
    }
}
