//! Commands: taking one in, beginning it (again), and ending it. What each command does is in the files of this folder,
//! named after the commands.

mod change;
pub(crate) mod condstore;
mod evidence;
pub(crate) mod finish;
mod folder;
mod idle;
mod list;
mod notify;
mod preference;
mod provision;
mod read;
pub(crate) mod search;
mod select;
mod session;
pub(crate) mod status;
mod store;

use crate::account::Account;
use crate::announce::Waiting;
use crate::connection::{Conditional, Connection, Ending, Owner, Running, Stage, Task};
use crate::contract::{CommandInput, Output, Pending, TransportKind};
use crate::sync::{Readiness, ending_of};
use crate::utf8;
use pimap_session::{Departures, Flush, Wanted};
use pimap_types::upstream::UpstreamReply;
use pimap_types::{Code, Command, ConnectionId, MailboxName, Response, Status, Ticket, limits};

/// What a command's beginning, or the answer to its question, led to.
pub(crate) enum Progress {
    /// It ends.
    End(Ending),
    /// It asked upstream.
    Asked(Ticket, Stage),
    /// It waits for a mailbox to be up to date.
    Park(MailboxName),
    /// The same, with what it has found so far.
    ParkAt(MailboxName, Stage),
    /// It is done, and ends when the mailbox shows it.
    ParkEnding(MailboxName, Ending),
    /// It wrote its own end (LOGOUT, IDLE).
    Over,
}

/// `tag OK`
pub(crate) fn ok() -> Progress {
    Progress::End(Ending::new(Status::Ok, None, ""))
}

/// `tag NO [code] text`
pub(crate) fn no(code: &'static str, text: &'static str) -> Progress {
    Progress::End(Ending::new(Status::No, Some(Code::word(code)), text))
}

/// `tag BAD text`
pub(crate) fn bad(text: &'static str) -> Progress {
    Progress::End(Ending::new(Status::Bad, None, text))
}

impl Account {
    pub(crate) fn command(&mut self, input: CommandInput) {
        if self.is_held_up(input.conn, || Waiting::Command(input.clone())) {
            return;
        }
        let CommandInput { conn, tag, mut command, pending, pipelined, named } = input;
        let now = self.now;
        let Some(c) = self.connections.get_mut(&conn).filter(|c| !c.finished && c.running.is_none()) else {
            return;
        };
        c.last_heard = now;
        c.pending = pending;
        let index = c.commands;
        c.commands += 1;
        c.by_uid = command.by_uid();
        if c.utf8 {
            utf8::take_in(&mut command);
        }
        let owner = c.owner.clone();
        self.take_evidence(conn, pipelined);
        if let Owner::Device(id) = &owner {
            self.heard_again(id);
        }
        let running = Running {
            tag: Some(tag),
            task: Task::Command(command),
            stage: Stage::Start,
            since: self.asked,
            ticket: None,
            parked: None,
            index,
            aimed: None,
            intended: false,
            cancelled: false,
            conditional: Conditional::default(),
            behind: self.mutation_under_way(&owner, conn),
        };
        let waits = running.behind.is_some();
        if let Some(c) = self.connections.get_mut(&conn) {
            c.running = Some(Box::new(running));
        }
        if named.is_some_and(|named| !self.bears_name(&owner, named)) {
            let text = "the tag names another session";
            self.finish_unbegun(conn, Ending::new(Status::No, Some(Code::word("CLIENTBUG")), text));
        } else if !waits {
            self.set_out(conn);
        }
    }

    /// Sets out with a command that has nothing before it any more.
    pub(crate) fn set_out(&mut self, conn: ConnectionId) {
        self.say_resync(conn);
        let c = self.connections.get(&conn);
        let index = c.filter(|c| c.request.is_some()).and_then(|c| c.running.as_ref()).map_or(0, |r| r.index);
        if index >= limits::COMMANDS_PER_REQUEST_MAX {
            let text = "too many commands in one request";
            self.finish(conn, Ending::new(Status::No, Some(Code::word("LIMIT")), text));
        } else if !self.answer_repeat(conn) {
            self.begin(conn);
        }
    }

    /// A mutation that still runs on a connection from which this one took the session over: commands of a session run one
    /// after the other (D5).
    pub(crate) fn mutation_under_way(&self, owner: &Owner, by: ConnectionId) -> Option<ConnectionId> {
        let Owner::Device(_) = owner else { return None };
        let mutating = |c: &Connection| c.running.as_deref().is_some_and(Running::is_changing);
        self.connections
            .iter()
            .find(|(id, c)| **id != by && c.owner == *owner && mutating(c))
            .map(|(id, _)| *id)
    }

    /// A mutation ended: commands that waited behind it set out, and a connection that is gone is forgotten.
    pub(crate) fn ended_on(&mut self, conn: ConnectionId) {
        if self.connections.get(&conn).is_some_and(|c| c.gone) {
            self.connections.remove(&conn);
        }
        let behind = |c: &Connection| c.running.as_ref().is_some_and(|r| r.behind == Some(conn));
        let waiting: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, c)| behind(c)).map(|(id, _)| *id).collect();
        for next in waiting {
            if let Some(running) = self.connections.get_mut(&next).and_then(|c| c.running.as_mut()) {
                running.behind = None;
            }
            self.set_out(next);
        }
    }

    /// RESYNC found without LOGIN is the first untagged line (F8).
    fn say_resync(&mut self, conn: ConnectionId) {
        let due = self.connections.get_mut(&conn).is_some_and(|c| std::mem::take(&mut c.say_resync));
        if due {
            self.write(conn, Response::Resync);
        }
    }

    /// Begins, or begins again, what runs on the connection.
    pub(crate) fn begin(&mut self, conn: ConnectionId) {
        let Some(c) = self.connections.get_mut(&conn) else { return };
        let Some(mut running) = c.running.take().map(|running| *running) else { return };
        running.parked = None;
        match running.task.clone() {
            Task::Login { .. } => self.begin_login(conn, running),
            Task::Command(mut command) => {
                let progress = match &running.stage {
                    Stage::Ending(ending) => {
                        self.await_own_change(conn, &command, &running, ending.as_ref().clone())
                    }
                    _ => match self.refused_text(conn, &mut command) {
                        Some(refusal) => refusal,
                        None => self.begin_command(conn, &command, &mut running),
                    },
                };
                self.go_on(conn, running, progress);
            }
        }
    }

    fn begin_command(&mut self, conn: ConnectionId, command: &Command, running: &mut Running) -> Progress {
        // What is under way was allowed when it set out.
        if let Some(refusal) = self.refused_here(conn, command).filter(|_| !running.is_tried_again()) {
            return refusal;
        }
        match command {
            Command::Capability => {
                self.write(conn, Response::Capability(self.capability(conn)));
                ok()
            }
            Command::Noop | Command::Check => self.begin_poll(conn, running),
            Command::Logout => self.begin_logout(conn, running),
            Command::Login(_) | Command::Authenticate { .. } => bad("already logged in"),
            Command::Id(_) => bad("ID is answered before it comes here"),
            // Where a connection can be compressed its driver answers.
            Command::Compress(_) => bad("this connection cannot be compressed"),
            Command::Enable(words) => self.begin_enable(conn, words),
            Command::List(list) => self.begin_list(conn, list, running),
            Command::Lsub(pattern) => self.begin_lsub(conn, pattern),
            Command::Namespace => self.begin_namespace(conn),
            Command::Create(mailbox) => self.begin_create(conn, mailbox, running),
            Command::Delete(mailbox) => self.begin_delete(conn, mailbox, running),
            Command::Rename(from, to) => self.begin_rename(conn, from, to, running),
            Command::Subscribe(mailbox) => self.begin_subscribe(conn, mailbox, true),
            Command::Unsubscribe(mailbox) => self.begin_subscribe(conn, mailbox, false),
            Command::Status(mailbox, items) => self.begin_status(conn, mailbox, items, running),
            Command::Select { mailbox, read_only, parameters } => {
                self.begin_select(conn, mailbox, *read_only, parameters, running)
            }
            Command::Close => self.begin_close(conn, running),
            Command::Unselect => self.begin_unselect(conn),
            Command::Fetch(target, items, modifiers) => self.begin_fetch(conn, target, items, *modifiers),
            Command::Store(target, change, since) => self.begin_store(conn, target, change, *since, running),
            Command::Search { .. } | Command::Sort { .. } | Command::Thread { .. } => {
                self.begin_search(conn, command, running)
            }
            Command::Copy(target, to) => self.begin_copy(conn, target, to, false, running),
            Command::Move(target, to) => self.begin_copy(conn, target, to, true, running),
            Command::Expunge => self.begin_expunge(conn, None),
            Command::UidExpunge(target) => self.begin_expunge(conn, Some(target)),
            Command::Append(append) => self.begin_append(conn, append, running),
            Command::Idle => self.begin_idle(conn, running),
            Command::Notify(notify) => self.begin_notify(conn, notify, running),
            Command::Xprovision { device, notification_id } => {
                self.begin_provision(conn, device.as_ref(), notification_id.as_deref())
            }
            Command::XsetPimapPref(setting) => self.begin_set_preference(conn, setting),
            Command::XgetPimapPrefs(names) => self.begin_get_preferences(conn, names),
            Command::XfilterGet { name, description, criteria } => {
                self.begin_filter_get(conn, name, *description, *criteria)
            }
            Command::XfilterSet { name, description, criteria } => {
                self.begin_filter_set(conn, name, description, criteria)
            }
            Command::Xack(cursor) => self.begin_ack(conn, *cursor),
        }
    }

    /// Commands that the state or the kind of session does not have (P-IMAP 5, digest 3).
    fn refused_here(&self, conn: ConnectionId, command: &Command) -> Option<Progress> {
        let c = self.connections.get(&conn)?;
        let regular = matches!(c.owner, Owner::Regular(_));
        let needs_device = matches!(
            command,
            Command::XsetPimapPref(_)
                | Command::XgetPimapPrefs(_)
                | Command::XfilterGet { .. }
                | Command::XfilterSet { .. }
                | Command::Xack(_)
        );
        if regular && needs_device {
            return Some(bad("unknown command in a regular IMAP session; log in with a device ID"));
        }
        let needs_mailbox = matches!(
            command,
            Command::Close
                | Command::Unselect
                | Command::Check
                | Command::Fetch(..)
                | Command::Store(..)
                | Command::Search { .. }
                | Command::Sort { .. }
                | Command::Thread { .. }
                | Command::Copy(..)
                | Command::Move(..)
                | Command::Expunge
                | Command::UidExpunge(_)
        );
        let selected = self.session(&c.owner).and_then(|s| s.selected.as_ref());
        if needs_mailbox && selected.is_none() {
            return Some(bad("no mailbox is selected"));
        }
        let changes = matches!(
            command,
            Command::Store(..) | Command::Move(..) | Command::Expunge | Command::UidExpunge(_)
        );
        if changes && selected.is_some_and(|s| s.read_only) {
            return Some(no("READ-ONLY", "the mailbox was opened by EXAMINE"));
        }
        None
    }

    /// The answer to a command's question.
    pub(crate) fn command_answered(&mut self, conn: ConnectionId, ticket: Ticket, reply: UpstreamReply) {
        let Some(c) = self.connections.get_mut(&conn) else { return };
        let Some(mut running) =
            c.running.take_if(|running| running.ticket == Some(ticket)).map(|running| *running)
        else {
            return;
        };
        running.ticket = None;
        let Task::Command(command) = running.task.clone() else { return };
        let progress = self.answered(conn, &command, &mut running, reply);
        self.go_on(conn, running, progress);
    }

    fn answered(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        running: &mut Running,
        reply: UpstreamReply,
    ) -> Progress {
        let reply = match self.fault_of(conn, reply) {
            Ok(reply) => reply,
            Err(progress) => {
                self.nothing_saved(conn, command);
                return progress;
            }
        };
        match command {
            Command::List(list) => self.list_answered(conn, list, running, reply),
            Command::Lsub(pattern) => self.lsub_answered(conn, pattern, reply),
            Command::Namespace => self.namespace_answered(conn, reply),
            Command::Create(_)
            | Command::Delete(_)
            | Command::Rename(..)
            | Command::Subscribe(_)
            | Command::Unsubscribe(_) => self.folder_changed(conn, command, reply),
            Command::Status(mailbox, items) => self.status_answered(conn, mailbox, items, running, reply),
            Command::Select { mailbox, read_only, parameters } => {
                self.select_answered(conn, mailbox, *read_only, parameters, running, reply)
            }
            Command::Fetch(target, ..) => self.fetched(conn, target, reply),
            Command::Store(target, change, since) => {
                self.stored(conn, (target, change, *since), running, reply)
            }
            Command::Search { .. } | Command::Sort { .. } | Command::Thread { .. } => {
                self.searched(conn, command, running, reply)
            }
            Command::Copy(_, to) => self.copied(conn, to, false, running, reply),
            Command::Move(_, to) => self.copied(conn, to, true, running, reply),
            Command::Expunge | Command::UidExpunge(_) | Command::Close => {
                self.expunge_answered(conn, command, running, reply)
            }
            Command::Append(append) => self.appended(conn, append, reply),
            Command::Notify(notify) => self.notify_listed(conn, notify, running, reply),
            _ => ok(),
        }
    }

    /// A fault ends any command; a mailbox that was replaced is synchronised again.
    fn fault_of(&mut self, conn: ConnectionId, reply: UpstreamReply) -> Result<UpstreamReply, Progress> {
        let UpstreamReply::Failed(fault) = reply else { return Ok(reply) };
        if fault == pimap_types::upstream::UpstreamFault::UidValidityChanged {
            let selected = self.selected_of(conn).map(|(_, mailbox)| mailbox);
            if let Some(mailbox) = selected {
                self.sync(&mailbox);
            }
        }
        Err(Progress::End(ending_of(&fault)))
    }

    pub(crate) fn go_on(&mut self, conn: ConnectionId, mut running: Running, progress: Progress) {
        match progress {
            Progress::Asked(ticket, stage) => {
                running.ticket = Some(ticket);
                running.stage = stage;
                self.put_back(conn, running);
            }
            Progress::Park(mailbox) => {
                running.parked = Some(mailbox);
                self.put_back(conn, running);
            }
            Progress::ParkAt(mailbox, stage) => {
                running.stage = stage;
                running.parked = Some(mailbox);
                self.put_back(conn, running);
            }
            Progress::ParkEnding(mailbox, ending) => {
                running.since = self.asked;
                running.stage = Stage::Ending(Box::new(ending));
                running.parked = Some(mailbox.clone());
                self.put_back(conn, running);
                self.sync(&mailbox);
            }
            Progress::End(ending) => {
                self.put_back(conn, running);
                self.finish(conn, ending);
            }
            Progress::Over => {}
        }
    }

    pub(crate) fn put_back(&mut self, conn: ConnectionId, running: Running) {
        if let Some(c) = self.connections.get_mut(&conn) {
            c.running = Some(Box::new(running));
        }
    }

    /// The command waits until the mailbox is up to date, or ends when it cannot be had.
    pub(crate) fn need_mailbox(
        &mut self,
        conn: ConnectionId,
        mailbox: &MailboxName,
        since: u64,
    ) -> Result<(), Progress> {
        let Some(owner) = self.connections.get(&conn).map(|c| c.owner.clone()) else {
            return Err(Progress::Over);
        };
        match self.readiness(&owner, mailbox, since) {
            Readiness::Ready => Ok(()),
            Readiness::Waiting => Err(Progress::Park(mailbox.clone())),
            Readiness::Failed(fault) => Err(Progress::End(ending_of(&fault))),
        }
    }

    /// The owner and the selected mailbox of a connection.
    pub(crate) fn selected_of(&self, conn: ConnectionId) -> Option<(Owner, MailboxName)> {
        let owner = self.connections.get(&conn)?.owner.clone();
        let mailbox = self.session(&owner)?.selected.as_ref()?.mailbox.clone();
        Some((owner, mailbox))
    }

    /// NOOP and CHECK: everything untold is told. Where nobody watches the mailbox live, upstream is asked first.
    pub(crate) fn begin_poll(&mut self, conn: ConnectionId, running: &Running) -> Progress {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return ok() };
        let told = self.session(&owner).is_some_and(|s| s.told(&mailbox).is_some_and(|t| !t.resync));
        // A filter that is not evaluated yet holds back everything, whoever watches.
        let judged = self.live_if_ready(&owner, &mailbox).is_some();
        if told
            && !(judged && self.is_watched_live(&mailbox))
            && let Err(progress) = self.need_mailbox(conn, &mailbox, running.since)
        {
            return progress;
        }
        ok()
    }

    /// Input arrived behind the running command: its answer tells no removal (F5).
    pub(crate) fn more_input(&mut self, conn: ConnectionId) {
        self.note_more_behind(conn);
        if let Some(c) = self.connections.get_mut(&conn) {
            c.pending = Pending::More;
        }
    }

    /// What a command that reads may tell at its beginning: arrivals and flags, so that `UID FETCH last+1:*` sees what EXISTS
    /// announces (F25).
    pub(crate) fn tell_before(&mut self, conn: ConnectionId) {
        // Arrivals that are announced with items are announced when the command is over: its own answer comes first.
        let arrivals = self.format_of(conn).is_none();
        let wanted = self.wanted(conn, None);
        let wanted = Wanted { arrivals: wanted.arrivals && arrivals, ..wanted };
        self.tell_wanted(conn, Flush { pushed_only: false, departures: Departures::Held }, wanted, false);
    }

    /// Cancels a FETCH or a search that a connection waits for; a mutation goes on.
    pub(crate) fn cancel_reading(&mut self, conn: ConnectionId) {
        let Some(running) = self.connections.get_mut(&conn).and_then(|c| c.running.as_mut()) else { return };
        let reads = match &running.task {
            Task::Command(Command::Fetch(..) | Command::Select { .. }) => true,
            Task::Command(command) => command.is_search(),
            Task::Login { .. } => false,
        };
        if let (true, Some(ticket)) = (reads && !running.cancelled, running.ticket) {
            running.cancelled = true;
            self.outbox.push(Output::Cancel(ticket));
        }
    }

    /// Whether the selected mailbox waits for a SELECT and this connection has not made one: numbers are refused (F8).
    pub(crate) fn numbers_refused(&self, conn: ConnectionId) -> bool {
        let Some((owner, mailbox)) = self.selected_of(conn) else { return false };
        self.session(&owner).and_then(|s| s.told(&mailbox)).is_none_or(|told| told.resync)
    }

    /// Whether the transport can carry unasked lines.
    pub(crate) fn can_idle(&self, conn: ConnectionId) -> bool {
        self.connections.get(&conn).is_some_and(|c| c.transport.kind != TransportKind::HttpBatch)
    }
}
