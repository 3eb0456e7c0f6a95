//! SEARCH, SORT and THREAD on a view, next to the answers of a Dovecot mailbox that holds only the messages in view (F28): an
//! equivalence that needs no oracle of ours.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use pimap_tests::dovecot::{Dovecot, Riches, mail};
use pimap_tests::imap::{Imap, Reply};
use pimap_tests::world::rng::Rng;
use pimap_types::Timestamp;

use crate::stage::{Stage, refused, untagged};

const SUBJECTS: [&str; 4] = ["Budget", "Re: Budget", "Lunch", "Fwd: [team] Budget"];
const PEOPLE: [&str; 3] =
    ["Anna <anna@work.example>", "berta@work.example", "\"Carl, C.\" <carl@work.example>"];
const FLAGS: [&str; 5] = ["", "\\Seen", "\\Flagged", "\\Seen \\Flagged", "$Junk"];

/// A message that may be one of a thread. Those that are in view come from work.
struct Letter {
    text: String,
    flags: &'static str,
    date: String,
    at_work: bool,
}

fn letter(number: usize, rng: &mut Rng) -> Letter {
    let at_work = rng.chance(60);
    let from = if at_work { rng.pick(&PEOPLE) } else { "friend@home.example" };
    let subject = rng.pick(&SUBJECTS);
    // A reply to any earlier one: also to one that is hidden, and that one's parents.
    let mut references = String::new();
    if number > 0 && rng.chance(60) {
        let parent = rng.below(number);
        references = format!(
            "In-Reply-To: <m{parent}@example>\r\nReferences: <m{}@example> <m{parent}@example>\r\n",
            parent / 2
        );
    }
    let (day, hour) = (1 + rng.below(28), rng.below(24));
    let body = "word ".repeat(1 + rng.below(40));
    let text = format!(
        "From: {from}\r\nTo: {}\r\nSubject: {subject}\r\nDate: {day} Jan 2026 {hour:02}:00:00 +0000\r\n\
         Message-ID: <m{number}@example>\r\n{references}\r\n{body}{number}\r\n",
        rng.pick(&PEOPLE),
    );
    let date = format!("{:2}-Feb-2026 {:02}:30:00 +0000", 1 + rng.below(28), rng.below(24));
    Letter { text, flags: FLAGS[rng.below(FLAGS.len())], date, at_work }
}

fn append(client: &mut Imap, letter: &Letter) {
    let Letter { text, flags, date, .. } = letter;
    client.ok(&format!("APPEND INBOX ({flags}) \"{date}\" {{{}+}}\r\n{text}", text.len()));
}

/// A handset that sees mail from work, and a client of Dovecot whose mailbox holds nothing else.
fn twins(rng: &mut Rng, upstream: &Riches) -> (Stage, Imap, Imap, usize) {
    let stage = Stage::before(Dovecot::with(upstream), |config| config);
    let (mut joe, mut twin) = (stage.dovecot.login("joe"), stage.dovecot.login("twin"));
    let mut in_view = 0;
    for number in 0..60 {
        let letter = letter(number, rng);
        append(&mut joe, &letter);
        if letter.at_work {
            append(&mut twin, &letter);
            in_view += 1;
        }
    }
    // Dovecot 2.3 numbers what it sorts by as it goes, and confuses what it numbered with what comes later: here nothing does.
    for client in [&mut joe, &mut twin] {
        client.ok("EXAMINE INBOX");
        for key in ["FROM", "SUBJECT", "TO", "CC", "DISPLAYFROM"] {
            client.ok(&format!("SORT ({key}) UTF-8 ALL"));
        }
    }
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET WORK \"\" (FROM \"work.example\")");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V WORK)");
    let told = untagged(&handset.ok("SELECT INBOX"));
    assert!(told.contains(&format!("* {in_view} EXISTS")), "{told}");
    twin.ok("SELECT INBOX");
    (stage, handset, twin, in_view)
}

/// A search program without UIDs, which are others in the twin.
fn program(rng: &mut Rng, messages: usize, depth: u32) -> String {
    let number = |rng: &mut Rng| match rng.below(8) {
        0 => "*".to_owned(),
        _ => (1 + rng.below(messages)).to_string(),
    };
    match rng.below(if depth == 0 { 14 } else { 20 }) {
        0 => "ALL".to_owned(),
        1 => "SEEN".to_owned(),
        2 => "UNFLAGGED".to_owned(),
        3 => "KEYWORD $Junk".to_owned(),
        4 => "SUBJECT budget".to_owned(),
        5 => "FROM anna".to_owned(),
        6 => "BODY \"word word word word word word word word word word\"".to_owned(),
        7 => format!("SINCE {}-Feb-2026", 1 + rng.below(28)),
        8 => format!("SENTBEFORE {}-Jan-2026", 1 + rng.below(28)),
        9 => format!("LARGER {}", 200 + rng.below(200)),
        10 => "OLDER 86400".to_owned(),
        11 => format!("{}:{}", number(rng), number(rng)),
        12 => format!("{},{}:{},{}", number(rng), number(rng), number(rng), number(rng)),
        13 => "$".to_owned(),
        14 | 15 => format!("NOT {}", program(rng, messages, depth - 1)),
        16 | 17 => format!("OR {} {}", program(rng, messages, depth - 1), program(rng, messages, depth - 1)),
        _ => format!("({} {})", program(rng, messages, depth - 1), program(rng, messages, depth - 1)),
    }
}

fn command(rng: &mut Rng, messages: usize, has_refs: bool) -> String {
    let program = program(rng, messages, 3);
    let charset = *rng.pick(&["UTF-8", "US-ASCII"]);
    match rng.below(12) {
        0..=2 => format!("SEARCH {program}"),
        3 => format!("SEARCH CHARSET {charset} {program}"),
        4 => format!("SEARCH RETURN (MIN MAX COUNT) {program}"),
        5 => format!("SEARCH RETURN () {program}"),
        6 => format!("SEARCH RETURN (SAVE) {program}"),
        7 => format!("SEARCH RETURN (SAVE MIN MAX) {program}"),
        8 | 9 => {
            let keys = [
                "ARRIVAL",
                "REVERSE DATE",
                "SUBJECT",
                "FROM REVERSE SIZE",
                "TO DATE",
                "CC SUBJECT",
                "DISPLAYFROM",
            ];
            format!("SORT ({}) {charset} {program}", rng.pick(&keys))
        }
        10 => {
            // REFS is not made where upstream does not have it.
            let algorithms = ["REFERENCES", "ORDEREDSUBJECT", "REFS"];
            let algorithm = rng.pick(&algorithms[..if has_refs { 3 } else { 2 }]);
            format!("THREAD {algorithm} {charset} {program}")
        }
        _ => {
            let set = format!("{}:{}", 1 + rng.below(messages), 1 + rng.below(messages));
            let set = if rng.chance(50) { "$" } else { &set };
            let change = ["+FLAGS.SILENT (\\Seen)", "-FLAGS.SILENT (\\Seen)", "FLAGS.SILENT ($Junk)"];
            format!("STORE {set} {}", rng.pick(&change))
        }
    }
}

/// What was found, whatever was told besides; the items of an ESEARCH in any order.
fn answer(reply: &Reply) -> Vec<String> {
    let told = untagged(reply);
    let found = |line: &&str| {
        ["* SEARCH", "* ESEARCH", "* SORT", "* THREAD"].iter().any(|word| line.starts_with(word))
    };
    let in_order = |line: &str| match line.strip_prefix("* ESEARCH ").and_then(|rest| rest.split_once(')')) {
        None => line.trim_end().to_owned(),
        Some((_, items)) => {
            let words: Vec<&str> = items.split_whitespace().collect();
            let mut pairs: Vec<String> = words.chunks(2).map(|pair| pair.join(" ")).collect();
            pairs.sort();
            format!("ESEARCH {}", pairs.join(" "))
        }
    };
    told.lines().filter(found).map(in_order).collect()
}

/// RFC 4731, RFC 5182, RFC 5256, RFC 5032 on a view: as in a mailbox without the others. What upstream need not have is there before
/// one that announces next to nothing, too.
#[test]
fn a_view_is_searched_sorted_and_threaded_as_a_mailbox_of_its_own() {
    for (seed, upstream) in [(1, Riches::Rich), (2, Riches::Poor), (3, Riches::Poor)] {
        let has_refs = upstream == Riches::Rich;
        let mut rng = Rng::new(seed);
        let (_stage, mut handset, mut twin, messages) = twins(&mut rng, &upstream);
        for step in 0..250 {
            let command = command(&mut rng, messages, has_refs);
            let (ours, theirs) = (handset.command(&command), twin.command(&command));
            let seen = (ours.condition.status.clone(), answer(&ours));
            let right = (theirs.condition.status.clone(), answer(&theirs));
            assert_eq!(seen, right, "seed {seed}, step {step}: {command}");
        }
    }
}

/// F28: the UID forms name visible UIDs, in the places in which the number forms name their positions.
#[test]
fn uid_forms_name_the_same_messages() {
    let mut rng = Rng::new(3);
    let (_stage, mut handset, _twin, messages) = twins(&mut rng, &Riches::Rich);
    let uids: Vec<String> =
        untagged(&handset.ok("UID SEARCH ALL")).split_whitespace().skip(2).map(str::to_owned).collect();
    assert_eq!(uids.len(), messages);
    let positions = |line: &str| -> String {
        let mut renamed = String::new();
        let mut digits = String::new();
        for character in line.chars().chain(['\n']) {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            if !digits.is_empty() {
                let position = uids.iter().position(|uid| *uid == digits);
                let position = position.unwrap_or_else(|| panic!("{digits} is hidden: {line}"));
                renamed.push_str(&(position + 1).to_string());
                digits.clear();
            }
            renamed.push(character);
        }
        renamed.trim_end().to_owned()
    };
    for _ in 0..60 {
        let command = command(&mut rng, messages, true);
        if command.starts_with("STORE") || command.contains("RETURN") {
            continue;
        }
        let by_number = answer(&handset.ok(&command));
        let by_uid: Vec<String> =
            answer(&handset.ok(&format!("UID {command}"))).iter().map(|line| positions(line)).collect();
        assert_eq!(by_uid, by_number, "{command}");
    }
}

/// F21, F28: whichever of upstream's connections answers, it has seen what was stored before; and `$` is each session's own.
#[test]
fn what_was_stored_is_found_over_a_pool_of_three() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three", "four"]);
    let rounds = |name: usize, mut client: Imap| {
        client.ok("SELECT INBOX");
        for round in 0..120 {
            let (number, keyword) = (1 + (round + name) % 4, format!("k{name}"));
            client.ok(&format!("STORE {number} +FLAGS.SILENT ({keyword})"));
            let found = answer(&client.ok(&format!("SEARCH KEYWORD {keyword}")));
            assert_eq!(found, [format!("* SEARCH {number}")], "session {name}, round {round}");
            client.ok(&format!("SEARCH RETURN (SAVE) KEYWORD {keyword}"));
            client.ok("NOOP");
            let found = answer(&client.ok("SEARCH RETURN (ALL) $"));
            assert_eq!(found, [format!("ESEARCH ALL {number}")], "session {name}, round {round}");
            client.ok(&format!("STORE $ -FLAGS.SILENT ({keyword})"));
            assert_eq!(answer(&client.ok(&format!("SEARCH KEYWORD {keyword}"))), ["* SEARCH"]);
        }
    };
    let users = ["joe", "joe#P1", "joe#P2", "joe"];
    let clients: Vec<Imap> = users.iter().map(|user| stage.client(user)).collect();
    thread::scope(|scope| {
        for (name, client) in clients.into_iter().enumerate() {
            scope.spawn(move || rounds(name, client));
        }
    });
}

/// RFC 3501 6.4.4: what is not understood is BAD, and a charset that nobody knows is NO with those that are known.
#[test]
fn programs_that_cannot_be_answered_are_refused() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut client = stage.client("joe#P1");
    client.ok("SELECT INBOX");
    assert!(refused(&mut client, "SEARCH CHARSET KOI8-R ALL", "NO").contains("BADCHARSET (US-ASCII UTF-8)"));
    for command in [
        "SEARCH RETURN (ALL PARTIAL 1:2) ALL",
        "SEARCH $:1",
        "SORT (DATE) UTF-8 0:*",
        "THREAD JOSTLE UTF-8 ALL",
    ] {
        refused(&mut client, command, "BAD");
    }
    // A number that no message has is no mistake where messages are looked for.
    assert_eq!(answer(&client.ok("SEARCH 2,7:9")), ["* SEARCH"]);
    assert_eq!(answer(&client.ok("SORT (DATE) UTF-8 1:9")), ["* SORT 1"]);
    let everything = vec!["1:*"; 4_096].join(",");
    assert_eq!(answer(&client.ok(&format!("SEARCH {everything}"))), ["* SEARCH 1"]);
    refused(&mut client, &format!("SEARCH {everything},1"), "BAD");
    refused(&mut client, &format!("SEARCH {}ALL{}", "(".repeat(4_000), ")".repeat(4_000)), "BAD");
    assert_eq!(answer(&client.ok("SEARCH CHARSET UTF-8 SUBJECT {4+}\r\n\u{fc}\u{fc}")), ["* SEARCH"]);
}

/// RFC 5032: before a server that lacks WITHIN the answers are those that Dovecot itself gives, whose WITHIN works unannounced.
#[test]
fn older_and_younger_are_answered_as_by_a_server_that_knows_them() {
    let stage = Stage::before(Dovecot::poor(), |config| config);
    let mut other = stage.dovecot.login("joe");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    // On either side of midnight in every zone, written in zones of both ends.
    for (hours, east) in
        [(1, 14), (1, -12), (11, 13), (13, 0), (25, -11), (25, 12), (47, 14), (49, -12), (73, 0)]
    {
        let local = now + (east - hours) * 3_600;
        let (day, hour, minute) = (Timestamp(local * 1_000).date(0), local / 3_600 % 24, local / 60 % 60);
        let sign = if east < 0 { '-' } else { '+' };
        let zone = i64::abs(east);
        let mail = mail("a@example.org", "hello", "x");
        let text = String::from_utf8_lossy(&mail);
        let date = format!("{day:>11} {hour:02}:{minute:02}:00 {sign}{zone:02}00");
        other.ok(&format!("APPEND INBOX () \"{date}\" {{{}+}}\r\n{text}", text.len()));
    }
    other.ok("SELECT INBOX");
    other.ok("STORE 1,4 +FLAGS (\\Seen)");
    let mut handset = stage.client("joe#P1");
    handset.ok("SELECT INBOX");
    let mut answers = Vec::new();
    for hours in [6, 12, 24, 36, 48, 60] {
        let seconds = hours * 3_600;
        for program in [
            format!("OLDER {seconds}"),
            format!("YOUNGER {seconds}"),
            format!("SEEN YOUNGER {seconds}"),
            format!("NOT (OR SEEN OLDER {seconds})"),
        ] {
            let answer = untagged(&handset.ok(&format!("UID SEARCH {program}")));
            assert_eq!(answer, untagged(&other.ok(&format!("UID SEARCH {program}"))), "{program}");
            answers.push(answer);
        }
    }
    answers.sort();
    answers.dedup();
    assert!(answers.len() > 8, "the programs tell messages apart: {answers:#?}");
}
