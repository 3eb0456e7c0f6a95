//! How the server lets users in, as it announces before login: what handsets are offered depends on it.

use pimap_wire::client::capability::Capabilities;
use std::sync::atomic::{AtomicU8, Ordering};

const KNOWN: u8 = 1;
const PASSWORDS: u8 = 2;
const TOKENS: u8 = 4;

/// What can prove a user at the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mechanisms {
    /// Passwords, by LOGIN or AUTHENTICATE PLAIN.
    pub passwords: bool,
    /// Bearer tokens, by OAUTHBEARER or XOAUTH2.
    pub tokens: bool,
}

impl Default for Mechanisms {
    /// What nearly every server has.
    fn default() -> Self {
        Self { passwords: true, tokens: false }
    }
}

impl Mechanisms {
    fn of(capabilities: &Capabilities) -> Self {
        Self {
            passwords: !capabilities.login_disabled || capabilities.auth_plain,
            tokens: capabilities.auth_oauth_bearer || capabilities.auth_xoauth2,
        }
    }
}

/// What the last connection was told. A server changes this when its operator does; every connection brings it up to date.
#[derive(Debug, Default)]
pub struct LastMechanisms(AtomicU8);

impl LastMechanisms {
    /// What is known; `None` before the first connection.
    pub fn get(&self) -> Option<Mechanisms> {
        let bits = self.0.load(Ordering::Relaxed);
        (bits & KNOWN != 0)
            .then_some(Mechanisms { passwords: bits & PASSWORDS != 0, tokens: bits & TOKENS != 0 })
    }

    /// A connection was told, with TLS on where it is to be.
    pub(crate) fn note(&self, capabilities: &Capabilities) {
        let Mechanisms { passwords, tokens } = Mechanisms::of(capabilities);
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        self.0.store(KNOWN | bit(passwords, PASSWORDS) | bit(tokens, TOKENS), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_last_counts() {
        let last = LastMechanisms::default();
        assert_eq!(last.get(), None);
        for (words, passwords, tokens) in [
            (&["IMAP4REV1"][..], true, false),
            (&["LOGINDISABLED"], false, false),
            (&["LOGINDISABLED", "AUTH=PLAIN"], true, false),
            (&["LOGINDISABLED", "AUTH=XOAUTH2"], false, true),
            (&["AUTH=PLAIN", "AUTH=OAUTHBEARER"], true, true),
        ] {
            last.note(&Capabilities::from_words(words));
            assert_eq!(last.get(), Some(Mechanisms { passwords, tokens }), "{words:?}");
        }
    }
}
