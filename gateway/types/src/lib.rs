//! The vocabulary of the gateway: nouns that every room uses.
//!
//! Holds identifiers, number spaces, sets, commands, responses, the contract with the upstream side, limits and
//! faults. Refuses I/O, clocks, serialisation and behaviour beyond constructors and plain set algebra: a verb here
//! is a sign of a missing room.
//!
//! Reading order: [`ids`], [`number`], [`set`], [`mailbox`], [`list`], [`few`], [`append`], [`message`], [`search`],
//! [`thread`], [`mod_seq`], [`credential`], [`command`], [`response`], [`upstream`], [`preference`], [`notice`], [`time`],
//! [`limits`], [`secret`].

pub mod append;
pub mod command;
pub mod credential;
pub mod few;
pub mod ids;
pub mod limits;
pub mod list;
pub mod mailbox;
pub mod message;
pub mod mod_seq;
pub mod notice;
pub mod number;
pub mod preference;
pub mod response;
pub mod rows;
pub mod search;
pub mod secret;
pub mod set;
pub mod thread;
pub mod time;
pub mod upstream;

pub use command::{Command, Target};
pub use credential::Credential;
pub use few::Few;
pub use ids::{AccountKey, ConnectionId, DeviceId, SessionId, Tag, Ticket};
pub use mailbox::{Flag, Flags, MailboxName};
pub use message::{Date, MessageFacts};
pub use number::{LogSeq, MobileSeq, ModSeq, Uid, UidValidity};
pub use response::{Code, Response, Status};
pub use secret::Secret;
pub use set::{SequenceSet, UidRanges};
pub use thread::Threads;
pub use time::Timestamp;
