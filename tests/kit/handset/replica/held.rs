//! What is held of one mailbox: its messages in order, and how that compares to the truth.

use super::MailboxTruth;
use crate::response::Flags;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) uid: Option<u32>,
    pub(super) flags: Option<Flags>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) uid_validity: Option<u32>,
    pub(super) rows: Vec<Row>,
    /// Told RESYNC, or never told anything: nothing here is believed until the next SELECT.
    pub(super) stale: bool,
}

impl Held {
    /// What nothing is known of.
    pub(super) fn stale() -> Held {
        Held { stale: true, ..Held::default() }
    }

    /// The place of a message number.
    pub(super) fn at(&self, number: u32) -> Result<usize, String> {
        match (number as usize).checked_sub(1) {
            Some(at) if at < self.rows.len() => Ok(at),
            _ => Err(format!("number {number} where {} messages are held", self.rows.len())),
        }
    }

    /// Takes the UID of a message, which must fit what is known of it and its neighbours.
    pub(super) fn learn_uid(&mut self, at: usize, uid: u32) -> Result<(), String> {
        let known = self.rows[at].uid.replace(uid);
        if known.is_some_and(|known| known != uid) {
            return Err(format!("message {} is UID {uid}, held as {known:?}", at + 1));
        }
        let below = self.rows[..at].iter().rev().find_map(|row| row.uid);
        let above = self.rows[at + 1..].iter().find_map(|row| row.uid);
        if below.is_some_and(|below| below >= uid) || above.is_some_and(|above| above <= uid) {
            return Err(format!("UID {uid} of message {} is out of order", at + 1));
        }
        Ok(())
    }

    /// Notes every difference to what is really there.
    pub(super) fn compare(&self, name: &str, real: &MailboxTruth, differences: &mut Vec<String>) {
        if self.uid_validity.is_some_and(|held| held != real.uid_validity) {
            differences
                .push(format!("{name}: UIDVALIDITY {:?}, really {}", self.uid_validity, real.uid_validity));
            return;
        }
        if self.rows.len() != real.messages.len() {
            let (held, there) = (self.rows.len(), real.messages.len());
            differences.push(format!("{name}: {held} messages held, {there} really there"));
        }
        for (at, (row, (uid, flags))) in self.rows.iter().zip(&real.messages).enumerate() {
            if row.uid.is_some_and(|held| held != *uid) {
                differences.push(format!(
                    "{name}: message {} held as UID {:?}, really {uid}",
                    at + 1,
                    row.uid
                ));
            }
            if row.flags.as_ref().is_some_and(|held| held != flags) {
                differences
                    .push(format!("{name}: flags of UID {uid} held as {:?}, really {flags:?}", row.flags));
            }
        }
    }
}
