//! Commands of a handset, decoded: nobody inside the gateway re-checks strings.

use crate::credential::Credential;
use crate::ids::DeviceId;
use crate::list::List;
use crate::mailbox::{Flags, MailboxName};
use crate::mod_seq::{ChangedSince, SelectParameters};
use crate::notify::Notify;
use crate::number::ModSeq;
use crate::preference::{PreferenceName, PreferenceSetting};
use crate::search::{Criteria, PartialRange, ReturnOptions, SearchKey, SortCriterion, ThreadAlgorithm};
use crate::secret::Secret;
use crate::set::SequenceSet;
use std::sync::Arc;

pub use crate::append::{Append, AppendPart};
pub use crate::list::{ListPattern, StatusItem};

/// Which messages a command names: by UID or by position in the client view. Never a bare number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A `UID` form.
    Uids(SequenceSet),
    /// Positions in the client view.
    Mobile(SequenceSet),
    /// `$`: the messages that the session last saved (RFC 5182), in a command that speaks in UIDs or in positions.
    Saved {
        /// A `UID` form.
        by_uid: bool,
    },
}

impl Target {
    /// Whether it is a `UID` form.
    pub const fn by_uid(&self) -> bool {
        match self {
            Target::Uids(_) => true,
            Target::Mobile(_) => false,
            Target::Saved { by_uid } => *by_uid,
        }
    }
}

/// Which of the messages that it names a FETCH is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FetchModifiers {
    /// `PARTIAL range` (RFC 9394 3.3): first these of them,
    pub partial: Option<PartialRange>,
    /// and of these the ones that changed: `CHANGEDSINCE n [VANISHED]` (RFC 7162 3.1.4.1, 3.2.6).
    pub changed: Option<ChangedSince>,
}

/// One decoded command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// CAPABILITY (RFC 3501 6.1.1)
    Capability,
    /// NOOP (6.1.2)
    Noop,
    /// LOGOUT (6.1.3)
    Logout,
    /// LOGIN (6.2.3, P-IMAP 5.1.4)
    Login(Login),
    /// AUTHENTICATE (6.2.2, RFC 4959)
    Authenticate {
        /// The mechanism's name in capitals, whether or not there is such a one.
        mechanism: String,
        /// The initial response, decoded; it may be empty.
        initial: Option<Secret>,
    },
    /// ID (RFC 2971): what the handset says of itself.
    Id(Vec<(String, Option<String>)>),
    /// ENABLE (RFC 5161); words in capitals.
    Enable(Vec<String>),
    /// LIST (6.3.8), plain or extended (RFC 5258)
    List(List),
    /// LSUB (6.3.9)
    Lsub(ListPattern),
    /// CREATE (6.3.3)
    Create(MailboxName),
    /// DELETE (6.3.4)
    Delete(MailboxName),
    /// RENAME (6.3.5)
    Rename(MailboxName, MailboxName),
    /// SUBSCRIBE (6.3.6)
    Subscribe(MailboxName),
    /// UNSUBSCRIBE (6.3.7)
    Unsubscribe(MailboxName),
    /// NAMESPACE (RFC 2342)
    Namespace,
    /// STATUS (6.3.10)
    Status(MailboxName, Vec<StatusItem>),
    /// SELECT (6.3.1), or EXAMINE (6.3.2) when `read_only`.
    Select {
        /// The mailbox.
        mailbox: MailboxName,
        /// EXAMINE.
        read_only: bool,
        /// What stands between the parentheses after the name (RFC 7162 3.1.8, 3.2.5).
        parameters: SelectParameters,
    },
    /// CLOSE (6.4.2)
    Close,
    /// UNSELECT (RFC 3691)
    Unselect,
    /// CHECK (6.4.1)
    Check,
    /// FETCH and UID FETCH (6.4.5).
    Fetch(Target, Vec<FetchItem>, FetchModifiers),
    /// STORE and UID STORE (6.4.6); `(UNCHANGEDSINCE n)` (RFC 7162 3.1.3).
    Store(Target, StoreChange, Option<ModSeq>),
    /// SEARCH and UID SEARCH (6.4.4)
    Search {
        /// Whether the answer is in UIDs.
        by_uid: bool,
        /// What RETURN asks for (RFC 4731).
        returns: Option<ReturnOptions>,
        /// The charset named, in capitals.
        charset: Option<String>,
        /// The program.
        program: SearchKey,
    },
    /// SORT and UID SORT (RFC 5256 3)
    Sort {
        /// Whether the answer is in UIDs.
        by_uid: bool,
        /// By what, the most important first.
        criteria: Vec<SortCriterion>,
        /// The charset named, in capitals.
        charset: String,
        /// The program.
        program: SearchKey,
    },
    /// THREAD and UID THREAD (RFC 5256 3)
    Thread {
        /// Whether the answer is in UIDs.
        by_uid: bool,
        /// How.
        algorithm: ThreadAlgorithm,
        /// The charset named, in capitals.
        charset: String,
        /// The program.
        program: SearchKey,
    },
    /// COPY and UID COPY (6.4.7)
    Copy(Target, MailboxName),
    /// MOVE and UID MOVE (RFC 6851)
    Move(Target, MailboxName),
    /// EXPUNGE (6.4.3)
    Expunge,
    /// UID EXPUNGE (RFC 4315)
    UidExpunge(Target),
    /// APPEND (6.3.11), its octets streamed behind it.
    Append(Append),
    /// IDLE (RFC 2177); ended by DONE.
    Idle,
    /// NOTIFY (RFC 5465)
    Notify(Notify),
    /// XPROVISION (P-IMAP 5.2.1)
    Xprovision {
        /// The device asked about; the session's when absent.
        device: Option<DeviceId>,
        /// Kept, not interpreted.
        notification_id: Option<String>,
    },
    /// XSETPIMAPPREF (P-IMAP 5.2.2)
    XsetPimapPref(PreferenceSetting),
    /// XGETPIMAPPREFS (P-IMAP 5.2.2)
    XgetPimapPrefs(Vec<PreferenceName>),
    /// XFILTER GET (P-IMAP 5.2.3)
    XfilterGet {
        /// The filter's name.
        name: Arc<str>,
        /// DESC was asked for.
        description: bool,
        /// CRITERIA was asked for.
        criteria: bool,
    },
    /// XFILTER SET (P-IMAP 5.2.3)
    XfilterSet {
        /// The filter's name.
        name: Arc<str>,
        /// Its description.
        description: Vec<u8>,
        /// Its criteria.
        criteria: Criteria,
    },
    /// COMPRESS (RFC 4978 3) with the mechanism's name in capitals; the connection's affair, not the account's.
    Compress(String),
    /// XACK: presents a cursor on a connection that stays open (design D5).
    Xack(Cursor),
}

impl Command {
    /// SEARCH, SORT and THREAD, which find messages by a program.
    pub const fn is_search(&self) -> bool {
        matches!(self, Command::Search { .. } | Command::Sort { .. } | Command::Thread { .. })
    }

    /// Whether it is a `UID` form, whose answers name messages by UID (RFC 3501 6.4.8).
    pub const fn by_uid(&self) -> bool {
        match self {
            Command::Fetch(target, ..)
            | Command::Store(target, ..)
            | Command::Copy(target, _)
            | Command::Move(target, _)
            | Command::UidExpunge(target) => target.by_uid(),
            Command::Search { by_uid, .. }
            | Command::Sort { by_uid, .. }
            | Command::Thread { by_uid, .. } => *by_uid,
            _ => false,
        }
    }

    /// The command's name for tagged answers, logs and metrics; a closed set of words.
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Capability => "CAPABILITY",
            Command::Noop => "NOOP",
            Command::Logout => "LOGOUT",
            Command::Login(_) => "LOGIN",
            Command::Compress(_) => "COMPRESS",
            Command::Authenticate { .. } => "AUTHENTICATE",
            Command::Id(_) => "ID",
            Command::Enable(_) => "ENABLE",
            Command::List(_) => "LIST",
            Command::Lsub(_) => "LSUB",
            Command::Create(_) => "CREATE",
            Command::Delete(_) => "DELETE",
            Command::Rename(..) => "RENAME",
            Command::Subscribe(_) => "SUBSCRIBE",
            Command::Unsubscribe(_) => "UNSUBSCRIBE",
            Command::Namespace => "NAMESPACE",
            Command::Status(..) => "STATUS",
            Command::Select { read_only: false, .. } => "SELECT",
            Command::Select { read_only: true, .. } => "EXAMINE",
            Command::Close => "CLOSE",
            Command::Unselect => "UNSELECT",
            Command::Check => "CHECK",
            Command::Fetch(..) => "FETCH",
            Command::Store(..) => "STORE",
            Command::Search { .. } => "SEARCH",
            Command::Sort { .. } => "SORT",
            Command::Thread { .. } => "THREAD",
            Command::Copy(..) => "COPY",
            Command::Move(..) => "MOVE",
            Command::Expunge => "EXPUNGE",
            Command::UidExpunge(_) => "UID EXPUNGE",
            Command::Append(_) => "APPEND",
            Command::Idle => "IDLE",
            Command::Notify(_) => "NOTIFY",
            Command::Xprovision { .. } => "XPROVISION",
            Command::XsetPimapPref(_) => "XSETPIMAPPREF",
            Command::XgetPimapPrefs(_) => "XGETPIMAPPREFS",
            Command::XfilterGet { .. } | Command::XfilterSet { .. } => "XFILTER",
            Command::Xack(_) => "XACK",
        }
    }
}

/// The arguments of LOGIN, split (P-IMAP 5.1.4, digest 4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The part before `#` and before `@`.
    pub local: String,
    /// The domain, when one was written.
    pub domain: Option<String>,
    /// The device; without one the session is a regular IMAP session.
    pub device: Option<DeviceId>,
    /// The password or token.
    pub credential: Credential,
}

/// An item of FETCH. Macros are expanded when decoded, inside lists too (digest 2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FetchItem {
    /// FLAGS
    Flags,
    /// UID
    Uid,
    /// MODSEQ (RFC 7162 3.1.4): the gateway's own, never asked of upstream (F39).
    ModSeq,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Size,
    /// ENVELOPE
    Envelope,
    /// BODY without section
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// RFC822; IMAP has no peeking form of it but a mailbox opened by EXAMINE.
    Rfc822 {
        /// Without setting `\Seen`: to be asked for under EXAMINE.
        peek: bool,
    },
    /// RFC822.HEADER
    Rfc822Header,
    /// RFC822.TEXT, like RFC822.
    Rfc822Text {
        /// Without setting `\Seen`: to be asked for under EXAMINE.
        peek: bool,
    },
    /// `BINARY[part]<origin.octets>`: a part without its transfer encoding (RFC 3516 4.2).
    Binary {
        /// Without setting `\Seen`.
        peek: bool,
        /// The part's number, checked; empty for the whole message.
        part: String,
        /// Origin and number of octets (not zero).
        partial: Option<(u32, u32)>,
    },
    /// `BINARY.SIZE[part]` (RFC 3516 4.3)
    BinarySize(String),
    /// `BODY[section]<origin.octets>`
    Section {
        /// Without setting `\Seen`.
        peek: bool,
        /// What stands between the brackets, checked and in canonical spelling, e.g. `1.2.HEADER.FIELDS (FROM TO)`.
        section: String,
        /// Origin and number of octets (not zero).
        partial: Option<(u32, u32)>,
    },
}

impl FetchItem {
    /// Whether asking for it sets `\Seen` (RFC 3501 6.4.5).
    pub const fn sets_seen(&self) -> bool {
        use FetchItem::*;
        matches!(
            self,
            Rfc822 { peek: false }
                | Rfc822Text { peek: false }
                | Section { peek: false, .. }
                | Binary { peek: false, .. }
        )
    }

    /// Whether only EXAMINE keeps it from setting `\Seen`.
    pub const fn needs_examine(&self) -> bool {
        matches!(self, FetchItem::Rfc822 { peek: true } | FetchItem::Rfc822Text { peek: true })
    }

    /// The same without setting `\Seen`.
    pub fn peeking(self) -> FetchItem {
        match self {
            FetchItem::Rfc822 { .. } => FetchItem::Rfc822 { peek: true },
            FetchItem::Rfc822Text { .. } => FetchItem::Rfc822Text { peek: true },
            FetchItem::Section { section, partial, .. } => {
                FetchItem::Section { peek: true, section, partial }
            }
            FetchItem::Binary { part, partial, .. } => FetchItem::Binary { peek: true, part, partial },
            other => other,
        }
    }

    /// Whether it is of RFC 3516.
    pub const fn is_binary(&self) -> bool {
        matches!(self, FetchItem::Binary { .. } | FetchItem::BinarySize(_))
    }
}

/// As the item is written in a command.
impl std::fmt::Display for FetchItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchItem::Flags => f.write_str("FLAGS"),
            FetchItem::Uid => f.write_str("UID"),
            FetchItem::ModSeq => f.write_str("MODSEQ"),
            FetchItem::InternalDate => f.write_str("INTERNALDATE"),
            FetchItem::Size => f.write_str("RFC822.SIZE"),
            FetchItem::Envelope => f.write_str("ENVELOPE"),
            FetchItem::Body => f.write_str("BODY"),
            FetchItem::BodyStructure => f.write_str("BODYSTRUCTURE"),
            FetchItem::Rfc822 { .. } => f.write_str("RFC822"),
            FetchItem::Rfc822Header => f.write_str("RFC822.HEADER"),
            FetchItem::Rfc822Text { .. } => f.write_str("RFC822.TEXT"),
            FetchItem::Section { peek, section, partial } => {
                write!(f, "BODY{}[{section}]", if *peek { ".PEEK" } else { "" })?;
                partial.map_or(Ok(()), |(origin, octets)| write!(f, "<{origin}.{octets}>"))
            }
            FetchItem::Binary { peek, part, partial } => {
                write!(f, "BINARY{}[{part}]", if *peek { ".PEEK" } else { "" })?;
                partial.map_or(Ok(()), |(origin, octets)| write!(f, "<{origin}.{octets}>"))
            }
            FetchItem::BinarySize(part) => write!(f, "BINARY.SIZE[{part}]"),
        }
    }
}

/// What STORE does to flags.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoreChange {
    /// Replace, add or remove.
    pub mode: StoreMode,
    /// `.SILENT`: the handset wants no FETCH back.
    pub silent: bool,
    /// The flags named.
    pub flags: Flags,
}

/// How STORE changes flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StoreMode {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// A cursor as a handset presents it: `<incarnation>.<n>` (design D5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cursor {
    /// Which life of the session's log.
    pub incarnation: u64,
    /// The position.
    pub position: u64,
}
