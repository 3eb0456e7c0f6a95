//! What goes into the account owner and what comes out of it.
//!
//! The owner is one value per mail account, stepped by one task: `step(now, input, &mut outputs)`. It does no I/O, reads no
//! clock and draws no randomness but from its seed. The driver carries out the outputs **in the order given** and feeds
//! what comes of them back as inputs. Outputs that show a handset or upstream anything are held back inside the owner
//! until the batch that justifies them is durable ([`Output::Commit`] / [`Input::Committed`]), so that "log, then deliver"
//! is a property of the shape and not of care taken (law 3).

use pimap_types::command::Cursor;
use pimap_types::rows::{Batch, StoreFault};
use pimap_types::upstream::{Announced, UpstreamEvent, UpstreamReply, UpstreamRequest, WatchList};
use pimap_types::{Command, ConnectionId, DeviceId, Response, Secret, Tag, Ticket, Timestamp};
use pimap_view::UidSet;
use std::sync::Arc;

/// Everything that can happen to an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A handset's connection belongs to this account from now on: its password was verified upstream, or its cookie
    /// found. Answered by [`Output::Complete`] (LOGIN with its lines before it) or [`Output::Finish`].
    Open(Open),
    /// A decoded command of a connection that has no command running. Answered by [`Output::Complete`].
    Command(CommandInput),
    /// `DONE` of a connection that is idling. Answered by [`Output::Complete`] (for the IDLE command).
    Done {
        /// The connection.
        conn: ConnectionId,
        /// What follows DONE.
        pending: Pending,
        /// DONE was there before `+` was handed over, or is but the end of the body: it proves nothing (F2).
        pipelined: bool,
        /// Another line came instead of DONE: the IDLE ends in BAD (RFC 2177 3).
        misspoken: bool,
    },
    /// Octets arrived behind the running command: no EXPUNGE is to be told with it (F5).
    MoreInput(ConnectionId),
    /// All lines written so far to the connection were handed to its socket, without error.
    Drained(ConnectionId),
    /// The connection is gone. Nothing may be written to it any more.
    Closed {
        /// The connection.
        conn: ConnectionId,
        /// HTTP: the response was written whole and without error. TCP: always false.
        clean: bool,
    },
    /// A fact from the watching connection.
    Upstream(UpstreamEvent),
    /// Upstream refused a handset the very password that let others in before (F50): what came of that password is worth nothing.
    Revoked,
    /// The answer to [`Output::Ask`]; exactly one for each.
    Reply(Ticket, UpstreamReply),
    /// The batch of that number, and all before it, are durable.
    Committed(u64),
    /// That batch was not stored; nothing later is to be. The owner ends every connection with BYE and does nothing any more:
    /// the driver drops it, and the next use loads the account anew from what is durable, as after a crash.
    CommitFailed(u64, StoreFault),
    /// A device proved its key by HELLO: its UDP registration, to be kept with the device (opaque), counts as contact.
    Registered {
        /// The device.
        device: DeviceId,
        /// The registration, as the channel wrote it.
        registration: Vec<u8>,
    },
    /// Time passes; about once a second while the account has anything to wait for.
    Tick,
    /// The process drains: every connection gets `* BYE` and is finished; sessions stay.
    Drain,
}

/// A connection that joins the account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The connection.
    pub conn: ConnectionId,
    /// How it proved itself.
    pub by: OpenBy,
    /// What carries it.
    pub transport: Transport,
    /// A cursor presented in `PIMAP-Ack` (design D5).
    pub presented: Option<Cursor>,
    /// The handset sent a `PIMAP-Ack` header, empty or not: it understands cursors.
    pub cursors: bool,
    /// HTTP: names the request, so that a repeat is recognised (F4): SHA-256 of `Idempotency-Key`, else of the body.
    pub request: Option<RequestKey>,
    /// What follows the LOGIN command in the input (`None` for a cookie).
    pub pending: Pending,
    /// What upstream last announced to anybody; empty: not known.
    pub announced: Announced,
}

/// How a connection proved itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenBy {
    /// LOGIN or AUTHENTICATE, verified.
    Login {
        /// The command's tag.
        tag: Tag,
        /// Its name: LOGIN or AUTHENTICATE.
        command: &'static str,
        /// The device; none: a regular IMAP session (P-IMAP 3.1).
        device: Option<DeviceId>,
        /// The mail address for notices: `local@domain`.
        mail_address: String,
        /// Grows when the account's password changes: cookies of an older epoch are dead (F50).
        credential_epoch: u64,
    },
    /// A session cookie, by its SHA-256.
    Cookie([u8; 32]),
    /// The session's name before a tag, by its SHA-256 (P-IMAP 1.2.3).
    SessionId([u8; 32]),
}

/// What carries a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transport {
    /// TCP or HTTP.
    pub kind: TransportKind,
    /// TLS is on, or cleartext is allowed for keys (`allow_cleartext`): XPROVISION may hand out the key (PI-053).
    pub may_show_key: bool,
}

/// The two bindings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportKind {
    /// IMAP over TCP or TLS.
    Tcp,
    /// One HTTP exchange whose body's end is known, or was seen, before its first command: in-response mode.
    HttpBatch,
    /// One HTTP exchange whose body is open: it may become an inband stream.
    HttpStream,
}

pub use crate::append::AppendRules;
pub use crate::mod_seq::FrozenModSeqs;
pub use pimap_session::RequestKey;

/// Whether input follows a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pending {
    /// Nothing: the body ended here, or a TCP connection has nothing buffered.
    Nothing,
    /// Further octets are there.
    More,
    /// An open HTTP body with nothing buffered: the handset may be waiting, or still sending.
    Unknown,
}

/// One command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandInput {
    /// The connection.
    pub conn: ConnectionId,
    /// Its tag.
    pub tag: Tag,
    /// The command.
    pub command: Command,
    /// What follows it.
    pub pending: Pending,
    /// Its first octet was already buffered when the last octet of the earlier response was handed over: the handset
    /// pipelines, and proves nothing by going on (F2).
    pub pipelined: bool,
    /// SHA-256 of the session ID before its tag, where that matters (digest 4.5): in any other session it is not executed.
    pub named: Option<[u8; 32]>,
}

/// What the driver is to do, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Write a response to a connection.
    Write(ConnectionId, Response),
    /// Give the handset its session cookie (HTTP only), before the first line of its response.
    SetCookie(ConnectionId, Secret),
    /// The running command is answered: the next may come. With `idling`, an IDLE has begun instead: only DONE may come.
    Complete {
        /// The connection.
        conn: ConnectionId,
        /// Whether the connection idles now.
        idling: bool,
    },
    /// End the connection's output after what was written: TCP is closed, an HTTP body ends. For a stream whose request
    /// body is still open the driver reads on until the handset's last chunk, at most 5 s. `Closed` still follows.
    Finish(ConnectionId),
    /// The name of the request (`Idempotency-Key`) is that of another one: nothing of it is executed, and its output ends. HTTP: status
    /// 422, or BYE where the head has left.
    Reused(ConnectionId),
    /// Ask upstream; exactly one [`Input::Reply`] is to follow.
    Ask(Ticket, UpstreamRequest, Carry),
    /// The answer to a question is not wanted any more (the reply must still come, e.g. `Cancelled`).
    Cancel(Ticket),
    /// Make a batch durable; batches are numbered 1, 2, 3 …
    Commit(u64, Batch),
    /// Watch these mailboxes.
    Watch(WatchList),
    /// A pushed event has no live inband stream (design D10): wake the device.
    Wake(Wake),
    /// The device was heard of: outstanding wake-ups are settled.
    Contact(DeviceId),
    /// Count something (metrics; a closed set of labels).
    Count(Count),
}

/// A body that a question carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Carry {
    /// None.
    Nothing,
    /// A FETCH's pieces are written to the connection, each message as `* n FETCH (` … `)`, `n` being its position in
    /// `numbers` (frozen for the command's life; F25). Messages not in `numbers` are dropped. With mod-sequences, the message's is
    /// written as its last item: upstream is never asked for it (F39).
    FetchTo(ConnectionId, Arc<UidSet>, Option<Arc<FrozenModSeqs>>),
    /// An APPEND's octets, and what follows its literals, are taken from the connection (after `+` for a synchronizing literal).
    /// The driver swallows them itself when a command is answered without being asked for.
    AppendFrom(ConnectionId, Arc<AppendRules>),
}

/// A device to wake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wake {
    /// The device.
    pub device: DeviceId,
    /// Channel.
    pub channel: pimap_types::preference::ChannelKind,
    /// Payload format.
    pub format: pimap_types::preference::OutbandFormat,
    /// Address preference.
    pub address: Option<String>,
    /// The account's mail address.
    pub mail_address: String,
    /// When the event happened.
    pub event_time: Timestamp,
}

/// Things counted by the server's metrics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Count {
    /// `pimap_events_total{class}`: `pushed`, `polled` or `folder`.
    Event(&'static str),
    /// `pimap_resync_total{reason}`.
    Resync(&'static str),
    /// `pimap_commands_total{command,result}`.
    Command(&'static str, &'static str),
    /// `pimap_sessions` changed by this much.
    Sessions(i64),
    /// `pimap_watch_missed_total`: a difference that no event announced (F49).
    WatchMissed,
}

/// Where a handset may take its session up by writing its SESSIONID before a tag instead of logging in (P-IMAP 1.2.3). The name
/// is then a bearer credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SidTags {
    /// Nowhere.
    Off,
    /// In HTTP requests, where a cookie would do the same.
    #[default]
    Http,
    /// On TCP connections too.
    Everywhere,
}

impl SidTags {
    /// Whether they are looked at on such a connection.
    pub const fn are_on(self, kind: TransportKind) -> bool {
        match self {
            SidTags::Off => false,
            SidTags::Http => !matches!(kind, TransportKind::Tcp),
            SidTags::Everywhere => true,
        }
    }
}

/// Settings of the owner, the same for all accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// How long a session without connection lives, ms.
    pub retention_ms: i64,
    /// How long cookies and session IDs hold after the device's last LOGIN, ms; `None`: as long as the session (F50).
    pub login_valid_ms: Option<i64>,
    /// Marks per session and mailbox; past it RESYNC.
    pub log_events_max: usize,
    /// UDP host and port as told by XPROVISION; `None`: no UDP.
    pub udp: Option<(String, u16)>,
    /// Channels on offer besides NONE.
    pub channels: Vec<pimap_types::preference::ChannelKind>,
    /// The account's zone, minutes east of UTC.
    pub zone_minutes: i32,
    /// Whether DELETE may remove a mailbox that holds hidden mail (F19).
    pub delete_hidden: bool,
    /// Where a session is taken up by its name before a tag.
    pub sid_tags: SidTags,
}
