//! What a conversation is told of its connection by whoever accepted it.

use crate::web::continuation::Token;
use pimap_account::contract::{RequestKey, Transport, TransportKind};
use pimap_types::command::Cursor;
use std::net::SocketAddr;

/// What is known of a connection before its first octet.
#[derive(Clone, Debug)]
pub struct Manner {
    /// What carries it.
    pub transport: Transport,
    /// Whether a password may be sent over it.
    pub may_login: bool,
    /// Whether STARTTLS is on offer.
    pub starttls: bool,
    /// Who calls; a proxy, where there is one.
    pub peer: Option<SocketAddr>,
    /// Whether to greet: TCP, before TLS was started within it.
    pub greet: bool,
    /// SHA-256 of the session cookie that came with the request.
    pub cookie: Option<[u8; 32]>,
    /// The cursor in `PIMAP-Ack`.
    pub presented: Option<Cursor>,
    /// Whether there was a `PIMAP-Ack`.
    pub cursors: bool,
    /// The request's name; apart, since few connections have one (D16).
    pub request: Option<Box<RequestKey>>,
    /// What a command that is cut by the body's end is to be continued by.
    pub continuation: Option<Token>,
}

impl Manner {
    /// TCP, beyond its greeting and its login.
    pub fn of_tcp(may_login: bool) -> Self {
        Self {
            transport: Transport { kind: TransportKind::Tcp, may_show_key: may_login },
            may_login,
            starttls: false,
            peer: None,
            greet: false,
            cookie: None,
            presented: None,
            cursors: false,
            request: None,
            continuation: None,
        }
    }

    pub(super) fn is_http(&self) -> bool {
        self.transport.kind != TransportKind::Tcp
    }
}
