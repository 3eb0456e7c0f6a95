//! Connections to spare: those that no command needs now watch mailboxes (F48), and are given up as soon as one does.
//!
//! A connection that watches holds one of the pool's permits like any request, so all of them together stay within what an account
//! may have; one permit is never lent out, so that a command seldom waits at all.

use super::{Counted, Lease, Pool};
use crate::fault::Fault;
use pimap_types::MailboxName;
use std::sync::{Arc, PoisonError};
use tokio::sync::Notify;

/// The place of a connection that watches until a command needs it.
pub(crate) struct Spare {
    mailbox: MailboxName,
    wanted: Notify,
}

impl Spare {
    /// The mailbox that it watches.
    pub(crate) fn mailbox(&self) -> &MailboxName {
        &self.mailbox
    }

    /// Waits until a command needs the connection.
    pub(crate) async fn is_wanted(&self) {
        self.wanted.notified().await;
    }
}

/// Who holds what can be spared. The lock is held for an insertion or a removal only.
#[derive(Default)]
pub(super) struct Spares {
    /// Mailboxes, the most important first.
    order: Vec<MailboxName>,
    held: Vec<Arc<Spare>>,
}

/// Holds a place; dropped, the place is free.
pub(crate) struct Place<'a> {
    pool: &'a Pool,
    spare: Arc<Spare>,
}

impl std::ops::Deref for Place<'_> {
    type Target = Spare;

    fn deref(&self) -> &Spare {
        &self.spare
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.spares().held.retain(|spare| !Arc::ptr_eq(spare, &self.spare));
    }
}

impl Pool {
    /// Connections that may watch besides the watching one.
    pub(crate) fn spares_max(&self) -> usize {
        let config = &self.config;
        config.spare_watchers_max.min(config.connections_per_account_max.saturating_sub(2))
    }

    fn spares(&self) -> std::sync::MutexGuard<'_, Spares> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mailboxes that are watched on connections to spare, the most important first.
    pub(crate) fn order_spares(&self, order: Vec<MailboxName>) {
        self.spares().order = order;
    }

    /// A place for watching this mailbox and the connection for it, if no command needs either now. The place comes first: from then on
    /// a command can have it back.
    pub(crate) fn place(&self, mailbox: &MailboxName) -> Option<(Place<'_>, SparePermit)> {
        let mut spares = self.spares();
        // The last free permit is left for commands.
        if spares.held.len() >= self.spares_max() || self.permits.available_permits() < 2 {
            return None;
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let spare = Arc::new(Spare { mailbox: mailbox.clone(), wanted: Notify::new() });
        spares.held.push(Arc::clone(&spare));
        drop(spares);
        Some((Place { pool: self, spare }, SparePermit(permit)))
    }

    /// The connection for a place.
    pub(crate) async fn lease_spare(
        &self,
        permit: SparePermit,
        mailbox: &MailboxName,
    ) -> Result<Lease, Fault> {
        let mut lease = self.leased(permit.0, Some(mailbox), false).await?;
        lease.count = Counted::new(&self.watching);
        Ok(lease)
    }

    /// A command waits: the least important watcher gives up its connection.
    pub(super) fn want_spare(&self) {
        let mut spares = self.spares();
        let rank =
            |spare: &Arc<Spare>| spares.order.iter().position(|m| *m == spare.mailbox).unwrap_or(usize::MAX);
        let Some(at) = (0..spares.held.len()).max_by_key(|at| spares.held.get(*at).map(rank)) else { return };
        // Who waits next wants another.
        spares.held.swap_remove(at).wanted.notify_one();
    }

    /// The mailbox is no more, or not under this name: nobody goes on watching it.
    pub(super) fn want_spares_of(&self, is_it: impl Fn(&MailboxName) -> bool) {
        self.spares().held.iter().filter(|spare| is_it(&spare.mailbox)).for_each(|s| s.wanted.notify_one());
    }
}

/// What entitles to a connection to spare.
pub(crate) struct SparePermit(tokio::sync::OwnedSemaphorePermit);
