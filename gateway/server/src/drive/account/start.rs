//! The account's beginning: rows in, secrets unsealed, watcher and registrations as they were.

use super::{Commit, Deps, EVENTS_MAX, Task};
use crate::drive::credentials::{Credentials, Kept, ROW, SEALED_PREFIX};
use crate::drive::wake::Wakes;
use crate::metrics::UpstreamConnected;
use pimap_account::{Account, Input};
use pimap_channels::udp::Registration;
use pimap_types::rows::{Batch, Rows, StoreFault};
use pimap_types::{AccountKey, DeviceId, Secret};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

impl<'a> Task<'a> {
    pub(super) async fn start(key: AccountKey, deps: &'a Deps) -> Result<Self, StoreFault> {
        let began = Instant::now();
        let loaded = deps.store.load(&key).await?;
        crate::metrics::store_seconds("load", began.elapsed());
        let (rows, kept) = unsealed(deps, &key, loaded.rows);
        let mut seed = [0; 32];
        rand::fill(&mut seed);
        let options = deps.options.get().cloned();
        let options =
            options.ok_or_else(|| StoreFault::Failed("the gateway is not set up yet".to_owned()))?;
        let mut commits = VecDeque::new();
        let account = match Account::load(key.clone(), Arc::clone(&options), seed, &rows, loaded.doubt) {
            Ok(account) => account,
            Err(damaged) => {
                tracing::error!(account = key.as_str(), ?damaged, "stored rows are damaged; begun afresh");
                commits.push_back(commit(deps, &key, None, erased(&rows)));
                Account::new(key.clone(), options, seed)
            }
        };
        let (to, events) = mpsc::channel(EVENTS_MAX);
        let upstream = deps.upstreams.open(&key, to);
        let own = kept.as_ref().and_then(Kept::credential);
        // In master mode too, only an account whose user has logged in here is opened by the gateway on its own.
        if kept.is_some()
            && let Some(login) = deps.login_mode.login(&key, own.as_ref())
        {
            upstream.set_login(login);
        }
        let channels = deps.channels.get().cloned().unwrap_or_default();
        let wakes = Wakes::new(key.clone(), channels);
        import_registrations(deps, &key, account.registrations()).await;
        let mut task = Self {
            key,
            deps,
            account,
            kept,
            seats: HashMap::new(),
            upstream,
            events,
            questions: JoinSet::new(),
            tickets: HashMap::new(),
            cancels: HashMap::new(),
            commits,
            wakes,
            caused_at: None,
            draining: None,
            dormant_since: None,
            failed: None,
            connected: UpstreamConnected::default(),
            outputs: Vec::new(),
        };
        task.step(Input::Tick);
        Ok(task)
    }

    /// Keeps credentials that upstream accepted just now, and tells which epoch they belong to. The row stands in line
    /// before whatever the account stores because of them.
    pub(super) fn take_credentials(&mut self, accepted: &Credentials) -> u64 {
        if let Some(kept) = Kept::after(self.kept.as_ref(), accepted, self.deps.login_mode.is_master()) {
            let row = (ROW.to_vec(), Some(kept.encode().expose().to_vec()));
            self.commit(None, Batch { rows: vec![row], index: Vec::new() });
            self.kept = Some(kept);
        }
        // Said even when nothing changed: upstream may have refused this very password meanwhile, and taken it again now.
        if let Some(login) = self.deps.login_mode.login_of(accepted) {
            self.upstream.set_login(login);
        }
        self.kept.as_ref().map_or(0, |kept| kept.epoch)
    }

    /// Takes a place in line at the store.
    pub(super) fn commit(&mut self, number: Option<u64>, batch: Batch) {
        let commit = commit(self.deps, &self.key, number, batch);
        self.commits.push_back(commit);
    }
}

/// The UDP channel forgets at exit; the devices' rows do not.
async fn import_registrations(deps: &Deps, key: &AccountKey, registrations: Vec<(DeviceId, Vec<u8>)>) {
    let Some(udp) = deps.udp.get() else { return };
    for (device, octets) in registrations {
        if let Some(registration) = Registration::decode(&octets) {
            udp.import(key.clone(), device, registration).await;
        }
    }
}

fn commit(deps: &Deps, key: &AccountKey, number: Option<u64>, mut batch: Batch) -> Commit {
    for (row, value) in &mut batch.rows {
        if let Some(plain) = value.take_if(|_| row.starts_with(SEALED_PREFIX)) {
            *value = Some(deps.sealer.seal(&context(key, row), &Secret::new(plain)));
        }
    }
    Commit { number, began: Instant::now(), answer: deps.store.commit(key, batch) }
}

/// Opens what is sealed, and takes the driver's own row out. What cannot be opened (the seal key was replaced) is gone,
/// which costs a login or a device its key.
fn unsealed(deps: &Deps, key: &AccountKey, rows: Rows) -> (Rows, Option<Kept>) {
    let mut kept = None;
    let mut opened = Rows::with_capacity(rows.len());
    for (row, value) in rows {
        if !row.starts_with(SEALED_PREFIX) {
            opened.push((row, value));
            continue;
        }
        match deps.sealer.unseal(&context(key, &row), &value) {
            None => tracing::warn!(
                account = key.as_str(),
                "a sealed row does not open; was the seal key replaced?"
            ),
            Some(plain) if row == ROW => kept = Kept::decode(&plain),
            Some(plain) => opened.push((row, plain.expose().to_vec())),
        }
    }
    (opened, kept)
}

/// A seal is good for one row of one account.
fn context(key: &AccountKey, row: &[u8]) -> Vec<u8> {
    [key.as_str().as_bytes(), b"\0", row].concat()
}

fn erased(rows: &Rows) -> Batch {
    Batch { rows: rows.iter().map(|(row, _)| (row.clone(), None)).collect(), index: Vec::new() }
}
