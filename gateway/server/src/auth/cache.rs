//! What upstream said of late: digests of passwords and tokens under a key of this process, never themselves.

use super::Refusal;
use pimap_types::{AccountKey, Credential};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Refused passwords remembered per account; more: the oldest is forgotten, and asked about again.
const REFUSALS_MAX: usize = 16;
/// Names remembered; more: what has expired goes, then everything that nobody waits for.
const NAMES_MAX: usize = 50_000;

/// SHA-256 of key, account and credential.
pub(super) type CredentialDigest = [u8; 32];

pub(super) struct Cache {
    key: Zeroizing<[u8; 32]>,
    // A lock and not a task: every use is a look-up. It is never held across an await.
    names: Mutex<HashMap<AccountKey, Name>>,
}

#[derive(Default)]
struct Name {
    gate: Arc<tokio::sync::Mutex<()>>,
    accepted: Option<(CredentialDigest, Instant)>,
    refused: VecDeque<(CredentialDigest, Instant)>,
}

impl Name {
    fn is_stale(&self, now: Instant) -> bool {
        Arc::strong_count(&self.gate) == 1
            && self.accepted.is_none_or(|(_, until)| until <= now)
            && self.refused.iter().all(|(_, until)| *until <= now)
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut *key);
        Self { key, names: Mutex::new(HashMap::new()) }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<AccountKey, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn digest(&self, account: &AccountKey, credential: &Credential) -> CredentialDigest {
        let mut hash = Sha256::new();
        hash.update(*self.key);
        hash.update((account.as_str().len() as u64).to_be_bytes());
        hash.update(account.as_str());
        // A password that looks like a token is another thing than that token.
        hash.update([u8::from(credential.is_token())]);
        hash.update(credential.secret().expose());
        hash.finalize().into()
    }

    /// What is known of a password.
    pub(super) fn answer(
        &self,
        account: &AccountKey,
        digest: &CredentialDigest,
        now: Instant,
    ) -> Option<Result<(), Refusal>> {
        let names = self.names();
        let name = names.get(account)?;
        // Digests under a key that nobody outside knows can be compared as they are.
        let holds = |(known, until): &(CredentialDigest, Instant)| known == digest && now < *until;
        if name.accepted.as_ref().is_some_and(holds) {
            return Some(Ok(()));
        }
        name.refused.iter().any(holds).then_some(Err(Refusal::Credential))
    }

    /// Where attempts for an account stand in line.
    pub(super) fn gate(&self, account: &AccountKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut names = self.names();
        if names.len() >= NAMES_MAX && !names.contains_key(account) {
            let now = Instant::now();
            names.retain(|_, name| !name.is_stale(now));
            if names.len() >= NAMES_MAX {
                names.retain(|_, name| Arc::strong_count(&name.gate) > 1);
            }
        }
        Arc::clone(&names.entry(account.clone()).or_default().gate)
    }

    pub(super) fn accepted(&self, account: &AccountKey, digest: CredentialDigest, until: Instant) {
        let mut names = self.names();
        let name = names.entry(account.clone()).or_default();
        name.accepted = Some((digest, until));
        name.refused.retain(|(known, _)| *known != digest);
    }

    pub(super) fn refused(&self, account: &AccountKey, digest: CredentialDigest, until: Instant) {
        let mut names = self.names();
        let name = names.entry(account.clone()).or_default();
        name.accepted.take_if(|(known, _)| *known == digest);
        if name.refused.len() >= REFUSALS_MAX {
            name.refused.pop_front();
        }
        name.refused.push_back((digest, until));
    }

    pub(super) fn forget(&self, account: &AccountKey) {
        if let Some(name) = self.names().get_mut(account) {
            name.accepted = None;
        }
    }
}
