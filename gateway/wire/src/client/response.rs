//! Responses that the gateway must understand, as values. Everything else is [`UpstreamResponse::Other`].

mod mailbox;

use super::Malformed;
use super::code::{Code, capability_words};
use super::cursor::Cursor;
use super::thread;
use mailbox::{list, namespaces, status};
use pimap_types::list::Namespaces;
use pimap_types::number::{ModSeq, Uid, UidValidity};
use pimap_types::response::{ListItem, Status};
use pimap_types::set::UidRanges;
use pimap_types::{Date, Flag, Flags, MailboxName, Threads, Timestamp};

/// Bytes of human-readable text kept of a status response; the rest is cut off.
const TEXT_BYTES_MAX: usize = 512;

/// One response of an upstream server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamResponse {
    /// The end of the command with this number: `U7 OK …`.
    Tagged(u64, Condition),
    /// `* OK`, `* NO`, `* BAD`.
    Untagged(Condition),
    /// `* BYE`
    Bye(Condition),
    /// `* PREAUTH`
    Preauth,
    /// `+ …`
    Continuation,
    /// `* CAPABILITY …`, words in capitals.
    Capability(Vec<String>),
    /// `* ENABLED …`, words in capitals.
    Enabled(Vec<String>),
    /// `* n EXISTS`
    Exists(u32),
    /// `* n EXPUNGE`
    Expunge(u32),
    /// `* VANISHED (EARLIER) uids` (RFC 7162 3.2.10).
    Vanished {
        /// Caught up, as against gone just now.
        earlier: bool,
        /// Which.
        uids: UidRanges,
    },
    /// `* n FETCH (…)`: the facts in it.
    Fetch(FetchFacts),
    /// `* SEARCH n …`
    Search(Vec<Uid>),
    /// `* ESEARCH (TAG "U7") UID ALL set` (RFC 4731): the command's number, and what was found.
    Esearch(Option<u64>, UidRanges),
    /// `* SORT n …` (RFC 5256 4)
    Sort(Vec<Uid>),
    /// `* THREAD (n …)` (RFC 5256 4)
    Thread(Threads<Uid>),
    /// `* STATUS mailbox (…)`
    Status(MailboxName, StatusNumbers),
    /// `* LIST` or `* LSUB`.
    List {
        /// LSUB.
        subscribed: bool,
        /// The item.
        item: ListItem,
        /// OLDNAME of a rename (RFC 5465 5.4).
        old_name: Option<MailboxName>,
    },
    /// `* NAMESPACE …`
    Namespace(Namespaces),
    /// `* FLAGS (…)`
    Flags(Flags),
    /// Nothing that concerns the gateway.
    Other,
}

/// A status with its code and text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// OK, NO or BAD (BYE counts as NO).
    pub status: Status,
    /// The code, if one that is acted on.
    pub code: Option<Code>,
    /// The code as written, without brackets.
    pub code_text: Option<String>,
    /// The text, one line.
    pub text: String,
}

/// What one FETCH response says about a message. Anything may be missing: servers omit and repeat as they like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FetchFacts {
    /// UID
    pub uid: Option<Uid>,
    /// FLAGS without `\Recent`
    pub flags: Option<Flags>,
    /// MODSEQ
    pub mod_seq: Option<ModSeq>,
    /// The day of INTERNALDATE
    pub internal_date: Option<Date>,
    /// The moment that INTERNALDATE means, if it says the time and the zone
    pub received: Option<Timestamp>,
    /// RFC822.SIZE
    pub size: Option<u32>,
}

/// Numbers of a STATUS response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct StatusNumbers {
    /// MESSAGES
    pub messages: Option<u32>,
    /// RECENT
    pub recent: Option<u32>,
    /// UIDNEXT
    pub uid_next: Option<u32>,
    /// UIDVALIDITY
    pub uid_validity: Option<UidValidity>,
    /// UNSEEN
    pub unseen: Option<u32>,
    /// SIZE (RFC 8438)
    pub size: Option<u64>,
    /// HIGHESTMODSEQ
    pub highest_mod_seq: Option<ModSeq>,
}

impl UpstreamResponse {
    /// Reads one response, its literals in place, without the last CRLF. FETCH is not read here but by
    /// [`super::assemble::Assembler`], because its literals are not held.
    pub fn parse(octets: &[u8]) -> Result<UpstreamResponse, Malformed> {
        let mut cursor = Cursor::new(octets);
        match cursor.peek() {
            Some(b'+') => Ok(UpstreamResponse::Continuation),
            Some(b'*') => untagged(&mut cursor).ok_or(Malformed),
            _ => tagged(&mut cursor).ok_or(Malformed),
        }
    }
}

/// Our tags are `U` and a number; anything else was never ours.
pub(super) fn tag_number(word: &str) -> Option<u64> {
    word.strip_prefix('U')?.parse().ok()
}

fn tagged(cursor: &mut Cursor<'_>) -> Option<UpstreamResponse> {
    let number = tag_number(cursor.text()?)?;
    cursor.space()?;
    let word = cursor.text()?;
    Some(UpstreamResponse::Tagged(number, condition(word, cursor)?))
}

fn condition(word: &str, cursor: &mut Cursor<'_>) -> Option<Condition> {
    let status = match word.to_ascii_uppercase().as_str() {
        "OK" => Status::Ok,
        "NO" | "BYE" => Status::No,
        "BAD" => Status::Bad,
        _ => return None,
    };
    let _ = cursor.space();
    let rest = cursor.rest();
    // A bracket that never closes is free text that happens to begin with one.
    let code = rest.strip_prefix(b"[").and_then(|inner| Some((inner, code_end(inner)?)));
    let (code_text, text) = match code {
        Some((inner, end)) => (inner.get(..end), inner.get(end + 1..).unwrap_or_default()),
        None => (None, rest),
    };
    Some(Condition {
        status,
        code: code_text.map(Code::parse),
        code_text: code_text.map(printable),
        text: printable(text.strip_prefix(b" ").unwrap_or(text)),
    })
}

/// The closing bracket; brackets inside quoted strings do not count (`[BADURL "…]…"]`).
fn code_end(inner: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, octet) in inner.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    // An unbalanced quote in sloppy free text must not hide a plain code.
    inner.iter().position(|b| *b == b']')
}

/// One line of text fit to be shown: no controls, bounded.
fn printable(text: &[u8]) -> String {
    let text = text.get(..TEXT_BYTES_MAX).unwrap_or(text);
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn untagged(cursor: &mut Cursor<'_>) -> Option<UpstreamResponse> {
    cursor.eat(b'*')?;
    cursor.space()?;
    if cursor.peek()?.is_ascii_digit() {
        let number = cursor.number()?;
        cursor.space()?;
        return Some(match cursor.text()?.to_ascii_uppercase().as_str() {
            "EXISTS" => UpstreamResponse::Exists(number),
            // GNU mailutils writes EXPUNGED.
            "EXPUNGE" | "EXPUNGED" if number > 0 => UpstreamResponse::Expunge(number),
            "EXPUNGE" | "EXPUNGED" => return None,
            _ => UpstreamResponse::Other,
        });
    }
    let word = cursor.text()?;
    Some(match word.to_ascii_uppercase().as_str() {
        "OK" | "NO" | "BAD" => UpstreamResponse::Untagged(condition(word, cursor)?),
        "BYE" => UpstreamResponse::Bye(condition(word, cursor)?),
        "PREAUTH" => UpstreamResponse::Preauth,
        "CAPABILITY" => UpstreamResponse::Capability(capability_words(cursor.rest())),
        "ENABLED" => UpstreamResponse::Enabled(capability_words(cursor.rest())),
        "VANISHED" => vanished(cursor)?,
        "SEARCH" => UpstreamResponse::Search(search(cursor)?),
        "ESEARCH" => esearch(cursor)?,
        "SORT" => UpstreamResponse::Sort(search(cursor)?),
        "THREAD" => UpstreamResponse::Thread(thread::threads(cursor)?),
        "STATUS" => status(cursor)?,
        "NAMESPACE" => UpstreamResponse::Namespace(namespaces(cursor)?),
        "LIST" => list(cursor, false)?,
        "LSUB" => list(cursor, true)?,
        "FLAGS" => {
            cursor.space()?;
            UpstreamResponse::Flags(flags_of(cursor.words()?))
        }
        _ => UpstreamResponse::Other,
    })
}

fn vanished(cursor: &mut Cursor<'_>) -> Option<UpstreamResponse> {
    cursor.space()?;
    let earlier = cursor.peek()? == b'(';
    if earlier {
        let words = cursor.words()?;
        words.iter().any(|w| w.eq_ignore_ascii_case("EARLIER")).then_some(())?;
        cursor.space()?;
    }
    Some(UpstreamResponse::Vanished { earlier, uids: cursor.uid_set()? })
}

fn search(cursor: &mut Cursor<'_>) -> Option<Vec<Uid>> {
    let mut found = Vec::new();
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.is_done() {
            return Some(found);
        }
        if cursor.peek() == Some(b'(') {
            // `(MODSEQ n)` of RFC 7162 3.1.5
            cursor.skip_value()?;
            continue;
        }
        found.push(Uid::new(cursor.number()?)?);
    }
}

/// RFC 4731 3.1. Without ALL nothing was found; a result that is not in UIDs cannot be ours.
fn esearch(cursor: &mut Cursor<'_>) -> Option<UpstreamResponse> {
    let (mut tag, mut by_uid, mut all) = (None, false, UidRanges::new());
    let _ = cursor.space();
    if cursor.eat(b'(').is_some() {
        cursor.keyword("TAG")?;
        cursor.space()?;
        tag = std::str::from_utf8(&cursor.astring()?).ok().and_then(tag_number);
        cursor.eat(b')')?;
    }
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.is_done() {
            break;
        }
        if cursor.keyword("UID").is_some() {
            by_uid = true;
            continue;
        }
        let is_all = cursor.keyword("ALL").is_some();
        if !is_all {
            cursor.word()?;
        }
        cursor.space()?;
        if is_all { all = cursor.uid_set()? } else { cursor.skip_value()? }
    }
    (by_uid || all.is_empty()).then_some(UpstreamResponse::Esearch(tag, all))
}

/// Flags of a list of words; `\Recent` and `\*` are no flags of ours (F27).
pub(super) fn flags_of(words: Vec<&str>) -> Flags {
    Flags::new(words.into_iter().filter_map(Flag::parse))
}

#[cfg(test)]
mod tests;
