//! Mailboxes and flags.

use std::fmt;
use std::sync::Arc;

/// A mailbox name as it stands on the wire (modified UTF-7, RFC 3501 5.1.3), `INBOX` in capitals. Between the wire and the account it
/// may be in UTF-8, for a handset that enabled UTF8=ACCEPT (RFC 6855 3); further inside it never is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxName(Arc<str>);

impl MailboxName {
    /// Wraps a name; any spelling of `inbox` becomes `INBOX`.
    pub fn new(name: &str) -> Self {
        Self(if name.eq_ignore_ascii_case("INBOX") { Arc::from("INBOX") } else { Arc::from(name) })
    }
    /// The name as sent on the wire, unquoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether this is the INBOX.
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message flag (RFC 3501 2.3.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Flag {
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Seen`
    Seen,
    /// `\Draft`
    Draft,
    /// A keyword such as `$Junk`, or a flag extension with its backslash. Compared without regard to case by
    /// servers; kept as written.
    Keyword(Arc<str>),
}

impl Flag {
    /// The flag as written in IMAP. `\Recent` is never a [`Flag`]: it is answered from our own mark (F27).
    pub fn as_str(&self) -> &str {
        match self {
            Flag::Answered => "\\Answered",
            Flag::Flagged => "\\Flagged",
            Flag::Deleted => "\\Deleted",
            Flag::Seen => "\\Seen",
            Flag::Draft => "\\Draft",
            Flag::Keyword(word) => word,
        }
    }

    /// Reads a flag; the five system flags in any case. `None` for `\Recent` and `\*`.
    pub fn parse(text: &str) -> Option<Flag> {
        let system = [Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft];
        if let Some(flag) = system.into_iter().find(|f| f.as_str().eq_ignore_ascii_case(text)) {
            return Some(flag);
        }
        let dropped = text.eq_ignore_ascii_case("\\Recent") || text == "\\*" || text.is_empty();
        (!dropped).then(|| Flag::Keyword(Arc::from(text)))
    }
}

/// A message's flags, sorted, without repetition and without `\Recent`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Flags(Vec<Flag>);

impl Flags {
    /// Sorts and removes repetition (keywords compare without case).
    pub fn new(flags: impl IntoIterator<Item = Flag>) -> Self {
        let mut all: Vec<Flag> = flags.into_iter().collect();
        all.sort_unstable();
        all.dedup_by(|a, b| a.as_str().eq_ignore_ascii_case(b.as_str()));
        Self(all)
    }
    /// The flags in order.
    pub fn iter(&self) -> impl Iterator<Item = &Flag> {
        self.0.iter()
    }
    /// Whether the flag is set; keywords compare without case.
    pub fn contains(&self, flag: &Flag) -> bool {
        self.0.iter().any(|f| f == flag || f.as_str().eq_ignore_ascii_case(flag.as_str()))
    }
    /// Whether no flag is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
