//! What the account logs in with, and whether upstream still takes it (F50).
//!
//! Logging in is single-flight per account: whoever connects holds the gate while the password is tried, so that a stale
//! password costs one failure and not one per connection. A refusal suspends that password until [`Credentials::replace`]
//! brings another. A bare `NO` may mean anything: it is retried a few times, ever later, and then counts as a refusal.

use crate::config::Login;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::Instant;

/// Bare refusals in a row that count as one in words.
const BARE_REFUSALS_MAX: u32 = 3;
/// The first pause after a bare refusal; it doubles.
const BARE_REFUSAL_PAUSE: Duration = Duration::from_secs(30);

/// How a login attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LoginOutcome {
    /// In.
    Accepted,
    /// The credentials are wrong, in words (`[AUTHENTICATIONFAILED]` and its like).
    Refused(String),
    /// NO without a reason.
    BareRefusal(String),
    /// Not now: overload, limits, lost connection.
    Unavailable(String),
}

struct State {
    login: Login,
    epoch: u64,
    refused: bool,
    bare_refusals: u32,
    not_before: Option<Instant>,
}

/// The account's credentials. The lock is held for a few assignments only; a message would need a task to answer it.
pub(crate) struct Credentials {
    state: Mutex<State>,
    /// Held while a password is tried.
    pub(crate) gate: AsyncMutex<()>,
    changed: watch::Sender<u64>,
}

/// Why no attempt is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Suspended {
    /// Refused.
    Refused,
    /// Wait a little.
    Pause,
}

impl Credentials {
    pub(crate) fn new(login: Login) -> Self {
        let state = State { login, epoch: 1, refused: false, bare_refusals: 0, not_before: None };
        Self { state: Mutex::new(state), gate: AsyncMutex::new(()), changed: watch::channel(1).0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to log in with now, and its epoch.
    pub(crate) fn current(&self) -> Result<(Login, u64), Suspended> {
        let state = self.lock();
        if state.refused {
            return Err(Suspended::Refused);
        }
        if state.not_before.is_some_and(|at| at > Instant::now()) {
            return Err(Suspended::Pause);
        }
        Ok((state.login.clone(), state.epoch))
    }

    /// The epoch now: connections of an older one are to be closed.
    pub(crate) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Tells when other credentials have come.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Takes other credentials in. The same ones again change nothing, unless they were refused: a handset has just proved
    /// them.
    pub(crate) fn replace(&self, login: Login) {
        let epoch = {
            let mut state = self.lock();
            let same = state.login == login;
            if same && !state.refused && state.not_before.is_none() {
                return;
            }
            if !same {
                state.epoch += 1;
            }
            *state = State { login, epoch: state.epoch, refused: false, bare_refusals: 0, not_before: None };
            state.epoch
        };
        let _ = self.changed.send(epoch);
    }

    /// Records how the attempt with that epoch's credentials ended; whether this was the refusal that suspends them.
    pub(crate) fn record(&self, epoch: u64, outcome: &LoginOutcome) -> bool {
        let mut state = self.lock();
        if state.epoch != epoch {
            return false;
        }
        match outcome {
            LoginOutcome::Accepted => (state.bare_refusals, state.not_before) = (0, None),
            LoginOutcome::Unavailable(_) => {}
            LoginOutcome::BareRefusal(_) if state.bare_refusals + 1 < BARE_REFUSALS_MAX => {
                state.not_before = Some(Instant::now() + BARE_REFUSAL_PAUSE * (1 << state.bare_refusals));
                state.bare_refusals += 1;
            }
            LoginOutcome::Refused(_) | LoginOutcome::BareRefusal(_) => {
                return !std::mem::replace(&mut state.refused, true);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pimap_types::{Credential, Secret};

    fn login(password: &str) -> Login {
        Login { user: "joe".into(), credential: Credential::Password(Secret::new(password)) }
    }

    #[test]
    fn a_refusal_suspends_until_another_password_comes() {
        let credentials = Credentials::new(login("old"));
        let (_, epoch) = credentials.current().expect("not suspended");
        assert!(credentials.record(epoch, &LoginOutcome::Refused("no".into())));
        assert!(!credentials.record(epoch, &LoginOutcome::Refused("no".into())), "told once");
        assert_eq!(credentials.current(), Err(Suspended::Refused));
        credentials.replace(login("new"));
        let (current, newer) = credentials.current().expect("not suspended");
        assert!(newer > epoch && current == login("new"));
        // A late answer about the old password says nothing about the new one.
        assert!(!credentials.record(epoch, &LoginOutcome::Refused("no".into())));
        assert!(credentials.current().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn bare_refusals_pause_and_then_suspend() {
        let credentials = Credentials::new(login("x"));
        let bare = LoginOutcome::BareRefusal("Login failed".into());
        for pause in [30, 60] {
            let (_, epoch) = credentials.current().expect("may try");
            assert!(!credentials.record(epoch, &bare));
            assert_eq!(credentials.current(), Err(Suspended::Pause));
            tokio::time::advance(Duration::from_secs(pause)).await;
        }
        let (_, epoch) = credentials.current().expect("may try");
        assert!(credentials.record(epoch, &bare));
        assert_eq!(credentials.current(), Err(Suspended::Refused));
    }
}
