//! The store: where an account's rows survive the process.
//!
//! Holds the contract of a store ([`contract`]), its backends ([`memory`], [`embedded`]), and the sealing of secrets
//! before they become rows ([`seal`]). Refuses to know what a row means: keys and values are octets, coded by the room
//! that owns them. In go batches of one account, out come "durable now" and, after a restart, all rows of an account.
//!
//! Every backend must pass one battery of tests (`battery`, behind the feature of that name), so that what is tried on
//! memory is true on disk.

#[cfg(any(test, feature = "battery"))]
pub mod battery;
pub mod contract;
pub mod embedded;
pub mod memory;
pub mod seal;

pub use contract::{Answer, Loaded, Store};
pub use embedded::Embedded;
pub use memory::Memory;
pub use seal::Sealer;

#[cfg(test)]
mod scratch;
