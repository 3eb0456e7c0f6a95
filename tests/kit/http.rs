//! A raw HTTP/1.1 client with every byte under control: how the body is framed and cut, when the connection ends and
//! how, and both directions at once on an open request.
//!
//! Refuses comfort: it keeps no cookies, follows nothing and repeats nothing. What the gateway sends is decoded
//! (chunks, gzip) by code of its own, so that a mistake of a library cannot hide one of ours.

mod body;
mod duplex;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use self::body::Body;
use crate::handset::Request;
use crate::wait::{PATIENCE, uninterrupted};

pub use self::duplex::Duplex;

/// Where a gateway answers HTTP, and how to trust it when it is HTTPS.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its address.
    pub address: SocketAddr,
    /// TLS, if it is served.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Site {
    /// A site without TLS.
    pub fn plain(address: SocketAddr) -> Site {
        Site { address, tls: None }
    }

    /// Opens a connection to it.
    pub fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some(config) => {
                let name = ServerName::try_from("localhost").expect("a host name");
                let session = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                Wire::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        };
        Ok(Connection { wire, unread: Vec::new() })
    }

    /// One POST on a connection of its own.
    pub fn post(&self, post: &Post) -> Result<Answer, Broken> {
        let mut connection = self.connect().map_err(|error| Broken::before(&error))?;
        connection.post(post)
    }
}

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`.
    Length,
    /// Chunks of at most so many octets.
    Chunked(usize),
}

/// A POST to `/pimap`, ready to be written.
#[derive(Debug, Clone)]
pub struct Post {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    framing: Framing,
}

impl Post {
    /// A POST of commands in `application/vnd.pimap`.
    pub fn new(body: impl AsRef<[u8]>) -> Post {
        Post {
            method: "POST".to_owned(),
            path: "/pimap".to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/vnd.pimap".to_owned())],
            body: body.as_ref().to_vec(),
            framing: Framing::Length,
        }
    }

    /// What a handset wants to send.
    pub fn of(request: &Request) -> Post {
        let mut post = Post::new(&request.body);
        if let Some(cookie) = &request.cookie {
            post = post.header("Cookie", cookie);
        }
        if let Some(cursor) = &request.ack {
            post = post.header("PIMAP-Ack", cursor);
        }
        post
    }

    /// Another method and path.
    pub fn line(mut self, method: &str, path: &str) -> Post {
        (self.method, self.path) = (method.to_owned(), path.to_owned());
        self
    }

    /// Sets a header; an earlier one of that name is replaced.
    pub fn header(mut self, name: &str, value: &str) -> Post {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Allows a zipped answer.
    pub fn gzip(self) -> Post {
        self.header("Accept-Encoding", "gzip")
    }

    /// Names the request, so that a repeat of it is known as one.
    pub fn idempotency_key(self, key: &str) -> Post {
        self.header("Idempotency-Key", key)
    }

    /// Frames the body in another way.
    pub fn framing(mut self, framing: Framing) -> Post {
        self.framing = framing;
        self
    }

    /// The head alone, for a body that stays open.
    pub fn head(&self, framing: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(framing);
        head.push_str("\r\n\r\n");
        head.into_bytes()
    }

    /// The whole request as it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        match self.framing {
            Framing::Length => {
                let mut bytes = self.head(&format!("Content-Length: {}", self.body.len()));
                bytes.extend_from_slice(&self.body);
                bytes
            }
            Framing::Chunked(size) => {
                let mut bytes = self.head("Transfer-Encoding: chunked");
                for piece in self.body.chunks(size.max(1)) {
                    bytes.extend_from_slice(&chunk(piece));
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
                bytes
            }
        }
    }
}

/// One chunk of a chunked body; an empty piece would end the body.
pub fn chunk(piece: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
    bytes.extend_from_slice(piece);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body, decoded.
    pub body: Vec<u8>,
    /// The octets of the body on the wire, framing not counted.
    pub body_octets: usize,
}

impl Answer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The cookie that it sets, as it is to be returned.
    pub fn cookie(&self) -> Option<&str> {
        self.header("Set-Cookie").and_then(|value| value.split(';').next()).map(str::trim)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An answer that did not come whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What came of it, if its head did.
    pub heard: Option<Answer>,
    /// Why it ended.
    pub reason: String,
}

impl Broken {
    fn before(reason: &dyn std::fmt::Display) -> Broken {
        Broken { heard: None, reason: reason.to_string() }
    }
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.get_ref(),
        }
    }
}

/// A connection to the gateway.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    unread: Vec<u8>,
}

impl Connection {
    /// Writes octets as they are.
    pub fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.wire {
            Wire::Plain(stream) => stream.write_all(octets),
            Wire::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
        }
    }

    /// Writes one octet at a time, each in a segment of its own.
    pub fn send_bytewise(&mut self, octets: &[u8]) -> io::Result<()> {
        octets.chunks(1).try_for_each(|octet| self.send(octet))
    }

    /// A POST and its answer; the connection stays open for the next.
    pub fn post(&mut self, post: &Post) -> Result<Answer, Broken> {
        // A server may answer and close before the request is written whole: the answer counts.
        let sent = self.send(&post.bytes());
        self.answer().map_err(|broken| match sent {
            Err(error) if broken.heard.is_none() => Broken::before(&error),
            _ => broken,
        })
    }

    /// The next whole answer on this connection.
    pub fn answer(&mut self) -> Result<Answer, Broken> {
        self.answer_within(usize::MAX)
    }

    /// The answer as far as it comes in the next `octets` octets: a link that breaks at exactly that place.
    pub fn answer_within(&mut self, octets: usize) -> Result<Answer, Broken> {
        let mut left = octets;
        let (mut answer, mut body) = self.head_within(&mut left).map_err(|error| Broken::before(&error))?;
        loop {
            let unread = std::mem::take(&mut self.unread);
            let fed = body.feed(&unread, &mut answer.body);
            self.unread = fed.map_err(|reason| Broken { heard: Some(answer.clone()), reason })?;
            answer.body_octets = body.octets();
            if body.is_whole() {
                return Ok(answer);
            }
            match self.read_some(&mut left) {
                Ok(0) if body.ends_with_connection() => return Ok(answer),
                Ok(0) => {
                    let reason = "the connection ended inside the body".to_owned();
                    return Err(Broken { heard: Some(answer), reason });
                }
                Ok(_) => {}
                Err(error) => return Err(Broken { heard: Some(answer), reason: error.to_string() }),
            }
        }
    }

    /// The head of an interim answer, such as `100 Continue`, as it came.
    pub fn interim(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                self.unread.drain(..end + 4);
                return Ok(head);
            }
            if self.read_some(&mut usize::MAX.clone())? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The head of an answer, interim ones skipped; the body is still to come.
    fn head_within(&mut self, left: &mut usize) -> io::Result<(Answer, Body)> {
        loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else {
                if self.read_some(left)? == 0 {
                    let reason = "the connection ended before an answer";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
                }
                continue;
            };
            let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
            self.unread.drain(..end + 4);
            let answer =
                read_head(&head).ok_or_else(|| io::Error::other(format!("no head of an answer: {head}")))?;
            if answer.status >= 200 {
                let body = Body::of(&answer);
                return Ok((answer, body));
            }
        }
    }

    /// Reads what is there, at most `left` octets in all; 0 at the end of the connection or of `left`.
    fn read_some(&mut self, left: &mut usize) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let limit = buffer.len().min(*left);
        let read = uninterrupted(|| match &mut self.wire {
            Wire::Plain(stream) => stream.read(&mut buffer[..limit]),
            Wire::Tls(stream) => stream.read(&mut buffer[..limit]),
        });
        let length = match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        *left -= length;
        self.unread.extend_from_slice(&buffer[..length]);
        Ok(length)
    }

    /// Ends our direction alone.
    pub fn half_close(&mut self) -> io::Result<()> {
        if let Wire::Tls(stream) = &mut self.wire {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.wire.socket().shutdown(Shutdown::Write)
    }

    /// Ends the connection with a reset instead of an orderly end.
    pub fn reset(self) {
        let _ = socket2::SockRef::from(self.wire.socket()).set_linger(Some(Duration::ZERO));
    }

    /// How long a read waits.
    pub fn patience(&mut self, limit: Duration) {
        self.wire.socket().set_read_timeout(Some(limit)).expect("a read timeout");
    }
}

fn read_head(head: &str) -> Option<Answer> {
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
        .collect::<Option<Vec<_>>>()?;
    Some(Answer { status, headers, body: Vec::new(), body_octets: 0 })
}
