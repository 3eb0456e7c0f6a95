//! What stands between the name of a command that searches and its program (RFC 4731, RFC 5182, RFC 5256).

use super::{Charset, Grammar, Purpose};
use crate::decode::{DecodeError, Parsed, Scanner};
use pimap_types::limits::SORT_CRITERIA_MAX;
use pimap_types::search::{PartialRange, ReturnOptions, SearchKey, SortCriterion, SortKey, ThreadAlgorithm};

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
    let several = DecodeError::bad("one PARTIAL or one ALL");
    let word = scanner.atom("a result option")?.to_ascii_uppercase();
    *match word.as_str() {
        "MIN" => &mut options.min,
        "MAX" => &mut options.max,
        "ALL" if options.partial.is_some() => return Err(several),
        "ALL" => &mut options.all,
        "PARTIAL" if options.all || options.partial.is_some() => return Err(several),
        "PARTIAL" => {
            options.partial = Some(partial_range(scanner)?);
            return Ok(());
        }
        "COUNT" => &mut options.count,
        "SAVE" => &mut options.save,
        _ => return Err(DecodeError::bad("unknown result option")),
    } = true;
    Ok(())
}

/// `SP partial-range`: two numbers of one sign, and no `*` (RFC 9394 4).
pub(crate) fn partial_range(scanner: &mut Scanner<'_>) -> Parsed<PartialRange> {
    scanner.space()?;
    let from_end = scanner.accept(b'-');
    let first = scanner.nonzero_number()?;
    scanner.expect(b':', "a colon")?;
    if scanner.accept(b'-') != from_end {
        return Err(DecodeError::bad("both ends of a part are counted from the same end"));
    }
    Ok(PartialRange { first, last: scanner.nonzero_number()?, from_end })
}

/// `"(" sort-criterion *(SP sort-criterion) ")"`
pub(crate) fn sort_criteria(scanner: &mut Scanner<'_>) -> Parsed<Vec<SortCriterion>> {
    let mut count = 0;
    scanner.list(|scanner| {
        count += 1;
        if count > SORT_CRITERIA_MAX {
            return Err(DecodeError::bad("too many sort criteria"));
        }
        sort_criterion(scanner)
    })
}

/// `["REVERSE" SP] sort-key`
fn sort_criterion(scanner: &mut Scanner<'_>) -> Parsed<SortCriterion> {
    let mut word = scanner.atom("a sort criterion")?;
    let reverse = word.eq_ignore_ascii_case("REVERSE");
    if reverse {
        scanner.space()?;
        word = scanner.atom("a sort criterion")?;
    }
    let key = SortKey::ALL.into_iter().find(|key| key.as_str().eq_ignore_ascii_case(word));
    let key = key.ok_or(DecodeError::bad("unknown sort criterion"))?;
    Ok(SortCriterion { reverse, key })
}

/// `thread-alg`
pub(crate) fn thread_algorithm(scanner: &mut Scanner<'_>) -> Parsed<ThreadAlgorithm> {
    let word = scanner.atom("a threading algorithm")?;
    let known = ThreadAlgorithm::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(word));
    known.ok_or(DecodeError::bad("unknown threading algorithm"))
}

/// `SP charset SP search-key *(SP search-key)`: the charset in capitals, and the program.
pub(crate) fn charset_and_program(scanner: &mut Scanner<'_>) -> Parsed<(String, SearchKey)> {
    scanner.space()?;
    let charset = Charset::read(scanner)?;
    scanner.space()?;
    let program = Grammar::new(Purpose::Search, Some(charset)).keys(scanner, 0)?;
    Ok((charset.name().to_owned(), program))
}
