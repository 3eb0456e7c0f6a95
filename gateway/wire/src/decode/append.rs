//! APPEND (RFC 3501 6.3.11) up to its message, which is streamed and never seen here.

use super::mailbox::argument;
use super::message::flag_list;
use super::{DecodeError, Parsed, Scanner};
use pimap_types::command::Append;
use pimap_types::limits::APPEND_BYTES_MAX;
use pimap_types::{Command, Date, Flags};
use std::ops::Range;

/// The arguments of APPEND.
pub(super) fn append(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let mailbox = argument(scanner)?;
    scanner.space()?;
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
    if scanner.peek() != Some(b'{') {
        return Err(DecodeError::bad("expected the message as a literal"));
    }
    let size = scanner.literal_head()?;
    if size > APPEND_BYTES_MAX {
        return Err(DecodeError::no("message too large").coded("TOOBIG"));
    }
    if !scanner.rest().is_empty() {
        // The framer ends the command here; a message inside it is a literal that stood for something else.
        return Err(DecodeError::bad("expected the message as the last argument"));
    }
    Ok(Command::Append(Append { mailbox, flags, date, size }))
}

/// `date-time`: `"dd-Mon-yyyy hh:mm:ss +zzzz"`, the day padded with a space.
fn date_time(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let octets = scanner.string()?;
    let text = std::str::from_utf8(&octets).ok().filter(|text| is_date_time(text));
    text.map(str::to_owned).ok_or(DecodeError::bad("bad date-time"))
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
