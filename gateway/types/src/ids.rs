//! Identifiers. An identifier is never a secret unless its type says so ([`SessionId`] does not print).

use std::fmt;
use std::sync::Arc;

/// The upstream login name after the login template: what an account is keyed by (design D1, F51).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AccountKey(pub Arc<str>);

impl AccountKey {
    /// Wraps an upstream login name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }
    /// The upstream login name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A handset's stable name within one account (P-IMAP 1.2.3). Never a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// Accepts 1 to 64 characters of the digest's `DEV-CHAR` (section 3): printable ASCII that an atom may hold,
    /// without `#` and `@`.
    pub fn new(text: &str) -> Option<Self> {
        let legal = |b: u8| matches!(b, 0x21 | 0x24 | 0x26..=0x27 | 0x2B..=0x3F | 0x41..=0x5B | 0x5E..=0x7A | 0x7C..=0x7E);
        let fits = (1..=crate::limits::DEVICE_ID_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(legal)).then(|| Self(Arc::from(text)))
    }
    /// The device ID as written by the handset.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A P-IMAP session's name: 26 base-32 characters, at least 128 random bits (P-IMAP 5.1.4). Its `Debug` shows
/// nothing, since it is a bearer credential once SID tags are on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub String);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// One TCP connection, or one HTTP exchange. Unique for the life of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// Names one question of the account to the upstream side, so that its answer finds home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// A handset's name for a command (RFC 3501 2.2.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tag(pub Arc<str>);

impl Tag {
    /// Wraps a tag that the wire room has checked.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
