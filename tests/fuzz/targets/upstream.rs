//! Whatever an upstream server sends is framed and read or refused, within bounds (D14).

#![no_main]

use libfuzzer_sys::fuzz_target;
use pimap_wire::client::frame::{Piece, ResponseFramer};
use pimap_wire::client::response::UpstreamResponse;

fuzz_target!(|input: &[u8]| {
    let [how, octets @ ..] = input else { return };
    let mut framer = ResponseFramer::new();
    let mut response = Vec::new();
    for part in octets.chunks(usize::from(*how) + 1) {
        framer.buffer().extend_from_slice(part);
        loop {
            match framer.next_piece() {
                Ok(Some(Piece::Line { text, start, literal })) => {
                    if start {
                        response.clear();
                    }
                    response.extend_from_slice(&text);
                    if literal.is_none() {
                        let _ = UpstreamResponse::parse(&response);
                    }
                }
                Ok(Some(Piece::Literal { octets, .. })) => response.extend_from_slice(&octets),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
