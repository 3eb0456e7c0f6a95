//! Cipher profile PX1 (digest 8.3): AES-128-CBC, PKCS#7 padding, IV in front, base64.
//!
//! In: keys, plain octets, text of strangers. Out: text, plain octets, or nothing. The profile is the draft's
//! and has no integrity: what comes out of [`Key::open`] is as untrusted as what went in. 3DES and RC4 are
//! refused (design D13).
//!
//! Whoever knows the plain octets of any ciphertext under a key can change its IV so that its *last block*
//! becomes the end of another one-block text. A check of "decrypts to what is expected" is therefore worth
//! something only together with a memory of last blocks, see [`Sealed::last_block`] and `udp::machine`.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use pimap_types::Secret;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Octets of a key.
pub const KEY_BYTES: usize = 16;
/// Octets of a block, and of an IV.
pub const BLOCK_BYTES: usize = 16;

/// A block of ciphertext, or an IV.
pub type Block = [u8; BLOCK_BYTES];

/// A device key. Never prints; wiped on drop.
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// Takes the raw octets; `None` when they are not [`KEY_BYTES`].
    pub fn new(secret: &Secret) -> Option<Self> {
        let octets: [u8; KEY_BYTES] = secret.expose().try_into().ok()?;
        Some(Self(Zeroizing::new(octets)))
    }

    /// Encrypts under an IV, which the caller draws at random for each text.
    pub fn seal(&self, iv: Block, plain: &[u8]) -> Sealed {
        let cipher = cbc::Encryptor::<Aes128>::new(&(*self.0).into(), &iv.into());
        let mut octets = iv.to_vec();
        octets.extend(cipher.encrypt_padded_vec::<Pkcs7>(plain));
        Sealed(octets)
    }

    /// Encrypts under an IV that follows from key and text: equal texts give equal ciphertexts. For texts
    /// that are public anyway, where a fixed ciphertext means that its blocks can be recognised when somebody
    /// hands them back.
    pub fn seal_public(&self, plain: &[u8]) -> Sealed {
        let mut hash = Sha256::new();
        hash.update(b"pimap px1 public");
        hash.update(&self.0[..]);
        hash.update(plain);
        let mut iv = Block::default();
        iv.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        self.seal(iv, plain)
    }

    /// Decrypts; `None` when the padding is wrong.
    pub fn open(&self, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let (iv, body) = sealed.0.split_first_chunk::<BLOCK_BYTES>()?;
        let cipher = cbc::Decryptor::<Aes128>::new(&(*self.0).into(), &(*iv).into());
        cipher.decrypt_padded_vec::<Pkcs7>(body).ok().map(Zeroizing::new)
    }

    /// Whether `sealed` decrypts to exactly `plain`. Decided by encrypting `plain` under the same IV and
    /// comparing in constant time, so that neither padding nor the first differing octet shows in the time
    /// taken.
    pub fn proves(&self, sealed: &Sealed, plain: &[u8]) -> bool {
        let Some(iv) = sealed.0.first_chunk::<BLOCK_BYTES>() else { return false };
        self.seal(*iv, plain).0.ct_eq(&sealed.0).into()
    }
}

/// A ciphertext: an IV and at least one whole block. Its `Display` is the base64 text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Reads base64 (RFC 4648 4, padded, no line breaks); `None` for other text and for octets that are no
    /// such ciphertext. The caller bounds the length.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let octets = STANDARD.decode(text).ok()?;
        let whole = octets.len() >= 2 * BLOCK_BYTES && octets.len().is_multiple_of(BLOCK_BYTES);
        whole.then_some(Self(octets))
    }

    /// The ciphertext's blocks without the IV.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.0.as_chunks::<BLOCK_BYTES>().0.iter().skip(1)
    }

    /// The last block. Under one key and for one plain text it determines the whole ciphertext, IV included,
    /// so a memory of last blocks is a memory of ciphertexts.
    pub fn last_block(&self) -> Block {
        self.blocks().last().copied().unwrap_or_default()
    }

    /// The length of the text that [`fmt::Display`] writes.
    pub fn text_len(&self) -> usize {
        self.0.len().div_ceil(3) * 4
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The key of digest 8.3, `AAECAwQFBgcICQoLDA0ODw==`.
    fn key() -> Key {
        Key::new(&Secret::new((0u8..16).collect::<Vec<_>>())).unwrap()
    }

    const IV: Block = [16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];

    /// Vectors of digest 8.1, 8.3 and 17.3, made with OpenSSL.
    const VECTORS: [(&str, &str); 4] = [
        ("P6505551234", "EBESExQVFhcYGRobHB0eH0QHjo9SXEVVzMLpbSHbwJ8="),
        ("192.0.2.7:5143", "EBESExQVFhcYGRobHB0eHyf9WYnAX6H6PoZ4pKNagow="),
        (
            "* 12 FETCH (FLAGS (\\Seen) UID 77)\r\n",
            "EBESExQVFhcYGRobHB0eH/NX+h9lLbiPTg9kyb26HzKdk+uBvuRBGqF9kf5AWhLKo94A5By7Uwm/BTGNccQ58Q==",
        ),
        (
            "17 joe@foo.com NEW_MESSAGE 203,\"alice@example.org\",2004-02-20,06:40:00Z,\"Lunch?\"",
            "EBESExQVFhcYGRobHB0eH/Tp2JRNu3inPKbcGTDTlE4kWl535uU7c1VFKRx5SFEmxMcOzKGgq+UcMbYc/vRmTqmIOQvosn6vEkWsf46A\
             rby0c+TAKIyogfvg1KGxurFwk9G4XfEjZFD51RmwSQURSw==",
        ),
    ];

    #[test]
    fn vectors_of_the_profile_both_ways() {
        for (plain, text) in VECTORS {
            let sealed = key().seal(IV, plain.as_bytes());
            assert_eq!(sealed.to_string(), text);
            assert_eq!(sealed.text_len(), text.len());
            let parsed = Sealed::parse(text.as_bytes()).unwrap();
            assert_eq!(parsed, sealed);
            assert_eq!(key().open(&parsed).unwrap().as_slice(), plain.as_bytes());
            assert!(key().proves(&parsed, plain.as_bytes()));
            assert!(!key().proves(&parsed, &plain.as_bytes()[1..]));
        }
    }

    #[test]
    fn keys_of_another_length_are_refused_and_keys_do_not_print() {
        for length in [0, 15, 17, 24, 32] {
            assert!(Key::new(&Secret::new(vec![7; length])).is_none(), "{length}");
        }
        assert_eq!(format!("{:?}", key()), "Key(..)");
    }

    #[test]
    fn text_that_is_no_ciphertext() {
        for text in [
            "",
            "xxxx",
            "!!!!",
            "AAAA AAAA",
            "EBESExQVFhcYGRobHB0eHw==",
            "EBESExQVFhcYGRobHB0eH0QHjo9SXEVVzMLpbSHbwA==",
        ] {
            assert_eq!(Sealed::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn public_texts_seal_alike_under_one_key_only() {
        let other = Key::new(&Secret::new(vec![9; KEY_BYTES])).unwrap();
        let sealed = key().seal_public(b"192.0.2.7:5143");
        assert_eq!(sealed, key().seal_public(b"192.0.2.7:5143"));
        assert_ne!(sealed, key().seal_public(b"192.0.2.7:5144"));
        assert_ne!(sealed, other.seal_public(b"192.0.2.7:5143"));
        assert_eq!(key().open(&sealed).unwrap().as_slice(), b"192.0.2.7:5143");
    }

    proptest! {
        #[test]
        fn proves_agrees_with_open(octets in vec(any::<u8>(), 0..100), flip in 0usize..800) {
            let mut sealed = key().seal(IV, &octets);
            prop_assert!(key().proves(&sealed, &octets));
            if let Some(octet) = sealed.0.get_mut(flip / 8) {
                *octet ^= 1 << (flip % 8);
                prop_assert!(!key().proves(&sealed, &octets));
            }
            let opened = key().open(&sealed).map(|plain| plain.to_vec());
            prop_assert_eq!(key().proves(&sealed, &octets), opened == Some(octets));
        }

        #[test]
        fn hostile_text_is_survived(text in vec(any::<u8>(), 0..200), raw in vec(any::<u8>(), 0..200)) {
            for text in [text, STANDARD.encode(raw).into_bytes()] {
                if let Some(sealed) = Sealed::parse(&text) {
                    prop_assert_eq!(sealed.to_string().into_bytes(), text);
                    prop_assert!(!key().proves(&sealed, b"P6505551234"));
                    let _ = key().open(&sealed);
                }
            }
        }
    }
}
