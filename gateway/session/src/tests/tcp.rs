//! Evidence on an open connection: going on proves that the earlier response was read, if the handset waits for answers,
//! and proves nothing if it pipelines (F2). Worlds with arrivals, which are told with any command, and removals, which wait
//! for the last one buffered (F5), searched whole.

use super::durable::{rank_positions, reload};
use super::handset::{self, Belief, Claim, Line, Live, inbox, uid};
use super::search::{Searched, Step, search};
use crate::{Class, Departures, Flush, SessionLog};
use pimap_types::SessionId;
use std::collections::VecDeque;
use std::fmt;

/// When a command counts as evidence.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// Always: "the next command acknowledges".
    Always,
    /// Never again on a connection where a command was buffered when the response before it was handed over.
    NeverOncePipelined,
    /// Where every octet of the earlier response was acknowledged by the handset's TCP when the command was read.
    SendQueueEmpty,
}

/// How the handset goes on.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// It waits for each response.
    Waits,
    /// It sends several commands at once, and waits for all responses.
    Bursts,
    /// It sends a second command at any time.
    SendsAhead,
}

#[derive(Clone, Copy)]
struct World {
    rule: Rule,
    habit: Habit,
    /// A command is on its way for a while before the gateway has it buffered.
    delay: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Answer {
    lines: Vec<Line>,
    claim: Claim,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Command {
    Login,
    Noop,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Connection {
    travelling: VecDeque<Command>,
    buffered: VecDeque<Command>,
    answers: VecDeque<Answer>,
    /// The position when the last response was handed over; none: there was none here.
    handed: Option<u64>,
    pipelined: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    log: SessionLog,
    live: Live,
    next: u32,
    belief: Belief,
    connection: Option<Connection>,
}

enum Act {
    Arrives(u32),
    Expunged(u32),
    Connects,
    Noop(usize),
    Buffered,
    Serves(Vec<Line>),
    Receives,
    LinkDrops(usize),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Arrives(n) => write!(f, "upstream: {n} arrives"),
            Act::Expunged(n) => write!(f, "upstream: {n} is expunged"),
            Act::Connects => f.write_str("handset: connects, LOGIN"),
            Act::Noop(count) => write!(f, "handset: NOOP, {count} at once"),
            Act::Buffered => f.write_str("the command reaches the gateway's buffer"),
            Act::Serves(lines) => write!(f, "gateway: reads the next command, writes {lines:?}"),
            Act::Receives => f.write_str("handset: receives the next response"),
            Act::LinkDrops(lines) => write!(f, "the link drops, {lines} lines of the next response arrived"),
        }
    }
}

impl World {
    fn search(self) -> Searched {
        let mut log = SessionLog::new(SessionId("A".repeat(26)), 1);
        let live = Live::from([(1, false), (2, false)]);
        let mut lines = Vec::new();
        handset::select(&mut log, &live, 3, &mut lines);
        let mut belief = Belief::Yesterday;
        belief.apply(&lines[0]).expect("the first SELECT");
        log.acknowledge(log.position);
        let log = reload(&SessionLog::new(SessionId("A".repeat(26)), 1), log);
        search(State { log, live, next: 3, belief, connection: None }, |state, steps| {
            state.acts(self, steps);
            for (_, next) in steps.iter_mut() {
                if let Ok(next) = next {
                    let handed = next.connection.as_mut().and_then(|c| c.handed.as_mut());
                    rank_positions(&mut [&mut next.log], &mut handed.into_iter().collect::<Vec<_>>());
                }
            }
        })
    }
}

impl State {
    fn acts(&self, world: World, steps: &mut Vec<Step<Act, State>>) {
        for n in self.live.keys() {
            let mut next = self.clone();
            next.live.remove(n);
            next.log.gone(&inbox(), uid(*n), Class::Polled, false);
            next.log = reload(&self.log, next.log);
            steps.push((Act::Expunged(*n), Ok(next)));
        }
        if self.next <= 3 {
            let mut next = self.clone();
            next.live.insert(self.next, false);
            next.log.arrived(&inbox(), uid(self.next), &handset::seen(false), Class::Polled);
            next.next += 1;
            next.log = reload(&self.log, next.log);
            steps.push((Act::Arrives(self.next), Ok(next)));
        }
        let Some(connection) = &self.connection else {
            let mut next = self.clone();
            let buffered = VecDeque::from([Command::Login]);
            next.connection = Some(Connection { buffered, ..Connection::default() });
            steps.push((Act::Connects, Ok(next)));
            return;
        };
        self.send(world, connection, steps);
        if !connection.travelling.is_empty() {
            let mut next = self.clone();
            let c = next.connection.as_mut().expect("connected");
            c.buffered.extend(c.travelling.pop_front());
            steps.push((Act::Buffered, Ok(next)));
        }
        if let Some(command) = connection.buffered.front() {
            steps.push(self.serve(world, *command));
        }
        if let Some(answer) = connection.answers.front() {
            steps.push((Act::Receives, self.receive(answer)));
        }
        let arrived = connection.answers.front().map_or(0, |answer| answer.lines.len());
        for lines in 0..=arrived {
            let mut next = self.clone();
            next.connection = None;
            let mut cut = connection.answers.iter().flat_map(|answer| &answer.lines).take(lines);
            let applied = cut.try_for_each(|line| next.belief.apply(line));
            steps.push((Act::LinkDrops(lines), applied.map(|()| next)));
        }
    }

    fn send(&self, world: World, connection: &Connection, steps: &mut Vec<Step<Act, State>>) {
        let outstanding = connection.travelling.len() + connection.buffered.len() + connection.answers.len();
        // After RESYNC a handset selects, which is another world; here it is told no more lies.
        let outstanding_max = usize::from(world.habit == Habit::SendsAhead);
        if outstanding > outstanding_max || self.belief == Belief::Resync {
            return;
        }
        for count in 1..=if world.habit == Habit::Bursts { 3 } else { 1 } {
            let mut next = self.clone();
            let c = next.connection.as_mut().expect("connected");
            let on_its_way = if world.delay { &mut c.travelling } else { &mut c.buffered };
            on_its_way.extend(vec![Command::Noop; count]);
            steps.push((Act::Noop(count), Ok(next)));
        }
    }

    fn serve(&self, world: World, command: Command) -> Step<Act, State> {
        let mut next = self.clone();
        let c = next.connection.as_mut().expect("connected");
        let log = &mut next.log;
        c.buffered.pop_front();
        let proves = match world.rule {
            Rule::Always => true,
            Rule::NeverOncePipelined => !c.pipelined,
            Rule::SendQueueEmpty => c.answers.is_empty(),
        };
        match c.handed {
            _ if command == Command::Login => drop(log.settle()),
            Some(handed) if proves => log.acknowledge(handed),
            _ => {}
        }
        let mut lines = Vec::new();
        if command == Command::Login && log.needs_resync(&inbox()) {
            lines.push(Line::Resync);
        }
        // Removals only when no further input is pending (F5).
        let departures = if c.buffered.is_empty() { Departures::All } else { Departures::Held };
        handset::flush(log, Flush { pushed_only: false, departures }, &mut lines);
        c.handed = Some(log.position);
        // The response is handed over here: what is buffered now was sent before it was read.
        c.pipelined |= !c.buffered.is_empty();
        let claim = Claim::of(log, &self.live, departures == Departures::All);
        c.answers.push_back(Answer { lines: lines.clone(), claim });
        next.log = reload(&self.log, next.log);
        (Act::Serves(lines), Ok(next))
    }

    fn receive(&self, answer: &Answer) -> Result<State, String> {
        let mut next = self.clone();
        next.connection.as_mut().expect("connected").answers.pop_front();
        for line in &answer.lines {
            next.belief.apply(line)?;
        }
        answer.claim.check(&next.belief)?;
        Ok(next)
    }
}

const RULES: [Rule; 3] = [Rule::Always, Rule::NeverOncePipelined, Rule::SendQueueEmpty];

fn searched(rule: Rule, habit: Habit, delay: bool) -> Searched {
    World { rule, habit, delay }.search()
}

#[test]
fn who_waits_for_answers_is_never_lied_to() {
    for rule in RULES {
        for delay in [false, true] {
            let states = searched(rule, Habit::Waits, delay).expect_truth();
            assert!(states >= 100, "the world shrank to {states} states");
        }
    }
}

#[test]
fn acknowledging_by_any_next_command_is_caught() {
    searched(Rule::Always, Habit::Bursts, false).expect_lie("any next command, bursts");
    searched(Rule::Always, Habit::SendsAhead, true).expect_lie("any next command, sent ahead");
}

#[test]
fn a_connection_that_pipelined_proves_nothing() {
    let states = searched(Rule::NeverOncePipelined, Habit::Bursts, false).expect_truth();
    assert!(states >= 500, "the world shrank to {states} states");
}

/// The limit of looking at one's own buffer: a command sent ahead while the response is in the air was not buffered when
/// that was handed over, and looks like one sent after it was read.
#[test]
fn a_command_that_crosses_its_response_is_taken_for_evidence() {
    for delay in [false, true] {
        searched(Rule::NeverOncePipelined, Habit::SendsAhead, delay)
            .expect_lie("a command crosses the response");
    }
}

/// The send queue knows better: what the handset's TCP has acknowledged cannot be lost by the link any more.
#[test]
fn an_empty_send_queue_is_evidence_for_every_habit() {
    for habit in [Habit::Waits, Habit::Bursts, Habit::SendsAhead] {
        for delay in [false, true] {
            let states = searched(Rule::SendQueueEmpty, habit, delay).expect_truth();
            assert!(states >= 100, "the world shrank to {states} states");
        }
    }
}
