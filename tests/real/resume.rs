//! Law 1 on real sockets, a real server and a real disk: whatever happens to mail, radio and gateway, what a handset holds
//! in the end is what is really there, or it was told to look again.
//!
//! Chance decides from a seed, printed when a run fails; `PIMAP_SEED` runs that one again.

use std::collections::BTreeSet;
use std::thread;

use pimap_tests::dovecot::{Dovecot, mail};
use pimap_tests::handset::{Kind, MailboxTruth};
use pimap_tests::imap::Imap;
use pimap_tests::phone::{Hop, Phone, Radio};
use pimap_tests::wait::{PATIENCE, eventually, within};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::stage::Stage;

/// The view filter of every handset, and what it is as a search program for Dovecot.
const VIEW: &str = "NOT FROM newsletter UNDELETED";

/// Whose handsets they are: one of each kind, and two that share a proxy's connection.
const KINDS: [(&str, Kind); 8] = [
    ("joe#STRICT", Kind::Strict),
    ("joe#COOKIE", Kind::Cookie),
    ("joe#LOGIN", Kind::LoginEachPost),
    ("joe#CURSOR", Kind::Cursor),
    ("joe#RETRY", Kind::RetryingLibrary),
    ("joe#PIPE", Kind::Pipelining { depth: 3 }),
    ("joe#HOP1", Kind::SharedHop),
    ("joe#HOP2", Kind::SharedHop),
];

fn seed() -> u64 {
    let seed =
        std::env::var("PIMAP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("PIMAP_SEED={seed}");
    seed
}

/// Mail, handsets and chance.
struct Life {
    stage: Stage,
    other: Imap,
    phones: Vec<Phone>,
    chance: StdRng,
    /// The UID of the last mail delivered to INBOX, where nothing else comes in.
    delivered: u32,
    /// Mail in INBOX that no handset sees.
    hidden: BTreeSet<u32>,
}

impl Life {
    fn new(seed: u64, dovecot: Dovecot) -> Life {
        let stage = Stage::before(dovecot, |config| config);
        let mut setting = stage.client("joe#STRICT");
        setting.ok(&format!("XFILTER SET MINE \"\" ({VIEW})"));
        drop(setting);
        let mut other = stage.dovecot.login("joe");
        other.ok("CREATE Work");
        let hop = Hop::default();
        let phones = KINDS.map(|(user, kind)| {
            let mut settings = stage.client(user);
            settings.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V MINE)");
            settings.ok("LOGOUT");
            stage.phone(kind, user).behind(&hop)
        });
        let chance = StdRng::seed_from_u64(seed);
        let mut life =
            Life { stage, other, phones: phones.into(), chance, delivered: 0, hidden: BTreeSet::new() };
        (0..8).for_each(|_| life.deliver());
        for (phone, (_, kind)) in life.phones.iter_mut().zip(KINDS) {
            look(phone, kind, true);
        }
        life
    }

    fn deliver(&mut self) {
        self.delivered += 1;
        let is_hidden = self.chance.random_bool(0.3);
        let from = if is_hidden { "newsletter@example.net" } else { "friend@example.org" };
        if is_hidden {
            self.hidden.insert(self.delivered);
        }
        self.stage.dovecot.deliver("joe", &mail(from, &format!("number {}", self.delivered), "Some text."));
    }

    /// Another client of the account, or the world, does something.
    fn change(&mut self) {
        let there: Vec<u32> = self.other.truth("INBOX").messages.iter().map(|(uid, _)| *uid).collect();
        let Some(&uid) = there.choose(&mut self.chance) else { return self.deliver() };
        match self.chance.random_range(0..10) {
            0..4 => self.deliver(),
            4 | 5 => self.other.flag(
                "INBOX",
                uid,
                ["+FLAGS (\\Seen)", "-FLAGS (\\Seen)", "FLAGS (\\Flagged $Junk)"]
                    [self.chance.random_range(0..3)],
            ),
            6 => self.other.flag("INBOX", uid, "+FLAGS (\\Deleted)"),
            7 => self.other.flag("INBOX", uid, "-FLAGS (\\Deleted)"),
            8 => {
                self.hidden.remove(&uid);
                self.other.expunge("INBOX", uid);
            }
            _ => {
                self.hidden.remove(&uid);
                self.other.ok("SELECT INBOX");
                self.other.ok(&format!("UID MOVE {uid} Work"));
                self.other.ok("UNSELECT");
            }
        }
    }

    /// A radio that fails every second time, anywhere.
    fn radio(&mut self) -> Radio {
        match self.chance.random_range(0..4) {
            0 => Radio::CutsRequest(self.chance.random_range(0..400)),
            1 => Radio::CutsAnswer(self.chance.random_range(0..900)),
            _ => Radio::Good,
        }
    }

    /// A handset does something; its link may break, by itself or by the gateway's end.
    fn act(&mut self, at: usize) {
        let radio = self.radio();
        let choice = self.chance.random_range(0..16);
        let phone = &mut self.phones[at];
        let commands: &[&str] = match choice {
            0..4 => &["NOOP"],
            4 => &["CHECK"],
            5 => &["SELECT INBOX"],
            6 => &["SELECT Work"],
            7 => &["UID FETCH 1:* (UID FLAGS)"],
            8 => &["UID STORE 1:* +FLAGS ($Handset)"],
            9 => &["STORE 1 +FLAGS ($Handset)"],
            10 => &["STORE 2 +FLAGS ($Handset \\Deleted)", "NOOP"],
            11 => &["UID STORE 1:4 +FLAGS.SILENT (\\Deleted)", "EXPUNGE"],
            12 => &["UID MOVE 1 Work"],
            13 => &["COPY 1 Work", "NOOP"],
            14 => &["EXPUNGE"],
            _ => &["UID SEARCH UNSEEN", "NOOP"],
        };
        phone.say(commands, radio);
        if choice % 3 == 0 {
            phone.drop_link();
        }
    }

    /// Brings everybody into step and compares with Dovecot.
    fn judge(&mut self, seed: u64) {
        let inbox = self.other.truth("INBOX");
        for uid in &self.hidden {
            // Law 2: nobody but the other client could have touched these.
            let found = inbox.messages.iter().find(|(there, _)| there == uid);
            let untouched = found.is_some_and(|(_, flags)| !flags.contains("$handset"));
            assert!(
                untouched,
                "PIMAP_SEED={seed}: a handset touched UID {uid}, which it cannot see: {found:?}"
            );
        }
        for (phone, (user, kind)) in self.phones.iter_mut().zip(KINDS) {
            let other = &mut self.other;
            let mut differences = Vec::new();
            for selected_anew in [false, true] {
                // What another client does is told within a second, not at once.
                within(PATIENCE, || {
                    look(phone, kind, selected_anew);
                    let name = phone.handset.replica.selected().unwrap_or("INBOX").to_owned();
                    let mut real = other.truth_of(&name, VIEW);
                    if !selected_anew {
                        forgive_unannounced(&mut real, phone.handset.replica.uids(&name));
                    }
                    differences = phone.handset.replica.compare_selected(&real);
                    let final_word = differences.is_empty() || !phone.handset.replica.lies().is_empty();
                    final_word.then_some(())
                });
                assert_eq!(
                    differences,
                    [] as [String; 0],
                    "PIMAP_SEED={seed}: {user} was lied to\n{}",
                    phone.story()
                );
            }
        }
    }
}

/// Brings a handset into step.
fn look(phone: &mut Phone, kind: Kind, select: bool) {
    let mailbox = phone.handset.replica.selected().unwrap_or("INBOX").to_owned();
    let command = format!("SELECT {mailbox}");
    if kind == Kind::LoginEachPost {
        // A request that begins with LOGIN proves nothing (F3), so it looks at a mailbox and selects it in one request.
        phone.say(&[&command, "UID FETCH 1:* (UID FLAGS)", "NOOP"], Radio::Good);
        return;
    }
    if select || phone.handset.replica.selected().is_none() {
        phone.say(&[&command], Radio::Good);
    }
    for _ in 0..2 {
        phone.catch_up();
        phone.say(&["NOOP"], Radio::Good);
    }
    phone.catch_up();
}

/// A message that came back below others cannot be announced before the next SELECT (digest 1.3).
fn forgive_unannounced(real: &mut MailboxTruth, held: Option<Vec<Option<u32>>>) {
    let held: Vec<u32> = held.into_iter().flatten().flatten().collect();
    let highest = held.last().copied().unwrap_or(0);
    real.messages.retain(|(uid, _)| *uid > highest || held.contains(uid));
}

/// Changes by another client, handsets of every kind, cuts anywhere.
#[test]
fn what_a_handset_holds_is_what_is_there() {
    let seed = seed();
    live(seed, Life::new(seed, Dovecot::start()), 6);
}

/// The same before a server without NOTIFY, QRESYNC, CONDSTORE and MOVE.
#[test]
fn it_is_what_is_there_before_a_server_that_can_little() {
    let seed = seed();
    live(seed, Life::new(seed, Dovecot::poor()), 3);
}

fn live(seed: u64, mut life: Life, days: usize) {
    for _ in 0..days {
        for _ in 0..40 {
            if life.chance.random_bool(0.4) {
                life.change();
            } else {
                let at = life.chance.random_range(0..life.phones.len());
                life.act(at);
            }
        }
        life.judge(seed);
    }
}

/// The same with a gateway that is killed again and again, at moments that nobody chooses.
#[test]
fn a_gateway_killed_at_any_moment_lies_to_nobody() {
    let seed = seed();
    let mut life = Life::new(seed, Dovecot::start());
    for _ in 0..16 {
        // A handset and the world go on in threads of their own while the gateway dies.
        let at = life.chance.random_range(0..life.phones.len());
        let rounds = life.chance.random_range(1..12);
        let mut phone = life.phones.remove(at);
        let speaking = thread::spawn(move || {
            for round in 0..rounds {
                phone.say(if round % 4 == 3 { &["SELECT INBOX"] } else { &["NOOP"] }, Radio::Good);
            }
            phone
        });
        let changes = life.chance.random_range(0..4);
        (0..changes).for_each(|_| life.change());
        life.stage.gateway.kill();
        if life.chance.random_bool(0.5) {
            life.change();
        }
        life.stage.gateway.restart();
        life.phones.insert(at, speaking.join().expect("a handset that does not panic"));
        // Somebody looks in between; the others come when they come.
        let early = life.chance.random_range(0..life.phones.len());
        life.act(early);
    }
    life.judge(seed);
}

/// PI-012, D6: a handset with cursors is spared a full resynchronisation whatever happens.
#[test]
fn a_cursor_spares_resynchronisation_over_a_crash() {
    let mut stage = Stage::new();
    stage.deliver(&["one", "two", "three", "four", "five"]);
    let mut other = stage.dovecot.login("joe");
    let mut phone = stage.phone(Kind::Cursor, "joe#P1");
    phone.say(&["SELECT INBOX"], Radio::Good);
    phone.catch_up();
    for (round, uid) in [(0, 2), (1, 4)] {
        other.expunge("INBOX", uid);
        // Told, but half of the answer is lost: the cursor says what the handset has.
        eventually("the removal is told", || {
            let mut look = stage.client("joe#P9");
            let told = crate::stage::untagged(&look.ok("SELECT INBOX"));
            told.contains(&format!("* {} EXISTS", 4 - round)).then_some(())
        });
        phone.say(&["NOOP"], Radio::CutsAnswer(200 + 30 * round));
        stage.gateway.kill();
        stage.gateway.restart();
        phone.say(&["NOOP"], Radio::Good);
        assert!(!phone.handset.replica.must_resync("INBOX"), "round {round}");
        phone.say(&["NOOP"], Radio::Good);
        phone.catch_up();
        assert_eq!(phone.handset.replica.compare_selected(&other.truth("INBOX")), [] as [String; 0]);
    }
}
