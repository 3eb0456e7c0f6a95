//! The sent date (RFC 5256 2.2): a Date header (RFC 5322 3.3 and 4.3) as a moment. A zone that is none is Greenwich, a time that is none
//! midnight; without a day there is no date.

use pimap_types::{Date, Timestamp};

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Hours west of Greenwich by name (RFC 5322 4.3); all other names mean nothing.
const ZONES: [(&[u8], i64); 8] =
    [(b"EDT", 4), (b"EST", 5), (b"CDT", 5), (b"CST", 6), (b"MDT", 6), (b"MST", 7), (b"PDT", 7), (b"PST", 8)];

/// The moment that a Date header names.
pub(crate) fn sent(header: &[u8]) -> Option<Timestamp> {
    let plain = without_comments(header);
    let mut words = plain
        .split(|octet| octet.is_ascii_whitespace() || *octet == b',')
        .filter(|word| !word.is_empty())
        .peekable();
    // The day of the week.
    let _ = words.next_if(|word| word.iter().all(u8::is_ascii_alphabetic));
    let day = number(words.next()?, 2)?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    let written = words.next()?;
    let year = match (written.len(), number(written, 4)?) {
        (2, year @ 0..=49) => year + 2000,
        (2 | 3, year) => year + 1900,
        (4, year) => year,
        _ => return None,
    };
    let day = Date::from_calendar(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()? + 1,
        u32::try_from(day).ok()?,
    )?;
    // `10 : 00` with spaces is allowed, and nobody writes it.
    let seconds = words.next().and_then(time).map_or(0, |time| time - words.next().map_or(0, zone));
    Some(Timestamp((i64::from(day.0) * 86_400 + seconds) * 1_000))
}

/// `10:00:00` or `10:00` in seconds.
fn time(word: &[u8]) -> Option<i64> {
    let mut parts = word.split(|octet| *octet == b':').map(|part| number(part, 2));
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let is_time = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    is_time.then_some((hour * 60 + minute) * 60 + second)
}

/// Seconds east of Greenwich.
fn zone(word: &[u8]) -> i64 {
    let offset = |digits: &[u8]| {
        let digits = number(digits, 4).filter(|_| digits.len() == 4)?;
        Some((digits / 100 * 60 + digits % 100) * 60)
    };
    match word {
        [b'+', digits @ ..] => offset(digits).unwrap_or(0),
        [b'-', digits @ ..] => -offset(digits).unwrap_or(0),
        name => {
            let west = ZONES.iter().find(|(zone, _)| zone.eq_ignore_ascii_case(name));
            west.map_or(0, |(_, hours)| -hours * 3_600)
        }
    }
}

fn number(word: &[u8], digits_max: usize) -> Option<i64> {
    let is_number = !word.is_empty() && word.len() <= digits_max && word.iter().all(u8::is_ascii_digit);
    is_number.then(|| word.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

fn without_comments(header: &[u8]) -> Vec<u8> {
    let (mut depth, mut escaped) = (0_u32, false);
    let mut plain = Vec::with_capacity(header.len());
    for octet in header {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => {
                depth = depth.saturating_add(1);
                plain.push(b' ');
            }
            b')' => depth = depth.saturating_sub(1),
            other if depth == 0 => plain.push(*other),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::sent;
    use pimap_types::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn dates_are_moments() {
        let at = |text: &str| sent(text.as_bytes()).map(|Timestamp(at)| at / 1_000);
        // RFC 5256 2.2
        assert_eq!(at("31 Dec 2000 16:01:33 -0800"), at("1 Jan 2001 00:01:33 +0000"));
        assert_eq!(at("Fri, 21 Nov 1997 09:55:06 -0600"), Some(880_127_706));
        for (written, meant) in [
            ("Fri, 21 Nov 97 09(comment (nested\\)) x):55:06 (CST) -0600", "21 Nov 1997 00:00:00 +0000"),
            ("Fri,21 Nov 97 09:55:06 CST (a (b) \\) c)", "21 Nov 1997 15:55:06 +0000"),
            ("21 nov 097 9:55 Z", "21 Nov 1997 09:55:00 +0000"),
            ("1 Jan 49 00:00 pdt", "1 Jan 2049 07:00:00 +0000"),
            // A zone, a time that are none.
            ("21 Nov 1997 09:55:06 somewhere", "21 Nov 1997 09:55:06 +0000"),
            ("21 Nov 1997 09:55:06 +1", "21 Nov 1997 09:55:06 +0000"),
            ("21 Nov 1997 09:55:06", "21 Nov 1997 09:55:06 +0000"),
            ("21 Nov 1997 25:00:00 +0100", "21 Nov 1997 00:00:00 +0000"),
            ("21 Nov 1997", "21 Nov 1997 00:00:00 +0000"),
        ] {
            assert_eq!(at(written), at(meant), "{written}");
            assert!(at(written).is_some());
        }
        for none in [
            "",
            "Fri",
            "31 Feb 2000 00:00:00 +0000",
            "0 Jan 2000",
            "1 Foo 2000",
            "1 Jan 20000",
            "1 Jan 2",
            "tomorrow at ten",
            "(1 Jan 2000)",
        ] {
            assert_eq!(at(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[0-9A-Za-z:+(),\\\\ -]{0,40}", raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (sent(text.as_bytes()), sent(&raw));
        }
    }
}
