//! The embedded store: one redb file that one process owns. The default; nothing else to install (design D8).
//!
//! ```text
//! commit ─► line (in call order) ─► writer thread: take what waits ─► one transaction ─► fsync ─► answers
//! load, find, accounts ─► a snapshot, read on the blocking threads
//! ```
//!
//! Group commit has no linger: while one transaction is being synced the next group forms by itself, so a lone batch
//! waits for nobody (F43). A full disk or a failed write closes the file and opens it again at the last state that is
//! known to be good; until that works, everything is refused and `check` says why. What no program can mend: a disk that
//! reported a failed sync may have dropped older pages too, so such a disk is to be replaced, not trusted.
//!
//! The file cannot roll back by itself, so a load never says doubt. A backup copied into its place by hand is not noticed.

mod file;
mod slot;
mod tables;
mod writer;

use crate::contract::{Answer, Loaded, Store, closed, ready, weigh};
use pimap_types::AccountKey;
use pimap_types::limits::STORE_BACKLOG_BYTES_MAX;
use pimap_types::rows::{Batch, IndexKey, StoreFault};
use redb::ReadTransaction;
use slot::{Opener, Slot};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use writer::{Job, Writer};

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// Two writers would destroy the file, so the second one stays out.
    #[error("{0} is in use: another gateway runs on this directory")]
    InUse(PathBuf),
    /// Written by a later version of the gateway.
    #[error("{path} has format {found}, this gateway knows {known}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it says it has.
        found: u64,
        /// The format known here.
        known: u64,
    },
    /// The directory or file could not be made or reached.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// The file was reached but redb refuses it: damaged, or no such file at all.
    #[error("{0}: {1}")]
    Refused(PathBuf, #[source] Box<redb::Error>),
}

/// The embedded store. Dropping it finishes what stands in line, blocking for that long; `close` does so politely.
pub struct Embedded {
    /// Unbounded as a channel, bounded by `backlog`: a place in line is taken without waiting, so that call order is
    /// the order of durability.
    line: mpsc::Sender<Job>,
    /// Bytes of the batches in line or being written.
    backlog: Arc<AtomicUsize>,
    slot: Arc<Slot>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens the store in a directory; makes both when absent, for their owner only. Blocks: after a kill the file is
    /// checked first, at about 0.75 s per GB.
    pub fn open(directory: &Path) -> Result<Self, OpenFault> {
        let path = file::prepare(directory)?;
        let open: Opener = Box::new(move || file::open(&path));
        let store = Self::start(open)?;
        file::sweep(directory);
        Ok(store)
    }

    fn start(open: Opener) -> Result<Self, OpenFault> {
        let slot = Arc::new(Slot::new(open)?);
        let backlog = Arc::new(AtomicUsize::new(0));
        let (line, jobs) = mpsc::channel();
        let writer = Writer::new(jobs, Arc::clone(&slot), Arc::clone(&backlog));
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OpenFault::Io(PathBuf::from("store-writer"), error))?;
        Ok(Self { line, backlog, slot, writer: Some(writer) })
    }

    /// Joins the line and waits for the answer. A writer that is gone drops its answers, or takes no more.
    fn ask(&self, job: impl FnOnce(oneshot::Sender<Result<(), StoreFault>>) -> Job) -> Answer<()> {
        let (answer, answered) = oneshot::channel();
        if self.line.send(job(answer)).is_err() {
            return ready(Err(closed()));
        }
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(closed())) })
    }

    /// Refuses a batch and, in its place in line, breaks the account, so that nothing lands behind the hole.
    fn refuse(&self, account: &AccountKey, fault: StoreFault) -> Answer<()> {
        // A closed line refuses whatever comes later anyway.
        let _ = self.line.send(Job::Break(account.clone()));
        ready(Err(fault))
    }

    /// Reads from a snapshot, off the asynchronous threads. A read that failed makes the writer open the file afresh,
    /// since redb answers nothing more after an I/O error.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Answer<T> {
        let (slot, line) = (Arc::clone(&self.slot), self.line.clone());
        Box::pin(async move {
            let reading = tokio::task::spawn_blocking(move || slot.read(read));
            let result = reading.await.unwrap_or_else(|error| Err(StoreFault::Failed(error.to_string())));
            if result.is_err() {
                let _ = line.send(Job::Reopen);
            }
            result
        })
    }
}

impl Store for Embedded {
    fn load(&self, account: &AccountKey) -> Answer<Loaded> {
        if self.line.send(Job::Mend(account.clone())).is_err() {
            return ready(Err(closed()));
        }
        let account = account.clone();
        self.read(move |snapshot| Ok(Loaded { rows: tables::rows(snapshot, &account)?, doubt: false }))
    }

    fn commit(&self, account: &AccountKey, batch: Batch) -> Answer<()> {
        let bytes = match weigh(account, &batch) {
            Ok(bytes) => bytes,
            Err(fault) => return self.refuse(account, fault),
        };
        let waiting = self.backlog.fetch_add(bytes, Ordering::Relaxed);
        if waiting.saturating_add(bytes) > STORE_BACKLOG_BYTES_MAX {
            self.backlog.fetch_sub(bytes, Ordering::Relaxed);
            return self
                .refuse(account, StoreFault::Failed(format!("{waiting} bytes are waiting to be stored")));
        }
        let account = account.clone();
        self.ask(|answer| Job::Commit(writer::Commit { account, batch, bytes, answer }))
    }

    fn accounts(&self) -> Answer<Vec<AccountKey>> {
        self.read(tables::accounts)
    }

    fn find(&self, key: &IndexKey) -> Answer<Vec<AccountKey>> {
        let key = key.clone();
        self.read(move |snapshot| tables::find(snapshot, &key))
    }

    fn check(&self) -> Answer<()> {
        self.ask(Job::Check)
    }

    fn close(&self) -> Answer<()> {
        let (slot, closing) = (Arc::clone(&self.slot), self.ask(Job::Close));
        Box::pin(async move {
            match closing.await {
                // The second of two calls: the writer has left, and left nothing undone.
                Err(_) if slot.is_closed() => Ok(()),
                result => result,
            }
        })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let (answer, _) = oneshot::channel();
        let _ = self.line.send(Job::Close(answer));
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so already; waiting is for the file's lock to be free afterwards.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests;
