//! Finds a short sequence that still fails.

use std::time::{Duration, Instant};

use crate::act::Step;

/// How long it tries.
const LIMIT: Duration = Duration::from_secs(60);

/// Leaves out steps, first in large parts and then one by one, as long as the rest fails; with the failure of what is left.
pub fn shorten(
    mut steps: Vec<Step>,
    mut difference: String,
    fails: impl Fn(&[Step]) -> Option<String>,
) -> (Vec<Step>, String) {
    let begun = Instant::now();
    let mut part = steps.len() / 2;
    while part > 0 {
        let mut from = 0;
        let mut any = false;
        while from < steps.len() && begun.elapsed() < LIMIT {
            let end = (from + part).min(steps.len());
            let rest = [&steps[..from], &steps[end..]].concat();
            match fails(&rest) {
                Some(other) => {
                    (steps, difference, any) = (rest, other, true);
                }
                None => from = end,
            }
        }
        if !any || part > 1 {
            part /= 2;
        }
    }
    (steps, difference)
}
