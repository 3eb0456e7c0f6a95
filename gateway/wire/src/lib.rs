//! Bytes ⇄ values: what handsets and upstream servers send and receive.
//!
//! Holds both sides of the wire. The handset side goes **frame → decode → [`Command`]** and **[`Response`] → encode**;
//! the upstream side is [`client`]. Refuses I/O, clocks, state of a session and any judgement of what a command means: a
//! bad message is dropped by its frame, never by guessing where the next one begins (style rule 8). Nothing that comes in
//! from a network makes this room panic, recurse without bound or hold more than the limits in
//! [`pimap_types::limits`].
//!
//! [`Command`]: pimap_types::Command
//! [`Response`]: pimap_types::Response

pub mod client;
pub mod decode;
pub mod encode;
pub mod frame;
pub mod sasl;
pub mod search;
mod syntax;
pub mod url;
pub mod utf7;
