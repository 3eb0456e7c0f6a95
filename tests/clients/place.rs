//! Where a client stands: before which server, as whom, and with which kind of connection.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::imap::Imap;
use pimap_tests::wait::Scratch;

/// How a client reaches the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Plain TCP.
    Cleartext,
    /// The plain port, turned into TLS before LOGIN.
    StartTls,
    /// The port that speaks TLS from the first octet.
    Implicit,
}

/// Who logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// The user at the real server.
    pub user: &'static str,
    /// What the client says.
    pub name: &'static str,
}

/// A regular session, and that of a device; of two accounts, so that both find a fresh mailbox.
const LOGINS: [Login; 2] = [Login { user: "ann", name: "ann" }, Login { user: "joe", name: "joe#P1" }];

/// A client's place, with a directory of its own.
pub struct Place<'a> {
    pub gateway: &'a Gateway,
    pub dovecot: &'a Dovecot,
    pub login: Login,
    pub scratch: Scratch,
}

impl Place<'_> {
    /// The port that serves clients of this kind.
    pub fn port(&self, security: Security) -> u16 {
        let listener = if security == Security::Implicit { "imaps" } else { "imap" };
        self.gateway.address(listener).port()
    }

    /// The file with the certificate that the gateway shows.
    pub fn authority(&self) -> PathBuf {
        self.gateway.directory().join("cert.pem")
    }

    /// Delivers a mail to its INBOX.
    pub fn deliver(&self, subject: &str) {
        self.dovecot.deliver(self.login.user, &mail(subject));
    }

    /// A connection to the server past the gateway.
    pub fn server(&self) -> Imap {
        self.dovecot.login(self.login.user)
    }

    /// A file of its own; several clients refuse a configuration with a password that others may read.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.scratch.join(name);
        std::fs::write(&path, content).expect("a file for the client");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("permissions");
        path
    }
}

/// Runs a scene in every place: each kind of server, each kind of login.
pub fn everywhere(scene: impl Fn(&Place<'_>)) {
    for start in [Dovecot::start, Dovecot::poor] {
        let dovecot = start();
        let gateway = Gateway::start_tls(Config::before(&dovecot).with("listen.imaps", "127.0.0.1:0"));
        for login in LOGINS {
            scene(&Place { gateway: &gateway, dovecot: &dovecot, login, scratch: Scratch::new("client") });
        }
    }
}

/// A mail whose text names its subject, so that two of them are never mistaken for each other.
pub fn mail(subject: &str) -> Vec<u8> {
    pimap_tests::dovecot::mail("friend@example.org", subject, &format!("The text of {subject}."))
}
