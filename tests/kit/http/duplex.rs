//! A POST that stays open: commands and events flow both ways on it (P-IMAP A.3).

use std::io;
use std::time::Duration;

use super::body::Body;
use super::{Answer, Connection, Post, Site, chunk};
use crate::response::{Lines, Response, read};
use crate::transcript::show;
use crate::wait::PATIENCE;

/// An open request with its open answer.
#[derive(Debug)]
pub struct Duplex {
    connection: Connection,
    head: Answer,
    body: Body,
    lines: Lines,
    heard: Vec<u8>,
}

impl Duplex {
    /// Opens a chunked POST whose first chunk holds `commands`, and waits for the head of the answer.
    pub fn open(site: &Site, post: &Post, commands: &str) -> io::Result<Duplex> {
        let mut connection = site.connect()?;
        let mut request = post.head("Transfer-Encoding: chunked");
        if !commands.is_empty() {
            request.extend_from_slice(&chunk(commands.as_bytes()));
        }
        connection.send(&request)?;
        let (head, body) = connection.head_within(&mut usize::MAX.clone())?;
        Ok(Duplex { connection, head, body, lines: Lines::default(), heard: Vec::new() })
    }

    /// The head of the answer.
    pub fn head(&self) -> &Answer {
        &self.head
    }

    /// Sends commands in a chunk.
    pub fn say(&mut self, commands: &str) -> io::Result<()> {
        self.connection.send(&chunk(commands.as_bytes()))
    }

    /// Sends commands in chunks of one octet.
    pub fn say_bytewise(&mut self, commands: &str) -> io::Result<()> {
        commands.as_bytes().chunks(1).try_for_each(|octet| self.connection.send(&chunk(octet)))
    }

    /// The next line; `Err` says why none came.
    pub fn line(&mut self) -> Result<Vec<u8>, String> {
        self.line_within(PATIENCE)?.ok_or_else(|| "no line came in time".to_owned())
    }

    /// The next line, if one comes within `limit`; `Err` when the answer ended.
    pub fn line_within(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, String> {
        self.connection.patience(limit);
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            let unread = std::mem::take(&mut self.connection.unread);
            let mut content = Vec::new();
            self.connection.unread = self.body.feed(&unread, &mut content)?;
            self.lines.push(&content);
            self.heard.extend_from_slice(&content);
            if !content.is_empty() {
                continue;
            }
            if self.body.is_whole() {
                return Err("the answer has ended".to_owned());
            }
            match self.connection.read_some(&mut usize::MAX.clone()) {
                Ok(0) => return Err("the connection has ended".to_owned()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Lines up to the tagged answer of `tag`, that one included.
    pub fn until(&mut self, tag: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut lines = Vec::new();
        loop {
            let line = self
                .line()
                .map_err(|error| format!("waiting for {tag}: {error}; heard {}", joined(&lines)))?;
            let tagged = matches!(read(&line), Ok(Response::Tagged(answered, _)) if answered == tag);
            lines.push(line);
            if tagged {
                return Ok(lines);
            }
        }
    }

    /// Lines up to the first that reads as wanted, that one included.
    pub fn until_line(&mut self, wanted: impl Fn(&Response) -> bool) -> Result<Vec<Vec<u8>>, String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().map_err(|error| format!("{error}; heard {}", joined(&lines)))?;
            let found = read(&line).is_ok_and(|response| wanted(&response));
            lines.push(line);
            if found {
                return Ok(lines);
            }
        }
    }

    /// All octets of the body heard so far and not taken yet, as a replica wants them.
    pub fn take_heard(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.heard)
    }

    /// Ends the request body; the answer may go on.
    pub fn end(&mut self) -> io::Result<()> {
        self.connection.send(b"0\r\n\r\n")
    }

    /// The raw connection, to break it on purpose.
    pub fn into_connection(self) -> Connection {
        self.connection
    }
}

fn joined(lines: &[Vec<u8>]) -> String {
    lines.iter().map(|line| show(line)).collect::<Vec<_>>().join(" | ")
}
