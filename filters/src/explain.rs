//! A filter in words, for operators and for tests: what it was simplified to, and who evaluates what.
//!
//! Refuses to be parsed again: the criteria that a handset wrote are kept as written elsewhere.

use crate::compile::Filter;
use crate::expression::{Atom, Expression};
use pimap_types::Flag;
use pimap_types::search::SearchKey;

#[cfg(test)]
mod tests;

impl Filter {
    /// The filter in one line of words. What upstream evaluates stands in the standard's words, in capitals;
    /// octets of a handset's making are escaped, so that no filter can forge a line of its own.
    pub fn explain(&self) -> String {
        self.words(&self.expression, false)
    }

    fn words(&self, expression: &Expression, nested: bool) -> String {
        let (parts, joint) = match expression {
            Expression::All(parts) if parts.is_empty() => return "every message".to_owned(),
            Expression::Any(parts) if parts.is_empty() => return "no message".to_owned(),
            Expression::Atom { atom, wanted } => {
                let not = if *wanted { "" } else { "not " };
                return format!("{not}{}", self.atom_words(atom));
            }
            Expression::All(parts) => (parts, " and "),
            Expression::Any(parts) => (parts, " or "),
        };
        let joined = parts.iter().map(|part| self.words(part, true)).collect::<Vec<_>>().join(joint);
        if nested { format!("({joined})") } else { joined }
    }

    fn atom_words(&self, atom: &Atom) -> String {
        match atom {
            Atom::Flag(Flag::Keyword(word)) => format!("flagged {}", word.escape_debug()),
            Atom::Flag(system) => format!("flagged {}", system.as_str()),
            Atom::Larger(octets) => format!("larger than {octets} octets"),
            Atom::Smaller(octets) => format!("smaller than {octets} octets"),
            Atom::Before(date) => format!("received before {date}"),
            Atom::On(date) => format!("received on {date}"),
            Atom::Since(date) => format!("received on {date} or later"),
            Atom::DaysBeforeToday(0) => "received today or later".to_owned(),
            Atom::DaysBeforeToday(days) => format!("received at most {days} days ago"),
            Atom::Upstream(index) => self.upstream_atoms.get(*index).map(key_words).unwrap_or_default(),
        }
    }
}

fn key_words(key: &SearchKey) -> String {
    let text = |octets: &[u8]| format!("\"{}\"", String::from_utf8_lossy(octets).escape_debug());
    match key {
        SearchKey::Field(field, octets) => format!("{} {}", field.as_str(), text(octets)),
        SearchKey::Header(name, octets) => format!("HEADER {} {}", text(name), text(octets)),
        SearchKey::Body(octets) => format!("BODY {}", text(octets)),
        SearchKey::Text(octets) => format!("TEXT {}", text(octets)),
        SearchKey::SentBefore(date) => format!("SENTBEFORE {date}"),
        SearchKey::SentOn(date) => format!("SENTON {date}"),
        SearchKey::SentSince(date) => format!("SENTSINCE {date}"),
        // Compiling sends no other key upstream.
        other => format!("{other:?}"),
    }
}
