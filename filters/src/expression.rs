//! The compiled form of a filter: "all of" and "any of" over atoms, with every NOT carried down to the atoms
//! by De Morgan's rules. So NOT costs nothing when evaluating, NOT NOT disappears, and constants need no word
//! of their own: all of nothing is every message, any of nothing is none.

use pimap_types::Flag;
use pimap_types::message::Date;

/// A boolean expression in negation normal form. `U` names an upstream atom: the key itself while compiling,
/// afterwards its place in the filter's list.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Expression<U = usize> {
    /// Every part holds.
    All(Vec<Expression<U>>),
    /// Some part holds.
    Any(Vec<Expression<U>>),
    /// The atom is as wanted.
    Atom {
        /// What is looked at.
        atom: Atom<U>,
        /// False where the atom stands under an odd number of NOTs.
        wanted: bool,
    },
}

/// A question about one message that has no parts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Atom<U = usize> {
    /// The flag is set.
    Flag(Flag),
    /// More octets than this.
    Larger(u32),
    /// Fewer octets than this.
    Smaller(u32),
    /// INTERNALDATE before this day.
    Before(Date),
    /// INTERNALDATE on this day.
    On(Date),
    /// INTERNALDATE on this day or later.
    Since(Date),
    /// INTERNALDATE today, later, or at most so many days before.
    DaysBeforeToday(u32),
    /// Only upstream can tell.
    Upstream(U),
}

impl<U> Expression<U> {
    /// Every message, or none.
    pub(crate) fn constant(value: bool) -> Self {
        if value { Self::All(Vec::new()) } else { Self::Any(Vec::new()) }
    }

    /// The value, where the expression has no atoms left.
    pub(crate) fn as_constant(&self) -> Option<bool> {
        match self {
            Self::All(parts) if parts.is_empty() => Some(true),
            Self::Any(parts) if parts.is_empty() => Some(false),
            _ => None,
        }
    }

    /// Joins parts by "all of" (`every`) or "any of", simplified: nested joints of the same kind are spliced
    /// in, which drops the constant that changes nothing; the other constant decides alone; a single part
    /// needs no joint.
    pub(crate) fn join(every: bool, parts: Vec<Self>) -> Self {
        let mut kept = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(inner) if every => kept.extend(inner),
                Self::Any(inner) if !every => kept.extend(inner),
                decisive if decisive.as_constant() == Some(!every) => return decisive,
                other => kept.push(other),
            }
        }
        match (kept.len(), every) {
            (1, _) => kept.remove(0),
            (_, true) => Self::All(kept),
            (_, false) => Self::Any(kept),
        }
    }

    /// The same expression with other names for its upstream atoms, given in the order of reading.
    pub(crate) fn rename_upstream<V>(self, name: &mut impl FnMut(U) -> V) -> Expression<V> {
        match self {
            Self::All(parts) => {
                Expression::All(parts.into_iter().map(|part| part.rename_upstream(name)).collect())
            }
            Self::Any(parts) => {
                Expression::Any(parts.into_iter().map(|part| part.rename_upstream(name)).collect())
            }
            Self::Atom { atom, wanted } => Expression::Atom { atom: atom.rename_upstream(name), wanted },
        }
    }

    /// Whether some atom meets the test.
    pub(crate) fn has_atom(&self, test: &dyn Fn(&Atom<U>) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.has_atom(test)),
            Self::Atom { atom, .. } => test(atom),
        }
    }

    /// The expression's value when `answer` tells that of each atom. What nobody can tell is not as wanted, under
    /// NOT neither: nothing passes because a question was refused. The walk is no deeper than the program was,
    /// which compiling has bounded.
    pub(crate) fn evaluate(&self, answer: &dyn Fn(&Atom<U>) -> Option<bool>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.evaluate(answer)),
            Self::Any(parts) => parts.iter().any(|part| part.evaluate(answer)),
            Self::Atom { atom, wanted } => answer(atom) == Some(*wanted),
        }
    }
}

impl<U> Atom<U> {
    fn rename_upstream<V>(self, name: &mut impl FnMut(U) -> V) -> Atom<V> {
        match self {
            Atom::Flag(flag) => Atom::Flag(flag),
            Atom::Larger(octets) => Atom::Larger(octets),
            Atom::Smaller(octets) => Atom::Smaller(octets),
            Atom::Before(date) => Atom::Before(date),
            Atom::On(date) => Atom::On(date),
            Atom::Since(date) => Atom::Since(date),
            Atom::DaysBeforeToday(days) => Atom::DaysBeforeToday(days),
            Atom::Upstream(old) => Atom::Upstream(name(old)),
        }
    }
}
