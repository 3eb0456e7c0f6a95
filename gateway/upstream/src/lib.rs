//! Client to the user's IMAP server: carries out [`UpstreamRequest`]s and reports [`UpstreamEvent`]s.
//!
//! One [`AccountUpstream`] per mail account, however many devices it has: one watching connection and a small bounded pool
//! for commands (law 4). Answers are matched by tag, one data-bearing command at a time per connection (F46); messages are
//! named by UID under a UIDVALIDITY that the connection has seen itself (F22); a body is streamed, never held (law 5).
//!
//! ```text
//!  UpstreamRequest ─► account ─► pool ─► execute ─► connection ⇄ IMAP server
//!  UpstreamReply   ◄─────────────────────── machine ◄──┘ (framer, assembler: wire room)
//!  UpstreamEvent   ◄─ watch (NOTIFY, IDLE) · watch/spare (IDLE) · watch/poll (STATUS, audit) · hints of pool connections
//! ```
//!
//! `machine` decides and does no I/O; `connect`, `connection`, `execute`, `pool` and `watch` do I/O and decide
//! little. Refuses any knowledge of devices, views and filters, and any trust in the server (design D14).
//!
//! [`UpstreamRequest`]: pimap_types::upstream::UpstreamRequest
//! [`UpstreamEvent`]: pimap_types::upstream::UpstreamEvent

pub mod account;
pub mod config;

mod backoff;
mod connect;
mod connection;
mod credentials;
mod execute;
mod fault;
mod hints;
mod io;
mod loan;
mod machine;
mod mechanisms;
mod pool;
mod watch;

pub use account::{AccountUpstream, BodyStream};
pub use config::{Login, Origin, Security, TlsConfigError, UpstreamConfig, tls_client_config};
pub use connect::{VerifyError, probe, verify};
pub use mechanisms::{LastMechanisms, Mechanisms};
