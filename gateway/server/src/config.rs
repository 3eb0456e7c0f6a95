//! The configuration: plain structs, parsed once, wholly checked before anything starts.
//!
//! Goes in: a TOML file and `PIMAP_SECTION__KEY` variables (which win). Comes out: a [`Config`], or **all** mistakes at
//! once, each with the name of its key. Strings are parsed nowhere else. Files named in the configuration are not opened
//! here: a configuration may be checked on another machine than the one it is for.

pub mod explain;
pub mod read;
mod section;
#[cfg(test)]
mod tests;
mod value;

use pimap_account::contract::SidTags;
use pimap_types::Secret;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[tls]`
    pub tls: Option<Tls>,
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[session]`
    pub session: Session,
    /// `[store]`
    pub store: Store,
    /// `[channels.udp]`
    pub udp: Option<Udp>,
    /// `[log]`
    pub log: Log,
}

/// Where the gateway listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// P-IMAP over HTTP; HTTPS when `[tls]` is set.
    pub http: Option<SocketAddr>,
    /// P-IMAP and IMAP over TCP.
    pub imap: Option<SocketAddr>,
    /// The same over implicit TLS.
    pub imaps: Option<SocketAddr>,
    /// Health and metrics.
    pub admin: Option<SocketAddr>,
    /// Whether LOGIN and keys may cross the network without TLS.
    pub allow_cleartext: bool,
}

/// Our certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    /// PEM file of the chain.
    pub certificate: PathBuf,
    /// PEM file of the key.
    pub key: PathBuf,
}

/// The mail server behind the gateway.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// PEM file of certificates to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// Command connections per account.
    pub connections_per_account_max: usize,
    /// Those of them that may watch while no command needs them; nothing said: all but one (F48).
    pub spare_watchers_max: Option<usize>,
    /// How the gateway proves itself.
    pub auth: Auth,
    /// How a login name is made.
    pub login: LoginTemplate,
    /// Whether login names are folded to lower case (F51).
    pub fold_case: bool,
    /// How long an accepted password is accepted again without asking; zero asks always (F50).
    pub accept_cache: Duration,
    /// Whether upstream is told where a login comes from (ID with `x-originating-ip` and its like).
    pub send_client_id: bool,
    /// How often a mailbox is looked at that the server does not tell about by itself (F48).
    pub poll_interval: Duration,
    /// How often every watched mailbox is looked at, whatever the server tells (F49).
    pub audit_interval: Duration,
}

/// How the upstream connection is secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// TLS from the first octet.
    Tls,
    /// STARTTLS before LOGIN.
    StartTls,
    /// None.
    Cleartext,
}

/// How the gateway logs in upstream.
#[derive(Clone, Debug)]
pub enum Auth {
    /// With the handset's own name and password.
    Passthrough,
    /// With a master user's; the handset's own password is verified all the same (F42).
    Master {
        /// The master user.
        user: String,
        /// Where its password is, in a file of its own.
        password: MasterPassword,
        /// What stands between the user's name and the master user's.
        separator: char,
    },
}

/// The file that holds the master user's password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MasterPassword(pub PathBuf);

impl MasterPassword {
    /// Reads the file; a line end at its end is not part of the password.
    pub fn read(&self) -> std::io::Result<Secret> {
        let mut octets = std::fs::read(&self.0)?;
        while octets.last().is_some_and(|octet| matches!(octet, b'\r' | b'\n')) {
            octets.pop();
        }
        Ok(Secret::new(octets))
    }
}

/// The upstream login name: `{local}` or `{local}@{domain}`, or anything made of the two and fixed text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginTemplate(pub(crate) String);

impl LoginTemplate {
    /// Whether the template needs the domain.
    pub fn wants_domain(&self) -> bool {
        self.0.contains("{domain}")
    }

    /// The login name of a user.
    pub fn apply(&self, local: &str, domain: &str) -> String {
        // Cut at the placeholders first: a user called `{domain}` is only a user with an odd name.
        self.0
            .split("{local}")
            .map(|part| part.split("{domain}").collect::<Vec<_>>().join(domain))
            .collect::<Vec<_>>()
            .join(local)
    }
}

/// Sessions.
#[derive(Clone, Debug)]
pub struct Session {
    /// The domain of login names written without one.
    pub default_domain: Option<String>,
    /// How long a session without a connection lives.
    pub retention: Duration,
    /// How long cookies and SESSIONIDs hold after the last LOGIN; none: as long as the session.
    pub login_valid: Option<Duration>,
    /// How long a connection without commands lives.
    pub idle_timeout: Duration,
    /// Marks kept per session and mailbox; past it: RESYNC.
    pub log_events_max: usize,
    /// The accounts' time zone, minutes east of UTC.
    pub zone_minutes: i32,
    /// Whether DELETE may remove a mailbox that holds mail hidden from the device (F19).
    pub delete_hidden: bool,
    /// Where a SESSIONID before a tag takes a session up.
    pub sid_tags: SidTags,
}

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub struct Store {
    /// Which backend.
    pub kind: StoreKind,
    /// The file that seals credentials and keys; made on first start.
    pub seal_key_file: Option<PathBuf>,
}

/// A store backend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreKind {
    /// Forgets everything at exit.
    Memory,
    /// A database in this directory.
    Embedded(PathBuf),
}

/// The UDP channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Udp {
    /// Where HELLO comes in and notices go out.
    pub listen: SocketAddr,
    /// The host told to handsets.
    pub advertise_host: String,
    /// The port told to handsets; the one listened on when absent.
    pub advertise_port: Option<u16>,
}

/// The log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// Its form.
    pub format: LogFormat,
    /// Its level.
    pub level: LogLevel,
}

/// Form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// Lines for people.
    Plain,
    /// A JSON object per line.
    Json,
}

/// Level of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    /// Faults of ours.
    Error,
    /// And faults of others that cost somebody something.
    Warn,
    /// And what an operator wants to see.
    Info,
    /// And what a developer wants to see.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// One mistake, with the key it concerns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// `upstream.host`, followed by the variable's name when the value came from there.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}
