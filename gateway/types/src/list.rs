//! Asking which mailboxes there are and what is in them: LIST, LSUB, NAMESPACE and STATUS.

/// A reference and a pattern of LIST or LSUB, as octets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListPattern {
    /// The reference name.
    pub reference: String,
    /// The mailbox name with wildcards.
    pub pattern: String,
}

/// The arguments of LIST (RFC 3501 6.3.8, RFC 5258).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct List {
    /// Which mailboxes are wanted.
    pub selection: ListSelection,
    /// The reference name.
    pub reference: String,
    /// Mailbox names with wildcards, at least one.
    pub patterns: Vec<String>,
    /// What is wanted of them.
    pub returns: ListReturn,
    /// Written in the extended form: nothing is told of a mailbox but what was asked for.
    pub extended: bool,
}

/// Selection options of LIST (RFC 5258 3.1, RFC 6154 2). REMOTE widens nothing here and is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ListSelection {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// RECURSIVEMATCH: parents of what is selected, too.
    pub recursive_match: bool,
}

/// Return options of LIST (RFC 5258 3.2, RFC 5819, RFC 6154 2).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ListReturn {
    /// SUBSCRIBED
    pub subscribed: bool,
    /// CHILDREN
    pub children: bool,
    /// SPECIAL-USE
    pub special_use: bool,
    /// STATUS with its items; empty: not asked for.
    pub status: Vec<StatusItem>,
}

/// An item of STATUS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StatusItem {
    /// MESSAGES
    Messages,
    /// RECENT
    Recent,
    /// UIDNEXT
    UidNext,
    /// UIDVALIDITY
    UidValidity,
    /// UNSEEN
    Unseen,
    /// DELETED (RFC 9051 6.3.11): messages marked `\\Deleted`.
    Deleted,
    /// HIGHESTMODSEQ (RFC 7162 3.1.7): the gateway's own, never asked of upstream (F39).
    HighestModSeq,
    /// SIZE (RFC 8438): the octets of all messages together.
    Size,
    /// APPENDLIMIT (RFC 7889)
    AppendLimit,
}

impl StatusItem {
    /// Every item, in the order of the RFCs.
    pub const ALL: [StatusItem; 9] = [
        StatusItem::Messages,
        StatusItem::Recent,
        StatusItem::UidNext,
        StatusItem::UidValidity,
        StatusItem::Unseen,
        StatusItem::Deleted,
        StatusItem::HighestModSeq,
        StatusItem::Size,
        StatusItem::AppendLimit,
    ];

    /// The word of the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            StatusItem::Messages => "MESSAGES",
            StatusItem::Recent => "RECENT",
            StatusItem::UidNext => "UIDNEXT",
            StatusItem::UidValidity => "UIDVALIDITY",
            StatusItem::Unseen => "UNSEEN",
            StatusItem::Deleted => "DELETED",
            StatusItem::HighestModSeq => "HIGHESTMODSEQ",
            StatusItem::Size => "SIZE",
            StatusItem::AppendLimit => "APPENDLIMIT",
        }
    }
}

/// A part of the tree of mailboxes (RFC 2342).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Namespace {
    /// What the names in it begin with, in modified UTF-7.
    pub prefix: String,
    /// The hierarchy delimiter; `None` is NIL.
    pub delimiter: Option<char>,
}

/// The three kinds of namespaces, each possibly empty (NIL).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Namespaces {
    /// The person's own.
    pub personal: Vec<Namespace>,
    /// Other people's.
    pub other_users: Vec<Namespace>,
    /// Everybody's.
    pub shared: Vec<Namespace>,
}
