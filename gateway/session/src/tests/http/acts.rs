//! What can happen next.

use super::{Answer, Command, Kind, Net, Request, Rule, State, World};
use crate::tests::handset::{Belief, Line, inbox, seen, uid};
use crate::tests::search::Step;
use crate::{Class, SessionLog};
use pimap_types::command::Cursor;
use std::fmt;

/// An act, as a line of the way to a lie.
pub enum Act {
    Arrives(u32),
    Expunged(u32),
    Leaves(u32),
    Returns(u32),
    FlagChange(u32),
    HandsetSends(Command, Option<Cursor>),
    RequestLost,
    StoredThenCrash,
    Served(Vec<Line>),
    /// And whether it was written without error, as here and below.
    ReceivedWhole(bool),
    ResponseLost(bool),
    CutAfter(usize, bool),
    LibraryRepeats(bool),
    /// Only where a weakened rule stores after writing.
    NeverStored,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written =
            |written: bool| if written { "written whole" } else { "not written whole, or not known to be" };
        match self {
            Act::Arrives(n) => write!(f, "upstream: {n} arrives"),
            Act::Expunged(n) => write!(f, "upstream: {n} is expunged"),
            Act::Leaves(n) => write!(f, "upstream: {n} leaves the view"),
            Act::Returns(n) => write!(f, "upstream: {n} returns to the view"),
            Act::FlagChange(n) => write!(f, "upstream: the flags of {n} change"),
            Act::HandsetSends(command, None) => write!(f, "handset: {command:?}"),
            Act::HandsetSends(command, Some(cursor)) => {
                write!(f, "handset: {command:?}, cursor {}", cursor.position)
            }
            Act::RequestLost => f.write_str("the request is lost"),
            Act::StoredThenCrash => f.write_str("gateway: serves it, stores, crashes before writing"),
            Act::Served(lines) => write!(f, "gateway: stores, writes {lines:?}"),
            Act::ReceivedWhole(yes) => write!(f, "handset: receives it whole ({})", written(*yes)),
            Act::ResponseLost(yes) => write!(f, "the response is lost ({})", written(*yes)),
            Act::CutAfter(lines, yes) => {
                write!(f, "the response breaks off after {lines} lines ({})", written(*yes))
            }
            Act::LibraryRepeats(yes) => {
                write!(f, "the response is lost ({}), a library repeats", written(*yes))
            }
            Act::NeverStored => f.write_str("gateway: crashed before storing"),
        }
    }
}

type Steps = Vec<Step<Act, State>>;

impl State {
    pub(super) fn acts(&self, world: World, steps: &mut Steps) {
        match &self.net {
            Net::Idle => {
                if self.acts_left > 0 {
                    self.upstream(world, steps);
                }
                self.send(world, steps);
            }
            Net::Asked(request) => self.ask(world, request, steps),
            Net::Answered(request, answer, before) => {
                self.answer(world, request, answer, before.as_deref(), steps);
            }
        }
    }

    fn upstream(&self, world: World, steps: &mut Steps) {
        let fact = |act, change: &dyn Fn(&mut State)| {
            let mut next = self.clone();
            next.acts_left -= 1;
            change(&mut next);
            next.log = self.store(next.log);
            (act, Ok(next))
        };
        if self.next <= world.uid_max {
            steps.push(fact(Act::Arrives(self.next), &|s| {
                s.log.arrived(&inbox(), uid(s.next), &seen(false), Class::Polled);
                s.live.insert(s.next, false);
                s.next += 1;
            }));
        }
        for (n, flags) in &self.live {
            steps.push(fact(Act::FlagChange(*n), &|s| {
                s.log.flags_changed(&inbox(), uid(*n), &seen(!flags), Class::Polled);
                s.live.insert(*n, !flags);
            }));
            if world.returns {
                steps.push(fact(Act::Leaves(*n), &|s| {
                    s.log.gone(&inbox(), uid(*n), Class::Polled, false);
                    s.live.remove(n);
                    s.away.insert(*n, *flags);
                }));
            } else {
                steps.push(fact(Act::Expunged(*n), &|s| {
                    s.log.gone(&inbox(), uid(*n), Class::Polled, false);
                    s.live.remove(n);
                }));
            }
        }
        for (n, flags) in &self.away {
            // What made it leave and return is often a flag.
            steps.push(fact(Act::Returns(*n), &|s| {
                s.log.arrived(&inbox(), uid(*n), &seen(!flags), Class::Polled);
                s.away.remove(n);
                s.live.insert(*n, !flags);
            }));
        }
    }

    fn send(&self, world: World, steps: &mut Steps) {
        let bound = self.broken && world.kind == Kind::Plain && world.rule != Rule::GoesOn;
        let commands: &[Command] = match self.belief {
            _ if bound => &[Command::Login],
            // There is nothing else to do after RESYNC.
            Belief::Resync | Belief::Yesterday => &[Command::Login, Command::Select],
            Belief::Knows(_) => &[Command::Login, Command::Noop, Command::Select, Command::Fetch],
        };
        for command in commands {
            // Each body differs from the one before: a handset that always sends the same octets proves less.
            let last = self.log.last_request.as_ref().and_then(|last| last.body);
            let body = u8::from(last == Some([0; 32]));
            // A cursor need not be presented; after a break only LOGIN makes up for it.
            let bare = *command == Command::Login || (*command == Command::Noop && !self.broken);
            let optional = world.kind == Kind::Cursors && self.cursor.is_some() && bare;
            let cursors = if optional { &[self.cursor, None][..] } else { &[self.cursor] };
            for cursor in cursors {
                let request = Request { command: *command, body, cursor: *cursor, repeated: false };
                let next = State { net: Net::Asked(request), ..self.clone() };
                steps.push((Act::HandsetSends(*command, *cursor), Ok(next)));
            }
        }
    }

    fn ask(&self, world: World, request: &Request, steps: &mut Steps) {
        steps.push((Act::RequestLost, Ok(State { net: Net::Idle, broken: true, ..self.clone() })));
        let (log, answer) = world.serve(self, request);
        let log = self.store(log);
        let before = (world.rule == Rule::StoredAfterWriting).then(|| Box::new(self.log.clone()));
        let crashed = State { log: log.clone(), net: Net::Idle, broken: true, ..self.clone() };
        steps.push((Act::StoredThenCrash, Ok(crashed)));
        let act = Act::Served(answer.lines.clone());
        steps.push((
            act,
            Ok(State { log, net: Net::Answered(request.clone(), answer, before), ..self.clone() }),
        ));
    }

    fn answer(
        &self,
        world: World,
        request: &Request,
        answer: &Answer,
        before: Option<&SessionLog>,
        steps: &mut Steps,
    ) {
        // With cursors it makes no difference whether the response was written.
        let outcomes = if world.kind == Kind::Plain { &[true, false][..] } else { &[true] };
        for written in outcomes.iter().copied() {
            let mut log = self.log.clone();
            if written {
                log.response_written();
            }
            let log = self.store(log);
            let after = State { log, net: Net::Idle, ..self.clone() };
            self.outcomes(world, request, answer, &after, written, steps);
        }
        // The crash came between writing and storing.
        if let Some(before) = before {
            let crashed = State { log: before.clone(), ..self.clone() };
            let net = Net::Answered(request.clone(), answer.clone(), None);
            steps.push((Act::NeverStored, Ok(State { net, ..crashed })));
        }
    }

    fn outcomes(
        &self,
        world: World,
        request: &Request,
        answer: &Answer,
        after: &State,
        written: bool,
        steps: &mut Steps,
    ) {
        steps.push((Act::ResponseLost(written), Ok(after.clone().broken())));
        if request.command != Command::Login {
            let again = Request { repeated: true, ..request.clone() };
            let next = State { net: Net::Asked(again), ..after.clone() };
            steps.push((Act::LibraryRepeats(written), Ok(next)));
        }
        self.cuts(world, answer, after, written, steps);
        let whole = self.receive(answer, answer.lines.len(), after).and_then(|mut next| {
            answer.claim.check(&next.belief)?;
            if world.kind == Kind::Faithful && next.belief == Belief::Resync {
                return Err("RESYNC, though the cursor says exactly what it has".into());
            }
            next.broken = false;
            Ok(next)
        });
        steps.push((Act::ReceivedWhole(written), whole));
    }

    /// The response breaks off behind some of its lines; behind all of them only the tagged line is missing.
    fn cuts(&self, world: World, answer: &Answer, after: &State, written: bool, steps: &mut Steps) {
        for lines in 1..=answer.lines.len() {
            let act = Act::CutAfter(lines, written);
            let next = match world.kind {
                Kind::Plain => self.receive(answer, lines, after),
                // What is behind the last cursor is provisional, and dropped.
                _ if lines == answer.lines.len() => self.receive(answer, lines, after),
                Kind::Cursors | Kind::Faithful => {
                    let mut next = after.clone();
                    for line in &answer.lines[..lines] {
                        if let Line::Cursor(cursor) = line {
                            next.cursor = Some(*cursor);
                        }
                    }
                    Ok(next)
                }
            };
            steps.push((act, next.map(State::broken)));
        }
    }

    fn receive(&self, answer: &Answer, lines: usize, after: &State) -> Result<State, String> {
        let mut next = after.clone();
        for line in &answer.lines[..lines] {
            next.belief.apply(line)?;
        }
        if lines == answer.lines.len() && answer.cursor.is_some() {
            next.cursor = answer.cursor;
        }
        Ok(next)
    }

    fn broken(mut self) -> State {
        self.broken = true;
        self
    }
}
