//! Search programs (RFC 3501 6.4.4) and filter criteria (P-IMAP 5.2.3) → [`SearchKey`].
//!
//! One grammar for both. Criteria know `DAYSBEFORETODAY` and refuse what depends on a session or on a UIDVALIDITY, since
//! they outlive both (digest 1.2); search programs the other way round. Depth and number of keys are bounded, so that
//! neither reading nor evaluating a program can exhaust the stack.

mod arguments;
mod criteria;
#[cfg(test)]
mod tests;

pub(crate) use arguments::{
    charset_and_program, partial_range, return_options, sort_criteria, thread_algorithm,
};
pub use criteria::parse_criteria;
pub(crate) use criteria::{LiteralForm, criteria_list, write_criteria};

use crate::decode::{DecodeError, Parsed, Scanner, mod_seq_value, sequence_set};
use pimap_types::limits::{NESTING_MAX, SEARCH_KEYS_MAX};
use pimap_types::search::{Field, SearchKey};
use pimap_types::{Date, Flag, ModSeq};

/// A charset of search strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Charset {
    UsAscii,
    Utf8,
}

impl Charset {
    /// Reads a charset's name.
    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Parsed<Charset> {
        Self::named(&scanner.astring()?.octets)
    }

    pub(crate) fn named(name: &[u8]) -> Parsed<Charset> {
        let known = [Charset::UsAscii, Charset::Utf8];
        let found = known.into_iter().find(|charset| charset.name().as_bytes().eq_ignore_ascii_case(name));
        found.ok_or_else(|| DecodeError::no("charset not supported").coded("BADCHARSET (US-ASCII UTF-8)"))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Charset::UsAscii => "US-ASCII",
            Charset::Utf8 => "UTF-8",
        }
    }
}

/// What a program may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A SEARCH, executed once in a session.
    Search,
    /// The criteria of a filter, stored.
    Criteria,
}

/// Parses what follows `SEARCH `: the charset, if any, in capitals, and the program.
pub fn parse_search_program(arguments: &[u8]) -> Result<(Option<String>, SearchKey), DecodeError> {
    let mut scanner = Scanner::new(arguments);
    let parsed = search_arguments(&mut scanner)?;
    scanner.end()?;
    Ok(parsed)
}

/// `["CHARSET" SP astring SP] search-key *(SP search-key)`
pub(crate) fn search_arguments(scanner: &mut Scanner<'_>) -> Parsed<(Option<String>, SearchKey)> {
    let mut ahead = *scanner;
    let mut charset = None;
    if ahead.atom("").is_ok_and(|word| word.eq_ignore_ascii_case("CHARSET")) {
        ahead.space()?;
        charset = Some(Charset::read(&mut ahead)?);
        ahead.space()?;
        *scanner = ahead;
    }
    let program = Grammar::new(Purpose::Search, charset).keys(scanner, 0)?;
    Ok((charset.map(|charset| charset.name().to_owned()), program))
}

/// The grammar of one program, counting its keys.
pub(crate) struct Grammar {
    purpose: Purpose,
    charset: Option<Charset>,
    keys: usize,
}

impl Grammar {
    pub(crate) fn new(purpose: Purpose, charset: Option<Charset>) -> Self {
        Self { purpose, charset, keys: 0 }
    }

    /// `search-key *(SP search-key)`: all of them hold.
    pub(crate) fn keys(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Parsed<SearchKey> {
        let first = self.key(scanner, depth)?;
        if scanner.peek() != Some(b' ') {
            return Ok(first);
        }
        let mut all = vec![first];
        while scanner.accept(b' ') {
            all.push(self.key(scanner, depth)?);
        }
        Ok(SearchKey::And(all))
    }

    fn key(&mut self, scanner: &mut Scanner<'_>, depth: usize) -> Parsed<SearchKey> {
        self.keys += 1;
        if depth > NESTING_MAX {
            return Err(DecodeError::bad("search program nested too deeply"));
        }
        if self.keys > SEARCH_KEYS_MAX {
            return Err(DecodeError::bad("too many search keys"));
        }
        match scanner.peek() {
            Some(b'(') => {
                scanner.take(1);
                let inner = self.keys(scanner, depth + 1)?;
                scanner.expect(b')', "a closing parenthesis")?;
                Ok(inner)
            }
            Some(b'0'..=b'9' | b'*') => {
                self.only_in_search()?;
                sequence_set(scanner).map(SearchKey::Sequence)
            }
            Some(b'$') => self.saved(scanner),
            _ => {
                let word = scanner.atom("a search key")?.to_ascii_uppercase();
                self.named_key(&word, scanner, depth)
            }
        }
    }

    fn named_key(&mut self, word: &str, scanner: &mut Scanner<'_>, depth: usize) -> Parsed<SearchKey> {
        use SearchKey as Key;
        match word {
            "ALL" => Ok(Key::All),
            "NOT" => {
                scanner.space()?;
                Ok(not(self.key(scanner, depth + 1)?))
            }
            "OR" => {
                scanner.space()?;
                let left = self.key(scanner, depth + 1)?;
                scanner.space()?;
                let right = self.key(scanner, depth + 1)?;
                Ok(Key::Or(Box::new(left), Box::new(right)))
            }
            "ANSWERED" => Ok(Key::Flag(Flag::Answered)),
            "DELETED" => Ok(Key::Flag(Flag::Deleted)),
            "DRAFT" => Ok(Key::Flag(Flag::Draft)),
            "FLAGGED" => Ok(Key::Flag(Flag::Flagged)),
            "SEEN" => Ok(Key::Flag(Flag::Seen)),
            "UNANSWERED" => Ok(not(Key::Flag(Flag::Answered))),
            "UNDELETED" => Ok(not(Key::Flag(Flag::Deleted))),
            "UNDRAFT" => Ok(not(Key::Flag(Flag::Draft))),
            "UNFLAGGED" => Ok(not(Key::Flag(Flag::Flagged))),
            "UNSEEN" => Ok(not(Key::Flag(Flag::Seen))),
            "KEYWORD" => keyword(scanner).map(Key::Flag),
            "UNKEYWORD" => keyword(scanner).map(|flag| not(Key::Flag(flag))),
            "RECENT" => self.only_in_search().map(|()| Key::Recent),
            "NEW" => self.only_in_search().map(|()| Key::New),
            "OLD" => self.only_in_search().map(|()| Key::Old),
            "UID" => {
                self.only_in_search()?;
                scanner.space()?;
                if scanner.peek() == Some(b'$') {
                    return self.saved(scanner);
                }
                sequence_set(scanner).map(Key::Uid)
            }
            "MODSEQ" => self.only_in_search().and_then(|()| mod_seq(scanner)).map(Key::ModSeq),
            "LARGER" => number(scanner).map(Key::Larger),
            "SMALLER" => number(scanner).map(Key::Smaller),
            "OLDER" => self.interval(scanner).map(Key::Older),
            "YOUNGER" => self.interval(scanner).map(Key::Younger),
            "BEFORE" => date(scanner).map(Key::Before),
            "ON" => date(scanner).map(Key::On),
            "SINCE" => date(scanner).map(Key::Since),
            "SENTBEFORE" => date(scanner).map(Key::SentBefore),
            "SENTON" => date(scanner).map(Key::SentOn),
            "SENTSINCE" => date(scanner).map(Key::SentSince),
            "DAYSBEFORETODAY" if self.purpose == Purpose::Criteria => {
                number(scanner).map(Key::DaysBeforeToday)
            }
            _ => self.text_key(word, scanner),
        }
    }

    fn text_key(&self, word: &str, scanner: &mut Scanner<'_>) -> Parsed<SearchKey> {
        let field = match word {
            "FROM" => Field::From,
            "TO" => Field::To,
            "CC" => Field::Cc,
            "BCC" => Field::Bcc,
            "SUBJECT" => Field::Subject,
            "BODY" => return self.text(scanner).map(SearchKey::Body),
            "TEXT" => return self.text(scanner).map(SearchKey::Text),
            "HEADER" => {
                scanner.space()?;
                let name = scanner.astring()?;
                let legal = |byte: &u8| matches!(byte, 0x21..=0x7E) && *byte != b':';
                if name.octets.is_empty() || !name.octets.iter().all(legal) {
                    return Err(DecodeError::bad("bad header field name"));
                }
                let name = name.octets.into_owned();
                return Ok(SearchKey::Header(name, self.text(scanner)?));
            }
            _ => return Err(DecodeError::bad("unknown search key")),
        };
        Ok(SearchKey::Field(field, self.text(scanner)?))
    }

    /// `SP astring`, in the program's charset. A search that names none is in UTF-8 after ENABLE UTF8=ACCEPT (RFC 6855 3) and in
    /// ASCII else: which of the two, the account knows.
    fn text(&self, scanner: &mut Scanner<'_>) -> Parsed<Vec<u8>> {
        scanner.space()?;
        let unnamed = self.charset.is_none() && self.purpose == Purpose::Search;
        let text = if unnamed { scanner.wide_astring()? } else { scanner.astring()? }.octets.into_owned();
        let utf8 = unnamed || self.charset == Some(Charset::Utf8);
        if utf8 && std::str::from_utf8(&text).is_err() {
            return Err(DecodeError::bad("text is not UTF-8"));
        }
        if !utf8 && !text.is_ascii() {
            return Err(DecodeError::bad("8-bit text needs CHARSET UTF-8"));
        }
        Ok(text)
    }

    /// Seconds (RFC 5032 3). In a stored filter they would move messages in and out at every moment (F31).
    fn interval(&self, scanner: &mut Scanner<'_>) -> Parsed<u32> {
        self.only_in_search()?;
        scanner.space()?;
        scanner.nonzero_number()
    }

    /// `$` (RFC 5182 3).
    fn saved(&self, scanner: &mut Scanner<'_>) -> Parsed<SearchKey> {
        self.only_in_search()?;
        scanner.expect(b'$', "a set")?;
        Ok(SearchKey::Saved)
    }

    /// A stored filter outlives sequence numbers, `\Recent` and UIDVALIDITY (digest 1.2).
    fn only_in_search(&self) -> Parsed<()> {
        match self.purpose {
            Purpose::Search => Ok(()),
            Purpose::Criteria => Err(DecodeError::no("search key not allowed in a filter")),
        }
    }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

fn number(scanner: &mut Scanner<'_>) -> Parsed<u32> {
    scanner.space()?;
    scanner.number()
}

/// `[SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162 3.1.5). The gateway has one mod-sequence a message, as
/// most servers: which flag's is asked for makes no difference.
fn mod_seq(scanner: &mut Scanner<'_>) -> Parsed<ModSeq> {
    scanner.space()?;
    if scanner.peek() == Some(b'"') {
        let entry = scanner.string()?;
        if !entry.starts_with(b"/flags/") {
            return Err(DecodeError::bad("expected \"/flags/...\""));
        }
        scanner.space()?;
        match scanner.atom("an entry type")?.to_ascii_uppercase().as_str() {
            "PRIV" | "SHARED" | "ALL" => scanner.space()?,
            _ => return Err(DecodeError::bad("expected priv, shared or all")),
        }
    }
    mod_seq_value(scanner)
}

/// A keyword is an atom; the system flags have keys of their own.
fn keyword(scanner: &mut Scanner<'_>) -> Parsed<Flag> {
    scanner.space()?;
    let word = scanner.atom("a keyword")?;
    Flag::parse(word).ok_or(DecodeError::bad("expected a keyword"))
}

/// `date`, bare or quoted.
fn date(scanner: &mut Scanner<'_>) -> Parsed<Date> {
    scanner.space()?;
    let quoted = scanner.accept(b'"');
    let text = scanner.run(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if quoted {
        scanner.expect(b'"', "the end of the date")?;
    }
    let text = std::str::from_utf8(text).ok();
    let short_day = |text: &&str| text.split_once('-').is_some_and(|(day, _)| (1..=2).contains(&day.len()));
    text.filter(short_day).and_then(Date::parse).ok_or(DecodeError::bad("expected a date, as 1-Jun-2003"))
}
