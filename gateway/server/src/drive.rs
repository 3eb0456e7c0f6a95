//! The drivers: they carry octets and decisions between sockets, accounts, upstream and store, and decide nothing
//! themselves.
//!
//! ```text
//!   socket ⇄ Link ⇄ Conversation ── Mail ──► account task ── Account::step ──► outputs, in order
//!                        ▲                        │   ▲                           │
//!                        └──────── Outbox ◄───────┘   └── upstream, store, clock ─┘
//! ```

pub mod account;
pub mod compression;
pub mod conversation;
pub mod credentials;
pub mod fetch;
pub mod link;
pub mod lot;
pub mod mail;
pub mod outbox;
pub mod upstream;
pub mod wake;
