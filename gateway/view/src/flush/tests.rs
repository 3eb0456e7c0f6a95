//! A small world, searched whole: every order of arrivals, late verdicts, departures, returns and partial flushes, up
//! to a depth, on the real functions. A handset knows only the lines written to it; its list must equal *told* after
//! every one. The same search must catch each weakened rule, else it proves nothing.

use super::*;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// What is written to the handset.
#[derive(Clone, Copy, Debug)]
enum Line {
    Exists(u32),
    Expunge(u32),
}

/// The functions under test, replaceable by weakened ones.
#[derive(Clone, Copy)]
struct Rules {
    arrivals: fn(&mut UidSet, Uid, &UidSet) -> Option<u32>,
    /// Several at once, as one flush does.
    removals: fn(&mut UidSet, &[Uid], &UidSet) -> Vec<u32>,
}

const REAL: Rules = Rules {
    arrivals: |told, up_to, live| announce_arrivals(told, up_to, live).expect("few"),
    removals: |told, gone, _| {
        gone.iter().filter_map(|uid| announce_removal(told, *uid)).map(MobileSeq::get).collect()
    },
};

/// How verdicts come, and whether messages come back.
#[derive(Clone, Copy, PartialEq)]
enum World {
    VerdictAtOnce,
    LateVerdicts,
    /// Verdicts at once, but a message may leave the view and re-enter it (a flag set and reset).
    Returns,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    told: UidSet,
    handset: Vec<u32>,
    live: UidSet,
    undecided: BTreeSet<u32>,
    next: u32,
}

#[derive(Debug, PartialEq)]
enum Violation {
    /// EXISTS lowered the count, or promised messages that are not there.
    ImpossibleExists,
    /// EXPUNGE of a position the handset does not have.
    ImpossibleExpunge,
    ListsDiffer,
    /// After everything was flushed, the handset lacks or holds what it should not.
    FlushIncomplete,
}

#[derive(Debug)]
struct Searched {
    states: usize,
    with_stale: usize,
}

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not zero")
}

fn numbers(set: &UidSet) -> Vec<u32> {
    set.iter().map(Uid::get).collect()
}

/// The handset's side, written without the functions under test: EXISTS appends the lowest messages there are above
/// those it has, since UIDs ascend with numbers (RFC 3501 2.3.1.1); EXPUNGE takes one entry out.
fn apply(handset: &mut Vec<u32>, line: Line, live: &[u32]) -> Result<(), Violation> {
    match line {
        Line::Exists(count) => {
            let highest = handset.last().copied().unwrap_or(0);
            let more = (count as usize).checked_sub(handset.len()).ok_or(Violation::ImpossibleExists)?;
            let before = handset.len();
            handset.extend(live.iter().copied().filter(|n| *n > highest).take(more));
            if handset.len() - before < more { Err(Violation::ImpossibleExists) } else { Ok(()) }
        }
        Line::Expunge(position) => {
            let index = (position as usize).checked_sub(1).filter(|index| *index < handset.len());
            handset.remove(index.ok_or(Violation::ImpossibleExpunge)?);
            Ok(())
        }
    }
}

impl State {
    fn first() -> Self {
        let told = UidSet::from_ranges(&UidRanges::from_pairs([(1, 3)])).expect("few");
        Self { live: told.clone(), told, handset: vec![1, 2, 3], undecided: BTreeSet::new(), next: 4 }
    }

    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        next
    }

    fn tell_arrivals(&self, up_to: Uid, rules: &Rules) -> Result<Self, Violation> {
        let mut next = self.clone();
        if let Some(count) = (rules.arrivals)(&mut next.told, up_to, &self.live) {
            apply(&mut next.handset, Line::Exists(count), &numbers(&self.live))?;
        }
        next.check()
    }

    fn tell_removals(&self, gone: &[Uid], rules: &Rules) -> Result<Self, Violation> {
        let mut next = self.clone();
        for position in (rules.removals)(&mut next.told, gone, &self.live) {
            apply(&mut next.handset, Line::Expunge(position), &numbers(&self.live))?;
        }
        next.check()
    }

    fn check(self) -> Result<Self, Violation> {
        if self.handset == numbers(&self.told) { Ok(self) } else { Err(Violation::ListsDiffer) }
    }

    /// Every state one act away.
    fn successors(&self, world: World, rules: &Rules) -> Result<Vec<Self>, Violation> {
        let mut all = vec![self.changed(|s| {
            s.live.insert(uid(s.next));
            s.next += 1;
        })];
        if world == World::LateVerdicts {
            all.push(self.changed(|s| {
                s.undecided.insert(s.next);
                s.next += 1;
            }));
        }
        for n in &self.undecided {
            all.push(self.changed(|s| {
                s.undecided.remove(n);
                s.live.insert(uid(*n));
            }));
        }
        if world == World::Returns {
            let away = (1..self.next).filter(|n| !self.live.contains(uid(*n)));
            all.extend(away.map(|n| {
                self.changed(|s| {
                    s.live.insert(uid(n));
                })
            }));
        }
        all.extend(self.live.iter().map(|gone| {
            self.changed(|s| {
                s.live.remove(gone);
            })
        }));
        let pending = pending(&self.told, &self.live);
        for up_to in pending.arrivals.iter() {
            all.push(self.tell_arrivals(up_to, rules)?);
        }
        for gone in pending.removals.iter() {
            all.push(self.tell_removals(&[gone], rules)?);
        }
        Ok(all)
    }

    /// Tells all there is: the handset then holds the live view but for what cannot be announced.
    fn check_full_flush(&self, rules: &Rules) -> Result<(), Violation> {
        let removals: Vec<Uid> = pending(&self.told, &self.live).removals.iter().collect();
        let mut flushed = self.tell_removals(&removals, rules)?;
        if let Some(last) = self.live.last() {
            flushed = flushed.tell_arrivals(last, rules)?;
        }
        let left = pending(&flushed.told, &flushed.live);
        let mut expected = flushed.live.clone();
        expected.remove_ranges(&left.stale);
        let complete = left.removals.is_empty() && left.arrivals.is_empty();
        if complete && flushed.handset == numbers(&expected) {
            Ok(())
        } else {
            Err(Violation::FlushIncomplete)
        }
    }
}

fn search(world: World, depth: usize, rules: Rules) -> Result<Searched, Violation> {
    let mut seen = HashSet::from([State::first()]);
    let mut queue = VecDeque::from([(State::first(), 0)]);
    let mut with_stale = 0;
    while let Some((state, at)) = queue.pop_front() {
        state.check_full_flush(&rules)?;
        with_stale += usize::from(!pending(&state.told, &state.live).stale.is_empty());
        if at == depth {
            continue;
        }
        for next in state.successors(world, &rules)? {
            if seen.insert(next.clone()) {
                queue.push_back((next, at + 1));
            }
        }
    }
    Ok(Searched { states: seen.len(), with_stale })
}

#[test]
fn numbers_never_differ_when_verdicts_come_at_once() {
    let searched = search(World::VerdictAtOnce, 7, REAL).expect("the law");
    assert_eq!(searched.states, 1_100, "as the model found");
    assert_eq!(searched.with_stale, 0, "nothing old turns up");
}

#[test]
fn numbers_never_differ_when_verdicts_come_late() {
    let searched = search(World::LateVerdicts, 6, REAL).expect("the law");
    assert_eq!(searched.states, 1_978, "as the model found");
    assert!(searched.with_stale > 0, "why verdicts are released in UID order (F24)");
}

#[test]
fn numbers_never_differ_when_messages_return() {
    let searched = search(World::Returns, 7, REAL).expect("the law");
    assert_eq!(searched.states, 1_347, "as the model found");
    assert!(searched.with_stale > 0, "a message back in the view, below the highest told");
}

/// Each weakened rule, by the worlds that must catch it.
fn assert_caught(rules: Rules, worlds: &[(World, Violation)]) {
    for (world, violation) in worlds {
        assert_eq!(search(*world, 6, rules).map(|searched| searched.states).as_ref(), Err(violation));
    }
}

#[test]
fn canary_exists_counted_from_the_live_view() {
    let arrivals = |told: &mut UidSet, up_to, live: &UidSet| {
        (REAL.arrivals)(told, up_to, live)?;
        Some(live.len())
    };
    let weak = Rules { arrivals, ..REAL };
    assert_caught(weak, &[(World::VerdictAtOnce, Violation::ListsDiffer)]);
}

#[test]
fn canary_expunge_numbered_in_the_live_view() {
    let removals = |told: &mut UidSet, gone: &[Uid], live: &UidSet| {
        let tell = |uid: &Uid| told.remove(*uid).then(|| live.count_below(*uid) + 1);
        gone.iter().filter_map(tell).collect()
    };
    assert_caught(Rules { removals, ..REAL }, &[(World::VerdictAtOnce, Violation::ListsDiffer)]);
}

#[test]
fn canary_expunge_numbered_when_logged() {
    let removals = |told: &mut UidSet, gone: &[Uid], _: &UidSet| {
        let numbers = gone.iter().filter_map(|uid| told.rank(*uid)).map(MobileSeq::get).collect();
        told.remove_ranges(&UidRanges::from_uids(gone.iter().copied()));
        numbers
    };
    assert_caught(Rules { removals, ..REAL }, &[(World::VerdictAtOnce, Violation::ListsDiffer)]);
}

#[test]
fn canary_exists_that_takes_old_uids_in() {
    let arrivals = |told: &mut UidSet, up_to: Uid, live: &UidSet| {
        let due = live.intersect_ranges(&UidRanges::from_pairs([(1, up_to.get())]));
        told.insert_ranges(&due).expect("few");
        Some(told.len())
    };
    let weak = Rules { arrivals, ..REAL };
    search(World::VerdictAtOnce, 6, weak)
        .expect("harmless without late verdicts, which is why this needs a search");
    let caught = Violation::ImpossibleExists;
    assert_caught(weak, &[(World::LateVerdicts, caught), (World::Returns, Violation::ImpossibleExists)]);
}

#[test]
fn canary_exists_that_skips_a_held_back_arrival() {
    let arrivals = |told: &mut UidSet, up_to: Uid, _: &UidSet| {
        told.insert(up_to);
        Some(told.len())
    };
    assert_caught(Rules { arrivals, ..REAL }, &[(World::VerdictAtOnce, Violation::ListsDiffer)]);
}

#[test]
fn canary_a_removal_told_and_not_recorded() {
    let removals = |told: &mut UidSet, gone: &[Uid], _: &UidSet| {
        gone.iter().filter_map(|uid| told.rank(*uid)).map(MobileSeq::get).collect()
    };
    assert_caught(Rules { removals, ..REAL }, &[(World::VerdictAtOnce, Violation::ListsDiffer)]);
}

#[test]
fn what_was_never_told_is_never_told_gone() {
    let mut told = UidSet::from_ranges(&UidRanges::from_pairs([(4, 6)])).expect("few");
    assert_eq!(announce_removal(&mut told, uid(9)), None);
    assert_eq!(announce_removal(&mut told, uid(5)), MobileSeq::new(2));
    assert_eq!(announce_removal(&mut told, uid(5)), None, "told gone once");
    assert_eq!(numbers(&told), [4, 6]);
}

#[test]
fn a_pushed_arrival_brings_the_earlier_ones() {
    let mut told = UidSet::from_ranges(&UidRanges::from_pairs([(1, 59)])).expect("few");
    let live = UidSet::from_ranges(&UidRanges::from_pairs([(1, 50), (60, 62)])).expect("few");
    assert_eq!(announce_arrivals(&mut told, uid(61), &live), Ok(Some(61)), "60 is not skipped (F26)");
    assert_eq!(announce_arrivals(&mut told, uid(61), &live), Ok(None));
    let left = pending(&told, &live);
    assert_eq!(left.arrivals, UidRanges::one(uid(62)));
    assert_eq!(left.removals, UidRanges::from_pairs([(51, 59)]), "held back, they keep their slots");
    assert!(left.stale.is_empty());
}
