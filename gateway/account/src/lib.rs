//! The account owner (design D1): one value per mail account that holds the mailbox mirrors, every device's filters and
//! verdicts, its sessions and their logs, and executes commands on the mobile repository.
//!
//! Pure: inputs go in, outputs come out, see [`contract`]. No I/O, no clock, no randomness but from a seed; so a whole day of a
//! handset's life runs in a test in a millisecond, and any failure replays.
//!
//! Reading order: [`contract`], [`account`], then `connection`, `open`, `command`, `sync`, `apply`, `verdict`, `judge`, `folders`, `deliver`,
//! `announce`, `notify`, `refused`, `renamed`, `tick`, `rows`, `outbox`, `utf8`.

pub mod contract;

pub mod account;
mod announce;
pub mod append;
mod apply;
mod atoms;
pub mod capability;
mod command;
mod connection;
mod counting;
mod deliver;
mod device;
mod entropy;
mod filter;
mod folders;
mod judge;
mod listing;
mod mirror;
mod mod_seq;
mod notify;
mod open;
mod outbox;
mod refused;
mod renamed;
mod rows;
mod sync;
mod tick;
mod utf8;
mod verdict;
mod watch;

pub use account::{Account, Damaged};
pub use contract::{Input, Options, Output};
