//! The mail itself, as a modelled IMAP server keeps it, and what a search program says of a message.
//!
//! Holds mailboxes with UIDVALIDITY, UIDs, flags, dates, texts and mod-sequences. Refuses the gateway's evaluators: what
//! matches a filter is decided here a second time, from the words of RFC 3501 6.4.4 and P-IMAP 5.2.3.

use pimap_types::command::{FetchItem, StoreChange, StoreMode};
use pimap_types::search::{Field, SearchKey};
use pimap_types::set::SequenceSet;
use pimap_types::upstream::FlagsReport;
use pimap_types::upstream::UpstreamFault;
use pimap_types::{Date, Flag, Flags, MailboxName, MessageFacts, ModSeq, Uid, UidRanges, UidValidity};
use std::collections::{BTreeMap, BTreeSet};

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its flags.
    pub flags: Flags,
    /// The day of its INTERNALDATE.
    pub date: Date,
    /// Its octets.
    pub text: Vec<u8>,
    /// Its mod-sequence; kept even where the server does not tell it.
    pub mod_seq: u64,
}

/// A mailbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// UIDNEXT.
    pub uid_next: u32,
    /// HIGHESTMODSEQ.
    pub highest: u64,
    /// The messages by UID.
    pub messages: BTreeMap<u32, Message>,
}

/// All mailboxes of the account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mail {
    /// By name.
    pub mailboxes: BTreeMap<MailboxName, Mailbox>,
    /// Names that are subscribed, whether or not they are there.
    pub subscriptions: BTreeSet<MailboxName>,
    /// Mailboxes that are listed and cannot be opened.
    pub denied: BTreeSet<MailboxName>,
    validities: u32,
}

impl Mail {
    /// An empty mailbox of that name, replacing one that is there.
    pub fn create(&mut self, name: &MailboxName) {
        self.validities += 1;
        let uid_validity = UidValidity::new(100 + self.validities).expect("not zero");
        let mailbox = Mailbox { uid_validity, uid_next: 1, highest: 1, messages: BTreeMap::new() };
        self.mailboxes.insert(name.clone(), mailbox);
    }

    /// Renames a mailbox and those below it; UIDs and UIDVALIDITY go along.
    pub fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> bool {
        if self.mailboxes.contains_key(to) || !self.mailboxes.contains_key(from) {
            return false;
        }
        let below = format!("{from}/");
        let moves = |name: &&MailboxName| *name == from || name.as_str().starts_with(&below);
        let moving: Vec<MailboxName> = self.mailboxes.keys().filter(moves).cloned().collect();
        for name in moving {
            let rest = name.as_str().strip_prefix(from.as_str()).unwrap_or_default();
            if let Some(mailbox) = self.mailboxes.remove(&name) {
                self.mailboxes.insert(MailboxName::new(&format!("{to}{rest}")), mailbox);
            }
        }
        true
    }

    /// The mailbox, if it is there and may be opened.
    pub fn readable(&self, name: &MailboxName) -> Result<&Mailbox, UpstreamFault> {
        let mailbox = self.mailboxes.get(name);
        let mailbox = mailbox.ok_or_else(|| UpstreamFault::NoSuchMailbox("no such mailbox".to_owned()))?;
        if self.denied.contains(name) {
            return Err(UpstreamFault::NoAccess("permission denied".to_owned()));
        }
        Ok(mailbox)
    }
}

impl Mailbox {
    /// Takes a message in; its UID is returned.
    pub fn deliver(&mut self, text: Vec<u8>, flags: Flags, date: Date) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.highest += 1;
        self.messages.insert(uid, Message { flags, date, text, mod_seq: self.highest });
        uid
    }

    /// STORE; the UIDs that exist are returned.
    pub fn store(&mut self, uids: &UidRanges, change: &StoreChange) -> Vec<u32> {
        let mut stored = Vec::new();
        for (uid, message) in &mut self.messages {
            if !uids.iter().any(|u| u.get() == *uid) {
                continue;
            }
            let flags = match change.mode {
                StoreMode::Replace => change.flags.clone(),
                StoreMode::Add => Flags::new(message.flags.iter().chain(change.flags.iter()).cloned()),
                StoreMode::Remove => {
                    Flags::new(message.flags.iter().filter(|flag| !change.flags.contains(flag)).cloned())
                }
            };
            if flags != message.flags {
                self.highest += 1;
                message.mod_seq = self.highest;
                message.flags = flags;
            }
            stored.push(*uid);
        }
        stored
    }

    /// Removes messages; those that were there are returned.
    pub fn remove(&mut self, uids: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let gone: Vec<u32> = uids.into_iter().filter(|uid| self.messages.remove(uid).is_some()).collect();
        self.highest += u64::from(!gone.is_empty());
        gone
    }

    /// All UIDs.
    pub fn uids(&self) -> UidRanges {
        UidRanges::from_uids(self.messages.keys().filter_map(|uid| Uid::new(*uid)))
    }

    /// What a server reports of some messages; `mod_seqs`: whether it knows CONDSTORE.
    pub fn facts(&self, wanted: impl Fn(u32, &Message) -> bool, mod_seqs: bool) -> Vec<MessageFacts> {
        let facts = |(uid, message): (&u32, &Message)| {
            wanted(*uid, message).then(|| MessageFacts {
                uid: Uid::new(*uid).expect("not zero"),
                flags: message.flags.clone(),
                internal_date: message.date,
                size: message.text.len() as u32,
                mod_seq: ModSeq(if mod_seqs { message.mod_seq } else { 0 }),
            })
        };
        self.messages.iter().filter_map(facts).collect()
    }

    /// Flags of messages as FETCH or STORE report them.
    pub fn reports(&self, uids: &[u32], mod_seqs: bool) -> Vec<FlagsReport> {
        let all = self.facts(|uid, _| uids.contains(&uid), mod_seqs);
        all.into_iter().map(|f| FlagsReport { uid: f.uid, flags: f.flags, mod_seq: f.mod_seq }).collect()
    }

    /// UIDs that a program finds.
    pub fn search(&self, program: &SearchKey, today: Date) -> UidRanges {
        let last = self.messages.keys().next_back().copied().unwrap_or(0);
        let found = self.messages.iter().filter(|(uid, message)| meets(program, **uid, message, last, today));
        UidRanges::from_uids(found.filter_map(|(uid, _)| Uid::new(*uid)))
    }

    /// UIDs with `\Deleted`.
    pub fn deleted(&self) -> BTreeSet<u32> {
        let deleted = |m: &Message| m.flags.contains(&Flag::Deleted);
        self.messages.iter().filter(|(_, m)| deleted(m)).map(|(uid, _)| *uid).collect()
    }
}

/// A simple message.
pub fn letter(from: &str, subject: &str, body: &str) -> Vec<u8> {
    format!("From: {from}@example.org\r\nSubject: {subject}\r\n\r\n{body}\r\n").into_bytes()
}

/// Whether a message meets a program, taken at its word.
pub fn meets(program: &SearchKey, uid: u32, message: &Message, last: u32, today: Date) -> bool {
    let part = |key: &SearchKey| meets(key, uid, message, last, today);
    let head = |name: &str, text: &[u8]| header(message, name).is_some_and(|value| holds(value, text));
    match program {
        SearchKey::All => true,
        SearchKey::And(keys) => keys.iter().all(part),
        SearchKey::Or(a, b) => part(a) || part(b),
        SearchKey::Not(key) => !part(key),
        SearchKey::Flag(flag) => message.flags.contains(flag),
        SearchKey::Larger(n) => message.text.len() > *n as usize,
        SearchKey::Smaller(n) => message.text.len() < *n as usize,
        SearchKey::Before(date) => message.date < *date,
        SearchKey::On(date) => message.date == *date,
        SearchKey::Since(date) => message.date >= *date,
        // Whole days are all that is modelled of time.
        SearchKey::Older(seconds) => i64::from(today.0 - message.date.0) * 86_400 > i64::from(*seconds),
        SearchKey::Younger(seconds) => i64::from(today.0 - message.date.0) * 86_400 <= i64::from(*seconds),
        SearchKey::DaysBeforeToday(days) => {
            i64::from(message.date.0) >= i64::from(today.0) - i64::from(*days)
        }
        SearchKey::Field(Field::From, text) => head("From", text),
        SearchKey::Field(Field::Subject, text) => head("Subject", text),
        SearchKey::Header(name, text) => head(&String::from_utf8_lossy(name), text),
        SearchKey::Body(text) => holds(section(message, "TEXT"), text),
        SearchKey::Text(text) => holds(&message.text, text),
        SearchKey::Uid(set) => uid_in(set, uid, last),
        // Fields that no modelled message has.
        _ => false,
    }
}

fn uid_in(set: &SequenceSet, uid: u32, last: u32) -> bool {
    set.resolve(last).ranges().iter().any(|(a, b)| (*a..=*b).contains(&uid))
}

pub(super) fn header<'a>(message: &'a Message, name: &str) -> Option<&'a [u8]> {
    let lines = section(message, "HEADER").split(|octet| *octet == b'\n');
    lines.into_iter().find_map(|line| {
        let (field, value) = line.split_at(line.iter().position(|octet| *octet == b':')?);
        field.eq_ignore_ascii_case(name.as_bytes()).then(|| value[1..].trim_ascii())
    })
}

fn holds(value: &[u8], text: &[u8]) -> bool {
    let (value, text) = (value.to_ascii_lowercase(), text.to_ascii_lowercase());
    text.is_empty() || value.windows(text.len()).any(|window| window == text)
}

/// A part of a message by its section: all, HEADER or TEXT.
fn section<'a>(message: &'a Message, name: &str) -> &'a [u8] {
    let text = &message.text[..];
    let end = text.windows(4).position(|w| w == b"\r\n\r\n").map_or(text.len(), |at| at + 4);
    match name {
        "HEADER" => &text[..end],
        "TEXT" => &text[end..],
        _ => text,
    }
}

/// The items of a FETCH, as they stand between its parentheses.
pub fn items(uid: u32, message: &Message, wanted: &[FetchItem]) -> Vec<u8> {
    let mut all = Vec::new();
    for item in wanted {
        if !all.is_empty() {
            all.push(b' ');
        }
        let literal = |all: &mut Vec<u8>, name: &str, octets: &[u8]| {
            all.extend_from_slice(format!("{name} {{{}}}\r\n", octets.len()).as_bytes());
            all.extend_from_slice(octets);
        };
        match item {
            FetchItem::Flags => {
                let flags: Vec<&str> = message.flags.iter().map(Flag::as_str).collect();
                all.extend_from_slice(format!("FLAGS ({})", flags.join(" ")).as_bytes());
            }
            FetchItem::ModSeq => panic!("a handset's mod-sequences are the gateway's own"),
            FetchItem::Uid => all.extend_from_slice(format!("UID {uid}").as_bytes()),
            FetchItem::InternalDate => {
                let (year, month, day) = message.date.to_calendar();
                let name =
                    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
                let month = name[month as usize - 1];
                let text = format!("INTERNALDATE \"{day:2}-{month}-{year} 10:00:00 +0000\"");
                all.extend_from_slice(text.as_bytes());
            }
            FetchItem::Size => {
                all.extend_from_slice(format!("RFC822.SIZE {}", message.text.len()).as_bytes())
            }
            FetchItem::Envelope => {
                all.extend_from_slice(b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
            }
            FetchItem::Body | FetchItem::BodyStructure => {
                all.extend_from_slice(b"BODY (\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 2 1)");
            }
            FetchItem::Binary { part, .. } => {
                let octets = section(message, "TEXT");
                all.extend_from_slice(format!("BINARY[{part}] ~{{{}}}\r\n", octets.len()).as_bytes());
                all.extend_from_slice(octets);
            }
            FetchItem::BinarySize(part) => {
                let size = section(message, "TEXT").len();
                all.extend_from_slice(format!("BINARY.SIZE[{part}] {size}").as_bytes());
            }
            FetchItem::Rfc822 { .. } => literal(&mut all, "RFC822", &message.text),
            FetchItem::Rfc822Header => literal(&mut all, "RFC822.HEADER", section(message, "HEADER")),
            FetchItem::Rfc822Text { .. } => literal(&mut all, "RFC822.TEXT", section(message, "TEXT")),
            FetchItem::Section { section: name, partial, .. } => {
                let octets = section(message, name);
                let (from, length) = partial.map_or((0, usize::MAX), |(a, b)| (a as usize, b as usize));
                let origin = partial.map_or_else(String::new, |(from, _)| format!("<{from}>"));
                let from = from.min(octets.len());
                let octets = &octets[from..octets.len().min(from.saturating_add(length))];
                literal(&mut all, &format!("BODY[{name}]{origin}"), octets);
            }
        }
    }
    all
}
