//! A connection: login, and the commands that are not about messages of the open mailbox. Those are in [`messages`].

mod folders;
mod messages;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Gmail;
use super::account::Account;
use super::read::{Token, literal_at_end, tokens};
use crate::dovecot::PASSWORD;

const BEFORE: &str = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 \
     AUTH=OAUTHBEARER";
const AFTER: &str = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE \
     CONDSTORE ESEARCH LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584";
/// RFC 7888 5: what a literal that is not waited for may hold with LITERAL-.
const LITERAL_MINUS_MAX: usize = 4096;
/// How often one that idles is told what has come.
const LOOK: Duration = Duration::from_millis(40);

/// The mailbox that is open, as this connection was told of it.
struct Selected {
    name: String,
    uid_validity: u32,
    read_only: bool,
    /// UIDs by their numbers, with the mod-sequence that was told of each.
    told: Vec<(u32, u64)>,
}

/// One connection.
struct Session<'a> {
    gmail: &'a Gmail,
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    user: String,
    selected: Option<Selected>,
    condstore: bool,
    /// Of the command that is answered.
    tag: String,
}

/// How a command ended: the words after the tag.
type Ended = Result<String, String>;

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.gmail.lock().connections.get_mut(&self.user) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Serves one connection until it ends.
pub(super) fn serve(stream: TcpStream, gmail: &Gmail) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let writer = stream.try_clone()?;
    let mut session = Session {
        gmail,
        reader: BufReader::new(stream),
        writer,
        user: String::new(),
        selected: None,
        condstore: false,
        tag: String::new(),
    };
    session.say("* OK Gimap ready for requests from 127.0.0.1")?;
    while let Some(command) = session.read_command()? {
        if !session.answer(&command)? {
            break;
        }
    }
    Ok(())
}

impl Session<'_> {
    fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.writer.write_all(format!("{line}\r\n").as_bytes())
    }

    /// One command with its literals; nothing at the end, and where a literal is more than may be sent so.
    fn read_command(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut command = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            command.extend_from_slice(&line);
            let Some((length, waits)) = literal_at_end(&line) else { return Ok(Some(command)) };
            if waits {
                self.say("+ go ahead")?;
            } else if length > LITERAL_MINUS_MAX {
                self.say("* BYE literal too large")?;
                return Ok(None);
            }
            let mut literal = vec![0; length];
            self.reader.read_exact(&mut literal)?;
            command.extend_from_slice(&literal);
        }
    }

    /// Executes a command; whether the connection goes on.
    fn answer(&mut self, command: &[u8]) -> std::io::Result<bool> {
        let all = tokens(command);
        let [tag, verb, arguments @ ..] = all.as_slice() else {
            self.say("* BAD Could not parse command")?;
            return Ok(true);
        };
        let line = String::from_utf8_lossy(command);
        let said = line.trim_end().split_once(' ').map_or("", |(_, rest)| rest);
        let entry = format!("{} {said}", self.user);
        self.gmail.lock().log.push(entry);
        let (tag, verb) = (tag.text(), verb.word());
        self.tag.clone_from(&tag);
        let ended = match verb.as_str() {
            "CAPABILITY" => {
                self.say(&format!("* CAPABILITY {}", if self.user.is_empty() { BEFORE } else { AFTER }))?;
                Ok("Thats all she wrote!".into())
            }
            "ID" => {
                self.say("* ID (\"name\" \"GImap\" \"vendor\" \"somebody who resembles it\")")?;
                Ok("Success".into())
            }
            "LOGOUT" => {
                self.say("* BYE LOGOUT Requested")?;
                self.say(&format!("{tag} OK 73 good day (Success)"))?;
                return Ok(false);
            }
            "LOGIN" | "AUTHENTICATE" if self.user.is_empty() => self.login(&verb, arguments)?,
            _ if self.user.is_empty() => Err("BAD Unknown command".into()),
            "IDLE" => self.idle()?,
            _ => match self.mailbox_command(&verb, arguments)? {
                Some(ended) => ended,
                None => self.message_command(&verb, arguments)?,
            },
        };
        // RFC 3501 7.4.1: nothing is told to be gone while a command may name messages by number.
        let by_number = ["FETCH", "STORE", "SEARCH"].contains(&verb.as_str());
        if !self.user.is_empty() && !self.tell(!by_number)? {
            return Ok(false);
        }
        let throttled = if self.gmail.lock().habits.throttled { " [THROTTLED]" } else { "" };
        let line = match ended {
            Ok(text) => format!("{tag} OK {text}{throttled}"),
            Err(text) => format!("{tag} {text} (Failure)"),
        };
        self.say(&line)?;
        Ok(true)
    }

    fn login(&mut self, verb: &str, arguments: &[Token]) -> std::io::Result<Ended> {
        let shown = match (verb, arguments) {
            ("LOGIN", [user, password]) => Some((user.text(), password.text())),
            ("AUTHENTICATE", [_, initial]) => bearer(&initial.text()),
            ("AUTHENTICATE", [_]) => {
                self.say("+ ")?;
                let mut line = String::new();
                self.reader.read_line(&mut line)?;
                bearer(line.trim_end())
            }
            _ => None,
        };
        let Some((user, _)) = shown.filter(|(_, secret)| secret == PASSWORD) else {
            return Ok(Err("NO [AUTHENTICATIONFAILED] Invalid credentials".into()));
        };
        let mut shared = self.gmail.lock();
        let most = shared.habits.connections_max;
        let count = shared.connections.entry(user.clone()).or_default();
        if *count >= most {
            return Ok(Err("NO [ALERT] Too many simultaneous connections.".into()));
        }
        *count += 1;
        shared.accounts.entry(user.clone()).or_insert_with(Account::new);
        drop(shared);
        self.user = user;
        // Told by a line of its own and not by a code.
        self.say(&format!("* CAPABILITY {AFTER}"))?;
        Ok(Ok(format!("{} authenticated (Success)", self.user)))
    }

    /// Waits for DONE, and tells what comes meanwhile.
    fn idle(&mut self) -> std::io::Result<Ended> {
        self.say("+ idling")?;
        self.reader.get_ref().set_read_timeout(Some(LOOK))?;
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            match self.reader.read_until(b'\n', &mut line) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    if !self.tell(true)? {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.reader.get_ref().set_read_timeout(None)?;
        Ok(Ok("IDLE terminated (Success)".into()))
    }

    /// Works on the account.
    fn account<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        let mut shared = self.gmail.lock();
        work(shared.accounts.entry(self.user.clone()).or_insert_with(Account::new))
    }

    /// Tells what has changed in the open mailbox; `false` when that is gone, and the connection with it.
    fn tell(&mut self, gone_too: bool) -> std::io::Result<bool> {
        let Some(mut selected) = self.selected.take() else { return Ok(true) };
        let condstore = self.condstore;
        let lines = self.account(|account| {
            let label = account.labels.get(&selected.name)?;
            if label.uid_validity != selected.uid_validity {
                return None;
            }
            let mut lines = Vec::new();
            for at in (0..selected.told.len()).rev().filter(|_| gone_too) {
                if !label.entries.contains_key(&selected.told[at].0) {
                    selected.told.remove(at);
                    lines.push(format!("* {} EXPUNGE", at + 1));
                }
            }
            for (at, (uid, told)) in selected.told.iter_mut().enumerate() {
                let Some(entry) = label.entries.get(uid).filter(|entry| entry.mod_seq > *told) else {
                    continue;
                };
                *told = entry.mod_seq;
                let flags = account.flags(&selected.name, *uid).join(" ");
                let mod_seq = if condstore { format!(" MODSEQ ({told})") } else { String::new() };
                lines.push(format!("* {} FETCH (UID {uid} FLAGS ({flags}){mod_seq})", at + 1));
            }
            let last = selected.told.last().map_or(0, |(uid, _)| *uid);
            let new: Vec<(u32, u64)> =
                label.entries.range(last + 1..).map(|(uid, entry)| (*uid, entry.mod_seq)).collect();
            if !new.is_empty() {
                selected.told.extend(new);
                lines.push(format!("* {} EXISTS", selected.told.len()));
            }
            Some(lines)
        });
        let Some(lines) = lines else {
            self.say("* BYE mailbox is gone")?;
            return Ok(false);
        };
        self.selected = Some(selected);
        for line in lines {
            self.say(&line)?;
        }
        Ok(true)
    }
}

/// User and token of XOAUTH2 or OAUTHBEARER.
fn bearer(initial: &str) -> Option<(String, String)> {
    let octets = STANDARD.decode(initial).ok()?;
    let text = String::from_utf8(octets).ok()?;
    let parts: Vec<&str> = text.split('\u{1}').collect();
    let user = parts.iter().find_map(|part| {
        part.strip_prefix("user=")
            .or_else(|| part.strip_prefix("n,a=").map(|user| user.trim_end_matches(',')))
    })?;
    let token = parts.iter().find_map(|part| part.strip_prefix("auth=Bearer "))?;
    Some((user.to_owned(), token.to_owned()))
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().try_into().unwrap_or(0))
}
