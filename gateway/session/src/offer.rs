//! Offers: what was written to a handset and is not acknowledged. An offer can be taken back (the handset presents an earlier
//! cursor), repeated, or turned into RESYNC.

use crate::mark::Class;
use pimap_types::{Flags, MailboxName, ModSeq, Uid, UidRanges};

/// One group of lines, written at one position of the log.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Offer {
    /// Its position; a cursor at or past it acknowledges it.
    pub position: u64,
    /// The mailbox it speaks of; `None` for a mere change of the selected mailbox to nothing.
    pub mailbox: Option<MailboxName>,
    /// What was selected before.
    pub selected_before: Option<Selected>,
    /// It was the answer to a SELECT or EXAMINE (F7).
    pub baseline: BaselineKind,
    /// `told_max` before.
    pub told_max_before: u32,
    /// Announced by EXISTS.
    pub appended: Vec<(Uid, Class)>,
    /// Told gone.
    pub removed: Vec<(Uid, Class)>,
    /// Flags told.
    pub flags: Vec<(Uid, Flags, Class)>,
    /// [`Told::withheld_from`](crate::Told::withheld_from) before the removals were told.
    pub withheld_from: Option<ModSeq>,
}

/// Whether and how an offer set the client view.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BaselineKind {
    /// Not a SELECT.
    None,
    /// A SELECT that described the view told before.
    Continued,
    /// A SELECT of a mailbox that had not been told in this session.
    First,
    /// A SELECT that replaced what had been told.
    Replaced,
}

/// The selected mailbox of a session.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Selected {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// By EXAMINE.
    pub read_only: bool,
}

impl Offer {
    /// An offer of nothing yet; its position is given when it is recorded.
    pub(crate) fn new(
        mailbox: Option<MailboxName>,
        selected_before: Option<Selected>,
        told_max: u32,
    ) -> Self {
        Self {
            position: 0,
            mailbox,
            selected_before,
            baseline: BaselineKind::None,
            told_max_before: told_max,
            appended: Vec::new(),
            removed: Vec::new(),
            flags: Vec::new(),
            withheld_from: None,
        }
    }

    /// Whether it tells flags and no more: to tell them once more is harmless at any time.
    pub(crate) fn is_mere_flags(&self) -> bool {
        self.mailbox.is_some() && !self.is_unrepeatable() && self.appended.is_empty()
    }

    /// Whether its loss leaves a handset without a cursor in a state that only RESYNC mends.
    pub fn is_unrepeatable(&self) -> bool {
        self.baseline != BaselineKind::None || !self.removed.is_empty()
    }

    /// UIDs it announced, as ranges.
    pub fn appended_ranges(&self) -> UidRanges {
        UidRanges::from_uids(self.appended.iter().map(|(uid, _)| *uid))
    }

    /// Takes a later offer of the same mailbox into this one.
    pub fn merge(&mut self, later: Offer) {
        self.position = later.position;
        self.appended.extend(later.appended);
        self.removed.extend(later.removed);
        self.withheld_from = self.withheld_from.into_iter().chain(later.withheld_from).min();
        for (uid, flags, class) in later.flags {
            match self.flags.iter_mut().find(|(known, _, _)| *known == uid) {
                Some(known) => *known = (uid, flags, known.2.max(class)),
                None => self.flags.push((uid, flags, class)),
            }
        }
        // What was announced and told gone within one offer needs to be neither repeated nor taken back, but that a
        // removal was told must not be forgotten: it stays in `removed`.
        let removed: std::collections::BTreeSet<Uid> = self.removed.iter().map(|(uid, _)| *uid).collect();
        self.appended.retain(|(uid, _)| !removed.contains(uid));
        self.flags.retain(|(uid, _, _)| !removed.contains(uid));
    }

    /// Keeps of the removals told no more than that there were some, and whether one was pushed: all that is asked of an offer
    /// that is never taken back, because its handset has no cursors. An IDLE of hours stays small.
    pub(crate) fn forget_which_left(&mut self) {
        let mut classes = Vec::new();
        self.removed.retain(|(_, class)| {
            let first = !classes.contains(class);
            classes.push(*class);
            first
        });
    }
}
