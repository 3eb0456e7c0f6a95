//! The contract of a store, in words and as a trait.
//!
//! Holds what the account owner may rely on and nothing that only one backend could keep: whatever is promised here can
//! be kept by a tree in a file and by Redis, single or clustered.
//!
//! 1. **Durable or not at all.** `commit` answers `Ok` when all rows of the batch survive the death of this process (and
//!    of the machine, as far as the medium keeps its word). A batch is never seen in part.
//! 2. **In line when called.** A commit takes its place when `commit` is *called*, not when its answer is first polled.
//!    Batches of one account become durable in that order. Dropping the answer withdraws nothing.
//! 3. **Nothing behind a hole.** After a batch of an account was refused, all later ones of that account are refused
//!    too until the account is loaded again. So an owner with several batches in flight can never find a later one
//!    stored and an earlier one missing. After a fault only `load` tells what is stored, the batch in doubt included.
//! 4. **Loading waits for nobody.** An owner loads when none of its commits is unanswered; there is one owner of an
//!    account at a time (design D1, D9).
//! 5. **The index is a hint that never misses.** An entry put is found from the acknowledgement of its batch on. In Redis
//!    Cluster the index lives elsewhere than the account, so a crash in the middle of a batch may leave an entry whose
//!    row is missing; who finds an account looks for the cookie or device in its rows before believing it.
//! 6. **Bounded.** Limits are the `STORE_*` constants of `types::limits`; what exceeds one is refused with
//!    [`StoreFault::Failed`] before anything is written.

use pimap_types::AccountKey;
use pimap_types::limits::{
    STORE_ACCOUNT_BYTES_MAX, STORE_BATCH_BYTES_MAX, STORE_BATCH_CHANGES_MAX, STORE_KEY_BYTES_MAX,
    STORE_VALUE_BYTES_MAX,
};
use pimap_types::rows::{Batch, IndexKey, Rows, StoreFault};
use std::future::Future;
use std::pin::Pin;

/// What a store will have said. Boxed, so that a store can be chosen by configuration and shared as `Arc<dyn Store>`:
/// one small allocation beside a write to disk. It borrows nothing, so it can be kept, spawned or raced.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreFault>> + Send>>;

/// An account as it was stored.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// All rows, in key order; none for an account never heard of.
    pub rows: Rows,
    /// Whether the rows may be older than what was acknowledged: a Redis that restarted from a snapshot or failed over
    /// to a replica gives back a true but older account (F44). The owner then tells RESYNC and begins new incarnations.
    /// A store that cannot roll back never says so; one that can writes its run ID beside each account and compares.
    pub doubt: bool,
}

/// A place that keeps rows. See the module for what each method promises.
pub trait Store: Send + Sync + 'static {
    /// All rows of an account. Ends the refusal that follows a fault (3).
    fn load(&self, account: &AccountKey) -> Answer<Loaded>;

    /// Makes a batch durable, whole, after all earlier ones of the account. An empty batch is answered when those are.
    fn commit(&self, account: &AccountKey, batch: Batch) -> Answer<()>;

    /// Every account that has rows, for the restart (design D6). One whose rows are all deleted may still be named.
    fn accounts(&self) -> Answer<Vec<AccountKey>>;

    /// The accounts under an index entry, at most `STORE_FOUND_ACCOUNTS_MAX` of them.
    fn find(&self, key: &IndexKey) -> Answer<Vec<AccountKey>>;

    /// Whether a batch committed now would become durable; tried, not guessed, and repairing what can be repaired.
    fn check(&self) -> Answer<()>;

    /// Makes durable what stands in line, then lets go of everything; all later calls but `close` are refused.
    fn close(&self) -> Answer<()>;
}

/// An answer that is known already.
pub(crate) fn ready<T: Send + 'static>(result: Result<T, StoreFault>) -> Answer<T> {
    Box::pin(std::future::ready(result))
}

/// The refusal of a closed store.
pub(crate) fn closed() -> StoreFault {
    StoreFault::Failed("the store is closed".to_owned())
}

/// The refusal of whatever follows a batch that failed.
pub(crate) fn behind_a_hole() -> StoreFault {
    StoreFault::Failed("an earlier batch of the account was not stored; load the account first".to_owned())
}

/// Checks an account's name and its batch against the limits and answers how many bytes the batch weighs. The fault
/// names sizes only: keys and values are no business of a log file.
pub fn weigh(account: &AccountKey, batch: &Batch) -> Result<usize, StoreFault> {
    /// What an entry costs beside its bytes, so that a million empty rows are not free.
    const ENTRY_BYTES: usize = 64;

    within("account name of", account.as_str().len(), STORE_ACCOUNT_BYTES_MAX, "bytes")?;
    let changes = batch.rows.len().saturating_add(batch.index.len());
    within("batch of", changes, STORE_BATCH_CHANGES_MAX, "changes")?;
    let mut bytes = 0_usize;
    for (key, value) in &batch.rows {
        let value_bytes = value.as_ref().map_or(0, Vec::len);
        within("row key of", key.len(), STORE_KEY_BYTES_MAX, "bytes")?;
        within("row value of", value_bytes, STORE_VALUE_BYTES_MAX, "bytes")?;
        bytes = bytes.saturating_add(key.len()).saturating_add(value_bytes);
    }
    within("batch of", bytes, STORE_BATCH_BYTES_MAX, "bytes")?;
    Ok(bytes + (changes + 1) * ENTRY_BYTES)
}

fn within(what: &str, size: usize, most: usize, unit: &str) -> Result<(), StoreFault> {
    if size <= most {
        Ok(())
    } else {
        Err(StoreFault::Failed(format!("{what} {size} {unit}, at most {most}")))
    }
}
