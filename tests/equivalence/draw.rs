//! Sequences drawn from a seed.

use pimap_tests::world::rng::Rng;

use crate::act::{Act, End, Key, Set, Step};
use crate::letter::LETTERS;

const MAILBOXES: [&str; 3] = ["INBOX", "Work", "Work/Deep"];

/// Items of FETCH. None without an equal on both sides: dates are given with APPEND.
const ITEMS: [&str; 12] = [
    "FLAGS",
    "(UID FLAGS)",
    "(FLAGS RFC822.SIZE INTERNALDATE)",
    "ENVELOPE",
    "BODYSTRUCTURE",
    "BODY",
    "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])",
    "BODY[TEXT]",
    "(FLAGS BODY[])",
    "BODY.PEEK[1]<2.5>",
    "(RFC822.HEADER FLAGS)",
    "RFC822.TEXT",
];

const KEYS: [&str; 30] = [
    "ALL",
    "ANSWERED",
    "DELETED",
    "DRAFT",
    "FLAGGED",
    "SEEN",
    "UNSEEN",
    "UNFLAGGED",
    "UNDELETED",
    "UNANSWERED",
    "UNDRAFT",
    "KEYWORD $Work",
    "UNKEYWORD $Work",
    "FROM alice",
    "FROM bob",
    "TO joe",
    "CC carol",
    "SUBJECT \"report\"",
    "TEXT hello",
    "BODY attached",
    "HEADER X-Priority \"\"",
    "HEADER Subject lunch",
    "LARGER 300",
    "SMALLER 300",
    "SINCE 6-Mar-2006",
    "BEFORE 6-Mar-2006",
    "ON 6-Mar-2006",
    "SENTSINCE 5-Mar-2006",
    "SENTBEFORE 5-Mar-2006",
    "SENTON 5-Mar-2006",
];

const FLAGS: [&str; 8] = [
    "\\Seen",
    "\\Flagged",
    "\\Answered",
    "\\Draft",
    "\\Deleted",
    "$Work",
    "\\Deleted \\Seen",
    "\\Flagged $Work",
];

/// Commands that stand as they are; mailboxes that come and go are none that anybody selects.
const PLAIN: [&str; 29] = [
    "LIST \"\" *",
    "LIST \"\" %",
    "LIST \"\" Work/%",
    "LIST \"\" \"\"",
    "LIST Work/ *",
    "LSUB \"\" *",
    "CREATE Extra",
    "CREATE Extra/Sub",
    "CREATE Work",
    "CREATE INBOX",
    "DELETE Extra",
    "DELETE Extra/Sub",
    "DELETE Nowhere",
    "DELETE INBOX",
    "RENAME Extra Other",
    "RENAME Other Extra",
    "RENAME Nowhere Extra",
    "SUBSCRIBE Work",
    "UNSUBSCRIBE Work",
    "SUBSCRIBE Extra",
    "STATUS Nowhere (MESSAGES)",
    "SELECT Nowhere",
    "NOOP",
    "CHECK",
    "FETCH 1 NONSENSE",
    "FETCH 0 FLAGS",
    "SEARCH NONSENSE",
    "NONSENSE",
    "UID NONSENSE 1",
];

/// A sequence of so many steps.
pub fn steps(seed: u64, count: usize) -> Vec<Step> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| Step { client: rng.below(12), act: act(&mut rng) }).collect()
}

fn act(rng: &mut Rng) -> Act {
    let mailbox = word(rng, &MAILBOXES);
    match rng.below(100) {
        0..=11 => Act::Select { mailbox, read_only: rng.chance(15) },
        12..=14 => Act::Leave { close: rng.chance(50) },
        15..=29 => Act::Fetch { set: set(rng), items: word(rng, &ITEMS) },
        30..=46 => Act::Store { set: set(rng), change: change(rng) },
        47..=54 => Act::Copy {
            set: set(rng),
            to: if rng.chance(8) { "Nowhere" } else { mailbox },
            moving: rng.chance(50),
        },
        55..=60 => Act::Expunge { set: if rng.chance(40) { Some(uid_set(rng)) } else { None } },
        61..=72 => Act::Search { by_uid: rng.chance(50), key: key(rng, 3) },
        73..=84 => Act::Append {
            mailbox,
            letter: rng.below(LETTERS.len()),
            flags: if rng.chance(50) { "" } else { word(rng, &FLAGS) },
            outside: rng.chance(50),
        },
        85..=88 => Act::Status { mailbox },
        89..=93 => Act::Hidden { place: rng.below(16), expunge: rng.chance(40) },
        _ => Act::Plain(word(rng, &PLAIN)),
    }
}

fn word(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    words[rng.below(words.len())]
}

fn change(rng: &mut Rng) -> String {
    let sign = word(rng, &["+", "+", "-", ""]);
    let silent = if rng.chance(25) { ".SILENT" } else { "" };
    format!("{sign}FLAGS{silent} ({})", word(rng, &FLAGS))
}

fn set(rng: &mut Rng) -> Set {
    let by_uid = rng.chance(50);
    let end = match rng.below(12) {
        0 => End::Star(rng.below(16)),
        1 => End::Beyond,
        _ => End::Nothing,
    };
    let range = |rng: &mut Rng| {
        let from = rng.below(16);
        (from, if rng.chance(60) { from } else { rng.below(16) })
    };
    let ranges = (0..rng.below(3) + 1).map(|_| range(rng)).collect();
    Set { by_uid, ranges, end }
}

fn uid_set(rng: &mut Rng) -> Set {
    Set { by_uid: true, ..set(rng) }
}

fn key(rng: &mut Rng, depth: usize) -> Key {
    match rng.below(10) {
        0 if depth > 0 => Key::Not(Box::new(key(rng, depth - 1))),
        1 if depth > 0 => Key::Or(Box::new(key(rng, depth - 1)), Box::new(key(rng, depth - 1))),
        2 if depth > 0 => Key::And((0..rng.below(3) + 1).map(|_| key(rng, depth - 1)).collect()),
        3 => Key::Set(set(rng)),
        _ => Key::Plain(word(rng, &KEYS)),
    }
}
