//! Commands as words, strings and lists.

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An atom, with all that stands in its brackets.
    Word(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    /// What stands between parentheses.
    List(Vec<Token>),
}

impl Token {
    /// An atom or a string as text.
    pub(super) fn text(&self) -> String {
        match self {
            Token::Word(word) => word.clone(),
            Token::Text(octets) => String::from_utf8_lossy(octets).into_owned(),
            Token::List(_) => String::new(),
        }
    }

    /// The same in capitals.
    pub(super) fn word(&self) -> String {
        self.text().to_ascii_uppercase()
    }

    /// Members of a list; of anything else, itself.
    pub(super) fn members(&self) -> &[Token] {
        match self {
            Token::List(members) => members,
            other => std::slice::from_ref(other),
        }
    }
}

/// Reads a whole command, literals and all.
pub(super) fn tokens(octets: &[u8]) -> Vec<Token> {
    list(&mut { octets })
}

/// Up to the end, or to the closing parenthesis.
fn list(rest: &mut &[u8]) -> Vec<Token> {
    let mut all = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        match first {
            b' ' | b'\r' | b'\n' => *rest = after,
            b')' => {
                *rest = after;
                break;
            }
            b'(' => {
                *rest = after;
                all.push(Token::List(list(rest)));
            }
            b'"' => {
                *rest = after;
                all.push(Token::Text(quoted(rest)));
            }
            b'{' => all.push(Token::Text(literal(rest))),
            _ => all.push(Token::Word(word(rest))),
        }
    }
    all
}

fn quoted(rest: &mut &[u8]) -> Vec<u8> {
    let (mut text, mut escaped) = (Vec::new(), false);
    while let Some((&octet, after)) = rest.split_first() {
        *rest = after;
        match octet {
            b'\\' if !escaped => escaped = true,
            b'"' if !escaped => break,
            octet => {
                text.push(octet);
                escaped = false;
            }
        }
    }
    text
}

fn literal(rest: &mut &[u8]) -> Vec<u8> {
    let line = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
    let (head, after) = rest.split_at(line);
    let digits = head.iter().filter(|octet| octet.is_ascii_digit()).map(|octet| char::from(*octet));
    let length = digits.collect::<String>().parse().unwrap_or(0).min(after.len());
    let (text, after) = after.split_at(length);
    *rest = after;
    text.to_vec()
}

fn word(rest: &mut &[u8]) -> String {
    let (mut end, mut bracketed) = (0, false);
    for octet in rest.iter() {
        match octet {
            b'[' => bracketed = true,
            b']' => bracketed = false,
            b' ' | b'(' | b')' | b'\r' | b'\n' if !bracketed => break,
            _ => {}
        }
        end += 1;
    }
    let (word, after) = rest.split_at(end.max(1).min(rest.len()));
    *rest = after;
    String::from_utf8_lossy(word).into_owned()
}

/// What follows the last octet of a line that ends in a literal: its length, and whether it is waited for.
pub(super) fn literal_at_end(line: &[u8]) -> Option<(usize, bool)> {
    let line = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let from = line.iter().rposition(|octet| *octet == b'{')?;
    let inside = std::str::from_utf8(line.get(from + 1..)?).ok()?;
    let (digits, waits) = match inside.strip_suffix('+') {
        Some(digits) => (digits, false),
        None => (inside, true),
    };
    Some((digits.parse().ok()?, waits))
}

/// A set of numbers; `*` is the last.
pub(super) fn set(text: &str, last: u32) -> impl Fn(u32) -> bool {
    let number = move |text: &str| if text == "*" { last } else { text.parse().unwrap_or(0) };
    let ranges: Vec<(u32, u32)> = text
        .split(',')
        .map(|range| {
            let (first, end) = range.split_once(':').unwrap_or((range, range));
            let (first, end) = (number(first), number(end));
            (first.min(end), first.max(end))
        })
        .collect();
    move |n| ranges.iter().any(|(first, end)| (*first..=*end).contains(&n))
}

/// Numbers as a set.
pub(super) fn compact(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for n in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *n => *last = *n,
            _ => ranges.push((*n, *n)),
        }
    }
    let range = |(a, b): &(u32, u32)| if a == b { a.to_string() } else { format!("{a}:{b}") };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}
