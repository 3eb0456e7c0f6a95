//! What is remembered of a message that passes by, to find it again: its Message-ID and its size (F45). Holds its header up to a
//! bound and nothing of its body.

use memchr::memmem;

/// Octets of a header that are looked at; a Message-ID further down is not found.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// A message that passes by.
#[derive(Default)]
pub(crate) struct Letter {
    header: Vec<u8>,
    whole: bool,
    size: u64,
}

impl Letter {
    /// Octets of the message.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.size = self.size.saturating_add(octets.len() as u64);
        if self.whole {
            return;
        }
        // The empty line may have been cut in two.
        let from = self.header.len().saturating_sub(3);
        let room = HEADER_BYTES_MAX.saturating_sub(self.header.len());
        self.header.extend_from_slice(octets.get(..room).unwrap_or(octets));
        let fresh = self.header.get(from..).unwrap_or_default();
        if let Some(end) = memmem::find(fresh, b"\r\n\r\n") {
            self.header.truncate(from + end + 2);
            self.whole = true;
        }
        self.whole |= self.header.len() >= HEADER_BYTES_MAX;
    }

    /// Its octets.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Its Message-ID with its angle brackets; nothing where there is none, or more than one, or one that could not be searched for.
    pub(crate) fn message_id(&self) -> Option<String> {
        let text = std::str::from_utf8(&self.header).ok()?.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut found = text.split("\r\n").filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim_end().eq_ignore_ascii_case("Message-ID").then(|| value.trim().to_owned())
        });
        let id = found.next().filter(|_| found.next().is_none())?;
        let inner = id.strip_prefix('<')?.strip_suffix('>')?;
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>');
        (!inner.is_empty() && inner.len() < 512 && inner.bytes().all(plain)).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(text: &str, piece: usize) -> Letter {
        let mut letter = Letter::default();
        text.as_bytes().chunks(piece).for_each(|octets| letter.push(octets));
        assert_eq!(letter.size(), text.len() as u64);
        letter
    }

    #[test]
    fn the_message_id_is_found_however_the_octets_come() {
        let text = "Subject: x\r\nMESSAGE-ID:\r\n <a.b@c>\r\n\r\nMessage-ID: <body@c>\r\n";
        for piece in 1..text.len() {
            assert_eq!(letter(text, piece).message_id().as_deref(), Some("<a.b@c>"), "{piece}");
        }
        assert_eq!(letter("Message-ID: <a@b>", 4).message_id().as_deref(), Some("<a@b>"));
    }

    #[test]
    fn what_cannot_be_searched_for_is_none() {
        for header in [
            "Subject: x",
            "Message-ID: a@b",
            "Message-ID: <>",
            "Message-ID: <a b>",
            "Message-ID: <a><b>",
            "Message-ID: <a@b>\r\nMessage-ID: <a@b>",
            "X-Message-ID: <a@b>",
            "Message-ID: <a\u{e9}@b>",
        ] {
            assert_eq!(letter(&format!("{header}\r\n\r\n"), 7).message_id(), None, "{header}");
        }
        let far = format!("X: {}\r\nMessage-ID: <a@b>\r\n\r\n", "x".repeat(70_000));
        assert_eq!(letter(&far, 1_000).message_id(), None);
        assert!(letter(&far, 1_000).header.len() <= HEADER_BYTES_MAX);
    }
}
