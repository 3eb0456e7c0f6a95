//! The deciding part of the upstream side: takes responses in, gives values out. No I/O, no clock, no tokio.

pub(crate) mod collect;
pub(crate) mod difference;
pub(crate) mod forward;
pub(crate) mod letter;
pub(crate) mod manners;
pub(crate) mod ordering;
pub(crate) mod watching;
pub(crate) mod within;
