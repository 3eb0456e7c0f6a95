//! The letters and the search keys, read from their files.

use std::sync::LazyLock;

/// A letter, and what APPEND is told of it.
#[derive(Debug)]
pub struct Letter {
    pub name: String,
    pub received: String,
    pub flags: String,
    pub octets: Vec<u8>,
}

/// When a letter came that does not say when.
const RECEIVED: &str = "06-Mar-2006 12:00:00 +0000";

/// All letters, in the order of their file.
pub static LETTERS: LazyLock<Vec<Letter>> = LazyLock::new(|| {
    let mut letters: Vec<(&str, String)> = Vec::new();
    for line in include_str!("letters.txt").lines().filter(|line| !line.starts_with('#')) {
        match letters.last_mut() {
            Some((_, text)) if !line.starts_with('[') => *text += &format!("{line}\r\n"),
            _ if line.is_empty() => {}
            _ => letters.push((line, String::new())),
        }
    }
    letters.into_iter().map(|(head, text)| letter(head, &text)).collect()
});

/// All search keys, in the order of their file.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let lines = include_str!("keys.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(Key).collect()
});

/// A search key as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub struct Key(pub &'static str);

impl Key {
    /// As it is sent: texts beyond ASCII as literals.
    pub fn written(self) -> String {
        let mut written = String::new();
        // No text beyond ASCII holds a quotation mark.
        for (at, part) in self.0.split('"').enumerate() {
            match at % 2 == 1 && !part.is_ascii() {
                true => written += &format!("{{{}+}}\r\n{part}", part.len()),
                false if at % 2 == 1 => written += &format!("\"{part}\""),
                false => written += part,
            }
        }
        if self.0.is_ascii() { self.0.to_owned() } else { written }
    }

    /// Its first word.
    pub fn word(self) -> &'static str {
        self.0.split(' ').next().unwrap_or_default()
    }

    /// Whether it is a term that the facts of a message decide, which the gateway does itself.
    pub fn of_facts(self) -> bool {
        let words = ["ON", "SINCE", "BEFORE", "LARGER", "SMALLER", "KEYWORD"];
        let flags = ["SEEN", "FLAGGED", "DRAFT", "ANSWERED", "DELETED"];
        words.contains(&self.word()) || flags.contains(&self.word().strip_prefix("UN").unwrap_or(self.word()))
    }

    /// `CHARSET UTF-8 `, where it is needed.
    pub fn charset(self) -> &'static str {
        if self.0.is_ascii() { "" } else { "CHARSET UTF-8 " }
    }
}

fn letter(head: &str, text: &str) -> Letter {
    let (name, attributes) = head.strip_prefix('[').and_then(|head| head.split_once(']')).expect("[name]");
    let attribute = |name: &str| {
        let (_, rest) = attributes.split_once(&format!("{name}="))?;
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        Some(quoted.map_or(rest, |(value, _)| value).to_owned())
    };
    // Blank lines at its end divide it from the next letter.
    let mut octets = unescaped(text.trim_end_matches("\r\n"));
    octets.extend_from_slice(b"\r\n");
    if let Some(size) = attribute("octets") {
        let size: usize = size.parse().expect("a size");
        if !octets.windows(4).any(|four| four == b"\r\n\r\n") {
            octets.extend_from_slice(b"\r\n");
        }
        octets.resize(size - 2, b'x');
        octets.extend_from_slice(b"\r\n");
    }
    Letter {
        name: name.to_owned(),
        received: attribute("received").unwrap_or_else(|| RECEIVED.to_owned()),
        flags: attribute("flags").unwrap_or_default(),
        octets,
    }
}

/// Reads the escapes that the head of the file explains.
fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        octets.extend_from_slice(plain.as_bytes());
        let (kind, after) = escaped.split_at(1);
        rest = after;
        match kind {
            "t" => octets.push(b'\t'),
            "\\" => octets.push(b'\\'),
            "x" => {
                let (digits, after) = after.split_at(2);
                octets.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
                rest = after;
            }
            "*" => {
                let (count, after) = after.split_once('(').expect("a text in parentheses");
                let (text, after) = after.split_once(')').expect("its end");
                octets.extend_from_slice(&text.as_bytes().repeat(count.parse().expect("a number")));
                rest = after;
            }
            other => panic!("unknown escape {other}"),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}
