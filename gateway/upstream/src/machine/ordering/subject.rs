//! The base subject (RFC 5256 2.1): a subject without what replies and forwards put around it.

use super::words::decoded;

/// What remains of a subject.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct BaseSubject {
    pub(crate) text: String,
    /// Something was taken away that says so: `Re:`, `Fwd:`, `(fwd)`, `[fwd: …]`.
    pub(crate) reply_or_forward: bool,
}

impl BaseSubject {
    /// Of a header's text, not decoded.
    pub(crate) fn of(header: &[u8]) -> BaseSubject {
        let subject = one_spaced(&decoded(header));
        let (mut text, mut reply_or_forward) = (subject.as_str(), false);
        loop {
            // (2)
            loop {
                text = text.trim_end_matches(' ');
                let Some(shorter) = without_end(text, "(fwd)") else { break };
                (text, reply_or_forward) = (shorter, true);
            }
            // (3) to (5)
            loop {
                text = text.trim_start_matches(' ');
                let Some(shorter) = without_leader(text) else { break };
                (text, reply_or_forward) = (shorter, true);
            }
            // No leader stands behind the blobs that are left, so they go at once.
            while let Some(shorter) = without_blob(text).filter(|rest| !rest.is_empty()) {
                text = shorter;
            }
            // (6)
            let inner = without_beginning(text, "[fwd:").and_then(|text| without_end(text, "]"));
            let Some(inner) = inner else { break };
            (text, reply_or_forward) = (inner, true);
        }
        BaseSubject { text: text.to_owned(), reply_or_forward }
    }
}

/// (1) Tabs and continuations are spaces, and several spaces one.
fn one_spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' | '\n' => {}
            ' ' | '\t' if spaced.ends_with(' ') => {}
            ' ' | '\t' => spaced.push(' '),
            other => spaced.push(other),
        }
    }
    spaced
}

/// `subj-refwd` with the blobs before it: `[list] Re [2]: `.
fn without_leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(behind) = without_blob(rest) {
        rest = behind;
    }
    let rest = ["re", "fwd", "fw"].iter().find_map(|word| without_beginning(rest, word))?;
    let rest = rest.trim_start_matches(' ');
    without_blob(rest).unwrap_or(rest).strip_prefix(':')
}

/// `subj-blob`: `[list] `, without a bracket in it.
fn without_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    Some(inner.get(end..)?.strip_prefix(']')?.trim_start_matches(' '))
}

fn without_beginning<'a>(text: &'a str, beginning: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(beginning.len())?;
    head.eq_ignore_ascii_case(beginning).then_some(rest)
}

fn without_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    tail.eq_ignore_ascii_case(end).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::BaseSubject;
    use proptest::prelude::*;

    /// RFC 5256 2.1 and 5.
    #[test]
    fn what_replies_and_forwards_add_is_taken_away() {
        for (subject, base, reply_or_forward) in [
            ("hello", "hello", false),
            ("  hello \t  world\r\n  again ", "hello world again", false),
            ("Re: hello", "hello", true),
            ("re:RE : Fw:FWD [2]: hello", "hello", true),
            ("[list] hello", "hello", false),
            ("[list] Re: [other] hello (fwd) (FWD)", "hello", true),
            ("[a][b] re[3]: [c] hello", "hello", true),
            ("[list]", "[list]", false),
            ("Re: [list]", "[list]", true),
            ("[a] [b]", "[b]", false),
            ("[fwd: hello]", "hello", true),
            ("[FWD: [fwd: re: hello] (fwd)]", "hello", true),
            // A blob with a blob in it is none.
            ("[x[y] hello", "[x[y] hello", false),
            ("reply", "reply", false),
            ("Re hello", "Re hello", false),
            ("Re: ", "", true),
            ("(fwd)", "", true),
            ("=?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?=", "Grüße", true),
            ("=?utf-8?q?[l]?= =?utf-8?q?_x?=", "x", false),
            ("", "", false),
        ] {
            let found = BaseSubject::of(subject.as_bytes());
            assert_eq!((found.text.as_str(), found.reply_or_forward), (base, reply_or_forward), "{subject}");
        }
    }

    /// A subject may be as long as a header: what is taken away is passed over, not copied.
    #[test]
    fn long_ones_end() {
        let mut long = "Re: ".repeat(100_000);
        assert_eq!(BaseSubject::of(long.as_bytes()).text, "");
        long = "[]".repeat(100_000) + "x";
        assert_eq!(BaseSubject::of(long.as_bytes()).text, "x");
        long = "[fwd:".repeat(50_000) + &"]".repeat(50_000);
        assert_eq!(BaseSubject::of(long.as_bytes()).text, "");
    }

    proptest! {
        /// The base subject of a base subject is itself.
        #[test]
        fn nothing_is_left_to_take_away(subject in "(\\[[a-c]{0,2}\\] ?|[Rr]e: ?|fwd?: |\\(fwd\\)|\\[fwd:|\\]|x|ü| ){0,12}") {
            let base = BaseSubject::of(subject.as_bytes());
            let again = BaseSubject::of(base.text.as_bytes());
            prop_assert_eq!(&again.text, &base.text);
            prop_assert!(!again.reply_or_forward);
        }
    }
}
