//! Who may in: a handset's LOGIN, judged by upstream (F42, F50, F51).
//!
//! Goes in: name and password, or token, as they came. Comes out: the account they open, or why not. Every one is judged by the
//! upstream server, never by what is kept here; only an answer of the last minutes is given again. Attempts for one
//! account go one by one, so that a burst of reconnecting handsets costs one upstream LOGIN.

mod cache;
pub mod name;

use crate::config::{Auth, Upstream};
use crate::drive::credentials::Credentials;
use cache::Cache;
use futures_util::future::BoxFuture;
use pimap_types::command::Login;
use pimap_types::upstream::Announced;
use pimap_types::{AccountKey, Credential};
pub use pimap_upstream::{Mechanisms, Origin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a refusal is answered from here.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// What upstream says to a name and what proves it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It let them in, and announces this.
    Accepted(Announced),
    /// It refused them.
    Refused,
    /// It could not be asked.
    Unavailable,
}

/// Asks upstream; one connection, thrown away afterwards.
pub trait Verifier: Send + Sync + 'static {
    /// Tries a LOGIN.
    fn verify(
        &self,
        login: &str,
        credential: &Credential,
        origin: Option<Origin>,
    ) -> BoxFuture<'static, Verdict>;
    /// What it takes at all.
    fn mechanisms(&self) -> Mechanisms {
        Mechanisms::default()
    }
}

/// A handset that may in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    /// What upstream accepted, and so the account.
    pub credentials: Credentials,
    /// `local@domain`, for notices.
    pub mail_address: String,
}

/// Why a handset may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The name could not be the name of a user.
    Name,
    /// Upstream refuses name, password or token, or did so a moment ago.
    Credential,
    /// Upstream cannot be asked just now.
    Unavailable,
}

/// See the module.
pub struct Authenticator {
    verifier: Box<dyn Verifier>,
    template: crate::config::LoginTemplate,
    default_domain: Option<String>,
    address_domain: String,
    fold_case: bool,
    separator: Option<char>,
    accept_for: Duration,
    cache: Cache,
    /// What upstream last announced to somebody it let in. Held for a clone only.
    announced: Mutex<Announced>,
}

impl Authenticator {
    /// Builds the one of the process.
    pub fn new(upstream: &Upstream, default_domain: Option<&str>, verifier: Box<dyn Verifier>) -> Self {
        Self {
            verifier,
            template: upstream.login.clone(),
            default_domain: default_domain.map(str::to_owned),
            // Notices name the mailbox by an address; without a domain the server's own name is the best there is.
            address_domain: default_domain.unwrap_or(&upstream.host).to_owned(),
            fold_case: upstream.fold_case,
            separator: match &upstream.auth {
                Auth::Passthrough => None,
                Auth::Master { separator, .. } => Some(*separator),
            },
            accept_for: upstream.accept_cache,
            cache: Cache::new(),
            announced: Mutex::default(),
        }
    }

    /// Judges a LOGIN.
    pub async fn admit(&self, login: &Login, origin: Option<Origin>) -> Result<Admission, Refusal> {
        let account = self.account_of(login).ok_or(Refusal::Name)?;
        self.judge(&account, &login.credential, origin).await?;
        let domain = self.domain_of(login).unwrap_or(&self.address_domain);
        Ok(Admission {
            mail_address: format!("{}@{domain}", login.local),
            credentials: Credentials { account, credential: login.credential.clone() },
        })
    }

    fn domain_of<'a>(&'a self, login: &'a Login) -> Option<&'a str> {
        login.domain.as_deref().or(self.default_domain.as_deref())
    }

    /// Whose account a login is for; none: it cannot be the name of a user.
    pub fn account_of(&self, login: &Login) -> Option<AccountKey> {
        let domain = self.domain_of(login);
        if self.template.wants_domain() && domain.is_none() {
            return None;
        }
        let mut upstream_name = self.template.apply(&login.local, domain.unwrap_or_default());
        if self.fold_case {
            upstream_name = upstream_name.to_lowercase();
        }
        let parts = [login.local.as_str(), login.domain.as_deref().unwrap_or("x"), &upstream_name];
        let is_plain = parts.iter().all(|part| name::is_plain(part, self.separator));
        is_plain.then(|| AccountKey::new(&upstream_name))
    }

    async fn judge(
        &self,
        account: &AccountKey,
        credential: &Credential,
        origin: Option<Origin>,
    ) -> Result<(), Refusal> {
        let digest = self.cache.digest(account, credential);
        if let Some(known) = self.cache.answer(account, &digest, Instant::now()) {
            return known;
        }
        let gate = self.cache.gate(account);
        let _turn = gate.lock().await;
        // Whoever was before us may have asked for us.
        if let Some(known) = self.cache.answer(account, &digest, Instant::now()) {
            return known;
        }
        let verdict = self.verifier.verify(account.as_str(), credential, origin).await;
        let now = Instant::now();
        match verdict {
            Verdict::Accepted(announced) => {
                *self.last_announced() = announced;
                self.cache.accepted(account, digest, now + self.accept_for);
                Ok(())
            }
            Verdict::Refused => {
                self.cache.refused(account, digest, now + REFUSED_FOR);
                Err(Refusal::Credential)
            }
            Verdict::Unavailable => Err(Refusal::Unavailable),
        }
    }

    /// How upstream lets users in.
    pub fn mechanisms(&self) -> Mechanisms {
        self.verifier.mechanisms()
    }

    /// What upstream last announced after a login; empty before the first one.
    pub fn announced(&self) -> Announced {
        self.last_announced().clone()
    }

    fn last_announced(&self) -> MutexGuard<'_, Announced> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Upstream refused the account's kept password: what was accepted is accepted no more.
    pub fn forget(&self, account: &AccountKey) {
        self.cache.forget(account);
    }
}

#[cfg(test)]
mod tests;
