//! Recognising a repeated request (F4, F45): for each request that changes mail, the intent before the effect and the
//! tagged result after it. A repeat is answered from here and executed never again.

use pimap_types::{Status, Timestamp, limits};
use std::collections::VecDeque;

/// Names one HTTP request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestKey {
    /// SHA-256 of `Idempotency-Key`, else of the body.
    pub hash: [u8; 32],
    /// The handset named it: valid as long as it is remembered. A body's hash is valid only while its response is
    /// unacknowledged, at most 10 minutes.
    pub named: bool,
    /// What a named request says, as a digest that tells nothing to who does not know its name; `None`: not read at once. It is not
    /// part of the name, but a name that comes back with another one is not a repeat.
    pub says: Option<[u8; 16]>,
}

impl RequestKey {
    /// Whether both are the same name.
    fn names(&self, other: &Self) -> bool {
        (self.hash, self.named) == (other.hash, other.named)
    }

    /// Whether the name of one request is used for another.
    fn is_reused(&self, other: &Self) -> bool {
        self.named && self.names(other) && self.says.zip(other.says).is_some_and(|(one, two)| one != two)
    }
}

/// How long a body's hash is taken for a repeat, ms.
pub const BODY_HASH_VALID_MS: i64 = 600_000;

/// Effects remembered in all records of a session together; past it the oldest records go.
const EFFECTS_MAX: usize = 2_048;
/// What is remembered of an answer's text and of its code.
const TEXT_BYTES_MAX: usize = 128;
const CODE_BYTES_MAX: usize = 256;

/// A mutating command of a remembered request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// It was about to be executed; whether it was is unknown until a result follows.
    Intended,
    /// Its tagged answer: status, code without brackets, text.
    Answered(Status, Option<String>, String),
}

impl Effect {
    /// An answer as it is remembered: its words may be upstream's, and are cut; a code that is too long is left out, since half
    /// of one would say something else.
    fn bounded(self) -> Self {
        let Effect::Answered(status, code, mut text) = self else { return self };
        let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end.min(text.len()));
        Effect::Answered(status, code.filter(|code| code.len() <= CODE_BYTES_MAX), text)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Record {
    pub(crate) key: RequestKey,
    pub(crate) at: Timestamp,
    /// The log position of its last result: acknowledged with it.
    pub(crate) position: u64,
    /// By the command's place in the request.
    pub(crate) effects: Vec<(u32, Effect)>,
}

/// The remembered requests of a session, oldest first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Requests {
    pub(crate) records: VecDeque<Record>,
}

/// What is known of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// Never seen: execute it.
    New,
    /// Executed before, with this answer.
    Answered(Status, Option<String>, String),
    /// Begun before, the outcome unknown: `NO [PIMAPINDOUBT]`.
    InDoubt,
    /// The name is that of another request: nothing of this one may be executed, and nothing of that one is its answer.
    Reused,
}

impl Requests {
    /// Looks a command up.
    pub fn find(&self, key: RequestKey, index: u32, now: Timestamp) -> Repeat {
        if self.is_reused(key) {
            return Repeat::Reused;
        }
        let valid = |record: &&Record| {
            record.key.names(&key) && (key.named || now.since_ms(record.at) <= BODY_HASH_VALID_MS)
        };
        let effect = self
            .records
            .iter()
            .rev()
            .filter(valid)
            .find_map(|record| record.effects.iter().find(|(at, _)| *at == index));
        match effect {
            None => Repeat::New,
            Some((_, Effect::Intended)) => Repeat::InDoubt,
            Some((_, Effect::Answered(status, code, text))) => {
                Repeat::Answered(*status, code.clone(), text.clone())
            }
        }
    }

    /// Whether the name was given to a request that said something else.
    pub fn is_reused(&self, key: RequestKey) -> bool {
        self.records.iter().any(|record| record.key.is_reused(&key))
    }

    /// A mutating command is about to be executed.
    pub fn intend(&mut self, key: RequestKey, index: u32, now: Timestamp, position: u64) {
        match self.records.iter_mut().find(|record| record.key.names(&key)) {
            Some(record) => {
                record.at = now;
                record.position = position;
                record.effects.retain(|(at, _)| *at != index);
                record.effects.push((index, Effect::Intended));
            }
            None => {
                let effects = vec![(index, Effect::Intended)];
                self.records.push_back(Record { key, at: now, position, effects });
            }
        }
        // The records are one row of the store: however many changes a request holds, it stays within what a row may take.
        let effects = |records: &VecDeque<Record>| records.iter().map(|r| r.effects.len()).sum::<usize>();
        while self.records.len() > limits::MUTATION_RECORDS_MAX
            || (self.records.len() > 1 && effects(&self.records) > EFFECTS_MAX)
        {
            self.records.pop_front();
        }
    }

    /// It was answered.
    pub fn answer(&mut self, key: RequestKey, index: u32, effect: Effect, position: u64) {
        let effect = effect.bounded();
        if let Some(record) = self.records.iter_mut().find(|record| record.key.names(&key)) {
            record.position = position;
            for (at, known) in &mut record.effects {
                if *at == index {
                    *known = effect.clone();
                }
            }
        }
    }

    /// Responses up to `position` arrived: a body's hash no longer names a repeat. Returns whether anything was forgotten.
    pub fn acknowledged(&mut self, position: u64) -> bool {
        let before = self.records.len();
        self.records.retain(|record| record.key.named || record.position > position);
        before != self.records.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: RequestKey = RequestKey { hash: [7; 32], named: false, says: None };
    const NAMED: RequestKey = RequestKey { hash: [8; 32], named: true, says: Some([1; 16]) };

    #[test]
    fn a_body_hash_is_a_repeat_only_while_unacknowledged_and_young() {
        let mut requests = Requests::default();
        for key in [KEY, NAMED] {
            requests.intend(key, 2, Timestamp(0), 5);
            assert_eq!(requests.find(key, 2, Timestamp(1)), Repeat::InDoubt);
            assert_eq!(requests.find(key, 1, Timestamp(1)), Repeat::New);
            requests.answer(key, 2, Effect::Answered(Status::Ok, None, "done".into()), 6);
        }
        let done = Repeat::Answered(Status::Ok, None, "done".into());
        assert_eq!(requests.find(KEY, 2, Timestamp(BODY_HASH_VALID_MS)), done);
        assert_eq!(requests.find(KEY, 2, Timestamp(BODY_HASH_VALID_MS + 1)), Repeat::New);
        assert!(!requests.acknowledged(5));
        assert!(requests.acknowledged(6));
        assert_eq!(requests.find(KEY, 2, Timestamp(1)), Repeat::New);
        assert_eq!(requests.find(NAMED, 2, Timestamp(i64::MAX)), done);
    }

    /// The Idempotency-Key HTTP header field, 2.2 and 2.7: a name is that of one request.
    #[test]
    fn a_name_with_other_words_is_no_repeat() {
        let mut requests = Requests::default();
        requests.intend(NAMED, 2, Timestamp(0), 5);
        requests.answer(NAMED, 2, Effect::Answered(Status::Ok, None, "done".into()), 6);
        let other = RequestKey { says: Some([2; 16]), ..NAMED };
        for index in [1, 2] {
            assert_eq!(requests.find(other, index, Timestamp(1)), Repeat::Reused);
        }
        assert!(requests.is_reused(other) && !requests.is_reused(NAMED));
        // What was not read at once cannot be compared: the name alone counts.
        let unread = RequestKey { says: None, ..NAMED };
        assert_eq!(requests.find(unread, 2, Timestamp(1)), requests.find(NAMED, 2, Timestamp(1)));
        assert_eq!(requests.find(unread, 1, Timestamp(1)), Repeat::New);
        // A hash of the body is a name of its own.
        let hashed = RequestKey { named: false, ..other };
        assert_eq!(requests.find(hashed, 2, Timestamp(1)), Repeat::New);
    }

    #[test]
    fn what_is_remembered_is_bounded_however_much_a_request_changes() {
        let mut requests = Requests::default();
        for request in 0..8u8 {
            let key = RequestKey { hash: [request; 32], ..NAMED };
            for index in 0..1_000 {
                requests.intend(key, index, Timestamp(0), 1);
                let long = Effect::Answered(Status::No, Some("x".repeat(9_000)), "ö".repeat(9_000));
                requests.answer(key, index, long, 1);
            }
        }
        let effects: usize = requests.records.iter().map(|record| record.effects.len()).sum();
        assert!(effects <= EFFECTS_MAX, "{effects}");
        let last = RequestKey { hash: [7; 32], ..NAMED };
        let Repeat::Answered(Status::No, None, text) = requests.find(last, 999, Timestamp(0)) else {
            panic!("the last request is remembered");
        };
        assert!(text.len() <= TEXT_BYTES_MAX && text.starts_with('ö'));
        assert_eq!(requests.find(RequestKey { hash: [0; 32], ..NAMED }, 0, Timestamp(0)), Repeat::New);
    }
}
