//! The session log of one handset: positions, offers, acknowledgement, resume, and the one place that renders events.

mod deliver;
mod settle;

use crate::mark::{Class, Presence};
use crate::offer::{BaselineKind, Offer, Selected};
use crate::repeat::{Effect, RequestKey, Requests};
use crate::rows::{Dirty, Singles};
use crate::saved::Saved;
use crate::told::Told;
use pimap_types::command::Cursor;
use pimap_types::{Few, Flags, MailboxName, ModSeq, SessionId, Timestamp, Uid, UidValidity, limits};
use pimap_view::UidSet;
use std::collections::VecDeque;

pub use deliver::{Departures, Flush, Wanted};

/// What a SELECT is to describe (F13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Baseline {
    /// The view told before in this session; what is untold follows as its delta.
    Continued,
    /// The live view of now. `resync`: the mailbox was told before and `* RESYNC` precedes the tagged answer.
    Fresh {
        /// Whether RESYNC is to be said.
        resync: bool,
    },
}

/// What a handset was told and is known to have received.
///
/// Laws, kept by every function here and checked after every step of the simulation:
/// 1. `acked ≤` every offer's position `≤ position`, ascending.
/// 2. Nothing but [`SessionLog::flush`], [`SessionLog::select`] and [`SessionLog::roll_back_to`] changes a client view.
/// 3. A view with its marks applied is the live view ([`Told::live`]).
///
/// The downside accepted: a handset that presents no cursor and loses a response that told a removal is told RESYNC
/// though it may have received it; nothing short of a cursor can tell (F9).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionLog {
    /// The session's name (P-IMAP 5.1.4).
    pub id: SessionId,
    /// Which life of the log: random, new after any doubt (F11).
    pub incarnation: u64,
    /// The last position given.
    pub position: u64,
    /// Everything up to here is known to have been received.
    pub acked: u64,
    /// The handset has been given a cursor: from then on only cursors are evidence.
    pub cursors: bool,
    /// The handset enabled CONDSTORE on this connection (RFC 7162 3.1): it is told mod-sequences.
    pub condstore: bool,
    /// It enabled QRESYNC (RFC 7162 3.2.3): departures are told by UID.
    pub qresync: bool,
    /// The selected mailbox.
    pub selected: Option<Selected>,
    /// Requests recognised when repeated.
    pub requests: Requests,
    /// The last HTTP request whose response is unacknowledged, and whether that response was written without error (E-3).
    pub last_request: Option<Box<LastRequest>>,
    /// A mailbox told was forgotten: a handset may hold what it was told of one that is new here.
    pub(crate) forgot: bool,
    pub(crate) mailboxes: Few<MailboxName, Told>,
    pub(crate) offers: VecDeque<Offer>,
    /// `$`.
    pub(crate) saved: Option<Box<Saved>>,
    pub(crate) dirty: Dirty,
    pub(crate) singles: Option<Box<Singles>>,
}

/// The previous HTTP request of the session.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LastRequest {
    /// Its body's hash, where the body was whole before its first command.
    pub body: Option<[u8; 32]>,
    /// Its response was written without error.
    pub clean: bool,
    /// What was selected when it began: a repeat means its commands for that mailbox, wherever they led (F4).
    pub selected: Option<Selected>,
}

impl SessionLog {
    /// A new session: nothing selected, nothing told.
    pub fn new(id: SessionId, incarnation: u64) -> Self {
        let mut dirty = Dirty::default();
        dirty.head();
        Self {
            id,
            incarnation,
            position: 0,
            acked: 0,
            cursors: false,
            condstore: false,
            qresync: false,
            selected: None,
            requests: Requests::default(),
            last_request: None,
            forgot: false,
            mailboxes: Few::new(),
            offers: VecDeque::new(),
            saved: None,
            dirty,
            singles: None,
        }
    }

    /// The mailboxes told in this session.
    pub fn mailboxes(&self) -> impl Iterator<Item = (&MailboxName, &Told)> {
        self.mailboxes.iter()
    }

    /// A mailbox as told.
    pub fn told(&self, mailbox: &MailboxName) -> Option<&Told> {
        self.mailboxes.get(mailbox)
    }

    /// The selected mailbox as told.
    pub fn selected_told(&self) -> Option<(&Selected, &Told)> {
        let selected = self.selected.as_ref()?;
        Some((selected, self.mailboxes.get(&selected.mailbox)?))
    }

    /// The cursor of everything written so far.
    pub fn cursor(&self) -> Cursor {
        Cursor { incarnation: self.incarnation, position: self.position }
    }

    /// Whether anything written is unacknowledged.
    pub fn has_unacknowledged(&self) -> bool {
        !self.offers.is_empty()
    }

    /// Whether a pushed event of the mailbox was written after `position` and is unacknowledged.
    pub fn has_unacknowledged_push(&self) -> bool {
        let pushed = |class: &Class| *class == Class::Pushed;
        self.offers.iter().any(|offer| {
            offer.appended.iter().any(|(_, c)| pushed(c))
                || offer.removed.iter().any(|(_, c)| pushed(c))
                || offer.flags.iter().any(|(_, _, c)| pushed(c))
        })
    }

    /// Whoever begins says nothing of cursors: it is another app than the one that did, or another phone. Going on is evidence again,
    /// and since what is unacknowledged is not kept apart any more, cursors given before are of another life of the log.
    pub fn leave_cursors(&mut self, incarnation: u64) {
        if self.cursors {
            self.cursors = false;
            self.incarnation = incarnation;
            self.dirty.head();
        }
    }

    /// A cursor is about to be given: from now on only cursors are evidence.
    pub fn use_cursors(&mut self) {
        if !self.cursors {
            self.dirty.head();
        }
        self.cursors = true;
    }

    /// What the handset enabled. A new connection begins without, one that joins the session by its cookie goes on.
    pub fn enable(&mut self, condstore: bool, qresync: bool) {
        if (self.condstore, self.qresync) != (condstore, qresync) {
            self.dirty.head();
        }
        (self.condstore, self.qresync) = (condstore, qresync);
    }

    /// What was logged of the message happened right after the mod-sequence `before`. What of it cannot be told yet lowers what the
    /// handset may be told to know (F38).
    pub fn withhold(&mut self, mailbox: &MailboxName, uid: Uid, before: ModSeq, wanted: Wanted) {
        let selected = self.selected.as_ref().is_some_and(|selected| selected.mailbox == *mailbox);
        let all = selected && wanted != Wanted::ALL;
        if self.mailboxes.get_mut(mailbox).is_some_and(|told| told.withhold(uid, before, all)) {
            self.dirty.told(mailbox);
        }
    }

    /// The mod-sequence up to which the handset knows a mailbox, all being told that may be (RFC 7162 3.2). Of one that is not
    /// selected nothing is told: there it is what the mailbox has come to, and tells the handset that it lacks something.
    pub fn known_mod_seq(&self, mailbox: &MailboxName, highest: ModSeq) -> ModSeq {
        if self.selected.as_ref().is_none_or(|selected| selected.mailbox != *mailbox) {
            return highest;
        }
        let withheld_from = self.mailboxes.get(mailbox).and_then(|told| told.withheld_from);
        withheld_from.map_or(highest, |before| before.min(highest))
    }

    /// The next position, for something that needs to be acknowledged.
    pub fn advance(&mut self) -> u64 {
        self.position += 1;
        self.dirty.head();
        self.position
    }

    /// A mutating command of a request is about to be executed. It takes a position of its own, so that a cursor tells
    /// whether its answer arrived.
    pub fn remember_intent(&mut self, key: RequestKey, index: u32, now: Timestamp) {
        let position = self.advance();
        self.requests.intend(key, index, now, position);
        self.dirty.requests();
    }

    /// It was answered.
    pub fn remember_answer(&mut self, key: RequestKey, index: u32, effect: Effect) {
        self.requests.answer(key, index, effect, self.position);
        self.dirty.requests();
    }

    // === facts ===

    /// A message came into the live view of a mailbox told in this session.
    pub fn arrived(&mut self, mailbox: &MailboxName, uid: Uid, flags: &Flags, class: Class) {
        self.mark(mailbox, uid, |told| told.arrived(uid, flags, class));
    }

    /// A message left the live view.
    pub fn gone(&mut self, mailbox: &MailboxName, uid: Uid, class: Class, own: bool) {
        self.mark(mailbox, uid, |told| told.gone(uid, class, own));
    }

    /// A message's flags changed.
    pub fn flags_changed(&mut self, mailbox: &MailboxName, uid: Uid, flags: &Flags, class: Class) {
        self.mark(mailbox, uid, |told| told.flags(uid, flags, class));
    }

    /// The handset's own STORE was answered with these flags; `current`: nothing has changed them since.
    pub fn stored(&mut self, mailbox: &MailboxName, uid: Uid, flags: &Flags, current: bool) {
        self.mark(mailbox, uid, |told| told.stored(uid, flags, current));
    }

    fn mark(&mut self, mailbox: &MailboxName, uid: Uid, change: impl FnOnce(&mut Told)) {
        if let Some(told) = self.mailboxes.get_mut(mailbox).filter(|told| !told.resync) {
            change(told);
            self.dirty.mark(mailbox, uid);
        }
    }

    /// Flags of a message are told by other means than an event (FETCH, STORE): nothing is untold of them. That answer can
    /// be lost like any other, so they become an offer.
    pub fn flags_told(&mut self, mailbox: &MailboxName, uid: Uid) {
        self.make_room();
        let Some(told) = self.mailboxes.get_mut(mailbox) else { return };
        let Some(mark) = told.marks.get(&uid).filter(|mark| mark.presence == Presence::Same) else { return };
        let mut offer = Offer::new(Some(mailbox.clone()), self.selected.clone(), told.told_max);
        offer.flags.extend(mark.flags.clone().map(|flags| (uid, flags, mark.class)));
        told.marks.remove(&uid);
        self.dirty.mark(mailbox, uid);
        self.record(mailbox, offer);
    }

    /// The truth of a mailbox can no longer be told as events: RESYNC, until a later SELECT's answer is acknowledged. The
    /// view and the marks are given up, which bounds what a parked handset costs.
    pub fn declare_resync(&mut self, mailbox: &MailboxName) {
        let Some(told) = self.mailboxes.get_mut(mailbox) else { return };
        if told.resync {
            return;
        }
        self.dirty.view_dropped(mailbox, told);
        told.view = UidSet::new();
        told.marks.clear();
        told.resync = true;
        told.repeat_exists = false;
        // What was marked is given up, and what was offered may be lost: as long as nothing is told anew the handset knows nothing.
        told.withheld_from = Some(ModSeq(1));
        told.told_max = 0;
        self.dirty.told(mailbox);
        // What was offered of it is moot: only a SELECT offered later speaks for it again.
        self.void_offers(mailbox);
    }

    /// Every mailbox told goes to RESYNC, and cursors given before are void.
    pub fn declare_resync_everywhere(&mut self, incarnation: u64) {
        for mailbox in self.mailboxes.keys().cloned().collect::<Vec<_>>() {
            self.declare_resync(&mailbox);
        }
        self.incarnation = incarnation;
        self.dirty.head();
    }

    /// Whether the mailbox waits for a SELECT.
    pub fn needs_resync(&self, mailbox: &MailboxName) -> bool {
        self.mailboxes.get(mailbox).is_some_and(|told| told.resync || told.is_stale())
    }

    // === selecting ===

    /// Selects a mailbox whose live view is `live`. Whatever sets the client view is an offer (F7).
    pub fn select(
        &mut self,
        selected: Selected,
        uid_validity: UidValidity,
        live: &UidSet,
        uid_next: u32,
    ) -> Baseline {
        self.select_as(selected, uid_validity, live, uid_next, false)
    }

    /// The same for a handset that says itself what it holds: whatever was told before, the view is the one of now.
    pub fn select_afresh(
        &mut self,
        selected: Selected,
        uid_validity: UidValidity,
        live: &UidSet,
        uid_next: u32,
    ) -> Baseline {
        self.select_as(selected, uid_validity, live, uid_next, true)
    }

    fn select_as(
        &mut self,
        selected: Selected,
        uid_validity: UidValidity,
        live: &UidSet,
        uid_next: u32,
        afresh: bool,
    ) -> Baseline {
        let mailbox = selected.mailbox.clone();
        // RESYNC is said of the selected mailbox only: of any other this answer is the first to say it (F13).
        let said = self.selected.as_ref().is_some_and(|selected| selected.mailbox == mailbox)
            && self.mailboxes.get(&mailbox).is_some_and(|told| told.resync);
        self.make_room();
        let position = self.advance();
        let known = self.mailboxes.get(&mailbox);
        let continues = known.is_some_and(|told| {
            !afresh && !told.resync && !told.is_stale() && told.uid_validity == uid_validity
        });
        let told_max_before = known.map_or(0, |told| told.told_max);
        let kind = match known {
            _ if continues => BaselineKind::Continued,
            Some(_) => BaselineKind::Replaced,
            None => BaselineKind::First,
        };
        if continues {
            if let Some(told) = self.mailboxes.get_mut(&mailbox) {
                told.selected_at = position;
            }
        } else {
            let recent_next = known.map_or(0, |told| told.recent_next);
            if let Some(old) = known {
                self.dirty.view_dropped(&mailbox, old);
            }
            // RESYNC stays sticky until this answer is acknowledged (F8), because an unacknowledged baseline is itself
            // answered by RESYNC when nothing proves its receipt (`settle`, `roll_back_to`).
            let told = Told { recent_next, ..Told::fresh(uid_validity, live, position) };
            self.dirty.view_set(&mailbox, &told.view);
            self.mailboxes.insert(mailbox.clone(), told);
            self.void_offers(&mailbox);
        }
        self.dirty.told(&mailbox);
        let offer = Offer::new(Some(mailbox.clone()), self.selected.clone(), told_max_before);
        self.offers.push_back(Offer { position, baseline: kind, ..offer });
        self.dirty.offer(position);
        if let Some(told) = self.mailboxes.get_mut(&mailbox) {
            told.selected_again(uid_next, selected.read_only);
        }
        self.selected = Some(selected);
        self.saved = None;
        let forgot = self.forgot;
        self.forget_oldest_mailbox();
        match kind {
            BaselineKind::Continued => Baseline::Continued,
            BaselineKind::Replaced => Baseline::Fresh { resync: !said },
            _ => Baseline::Fresh { resync: forgot },
        }
    }

    /// Nothing is selected any more (CLOSE, UNSELECT, a SELECT that failed). The view stays told.
    pub fn deselect(&mut self) {
        let Some(before) = self.selected.take() else { return };
        self.saved = None;
        self.make_room();
        let position = self.advance();
        self.offers.push_back(Offer { position, ..Offer::new(None, Some(before), 0) });
        self.dirty.offer(position);
    }

    /// The mailbox exists no more, or changed its name: nothing is told of it under this one.
    pub fn forget_mailbox(&mut self, mailbox: &MailboxName) {
        if self.mailboxes.contains_key(mailbox) {
            // One of that name that is selected later is no continuation, and must say so.
            self.forgot = true;
            self.dirty.head();
        }
        self.remove_mailbox(mailbox);
    }

    fn remove_mailbox(&mut self, mailbox: &MailboxName) {
        if let Some(told) = self.mailboxes.remove(mailbox) {
            self.dirty.view_dropped(mailbox, &told);
            self.dirty.told(mailbox);
        }
        self.void_offers(mailbox);
        for offer in &mut self.offers {
            if offer.selected_before.as_ref().is_some_and(|s| s.mailbox == *mailbox) {
                offer.selected_before = None;
                self.dirty.offer(offer.position);
            }
        }
        if self.selected.as_ref().is_some_and(|selected| selected.mailbox == *mailbox) {
            self.selected = None;
            self.dirty.head();
        }
    }

    fn forget_oldest_mailbox(&mut self) {
        if self.mailboxes.len() <= limits::MAILBOXES_PER_SESSION_MAX {
            return;
        }
        let oldest =
            self.mailboxes.iter().min_by_key(|(_, told)| told.selected_at).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            self.forget_mailbox(&oldest);
        }
    }

    /// What was offered of the mailbox is moot. That it was selected is not: a handset whose cursor is before that SELECT is
    /// still where it was, and its next UID would name a message of another mailbox.
    fn void_offers(&mut self, mailbox: &MailboxName) {
        let (dirty, cursors) = (&mut self.dirty, self.cursors);
        self.offers.retain_mut(|offer| {
            if offer.mailbox.as_ref() != Some(mailbox) {
                return true;
            }
            dirty.offer(offer.position);
            let before = offer.selected_before.take();
            let moved = offer.baseline != BaselineKind::None
                && before.as_ref().is_none_or(|selected| selected.mailbox != *mailbox);
            *offer = Offer { position: offer.position, ..Offer::new(None, before, 0) };
            cursors && moved
        });
    }

    /// Room for one more offer (law 5): the oldest is given up, its mailbox goes to RESYNC, and cursors before it reach
    /// back no longer.
    fn make_room(&mut self) {
        if self.offers.is_empty() {
            // Most sessions have one at a time, and a deque begins with four (D16).
            self.offers = VecDeque::with_capacity(1);
        }
        while self.offers.len() >= limits::OFFERS_UNACKNOWLEDGED_MAX {
            let Some(oldest) = self.offers.pop_front() else { return };
            self.dirty.offer(oldest.position);
            self.acked = self.acked.max(oldest.position);
            self.dirty.head();
            if let Some(mailbox) = oldest.mailbox {
                self.declare_resync(&mailbox);
            }
        }
    }

    /// The laws above; a broken one is named.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut last = self.acked;
        for offer in &self.offers {
            if offer.position <= last && offer.position != self.acked {
                return Err(format!("offer {} is not above {last}", offer.position));
            }
            last = offer.position;
        }
        if last > self.position {
            return Err(format!("offer {last} is above the last position {}", self.position));
        }
        for (name, told) in self.mailboxes.iter() {
            if told.resync && !(told.view.is_empty() && told.marks.is_empty()) {
                return Err(format!("{name} waits for RESYNC and still has a view"));
            }
            for (uid, mark) in &told.marks {
                let in_view = told.view.contains(*uid);
                if in_view == (mark.presence == Presence::Arrived) {
                    return Err(format!("{name} {uid}: {:?} and in view: {in_view}", mark.presence));
                }
            }
        }
        match &self.selected {
            Some(selected) if !self.mailboxes.contains_key(&selected.mailbox) => {
                Err(format!("{} is selected and was never told", selected.mailbox))
            }
            _ => Ok(()),
        }
    }
}
