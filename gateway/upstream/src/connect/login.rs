//! How a credential is shown to the server, and how its answer is understood.
//!
//! Passwords go by LOGIN where that can carry them, else by PLAIN; tokens by OAUTHBEARER, else by XOAUTH2, as they came
//! (design D7).

use crate::config::{Login, UpstreamConfig};
use crate::credentials::LoginOutcome;
use crate::io::Io;
use crate::loan::{Heard, Loan};
use async_imap::Client;
use pimap_types::response::Status;
use pimap_types::{Credential, Secret};
use pimap_wire::client::capability::Capabilities;
use pimap_wire::client::frame::ResponseFramer;
use pimap_wire::client::response::{Condition, UpstreamResponse};
use pimap_wire::sasl;

/// LOGIN, or AUTHENTICATE where LOGIN cannot carry it or is disabled. The outcome is read from the server's own line, not from
/// async-imap's opinion of it.
pub(super) async fn authenticate(
    client: Client<Loan>,
    capabilities: Capabilities,
    config: &UpstreamConfig,
    login: &Login,
) -> Result<(Io, ResponseFramer, Heard), LoginOutcome> {
    let way = Way::choose(capabilities, config, login)?;
    let ended = match way {
        Way::Login(password) => {
            client.login_with_capabilities(&login.user, password).await.map(|(session, _)| session)
        }
        Way::Sasl(mechanism, exchange) => client.authenticate(mechanism, exchange).await,
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

/// How a credential is shown.
enum Way<'a> {
    Login(&'a str),
    Sasl(&'static str, Exchange),
}

impl<'a> Way<'a> {
    fn choose(
        capabilities: Capabilities,
        config: &UpstreamConfig,
        login: &'a Login,
    ) -> Result<Self, LoginOutcome> {
        const DISABLED: &str = "mail server takes no passwords on this connection";
        let cannot = |text: &str| LoginOutcome::Refused(text.to_owned());
        if login.user.contains(['\0', '\u{1}']) {
            return Err(cannot("name cannot be sent"));
        }
        let password = match &login.credential {
            Credential::Token(token) => return Self::token(capabilities, config, &login.user, token),
            Credential::Password(password) => password,
        };
        let Ok(text) = std::str::from_utf8(password.expose()) else {
            return Err(cannot("password is not UTF-8"));
        };
        // Quoted strings are 7-bit and hold no CR or LF (RFC 3501 9); SASL PLAIN carries all but NUL.
        let is_plain = |s: &str| s.bytes().all(|b| matches!(b, b' '..=b'~'));
        if !capabilities.login_disabled && is_plain(&login.user) && is_plain(text) {
            return Ok(Way::Login(text));
        }
        if !capabilities.auth_plain {
            return Err(match capabilities.login_disabled {
                true => LoginOutcome::Unavailable(DISABLED.into()),
                false => cannot("name or password cannot be sent"),
            });
        }
        if text.contains('\0') {
            return Err(cannot("password cannot be sent"));
        }
        let message = sasl::write_plain(&login.user, password);
        Ok(Way::Sasl("PLAIN", Exchange { message: Some(message), on_refusal: b"" }))
    }

    /// OAUTHBEARER, or what preceded it.
    fn token(
        capabilities: Capabilities,
        config: &UpstreamConfig,
        user: &str,
        token: &Secret,
    ) -> Result<Self, LoginOutcome> {
        if capabilities.auth_oauth_bearer {
            let message = sasl::write_oauth_bearer(user, &config.host, config.port, token);
            // RFC 7628 3.2.3: the answer to the challenge that says why.
            return Ok(Way::Sasl("OAUTHBEARER", Exchange { message: Some(message), on_refusal: b"\x01" }));
        }
        if capabilities.auth_xoauth2 {
            let message = sasl::write_xoauth2(user, token);
            return Ok(Way::Sasl("XOAUTH2", Exchange { message: Some(message), on_refusal: b"" }));
        }
        Err(LoginOutcome::Unavailable("mail server takes no tokens on this connection".into()))
    }
}

/// What is said in a SASL exchange: the message, and then what ends it when it is refused.
struct Exchange {
    message: Option<Secret>,
    on_refusal: &'static [u8],
}

impl async_imap::Authenticator for Exchange {
    type Response = Vec<u8>;
    fn process(&mut self, _challenge: &[u8]) -> Vec<u8> {
        match self.message.take() {
            Some(message) => message.expose().to_vec(),
            None => self.on_refusal.to_vec(),
        }
    }
}

/// Reads a line that was heard without its tag, as a status.
pub(super) fn condition_of(line: &[u8]) -> Option<Condition> {
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
        // No mail is saved by logging in: what is over its quota then is the traffic (Gmail).
        "UNAVAILABLE" | "LIMIT" | "INUSE" | "SERVERBUG" | "CONTACTADMIN" | "OVERQUOTA" | "THROTTLED" => {
            LoginOutcome::Unavailable(condition.text)
        }
        // A code that only asks for the text to be shown (RFC 3501 7.1): whether it is about the password, the text alone says.
        "ALERT" if is_of_limits(&condition.text) => LoginOutcome::Unavailable(condition.text),
        _ => LoginOutcome::BareRefusal(condition.text),
    }
}

/// Whether a text speaks of how much an account may use: `Too many simultaneous connections`, `Account exceeded command or bandwidth
/// limits` (Gmail). Whoever took that for a wrong password would stop trying the right one.
fn is_of_limits(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["too many", "simultaneous connections", "bandwidth limit"].iter().any(|words| text.contains(words))
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
        for limited in [
            "NO [ALERT] Too many simultaneous connections. (Failure)",
            "NO [ALERT] Account exceeded command or bandwidth limits. (Failure)",
            "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)",
        ] {
            assert!(matches!(outcome(limited), LoginOutcome::Unavailable(_)), "{limited}");
        }
        let alert = outcome("NO [ALERT] Application-specific password required");
        assert!(matches!(alert, LoginOutcome::BareRefusal(_)), "{alert:?}");
        assert_eq!(outcome("BAD what"), LoginOutcome::BareRefusal("what".into()));
        assert!(matches!(refusal(&Heard::default()), LoginOutcome::Unavailable(_)));
    }

    #[test]
    fn passwords_cannot_be_logged_by_libraries() {
        assert!(log::STATIC_MAX_LEVEL <= log::LevelFilter::Debug);
    }
}
