//! OMA Email Notification, XML form (P-IMAP B.2, digest 17.1): one empty element that says "something pushed
//! happened".
//!
//! In: a mail address and the time of the event. Out: the text of a notice. Refuses folders, counts and
//! content, as the format does, and addresses that XML cannot carry. The WBXML form belongs to the channels
//! that need it.

use pimap_types::Timestamp;

/// A mail address in bytes; longer: no text, since RFC 5321 4.5.3.1 allows no such address.
pub const MAIL_ADDRESS_BYTES_MAX: usize = 320;

/// The first and last millisecond that `YYYY` can name.
const YEAR_0000: Timestamp = Timestamp(-62_167_219_200_000);
const YEAR_9999_END: Timestamp = Timestamp(253_402_300_799_999);

/// The EMN text, or `None` for an address that is empty, too long or not XML, and for a year that has not
/// four digits.
pub fn text(mail_address: &str, event_time: Timestamp) -> Option<String> {
    if mail_address.is_empty() || mail_address.len() > MAIL_ADDRESS_BYTES_MAX {
        return None;
    }
    if !(YEAR_0000..=YEAR_9999_END).contains(&event_time) {
        return None;
    }
    let mut out = String::with_capacity(80 + mail_address.len());
    out.push_str("<emn mailbox=\"mailat:");
    push_attribute(&mut out, mail_address)?;
    out.push_str("\" timestamp=\"");
    push_utc(&mut out, event_time);
    out.push_str("\"></emn>");
    Some(out)
}

/// Escapes what may not stand in an attribute between double quotes. Control characters are refused: XML 1.0
/// has no spelling for most, and would turn line ends into spaces.
fn push_attribute(out: &mut String, value: &str) -> Option<()> {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => return None,
            c if c.is_control() => return None,
            c => out.push(c),
        }
    }
    Some(())
}

/// `YYYY-MM-DDThh:mm:ssZ`, rounded down, so that times in order stay in order.
fn push_utc(out: &mut String, time: Timestamp) {
    let (year, month, day) = time.date(0).to_calendar();
    let second = time.0.div_euclid(1_000).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    out.push_str(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2004-02-20T06:40:00Z, the draft's example.
    const EXAMPLE: Timestamp = Timestamp(1_077_259_200_000);

    #[track_caller]
    fn check(address: &str, time: Timestamp, expect: &str) {
        assert_eq!(text(address, time).as_deref(), Some(expect));
    }

    #[test]
    fn the_example_of_the_draft() {
        check(
            "joe@foo.com",
            EXAMPLE,
            r#"<emn mailbox="mailat:joe@foo.com" timestamp="2004-02-20T06:40:00Z"></emn>"#,
        );
    }

    #[test]
    fn marks_of_xml_are_escaped() {
        check(
            r#""a&b<c>'"@foo.com"#,
            EXAMPLE.plus_ms(5_999),
            r#"<emn mailbox="mailat:&quot;a&amp;b&lt;c>'&quot;@foo.com" timestamp="2004-02-20T06:40:05Z"></emn>"#,
        );
    }

    #[test]
    fn times_before_1970_and_at_the_ends() {
        let of = |ms| {
            text("a@b", Timestamp(ms))
                .map(|t| t["<emn mailbox=\"mailat:a@b\" timestamp=\"".len()..][..20].to_owned())
        };
        assert_eq!(of(-1).as_deref(), Some("1969-12-31T23:59:59Z"));
        assert_eq!(of(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(of(YEAR_0000.0).as_deref(), Some("0000-01-01T00:00:00Z"));
        assert_eq!(of(YEAR_9999_END.0).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(of(YEAR_0000.0 - 1), None);
        assert_eq!(of(YEAR_9999_END.0 + 1), None);
        assert_eq!(of(i64::MIN), None);
        assert_eq!(of(i64::MAX), None);
    }

    #[test]
    fn addresses_that_xml_cannot_carry() {
        for address in ["", "a\r\nb@c", "a\0@c", "a\u{FFFE}@c", "a\u{85}@c"] {
            assert_eq!(text(address, EXAMPLE), None, "{address:?}");
        }
        assert!(text(&"a".repeat(MAIL_ADDRESS_BYTES_MAX), EXAMPLE).is_some());
        assert_eq!(text(&"a".repeat(MAIL_ADDRESS_BYTES_MAX + 1), EXAMPLE), None);
        assert!(text("jörg@example.org", EXAMPLE).is_some_and(|t| t.contains("mailat:jörg@")));
    }
}
