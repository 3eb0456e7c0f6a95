//! Message identifiers (RFC 5322 3.6.4) as THREAD compares them: without brackets, a quoted local part without its quotes
//! (RFC 5256 3: `<"01KF8JCEOCBS0045PS"@x>` and `<01KF8JCEOCBS0045PS@x>` are one), case and all else as written.

/// The identifiers of a header's text, in order. What is none is passed over.
pub(crate) fn identities(text: &[u8]) -> Vec<Box<[u8]>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'<', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some((identity, behind)) = identity(rest) {
            found.push(identity.into_boxed_slice());
            rest = behind;
        }
    }
    found
}

/// Reads `local@domain>`; white space within is not part of it, since headers are folded anywhere.
fn identity(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut identity, mut quoted, mut at_sign) = (Vec::new(), false, None);
    let mut rest = text;
    loop {
        let (octet, behind) = rest.split_first()?;
        rest = behind;
        match octet {
            b'\\' if quoted => {
                let (escaped, behind) = rest.split_first()?;
                identity.push(*escaped);
                rest = behind;
            }
            b'"' => quoted = !quoted,
            _ if quoted => identity.push(*octet),
            b'<' => return None,
            b'>' => break,
            b'@' if at_sign.is_none() => {
                at_sign = Some(identity.len());
                identity.push(b'@');
            }
            octet if octet.is_ascii_whitespace() => {}
            octet => identity.push(*octet),
        }
    }
    let at_sign = at_sign?;
    (at_sign > 0 && at_sign + 1 < identity.len()).then_some((identity, rest))
}

#[cfg(test)]
mod tests {
    use super::identities;
    use proptest::prelude::*;

    #[test]
    fn identifiers_are_found() {
        let found = |text: &str| {
            let found = identities(text.as_bytes());
            found.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("References: <a@b> (x) <c@\r\n d>,<e@f>"), "a@b c@d e@f");
        assert_eq!(found("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"), "01KF8JCEOCBS0045PS@xxx.yyy.com");
        assert_eq!(found("<\"a>\\\"b\"@c>"), "a>\"b@c");
        assert_eq!(found("your letter of <tuesday> <@x> <x@> <> <<a@b> <c@d"), "a@b");
        assert_eq!(found("Joe's message <A@b> of 1 May"), "A@b");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[<>@\"\\\\a ]{0,40}") {
            let _ = identities(text.as_bytes());
        }
    }
}
