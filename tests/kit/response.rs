//! What a server says, cut into lines and read as far as a test needs it.
//!
//! Written from the text of RFC 3501 and the P-IMAP draft only, so that a misreading in the gateway's own wire room
//! is not shared. Bytes go in, in any pieces; whole lines come out, literals included (a handset's lines are cut alike).

use std::collections::{BTreeMap, BTreeSet};

/// Flags as a server writes them, in lower case: flag names are case-insensitive.
pub type Flags = BTreeSet<String>;

/// Nesting deeper than this is no response that any test expects.
const DEPTH_MAX: usize = 32;

/// Collects bytes and gives out whole response lines, without their last CRLF but with their literals.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What has come of a line that is not whole yet.
    pub fn remainder(&self) -> &[u8] {
        &self.buffer
    }

    /// Forgets the beginning of a line whose end will never come.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }
}

impl Iterator for Lines {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut from = 0;
        loop {
            let end = from + self.buffer.get(from..)?.windows(2).position(|pair| pair == b"\r\n")?;
            match literal_length(&self.buffer[from..end]) {
                Some(length) => from = end + 2 + length,
                None => {
                    let line = self.buffer[..end].to_vec();
                    self.buffer.drain(..end + 2);
                    return Some(line);
                }
            }
        }
    }
}

/// The length that a line's final `{n}` or `{n+}` announces.
fn literal_length(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = inner.iter().rposition(|&byte| byte == b'{')?;
    let digits = std::str::from_utf8(&inner[open + 1..]).ok()?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// One response line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// `+ text`.
    Continue,
    /// `tag OK [code] text`.
    Tagged(String, Condition),
    /// `* OK [code] text`, also NO, BAD, BYE, PREAUTH.
    Condition(Condition),
    /// `* n EXISTS`.
    Exists(u32),
    /// `* n EXPUNGE`.
    Expunge(u32),
    /// `* VANISHED uids` (RFC 7162 3.2.10).
    Vanished {
        /// `(EARLIER)`.
        earlier: bool,
        /// Ranges of UIDs.
        uids: Vec<(u32, u32)>,
    },
    /// `* n FETCH (…)`.
    Fetch(u32, Fetched),
    /// `* SEARCH n n n`.
    Search(Vec<u32>),
    /// `* SESSION AUTHENTICATED`, or `SELECTED` when the value is true (P-IMAP 5.1.4).
    Session {
        /// The session has a mailbox selected.
        selected: bool,
    },
    /// `* SESSIONID id`.
    SessionId(String),
    /// `* FOLDER mailbox`.
    Folder(String),
    /// `* RESYNC`.
    Resync,
    /// Anything else: the word after the star.
    Other(String),
}

/// A status, its code and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `OK`, `NO`, `BAD`, `BYE` or `PREAUTH`, in upper case.
    pub status: String,
    /// What stands in square brackets, split at spaces.
    pub code: Vec<String>,
    /// The rest, for people.
    pub text: String,
}

impl Condition {
    /// The status is OK.
    pub fn is_ok(&self) -> bool {
        self.status == "OK"
    }

    /// The argument of the code `name`: `code("UIDVALIDITY")` of `[UIDVALIDITY 7]` is `7`.
    pub fn code(&self, name: &str) -> Option<&str> {
        let matches = self.code.first().is_some_and(|first| first.eq_ignore_ascii_case(name));
        matches.then(|| self.code.get(1).map_or("", String::as_str))
    }
}

/// The items of a FETCH response that the tests look at; the others are kept as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// `UID n`.
    pub uid: Option<u32>,
    /// `FLAGS (…)`, without `\Recent`, which belongs to a connection and not to a message.
    pub flags: Option<Flags>,
    /// Every item by its name in upper case; a list is kept in its written form, a string by its content.
    pub items: BTreeMap<String, Vec<u8>>,
}

/// Reads one line; `Err` says what is wrong with it.
pub fn read(line: &[u8]) -> Result<Response, String> {
    if line.starts_with(b"+") {
        return Ok(Response::Continue);
    }
    let (tag, rest) = word(line);
    if tag.is_empty() {
        return Err(format!("a line without a tag: {}", crate::transcript::show(line)));
    }
    if tag != b"*" {
        let condition = condition(rest).ok_or_else(|| "a tagged line without a status".to_owned())?;
        return Ok(Response::Tagged(text(tag), condition));
    }
    let (first, after) = word(rest);
    if let Some(condition) = condition(rest) {
        return Ok(Response::Condition(condition));
    }
    if let Ok(number) = text(first).parse::<u32>() {
        return numbered(number, after);
    }
    let name = text(first).to_ascii_uppercase();
    Ok(match name.as_str() {
        "SESSION" => Response::Session { selected: session_state(after)? },
        "SESSIONID" => Response::SessionId(text(word(after).0)),
        "FOLDER" => Response::Folder(text(&string(after)?.0)),
        "RESYNC" => Response::Resync,
        "VANISHED" => {
            let uids = after.strip_prefix(b"(EARLIER) ");
            Response::Vanished { earlier: uids.is_some(), uids: ranges(uids.unwrap_or(after))? }
        }
        "SEARCH" => {
            Response::Search(text(after).split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect())
        }
        _ => Response::Other(name),
    })
}

/// A set of plain numbers.
fn ranges(set: &[u8]) -> Result<Vec<(u32, u32)>, String> {
    let number = |digits: &str| digits.parse::<u32>().map_err(|_| format!("no number: {digits}"));
    let range = |range: &str| match range.split_once(':') {
        Some((first, last)) => Ok((number(first)?, number(last)?)),
        None => number(range).map(|uid| (uid, uid)),
    };
    text(set).split(',').map(range).collect()
}

fn session_state(rest: &[u8]) -> Result<bool, String> {
    match word(rest).0.to_ascii_uppercase().as_slice() {
        b"SELECTED" => Ok(true),
        b"AUTHENTICATED" => Ok(false),
        other => Err(format!("no session state: {}", text(other))),
    }
}

fn numbered(number: u32, rest: &[u8]) -> Result<Response, String> {
    let (kind, after) = word(rest);
    Ok(match kind.to_ascii_uppercase().as_slice() {
        b"EXISTS" => Response::Exists(number),
        b"EXPUNGE" => Response::Expunge(number),
        b"FETCH" => Response::Fetch(number, fetched(after)?),
        other => Response::Other(text(other)),
    })
}

fn condition(rest: &[u8]) -> Option<Condition> {
    let (status, after) = word(rest);
    let status = text(status).to_ascii_uppercase();
    if !matches!(status.as_str(), "OK" | "NO" | "BAD" | "BYE" | "PREAUTH") {
        return None;
    }
    let after = text(after);
    let (code, text) = match after.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((code, text)) => (code.split(' ').map(str::to_owned).collect(), text.trim_start().to_owned()),
        None => (Vec::new(), after),
    };
    Some(Condition { status, code, text })
}

fn fetched(list: &[u8]) -> Result<Fetched, String> {
    let mut rest = list.strip_prefix(b"(").ok_or("FETCH without a list")?;
    let mut fetched = Fetched::default();
    loop {
        rest = rest.trim_ascii_start();
        if rest.starts_with(b")") {
            return Ok(fetched);
        }
        let name_end = item_name_end(rest).ok_or("FETCH item without an end")?;
        let name = text(&rest[..name_end]).to_ascii_uppercase();
        let (value, after) = value(rest[name_end..].trim_ascii_start(), 0)?;
        match name.as_str() {
            "UID" => fetched.uid = Some(text(&value).parse().map_err(|_| "UID is no number".to_owned())?),
            "FLAGS" => fetched.flags = Some(flags(&value)),
            _ => {}
        }
        fetched.items.insert(name, value);
        rest = after;
    }
}

/// Item names hold spaces and parentheses inside brackets: `BODY[HEADER.FIELDS (FROM)]<0>`.
fn item_name_end(rest: &[u8]) -> Option<usize> {
    let mut bracketed = false;
    rest.iter().position(|&byte| {
        match byte {
            b'[' => bracketed = true,
            b']' => bracketed = false,
            _ => {}
        }
        !bracketed && matches!(byte, b' ' | b')')
    })
}

/// The flags of a written list, without `\Recent`.
pub fn flags(list: &[u8]) -> Flags {
    text(list)
        .trim_matches(['(', ')'])
        .split_ascii_whitespace()
        .map(str::to_ascii_lowercase)
        .filter(|flag| flag != "\\recent")
        .collect()
}

/// One value: its content and what follows it.
fn value(rest: &[u8], depth: usize) -> Result<(Vec<u8>, &[u8]), String> {
    if depth > DEPTH_MAX {
        return Err("nested too deeply".to_owned());
    }
    if !rest.starts_with(b"(") {
        return string(rest);
    }
    let mut at = &rest[1..];
    loop {
        at = at.trim_ascii_start();
        match at.first() {
            None => return Err("a list without an end".to_owned()),
            Some(b')') => {
                let length = rest.len() - at.len() + 1;
                return Ok((rest[..length].to_vec(), &at[1..]));
            }
            Some(_) => at = value(at, depth + 1)?.1,
        }
    }
}

/// An atom, a quoted string or a literal.
fn string(rest: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    match rest.first() {
        Some(b'"') => quoted(&rest[1..]),
        Some(b'{') => {
            let head =
                rest.windows(2).position(|pair| pair == b"\r\n").ok_or("a literal without its line end")?;
            let length = literal_length(&rest[..head]).ok_or("a literal without a length")?;
            let content = rest.get(head + 2..head + 2 + length).ok_or("a literal cut short")?;
            Ok((content.to_vec(), &rest[head + 2 + length..]))
        }
        Some(_) => {
            let end = item_name_end(rest).unwrap_or(rest.len());
            if end == 0 { Err("an empty value".to_owned()) } else { Ok((rest[..end].to_vec(), &rest[end..])) }
        }
        None => Err("a value is missing".to_owned()),
    }
}

fn quoted(rest: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let mut content = Vec::new();
    let mut escaped = false;
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            b'\\' if !escaped => escaped = true,
            b'"' if !escaped => return Ok((content, &rest[at + 1..])),
            _ => {
                escaped = false;
                content.push(byte);
            }
        }
    }
    Err("a quoted string without an end".to_owned())
}

/// The first word and what follows the space after it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, &[]),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in pieces {
            lines.push(piece);
            out.extend(&mut lines);
        }
        assert!(lines.remainder().is_empty());
        out
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut() {
        let all = b"* 1 FETCH (BODY[] {5}\r\na\r\nb) UID 3)\r\na1 OK done\r\n";
        let whole = lines(&[all]);
        assert_eq!(whole.len(), 2);
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(lines(&single), whole);
    }

    #[test]
    fn fetch_items_with_brackets_strings_and_literals_are_told_apart() {
        let line = b"* 4 FETCH (FLAGS (\\Seen $Junk \\Recent) BODY[HEADER.FIELDS (FROM TO)]<0> {4}\r\n) UI \
            ENVELOPE (\"a)\\\"\" NIL ((\"x\"))) UID 77)";
        let Ok(Response::Fetch(4, fetched)) = read(line) else { panic!("{:?}", read(line)) };
        assert_eq!(fetched.uid, Some(77));
        assert_eq!(fetched.flags, Some(flags(b"(\\seen $junk)")));
        assert_eq!(fetched.items["BODY[HEADER.FIELDS (FROM TO)]<0>"], b") UI");
        assert_eq!(fetched.items["ENVELOPE"], b"(\"a)\\\"\" NIL ((\"x\")))");
    }

    #[test]
    fn conditions_carry_code_and_text() {
        let Ok(Response::Tagged(tag, condition)) = read(b"A1 OK [READ-WRITE] done") else { panic!() };
        assert_eq!((tag.as_str(), condition.is_ok(), condition.code("read-write")), ("A1", true, Some("")));
        let Ok(Response::Condition(cursor)) = read(b"* OK [PIMAPCURSOR k7.12] all so far") else { panic!() };
        assert_eq!(cursor.code("PIMAPCURSOR"), Some("k7.12"));
        assert_eq!(cursor.text, "all so far");
    }

    #[test]
    fn what_pimap_adds_to_login_is_read() {
        assert_eq!(read(b"* SESSION SELECTED"), Ok(Response::Session { selected: true }));
        assert_eq!(read(b"* SESSIONID 123456"), Ok(Response::SessionId("123456".into())));
        assert_eq!(read(b"* FOLDER \"my mail\""), Ok(Response::Folder("my mail".into())));
        assert_eq!(read(b"* RESYNC"), Ok(Response::Resync));
        assert!(read(b"* SESSION SLEEPING").is_err());
    }

    #[test]
    fn broken_lines_are_refused() {
        for line in [
            &b"* 1 FETCH (UID x)"[..],
            b"* 1 FETCH (FLAGS (",
            b"* 1 FETCH",
            b"",
            b"A1 MAYBE",
            b"* 2 FETCH (UID)",
        ] {
            assert!(read(line).is_err(), "{}", text(line));
        }
    }
}
