//! What stands between a search command's name and its program (RFC 4731, RFC 5182).

use crate::decode::{DecodeError, Parsed, Scanner};
use pimap_types::search::ReturnOptions;

/// `["RETURN" SP "(" [option *(SP option)] ")" SP]`; repetition says nothing new.
pub(crate) fn return_options(scanner: &mut Scanner<'_>) -> Parsed<Option<ReturnOptions>> {
    let mut ahead = *scanner;
    if !ahead.atom("").is_ok_and(|word| word.eq_ignore_ascii_case("RETURN")) {
        return Ok(None);
    }
    ahead.space()?;
    let mut options = ReturnOptions::default();
    if ahead.rest().starts_with(b"()") {
        ahead.take(2);
        options.all = true;
    } else {
        ahead.list(|scanner| option(&mut options, scanner))?;
    }
    ahead.space()?;
    *scanner = ahead;
    Ok(Some(options))
}

fn option(options: &mut ReturnOptions, scanner: &mut Scanner<'_>) -> Parsed<()> {
    let word = scanner.atom("a result option")?.to_ascii_uppercase();
    *match word.as_str() {
        "MIN" => &mut options.min,
        "MAX" => &mut options.max,
        "ALL" => &mut options.all,
        "COUNT" => &mut options.count,
        "SAVE" => &mut options.save,
        _ => return Err(DecodeError::bad("unknown result option")),
    } = true;
    Ok(())
}
