//! Breadth-first search of a small world: whole when it ends, and the first lie it meets is a shortest one.

use std::collections::{HashSet, VecDeque};
use std::fmt::Display;
use std::hash::Hash;
use std::rc::Rc;

/// What an act leads to: the next state, or the lie it exposes.
pub type Step<A, S> = (A, Result<S, String>);

/// What a search found.
pub struct Searched {
    /// States seen.
    pub states: usize,
    /// The shortest way to a lie, an act a line.
    pub lie: Option<String>,
}

impl Searched {
    /// The number of states of a world without a lie.
    #[track_caller]
    pub fn expect_truth(self) -> usize {
        match self.lie {
            None => self.states,
            Some(lie) => panic!("a lie, in {} states:\n{lie}", self.states),
        }
    }

    /// A weakened rule must be caught; the way there is printed.
    #[track_caller]
    pub fn expect_lie(self, rule: &str) -> String {
        let lie = self.lie.unwrap_or_else(|| panic!("{rule}: not caught in {} states", self.states));
        println!("{rule}: shortest lie\n{lie}");
        lie
    }
}

/// Searches all that `acts` reaches from `first`.
pub fn search<S, A>(first: S, acts: impl Fn(&S, &mut Vec<Step<A, S>>)) -> Searched
where
    S: Eq + Hash,
    A: Display,
{
    let first = Rc::new(first);
    let mut seen = HashSet::from([first.clone()]);
    // One entry a state: the act that led to it, and from where.
    let mut ways: Vec<(usize, Option<A>)> = vec![(0, None)];
    let mut queue = VecDeque::from([(first, 0)]);
    let mut steps = Vec::new();
    while let Some((state, at)) = queue.pop_front() {
        acts(&state, &mut steps);
        for (act, next) in steps.drain(..) {
            match next {
                Err(lie) => {
                    let lie = format!("{}  {act}\n  LIE: {lie}", way(&ways, at));
                    return Searched { states: ways.len(), lie: Some(lie) };
                }
                Ok(next) => {
                    let next = Rc::new(next);
                    if seen.insert(next.clone()) {
                        queue.push_back((next, ways.len()));
                        ways.push((at, Some(act)));
                    }
                }
            }
        }
    }
    Searched { states: ways.len(), lie: None }
}

fn way<A: Display>(ways: &[(usize, Option<A>)], mut at: usize) -> String {
    let mut acts = Vec::new();
    while let (before, Some(act)) = &ways[at] {
        acts.push(format!("  {act}\n"));
        at = *before;
    }
    acts.reverse();
    acts.concat()
}
