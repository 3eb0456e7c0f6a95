//! A reader over one response held whole, its literals in place (`{3}\r\nabc`). Every step answers `None` rather than
//! index past the end; nesting is counted, never recursed into.

use pimap_types::set::UidRanges;
use std::borrow::Cow;

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes exactly this octet.
    pub(super) fn eat(&mut self, octet: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == octet).then(|| self.rest = rest)
    }

    /// Takes a space; several count as one, for servers pad (RFC 3501 grammar has exactly one).
    pub(super) fn space(&mut self) -> Option<()> {
        self.eat(b' ')?;
        while self.eat(b' ').is_some() {}
        Some(())
    }

    fn split(&mut self, at: usize) -> Option<&'a [u8]> {
        let head = self.rest.get(..at)?;
        self.rest = self.rest.get(at..)?;
        Some(head)
    }

    /// Takes a word: anything up to a space, parenthesis, quote or control octet. Not empty.
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        let ends = |b: &u8| *b <= b' ' || matches!(b, b'(' | b')' | b'"' | 0x7F);
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        (end > 0).then_some(())?;
        self.split(end)
    }

    /// Takes the name of a FETCH item; spaces and parentheses between its brackets belong to it.
    pub(super) fn item_name(&mut self) -> Option<&'a [u8]> {
        let mut section = false;
        let ends = |octet: &u8| {
            section = (section || *octet == b'[') && *octet != b']';
            *octet == b' ' && !section
        };
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        (end > 0).then_some(())?;
        self.split(end)
    }

    /// A word as text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.word()?).ok()
    }

    /// Takes this word, in any case.
    pub(super) fn keyword(&mut self, word: &str) -> Option<()> {
        let mut ahead = *self;
        ahead.word()?.eq_ignore_ascii_case(word.as_bytes()).then(|| *self = ahead)
    }

    /// Takes a number; leading zeroes are let pass, 64 bits are not exceeded.
    pub(super) fn number64(&mut self) -> Option<u64> {
        let end = self.rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest.len());
        std::str::from_utf8(self.split(end)?).ok()?.parse().ok()
    }

    /// Takes a 32-bit number.
    pub(super) fn number(&mut self) -> Option<u32> {
        u32::try_from(self.number64()?).ok()
    }

    /// Takes a quoted string or a literal.
    pub(super) fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.peek()? {
            b'"' => self.quoted(),
            b'{' | b'~' => {
                let _ = self.eat(b'~');
                self.eat(b'{')?;
                let length = usize::try_from(self.number64()?).ok()?;
                let _ = self.eat(b'+');
                self.eat(b'}')?;
                self.eat(b'\r')?;
                self.eat(b'\n')?;
                self.split(length).map(Cow::Borrowed)
            }
            _ => None,
        }
    }

    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        self.eat(b'"')?;
        let end = self.rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
        if self.rest.get(end) == Some(&b'"') {
            let text = self.split(end)?;
            self.eat(b'"')?;
            return Some(Cow::Borrowed(text));
        }
        let mut text = Vec::new();
        loop {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            match first {
                b'"' => return Some(Cow::Owned(text)),
                b'\\' => {
                    let (escaped, rest) = self.rest.split_first()?;
                    self.rest = rest;
                    text.push(*escaped);
                }
                other => text.push(*other),
            }
        }
    }

    /// Takes an atom, a quoted string or a literal.
    pub(super) fn astring(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.peek()? {
            b'"' | b'{' => self.string(),
            _ => self.word().map(Cow::Borrowed),
        }
    }

    /// Takes a parenthesised list of words.
    pub(super) fn words(&mut self) -> Option<Vec<&'a str>> {
        self.eat(b'(')?;
        let mut words = Vec::new();
        loop {
            while self.eat(b' ').is_some() {}
            if self.eat(b')').is_some() {
                return Some(words);
            }
            words.push(self.text()?);
        }
    }

    /// Passes over one value of any kind: atom, string, or list however deep.
    pub(super) fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'(' => {
                    self.eat(b'(')?;
                    depth = depth.checked_add(1)?;
                }
                b')' => {
                    self.eat(b')')?;
                    depth = depth.checked_sub(1)?;
                }
                b'"' | b'{' => {
                    self.string()?;
                }
                b' ' => self.eat(b' ')?,
                _ => {
                    self.word()?;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Takes a set of UIDs without `*`, as written: ranges in their order, reversed ones turned round.
    pub(super) fn uid_pairs(&mut self) -> Option<Vec<(u32, u32)>> {
        let mut pairs = Vec::new();
        loop {
            let first = self.number()?;
            let last = if self.eat(b':').is_some() { self.number()? } else { first };
            (first > 0 && last > 0).then_some(())?;
            pairs.push((first.min(last), first.max(last)));
            if self.eat(b',').is_none() {
                return Some(pairs);
            }
        }
    }

    /// Takes a set of UIDs without `*`.
    pub(super) fn uid_set(&mut self) -> Option<UidRanges> {
        self.uid_pairs().map(UidRanges::from_pairs)
    }
}
