//! What all listeners share: where accounts are, who judges passwords, and what is said before LOGIN.

use crate::auth::{Admission, Authenticator, Origin, Refusal};
use crate::directory::Directory;
use crate::drive::credentials::Credentials;
use crate::drive::lot::Lot;
use crate::web::continuation::Continuations;
use pimap_account::capability;
use pimap_account::contract::{SidTags, TransportKind};
use pimap_types::command::Login;
use pimap_types::{Code, ConnectionId, Response, Status};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The session cookie's name (digest 16.4).
pub const COOKIE: &str = "PIMAPSESSION";

/// Settings of all conversations.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a connection without commands lives.
    pub idle_timeout: Duration,
    /// Whether passwords and keys may cross without TLS.
    pub allow_cleartext: bool,
    /// Where a SESSIONID before a tag takes a session up.
    pub sid_tags: SidTags,
}

/// See the module.
pub struct Front {
    /// The accounts.
    pub directory: Arc<Directory>,
    /// The judge of passwords.
    pub authenticator: Authenticator,
    /// Settings.
    pub settings: Settings,
    /// Commands that ended with a request's body.
    pub continuations: Continuations,
    /// Where connections rest; nothing: they stay up.
    pub lot: OnceLock<Arc<Lot>>,
    connections: AtomicU64,
    /// What tells this process's connections from those of others in logs.
    life: u32,
}

impl Front {
    /// Puts the parts together.
    pub fn new(directory: Arc<Directory>, authenticator: Authenticator, settings: Settings) -> Self {
        let (continuations, connections) = (Continuations::default(), AtomicU64::new(1));
        let (lot, life) = (OnceLock::new(), rand::random());
        Self { directory, authenticator, settings, continuations, lot, connections, life }
    }

    /// Has upstream judge a login. A refusal is told to the account too, since it may be the password that let others in before.
    pub async fn admit(&self, login: Login, origin: Option<Origin>) -> Result<Admission, Refusal> {
        let verdict = self.authenticator.admit(&login, origin).await;
        if verdict == Err(Refusal::Credential)
            && let Some(account) = self.authenticator.account_of(&login)
        {
            self.directory.refused(Credentials { account, credential: login.credential });
        }
        verdict
    }

    /// A name for a connection.
    pub fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Whose login upstream is told that it is.
    pub fn origin(&self, address: SocketAddr, conn: ConnectionId) -> Origin {
        Origin { address, connection: format!("{:08x}-{:x}", self.life, conn.0) }
    }

    /// CAPABILITY before LOGIN. What cannot be done on this connection is not offered: nothing secret without TLS, no
    /// mechanism that the mail server lacks (D7), and none that asks questions where none can be answered.
    pub fn capability(&self, kind: TransportKind, may_login: bool, starttls: bool) -> Arc<str> {
        let accepted = self.authenticator.mechanisms();
        let mut words = capability::before_login(kind);
        words.push_str(" SASL-IR");
        let offers = [
            (may_login && accepted.passwords, " AUTH=PLAIN"),
            (may_login && accepted.passwords && kind != TransportKind::HttpBatch, " AUTH=LOGIN"),
            (may_login && accepted.tokens, " AUTH=OAUTHBEARER AUTH=XOAUTH2"),
            (starttls, " STARTTLS"),
            (!may_login || !accepted.passwords, " LOGINDISABLED"),
        ];
        offers.iter().filter(|(holds, _)| *holds).for_each(|(_, offer)| words.push_str(offer));
        words.into()
    }

    /// The first line of a TCP connection.
    pub fn greeting(&self, may_login: bool, starttls: bool) -> Response {
        Response::Untagged {
            status: Status::Ok,
            code: Some(Code::Capability(self.capability(TransportKind::Tcp, may_login, starttls))),
            text: "P-IMAP gateway ready".into(),
        }
    }
}
