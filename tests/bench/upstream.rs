//! A scripted mail server: lets everybody in, has an INBOX of three small messages for each user, and says that another
//! one has come at the very moment it is told to. Without it the half second that Dovecot waits would hide what the
//! gateway adds.
//!
//! A thread for each connection. Numbers are simple on purpose: message n has UID n and mod-sequence 100 + n, and
//! nothing ever goes away.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Enough for a line and a few calls; there may be thousands.
const STACK_BYTES: usize = 128 << 10;
/// What a message's mod-sequence is above its UID.
const MOD_SEQ_BASE: u64 = 100;

/// How new mail is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Riches {
    /// NOTIFY: EXISTS, followed by the facts at once.
    Notify,
    /// Bare IDLE: EXISTS alone.
    Idle,
}

impl Riches {
    fn capabilities(self) -> &'static str {
        match self {
            Riches::Notify => "IMAP4rev1 IDLE ENABLE CONDSTORE QRESYNC NOTIFY UIDPLUS LITERAL+",
            Riches::Idle => "IMAP4rev1 IDLE ENABLE CONDSTORE QRESYNC UIDPLUS LITERAL+",
        }
    }
}

/// One user's INBOX, and who is in IDLE on it.
#[derive(Debug)]
struct Inbox {
    messages: u32,
    idlers: Vec<(u64, TcpStream)>,
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox { messages: 3, idlers: Vec::new() }
    }
}

type Inboxes = Arc<Mutex<HashMap<String, Inbox>>>;

/// The running server; it ends with the program.
pub struct Scripted {
    address: SocketAddr,
    riches: Riches,
    inboxes: Inboxes,
}

impl Scripted {
    /// Starts one on a free port.
    pub fn start(riches: Riches) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let inboxes = Inboxes::default();
        let shared = Arc::clone(&inboxes);
        thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming().flatten()) {
                let conversation =
                    Conversation { number, riches, inboxes: Arc::clone(&shared), user: String::new() };
                let serve = move || conversation.serve(&stream);
                // A connection that broke is the client's to notice.
                let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn(serve);
                spawned.expect("a thread for a connection");
            }
        });
        Scripted { address, riches, inboxes }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many are in IDLE on a user's INBOX.
    pub fn idlers(&self, user: &str) -> usize {
        lock(&self.inboxes).get(user).map_or(0, |inbox| inbox.idlers.len())
    }

    /// Tells whoever is in IDLE on that INBOX that a message has come; gives the new count.
    pub fn announce(&self, user: &str) -> u32 {
        let mut inboxes = lock(&self.inboxes);
        let inbox = inboxes.entry(user.to_owned()).or_default();
        inbox.messages += 1;
        let count = inbox.messages;
        let mut news = format!("* {count} EXISTS\r\n");
        if self.riches == Riches::Notify {
            news.push_str(&facts(count));
        }
        for (_, stream) in &mut inbox.idlers {
            stream.write_all(news.as_bytes()).expect("an idler that takes a line");
        }
        count
    }
}

fn lock(inboxes: &Inboxes) -> MutexGuard<'_, HashMap<String, Inbox>> {
    inboxes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn facts(uid: u32) -> String {
    let mod_seq = MOD_SEQ_BASE + u64::from(uid);
    format!(
        "* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE \"06-Mar-2006 09:00:00 +0000\" RFC822.SIZE 1200 \
         MODSEQ ({mod_seq}))\r\n"
    )
}

/// One connection.
struct Conversation {
    number: u64,
    riches: Riches,
    inboxes: Inboxes,
    user: String,
}

impl Conversation {
    fn serve(mut self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut out = stream;
        out.write_all(format!("* OK [CAPABILITY {}] ready\r\n", self.riches.capabilities()).as_bytes())?;
        let mut idling = None;
        let mut lines = BufReader::with_capacity(2048, stream).lines();
        while let Some(line) = lines.next() {
            let mut line = line?;
            // Literals of a LOGIN (RFC 3501 4.3), which have no line ends in them.
            while let Some(start) = line.strip_suffix('}').and(line.rfind('{')) {
                out.write_all(b"+ go on\r\n")?;
                line.truncate(start);
                line.push_str(&lines.next().unwrap_or_else(|| Ok(String::new()))?);
            }
            if let Some(tag) = idling.take() {
                self.idlers(|idlers, number| idlers.retain(|(known, _)| *known != number));
                out.write_all(format!("{tag} OK idled\r\n").as_bytes())?;
                continue;
            }
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            if command == "IDLE" {
                idling = Some(tag.to_owned());
                let news = stream.try_clone()?;
                // Under the lock: an announcement comes after the `+` or not on this connection.
                self.idlers(|idlers, number| {
                    let begun = (&news).write_all(b"+ idling\r\n");
                    idlers.push((number, news));
                    begun
                })?;
                continue;
            }
            let answer = self.answer(command);
            out.write_all(answer.replace("{tag}", tag).as_bytes())?;
            if command == "LOGOUT" {
                break;
            }
        }
        self.idlers(|idlers, number| idlers.retain(|(known, _)| *known != number));
        Ok(())
    }

    fn idlers<T>(&self, change: impl FnOnce(&mut Vec<(u64, TcpStream)>, u64) -> T) -> T {
        change(&mut lock(&self.inboxes).entry(self.user.clone()).or_default().idlers, self.number)
    }

    fn messages(&self) -> u32 {
        lock(&self.inboxes).entry(self.user.clone()).or_default().messages
    }

    /// The answer, with `{tag}` for its tag.
    fn answer(&mut self, command: &str) -> String {
        let words: Vec<&str> = command.split(' ').collect();
        let untagged = match words[..] {
            ["LOGIN", user, ..] => {
                self.user = user.trim_matches('"').to_owned();
                String::new()
            }
            ["CAPABILITY"] => format!("* CAPABILITY {}\r\n", self.riches.capabilities()),
            ["ENABLE", ..] => "* ENABLED QRESYNC CONDSTORE\r\n".to_owned(),
            ["EXAMINE" | "SELECT", ..] => self.open(command),
            ["STATUS", mailbox, ..] => {
                let count = self.messages();
                let (next, mod_seq) = (count + 1, MOD_SEQ_BASE + u64::from(count));
                format!(
                    "* STATUS {mailbox} (MESSAGES {count} UIDNEXT {next} UIDVALIDITY 7 HIGHESTMODSEQ {mod_seq})\r\n"
                )
            }
            ["LIST", ..] => "* LIST () \"/\" INBOX\r\n".to_owned(),
            ["LOGOUT"] => "* BYE so long\r\n".to_owned(),
            ["UID", "SEARCH", ..] => {
                let all: Vec<String> = (1..=self.messages()).map(|uid| uid.to_string()).collect();
                format!("* SEARCH {}\r\n", all.join(" "))
            }
            ["UID", "FETCH", set, ..] => self.fetch(set, since(command, "(CHANGEDSINCE ")),
            _ => String::new(),
        };
        format!("{untagged}{{tag}} OK done\r\n")
    }

    fn open(&self, command: &str) -> String {
        let count = self.messages();
        let mut told = format!(
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* {count} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n\
             * OK [UIDNEXT {}] x\r\n* OK [HIGHESTMODSEQ {}] x\r\n\
             * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] x\r\n",
            count + 1,
            MOD_SEQ_BASE + u64::from(count),
        );
        if command.contains("(QRESYNC ") {
            told.push_str(&self.fetch("1:*", since(command, "(7 ")));
        }
        told
    }

    /// Facts of the messages in a UID set that are above a mod-sequence.
    fn fetch(&self, set: &str, since: u64) -> String {
        let count = self.messages();
        let number = |text: &str| text.parse().unwrap_or(count);
        let ranges = set.split(',').map(|range| range.split_once(':').unwrap_or((range, range)));
        ranges
            .flat_map(|(first, last)| number(first).min(count)..=number(last).min(count))
            .filter(|uid| MOD_SEQ_BASE + u64::from(*uid) > since)
            .map(facts)
            .collect()
    }
}

/// The number after a word of a command; zero when the word is not there.
fn since(command: &str, word: &str) -> u64 {
    let after = command.split_once(word).map_or("", |(_, after)| after);
    after.split(|letter: char| !letter.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
}
