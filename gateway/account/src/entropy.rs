//! Random values from a seed: the owner draws nothing from the operating system, so that a run can be replayed.

use pimap_types::{Secret, SessionId};
use sha2::{Digest, Sha256};

/// A generator: SHA-256 over seed and counter. With a secret seed of 32 random octets its output cannot be guessed.
#[derive(Clone)]
pub(crate) struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.counter.to_be_bytes());
        hash.finalize().into()
    }

    /// 26 base-32 characters: 130 bits (P-IMAP 5.1.4; SIDs of fixed length, digest 4.5).
    pub(crate) fn session_id(&mut self) -> SessionId {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let block = self.block();
        SessionId(block.iter().take(26).map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect())
    }

    /// A cookie: 32 hexadecimal characters, 128 bits, unrelated to the session id.
    pub(crate) fn cookie(&mut self) -> Secret {
        let block = self.block();
        let text: String = block.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Secret::new(text.into_bytes())
    }

    /// A device key for AES-128 (profile PX1).
    pub(crate) fn device_key(&mut self) -> Secret {
        Secret::new(self.block()[..16].to_vec())
    }

    /// The incarnation of a log: 53 bits, so that any language's numbers hold it, never zero.
    pub(crate) fn incarnation(&mut self) -> u64 {
        let block = self.block();
        let number = block.iter().take(7).fold(0u64, |n, b| n << 8 | u64::from(*b));
        (number >> 3) | 1
    }
}

/// SHA-256, the form in which a cookie is kept and compared.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
