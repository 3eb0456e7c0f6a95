//! Bounding takeovers (F15): two phones with one device ID must not throw each other out for ever.

use pimap_types::{Timestamp, limits};

/// A connection that was heard of within this time is alive: taking it over counts, ms.
pub const ALIVE_MS: i64 = 30_000;
const WINDOW_MS: i64 = 600_000;

/// Takeovers of live connections of one device.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Takeovers(Vec<Timestamp>);

impl Takeovers {
    /// A newcomer wants the session whose connection was last heard of at `heard`. Returns whether it may have it.
    pub fn allow(&mut self, heard: Timestamp, now: Timestamp) -> bool {
        if now.since_ms(heard) > ALIVE_MS {
            return true;
        }
        // A clock that stepped back must not lock a handset out: what lies in the future is forgotten.
        self.0.retain(|at| (0..=WINDOW_MS).contains(&now.since_ms(*at)));
        if self.0.len() >= limits::TAKEOVERS_PER_TEN_MINUTES_MAX {
            return false;
        }
        self.0.push(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_flaps_are_four_takeovers_and_the_window_passes() {
        let mut takeovers = Takeovers::default();
        let allowed =
            (0..100).filter(|i| takeovers.allow(Timestamp(i * 1000), Timestamp(i * 1000 + 1))).count();
        assert_eq!(allowed, 4);
        assert!(takeovers.allow(Timestamp(0), Timestamp(ALIVE_MS + 1)), "a silent connection is no flap");
        assert!(takeovers.allow(Timestamp(700_000), Timestamp(700_001)), "the window passed");
        assert!(takeovers.allow(Timestamp(-5), Timestamp(-5)), "the clock stepped back");
    }
}
