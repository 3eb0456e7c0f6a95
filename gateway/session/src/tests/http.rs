//! The acknowledgement rules on the real log, HTTP, every order of what can go wrong: requests and responses lost or
//! cut, bytes repeated by a library, crashes before and after writing. The law: after every whole response the handset
//! was told RESYNC, or holds the client view. Each weakened rule must be caught, else the search proves nothing.

mod acts;

use super::durable::{rank_positions, reload};
use super::handset::{self, Belief, Claim, Line, Live, inbox, validity};
use super::search::{Searched, search};
use crate::told::Told;
use crate::{Departures, Flush, SessionLog};
use pimap_types::SessionId;
use pimap_types::command::Cursor;

/// The kinds of handset.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Without cursors; begins with LOGIN after a response that did not arrive whole.
    Plain,
    /// With cursors; drops what is provisional. It may forget to present one.
    Cursors,
    /// With a cursor in every request: it is never told RESYNC.
    Faithful,
}

/// The rules in force: the real ones, or one weakened.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Rule {
    Real,
    /// A plain handset goes on with any request after a break.
    GoesOn,
    LoginAcknowledges,
    SelectIsNoOffer,
    ResyncIsForgotten,
    StoredAfterWriting,
    RepeatProves,
    /// The cursor is a header (F1).
    CursorFirst,
    /// A cursor acknowledges, and takes nothing back.
    CursorTakesNothingBack,
    /// FETCH tells flags, and forgets that it did.
    FetchIsNoOffer,
}

#[derive(Clone, Copy)]
struct World {
    kind: Kind,
    rule: Rule,
    /// UIDs that arrive at most; two are there at first.
    uid_max: u32,
    /// What upstream does in all.
    upstream_acts: u8,
    /// Messages leave the view and come back.
    returns: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Command {
    Login,
    Noop,
    Select,
    Fetch,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Request {
    command: Command,
    /// What the body's hash stands for.
    body: u8,
    cursor: Option<Cursor>,
    /// A library's doing.
    repeated: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Answer {
    lines: Vec<Line>,
    cursor: Option<Cursor>,
    claim: Claim,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Net {
    Idle,
    Asked(Request),
    /// With the log as it was, where it is not stored yet.
    Answered(Request, Answer, Option<Box<SessionLog>>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    log: SessionLog,
    live: Live,
    away: Live,
    next: u32,
    acts_left: u8,
    belief: Belief,
    cursor: Option<Cursor>,
    broken: bool,
    net: Net,
}

const ALL: Flush = Flush { pushed_only: false, departures: Departures::All };
const NOT_OWN: Flush = Flush { pushed_only: false, departures: Departures::NotOwn };
/// Nothing but a count in doubt: no event of these worlds is pushed.
const PUSHED: Flush = Flush { pushed_only: true, departures: Departures::Held };
const HELD: Flush = Flush { pushed_only: false, departures: Departures::Held };

impl World {
    fn search(self) -> Searched {
        let mut first = State {
            log: reload_first(SessionLog::new(SessionId("A".repeat(26)), 1)),
            live: Live::from([(1, false), (2, false)]),
            away: Live::new(),
            next: 3,
            acts_left: self.upstream_acts,
            belief: Belief::Yesterday,
            cursor: None,
            broken: false,
            net: Net::Idle,
        };
        if self.kind == Kind::Faithful {
            first.select_whole(self);
        }
        search(first, |state, steps| {
            state.acts(self, steps);
            for (_, next) in steps.iter_mut() {
                if let Ok(next) = next {
                    next.rank();
                }
            }
        })
    }

    /// One request from its first octet to its last untagged line: how the account drives the log.
    fn serve(self, state: &State, request: &Request) -> (SessionLog, Answer) {
        let mut log = state.log.clone();
        let mut lines = Vec::new();
        self.begin(&mut log, request);
        let stale = log.selected.is_some() && log.needs_resync(&inbox());
        if stale {
            log.declare_resync(&inbox());
            lines.push(Line::Resync);
        }
        if stale && self.rule == Rule::ResyncIsForgotten {
            let live = handset::set(state.live.keys().copied());
            log.mailboxes.insert(inbox(), Told::fresh(validity(), &live, 0));
            log.dirty.view_set(&inbox(), &live);
            log.dirty.told(&inbox());
        }
        match request.command {
            Command::Login => handset::flush(&mut log, NOT_OWN, &mut lines),
            Command::Noop => handset::flush(&mut log, ALL, &mut lines),
            Command::Select => {
                handset::select(&mut log, &state.live, state.next, &mut lines);
                if self.rule == Rule::SelectIsNoOffer {
                    log.acknowledge(log.position);
                }
                handset::flush(&mut log, ALL, &mut lines);
            }
            Command::Fetch => {
                // A count in doubt is repeated before any number is used.
                handset::flush(&mut log, PUSHED, &mut lines);
                self.fetch(&mut log, &state.live, &mut lines);
                handset::flush(&mut log, HELD, &mut lines);
            }
        }
        let mut cursor = None;
        if self.kind != Kind::Plain {
            log.use_cursors();
            cursor = Some(log.cursor());
        }
        if let (Some(cursor), Rule::CursorFirst) = (cursor, self.rule) {
            lines.insert(0, Line::Cursor(cursor));
        }
        let claim = Claim::of(&log, &state.live, request.command != Command::Fetch);
        (log, Answer { lines, cursor, claim })
    }

    fn begin(self, log: &mut SessionLog, request: &Request) {
        let body = Some([request.body; 32]);
        match request.cursor {
            Some(cursor) => {
                let known = match self.rule {
                    Rule::CursorTakesNothingBack => log.acknowledge_cursor(cursor),
                    _ => log.resume_at(cursor),
                };
                match known {
                    Err(_) if self.rule == Rule::StoredAfterWriting => {
                        log.declare_resync_everywhere(log.incarnation + 1);
                    }
                    known => known.expect("handsets present what they were given"),
                }
            }
            None if request.command == Command::Login => {
                if self.rule == Rule::LoginAcknowledges {
                    log.acknowledge(log.position);
                }
                log.settle();
            }
            None => {
                if self.rule == Rule::RepeatProves && request.repeated {
                    log.acknowledge(log.position);
                }
                log.request_begins(body);
            }
        }
        log.remember_request(body);
    }

    /// FETCH 1:* (FLAGS)
    fn fetch(self, log: &mut SessionLog, live: &Live, lines: &mut Vec<Line>) {
        let Some((_, told)) = log.selected_told().filter(|(_, told)| !told.resync) else { return };
        let view = handset::numbers(&told.view);
        for (at, n) in view.iter().enumerate() {
            // A message that is gone upstream has no flags to show (F32).
            let Some(seen) = live.get(n).copied() else { continue };
            lines.push(Line::Flags { seq: at as u32 + 1, uid: *n, seen });
            if self.rule == Rule::FetchIsNoOffer {
                let told = log.mailboxes.get_mut(&inbox()).expect("selected");
                if told.marks.get(&handset::uid(*n)).is_some_and(|mark| mark.flags.is_some()) {
                    told.marks.remove(&handset::uid(*n));
                    log.dirty.mark(&inbox(), handset::uid(*n));
                }
            } else {
                log.flags_told(&inbox(), handset::uid(*n));
            }
        }
    }
}

fn reload_first(mut log: SessionLog) -> SessionLog {
    let mut rows = super::durable::Rows::default();
    rows.commit(&mut log);
    rows.load().expect("a new log")
}

impl State {
    /// The first SELECT, its answer received whole.
    fn select_whole(&mut self, world: World) {
        let request = Request { command: Command::Select, body: 0, cursor: None, repeated: false };
        let (log, answer) = world.serve(self, &request);
        self.log = self.store(log);
        for line in &answer.lines {
            self.belief.apply(line).expect("a true line");
        }
        self.cursor = answer.cursor;
    }

    fn rank(&mut self) {
        let mut others: Vec<&mut u64> = self.cursor.iter_mut().map(|c| &mut c.position).collect();
        let mut logs = vec![&mut self.log];
        match &mut self.net {
            Net::Idle => {}
            Net::Asked(request) => others.extend(request.cursor.iter_mut().map(|c| &mut c.position)),
            Net::Answered(request, answer, before) => {
                others.extend(request.cursor.iter_mut().map(|c| &mut c.position));
                others.extend(answer.cursor.iter_mut().map(|c| &mut c.position));
                for line in &mut answer.lines {
                    if let Line::Cursor(cursor) = line {
                        others.push(&mut cursor.position);
                    }
                }
                logs.extend(before.as_deref_mut());
            }
        }
        rank_positions(&mut logs, &mut others);
    }

    fn store(&self, log: SessionLog) -> SessionLog {
        reload(&self.log, log)
    }
}

const SMALL: World =
    World { kind: Kind::Plain, rule: Rule::Real, uid_max: 3, upstream_acts: 2, returns: false };

#[test]
fn a_plain_handset_is_never_lied_to() {
    let states = SMALL.search().expect_truth();
    println!("{states} states");
    assert!(states >= 25_000, "the world shrank to {states} states");
}

#[test]
fn a_handset_with_cursors_is_never_lied_to() {
    let states = World { kind: Kind::Cursors, ..SMALL }.search().expect_truth();
    println!("{states} states");
    assert!(states >= 75_000, "the world shrank to {states} states");
}

#[test]
fn a_handset_that_presents_its_cursor_is_never_told_resync() {
    let states = World { kind: Kind::Faithful, ..SMALL }.search().expect_truth();
    println!("{states} states");
    assert!(states >= 10_000, "the world shrank to {states} states");
}

#[test]
fn messages_that_leave_the_view_and_return_are_no_lie() {
    for kind in [Kind::Plain, Kind::Cursors] {
        let states = World { kind, returns: true, uid_max: 2, ..SMALL }.search().expect_truth();
        println!("{states} states");
        assert!(states >= 10_000, "the world shrank to {states} states");
    }
}

#[test]
fn each_weakened_rule_is_caught() {
    let weakened = [
        (Kind::Plain, Rule::GoesOn),
        (Kind::Plain, Rule::LoginAcknowledges),
        (Kind::Plain, Rule::SelectIsNoOffer),
        (Kind::Plain, Rule::ResyncIsForgotten),
        (Kind::Plain, Rule::StoredAfterWriting),
        (Kind::Plain, Rule::RepeatProves),
        (Kind::Plain, Rule::FetchIsNoOffer),
        (Kind::Cursors, Rule::CursorFirst),
        (Kind::Cursors, Rule::CursorTakesNothingBack),
        (Kind::Cursors, Rule::StoredAfterWriting),
    ];
    for (kind, rule) in weakened {
        World { kind, rule, upstream_acts: 1, ..SMALL }.search().expect_lie(&format!("{rule:?}"));
    }
}
