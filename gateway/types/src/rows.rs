//! What the account owner asks the store to keep: opaque rows under ordered keys, changed in atomic batches, and a few
//! index entries by which an account is found again. The rows' coding belongs to the room that owns them.

use crate::ids::{AccountKey, DeviceId};

/// One row put (`Some`) or deleted (`None`).
pub type RowChange = (Vec<u8>, Option<Vec<u8>>);

/// A batch of one account: all of it becomes durable, or nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Batch {
    /// Rows, later entries winning.
    pub rows: Vec<RowChange>,
    /// Index entries.
    pub index: Vec<IndexChange>,
}

impl Batch {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.index.is_empty()
    }
}

/// An index entry put or deleted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IndexChange {
    /// What is looked up.
    pub key: IndexKey,
    /// Whether the entry exists afterwards.
    pub present: bool,
}

/// By what an account is found. Secrets stand here as SHA-256 only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IndexKey {
    /// SHA-256 of a session cookie: at most one account.
    Cookie([u8; 32]),
    /// SHA-256 of a session ID: at most one account.
    Session([u8; 32]),
    /// A device ID: the accounts that have such a device (F52).
    Device(DeviceId),
}

/// Answers of the store that a caller must tell apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum StoreFault {
    /// Could not be written or read: nothing of the batch is durable as far as is known.
    Failed(String),
    /// The disk or quota is full.
    Full,
}

/// All rows of an account in key order.
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// Names an account and its rows.
pub type AccountRows = (AccountKey, Rows);
