//! Modified UTF-7 (RFC 3501 5.1.3): mailbox names as IMAP4rev1 writes them, and as people read them.

/// The alphabet of modified base64: `,` instead of `/`.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// A name in modified UTF-7.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut units: Vec<u16> = Vec::new();
    for character in name.chars() {
        if (' '..='~').contains(&character) {
            shift_out(&mut units, &mut out);
            out.push(character);
            if character == '&' {
                out.push('-');
            }
        } else {
            units.extend_from_slice(character.encode_utf16(&mut [0; 2]));
        }
    }
    shift_out(&mut units, &mut out);
    out
}

/// Writes what was gathered as `&base64-`.
fn shift_out(units: &mut Vec<u16>, out: &mut String) {
    if units.is_empty() {
        return;
    }
    out.push('&');
    let (mut bits, mut held) = (0_u32, 0_u32);
    for unit in units.drain(..) {
        bits = (bits << 16) | u32::from(unit);
        held += 16;
        while held >= 6 {
            held -= 6;
            push_digit(bits >> held, out);
            bits &= (1 << held) - 1;
        }
    }
    if held > 0 {
        push_digit(bits << (6 - held), out);
    }
    out.push('-');
}

fn push_digit(value: u32, out: &mut String) {
    if let Some(digit) = ALPHABET.get((value & 63) as usize) {
        out.push(char::from(*digit));
    }
}

/// The name that modified UTF-7 stands for; nothing where it is none, or another spelling than [`encode`] would give: two
/// spellings of one name would be two mailboxes.
pub fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (plain, shifted) = (rest.get(..at)?, rest.get(at + 1..)?);
        out.push_str(plain);
        let end = shifted.find('-')?;
        let digits = shifted.get(..end)?;
        if digits.is_empty() {
            out.push('&');
        } else {
            out.push_str(&String::from_utf16(&units_of(digits)?).ok()?);
        }
        rest = shifted.get(end + 1..)?;
    }
    out.push_str(rest);
    (encode(&out) == text).then_some(out)
}

fn units_of(digits: &str) -> Option<Vec<u16>> {
    let (mut units, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|known| *known == digit)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push(u16::try_from(bits >> held).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 3501 5.1.3.
    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(encode("~peter/mail/台北/日本語"), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        assert_eq!(decode("~peter/mail/&U,BTFw-/&ZeVnLIqe-").as_deref(), Some("~peter/mail/台北/日本語"));
        assert_eq!((encode("R&D"), decode("R&-D").as_deref()), ("R&-D".to_owned(), Some("R&D")));
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["&", "&U,BTFw", "&AGE-", "&U,BTFw-&ZeVnLIqe-", "&Jjo!", "&2AA-", "&J-", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(name in "\\PC{0,20}") {
            prop_assert_eq!(decode(&encode(&name)), Some(name));
        }

        #[test]
        fn garbage_never_panics(text in "[&A-Za-z,+-]{0,20}") {
            let _ = decode(&text);
        }
    }
}
