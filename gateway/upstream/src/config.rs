//! Settings of the upstream side: where the server is, how to speak to it, how patient to be.

use crate::mechanisms::LastMechanisms;
use pimap_types::Credential;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// TLS from the first octet.
    Tls,
    /// STARTTLS before anything is said.
    StartTls,
    /// Cleartext; for a server on the same host or a private network.
    None,
}

/// Settings, the same for all accounts of one upstream server.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// Host name or address; the certificate must name it.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub security: Security,
    /// TLS settings, see [`tls_client_config`]; needed unless `security` is [`Security::None`].
    pub tls: Option<Arc<ClientConfig>>,
    /// Upstream connections one account may hold, the watching one included. With 1 there is no watching connection and
    /// everything is polled.
    pub connections_per_account_max: usize,
    /// Those of them that may watch a mailbox while no command needs them, where the watching one hears of one mailbox only (F48); in
    /// any case so few that one is left for commands.
    pub spare_watchers_max: usize,
    /// How often mailboxes are polled by STATUS where the server cannot tell by itself.
    pub poll_interval: Duration,
    /// How often every watched mailbox is looked at, whatever the watching connection says (F49).
    pub audit_interval: Duration,
    /// How long connecting, TLS and the greeting may take together, and again logging in.
    pub connect_timeout: Duration,
    /// How long the server may be silent within a command.
    pub response_timeout: Duration,
    /// How long a pool connection is kept without work.
    pub idle_timeout: Duration,
    /// How long an IDLE lasts before it is issued anew (RFC 2177: below 29 minutes).
    pub idle_renewal: Duration,
    /// Whether the server is told whose login a handset's is (`x-originating-ip` and its like in ID): Dovecot believes it of
    /// hosts that its operator trusts, and counts failures by it.
    pub send_client_id: bool,
    /// How the server lets users in, as its connections were told last.
    pub mechanisms: Arc<LastMechanisms>,
}

impl UpstreamConfig {
    /// Settings for a server with every other value at its default.
    pub fn new(host: impl Into<String>, port: u16, security: Security) -> Self {
        Self {
            host: host.into(),
            port,
            security,
            tls: None,
            connections_per_account_max: 3,
            spare_watchers_max: usize::MAX,
            poll_interval: Duration::from_secs(30),
            audit_interval: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(15),
            response_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(30),
            idle_renewal: Duration::from_secs(25 * 60),
            send_client_id: false,
            mechanisms: Arc::default(),
        }
    }
}

/// Where a login comes from, for the server's log and its defence against guessing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The handset's address.
    pub address: SocketAddr,
    /// A name for its connection, by which two logs are laid side by side. Never a session ID.
    pub connection: String,
}

/// What an account logs in with. In master mode the user is `user*master` and the password the master's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The login name as upstream knows it.
    pub user: String,
    /// The password or token.
    pub credential: Credential,
}

/// Why TLS cannot be set up.
#[derive(Debug)]
pub enum TlsConfigError {
    /// The CA file cannot be read or holds no certificate.
    CaFile(String),
    /// The TLS library refuses the settings.
    Tls(rustls::Error),
}

impl std::fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TlsConfigError::CaFile(reason) => write!(f, "CA file: {reason}"),
            TlsConfigError::Tls(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl std::error::Error for TlsConfigError {}

/// TLS settings that trust the authorities of `ca_file` alone, or without it those that browsers trust.
pub fn tls_client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsConfigError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let reason =
                |what: &dyn std::fmt::Display| TlsConfigError::CaFile(format!("{}: {what}", path.display()));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| reason(&e))? {
                roots.add(certificate.map_err(|e| reason(&e))?).map_err(TlsConfigError::Tls)?;
            }
            if roots.is_empty() {
                return Err(reason(&"no certificate in it"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(TlsConfigError::Tls)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
