//! The kit of the tests: real servers, plain clients and the reference handset.
//!
//! Holds whatever a test needs around the gateway: a real Dovecot ([`dovecot`]), servers of other makes ([`server`]), an upstream that
//! says what a test wants said ([`fake`]), one whose mailboxes are labels ([`gmail`]), a plain IMAP client that looks at them past the gateway ([`imap`]), a raw HTTP/1.1 client with every byte under control
//! ([`http`]), the built gateway itself ([`gateway`]), the executable definition of law 1 ([`handset`], which [`phone`]
//! puts on sockets) and the runner of golden transcripts ([`transcript`]). Refuses knowledge of the gateway's insides:
//! nothing here imports a room of it, so a mistake there cannot be repeated here; but for [`world`], which drives the
//! account itself, and [`sim`], which lets chance drive that. A fixture that cannot start panics with the reason, since
//! a test can do nothing else.
//!
//! Reading order: [`handset`], [`transcript`], then the fixtures as needed.

// The kit is test code: a failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

pub mod certificate;
pub mod dovecot;
pub mod fake;
pub mod gateway;
pub mod gmail;
pub mod handset;
pub mod http;
pub mod imap;
pub mod phone;
pub mod process;
pub mod response;
pub mod server;
pub mod sim;
pub mod transcript;
pub mod udp;
pub mod wait;
pub mod world;
