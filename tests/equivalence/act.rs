//! What clients do, without numbers: messages are named by their place among those that a client holds when it does it, so
//! that a step means the same on both sides and can be left out without changing the meaning of the others.

/// One act of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which client, modulo how many there are.
    pub client: usize,
    /// What it does.
    pub act: Act,
}

/// What a client can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// SELECT or EXAMINE.
    Select { mailbox: &'static str, read_only: bool },
    /// CLOSE or UNSELECT.
    Leave { close: bool },
    /// FETCH of these items.
    Fetch { set: Set, items: &'static str },
    /// STORE: `+FLAGS (\Seen)`.
    Store { set: Set, change: String },
    /// COPY or MOVE.
    Copy { set: Set, to: &'static str, moving: bool },
    /// EXPUNGE, or UID EXPUNGE of a set.
    Expunge { set: Option<Set> },
    /// SEARCH or UID SEARCH.
    Search { by_uid: bool, key: Key },
    /// APPEND of one of the letters, with flags; by another client past the gateway when `outside`.
    Append { mailbox: &'static str, letter: usize, flags: &'static str, outside: bool },
    /// STATUS of another mailbox.
    Status { mailbox: &'static str },
    /// A command that is the same on both sides as it stands: LIST, CREATE, nonsense.
    Plain(&'static str),
    /// Something happens to messages that the filter hides.
    Hidden { place: usize, expunge: bool },
}

/// Messages by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// By UID.
    pub by_uid: bool,
    /// Pairs of places, modulo how many messages there are, in any order.
    pub ranges: Vec<(usize, usize)>,
    /// What stands at the end besides.
    pub end: End,
}

/// The end of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Nothing,
    /// `n:*`
    Star(usize),
    /// A number that no message has.
    Beyond,
}

/// A search key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// As it stands.
    Plain(&'static str),
    /// A set.
    Set(Set),
    /// NOT
    Not(Box<Key>),
    /// OR
    Or(Box<Key>, Box<Key>),
    /// All of them.
    And(Vec<Key>),
}

impl Set {
    /// The set as a side writes it, whose messages have these UIDs.
    pub fn write(&self, uids: &[u32]) -> String {
        let name = |place: usize| match uids.len() {
            0 => 1,
            length if self.by_uid => uids[place % length],
            length => (place % length) as u32 + 1,
        };
        let mut parts: Vec<String> = Vec::new();
        for (a, b) in &self.ranges {
            parts.push(if a == b { name(*a).to_string() } else { format!("{}:{}", name(*a), name(*b)) });
        }
        match self.end {
            End::Nothing => {}
            End::Star(place) => parts.push(format!("{}:*", name(place))),
            End::Beyond if self.by_uid => parts.push("4000000000".to_owned()),
            End::Beyond => parts.push((uids.len() + 3).to_string()),
        }
        parts.join(",")
    }

    /// Before a command: `UID ` or nothing.
    pub fn prefix(&self) -> &'static str {
        if self.by_uid { "UID " } else { "" }
    }
}

impl Key {
    /// The key as a side writes it.
    pub fn write(&self, uids: &[u32]) -> String {
        match self {
            Key::Plain(text) => (*text).to_owned(),
            Key::Set(set) => format!("{}{}", set.prefix(), set.write(uids)),
            Key::Not(key) => format!("NOT {}", key.write(uids)),
            Key::Or(a, b) => format!("OR {} {}", a.write(uids), b.write(uids)),
            Key::And(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| key.write(uids)).collect();
                format!("({})", keys.join(" "))
            }
        }
    }
}
