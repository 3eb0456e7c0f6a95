//! Whatever a handset sends is decoded or refused, and the refusal can be written.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use pimap_wire::decode::decode;
use pimap_wire::encode::encode;
use pimap_wire::frame::CommandBytes;

fuzz_target!(|octets: &[u8]| {
    if let Err(refused) = decode(&CommandBytes::new(Bytes::copy_from_slice(octets))) {
        let mut line = Vec::new();
        encode(&refused.response(), &mut line);
        // One line and no more: a refusal must not let the handset's octets begin a line of ours.
        assert!(line.ends_with(b"\r\n"));
        assert_eq!(line.iter().filter(|octet| matches!(octet, b'\r' | b'\n')).count(), 2);
    }
});
