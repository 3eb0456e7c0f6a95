//! The mirror of one mailbox: which messages upstream holds, as far as the owner knows, and what filters need to know of
//! them.

use crate::mod_seq::ModSeqs;
use pimap_filters::upstream_program;
use pimap_types::search::SearchKey;
use pimap_types::upstream::{FlagsReport, Known, MailboxAt, Synced};
use pimap_types::{
    Date, Flags, MailboxName, MessageFacts, ModSeq, Ticket, Timestamp, Uid, UidRanges, UidValidity,
};
use pimap_view::UidSet;
use std::collections::BTreeMap;

/// Flag reports remembered to recognise echoes; past it the next synchronisation settles them.
pub(crate) const ECHOES_MAX: usize = 1_024;

/// The pause before upstream is asked again by itself, which doubles, and its bound, ms.
const RETRY_FIRST_MS: i64 = 2_000;
const RETRY_BARE_FIRST_MS: i64 = 15_000;
const RETRY_LAST_MS: i64 = 300_000;

/// Refusals without a reason after which a server is taken at its word that it cannot search for something.
const REFUSALS_MAX: u32 = 3;

/// One mailbox of the complete repository.
#[derive(Clone)]
pub(crate) struct Mirror {
    pub(crate) uid_validity: Option<UidValidity>,
    pub(crate) uid_next: u32,
    /// The highest mod-sequence up to which everything is applied; upstream's own, never shown to a handset (F39).
    pub(crate) highest: ModSeq,
    /// What handsets are told of changes, the gateway's own.
    pub(crate) mod_seqs: ModSeqs,
    pub(crate) uids: UidSet,
    pub(crate) flags: Flags,
    pub(crate) permanent: (Flags, bool),
    /// Facts of every message, where a filter looks at them or upstream has no CONDSTORE.
    pub(crate) facts: Option<BTreeMap<Uid, Facts>>,
    /// Grows with every change applied: what a reading connection must have seen (F21).
    pub(crate) version: u64,
    /// The question number of the synchronisation that was last answered; zero: none since the start.
    pub(crate) synced_by: u64,
    pub(crate) syncing: Option<(Ticket, u64)>,
    pub(crate) sync_again: bool,
    /// The last UID, and the version, when the synchronisation under way was asked for; and what went since. No order is
    /// promised between its answer and events: it may be a picture of before them.
    pub(crate) asked_last: u32,
    pub(crate) asked_version: u64,
    pub(crate) gone_since: UidSet,
    /// A loss of most of the mailbox was reported once and waits for a second report (F53).
    pub(crate) loss_suspected: bool,
    /// MODSEQs of flags applied since the last synchronisation (F35).
    pub(crate) echoes: BTreeMap<Uid, ModSeq>,
    pub(crate) atoms: Vec<Atom>,
    /// When questions about atoms that could not be answered are asked again by themselves.
    pub(crate) retry: Retry,
}

/// Asking again what upstream could not say just now, ever later (F24).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Retry {
    at: Option<Timestamp>,
    tries: u32,
}

impl Retry {
    /// It could not be said. Who refuses without a word of why is given more time, since it is believed after a few times.
    pub(crate) fn later(&mut self, now: Timestamp, in_words: bool) {
        let first = if in_words { RETRY_FIRST_MS } else { RETRY_BARE_FIRST_MS };
        let pause = first.saturating_mul(1 << self.tries.min(16)).min(RETRY_LAST_MS);
        self.tries = self.tries.saturating_add(1);
        self.at = Some(now.plus_ms(pause));
    }

    /// It was said.
    pub(crate) fn over(&mut self) {
        *self = Self::default();
    }

    /// Whether it is time to ask; once.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

/// Facts as kept for each message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) flags: Flags,
    pub(crate) internal_date: Date,
    pub(crate) size: u32,
}

/// An atom of a filter that upstream evaluates, once per UID (F23).
#[derive(Clone)]
pub(crate) struct Atom {
    pub(crate) charset: Option<String>,
    pub(crate) key: SearchKey,
    pub(crate) matches: UidSet,
    /// Every UID up to here is evaluated.
    pub(crate) through: u32,
    /// The question under way, and up to where it asks.
    pub(crate) asked: Option<(Ticket, u32)>,
    /// Messages of which the server refused to say it.
    pub(crate) refused: UidSet,
    /// How often it refused without a reason since it last answered.
    pub(crate) refusals: u32,
}

impl Atom {
    /// What the server said of a message that it was asked about; nothing where it refused.
    pub(crate) fn answer(&self, uid: Uid) -> Option<bool> {
        (!self.refused.contains(uid)).then(|| self.matches.contains(uid))
    }

    /// The message is gone.
    pub(crate) fn forget(&mut self, uid: Uid) {
        self.matches.remove(uid);
        self.refused.remove(uid);
    }

    /// A message is there that was not. Below what is evaluated, or being asked, it comes back from wherever it was (F53): nobody
    /// has asked about it, and all from there on is asked again.
    pub(crate) fn arrived(&mut self, uid: Uid) {
        self.through = self.through.min(uid.get().saturating_sub(1));
        self.asked.take_if(|(_, through)| uid.get() <= *through);
    }

    /// What the question under way asks about, once it is answered: the UIDs, and the last of them.
    pub(crate) fn answered(&mut self) -> Option<(UidRanges, u32)> {
        let (_, through) = self.asked.take()?;
        Some((UidRanges::from_pairs([(self.through.saturating_add(1), through)]), through))
    }

    /// The server said of these that they match, and no others among those it was asked about.
    pub(crate) fn learn(&mut self, asked: &UidRanges, through: u32, matching: &UidRanges) {
        self.unlearn(asked);
        // No more than the mirror holds: it fits.
        let _ = self.matches.insert_ranges(matching);
        self.through = through;
        self.refusals = 0;
    }

    /// Whether a refusal is the server's last word, by its code (RFC 5530): some trouble passes. Where there is no code it is asked
    /// again a few times; a server that still refuses then is believed at once the next time.
    pub(crate) fn is_final(&mut self, code: Option<&str>) -> bool {
        const PASSING: [&str; 4] = ["UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT"];
        let word = code.and_then(|code| code.split(' ').next());
        match word {
            Some(word) => !PASSING.iter().any(|passing| passing.eq_ignore_ascii_case(word)),
            None => {
                self.refusals = self.refusals.saturating_add(1);
                self.refusals >= REFUSALS_MAX
            }
        }
    }

    /// The server will not say it of these.
    pub(crate) fn give_up(&mut self, asked: &UidRanges, through: u32, there: &UidRanges) {
        self.unlearn(asked);
        let _ = self.refused.insert_ranges(there);
        self.through = through;
    }

    /// What was said of them before holds no more.
    fn unlearn(&mut self, asked: &UidRanges) {
        self.matches.remove_ranges(asked);
        self.refused.remove_ranges(asked);
    }
}

impl Mirror {
    pub(crate) fn new(mod_seqs: ModSeqs) -> Self {
        Self {
            uid_validity: None,
            uid_next: 0,
            highest: ModSeq(0),
            mod_seqs,
            uids: UidSet::new(),
            flags: Flags::default(),
            permanent: (Flags::default(), false),
            facts: None,
            version: 0,
            synced_by: 0,
            syncing: None,
            sync_again: false,
            asked_last: 0,
            asked_version: 0,
            gone_since: UidSet::new(),
            loss_suspected: false,
            echoes: BTreeMap::new(),
            atoms: Vec::new(),
            retry: Retry::default(),
        }
    }

    /// What a synchronisation may start from; nothing when everything is wanted.
    pub(crate) fn known(&self, facts_wanted: bool) -> Option<Known> {
        let everything = (facts_wanted && self.facts.is_none()) || self.loss_suspected;
        let uid_validity = self.uid_validity.filter(|_| !everything)?;
        let facts = self.facts.as_ref().is_some_and(|kept| kept.len() == self.uids.len() as usize);
        Some(Known { uid_validity, highest_mod_seq: self.highest, uids: self.uids.to_ranges(), facts })
    }

    /// A synchronisation is asked for.
    pub(crate) fn asked(&mut self, ticket: Ticket, number: u64) {
        self.syncing = Some((ticket, number));
        self.sync_again = false;
        self.asked_last = self.uids.last().map_or(0, Uid::get);
        self.asked_version = self.version;
        self.gone_since = UidSet::new();
    }

    /// Where a request is addressed.
    pub(crate) fn at(&self, mailbox: &MailboxName) -> Option<MailboxAt> {
        let uid_validity = self.uid_validity?;
        Some(MailboxAt { mailbox: mailbox.clone(), uid_validity, at_least: self.version })
    }

    /// A message's facts as far as kept; only flags and UID matter where none are.
    pub(crate) fn facts_of(&self, uid: Uid) -> Option<MessageFacts> {
        let facts = self.facts.as_ref()?.get(&uid)?;
        Some(MessageFacts {
            uid,
            flags: facts.flags.clone(),
            internal_date: facts.internal_date,
            size: facts.size,
            mod_seq: ModSeq(0),
        })
    }

    pub(crate) fn keep(&mut self, facts: &MessageFacts) {
        if let Some(kept) = &mut self.facts {
            let MessageFacts { flags, internal_date, size, .. } = facts.clone();
            kept.insert(facts.uid, Facts { flags, internal_date, size });
        }
    }

    /// Everything that is there, where flags of what is kept and facts of the rest were told. `None`: something is not kept.
    pub(crate) fn completed(
        &self,
        flags: Vec<(Uid, Flags)>,
        new: Vec<MessageFacts>,
    ) -> Option<(UidRanges, Vec<MessageFacts>)> {
        let kept = self.facts.as_ref()?;
        // What has gone since it was asked for is kept no more, and is not there.
        let there = flags.into_iter().filter(|(uid, _)| !self.gone_since.contains(*uid));
        let whole = |(uid, flags): (Uid, Flags)| {
            let Facts { internal_date, size, .. } = *kept.get(&uid)?;
            Some(MessageFacts { uid, flags, internal_date, size, mod_seq: ModSeq(0) })
        };
        let mut facts: Vec<MessageFacts> = there.map(whole).collect::<Option<_>>()?;
        facts.extend(new);
        facts.sort_unstable_by_key(|facts| facts.uid);
        Some((UidRanges::from_uids(facts.iter().map(|facts| facts.uid)), facts))
    }

    /// Whether a flag report says anything new (F35): its MODSEQ is above what was applied; without MODSEQ, its flags
    /// differ from those kept. Where neither is there (a FETCH of flags on a server with CONDSTORE) a change is for the
    /// watcher to report.
    pub(crate) fn is_news(&self, uid: Uid, flags: &Flags, mod_seq: ModSeq) -> bool {
        if mod_seq == ModSeq(0) {
            return self.facts.as_ref().and_then(|facts| facts.get(&uid)).is_some_and(|f| f.flags != *flags);
        }
        mod_seq > self.highest && self.echoes.get(&uid).is_none_or(|applied| mod_seq > *applied)
    }

    /// Whether flags of that mod-sequence are older than what was applied.
    pub(crate) fn is_overtaken(&self, uid: Uid, mod_seq: ModSeq) -> bool {
        mod_seq > ModSeq(0) && self.echoes.get(&uid).is_some_and(|applied| mod_seq < *applied)
    }

    /// A flag report was applied.
    pub(crate) fn applied(&mut self, uid: Uid, mod_seq: ModSeq) {
        if mod_seq > ModSeq(0) {
            self.echoes.insert(uid, mod_seq);
        }
    }

    /// Whether this very report was applied before.
    pub(crate) fn is_applied(&self, report: &FlagsReport) -> bool {
        self.echoes.get(&report.uid).is_some_and(|applied| *applied == report.mod_seq)
    }

    /// The highest of upstream's mod-sequences that was applied.
    pub(crate) fn highest_known(&self) -> ModSeq {
        self.echoes.values().copied().fold(self.highest, ModSeq::max)
    }

    /// The numbers of a synchronisation that was applied.
    pub(crate) fn settled(&mut self, synced: &Synced) {
        self.uid_validity = Some(synced.uid_validity);
        let above = self.uids.last().map_or(1, |last| last.get().saturating_add(1));
        self.uid_next = synced.uid_next.max(above);
        self.highest = synced.highest_mod_seq;
        self.flags = synced.flags.clone();
        self.permanent = synced.permanent_flags.clone();
        let highest = self.highest;
        self.echoes.retain(|_, applied| *applied > highest);
    }

    /// The place of an atom, made where it is new.
    pub(crate) fn atom(&mut self, charset: &Option<String>, key: &SearchKey) -> usize {
        let known = self.atoms.iter().position(|atom| atom.key == *key && atom.charset == *charset);
        known.unwrap_or_else(|| {
            self.atoms.push(Atom {
                charset: charset.clone(),
                key: key.clone(),
                matches: UidSet::new(),
                through: 0,
                asked: None,
                refused: UidSet::new(),
                refusals: 0,
            });
            self.atoms.len() - 1
        })
    }

    /// The UIDs that an atom still has to be asked about, with the program that asks.
    pub(crate) fn atom_question(&self, atom: &Atom) -> Option<(u32, SearchKey)> {
        let last = self.uids.last()?.get();
        if atom.asked.is_some() || atom.through >= last {
            return None;
        }
        let above = UidRanges::from_pairs([(atom.through.saturating_add(1), last)]);
        let wanted = self.uids.intersect_ranges(&above);
        Some((last, upstream_program(&atom.key, &wanted)?))
    }
}

#[cfg(test)]
mod tests;
