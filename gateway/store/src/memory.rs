//! The store that forgets: ordered maps behind a lock, for tests and trials.
//!
//! Holds rows for the life of the value. Nothing in it can be older than what was acknowledged, so it never says doubt;
//! after a restart it is empty, and then a handset's cookie or cursor is simply unknown.

use crate::contract::{Answer, Loaded, Store, behind_a_hole, closed, ready, weigh};
use pimap_types::AccountKey;
use pimap_types::limits::STORE_FOUND_ACCOUNTS_MAX;
use pimap_types::rows::{Batch, IndexKey, StoreFault};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// A lock and not a task, since each call is over before it could wait for anything.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    rows: BTreeMap<AccountKey, BTreeMap<Vec<u8>, Vec<u8>>>,
    index: BTreeMap<IndexKey, BTreeSet<AccountKey>>,
    /// Accounts of which a batch was refused and that were not loaded since.
    broken: HashSet<AccountKey>,
    closed: bool,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        // No step below can leave the maps half changed, so a poisoned lock says nothing about them.
        let mut kept: MutexGuard<'_, Kept> = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.closed {
            return Err(closed());
        }
        act(&mut kept)
    }
}

impl Kept {
    fn commit(&mut self, account: &AccountKey, batch: Batch) -> Result<(), StoreFault> {
        if self.broken.contains(account) {
            return Err(behind_a_hole());
        }
        if let Err(fault) = weigh(account, &batch) {
            self.broken.insert(account.clone());
            return Err(fault);
        }
        self.apply(account, batch);
        Ok(())
    }

    fn apply(&mut self, account: &AccountKey, batch: Batch) {
        let rows = self.rows.entry(account.clone()).or_default();
        for (key, value) in batch.rows {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        if rows.is_empty() {
            self.rows.remove(account);
        }
        for change in batch.index {
            let accounts = self.index.entry(change.key.clone()).or_default();
            if change.present {
                accounts.insert(account.clone());
            } else {
                accounts.remove(account);
            }
            if accounts.is_empty() {
                self.index.remove(&change.key);
            }
        }
    }
}

impl Store for Memory {
    fn load(&self, account: &AccountKey) -> Answer<Loaded> {
        ready(self.with(|kept| {
            kept.broken.remove(account);
            let rows = kept.rows.get(account).into_iter().flatten();
            let rows = rows.map(|(key, value)| (key.clone(), value.clone())).collect();
            Ok(Loaded { rows, doubt: false })
        }))
    }

    fn commit(&self, account: &AccountKey, batch: Batch) -> Answer<()> {
        ready(self.with(|kept| kept.commit(account, batch)))
    }

    fn accounts(&self) -> Answer<Vec<AccountKey>> {
        ready(self.with(|kept| Ok(kept.rows.keys().cloned().collect())))
    }

    fn find(&self, key: &IndexKey) -> Answer<Vec<AccountKey>> {
        ready(self.with(|kept| {
            let accounts = kept.index.get(key).into_iter().flatten();
            Ok(accounts.take(STORE_FOUND_ACCOUNTS_MAX).cloned().collect())
        }))
    }

    fn check(&self) -> Answer<()> {
        ready(self.with(|_| Ok(())))
    }

    fn close(&self) -> Answer<()> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::battery;

    #[tokio::test]
    async fn memory_passes_the_battery() {
        battery::run(async |_place| Box::new(Memory::new()) as Box<dyn crate::Store>).await;
    }
}
