//! What two servers may say in different words, made alike: a line as it is expected and a line as it is heard both become the
//! same text when they mean the same.
//!
//! Left out: texts for people, RECENT, PERMANENTFLAGS, lines of a P-IMAP session, a UID beside flags. Put in order: flags,
//! items, attributes. UIDVALIDITY is any number; mod-sequences of the modelled world are names for those that are heard.

use pimap_tests::response::{Response, flags, read};
use pimap_tests::transcript::show;

/// A mod-sequence of the modelled world: its clock stands at one time in milliseconds, and a counter behind.
const WORLD_MOD_SEQ: &str = "17638056";

/// The line without what may differ; nothing when all of it may. As a pattern: with escapes and captures.
pub fn loose(line: &[u8]) -> Option<String> {
    match read(line) {
        Ok(Response::Tagged(tag, condition)) => {
            let code = code(&condition.code);
            Some(format!(
                "{tag} {}{}",
                condition.status,
                code.map(|code| format!(" {code}")).unwrap_or_default()
            ))
        }
        // A greeting to those who leave has no other meaning.
        Ok(Response::Condition(condition)) if condition.status == "BYE" => Some("* BYE".to_owned()),
        Ok(Response::Condition(condition)) => {
            Some(format!("* {} {}", condition.status, code(&condition.code)?))
        }
        Ok(Response::SessionId(_) | Response::Session { .. } | Response::Folder(_)) => None,
        Ok(Response::Fetch(number, fetched)) => {
            let bare = fetched.items.keys().all(|name| matches!(name.as_str(), "UID" | "FLAGS" | "MODSEQ"));
            let items = fetched.items.iter().filter(|(name, _)| !(bare && *name == "UID"));
            let items: Vec<String> = items
                .map(|(name, value)| match name.as_str() {
                    "FLAGS" => format!("FLAGS ({})", in_order(value)),
                    _ => format!("{name} {}", show(value)),
                })
                .collect();
            // UID alone is no news.
            (!items.is_empty()).then(|| format!("* {number} FETCH ({})", items.join(" ")))
        }
        Ok(Response::Other(name)) => other(&name, line),
        Ok(Response::Search(numbers)) => {
            let mut numbers = numbers;
            numbers.sort_unstable();
            let rest = String::from_utf8_lossy(line).split_once('(').map(|(_, rest)| format!(" ({rest}"));
            Some(format!("* SEARCH {numbers:?}{}", rest.unwrap_or_default()))
        }
        Ok(Response::Continue) => Some("+".to_owned()),
        _ => Some(show(line)),
    }
}

/// A response code with a meaning that both must give.
fn code(words: &[String]) -> Option<String> {
    let first = words.first()?.to_ascii_uppercase();
    let rest = |from: usize| words.get(from..).unwrap_or_default().join(" ");
    match first.as_str() {
        "CAPABILITY" | "PERMANENTFLAGS" | "CLIENTBUG" | "CANNOT" | "SERVERBUG" | "ALREADYEXISTS"
        | "NONEXISTENT" => None,
        "UIDVALIDITY" => Some("[UIDVALIDITY n]".to_owned()),
        // The first argument is a UIDVALIDITY.
        "APPENDUID" | "COPYUID" => Some(format!("[{first} n {}]", rest(2))),
        _ => Some(format!("[{}]", words.join(" "))),
    }
}

fn other(name: &str, line: &[u8]) -> Option<String> {
    let text = show(line);
    let list = |text: &str| -> Option<(String, Vec<String>, String)> {
        let (head, rest) = text.split_once('(')?;
        let (inner, tail) = rest.split_once(')')?;
        Some((head.to_owned(), inner.split_ascii_whitespace().map(str::to_owned).collect(), tail.to_owned()))
    };
    match name {
        "FLAGS" => Some(format!("* FLAGS ({})", in_order(line.splitn(3, |byte| *byte == b' ').nth(2)?))),
        "LIST" | "LSUB" => {
            let (head, mut attributes, tail) = list(&text)?;
            attributes.iter_mut().for_each(|word| word.make_ascii_lowercase());
            attributes.retain(|word| !matches!(word.as_str(), "\\\\marked" | "\\\\unmarked"));
            attributes.sort();
            Some(format!("{head}({}){}", attributes.join(" "), tail.replace('"', "")))
        }
        "STATUS" => {
            let (head, items, tail) = list(&text)?;
            let mut pairs: Vec<String> = items.chunks(2).map(|pair| pair.join(" ")).collect();
            pairs.sort();
            Some(format!("{}({}){tail}", head.replace('"', ""), pairs.join(" ")))
        }
        _ if text.ends_with(" RECENT") => None,
        _ => Some(text),
    }
}

fn in_order(list: &[u8]) -> String {
    flags(list).into_iter().map(|flag| show(flag.as_bytes())).collect::<Vec<_>>().join(" ")
}

/// Mod-sequences of the modelled world become captures: `$modseq_` and the last digits as letters.
pub fn name_mod_seqs(text: &str) -> String {
    let mut named = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(WORLD_MOD_SEQ) {
        let digits = rest[at..].bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[at..at + digits].bytes().skip(WORLD_MOD_SEQ.len());
        named.push_str(&rest[..at]);
        named.push_str("$modseq_");
        named.extend(letters.map(|digit| char::from(b'a' + (digit - b'0'))));
        rest = &rest[at + digits..];
    }
    named + rest
}

/// Numbers of messages that go one after the other, as they were before the first of them went: two servers may tell them
/// from either end.
pub fn gone(numbers: &[u32]) -> Vec<u32> {
    let mut before: Vec<u32> = Vec::new();
    for number in numbers {
        let mut at = *number;
        for earlier in &before {
            if *earlier <= at {
                at += 1;
            }
        }
        before.push(at);
        before.sort_unstable();
    }
    before
}
