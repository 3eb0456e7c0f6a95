//! The equivalence property: what several clients do is answered through the gateway as it is by the server itself.
//!
//! Random acts of several clients, regular ones and devices, are done twice: through the gateway with one account, and
//! straight at the same Dovecot with another that holds the same mail. Answers must be the same, modulo timing and what cannot be
//! equal on two accounts; what each client holds must be the same, and what the gateway told must be what is. With a
//! view filter that never changes its mind, the other account is one that holds only the messages that match.
//!
//! `EQUIVALENCE_SEED=n` plays one seed, `EQUIVALENCE_SECONDS=n` goes on for so long. A failing sequence is shortened before it is
//! shown.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "equivalence/act.rs"]
mod act;
#[path = "equivalence/draw.rs"]
mod draw;
#[path = "equivalence/letter.rs"]
mod letter;
#[path = "equivalence/play.rs"]
mod play;
#[path = "equivalence/shorten.rs"]
mod shorten;
#[path = "equivalence/side.rs"]
mod side;

use std::time::{Duration, Instant};

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::imap::Reply;

use act::Step;
use play::{Arena, Lens, View, honest};
use shorten::shorten;

/// Acts of one sequence.
const STEPS: usize = 40;

/// How long sequences are played in `make test`, each way.
const SECONDS: u64 = 10;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Plays seeds until the time is over; the first that fails is shortened and shown.
fn play_seeds(arena: &Arena<'_>, first: u64) {
    let limit = Duration::from_secs(number("EQUIVALENCE_SECONDS").unwrap_or(SECONDS));
    let begun = Instant::now();
    let seeds = match number("EQUIVALENCE_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..u64::MAX,
    };
    for seed in seeds {
        let steps = draw::steps(seed, STEPS);
        if let Err(difference) = arena.play(&steps) {
            let (steps, difference) = shorten(steps, difference, |steps| arena.play(steps).err());
            panic!("{}", shown(seed, &steps, &difference));
        }
        if begun.elapsed() >= limit {
            return;
        }
    }
}

fn shown(seed: u64, steps: &[Step], difference: &str) -> String {
    let steps: String = steps.iter().map(|step| format!("    {step:?}\n")).collect();
    format!("EQUIVALENCE_SEED={seed}, shortened to\n{steps}{difference}")
}

/// RFC 3501 with UIDPLUS, MOVE and UNSELECT, view ALL: several sessions of a person, one after the other in no order.
#[test]
fn with_view_all_the_gateway_answers_as_the_server_does() {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    play_seeds(&Arena::new(&dovecot, gateway.address("imap"), View::All, honest), 1);
}

/// The same before a server that can do little.
#[test]
fn before_a_poor_server_too() {
    let dovecot = Dovecot::poor();
    let gateway = Gateway::start(Config::before(&dovecot));
    play_seeds(&Arena::new(&dovecot, gateway.address("imap"), View::All, honest), 10_000);
}

/// Digest 5, 22.3: the mobile repository is a mailbox that holds the matching messages and no others.
#[test]
fn a_filtered_view_is_a_mailbox_of_the_messages_that_match() {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    play_seeds(&Arena::new(&dovecot, gateway.address("imap"), View::FromAlice, honest), 20_000);
}

/// The judge is judged: two accounts of one server differ in nothing.
#[test]
fn a_server_is_equivalent_to_itself() {
    let dovecot = Dovecot::start();
    let arena = Arena::new(&dovecot, dovecot.imap(), View::All, honest).impatient();
    for seed in 0..3 {
        let steps = draw::steps(seed, STEPS);
        if let Err(difference) = arena.play(&steps) {
            panic!("{}", shown(seed, &steps, &difference));
        }
    }
}

/// And it finds lies, and shows one in the few acts that it takes.
#[test]
fn a_lie_is_found_and_the_way_to_it_is_short() {
    let dovecot = Dovecot::start();
    let lies: [(&str, Lens); 4] = [
        ("a SEARCH that misses one", |reply| {
            change(reply, b"* SEARCH", |line| {
                line.iter().rposition(|byte| *byte == b' ').map(|at| line[..at].to_vec())
            })
        }),
        ("an EXPUNGE that is not told", |reply| change(reply, b"EXPUNGE", |_| None)),
        ("an EXISTS that is not told", |reply| change(reply, b"EXISTS", |_| None)),
        ("a flag that is not told", |reply| {
            change(reply, b"FETCH", |line| {
                let text = String::from_utf8_lossy(line).replace("\\Flagged", "\\Answered");
                Some(text.into_bytes())
            })
        }),
    ];
    for (name, lie) in lies {
        let arena = Arena::new(&dovecot, dovecot.imap(), View::All, lie).impatient();
        let found = (0..50).find_map(|seed| {
            let steps = draw::steps(seed, STEPS);
            arena.play(&steps).err().map(|difference| (steps, difference))
        });
        let (steps, difference) = found.unwrap_or_else(|| panic!("{name} is not found"));
        if name.contains("SEARCH") {
            let (short, _) = shorten(steps, difference, |steps| arena.play(steps).err());
            assert!(short.len() <= 4, "{name}: {}", shown(0, &short, ""));
        }
    }
}

/// Changes the untagged lines that hold some octets; nothing in place of a line leaves it out.
fn change(reply: &mut Reply, holding: &[u8], how: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let holds = |line: &[u8]| line.windows(holding.len()).any(|window| window == holding);
    let lines = std::mem::take(&mut reply.untagged).into_iter();
    reply.untagged = lines.filter_map(|line| if holds(&line) { how(&line) } else { Some(line) }).collect();
}
