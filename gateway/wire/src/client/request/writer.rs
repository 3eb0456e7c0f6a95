//! Collects the octets of one command; the only place where an argument becomes octets.
//!
//! Literals are always asked for (RFC 3501 7.5), never sent at once (LITERAL+, RFC 7888), whatever the server offers: a server that
//! refuses a command before it comes to a literal may forget to skip it, as Dovecot does for APPEND with a flag that it does not
//! know, and then executes what is in it. What is in a literal is anybody's: a mail that is forwarded, a word that is searched.

use super::Unencodable;
use pimap_types::set::UidRanges;
use pimap_types::{Flag, Flags, MailboxName};

/// Collects the octets of one command.
pub(in crate::client) struct Writer {
    parts: Vec<Vec<u8>>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { parts: vec![Vec::with_capacity(64)] }
    }

    /// The parts; after each but the last a `+` must be awaited.
    pub(super) fn into_parts(self) -> Vec<Vec<u8>> {
        self.parts
    }

    fn octets(&mut self, octets: &[u8]) {
        if let Some(part) = self.parts.last_mut() {
            part.extend_from_slice(octets);
        }
    }

    /// Words of our own.
    pub(in crate::client) fn raw(&mut self, text: &str) {
        self.octets(text.as_bytes());
    }

    pub(in crate::client) fn number(&mut self, n: u64) {
        self.raw(&n.to_string());
    }

    pub(super) fn set(&mut self, set: &UidRanges) {
        for (at, (first, last)) in set.ranges().iter().enumerate() {
            if at > 0 {
                self.raw(",");
            }
            self.number(u64::from(*first));
            if first != last {
                self.raw(":");
                self.number(u64::from(*last));
            }
        }
    }

    pub(super) fn set_command(&mut self, words: &str, set: &UidRanges) {
        self.raw(words);
        self.set(set);
    }

    pub(super) fn mailbox_command(&mut self, words: &str, mailbox: &MailboxName) -> Result<(), Unencodable> {
        self.raw(words);
        self.mailbox(mailbox)
    }

    pub(super) fn mailbox(&mut self, mailbox: &MailboxName) -> Result<(), Unencodable> {
        self.string(mailbox.as_str().as_bytes())
    }

    /// A quoted string where the octets allow, else a literal. NUL cannot be said at all (RFC 3501 9, CHAR8).
    pub(in crate::client) fn string(&mut self, octets: &[u8]) -> Result<(), Unencodable> {
        if octets.contains(&0) {
            return Err(Unencodable::Octets);
        }
        if octets.len() <= 1_024 && octets.iter().all(|b| (b' '..0x7F).contains(b)) {
            self.raw("\"");
            for octet in octets {
                if matches!(octet, b'"' | b'\\') {
                    self.raw("\\");
                }
                self.octets(std::slice::from_ref(octet));
            }
            self.raw("\"");
            return Ok(());
        }
        self.raw("{");
        self.number(octets.len() as u64);
        self.raw("}\r\n");
        self.parts.push(Vec::new());
        self.octets(octets);
        Ok(())
    }

    /// A keyword or system flag: an atom, with a backslash at most at its head.
    pub(in crate::client) fn flag_word(&mut self, word: &str) -> Result<(), Unencodable> {
        let body = word.strip_prefix('\\').unwrap_or(word);
        let special = |b: u8| b <= b' ' || b >= 0x7F || b"(){%*\"\\]".contains(&b);
        if body.is_empty() || body.bytes().any(special) {
            return Err(Unencodable::Octets);
        }
        self.raw(word);
        Ok(())
    }

    pub(super) fn flags(&mut self, flags: &Flags) -> Result<(), Unencodable> {
        self.raw("(");
        for (at, flag) in flags.iter().map(Flag::as_str).enumerate() {
            if at > 0 {
                self.raw(" ");
            }
            self.flag_word(flag)?;
        }
        self.raw(")");
        Ok(())
    }
}
