//! IMAP URLs that name a message or a part of one (RFC 5092), as CATENATE takes them (RFC 4469 3).
//!
//! Goes in: what a handset wrote. Comes out: its parts, each checked; and the one spelling of them that may go upstream. Refuses URLs of
//! other servers, of other people, with an authorisation, and all that it does not know: what is not understood cannot be
//! checked against a view (F29).

use crate::decode::{Scanner, section};
use crate::utf7;
use pimap_types::limits::{MAILBOX_NAME_BYTES_MAX, URL_BYTES_MAX};
use pimap_types::{MailboxName, Uid, UidValidity};

/// What a URL names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageUrl {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// UIDVALIDITY, if it was written.
    pub uid_validity: Option<UidValidity>,
    /// The message.
    pub uid: Uid,
    /// The section, in the spelling of FETCH.
    pub section: Option<String>,
    /// Its first octet, and how many if not all.
    pub partial: Option<(u32, Option<u32>)>,
}

impl MessageUrl {
    /// Reads `/mailbox[;UIDVALIDITY=n]/;UID=n[/;SECTION=s][/;PARTIAL=o[.n]]`, relative or behind `imap://` without a server.
    pub fn parse(url: &str) -> Option<MessageUrl> {
        if url.len() > URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let path = match url.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("imap://") => url.get(7..)?,
            _ => url,
        };
        // Another slash would begin the name of a server.
        let path = path.strip_prefix('/').filter(|path| !path.starts_with('/'))?;
        let (mailbox, rest) = split_at_word(path, "/;UID=")?;
        let (mailbox, uid_validity) = match split_at_word(mailbox, ";UIDVALIDITY=") {
            Some((mailbox, number)) => (mailbox, Some(UidValidity::new(number_of(number)?)?)),
            None => (mailbox, None),
        };
        let (rest, partial) = match split_at_word(rest, "/;PARTIAL=") {
            Some((rest, range)) => (rest, Some(partial_of(range)?)),
            None => (rest, None),
        };
        let (uid, section) = match split_at_word(rest, "/;SECTION=") {
            Some((uid, section)) => (uid, Some(section_of(section)?)),
            None => (rest, None),
        };
        let uid = Uid::new(number_of(uid)?)?;
        if mailbox.contains([';', '?', '#']) {
            return None;
        }
        let name = utf7::encode(&percent_decoded(mailbox)?);
        let legal = !name.is_empty() && name.len() <= MAILBOX_NAME_BYTES_MAX;
        legal.then(|| MessageUrl { mailbox: MailboxName::new(&name), uid_validity, uid, section, partial })
    }

    /// The URL as it goes upstream.
    pub fn write(&self) -> String {
        let name = self.mailbox.as_str();
        let name = utf7::decode(name).unwrap_or_else(|| name.to_owned());
        let mut url = format!("/{}", percent_encoded(&name));
        if let Some(validity) = self.uid_validity {
            url.push_str(&format!(";UIDVALIDITY={validity}"));
        }
        url.push_str(&format!("/;UID={}", self.uid));
        if let Some(section) = &self.section {
            url.push_str(&format!("/;SECTION={}", percent_encoded(section)));
        }
        match self.partial {
            Some((origin, Some(octets))) => url.push_str(&format!("/;PARTIAL={origin}.{octets}")),
            Some((origin, None)) => url.push_str(&format!("/;PARTIAL={origin}")),
            None => {}
        }
        url
    }
}

/// Cuts at a word in any case; it may stand there once only.
fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let upper = text.to_ascii_uppercase();
    let at = upper.find(word)?;
    let rest = text.get(at + word.len()..)?;
    (!rest.to_ascii_uppercase().contains(word)).then_some((text.get(..at)?, rest))
}

fn number_of(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn partial_of(range: &str) -> Option<(u32, Option<u32>)> {
    match range.split_once('.') {
        Some((origin, octets)) => Some((number_of(origin)?, Some(number_of(octets).filter(|n| *n > 0)?))),
        None => Some((number_of(range)?, None)),
    }
}

fn section_of(text: &str) -> Option<String> {
    let text = percent_decoded(text)?;
    let mut scanner = Scanner::new(text.as_bytes());
    let read = section(&mut scanner).ok()?;
    (scanner.rest().is_empty() && !read.is_empty()).then_some(read)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (high, low) = (char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok().filter(|text| !text.chars().any(char::is_control))
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(url: &str) -> Option<String> {
        MessageUrl::parse(url).map(|url| url.write())
    }

    /// RFC 4469 3, example 1, and RFC 5092 8.
    #[test]
    fn urls_are_taken_apart_and_put_together() {
        let url = "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER";
        let read = MessageUrl::parse(url).expect("legal");
        assert_eq!(read.mailbox, MailboxName::new("Drafts"));
        assert_eq!((read.uid_validity, Some(read.uid)), (UidValidity::new(385_759_045), Uid::new(20)));
        assert_eq!(read.section.as_deref(), Some("HEADER"));
        assert_eq!(written(url).as_deref(), Some("/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER"));
        let parts = "imap:///INBOX/;uid=7/;section=1.2.mime/;partial=0.1024";
        assert_eq!(written(parts).as_deref(), Some("/INBOX/;UID=7/;SECTION=1.2.MIME/;PARTIAL=0.1024"));
        let name = MessageUrl::parse("/%E5%8F%B0%E5%8C%97/a%20b/;UID=1").expect("legal");
        assert_eq!(name.mailbox.as_str(), "&U,BTFw-/a b");
        assert_eq!(name.write(), "/%E5%8F%B0%E5%8C%97/a%20b/;UID=1");
        let fields = written("/x/;UID=1/;SECTION=HEADER.FIELDS%20(from)");
        assert_eq!(fields.as_deref(), Some("/x/;UID=1/;SECTION=HEADER.FIELDS%20%28FROM%29"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for url in [
            "",
            "/",
            "INBOX/;UID=1",
            "/;UID=1",
            "/INBOX",
            "/INBOX/;UID=0",
            "/INBOX/;UID=1:5",
            "/INBOX/;UID=*",
            "/INBOX/;UID=4294967296",
            "/INBOX/;UID=1/;UID=2",
            "/INBOX;UIDVALIDITY=0/;UID=1",
            "/INBOX;UIDVALIDITY=x/;UID=1",
            "/INBOX/;UID=1;URLAUTH=submit+joe:internal",
            "/INBOX/;UID=1/;SECTION=1]",
            "/INBOX/;UID=1/;SECTION=",
            "/INBOX/;UID=1/;SECTION=1/;PARTIAL=0.0",
            "/INBOX/;UID=1/;PARTIAL=x",
            "/INBOX%0D%0A/;UID=1",
            "/INBOX%FF/;UID=1",
            "/INBOX%4/;UID=1",
            "/IN;BOX/;UID=1",
            "//example.org/INBOX/;UID=1",
            "imap://example.org/INBOX/;UID=1",
            "imap://joe@example.org/INBOX/;UID=1",
            "http:///INBOX/;UID=1",
            "/IN BOX/;UID=1",
        ] {
            assert_eq!(MessageUrl::parse(url), None, "{url}");
        }
        assert_eq!(MessageUrl::parse(&format!("/{}/;UID=1", "x".repeat(5_000))), None);
    }
}
