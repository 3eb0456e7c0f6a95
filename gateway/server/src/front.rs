//! What all listeners share: where accounts are, who judges passwords, and what is said before LOGIN.

use crate::auth::Authenticator;
use crate::directory::Directory;
use pimap_account::capability;
use pimap_account::contract::TransportKind;
use pimap_types::{Code, ConnectionId, Response, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
}

/// See the module.
pub struct Front {
    /// The accounts.
    pub directory: Arc<Directory>,
    /// The judge of passwords.
    pub authenticator: Authenticator,
    /// Settings.
    pub settings: Settings,
    connections: AtomicU64,
}

impl Front {
    /// Puts the parts together.
    pub fn new(directory: Arc<Directory>, authenticator: Authenticator, settings: Settings) -> Self {
        Self { directory, authenticator, settings, connections: AtomicU64::new(1) }
    }

    /// A name for a connection.
    pub fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// CAPABILITY before LOGIN.
    pub fn capability(&self, kind: TransportKind, may_login: bool, starttls: bool) -> Arc<str> {
        let mut words = capability::before_login(kind);
        if starttls {
            words.push_str(" STARTTLS");
        }
        if !may_login {
            words.push_str(" LOGINDISABLED");
        }
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
