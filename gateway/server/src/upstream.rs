//! The upstream room, as the drivers ask for it.

use crate::auth::{Mechanisms, Origin, Verdict, Verifier};
use crate::config;
use crate::drive::upstream::{AccountUpstream, Carried, Login, Upstreams};
use futures_util::future::BoxFuture;
use pimap_types::upstream::{UpstreamEvent, UpstreamFault, UpstreamReply, UpstreamRequest, WatchList};
use pimap_types::{AccountKey, Credential};
use pimap_upstream::{BodyStream, TlsConfigError, UpstreamConfig, VerifyError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two attempts to ask a server that is down.
const PROBE_PAUSE_MIN: Duration = Duration::from_secs(1);
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(60);

/// The upstream server, for all accounts.
#[derive(Clone)]
pub struct Server {
    settings: Arc<UpstreamConfig>,
}

impl Server {
    /// Reads what the configuration names.
    pub fn new(upstream: &config::Upstream) -> Result<Self, TlsConfigError> {
        let security = match upstream.security {
            config::Security::Tls => pimap_upstream::Security::Tls,
            config::Security::StartTls => pimap_upstream::Security::StartTls,
            config::Security::Cleartext => pimap_upstream::Security::None,
        };
        let mut settings = UpstreamConfig::new(upstream.host.clone(), upstream.port, security);
        settings.connections_per_account_max = upstream.connections_per_account_max;
        settings.spare_watchers_max = upstream.spare_watchers_max.unwrap_or(usize::MAX);
        settings.send_client_id = upstream.send_client_id;
        settings.poll_interval = upstream.poll_interval;
        settings.audit_interval = upstream.audit_interval;
        if security != pimap_upstream::Security::None {
            settings.tls = Some(pimap_upstream::tls_client_config(upstream.ca_file.as_deref())?);
        }
        Ok(Self { settings: Arc::new(settings) })
    }
}

impl Verifier for Server {
    fn verify(
        &self,
        login: &str,
        credential: &Credential,
        origin: Option<Origin>,
    ) -> BoxFuture<'static, Verdict> {
        let settings = Arc::clone(&self.settings);
        let login = pimap_upstream::Login { user: login.to_owned(), credential: credential.clone() };
        Box::pin(async move {
            match pimap_upstream::verify(&settings, &login, origin.as_ref()).await {
                Ok(announced) => Verdict::Accepted(announced),
                Err(VerifyError::Refused(text)) => {
                    tracing::info!(user = login.user, text, "upstream refuses a login");
                    Verdict::Refused
                }
                Err(VerifyError::Unavailable(text)) => {
                    tracing::warn!(text, "upstream cannot be asked");
                    Verdict::Unavailable
                }
            }
        })
    }

    fn mechanisms(&self) -> Mechanisms {
        self.settings.mechanisms.get().unwrap_or_default()
    }
}

impl Server {
    /// Learns how the server lets users in, once it can be asked. Every connection brings that up to date later.
    pub async fn probe(&self) {
        let mut pause = PROBE_PAUSE_MIN;
        while !pimap_upstream::probe(&self.settings).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PROBE_PAUSE_MAX);
        }
    }
}

impl Upstreams for Server {
    fn open(&self, _account: &AccountKey, events: mpsc::Sender<UpstreamEvent>) -> Arc<dyn AccountUpstream> {
        let state = Mutex::new(State { started: None, list: WatchList::default() });
        Arc::new(Side { settings: Arc::clone(&self.settings), events, state })
    }
}

/// The upstream side of one account. It begins with the first login: before that there is nobody to be there.
struct Side {
    settings: Arc<UpstreamConfig>,
    events: mpsc::Sender<UpstreamEvent>,
    // Never held across an await; the account's task is the only one to change it.
    state: Mutex<State>,
}

struct State {
    started: Option<pimap_upstream::AccountUpstream>,
    list: WatchList,
}

impl Side {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AccountUpstream for Side {
    fn set_login(&self, login: Login) {
        let login = pimap_upstream::Login { user: login.name, credential: login.credential };
        let mut state = self.state();
        match &state.started {
            Some(upstream) => upstream.set_login(login),
            None => {
                let settings = Arc::clone(&self.settings);
                let upstream = pimap_upstream::AccountUpstream::start(settings, login, self.events.clone());
                upstream.watch(state.list.clone());
                state.started = Some(upstream);
            }
        }
    }

    fn watch(&self, list: WatchList) {
        let mut state = self.state();
        if let Some(upstream) = &state.started {
            upstream.watch(list.clone());
        }
        state.list = list;
    }

    fn run(&self, request: UpstreamRequest, carried: Carried) -> BoxFuture<'static, UpstreamReply> {
        let Some(upstream) = self.state().started.clone() else {
            // No password is kept: a handset must bring one first.
            return Box::pin(async { UpstreamReply::Failed(UpstreamFault::CredentialsRefused) });
        };
        let stream = match carried {
            Carried::Nothing => BodyStream::None,
            Carried::Fetch(to) => BodyStream::Fetch(to),
            Carried::Append(from) => BodyStream::Append(from),
        };
        Box::pin(async move { upstream.run(request, stream).await })
    }

    fn connections(&self) -> (usize, usize) {
        self.state().started.as_ref().map_or((0, 0), pimap_upstream::AccountUpstream::connection_counts)
    }
}
