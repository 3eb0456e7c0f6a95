//! Long random days of one handset beside two lists: what it holds, and what is there. Cursors taken back, offers settled,
//! rows written one change at a time and read back after each.

use super::durable::Rows;
use super::flush::{FLUSHES, Listener, flush};
use super::handset::{inbox, numbers, seen, set, uid, validity};
use crate::log::Baseline;
use crate::offer::Selected;
use crate::{Class, SessionLog};
use pimap_types::SessionId;
use pimap_types::command::Cursor;
use proptest::prelude::*;

/// What happens next; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Act {
    Arrives {
        pushed: bool,
    },
    Gone {
        which: usize,
        pushed: bool,
        own: bool,
    },
    Returns {
        which: usize,
    },
    FlagChange {
        which: usize,
        yes: bool,
    },
    Flush {
        kind: usize,
    },
    Fetch,
    Select,
    Acknowledge {
        which: usize,
    },
    /// A cursor of before is presented; without cursors: the handset has seen some of the lines.
    Breaks {
        which: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let which = 0..64usize;
    prop_oneof![
        4 => any::<bool>().prop_map(|pushed| Act::Arrives { pushed }),
        3 => (which.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(which, pushed, own)| Act::Gone { which, pushed, own }),
        1 => which.clone().prop_map(|which| Act::Returns { which }),
        2 => (which.clone(), any::<bool>()).prop_map(|(which, yes)| Act::FlagChange { which, yes }),
        6 => (0..FLUSHES.len()).prop_map(|kind| Act::Flush { kind }),
        1 => Just(Act::Fetch),
        1 => Just(Act::Select),
        1 => which.clone().prop_map(|which| Act::Acknowledge { which }),
        1 => which.prop_map(|which| Act::Breaks { which }),
    ]
}

/// The handset at a position of the log, should that be the last it heard of.
#[derive(Clone, Debug)]
struct Heard {
    position: u64,
    listener: Listener,
}

struct Day {
    log: SessionLog,
    rows: Rows,
    cursors: bool,
    live: Vec<u32>,
    away: Vec<u32>,
    next: u32,
    /// What it may hold, from the acknowledged position on; the last has heard everything.
    heard: Vec<Heard>,
}

impl Day {
    fn new(cursors: bool) -> Self {
        let mut day = Self {
            log: SessionLog::new(SessionId("A".repeat(26)), 1),
            rows: Rows::default(),
            cursors,
            live: vec![1, 2, 3],
            away: Vec::new(),
            next: 4,
            heard: Vec::new(),
        };
        if cursors {
            day.log.use_cursors();
        }
        day.select();
        day
    }

    fn select(&mut self) {
        let selected = Selected { mailbox: inbox(), read_only: false };
        let live = set(self.live.iter().copied());
        let baseline = self.log.select(selected, validity(), &live, self.next);
        if let Baseline::Fresh { .. } = baseline {
            self.heard.clear();
        }
        let view = numbers(&self.log.told(&inbox()).expect("selected").view);
        let listener = match self.heard.last() {
            // It goes on where it was.
            Some(last) => last.listener.clone(),
            None => Listener::new(view.clone()),
        };
        assert_eq!(listener.list, view, "what SELECT describes");
        self.heard.push(Heard { position: self.log.position, listener });
        if !self.cursors {
            // What was before is told apart by RESYNC only; that is the search's affair.
            self.log.acknowledge(self.log.position);
            self.heard.drain(..self.heard.len() - 1);
        }
    }

    fn flush(&mut self, kind: usize) {
        let mut listener = self.heard.last().expect("selected").listener.clone();
        flush(&mut self.log, FLUSHES[kind], &mut listener, &self.live).expect("the laws of the flush");
        self.heard.push(Heard { position: self.log.position, listener });
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Arrives { pushed } => {
                self.log.arrived(&inbox(), uid(self.next), &seen(false), class(pushed));
                self.live.push(self.next);
                self.next += 1;
            }
            Act::Gone { which, pushed, own } if !self.live.is_empty() => {
                let n = self.live.remove(which % self.live.len());
                self.log.gone(&inbox(), uid(n), class(pushed), own);
                self.away.push(n);
            }
            Act::Returns { which } if !self.away.is_empty() => {
                let n = self.away.remove(which % self.away.len());
                self.log.arrived(&inbox(), uid(n), &seen(true), Class::Polled);
                self.live.push(n);
                self.live.sort_unstable();
            }
            Act::FlagChange { which, yes } if !self.live.is_empty() => {
                let n = self.live[which % self.live.len()];
                self.log.flags_changed(&inbox(), uid(n), &seen(yes), Class::Polled);
            }
            Act::Flush { kind } => self.flush(kind),
            Act::Fetch => {
                for n in numbers(&self.log.told(&inbox()).expect("told").view) {
                    self.log.flags_told(&inbox(), uid(n));
                }
                let listener = self.heard.last().expect("selected").listener.clone();
                self.heard.push(Heard { position: self.log.position, listener });
            }
            Act::Select => self.select(),
            Act::Acknowledge { which } => {
                let at = which % self.heard.len();
                self.log.acknowledge(self.heard[at].position);
                self.heard.drain(..at);
            }
            Act::Breaks { which } if self.cursors => self.resume(which),
            Act::Breaks { .. } => self.settle(),
            Act::Gone { .. } | Act::Returns { .. } | Act::FlagChange { .. } => {}
        }
    }

    /// With a cursor: exactly the view it stands for.
    fn resume(&mut self, which: usize) {
        let at = which % self.heard.len();
        let Heard { position, listener } = self.heard[at].clone();
        self.log.resume_at(Cursor { incarnation: 1, position }).expect("a cursor given");
        if self.log.needs_resync(&inbox()) || self.log.selected.is_none() {
            self.heard.clear();
            return self.select();
        }
        assert_eq!(numbers(&self.log.told(&inbox()).expect("told").view), listener.list);
        self.heard.truncate(at + 1);
        self.heard.drain(..at);
    }

    /// Without: whatever it heard of what was offered, the next flush makes it right, or it is told RESYNC.
    fn settle(&mut self) {
        let lost = self.log.settle();
        if lost || self.log.needs_resync(&inbox()) {
            self.heard.clear();
            return self.select();
        }
        let lines = self.log.clone().flush(FLUSHES[2]);
        let mut told = self.log.clone();
        told.flush(FLUSHES[2]);
        let view = numbers(&told.told(&inbox()).expect("told").view);
        // What an EXISTS counts may have left meanwhile and still have its number.
        let mut there = numbers(&self.log.told(&inbox()).expect("told").view);
        there.extend(self.live.iter().filter(|n| !there.contains(n)).copied().collect::<Vec<_>>());
        there.sort_unstable();
        for heard in &self.heard {
            let mut listener = heard.listener.clone();
            for line in &lines {
                listener.apply(line, &there).expect("a true line to whoever heard less");
            }
            assert_eq!(listener.list, view, "it had heard of {:?}", heard.listener.list);
        }
    }

    /// Writes what changed, reads all of it back.
    fn crash(&mut self) {
        self.log.check_invariants().expect("the log's own laws");
        self.rows.commit(&mut self.log);
        let loaded = self.rows.load().expect("rows that a log wrote");
        assert_eq!(loaded, self.log);
        self.log = loaded;
        let told = self.log.told(&inbox()).expect("told");
        assert_eq!(numbers(&told.live()), self.live, "view and marks are the live view");
    }
}

fn class(pushed: bool) -> Class {
    if pushed { Class::Pushed } else { Class::Polled }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_handset_follows_all_day(acts in prop::collection::vec(act(), 1..120), cursors: bool) {
        let mut day = Day::new(cursors);
        day.crash();
        for act in &acts {
            day.act(act);
            day.crash();
        }
    }
}
