//! A filter's verdict on one message.
//!
//! In go the facts of a message, upstream's verdicts on the atoms that are its own, and the account's day;
//! out comes whether the message passes. The caller stores the verdict, which from then on is the only
//! authority (F23); nothing is remembered here.

use crate::compile::Filter;
use crate::expression::Atom;
use pimap_types::{Date, MessageFacts};

#[cfg(test)]
mod tests;

impl Filter {
    /// Whether the message passes. `upstream` tells whether it meets the atom at that place of
    /// [`upstream_atoms`](Filter::upstream_atoms), `None` where the server refused to say; it is asked only as far as
    /// the verdict depends on it. `today` is the day in the account's time zone.
    pub fn evaluate(
        &self,
        facts: &MessageFacts,
        upstream: &dyn Fn(usize) -> Option<bool>,
        today: Date,
    ) -> bool {
        self.expression.evaluate(&|atom| {
            Some(match atom {
                Atom::Upstream(index) => return upstream(*index),
                // Keywords compare without case (RFC 3501 2.3.2 leaves it open; servers do).
                Atom::Flag(flag) => facts.flags.contains(flag),
                Atom::Larger(octets) => facts.size > *octets,
                Atom::Smaller(octets) => facts.size < *octets,
                // RFC 3501 6.4.4: the day alone counts, time and zone are disregarded.
                Atom::Before(date) => facts.internal_date < *date,
                Atom::On(date) => facts.internal_date == *date,
                Atom::Since(date) => facts.internal_date >= *date,
                Atom::DaysBeforeToday(days) => within_days(facts.internal_date, *days, today),
            })
        })
    }

    /// The verdict on a message of which nothing but its UID is known; `None` where the filter [needs
    /// facts](Filter::needs_facts). For mailboxes whose facts were never fetched because no filter asks for
    /// them.
    pub fn evaluate_without_facts(&self, upstream: &dyn Fn(usize) -> Option<bool>) -> Option<bool> {
        if self.needs_facts() {
            return None;
        }
        Some(self.expression.evaluate(&|atom| match atom {
            Atom::Upstream(index) => upstream(*index),
            _ => None,
        }))
    }
}

/// Whether `date` is `today`, or at most `days` before it (P-IMAP 5.2.3). Days to come pass: a server's clock
/// or zone may be ahead of the account's, and hiding a message until its day has come would let it enter the
/// view by ageing (F31).
fn within_days(date: Date, days: u32, today: Date) -> bool {
    i64::from(date.0) >= i64::from(today.0) - i64::from(days)
}
