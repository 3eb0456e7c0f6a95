//! Where the open file stands, and what is there instead while it is not open.
//!
//! Readers share it; the writer shares it too while it commits (redb lets readers see the last commit meanwhile) and
//! takes it alone only to open the file afresh or to close it. A lock and not a message, because redb holds one lock on
//! the file for the whole process: the old handle must be gone from every reader before the file can be opened again.
//! It is held on the writer's and the blocking threads only, never across an await.

use super::OpenFault;
use crate::contract::closed;
use pimap_types::rows::StoreFault;
use redb::{Database, ReadTransaction, ReadableDatabase};
use std::io;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How the file is opened, the first time and after a fault.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, OpenFault> + Send + Sync>;

pub(super) struct Slot {
    held: RwLock<Held>,
    open: Opener,
}

enum Held {
    Open(Database),
    /// Could not be opened again after this fault; tried again with each write and check.
    Lost(StoreFault),
    Closed,
}

impl Slot {
    pub(super) fn new(open: Opener) -> Result<Self, OpenFault> {
        Ok(Self { held: RwLock::new(Held::Open(open()?)), open })
    }

    /// Gives a snapshot to a reader.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreFault> {
        self.with(|database| read(&database.begin_read()?))
    }

    /// Lends the open database for one act.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreFault> {
        match &*self.shared() {
            Held::Open(database) => act(database).map_err(fault),
            Held::Lost(fault) => Err(fault.clone()),
            Held::Closed => Err(closed()),
        }
    }

    /// Lets go of the file and opens it again at its last good state.
    pub(super) fn reopen(&self) -> Result<(), StoreFault> {
        let mut held = self.alone();
        if matches!(*held, Held::Closed) {
            return Err(closed());
        }
        // First let go, or the file's own lock would refuse the second opening.
        *held = Held::Lost(StoreFault::Failed("being opened again".to_owned()));
        match (self.open)() {
            Ok(database) => {
                *held = Held::Open(database);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the store cannot be opened again");
                let fault = match error {
                    OpenFault::Refused(_, error) => fault(*error),
                    OpenFault::Io(_, error) => io_fault(&error),
                    other => StoreFault::Failed(other.to_string()),
                };
                *held = Held::Lost(fault.clone());
                Err(fault)
            }
        }
    }

    /// Closes the file in good order, which spares the next start its repair.
    pub(super) fn close(&self) -> Result<(), StoreFault> {
        match std::mem::replace(&mut *self.alone(), Held::Closed) {
            Held::Open(database) => database.close().map_err(|error| fault(error.into())),
            Held::Lost(fault) => Err(fault),
            Held::Closed => Ok(()),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.shared(), Held::Lost(_))
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.shared(), Held::Closed)
    }

    // A panic inside redb leaves the handle in place; redb itself refuses what can no longer be trusted.
    fn shared(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What redb said, as far as a caller must tell apart.
pub(super) fn fault(error: redb::Error) -> StoreFault {
    match error {
        redb::Error::Io(error) => io_fault(&error),
        other => StoreFault::Failed(other.to_string()),
    }
}

fn io_fault(error: &io::Error) -> StoreFault {
    match error.kind() {
        // A limit on the size of files is a quota by another name.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreFault::Full
        }
        _ => StoreFault::Failed(error.to_string()),
    }
}
