//! A handset in the world: it sends what the handset wants, hears what arrives, and its radio fails at any octet.

use super::plan::Plan;
use crate::handset::{Handset, Kind, Request, Road};
use crate::response::{Lines, Response, read};
use crate::transcript::show;
use crate::world::World;
use crate::world::conversation::Manner;
use crate::world::rng::Rng;
use pimap_types::ConnectionId;
use std::collections::{BTreeSet, VecDeque};

/// What the head of an HTTP response costs before the first octet of its body.
const HEAD_OCTETS: usize = 24;

/// How far an IDLE is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Idle {
    /// `+` is awaited.
    Asked,
    /// Events flow.
    Flowing,
    /// DONE was sent.
    Done,
}

/// A request under way.
struct Talk {
    id: ConnectionId,
    unsent: VecDeque<u8>,
    /// Octets that can still be sent, and heard, before the radio dies.
    can_send: usize,
    can_hear: usize,
    head_left: usize,
    cookie_kept: bool,
    stream: bool,
    idle: Option<Idle>,
    last_tag: String,
    lines: Lines,
    answered: bool,
    turned_away: bool,
}

/// A handset, its connections and what it meant to change lately.
pub struct Phone {
    /// The handset.
    pub handset: Handset,
    /// Its device; a name of its own only for one without.
    pub device: String,
    /// It logs in without a device: its session is as long as its connection.
    pub regular: bool,
    /// Each of its requests over HTTP has an `Idempotency-Key`.
    pub names_requests: bool,
    /// Others have the same device ID, and believe that they are the device (F15); which of them it is.
    pub shared: Option<usize>,
    /// Mailbox, UIDs and certainty of what the latest requests meant to change.
    pub meant: VecDeque<(BTreeSet<u32>, bool)>,
    /// Connections whose death the gateway has not noticed yet.
    pub zombies: Vec<ConnectionId>,
    /// Exchanges that ended well, of which the gateway has not heard yet.
    pub departing: Vec<ConnectionId>,
    tcp: Option<ConnectionId>,
    talk: Option<Talk>,
    said: Vec<String>,
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// Nothing could be done.
    Nothing,
    /// Something moved.
    Moved,
    /// An answer came whole.
    Whole,
    /// The exchange broke.
    Broken,
}

impl Phone {
    /// A handset that was never connected.
    pub fn new(kind: Kind, device: &str) -> Phone {
        Phone {
            handset: Handset::new(kind, &format!("joe#{device}"), crate::world::conversation::PASSWORD),
            device: device.to_owned(),
            regular: false,
            names_requests: false,
            shared: None,
            meant: VecDeque::new(),
            zombies: Vec::new(),
            departing: Vec::new(),
            tcp: None,
            talk: None,
            said: Vec::new(),
        }
    }

    /// The same as a regular client, of which any number may be there at once.
    pub fn regular(kind: Kind, name: &str) -> Phone {
        let handset = Handset::new(kind, "joe", crate::world::conversation::PASSWORD);
        Phone { handset, regular: true, ..Phone::new(kind, name) }
    }

    /// The same with an `Idempotency-Key` for each request over HTTP.
    pub fn naming_requests(self) -> Phone {
        let names_requests = self.handset.kind.road() != Road::Tcp;
        Phone { names_requests, ..self }
    }

    /// The same beside others with its device ID.
    pub fn sharing(mut self, which: usize) -> Phone {
        self.handset.wary = true;
        Phone { shared: Some(which), ..self }
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.talk.is_none()
    }

    /// Whether it waits in IDLE.
    pub fn is_idling(&self) -> bool {
        self.talk.as_ref().is_some_and(|talk| talk.idle == Some(Idle::Flowing) && talk.unsent.is_empty())
    }

    /// Its connection's conversation.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.talk.as_ref().map(|talk| talk.id).or(self.tcp)
    }

    /// The conversation so far as a transcript.
    pub fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// Notes an act of the world beside the conversation.
    fn note(&mut self, line: String) {
        self.said.push(line);
    }

    /// Sends a request. `faulty`: the radio may fail.
    pub fn begin(&mut self, world: &mut World, plan: &Plan, idling: bool, faulty: bool, rng: &mut Rng) {
        self.listen(world);
        let commands: Vec<&str> = plan.commands.iter().map(String::as_str).collect();
        let request = self.handset.request(&commands);
        self.meant.push_back((plan.meant.clone(), plan.blindly));
        if self.meant.len() > 4 {
            self.meant.pop_front();
        }
        self.send(world, &request, idling, faulty, rng);
    }

    /// Asks for what it lacks. False: it lacks nothing.
    pub fn catch_up(&mut self, world: &mut World, rng: &mut Rng) -> bool {
        self.listen(world);
        let Some(request) = self.handset.catch_up() else { return false };
        self.send(world, &request, false, false, rng);
        true
    }

    fn send(&mut self, world: &mut World, request: &Request, idling: bool, faulty: bool, rng: &mut Rng) {
        let limit = |rng: &mut Rng, octets: usize, percent: usize| match faulty && rng.chance(percent) {
            true => rng.below(octets + 1),
            false => usize::MAX,
        };
        let can_send = limit(rng, request.body.len(), 8);
        let most = if rng.chance(50) { 60 } else { 400 };
        let can_hear = limit(rng, most, 22);
        for line in request.body.split_inclusive(|octet| *octet == b'\n') {
            self.said.push(format!("C: {}", show(line.trim_ascii_end())));
        }
        // A library that repeats repeats the name as well; another request never has it, its tags being others.
        let name = || format!("{:?} {}", self.shared, show(&request.body));
        let key = self.names_requests.then(name);
        let manner = Manner { cookie: request.cookie.clone(), ack: request.ack.clone(), key };
        if let Some(ack) = &request.ack {
            self.note(format!("@ presents {ack:?}"));
        }
        let tcp = request.road == Road::Tcp;
        let stream = !tcp && idling;
        if tcp && self.tcp.is_none_or(|id| !is_open(world, id)) {
            self.tcp = Some(world.dial());
        }
        let mut unsent: VecDeque<u8> = request.body.iter().copied().collect();
        let id = match self.tcp {
            Some(id) if tcp => id,
            _ if stream => world.open_stream(manner),
            _ if can_send < request.body.len() => {
                // A body that does not come whole is no request at all.
                self.note("@ the request is cut".to_owned());
                return self.broke(world, None, faulty, rng);
            }
            _ => {
                unsent.clear();
                world.post(manner, &request.body)
            }
        };
        self.talk = Some(Talk {
            id,
            unsent,
            can_send,
            can_hear,
            head_left: if tcp { 0 } else { HEAD_OCTETS },
            cookie_kept: false,
            stream,
            idle: idling.then_some(Idle::Asked),
            last_tag: last_tag(&request.body),
            lines: Lines::default(),
            answered: false,
            turned_away: false,
        });
    }

    /// Ends an IDLE.
    pub fn done(&mut self) {
        let Some(talk) = &mut self.talk else { return };
        talk.idle = Some(Idle::Done);
        talk.unsent.extend(b"DONE\r\n");
        self.note("C: DONE".to_owned());
    }

    /// The radio is lost now.
    pub fn lose_radio(&mut self, world: &mut World, rng: &mut Rng) {
        let id = self.connection();
        self.tcp = None;
        if self.talk.take().is_some() {
            self.note("@ the radio is lost".to_owned());
            self.broke(world, id, false, rng);
        } else if let Some(id) = id {
            self.note("@ the radio is lost".to_owned());
            self.handset.broken();
            self.zombies.push(id);
        }
    }

    /// Hears what is said on a TCP connection between commands, its end included.
    fn listen(&mut self, world: &mut World) -> bool {
        let (Some(id), None) = (self.tcp, &self.talk) else { return false };
        let octets: Vec<u8> = match world.conversations.get_mut(&id) {
            Some(conversation) => conversation.wire.drain(..).collect(),
            None => Vec::new(),
        };
        if !octets.is_empty() {
            self.handset.hear(&octets);
            self.said.push(format!("S: {}", show(&octets)));
        }
        let over = world.conversations.get(&id).is_none_or(|c| {
            c.phase == crate::world::conversation::Phase::Over && !c.has_output() && c.wire.is_empty()
        });
        if over {
            self.note("@ the connection is closed".to_owned());
            self.tcp = None;
            self.zombies.push(id);
            self.handset.broken();
        }
        over || !octets.is_empty()
    }

    /// Sends or hears a little.
    pub fn step(&mut self, world: &mut World, faulty: bool, rng: &mut Rng) -> Came {
        let Some(talk) = &mut self.talk else {
            return if self.listen(world) { Came::Moved } else { Came::Nothing };
        };
        if !talk.unsent.is_empty() {
            let some = 1 + if rng.chance(30) { rng.below(12) } else { talk.unsent.len() };
            let length = some.min(talk.unsent.len()).min(talk.can_send);
            talk.can_send -= length;
            let octets: Vec<u8> = talk.unsent.drain(..length).collect();
            let (id, dead) = (talk.id, talk.can_send == 0);
            let ends = talk.unsent.is_empty() && talk.stream && talk.idle == Some(Idle::Done);
            world.feed(id, &octets);
            if dead {
                self.note("@ the request is cut".to_owned());
                return self.fail(world, faulty, rng);
            }
            if ends {
                world.end_input(id);
            }
            return Came::Moved;
        }
        self.hear(world, faulty, rng)
    }

    fn hear(&mut self, world: &mut World, faulty: bool, rng: &mut Rng) -> Came {
        let Some(talk) = &mut self.talk else { return Came::Nothing };
        let Some(conversation) = world.conversations.get_mut(&talk.id) else {
            return self.fail(world, faulty, rng);
        };
        let written = conversation.is_written();
        let over =
            conversation.phase == crate::world::conversation::Phase::Over && !conversation.has_output();
        if conversation.wire.is_empty() && !over {
            return Came::Nothing;
        }
        let head = talk.head_left.min(talk.can_hear);
        talk.head_left -= head;
        talk.can_hear -= head;
        if talk.head_left == 0 && !talk.cookie_kept && talk.can_hear > 0 {
            talk.cookie_kept = true;
            if let Some(cookie) = conversation.cookie.clone() {
                self.handset.keep_cookie(&cookie);
            }
        }
        let some = 1 + if rng.chance(30) { rng.below(20) } else { usize::MAX / 2 };
        let length = some.min(conversation.wire.len()).min(talk.can_hear);
        talk.can_hear -= length;
        let octets: Vec<u8> = conversation.wire.drain(..length).collect();
        let rest = conversation.wire.len();
        if !octets.is_empty() {
            self.take_in(&octets);
        }
        let Some(talk) = &mut self.talk else { return Came::Nothing };
        if talk.can_hear == 0 {
            self.note("@ the answer is cut".to_owned());
            return self.fail(world, faulty, rng);
        }
        if talk.stream && talk.answered && talk.idle == Some(Idle::Asked) {
            // IDLE was refused: nothing more is to be said on this stream.
            talk.idle = Some(Idle::Done);
            world.end_input(talk.id);
        }
        let Some(talk) = &mut self.talk else { return Came::Nothing };
        let tcp = self.tcp == Some(talk.id);
        // What is pushed behind an answer may have come in part.
        if tcp && talk.answered && self.handset.replica.is_between_lines() {
            return self.whole(false);
        }
        if over && rest == 0 {
            return if written && !tcp { self.whole(true) } else { self.fail(world, faulty, rng) };
        }
        Came::Moved
    }

    fn take_in(&mut self, octets: &[u8]) {
        let Some(talk) = &mut self.talk else { return };
        self.handset.hear(octets);
        talk.lines.push(octets);
        for line in &mut talk.lines {
            self.said.push(format!("S: {}", show(&line)));
            match read(&line) {
                Ok(Response::Continue) if talk.idle == Some(Idle::Asked) => talk.idle = Some(Idle::Flowing),
                Ok(Response::Tagged(tag, condition)) => {
                    talk.answered |= tag == talk.last_tag;
                    talk.turned_away |= condition.code("AUTHENTICATIONFAILED").is_some();
                }
                _ => {}
            }
        }
    }

    /// The answer came whole.
    fn whole(&mut self, ends: bool) -> Came {
        let Some(talk) = self.talk.take() else { return Came::Nothing };
        if ends {
            self.departing.push(talk.id);
        }
        if !talk.answered && self.handset.replica.bye() {
            // Well-formed, and yet not an answer to everything: the handset starts over, and no library repeats it.
            while self.handset.broken().is_some() {}
            return Came::Broken;
        }
        self.handset.finished();
        if talk.turned_away {
            self.handset.turned_away();
        }
        Came::Whole
    }

    fn fail(&mut self, world: &mut World, faulty: bool, rng: &mut Rng) -> Came {
        if self.talk.as_ref().is_some_and(|talk| talk.stream) {
            // What was streamed cannot be sent again by a library.
            while self.handset.broken().is_some() {}
        }
        let id = self.talk.take().map(|talk| talk.id);
        if self.tcp == id {
            self.tcp = None;
        }
        self.broke(world, id, faulty, rng);
        Came::Broken
    }

    fn broke(&mut self, world: &mut World, id: Option<ConnectionId>, faulty: bool, rng: &mut Rng) {
        self.zombies.extend(id);
        self.note("@ the exchange broke".to_owned());
        if let Some(request) = self.handset.broken() {
            self.note("@ the library repeats".to_owned());
            self.send(world, &request, false, faulty, rng);
        }
    }
}

fn is_open(world: &World, id: ConnectionId) -> bool {
    world.conversations.get(&id).is_some_and(|c| c.phase != crate::world::conversation::Phase::Over)
}

/// The tag of the last command of a body.
fn last_tag(body: &[u8]) -> String {
    let mut lines = Lines::default();
    lines.push(body);
    let last = lines.last().unwrap_or_default();
    String::from_utf8_lossy(last.split(|&octet| octet == b' ').next().unwrap_or_default()).into_owned()
}
