//! APPEND in all its forms: one message or several (RFC 3502), literals or parts put together (RFC 4469), octets as they are
//! (RFC 3516). The messages themselves are streams and never stand here.

use crate::mailbox::{Flags, MailboxName};
use bytes::Bytes;

/// The arguments of APPEND up to its first streamed literal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Append {
    /// The target mailbox.
    pub mailbox: MailboxName,
    /// What was written, in order; what is streamed comes last.
    pub parts: Vec<AppendPart>,
}

impl Append {
    /// The octets of the literal that is streamed next; `None`: the command is whole as it stands.
    pub fn streams(&self) -> Option<u64> {
        streams(&self.parts)
    }
}

/// A word of APPEND.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AppendPart {
    /// A message begins.
    Message {
        /// Flags to set.
        flags: Flags,
        /// INTERNALDATE as `" 1-Feb-2004 10:00:00 +0000"` without quotes, checked.
        date: Option<String>,
    },
    /// The message's octets as a literal, which is streamed.
    Literal {
        /// How many.
        size: u64,
        /// `~{n}`: it may hold NULs (RFC 3516 4.4).
        binary: bool,
    },
    /// `UTF8 (~{n}`: octets of a message whose header may hold UTF-8 (RFC 6855 4), which are streamed.
    Utf8 {
        /// How many.
        size: u64,
    },
    /// `)` after them.
    EndUtf8,
    /// `CATENATE (`
    Catenate,
    /// `TEXT {n}`: octets that are streamed.
    Text {
        /// How many.
        size: u64,
    },
    /// `URL "…"`: a message, or a part of one, that upstream holds.
    Url(String),
    /// `)`
    EndCatenate,
}

/// The octets of the literal at the end of these parts.
pub fn streams(parts: &[AppendPart]) -> Option<u64> {
    match parts.last() {
        Some(AppendPart::Literal { size, .. } | AppendPart::Text { size } | AppendPart::Utf8 { size }) => {
            Some(*size)
        }
        _ => None,
    }
}

/// What stands around a streamed literal, which says how the command goes on behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Within {
    /// Nothing: another message, or the end.
    #[default]
    Command,
    /// The list of CATENATE.
    Catenate,
    /// The parentheses of UTF8.
    Utf8,
}

impl Within {
    /// Of the literal at the end of these parts.
    pub fn of(parts: &[AppendPart]) -> Within {
        match parts.last() {
            Some(AppendPart::Text { .. }) => Within::Catenate,
            Some(AppendPart::Utf8 { .. }) => Within::Utf8,
            _ => Within::Command,
        }
    }

    /// What is wrong where the command ends behind the literal.
    pub const fn unclosed(self) -> Option<&'static str> {
        match self {
            Within::Command => None,
            Within::Catenate => Some("the list of CATENATE is not closed"),
            Within::Utf8 => Some("the parenthesis of UTF8 is not closed"),
        }
    }
}

/// A piece of an APPEND that is streamed. After each literal that was announced come its octets, then further parts, or the end.
/// A stream that closes without its end was given up: nothing is to be appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendPiece {
    /// Octets of the literal, at most [`PIECE_BYTES_MAX`](crate::limits::PIECE_BYTES_MAX) at a time.
    Bytes(Bytes),
    /// What follows a literal; a literal at most at its end.
    Parts(Vec<AppendPart>),
    /// What followed cannot be had: nothing is to be appended, and this is the answer.
    Refused {
        /// The response code without brackets.
        code: String,
        /// The reason.
        text: String,
    },
    /// The command is whole.
    End,
}
