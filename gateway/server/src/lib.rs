//! The gateway itself: configuration, listeners, drivers and everything that does I/O around the rooms that decide.
//!
//! Reading order: [`config`], [`app`], [`listen`], [`web`], [`front`], [`auth`], [`drive`], [`directory`].
//!
//! What is not here, on purpose: no judgement of mail (the account owner's), no grammar (the wire room's), no IMAP towards
//! the mail server (the upstream room's). What a socket says becomes a value at once, and values become octets last.

pub mod app;
pub mod auth;
pub mod config;
pub mod directory;
pub mod drive;
pub mod front;
pub mod listen;
pub mod metrics;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod upstream;
pub mod web;
