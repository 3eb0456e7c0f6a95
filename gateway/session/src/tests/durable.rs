//! Logs in a store: what is loaded after a crash is what was committed; and logs told apart by what matters only.

use crate::SessionLog;
use std::collections::BTreeMap;

const PREFIX: &[u8] = b"s/";

/// The rows of a store.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows {
    /// All rows of a log, whether they changed or not.
    pub fn all(log: &SessionLog) -> Self {
        let mut log = log.clone();
        log.dirty.head();
        log.dirty.requests();
        log.offers.iter().for_each(|offer| log.dirty.offer(offer.position));
        for (name, told) in log.mailboxes.iter() {
            log.dirty.told(name);
            log.dirty.view_dropped(name, told);
        }
        let mut rows = Self::default();
        rows.commit(&mut log);
        rows
    }

    /// Makes durable what changed, and no more.
    pub fn commit(&mut self, log: &mut SessionLog) {
        let mut changes = Vec::new();
        log.take_rows(PREFIX, &mut changes);
        assert!(!log.is_dirty());
        for (key, row) in changes {
            assert!(key.starts_with(PREFIX));
            match row {
                Some(row) => drop(self.0.insert(key, row)),
                None => drop(self.0.remove(&key)),
            }
        }
    }

    /// Another row of that kind, of which a session has one.
    pub fn replace(&mut self, kind: u8, row: Vec<u8>) {
        let key = [PREFIX, &[kind]].concat();
        assert!(self.0.insert(key, row).is_some(), "there was none");
    }

    /// A row under the key given, as another version of the program left it.
    pub fn put(&mut self, key: &[u8], row: Vec<u8>) {
        self.0.insert([PREFIX, key].concat(), row);
    }

    /// The rows of a kind, by the rest of their keys.
    pub fn of(&self, kind: u8) -> Vec<(&[u8], &[u8])> {
        let rows = self.0.iter().map(|(key, row)| (&key[PREFIX.len()..], &row[..]));
        rows.filter(|(key, _)| key[0] == kind).map(|(key, row)| (&key[1..], row)).collect()
    }

    /// Deletes a session.
    pub fn erase(&mut self, log: &mut SessionLog) {
        let mut changes = Vec::new();
        log.erase(PREFIX, &mut changes);
        for (key, row) in changes {
            match row {
                Some(row) => drop(self.0.insert(key, row)),
                None => drop(self.0.remove(&key)),
            }
        }
    }

    /// Every way to cut one row short; but a view's chunk is a list of runs, and a shorter one is one too.
    pub fn each_cut(&self, check: impl Fn(&Self)) {
        for (key, row) in self.0.iter().filter(|(key, _)| key[PREFIX.len()] != b'v') {
            for length in 0..row.len() {
                let mut cut = self.clone();
                cut.0.insert(key.clone(), row[..length].to_vec());
                check(&cut);
            }
        }
    }

    /// The log as after a crash.
    pub fn load(&self) -> Option<SessionLog> {
        SessionLog::load(self.0.iter().map(|(key, row)| (&key[PREFIX.len()..], &row[..])))
    }
}

/// Commits what changed since `before` and gives the log as loaded back: it must be the same.
pub fn reload(before: &SessionLog, mut after: SessionLog) -> SessionLog {
    after.check_invariants().expect("the log's own laws");
    let mut rows = Rows::all(before);
    rows.commit(&mut after);
    let loaded = rows.load().expect("rows that a log wrote");
    assert_eq!(loaded, after, "what is loaded is what was committed");
    loaded
}

/// Gives positions their ranks: only their order matters, and so a world with endless requests has few states.
pub fn rank_positions(logs: &mut [&mut SessionLog], others: &mut [&mut u64]) {
    let mut all: Vec<u64> = others.iter().map(|position| **position).collect();
    for log in logs.iter() {
        all.extend([log.acked, log.position]);
        all.extend(log.offers.iter().map(|offer| offer.position));
    }
    all.sort_unstable();
    all.dedup();
    let rank = |position: &mut u64| *position = all.partition_point(|known| known < position) as u64;
    for log in logs.iter_mut() {
        rank(&mut log.acked);
        rank(&mut log.position);
        log.offers.iter_mut().for_each(|offer| rank(&mut offer.position));
        // Only which mailbox is forgotten hangs on it, and there is one.
        log.mailboxes.iter_mut().for_each(|(_, told)| told.selected_at = 0);
    }
    others.iter_mut().for_each(|position| rank(position));
}
