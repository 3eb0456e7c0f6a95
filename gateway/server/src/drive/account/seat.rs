//! A connection as its account's task sees it.

use crate::drive::outbox::Outbox;
use std::sync::Arc;

/// Where a connection's lines go. Dropped without its connection having ended, it tells the handset that the account
/// failed: a conversation never waits for a task that is gone.
pub(super) struct Seat {
    pub(super) outbox: Arc<Outbox>,
    /// Lines of the account so far.
    pub(super) lines: u64,
    /// A command runs.
    pub(super) busy: bool,
    ended: bool,
}

impl Seat {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { outbox, lines: 0, busy: true, ended: false }
    }

    /// The connection ended, or left the account; nobody is to be told.
    pub(super) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.ended {
            self.outbox.fail();
        }
    }
}
