//! The one thread that writes: takes from the line what waits, commits it in one transaction, answers.
//!
//! Holds the accounts that are broken, that is, refused until they are loaded again (contract 3). Whatever is not a
//! commit ends the group that was forming, so that all things happen in the order of the line.

use super::slot::Slot;
use super::tables;
use crate::contract::behind_a_hole;
use pimap_types::AccountKey;
use pimap_types::rows::{Batch, StoreFault};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// Batches in one transaction; the rest waits for the next.
const GROUP_BATCHES_MAX: usize = 1_024;
/// Bytes in one transaction, exceeded by at most one batch; a commit that takes a second would be felt by all.
const GROUP_BYTES_MAX: usize = 8 << 20;

type Reply = oneshot::Sender<Result<(), StoreFault>>;

/// What stands in line.
pub(super) enum Job {
    Commit(Commit),
    /// A batch of this account was refused before it came into line.
    Break(AccountKey),
    /// The account is being loaded: what is stored counts again.
    Mend(AccountKey),
    /// A read failed: the file is to be opened afresh.
    Reopen,
    Check(Reply),
    Close(Reply),
}

/// A batch in line.
pub(super) struct Commit {
    pub(super) account: AccountKey,
    pub(super) batch: Batch,
    /// What it weighs in the backlog.
    pub(super) bytes: usize,
    pub(super) answer: Reply,
}

pub(super) struct Writer {
    line: Receiver<Job>,
    slot: Arc<Slot>,
    backlog: Arc<AtomicUsize>,
    broken: HashSet<AccountKey>,
}

impl Writer {
    pub(super) fn new(line: Receiver<Job>, slot: Arc<Slot>, backlog: Arc<AtomicUsize>) -> Self {
        Self { line, slot, backlog, broken: HashSet::new() }
    }

    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.line.recv() {
            let (group, next) = self.gather(first);
            self.commit(group);
            match next {
                None | Some(Job::Commit(_)) => {}
                Some(Job::Break(account)) => drop(self.broken.insert(account)),
                Some(Job::Mend(account)) => {
                    self.broken.remove(&account);
                    self.recover();
                }
                Some(Job::Reopen) => drop(self.slot.reopen()),
                Some(Job::Check(answer)) => {
                    self.recover();
                    drop(answer.send(self.write(tables::check)));
                }
                Some(Job::Close(answer)) => {
                    drop(answer.send(self.slot.close()));
                    return;
                }
            }
        }
    }

    /// The commits that wait now, and the job that came after them if it is another kind.
    fn gather(&self, first: Job) -> (Vec<Commit>, Option<Job>) {
        let (mut group, mut bytes) = (Vec::new(), 0);
        let mut next = Some(first);
        while let Some(job) = next {
            let Job::Commit(commit) = job else {
                return (group, Some(job));
            };
            bytes += commit.bytes;
            group.push(commit);
            if group.len() >= GROUP_BATCHES_MAX || bytes >= GROUP_BYTES_MAX {
                break;
            }
            next = self.line.try_recv().ok();
        }
        (group, None)
    }

    fn commit(&mut self, group: Vec<Commit>) {
        if group.is_empty() {
            return;
        }
        self.recover();
        let bytes: usize = group.iter().map(|commit| commit.bytes).sum();
        let (held, group): (Vec<Commit>, Vec<Commit>) =
            group.into_iter().partition(|commit| self.broken.contains(&commit.account));
        for commit in held {
            drop(commit.answer.send(Err(behind_a_hole())));
        }
        let batches = || group.iter().map(|commit| (&commit.account, &commit.batch));
        // A group of empty batches asks only whether what came before is durable, which it is.
        let idle = group.iter().all(|commit| commit.batch.is_empty());
        let result = if idle { Ok(()) } else { self.write(|database| tables::write(database, batches())) };
        if result.is_err() {
            self.broken.extend(group.iter().map(|commit| commit.account.clone()));
        }
        self.backlog.fetch_sub(bytes, Ordering::Relaxed);
        for commit in group {
            drop(commit.answer.send(result.clone()));
        }
    }

    /// Writes; after a failure goes back to the last good state, since redb answers nothing more until then.
    fn write(
        &self,
        write: impl FnOnce(&redb::Database) -> Result<(), redb::Error>,
    ) -> Result<(), StoreFault> {
        let result = self.slot.with(write);
        if let Err(fault) = &result
            && !self.slot.is_lost()
        {
            tracing::error!(?fault, "a write to the store failed");
            // Its own fault is remembered in the slot; the caller is told the first one.
            drop(self.slot.reopen());
        }
        result
    }

    /// Tries to come back from a loss: the disk may have room again.
    fn recover(&self) {
        if self.slot.is_lost() && self.slot.reopen().is_ok() {
            tracing::info!("the store is open again");
        }
    }
}
