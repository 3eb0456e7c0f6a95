//! The elements of RFC 3501 9 that every command is made of, read from the front of a slice of octets.

use super::DecodeError;
use crate::syntax::{is_astring_char, is_atom_char};
use std::borrow::Cow;

/// A value, or how to answer its absence.
pub(crate) type Parsed<T> = Result<T, DecodeError>;

/// The rest of a command.
#[derive(Clone, Copy)]
pub(crate) struct Scanner<'a> {
    rest: &'a [u8],
}

/// An `astring`, and whether it was written as an atom: the atom `ALL` and the string `"ALL"` differ (digest OA-09).
pub(crate) struct Astring<'a> {
    pub(crate) octets: Cow<'a, [u8]>,
    pub(crate) is_atom: bool,
}

impl Astring<'_> {
    /// The text, if it is UTF-8 without control characters.
    pub(crate) fn printable(&self) -> Option<&str> {
        std::str::from_utf8(&self.octets).ok().filter(|text| !text.chars().any(char::is_control))
    }
    /// The text, if it is ASCII without control characters.
    pub(crate) fn printable_ascii(&self) -> Option<&str> {
        self.printable().filter(|text| text.is_ascii())
    }
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads `byte` if it comes next.
    pub(crate) fn accept(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Parsed<()> {
        if self.accept(byte) { Ok(()) } else { Err(DecodeError { text: expected(what), ..BAD }) }
    }

    /// `SP`. More of them are one, as clients write that put commands together from pieces.
    pub(crate) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "a space")?;
        self.run(|byte| byte == b' ');
        Ok(())
    }

    /// Reads spaces; whether something follows them, other than the end of the line or of a list.
    pub(crate) fn more(&mut self) -> bool {
        !self.run(|byte| byte == b' ').is_empty() && self.peek() != Some(b')') && self.end().is_err()
    }

    /// Nothing but the line end is left, and maybe spaces before it.
    pub(crate) fn end(&self) -> Parsed<()> {
        let spaces = self.rest.iter().take_while(|byte| **byte == b' ').count();
        if matches!(self.rest.get(spaces..), Some(b"" | b"\n" | b"\r\n")) {
            Ok(())
        } else {
            Err(DecodeError::bad("unexpected argument"))
        }
    }

    /// The longest run of octets of a class; maybe none.
    pub(crate) fn run(&mut self, class: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self.rest.iter().take_while(|byte| class(**byte)).count();
        self.take(length).unwrap_or_default()
    }

    /// Exactly `length` octets.
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// `1*` of a class of ASCII characters.
    fn ascii_run(&mut self, class: impl Fn(u8) -> bool, what: &'static str) -> Parsed<&'a str> {
        match std::str::from_utf8(self.run(class)) {
            Ok(text) if !text.is_empty() => Ok(text),
            _ => Err(DecodeError { text: expected(what), ..BAD }),
        }
    }

    pub(crate) fn atom(&mut self, what: &'static str) -> Parsed<&'a str> {
        self.ascii_run(is_atom_char, what)
    }

    /// `number`: 32 bits, unsigned.
    pub(crate) fn number(&mut self) -> Parsed<u32> {
        let digits = self.ascii_run(|byte| byte.is_ascii_digit(), "a number")?;
        digits.parse().map_err(|_| DecodeError::bad("number too large"))
    }

    /// `nz-number`
    pub(crate) fn nonzero_number(&mut self) -> Parsed<u32> {
        if self.peek() == Some(b'0') {
            return Err(DecodeError::bad("expected a number from 1 up"));
        }
        self.number()
    }

    /// `string`: quoted or a literal.
    pub(crate) fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            // 7-bit: digest 16.2 tolerates more inside literals only.
            Some(b'"') => self.quoted(0x7F),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => Err(DecodeError::bad("expected a string")),
        }
    }

    pub(crate) fn astring(&mut self) -> Parsed<Astring<'a>> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return Ok(Astring { octets: self.string()?, is_atom: false });
        }
        let atom = self.ascii_run(is_astring_char, "an atom or a string")?;
        Ok(Astring { octets: Cow::Borrowed(atom.as_bytes()), is_atom: true })
    }

    /// An astring whose quoted form may hold UTF-8 (RFC 6855 3). Whether it may here, who knows the connection decides.
    pub(crate) fn wide_astring(&mut self) -> Parsed<Astring<'a>> {
        if self.peek() == Some(b'"') {
            return Ok(Astring { octets: self.quoted(0xFF)?, is_atom: false });
        }
        self.astring()
    }

    /// `quoted`, of octets up to `highest`, borrowed unless something was escaped.
    fn quoted(&mut self, highest: u8) -> Parsed<Cow<'a, [u8]>> {
        self.expect(b'"', "a quoted string")?;
        let plain =
            |byte: u8| (0x01..=highest).contains(&byte) && !matches!(byte, b'\r' | b'\n' | b'"' | b'\\');
        let mut text = Cow::Borrowed(self.run(plain));
        loop {
            if self.accept(b'"') {
                return Ok(text);
            }
            self.expect(b'\\', "the end of a quoted string")?;
            let Some(escaped @ (b"\"" | b"\\")) = self.take(1) else {
                return Err(DecodeError::bad("bad escape in a quoted string"));
            };
            let owned = text.to_mut();
            owned.extend_from_slice(escaped);
            owned.extend_from_slice(self.run(plain));
        }
    }

    /// The head of a literal up to and with its line end; returns its size.
    pub(crate) fn literal_head(&mut self) -> Parsed<u64> {
        const WRONG: DecodeError = DecodeError::bad("bad literal");
        if !self.accept(b'{') {
            return Err(WRONG);
        }
        let digits = self.ascii_run(|byte| byte.is_ascii_digit(), "the size of a literal")?;
        let size = digits.parse().map_err(|_| DecodeError::bad("literal too large"))?;
        self.accept(b'+');
        let closed = self.accept(b'}');
        self.accept(b'\r');
        if closed && self.accept(b'\n') { Ok(size) } else { Err(WRONG) }
    }

    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let size = self.literal_head()?;
        let octets = usize::try_from(size).ok().and_then(|size| self.take(size));
        let Some(octets) = octets else { return Err(DecodeError::bad("literal cut short")) };
        if octets.contains(&0) {
            return Err(DecodeError::bad("NUL in a literal"));
        }
        Ok(octets)
    }

    /// `"(" item *(SP item) ")"`, with any number of spaces between and around the items.
    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.expect(b'(', "a parenthesised list")?;
        self.run(|byte| byte == b' ');
        let mut items = vec![item(self)?];
        while self.more() {
            items.push(item(self)?);
        }
        self.expect(b')', "a closing parenthesis")?;
        Ok(items)
    }
}

const BAD: DecodeError = DecodeError::bad("");

fn expected(what: &'static str) -> Cow<'static, str> {
    Cow::Owned(format!("expected {what}"))
}
