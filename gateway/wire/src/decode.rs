//! Octets of one command → [`Command`], strictly by RFC 3501 with the repairs of the P-IMAP digest.
//!
//! One file per family of commands. Goes in: what the framer returned. Comes out: the tag and a command of which nothing
//! needs to be checked again, or a [`DecodeError`] that is ready to be answered. Refuses state: whether a command is
//! allowed just now is not known here.

mod append;
mod auth;
mod filter;
mod list;
mod mailbox;
mod message;
mod mod_seq;
mod notify;
mod preference;
mod provision;
mod scan;
mod section;
mod set;
#[cfg(test)]
mod tests;

pub use append::append_parts;
pub(crate) use auth::{User, split_user};
pub(crate) use mod_seq::value_or_zero as mod_seq_value;
pub use preference::parse_new_format;
pub use provision::parse_cursor;
pub(crate) use scan::{Parsed, Scanner};
pub(crate) use section::section;
pub(crate) use set::sequence_set;

use crate::frame::CommandBytes;
use crate::syntax::leading_tag;
use pimap_types::{Code, Command, Response, Status, Tag};
use std::borrow::Cow;

/// Why octets are not a command, as it is to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// The tag, where one could be read.
    pub tag: Option<Tag>,
    /// BAD for what the grammar does not allow, NO for what it allows and the gateway does not.
    pub status: Status,
    /// The response code.
    pub code: Option<Code>,
    /// The reason, for the handset.
    pub text: Cow<'static, str>,
}

impl DecodeError {
    /// A syntax error.
    pub(crate) const fn bad(text: &'static str) -> Self {
        Self { tag: None, status: Status::Bad, code: None, text: Cow::Borrowed(text) }
    }
    /// Well-formed, but not acceptable.
    pub(crate) const fn no(text: &'static str) -> Self {
        Self { tag: None, status: Status::No, code: None, text: Cow::Borrowed(text) }
    }
    /// The same with a response code.
    pub(crate) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(Code::word(code)), ..self }
    }
    /// The answer, tagged if possible.
    pub fn response(&self) -> Response {
        let (status, code, text) = (self.status, self.code.clone(), self.text.clone());
        match &self.tag {
            Some(tag) => Response::Tagged { tag: tag.clone(), status, code, text },
            None => Response::Untagged { status, code, text },
        }
    }
}

/// Decodes one command; of APPEND what precedes the message.
pub fn decode(command: &CommandBytes) -> Result<(Tag, Command), DecodeError> {
    let octets = command.octets();
    let Some(tag) = leading_tag(octets) else {
        return Err(DecodeError::bad("expected a tag"));
    };
    let mut scanner = Scanner::new(octets.get(tag.0.len()..).unwrap_or_default());
    let decoded = command_after_tag(&mut scanner).and_then(|command| scanner.end().map(|()| command));
    match decoded {
        Ok(command) => Ok((tag, command)),
        Err(error) => Err(DecodeError { tag: Some(tag), ..error }),
    }
}

/// Classifies by the command's name and hands over to its family.
fn command_after_tag(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    // One space, not more: the framer looks for the command's name at the same place.
    scanner.expect(b' ', "a space")?;
    let name = scanner.atom("a command")?.to_ascii_uppercase();
    match name.as_str() {
        "CAPABILITY" => Ok(Command::Capability),
        "NOOP" => Ok(Command::Noop),
        "LOGOUT" => Ok(Command::Logout),
        "LOGIN" => auth::login(scanner),
        "AUTHENTICATE" => auth::authenticate(scanner),
        "ID" => auth::id(scanner),
        "ENABLE" => auth::enable(scanner),
        "COMPRESS" => auth::compress(scanner),
        "LIST" => list::list(scanner),
        "LSUB" => list::lsub(scanner),
        "NAMESPACE" => Ok(Command::Namespace),
        "CREATE" => mailbox::argument(scanner).map(Command::Create),
        "DELETE" => mailbox::argument(scanner).map(Command::Delete),
        "RENAME" => mailbox::rename(scanner),
        "SUBSCRIBE" => mailbox::argument(scanner).map(Command::Subscribe),
        "UNSUBSCRIBE" => mailbox::argument(scanner).map(Command::Unsubscribe),
        "STATUS" => mailbox::status(scanner),
        "SELECT" => mailbox::select(scanner, false),
        "EXAMINE" => mailbox::select(scanner, true),
        "CLOSE" => Ok(Command::Close),
        "UNSELECT" => Ok(Command::Unselect),
        "CHECK" => Ok(Command::Check),
        "EXPUNGE" => Ok(Command::Expunge),
        "FETCH" | "STORE" | "SEARCH" | "SORT" | "THREAD" | "COPY" | "MOVE" => {
            message::by_number(&name, scanner)
        }
        "UID" => message::by_uid(scanner),
        "APPEND" => append::append(scanner),
        "IDLE" => Ok(Command::Idle),
        "NOTIFY" => notify::notify(scanner),
        "XPROVISION" => provision::provision(scanner),
        "XACK" => provision::acknowledge(scanner),
        "XSETPIMAPPREF" => preference::set(scanner),
        "XGETPIMAPPREFS" | "XGETPIMAPPREF" => preference::list(scanner),
        "XFILTER" => filter::filter(scanner),
        _ => Err(DecodeError::bad("unknown command")),
    }
}
