//! Commands towards upstream as octets. Arguments leave as checked atoms, quoted strings or literals and in no other way, so
//! that no mailbox name, flag or filter text can end a command and begin another (peers' lesson: CRLF injection).
//!
//! Messages are named by UID only (law 4): there is no way to write a sequence number here.

mod append;
pub(super) mod writer;

pub use append::encode_parts;

use self::writer::Writer;
use super::search::{self, SearchFault};
use pimap_types::MailboxName;
use pimap_types::command::{Append, FetchItem, ListPattern, StatusItem, StoreChange, StoreMode};
use pimap_types::number::{ModSeq, UidValidity};
use pimap_types::search::{SearchKey, SortCriterion, ThreadAlgorithm};
use pimap_types::set::UidRanges;

/// Bytes that a UID set may take in one command; larger sets go in several commands (RFC 7162 4 asks servers for lines of
/// 8192).
pub const SET_BYTES_MAX: usize = 7_000;

/// One command.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// UNSELECT (RFC 3691)
    Unselect,
    /// LOGOUT
    Logout,
    /// ID (RFC 2971): names of fields and their values.
    Id(&'a [(&'a str, &'a str)]),
    /// CLOSE; never of a mailbox opened by SELECT, whose deleted messages it would expunge.
    Close,
    /// STARTTLS
    StartTls,
    /// IDLE
    Idle,
    /// `ENABLE UTF8=ACCEPT` (RFC 6855 3)
    EnableUtf8,
    /// `ENABLE CONDSTORE`, with QRESYNC if so asked.
    Enable {
        /// QRESYNC too.
        qresync: bool,
    },
    /// `NOTIFY SET STATUS …` for everything (RFC 5465).
    Notify {
        /// Ask for MODSEQ of new messages.
        mod_seq: bool,
    },
    /// SELECT or EXAMINE.
    Select {
        /// The mailbox.
        mailbox: &'a MailboxName,
        /// EXAMINE: `\Recent` stays (F27).
        read_only: bool,
        /// What to ask along.
        resync: Resync,
    },
    /// UID FETCH
    UidFetch {
        /// Which.
        uids: UidsArgument<'a>,
        /// What; UID is always asked for, first.
        items: FetchArgument<'a>,
        /// CHANGEDSINCE (RFC 7162 3.1.4).
        changed_since: Option<ModSeq>,
    },
    /// UID SEARCH
    UidSearch {
        /// Ask for ESEARCH's compact answer.
        extended: bool,
        /// CHARSET
        charset: Option<&'a str>,
        /// The program.
        key: &'a SearchKey,
    },
    /// UID SORT (RFC 5256)
    UidSort {
        /// By what.
        criteria: &'a [SortCriterion],
        /// The charset.
        charset: &'a str,
        /// The program.
        key: &'a SearchKey,
    },
    /// UID THREAD (RFC 5256)
    UidThread {
        /// How.
        algorithm: ThreadAlgorithm,
        /// The charset.
        charset: &'a str,
        /// The program.
        key: &'a SearchKey,
    },
    /// UID STORE, of messages that did not change since a mod-sequence.
    UidStore(&'a UidRanges, &'a StoreChange, Option<ModSeq>),
    /// UID COPY
    UidCopy(&'a UidRanges, &'a MailboxName),
    /// UID MOVE
    UidMove(&'a UidRanges, &'a MailboxName),
    /// UID EXPUNGE
    UidExpunge(&'a UidRanges),
    /// EXPUNGE
    Expunge,
    /// APPEND; the message's octets and CRLF follow from elsewhere.
    Append(&'a Append),
    /// LIST or LSUB
    List {
        /// LSUB
        subscribed: bool,
        /// Reference and pattern.
        pattern: &'a ListPattern,
        /// What to return (LIST-EXTENDED).
        returns: ListReturns,
    },
    /// NAMESPACE
    Namespace,
    /// STATUS
    Status {
        /// Of which.
        mailbox: &'a MailboxName,
        /// What.
        items: &'a [StatusItem],
        /// HIGHESTMODSEQ too.
        mod_seq: bool,
    },
    /// CREATE
    Create(&'a MailboxName),
    /// DELETE
    Delete(&'a MailboxName),
    /// RENAME
    Rename(&'a MailboxName, &'a MailboxName),
    /// SUBSCRIBE
    Subscribe(&'a MailboxName),
    /// UNSUBSCRIBE
    Unsubscribe(&'a MailboxName),
}

/// Messages of a command.
#[derive(Clone, Copy, Debug)]
pub enum UidsArgument<'a> {
    /// These.
    Set(&'a UidRanges),
    /// `n:*`. It always names the last message, even one below `n` (RFC 3501 6.4.8).
    From(u32),
}

/// Items of a FETCH.
#[derive(Clone, Copy, Debug)]
pub enum FetchArgument<'a> {
    /// FLAGS, INTERNALDATE and RFC822.SIZE; MODSEQ too if said.
    Facts {
        /// MODSEQ too.
        mod_seq: bool,
    },
    /// What a handset asked for.
    Asked(&'a [FetchItem]),
}

/// What SELECT or EXAMINE asks along (RFC 7162).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resync {
    /// Nothing.
    Plain,
    /// `(CONDSTORE)`
    Condstore,
    /// `(QRESYNC (validity modseq))`
    Qresync(UidValidity, ModSeq),
}

/// Return options of LIST (RFC 5258, RFC 6154).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListReturns {
    /// None: the plain form.
    Nothing,
    /// `RETURN (CHILDREN)`
    Children,
    /// `RETURN (CHILDREN SPECIAL-USE)`
    ChildrenAndUse,
}

/// Why a command cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unencodable {
    /// A NUL, or a control octet where none can stand.
    Octets,
    /// A search key that upstream cannot judge.
    SearchKey,
}

/// A command as octets: after each part but the last the server's `+` must be awaited.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// The parts, never empty.
    pub parts: Vec<Vec<u8>>,
    /// For APPEND: whether a `+` must be awaited before the message.
    pub message_waits: bool,
}

impl Request<'_> {
    /// Writes the command under the tag `U<number>`.
    pub fn encode(&self, number: u64) -> Result<Encoded, Unencodable> {
        let mut out = Writer::new();
        out.raw("U");
        out.number(number);
        out.raw(" ");
        self.body(&mut out)?;
        let message_waits = match self {
            Request::Append(append) => append::literal(&mut out, &append.parts),
            _ => false,
        };
        out.raw("\r\n");
        Ok(Encoded { parts: out.into_parts(), message_waits })
    }

    fn body(&self, out: &mut Writer) -> Result<(), Unencodable> {
        match self {
            Request::Capability => out.raw("CAPABILITY"),
            Request::Noop => out.raw("NOOP"),
            Request::Unselect => out.raw("UNSELECT"),
            Request::Logout => out.raw("LOGOUT"),
            Request::Close => out.raw("CLOSE"),
            Request::StartTls => out.raw("STARTTLS"),
            Request::Id(fields) => {
                out.raw("ID (");
                for (at, (name, value)) in fields.iter().enumerate() {
                    out.raw(if at > 0 { " " } else { "" });
                    out.string(name.as_bytes())?;
                    out.raw(" ");
                    out.string(value.as_bytes())?;
                }
                out.raw(")");
            }
            Request::Idle => out.raw("IDLE"),
            Request::Expunge => out.raw("EXPUNGE"),
            Request::EnableUtf8 => out.raw("ENABLE UTF8=ACCEPT"),
            Request::Enable { qresync } => {
                out.raw(if *qresync { "ENABLE QRESYNC CONDSTORE" } else { "ENABLE CONDSTORE" })
            }
            Request::Notify { mod_seq } => notify(out, *mod_seq),
            Request::Select { mailbox, read_only, resync } => {
                out.raw(if *read_only { "EXAMINE " } else { "SELECT " });
                out.mailbox(mailbox)?;
                select_parameters(out, *resync);
            }
            Request::UidFetch { uids, items, changed_since } => {
                uid_fetch(out, *uids, *items, *changed_since)?
            }
            Request::UidSearch { extended, charset, key } => {
                out.raw(if *extended { "UID SEARCH RETURN (ALL) " } else { "UID SEARCH " });
                if let Some(charset) = charset {
                    out.raw("CHARSET ");
                    out.string(charset.as_bytes())?;
                    out.raw(" ");
                }
                program(out, key)?;
            }
            Request::UidSort { criteria, charset, key } => {
                out.raw("UID SORT (");
                let word =
                    |c: &SortCriterion| [if c.reverse { "REVERSE " } else { "" }, c.key.as_str()].concat();
                out.raw(&criteria.iter().map(word).collect::<Vec<_>>().join(" "));
                out.raw(") ");
                charset_and_program(out, charset, key)?;
            }
            Request::UidThread { algorithm, charset, key } => {
                out.raw("UID THREAD ");
                out.raw(algorithm.as_str());
                out.raw(" ");
                charset_and_program(out, charset, key)?;
            }
            Request::UidStore(uids, change, unchanged_since) => {
                out.set_command("UID STORE ", uids);
                if let Some(ModSeq(since)) = unchanged_since {
                    out.raw(&format!(" (UNCHANGEDSINCE {since})"));
                }
                // Never `.SILENT`: the answer is what the owner applies (F35).
                out.raw(match change.mode {
                    StoreMode::Replace => " FLAGS ",
                    StoreMode::Add => " +FLAGS ",
                    StoreMode::Remove => " -FLAGS ",
                });
                out.flags(&change.flags)?;
            }
            Request::UidCopy(uids, target) => {
                out.set_command("UID COPY ", uids);
                out.raw(" ");
                out.mailbox(target)?;
            }
            Request::UidMove(uids, target) => {
                out.set_command("UID MOVE ", uids);
                out.raw(" ");
                out.mailbox(target)?;
            }
            Request::UidExpunge(uids) => out.set_command("UID EXPUNGE ", uids),
            Request::Append(append) => {
                out.mailbox_command("APPEND ", &append.mailbox)?;
                append::parts(out, &append.parts)?;
            }
            Request::Namespace => out.raw("NAMESPACE"),
            Request::List { subscribed, pattern, returns } => {
                out.raw(if *subscribed { "LSUB " } else { "LIST " });
                out.string(pattern.reference.as_bytes())?;
                out.raw(" ");
                out.string(pattern.pattern.as_bytes())?;
                out.raw(match returns {
                    ListReturns::Nothing => "",
                    ListReturns::Children => " RETURN (CHILDREN)",
                    ListReturns::ChildrenAndUse => " RETURN (CHILDREN SPECIAL-USE)",
                });
            }
            Request::Status { mailbox, items, mod_seq } => {
                out.mailbox_command("STATUS ", mailbox)?;
                status_items(out, items, *mod_seq);
            }
            Request::Create(mailbox) => out.mailbox_command("CREATE ", mailbox)?,
            Request::Delete(mailbox) => out.mailbox_command("DELETE ", mailbox)?,
            Request::Subscribe(mailbox) => out.mailbox_command("SUBSCRIBE ", mailbox)?,
            Request::Unsubscribe(mailbox) => out.mailbox_command("UNSUBSCRIBE ", mailbox)?,
            Request::Rename(from, to) => {
                out.mailbox_command("RENAME ", from)?;
                out.raw(" ");
                out.mailbox(to)?;
            }
        }
        Ok(())
    }
}

fn charset_and_program(out: &mut Writer, charset: &str, key: &SearchKey) -> Result<(), Unencodable> {
    out.string(charset.as_bytes())?;
    out.raw(" ");
    program(out, key)
}

fn program(out: &mut Writer, key: &SearchKey) -> Result<(), Unencodable> {
    search::write_program(out, key).map_err(|fault| match fault {
        SearchFault::Octets => Unencodable::Octets,
        SearchFault::Key => Unencodable::SearchKey,
    })
}

/// RFC 5465 5: everything of the selected mailbox with the facts of new messages at once; of all others their numbers.
fn notify(out: &mut Writer, mod_seq: bool) {
    out.raw("NOTIFY SET STATUS (selected (MessageNew (UID FLAGS INTERNALDATE RFC822.SIZE");
    out.raw(if mod_seq { " MODSEQ)" } else { ")" });
    out.raw(" MessageExpunge FlagChange)) ");
    out.raw("(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))");
}

fn select_parameters(out: &mut Writer, resync: Resync) {
    match resync {
        Resync::Plain => {}
        Resync::Condstore => out.raw(" (CONDSTORE)"),
        Resync::Qresync(validity, mod_seq) => {
            out.raw(" (QRESYNC (");
            out.number(u64::from(validity.get()));
            out.raw(" ");
            out.number(mod_seq.0);
            out.raw("))");
        }
    }
}

fn uid_fetch(
    out: &mut Writer,
    uids: UidsArgument<'_>,
    items: FetchArgument<'_>,
    changed_since: Option<ModSeq>,
) -> Result<(), Unencodable> {
    match uids {
        UidsArgument::Set(set) => out.set_command("UID FETCH ", set),
        UidsArgument::From(first) => {
            out.raw("UID FETCH ");
            out.number(u64::from(first));
            out.raw(":*");
        }
    }
    out.raw(" (UID");
    match items {
        FetchArgument::Facts { mod_seq } => {
            out.raw(" FLAGS INTERNALDATE RFC822.SIZE");
            out.raw(if mod_seq { " MODSEQ" } else { "" });
        }
        FetchArgument::Asked(items) => {
            for item in items.iter().filter(|i| **i != FetchItem::Uid) {
                out.raw(" ");
                fetch_item(out, item)?;
            }
        }
    }
    out.raw(")");
    if let Some(since) = changed_since {
        out.raw(" (CHANGEDSINCE ");
        out.number(since.0);
        out.raw(")");
    }
    Ok(())
}

fn fetch_item(out: &mut Writer, item: &FetchItem) -> Result<(), Unencodable> {
    match item {
        FetchItem::Flags => out.raw("FLAGS"),
        FetchItem::Uid => out.raw("UID"),
        // A handset's is the gateway's own (F39); what upstream counts is asked for with the facts.
        FetchItem::ModSeq => return Err(Unencodable::Octets),
        FetchItem::InternalDate => out.raw("INTERNALDATE"),
        FetchItem::Size => out.raw("RFC822.SIZE"),
        FetchItem::Envelope => out.raw("ENVELOPE"),
        FetchItem::Body => out.raw("BODY"),
        FetchItem::BodyStructure => out.raw("BODYSTRUCTURE"),
        FetchItem::Rfc822 { .. } => out.raw("RFC822"),
        FetchItem::Rfc822Header => out.raw("RFC822.HEADER"),
        FetchItem::Rfc822Text { .. } => out.raw("RFC822.TEXT"),
        FetchItem::Section { peek, section, partial } => {
            // The section was checked when it was decoded; here only what could leave the brackets is looked for.
            let sound =
                section.bytes().all(|b| (b' '..0x7F).contains(&b) && !matches!(b, b'[' | b']' | b'{'));
            if !sound {
                return Err(Unencodable::Octets);
            }
            out.raw(if *peek { "BODY.PEEK[" } else { "BODY[" });
            out.raw(section);
            range(out, *partial);
        }
        FetchItem::Binary { peek, part, partial } => {
            out.raw(if *peek { "BINARY.PEEK[" } else { "BINARY[" });
            part_number(out, part)?;
            range(out, *partial);
        }
        FetchItem::BinarySize(part) => {
            out.raw("BINARY.SIZE[");
            part_number(out, part)?;
            out.raw("]");
        }
    }
    Ok(())
}

fn part_number(out: &mut Writer, part: &str) -> Result<(), Unencodable> {
    if !part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(Unencodable::Octets);
    }
    out.raw(part);
    Ok(())
}

/// `]<origin.octets>`
fn range(out: &mut Writer, partial: Option<(u32, u32)>) {
    out.raw("]");
    if let Some((origin, octets)) = partial {
        out.raw("<");
        out.number(u64::from(origin));
        out.raw(".");
        out.number(u64::from(octets));
        out.raw(">");
    }
}

fn status_items(out: &mut Writer, items: &[StatusItem], mod_seq: bool) {
    let words = items.iter().map(|item| item.as_str());
    let words: Vec<&str> = words.chain(mod_seq.then_some("HIGHESTMODSEQ")).collect();
    out.raw(" (");
    out.raw(&words.join(" "));
    out.raw(")");
}

/// Cuts a set into sets that each take at most `bytes_max` as text.
pub fn split_set(set: &UidRanges, bytes_max: usize) -> Vec<UidRanges> {
    let mut sets = Vec::new();
    let (mut pairs, mut bytes) = (Vec::new(), 0);
    for (first, last) in set.ranges().iter().copied() {
        let length = decimal_digits(first) + if first == last { 1 } else { decimal_digits(last) + 2 };
        if bytes + length > bytes_max && !pairs.is_empty() {
            sets.push(UidRanges::from_pairs(std::mem::take(&mut pairs)));
            bytes = 0;
        }
        pairs.push((first, last));
        bytes += length;
    }
    if !pairs.is_empty() {
        sets.push(UidRanges::from_pairs(pairs));
    }
    sets
}

fn decimal_digits(n: u32) -> usize {
    n.checked_ilog10().map_or(1, |d| d as usize + 1)
}

#[cfg(test)]
mod tests;
