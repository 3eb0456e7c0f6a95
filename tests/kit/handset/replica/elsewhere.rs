//! What a handset with NOTIFY does besides (RFC 5465): it holds how many messages there are in mailboxes that it does not look at, as
//! STATUS lines tell it unasked. What it puts somewhere itself it is not told of (RFC 5465 5), so there it is in doubt until it asks.

use super::{MailboxTruth, Replica};
use std::collections::BTreeMap;

/// The mailboxes elsewhere, and what was said that concerns them.
#[derive(Debug, Clone, Default)]
pub(super) struct Elsewhere {
    /// NOTIFY was answered with OK on this connection.
    set: bool,
    mailboxes: BTreeMap<String, Counted>,
    said: BTreeMap<String, Said>,
}

/// What is held of one.
#[derive(Debug, Clone, Default)]
struct Counted {
    messages: u32,
    uid_next: u32,
    uid_validity: u32,
    in_doubt: bool,
}

/// What a command of the handset's own means here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Notify,
    Status(String),
    /// It changes how many messages are in these.
    Changes(Vec<String>),
    /// It leaves this mailbox without changing it.
    Leaves,
}

impl Elsewhere {
    fn doubt(&mut self, names: &[String]) {
        for name in names {
            self.mailboxes.entry(name.clone()).or_default().in_doubt = true;
        }
    }

    /// `* STATUS name (…)`.
    fn status(&mut self, rest: &str, asked: Option<&str>) -> Result<(), String> {
        let (name, items) = rest.split_once(" (").ok_or("STATUS without a list")?;
        let name = name.trim_matches('"');
        let asked = asked == Some(name);
        let asking = asked || self.set || self.said.values().any(|said| *said == Said::Notify);
        if !asking {
            return Err(format!("STATUS of {name}, and NOTIFY was never set"));
        }
        let words: Vec<&str> = items.trim_end_matches(')').split(' ').collect();
        let number = |item: &str| {
            let at = words.iter().position(|word| *word == item)?;
            words.get(at + 1)?.parse::<u32>().ok()
        };
        let counted = self.mailboxes.entry(name.to_owned()).or_default();
        if let Some(uid_validity) = number("UIDVALIDITY") {
            if uid_validity != counted.uid_validity {
                counted.uid_next = 0;
            }
            counted.uid_validity = uid_validity;
        }
        if let Some(uid_next) = number("UIDNEXT") {
            if uid_next < counted.uid_next {
                return Err(format!("UIDNEXT of {name} goes back from {}", counted.uid_next));
            }
            counted.uid_next = uid_next;
        }
        if let Some(messages) = number("MESSAGES") {
            counted.messages = messages;
            counted.in_doubt &= !asked;
        }
        Ok(())
    }

    /// `* LIST (…) "/" name`: a mailbox that is gone, or has another name.
    fn list(&mut self, rest: &str) {
        let Some((attributes, rest)) = rest.split_once(") ") else { return };
        let mut words = rest.split(' ').skip(1);
        if attributes.contains("\\NonExistent")
            && let Some(name) = words.next()
        {
            self.mailboxes.remove(name.trim_matches('"'));
        }
        if let Some((_, old)) = rest.split_once("OLDNAME") {
            self.mailboxes.remove(old.trim_matches(['(', ')', ' ', '"']));
        }
    }
}

impl Replica {
    /// NOTIFY is in force, as far as this handset wants it.
    pub fn is_notified(&self) -> bool {
        self.elsewhere.as_ref().is_none_or(|elsewhere| elsewhere.set)
    }

    /// Mailboxes of which it does not know how many messages they hold.
    pub fn in_doubt(&self) -> Vec<String> {
        let all = self.elsewhere.iter().flat_map(|elsewhere| &elsewhere.mailboxes);
        let doubtful = all.filter(|(name, counted)| counted.in_doubt && self.selected() != Some(name));
        doubtful.map(|(name, _)| name.clone()).collect()
    }

    /// What is believed of a mailbox that is not selected, against what is there.
    pub fn compare_elsewhere(&self, name: &str, real: &MailboxTruth) -> Option<String> {
        let elsewhere = self.elsewhere.as_ref().filter(|_| self.selected() != Some(name))?;
        let held = elsewhere.mailboxes.get(name).cloned().unwrap_or_default();
        let there = real.messages.len();
        (held.messages as usize != there || held.in_doubt)
            .then(|| format!("{name}, not looked at: {held:?}, really {there} messages"))
    }

    pub(super) fn note_said(&mut self, tag: &str, line: &[u8]) {
        let selected = self.selected.clone();
        let Some(elsewhere) = &mut self.elsewhere else { return };
        if let Some(said) = said(line, selected.as_deref()) {
            if let Said::Changes(names) = &said {
                elsewhere.doubt(names);
            }
            elsewhere.said.insert(tag.to_owned(), said);
        }
    }

    pub(super) fn hear_elsewhere(&mut self, line: &[u8]) -> Result<(), String> {
        let front = self.in_flight.front().map(|(tag, _)| tag.clone());
        let Some(elsewhere) = &mut self.elsewhere else { return Ok(()) };
        let text = String::from_utf8_lossy(line);
        if let Some(rest) = text.strip_prefix("* STATUS ") {
            let asked = match front.and_then(|tag| elsewhere.said.get(&tag).cloned()) {
                Some(Said::Status(name)) => Some(name),
                _ => None,
            };
            return elsewhere.status(rest, asked.as_deref());
        }
        if let Some(rest) = text.strip_prefix("* LIST ") {
            elsewhere.list(rest);
        }
        Ok(())
    }

    /// A command is answered.
    pub(super) fn answered_elsewhere(&mut self, tag: &str, done: bool) {
        let Some(elsewhere) = &mut self.elsewhere else { return };
        match elsewhere.said.remove(tag) {
            Some(Said::Notify) => elsewhere.set |= done,
            // What it puts may have been told before it was there.
            Some(Said::Changes(names)) => elsewhere.doubt(&names),
            Some(Said::Leaves) if done => self.leaves(),
            _ => {}
        }
    }

    fn held_messages(&self) -> Option<u32> {
        let held = self.mailboxes.get(self.selected.as_ref()?)?;
        (!held.stale).then_some(held.rows.len() as u32)
    }

    /// Another mailbox is being selected: what is held of the one that is left stays true until more is told.
    pub(super) fn leaves_for(&mut self, name: &str) {
        if self.selected() != Some(name) {
            self.leaves();
        }
    }

    /// No mailbox is selected any more.
    pub(super) fn leaves(&mut self) {
        let (selected, held) = (self.selected.clone(), self.held_messages());
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.left(selected, held);
        }
    }

    /// What is counted of the mailbox that was left just now may not hold.
    pub(super) fn doubt_elsewhere(&mut self) {
        if let (Some(elsewhere), Some(name)) = (&mut self.elsewhere, &self.selected) {
            elsewhere.doubt(std::slice::from_ref(name));
        }
    }

    /// The connection is another one: nothing of what was told elsewhere is kept up to date.
    pub(super) fn forget_elsewhere(&mut self) {
        if let Some(elsewhere) = &mut self.elsewhere {
            *elsewhere = Elsewhere::default();
        }
    }
}

impl Elsewhere {
    fn left(&mut self, selected: Option<String>, held: Option<u32>) {
        let Some(name) = selected else { return };
        let counted = self.mailboxes.entry(name).or_default();
        match held {
            Some(messages) => (counted.messages, counted.in_doubt) = (messages, false),
            None => counted.in_doubt = true,
        }
    }
}

/// What a command means for mailboxes elsewhere.
fn said(line: &[u8], selected: Option<&str>) -> Option<Said> {
    let line = String::from_utf8_lossy(line);
    let mut words = line.lines().next()?.split(' ').skip(1).filter(|word| *word != "UID");
    let verb = words.next()?;
    let mut name = || words.next().map(str::to_owned);
    Some(match verb {
        "NOTIFY" => Said::Notify,
        "STATUS" => Said::Status(name()?),
        "UNSELECT" => Said::Leaves,
        "CLOSE" => Said::Changes(vec![selected?.to_owned()]),
        "APPEND" | "CREATE" | "DELETE" => Said::Changes(vec![name()?]),
        "COPY" | "MOVE" => {
            name();
            Said::Changes(vec![name()?])
        }
        "RENAME" => Said::Changes([name(), name()].into_iter().flatten().collect()),
        _ => return None,
    })
}
