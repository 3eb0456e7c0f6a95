//! SEARCH as Gmail does it: text is found by whole words.

use pimap_types::Date;

use super::account::Account;
use super::letter::header;
use super::read::{Token, set};

/// A day in seconds.
pub(super) const DAY: i64 = 24 * 60 * 60;

/// A message that is asked about.
pub(super) struct Candidate<'a> {
    pub(super) account: &'a Account,
    pub(super) mailbox: &'a str,
    pub(super) number: u32,
    pub(super) uid: u32,
    /// The last number and the last UID.
    pub(super) last: (u32, u32),
}

/// A program that cannot be read.
pub(super) struct Unknown;

/// Whether all keys fit.
pub(super) fn fits(candidate: &Candidate<'_>, mut keys: &[Token]) -> Result<bool, Unknown> {
    let mut all = true;
    while !keys.is_empty() {
        all &= key(candidate, &mut keys)?;
    }
    Ok(all)
}

fn next<'t>(keys: &mut &'t [Token]) -> Result<&'t Token, Unknown> {
    let (first, rest) = keys.split_first().ok_or(Unknown)?;
    *keys = rest;
    Ok(first)
}

fn key(candidate: &Candidate<'_>, keys: &mut &[Token]) -> Result<bool, Unknown> {
    let token = next(keys)?;
    if let Token::List(inner) = token {
        return fits(candidate, inner);
    }
    let word = token.word();
    let Candidate { account, mailbox, uid, .. } = *candidate;
    let entry = account.labels.get(mailbox).and_then(|label| label.entries.get(&uid)).ok_or(Unknown)?;
    let message = account.messages.get(&entry.message).ok_or(Unknown)?;
    let flagged = |flag: &str| account.flags(mailbox, uid).iter().any(|f| f.eq_ignore_ascii_case(flag));
    let arrived = message.arrived.div_euclid(DAY);
    let sent = || header(&message.text, "date").as_deref().and_then(date_of).unwrap_or(arrived);
    Ok(match word.as_str() {
        "ALL" => true,
        "NOT" => !key(candidate, keys)?,
        "OR" => {
            // Both are read, whatever the first says.
            let (first, second) = (key(candidate, keys)?, key(candidate, keys)?);
            first || second
        }
        "ANSWERED" | "DELETED" | "DRAFT" | "FLAGGED" | "SEEN" => flagged(&format!("\\{word}")),
        "UNANSWERED" | "UNDELETED" | "UNDRAFT" | "UNFLAGGED" | "UNSEEN" => {
            !flagged(&format!("\\{}", &word[2..]))
        }
        "KEYWORD" => flagged(&next(keys)?.text()),
        "UNKEYWORD" => !flagged(&next(keys)?.text()),
        "RECENT" | "NEW" => false,
        "OLD" => true,
        "UID" => set(&next(keys)?.text(), candidate.last.1)(uid),
        "LARGER" => message.text.len() > size(keys)?,
        "SMALLER" => message.text.len() < size(keys)?,
        "BEFORE" => arrived < day(keys)?,
        "ON" => arrived == day(keys)?,
        "SINCE" => arrived >= day(keys)?,
        "SENTBEFORE" => sent() < day(keys)?,
        "SENTON" => sent() == day(keys)?,
        "SENTSINCE" => sent() >= day(keys)?,
        "MODSEQ" => entry.mod_seq >= next(keys)?.text().parse().unwrap_or(0),
        "FROM" | "TO" | "CC" | "BCC" | "SUBJECT" => {
            says(&header(&message.text, &word).unwrap_or_default(), &next(keys)?.text())
        }
        "HEADER" => {
            let name = next(keys)?.text();
            let wanted = next(keys)?.text();
            let value = header(&message.text, &name);
            value.is_some_and(|value| wanted.is_empty() || says(&value, &wanted))
        }
        "BODY" => {
            let body = super::letter::section(&message.text, "TEXT").unwrap_or_default();
            says(&String::from_utf8_lossy(&body), &next(keys)?.text())
        }
        "TEXT" | "X-GM-RAW" => says(&String::from_utf8_lossy(&message.text), &next(keys)?.text()),
        "X-GM-MSGID" | "X-GM-THRID" => entry.message.to_string() == next(keys)?.text(),
        "X-GM-LABELS" => {
            let wanted = next(keys)?.text();
            account.labels_of(entry.message, "").iter().any(|label| label.eq_ignore_ascii_case(&wanted))
        }
        numbers if numbers.starts_with(|c: char| c.is_ascii_digit() || c == '*') => {
            set(numbers, candidate.last.0)(candidate.number)
        }
        _ => return Err(Unknown),
    })
}

fn size(keys: &mut &[Token]) -> Result<usize, Unknown> {
    next(keys)?.text().parse().map_err(|_| Unknown)
}

fn day(keys: &mut &[Token]) -> Result<i64, Unknown> {
    date_of(&next(keys)?.text()).ok_or(Unknown)
}

/// The day of `6-Mar-2006`, or of a Date field.
pub(super) fn date_of(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let words = if words.first()?.parse::<u32>().is_ok() { &words[..] } else { words.get(1..)? };
    let [day, month, year, ..] = words else { return None };
    let month = MONTHS.iter().position(|name| month.to_ascii_lowercase().starts_with(name))?;
    Date::from_calendar(year.parse().ok()?, u32::try_from(month).ok()? + 1, day.parse().ok()?)
        .map(|date| i64::from(date.0))
}

/// Whole words side by side, in any case.
fn says(text: &str, wanted: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let (text, wanted) = (words(text), words(wanted));
    !wanted.is_empty() && text.windows(wanted.len()).any(|window| window == wanted)
}
