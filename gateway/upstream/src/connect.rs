//! From nothing to a logged-in [`Connection`]: TCP, TLS, greeting, STARTTLS, login through async-imap, ENABLE.
//!
//! A PREAUTH greeting is refused: nobody would have checked the password. Tokens go as they came (design D7). After STARTTLS nothing that was read before may be left
//! over: it could have been put there by anyone on the way.

mod login;

use self::login::{authenticate, condition_of};
use crate::config::{Login, Origin, Security, UpstreamConfig};
use crate::connection::Connection;
use crate::credentials::LoginOutcome;
use crate::fault::Fault;
use crate::io::Io;
use crate::loan::{Heard, Loan};
use crate::machine::collect::Collected;
use async_imap::Client;
use pimap_types::response::Status;
use pimap_types::upstream::Announced;
use pimap_wire::client::capability::Capabilities;
use pimap_wire::client::code::Code;
use pimap_wire::client::frame::ResponseFramer;
use pimap_wire::client::request::Request;
use pimap_wire::client::response::{Condition, UpstreamResponse};
use tokio::time::timeout;

/// What the gateway says of itself in ID (RFC 2971).
const OURSELVES: [(&str, &str); 2] = [("name", "P-IMAP gateway"), ("version", env!("CARGO_PKG_VERSION"))];

/// Why a password or token was not found good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VerifyError {
    /// Upstream refused it: its text.
    Refused(String),
    /// Upstream could not be asked, or said to come back later: why.
    Unavailable(String),
}

/// Asks upstream whether a login is good: exactly one LOGIN, thrown away (F42).
///
/// What it announces to somebody who is in comes back.
pub async fn verify(
    config: &UpstreamConfig,
    login: &Login,
    origin: Option<&Origin>,
) -> Result<Announced, VerifyError> {
    let unavailable = |_| VerifyError::Unavailable("mail server not reachable".into());
    let mut greeted = greeted(config).await.map_err(unavailable)?;
    if let (true, true, Some(origin)) = (config.send_client_id, greeted.capabilities.id, origin) {
        greeted = introduce(greeted, config, origin).await.map_err(unavailable)?;
    }
    let entered = async {
        let (mut connection, heard) = enter(greeted, config, login).await?;
        in_time(config, learn(&mut connection, &heard)).await?;
        Ok(connection)
    };
    match entered.await {
        Ok(connection) => {
            let announced = connection.announced.clone();
            connection.log_out().await;
            Ok(announced)
        }
        Err(LoginOutcome::Refused(text) | LoginOutcome::BareRefusal(text)) => Err(VerifyError::Refused(text)),
        Err(LoginOutcome::Unavailable(text)) => Err(VerifyError::Unavailable(text)),
        Err(LoginOutcome::Accepted) => Ok(Announced::default()),
    }
}

/// Asks how the server lets users in, without letting anybody in; whether it could be asked.
pub async fn probe(config: &UpstreamConfig) -> bool {
    let Ok(Greeted { io, framer, .. }) = greeted(config).await else { return false };
    Connection::new(io, framer, config.connect_timeout).log_out().await;
    true
}

/// A connection on which nothing but the login is missing.
pub(crate) struct Greeted {
    io: Io,
    framer: ResponseFramer,
    capabilities: Capabilities,
}

/// Connects up to where the login comes next, within the configured time.
pub(crate) async fn greeted(config: &UpstreamConfig) -> Result<Greeted, Fault> {
    timeout(config.connect_timeout, greet(config)).await.map_err(|_| Fault::Lost)?
}

async fn greet(config: &UpstreamConfig) -> Result<Greeted, Fault> {
    let mut io = Io::open(config).await?;
    if config.security == Security::Tls {
        io = io.secure(config).await?;
    }
    let mut connection = Connection::new(io, ResponseFramer::new(), config.connect_timeout);
    let UpstreamResponse::Untagged(Condition { status: Status::Ok, code, .. }) =
        connection.response().await?
    else {
        return Err(Fault::Misbehaved);
    };
    let mut capabilities = match code {
        Some(Code::Capability(words)) => Some(Capabilities::from_words(&words)),
        _ => None,
    };
    if config.security == Security::StartTls {
        let condition = connection.run(&Request::StartTls, &mut Collected::default()).await?;
        if condition.status != Status::Ok {
            tracing::warn!(host = %config.host, text = %condition.text, "upstream refuses STARTTLS");
            return Err(Fault::Lost);
        }
        if !connection.nothing_buffered() {
            return Err(Fault::Misbehaved);
        }
        let (io, _) = connection.into_parts();
        connection = Connection::new(io.secure(config).await?, ResponseFramer::new(), config.connect_timeout);
        // What was announced before TLS was anybody's to write (RFC 3501 6.2.1).
        capabilities = None;
    }
    let capabilities = match capabilities {
        Some(capabilities) => capabilities,
        None => Capabilities::from_words(&ask_capabilities(&mut connection).await?),
    };
    config.mechanisms.note(&capabilities);
    let (io, framer) = connection.into_parts();
    Ok(Greeted { io, framer, capabilities })
}

/// Says before the login whose it is. What the server answers is of no interest, NO included.
async fn introduce(greeted: Greeted, config: &UpstreamConfig, origin: &Origin) -> Result<Greeted, Fault> {
    let Greeted { io, framer, capabilities } = greeted;
    let mut connection = Connection::new(io, framer, config.connect_timeout);
    let (address, port) = (origin.address.ip().to_canonical().to_string(), origin.address.port().to_string());
    let [name, version] = OURSELVES;
    let fields = [
        name,
        version,
        ("x-originating-ip", address.as_str()),
        ("x-originating-port", port.as_str()),
        ("x-session-id", origin.connection.as_str()),
    ];
    let (request, mut collected) = (Request::Id(&fields), Collected::default());
    let said = connection.run(&request, &mut collected);
    timeout(config.connect_timeout, said).await.map_err(|_| Fault::Lost)??;
    let (io, framer) = connection.into_parts();
    Ok(Greeted { io, framer, capabilities })
}

async fn ask_capabilities(connection: &mut Connection) -> Result<Vec<String>, Fault> {
    let mut collected = Collected::default();
    connection.run(&Request::Capability, &mut collected).await?;
    collected.capability.ok_or(Fault::Misbehaved)
}

/// Logs in and switches on what upstream has; one attempt.
pub(crate) async fn log_in(
    greeted: Greeted,
    config: &UpstreamConfig,
    login: &Login,
) -> Result<Connection, LoginOutcome> {
    let (mut connection, heard) = enter(greeted, config, login).await?;
    let prepared = async {
        learn(&mut connection, &heard).await?;
        prepare(&mut connection).await
    };
    in_time(config, prepared).await?;
    Ok(connection)
}

async fn in_time(
    config: &UpstreamConfig,
    work: impl Future<Output = Result<(), Fault>>,
) -> Result<(), LoginOutcome> {
    let lost = |_| LoginOutcome::Unavailable("mail server went away".into());
    timeout(config.connect_timeout, work).await.map_err(late)?.map_err(lost)
}

fn late(_: tokio::time::error::Elapsed) -> LoginOutcome {
    LoginOutcome::Unavailable("mail server does not answer".into())
}

/// Logs in, and no more.
async fn enter(
    greeted: Greeted,
    config: &UpstreamConfig,
    login: &Login,
) -> Result<(Connection, Heard), LoginOutcome> {
    let Greeted { io, framer, capabilities } = greeted;
    let lent = Client::new(Loan::new(io, framer));
    let authenticated = authenticate(lent, capabilities, config, login);
    let (io, framer, heard) = timeout(config.connect_timeout, authenticated).await.map_err(late)??;
    Ok((Connection::new(io, framer, config.response_timeout), heard))
}

/// Learns what the server can do for somebody who is in.
async fn learn(connection: &mut Connection, heard: &Heard) -> Result<(), Fault> {
    let tagged = heard.tagged.as_deref().and_then(condition_of).and_then(|c| c.code);
    let words = match tagged {
        Some(Code::Capability(words)) => words,
        _ => ask_capabilities(connection).await?,
    };
    connection.capabilities = Capabilities::from_words(&words);
    connection.announced = Announced::new(&words);
    Ok(())
}

/// Says who asks, and switches QRESYNC and CONDSTORE on (design D12: before any SELECT).
async fn prepare(connection: &mut Connection) -> Result<(), Fault> {
    let can = connection.capabilities;
    if can.id {
        // Some servers open no mailbox for a client without a name. What they answer is of no interest.
        connection.run(&Request::Id(&OURSELVES), &mut Collected::default()).await?;
    }
    if can.enable && can.condstore {
        let mut collected = Collected::default();
        let condition = connection.run(&Request::Enable { qresync: can.qresync }, &mut collected).await?;
        let enabled =
            |word: &str| condition.status == Status::Ok && collected.enabled.iter().any(|w| w == word);
        connection.qresync = enabled("QRESYNC");
        connection.condstore = connection.qresync || enabled("CONDSTORE");
    }
    Ok(())
}
