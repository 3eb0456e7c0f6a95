//! Threads as THREAD answers them (RFC 5256 4): trees, written down in the order in which they are told, each place with its
//! depth. That has no recursion in it, so a thread of any depth costs what its length does.

/// A place in a thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place<N> {
    /// How many places stand above it: 0 begins a thread.
    pub depth: u32,
    /// The message; none where replies share a parent that is not among the messages.
    pub message: Option<N>,
}

/// Threads of messages that are named by `N`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Threads<N> {
    /// A place, then what stands below it, then its next sibling. The first has depth 0 and none is more than one deeper
    /// than the one before.
    pub places: Vec<Place<N>>,
}
