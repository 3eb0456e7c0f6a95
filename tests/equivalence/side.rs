//! One client on one side: its connection, what it holds of the selected mailbox, and its answers in a form that can be
//! compared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::response::{Flags, Response, read};
use pimap_tests::transcript::show;

use crate::play::{Difference, Lens};

/// A message as a client holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub uid: Option<u32>,
    pub flags: Option<Flags>,
    /// Its subject, which tells copies of one letter from those of another.
    pub subject: Option<String>,
}

/// A client on one side.
pub struct Side {
    imap: Imap,
    lens: Lens,
    /// What it was told of the selected mailbox.
    pub held: Vec<Held>,
    /// The selected mailbox and whether it was opened by EXAMINE.
    pub selected: Option<(&'static str, bool)>,
}

/// An answer without what cannot be equal on two accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: String,
    /// Codes that a client acts on.
    pub codes: BTreeSet<String>,
    /// Places found by SEARCH.
    pub found: Option<BTreeSet<usize>>,
    /// Items of FETCH by place.
    pub items: BTreeMap<usize, BTreeMap<String, Vec<u8>>>,
    /// Lines of STATUS, LIST and LSUB.
    pub lines: BTreeSet<String>,
}

/// Codes that a client acts on, and that both sides must give alike.
const CODES: [&str; 6] = ["READ-ONLY", "READ-WRITE", "TRYCREATE", "COPYUID", "APPENDUID", "UIDNOTSTICKY"];

impl Side {
    pub fn new(address: SocketAddr, user: &str, lens: Lens) -> Side {
        let imap = Imap::login(address, user, PASSWORD);
        Side { imap, lens, held: Vec::new(), selected: None }
    }

    /// Sends one command and takes in what is told with its answer.
    pub fn say(&mut self, command: &str) -> Result<Reply, String> {
        let mut reply = self.imap.command(command);
        (self.lens)(&mut reply);
        for line in &reply.untagged {
            self.take(line).map_err(|error| format!("{command}: {}: {error}", show(line)))?;
        }
        Ok(reply)
    }

    /// The UIDs held; zero where one is not known.
    pub fn uids(&self) -> Vec<u32> {
        self.held.iter().map(|held| held.uid.unwrap_or(0)).collect()
    }

    /// A mailbox is about to be selected: nothing is held of it.
    pub fn forget(&mut self) {
        self.held.clear();
        self.selected = None;
    }

    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        match read(line)? {
            Response::Exists(count) => {
                let count = count as usize;
                if count < self.held.len() {
                    return Err(format!("EXISTS takes {} messages away", self.held.len() - count));
                }
                self.held.resize(count, Held::default());
            }
            Response::Expunge(number) => {
                let place = self.place(number)?;
                self.held.remove(place);
            }
            Response::Fetch(number, fetched) => {
                let place = self.place(number)?;
                let held = &mut self.held[place];
                if let (Some(told), Some(known)) = (fetched.uid, held.uid)
                    && told != known
                {
                    return Err(format!("message {number} had UID {known}"));
                }
                held.uid = fetched.uid.or(held.uid);
                held.flags = fetched.flags.or_else(|| held.flags.take());
            }
            _ => {}
        }
        Ok(())
    }

    fn place(&self, number: u32) -> Result<usize, String> {
        let place = (number as usize).checked_sub(1).filter(|place| *place < self.held.len());
        place.ok_or_else(|| format!("number {number} where {} messages are held", self.held.len()))
    }

    /// Everything of the selected mailbox as it is, asked for anew. What was told must not differ from it when `told` counts.
    pub fn look(&mut self, told: bool) -> Result<Vec<Held>, Difference> {
        if self.held.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.held.clone();
        let command = "FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])";
        let reply = self.say(command).map_err(Difference::Now)?;
        if !reply.condition.is_ok() {
            return Err(Difference::Now(format!("{command}: {:?}", reply.condition)));
        }
        for response in reply.responses() {
            if let Response::Fetch(number, fetched) = response
                && let Some(header) = fetched.items.get("BODY[HEADER.FIELDS (SUBJECT)]")
            {
                let place = self.place(number).map_err(Difference::Now)?;
                self.held[place].subject = Some(String::from_utf8_lossy(header).trim().to_owned());
            }
        }
        if let Some(place) = self.held.iter().position(|held| held.uid.is_none() || held.subject.is_none()) {
            return Err(Difference::Yet(format!("nothing was fetched of message {}", place + 1)));
        }
        let lied = before
            .iter()
            .zip(&self.held)
            .find(|(before, now)| told && before.flags.is_some() && before.flags != now.flags);
        match lied {
            Some((before, now)) => {
                Err(Difference::Yet(format!("told {:?}, and it is {now:?}", before.flags)))
            }
            None => Ok(self.held.clone()),
        }
    }

    /// An answer as it is compared. `items`: what was asked for by FETCH or STORE; `by_uid`: SEARCH told UIDs;
    /// `same_uids`: the sides have the same UIDs.
    pub fn answer(&self, reply: &Reply, items: &[String], by_uid: bool, same_uids: bool) -> Answer {
        let mut answer = Answer { status: reply.condition.status.clone(), ..Answer::default() };
        for code in CODES {
            let Some(argument) = reply.code(code) else { continue };
            // Of COPYUID and APPENDUID the first argument is a UIDVALIDITY.
            let uids = reply.condition.code.get(2..).unwrap_or_default().join(" ");
            answer.codes.insert(match (code, same_uids) {
                ("APPENDUID", true) => format!("{code} {uids}"),
                ("COPYUID" | "APPENDUID", _) => code.to_owned(),
                _ => format!("{code} {argument}"),
            });
        }
        for line in &reply.untagged {
            match read(line) {
                Ok(Response::Search(numbers)) => {
                    let places = numbers.iter().filter_map(|number| match by_uid {
                        true => self.held.iter().position(|held| held.uid == Some(*number)),
                        false => (*number as usize).checked_sub(1),
                    });
                    answer.found.get_or_insert_default().extend(places);
                }
                Ok(Response::Fetch(number, fetched)) => {
                    let Some(place) = (number as usize).checked_sub(1) else { continue };
                    for (name, value) in fetched.items {
                        if items.contains(&name) && (name != "UID" || same_uids) {
                            let value = if name == "FLAGS" { flag_text(&value) } else { value };
                            answer.items.entry(place).or_default().insert(name, value);
                        }
                    }
                }
                Ok(Response::Other(name)) if matches!(name.as_str(), "STATUS" | "LIST" | "LSUB") => {
                    answer.lines.insert(comparable(&show(line)));
                }
                _ => {}
            }
        }
        answer
    }
}

/// Flags in an order of their own, without `\Recent`.
fn flag_text(list: &[u8]) -> Vec<u8> {
    pimap_tests::response::flags(list).into_iter().collect::<Vec<_>>().join(" ").into_bytes()
}

/// A LIST line without what a server may leave out (RFC 3501 7.2.2), its attributes in order; names alike however quoted.
fn comparable(line: &str) -> String {
    let (Some(open), Some(close)) = (line.find('('), line.find(')')) else { return line.to_owned() };
    if line.starts_with("* STATUS") {
        return line.replace('"', "");
    }
    let mut attributes: Vec<String> =
        line[open + 1..close].split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
    // Shown, a backslash stands for itself twice.
    attributes.retain(|word| !matches!(word.trim_start_matches('\\'), "marked" | "unmarked"));
    attributes.sort();
    format!("{}({}){}", &line[..open], attributes.join(" "), line[close + 1..].replace('"', ""))
}
