//! The simulation over a range of seeds, and proof that it notices what it is there for.

use pimap_tests::sim::{Lie, run};
use pimap_tests::world::Weakness;

/// Runs of the ordinary test.
const RUNS: u64 = 2_400;

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

#[test]
fn no_seed_makes_the_gateway_lie() {
    let (from, to) = match number("SIM_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, number("SIM_RUNS").unwrap_or(RUNS)),
    };
    let lies: Vec<Lie> = (from..to).filter_map(|seed| run(seed, None).err()).collect();
    assert!(lies.is_empty(), "{}", show(&lies));
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
