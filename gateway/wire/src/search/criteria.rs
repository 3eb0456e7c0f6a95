//! Filter criteria in source form: what SET received is what GET returns, and what the store keeps is read again by the
//! same grammar.

use super::{Charset, Grammar, Purpose};
use crate::decode::{DecodeError, Parsed, Scanner};
use crate::encode::write_quoted;
use crate::syntax::is_quotable;
use pimap_types::limits::FILTER_CRITERIA_BYTES_MAX;
use pimap_types::search::Criteria;

/// Parses criteria from their source text, as [`Criteria::source`] holds it.
pub fn parse_criteria(source: &[u8], charset: Option<&str>) -> Result<Criteria, DecodeError> {
    let charset = charset.map(|name| Charset::named(name.as_bytes())).transpose()?;
    let mut scanner = Scanner::new(source);
    let criteria = criteria(&mut scanner, charset)?;
    if scanner.rest().is_empty() {
        Ok(criteria)
    } else {
        Err(DecodeError::bad("unexpected text after the criteria"))
    }
}

/// `"(" criteria ")"`
pub(crate) fn criteria_list(scanner: &mut Scanner<'_>, charset: Option<Charset>) -> Parsed<Criteria> {
    scanner.expect(b'(', "the criteria")?;
    let criteria = criteria(scanner, charset)?;
    scanner.expect(b')', "the end of the criteria")?;
    Ok(criteria)
}

fn criteria(scanner: &mut Scanner<'_>, charset: Option<Charset>) -> Parsed<Criteria> {
    let before = scanner.rest();
    let key = Grammar::new(Purpose::Criteria, charset).keys(scanner, 0)?;
    let length = before.len() - scanner.rest().len();
    let mut source = Vec::new();
    write_criteria(before.get(..length).unwrap_or_default(), LiteralForm::NonSynchronizing, &mut source);
    if source.len() > FILTER_CRITERIA_BYTES_MAX {
        return Err(DecodeError::no("criteria too long"));
    }
    Ok(Criteria { source, charset: charset.map(|charset| charset.name().to_owned()), key })
}

/// How a literal is headed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LiteralForm {
    /// `{n+}`: a handset's, and the form in which source text is kept.
    NonSynchronizing,
    /// `{n}`: a server's (RFC 7888 5).
    Plain,
}

/// Copies source text, each literal as a quoted string if it can be one. Line ends and other control characters outside
/// of literals do not pass: whatever was stored, it cannot become a line of its own.
pub(crate) fn write_criteria(source: &[u8], form: LiteralForm, out: &mut Vec<u8>) {
    let mut scanner = Scanner::new(source);
    while let Some(byte) = scanner.peek() {
        let mut ahead = scanner;
        match byte {
            b'"' | b'{' => match ahead.string() {
                Ok(text) => {
                    write_text(&text, form, out);
                    scanner = ahead;
                }
                Err(_) => {
                    scanner.take(1);
                }
            },
            _ => {
                if (0x20..0x7F).contains(&byte) {
                    out.push(byte);
                }
                scanner.take(1);
            }
        }
    }
}

fn write_text(text: &[u8], form: LiteralForm, out: &mut Vec<u8>) {
    if is_quotable(text) {
        return write_quoted(text, out);
    }
    let sign = if form == LiteralForm::Plain { "" } else { "+" };
    out.extend_from_slice(format!("{{{}{sign}}}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
}
