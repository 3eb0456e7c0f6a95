//! Which user names are taken at all (F51).

use pimap_types::limits::MAILBOX_NAME_BYTES_MAX;

/// Whether a name has nothing in it that could mean something else upstream: no control character, none of the
/// wildcards `*` and `%`, and not what separates a user from a master user (F42).
pub fn is_plain(name: &str, separator: Option<char>) -> bool {
    let foreign = |c: char| c.is_control() || matches!(c, '*' | '%') || Some(c) == separator;
    !name.is_empty() && name.len() <= MAILBOX_NAME_BYTES_MAX && !name.contains(foreign)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_that_could_mean_more_are_refused() {
        for name in ["", "joe*master", "joe%", "*", "joe\r\n", "joe\0", "jo\u{85}e"] {
            assert!(!is_plain(name, None), "{name:?}");
        }
        for name in ["joe", "Joe.B+tag", "jörg", "a b"] {
            assert!(is_plain(name, None), "{name:?}");
        }
        assert!(!is_plain("joe+gate", Some('+')));
    }
}
