//! Takes one `* n FETCH (…)` response apart while it streams by.
//!
//! In: the pieces of the response in order. Out: [`FetchPart`]s: items that the gateway understands, each whole with its
//! octets; other items in slices of the very octets that came, literals included, so that they can be passed on unchanged
//! (law 5). Holds nothing but its place in the grammar: no octet stays behind, and nesting is a counter.

use super::Malformed;
use super::code::mod_seq;
use super::cursor::Cursor;
use super::response::{FetchFacts, flags_of};
use bytes::Bytes;
use pimap_types::number::{ModSeq, Uid};
use pimap_types::{Date, Flags, Timestamp};

/// A part of a FETCH response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FetchPart {
    /// A whole item that the gateway understands, and its octets (`RFC822.SIZE 44`).
    Item(Fact, Bytes),
    /// Octets of an item that is only passed on.
    Other {
        /// The octets.
        octets: Bytes,
        /// Whether the item begins here.
        begins: bool,
    },
    /// The closing parenthesis.
    End,
}

/// An understood item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// UID
    Uid(Uid),
    /// FLAGS without `\Recent`
    Flags(Flags),
    /// MODSEQ
    ModSeq(ModSeq),
    /// The day of INTERNALDATE, and the moment that it means
    InternalDate(Date, Option<Timestamp>),
    /// RFC822.SIZE
    Size(u32),
}

impl FetchFacts {
    /// Adds a fact; of repeated ones the last holds.
    pub fn add(&mut self, fact: Fact) {
        match fact {
            Fact::Uid(uid) => self.uid = Some(uid),
            Fact::Flags(flags) => self.flags = Some(flags),
            Fact::ModSeq(mod_seq) => self.mod_seq = Some(mod_seq),
            Fact::InternalDate(date, received) => {
                (self.internal_date, self.received) = (Some(date), received);
            }
            Fact::Size(size) => self.size = Some(size),
        }
    }
}

/// Where in the item list the scanner stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Between items.
    Between,
    /// In an item's name; `section` between its brackets, where spaces and parentheses belong to the name.
    Name { section: bool },
    /// In an item's value, at this depth of parentheses.
    Value { depth: u32 },
    /// Past the closing parenthesis.
    Done,
}

/// The scanner of one FETCH response.
#[derive(Clone, Debug)]
pub struct FetchScanner {
    place: Place,
    quoted: bool,
    escaped: bool,
    /// The current item began in an earlier line part.
    continued: bool,
}

impl FetchScanner {
    /// Looks whether a response's first line begins a FETCH; if so, gives a scanner and what follows the parenthesis.
    pub fn begin(line: &Bytes) -> Option<(FetchScanner, Bytes)> {
        let mut cursor = Cursor::new(line);
        cursor.eat(b'*')?;
        cursor.space()?;
        cursor.number()?;
        cursor.space()?;
        cursor.keyword("FETCH")?;
        cursor.space()?;
        cursor.eat(b'(')?;
        let rest = line.slice(line.len() - cursor.rest().len()..);
        let scanner = FetchScanner { place: Place::Between, quoted: false, escaped: false, continued: false };
        Some((scanner, rest))
    }

    /// Takes a line part in; `literal` says whether a literal follows (then the CRLF is among the octets).
    pub fn on_line(
        &mut self,
        text: &Bytes,
        literal: bool,
        out: &mut Vec<FetchPart>,
    ) -> Result<(), Malformed> {
        let mut start = 0;
        for (at, octet) in text.iter().enumerate() {
            if literal && at + 2 >= text.len() {
                break;
            }
            if self.quoted {
                match octet {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.quoted = false,
                    _ => {}
                }
                continue;
            }
            match (self.place, octet) {
                (Place::Between, b' ') => {}
                (Place::Between, b')') => self.close(out),
                (Place::Between, b'(' | b'"') => return Err(Malformed),
                (Place::Between, _) => {
                    start = at;
                    self.place = Place::Name { section: false };
                }
                (Place::Name { section: true }, b'"') | (Place::Value { .. }, b'"') => self.quoted = true,
                (Place::Name { section: false }, b'[') => self.place = Place::Name { section: true },
                (Place::Name { section: true }, b']') => self.place = Place::Name { section: false },
                (Place::Name { section: false }, b' ') => self.place = Place::Value { depth: 0 },
                (Place::Name { section: false }, b'(' | b')' | b'"') => return Err(Malformed),
                (Place::Value { depth }, b'(') => {
                    self.place = Place::Value { depth: depth.saturating_add(1) }
                }
                (Place::Value { depth: 0 }, b')') => {
                    self.finish(text.slice(start..at), out)?;
                    self.close(out);
                }
                (Place::Value { depth: 0 }, b' ') => {
                    self.finish(text.slice(start..at), out)?;
                    self.place = Place::Between;
                }
                (Place::Value { depth }, b')') => self.place = Place::Value { depth: depth - 1 },
                (Place::Done, _) => return Err(Malformed),
                (Place::Name { .. } | Place::Value { .. }, _) => {}
            }
        }
        self.end_of_line(text.slice(start..), literal, out)
    }

    /// Takes octets of a literal in.
    pub fn on_literal(&mut self, octets: Bytes, out: &mut Vec<FetchPart>) {
        out.push(FetchPart::Other { octets, begins: false });
    }

    /// Whether the response is whole.
    pub fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    fn close(&mut self, out: &mut Vec<FetchPart>) {
        self.place = Place::Done;
        out.push(FetchPart::End);
    }

    fn end_of_line(&mut self, rest: Bytes, literal: bool, out: &mut Vec<FetchPart>) -> Result<(), Malformed> {
        let inside =
            matches!(self.place, Place::Value { .. } | Place::Name { section: true }) && !self.quoted;
        match (literal, inside) {
            (true, true) => {
                if !self.continued && is_understood(&rest) {
                    return Err(Malformed);
                }
                out.push(FetchPart::Other { octets: rest, begins: !self.continued });
                self.continued = true;
                Ok(())
            }
            (false, _) if self.place == Place::Done => Ok(()),
            _ => Err(Malformed),
        }
    }

    fn finish(&mut self, octets: Bytes, out: &mut Vec<FetchPart>) -> Result<(), Malformed> {
        let begins = !std::mem::take(&mut self.continued);
        if begins && is_understood(&octets) {
            out.push(FetchPart::Item(fact(&octets).ok_or(Malformed)?, octets));
        } else {
            out.push(FetchPart::Other { octets, begins });
        }
        Ok(())
    }
}

fn is_understood(item: &[u8]) -> bool {
    let name = item.split(|b| *b == b' ').next().unwrap_or_default();
    ["UID", "FLAGS", "MODSEQ", "INTERNALDATE", "RFC822.SIZE"]
        .iter()
        .any(|n| name.eq_ignore_ascii_case(n.as_bytes()))
}

/// Reads `NAME value`.
pub(super) fn fact(item: &[u8]) -> Option<Fact> {
    let mut cursor = Cursor::new(item);
    let name = cursor.text()?.to_ascii_uppercase();
    cursor.space()?;
    let fact = match name.as_str() {
        "UID" => Fact::Uid(Uid::new(cursor.number()?)?),
        "FLAGS" => Fact::Flags(flags_of(cursor.words()?)),
        "MODSEQ" => {
            cursor.eat(b'(')?;
            let value = mod_seq(&mut cursor)?;
            cursor.eat(b')')?;
            Fact::ModSeq(value)
        }
        // A size beyond 32 bits belongs to a message nobody could fetch; it counts as the largest.
        "RFC822.SIZE" => Fact::Size(u32::try_from(cursor.number64()?).unwrap_or(u32::MAX)),
        "INTERNALDATE" => {
            let text = cursor.string()?;
            let mut words = std::str::from_utf8(&text).ok()?.trim_start().split(' ');
            let day = Date::parse(words.next()?)?;
            let moment = words.next().zip(words.next()).and_then(|(time, zone)| moment(day, time, zone));
            Fact::InternalDate(day, moment)
        }
        _ => return None,
    };
    cursor.is_done().then_some(fact)
}

/// The moment of `10:00:00 +0200` on a day.
fn moment(day: Date, time: &str, zone: &str) -> Option<Timestamp> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let mut parts = time.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2).filter(|_| digits.len() == 4)?;
    let offset = sign * (number(hours)? * 60 + number(minutes)?);
    // A second of 60 is a leap second (RFC 3501 has none, and servers say it all the same).
    let is_time = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    let seconds = (hour * 60 + minute - offset) * 60 + second;
    is_time.then_some(Timestamp(i64::from(day.0) * 86_400_000 + seconds * 1_000))
}

#[cfg(test)]
mod tests {
    #[test]
    fn moments_are_those_of_greenwich() {
        let day = Date(10);
        let at = |time, zone| moment(day, time, zone).map(|at| (at.0 - 864_000_000) / 1_000);
        assert_eq!(at("00:00:00", "+0000"), Some(0));
        assert_eq!(at("10:20:30", "+0200"), Some(8 * 3_600 + 20 * 60 + 30));
        assert_eq!(at("23:59:60", "-1130"), Some(24 * 3_600 + 11 * 3_600 + 1_800));
        for (time, zone) in [
            ("24:00:00", "+0000"),
            ("10:00", "+0000"),
            ("10:00:00:00", "+0000"),
            ("10:00:00", "0000"),
            ("10:00:00", "+00"),
            ("10:00:00", "+é00"),
            ("+1:00:00", "+0000"),
            ("99999999999999999999:00:00", "+0000"),
            ("10:00:00", ""),
        ] {
            assert_eq!(at(time, zone), None, "{time} {zone}");
        }
    }

    use super::*;
    use proptest::prelude::*;

    fn scan(lines: &[(&str, Option<&str>)]) -> Result<Vec<FetchPart>, Malformed> {
        let mut out = Vec::new();
        let first = Bytes::copy_from_slice(lines[0].0.as_bytes());
        let (mut scanner, rest) = FetchScanner::begin(&first).ok_or(Malformed)?;
        for (at, (line, literal)) in lines.iter().enumerate() {
            let text = if at == 0 { rest.clone() } else { Bytes::copy_from_slice(line.as_bytes()) };
            scanner.on_line(&text, literal.is_some(), &mut out)?;
            if let Some(literal) = literal {
                scanner.on_literal(Bytes::copy_from_slice(literal.as_bytes()), &mut out);
            }
        }
        assert!(scanner.is_done());
        Ok(out)
    }

    /// Octets of everything that is passed on.
    fn others(parts: &[FetchPart]) -> String {
        let mut text = String::new();
        for part in parts {
            if let FetchPart::Other { octets, begins } = part {
                if *begins {
                    text.push('|');
                }
                text.push_str(std::str::from_utf8(octets).unwrap());
            }
        }
        text
    }

    fn facts(parts: Vec<FetchPart>) -> FetchFacts {
        let mut facts = FetchFacts::default();
        for part in parts {
            if let FetchPart::Item(fact, _) = part {
                facts.add(fact);
            }
        }
        facts
    }

    #[test]
    fn understood_items_are_told_from_others() {
        let parts = scan(&[
            (
                "* 2 FETCH (UID 7 FLAGS (\\Seen \\Recent $x) BODY[HEADER.FIELDS (FROM \"T]O\")]<0> {3}\r\n",
                Some("a)b"),
            ),
            (" ENVELOPE (\"q)\\\"\" ((NIL {2}\r\n", Some("x ")),
            (")) NIL) MODSEQ (12) INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)", None),
        ])
        .unwrap();
        assert_eq!(
            others(&parts),
            "|BODY[HEADER.FIELDS (FROM \"T]O\")]<0> {3}\r\na)b|ENVELOPE (\"q)\\\"\" ((NIL {2}\r\nx )) NIL)"
        );
        assert_eq!(parts.last(), Some(&FetchPart::End));
        let facts = facts(parts);
        assert_eq!(facts.uid, Uid::new(7));
        assert_eq!(facts.mod_seq, Some(ModSeq(12)));
        assert_eq!(facts.size, Some(9));
        assert_eq!(facts.internal_date, Date::from_calendar(2004, 2, 1));
        assert_eq!(facts.flags.unwrap().iter().count(), 2);
    }

    #[test]
    fn broken_ones_are_refused() {
        for line in [
            "* 1 FETCH (UID 0)",
            "* 1 FETCH (UID 4294967296)",
            "* 1 FETCH (UID 5",
            "* 1 FETCH (UID 5) x",
            "* 1 FETCH (UID)",
            "* 1 FETCH (MODSEQ (9223372036854775808))",
            "* 1 FETCH (FLAGS \\Seen)",
            "* 1 FETCH (BODY[ NIL)",
            "* 1 FETCH (X \"abc)",
            "* 1 FETCH (())",
        ] {
            assert_eq!(scan(&[(line, None)]), Err(Malformed), "{line}");
        }
        assert_eq!(scan(&[("* 1 FETCH (UID {1}\r\n", Some("5")), (")", None)]), Err(Malformed));
    }

    #[test]
    fn an_empty_list_is_a_fetch() {
        assert_eq!(scan(&[("* 1 FETCH ()", None)]), Ok(vec![FetchPart::End]));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(line in "[\\PC ()\"\\[\\]{}0-9]{0,80}", literal: bool) {
            let text = Bytes::from(format!("* 1 FETCH ({line}\r\n"));
            let (mut scanner, rest) = FetchScanner::begin(&text).expect("is a FETCH");
            let mut out = Vec::new();
            let rest = if literal { rest } else { rest.slice(..rest.len() - 2) };
            let _ = scanner.on_line(&rest, literal, &mut out);
            let _ = scanner.on_line(&rest, false, &mut out);
        }
    }
}
