//! What proves who a user is.

use crate::secret::Secret;

/// A password, or an access token that somebody else has issued (RFC 6750). What upstream is asked with is of the same
/// kind as what the handset brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    /// A password.
    Password(Secret),
    /// An OAuth bearer token, without the word `Bearer`.
    Token(Secret),
}

impl Credential {
    /// The password or token itself.
    pub const fn secret(&self) -> &Secret {
        match self {
            Credential::Password(secret) | Credential::Token(secret) => secret,
        }
    }

    /// Whether it is a token, which ends by itself.
    pub const fn is_token(&self) -> bool {
        matches!(self, Credential::Token(_))
    }
}
