//! Plays a scene at real servers: whole answers, compared without regard to the order of untagged lines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use pimap_tests::dovecot::{Dovecot, PASSWORD};
use pimap_tests::gateway::Gateway;
use pimap_tests::imap::Imap;
use pimap_tests::response::{Response, read};
use pimap_tests::transcript::{Act, Captures, Party, Pattern, Script};
use pimap_tests::wait::{PATIENCE, within};
use pimap_tests::world::mail::letter;

use crate::loose::{gone, loose, name_mod_seqs};

/// A scene under way.
struct Stage<'a> {
    dovecot: &'a Dovecot,
    gateway: Option<&'a Gateway>,
    user: String,
    lines: BTreeMap<String, Imap>,
    captures: Captures,
    /// What is expected next, by connection.
    expected: BTreeMap<String, Vec<String>>,
}

/// Plays the scene with an account of its own, at the gateway or at the server itself.
pub fn play(script: &Script, dovecot: &Dovecot, gateway: Option<&Gateway>) -> Result<(), String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let user = format!("joe{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut stage = Stage {
        dovecot,
        gateway,
        user,
        lines: BTreeMap::new(),
        captures: Captures::new(),
        expected: BTreeMap::new(),
    };
    for (number, act, _) in &script.0 {
        stage.perform(act).map_err(|error| format!("line {number}: {error}"))?;
    }
    stage.hear_expected().map_err(|error| format!("at the end: {error}"))
}

impl Stage<'_> {
    fn perform(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Nothing | Act::Head(..) => Ok(()),
            Act::Send(Party::Handset(name), line) => {
                self.hear_expected()?;
                self.send(name, line)
            }
            Act::Hear(Party::Handset(name), line) => {
                self.expected.entry(name.clone()).or_default().push(line.clone());
                Ok(())
            }
            Act::HearAnyOrder(Party::Handset(name), lines) => {
                self.expected.entry(name.clone()).or_default().extend(lines.iter().cloned());
                Ok(())
            }
            Act::World(words) => {
                self.hear_expected()?;
                self.happen(words)
            }
            Act::Closes(Party::Handset(name)) => {
                self.hear_expected()?;
                match self.line(name).line_within(PATIENCE) {
                    None => Ok(()),
                    Some(line) => Err(format!("not closed, but {}", pimap_tests::transcript::show(&line))),
                }
            }
            _ => Err("upstream is real here".to_owned()),
        }
    }

    fn line(&mut self, name: &str) -> &mut Imap {
        let address = self.gateway.map_or_else(|| self.dovecot.imap(), |gateway| gateway.address("imap"));
        self.lines.entry(name.to_owned()).or_insert_with(|| Imap::connect(address))
    }

    /// Sends a line with the account's own name and password, and with mod-sequences as they were heard.
    fn send(&mut self, name: &str, line: &str) -> Result<(), String> {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words.get(1).is_some_and(|word| word == "LOGIN") {
            let device = words[2].split_once('#').map_or("", |(_, device)| device);
            let through_gateway = self.gateway.is_some() && !device.is_empty();
            words[2] = if through_gateway { format!("{}#{device}", self.user) } else { self.user.clone() };
            words.truncate(3);
            words.push(PASSWORD.to_owned());
        }
        let octets = Pattern::read(&name_mod_seqs(&words.join(" ")), false)?.fill(&self.captures)?;
        self.line(name).send(&[&octets[..], b"\r\n"].concat());
        Ok(())
    }

    /// Hears what was expected up to here on every connection.
    fn hear_expected(&mut self) -> Result<(), String> {
        for (name, expected) in std::mem::take(&mut self.expected) {
            self.hear(&name, &expected)?;
        }
        Ok(())
    }

    fn hear(&mut self, name: &str, expected: &[String]) -> Result<(), String> {
        let mut open: Vec<String> = Vec::new();
        let mut gone_expected = Vec::new();
        for line in expected {
            // A line as it would be heard: escapes and free text gone, captures kept by name.
            let raw = raw(line)?;
            match read(&raw) {
                Ok(Response::Expunge(number)) => gone_expected.push(number),
                _ => open.extend(loose(&raw).map(|text| name_mod_seqs(&text.replace("\\$", "$")))),
            }
        }
        // A `+` does not end an answer; after it what is expected is waited for.
        let last = expected.last().filter(|line| !line.starts_with(['*', '+'])).cloned();
        let last_word = last.as_deref().and_then(|line| line.split(' ').next()).map(str::to_owned);
        let mut gone_heard = Vec::new();
        let mut lines = 0;
        loop {
            let complete = last_word.is_none() && open.is_empty() && gone_heard.len() >= gone_expected.len();
            if complete {
                break;
            }
            let Some(line) = self.line(name).line_within(PATIENCE) else {
                return Err(format!("nothing more is said where {open:?} is expected"));
            };
            lines += 1;
            let ends = last_word
                .as_ref()
                .is_some_and(|word| line.starts_with(word.as_bytes()) && line.get(word.len()) == Some(&b' '));
            match (read(&line), loose(&line)) {
                (Ok(Response::Expunge(number)), _) => gone_heard.push(number),
                (_, None) => {}
                (_, Some(text)) => {
                    let found = open.iter().position(|expected| {
                        Pattern::read(expected, false)
                            .is_ok_and(|pattern| pattern.matches(&unescaped(&text), &mut self.captures))
                    });
                    match found {
                        Some(at) => drop(open.remove(at)),
                        None if may_be_added(&text) => {}
                        None => return Err(format!("heard {text}\n  where {open:?} is expected")),
                    }
                }
            }
            if ends {
                break;
            }
        }
        if !open.is_empty() {
            return Err(format!("{open:?} was not said in {lines} lines"));
        }
        if gone(&gone_heard) != gone(&gone_expected) {
            return Err(format!("went {gone_heard:?} instead of {gone_expected:?}"));
        }
        Ok(())
    }

    /// Acts of another client, past the gateway.
    fn happen(&mut self, words: &str) -> Result<(), String> {
        let words: Vec<&str> = words.split(' ').collect();
        let mut other = self.dovecot.login(&self.user);
        match words[..] {
            ["mailbox", name] => drop(other.ok(&format!("CREATE \"{name}\""))),
            ["deliver", mailbox, ref options @ ..] => {
                let option =
                    |name: &str| options.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
                let message =
                    letter(option("from").unwrap_or("anna"), option("subject").unwrap_or("hello"), "x");
                let flags = option("flags").unwrap_or_default().replace("\\\\", "\\").replace(',', " ");
                other.append(mailbox, &flags, &message);
            }
            ["flag", mailbox, uid, change] => {
                let uid = uid.parse().map_err(|_| "no UID")?;
                let (sign, flag) = change.split_at(1);
                other.flag(mailbox, uid, &format!("{sign}FLAGS ({})", flag.replace("\\\\", "\\")));
            }
            ["expunge", mailbox, ref uids @ ..] => {
                for uid in uids {
                    other.expunge(mailbox, uid.parse().map_err(|_| "no UID")?);
                }
            }
            ["holds", mailbox, ref expected @ ..] => {
                let held = other.truth(mailbox).messages;
                let held: Vec<u32> = held.iter().map(|(uid, _)| *uid).collect();
                let expected: Vec<u32> =
                    expected.iter().filter_map(|item| item.split(':').next()?.parse().ok()).collect();
                if held != expected {
                    return Err(format!("{mailbox} holds {held:?}"));
                }
            }
            _ => return Err(format!("no act of a real world: {}", words.join(" "))),
        }
        match words.get(1) {
            Some(mailbox) => self.settle(mailbox, &mut other),
            None => Ok(()),
        }
    }

    /// Until the gateway knows what has happened: a session of its own that looks is told by the same mirror as all others.
    fn settle(&self, mailbox: &str, other: &mut Imap) -> Result<(), String> {
        let Some(gateway) = self.gateway else { return Ok(()) };
        let truth = other.truth(mailbox);
        let mut side = Imap::login(gateway.address("imap"), &self.user, PASSWORD);
        let known = within(PATIENCE, || (side.truth(mailbox) == truth).then_some(()));
        known.ok_or_else(|| format!("the gateway does not learn what happened in {mailbox}"))
    }
}

/// What a server may say that was not asked for (RFC 7162 3.1.2.1, 3.2.11).
fn may_be_added(text: &str) -> bool {
    text.starts_with("* OK [HIGHESTMODSEQ ") || text == "* OK [CLOSED]"
}

/// An expected line as octets; captures stay as they are written.
fn raw(line: &str) -> Result<Vec<u8>, String> {
    let line = line.strip_suffix("...").unwrap_or(line).replace("...]", "]");
    let mut captures = Captures::new();
    // Each name stands for itself here.
    for word in line.split(|letter: char| !(letter == '$' || letter == '_' || letter.is_ascii_lowercase())) {
        if let Some(name) = word.strip_prefix('$').filter(|name| !name.is_empty()) {
            captures.insert(name.to_owned(), word.as_bytes().to_vec());
        }
    }
    Pattern::read(&line, false)?.fill(&captures)
}

/// Text that [`loose`] wrote, with its escapes undone.
fn unescaped(text: &str) -> Vec<u8> {
    let filled = Pattern::read(text, false).and_then(|pattern| pattern.fill(&Captures::new()));
    filled.unwrap_or_else(|_| text.as_bytes().to_vec())
}
