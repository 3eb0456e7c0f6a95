//! The messages of the SASL mechanisms, in both directions: what a handset says in AUTHENTICATE becomes a [`Login`], and a
//! login becomes what upstream is told.
//!
//! Holds PLAIN (RFC 4616), LOGIN (its two answers, as everybody speaks it), OAUTHBEARER (RFC 7628) and XOAUTH2 (what
//! preceded it). In: octets after base64, which is strict here: a tab or a missing `=` is not made good (RFC 4648 3.3).
//! Refuses to act for others: an authorisation identity is empty or the user's own (F42), and a device ID stands in the
//! name as it does in LOGIN (P-IMAP -12 5.1.3). A token is checked to be one, so that it cannot carry a field of its own
//! upstream.

#[cfg(test)]
mod tests;

use crate::decode::{DecodeError, Parsed, User, split_user};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pimap_types::command::Login;
use pimap_types::{Credential, Secret};

/// What separates the fields of OAUTHBEARER and XOAUTH2.
const SEPARATOR: u8 = 1;

/// A mechanism that is spoken here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mechanism {
    /// RFC 4616
    Plain,
    /// draft-murchison-sasl-login
    Login,
    /// RFC 7628
    OAuthBearer,
    /// What Google made before there was OAUTHBEARER.
    XOAuth2,
}

impl Mechanism {
    /// The mechanism of this name, in capitals.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "PLAIN" => Some(Self::Plain),
            "LOGIN" => Some(Self::Login),
            "OAUTHBEARER" => Some(Self::OAuthBearer),
            "XOAUTH2" => Some(Self::XOAuth2),
            _ => None,
        }
    }

    /// Whether it carries a token instead of a password.
    pub const fn is_for_tokens(self) -> bool {
        matches!(self, Self::OAuthBearer | Self::XOAuth2)
    }

    /// The first challenge, where there is one with content.
    pub const fn first_challenge(self) -> &'static [u8] {
        match self {
            Self::Login => b"Username:",
            _ => b"",
        }
    }

    /// The challenge that says why a token is refused (RFC 7628 3.2.2); the handset answers it, and then gets its NO.
    pub const fn failure_challenge(self) -> &'static [u8] {
        match self {
            Self::OAuthBearer => br#"{"status":"invalid_token"}"#,
            Self::XOAuth2 => br#"{"status":"401","schemes":"bearer","scope":""}"#,
            Self::Plain | Self::Login => b"",
        }
    }
}

/// What comes of a message of a mechanism.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// A whole login.
    Login(Login),
    /// A user name; the password is to be asked for (LOGIN).
    User(Secret),
    /// No token: the handset wants to be told what it needs (RFC 7628 3.2.3).
    Discovery,
}

/// Octets out of base64, by the letter of RFC 4648 4.
pub fn from_base64(text: &[u8]) -> Parsed<Secret> {
    let octets = STANDARD.decode(text);
    octets.map(Secret::new).map_err(|_| DecodeError::bad("this is not base64"))
}

/// Reads the first message of an exchange.
pub fn read(mechanism: Mechanism, message: &Secret) -> Parsed<Said> {
    match mechanism {
        Mechanism::Plain => plain(message.expose()).map(Said::Login),
        Mechanism::Login => Ok(Said::User(message.clone())),
        Mechanism::OAuthBearer => oauth_bearer(message.expose()),
        Mechanism::XOAuth2 => xoauth2(message.expose()),
    }
}

/// The login of a user name and a password given one after the other (LOGIN).
pub fn login(user: &Secret, password: &Secret) -> Parsed<Login> {
    login_of(user.expose(), Credential::Password(password_of(password.expose())?))
}

/// `[authzid] NUL authcid NUL passwd`
fn plain(message: &[u8]) -> Parsed<Login> {
    let mut parts = message.split(|octet| *octet == 0);
    let (Some(other), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(DecodeError::bad("expected name and password between NULs"));
    };
    let login = login_of(user, Credential::Password(password_of(password)?))?;
    if !other.is_empty() && other != user {
        let other = user_of(other)?;
        let same = other.local == login.local
            && other.domain.map(str::to_ascii_lowercase) == login.domain
            && other.device.is_none_or(|device| Some(device) == login.device);
        if !same {
            // Acting for somebody else would let anyone in who knows one password (F42).
            let refused = DecodeError::no("nobody can act for another user here");
            return Err(refused.coded("AUTHORIZATIONFAILED"));
        }
    }
    Ok(login)
}

/// `n,a=user,` and fields, each after a separator (RFC 7628 3.1).
fn oauth_bearer(message: &[u8]) -> Parsed<Said> {
    const WRONG: DecodeError = DecodeError::bad("expected a GS2 header and fields");
    let (head, fields) = cut(message, SEPARATOR).ok_or(WRONG)?;
    let mut head = head.splitn(3, |octet| *octet == b',');
    match (head.next(), head.next(), head.next()) {
        (Some(b"n" | b"y"), Some(identity), Some(b"")) => {
            let token = token_in(fields)?;
            let name = identity.strip_prefix(b"a=");
            match (token, name) {
                (None, _) => Ok(Said::Discovery),
                // Whose token it is only its issuer can tell, and the account must be known before upstream is asked.
                (Some(_), None) => Err(DecodeError::no("the user's name is missing (a=)")),
                (Some(token), Some(name)) => {
                    login_of(&unescaped(name)?, Credential::Token(token)).map(Said::Login)
                }
            }
        }
        (Some(flag), ..) if flag.starts_with(b"p=") => {
            Err(DecodeError::no("channel binding is not supported"))
        }
        _ => Err(WRONG),
    }
}

/// `user=name` and `auth=Bearer token`, each followed by a separator, and one more at the end.
fn xoauth2(message: &[u8]) -> Parsed<Said> {
    const WRONG: DecodeError = DecodeError::bad("expected user= and auth=Bearer");
    let (user, fields) = cut(message, SEPARATOR).ok_or(WRONG)?;
    let user = user.strip_prefix(b"user=").ok_or(WRONG)?;
    match token_in(fields)? {
        Some(token) => login_of(user, Credential::Token(token)).map(Said::Login),
        None => Ok(Said::Discovery),
    }
}

/// The token among the fields, which end with a separator of their own; `None` when it is empty.
fn token_in(fields: &[u8]) -> Parsed<Option<Secret>> {
    const WRONG: DecodeError = DecodeError::bad("expected auth=Bearer and a token");
    let fields = fields.strip_suffix(&[SEPARATOR, SEPARATOR]).or(fields.strip_suffix(&[SEPARATOR]));
    let mut values = fields
        .ok_or(WRONG)?
        .split(|octet| *octet == SEPARATOR)
        .filter_map(|field| field.strip_prefix(b"auth="));
    let (value, None) = (values.next().unwrap_or_default(), values.next()) else { return Err(WRONG) };
    if value.is_empty() {
        return Ok(None);
    }
    let (scheme, token) = cut(value, b' ').ok_or(WRONG)?;
    let token = token.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") && is_token(token) {
        Ok(Some(Secret::new(token)))
    } else {
        Err(WRONG)
    }
}

/// `b64token` of RFC 6750 2.1
fn is_token(octets: &[u8]) -> bool {
    let body = octets.iter().take_while(|octet| **octet != b'=').count();
    let (body, padding) = octets.split_at_checked(body).unwrap_or_default();
    let legal = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(octet);
    !body.is_empty() && body.iter().all(legal) && padding.iter().all(|octet| *octet == b'=')
}

/// `saslname` of RFC 5801 4: `=2C` and `=3D` stand for a comma and an equals sign.
fn unescaped(name: &[u8]) -> Parsed<Vec<u8>> {
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'=', [b'2', b'C' | b'c', after @ ..]) => {
                octets.push(b',');
                rest = after;
            }
            (b'=', [b'3', b'D' | b'd', after @ ..]) => {
                octets.push(b'=');
                rest = after;
            }
            (b'=', _) => return Err(DecodeError::bad("bad escape in the user's name")),
            (octet, _) => octets.push(*octet),
        }
    }
    Ok(octets)
}

fn cut(octets: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = octets.iter().position(|octet| *octet == at)?;
    Some((octets.get(..index)?, octets.get(index + 1..)?))
}

fn user_of(octets: &[u8]) -> Parsed<User<'_>> {
    let text = std::str::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control));
    split_user(text.ok_or(DecodeError::no("user name not acceptable"))?)
}

fn login_of(user: &[u8], credential: Credential) -> Parsed<Login> {
    Ok(user_of(user)?.login(credential))
}

/// RFC 4616 2: a password is not empty, and has no NUL in it.
fn password_of(octets: &[u8]) -> Parsed<Secret> {
    if octets.is_empty() || octets.contains(&0) {
        return Err(DecodeError::no("password not acceptable").coded("AUTHENTICATIONFAILED"));
    }
    Ok(Secret::new(octets))
}

/// What PLAIN says upstream: no authorisation identity, the name, the password.
pub fn write_plain(user: &str, password: &Secret) -> Secret {
    Secret::new([b"\0", user.as_bytes(), b"\0", password.expose()].concat())
}

/// What OAUTHBEARER says upstream.
pub fn write_oauth_bearer(user: &str, host: &str, port: u16, token: &Secret) -> Secret {
    let name = user.replace('=', "=3D").replace(',', "=2C");
    let head = format!("n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer ");
    Secret::new([head.as_bytes(), token.expose(), b"\x01\x01"].concat())
}

/// What XOAUTH2 says upstream.
pub fn write_xoauth2(user: &str, token: &Secret) -> Secret {
    Secret::new([b"user=", user.as_bytes(), b"\x01auth=Bearer ", token.expose(), b"\x01\x01"].concat())
}
