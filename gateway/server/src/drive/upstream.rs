//! What the drivers ask of the upstream side. The real one is behind it in `app`; driver tests bring their own.

use super::credentials::Credentials;
use futures_util::future::BoxFuture;
use pimap_types::append::AppendPiece;
use pimap_types::upstream::{FetchPiece, UpstreamEvent, UpstreamReply, UpstreamRequest, WatchList};
use pimap_types::{AccountKey, Credential, Secret};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Opens the upstream side of accounts.
pub trait Upstreams: Send + Sync + 'static {
    /// The upstream side of one account: its pool and its watcher. Nothing connects before there are a login and a need.
    /// It ends when it is dropped.
    fn open(&self, account: &AccountKey, events: mpsc::Sender<UpstreamEvent>) -> Arc<dyn AccountUpstream>;
}

/// The upstream side of one account.
pub trait AccountUpstream: Send + Sync {
    /// The login to use from now on. A refusal of an earlier one is forgotten (F50).
    fn set_login(&self, login: Login);
    /// What to watch from now on.
    fn watch(&self, list: WatchList);
    /// Executes one request. Dropping the future calls it off.
    fn run(&self, request: UpstreamRequest, carry: Carried) -> BoxFuture<'static, UpstreamReply>;
    /// Connections open now: watching, and for commands.
    fn connections(&self) -> (usize, usize);
}

/// How the gateway logs in for an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The name.
    pub name: String,
    /// The password or token.
    pub credential: Credential,
}

/// The body that a request carries.
#[derive(Debug)]
pub enum Carried {
    /// None.
    Nothing,
    /// Pieces of a FETCH go out here; a closed channel means that the handset is gone.
    Fetch(mpsc::Sender<FetchPiece>),
    /// The message of an APPEND comes in here; closed before all octets came: the handset is gone.
    Append(mpsc::Receiver<AppendPiece>),
}

/// How accounts log in upstream (design D7).
#[derive(Clone, Debug)]
pub enum LoginMode {
    /// With their own password.
    Passthrough,
    /// As the master user.
    Master {
        /// What follows the user's name: separator and master user.
        suffix: String,
        /// The master user's password.
        password: Secret,
    },
}

impl LoginMode {
    /// Whether the account's own password need not be kept.
    pub fn is_master(&self) -> bool {
        matches!(self, LoginMode::Master { .. })
    }

    /// The login of an account, if it is known.
    pub fn login(&self, account: &AccountKey, own: Option<&Credential>) -> Option<Login> {
        match self {
            LoginMode::Passthrough => {
                own.map(|own| Login { name: account.as_str().to_owned(), credential: own.clone() })
            }
            LoginMode::Master { suffix, password } => {
                let credential = Credential::Password(password.clone());
                Some(Login { name: format!("{}{suffix}", account.as_str()), credential })
            }
        }
    }

    /// The login after a handset's own was accepted.
    pub fn login_of(&self, accepted: &Credentials) -> Option<Login> {
        self.login(&accepted.account, Some(&accepted.credential))
    }
}
