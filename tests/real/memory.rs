//! Law 5: a body is streamed through, never held.

use std::io::{Read, Write};
use std::net::TcpStream;

use pimap_tests::wait::PATIENCE;

use crate::stage::Stage;

/// A mail of this size.
const MAIL_MIB: usize = 50;
/// What the gateway may grow by, in KiB.
const GROWTH_KIB_MAX: u64 = 2 * 1024;

/// A handset that reads slowly fetches a large mail: the gateway's memory stays what it was.
#[test]
fn a_large_mail_passes_through_without_being_held() {
    let mut stage = Stage::new();
    let line = "All work and no play makes a mail of some length, if one goes on with it.\r\n";
    let mut message = String::from("From: a@example.org\r\nSubject: large\r\n\r\n");
    message.push_str(&line.repeat((MAIL_MIB << 20) / line.len()));
    let mut other = stage.dovecot.login("joe");
    other.append("INBOX", "", message.as_bytes());
    let mut stream = TcpStream::connect(stage.gateway.address("imap")).expect("imap");
    stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let mut buffer = vec![0; 64 << 10];
    let mut until = |stream: &mut TcpStream, wanted: &str, mut each: Box<dyn FnMut(usize) + '_>| {
        let mut total = 0;
        let mut tail = Vec::new();
        while !tail.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            let length = stream.read(&mut buffer).expect("octets");
            assert!(length > 0, "the connection ended after {total} octets");
            total += length;
            tail.extend_from_slice(&buffer[..length]);
            let surplus = tail.len().saturating_sub(512);
            tail.drain(..surplus);
            each(total);
        }
        total
    };
    // A first, small reading warms everything up.
    stream
        .write_all(b"a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc FETCH 1 (BODY.PEEK[]<0.100000>)\r\n")
        .expect("commands");
    until(&mut stream, "\r\nc OK", Box::new(|_| {}));
    let before = stage.gateway.resident_kib();
    let mut most = before;
    stream.write_all(b"d FETCH 1 (BODY.PEEK[])\r\n").expect("a command");
    let mut next = 1 << 20;
    let gateway = &mut stage.gateway;
    let watch = |total| {
        if total >= next {
            next += 1 << 20;
            most = most.max(gateway.resident_kib());
        }
    };
    let total = until(&mut stream, "\r\nd OK", Box::new(watch));
    assert!(total > message.len(), "{total} octets of {}", message.len());
    assert!(most - before < GROWTH_KIB_MAX, "grew from {before} to {most} KiB");
}

/// A large message goes up the same way.
#[test]
fn a_large_append_passes_through_without_being_held() {
    let mut stage = Stage::new();
    let mut client = stage.client("joe#P1");
    client.append("INBOX", "", &[b"Subject: small\r\n\r\n".as_slice(), &[b'x'; 100_000]].concat());
    let before = stage.gateway.resident_kib();
    let message = [b"Subject: large\r\n\r\n".as_slice(), &vec![b'x'; 30 << 20]].concat();
    client.append("INBOX", "", &message);
    let after = stage.gateway.resident_kib();
    assert!(after.saturating_sub(before) < GROWTH_KIB_MAX, "grew from {before} to {after} KiB");
    let mut other = stage.dovecot.login("joe");
    other.ok("EXAMINE INBOX");
    let told = crate::stage::untagged(&other.ok("FETCH 2 (RFC822.SIZE)"));
    assert!(told.contains(&format!("RFC822.SIZE {}", message.len())), "{told}");
}
