//! Encoded words (RFC 2047, RFC 2231 5) in a header's text. Neighbours of one charset are put together before they are read, since
//! mailers cut characters in two. What cannot be decoded stays as it is written.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::Encoding;

/// Mailers leave the padding out, or cut a word where bits remain.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The text that is meant.
pub(crate) fn decoded(header: &[u8]) -> String {
    let mut text = String::with_capacity(header.len());
    // Octets of encoded words that stand together, and their charset.
    let mut open: Option<(&'static Encoding, Vec<u8>)> = None;
    let mut rest = header;
    while let Some(at) = find(rest, b"=?") {
        let (before, from) = rest.split_at(at);
        let Some(word) = Word::at(from) else {
            close(&mut open, &mut text);
            text.push_str(&String::from_utf8_lossy(before));
            text.push_str("=?");
            rest = from.get(2..).unwrap_or_default();
            continue;
        };
        // White space between two encoded words is not shown (RFC 2047 6.2).
        let together = open.is_some() && before.iter().all(u8::is_ascii_whitespace);
        if !together || open.as_ref().is_some_and(|(encoding, _)| *encoding != word.encoding) {
            close(&mut open, &mut text);
        }
        if !together {
            text.push_str(&String::from_utf8_lossy(before));
        }
        open.get_or_insert_with(|| (word.encoding, Vec::new())).1.extend(word.octets);
        rest = word.rest;
    }
    close(&mut open, &mut text);
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

fn close(open: &mut Option<(&'static Encoding, Vec<u8>)>, text: &mut String) {
    if let Some((encoding, octets)) = open.take() {
        text.push_str(&encoding.decode_without_bom_handling(&octets).0);
    }
}

/// An encoded word whose charset is known.
struct Word<'a> {
    encoding: &'static Encoding,
    octets: Vec<u8>,
    /// What follows it.
    rest: &'a [u8],
}

impl<'a> Word<'a> {
    /// Reads `=?charset?B?text?=` at the beginning.
    fn at(octets: &'a [u8]) -> Option<Word<'a>> {
        let (charset, rest) = until(octets.strip_prefix(b"=?")?, b"?")?;
        let (method, rest) = until(rest, b"?")?;
        let (text, rest) = until(rest, b"?=")?;
        // `=?charset*language?` (RFC 2231 5)
        let charset = charset.split(|octet| *octet == b'*').next()?;
        let encoding = Encoding::for_label(charset)?;
        let octets = match method {
            b"B" | b"b" => {
                let text: Vec<u8> =
                    text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
                LENIENT.decode(text).ok()?
            }
            b"Q" | b"q" => quoted_printable(text),
            _ => return None,
        };
        Some(Word { encoding, octets, rest })
    }
}

/// The "Q" encoding (RFC 2047 4.2); an `=` without its digits stands for itself.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let code = behind.get(..2).and_then(|digits| {
            let text =
                std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
            u8::from_str_radix(text, 16).ok()
        });
        match (first, code) {
            (b'=', Some(octet)) => {
                octets.push(octet);
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'_', _) => octets.push(b' '),
            (other, _) => octets.push(*other),
        }
    }
    octets
}

fn until<'a>(octets: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(octets, end)?;
    Some((octets.get(..at)?, octets.get(at + end.len()..)?))
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(octets, wanted)
}

#[cfg(test)]
mod tests {
    use super::decoded;
    use proptest::prelude::*;

    /// RFC 2047 8, and what mailers write.
    #[test]
    fn encoded_words_are_read() {
        for (written, meant) in [
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  \r\n =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("x =?utf-8?b?R3LDvMOfZQ==?= y", "x Grüße y"),
            ("=?UTF-8*de?B?R3LDvMOfZQ?=", "Grüße"),
            // One character in two words.
            ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
            ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
            ("=?koi8-r?Q?=F0=D2=C9?=", "При"),
            ("=?utf-8?q?=4?=", "=4"),
            ("=?no-such?Q?a?=", "=?no-such?Q?a?="),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?utf-8?B?%%%?=", "=?utf-8?B?%%%?="),
            ("=?utf-8?Q?a", "=?utf-8?Q?a"),
            ("=?", "=?"),
            ("=?=?utf-8?q?a?=", "=?a"),
        ] {
            assert_eq!(decoded(written.as_bytes()), meant, "{written}");
        }
        assert_eq!(decoded(b"\xFF"), "\u{FFFD}");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[=?BQbq_ a-z0-9\\-]{0,60}", raw in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (decoded(text.as_bytes()), decoded(&raw));
        }
    }
}
