//! Rates: how often something may happen, for one thing or for very many.
//!
//! In: a time, and who asks. Out: yes, or the earliest time worth asking again. A rate's memory is one
//! timestamp. A clock that steps back never frees budget: a used-up budget stays used up until time moves
//! forward again.

use pimap_types::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};

/// `burst` at once, then one every `interval_ms`: within any stretch of time at most `burst + stretch /
/// interval_ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many may come at once, at least 1.
    pub burst: u16,
    /// Milliseconds in which one is earned back.
    pub interval_ms: u32,
}

/// How much of a rate is used: the time at which all of it will be earned back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used(Timestamp);

impl Used {
    /// Nothing used yet.
    pub const NOTHING: Used = Used(Timestamp(i64::MIN));
}

impl Rate {
    /// Whether one more fits now; if not, when it will.
    pub fn check(self, used: &mut Used, now: Timestamp) -> Result<(), Timestamp> {
        let interval = i64::from(self.interval_ms);
        let whole = interval * i64::from(self.burst.max(1));
        // Only a clock that stepped back can leave more than the whole burst used.
        used.0 = used.0.min(now.plus_ms(whole));
        let earliest = used.0.plus_ms(interval - whole);
        if earliest <= now { Ok(()) } else { Err(earliest) }
    }

    /// Uses one, after [`Rate::check`] has said yes.
    pub fn charge(self, used: &mut Used, now: Timestamp) {
        used.0 = used.0.max(now).plus_ms(i64::from(self.interval_ms));
    }

    /// Checks, and uses one if it fits.
    pub fn admit(self, used: &mut Used, now: Timestamp) -> Result<(), Timestamp> {
        self.check(used, now)?;
        self.charge(used, now);
        Ok(())
    }
}

/// One rate for each of very many things, in memory that does not grow. Things are spread over slots by a
/// keyed hash; two that fall into one slot share its budget, so the bound holds for each of them, and a
/// stranger who does not know the seed cannot aim at somebody else's slot.
#[derive(Debug)]
pub struct Budgets {
    rate: Rate,
    seed: u64,
    slots: Box<[Used]>,
}

impl Budgets {
    /// `slots` (at least 1) of 8 bytes each.
    pub fn new(rate: Rate, slots: usize, seed: u64) -> Self {
        Self { rate, seed, slots: vec![Used::NOTHING; slots.max(1)].into_boxed_slice() }
    }

    /// Whether one more fits for `thing`, which is then used; if not, when it will.
    pub fn admit(&mut self, thing: &impl Hash, now: Timestamp) -> Result<(), Timestamp> {
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        thing.hash(&mut hasher);
        let slot = (hasher.finish() % self.slots.len() as u64) as usize;
        match self.slots.get_mut(slot) {
            Some(used) => self.rate.admit(used, now),
            None => Err(now.plus_ms(i64::from(self.rate.interval_ms))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn a_burst_then_one_each_interval() {
        let rate = Rate { burst: 3, interval_ms: 1_000 };
        let mut used = Used::NOTHING;
        let at = |ms: i64| Timestamp(50_000 + ms);
        for _ in 0..3 {
            assert_eq!(rate.admit(&mut used, at(0)), Ok(()));
        }
        assert_eq!(rate.admit(&mut used, at(0)), Err(at(1_000)));
        assert_eq!(rate.admit(&mut used, at(999)), Err(at(1_000)));
        assert_eq!(rate.admit(&mut used, at(1_000)), Ok(()));
        assert_eq!(rate.admit(&mut used, at(1_000)), Err(at(2_000)));
    }

    #[test]
    fn things_in_one_slot_share_and_others_do_not() {
        let rate = Rate { burst: 1, interval_ms: 1_000 };
        let mut one = Budgets::new(rate, 1, 7);
        assert!(one.admit(&"a", Timestamp(0)).is_ok());
        assert!(one.admit(&"b", Timestamp(0)).is_err());
        let mut many = Budgets::new(rate, 4_096, 7);
        let admitted = (0..100).filter(|thing| many.admit(thing, Timestamp(0)).is_ok()).count();
        assert!(admitted > 90, "{admitted}");
        assert!((0..100).all(|thing| many.admit(&thing, Timestamp(0)).is_err()));
        // No slots at all would be no budget at all; one is made.
        assert!(Budgets::new(rate, 0, 7).admit(&"a", Timestamp(0)).is_ok());
    }

    proptest! {
        /// Whatever the clock does, what is admitted is at most the burst and what forward motion has earned.
        #[test]
        fn never_more_than_earned(
            burst in 1u16..5,
            interval_ms in 1u32..5_000,
            moves in vec(-20_000i64..10_000, 0..300),
        ) {
            let rate = Rate { burst, interval_ms };
            let (mut used, mut now, mut forward, mut admitted) = (Used::NOTHING, Timestamp(0), 0, 0);
            for ms in moves {
                now = now.plus_ms(ms);
                forward += ms.max(0);
                admitted += i64::from(rate.admit(&mut used, now).is_ok());
                prop_assert!(admitted <= i64::from(burst) + forward / i64::from(interval_ms));
            }
        }

        /// A refusal names the exact first moment at which it would not have been one.
        #[test]
        fn refusals_name_the_moment(
            burst in 1u16..5,
            interval_ms in 1u32..5_000,
            steps in vec(0i64..3_000, 0..100),
        ) {
            let rate = Rate { burst, interval_ms };
            let (mut used, mut now) = (Used::NOTHING, Timestamp(0));
            for step in steps {
                now = now.plus_ms(step);
                if let Err(earliest) = rate.admit(&mut used, now) {
                    prop_assert!(earliest > now);
                    prop_assert!(rate.check(&mut used.clone(), earliest).is_ok());
                    prop_assert!(rate.check(&mut used.clone(), earliest.plus_ms(-1)).is_err());
                }
            }
        }

        #[test]
        fn extreme_times_are_survived(times in vec(any::<i64>(), 0..20)) {
            let rate = Rate { burst: u16::MAX, interval_ms: u32::MAX };
            let mut used = Used::NOTHING;
            for time in times {
                let _ = rate.admit(&mut used, Timestamp(time));
            }
        }
    }
}
