//! Acknowledgement and its absence: evidence, cursors, resume (design D5, F1–F11).

use super::{LastRequest, SessionLog};
use crate::mark::{Mark, Presence};
use crate::offer::{BaselineKind, Offer};
use pimap_types::ModSeq;
use pimap_types::command::Cursor;
use std::collections::VecDeque;

/// A cursor that this log cannot have given, or reaches no further back than.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForeignCursor;

impl SessionLog {
    /// The handset is known to have received everything up to `position`.
    pub fn acknowledge(&mut self, position: u64) {
        while let Some(offer) = self.offers.front().filter(|offer| offer.position <= position) {
            self.dirty.offer(offer.position);
            self.offers.pop_front();
        }
        if self.offers.is_empty() {
            // A handset waits longer than it works (D16).
            self.offers = VecDeque::new();
        }
        let position = position.min(self.position);
        if position > self.acked {
            self.acked = position;
            self.dirty.head();
        }
        if self.requests.acknowledged(self.acked) {
            self.dirty.requests();
        }
    }

    /// A cursor presented on an open connection: acknowledges, takes nothing back.
    pub fn acknowledge_cursor(&mut self, cursor: Cursor) -> Result<(), ForeignCursor> {
        self.check_cursor(cursor)?;
        self.acknowledge(cursor.position);
        Ok(())
    }

    /// A cursor presented with a new request: acknowledges, and takes back what was written after it, because a handset with
    /// cursors drops what is provisional when a response breaks. Exact, no RESYNC.
    pub fn resume_at(&mut self, cursor: Cursor) -> Result<(), ForeignCursor> {
        self.check_cursor(cursor)?;
        self.acknowledge(cursor.position);
        self.roll_back();
        Ok(())
    }

    fn check_cursor(&self, cursor: Cursor) -> Result<(), ForeignCursor> {
        let known = (self.acked..=self.position).contains(&cursor.position);
        if cursor.incarnation == self.incarnation && known { Ok(()) } else { Err(ForeignCursor) }
    }

    /// Takes back every unacknowledged offer, newest first: what it told is untold again.
    fn roll_back(&mut self) {
        while let Some(offer) = self.offers.pop_back() {
            self.dirty.offer(offer.position);
            self.dirty.head();
            self.selected = offer.selected_before.clone();
            // Whether the handset knows of what was saved last, nobody can tell.
            self.saved = None;
            self.undo(offer);
        }
        // Deselecting offers name no view of their own; a view that was forgotten cannot be selected.
        if self.selected.as_ref().is_some_and(|selected| !self.mailboxes.contains_key(&selected.mailbox)) {
            self.selected = None;
        }
    }

    fn undo(&mut self, offer: Offer) {
        let Some(mailbox) = offer.mailbox.clone() else { return };
        match offer.baseline {
            BaselineKind::First => {
                // Before it the mailbox was not told at all.
                let selected = self.selected.take();
                self.remove_mailbox(&mailbox);
                self.selected = selected;
                return;
            }
            BaselineKind::Replaced => return self.declare_resync(&mailbox),
            BaselineKind::Continued | BaselineKind::None => {}
        }
        let Some(told) = self.mailboxes.get_mut(&mailbox).filter(|told| !told.resync) else { return };
        if !offer.removed.is_empty() {
            // What is told gone once more may have to wait once more.
            let before = offer.withheld_from.unwrap_or(ModSeq(1));
            told.withheld_from = Some(told.withheld_from.map_or(before, |known| known.min(before)));
        }
        for (uid, class) in offer.removed {
            told.view.insert(uid);
            self.dirty.uid(&mailbox, uid);
            let returned = told.marks.remove(&uid).filter(|mark| mark.presence == Presence::Arrived);
            let mark = match returned {
                // It came back meanwhile, perhaps with other flags.
                Some(mark) => Mark { presence: Presence::Same, ..mark },
                None => Mark::new(Presence::Gone, class),
            };
            told.marks.insert(uid, mark);
        }
        for (uid, class) in offer.appended {
            told.view.remove(uid);
            self.dirty.uid(&mailbox, uid);
            let class = match told.marks.remove(&uid) {
                Some(mark) if mark.presence == Presence::Gone => continue,
                // It may have become urgent since.
                Some(mark) => class.max(mark.class),
                None => class,
            };
            told.marks.insert(uid, Mark::new(Presence::Arrived, class));
        }
        told.told_max = offer.told_max_before;
        for (uid, flags, class) in offer.flags {
            if told.view.contains(uid) && !told.marks.contains_key(&uid) {
                told.marks.insert(uid, Mark { flags: Some(flags), ..Mark::new(Presence::Same, class) });
                self.dirty.mark(&mailbox, uid);
            }
        }
        self.dirty.told(&mailbox);
    }

    /// Nothing proves that what was offered arrived, and nothing disproves it: what can be repeated harmlessly is repeated,
    /// the rest becomes RESYNC (F9). Returns whether any mailbox went to RESYNC.
    pub fn settle(&mut self) -> bool {
        let mut lost: Vec<_> = self
            .offers
            .iter()
            .filter(|offer| offer.is_unrepeatable())
            .filter_map(|offer| offer.mailbox.clone())
            .collect();
        lost.dedup();
        for mailbox in &lost {
            self.declare_resync(mailbox);
        }
        // Newest first: of a message's flags the last told are the true ones.
        for offer in self.offers.iter_mut().rev() {
            let Some(mailbox) = &offer.mailbox else { continue };
            let Some(told) = self.mailboxes.get_mut(mailbox) else { continue };
            self.dirty.offer(offer.position);
            self.dirty.told(mailbox);
            told.repeat_exists |= !offer.appended.is_empty();
            for (uid, flags, class) in offer.flags.drain(..) {
                if told.view.contains(uid) && !told.marks.contains_key(&uid) {
                    told.marks.insert(uid, Mark { flags: Some(flags), ..Mark::new(Presence::Same, class) });
                    self.dirty.mark(mailbox, uid);
                }
            }
        }
        !lost.is_empty()
    }

    /// An HTTP request without LOGIN begins. It proves that the earlier response arrived when that was written without error
    /// and this is not the same request again (E-3, F3); else what is unacknowledged is settled. Returns whether any mailbox
    /// went to RESYNC by it.
    pub fn request_begins(&mut self, body: Option<[u8; 32]>) -> bool {
        let proves = match self.last_request.as_deref() {
            // A body that was not seen whole before its first command has no name: it may be the other one, sent twice, and
            // whether it was seen whole can be a matter of packets.
            Some(LastRequest { body: Some(last), clean: true, .. }) => body.is_some_and(|body| body != *last),
            _ => false,
        };
        if proves && !self.cursors {
            self.acknowledge(self.position);
            false
        } else {
            self.settle()
        }
    }

    /// Remembers the request whose response is about to be written, durably with what it offers: after a crash a library's
    /// repeat must not be taken for evidence.
    pub fn remember_request(&mut self, body: Option<[u8; 32]>) {
        let selected = self.selected.clone();
        self.last_request = Some(Box::new(LastRequest { body, clean: false, selected }));
        self.dirty.head();
    }

    /// A request begins that presents no cursor. If it is the last one again, whoever repeats it never saw the answer and is
    /// where that one began: a `UID STORE` before a `SELECT` must not hit the mailbox that was selected last time.
    pub fn return_to_repeat(&mut self, body: Option<[u8; 32]>) {
        let Some(last) = self.last_request.as_ref().filter(|last| body.is_some() && last.body == body) else {
            return;
        };
        let known = last.selected.clone().filter(|selected| self.mailboxes.contains_key(&selected.mailbox));
        self.selected = known;
        self.dirty.head();
    }

    /// A request begins with the cookie from before the last LOGIN: its sender never saw the answer to that, and is where it began.
    pub fn return_to_last(&mut self) {
        let Some(last) = &self.last_request else { return };
        let known = last.selected.clone().filter(|selected| self.mailboxes.contains_key(&selected.mailbox));
        self.selected = known;
        self.dirty.head();
    }

    /// The response to the last request was written whole and without error.
    pub fn response_written(&mut self) {
        if let Some(last) = self.last_request.as_mut().filter(|last| !last.clean) {
            last.clean = true;
            self.dirty.head();
        }
    }
}
