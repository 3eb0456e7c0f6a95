//! The contract between the account owner and the upstream side (design D1, D3, D12): UIDs only, under a named
//! UIDVALIDITY, answers matched by ticket.
//!
//! The account owner emits an [`UpstreamRequest`] with a ticket; the upstream side answers each ticket exactly
//! once with an [`UpstreamReply`]. Besides, it reports [`UpstreamEvent`]s from the watching connection. Both are
//! idempotent facts about the mailbox: order between an event and a reply is not promised.

use crate::command::{Append, FetchItem, ListPattern, StatusItem, StoreChange};
use crate::list::Namespaces;
use crate::mailbox::{Flags, MailboxName};
use crate::message::MessageFacts;
use crate::number::{ModSeq, Uid, UidValidity};
use crate::response::ListItem;
use crate::search::{SearchKey, SortCriterion, ThreadAlgorithm};
use crate::set::UidRanges;
use crate::thread::Threads;
use std::sync::Arc;

/// A mailbox under the UIDVALIDITY for which the UIDs of a request are meant (F22).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MailboxAt {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// Its UIDVALIDITY; another one upstream: nothing is executed, [`UpstreamFault::UidValidityChanged`].
    pub uid_validity: UidValidity,
    /// The owner's version of the mailbox that the connection must have seen (F21): a pool connection whose last
    /// synchronisation began before the owner reached this version sends NOOP first.
    pub at_least: u64,
}

/// What is known of a mailbox when asking what has changed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Known {
    /// The UIDVALIDITY known.
    pub uid_validity: UidValidity,
    /// The highest mod-sequence applied; zero where upstream has no CONDSTORE.
    pub highest_mod_seq: ModSeq,
    /// All UIDs known, for the difference where upstream has no QRESYNC.
    pub uids: UidRanges,
    /// Dates and sizes of all of them are kept: they need not be told again.
    pub facts: bool,
}

/// A question or order for upstream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamRequest {
    /// Bring the owner up to date: EXAMINE, by QRESYNC from `known`, else CONDSTORE and UID difference, else in full.
    /// Answer: [`Data::Synced`].
    Sync {
        /// The mailbox.
        mailbox: MailboxName,
        /// What is known; `None` asks for everything.
        known: Option<Known>,
        /// Whether [`MessageFacts`] are wanted for **all** messages in a full answer (a filter needs them), or UIDs only.
        facts: bool,
    },
    /// FLAGS, INTERNALDATE, RFC822.SIZE (and MODSEQ) of messages. Answer: [`Data::Facts`].
    Facts(MailboxAt, UidRanges),
    /// UID SEARCH, the program holding UIDs only (no sequence numbers, no DAYSBEFORETODAY, no RECENT).
    /// Answer: [`Data::Uids`].
    Search(MailboxAt, Option<String>, SearchKey),
    /// UID SORT, its charset and program likewise; without SORT the messages are looked at and sorted here, up to
    /// [`ORDERED_MESSAGES_MAX`](crate::limits::ORDERED_MESSAGES_MAX). Answer: [`Data::Sorted`].
    Sort(MailboxAt, Vec<SortCriterion>, String, SearchKey),
    /// UID THREAD, likewise; REFS without THREAD=REFS is [`UpstreamFault::Unsupported`]. Answer: [`Data::Threaded`].
    Thread(MailboxAt, ThreadAlgorithm, String, SearchKey),
    /// UID FETCH, streamed to the connection that the ticket belongs to. Answer: [`Data::Fetched`].
    Fetch(MailboxAt, UidRanges, Vec<FetchItem>),
    /// UID STORE, never `.SILENT`; where upstream has CONDSTORE only on messages that did not change since upstream's own
    /// mod-sequence (RFC 7162 3.1.3). Answer: [`Data::Stored`].
    Store(MailboxAt, UidRanges, StoreChange, Option<ModSeq>),
    /// UID COPY. Answer: [`Data::Copied`].
    Copy(MailboxAt, UidRanges, MailboxName),
    /// UID MOVE. Answer: [`Data::Copied`] (with what vanished).
    Move(MailboxAt, UidRanges, MailboxName),
    /// UID EXPUNGE. Without UIDPLUS a plain EXPUNGE where `all_visible` (the whole mailbox is in view), else MOVE to the mailbox that
    /// is `\Trash`, and without either [`UpstreamFault::Unsupported`] (F20). Answer: [`Data::Expunged`].
    Expunge {
        /// Where.
        at: MailboxAt,
        /// Which.
        uids: UidRanges,
        /// No message is hidden from the device.
        all_visible: bool,
    },
    /// APPEND; the octets are streamed from the connection that the ticket belongs to. Answer: [`Data::Appended`].
    Append(Append),
    /// LIST (or LSUB). Answer: [`Data::Listed`].
    List {
        /// LSUB.
        subscribed: bool,
        /// Reference and pattern.
        pattern: ListPattern,
        /// Children and special uses are wanted: where upstream has LIST-EXTENDED it is asked for them by name, since it may
        /// leave them out of a plain LIST.
        extended: bool,
    },
    /// NAMESPACE, made up from `LIST "" ""` where upstream lacks it. Answer: [`Data::Namespaces`].
    Namespace,
    /// STATUS. Answer: [`Data::Status`].
    Status(MailboxName, Vec<StatusItem>),
    /// CREATE. Answer: [`Data::Done`].
    Create(MailboxName),
    /// DELETE. Answer: [`Data::Done`].
    Delete(MailboxName),
    /// RENAME. Answer: [`Data::Done`].
    Rename(MailboxName, MailboxName),
    /// SUBSCRIBE. Answer: [`Data::Done`].
    Subscribe(MailboxName),
    /// UNSUBSCRIBE. Answer: [`Data::Done`].
    Unsubscribe(MailboxName),
}

impl UpstreamRequest {
    /// Whether it changes mail: such a request is never repeated blindly after a lost connection (F45).
    pub const fn is_mutation(&self) -> bool {
        use UpstreamRequest::*;
        matches!(
            self,
            Store(..)
                | Copy(..)
                | Move(..)
                | Expunge { .. }
                | Append(_)
                | Create(_)
                | Delete(_)
                | Rename(..)
                | Subscribe(_)
                | Unsubscribe(_)
        )
    }
}

/// The answer to one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamReply {
    /// Upstream said OK.
    Ok(Data),
    /// Upstream said NO or BAD to the final command: its code (`[TRYCREATE]` without brackets) and text. `data` holds
    /// what untagged data came before the refusal (a tagged NO does not mean that nothing moved).
    Refused {
        /// The response code without brackets.
        code: Option<String>,
        /// The text, one line.
        text: String,
        /// What came before.
        data: Option<Data>,
    },
    /// No answer was had.
    Failed(UpstreamFault),
}

/// Data of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// A mailbox's state, see [`Synced`].
    Synced(Box<Synced>),
    /// Facts, ascending by UID. Missing UIDs are gone.
    Facts(Vec<MessageFacts>),
    /// UIDs found.
    Uids(UidRanges),
    /// UIDs found, in the order asked for.
    Sorted(Vec<Uid>),
    /// UIDs found, in threads.
    Threaded(Threads<Uid>),
    /// A FETCH was streamed whole.
    Fetched {
        /// Flags that upstream reported for messages of the plan, asked for or not (`\Seen` set by BODY[]).
        flags: Vec<FlagsReport>,
        /// Upstream said some messages are gone (`[EXPUNGEISSUED]`).
        expunge_issued: bool,
        /// Messages of the plan that were streamed.
        shown: UidRanges,
    },
    /// Flags after a STORE.
    Stored {
        /// One entry per message reported, but for those left alone.
        flags: Vec<FlagsReport>,
        /// Messages that a conditional STORE left alone because they had changed.
        modified: UidRanges,
    },
    /// COPYUID, where upstream has UIDPLUS, as source and target in matching order; and what left the source (MOVE).
    Copied {
        /// Target UIDVALIDITY, source UIDs, target UIDs.
        copy_uid: Option<(UidValidity, UidRanges, UidRanges)>,
        /// UIDs that vanished from the source.
        vanished: UidRanges,
    },
    /// UIDs that are gone.
    Expunged(UidRanges),
    /// APPENDUID, or where upstream gave none the UID under which the message was found again.
    Appended(Option<(UidValidity, UidRanges)>),
    /// Mailboxes.
    Listed(Vec<ListItem>),
    /// Namespaces.
    Namespaces(Namespaces),
    /// STATUS numbers.
    Status(Vec<(StatusItem, u64)>),
    /// Nothing to say.
    Done,
}

/// New flags of a message, with MODSEQ where upstream has CONDSTORE (zero else).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FlagsReport {
    /// The message.
    pub uid: Uid,
    /// Its flags now.
    pub flags: Flags,
    /// Its MODSEQ.
    pub mod_seq: ModSeq,
}

/// A mailbox's state as of one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    /// UIDVALIDITY now.
    pub uid_validity: UidValidity,
    /// UIDNEXT (0 when upstream does not say).
    pub uid_next: u32,
    /// HIGHESTMODSEQ, zero without CONDSTORE.
    pub highest_mod_seq: ModSeq,
    /// EXISTS.
    pub messages: u32,
    /// FLAGS of the mailbox.
    pub flags: Flags,
    /// PERMANENTFLAGS, and whether `\*` was among them. Upstream EXAMINE may report none: then FLAGS stand in.
    pub permanent_flags: (Flags, bool),
    /// What changed.
    pub delta: Delta,
}

/// A difference, or everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delta {
    /// The mailbox holds exactly these. With `facts` asked for, `facts` names every one; else it is empty.
    Full {
        /// All UIDs.
        uids: UidRanges,
        /// Facts, ascending.
        facts: Vec<MessageFacts>,
    },
    /// The mailbox holds exactly these. Of those whose facts are kept ([`Known::facts`]) only the flags are told: dates and sizes
    /// never change (RFC 3501 2.3.3, 2.3.4).
    Flags {
        /// Flags of known messages, ascending.
        flags: Vec<(Uid, Flags)>,
        /// Facts of the others, ascending.
        facts: Vec<MessageFacts>,
    },
    /// Since what was known: gone, and changed or new with their facts.
    Since {
        /// Known before, gone now (may name UIDs never known).
        vanished: UidRanges,
        /// New ones, and ones whose flags changed, ascending by UID.
        changed: Vec<MessageFacts>,
    },
}

/// Why no answer was had.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum UpstreamFault {
    /// Not reachable, or lost before the request was sent: nothing happened.
    Unavailable,
    /// Lost after a mutation was sent and before its tagged answer (F45): it may have happened.
    InDoubt,
    /// The mailbox has another UIDVALIDITY (F22): nothing was executed.
    UidValidityChanged,
    /// The mailbox does not exist or cannot be opened: upstream's text.
    NoSuchMailbox(String),
    /// The mailbox is there, and its rights keep this user out (RFC 4314, RFC 5530 `NOPERM`): upstream's text.
    NoAccess(String),
    /// Upstream refuses the stored credentials (F50): nothing is tried until a handset brings others.
    CredentialsRefused,
    /// The upstream lacks what the request needs.
    Unsupported,
    /// The handset's side of a stream went away (FETCH, APPEND).
    Cancelled,
    /// Upstream broke the protocol or a limit.
    Misbehaved,
}

/// A fact reported by the watching connection, unasked. All are idempotent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamEvent {
    /// The watcher is up; what happened while it was down is unknown: every watched mailbox is to be synced. Sent before
    /// any event of the new connection.
    Back {
        /// Whether changes in **all** mailboxes are reported (NOTIFY); else only in those named in `mailboxes`, the rest
        /// by polling.
        notify: bool,
        /// Whether upstream has CONDSTORE or QRESYNC.
        mod_seqs: bool,
        /// Whether upstream has UIDPLUS.
        uid_plus: bool,
        /// Whether upstream has MOVE.
        r#move: bool,
        /// All that it announces after login.
        announced: Announced,
    },
    /// The watcher is down.
    Lost,
    /// Upstream refused the stored credentials.
    CredentialsRefused,
    /// An audit found what no event had announced (F49): from now on everything is polled.
    Missed,
    /// New messages, or new flags, in a mailbox that the watcher has open.
    Changed {
        /// Where.
        mailbox: MailboxName,
        /// Its UIDVALIDITY.
        uid_validity: UidValidity,
        /// What: facts of new and of changed messages.
        facts: Vec<MessageFacts>,
    },
    /// Messages gone from a mailbox that the watcher has open.
    Vanished {
        /// Where.
        mailbox: MailboxName,
        /// Its UIDVALIDITY.
        uid_validity: UidValidity,
        /// Which.
        uids: UidRanges,
    },
    /// Something changed in a mailbox (STATUS of NOTIFY or of polling, EXISTS seen by a pool connection): look now.
    /// Numbers that are known come along, so that an unchanged mailbox costs nothing.
    Status {
        /// Where.
        mailbox: MailboxName,
        /// UIDVALIDITY, if told.
        uid_validity: Option<UidValidity>,
        /// UIDNEXT, if told.
        uid_next: Option<u32>,
        /// MESSAGES, if told.
        messages: Option<u32>,
        /// HIGHESTMODSEQ, if told.
        highest_mod_seq: Option<ModSeq>,
    },
    /// A mailbox was created, renamed to, deleted (`\NonExistent`) or (un)subscribed.
    Mailbox {
        /// Its new LIST line.
        item: ListItem,
        /// Its old name, for a rename.
        old_name: Option<MailboxName>,
    },
}

/// A piece of a streamed FETCH, in order: `Start`, any number of `Bytes`, `End`, for each message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchPiece {
    /// The items of this message follow.
    Start(Uid),
    /// Octets of the item list between its parentheses, literals included, at most
    /// [`PIECE_BYTES_MAX`](crate::limits::PIECE_BYTES_MAX) at a time. `UID n` is among the items exactly when it was asked for, FLAGS without
    /// `\Recent` likewise; nothing stands there that was not asked for.
    Bytes(bytes::Bytes),
    /// The item list is whole.
    End,
}

/// What the upstream side is to keep an eye on (design D3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchList {
    /// The mailbox with first claim on the watching connection (EXAMINEd there), with what is known of it.
    pub first: Option<MailboxName>,
    /// All mailboxes whose changes matter, `first` included, the most important first: without NOTIFY those at the front are watched
    /// over connections that no command needs, and the rest is polled by STATUS (F48).
    pub mailboxes: Vec<MailboxName>,
    /// Whether mailboxes not named here matter too (a filter for ALL mailboxes is active).
    pub all: bool,
}

/// The words of upstream's CAPABILITY after login, in capitals and in order: what a handset may be promised depends on them.
/// Cheap to clone. Empty: nobody has logged in yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Announced(Option<Arc<[Box<str>]>>);

impl Announced {
    /// From the words as announced.
    pub fn new<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Self {
        let mut words: Vec<Box<str>> =
            words.into_iter().map(|word| word.as_ref().to_ascii_uppercase().into()).collect();
        words.sort_unstable();
        words.dedup();
        Self((!words.is_empty()).then(|| words.into()))
    }

    /// Every word.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|words| words.iter()).map(|word| &**word)
    }

    /// Whether the word, in capitals, was announced.
    pub fn has(&self, word: &str) -> bool {
        self.0.as_ref().is_some_and(|words| words.binary_search_by(|known| (**known).cmp(word)).is_ok())
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
