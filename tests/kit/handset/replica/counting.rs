//! What a handset with QRESYNC does besides (RFC 7162 6): it caches each mailbox at every tagged answer, with the mod-sequence up to
//! which it then knew it, drops everything else when the connection breaks, and comes back by `SELECT (QRESYNC …)` alone. It believes
//! neither what a resumed session tells it at LOGIN nor that the session still is the one it had. With CONDSTORE alone it
//! compares UIDs, and asks for the flags that changed since.

use super::held::Row;
use super::{Held, Kind, Replica};
use crate::response::{Condition, Fetched, Flags};
use std::collections::BTreeMap;

/// The caches of a handset that counts, and what it heard since the last tagged answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Counting {
    /// QRESYNC was enabled; else CONDSTORE is all there is.
    qresync: bool,
    /// It names the UIDs that it knows.
    named: bool,
    /// With CONDSTORE: a mailbox that was selected anew and is being compared with its cache.
    comparing: Option<Comparing>,
    caches: BTreeMap<String, Cache>,
    /// The highest MODSEQ seen.
    seen: u64,
    /// HIGHESTMODSEQ, if it was told: it counts, whatever was seen (NQ-046).
    told: Option<u64>,
    /// The answer being heard is to a SELECT that said what is known.
    resynchronising: bool,
    /// Gone since, as that answer tells (`VANISHED (EARLIER)`).
    gone: Vec<(u32, u32)>,
}

#[derive(Debug, Clone, Default)]
struct Cache {
    uid_validity: u32,
    known: u64,
    messages: BTreeMap<u32, Option<Flags>>,
}

/// CONDSTORE's way back into a mailbox: UIDs first, then the flags changed since; what is left is as it was cached.
#[derive(Debug, Clone)]
struct Comparing {
    mailbox: String,
    /// What SELECT said is known when this is over.
    then: u64,
    /// The command that asks for what changed.
    asked: Option<String>,
}

impl Counting {
    /// A handset of that kind with nothing cached.
    pub(super) fn of(kind: Kind) -> Counting {
        let named = kind == Kind::Qresync { named: true };
        Counting { qresync: kind.resynchronises(), named, ..Counting::default() }
    }

    /// A SELECT as this handset sends it, with what it knows of the mailbox.
    pub(super) fn select(&self, command: &str) -> String {
        if !self.qresync {
            return format!("{command} (CONDSTORE)");
        }
        let name = command.split_once(' ').map_or("", |(_, name)| name);
        let Some(cache) = self.caches.get(name).filter(|cache| cache.known > 0) else {
            return command.to_owned();
        };
        let uids: Vec<String> = cache.messages.keys().map(u32::to_string).collect();
        let known =
            if self.named && !uids.is_empty() { format!(" {}", uids.join(",")) } else { String::new() };
        format!("{command} (QRESYNC ({} {}{known}))", cache.uid_validity, cache.known)
    }

    /// The mod-sequence up to which a mailbox is known.
    pub(super) fn known(&self, mailbox: &str) -> u64 {
        self.caches.get(mailbox).map_or(0, |cache| cache.known)
    }

    /// What it has to ask before it can compare a mailbox with its cache.
    pub(super) fn missing(&self, mailbox: &str, held: &Held) -> Option<String> {
        self.comparing.as_ref().filter(|comparing| comparing.mailbox == mailbox)?;
        if held.rows.iter().any(|row| row.uid.is_none()) {
            return Some("UID FETCH 1:* (UID)".to_owned());
        }
        Some(format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {})", self.known(mailbox)))
    }

    /// A command is sent; `held`: what is held of the selected mailbox then.
    pub(super) fn note_said(&mut self, tag: &str, line: &[u8], held: Option<&Held>) {
        let known = self.comparing.as_ref().map(|comparing| self.known(&comparing.mailbox));
        let (Some(comparing), Some(held), Some(known)) = (&mut self.comparing, held, known) else { return };
        let asks = String::from_utf8_lossy(line).ends_with(&format!("(FLAGS) (CHANGEDSINCE {known})"));
        if asks && held.rows.iter().all(|row| row.uid.is_some()) {
            comparing.asked = Some(tag.to_owned());
        }
    }

    /// A SELECT's answer begins.
    pub(super) fn select_begins(&mut self, resynchronising: bool) {
        (self.resynchronising, self.seen, self.told) = (resynchronising, 0, None);
        self.comparing = None;
        self.gone.clear();
    }

    pub(super) fn hear_condition(&mut self, condition: &Condition) -> Result<(), String> {
        if let Some(number) = condition.code("HIGHESTMODSEQ") {
            let number: u64 = number.parse().map_err(|_| "HIGHESTMODSEQ is no number".to_owned())?;
            self.told = Some(number);
        }
        Ok(())
    }

    pub(super) fn hear_fetch(&mut self, fetched: &Fetched) -> Result<(), String> {
        let Some(list) = fetched.items.get("MODSEQ") else { return Ok(()) };
        let digits = String::from_utf8_lossy(list);
        let digits = digits.trim_matches(['(', ')']);
        let number: u64 = digits.parse().map_err(|_| "MODSEQ is no number".to_owned())?;
        self.seen = self.seen.max(number);
        Ok(())
    }
}

impl Replica {
    /// `* VANISHED` with or without `(EARLIER)`.
    pub(super) fn vanished(&mut self, earlier: bool, uids: &[(u32, u32)]) -> Result<(), String> {
        let Some(counting) = &mut self.counting else {
            return Err("VANISHED, and QRESYNC was never enabled".to_owned());
        };
        if !counting.qresync {
            return Err("VANISHED, and CONDSTORE alone was enabled (RFC 7162 3.2.10)".to_owned());
        }
        let selecting = self.selecting.is_some();
        if earlier && selecting {
            counting.gone.extend_from_slice(uids);
            return if counting.resynchronising {
                Ok(())
            } else {
                Err("nobody asked what vanished".to_owned())
            };
        }
        if selecting {
            return Err(
                "SELECT tells what is gone now by VANISHED (EARLIER) or not at all (NQ-037)".to_owned()
            );
        }
        let held = self.held()?;
        if held.stale {
            return Ok(());
        }
        for uid in uids.iter().flat_map(|(first, last)| *first..=*last) {
            let at = held.rows.iter().position(|row| row.uid == Some(uid));
            if earlier {
                // It never lowers a count (NQ-048); what is still there by the handset's count cannot be gone before.
                if at.is_some() {
                    return Err(format!("UID {uid} is held, and vanished earlier"));
                }
                continue;
            }
            // One that was announced and never looked at stands behind all that are known.
            let at = at.or_else(|| held.rows.iter().position(|row| row.uid.is_none()));
            let at = at.ok_or_else(|| format!("UID {uid} vanished, and was never told (NQ-039)"))?;
            held.rows.remove(at);
        }
        Ok(())
    }

    /// A tagged answer: what was heard is believed, and cached (RFC 7162 6).
    pub(super) fn cache(&mut self, selected: bool, tag: &str, done: bool) -> Result<(), String> {
        let Some(mut counting) = self.counting.take() else { return Ok(()) };
        let result = match self.selected.clone() {
            Some(name) if !counting.qresync && self.compares(&mut counting, &name, selected, tag, done) => {
                Ok(())
            }
            Some(name) => self.cache_mailbox(&mut counting, &name, selected),
            None => Ok(()),
        };
        (counting.seen, counting.told, counting.resynchronising) = (0, None, false);
        counting.gone.clear();
        self.counting = Some(counting);
        result
    }

    fn cache_mailbox(&mut self, counting: &mut Counting, name: &str, selected: bool) -> Result<(), String> {
        let Some(held) = self.mailboxes.get_mut(name).filter(|held| !held.stale) else { return Ok(()) };
        let before = counting.caches.get(name).cloned().unwrap_or_default();
        let same = held.uid_validity == Some(before.uid_validity);
        if selected && counting.resynchronising && same {
            let gone = |uid: u32| counting.gone.iter().any(|(first, last)| (*first..=*last).contains(&uid));
            let left = before.messages.iter().filter(|(uid, _)| !gone(**uid));
            fill(held, left.map(|(uid, flags)| (*uid, flags.clone())))?;
        } else if selected && !counting.gone.is_empty() {
            return Err("VANISHED under another UIDVALIDITY (NQ-036)".to_owned());
        }
        if selected && counting.told.is_none() {
            return Err("SELECT without HIGHESTMODSEQ (NQ-033)".to_owned());
        }
        let known = if same { before.known } else { 0 };
        let known = counting.told.unwrap_or_else(|| known.max(counting.seen));
        let messages = held.rows.iter().filter_map(|row| Some((row.uid?, row.flags.clone()))).collect();
        let uid_validity = held.uid_validity.unwrap_or(0);
        counting.caches.insert(name.to_owned(), Cache { uid_validity, known, messages });
        Ok(())
    }

    /// CONDSTORE's way back: whether the mailbox is still being compared with its cache, which is not to be touched meanwhile.
    fn compares(
        &mut self,
        counting: &mut Counting,
        name: &str,
        selected: bool,
        tag: &str,
        done: bool,
    ) -> bool {
        let Some(held) = self.mailboxes.get_mut(name).filter(|held| !held.stale) else { return false };
        let cached = counting
            .caches
            .get(name)
            .filter(|cache| cache.known > 0 && held.uid_validity == Some(cache.uid_validity));
        let Some(cache) = cached else { return false };
        if selected {
            let Some(then) = counting.told else { return false };
            counting.comparing = Some(Comparing { mailbox: name.to_owned(), then, asked: None });
            return true;
        }
        let Some(comparing) = counting.comparing.as_ref().filter(|c| c.mailbox == name) else { return false };
        if comparing.asked.as_deref() != Some(tag) || !done {
            return true;
        }
        for row in held.rows.iter_mut().filter(|row| row.flags.is_none()) {
            row.flags = row.uid.and_then(|uid| cache.messages.get(&uid).cloned().flatten());
        }
        counting.told = counting.told.or(Some(comparing.then));
        counting.comparing = None;
        false
    }

    /// The connection is lost: nothing but the caches is believed.
    pub(super) fn drop_all_but_caches(&mut self) {
        if let Some(counting) = &mut self.counting {
            counting.comparing = None;
            (counting.seen, counting.told, counting.resynchronising) = (0, None, false);
            counting.gone.clear();
            for held in self.mailboxes.values_mut() {
                *held = Held::stale();
            }
        }
    }
}

/// Puts what is left of the cache where nothing was told: in order, and before what is new.
fn fill(held: &mut Held, left: impl Iterator<Item = (u32, Option<Flags>)>) -> Result<(), String> {
    let told: Vec<u32> = held.rows.iter().filter_map(|row| row.uid).collect();
    let mut left = left.filter(|(uid, _)| !told.contains(uid));
    for at in 0..held.rows.len() {
        if held.rows[at].uid.is_some() {
            continue;
        }
        let Some((uid, flags)) = left.next() else { break };
        held.rows[at] = Row { uid: None, flags };
        held.learn_uid(at, uid)?;
    }
    match left.next() {
        Some((uid, _)) => Err(format!("UID {uid} did not vanish, and EXISTS does not count it")),
        None => Ok(()),
    }
}
