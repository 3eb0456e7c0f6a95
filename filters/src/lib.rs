//! The three filters of a device: what it may see, what is worth telling at once, and which kinds of change
//! count.
//!
//! ```text
//! complete repository ─ view filter ─► mobile repository ─ notification filter ─► push repository
//!                                                                                    │
//!                        pushed or polled message event ◄─ event filter ─────────────┘
//! ```
//!
//! Holds the compiling of stored criteria ([`compile`]), their evaluation ([`evaluate`]), the classification
//! of a change ([`mod@decide`]), the question put to upstream for atoms that only it can answer
//! ([`mod@upstream_program`]), and a filter in words ([`explain`]). Refuses the grammar of criteria, which the
//! wire room owns, and everything that asks a clock or a server: today's date and the verdicts of upstream
//! come in with the call.
//!
//! Laws, each held by a test:
//! - a filter says the same of the same facts, verdicts and day, always;
//! - each kind of atom has exactly one evaluator, here or upstream, never both (F23);
//! - another conjunct never adds members;
//! - the passing of days never adds members (F31): a message enters a view by a change of its own or
//!   of the filter;
//! - what is pushed is, or was, in the view.

pub mod compile;
pub mod decide;
pub mod evaluate;
pub mod explain;
mod expression;
#[cfg(test)]
mod oracle;
pub mod upstream_program;

pub use compile::{AtomKind, Filter, FilterRefused};
pub use decide::{Change, ChangeKind, Class, Decision, What, decide, folder_event_class};
pub use upstream_program::{covering, upstream_program};
