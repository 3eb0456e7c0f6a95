//! A section of the configuration being read: keys are taken out one by one, what is left over is unknown.
//!
//! Every taker records a mistake and gives the default instead of stopping, so that one run shows all mistakes.

use super::Mistake;
use std::cell::RefCell;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// What all sections share.
#[derive(Default)]
pub(super) struct Findings {
    mistakes: RefCell<Vec<Mistake>>,
    /// Keys that came from the environment, with the variable's name.
    pub(super) variables: BTreeMap<String, String>,
}

impl Findings {
    /// Records a mistake.
    pub(super) fn mistake(&self, key: &str, what: impl Into<String>) {
        let key = match self.variables.get(key) {
            Some(variable) => format!("{key} ({variable})"),
            None => key.to_owned(),
        };
        self.mistakes.borrow_mut().push(Mistake { key, what: what.into() });
    }

    /// All mistakes, in the order of the sections.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }
}

/// A table whose keys are being taken.
pub(super) struct Section<'a> {
    name: String,
    table: Table,
    findings: &'a Findings,
    /// Whether the section was written at all.
    pub(super) present: bool,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(table: Table, findings: &'a Findings) -> Self {
        Self { name: String::new(), table, findings, present: true }
    }

    /// A section within this one; empty when absent.
    pub(super) fn section(&mut self, key: &str) -> Section<'a> {
        let name = self.name_of(key);
        let (table, present) = match self.table.remove(key) {
            None => (Table::new(), false),
            Some(Value::Table(table)) => (table, true),
            Some(_) => {
                self.findings.mistake(&name, "must be a section");
                (Table::new(), true)
            }
        };
        Section { name, table, findings: self.findings, present }
    }

    /// The full name of a key.
    pub(super) fn name_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Records a mistake of one of this section's keys.
    pub(super) fn mistake(&self, key: &str, what: impl Into<String>) {
        self.findings.mistake(&self.name_of(key), what);
    }

    /// Drops a key that has no meaning beside the others, without a word.
    pub(super) fn ignore(&mut self, key: &str) {
        self.table.remove(key);
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.table.remove(key)? {
            Value::String(text) if text.is_empty() => {
                self.mistake(key, "is empty");
                None
            }
            Value::String(text) => Some(text),
            _ => {
                self.mistake(key, "must be a string");
                None
            }
        }
    }

    /// A text that means something.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(&text).map_err(|what| self.mistake(key, what)).ok()
    }

    /// One of a few words.
    pub(super) fn word<T: Clone>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.mistake(key, format!("{text:?} is not one of {}", known.join(", ")));
        }
        found
    }

    /// A switch.
    pub(super) fn switch(&mut self, key: &str, default: bool) -> bool {
        match self.table.remove(key) {
            None => return default,
            Some(Value::Boolean(on)) => return on,
            Some(Value::String(text)) if text == "true" => return true,
            Some(Value::String(text)) if text == "false" => return false,
            Some(_) => {}
        }
        self.mistake(key, "must be true or false");
        default
    }

    /// A whole number within bounds. The environment brings it as text.
    pub(super) fn number(&mut self, key: &str, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let number = match self.table.remove(key)? {
            Value::Integer(number) => Some(number),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            self.mistake(key, format!("must be a whole number from {} to {}", bounds.start(), bounds.end()));
        }
        number
    }

    /// Ends the section: what is left is unknown.
    pub(super) fn end(self) {
        for key in self.table.keys() {
            self.mistake(key, "is unknown");
        }
    }
}
