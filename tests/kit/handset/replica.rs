//! What a handset holds, and the rules by which it believes what it is told.
//!
//! For every mailbox selected in the session: the ordered list of its messages, each with UID and flags once known.
//! Goes in: the lines sent (so that it knows whose answer it hears) and the bytes that came back. Comes out: what is
//! missing, and every claim that cannot be true. A claim that contradicts the replica is recorded as a lie at once;
//! a replica that differs from the truth is one too ([`Replica::compare`]).

mod apply;
mod counting;
mod elsewhere;
mod held;
mod meaning;

use std::collections::{BTreeMap, VecDeque};

use self::counting::Counting;
use self::elsewhere::Elsewhere;
use self::held::{Held, Row};
use self::meaning::{Meaning, meaning};
use super::Kind;
use crate::response::{Flags, Lines, read};
use crate::transcript::show;

/// What really is in one mailbox: UIDVALIDITY and every message of the mobile repository in UID order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxTruth {
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// UID and flags, ascending.
    pub messages: Vec<(u32, Flags)>,
}

/// What really is in all mailboxes.
pub type Truth = BTreeMap<String, MailboxTruth>;

type Mailboxes = BTreeMap<String, Held>;

/// A SELECT whose answer is being heard.
#[derive(Debug, Clone)]
struct Selecting {
    before: Mailboxes,
    selected_before: Option<String>,
    /// The last absolute count, less what was expunged since.
    exists: u32,
    /// A count below what the handset holds: a lie, unless RESYNC or a new UIDVALIDITY follows.
    shrunk: Option<String>,
}

/// The replica of one handset.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    mailboxes: Mailboxes,
    selected: Option<String>,
    session: Option<String>,
    /// The last cursor and what was held when it came; only a handset that wants cursors has one.
    cursor: Option<(String, Mailboxes)>,
    wants_cursors: bool,
    /// A handset with QRESYNC or CONDSTORE.
    counting: Option<Counting>,
    /// A handset with NOTIFY.
    elsewhere: Option<Elsewhere>,
    /// It wants to hear of removals at once.
    uids_only: bool,
    /// It asked for inband push, which tells things between commands.
    pushed_to: bool,
    /// What was held when the current request began.
    at_request: (Mailboxes, Option<String>, Option<String>),
    in_flight: VecDeque<(String, Meaning)>,
    selecting: Option<Selecting>,
    /// A SELECT whose answer has not begun: what is told still is of the mailbox that is left (RFC 7162 3.2.11).
    opening: Option<(String, bool)>,
    resumed: bool,
    session_told: bool,
    login_done: bool,
    logged_out: bool,
    bye: bool,
    lines: Lines,
    lies: Vec<String>,
}

impl Replica {
    /// A replica that holds nothing.
    pub fn of(kind: Kind) -> Replica {
        let notified = matches!(kind, Kind::Notify { .. });
        Replica {
            wants_cursors: kind == Kind::Cursor,
            counting: kind.counts().then(|| Counting::of(kind)),
            elsewhere: notified.then(Elsewhere::default),
            uids_only: kind.speaks_in_uids(),
            ..Replica::default()
        }
    }

    /// A SELECT as the handset sends it.
    pub(super) fn select(&self, command: &str) -> String {
        self.counting.as_ref().map_or_else(|| command.to_owned(), |counting| counting.select(command))
    }

    /// The mod-sequence up to which the selected mailbox is known; a handset without QRESYNC knows none.
    pub fn known_mod_seq(&self) -> Option<u64> {
        let known = self.counting.as_ref()?.known(self.selected.as_ref()?);
        Some(known).filter(|known| *known > 0)
    }

    /// Every claim so far that could not be true.
    pub fn lies(&self) -> &[String] {
        &self.lies
    }

    /// The mailbox selected now.
    pub fn selected(&self) -> Option<&str> {
        self.selected.as_deref()
    }

    /// The SESSIONID of the session.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The last cursor.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_ref().map(|(cursor, _)| cursor.as_str())
    }

    /// Every line heard so far is whole.
    pub fn is_between_lines(&self) -> bool {
        self.lines.remainder().is_empty()
    }

    /// The gateway said BYE since the last request began.
    pub fn bye(&self) -> bool {
        self.bye
    }

    /// The gateway answered LOGOUT in the last request.
    pub fn logged_out(&self) -> bool {
        self.logged_out
    }

    /// The UIDs held of a mailbox, `None` where unknown; nothing for a mailbox that is not believed.
    pub fn uids(&self, mailbox: &str) -> Option<Vec<Option<u32>>> {
        let held = self.mailboxes.get(mailbox).filter(|held| !held.stale)?;
        Some(held.rows.iter().map(|row| row.uid).collect())
    }

    /// The mailbox was told to be out of step and was not selected again since.
    pub fn must_resync(&self, mailbox: &str) -> bool {
        self.mailboxes.get(mailbox).is_some_and(|held| held.stale)
    }

    /// A request with this body goes out; the answer is what the cursor to present for it is.
    ///
    /// Presenting a cursor means: "I hold what I held then", so whatever came after it is dropped.
    pub(super) fn begin(&mut self, body: &[u8]) -> Option<String> {
        if let Some((_, held)) = &self.cursor {
            self.mailboxes = held.clone();
        }
        self.at_request = (self.mailboxes.clone(), self.selected.clone(), self.session.clone());
        self.bye = false;
        self.logged_out = false;
        self.expect_answers(body);
        self.wants_cursors.then(|| self.cursor().unwrap_or("").to_owned())
    }

    /// More commands on a connection whose answers are still coming, such as DONE or a stream's next command.
    pub fn expect_answers(&mut self, commands: &[u8]) {
        let mut lines = Lines::default();
        lines.push(commands);
        for line in lines {
            self.pushed_to |= line.ends_with(b"PIMAP_INBAND_PUSH ON");
            if let Some((tag, meaning)) = meaning(&line) {
                self.note_said(&tag, &line);
                let held = self.selected.as_ref().and_then(|name| self.mailboxes.get(name));
                if let Some(counting) = &mut self.counting {
                    counting.note_said(&tag, &line, held);
                }
                self.in_flight.push_back((tag, meaning));
                if self.in_flight.len() == 1 {
                    self.answer_begins();
                }
            }
        }
    }

    /// Response bytes, cut anywhere.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.lines.push(bytes);
        while let Some(line) = self.lines.next() {
            let counted = self.hear_elsewhere(&line);
            let heard = counted.and_then(|()| read(&line)).and_then(|response| self.apply(response));
            if let Err(lie) = heard {
                self.lies.push(format!("{lie}: {}", show(&line)));
            }
        }
    }

    /// The answer ended as it should.
    pub(super) fn finished(&mut self) {
        if !self.lines.remainder().is_empty() {
            self.lies.push(format!("an answer ends inside a line: {}", show(self.lines.remainder())));
        }
        // After BYE the rest of a batch is not answered.
        if !self.in_flight.is_empty() && !self.bye {
            let open: Vec<&str> = self.in_flight.iter().map(|(tag, _)| tag.as_str()).collect();
            self.lies.push(format!("a whole answer leaves commands unanswered: {}", open.join(" ")));
        }
        self.forget_in_flight();
    }

    /// The answer broke off. Provisional data are dropped; says whether the selected mailbox is in doubt.
    pub(super) fn broken(&mut self) -> bool {
        let sure = |meaning: &Meaning| matches!(meaning, Meaning::Numbers { .. } | Meaning::Other);
        let unsure = !self.in_flight.iter().all(|(_, meaning)| sure(meaning));
        if let Some(selecting) = self.selecting.take() {
            self.mailboxes = selecting.before;
            self.selected = selecting.selected_before;
        }
        if let Some((_, held)) = &self.cursor {
            self.mailboxes = held.clone();
        }
        self.forget_in_flight();
        self.drop_all_but_caches();
        self.forget_elsewhere();
        unsure
    }

    /// All it held may be untrue; what it heard that could not be true stays.
    pub(super) fn forget(&mut self) {
        let (lies, elsewhere) = (std::mem::take(&mut self.lies), self.elsewhere.is_some());
        let elsewhere = elsewhere.then(Elsewhere::default);
        let (uids_only, pushed_to) = (self.uids_only, self.pushed_to);
        *self = Replica { lies, elsewhere, uids_only, pushed_to, ..Replica::default() };
    }

    /// A library below the handset throws the answer away and sends `body` again.
    pub(super) fn unhear(&mut self, body: &[u8]) {
        self.forget_in_flight();
        (self.mailboxes, self.selected, self.session) = self.at_request.clone();
        self.expect_answers(body);
    }

    pub(super) fn take_login_done(&mut self) -> bool {
        std::mem::take(&mut self.login_done)
    }

    /// The command that mends what is missing in the selected mailbox.
    pub(super) fn missing(&self) -> Option<String> {
        let name = self.selected.as_ref()?;
        let held = self.mailboxes.get(name).filter(|held| !held.stale);
        let Some(held) = held else {
            return Some(format!("SELECT {}", super::quote(name)));
        };
        if let Some(command) = self.counting.as_ref().and_then(|counting| counting.missing(name, held)) {
            return Some(command);
        }
        let unknown = |row: &Row| row.uid.is_none() || row.flags.is_none();
        let first = held.rows.iter().position(unknown)? + 1;
        let last = held.rows.iter().rposition(unknown)? + 1;
        if self.uids_only || first == 1 && last == held.rows.len() {
            return Some("UID FETCH 1:* (UID FLAGS)".to_owned());
        }
        Some(format!("FETCH {first}:{last} (UID FLAGS)"))
    }

    /// Every difference between what is believed and the truth; empty when the handset was not lied to.
    pub fn compare(&self, truth: &Truth) -> Vec<String> {
        let mut differences = self.lies.clone();
        for (name, held) in self.mailboxes.iter().filter(|(_, held)| !held.stale) {
            match truth.get(name) {
                Some(real) => held.compare(name, real, &mut differences),
                None => differences.push(format!("{name}: held, but there is no such mailbox")),
            }
        }
        differences
    }

    /// The same for the selected mailbox alone: others may have changed since they were left.
    pub fn compare_selected(&self, truth: &MailboxTruth) -> Vec<String> {
        let mut differences = self.lies.clone();
        match self.selected.as_ref().and_then(|name| self.mailboxes.get_key_value(name)) {
            Some((name, held)) if !held.stale => held.compare(name, truth, &mut differences),
            Some(_) => {}
            None => differences.push("no mailbox is selected".to_owned()),
        }
        differences
    }

    fn forget_in_flight(&mut self) {
        self.in_flight.clear();
        self.selecting = None;
        self.opening = None;
        self.resumed = false;
        self.session_told = false;
        self.lines.clear();
    }
}
