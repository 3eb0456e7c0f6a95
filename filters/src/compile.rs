//! From stored criteria to a filter that can be evaluated.
//!
//! In goes a parsed program; out comes a [`Filter`], or the reason why this program cannot be stored. Refuses
//! keys whose meaning would change under a filter that outlives the session (digest 1.2), windows through
//! which old messages would enter a view as days pass (F31), and programs beyond the limits.

use crate::expression::{Atom, Expression};
use pimap_types::limits::{NESTING_MAX, SEARCH_KEYS_MAX};
use pimap_types::search::SearchKey;
use std::fmt;

#[cfg(test)]
mod tests;

/// A view or notification filter, simplified and ready to be evaluated.
///
/// Two filters that compare equal say the same of every message; the reverse is not promised.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Filter {
    pub(crate) expression: Expression,
    pub(crate) upstream_atoms: Vec<SearchKey>,
}

/// Why a program cannot be a stored filter. Its `Display` is fit for the text of a tagged NO.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FilterRefused {
    /// The key's meaning depends on the session: a sequence set, RECENT, NEW or OLD.
    SessionKey(&'static str),
    /// UID: its meaning depends on UIDVALIDITY, which a filter outlives, and on the mailbox.
    Uid,
    /// DAYSBEFORETODAY under NOT: each midnight old messages would enter the view (F31).
    NegatedDays,
    /// OLDER or YOUNGER: at every moment messages would enter or leave the view (F31).
    MovingWindow,
    /// More than [`SEARCH_KEYS_MAX`] keys.
    TooManyKeys,
    /// Lists, NOT and OR nested deeper than [`NESTING_MAX`].
    TooDeep,
}

impl fmt::Display for FilterRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilterRefused::SessionKey(key) => {
                write!(f, "{key} depends on the session and cannot stand in a filter")
            }
            FilterRefused::Uid => {
                f.write_str("UID depends on one mailbox's UIDVALIDITY and cannot stand in a filter")
            }
            FilterRefused::NegatedDays => f.write_str("DAYSBEFORETODAY cannot stand under NOT in a filter"),
            FilterRefused::MovingWindow => {
                f.write_str("OLDER and YOUNGER change at every moment and cannot stand in a filter")
            }
            FilterRefused::TooManyKeys => write!(f, "a filter holds at most {SEARCH_KEYS_MAX} keys"),
            FilterRefused::TooDeep => write!(f, "a filter nests at most {NESTING_MAX} deep"),
        }
    }
}

impl std::error::Error for FilterRefused {}

/// What an atom looks at, and thereby who evaluates it: exactly one evaluator for each kind, since two that
/// differ by one message would tell a handset of a mail and then take it back (F23).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AtomKind {
    /// Flags and keywords: here.
    Flag,
    /// LARGER and SMALLER: here.
    Size,
    /// BEFORE, ON and SINCE: here, on the day that upstream reported.
    InternalDate,
    /// DAYSBEFORETODAY: here, with the account's day.
    DaysBeforeToday,
    /// Header fields, the Date: header and text: upstream, whose decoding of mail is not ours to guess.
    Upstream,
}

impl Filter {
    /// Compiles a program.
    ///
    /// DAYSBEFORETODAY is accepted in positive position only; under two NOTs it is in positive position
    /// again.
    pub fn compile(program: &SearchKey) -> Result<Filter, FilterRefused> {
        let written = Compiler { keys: 0 }.compile(program, true, 0)?;
        let mut upstream_atoms: Vec<SearchKey> = Vec::new();
        let expression = written.rename_upstream(&mut |key: &SearchKey| {
            upstream_atoms.iter().position(|known| known == key).unwrap_or_else(|| {
                upstream_atoms.push(key.clone());
                upstream_atoms.len() - 1
            })
        });
        Ok(Filter { expression, upstream_atoms })
    }

    /// The filter that every message passes.
    pub fn all() -> Filter {
        Filter { expression: Expression::constant(true), upstream_atoms: Vec::new() }
    }

    /// The filter that no message passes: `NOT ALL` (P-IMAP 3.1.2).
    pub fn none() -> Filter {
        Filter { expression: Expression::constant(false), upstream_atoms: Vec::new() }
    }

    /// A filter of the system's: `ALL` (every message) or `NONE` (no message), the defaults for view and
    /// notification (P-IMAP 3.1.2). Names compare without case, so that no handset can store an `all` which
    /// is not ALL: a name for which this is `Some` cannot be redefined.
    pub fn system(name: &str) -> Option<Filter> {
        match name.to_ascii_uppercase().as_str() {
            "ALL" => Some(Filter::all()),
            "NONE" => Some(Filter::none()),
            _ => None,
        }
    }

    /// Whether simplifying has shown that every message passes.
    pub fn is_all(&self) -> bool {
        self.expression.as_constant() == Some(true)
    }

    /// Whether simplifying has shown that no message passes.
    pub fn is_none(&self) -> bool {
        self.expression.as_constant() == Some(false)
    }

    /// The atoms that upstream must answer, each once; evaluation names them by their place here. All of them
    /// look at parts of a message that never change, so one answer per UID is enough.
    pub fn upstream_atoms(&self) -> &[SearchKey] {
        &self.upstream_atoms
    }

    /// Whether evaluating looks at [`MessageFacts`](pimap_types::MessageFacts).
    pub fn needs_facts(&self) -> bool {
        self.expression.has_atom(&|atom| atom.kind() != AtomKind::Upstream)
    }

    /// Whether a change of flags can change the verdict.
    pub fn uses_flags(&self) -> bool {
        self.expression.has_atom(&|atom| atom.kind() == AtomKind::Flag)
    }

    /// Whether the passing of days can change the verdict.
    pub fn uses_days(&self) -> bool {
        self.expression.has_atom(&|atom| atom.kind() == AtomKind::DaysBeforeToday)
    }
}

impl<U> Atom<U> {
    pub(crate) fn kind(&self) -> AtomKind {
        match self {
            Atom::Flag(_) => AtomKind::Flag,
            Atom::Larger(_) | Atom::Smaller(_) => AtomKind::Size,
            Atom::Before(_) | Atom::On(_) | Atom::Since(_) => AtomKind::InternalDate,
            Atom::DaysBeforeToday(_) => AtomKind::DaysBeforeToday,
            Atom::Upstream(_) => AtomKind::Upstream,
        }
    }
}

/// Counts keys while walking a program. Only keys without parts count, and lists that hold nothing: with the
/// depth bounded, that bounds the rest, and `UNSEEN` costs the one key that was written.
struct Compiler {
    keys: usize,
}

impl Compiler {
    /// `wanted` is false under an odd number of NOTs; `depth` counts the lists, NOTs and ORs around `key`.
    /// The whole program is read before anything is simplified away: a refusal never depends on what stands
    /// beside the key.
    fn compile<'p>(
        &mut self,
        key: &'p SearchKey,
        wanted: bool,
        depth: usize,
    ) -> Result<Expression<&'p SearchKey>, FilterRefused> {
        if depth > NESTING_MAX && matches!(key, SearchKey::And(_) | SearchKey::Or(..) | SearchKey::Not(_)) {
            return Err(FilterRefused::TooDeep);
        }
        match key {
            SearchKey::And(keys) if !keys.is_empty() => {
                let parts =
                    keys.iter().map(|key| self.compile(key, wanted, depth + 1)).collect::<Result<_, _>>()?;
                Ok(Expression::join(wanted, parts))
            }
            SearchKey::Or(left, right) => {
                let parts =
                    vec![self.compile(left, wanted, depth + 1)?, self.compile(right, wanted, depth + 1)?];
                Ok(Expression::join(!wanted, parts))
            }
            SearchKey::Not(key) => self.compile(key, !wanted, depth + 1),
            leaf => {
                self.keys += 1;
                if self.keys > SEARCH_KEYS_MAX {
                    return Err(FilterRefused::TooManyKeys);
                }
                match atom(leaf)? {
                    None => Ok(Expression::constant(wanted)),
                    Some(Atom::DaysBeforeToday(_)) if !wanted => Err(FilterRefused::NegatedDays),
                    Some(atom) => Ok(Expression::Atom { atom, wanted }),
                }
            }
        }
    }
}

/// The one place that says who evaluates a key. `None` is a key that every message meets.
fn atom(key: &SearchKey) -> Result<Option<Atom<&SearchKey>>, FilterRefused> {
    Ok(Some(match key {
        // RFC 3501 has no empty list; all of nothing is every message. Lists with keys, OR and NOT never come
        // here.
        SearchKey::All | SearchKey::And(_) | SearchKey::Or(..) | SearchKey::Not(_) => return Ok(None),
        SearchKey::Flag(flag) => Atom::Flag(flag.clone()),
        SearchKey::Larger(octets) => Atom::Larger(*octets),
        SearchKey::Smaller(octets) => Atom::Smaller(*octets),
        SearchKey::Before(date) => Atom::Before(*date),
        SearchKey::On(date) => Atom::On(*date),
        SearchKey::Since(date) => Atom::Since(*date),
        SearchKey::DaysBeforeToday(days) => Atom::DaysBeforeToday(*days),
        SearchKey::SentBefore(_)
        | SearchKey::SentOn(_)
        | SearchKey::SentSince(_)
        | SearchKey::Header(..)
        | SearchKey::Field(..)
        | SearchKey::Body(_)
        | SearchKey::Text(_) => Atom::Upstream(key),
        SearchKey::Recent => return Err(FilterRefused::SessionKey("RECENT")),
        SearchKey::New => return Err(FilterRefused::SessionKey("NEW")),
        SearchKey::Old => return Err(FilterRefused::SessionKey("OLD")),
        SearchKey::ModSeq(_) => return Err(FilterRefused::SessionKey("MODSEQ")),
        SearchKey::Sequence(_) => return Err(FilterRefused::SessionKey("a sequence set")),
        SearchKey::Older(_) | SearchKey::Younger(_) => return Err(FilterRefused::MovingWindow),
        SearchKey::Saved => return Err(FilterRefused::SessionKey("$")),
        SearchKey::Uid(_) => return Err(FilterRefused::Uid),
    }))
}
