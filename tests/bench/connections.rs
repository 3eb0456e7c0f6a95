//! What an idle IMAP connection costs: KiB of proportional memory for each that is logged in, has INBOX selected and is in
//! IDLE; for the gateway everything that is cached for it included. Beside it HAProxy, nginx's mail proxy and Dovecot with
//! hibernation, which hold as many before the same mail server, or are it. Kernel memory of sockets is in none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use pimap_tests::gateway::Gateway;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::idle::{WARM, each, opened};
use crate::peers::memory_kib;
use crate::push::before;
use crate::report::{Aim, Report};
use crate::upstream::{Riches, Scripted};

/// Connections held.
const CONNECTIONS: usize = 4_000;
/// Connections of one account where accounts are shared.
const SHARED: usize = 32;

/// Takes the figure.
pub fn measure(report: &mut Report) {
    for (security, aim) in [(Security::None, 2.5), (Security::Tls, 6.0)] {
        let device = |number: usize| format!("u{}#P{}", number / SHARED, number % SHARED);
        let regular = |number: usize| format!("u{}", number / SHARED);
        let name = security.name();
        for (kind, login) in [("device", &device as Login), ("regular", &regular)] {
            let ours = gateway(CONNECTIONS, login, security, "");
            let what =
                format!("idle IMAP connection, {name}, {kind} login, {CONNECTIONS}, {SHARED} an account");
            report.alone(what, "KiB", ours, Some(Aim::AtMost(aim)));
        }
        let ours = gateway(CONNECTIONS, &device, security, "COMPRESS DEFLATE");
        report.alone(format!("idle IMAP connection, {name}, compressed"), "KiB", ours, None);
    }
    let own = |number: usize| format!("u{number}");
    let ours = gateway(1_000, &own, Security::None, "");
    report.alone("idle IMAP connection, plain, 1000, each its own account", "KiB", ours, None);
}

/// The name a connection logs in by.
type Login<'a> = &'a (dyn Fn(usize) -> String + Sync);

/// What protects a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    None,
    Tls,
}

impl Security {
    fn name(self) -> &'static str {
        match self {
            Security::None => "plain",
            Security::Tls => "TLS",
        }
    }
}

/// KiB for each connection. `last` is a command before IDLE, where there is one.
fn gateway(connections: usize, login: Login<'_>, security: Security, last: &str) -> f64 {
    let server = Scripted::start(Riches::Notify);
    let config = before(server.address().port()).with("listen.imaps", "127.0.0.1:0");
    let (mut gateway, listener) = match security {
        Security::None => (Gateway::start(before(server.address().port())), "imap"),
        Security::Tls => (Gateway::start_tls(config), "imaps"),
    };
    let (address, trust) = (gateway.address(listener), gateway.site().tls);
    let hold = |number| Idler::new(address, trust.clone(), &login(number), last);
    let held: Vec<Idler> = opened(0..WARM, hold);
    let process = gateway.process_id();
    let before = memory_kib(process);
    let more: Vec<Idler> = opened(WARM..WARM + connections, hold);
    let after = memory_kib(process);
    drop((held, more));
    each(after - before, connections)
}

/// A connection in IDLE.
struct Idler {
    _link: Box<dyn Link>,
}

trait Link: Read + Write + Send {}
impl<T: Read + Write + Send> Link for T {}

impl Idler {
    fn new(address: SocketAddr, trust: Option<Arc<ClientConfig>>, login: &str, last: &str) -> Idler {
        let stream = TcpStream::connect(address).expect("an IMAP connection");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(pimap_tests::wait::PATIENCE)).expect("a read timeout");
        let mut link: Box<dyn Link> = match trust {
            None => Box::new(stream),
            Some(trust) => {
                let name = ServerName::try_from("localhost").expect("a host name");
                Box::new(StreamOwned::new(ClientConnection::new(trust, name).expect("a TLS session"), stream))
            }
        };
        until(&mut link, "* OK ");
        let compresses = last.starts_with("COMPRESS");
        for (command, answer) in
            [(&*format!("LOGIN {login} pw"), "a OK"), ("SELECT INBOX", "a OK"), (last, "a OK")]
        {
            if !command.is_empty() {
                link.write_all(format!("a {command}\r\n").as_bytes())
                    .expect("a connection that takes commands");
                until(&mut link, answer);
            }
        }
        if compresses {
            let mut compress = flate2::Compress::new(flate2::Compression::default(), false);
            let mut octets = Vec::with_capacity(128);
            let flush = flate2::FlushCompress::Sync;
            compress.compress_vec(b"a IDLE\r\n", &mut octets, flush).expect("a compressed command");
            link.write_all(&octets).expect("a connection that takes commands");
            let read = link.read(&mut [0; 256]).expect("an answer to IDLE");
            assert!(read > 0, "the connection ended");
        } else {
            link.write_all(b"a IDLE\r\n").expect("a connection that takes commands");
            until(&mut link, "+ ");
        }
        Idler { _link: link }
    }
}

/// Reads until the last line begins so.
fn until(link: &mut impl Read, beginning: &str) {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = link.read(&mut buffer).expect("an answer in time");
        heard.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&heard);
        assert!(read > 0, "the connection ended after {text:?}");
        if text.ends_with("\r\n") && text.lines().last().is_some_and(|line| line.starts_with(beginning)) {
            return;
        }
        assert!(!text.contains("a NO ") && !text.contains("a BAD "), "{text:?}");
    }
}
