//! Where accounts are found: each has one task, begun on demand, gone when nothing needs it, begun anew when it failed.
//!
//! In: names of accounts, cookies, device IDs. Out: handles. An account that fails (a panic, a store that refuses) costs
//! its own connections only; while it has sessions to watch it is begun again after a pause.

use crate::drive::account::{Deps, Exit, Task};
use crate::drive::credentials::Credentials;
use crate::drive::mail::{AccountHandle, KeyAnswer, Mail};
use futures_util::FutureExt;
use pimap_account::Input;
use pimap_channels::udp::{Candidate, KeyDirectory, Registration};
use pimap_types::rows::{IndexKey, StoreFault};
use pimap_types::{AccountKey, DeviceId};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// From an account's failure to its next beginning.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// Accounts loaded at once when the gateway starts.
const LOADING_MAX: usize = 32;

/// See the module.
pub struct Directory {
    deps: Arc<Deps>,
    // A lock and not a task: every use is a look-up. It is never held across an await.
    accounts: Mutex<Accounts>,
}

#[derive(Default)]
struct Accounts {
    by_key: HashMap<AccountKey, AccountHandle>,
    tasks: JoinSet<()>,
    draining: bool,
}

impl Directory {
    /// A directory in which no account is at work yet.
    pub fn new(deps: Arc<Deps>) -> Arc<Self> {
        Arc::new(Self { deps, accounts: Mutex::new(Accounts::default()) })
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account's handle; its task is begun if it is not at work. `None`: the gateway is shutting down.
    pub fn open(self: &Arc<Self>, account: &AccountKey) -> Option<AccountHandle> {
        let mut accounts = self.accounts();
        if accounts.draining {
            return None;
        }
        if let Some(handle) = accounts.by_key.get(account) {
            return Some(handle.clone());
        }
        while accounts.tasks.try_join_next().is_some() {}
        let (mail, letters) = mpsc::unbounded_channel();
        let handle = AccountHandle { key: account.clone(), mail };
        accounts.by_key.insert(account.clone(), handle.clone());
        accounts.tasks.spawn(Arc::clone(self).supervise(account.clone(), letters));
        Some(handle)
    }

    /// Upstream refuses these. An account that is not at work has no cookies that could have come of them.
    pub fn refused(&self, credentials: Credentials) {
        let handle = self.accounts().by_key.get(&credentials.account).cloned();
        if let Some(handle) = handle {
            handle.send(Mail::Refused(Box::new(credentials)));
        }
    }

    /// The account that a session cookie opens, by the cookie's SHA-256. The account itself has the last word.
    pub async fn by_cookie(self: &Arc<Self>, cookie: [u8; 32]) -> Option<AccountHandle> {
        let found = self.find(&IndexKey::Cookie(cookie)).await;
        self.open(found.first()?)
    }

    /// The account that holds a session of that name, by its SHA-256. The account itself has the last word.
    pub async fn by_session(self: &Arc<Self>, name: [u8; 32]) -> Option<AccountHandle> {
        let found = self.find(&IndexKey::Session(name)).await;
        self.open(found.first()?)
    }

    async fn find(&self, key: &IndexKey) -> Vec<AccountKey> {
        let began = std::time::Instant::now();
        let found = self.deps.store.find(key).await;
        crate::metrics::store_seconds("find", began.elapsed());
        found.unwrap_or_else(|fault| {
            tracing::error!(?fault, "the store cannot be asked");
            Vec::new()
        })
    }

    /// Begins the task of every account in the store, so that those with sessions are watched again (design D6). The rest
    /// fall dormant by themselves.
    pub async fn awaken(self: &Arc<Self>) -> Result<usize, StoreFault> {
        let all = self.deps.store.accounts().await?;
        for some in all.chunks(LOADING_MAX) {
            for account in some {
                drop(self.open(account));
            }
            // Each chunk gets its turn at the store before the next one queues up behind it.
            tokio::task::yield_now().await;
        }
        Ok(all.len())
    }

    async fn supervise(self: Arc<Self>, account: AccountKey, mut letters: mpsc::UnboundedReceiver<Mail>) {
        let task =
            Task::run(account.clone(), &self.deps, &mut letters, |letters| self.retire(&account, letters));
        let exit = AssertUnwindSafe(task).catch_unwind().await;
        let failed = match exit {
            Ok(Exit::Dormant) => return,
            Ok(Exit::Drained) => false,
            Ok(Exit::Failed(fault)) => {
                tracing::error!(
                    account = account.as_str(),
                    ?fault,
                    "account begins anew: the store failed it"
                );
                true
            }
            Err(_) => {
                tracing::error!(account = account.as_str(), "account begins anew: its task panicked");
                true
            }
        };
        self.accounts().by_key.remove(&account);
        letters.close();
        while let Some(letter) = letters.recv().await {
            letter.return_to_sender();
        }
        if failed {
            crate::metrics::account_failed();
            tokio::time::sleep(FAILURE_PAUSE).await;
            drop(self.open(&account));
        }
    }

    /// Takes a dormant account out, unless somebody is about to write to it. Under the lock nobody can get a new handle.
    fn retire(&self, account: &AccountKey, letters: &mpsc::UnboundedReceiver<Mail>) -> bool {
        let mut accounts = self.accounts();
        let unknown = letters.is_empty() && letters.sender_strong_count() <= 1;
        if unknown {
            accounts.by_key.remove(account);
        }
        unknown
    }

    /// Tells every account to say goodbye, and waits until all is stored, at most for `grace`.
    pub async fn drain(&self, grace: Duration) {
        let mut tasks = {
            let mut accounts = self.accounts();
            accounts.draining = true;
            for handle in accounts.by_key.values() {
                handle.send(Mail::Input(Box::new(Input::Drain)));
            }
            std::mem::take(&mut accounts.tasks)
        };
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("some accounts did not end in time; what they had shown is stored");
        }
    }
}

/// The directory as the UDP channel sees it.
pub struct Keys(pub Arc<Directory>);

impl Keys {
    async fn key_of(&self, account: AccountKey, device: &DeviceId) -> Option<Candidate> {
        let handle = self.0.open(&account)?;
        let (answer, answered) = tokio::sync::oneshot::channel::<KeyAnswer>();
        handle.send(Mail::DeviceKey(device.clone(), answer));
        let (key, stored) = answered.await.ok()??;
        let stored = stored.and_then(|octets| Registration::decode(&octets));
        Some(Candidate { account, key, stored })
    }
}

impl KeyDirectory for Keys {
    async fn keys_of(&self, device: &DeviceId) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for account in self.0.find(&IndexKey::Device(device.clone())).await {
            if candidates.len() >= pimap_channels::udp::CANDIDATES_MAX {
                break;
            }
            candidates.extend(self.key_of(account, device).await);
        }
        candidates
    }

    async fn on_bound(&self, account: &AccountKey, device: &DeviceId, registration: Registration) {
        if let Some(handle) = self.0.open(account) {
            let registration = registration.encode();
            let registered = Input::Registered { device: device.clone(), registration };
            handle.send(Mail::Input(Box::new(registered)));
        }
    }
}
