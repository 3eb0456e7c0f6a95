//! The upstream-facing half of the wire: commands towards an IMAP server, responses from it.
//!
//! In: octets of an upstream connection, through [`frame::ResponseFramer`] into [`frame::Piece`]s; small responses are
//! put together by [`assemble::Assembler`] into a [`response::UpstreamResponse`], a FETCH that is to be passed on runs
//! through [`fetch::FetchScanner`] piece by piece. Out: [`request::Request`]s as octets.
//!
//! Refuses trust: the upstream is hostile too (design D14). Whatever it sends is either understood within the limits of
//! [`pimap_types::limits`], passed over, or reported as [`Malformed`], which costs it the connection. Refuses also to
//! build commands from text: an argument is an atom that was checked, a quoted string or a literal.
//!
//! Reading order: [`frame`], [`response`], [`code`], [`fetch`], [`envelope`], [`assemble`], [`capability`], [`request`], [`search`].

pub mod assemble;
pub mod capability;
pub mod code;
mod cursor;
pub mod envelope;
pub mod fetch;
pub mod frame;
pub mod request;
pub mod response;
pub mod search;
mod thread;

/// The upstream broke the grammar in a response that must be understood. Guessing would be worse than closing: an answer
/// that cannot be read looks like an empty one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed response from upstream")
    }
}

impl std::error::Error for Malformed {}
