//! SORT and THREAD of the gateway's own, before a Dovecot that announces neither, next to those of the same Dovecot, which has them all
//! the same.

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::gateway::Gateway;
use pimap_tests::imap::Imap;
use pimap_tests::server::{Make, Server};
use pimap_tests::world::rng::Rng;

use crate::corpus::{LETTERS, Letter};

/// A message, and when it came.
pub struct Message {
    received: String,
    octets: Vec<u8>,
}

const ORDERS: [&str; 20] = [
    "SORT (ARRIVAL)",
    "SORT (REVERSE ARRIVAL)",
    "SORT (CC)",
    "SORT (DATE)",
    "SORT (REVERSE DATE)",
    "SORT (FROM)",
    "SORT (REVERSE FROM)",
    "SORT (SIZE)",
    "SORT (REVERSE SIZE)",
    "SORT (SUBJECT)",
    "SORT (REVERSE SUBJECT)",
    "SORT (TO)",
    "SORT (SUBJECT REVERSE DATE)",
    "SORT (REVERSE SUBJECT FROM SIZE)",
    "SORT (FROM REVERSE TO CC SUBJECT DATE)",
    "SORT (DISPLAYFROM)",
    "SORT (REVERSE DISPLAYFROM)",
    "SORT (DISPLAYTO REVERSE ARRIVAL)",
    "THREAD ORDEREDSUBJECT",
    "THREAD REFERENCES",
];

/// Letters that have another place with Dovecot: it cuts an encoded word at its first mistake, reads one in an unknown charset as UTF-8, does
/// not know languages (RFC 2231 5) and takes characters apart that mailers cut in two; it knows zones of one letter, which mean nothing
/// (RFC 5322 4.3), no years of three digits, and no leap seconds. Of fields that are there twice its ENVELOPE tells the other one, and of a time before 1970 its FETCH another one.
const APART: [&str; 10] = [
    "word-broken-base64",
    "word-unknown-charset",
    "word-language",
    "word-split-character",
    "date-military",
    "date-three-digit",
    "date-leap-second",
    "date-twice",
    "subject-twice",
    "came-before-epoch",
];

/// The letters that filters are compared over.
pub fn corpus() -> Vec<Message> {
    let message =
        |letter: &Letter| Message { received: letter.received.clone(), octets: letter.octets.clone() };
    LETTERS.iter().filter(|letter| !APART.contains(&letter.name.as_str())).map(message).collect()
}

/// Headers that refer to each other, to what is not there and in circles, under subjects that replies and lists have been at.
pub fn drawn(seed: u64, count: usize) -> Vec<Message> {
    let mut rng = Rng::new(seed);
    (0..count).map(|number| letter(&mut rng, number, count)).collect()
}

fn letter(rng: &mut Rng, number: usize, count: usize) -> Message {
    let mut header = String::new();
    let mut field = |name: &str, value: &str| header.push_str(&format!("{name}: {value}\r\n"));
    field("From", rng.pick::<&str>(&PEOPLE));
    field("To", rng.pick::<&str>(&PEOPLE));
    if rng.chance(30) {
        field("Cc", &format!("{}, {}", rng.pick(&PEOPLE), rng.pick(&PEOPLE)));
    }
    let base = *rng.pick(&BASES);
    let before = *rng.pick(&["", "", "", "Re: ", "re: re[2]: ", "[list] ", "[list] RE: [a] Fwd:", "Fw : "]);
    let behind = *rng.pick(&["", "", "", "", " (fwd)", " (FWD) "]);
    let subject = format!("{before}{base}{behind}");
    match rng.below(12) {
        0 => {}
        1 => field("Subject", &format!("[fwd: {subject}]")),
        _ => field("Subject", &subject),
    }
    let (day, hour, minute) = (1 + rng.below(28), rng.below(24), rng.below(60));
    let zone = *rng.pick(&["+0000", "-0800", "+0530", "GMT", "EST", "+1400"]);
    if rng.chance(90) {
        field("Date", &format!("{day} Jan 2026 {hour:02}:{minute:02}:00 {zone}"));
    }
    if rng.chance(92) {
        // Some say the same of themselves.
        let name = if rng.chance(4) { rng.below(count) } else { number };
        field("Message-ID", &format!("<m{name}@example>"));
    }
    let other = |rng: &mut Rng| match rng.below(10) {
        0 => format!("<gone{}@example>", rng.below(10)),
        _ => format!("<m{}@example>", rng.below(count)),
    };
    if rng.chance(55) {
        let references: Vec<String> = (0..1 + rng.below(3)).map(|_| other(rng)).collect();
        field("References", &references.join(*rng.pick(&[" ", "\r\n ", ""])));
    }
    if rng.chance(30) {
        let parent = other(rng);
        field("In-Reply-To", &parent);
    }
    let received = format!("{:02}-Feb-2026 {:02}:30:00 +0100", 1 + rng.below(28), rng.below(24));
    let body = "word ".repeat(rng.below(6));
    Message { received, octets: format!("{header}\r\n{body}\r\n").into_bytes() }
}

const PEOPLE: [&str; 8] = [
    "Anna <anna@work.example>",
    "anna@home.example",
    "\"Carl, C.\" <carl@work.example>",
    "=?utf-8?Q?=C3=84nne?= <Berta@work.example>",
    "berta@work.example (Berta)",
    "friends: anna@home.example, carl@work.example;",
    "undisclosed-recipients:;",
    "<ZOE@example>",
];

const BASES: [&str; 10] = [
    "Budget",
    "budget",
    "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
    "=?iso-8859-1?Q?GR=DC=DFE?=",
    "=?utf-8?B?w4RyZ2Vy?= today",
    "\u{c4}rger today",
    "lunch  at\tnoon",
    "lunch at\r\n noon",
    "[team] plan",
    "",
];

/// Puts the messages in every order, here and there.
pub fn compare(messages: &[Message]) {
    let server = Server::start(Make::DovecotBare);
    let mut direct = server.login("joe");
    for Message { received, octets } in messages {
        // As it is, since some hold octets of no charset.
        let tag = direct.begin(&format!("APPEND INBOX \"{received}\" {{{}+}}", octets.len()));
        direct.send(octets);
        direct.send(b"\r\n");
        // A letter that the server does not take is in neither mailbox.
        let _ = direct.finish(&tag);
    }
    direct.ok("EXAMINE INBOX");
    let gateway = Gateway::start(server.config());
    let mut client = Imap::login(gateway.address("imap"), "joe", PASSWORD);
    client.ok("SELECT INBOX");
    let mut differing = Vec::new();
    for order in ORDERS {
        for (program, by_uid) in [("ALL", "UID "), ("OR FROM anna SUBJECT e", "")] {
            let command = format!("{by_uid}{order} UTF-8 {program}");
            let (ours, theirs) = (told(&mut client, &command), told(&mut direct, &command));
            if ours != theirs {
                differing.push(format!("{command}\n  gateway {ours}\n  Dovecot {theirs}"));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn told(client: &mut Imap, command: &str) -> String {
    let reply = client.ok(command);
    let lines = reply.untagged.iter().map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
    lines.filter(|line| line.starts_with("* SORT") || line.starts_with("* THREAD")).collect()
}
