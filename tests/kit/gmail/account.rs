//! The mail of one account: messages, and the labels that show them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Shows all that is neither thrown away nor junk.
pub(super) const ALL_MAIL: &str = "[Gmail]/All Mail";
/// What is put here loses every label.
pub(super) const TRASH: &str = "[Gmail]/Trash";
const SPAM: &str = "[Gmail]/Spam";
/// Shows what has `\Flagged`.
const STARRED: &str = "[Gmail]/Starred";
const DELETED: &str = "\\Deleted";

/// Special mailboxes with the attributes that LIST shows.
const SPECIAL: [(&str, &str); 7] = [
    (ALL_MAIL, "\\All"),
    ("[Gmail]/Drafts", "\\Drafts"),
    ("[Gmail]/Important", "\\Important"),
    ("[Gmail]/Sent Mail", "\\Sent"),
    (SPAM, "\\Junk"),
    (STARRED, "\\Flagged"),
    (TRASH, "\\Trash"),
];

/// A message, whatever shows it.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) text: Arc<Vec<u8>>,
    /// INTERNALDATE, seconds since 1970.
    pub(super) arrived: i64,
    /// All but `\Deleted`.
    pub(super) flags: BTreeSet<String>,
}

/// A message in a mailbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) message: u64,
    pub(super) deleted: bool,
    pub(super) mod_seq: u64,
}

/// A mailbox.
#[derive(Debug, Default)]
pub(super) struct Label {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) entries: BTreeMap<u32, Entry>,
}

/// How STORE changes flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Replace,
    Add,
    Remove,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) labels: BTreeMap<String, Label>,
    pub(super) subscribed: BTreeSet<String>,
    pub(super) mod_seq: u64,
    next: u64,
    next_validity: u32,
}

impl Account {
    pub(super) fn new() -> Account {
        let mut account = Account {
            messages: BTreeMap::new(),
            labels: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            mod_seq: 100,
            next: 1_000,
            next_validity: 600,
        };
        account.create("INBOX");
        for (name, _) in SPECIAL {
            account.create(name);
        }
        account
    }

    /// Attributes of a mailbox, or of the `[Gmail]` that cannot be opened.
    pub(super) fn attributes(&self, name: &str) -> Vec<&'static str> {
        let below = format!("{name}/");
        let children = self.labels.keys().any(|other| other.starts_with(&below));
        let mut attributes = vec![if children { "\\HasChildren" } else { "\\HasNoChildren" }];
        attributes.extend(SPECIAL.iter().filter(|(special, _)| *special == name).map(|(_, word)| *word));
        if !self.labels.contains_key(name) {
            attributes.push("\\Noselect");
        }
        attributes
    }

    /// Names that LIST tells, `[Gmail]` among them.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.labels.keys().cloned().chain(["[Gmail]".to_owned()]).collect()
    }

    /// A name as it is kept.
    pub(super) fn name(name: &str) -> String {
        if name.eq_ignore_ascii_case("INBOX") { "INBOX".into() } else { name.to_owned() }
    }

    /// Makes a label; `false` when it is there.
    pub(super) fn create(&mut self, name: &str) -> bool {
        if self.labels.contains_key(name) || name == "[Gmail]" {
            return false;
        }
        self.next_validity += 1;
        self.subscribed.insert(name.to_owned());
        let label = Label { uid_validity: self.next_validity, uid_next: 1, entries: BTreeMap::new() };
        self.labels.insert(name.to_owned(), label);
        true
    }

    /// Deletes a label; its messages stay where else they are.
    pub(super) fn delete(&mut self, name: &str) -> bool {
        let own = name != "INBOX" && !name.starts_with("[Gmail]");
        own && self.labels.remove(name).is_some()
    }

    /// Gives a label another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> bool {
        let own = from != "INBOX" && !from.starts_with("[Gmail]");
        if !own || self.labels.contains_key(to) {
            return false;
        }
        let label = self.labels.remove(from);
        let moved = label.map(|label| self.labels.insert(to.to_owned(), label));
        moved.is_some()
    }

    /// A message arrives, or is appended. One with the same Message-ID is that message: it gets the label and the flags.
    pub(super) fn deliver(&mut self, name: &str, text: &[u8], flags: &[String], arrived: i64) -> Option<u32> {
        self.labels.get(name)?;
        let id = super::letter::header(text, "message-id");
        let same = |message: &Message| super::letter::header(&message.text, "message-id") == id;
        let known = self.messages.iter().find(|(_, message)| id.is_some() && same(message)).map(|(n, _)| *n);
        let message = known.unwrap_or_else(|| {
            self.next += 1;
            let message = Message { text: Arc::new(text.to_vec()), arrived, flags: BTreeSet::new() };
            self.messages.insert(self.next, message);
            self.next
        });
        let uid = self.label(name, message);
        self.change(name, uid, Mode::Add, flags);
        Some(uid)
    }

    /// Gives a message a label, and takes those that do not go with it; the UID there.
    pub(super) fn label(&mut self, name: &str, message: u64) -> u32 {
        let away = [TRASH, SPAM];
        let others: Vec<String> = match away.contains(&name) {
            true => self.labels.keys().filter(|other| *other != name).cloned().collect(),
            false => away.map(str::to_owned).to_vec(),
        };
        for other in others {
            if let Some(uid) = self.uid_in(&other, message) {
                self.labels.get_mut(&other).map(|label| label.entries.remove(&uid));
            }
        }
        if !away.contains(&name) {
            self.show(ALL_MAIL, message);
        }
        self.show(name, message)
    }

    /// The UID of a message in a mailbox.
    pub(super) fn uid_in(&self, name: &str, message: u64) -> Option<u32> {
        let entries = &self.labels.get(name)?.entries;
        entries.iter().find(|(_, entry)| entry.message == message).map(|(uid, _)| *uid)
    }

    fn show(&mut self, name: &str, message: u64) -> u32 {
        if let Some(uid) = self.uid_in(name, message) {
            return uid;
        }
        self.mod_seq += 1;
        let label = self.labels.get_mut(name).expect("a mailbox that is there");
        let uid = label.uid_next;
        label.uid_next += 1;
        label.entries.insert(uid, Entry { message, deleted: false, mod_seq: self.mod_seq });
        uid
    }

    /// Takes a message out of a mailbox: a label less. What leaves the Trash or Spam is gone; nothing leaves All Mail in this way.
    pub(super) fn remove(&mut self, name: &str, uid: u32) -> bool {
        let Some(entry) = self.labels.get(name).and_then(|label| label.entries.get(&uid)).copied() else {
            return false;
        };
        if name == ALL_MAIL {
            self.change(name, uid, Mode::Remove, &[DELETED.to_owned()]);
            return false;
        }
        self.mod_seq += 1;
        self.labels.get_mut(name).map(|label| label.entries.remove(&uid));
        if [TRASH, SPAM].contains(&name) {
            self.messages.remove(&entry.message);
        }
        true
    }

    /// Flags of a message in a mailbox.
    pub(super) fn flags(&self, name: &str, uid: u32) -> Vec<String> {
        let Some(entry) = self.labels.get(name).and_then(|label| label.entries.get(&uid)) else {
            return Vec::new();
        };
        let common = self.messages.get(&entry.message).into_iter().flat_map(|message| &message.flags);
        common.cloned().chain(entry.deleted.then(|| DELETED.to_owned())).collect()
    }

    /// Changes flags; every mailbox that shows the message shows it changed.
    pub(super) fn change(&mut self, name: &str, uid: u32, mode: Mode, flags: &[String]) {
        let Some(entry) = self.labels.get(name).and_then(|label| label.entries.get(&uid)).copied() else {
            return;
        };
        let before = self.flags(name, uid);
        let names = |word: &String| flags.iter().any(|flag| flag.eq_ignore_ascii_case(word));
        let mut after: BTreeSet<String> = match mode {
            Mode::Replace => BTreeSet::new(),
            Mode::Add => before.iter().cloned().collect(),
            Mode::Remove => before.iter().filter(|word| !names(word)).cloned().collect(),
        };
        if mode != Mode::Remove {
            after.extend(flags.iter().cloned());
        }
        if after == before.iter().cloned().collect() {
            return;
        }
        self.mod_seq += 1;
        let deleted = after.remove(DELETED);
        let starred = after.contains("\\Flagged");
        if let Some(message) = self.messages.get_mut(&entry.message) {
            message.flags = after;
        }
        for (other, label) in &mut self.labels {
            for entry in label.entries.values_mut().filter(|shown| shown.message == entry.message) {
                entry.mod_seq = self.mod_seq;
                if other == name {
                    entry.deleted = deleted;
                }
            }
        }
        match (starred, self.uid_in(STARRED, entry.message)) {
            (true, None) => {
                self.show(STARRED, entry.message);
            }
            (false, Some(uid)) => {
                self.labels.get_mut(STARRED).map(|label| label.entries.remove(&uid));
            }
            _ => {}
        }
    }

    /// Labels of a message as X-GM-LABELS has them, without the mailbox that is asked in.
    pub(super) fn labels_of(&self, message: u64, but: &str) -> Vec<String> {
        let shown = self.labels.iter().filter(|(name, label)| {
            name.as_str() != ALL_MAIL && *name != but && label.entries.values().any(|e| e.message == message)
        });
        let word = |name: &String| match SPECIAL.iter().find(|(special, _)| special == name) {
            Some((_, use_)) => (*use_).to_owned(),
            None if name == "INBOX" => "\\Inbox".to_owned(),
            None => name.clone(),
        };
        shown.map(|(name, _)| word(name)).collect()
    }
}
