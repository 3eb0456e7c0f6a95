//! Octets that wait to be taken, in order; nothing is allocated while there are none.

/// See the module.
#[derive(Default)]
pub(super) struct Backlog {
    octets: Vec<u8>,
    consumed: usize,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// What waits.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[self.consumed..]
    }

    /// Takes some of it; the memory goes with the last octet.
    pub(super) fn consume(&mut self, octets: usize) {
        self.consumed += octets;
        if self.consumed >= self.octets.len() {
            *self = Self::default();
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.octets.capacity()
    }

    pub(super) fn append(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Appends what `write` writes. It is given a room of no size first, and says which size it needs.
    pub(super) fn fill(&mut self, mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>) {
        let start = self.octets.len();
        let written = match write(&mut []) {
            Ok(written) => written,
            Err(needed) => {
                self.octets.resize(start + needed, 0);
                write(&mut self.octets[start..]).unwrap_or_default()
            }
        };
        self.octets.truncate(start + written);
    }
}
