//! The ways from a mail client to one Dovecot that are compared: straight, through each peer, through the gateway. A peer
//! reaches Dovecot as the gateway does, without TLS.

use std::net::SocketAddr;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway};

use crate::client::{Client, Trust};
use crate::peers::{Peer, Security};

/// The peers of every [`Ways`], by the names that rows give them.
pub const PEERS: [&str; 3] = ["HAProxy TCP", "nginx mail proxy", "Dovecot proxy"];

/// Everything that stands in a way.
pub struct Ways {
    gateway: Gateway,
    peers: [Peer; PEERS.len()],
    security: Security,
    direct: (SocketAddr, Trust),
}

impl Ways {
    /// Starts them all before that server.
    pub fn before(dovecot: &Dovecot, security: Security) -> Ways {
        let config = Config::before(dovecot);
        let (gateway, direct) = match security {
            Security::Plain => (Gateway::start(config), (dovecot.imap(), None)),
            Security::Tls => {
                let gateway = Gateway::start_tls(config.with("listen.imaps", "127.0.0.1:0"));
                (gateway, (dovecot.imaps(), Some(dovecot.certificate().client())))
            }
        };
        let server = dovecot.imap();
        let peers =
            [Peer::haproxy, Peer::nginx_mail, Peer::dovecot_proxy].map(|start| start(server, security));
        Ways { gateway, peers, security, direct }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Logs in through the gateway.
    pub fn ours(&self, user: &str) -> Client {
        let listener = if self.security == Security::Tls { "imaps" } else { "imap" };
        Client::login_over(self.gateway.address(listener), &self.gateway.site().tls, user)
    }

    /// Logs in at Dovecot.
    pub fn direct(&self, user: &str) -> Client {
        Client::login_over(self.direct.0, &self.direct.1, user)
    }

    /// Logs in through each peer.
    pub fn theirs(&self, user: &str) -> [Client; PEERS.len()] {
        self.peers.each_ref().map(|peer| Client::login_over(peer.address(), &peer.trust(), user))
    }

    /// The first process of the gateway and of each peer.
    pub fn processes(&mut self) -> (u32, [u32; PEERS.len()]) {
        (self.gateway.process_id(), self.peers.each_mut().map(Peer::process_id))
    }
}
