//! Plays a sequence on both sides and compares after every step.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::wait::{PATIENCE, within};

use crate::act::{Act, Set, Step};
use crate::letter::{LETTERS, append};
use crate::side::{Held, Side};

/// Something that may change what the first side hears.
pub type Lens = fn(&mut Reply);

/// Changes nothing.
pub fn honest(_: &mut Reply) {}

/// What the first side sees of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Everything: regular sessions and devices without filters.
    All,
    /// Devices with the filter FROM alice.
    FromAlice,
}

/// Both sides of the comparison.
pub struct Arena<'a> {
    dovecot: &'a Dovecot,
    /// Where the first side is served.
    tested: SocketAddr,
    view: View,
    lens: Lens,
    /// How long what others did may take until it is told.
    patience: Duration,
}

/// A client on both sides.
struct Pair {
    tested: Side,
    direct: Side,
}

/// A sequence under way.
struct Game<'a> {
    arena: &'a Arena<'a>,
    pairs: Vec<Pair>,
    /// Somebody else who changes the mail of both accounts past the gateway.
    outside: [Imap; 2],
    letters: usize,
}

impl<'a> Arena<'a> {
    pub fn new(dovecot: &'a Dovecot, tested: SocketAddr, view: View, lens: Lens) -> Arena<'a> {
        Arena { dovecot, tested, view, lens, patience: PATIENCE }
    }

    /// For a side that has no reason to be late.
    pub fn impatient(self) -> Arena<'a> {
        Arena { patience: Duration::from_millis(100), ..self }
    }

    /// Plays the steps with two fresh accounts; `Err` says where the sides differ.
    pub fn play(&self, steps: &[Step]) -> Result<(), String> {
        let mut game = Game::new(self)?;
        for (at, step) in steps.iter().enumerate() {
            let client = step.client % game.pairs.len();
            let played = game.play(client, &step.act);
            played.map_err(|error| format!("step {at}, client {client}, {:?}\n{error}", step.act))?;
        }
        (0..game.pairs.len()).try_for_each(|client| {
            game.settle(client).map_err(|error| format!("at the end, client {client}\n{error}"))
        })
    }
}

impl<'a> Game<'a> {
    fn new(arena: &'a Arena<'a>) -> Result<Game<'a>, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let users = [format!("t{number}"), format!("d{number}")];
        let mut outside = users.each_ref().map(|user| arena.dovecot.login(user));
        for imap in &mut outside {
            imap.ok("CREATE Work");
            imap.ok("CREATE Work/Deep");
        }
        let through_gateway = arena.tested != arena.dovecot.imap();
        let device = |n: usize| if through_gateway { format!("#P{n}") } else { String::new() };
        let suffixes = match arena.view {
            View::All => [String::new(), String::new(), device(1), device(2)],
            View::FromAlice => [1, 2, 3, 4].map(device),
        };
        let pair = |suffix: &String| Pair {
            tested: Side::new(arena.tested, &format!("{}{suffix}", users[0]), arena.lens),
            direct: Side::new(arena.dovecot.imap(), &users[1], honest),
        };
        let mut game = Game { arena, pairs: suffixes.iter().map(pair).collect(), outside, letters: 0 };
        if arena.view == View::FromAlice {
            for pair in &mut game.pairs {
                pair.tested.say("XFILTER SET F \"\" (FROM alice)")?;
                for mailbox in ["INBOX", "Work", "Work/Deep"] {
                    pair.tested.say(&format!("XSETPIMAPPREF PIMAP_XFILTER ({mailbox} V F)"))?;
                }
            }
        }
        for letter in 0..LETTERS.len() {
            game.add_outside("INBOX", letter, "");
        }
        Ok(game)
    }

    fn same_uids(&self) -> bool {
        self.arena.view == View::All
    }

    /// Adds a letter past the gateway; one that the filter hides to the first account only.
    fn add_outside(&mut self, mailbox: &str, letter: usize, flags: &str) {
        self.letters += 1;
        let message = &LETTERS[letter].write(self.letters);
        let command = append(mailbox, flags, LETTERS[letter].date, message);
        self.outside[0].ok(&command);
        if self.same_uids() || LETTERS[letter].is_by_alice() {
            self.outside[1].ok(&command);
        }
    }

    fn play(&mut self, client: usize, act: &Act) -> Result<(), String> {
        // Both know everything before, so that numbers mean the same.
        self.settle(client)?;
        match act {
            Act::Select { mailbox, read_only } => self.select(client, mailbox, *read_only),
            Act::Leave { close } => self.leave(client, *close),
            Act::Fetch { set, items } => {
                self.with_set(client, set, |set| format!("FETCH {set} {items}"), &asked(items))
            }
            Act::Store { set, change } if self.may_change(client) => {
                let told = if change.contains("SILENT") { Vec::new() } else { vec!["FLAGS".to_owned()] };
                self.with_set(client, set, |set| format!("STORE {set} {change}"), &told)
            }
            Act::Copy { set, to, moving } if self.may_change(client) => {
                let verb = if *moving { "MOVE" } else { "COPY" };
                if *moving && !self.server_moves() {
                    return Ok(());
                }
                self.with_set(client, set, |set| format!("{verb} {set} {to}"), &[])
            }
            Act::Expunge { set: Some(set) } if self.may_change(client) => {
                self.with_set(client, set, |set| format!("EXPUNGE {set}"), &[])
            }
            Act::Expunge { set: None } if self.may_change(client) => self.same(client, "EXPUNGE"),
            Act::Search { by_uid, key } => self.search(client, *by_uid, &|uids| key.write(uids)),
            Act::Append { mailbox, letter, flags, outside: true } => {
                self.add_outside(mailbox, *letter, flags);
                Ok(())
            }
            Act::Append { mailbox, letter, flags, .. } => self.append(client, mailbox, *letter, flags),
            Act::Status { mailbox } => self.status(client, mailbox),
            Act::Plain(command) if *command == "SELECT Nowhere" => {
                self.same(client, command)?;
                let pair = &mut self.pairs[client];
                pair.tested.forget();
                pair.direct.forget();
                Ok(())
            }
            Act::Plain(command) => self.same(client, command),
            Act::Hidden { place, expunge } => {
                self.disturb_hidden(*place, *expunge);
                Ok(())
            }
            Act::Store { .. } | Act::Copy { .. } | Act::Expunge { .. } => Ok(()),
        }?;
        self.settle(client)
    }

    /// Nobody changes a mailbox that it opened by EXAMINE: servers answer that in different ways.
    fn may_change(&self, client: usize) -> bool {
        self.pairs[client].tested.selected.is_none_or(|(_, read_only)| !read_only)
    }

    fn server_moves(&mut self) -> bool {
        let reply = self.outside[1].ok("CAPABILITY");
        reply.untagged.iter().any(|line| String::from_utf8_lossy(line).contains(" MOVE"))
    }

    /// Until the client has been told the same on both sides. What others did may take its time; a difference that stays is one.
    fn settle(&mut self, client: usize) -> Result<(), String> {
        let same_uids = self.same_uids();
        let pair = &mut self.pairs[client];
        if pair.tested.selected.is_none() {
            return Ok(());
        }
        let mut last = String::new();
        let settled = within(self.arena.patience, || match pair.compare(same_uids) {
            Ok(()) => Some(Ok(())),
            Err(Difference::Now(error)) => Some(Err(error)),
            Err(Difference::Yet(error)) => {
                last = error;
                None
            }
        });
        settled.unwrap_or(Err(last))
    }

    fn select(&mut self, client: usize, mailbox: &'static str, read_only: bool) -> Result<(), String> {
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let pair = &mut self.pairs[client];
        pair.tested.forget();
        pair.direct.forget();
        self.same(client, &format!("{verb} \"{mailbox}\""))?;
        let pair = &mut self.pairs[client];
        pair.tested.selected = Some((mailbox, read_only));
        pair.direct.selected = Some((mailbox, read_only));
        Ok(())
    }

    fn leave(&mut self, client: usize, close: bool) -> Result<(), String> {
        self.same(client, if close { "CLOSE" } else { "UNSELECT" })?;
        let pair = &mut self.pairs[client];
        pair.tested.forget();
        pair.direct.forget();
        Ok(())
    }

    /// The same command on both sides, with the same answer.
    fn same(&mut self, client: usize, command: &str) -> Result<(), String> {
        self.both(client, [command.to_owned(), command.to_owned()], &[], false)
    }

    fn with_set(
        &mut self,
        client: usize,
        set: &Set,
        command: impl Fn(String) -> String,
        items: &[String],
    ) -> Result<(), String> {
        let pair = &self.pairs[client];
        let written = [&pair.tested, &pair.direct]
            .map(|side| format!("{}{}", set.prefix(), command(set.write(&side.uids()))));
        self.both(client, written, items, false)
    }

    fn search(&mut self, client: usize, by_uid: bool, key: &dyn Fn(&[u32]) -> String) -> Result<(), String> {
        let pair = &self.pairs[client];
        let prefix = if by_uid { "UID " } else { "" };
        let written =
            [&pair.tested, &pair.direct].map(|side| format!("{prefix}SEARCH {}", key(&side.uids())));
        self.both(client, written, &[], by_uid)
    }

    fn append(&mut self, client: usize, mailbox: &str, letter: usize, flags: &str) -> Result<(), String> {
        self.letters += 1;
        let letter = &LETTERS[letter];
        let command = append(mailbox, flags, letter.date, &letter.write(self.letters));
        if self.same_uids() || letter.is_by_alice() {
            return self.same(client, &command);
        }
        // What the filter hides is added all the same, and is not there on the other side.
        let reply = self.pairs[client].tested.say(&command)?;
        if reply.condition.is_ok() { Ok(()) } else { Err(format!("{:?}", reply.condition)) }
    }

    /// STATUS is not told of the mailbox that is selected (RFC 3501 6.3.10).
    fn status(&mut self, client: usize, mailbox: &str) -> Result<(), String> {
        if self.pairs[client].tested.selected.is_some_and(|(selected, _)| selected == mailbox) {
            return Ok(());
        }
        let items = if self.same_uids() { "MESSAGES UIDNEXT UNSEEN" } else { "MESSAGES UNSEEN" };
        let command = format!("STATUS \"{mailbox}\" ({items})");
        // What others did there may take its time.
        let mut last = String::new();
        let same = within(self.arena.patience, || match self.same(client, &command) {
            Ok(()) => Some(()),
            Err(error) => {
                last = error;
                None
            }
        });
        same.ok_or(last)
    }

    /// Flags or removes one of the messages of INBOX that the filter hides.
    fn disturb_hidden(&mut self, place: usize, expunge: bool) {
        if self.same_uids() {
            return;
        }
        let hidden = self.outside[0].truth_of("INBOX", "NOT FROM alice").messages;
        if hidden.is_empty() {
            return;
        }
        let uid = hidden[place % hidden.len()].0;
        match expunge {
            true => self.outside[0].expunge("INBOX", uid),
            false => self.outside[0].flag("INBOX", uid, "+FLAGS (\\Flagged \\Deleted)"),
        }
    }

    fn both(
        &mut self,
        client: usize,
        commands: [String; 2],
        items: &[String],
        by_uid: bool,
    ) -> Result<(), String> {
        let same_uids = self.same_uids();
        let pair = &mut self.pairs[client];
        let replies = [pair.tested.say(&commands[0])?, pair.direct.say(&commands[1])?];
        let tested = pair.tested.answer(&replies[0], items, by_uid, same_uids);
        let direct = pair.direct.answer(&replies[1], items, by_uid, same_uids);
        if tested == direct {
            return Ok(());
        }
        let shown = |reply: &Reply| {
            let lines: Vec<String> =
                reply.untagged.iter().map(|line| pimap_tests::transcript::show(line)).collect();
            format!("  {}\n  {:?}", lines.join("\n  "), reply.condition)
        };
        Err(format!(
            "{}\n{}\nis at the server itself {}\n{}\n{tested:?}\n{direct:?}",
            commands[0],
            shown(&replies[0]),
            commands[1],
            shown(&replies[1])
        ))
    }
}

/// How two sides differ.
pub enum Difference {
    /// Waiting does not help.
    Now(String),
    /// It may be on its way.
    Yet(String),
}

impl Pair {
    fn compare(&mut self, same_uids: bool) -> Result<(), Difference> {
        for side in [&mut self.tested, &mut self.direct] {
            let reply = side.say("NOOP").map_err(Difference::Now)?;
            if !reply.condition.is_ok() {
                return Err(Difference::Now(format!("NOOP: {:?}", reply.condition)));
            }
        }
        // The server is silent about what this client did silently itself; the gateway is not.
        let tested = self.tested.look(true)?;
        let direct = self.direct.look(false)?;
        let comparable = |held: &[Held]| -> Vec<Held> {
            let keep = |held: &Held| Held { uid: held.uid.filter(|_| same_uids), ..held.clone() };
            held.iter().map(keep).collect()
        };
        if comparable(&tested) == comparable(&direct) {
            return Ok(());
        }
        let lines = |held: &[Held]| -> String { held.iter().map(|held| format!("  {held:?}\n")).collect() };
        Err(Difference::Yet(format!("held\n{}and at the server itself\n{}", lines(&tested), lines(&direct))))
    }
}

/// The names of the items of a FETCH as they are answered.
fn asked(items: &str) -> Vec<String> {
    let list = items.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(items);
    let mut names = Vec::new();
    let mut depth = 0;
    let mut name = String::new();
    for letter in list.chars().chain([' ']) {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if letter == ' ' && depth == 0 {
            let answered = name.replace(".PEEK", "");
            // `<2.5>` is answered as `<2>`.
            let answered = match answered.split_once('<') {
                Some((head, partial)) => {
                    format!("{head}<{}>", partial.split('.').next().unwrap_or_default())
                }
                None => answered,
            };
            names.push(answered);
            name.clear();
        } else {
            name.push(letter);
        }
    }
    names
}
