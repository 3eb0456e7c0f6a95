//! A handset's connection, as the owner sees it: what runs on it and what going on with it proves (design D5, "Evidence").

use crate::announce::{Announcing, Waiting};
use crate::command::search::Reduced;
use crate::command::status::Counting;
use crate::contract::{Pending, Transport, TransportKind};
use crate::listing::Listing;
use crate::notify::Notify;
use pimap_session::{RequestKey, SessionLog};
use pimap_types::response::ListItem;
use pimap_types::upstream::MailboxAt;
use pimap_types::{
    Code, Command, ConnectionId, DeviceId, MailboxName, ModSeq, Status, Tag, Ticket, Timestamp, UidRanges,
};
use std::borrow::Cow;

/// Whose session a connection uses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    /// A device's P-IMAP session.
    Device(DeviceId),
    /// A regular IMAP session of this connection alone (P-IMAP 3.1).
    Regular(ConnectionId),
}

pub(crate) struct Connection {
    pub(crate) owner: Owner,
    pub(crate) transport: Transport,
    /// The command that let it in: LOGIN or AUTHENTICATE.
    pub(crate) entered: &'static str,
    /// The handset understands cursors.
    pub(crate) cursors: bool,
    pub(crate) request: Option<Box<RequestKey>>,
    /// Commands seen on it: names each within its request.
    pub(crate) commands: u32,
    /// The last of them was a `UID` form.
    pub(crate) by_uid: bool,
    /// It sent a command before the earlier response was handed over: going on proves nothing here (F2).
    pub(crate) pipelined: bool,
    /// An open HTTP body on which the handset is known to read answers before it goes on.
    pub(crate) interactive: bool,
    /// The handset answered a `+` here, or presented a cursor: it reads.
    pub(crate) reads: bool,
    pub(crate) pending: Pending,
    /// The log position when the last response was complete, or `+` was written.
    pub(crate) handed: u64,
    /// The last cursor written here.
    pub(crate) cursor_told: Option<u64>,
    pub(crate) running: Option<Box<Running>>,
    pub(crate) idle: Option<Tag>,
    /// Lines were written unasked and are not handed over yet: nothing more is pushed until they are.
    pub(crate) writing: bool,
    /// SELECT succeeded here: numbers are unambiguous again though RESYNC may be unacknowledged.
    pub(crate) selected_here: bool,
    /// The handset sent ENABLE: it may be told folder events (digest 4.4).
    pub(crate) enabled: bool,
    /// It enabled UTF8=ACCEPT (RFC 6855 3).
    pub(crate) utf8: bool,
    pub(crate) last_heard: Timestamp,
    /// A pushed event was written here, first at this time since the last acknowledgement.
    pub(crate) inband_at: Option<Timestamp>,
    /// Its output has ended. A mutation may still run on it, to be recorded.
    pub(crate) finished: bool,
    /// The socket is gone too: the entry goes when nothing runs on it any more.
    pub(crate) gone: bool,
    /// The session of a regular connection.
    pub(crate) regular: Option<Box<SessionLog>>,
    /// The running STORE asked for silence: its flags are told with the next response.
    pub(crate) silent: bool,
    /// MODSEQs were written since the handset was last told up to where it knows everything (RFC 7162 3.2).
    pub(crate) counted: bool,
    /// `* RESYNC` is the first untagged line of the next response.
    pub(crate) say_resync: bool,
    /// The truth of its mailbox broke while a change was under way: `* BYE` follows the change's answer.
    pub(crate) bye_next: bool,
    /// What NOTIFY asked for; `None`: it was never used here.
    pub(crate) notify: Option<Box<Notify>>,
    /// What a NOTIFY that runs asks for, while the mailboxes concerned are looked at.
    pub(crate) notify_next: Option<Box<Notify>>,
    /// Arrivals are being announced with items: nothing else is written until that is over.
    pub(crate) announcing: Option<Box<Announcing>>,
    /// What came meanwhile.
    pub(crate) waiting: Option<Box<Waiting>>,
}

impl Connection {
    pub(crate) fn is_stream(&self) -> bool {
        self.transport.kind != TransportKind::HttpBatch
    }

    /// Whether input that follows, or may follow, forbids telling removals (F5).
    pub(crate) fn awaits_more(&self) -> bool {
        match self.pending {
            Pending::Nothing => false,
            Pending::More => true,
            Pending::Unknown => !self.interactive,
        }
    }
}

/// What runs on a connection.
pub(crate) struct Running {
    pub(crate) tag: Option<Tag>,
    pub(crate) task: Task,
    pub(crate) stage: Stage,
    /// The question number when it began: a synchronisation asked for later is fresh enough for it.
    pub(crate) since: u64,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) parked: Option<MailboxName>,
    /// Its place in its request.
    pub(crate) index: u32,
    /// Where it changes mail. What comes of it concerns that mailbox, whatever a request that took the session over has
    /// selected meanwhile.
    pub(crate) aimed: Option<MailboxAt>,
    /// It changes mail for a device's session, and has set out. In a request with a name that is recorded, and so is its answer.
    pub(crate) intended: bool,
    /// Its question was cancelled.
    pub(crate) cancelled: bool,
    /// How far a conditional STORE is.
    pub(crate) conditional: Conditional,
    /// It begins when the mutation of that connection, whose session it took over, has ended (F14).
    pub(crate) behind: Option<ConnectionId>,
}

/// How far a STORE is, and on what condition (RFC 7162 3.1.3).
#[derive(Default)]
pub(crate) struct Conditional {
    /// Messages that it leaves alone because they changed.
    pub(crate) modified: UidRanges,
    /// Messages that upstream left alone, to be looked at again.
    pub(crate) again: Option<UidRanges>,
    /// How often it was tried again.
    pub(crate) retries: u32,
    /// Upstream's mod-sequence up to which everything was applied when it asked for silence and set out (F35).
    pub(crate) known: ModSeq,
}

impl Running {
    /// A change under way: it goes on whatever becomes of its connection, and is recorded (F14).
    pub(crate) fn is_changing(&self) -> bool {
        self.intended
            && (self.ticket.is_some() || matches!(self.stage, Stage::Ending(_)) || self.is_tried_again())
    }

    /// A conditional STORE between its tries: part of it is done.
    pub(crate) fn is_tried_again(&self) -> bool {
        self.conditional.again.is_some()
    }

    /// A change elsewhere that is, or may be, done by now: whatever became of the selected mailbox, its answer is owed.
    pub(crate) fn is_owed(&self) -> bool {
        let puts =
            matches!(self.task, Task::Command(Command::Append(_) | Command::Copy(..) | Command::Move(..)));
        puts && (self.ticket.is_some() || matches!(self.stage, Stage::Ending(_)))
    }

    /// The mailbox, other than the selected one, whose mirror it looks at.
    pub(crate) fn mailbox(&self) -> Option<&MailboxName> {
        if let Stage::Listing(listing, _) = &self.stage {
            return listing.statuses.front();
        }
        match &self.task {
            Task::Command(
                Command::Select { mailbox, .. } | Command::Status(mailbox, _) | Command::Delete(mailbox),
            ) => Some(mailbox),
            _ => self.parked.as_ref(),
        }
    }
}

/// The kinds of thing that run.
#[derive(Clone)]
pub(crate) enum Task {
    /// LOGIN of a device: the session is resumed (or begun, when `new`).
    Login {
        /// The session is a new one.
        new: bool,
        /// The handset presented a cursor of this session: it has read an answer to LOGIN before.
        informed: bool,
    },
    /// A command.
    Command(Command),
}

/// How far it is.
pub(crate) enum Stage {
    /// At its beginning, or to be begun again because what it waited for is there.
    Start,
    /// The first question was asked.
    Asked,
    /// The second question was asked.
    AskedAgain,
    /// A search was asked: what is to be made of the answer.
    Searching(Box<Reduced>),
    /// A mailbox is being counted.
    Counting(Box<Counting>),
    /// Mailboxes are being listed, and one of them is being counted.
    Listing(Box<Listing>, Box<Counting>),
    /// LIST of everything was answered; subscriptions are asked for.
    Subscriptions(Vec<ListItem>),
    /// All is done but that the mirror must see it.
    Ending(Box<Ending>),
}

/// A tagged answer that waits.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) status: Status,
    pub(crate) code: Option<Code>,
    pub(crate) text: Cow<'static, str>,
}

impl Ending {
    pub(crate) fn new(status: Status, code: Option<Code>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, text: text.into() }
    }
}
