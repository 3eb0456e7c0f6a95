//! Rendering: the difference between client view and live view as lines. The only place where events get numbers.
//!
//! Why the numbers agree: the handset's list and the client view are changed by the same operations in the same order,
//! at the moment of writing. EXISTS appends exactly the live UIDs above every UID told, ascending; EXPUNGE k removes the k-th;
//! FETCH k names it. So the lists are equal whatever part of the marks is held back.

use super::SessionLog;
use crate::mark::{Class, Presence};
use crate::offer::Offer;
use crate::told::Told;
use pimap_types::{Flags, MailboxName, Response, Uid, UidRanges};

/// Which departures may be told now (RFC 3501 7.4.1, F5, F18, F25).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Departures {
    /// None: the command is FETCH, STORE or SEARCH by number, or input is pending.
    Held,
    /// Those that the handset's own commands did not cause.
    NotOwn,
    /// All: NOOP, CHECK, IDLE, EXPUNGE, SELECT.
    All,
}

/// What to deliver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flush {
    /// Pushed events only (IDLE of a device that set filters, D15).
    pub pushed_only: bool,
    /// Which departures.
    pub departures: Departures,
}

/// Which kinds of event are wanted (RFC 5465); of the others the marks stay, untold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Messages that came.
    pub arrivals: bool,
    /// Messages that went.
    pub departures: bool,
    /// Flags.
    pub flags: bool,
}

impl Wanted {
    /// All of them.
    pub const ALL: Wanted = Wanted { arrivals: true, departures: true, flags: true };
    /// None of them.
    pub const NONE: Wanted = Wanted { arrivals: false, departures: false, flags: false };
}

impl SessionLog {
    /// Renders what is untold of the selected mailbox and may be told, and records it as offered. Nothing is rendered while
    /// the mailbox waits for RESYNC; too many offers unacknowledged bring it there, so the caller looks again after this.
    pub fn flush(&mut self, flush: Flush) -> Vec<Response> {
        self.flush_wanted(flush, Wanted::ALL)
    }

    /// [`SessionLog::flush`] of the kinds of event that are wanted. When messages that came are among it, their EXISTS is the
    /// last line.
    pub fn flush_wanted(&mut self, flush: Flush, wanted: Wanted) -> Vec<Response> {
        let Some(mailbox) = self.selected.as_ref().map(|selected| selected.mailbox.clone()) else {
            return Vec::new();
        };
        if self.has_untold_of(flush, wanted) {
            self.make_room();
        }
        let qresync = self.qresync;
        let Some(told) = self.mailboxes.get_mut(&mailbox).filter(|told| !told.resync) else {
            return Vec::new();
        };
        if told.release(wanted == Wanted::ALL) {
            self.dirty.told(&mailbox);
        }
        if told.marks.is_empty() && !told.repeat_exists {
            return Vec::new();
        }
        let mut offer = Offer::new(Some(mailbox.clone()), self.selected.clone(), told.told_max);
        let mut lines = Vec::new();
        if told.repeat_exists {
            // An arrival told before may have been lost: say how many there are before any number above them is used.
            told.repeat_exists = false;
            lines.push(Response::Exists(told.view.len()));
        }
        if wanted.flags {
            tell_flags(told, flush, &mut offer, &mut lines);
        }
        if wanted.departures {
            tell_departures(told, flush, qresync, &mut offer, &mut lines);
        }
        if wanted.arrivals {
            tell_arrivals(told, flush, &mut offer, &mut lines);
        }
        told.release(wanted == Wanted::ALL);
        if !lines.is_empty() {
            self.record(&mailbox, offer);
        }
        lines
    }

    /// Whether [`SessionLog::flush`] would say anything.
    pub fn has_untold(&self, flush: Flush) -> bool {
        self.has_untold_of(flush, Wanted::ALL)
    }

    /// Whether [`SessionLog::flush_wanted`] would say anything.
    pub fn has_untold_of(&self, flush: Flush, wanted: Wanted) -> bool {
        let Some((_, told)) = self.selected_told().filter(|(_, told)| !told.resync) else { return false };
        let tellable = |mark: &crate::Mark, uid: Uid| match mark.presence {
            Presence::Arrived => wanted.arrivals && uid.get() > told.told_max,
            Presence::Gone => {
                let flags = wanted.flags && mark.flags.is_some();
                flags || wanted.departures && flush.departures >= needed(mark.own)
            }
            Presence::Same => wanted.flags && mark.flags.is_some(),
        };
        told.repeat_exists
            || told.marks.iter().any(|(uid, mark)| {
                tellable(mark, *uid) && (!flush.pushed_only || mark.class == Class::Pushed)
            })
    }

    pub(super) fn record(&mut self, mailbox: &MailboxName, mut offer: Offer) {
        offer.position = self.advance();
        self.dirty.told(mailbox);
        for (uid, _) in offer.appended.iter().chain(&offer.removed) {
            self.dirty.uid(mailbox, *uid);
        }
        for (uid, _, _) in &offer.flags {
            self.dirty.mark(mailbox, *uid);
        }
        self.dirty.offer(offer.position);
        match self.offers.back_mut() {
            // Without cursors nothing between two acknowledgements is ever addressed by itself: offers are merged, so that
            // hours of IDLE cost no more than the mailbox has messages. Mere flags are told again beyond a cursor's need rather
            // than kept apart, so that a FETCH of a thousand messages is one offer.
            Some(last) if last.mailbox == offer.mailbox && (!self.cursors || last.is_mere_flags()) => {
                self.dirty.offer(last.position);
                last.merge(offer);
                if !self.cursors {
                    last.forget_which_left();
                }
            }
            _ => self.offers.push_back(offer),
        }
    }
}

/// The least permission a departure needs.
const fn needed(own: bool) -> Departures {
    if own { Departures::All } else { Departures::NotOwn }
}

fn tell_flags(told: &mut Told, flush: Flush, offer: &mut Offer, lines: &mut Vec<Response>) {
    let tellable: Vec<Uid> = told
        .marks
        .iter()
        .filter(|(_, mark)| mark.presence != Presence::Arrived && mark.flags.is_some())
        .filter(|(_, mark)| !flush.pushed_only || mark.class == Class::Pushed)
        .map(|(uid, _)| *uid)
        .collect();
    for uid in tellable {
        let (Some(seq), Some(mut mark)) = (told.view.rank(uid), told.marks.remove(&uid)) else { continue };
        let flags: Flags = mark.flags.take().unwrap_or_default();
        if mark.presence == Presence::Gone {
            // What it is left with is told; that it is gone is not.
            told.marks.insert(uid, mark.clone());
        }
        let recent = told.is_recent(uid);
        lines.push(Response::FetchFlags { seq, uid: Some(uid), flags: flags.clone(), recent, mod_seq: None });
        offer.flags.push((uid, flags, mark.class));
    }
}

fn tell_departures(
    told: &mut Told,
    flush: Flush,
    qresync: bool,
    offer: &mut Offer,
    lines: &mut Vec<Response>,
) {
    let tellable: Vec<Uid> = told
        .marks
        .iter()
        .rev()
        .filter(|(_, mark)| mark.presence == Presence::Gone && flush.departures >= needed(mark.own))
        .filter(|(_, mark)| !flush.pushed_only || mark.class == Class::Pushed)
        .map(|(uid, _)| *uid)
        .collect();
    for uid in tellable {
        let (Some(seq), Some(mark)) = (told.view.rank(uid), told.marks.remove(&uid)) else { continue };
        told.view.remove(uid);
        if !qresync {
            lines.push(Response::Expunge(seq));
        }
        offer.removed.push((uid, mark.class));
    }
    if !offer.removed.is_empty() {
        offer.withheld_from = told.withheld_from;
        if qresync {
            // Only what was told is named, so that the handset's count goes down by as many (RFC 7162 3.2.10.2).
            let uids = UidRanges::from_uids(offer.removed.iter().map(|(uid, _)| *uid));
            lines.push(Response::Vanished { earlier: false, uids });
        }
    }
}

fn tell_arrivals(told: &mut Told, flush: Flush, offer: &mut Offer, lines: &mut Vec<Response>) {
    let above = |uid: &Uid| uid.get() > told.told_max;
    let arrived: Vec<(Uid, Class)> = told
        .marks
        .iter()
        .filter(|(uid, mark)| mark.presence == Presence::Arrived && above(uid))
        .map(|(uid, mark)| (*uid, mark.class))
        .collect();
    // A pushed arrival takes every earlier one with it: EXISTS is cumulative and numbers follow UIDs (digest 5, F26).
    let last_pushed = arrived.iter().rposition(|(_, class)| *class == Class::Pushed);
    let count = if flush.pushed_only { last_pushed.map_or(0, |at| at + 1) } else { arrived.len() };
    for (uid, class) in arrived.into_iter().take(count) {
        told.marks.remove(&uid);
        told.view.insert(uid);
        told.told_max = uid.get();
        offer.appended.push((uid, class));
    }
    if count > 0 {
        lines.push(Response::Exists(told.view.len()));
    }
}
