//! Responses towards a handset, as values; the wire room renders them. Numbers in them are final.

use crate::command::{Cursor, StatusItem};
use crate::ids::{SessionId, Tag};
use crate::list::Namespaces;
use crate::mailbox::{Flags, MailboxName};
use crate::number::{MobileSeq, ModSeq, Uid, UidValidity};
use crate::search::PartialRange;
use crate::set::UidRanges;
use crate::thread::Threads;
use std::borrow::Cow;
use std::sync::Arc;

/// The result of a command (RFC 3501 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// Done.
    Ok,
    /// Semantics wrong or processing failed.
    No,
    /// Unknown command or syntax error.
    Bad,
}

/// A response code, the part in brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Code {
    /// A code without argument or with a ready-made one, e.g. `CLIENTBUG`, `CANNOT`, `READ-WRITE`, `PIMAPINDOUBT`.
    Word(Cow<'static, str>),
    /// `UIDVALIDITY n`
    UidValidity(UidValidity),
    /// `UIDNEXT n`
    UidNext(u32),
    /// `UNSEEN n`
    Unseen(MobileSeq),
    /// `PERMANENTFLAGS (…)`; `keywords` adds `\*`.
    PermanentFlags(Flags, bool),
    /// `APPENDUID validity uids` (RFC 4315 3), ascending in the order of the messages.
    AppendUid(UidValidity, UidRanges),
    /// `COPYUID validity source target` (RFC 4315 3). The target's order follows the source's, hence pairs as
    /// upstream wrote them.
    CopyUid(UidValidity, UidRanges, UidRanges),
    /// `HIGHESTMODSEQ n` (RFC 7162 3.1.2.1)
    HighestModSeq(ModSeq),
    /// `MODIFIED set` (RFC 7162 3.1.3): ranges of UIDs or of message numbers, as the command named messages.
    Modified(Vec<(u32, u32)>),
    /// `CAPABILITY …`
    Capability(Arc<str>),
    /// `PIMAPCURSOR c` (design D5): the last untagged line of what it covers.
    Cursor(Cursor),
}

impl Code {
    /// A code that is one fixed word.
    pub const fn word(word: &'static str) -> Code {
        Code::Word(Cow::Borrowed(word))
    }
}

/// One response line (with its literals), except the lines of a streamed FETCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// `tag OK|NO|BAD [code] text`
    Tagged {
        /// The command's tag.
        tag: Tag,
        /// The result.
        status: Status,
        /// The code.
        code: Option<Code>,
        /// Human-readable text, one line of ASCII.
        text: Cow<'static, str>,
    },
    /// `* OK|NO|BAD [code] text`
    Untagged {
        /// The condition.
        status: Status,
        /// The code.
        code: Option<Code>,
        /// Human-readable text.
        text: Cow<'static, str>,
    },
    /// `* BYE [code] text`
    Bye {
        /// The code.
        code: Option<Code>,
        /// Human-readable text.
        text: Cow<'static, str>,
    },
    /// `+ text`
    Continuation(Cow<'static, str>),
    /// `+` and a challenge of a SASL exchange, which goes out in base64.
    Challenge(Vec<u8>),
    /// `* CAPABILITY …`
    Capability(Arc<str>),
    /// `* ID (name value …)` (RFC 2971)
    Id(Vec<(&'static str, Cow<'static, str>)>),
    /// `* ENABLED …`
    Enabled(Vec<String>),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n RECENT`
    Recent(u32),
    /// `* n EXPUNGE`
    Expunge(MobileSeq),
    /// `* VANISHED uids` (RFC 7162 3.2.10)
    Vanished {
        /// `(EARLIER)`: nothing of what was counted is gone by it.
        earlier: bool,
        /// Which.
        uids: UidRanges,
    },
    /// `* n FETCH (UID u FLAGS (…))`, `recent` adding `\Recent`.
    FetchFlags {
        /// The position.
        seq: MobileSeq,
        /// The UID, when it is to be shown.
        uid: Option<Uid>,
        /// The flags.
        flags: Flags,
        /// Whether the message is recent for this session (F27).
        recent: bool,
        /// MODSEQ, in a session that enabled CONDSTORE.
        mod_seq: Option<ModSeq>,
    },
    /// `* FLAGS (…)`
    Flags(Flags),
    /// `* SEARCH n … (MODSEQ m)`, the mod-sequence where one was searched for (RFC 7162 3.1.5).
    Search(Vec<u32>, Option<ModSeq>),
    /// `* ESEARCH (TAG "tag") UID item …` (RFC 4731 3.1).
    ExtendedSearch {
        /// The tag of the command that is answered.
        tag: Option<Tag>,
        /// The numbers are UIDs.
        by_uid: bool,
        /// What is returned, in order.
        items: Vec<SearchItem>,
    },
    /// `* SORT n …` (RFC 5256 4): in the order asked for.
    Sort(Vec<u32>, Option<ModSeq>),
    /// `* THREAD (n …)(n …)` (RFC 5256 4)
    Thread(Threads<u32>),
    /// `* LIST (attributes) "d" name`, or `* LSUB`.
    List {
        /// LSUB instead of LIST.
        subscribed: bool,
        /// The item.
        item: ListItem,
    },
    /// `* LIST (attributes) "d" name ("CHILDINFO" ("option"))`: a parent of what was selected (RFC 5258 4).
    ListParent(ListItem, &'static str),
    /// `* NAMESPACE …` (RFC 2342 5)
    Namespace(Namespaces),
    /// `* LIST (attributes) "d" name ("OLDNAME" ("old"))`: a mailbox was renamed (RFC 5465 5.4).
    Renamed {
        /// The item, under its new name.
        item: ListItem,
        /// Its name before.
        old_name: MailboxName,
    },
    /// `* STATUS mailbox (…)`
    Status(MailboxName, Vec<(StatusItem, u64)>),
    /// `* SESSION AUTHENTICATED|SELECTED` (P-IMAP 5.1.4)
    Session {
        /// SELECTED.
        selected: bool,
    },
    /// `* SESSIONID id`
    SessionId(SessionId),
    /// `* FOLDER name`
    Folder(MailboxName),
    /// `* LOGIN`: the session that a tag names is not there (P-IMAP 1.2.3, digest 4.5).
    Login,
    /// `* RESYNC`
    Resync,
    /// `* XPROVISION item (value …)` (P-IMAP 5.2.1)
    Xprovision {
        /// The words before the parenthesis, e.g. `XPIMAPPREF PIMAP_EVENT_FILTER`.
        item: String,
        /// The values; each is rendered as an astring.
        values: Vec<String>,
    },
    /// `* XGETPIMAPPREFS (name value …)`; values ready-made.
    Preferences(Vec<(&'static str, PreferenceValue)>),
    /// `* XFILTER name (DESC … CRITERIA (…))`
    Filter {
        /// The filter's name.
        name: Arc<str>,
        /// Its description.
        description: Option<Vec<u8>>,
        /// Its criteria as source text.
        criteria: Option<Vec<u8>>,
    },
}

/// An item of an ESEARCH response.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SearchItem {
    /// `MIN n`
    Min(u32),
    /// `MAX n`
    Max(u32),
    /// `COUNT n`
    Count(u32),
    /// `ALL set`: ascending inclusive ranges, never none.
    All(Vec<(u32, u32)>),
    /// `PARTIAL (range set)`, `NIL` where there is none (RFC 9394).
    Partial(PartialRange, Vec<(u32, u32)>),
    /// `MODSEQ n`: the highest of the messages told of (RFC 7162 3.1.10).
    ModSeq(ModSeq),
}

/// A preference's value in `XGETPIMAPPREFS`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PreferenceValue {
    /// A bare word.
    Word(Cow<'static, str>),
    /// A string, rendered as an astring.
    Text(String),
    /// Items of FETCH, ready-made.
    Items(Arc<str>),
    /// `NIL`: no address set.
    Nil,
    /// `(mailbox kind filter)`; `None` for the mailbox means the atom ALL.
    Activation(Option<MailboxName>, &'static str, Arc<str>),
}

/// One mailbox in LIST or LSUB.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListItem {
    /// Attributes as written, e.g. `\HasNoChildren`.
    pub attributes: Vec<String>,
    /// The hierarchy delimiter; `None` is NIL.
    pub delimiter: Option<char>,
    /// The name.
    pub mailbox: MailboxName,
}

impl Response {
    /// `tag status text`
    pub fn tagged(tag: &Tag, status: Status, text: impl Into<Cow<'static, str>>) -> Response {
        Response::Tagged { tag: tag.clone(), status, code: None, text: text.into() }
    }
    /// `tag status [code] text`
    pub fn coded(tag: &Tag, status: Status, code: Code, text: impl Into<Cow<'static, str>>) -> Response {
        Response::Tagged { tag: tag.clone(), status, code: Some(code), text: text.into() }
    }
    /// `* OK [code] text`
    pub fn ok_code(code: Code, text: impl Into<Cow<'static, str>>) -> Response {
        Response::Untagged { status: Status::Ok, code: Some(code), text: text.into() }
    }
}
