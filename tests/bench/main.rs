//! `make bench`: the gateway next to its peers, in the same run, in turns, on the same machine.
//!
//! `bench [FIGURE…]` measures the named figures (all when none is named), prints one table and writes `bench/FIGURE.json`
//! beside the workspace. What a figure means, how it is taken and what it leaves out stands at the head of its module.
//! Other work on the machine moves absolute times, so a ratio to the peer is what to look at. A peer or a gateway that
//! does not start, or answers something else than expected, ends the run with the reason.

mod bodies;
mod client;
mod connections;
mod idle;
mod noop;
mod parked;
mod peers;
mod process;
mod push;
mod report;
mod resume;
mod resync;
mod select;
mod upstream;
mod upstream_cost;
mod ways;

use std::process::ExitCode;

use report::Report;

/// A figure: its name, and how it is taken.
type Figure = (&'static str, fn(&mut Report));

/// The figures, in the order in which they are taken.
const FIGURES: [Figure; 12] = [
    ("noop", noop::measure),
    ("resume", resume::measure),
    ("push", push::measure),
    ("arrival", push::arrival),
    ("bodies", bodies::measure),
    ("select", select::measure),
    ("select-large", select::large),
    ("idle", idle::measure),
    ("connections", connections::measure),
    ("parked", parked::measure),
    ("resync", resync::measure),
    ("upstream-connections", upstream_cost::measure),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !FIGURES.iter().any(|(known, _)| known == *name)) {
        let known: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
        eprintln!("bench: no figure {unknown:?}; there are {}", known.join(", "));
        return ExitCode::from(64);
    }
    let mut reports = Vec::new();
    for (name, measure) in FIGURES {
        if !wanted.is_empty() && !wanted.iter().any(|asked| asked == name) {
            continue;
        }
        eprintln!("bench: {name}");
        let mut report = Report::new(name);
        measure(&mut report);
        if let Err(error) = report.write() {
            eprintln!("bench: bench/{name}.json: {error}");
            return ExitCode::FAILURE;
        }
        reports.push(report);
    }
    report::print(&reports);
    ExitCode::SUCCESS
}
