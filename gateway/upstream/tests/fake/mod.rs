//! A scripted upstream: answers as the test says, and as a dull honest server where it says nothing.

// Each test file is a crate of its own and uses some of these.
#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The capabilities of a fake that has not even UIDPLUS.
pub const WARY: &str = "X-NO-UIDPLUS IDLE";

/// What the script says to a command.
pub enum Answer {
    /// As the dull honest server does.
    Default,
    /// These octets; `{tag}` stands for the command's tag.
    Say(Vec<u8>),
    /// The same, and then the connection is closed.
    SayAndClose(Vec<u8>),
}

impl Answer {
    /// Lines, each ended by CRLF.
    pub fn lines(lines: &[&str]) -> Self {
        Answer::Say(joined(lines))
    }

    /// Octets as they are, then the end.
    pub fn close(octets: &str) -> Self {
        Answer::SayAndClose(octets.as_bytes().to_vec())
    }
}

fn joined(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|l| [l, "\r\n"]).collect::<String>().into_bytes()
}

/// The command without its tag, the number of the connection from 1, and all commands before.
type Script = dyn Fn(&str, usize, &[String]) -> Answer + Send + Sync;

/// A running fake.
pub struct Fake {
    pub port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// Starts a fake with these capabilities.
    pub async fn start(
        capabilities: &'static str,
        script: impl Fn(&str, usize, &[String]) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_greeting("* OK ready", capabilities, script).await
    }

    /// The same with another greeting.
    pub async fn start_with_greeting(
        greeting: &'static str,
        capabilities: &'static str,
        script: impl Fn(&str, usize, &[String]) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (script, kept): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&log));
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                number += 1;
                let (script, log) = (Arc::clone(&script), Arc::clone(&kept));
                tokio::spawn(async move {
                    let _ = serve(stream, number, greeting, capabilities, &*script, &log).await;
                    log.lock().expect("log").push(format!("{number} closed"));
                });
            }
        });
        Self { port, log }
    }

    /// Commands so far, as `connection command`.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("log").clone()
    }

    /// How many commands begin with this.
    pub fn count(&self, command: &str) -> usize {
        self.log().iter().filter(|l| l.split_once(' ').is_some_and(|(_, c)| c.starts_with(command))).count()
    }

    /// Waits until the log fits.
    pub async fn until(&self, fits: impl Fn(&[String]) -> bool) {
        let wait = async {
            while !fits(&self.log()) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await;
        assert!(waited.is_ok(), "{:#?}", self.log());
    }
}

async fn serve(
    stream: TcpStream,
    number: usize,
    greeting: &str,
    capabilities: &str,
    script: &Script,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(format!("{greeting}\r\n").as_bytes()).await?;
    let mut idling = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let (tag, command) = match (idling.take(), line.split_once(' ')) {
            (Some(tag), _) => (tag, line.to_owned()),
            (None, Some((tag, command))) => (tag.to_owned(), command.to_owned()),
            (None, None) => (line.to_owned(), String::new()),
        };
        let before = {
            let mut log = log.lock().expect("log");
            log.push(format!("{number} {command}"));
            log.clone()
        };
        if command == "IDLE" {
            idling = Some(tag.clone());
        }
        let (octets, close) = match script(&command, number, &before) {
            Answer::Default => (default(&command, capabilities), command == "LOGOUT"),
            Answer::Say(octets) => (octets, false),
            Answer::SayAndClose(octets) => (octets, true),
        };
        if octets.starts_with(b"+") {
            // What comes next answers this, and belongs to the same command.
            idling = Some(tag.clone());
        }
        stream.write_all(&replace_tag(&octets, &tag)).await?;
        stream.flush().await?;
        if close {
            return Ok(());
        }
    }
}

fn replace_tag(octets: &[u8], tag: &str) -> Vec<u8> {
    match std::str::from_utf8(octets) {
        Ok(text) => text.replace("{tag}", tag).into_bytes(),
        Err(_) => octets.to_vec(),
    }
}

fn default(command: &str, capabilities: &str) -> Vec<u8> {
    let word = command.split(' ').next().unwrap_or_default();
    if word == "CAPABILITY" {
        // A fake that says nothing of it is as good as most; see `WARY`.
        let uid_plus = if capabilities == WARY { "" } else { "UIDPLUS " };
        return joined(&[&format!("* CAPABILITY IMAP4rev1 {uid_plus}{capabilities}"), "{tag} OK done"]);
    }
    joined(match word {
        "EXAMINE" | "SELECT" => &[
            "* FLAGS (\\Seen \\Deleted)",
            "* 3 EXISTS",
            "* OK [UIDVALIDITY 7] x",
            "* OK [UIDNEXT 4] x",
            "{tag} OK [READ-WRITE] open",
        ],
        "UID" if command.starts_with("UID SEARCH") => &["* SEARCH 1 2 3", "{tag} OK found"],
        "STATUS" => &["* STATUS \"INBOX\" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7)", "{tag} OK told"],
        "IDLE" => &["+ idling"],
        "LOGOUT" => &["* BYE so long", "{tag} OK done"],
        _ => &["{tag} OK done"],
    })
}
