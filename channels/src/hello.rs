//! HELLO, the datagram by which a device registers its address (P-IMAP 5.1.6, digest 8.4), and the answers to
//! it.
//!
//! ```text
//! hello = "HELLO" SP device-id SP enc-device-id [SP net-char]
//! ```
//!
//! In: octets of strangers. Out: a [`Hello`], or nothing. Refuses to judge keys; `udp::machine` does that.

use crate::px1::Sealed;
use pimap_types::DeviceId;

/// A datagram's octets; longer: it is no HELLO. A device ID of 64 characters needs 192, the rest is for
/// net-char.
pub const DATAGRAM_BYTES_MAX: usize = 1_024;
/// The answer to a device that has no key, or another one.
pub const INVALID: &[u8] = b"INVALID ENCRYPTION KEY";
/// The answer to a device that has proved its key, where the address would make it longer than its request
/// (F37).
pub const BARE_OK: &[u8] = b"OK";

/// A HELLO by its form; nothing is proved yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Who it claims to be.
    pub device: DeviceId,
    /// The device ID under the device's key, or `None` when what stands there cannot be the ciphertext of
    /// any: such a HELLO deserves an answer too (the draft's own example sends `xxxx`), and needs no key to
    /// be looked up.
    pub sealed: Option<Sealed>,
}

impl Hello {
    /// Reads a datagram. A line end is forgiven; net-char is not looked at, since the source address is what
    /// counts.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() > DATAGRAM_BYTES_MAX {
            return None;
        }
        let datagram = datagram.strip_suffix(b"\n").unwrap_or(datagram);
        let datagram = datagram.strip_suffix(b"\r").unwrap_or(datagram);
        let mut words = datagram.splitn(4, |octet| *octet == b' ');
        if !words.next()?.eq_ignore_ascii_case(b"HELLO") {
            return None;
        }
        let device = DeviceId::new(str::from_utf8(words.next()?).ok()?)?;
        let sealed = words.next().filter(|word| !word.is_empty())?;
        Some(Self { device, sealed: Sealed::parse(sealed) })
    }
}

/// `OK` with the address that notices will come from, sealed; or bare when it would be longer than its
/// request.
pub fn ok(address: &Sealed, request_bytes: usize) -> Vec<u8> {
    if BARE_OK.len() + 1 + address.text_len() > request_bytes {
        return BARE_OK.to_vec();
    }
    format!("OK {address}").into_bytes()
}

/// The refusal; nothing when it would be longer than its request.
pub fn invalid(request_bytes: usize) -> Option<Vec<u8>> {
    (INVALID.len() <= request_bytes).then(|| INVALID.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEALED: &str = "EBESExQVFhcYGRobHB0eH0QHjo9SXEVVzMLpbSHbwJ8=";

    #[track_caller]
    fn check(datagram: &str, device: &str, has_ciphertext: bool) {
        let hello = Hello::parse(datagram.as_bytes()).expect("a HELLO");
        assert_eq!(hello.device.as_str(), device);
        assert_eq!(hello.sealed.is_some(), has_ciphertext);
    }

    #[test]
    fn forms_that_are_read() {
        check(&format!("HELLO P6505551234 {SEALED} 192.0.2.44"), "P6505551234", true);
        check(&format!("HELLO P6505551234 {SEALED}"), "P6505551234", true);
        check(&format!("hello P1 {SEALED} \r\n"), "P1", true);
        check(&format!("HELLO P1 {SEALED}\n"), "P1", true);
        check(&format!("HELLO P1 {SEALED} any thing\0\u{e9} at all"), "P1", true);
        check("HELLO P9999999999 xxxx", "P9999999999", false);
        check("HELLO P1 ====", "P1", false);
    }

    #[test]
    fn forms_that_are_not() {
        for datagram in [
            "",
            "HELLO",
            "HELLO ",
            "HELLO P1",
            "HELLO P1 ",
            "HELLO  P1 xxxx",
            "HELLO P#1 xxxx",
            "HELLO P1  xxxx",
            " HELLO P1 xxxx",
            "HELLOP1 xxxx",
            "OK",
            "INVALID ENCRYPTION KEY",
            "a1 LOGIN joe x",
            "HELLO\tP1\txxxx",
        ] {
            assert_eq!(Hello::parse(datagram.as_bytes()), None, "{datagram}");
        }
        assert_eq!(Hello::parse(format!("HELLO {} xxxx", "a".repeat(65)).as_bytes()), None);
        let padded = |length: usize| format!("{:<1$}", format!("HELLO P1 {SEALED}"), length);
        assert!(Hello::parse(padded(DATAGRAM_BYTES_MAX).as_bytes()).is_some());
        assert_eq!(Hello::parse(padded(DATAGRAM_BYTES_MAX + 1).as_bytes()), None);
    }

    #[test]
    fn answers_are_never_longer_than_their_request() {
        let sealed = Sealed::parse(SEALED.as_bytes()).unwrap();
        assert_eq!(ok(&sealed, 47), format!("OK {SEALED}").into_bytes());
        assert_eq!(ok(&sealed, 46), b"OK");
        assert_eq!(invalid(22).as_deref(), Some(INVALID));
        assert_eq!(invalid(21), None);
    }

    proptest! {
        #[test]
        fn hostile_datagrams_are_survived(tail in proptest::collection::vec(any::<u8>(), 0..1_100)) {
            let _ = Hello::parse(&tail);
            let _ = Hello::parse(&[b"HELLO ".as_slice(), &tail].concat());
            let _ = Hello::parse(&[b"HELLO P1 ".as_slice(), &tail].concat());
        }
    }
}
