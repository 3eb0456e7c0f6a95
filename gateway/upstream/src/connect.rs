//! From nothing to a logged-in [`Connection`]: TCP, TLS, greeting, STARTTLS, login through async-imap, ENABLE.
//!
//! A PREAUTH greeting is refused: nobody would have checked the password. After STARTTLS nothing that was read before may be left
//! over: it could have been put there by anyone on the way.

use crate::config::{Login, Security, UpstreamConfig};
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

/// Why a password was not found good.
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
pub async fn verify(config: &UpstreamConfig, login: &Login) -> Result<Announced, VerifyError> {
    let unavailable = |_| VerifyError::Unavailable("mail server not reachable".into());
    let greeted = greeted(config).await.map_err(unavailable)?;
    match log_in(greeted, config, login).await {
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
    let late = |_| LoginOutcome::Unavailable("mail server does not answer".into());
    let Greeted { io, framer, capabilities } = greeted;
    let lent = Client::new(Loan::new(io, framer));
    let authenticated = authenticate(lent, capabilities, login);
    let (io, framer, heard) = timeout(config.connect_timeout, authenticated).await.map_err(late)??;
    let mut connection = Connection::new(io, framer, config.response_timeout);
    let prepared = timeout(config.connect_timeout, prepare(&mut connection, &heard)).await;
    let lost = |_| LoginOutcome::Unavailable("mail server went away".into());
    prepared.map_err(late)?.map_err(lost)?;
    Ok(connection)
}

/// LOGIN, or AUTHENTICATE PLAIN where LOGIN cannot carry it or is disabled. The outcome is read from the server's own line, not
/// from async-imap's opinion of it.
async fn authenticate(
    client: Client<Loan>,
    capabilities: Capabilities,
    login: &Login,
) -> Result<(Io, ResponseFramer, Heard), LoginOutcome> {
    let Ok(password) = std::str::from_utf8(login.password.expose()) else {
        return Err(LoginOutcome::Refused("password is not UTF-8".into()));
    };
    // Quoted strings are 7-bit and hold no CR or LF (RFC 3501 9); SASL PLAIN carries all but NUL.
    let plain_text = |s: &str| s.bytes().all(|b| matches!(b, b' '..=b'~'));
    let by_login = !capabilities.login_disabled && plain_text(&login.user) && plain_text(password);
    if !by_login && !capabilities.auth_plain {
        return Err(match capabilities.login_disabled {
            true => LoginOutcome::Unavailable("mail server takes no passwords on this connection".into()),
            false => LoginOutcome::Refused("name or password cannot be sent".into()),
        });
    }
    if login.user.contains('\0') || password.contains('\0') {
        return Err(LoginOutcome::Refused("name or password cannot be sent".into()));
    }
    let ended = if by_login {
        client.login_with_capabilities(&login.user, password).await.map(|(session, _)| session)
    } else {
        let response = plain_response(&login.user, password);
        client.authenticate("PLAIN", Plain(response)).await
    };
    match ended {
        Ok(mut session) => {
            let taken = session.get_mut().take();
            taken.ok_or_else(|| LoginOutcome::Unavailable("mail server went away".into()))
        }
        Err((error, client)) => {
            // The error's text may hold the server's words; ours are read from the line itself.
            drop(error);
            Err(refusal(&client.get_ref().heard()))
        }
    }
}

/// RFC 4616: no authorisation identity, name, password.
fn plain_response(user: &str, password: &str) -> pimap_types::Secret {
    let mut octets = Vec::with_capacity(user.len() + password.len() + 2);
    octets.push(0);
    octets.extend_from_slice(user.as_bytes());
    octets.push(0);
    octets.extend_from_slice(password.as_bytes());
    pimap_types::Secret::new(octets)
}

struct Plain(pimap_types::Secret);

impl async_imap::Authenticator for Plain {
    type Response = Vec<u8>;
    fn process(&mut self, _challenge: &[u8]) -> Vec<u8> {
        self.0.expose().to_vec()
    }
}

/// Reads a line that was heard without its tag, as a status.
fn condition_of(line: &[u8]) -> Option<Condition> {
    match UpstreamResponse::parse(&[b"* ", line].concat()) {
        Ok(UpstreamResponse::Untagged(condition)) => Some(condition),
        _ => None,
    }
}

/// Which kind of no it was (RFC 5530 3; F50).
fn refusal(heard: &Heard) -> LoginOutcome {
    let gone = || LoginOutcome::Unavailable("mail server went away".into());
    let Some(condition) = heard.tagged.as_deref().and_then(condition_of) else { return gone() };
    let code = condition.code_text.as_deref().unwrap_or_default().to_ascii_uppercase();
    match code.split(' ').next().unwrap_or_default() {
        _ if condition.status == Status::Ok => gone(),
        "AUTHENTICATIONFAILED" | "AUTHORIZATIONFAILED" | "EXPIRED" | "PRIVACYREQUIRED" => {
            LoginOutcome::Refused(condition.text)
        }
        "UNAVAILABLE" | "LIMIT" | "INUSE" | "SERVERBUG" | "CONTACTADMIN" => {
            LoginOutcome::Unavailable(condition.text)
        }
        _ => LoginOutcome::BareRefusal(condition.text),
    }
}

/// Learns the capabilities after login and switches QRESYNC and CONDSTORE on (design D12: before any SELECT).
async fn prepare(connection: &mut Connection, heard: &Heard) -> Result<(), Fault> {
    let tagged = heard.tagged.as_deref().and_then(condition_of).and_then(|c| c.code);
    let words = match tagged {
        Some(Code::Capability(words)) => words,
        _ => ask_capabilities(connection).await?,
    };
    connection.capabilities = Capabilities::from_words(&words);
    connection.announced = Announced::new(&words);
    let can = connection.capabilities;
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn outcome(line: &'static str) -> LoginOutcome {
        refusal(&Heard { tagged: Some(Bytes::from_static(line.as_bytes())), ..Heard::default() })
    }

    #[test]
    fn kinds_of_no() {
        assert_eq!(outcome("NO [AUTHENTICATIONFAILED] bad"), LoginOutcome::Refused("bad".into()));
        assert_eq!(outcome("NO [UNAVAILABLE] later"), LoginOutcome::Unavailable("later".into()));
        assert_eq!(outcome("NO Login failed."), LoginOutcome::BareRefusal("Login failed.".into()));
        assert_eq!(outcome("BAD what"), LoginOutcome::BareRefusal("what".into()));
        assert!(matches!(refusal(&Heard::default()), LoginOutcome::Unavailable(_)));
    }

    #[test]
    fn passwords_cannot_be_logged_by_libraries() {
        assert!(log::STATIC_MAX_LEVEL <= log::LevelFilter::Debug);
    }
}
