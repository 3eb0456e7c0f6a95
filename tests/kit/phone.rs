//! A reference handset on real sockets: it sends what the handset wants and hears what the gateway says, and its
//! radio can be made to fail at any octet.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use crate::handset::{Handset, Kind, Request, Road};
use crate::http::{Answer, Broken, Connection, Post, Site};
use crate::response::{Lines, Response, read};
use crate::wait::{PATIENCE, uninterrupted, within};

/// What happens to one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Radio {
    /// Nothing bad.
    Good,
    /// The request is cut after so many octets.
    CutsRequest(usize),
    /// The answer is cut after so many octets of it, head included.
    CutsAnswer(usize),
}

/// A connection that several handsets share, as behind a proxy.
pub type Hop = Arc<Mutex<Option<Connection>>>;

/// Exchanges kept for whoever wants to know what happened.
const STORY_MAX: usize = 60;

/// A handset with its radio.
#[derive(Debug)]
pub struct Phone {
    /// The handset.
    pub handset: Handset,
    site: Site,
    imap: SocketAddr,
    tcp: Option<TcpStream>,
    hop: Hop,
    story: VecDeque<String>,
}

impl Phone {
    /// A handset of that kind, for a gateway at these addresses.
    pub fn new(kind: Kind, user: &str, password: &str, site: Site, imap: SocketAddr) -> Phone {
        let handset = Handset::new(kind, user, password);
        Phone { handset, site, imap, tcp: None, hop: Hop::default(), story: VecDeque::new() }
    }

    /// The last things said and heard, in the form of a transcript.
    pub fn story(&self) -> String {
        self.story.iter().map(String::as_str).collect()
    }

    fn note(&mut self, mark: &str, octets: &[u8]) {
        if self.story.len() == STORY_MAX {
            self.story.pop_front();
        }
        let lines = String::from_utf8_lossy(octets).into_owned();
        self.story.push_back(lines.lines().map(|line| format!("{mark} {line}\n")).collect());
    }

    /// Shares a hop with others.
    pub fn behind(mut self, hop: &Hop) -> Phone {
        self.hop = Arc::clone(hop);
        self
    }

    /// Sends commands; the answer is whether it came whole. A repeating library repeats by itself.
    pub fn say(&mut self, commands: &[&str], radio: Radio) -> bool {
        let request = self.handset.request(commands);
        self.exchange(&request, radio)
    }

    /// Lets the handset ask for all that it lacks, with a good radio.
    #[track_caller]
    pub fn catch_up(&mut self) {
        // By time and not by rounds: what another client removed is told within a second, and until then a message that is
        // counted cannot be fetched.
        let in_step = within(PATIENCE, || {
            let Some(request) = self.handset.catch_up() else { return Some(()) };
            self.exchange(&request, Radio::Good);
            // Whoever asked by number for a message that is gone is told so by NOOP only (RFC 3501 7.4.1).
            self.say(&["NOOP"], Radio::Good);
            None
        });
        if in_step.is_some() {
            return;
        }
        let wanted = self.handset.catch_up();
        panic!(
            "the handset never gets into step; it wants {wanted:?}; lies: {:?}\n{}",
            self.handset.replica.lies(),
            self.story()
        );
    }

    /// Loses the radio for good: the connection dies without a word. Who had one logs in on the next.
    pub fn drop_link(&mut self) {
        if let Some(stream) = self.tcp.take() {
            self.handset.turned_away();
            let _ = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
        }
    }

    fn exchange(&mut self, request: &Request, radio: Radio) -> bool {
        self.note("C:", &request.body);
        let whole = match request.road {
            Road::Tcp => self.over_tcp(request, radio),
            Road::Post | Road::SharedHop => self.over_http(request, radio),
        };
        if whole {
            self.handset.finished();
            return true;
        }
        self.note("@", format!("broken: {radio:?}").as_bytes());
        self.drop_link();
        match self.handset.broken() {
            // The library sends the same octets again; if that fails too, the handset learns of it.
            Some(repeat) => self.exchange(&repeat, Radio::Good),
            None => false,
        }
    }

    fn over_http(&mut self, request: &Request, radio: Radio) -> bool {
        let answered = match self.http_answer(request, radio) {
            Ok(answer) => Ok(answer),
            Err(Broken { heard: Some(answer), .. }) => Err(answer),
            Err(Broken { heard: None, .. }) => return false,
        };
        let (Ok(answer) | Err(answer)) = &answered;
        if let Some(cookie) = answer.cookie() {
            self.handset.keep_cookie(cookie);
        }
        if answer.status != 200 {
            // No body of P-IMAP: the handset starts over, as it would after any failure.
            self.handset.turned_away();
            return false;
        }
        let whole = answered.is_ok();
        let body = answer.body.clone();
        self.note("S:", &body);
        self.handset.hear(&body);
        whole
    }

    fn http_answer(&mut self, request: &Request, radio: Radio) -> Result<Answer, Broken> {
        let none = |error: &dyn std::fmt::Display| Broken { heard: None, reason: error.to_string() };
        let hop = Arc::clone(&self.hop);
        let mut shared = hop.lock().expect("the hop");
        let kept = if request.road == Road::SharedHop { shared.take() } else { None };
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.site.connect().map_err(|error| none(&error))?,
        };
        let octets = Post::of(request).bytes();
        let sent = match radio {
            Radio::CutsRequest(at) if at < octets.len() => {
                // Sent or not, the rest never comes.
                let _ = connection.send(&octets[..at]);
                connection.reset();
                return Err(none(&"the request was cut"));
            }
            _ => connection.send(&octets),
        };
        sent.map_err(|error| none(&error))?;
        match radio {
            Radio::CutsAnswer(at) => {
                let answer = connection.answer_within(at);
                if answer.is_err() {
                    connection.reset();
                }
                answer
            }
            _ => {
                let answer = connection.answer();
                if request.road == Road::SharedHop && answer.is_ok() {
                    *shared = Some(connection);
                }
                answer
            }
        }
    }

    fn over_tcp(&mut self, request: &Request, radio: Radio) -> bool {
        let Some(mut stream) = self.tcp.take().or_else(|| self.dial()) else { return false };
        let (octets, mut left) = match radio {
            Radio::Good => (&request.body[..], usize::MAX),
            Radio::CutsRequest(at) => (&request.body[..at.min(request.body.len())], usize::MAX),
            Radio::CutsAnswer(at) => (&request.body[..], at),
        };
        if stream.write_all(octets).is_err() || octets.len() < request.body.len() {
            return false;
        }
        let last_tag = last_tag(&request.body);
        let mut lines = Lines::default();
        let mut buffer = [0; 8192];
        loop {
            let limit = left.min(buffer.len());
            let length = match uninterrupted(|| stream.read(&mut buffer[..limit])) {
                Ok(0) | Err(_) => return false,
                Ok(length) => length,
            };
            left -= length;
            self.note("S:", &buffer[..length]);
            self.handset.hear(&buffer[..length]);
            lines.push(&buffer[..length]);
            for line in &mut lines {
                if matches!(read(&line), Ok(Response::Tagged(tag, _)) if tag == last_tag) {
                    self.tcp = Some(stream);
                    return true;
                }
            }
        }
    }

    /// A new connection, greeting heard.
    fn dial(&self) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(self.imap).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut greeting = Lines::default();
        let mut octet = [0];
        // Octet by octet, so that nothing beyond the greeting is taken from the handset.
        while greeting.next().is_none() {
            stream.read_exact(&mut octet).ok()?;
            greeting.push(&octet);
        }
        Some(stream)
    }
}

/// The tag of the last command of a body.
fn last_tag(body: &[u8]) -> String {
    let mut lines = Lines::default();
    lines.push(body);
    let last = lines.last().unwrap_or_default();
    String::from_utf8_lossy(last.split(|&byte| byte == b' ').next().unwrap_or_default()).into_owned()
}
