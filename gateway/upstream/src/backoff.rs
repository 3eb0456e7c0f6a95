//! How long to wait before the next attempt: doubling, bounded, with jitter from a seed so that a thousand accounts do not
//! knock at a restarted server in the same moment. Pure: no clock, no randomness of its own.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(60);

/// Delays of one account.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    attempts: u32,
    state: u64,
}

impl Backoff {
    /// No attempt has failed yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { attempts: 0, state: seed }
    }

    /// The connection held: the next failure is a first one.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// An attempt failed: wait this long, between half and the whole of the doubled delay.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let half = whole / 2;
        half + half.mul_f64(self.fraction())
    }

    /// A number from 0 to 1 (splitmix64).
    fn fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn delays_grow_within_bounds(seed: u64) {
            let mut backoff = Backoff::new(seed);
            for attempt in 0..40u32 {
                let whole = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
                let delay = backoff.next_delay();
                prop_assert!(delay >= whole / 2 && delay <= whole, "{attempt}: {delay:?}");
            }
            backoff.reset();
            prop_assert!(backoff.next_delay() <= FIRST);
        }
    }

    #[test]
    fn seeds_spread() {
        let delays: std::collections::BTreeSet<Duration> =
            (0..100).map(|s| Backoff::new(s).next_delay()).collect();
        assert!(delays.len() > 90);
    }
}
