//! Stock clients and libraries as judges: whatever they can do at any IMAP server they can do here.
//!
//! Each scene runs before a Dovecot with all its capabilities and before one that was left few, with a regular login
//! and with a device's. What a client ends up with is compared with what the server says past the gateway.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "clients/curl.rs"]
mod curl;
#[path = "clients/fetchmail.rs"]
mod fetchmail;
#[path = "clients/folders.rs"]
mod folders;
#[path = "clients/livetest.rs"]
mod livetest;
#[path = "clients/neomutt.rs"]
mod neomutt;
#[path = "clients/place.rs"]
mod place;
#[path = "clients/python.rs"]
mod python;
#[path = "clients/synchronisers.rs"]
mod synchronisers;
