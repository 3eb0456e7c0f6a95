//! The session log: what one handset was told of its mailboxes, what it has not been told yet, and what it is known to
//! have received. The heart of law 1.
//!
//! Holds positions, marks, offers, the client view and the records by which a repeated request is recognised. Refuses
//! everything else: it knows no upstream, no filters, no connections, no clock. In go facts by UID; out come responses
//! rendered as the difference between client view and live view (design D5), and rows for the store.
//!
//! ```text
//!   fact ──► mark (untold, one per UID) ──► offer (written, unacknowledged) ──► acknowledged (forgotten)
//!                     ▲                                │
//!                     └────── cursor before it ────────┘      no cursor: repeated, or RESYNC
//! ```
//!
//! Reading order: [`mark`], [`told`], [`offer`], [`log`], [`repeat`], [`takeover`], `saved`, [`rows`], [`codec`].

pub mod codec;
pub mod log;
pub mod mark;
pub mod offer;
pub mod repeat;
pub mod rows;
mod saved;
pub mod takeover;
pub mod told;

pub use log::{Baseline, Departures, Flush, SessionLog, Wanted};
pub use mark::{Class, Mark, Presence};
pub use repeat::{Repeat, RequestKey, Requests};
pub use told::Told;

#[cfg(test)]
mod tests;
