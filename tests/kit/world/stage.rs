//! Golden transcripts on the world in this process: everything happens at once and in good order, faults where a scene says
//! `@`.
//!
//! Connections are TCP unless the scene says otherwise. The head `# upstream: poor` takes away all extensions. Acts:
//!
//! ```text
//! @ post [NAME] [cookie] [ack] [ack=TEXT] [key=TEXT]   the lines that follow are the body of one POST; `ack` presents the last cursor
//! @ stream [NAME] [cookie] [ack]                       an open POST: each line goes at once
//! @ end [NAME]                                         the handset ends its stream
//! @ lose [NAME] [unnoticed]                            the answer is lost on the way, whole; the gateway learns that it was, or not
//! @ packet [NAME]                                      the lines that follow go in one packet, up to the next expected one
//! @ mailbox NAME · @ recreate NAME · @ delete NAME     another client makes mailboxes
//! @ told deleted NAME                                  upstream says so, late: one of that name is there again
//! @ mailboxes N                                        many, named box/1 and so on
//! @ rename OLD NEW · @ subscribe NAME · @ unsubscribe NAME
//! @ deny NAME · @ allow NAME                           it is listed and cannot be opened; it can again
//! @ deliver MAILBOX from=… [subject=…] [age=…] [flags=…]
//! @ flag MAILBOX UID +\Seen · @ expunge MAILBOX UID… · @ empty MAILBOX
//! @ pass SECONDS · @ crash · @ crash early · @ store fails
//! @ upstream lost · @ upstream back · @ watcher lost
//! @ upstream unsearchable · @ search refused CODE…     searches of content are refused: always, the next ones (`-`: without a code)
//! @ hold store · @ release store                       batches wait
//! @ store lost                                         the process dies, and nothing it had stored is left
//! @ hold upstream · @ release upstream                 questions to upstream wait; events do not
//! @ answer [KIND]                                      the oldest of them, or of a kind, is carried out and answered
//! @ execute KIND                                       the oldest of a kind is carried out; its answer waits
//! @ unanswered                                         what was sent is carried out upstream, and not answered yet
//! @ watcher deaf                                       the watching connection hears nothing from now on
//! @ unmounted TIMES                                    so many looks at a mailbox find it empty
//! @ woken DEVICE · @ asleep DEVICE                     whether it was woken and not heard of since
//! @ holds MAILBOX UID:FLAGS …                          what upstream holds, exactly
//! ```

mod folders;

use super::World;
use super::conversation::{Manner, Phase};
use super::mail::letter;
use super::upstream::Traits;
use crate::response::Lines;
use crate::transcript::{Heard, Party, Patience, Stage};
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::{ConnectionId, DeviceId, Flag, Flags, MailboxName};
use std::collections::BTreeMap;

/// A connection of the scene.
#[derive(Default)]
struct Line {
    id: Option<ConnectionId>,
    heard: Lines,
    body: Vec<u8>,
    /// A POST that is not sent yet.
    manner: Option<Manner>,
    /// Lines are gathered into one packet.
    packet: bool,
    http: bool,
    ended: bool,
}

/// See the module.
pub struct WorldStage {
    world: World,
    lines: BTreeMap<String, Line>,
    cookie: Option<String>,
    older_cookie: Option<String>,
    cursor: Option<String>,
    hold: bool,
    /// Answers of upstream are on their way, and stay there.
    unanswered: bool,
}

impl Default for WorldStage {
    fn default() -> Self {
        let world = World::new(Traits::RICH);
        WorldStage {
            world,
            lines: BTreeMap::new(),
            cookie: None,
            older_cookie: None,
            cursor: None,
            hold: false,
            unanswered: false,
        }
    }
}

impl Stage for WorldStage {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name == "logins" {
            let seconds: i64 = value.parse().map_err(|_| "no number of seconds")?;
            self.world.limit_logins(seconds * 1_000);
        }
        if name != "upstream" {
            return Ok(());
        }
        self.world.upstream.traits = match value {
            "rich" => Traits::RICH,
            "poor" => Traits::POOR,
            "no UIDPLUS" => Traits { uid_plus: false, ..Traits::RICH },
            "no IDLE" => Traits { idle: false, ..Traits::POOR },
            "no NOTIFY" => Traits { notify: false, ..Traits::RICH },
            _ => return Err(format!("no such upstream: {value}")),
        };
        Ok(())
    }

    fn send(&mut self, party: &Party, line: &[u8]) -> Result<(), String> {
        let name = handset(party)?;
        let connection = self.lines.entry(name.clone()).or_default();
        let octets = [line, b"\r\n"].concat();
        if connection.manner.is_some() || connection.packet {
            connection.body.extend_from_slice(&octets);
            return Ok(());
        }
        if connection.http && connection.id.is_none() {
            return Err("the POST is over; begin another".to_owned());
        }
        let id = match connection.id {
            Some(id) => id,
            None => {
                let id = self.world.dial();
                self.lines.entry(name).or_default().id = Some(id);
                id
            }
        };
        self.world.feed(id, &octets);
        Ok(())
    }

    fn hear(&mut self, party: &Party, patience: Patience) -> Result<Heard, String> {
        let name = handset(party)?;
        if patience == Patience::Due {
            self.send_gathered(&name);
        }
        self.settle();
        if let Some(broken) = self.world.broken.first() {
            return Err(broken.clone());
        }
        let Some(connection) = self.lines.get_mut(&name) else { return Ok(Heard::Quiet) };
        if let Some(conversation) = connection.id.and_then(|id| self.world.conversations.get_mut(&id)) {
            let octets: Vec<u8> = conversation.wire.drain(..).collect();
            connection.heard.push(&octets);
            connection.ended = conversation.phase == Phase::Over && !conversation.has_output();
            if let Some(cookie) =
                conversation.cookie.clone().filter(|cookie| self.cookie.as_ref() != Some(cookie))
            {
                self.older_cookie = self.cookie.replace(cookie);
            }
        }
        if let Some(line) = connection.heard.next() {
            let text = String::from_utf8_lossy(&line).into_owned();
            if let Some((_, rest)) = text.split_once("[PIMAPCURSOR ") {
                self.cursor = rest.split(']').next().map(str::to_owned);
            }
            return Ok(Heard::Line(line));
        }
        if !connection.ended {
            return Ok(Heard::Quiet);
        }
        if let Some(id) = connection.id.take() {
            self.world.close(id, true);
        }
        Ok(Heard::Closed)
    }

    fn act(&mut self, words: &str) -> Result<(), String> {
        let all: Vec<&str> = words.split(' ').collect();
        for name in self.lines.keys().cloned().collect::<Vec<_>>() {
            self.send_gathered(&name);
        }
        if all == ["unanswered"] {
            self.world.settle_unanswered();
            self.unanswered = true;
            return Ok(());
        }
        self.settle();
        self.unanswered = false;
        match all[..] {
            ["post", ref rest @ ..] => self.open(rest, false)?,
            ["stream", ref rest @ ..] => self.open(rest, true)?,
            ["packet", ref rest @ ..] => self.line(rest).packet = true,
            ["end", ref rest @ ..] => {
                let id = self.line(rest).id.ok_or("no such stream")?;
                self.world.end_input(id);
            }
            ["lose", ref rest @ ..] => self.lose(rest)?,
            ["hold", "store"] => self.hold = true,
            ["release", "store"] => self.hold = false,
            ["hold", "upstream"] => self.world.hold_answers = true,
            ["release", "upstream"] => self.world.hold_answers = false,
            ["answer", ref kind @ ..] => {
                if !self.world.answer_one(kind.first().copied().unwrap_or_default()) {
                    return Err("nothing of the kind is asked".to_owned());
                }
            }
            ["execute", kind] => {
                if !self.world.execute_one(kind) {
                    return Err("nothing of the kind is asked".to_owned());
                }
            }
            ["store", "lost"] => self.world.lose_store(),
            ["pass", seconds] => self.pass(seconds)?,
            ["crash"] => self.world.crash(usize::MAX),
            ["crash", "early"] => self.world.crash(0),
            ["store", "fails"] => drop(self.world.fail_commit()),
            ["upstream", "lost"] => self.world.upstream.lose_connections(),
            ["upstream", "refuses"] => self.world.upstream.refuse(),
            ["password", "revoked"] => self.world.revoke(),
            ["upstream", "back"] => self.world.upstream.come_back(),
            ["upstream", "unsearchable"] => self.world.upstream.unsearchable = true,
            ["search", "refused", ref codes @ ..] => {
                let code = |word: &&str| Some((*word).to_owned()).filter(|word| word != "-");
                self.world.upstream.search_refusals = codes.iter().map(code).collect();
            }
            ["watcher", "deaf"] => self.world.upstream.deafen(),
            ["unmounted", times] => {
                self.world.upstream.unmounted = times.parse().map_err(|_| "no number")?;
            }
            ["watcher", "lost"] => self.world.upstream.lose_watcher(),
            ["woken", device] => self.expect_woken(device, true)?,
            ["asleep", device] => self.expect_woken(device, false)?,
            _ => self.mail_act(&all)?,
        }
        Ok(())
    }

    fn parties(&self) -> Vec<Party> {
        self.lines.keys().cloned().map(Party::Handset).collect()
    }
}

impl WorldStage {
    /// Lets everything happen, but that batches wait while the store is held.
    fn settle(&mut self) {
        if self.unanswered {
            // Nothing moves until the next act.
        } else if self.hold {
            self.world.settle_but_store();
        } else {
            self.world.settle();
        }
    }

    fn line(&mut self, rest: &[&str]) -> &mut Line {
        let name = rest.first().copied().unwrap_or_default();
        self.lines.entry(name.to_owned()).or_default()
    }

    fn open(&mut self, rest: &[&str], stream: bool) -> Result<(), String> {
        let is_option = |word: &&str| word.contains('=') || ["cookie", "older", "ack"].contains(word);
        let (options, names): (Vec<&str>, Vec<&str>) = rest.iter().copied().partition(is_option);
        let mut manner = Manner::default();
        for option in options {
            match option.split_once('=') {
                Some(("ack", cursor)) => manner.ack = Some(cursor.to_owned()),
                Some(("key", key)) => manner.key = Some(key.to_owned()),
                None if option == "ack" => manner.ack = Some(self.cursor.clone().unwrap_or_default()),
                None if option == "older" => manner.cookie = self.older_cookie.clone(),
                None => manner.cookie = self.cookie.clone(),
                Some(_) => return Err(format!("no such option: {option}")),
            }
        }
        let id = if stream { Some(self.world.open_stream(manner.clone())) } else { None };
        let connection = self.line(&names);
        *connection = Line { id, http: true, manner: (!stream).then_some(manner), ..Line::default() };
        Ok(())
    }

    /// Sends what was gathered of a POST or a packet.
    fn send_gathered(&mut self, name: &str) {
        let Some(connection) = self.lines.get_mut(name) else { return };
        let body = std::mem::take(&mut connection.body);
        connection.packet = false;
        if let Some(manner) = connection.manner.take() {
            let id = self.world.post(manner, &body);
            self.lines.entry(name.to_owned()).or_default().id = Some(id);
        } else if !body.is_empty() {
            let id = match connection.id {
                Some(id) => id,
                None => self.world.dial(),
            };
            self.lines.entry(name.to_owned()).or_default().id = Some(id);
            self.world.feed(id, &body);
        }
    }

    /// What the gateway answers never arrives.
    fn lose(&mut self, rest: &[&str]) -> Result<(), String> {
        let unnoticed = rest.contains(&"unnoticed");
        let name = rest.iter().find(|word| **word != "unnoticed").copied().unwrap_or_default();
        self.send_gathered(name);
        self.settle();
        let connection = self.lines.get_mut(name).ok_or("no such connection")?;
        let id = connection.id.take().ok_or("nothing to lose")?;
        if let Some(cookie) = self.world.conversations.get(&id).and_then(|c| c.cookie.clone()) {
            // The head came; what it covers did not.
            self.cookie = Some(cookie);
        }
        self.lines.remove(name);
        self.world.close(id, unnoticed);
        Ok(())
    }

    fn pass(&mut self, seconds: &str) -> Result<(), String> {
        let seconds: i64 = seconds.parse().map_err(|_| "no number of seconds")?;
        self.world.pass(seconds * 1_000);
        Ok(())
    }

    fn expect_woken(&self, device: &str, woken: bool) -> Result<(), String> {
        let id = DeviceId::new(device).ok_or("no device ID")?;
        if self.world.woken.contains(&id) == woken {
            Ok(())
        } else {
            Err(format!("{device} woken: {}", !woken))
        }
    }

    fn mail_act(&mut self, words: &[&str]) -> Result<(), String> {
        let [verb, name, rest @ ..] = words else { return Err(format!("no such act: {}", words.join(" "))) };
        let mailbox = MailboxName::new(name);
        let uids = || rest.iter().filter_map(|uid| uid.parse().ok());
        match *verb {
            "deliver" => {
                let option = |name: &str| rest.iter().find_map(|w| w.strip_prefix(name)?.strip_prefix('='));
                let from = option("from").unwrap_or("anna");
                let subject = option("subject").unwrap_or("hello");
                let age = option("age").and_then(|age| age.parse().ok()).unwrap_or(0);
                let flags = Flags::new(option("flags").unwrap_or("").split(',').filter_map(Flag::parse));
                self.world
                    .deliver(&mailbox, letter(from, subject, "x"), flags, age)
                    .ok_or("no such mailbox")?;
            }
            "flag" | "race" => {
                let [uid, change] = rest else { return Err("flag MAILBOX UID +\\Flag".to_owned()) };
                let mode = if change.starts_with('-') { StoreMode::Remove } else { StoreMode::Add };
                let flags = Flags::new(Flag::parse(change.trim_start_matches(['+', '-'])));
                let uid = uid.parse().map_err(|_| "no UID")?;
                let change = StoreChange { mode, silent: false, flags };
                if *verb == "race" {
                    // Between what the gateway looks at and its STORE.
                    self.world.upstream.race = Some((mailbox, uid, change));
                } else {
                    self.world.store(&mailbox, uid, &change);
                }
            }
            "expunge" => self.world.remove(&mailbox, uids()),
            "empty" => {
                let all: Vec<u32> =
                    self.world.mailbox(&mailbox).ok_or("none")?.messages.keys().copied().collect();
                self.world.remove(&mailbox, all);
            }
            "holds" => return self.expect_mail(&mailbox, rest),
            _ => return self.folder_act(words),
        }
        Ok(())
    }

    fn expect_mail(&mut self, mailbox: &MailboxName, expected: &[&str]) -> Result<(), String> {
        let state = self.world.mailbox(mailbox).ok_or("no such mailbox")?;
        let one = |(uid, message): (&u32, &super::mail::Message)| {
            let flags: Vec<&str> = message.flags.iter().map(Flag::as_str).collect();
            format!("{uid}:{}", flags.join(","))
        };
        let there: Vec<String> = state.messages.iter().map(one).collect();
        if there == expected { Ok(()) } else { Err(format!("upstream holds {}", there.join(" "))) }
    }
}

fn handset(party: &Party) -> Result<String, String> {
    match party {
        Party::Handset(name) => Ok(name.clone()),
        Party::Upstream => Err("upstream is modelled here, not spoken to".to_owned()),
    }
}
