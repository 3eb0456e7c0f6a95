//! A plain IMAP client that looks at the real server past the gateway, and changes things there as another client of
//! the account would.
//!
//! Blocking and simple: one command at a time, answers kept as they came. A refused command panics, because the
//! test that sent it cannot go on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::handset::MailboxTruth;
use crate::response::{Condition, Flags, Lines, Response, flags, read};
use crate::transcript::show;
use crate::wait::{PATIENCE, uninterrupted};

/// What a command was answered with.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The untagged lines, as they came.
    pub untagged: Vec<Vec<u8>>,
    /// The tagged line.
    pub condition: Condition,
}

impl Reply {
    /// The untagged lines that can be read.
    pub fn responses(&self) -> impl Iterator<Item = Response> + '_ {
        self.untagged.iter().filter_map(|line| read(line).ok())
    }

    /// The argument of a response code in any of the untagged lines or the tagged one.
    pub fn code(&self, name: &str) -> Option<String> {
        let tagged = self.condition.code(name).map(str::to_owned);
        tagged.or_else(|| {
            self.responses().find_map(|response| match response {
                Response::Condition(condition) => condition.code(name).map(str::to_owned),
                _ => None,
            })
        })
    }
}

/// A connection to an IMAP server, or to the gateway as if it were one.
#[derive(Debug)]
pub struct Imap {
    stream: TcpStream,
    lines: Lines,
    tags: u32,
}

impl Imap {
    /// Connects and waits for the greeting.
    pub fn connect(address: SocketAddr) -> Imap {
        let stream = TcpStream::connect(address).expect("a connection to the IMAP server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_nodelay(true).expect("no delay");
        let mut imap = Imap { stream, lines: Lines::default(), tags: 0 };
        let greeting = imap.line();
        assert!(greeting.starts_with(b"* "), "no greeting: {}", show(&greeting));
        imap
    }

    /// Connects and logs in.
    pub fn login(address: SocketAddr, user: &str, password: &str) -> Imap {
        let mut imap = Imap::connect(address);
        imap.ok(&format!("LOGIN \"{user}\" \"{password}\""));
        imap
    }

    /// Connects and logs in, if the server lets itself be talked to by now.
    pub fn try_login(address: SocketAddr, user: &str, password: &str) -> Option<Imap> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut imap = Imap { stream, lines: Lines::default(), tags: 0 };
        let greeting = imap.line_within(PATIENCE)?;
        if !greeting.starts_with(b"* OK") {
            return None;
        }
        imap.stream.write_all(format!("t0 LOGIN \"{user}\" \"{password}\"\r\n").as_bytes()).ok()?;
        loop {
            let line = imap.line_within(PATIENCE)?;
            if line.starts_with(b"t0 ") {
                return line.starts_with(b"t0 OK").then_some(imap);
            }
        }
    }

    /// The next line; panics when none comes in time.
    pub fn line(&mut self) -> Vec<u8> {
        let line = self.line_within(PATIENCE);
        line.unwrap_or_else(|| {
            panic!("no line from the IMAP server, only {:?}", show(self.lines.remainder()))
        })
    }

    /// The next line, if one comes within `limit`; nothing as well when the server closed.
    pub fn line_within(&mut self, limit: Duration) -> Option<Vec<u8>> {
        self.stream.set_read_timeout(Some(limit)).expect("a read timeout");
        let mut buffer = [0; 8192];
        loop {
            if let Some(line) = self.lines.next() {
                return Some(line);
            }
            match uninterrupted(|| self.stream.read(&mut buffer)) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.lines.push(&buffer[..length]),
            }
        }
    }

    /// Writes octets as they are.
    pub fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("a connection that takes what is written");
    }

    /// Sends one command and reads to its tagged answer.
    pub fn command(&mut self, command: &str) -> Reply {
        let tag = self.begin(command);
        self.finish(&tag)
    }

    /// Sends one command, which must succeed.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Reply {
        let reply = self.command(command);
        assert!(reply.condition.is_ok(), "{command} was answered with {:?}", reply.condition);
        reply
    }

    /// Sends one command and gives its tag; literals in it must be of the form `{n+}`.
    pub fn begin(&mut self, command: &str) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.send(format!("{tag} {command}\r\n").as_bytes());
        tag
    }

    /// Reads to the answer of that tag.
    pub fn finish(&mut self, tag: &str) -> Reply {
        let mut untagged = Vec::new();
        loop {
            let line = self.line_within(PATIENCE);
            let said = |lines: &[Vec<u8>]| lines.iter().map(|line| show(line)).collect::<Vec<_>>();
            let line = line.unwrap_or_else(|| panic!("no answer to {tag}, only {:?}", said(&untagged)));
            match read(&line) {
                Ok(Response::Tagged(answered, condition)) if answered == tag => {
                    return Reply { untagged, condition };
                }
                _ => untagged.push(line),
            }
        }
    }

    /// Everything in a mailbox: UIDVALIDITY, UIDs and flags, seen with EXAMINE so that nothing changes.
    pub fn truth(&mut self, mailbox: &str) -> MailboxTruth {
        self.truth_of(mailbox, "ALL")
    }

    /// The same, of the messages alone that match a search program (for a view filter that is one).
    pub fn truth_of(&mut self, mailbox: &str, program: &str) -> MailboxTruth {
        let examined = self.ok(&format!("EXAMINE \"{mailbox}\""));
        let uid_validity = examined.code("UIDVALIDITY").and_then(|number| number.parse().ok());
        let search = self.ok(&format!("UID SEARCH {program}"));
        let uids: Vec<u32> = search
            .responses()
            .filter_map(|response| match response {
                Response::Search(uids) => Some(uids),
                _ => None,
            })
            .flatten()
            .collect();
        let mut messages = self.flags_of("1:*");
        messages.retain(|(uid, _)| uids.contains(uid));
        // Where it is not known, CLOSE: of a mailbox opened by EXAMINE nothing is expunged.
        if !self.command("UNSELECT").condition.is_ok() {
            self.ok("CLOSE");
        }
        MailboxTruth { uid_validity: uid_validity.expect("UIDVALIDITY"), messages }
    }

    /// UIDs and flags of a UID set in the selected mailbox, ascending.
    pub fn flags_of(&mut self, set: &str) -> Vec<(u32, Flags)> {
        let reply = self.ok(&format!("UID FETCH {set} (UID FLAGS)"));
        let mut messages: Vec<(u32, Flags)> = reply
            .responses()
            .filter_map(|response| match response {
                Response::Fetch(_, fetched) => Some((fetched.uid?, fetched.flags?)),
                _ => None,
            })
            .collect();
        messages.sort();
        messages
    }

    /// Changes flags in a mailbox: `flag("INBOX", 3, "+FLAGS (\\Seen)")`.
    pub fn flag(&mut self, mailbox: &str, uid: u32, change: &str) {
        self.ok(&format!("SELECT \"{mailbox}\""));
        self.ok(&format!("UID STORE {uid} {change}"));
        self.ok("UNSELECT");
    }

    /// Removes one message for good.
    pub fn expunge(&mut self, mailbox: &str, uid: u32) {
        self.ok(&format!("SELECT \"{mailbox}\""));
        self.ok(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"));
        self.ok(&format!("UID EXPUNGE {uid}"));
        self.ok("UNSELECT");
    }

    /// Adds a message and gives its UID.
    pub fn append(&mut self, mailbox: &str, flag_list: &str, message: &[u8]) -> u32 {
        // A stored message is what was given; only its flags are normalised here.
        let list = flags(flag_list.as_bytes()).into_iter().collect::<Vec<_>>().join(" ");
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.send(format!("{tag} APPEND \"{mailbox}\" ({list}) {{{}+}}\r\n", message.len()).as_bytes());
        self.send(message);
        self.send(b"\r\n");
        let reply = self.finish(&tag);
        assert!(reply.condition.is_ok(), "APPEND was answered with {:?}", reply.condition);
        let uid = reply.condition.code.get(2).and_then(|uid| uid.parse().ok());
        uid.unwrap_or_else(|| panic!("no APPENDUID with a UID: {:?}", reply.condition))
    }

    /// Adds a message as a server without LITERAL+ and UIDPLUS takes it: waits to be asked for it, hears no UID.
    pub fn deliver(&mut self, mailbox: &str, message: &[u8]) {
        let tag = self.begin(&format!("APPEND \"{mailbox}\" {{{}}}", message.len()));
        let asked = self.line();
        assert!(asked.starts_with(b"+"), "APPEND was answered with {}", show(&asked));
        self.send(message);
        self.send(b"\r\n");
        let reply = self.finish(&tag);
        assert!(reply.condition.is_ok(), "APPEND was answered with {:?}", reply.condition);
    }

    /// Deletes a mailbox and makes it again under the same name: its UIDVALIDITY is another one afterwards.
    pub fn recreate(&mut self, mailbox: &str) {
        let before = self.truth(mailbox).uid_validity;
        self.ok(&format!("DELETE \"{mailbox}\""));
        self.ok(&format!("CREATE \"{mailbox}\""));
        let after = self.truth(mailbox).uid_validity;
        assert_ne!(before, after, "the server gives a new UIDVALIDITY");
    }
}
