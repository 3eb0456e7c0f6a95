//! One mailbox as told within a session: the client view and the marks beside it.

use crate::mark::{Class, Mark, Presence};
use pimap_types::{Flags, ModSeq, Uid, UidRanges, UidValidity};
use pimap_view::UidSet;
use std::collections::BTreeMap;

/// What one handset knows of one mailbox, and what it does not know yet.
///
/// Law: `view` with the marks applied (arrivals in, departures out) is the live view. [`Told::live`] computes it, and the
/// account's invariants compare it with the truth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Told {
    /// The UIDVALIDITY under which UIDs were told.
    pub uid_validity: UidValidity,
    /// The client view: told, and not told gone. Position k is the handset's sequence number k.
    pub view: UidSet,
    /// The highest UID ever told since the baseline: nothing at or below it can be announced by EXISTS, because handsets
    /// look for new mail above the highest UID they know (RFC 3501 2.3.1.1).
    pub told_max: u32,
    /// What is untold, by UID.
    pub marks: BTreeMap<Uid, Mark>,
    /// The handset was told, or is to be told, RESYNC; sticky until the answer to a later SELECT is acknowledged (F8).
    pub resync: bool,
    /// An arrival may have been told or not: an absolute EXISTS precedes the next line.
    pub repeat_exists: bool,
    /// UIDs from here on are recent: UIDNEXT at this device's previous SELECT (F27).
    pub recent_from: u32,
    /// UIDNEXT at the last SELECT: where the next one's recent messages begin. Zero: never selected.
    pub recent_next: u32,
    /// Mod-sequences up to here are all that the handset may be said to know, because what came next is withheld: a departure, or
    /// a message that EXISTS cannot announce (F38, RFC 7162 3.2).
    pub withheld_from: Option<ModSeq>,
    /// When it was last selected, as a log position; the smallest is forgotten first.
    pub selected_at: u64,
}

impl Told {
    /// A mailbox told afresh: the view is the live view of this moment.
    pub fn fresh(uid_validity: UidValidity, live: &UidSet, selected_at: u64) -> Self {
        Self {
            uid_validity,
            view: live.clone(),
            told_max: live.last().map_or(0, Uid::get),
            marks: BTreeMap::new(),
            resync: false,
            repeat_exists: false,
            recent_from: 0,
            recent_next: 0,
            withheld_from: None,
            selected_at,
        }
    }

    /// The message came into the live view.
    pub fn arrived(&mut self, uid: Uid, flags: &Flags, class: Class) {
        if self.view.contains(uid) {
            // It left and came back while its removal was held back: cancelled, but its flags may be others.
            let mark = Mark { flags: Some(flags.clone()), ..Mark::new(Presence::Same, class) };
            self.marks.insert(uid, mark);
        } else {
            // The flags go along for the case that an unacknowledged removal of the same message is taken back.
            let mark = Mark { flags: Some(flags.clone()), ..Mark::new(Presence::Arrived, class) };
            self.marks.insert(uid, mark);
        }
    }

    /// The message left the live view.
    pub fn gone(&mut self, uid: Uid, class: Class, own: bool) {
        if self.view.contains(uid) {
            self.marks.insert(uid, Mark { own, ..Mark::new(Presence::Gone, class) });
        } else {
            self.marks.remove(&uid);
        }
    }

    /// The flags of a message in the live view changed. A message that became urgent before it was told is pushed.
    pub fn flags(&mut self, uid: Uid, flags: &Flags, class: Class) {
        match self.marks.get_mut(&uid) {
            Some(mark) if mark.presence == Presence::Gone => {}
            Some(mark) => {
                mark.class = mark.class.max(class);
                mark.flags = Some(flags.clone());
            }
            None if self.view.contains(uid) => {
                let mark = Mark { flags: Some(flags.clone()), ..Mark::new(Presence::Same, class) };
                self.marks.insert(uid, mark);
            }
            None => {}
        }
    }

    /// The handset's own STORE left the message with these flags. They are the answer whether or not they are news (RFC 3501
    /// 6.4.6), if they are `current`: what is untold already may be newer. They are also if the STORE took the message out of
    /// the view, or it had left before: the departure follows later (digest 5, F18).
    pub fn stored(&mut self, uid: Uid, flags: &Flags, current: bool) {
        match self.marks.get_mut(&uid) {
            Some(mark) if mark.presence == Presence::Gone => mark.flags = Some(flags.clone()),
            None if current => self.flags(uid, flags, Class::Polled),
            _ => {}
        }
    }

    /// Whether a message entered that EXISTS cannot announce (digest 1.3): it shows at the next SELECT.
    pub fn is_stale(&self) -> bool {
        let mut below = self.marks.range(..=Uid::new(self.told_max.max(1)).unwrap_or(UID_ONE));
        self.told_max > 0 && below.any(|(_, mark)| mark.presence == Presence::Arrived)
    }

    /// Messages that came and are untold: EXISTS is yet to announce them.
    pub fn to_be_announced(&self) -> UidRanges {
        let arrived =
            |(uid, mark): &(&Uid, &Mark)| mark.presence == Presence::Arrived && uid.get() > self.told_max;
        UidRanges::from_uids(self.marks.iter().filter(arrived).map(|(uid, _)| *uid))
    }

    /// Whether what is marked of the message must wait though everything else is told.
    fn is_withheld(&self, uid: Uid, mark: &Mark) -> bool {
        match mark.presence {
            Presence::Gone => true,
            Presence::Arrived => uid.get() <= self.told_max,
            Presence::Same => false,
        }
    }

    /// Something was marked of the message; `before` is the mod-sequence before that. True: it is the first thing withheld.
    /// `all`: so is everything that not all kinds of event are wanted of.
    pub(crate) fn withhold(&mut self, uid: Uid, before: ModSeq, all: bool) -> bool {
        let withheld = self.marks.get(&uid).is_some_and(|mark| all || self.is_withheld(uid, mark));
        let first = withheld && self.withheld_from.is_none();
        if first {
            self.withheld_from = Some(before);
        }
        first
    }

    /// What may be told was told; `whole`: of every kind. True: nothing is withheld any more.
    pub(crate) fn release(&mut self, whole: bool) -> bool {
        if self.marks.is_empty() {
            // An emptied tree keeps a node with room for eleven marks (D16).
            self.marks = BTreeMap::new();
        }
        let waits = |(uid, mark): (&Uid, &Mark)| !whole || self.is_withheld(*uid, mark);
        let done = self.withheld_from.is_some() && !self.marks.iter().any(waits);
        if done {
            self.withheld_from = None;
        }
        done
    }

    /// The live view as view and marks have it.
    pub fn live(&self) -> UidSet {
        let mut live = self.view.clone();
        for (uid, mark) in &self.marks {
            match mark.presence {
                Presence::Arrived => live.insert(*uid),
                Presence::Gone => live.remove(*uid),
                Presence::Same => false,
            };
        }
        live
    }

    /// Whether anything pushed is untold and can be told without a new SELECT.
    pub fn has_pushed(&self) -> bool {
        !self.resync && self.marks.values().any(|mark| mark.class == Class::Pushed)
    }

    /// The mailbox was selected again: what came since the last SELECT is recent. EXAMINE does not use that up.
    pub fn selected_again(&mut self, uid_next: u32, read_only: bool) {
        self.recent_from = if self.recent_next == 0 { uid_next } else { self.recent_next };
        if !read_only {
            self.recent_next = uid_next;
        }
    }

    /// How many of the view are recent.
    pub fn recent_count(&self) -> u32 {
        match Uid::new(self.recent_from) {
            Some(from) => self.view.len() - self.view.count_below(from),
            None => 0,
        }
    }

    /// Whether the message is recent.
    pub fn is_recent(&self, uid: Uid) -> bool {
        self.recent_from != 0 && uid.get() >= self.recent_from
    }
}

const UID_ONE: Uid = match Uid::new(1) {
    Some(uid) => uid,
    None => unreachable!(),
};
