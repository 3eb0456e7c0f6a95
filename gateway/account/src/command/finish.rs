//! The end of a command: what is untold and may be told now, the cursor, the tagged line (RFC 3501 7.4.1, F5, F18, F25).

use super::Progress;
use crate::account::Account;
use crate::announce::{Afterwards, Telling};
use crate::connection::{Ending, Owner, Running, Task};
use crate::contract::{Count, Output, Pending, TransportKind};
use crate::deliver::RESYNC_NEEDED;
use pimap_session::repeat::Effect;
use pimap_session::{Departures, Flush};
use pimap_types::{Code, Command, ConnectionId, MailboxName, ModSeq, Response, Status, Tag};
use std::borrow::Cow;

/// A command that is over but for its tagged line.
pub(crate) struct Finished {
    tag: Option<Tag>,
    command: Command,
    status: Status,
    code: Option<Code>,
    text: Cow<'static, str>,
}

impl Account {
    pub(crate) fn finish(&mut self, conn: ConnectionId, ending: Ending) {
        let running = self.connections.get(&conn).and_then(|c| c.running.as_deref());
        let selects = running.is_some_and(|r| matches!(r.task, Task::Command(Command::Select { .. })));
        if selects && ending.status == Status::No {
            // However it failed, no mailbox is selected after it (RFC 3501 6.3.1).
            self.leave_mailbox(conn);
        }
        self.finish_unbegun(conn, ending);
    }

    /// Ends a command that was not for this session: whatever it is, nothing is done in it, and a mailbox stays selected.
    pub(super) fn finish_unbegun(&mut self, conn: ConnectionId, ending: Ending) {
        let Some(c) = self.connections.get_mut(&conn) else { return };
        let Some(running) = c.running.take() else { return };
        let Task::Command(command) = running.task.clone() else { return };
        let command = &command;
        let Ending { status, code, text } = ending;
        let text = if text.is_empty() { format!("{} completed", command.name()).into() } else { text };
        self.record_answer(conn, &running, status, code.as_ref(), &text);
        let departures = self.departures_after(conn, command);
        let silent = self.connections.get_mut(&conn).is_some_and(|c| std::mem::take(&mut c.silent));
        self.tell_elsewhere(conn);
        let telling = match silent {
            true => Telling::default(),
            false => {
                let wanted = self.wanted(conn, Some(command));
                self.tell_news(conn, Flush { pushed_only: false, departures }, wanted)
            }
        };
        let finished = Finished { tag: running.tag.clone(), command: command.clone(), status, code, text };
        match telling.news {
            None => self.finish_told(conn, finished),
            Some(_) => self.announce(conn, telling, Afterwards::Finish(Box::new(finished))),
        }
    }

    /// What goes with the tagged line is told: the cursor of it, and the line.
    pub(crate) fn finish_told(&mut self, conn: ConnectionId, finished: Finished) {
        let Finished { tag, command, status, code, text } = finished;
        let name = command.name();
        let code = self.code_after(conn, &command, status, code);
        self.limit_known_mod_seq(conn);
        // Whatever follows: an APPEND's own message looks like more input, and what comes last may be answered elsewhere (BAD).
        // A whole answer without the cursor of what it told would be taken back by the next request. What a batch ends with is
        // a cursor in any case, so that what it only read is kept too.
        if let Some(c) =
            self.connections.get_mut(&conn).filter(|c| !c.is_stream() && c.pending == Pending::Nothing)
        {
            c.cursor_told = None;
        }
        self.tell_cursor(conn);
        let result = match status {
            Status::Ok => "ok",
            Status::No => "no",
            Status::Bad => "bad",
        };
        self.count(Count::Command(name, result));
        if let Some(tag) = tag {
            self.write(conn, Response::Tagged { tag, status, code, text });
        }
        match self.connections.get_mut(&conn).is_some_and(|c| std::mem::take(&mut c.bye_next)) {
            true => self.end_connection(conn, None, RESYNC_NEEDED),
            false => self.complete(conn, false),
        }
        self.ended_on(conn);
    }

    /// The running command is answered; what was written up to here is what going on would prove.
    pub(crate) fn complete(&mut self, conn: ConnectionId, idling: bool) {
        let Some(c) = self.connections.get(&conn) else { return };
        let position = self.session(&c.owner).map_or(0, |s| s.position);
        if let Some(c) = self.connections.get_mut(&conn) {
            // A connection whose response told nothing still had one: the next command is not the first.
            c.handed = position.max(1);
        }
        if self.connections.get(&conn).is_some_and(|c| !c.finished) {
            self.outbox.push(Output::Complete { conn, idling });
        }
    }

    /// Which removals may go before the tagged line.
    fn departures_after(&self, conn: ConnectionId, command: &Command) -> Departures {
        let wanted = match command {
            // What went while changes were told waits, or it would stand beside what vanished earlier (RFC 7162 3.2.10).
            Command::Select { parameters, .. } if parameters.qresync.is_some() => Departures::Held,
            Command::Noop
            | Command::Check
            | Command::Idle
            | Command::Notify(_)
            | Command::Expunge
            | Command::UidExpunge(_)
            | Command::Move(..)
            | Command::Select { .. } => Departures::All,
            Command::Fetch(target, ..) | Command::Store(target, ..) | Command::Copy(target, _)
                if !target.by_uid() =>
            {
                Departures::Held
            }
            Command::Search { by_uid: false, .. }
            | Command::Sort { by_uid: false, .. }
            | Command::Thread { by_uid: false, .. } => Departures::Held,
            _ => Departures::NotOwn,
        };
        let Some(c) = self.connections.get(&conn) else { return Departures::Held };
        // On TCP the answers to these carry removals whatever follows, as RFC 3501 5.5 has clients expect.
        let expected = c.transport.kind == TransportKind::Tcp && wanted == Departures::All;
        if expected { wanted } else { self.permitted(conn, wanted) }
    }

    // === repeats ===

    /// A mutating command of a device's session sets out: whoever takes the session over waits for it (F14). Where its request has a
    /// name the intent is recorded before the effect (F45).
    pub(crate) fn intend(&mut self, conn: ConnectionId, running: &mut Running) {
        let Some(c) = self.connections.get(&conn) else { return };
        let (request, owner, now) = (c.request.as_deref().copied(), c.owner.clone(), self.now);
        running.intended = matches!(owner, Owner::Device(_));
        if let (Some(key), Some(session)) = (request, self.session_mut(&owner)) {
            session.remember_intent(key, running.index, now);
        }
    }

    fn record_answer(
        &mut self,
        conn: ConnectionId,
        running: &Running,
        status: Status,
        code: Option<&Code>,
        text: &str,
    ) {
        let Some(c) = self.connections.get(&conn) else { return };
        let (Some(key), owner, true) = (c.request.as_deref().copied(), c.owner.clone(), running.intended)
        else {
            return;
        };
        // An outcome in doubt stays an intent: a repeat is told the same.
        if matches!(code, Some(Code::Word(word)) if word == "PIMAPINDOUBT") {
            return;
        }
        let effect = Effect::Answered(status, code.and_then(code_text), text.to_owned());
        if let Some(session) = self.session_mut(&owner) {
            session.remember_answer(key, running.index, effect);
        }
    }

    /// Waits until the mirror of the selected mailbox has seen what the command itself did elsewhere (F21), then ends.
    pub(crate) fn await_own_change(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &Running,
        ending: Ending,
    ) -> Progress {
        let Some((owner, selected)) = self.selected_of(conn) else { return Progress::End(ending) };
        let target = match command {
            Command::Append(append) => &append.mailbox,
            Command::Copy(_, to) | Command::Move(_, to) => to,
            _ => return Progress::End(ending),
        };
        // A view that waits for RESYNC shows nothing of it.
        let waits = self.session(&owner).and_then(|s| s.told(&selected)).is_none_or(|told| told.resync);
        if *target != selected || waits {
            return Progress::End(ending);
        }
        match self.readiness(&owner, &selected, running.since) {
            crate::sync::Readiness::Waiting => Progress::Park(selected),
            _ => Progress::End(ending),
        }
    }

    /// A result whose effect the selected mailbox is to show before the tagged answer (F21).
    pub(crate) fn end_when_seen(&self, conn: ConnectionId, target: &MailboxName, ending: Ending) -> Progress {
        let selected = self.selected_of(conn).is_some_and(|(_, mailbox)| mailbox == *target);
        if selected { Progress::ParkEnding(target.clone(), ending) } else { Progress::End(ending) }
    }

    /// The owner of a connection, for commands of a device.
    pub(crate) fn device_of(&self, conn: ConnectionId) -> Option<pimap_types::DeviceId> {
        match &self.connections.get(&conn)?.owner {
            Owner::Device(id) => Some(id.clone()),
            Owner::Regular(_) => None,
        }
    }
}

/// A code as it stands between brackets, for the record.
fn code_text(code: &Code) -> Option<String> {
    let set = |set: &pimap_types::UidRanges| {
        let range = |(a, b): &(u32, u32)| if a == b { a.to_string() } else { format!("{a}:{b}") };
        set.ranges().iter().map(range).collect::<Vec<_>>().join(",")
    };
    match code {
        Code::Word(word) => Some(word.to_string()),
        Code::HighestModSeq(ModSeq(n)) => Some(format!("HIGHESTMODSEQ {n}")),
        Code::Modified(ranges) => {
            let modified = pimap_types::UidRanges::from_pairs(ranges.iter().copied());
            Some(format!("MODIFIED {}", set(&modified)))
        }
        Code::AppendUid(validity, uids) => Some(format!("APPENDUID {validity} {}", set(uids))),
        Code::CopyUid(validity, from, to) => Some(format!("COPYUID {validity} {} {}", set(from), set(to))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
