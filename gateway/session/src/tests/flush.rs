//! The flush order on the real log: a handset that knows only the lines written holds the client view after each one,
//! whatever is held back, and nothing at or below the highest UID it ever heard of is announced to it.

use super::durable::{rank_positions, reload};
use super::handset::{inbox, numbers, seen, set, uid, validity};
use super::search::{Searched, Step, search};
use crate::offer::Selected;
use crate::{Class, Departures, Flush, Mark, Presence, SessionLog};
use pimap_types::{Response, SessionId};
use std::collections::BTreeSet;
use std::fmt;

/// Every kind of flush.
pub const FLUSHES: [Flush; 6] = [
    Flush { pushed_only: false, departures: Departures::Held },
    Flush { pushed_only: false, departures: Departures::NotOwn },
    Flush { pushed_only: false, departures: Departures::All },
    Flush { pushed_only: true, departures: Departures::Held },
    Flush { pushed_only: true, departures: Departures::NotOwn },
    Flush { pushed_only: true, departures: Departures::All },
];

/// A handset without any help from the gateway: a list of UIDs, and the highest it ever had. It finds the UIDs of new
/// numbers among the messages there are, above the highest it ever had (RFC 3501 2.3.1.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Listener {
    pub list: Vec<u32>,
    pub highest: u32,
}

impl Listener {
    pub fn new(list: Vec<u32>) -> Self {
        Self { highest: list.last().copied().unwrap_or(0), list }
    }

    /// Applies a line; `live`: what is there, ascending.
    pub fn apply(&mut self, line: &Response, live: &[u32]) -> Result<(), String> {
        let index = |n: u32| (n as usize).checked_sub(1).filter(|at| *at < self.list.len());
        match line {
            Response::Exists(count) => {
                let more = (*count as usize).checked_sub(self.list.len());
                let more = more.ok_or_else(|| format!("{count} EXISTS to {:?}", self.list))?;
                let before = self.list.len();
                let highest = self.highest;
                self.list.extend(live.iter().copied().filter(|n| *n > highest).take(more));
                if self.list.len() < before + more {
                    return Err(format!("{count} EXISTS, and nothing above {highest} to count"));
                }
                self.highest = self.list.last().copied().unwrap_or(0).max(highest);
            }
            Response::Expunge(seq) => {
                let at = index(seq.get()).ok_or_else(|| format!("{seq} EXPUNGE to {:?}", self.list))?;
                self.list.remove(at);
            }
            Response::FetchFlags { seq, uid, .. } => {
                let named = index(seq.get()).map(|at| self.list[at]);
                if named != uid.map(|uid| uid.get()) {
                    return Err(format!("{seq} FETCH ({uid:?}) to {:?}", self.list));
                }
            }
            other => return Err(format!("not an event: {other:?}")),
        }
        Ok(())
    }
}

/// One flush, checked: the lines, the list after them, and that what was foretold is what came.
pub fn flush(
    log: &mut SessionLog,
    flush: Flush,
    listener: &mut Listener,
    live: &[u32],
) -> Result<usize, String> {
    let foretold = log.has_untold(flush);
    let lines = log.flush(flush);
    if foretold == lines.is_empty() {
        return Err(format!("foretold: {foretold}, told: {lines:?}"));
    }
    for line in &lines {
        listener.apply(line, live)?;
        if flush.departures == Departures::Held && matches!(line, Response::Expunge(_)) {
            return Err("a removal where none is allowed".into());
        }
    }
    let told = log.told(&inbox()).ok_or("not told")?;
    if numbers(&told.view) != listener.list {
        return Err(format!(
            "the handset has {:?}, the client view is {:?}",
            listener.list,
            numbers(&told.view)
        ));
    }
    if told.live() != set(live.iter().copied()) {
        return Err(format!("marks lead to {:?}, there is {live:?}", numbers(&told.live())));
    }
    let may_stay = |uid: u32, mark: &Mark| match mark.presence {
        Presence::Arrived => uid <= listener.highest,
        Presence::Gone => {
            flush.departures == Departures::Held || (flush.departures == Departures::NotOwn && mark.own)
        }
        Presence::Same => false,
    };
    let wanted = |mark: &Mark| !flush.pushed_only || mark.class == Class::Pushed;
    match told.marks.iter().find(|(uid, mark)| wanted(mark) && !may_stay(uid.get(), mark)) {
        Some((uid, mark)) => Err(format!("{uid} was held back: {mark:?}")),
        None => Ok(lines.len()),
    }
}

/// What the small world holds.
#[derive(Clone, Copy, PartialEq)]
enum World {
    /// Arrivals and departures, own and not, polled and pushed.
    VerdictAtOnce,
    /// A verdict may come after that of a later message (F24).
    LateVerdicts,
    /// Messages leave the view and return, and flags change.
    Returns,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    log: SessionLog,
    listener: Listener,
    live: BTreeSet<u32>,
    undecided: BTreeSet<u32>,
    next: u32,
    depth: u8,
}

enum Act {
    Arrives(u32, Class),
    Undecided(u32),
    Gone(u32, Class, bool),
    FlagChange(u32, Class),
    Flush(Flush),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Arrives(n, class) => write!(f, "{n} comes into the view, {class:?}"),
            Act::Undecided(n) => write!(f, "{n} arrives, no verdict yet"),
            Act::Gone(n, class, own) => write!(f, "{n} leaves the view, {class:?}, own: {own}"),
            Act::FlagChange(n, class) => write!(f, "the flags of {n} change, {class:?}"),
            Act::Flush(flush) => write!(f, "{flush:?}"),
        }
    }
}

impl World {
    fn search(self, depth: u8) -> Searched {
        let mut log = SessionLog::new(SessionId("A".repeat(26)), 1);
        let first = log.clone();
        let live = BTreeSet::from([1, 2, 3]);
        let selected = Selected { mailbox: inbox(), read_only: false };
        log.select(selected, validity(), &set(live.iter().copied()), 4);
        log.acknowledge(log.position);
        let listener = Listener::new(vec![1, 2, 3]);
        let state =
            State { log: reload(&first, log), listener, live, undecided: BTreeSet::new(), next: 4, depth };
        search(state, |state, steps| state.acts(self, steps))
    }
}

impl State {
    fn acts(&self, world: World, steps: &mut Vec<Step<Act, State>>) {
        if self.depth == 0 {
            return;
        }
        let mut fact = |act, change: &dyn Fn(&mut State)| {
            let mut next = self.clone();
            change(&mut next);
            steps.push((act, next.settled(&self.log)));
        };
        let returning = (1..self.next).filter(|n| world == World::Returns && !self.live.contains(n));
        let arriving = returning.chain([self.next]).chain(self.undecided.iter().copied());
        for n in arriving {
            for class in [Class::Polled, Class::Pushed] {
                fact(Act::Arrives(n, class), &|s| {
                    s.log.arrived(&inbox(), uid(n), &seen(false), class);
                    s.live.insert(n);
                    s.undecided.remove(&n);
                    s.next = s.next.max(n + 1);
                });
            }
        }
        if world == World::LateVerdicts {
            fact(Act::Undecided(self.next), &|s| {
                s.undecided.insert(s.next);
                s.next += 1;
            });
        }
        for n in &self.live {
            let own = [(Class::Polled, true), (Class::Polled, false), (Class::Pushed, false)];
            for (class, own) in own.into_iter().filter(|(_, own)| !own || world == World::VerdictAtOnce) {
                fact(Act::Gone(*n, class, own), &|s| {
                    s.log.gone(&inbox(), uid(*n), class, own);
                    s.live.remove(n);
                });
            }
            if world == World::Returns {
                fact(Act::FlagChange(*n, Class::Polled), &|s| {
                    s.log.flags_changed(&inbox(), uid(*n), &seen(true), Class::Polled);
                });
            }
        }
        for kind in FLUSHES {
            let mut next = self.clone();
            let live: Vec<u32> = next.live.iter().copied().collect();
            match flush(&mut next.log, kind, &mut next.listener, &live) {
                Ok(0) => {}
                Ok(_) => {
                    next.log.acknowledge(next.log.position);
                    steps.push((Act::Flush(kind), next.settled(&self.log)));
                }
                Err(lie) => steps.push((Act::Flush(kind), Err(lie))),
            }
        }
    }

    /// The state as a crash leaves it, one act deeper.
    fn settled(mut self, before: &SessionLog) -> Result<Self, String> {
        self.log = reload(before, self.log);
        rank_positions(&mut [&mut self.log], &mut []);
        self.depth -= 1;
        Ok(self)
    }
}

#[test]
fn numbers_agree_when_verdicts_come_at_once() {
    let states = World::VerdictAtOnce.search(6).expect_truth();
    println!("{states} states");
    assert!(states >= 2_000, "the world shrank to {states} states");
}

#[test]
fn numbers_agree_when_verdicts_come_late() {
    let states = World::LateVerdicts.search(5).expect_truth();
    println!("{states} states");
    assert!(states >= 2_000, "the world shrank to {states} states");
}

#[test]
fn numbers_agree_when_messages_return() {
    let states = World::Returns.search(5).expect_truth();
    println!("{states} states");
    assert!(states >= 2_000, "the world shrank to {states} states");
}

/// The search is worth something only if a log that breaks the law of the highest UID is caught.
#[test]
fn announcing_an_old_uid_is_caught() {
    let mut log = SessionLog::new(SessionId("A".repeat(26)), 1);
    let selected = Selected { mailbox: inbox(), read_only: false };
    log.select(selected, validity(), &set([1, 2, 5]), 6);
    log.gone(&inbox(), uid(5), Class::Polled, false);
    let mut listener = Listener::new(vec![1, 2, 5]);
    flush(&mut log, FLUSHES[2], &mut listener, &[1, 2]).expect("a removal");
    log.arrived(&inbox(), uid(4), &seen(false), Class::Pushed);
    assert_eq!(flush(&mut log.clone(), FLUSHES[2], &mut listener.clone(), &[1, 2, 4]), Ok(0), "stale");
    assert!(log.needs_resync(&inbox()), "it shows at the next SELECT");
    // Weakened: the highest of the view instead of the highest ever told.
    log.mailboxes.get_mut(&inbox()).expect("told").told_max = 2;
    assert!(flush(&mut log, FLUSHES[2], &mut listener, &[1, 2, 4]).is_err());
}
