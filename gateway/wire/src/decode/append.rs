//! APPEND (RFC 3501 6.3.11, RFC 3502, RFC 4469, RFC 3516, RFC 6855 4) without what is streamed, which is never seen here.

use super::mailbox::argument;
use super::message::flag_list;
use super::{DecodeError, Parsed, Scanner};
use crate::frame::CommandBytes;
use pimap_types::append::{AppendPart, Within, streams};
use pimap_types::command::Append;
use pimap_types::limits::{APPEND_BYTES_MAX, APPEND_PARTS_MAX, URL_BYTES_MAX};
use pimap_types::{Command, Date, Flags};
use std::ops::Range;

/// The arguments of APPEND up to the first literal that is streamed, or all of them.
pub(super) fn append(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let mailbox = argument(scanner)?;
    let mut parts = Vec::new();
    messages(scanner, &mut parts)?;
    Ok(Command::Append(Append { mailbox, parts }))
}

/// What follows a literal of APPEND up to the next one, or to the end.
pub fn append_parts(text: &CommandBytes, within: Within) -> Result<Vec<AppendPart>, DecodeError> {
    let mut scanner = Scanner::new(text.octets());
    let mut parts = Vec::new();
    match within {
        Within::Command => {}
        Within::Catenate if scanner.accept(b')') => parts.push(AppendPart::EndCatenate),
        Within::Catenate => {
            scanner.space()?;
            catenation(&mut scanner, &mut parts)?;
        }
        Within::Utf8 => {
            scanner.expect(b')', "the end of UTF8")?;
            parts.push(AppendPart::EndUtf8);
        }
    }
    if streams(&parts).is_none() && scanner.end().is_err() {
        messages(&mut scanner, &mut parts)?;
    }
    Ok(parts)
}

/// `1*(SP message)`, the last of which may break off at a literal.
fn messages(scanner: &mut Scanner<'_>, parts: &mut Vec<AppendPart>) -> Parsed<()> {
    loop {
        scanner.space()?;
        message(scanner, parts)?;
        if streams(parts).is_some() || scanner.end().is_ok() {
            return Ok(());
        }
        if parts.len() > APPEND_PARTS_MAX {
            return Err(DecodeError::no("too many messages").coded("LIMIT"));
        }
    }
}

/// `[flag-list SP] [date-time SP] (literal / "UTF8" SP "(" literal8 ")" / "CATENATE" SP "(" cat-part *(SP cat-part) ")")`
fn message(scanner: &mut Scanner<'_>, parts: &mut Vec<AppendPart>) -> Parsed<()> {
    let mut flags = Flags::default();
    if scanner.peek() == Some(b'(') {
        flags = flag_list(scanner)?;
        scanner.space()?;
    }
    let mut date = None;
    if scanner.peek() == Some(b'"') {
        date = Some(date_time(scanner)?);
        scanner.space()?;
    }
    parts.push(AppendPart::Message { flags, date });
    if scanner.peek().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'U')) {
        return utf8(scanner, parts);
    }
    if scanner.peek().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'C')) {
        if !scanner.atom("CATENATE")?.eq_ignore_ascii_case("CATENATE") {
            return Err(DecodeError::bad("expected CATENATE"));
        }
        scanner.space()?;
        scanner.expect(b'(', "a list of parts")?;
        parts.push(AppendPart::Catenate);
        return catenation(scanner, parts);
    }
    let binary = scanner.accept(b'~');
    let size = streamed(scanner)?;
    parts.push(AppendPart::Literal { size, binary });
    Ok(())
}

/// `"UTF8" SP "(" literal8`, which breaks off there.
fn utf8(scanner: &mut Scanner<'_>, parts: &mut Vec<AppendPart>) -> Parsed<()> {
    if !scanner.atom("UTF8")?.eq_ignore_ascii_case("UTF8") {
        return Err(DecodeError::bad("expected UTF8"));
    }
    scanner.space()?;
    scanner.expect(b'(', "a message in parentheses")?;
    scanner.expect(b'~', "a literal that may hold any octet")?;
    let size = streamed(scanner)?;
    parts.push(AppendPart::Utf8 { size });
    Ok(())
}

/// `cat-part *(SP cat-part) ")"`, which may break off at a TEXT.
fn catenation(scanner: &mut Scanner<'_>, parts: &mut Vec<AppendPart>) -> Parsed<()> {
    loop {
        match scanner.atom("TEXT or URL")?.to_ascii_uppercase().as_str() {
            "TEXT" => {
                scanner.space()?;
                let size = streamed(scanner)?;
                parts.push(AppendPart::Text { size });
                return Ok(());
            }
            "URL" => {
                scanner.space()?;
                let url = scanner.astring()?;
                let url = url.printable_ascii().filter(|url| url.len() <= URL_BYTES_MAX);
                let url = url.ok_or(DecodeError::no("not an URL").coded("BADURL"))?;
                parts.push(AppendPart::Url(url.to_owned()));
            }
            "UTF8" => {
                return Err(DecodeError::no("UTF8 stands here outside of CATENATE only").coded("CANNOT"));
            }
            _ => return Err(DecodeError::bad("expected TEXT or URL")),
        }
        if scanner.accept(b')') {
            parts.push(AppendPart::EndCatenate);
            return Ok(());
        }
        if parts.len() > APPEND_PARTS_MAX {
            return Err(DecodeError::no("too many parts").coded("LIMIT"));
        }
        scanner.space()?;
    }
}

/// The head of a literal that is streamed, with which what the framer returned ends.
fn streamed(scanner: &mut Scanner<'_>) -> Parsed<u64> {
    if scanner.peek() != Some(b'{') {
        return Err(DecodeError::bad("expected the message as a literal"));
    }
    let size = scanner.literal_head()?;
    if size > APPEND_BYTES_MAX {
        return Err(DecodeError::no("message too large").coded("TOOBIG"));
    }
    if !scanner.rest().is_empty() {
        // The framer ends the text here; a message inside it is a literal that stood for something else.
        return Err(DecodeError::bad("expected the message as the last argument"));
    }
    Ok(size)
}

/// `date-time`: `"dd-Mon-yyyy hh:mm:ss +zzzz"`, the day padded with a space, which some clients forget.
fn date_time(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let octets = scanner.string()?;
    let text = std::str::from_utf8(&octets).map_err(|_| DecodeError::bad("bad date-time"))?;
    let pad = if text.as_bytes().get(1) == Some(&b'-') { " " } else { "" };
    Some(format!("{pad}{text}")).filter(|text| is_date_time(text)).ok_or(DecodeError::bad("bad date-time"))
}

fn is_date_time(text: &str) -> bool {
    let template = b"dd-aaa-dddd dd:dd:dd sdddd";
    let fits = |(index, (byte, class)): (usize, (u8, &u8))| match class {
        b'd' => byte.is_ascii_digit() || (index == 0 && byte == b' '),
        b'a' => byte.is_ascii_alphabetic(),
        b's' => matches!(byte, b'+' | b'-'),
        _ => byte == *class,
    };
    if text.len() != template.len() || !text.bytes().zip(template).enumerate().all(fits) {
        return false;
    }
    let below = |range: Range<usize>, limit: u32| {
        text.get(range).and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|value| value < limit)
    };
    // 60 is a leap second.
    text.get(..11).and_then(Date::parse).is_some()
        && below(12..14, 24)
        && below(15..17, 60)
        && below(18..20, 61)
        && below(22..24, 24)
        && below(24..26, 60)
}
