//! Watchers on connections to spare (F48): where the watching connection hears of one mailbox only, the most important others are
//! IDLEd on over connections of the pool that no command needs; the rest is polled.
//!
//! In: the list of mailboxes, and what is covered. Out: the same events as those of the watching connection. Each mailbox that is to be
//! watched has a task, which holds a connection, gives it back to the pool as soon as a command needs it, rests a while and begins
//! again. Opening the mailbox tells its numbers, so no arrival, no removal and, where there are mod-sequences, no change of flags is
//! missed between; where there are none, such a change waits for the next full look, as in a mailbox that is polled (F48).

use super::watcher::{Interrupts, Watcher};
use super::{Coverage, WatchState};
use crate::fault::Fault;
use crate::pool::Pool;
use pimap_types::MailboxName;
use pimap_types::upstream::{UpstreamEvent, WatchList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::sleep;

/// How long commands have the connection that they needed before it watches again.
const REST: Duration = Duration::from_secs(1);

/// Has mailboxes watched on connections to spare, until nobody listens.
pub(crate) async fn keep(
    pool: &Arc<Pool>,
    state: &Arc<WatchState>,
    mut list: watch_channel::Receiver<WatchList>,
    events: &mpsc::Sender<UpstreamEvent>,
) {
    if pool.spares_max() == 0 {
        return;
    }
    let mut changes = state.subscribe();
    let (assigned, _) = watch_channel::channel(Vec::new());
    let mut tasks = JoinSet::new();
    let mut watched: BTreeMap<MailboxName, AbortHandle> = BTreeMap::new();
    while !events.is_closed() {
        let wanted = assign(&list.borrow_and_update(), &changes.borrow_and_update(), pool.spares_max());
        assigned.send_if_modified(|assigned| {
            let differs = *assigned != wanted;
            assigned.clone_from(&wanted);
            differs
        });
        for mailbox in &wanted {
            if !watched.contains_key(mailbox) {
                let (pool, state) = (Arc::clone(pool), Arc::clone(state));
                let (assigned, events, name) = (assigned.subscribe(), events.clone(), mailbox.clone());
                let task = async move { Box::pin(watch(&pool, &state, assigned, &events, &name)).await };
                watched.insert(mailbox.clone(), tasks.spawn(task));
            }
        }
        pool.order_spares(wanted);
        tokio::select! {
            changed = list.changed() => if changed.is_err() { return },
            _ = changes.changed() => {}
            Some(ended) = tasks.join_next_with_id() => {
                let id: Id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                watched.retain(|_, task| task.id() != id);
            }
            () = events.closed() => return,
        }
    }
}

/// The mailboxes to be watched on connections to spare.
fn assign(list: &WatchList, coverage: &Coverage, max: usize) -> Vec<MailboxName> {
    if !coverage.connected || !coverage.idle || coverage.notify || coverage.distrusted {
        return Vec::new();
    }
    let opened = coverage.open.as_ref().map(|(mailbox, _)| mailbox);
    let other = |mailbox: &&MailboxName| Some(*mailbox) != list.first.as_ref() && Some(*mailbox) != opened;
    list.mailboxes.iter().filter(other).take(max).cloned().collect()
}

/// Watches a mailbox for as long as it is assigned.
async fn watch(
    pool: &Pool,
    state: &WatchState,
    mut assigned: watch_channel::Receiver<Vec<MailboxName>>,
    events: &mpsc::Sender<UpstreamEvent>,
    mailbox: &MailboxName,
) {
    loop {
        let held = hold(pool, state, &mut assigned, events, mailbox).await;
        let rest = match held {
            Ok(true) => REST,
            // It cannot be watched, or not now: asking for its numbers goes on meanwhile.
            Ok(false) | Err(_) => pool.config.poll_interval.max(REST),
        };
        tokio::select! {
            () = sleep(rest) => {}
            _ = assigned.wait_for(|assigned| !assigned.contains(mailbox)) => return,
        }
    }
}

/// What a mailbox is covered by, as long as it is.
struct Covered<'a>(&'a WatchState, &'a MailboxName);

impl Drop for Covered<'_> {
    fn drop(&mut self) {
        self.0.change(|coverage| {
            coverage.spares.remove(self.1);
        });
    }
}

/// Watches on one connection, if there is one to spare, until it is needed; whether it can be tried again soon.
async fn hold(
    pool: &Pool,
    state: &WatchState,
    assigned: &mut watch_channel::Receiver<Vec<MailboxName>>,
    events: &mpsc::Sender<UpstreamEvent>,
    mailbox: &MailboxName,
) -> Result<bool, Fault> {
    let mut epochs = pool.credentials.subscribe();
    epochs.borrow_and_update();
    let Some((place, permit)) = pool.place(mailbox) else { return Ok(true) };
    let mut lease = tokio::select! {
        lease = Box::pin(pool.lease_spare(permit, mailbox)) => lease?,
        () = place.is_wanted() => return Ok(true),
    };
    if !lease.connection.capabilities.idle {
        pool.give_back(lease);
        return Ok(false);
    }
    lease.inside = pool.doors.try_enter(&[mailbox]);
    if lease.inside.is_none() {
        // It is being deleted or made.
        pool.give_back(lease);
        return Ok(true);
    }
    let covered = Covered(state, mailbox);
    let mut watcher = Watcher::new(&mut lease.connection, pool, state, events, Some(mailbox));
    let can_watch = Box::pin(watcher.begin_spare(mailbox)).await?;
    if can_watch {
        let interrupts = Interrupts::Spare { spare: &place, assigned, epochs: &mut epochs };
        watcher.run(interrupts).await?;
    }
    drop(covered);
    let can_idle = lease.connection.capabilities.idle;
    pool.give_back(lease);
    Ok(can_watch && can_idle)
}
