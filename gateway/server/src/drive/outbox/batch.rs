//! What a streamed FETCH has at hand, until the outbox has room for it.

/// Octets of a streamed FETCH on their way into an outbox: as much as is at hand goes at once, since each time wakes the
/// conversation and is a packet.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) octets: Vec<u8>,
    /// Where the last message that ends in here ends.
    pub(super) last_end: Option<usize>,
    /// The message being written is not whole yet.
    pub(super) open: bool,
}

impl Batch {
    /// Begins a message.
    pub fn begin(&mut self, head: &[u8]) {
        self.octets.extend_from_slice(head);
        self.open = true;
    }

    /// Octets of the message being written.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The message is whole.
    pub fn end(&mut self, tail: &[u8]) {
        self.octets.extend_from_slice(tail);
        self.last_end = Some(self.octets.len());
        self.open = false;
    }

    /// How many octets there are.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }
}
