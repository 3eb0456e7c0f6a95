//! Expected lines: their escapes, their free text and their captures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Values of `$name`.
pub type Captures = BTreeMap<String, Vec<u8>>;

/// Bytes as a transcript writes them.
pub fn show(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => shown.push_str("\\r"),
            b'\n' => shown.push_str("\\n"),
            b'\\' => shown.push_str("\\\\"),
            b'$' if bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase) => shown.push_str("\\$"),
            b' '..=b'~' => shown.push(char::from(byte)),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\x{byte:02X}");
            }
        }
    }
    if shown.ends_with("...") {
        // Three dots at the end would be read as free text.
        shown.insert(shown.len() - 1, '\\');
    }
    shown
}

/// One piece of a written line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Octets(Vec<u8>),
    Capture(String),
    /// The words of a CAPABILITY code, which grow with what works.
    Words,
    FreeText,
}

/// A written line, ready to be sent or to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads the text of a line; `expected` lines may end in free text.
    pub fn read(text: &str, expected: bool) -> Result<Pattern, String> {
        let (text, free) = match text.strip_suffix("...") {
            Some(head) if expected && may_end_freely(head) => (head, true),
            Some(_) if expected => {
                return Err(format!("`...` stands only for the text of a status line: {text}"));
            }
            _ => (text, false),
        };
        let mut pieces = Vec::new();
        let mut octets = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let after = &rest[first.len_utf8()..];
            if expected && rest.starts_with("...]") {
                pieces.push(Piece::Octets(std::mem::take(&mut octets)));
                pieces.push(Piece::Words);
                rest = &rest[3..];
                continue;
            }
            let name_length =
                after.bytes().take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
            if first == '\\' {
                let (octet, length) = escape(after)?;
                octets.push(octet);
                rest = &after[length..];
            } else if first == '$' && name_length > 0 {
                pieces.push(Piece::Octets(std::mem::take(&mut octets)));
                pieces.push(Piece::Capture(after[..name_length].to_owned()));
                rest = &after[name_length..];
            } else {
                octets.extend_from_slice(&rest.as_bytes()[..first.len_utf8()]);
                rest = after;
            }
        }
        pieces.push(Piece::Octets(octets));
        if free {
            pieces.push(Piece::FreeText);
        }
        pieces.retain(|piece| *piece != Piece::Octets(Vec::new()));
        Ok(Pattern(pieces))
    }

    /// The octets to send; every capture must be known.
    pub fn fill(&self, captures: &Captures) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Octets(octets) => line.extend_from_slice(octets),
                Piece::Capture(name) => {
                    line.extend_from_slice(
                        captures.get(name).ok_or_else(|| format!("${name} was never heard"))?,
                    );
                }
                Piece::FreeText | Piece::Words => return Err("free text cannot be sent".to_owned()),
            }
        }
        Ok(line)
    }

    /// Whether the line matches; captures heard for the first time are added only when it does.
    pub fn matches(&self, line: &[u8], captures: &mut Captures) -> bool {
        let mut heard = captures.clone();
        let matched = self.matches_from(line, &mut heard);
        if matched {
            *captures = heard;
        }
        matched
    }

    fn matches_from(&self, line: &[u8], captures: &mut Captures) -> bool {
        let mut rest = line;
        for piece in &self.0 {
            let taken = match piece {
                Piece::Octets(octets) if rest.starts_with(octets) => octets.len(),
                Piece::Octets(_) => return false,
                Piece::FreeText => rest.len(),
                Piece::Words => rest.iter().take_while(|byte| **byte != b']').count(),
                Piece::Capture(name) => {
                    let word = rest.iter().take_while(|byte| capturable(**byte)).count();
                    let known = captures.entry(name.clone()).or_insert_with(|| rest[..word].to_vec());
                    if word == 0 || *known != rest[..word] {
                        return false;
                    }
                    word
                }
            };
            rest = &rest[taken..];
        }
        rest.is_empty()
    }
}

/// Captures are words: they end at a space, a bracket or a quote.
fn capturable(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()[]<>\"{}".contains(&byte)
}

/// Free text is the part of a status line or continuation that is written for people.
fn may_end_freely(head: &str) -> bool {
    if head.starts_with("+ ") {
        return true;
    }
    let mut words = head.split(' ');
    let status = words.nth(1).unwrap_or_default();
    matches!(status, "OK" | "NO" | "BAD" | "BYE" | "PREAUTH")
        && head.matches('[').count() == head.matches(']').count()
}

/// The octet that an escape stands for and the length of what follows the backslash.
fn escape(after: &str) -> Result<(u8, usize), String> {
    let bytes = after.as_bytes();
    match bytes.first() {
        Some(b'r') => Ok((b'\r', 1)),
        Some(b'n') => Ok((b'\n', 1)),
        Some(octet @ (b'\\' | b'$' | b'.')) => Ok((*octet, 1)),
        Some(b'x') => {
            let digits = after.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            digits.map(|octet| (octet, 3)).ok_or_else(|| format!("\\x wants two hexadecimal digits: {after}"))
        }
        _ => Err(format!("no such escape: \\{after}")),
    }
}
