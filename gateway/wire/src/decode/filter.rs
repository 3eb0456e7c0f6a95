//! XFILTER GET and SET (P-IMAP 5.2.3, digest 11).

use super::{DecodeError, Parsed, Scanner};
use crate::search::{Charset, criteria_list};
use pimap_types::Command;
use pimap_types::limits::{FILTER_DESCRIPTION_BYTES_MAX, FILTER_NAME_BYTES_MAX};
use std::sync::Arc;

/// `SP (xf-get / xf-set)`
pub(super) fn filter(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    scanner.space()?;
    match scanner.atom("GET or SET")?.to_ascii_uppercase().as_str() {
        "GET" => get(scanner),
        "SET" => set(scanner),
        _ => Err(DecodeError::bad("expected GET or SET")),
    }
}

fn get(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    // What SET received is returned as it was; the charset is checked and has no other effect.
    let _ = charset(scanner)?;
    scanner.space()?;
    let name = filter_name(scanner)?;
    scanner.space()?;
    let what =
        scanner.list(|scanner| match scanner.atom("DESC or CRITERIA")?.to_ascii_uppercase().as_str() {
            "DESC" => Ok(true),
            "CRITERIA" => Ok(false),
            _ => Err(DecodeError::bad("expected DESC or CRITERIA")),
        })?;
    let (description, criteria) = (what.contains(&true), what.contains(&false));
    if what.len() != usize::from(description) + usize::from(criteria) {
        return Err(DecodeError::bad("DESC or CRITERIA named twice"));
    }
    Ok(Command::XfilterGet { name, description, criteria })
}

fn set(scanner: &mut Scanner<'_>) -> Parsed<Command> {
    let charset = charset(scanner)?;
    scanner.space()?;
    let name = filter_name(scanner)?;
    scanner.space()?;
    let description = scanner.string()?.into_owned();
    if description.len() > FILTER_DESCRIPTION_BYTES_MAX {
        return Err(DecodeError::no("description too long"));
    }
    scanner.space()?;
    let criteria = criteria_list(scanner, charset)?;
    Ok(Command::XfilterSet { name, description, criteria })
}

/// `[SP "CHARSET" SP astring]`. A filter may be named CHARSET: it is one where no charset can follow.
fn charset(scanner: &mut Scanner<'_>) -> Parsed<Option<Charset>> {
    let mut ahead = *scanner;
    ahead.space()?;
    let named = ahead.atom("").is_ok_and(|word| word.eq_ignore_ascii_case("CHARSET"));
    if !named || !ahead.accept(b' ') || ahead.peek() == Some(b'(') {
        return Ok(None);
    }
    *scanner = ahead;
    Charset::read(scanner).map(Some)
}

/// `filter-name`: an atom or a quoted string; the system's names ALL and NONE in capitals.
pub(super) fn filter_name(scanner: &mut Scanner<'_>) -> Parsed<Arc<str>> {
    let name = scanner.astring()?;
    let Some(name) = name.printable_ascii().filter(|name| !name.is_empty()) else {
        return Err(DecodeError::bad("a filter's name is printable ASCII"));
    };
    if name.len() > FILTER_NAME_BYTES_MAX {
        return Err(DecodeError::no("filter name too long"));
    }
    let system = ["ALL", "NONE"].into_iter().find(|system| system.eq_ignore_ascii_case(name));
    Ok(Arc::from(system.unwrap_or(name)))
}
