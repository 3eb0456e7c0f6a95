//! `BODY[section]<partial>` (RFC 3501 6.4.5), brought into one spelling: words and field names in capitals, field names
//! quoted only where they must be. The spelling that comes out can be passed on without being looked at again.

use super::{DecodeError, Parsed, Scanner};
use crate::syntax::is_atom;
use pimap_types::command::FetchItem;
use pimap_types::limits::NESTING_MAX;

/// What follows `BODY` or `BODY.PEEK`.
pub(super) fn section_item(peek: bool, scanner: &mut Scanner<'_>) -> Parsed<FetchItem> {
    scanner.expect(b'[', "a section")?;
    let section = section(scanner)?;
    scanner.expect(b']', "the end of the section")?;
    let partial = if scanner.peek() == Some(b'<') { Some(partial(scanner)?) } else { None };
    Ok(FetchItem::Section { peek, section, partial })
}

/// What follows `BINARY` or `BINARY.PEEK` (RFC 3516 4.2).
pub(super) fn binary_item(peek: bool, scanner: &mut Scanner<'_>) -> Parsed<FetchItem> {
    let part = binary_part(scanner)?;
    let partial = if scanner.peek() == Some(b'<') { Some(partial(scanner)?) } else { None };
    Ok(FetchItem::Binary { peek, part, partial })
}

/// `"[" [section-part] "]"`: the number of a part and nothing behind it.
pub(super) fn binary_part(scanner: &mut Scanner<'_>) -> Parsed<String> {
    scanner.expect(b'[', "a part")?;
    let part = section(scanner)?;
    scanner.expect(b']', "the end of the part")?;
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number(&part) { Ok(part) } else { Err(DecodeError::bad("expected the number of a part")) }
}

/// `"<" number "." nz-number ">"`
fn partial(scanner: &mut Scanner<'_>) -> Parsed<(u32, u32)> {
    scanner.expect(b'<', "a partial")?;
    let origin = scanner.number()?;
    scanner.expect(b'.', "the octets of the partial")?;
    let octets = scanner.nonzero_number()?;
    scanner.expect(b'>', "the end of the partial")?;
    Ok((origin, octets))
}

/// What stands between the brackets, in one spelling.
pub(crate) fn section(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let mut out = String::new();
    if scanner.peek() == Some(b']') {
        return Ok(out);
    }
    let mut depth = 0;
    while scanner.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        depth += 1;
        if depth > NESTING_MAX {
            return Err(DecodeError::bad("part number too deep"));
        }
        out.push_str(&scanner.nonzero_number()?.to_string());
        if !scanner.accept(b'.') {
            return Ok(out);
        }
        out.push('.');
    }
    let word = scanner.run(|byte| byte.is_ascii_alphabetic() || byte == b'.').to_ascii_uppercase();
    match word.as_slice() {
        b"HEADER" => out.push_str("HEADER"),
        b"TEXT" => out.push_str("TEXT"),
        b"MIME" if depth > 0 => out.push_str("MIME"),
        b"HEADER.FIELDS" => header_fields("HEADER.FIELDS", scanner, &mut out)?,
        b"HEADER.FIELDS.NOT" => header_fields("HEADER.FIELDS.NOT", scanner, &mut out)?,
        _ => return Err(DecodeError::bad("unknown section")),
    }
    Ok(out)
}

fn header_fields(word: &str, scanner: &mut Scanner<'_>, out: &mut String) -> Parsed<()> {
    scanner.space()?;
    let names = scanner.list(field_name)?;
    out.push_str(word);
    out.push_str(" (");
    out.push_str(&names.join(" "));
    out.push(')');
    Ok(())
}

/// A field name (RFC 5322 2.2: printable ASCII without a colon), in the spelling of an astring.
fn field_name(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let name = scanner.astring()?;
    let legal = |byte: &u8| matches!(byte, 0x21..=0x7E) && *byte != b':';
    if name.octets.is_empty() || !name.octets.iter().all(legal) {
        return Err(DecodeError::bad("bad header field name"));
    }
    let upper: String = name.octets.iter().map(|byte| char::from(byte.to_ascii_uppercase())).collect();
    if is_atom(upper.as_bytes()) {
        return Ok(upper);
    }
    Ok(format!("\"{}\"", upper.replace('\\', "\\\\").replace('"', "\\\"")))
}
