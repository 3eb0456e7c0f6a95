//! The simulation over a range of seeds, and proof that it notices what it is there for.

use pimap_tests::sim::cast::Cast;
use pimap_tests::sim::{Lie, run, run_with};
use pimap_tests::world::Weakness;

/// Runs of the ordinary test.
const RUNS: u64 = 1_600;
/// They are divided among so many tests.
const PARTS: u64 = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The shortest of what was found, as a transcript.
fn show(lies: &[Lie]) -> String {
    let Some(lie) = lies.iter().min_by_key(|lie| lie.transcript.len()) else { return String::new() };
    let seeds: Vec<String> = lies.iter().map(|lie| lie.seed.to_string()).collect();
    format!(
        "{}\n\n{}\n\nSIM_SEED={} ({} failing: {})",
        lie.transcript.join("\n"),
        lie.found.join("\n"),
        lie.seed,
        seeds.len(),
        seeds.join(" ")
    )
}

/// Runs a part of the seeds, so that the parts run beside each other. `SIM_SEED` asks for one seed, `SIM_RUNS` for as many.
#[track_caller]
fn no_lie(part: u64) {
    let runs = number("SIM_RUNS").unwrap_or(RUNS);
    let seeds: Vec<u64> = match number("SIM_SEED") {
        Some(seed) => vec![seed],
        None => (0..runs).collect(),
    };
    let mine = seeds.into_iter().filter(|seed| seed % PARTS == part);
    let lies: Vec<Lie> = mine.filter_map(|seed| run(seed, None).err()).collect();
    assert!(lies.is_empty(), "{}", show(&lies));
}

#[test]
fn no_even_seed_makes_the_gateway_lie() {
    no_lie(0);
}

#[test]
fn no_odd_seed_makes_the_gateway_lie() {
    no_lie(1);
}

/// Some seed must notice the weakness.
#[track_caller]
fn noticed(weakness: Weakness) {
    let found = (0..RUNS).find_map(|seed| run(seed, Some(weakness)).err());
    assert!(found.is_some(), "{weakness:?} goes unnoticed");
}

#[test]
fn a_store_that_loses_batches_is_noticed() {
    noticed(Weakness::LosesBatches);
}

#[test]
fn a_lost_event_is_noticed() {
    noticed(Weakness::DropsEvents);
}

#[test]
fn removals_told_though_input_follows_are_noticed() {
    noticed(Weakness::IgnoresWhatFollows);
}

#[test]
fn repeated_requests_that_are_not_recognised_are_noticed() {
    noticed(Weakness::ForgetsRequests);
}

/// The same in runs that are about one thing: it is those handsets that notice.
#[track_caller]
fn noticed_by(cast: Cast, weakness: Weakness) {
    let found = (0..RUNS / 4).find_map(|seed| run_with(seed, Some(weakness), Some(cast)).err());
    assert!(found.is_some(), "{weakness:?} goes unnoticed by {cast:?}");
}

/// RFC 5465 5.2, 5.3: what changes in a mailbox that is not selected is told unasked.
#[test]
fn a_lost_status_is_noticed_by_whoever_is_notified() {
    noticed_by(Cast::Notified, Weakness::DropsStatus);
}

/// RFC 5465 5.3: removals are told between commands.
#[test]
fn a_lost_removal_is_noticed_by_whoever_is_notified() {
    noticed_by(Cast::Notified, Weakness::DropsRemovals);
}

/// F38: HIGHESTMODSEQ stays below what is withheld, which flags that CHANGEDSINCE leaves out would show.
#[test]
fn mod_sequences_told_too_early_are_noticed_by_condstore_and_by_qresync() {
    noticed_by(Cast::Condstore, Weakness::CountsAhead);
    noticed_by(Cast::Counting, Weakness::CountsAhead);
}

/// P-IMAP 3.1: each regular client has a session of its own.
#[test]
fn clients_that_are_taken_for_each_other_are_noticed() {
    noticed_by(Cast::Crowd, Weakness::MixesClients);
}

/// F15: two phones with one device ID, each of which believes that it is the device.
#[test]
fn phones_that_share_a_device_are_not_lied_to() {
    let runs = number("SIM_RUNS").unwrap_or(RUNS) / 4;
    let seeds: Vec<u64> = number("SIM_SEED").map_or_else(|| (0..runs).collect(), |seed| vec![seed]);
    let lies: Vec<Lie> =
        seeds.into_iter().filter_map(|seed| run_with(seed, None, Some(Cast::Twins)).err()).collect();
    assert!(lies.is_empty(), "{}", show(&lies));
}
