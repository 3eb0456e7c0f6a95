//! What a FETCH for sorting and threading tells about a message (RFC 5256): INTERNALDATE, RFC822.SIZE, what of the ENVELOPE
//! (RFC 3501 7.4.2) gives an order, and the References header. In: the item list of one response, held whole, its literals in place.
//! Out: values, texts as the header has them. What is not there, or NIL, is empty; what is no item list is refused.

use super::cursor::Cursor;
use super::fetch::{Fact, fact};
use pimap_types::Timestamp;

/// What gives a message its place among others. Anything may be missing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Described {
    /// INTERNALDATE; of a server that tells no time the beginning of the day.
    pub received: Option<Timestamp>,
    /// RFC822.SIZE
    pub size: Option<u32>,
    /// ENVELOPE
    pub envelope: Envelope,
    /// The octets of `BODY[HEADER.FIELDS (REFERENCES)]`, the field's name and the empty line included.
    pub references: Vec<u8>,
}

/// An envelope, as far as it gives an order: texts as in the header, not decoded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Envelope {
    /// Date
    pub date: Vec<u8>,
    /// Subject
    pub subject: Vec<u8>,
    /// The first address of From
    pub from: Option<Address>,
    /// The first address of To
    pub to: Option<Address>,
    /// The first address of Cc
    pub cc: Option<Address>,
    /// In-Reply-To
    pub in_reply_to: Vec<u8>,
    /// Message-ID
    pub message_id: Vec<u8>,
}

/// An address; the beginning of a group has the group's name as its mailbox and no host (RFC 3501 7.4.2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Address {
    /// The display name
    pub name: Vec<u8>,
    /// The local part
    pub mailbox: Vec<u8>,
    /// The domain
    pub host: Vec<u8>,
}

/// Reads the items between the parentheses of a FETCH.
pub fn described(items: &[u8]) -> Option<Described> {
    let mut described = Described::default();
    let mut cursor = Cursor::new(items);
    loop {
        while cursor.eat(b' ').is_some() {}
        if cursor.is_done() {
            return Some(described);
        }
        let item = cursor.rest();
        let name = cursor.item_name()?.to_ascii_uppercase();
        cursor.space()?;
        match name.as_slice() {
            b"ENVELOPE" => described.envelope = envelope(&mut cursor)?,
            name if name.starts_with(b"BODY[HEADER") => described.references = nstring(&mut cursor)?,
            _ => {
                cursor.skip_value()?;
                let item = item.get(..item.len() - cursor.rest().len())?;
                match fact(item) {
                    Some(Fact::InternalDate(day, received)) => {
                        let beginning = Timestamp(i64::from(day.0) * 86_400_000);
                        described.received = Some(received.unwrap_or(beginning));
                    }
                    Some(Fact::Size(size)) => described.size = Some(size),
                    _ => {}
                }
            }
        }
    }
}

fn envelope(cursor: &mut Cursor<'_>) -> Option<Envelope> {
    cursor.eat(b'(')?;
    let date = nstring(cursor)?;
    let subject = next(cursor, nstring)?;
    let from = next(cursor, first_address)?;
    next(cursor, Cursor::skip_value)?; // Sender
    next(cursor, Cursor::skip_value)?; // Reply-To
    let to = next(cursor, first_address)?;
    let cc = next(cursor, first_address)?;
    next(cursor, Cursor::skip_value)?; // Bcc
    let in_reply_to = next(cursor, nstring)?;
    let message_id = next(cursor, nstring)?;
    while cursor.eat(b' ').is_some() {}
    cursor.eat(b')')?;
    Some(Envelope { date, subject, from, to, cc, in_reply_to, message_id })
}

fn next<'a, T>(cursor: &mut Cursor<'a>, value: impl FnOnce(&mut Cursor<'a>) -> Option<T>) -> Option<T> {
    cursor.space()?;
    value(cursor)
}

/// A string; NIL is an empty one.
fn nstring(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    match cursor.keyword("NIL") {
        Some(()) => Some(Vec::new()),
        None => cursor.string().map(|text| text.into_owned()),
    }
}

/// The first address of a list, the others passed over.
fn first_address(cursor: &mut Cursor<'_>) -> Option<Option<Address>> {
    if cursor.keyword("NIL").is_some() {
        return Some(None);
    }
    let mut first = *cursor;
    cursor.skip_value()?;
    first.eat(b'(')?;
    while first.eat(b' ').is_some() {}
    if first.eat(b')').is_some() {
        return Some(None);
    }
    first.eat(b'(')?;
    let name = nstring(&mut first)?;
    next(&mut first, nstring)?; // The route
    let mailbox = next(&mut first, nstring)?;
    let host = next(&mut first, nstring)?;
    Some(Some(Address { name, mailbox, host }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of RFC 3501 7.4.2, with a literal and a group added.
    #[test]
    fn an_envelope_is_read() {
        let items = b"ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" {7}\r\nIMAP4\\\" \
            ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")(NIL NIL \"x\" NIL)) \
            ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) NIL ((NIL NIL \"imap\" NIL)(NIL NIL NIL NIL)) NIL \
            ((NIL NIL NIL NIL)) NIL \"<B27397-0100000@cac.washington.edu>\") RFC822.SIZE 44 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" \
            BODY[HEADER.FIELDS (\"References\")] {21}\r\nReferences: <a@b>\r\n\r\n UID 7";
        let told = described(items).expect("is an item list");
        assert_eq!(told.size, Some(44));
        assert_eq!(told.received, Some(Timestamp(837_596_665_000)));
        assert_eq!(told.references, b"References: <a@b>\r\n\r\n");
        let envelope = told.envelope;
        assert_eq!(envelope.date, b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)");
        assert_eq!(envelope.subject, b"IMAP4\\\"");
        assert_eq!(envelope.message_id, b"<B27397-0100000@cac.washington.edu>");
        let from = envelope.from.expect("there is one");
        assert_eq!((&from.name[..], &from.mailbox[..]), (&b"Terry Gray"[..], &b"gray"[..]));
        assert_eq!(envelope.to.expect("a group").mailbox, b"imap");
        assert_eq!((envelope.cc, envelope.in_reply_to), (None, Vec::new()));
    }

    #[test]
    fn what_is_missing_is_empty_and_what_is_broken_refused() {
        let empty = b"ENVELOPE (NIL NIL NIL NIL NIL () NIL NIL NIL NIL)";
        assert_eq!(described(empty), Some(Described::default()));
        assert_eq!(described(b""), Some(Described::default()));
        for broken in [
            &b"ENVELOPE (NIL"[..],
            b"ENVELOPE NIL",
            b"ENVELOPE (NIL NIL NIL NIL NIL ((NIL)) NIL NIL NIL NIL)",
            b"RFC822.SIZE",
            b"BODY[HEADER.FIELDS (REFERENCES) {3}\r\nabc",
            b"BODY[HEADER.FIELDS (REFERENCES)] {9}\r\nabc",
        ] {
            assert_eq!(described(broken), None, "{}", String::from_utf8_lossy(broken));
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(items in "(ENVELOPE )?[\\PC ()\"\\[\\]{}0-9\r\n]{0,80}") {
            let _ = described(items.as_bytes());
        }
    }
}
