//! A scripted upstream for the whole gateway: a dull honest IMAP server with three messages in everybody's INBOX, which for some users
//! answers as the test says.
//!
//! Room-level tests have a fake of their own; this one is spoken to by a running gateway, hence threads and sockets. It knows
//! neither the gateway nor what would be right: what it says is what a test wants said.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is said to a command.
pub enum Answer {
    /// As the honest server does.
    Honest,
    /// These octets; `{tag}` stands for the command's tag.
    Say(Vec<u8>),
    /// The same, and then the connection is closed.
    Close(Vec<u8>),
    /// The first once, the second again and again until the gateway has had enough, or so many octets were said; then it closes.
    Flood(Vec<u8>, Vec<u8>, usize),
}

impl Answer {
    /// Lines, each ended by CRLF.
    pub fn lines(lines: &[&str]) -> Answer {
        Answer::Say(joined(lines))
    }
}

/// What the gateway said.
pub struct Said<'a> {
    /// The user that is logged in; empty before LOGIN.
    pub user: &'a str,
    /// The command without its tag; `DONE` ends IDLE.
    pub command: &'a str,
    /// How many connections of all users there were before this one.
    pub connection: usize,
}

type Script = dyn Fn(&Said<'_>) -> Answer + Send + Sync;

/// A running fake.
pub struct Fake {
    /// Where it listens.
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Starts one. It runs as long as the test's process.
    pub fn start(script: impl Fn(&Said<'_>) -> Answer + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (script, kept): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&log));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (script, log) = (Arc::clone(&script), Arc::clone(&kept));
                // An error means that the gateway hung up, which is what many of these tests are after.
                thread::spawn(move || drop(serve(stream, connection, &*script, &log)));
            }
        });
        Fake { address, log }
    }

    /// Commands of a user so far.
    pub fn said_by(&self, user: &str) -> Vec<String> {
        let log = self.log.lock().expect("the log");
        let own = |line: &String| {
            line.split_once(' ').filter(|(who, _)| *who == user).map(|(_, rest)| rest.to_owned())
        };
        log.iter().filter_map(own).collect()
    }
}

fn joined(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

fn serve(
    stream: TcpStream,
    connection: usize,
    script: &Script,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    writer.write_all(b"* OK ready\r\n")?;
    let (mut user, mut idling) = (String::new(), None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let (tag, command) = match (idling.take(), line.split_once(' ')) {
            (Some(tag), _) => (tag, line),
            (None, Some((tag, command))) => (tag.to_owned(), command),
            (None, None) => (line.to_owned(), ""),
        };
        if let Some(rest) = command.strip_prefix("LOGIN ") {
            user = rest.split(' ').next().unwrap_or_default().trim_matches('"').to_owned();
        }
        log.lock().expect("the log").push(format!("{user} {command}"));
        if command == "IDLE" {
            idling = Some(tag.clone());
        }
        let (octets, flood, close) = match script(&Said { user: &user, command, connection }) {
            Answer::Honest => (honest(command), None, command == "LOGOUT"),
            Answer::Say(octets) => (octets, None, false),
            Answer::Close(octets) => (octets, None, true),
            Answer::Flood(first, again, most) => (first, Some((again, most)), true),
        };
        writer.write_all(&with_tag(&octets, &tag))?;
        if let Some((again, most)) = flood {
            let piece = again.repeat(1 + (64 << 10) / again.len().max(1));
            for _ in 0..most / piece.len().max(1) {
                writer.write_all(&piece)?;
            }
        }
        if close {
            return Ok(());
        }
    }
}

fn with_tag(octets: &[u8], tag: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some(at) = rest.windows(5).position(|window| window == b"{tag}") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(tag.as_bytes());
        rest = &rest[at + 5..];
    }
    out.extend_from_slice(rest);
    out
}

/// What a message is.
pub fn message(uid: u32) -> String {
    format!("From: friend@example.org\r\nSubject: letter {uid}\r\n\r\nText {uid}.\r\n")
}

/// The items of a FETCH of one message, as far as they were asked for.
pub fn items(uid: u32, asked: &str) -> String {
    let text = message(uid);
    let mut items = vec![format!("UID {uid}")];
    let simple = [
        ("FLAGS", "FLAGS ()".to_owned()),
        ("INTERNALDATE", "INTERNALDATE \"22-Nov-2025 10:00:00 +0000\"".to_owned()),
        ("RFC822.SIZE", format!("RFC822.SIZE {}", text.len())),
    ];
    items.extend(simple.into_iter().filter(|(name, _)| asked.contains(name)).map(|(_, item)| item));
    if asked.contains("BODY") {
        items.push(format!("BODY[] {{{}}}\r\n{text}", text.len()));
    }
    format!("* {uid} FETCH ({})\r\n", items.join(" "))
}

/// The honest server.
pub fn honest(command: &str) -> Vec<u8> {
    let mut words = command.split(' ');
    let verb = words.next().unwrap_or_default();
    let told: Vec<String> = match verb {
        "CAPABILITY" => vec!["* CAPABILITY IMAP4rev1 IDLE UIDPLUS".to_owned()],
        "EXAMINE" | "SELECT" => [
            "* FLAGS (\\Seen \\Deleted)",
            "* 3 EXISTS",
            "* 0 RECENT",
            "* OK [PERMANENTFLAGS (\\Seen \\Deleted)] kept",
            "* OK [UIDVALIDITY 7] valid",
            "* OK [UIDNEXT 4] next",
        ]
        .map(str::to_owned)
        .to_vec(),
        "UID" if command.starts_with("UID SEARCH") => vec!["* SEARCH 1 2 3".to_owned()],
        "UID" if command.starts_with("UID FETCH") => {
            let set = command.split(' ').nth(2).unwrap_or_default();
            let all =
                (1..=3).filter(|uid| holds(set, *uid)).map(|uid| items(uid, command)).collect::<String>();
            return [all.into_bytes(), b"{tag} OK done\r\n".to_vec()].concat();
        }
        "LIST" | "LSUB" => vec![format!("* {verb} () \"/\" INBOX")],
        "STATUS" => vec!["* STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 UNSEEN 3)".to_owned()],
        "IDLE" => return b"+ idling\r\n".to_vec(),
        "LOGOUT" => vec!["* BYE so long".to_owned()],
        _ => Vec::new(),
    };
    let told = told.iter().map(String::as_str).chain(["{tag} OK done"]).collect::<Vec<_>>();
    joined(&told)
}

fn holds(set: &str, uid: u32) -> bool {
    let number = |text: &str| if text == "*" { u32::MAX } else { text.parse().unwrap_or(0) };
    set.split(',').any(|range| match range.split_once(':') {
        Some((first, last)) => (number(first)..=number(last)).contains(&uid),
        None => number(range) == uid,
    })
}
