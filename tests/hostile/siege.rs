//! A gateway under attack, and somebody beside it who must not notice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use pimap_tests::dovecot::{Dovecot, PASSWORD, mail};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::imap::Imap;
use pimap_tests::response::Lines;
use pimap_tests::wait::{PATIENCE, eventually, uninterrupted};

/// What an attack may cost in resident memory, KiB: buffers of connections that are still open, and what the allocator keeps.
const GROWTH_KIB: u64 = 24 * 1024;

/// A gateway with TLS before a Dovecot that has two mails for joe.
pub struct Siege {
    pub gateway: Gateway,
    _dovecot: Dovecot,
    bystander: Imap,
    resident: u64,
}

impl Siege {
    pub fn begin() -> Siege {
        let dovecot = Dovecot::start();
        ["one", "two"].iter().for_each(|subject| {
            dovecot.deliver("joe", &mail("friend@example.org", subject, "Some text."));
        });
        let mut gateway = Gateway::start_tls(Config::before(&dovecot).with("listen.imaps", "127.0.0.1:0"));
        let mut bystander = Imap::login(gateway.address("imap"), "joe#P9", PASSWORD);
        bystander.ok("SELECT INBOX");
        // What the first of all sessions sets up is no growth.
        Foe::inside(&gateway).says(b"a FETCH 1:* (FLAGS BODY.PEEK[])\r\n", "a");
        let resident = gateway.resident_kib();
        Siege { gateway, _dovecot: dovecot, bystander, resident }
    }

    /// Everything is as it was before.
    #[track_caller]
    pub fn end(mut self) {
        let begun = Instant::now();
        let reply = self.bystander.ok("UID SEARCH ALL");
        assert_eq!(reply.untagged.last().map(Vec::as_slice), Some(&b"* SEARCH 1 2"[..]));
        assert!(begun.elapsed() < Duration::from_secs(5), "the bystander waited {:?}", begun.elapsed());
        Foe::inside(&self.gateway).says(b"a NOOP\r\n", "a");
        let limit = self.resident + GROWTH_KIB;
        let gateway = &mut self.gateway;
        // What was freed is given back by and by.
        eventually("the memory is given back", || (gateway.resident_kib() <= limit).then_some(()));
        assert!(!self.gateway.log().contains("panicked"), "{}", self.gateway.log());
    }
}

/// A hostile connection.
pub struct Foe {
    stream: TcpStream,
    lines: Lines,
}

impl Foe {
    /// One that is not logged in.
    pub fn outside(gateway: &Gateway) -> Foe {
        let stream = TcpStream::connect(gateway.address("imap")).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        let mut foe = Foe { stream, lines: Lines::default() };
        foe.line().expect("a greeting");
        foe
    }

    /// One that has logged in and selected INBOX.
    pub fn inside(gateway: &Gateway) -> Foe {
        let mut foe = Foe::outside(gateway);
        foe.says(b"l LOGIN joe pw\r\n", "l");
        foe.says(b"s SELECT INBOX\r\n", "s");
        foe
    }

    /// Writes octets; a gateway that has hung up is no failure.
    pub fn send(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets);
    }

    /// Writes octets one by one, each in its own packet.
    pub fn send_slowly(&mut self, octets: &[u8]) {
        self.stream.set_nodelay(true).expect("no delay");
        octets.iter().for_each(|octet| self.send(&[*octet]));
    }

    /// Nothing more will be written.
    pub fn ends(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next line, or nothing when the gateway has hung up.
    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        let mut buffer = [0; 8192];
        loop {
            if let Some(line) = self.lines.next() {
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            match uninterrupted(|| self.stream.read(&mut buffer)) {
                Ok(0) => return None,
                Ok(length) => self.lines.push(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => {
                    panic!("no answer: {error}; {:?}", String::from_utf8_lossy(self.lines.remainder()))
                }
            }
        }
    }

    /// What came of a line that is not whole.
    pub fn unread(&self) -> &[u8] {
        self.lines.remainder()
    }

    /// Lines up to the one of this tag, that one last.
    #[track_caller]
    pub fn answer(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("it hung up after {lines:?}"));
            let ends = line.strip_prefix(tag).is_some_and(|rest| rest.starts_with(' '));
            lines.push(line);
            if ends {
                return lines;
            }
        }
    }

    /// Sends and gives the tagged line, which must be there.
    #[track_caller]
    pub fn says(&mut self, octets: &[u8], tag: &str) -> String {
        self.send(octets);
        self.answer(tag).pop().expect("a tagged line")
    }

    /// Sends what must be refused as BAD or NO, and is still heard afterwards.
    #[track_caller]
    pub fn is_refused(&mut self, octets: &[u8], tag: &str) {
        let told = self.says(octets, tag);
        let refused = told.contains(" BAD") || told.contains(" NO");
        assert!(refused, "{:?} is answered {told}", String::from_utf8_lossy(&octets[..octets.len().min(80)]));
        self.is_heard();
    }

    /// The connection is in sync and usable.
    #[track_caller]
    pub fn is_heard(&mut self) {
        let told = self.says(b"still NOOP\r\n", "still");
        assert!(told.starts_with("still OK"), "{told}");
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }
}
