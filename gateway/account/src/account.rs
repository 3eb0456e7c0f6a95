//! The owner itself: see [`Account`]. (First the shape; behaviour follows.)

use crate::contract::{Input, Options, Output};
use pimap_types::rows::Rows;
use pimap_types::{AccountKey, DeviceId, Secret, Timestamp};
use std::sync::Arc;

/// One mail account.
pub struct Account {
    key: AccountKey,
}

/// The stored rows cannot be understood: the account starts anew, its sessions are gone (which is true, if sad).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damaged(pub String);

impl Account {
    /// An account that nothing is known of. `seed` is 32 fresh random octets; session ids, cookies and keys come of it.
    pub fn new(key: AccountKey, _options: Arc<Options>, _seed: [u8; 32]) -> Self {
        Self { key }
    }

    /// An account as stored. With `doubt` the store may be older than what handsets were told (F44): every session is told
    /// RESYNC and gets a new incarnation. The first `step` (a `Tick`) emits what the restart requires (Watch, Wake).
    pub fn load(
        key: AccountKey,
        options: Arc<Options>,
        seed: [u8; 32],
        _rows: &Rows,
        _doubt: bool,
    ) -> Result<Self, Damaged> {
        Ok(Self::new(key, options, seed))
    }

    /// Takes one input in, pushes what is to be done.
    pub fn step(&mut self, _now: Timestamp, _input: Input, _out: &mut Vec<Output>) {}

    /// Whether nothing of the account needs memory: no connection, no session to watch for, nothing outstanding.
    pub fn is_dormant(&self) -> bool {
        true
    }

    /// A device's key for HELLO and notices (P-IMAP 5.1.6), if XPROVISION has made one.
    pub fn device_key(&self, _device: &DeviceId) -> Option<Secret> {
        None
    }

    /// UDP registrations kept with the devices, as [`Input::Registered`] brought them.
    pub fn registrations(&self) -> Vec<(DeviceId, Vec<u8>)> {
        Vec::new()
    }

    /// The account's key.
    pub fn key(&self) -> &AccountKey {
        &self.key
    }
}
