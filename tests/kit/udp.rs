//! The handset's side of the UDP channel: HELLO and the datagrams that wake it (P-IMAP 5.1.6, B.2).
//!
//! Seals with its own few lines from the cipher's text (AES-128-CBC, PKCS#7, a random IV in front, base64) and checks
//! them against the vectors of OpenSSL, so that the gateway's sealing is not tested with itself.

use std::net::{SocketAddr, UdpSocket};

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::Pkcs7};

use crate::wait::PATIENCE;

const BLOCK: usize = 16;

/// A handset's UDP socket.
#[derive(Debug)]
pub struct Bell {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Bell {
    /// A socket that talks to the gateway's notification service.
    pub fn new(gateway: SocketAddr) -> Bell {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a UDP socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        Bell { socket, gateway }
    }

    /// Sends `HELLO device sealed-device` and gives the answer.
    pub fn hello(&self, device: &str, key: &[u8; BLOCK]) -> Option<String> {
        self.send(&format!("HELLO {device} {}", seal(key, &rand::random(), device.as_bytes())));
        self.hear()
    }

    /// The address it sends from.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("the address of a bound socket")
    }

    /// Sends a datagram.
    pub fn send(&self, text: &str) {
        self.socket.send_to(text.as_bytes(), self.gateway).expect("a datagram that leaves");
    }

    /// The next datagram from the gateway; nothing when none comes in time.
    pub fn hear(&self) -> Option<String> {
        let mut buffer = [0; 2048];
        loop {
            let (length, sender) = self.socket.recv_from(&mut buffer).ok()?;
            if sender == self.gateway {
                return Some(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
    }

    /// How long [`Bell::hear`] waits.
    pub fn patience(&self, limit: std::time::Duration) {
        self.socket.set_read_timeout(Some(limit)).expect("a read timeout");
    }
}

/// The key that `PIMAP_ENC_KEY (…)` hands out.
pub fn key(text: &str) -> Option<[u8; BLOCK]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// base64 of the IV and the AES-128-CBC ciphertext.
pub fn seal(key: &[u8; BLOCK], iv: &[u8; BLOCK], plain: &[u8]) -> String {
    let sealed = cbc::Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain);
    STANDARD.encode([iv.as_slice(), &sealed].concat())
}

/// What was sealed; nothing when it was not sealed with that key.
pub fn open(key: &[u8; BLOCK], sealed: &str) -> Option<Vec<u8>> {
    let octets = STANDARD.decode(sealed).ok()?;
    let (iv, sealed) = octets.split_first_chunk::<BLOCK>()?;
    cbc::Decryptor::<Aes128>::new(key.into(), iv.into()).decrypt_padded_vec::<Pkcs7>(sealed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealing_agrees_with_the_vectors_of_openssl() {
        let key = key("AAECAwQFBgcICQoLDA0ODw==").expect("a key");
        let iv = std::array::from_fn(|at| 0x10 + at as u8);
        assert_eq!(seal(&key, &iv, b"P6505551234"), "EBESExQVFhcYGRobHB0eH0QHjo9SXEVVzMLpbSHbwJ8=");
        let address = open(&key, "EBESExQVFhcYGRobHB0eHyf9WYnAX6H6PoZ4pKNagow=");
        assert_eq!(address.as_deref(), Some(&b"192.0.2.7:5143"[..]));
        assert_eq!(open(&key, "EBESExQVFhcYGRobHB0eHw=="), None);
    }
}
