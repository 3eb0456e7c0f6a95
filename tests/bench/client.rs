//! A plain IMAP client that counts octets and is quick about it. One command at a time; the tags are unlike anything
//! that stands in mail, so an answer is whole when its last line begins with one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Nothing that is measured takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is trusted on the other side; nothing: the connection is plain.
pub type Trust = Option<Arc<ClientConfig>>;

/// Octets both ways.
pub trait Link: Read + Write + Send {}
impl<T: Read + Write + Send> Link for T {}

/// Opens a connection, over TLS where something is trusted.
pub fn connect(address: SocketAddr, trust: &Trust) -> Box<dyn Link> {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
    let Some(trust) = trust else { return Box::new(stream) };
    let name = ServerName::try_from("localhost").expect("a host name");
    Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(trust), name).expect("a TLS session"), stream))
}

/// A connection, and what has crossed it.
pub struct Client {
    stream: Box<dyn Link>,
    buffer: Vec<u8>,
    tags: u32,
    /// Octets sent.
    pub up: usize,
    /// Octets received, as they came.
    pub down: Vec<u8>,
    /// Commands whose answer was awaited.
    pub round_trips: usize,
}

impl Client {
    /// Connects and logs in; the counters begin afterwards.
    pub fn login(address: SocketAddr, user: &str) -> Client {
        Client::login_over(address, &None, user)
    }

    /// The same, over TLS where something is trusted.
    pub fn login_over(address: SocketAddr, trust: &Trust, user: &str) -> Client {
        let stream = connect(address, trust);
        let mut client =
            Client { stream, buffer: vec![0; 256 << 10], tags: 0, up: 0, down: Vec::new(), round_trips: 0 };
        client.until(b"* OK ");
        client.command(&format!("LOGIN {user} pw"));
        client.forget();
        client
    }

    /// The counters begin anew.
    pub fn forget(&mut self) {
        (self.up, self.round_trips) = (0, 0);
        self.down.clear();
    }

    /// Sends a command and reads to its tagged answer, which must be OK; gives that answer's octets.
    pub fn command(&mut self, command: &str) -> &[u8] {
        self.tags += 1;
        let tag = format!("bench-{}", self.tags);
        let from = self.down.len();
        self.send(format!("{tag} {command}\r\n").as_bytes());
        self.until(format!("{tag} OK").as_bytes());
        self.round_trips += 1;
        &self.down[from..]
    }

    /// How long a command took, in microseconds.
    pub fn timed(&mut self, command: &str) -> f64 {
        let began = Instant::now();
        self.command(command);
        began.elapsed().as_secs_f64() * 1e6
    }

    /// Writes octets as they are.
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("a connection that takes octets");
        self.up += octets.len();
    }

    /// Reads until the last line begins so.
    pub fn until(&mut self, beginning: &[u8]) {
        loop {
            let read = self.stream.read(&mut self.buffer).expect("an answer in time");
            let tail = self.down.len().saturating_sub(200);
            assert!(read > 0, "the connection ended after {:?}", String::from_utf8_lossy(&self.down[tail..]));
            self.down.extend_from_slice(&self.buffer[..read]);
            let Some(lines) = self.down.strip_suffix(b"\r\n") else { continue };
            let last = &lines[lines.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1)..];
            if last.starts_with(beginning) {
                return;
            }
            assert!(!last.starts_with(b"bench-"), "{:?}", String::from_utf8_lossy(last));
        }
    }

    /// Reads whole lines until one is exactly this.
    pub fn until_line(&mut self, line: &str) {
        let wanted = format!("{line}\r\n");
        while !self.down.windows(wanted.len()).any(|octets| octets == wanted.as_bytes()) {
            let read = self.stream.read(&mut self.buffer).expect("a line in time");
            assert!(read > 0, "the connection ended before {line:?}");
            self.down.extend_from_slice(&self.buffer[..read]);
        }
    }

    /// The number after a response code's name in what was received.
    pub fn code(&self, name: &str) -> u64 {
        let text = String::from_utf8_lossy(&self.down);
        let after = text.rfind(&format!("[{name} ")).map(|at| &text[at + name.len() + 2..]);
        let digits = after.and_then(|after| after.split(']').next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}
