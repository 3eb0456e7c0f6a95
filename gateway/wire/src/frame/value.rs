//! What the framer returns.

use bytes::Bytes;
use pimap_types::{Code, Response, Status, Tag};
use std::borrow::Cow;
use std::fmt;

/// The exact octets of one command, its literals and line ends included. They never print: LOGIN is among them.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandBytes(Bytes);

impl CommandBytes {
    /// Wraps octets as the framer would return them.
    pub fn new(octets: Bytes) -> Self {
        Self(octets)
    }
    /// The octets, exactly as they came.
    pub fn octets(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for CommandBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandBytes({} octets)", self.0.len())
    }
}

/// What the framer found.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole command, its literals gathered.
    Command(CommandBytes),
    /// The handset waits for `+` before it sends a literal of the command being gathered.
    NeedContinuation,
    /// An APPEND up to its message. Nothing more comes until [`Framer::accept_append`](super::Framer::accept_append) or [`Framer::refuse_append`](super::Framer::refuse_append).
    AppendStart {
        /// The command, ending with the head of the message's literal.
        command: CommandBytes,
        /// The message's octets, whatever number was written.
        size: u64,
        /// The handset waits for `+`, or for a refusal, before it sends the message.
        synchronizing: bool,
    },
    /// Octets of the message, at most [`PIECE_BYTES_MAX`](pimap_types::limits::PIECE_BYTES_MAX).
    AppendBytes(Bytes),
    /// What follows a literal of APPEND: a further message or part (RFC 3502, RFC 4469). With a literal at its end nothing more
    /// comes until its verdict, as for [`Frame::AppendStart`]; without one the command is whole.
    AppendPart {
        /// The text, ending with the literal's head or the line's end.
        text: CommandBytes,
        /// Its octets, and whether the handset waits for `+`.
        literal: Option<(u64, bool)>,
    },
    /// The message and its command are whole. Anything but this, or a last [`Frame::AppendPart`], after
    /// [`Frame::AppendStart`] means that they are not.
    AppendEnd,
    /// A command that the input's end cuts right after the head of a literal, which has become one of the kind `{n+}`: with
    /// the literal behind it, it goes on.
    Half(Option<Tag>, CommandBytes),
    /// The answer to a challenge of AUTHENTICATE, its line end included.
    Sasl(CommandBytes),
    /// The line that ends IDLE.
    Done,
    /// Any other line while IDLE runs: whoever writes it does not know that it idles, so the IDLE ends, and the line is skipped
    /// (RFC 2177 3; Dovecot does the same).
    NotDone,
    /// Something that is no command. Unless fatal, the framer skips to the next command by itself.
    Rejected(Rejection),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Frame::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Frame::Half(tag, octets) => f.debug_tuple("Half").field(tag).field(octets).finish(),
            Frame::Sasl(line) => f.debug_tuple("Sasl").field(line).finish(),
            Frame::NeedContinuation => f.write_str("NeedContinuation"),
            Frame::AppendStart { command, size, synchronizing } => f
                .debug_struct("AppendStart")
                .field("command", command)
                .field("size", size)
                .field("synchronizing", synchronizing)
                .finish(),
            // Mail content does not print either.
            Frame::AppendBytes(bytes) => write!(f, "AppendBytes({} octets)", bytes.len()),
            Frame::AppendPart { text, literal } => {
                f.debug_struct("AppendPart").field("text", text).field("literal", literal).finish()
            }
            Frame::AppendEnd => f.write_str("AppendEnd"),
            Frame::Done => f.write_str("Done"),
            Frame::NotDone => f.write_str("NotDone"),
            Frame::Rejected(rejection) => f.debug_tuple("Rejected").field(rejection).finish(),
        }
    }
}

/// Why something is no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// The tag, where one could be read.
    pub tag: Option<Tag>,
    /// The response code.
    pub code: Option<Code>,
    /// The reason, for the handset.
    pub text: &'static str,
    /// The framer cannot find the next command, or would have to read too much for it: the connection is to be closed.
    pub fatal: bool,
}

impl Rejection {
    /// The answer: BAD, tagged if possible; BYE if fatal.
    pub fn response(&self) -> Response {
        let (code, text) = (self.code.clone(), Cow::Borrowed(self.text));
        match &self.tag {
            _ if self.fatal => Response::Bye { code, text },
            Some(tag) => Response::Tagged { tag: tag.clone(), status: Status::Bad, code, text },
            None => Response::Untagged { status: Status::Bad, code, text },
        }
    }
}
