//! How a replica believes each line it hears: what fits is applied, what cannot be true is refused with the reason.

use super::{Held, Meaning, Replica, Row, Selecting};
use crate::response::{Condition, Fetched, Response};

impl Replica {
    /// The command at the front becomes the one whose answer is heard.
    pub(super) fn answer_begins(&mut self) {
        self.resumed = false;
        self.session_told = false;
        if let Some((_, Meaning::Select(name, knowing))) = self.in_flight.front().cloned() {
            self.opening = Some((name, knowing));
            // Only to whoever is notified, or asked for inband push, is anything told that was not asked for.
            if self.elsewhere.is_none() && !self.pushed_to {
                self.opens();
            }
        }
    }

    /// The answer to a SELECT begins: with CLOSED, or with the first that it always tells of its mailbox.
    fn opens(&mut self) {
        let Some((name, knowing)) = self.opening.take() else { return };
        self.leaves_for(&name);
        self.selecting = Some(Selecting {
            before: self.mailboxes.clone(),
            selected_before: self.selected.replace(name.clone()),
            exists: 0,
            shrunk: None,
        });
        let held = self.mailboxes.entry(name).or_default();
        if let Some(counting) = &mut self.counting {
            counting.select_begins(knowing);
        }
        // Outside a P-IMAP session a SELECT is the beginning: nothing is told that changed before it (RFC 3501 6.3.1).
        if held.stale || self.counting.is_some() || self.session.is_none() {
            *held = Held::default();
        }
    }

    pub(super) fn apply(&mut self, response: Response) -> Result<(), String> {
        let active = self.in_flight.front().map(|(_, meaning)| meaning.clone());
        let login = active == Some(Meaning::Login);
        let first = match &response {
            Response::Condition(condition) => condition.code("CLOSED").is_some(),
            Response::Other(name) => name == "FLAGS",
            response => *response == Response::Resync,
        };
        if first {
            self.opens();
        }
        match response {
            Response::Exists(count) => self.exists(count),
            Response::Expunge(number) => match active {
                None if self.uids_only && self.is_notified() => self.expunge(number),
                None => Err("EXPUNGE while no command is in progress".to_owned()),
                Some(Meaning::Numbers { by_uid: false, .. }) => {
                    Err("EXPUNGE inside FETCH, STORE, SEARCH or COPY".to_owned())
                }
                Some(_) => self.expunge(number),
            },
            Response::Vanished { earlier, uids } => match active {
                None if self.uids_only && self.is_notified() && !earlier => self.vanished(earlier, &uids),
                None => Err("VANISHED while no command is in progress (NQ-038)".to_owned()),
                Some(Meaning::Numbers { by_uid: false, .. }) => {
                    Err("VANISHED inside FETCH, STORE, SEARCH or COPY (NQ-038)".to_owned())
                }
                Some(_) => self.vanished(earlier, &uids),
            },
            Response::Fetch(number, fetched) => {
                if let Some(counting) = &mut self.counting {
                    counting.hear_fetch(&fetched)?;
                }
                self.fetch(number, fetched)
            }
            Response::Resync => self.resync(),
            Response::Session { selected } if login => {
                self.resumed = true;
                if !selected {
                    self.selected = None;
                }
                Ok(())
            }
            Response::Folder(name) if login && self.resumed => {
                // Whoever never heard anything of this mailbox cannot apply events to it.
                self.mailboxes.entry(name.clone()).or_insert_with(Held::stale);
                self.selected = Some(name);
                Ok(())
            }
            Response::SessionId(id) if login => self.session_id(id),
            Response::Session { .. } | Response::Folder(_) | Response::SessionId(_) => {
                Err("out of place in an answer".to_owned())
            }
            Response::Condition(condition) => self.condition(&condition),
            Response::Tagged(tag, condition) => self.tagged(&tag, &condition),
            Response::Continue | Response::Search(_) | Response::Other(_) => Ok(()),
        }
    }

    pub(super) fn held(&mut self) -> Result<&mut Held, String> {
        let name = self.selected.as_ref().ok_or("said of a mailbox, but none is selected")?;
        // A baseline that came after the last cursor was dropped with it.
        Ok(self.mailboxes.entry(name.clone()).or_insert_with(Held::stale))
    }

    fn exists(&mut self, count: u32) -> Result<(), String> {
        let held = self.held()?;
        if held.stale {
            return Ok(());
        }
        let known = held.rows.len();
        let wanted = count as usize;
        if wanted >= known {
            held.rows.resize(wanted, Row::default());
        }
        if let Some(selecting) = &mut self.selecting {
            selecting.exists = count;
            if wanted < known {
                selecting.shrunk = Some(format!("SELECT tells {count} messages where {known} are held"));
            }
            return Ok(());
        }
        if wanted < known { Err(format!("EXISTS below the {known} messages held")) } else { Ok(()) }
    }

    fn expunge(&mut self, number: u32) -> Result<(), String> {
        if let Some(selecting) = &mut self.selecting {
            selecting.exists = selecting.exists.saturating_sub(1);
            if selecting.shrunk.is_some() {
                return Ok(());
            }
        }
        let held = self.held()?;
        if held.stale {
            return Ok(());
        }
        let at = held.at(number)?;
        held.rows.remove(at);
        Ok(())
    }

    fn fetch(&mut self, number: u32, fetched: Fetched) -> Result<(), String> {
        if self.selecting.as_ref().is_some_and(|selecting| selecting.shrunk.is_some()) {
            return Ok(());
        }
        let held = self.held()?;
        if held.stale {
            return Ok(());
        }
        let at = held.at(number)?;
        if let Some(uid) = fetched.uid {
            held.learn_uid(at, uid)?;
        }
        if fetched.flags.is_some() {
            held.rows[at].flags = fetched.flags;
        }
        Ok(())
    }

    /// `* RESYNC`: what is held of the mailbox is not to be believed. Inside SELECT the data around it describe now.
    fn resync(&mut self) -> Result<(), String> {
        // What the handset held at an older cursor is as doubtful; going back to that cursor must not revive it.
        if let (Some((_, held)), Some(name)) = (&mut self.cursor, &self.selected) {
            held.insert(name.clone(), Held::stale());
        }
        if self.selecting.is_some() {
            self.start_afresh();
            return Ok(());
        }
        // A handset whose library threw the answer to its SELECT away believes itself in no mailbox: it has nothing to drop.
        if let Ok(held) = self.held() {
            *held = Held::stale();
        }
        Ok(())
    }

    /// Drops the rows of the mailbox being selected; its count stays.
    fn start_afresh(&mut self) {
        let Some(selecting) = &mut self.selecting else { return };
        selecting.shrunk = None;
        let rows = vec![Row::default(); selecting.exists as usize];
        if let Some(held) = self.selected.as_ref().and_then(|name| self.mailboxes.get_mut(name)) {
            held.rows = rows;
        }
    }

    fn session_id(&mut self, id: String) -> Result<(), String> {
        self.session_told = true;
        let known = self.session.replace(id);
        let same = known == self.session;
        if self.resumed {
            if !same && known.is_some() {
                // The session held before has ended, and the answer that began this one was lost: nothing held is of it.
                let selected = self.selected.take();
                self.hold_nothing();
                if let Some(name) = selected {
                    self.mailboxes.insert(name.clone(), Held::stale());
                    self.selected = Some(name);
                }
            }
            return Ok(());
        }
        self.hold_nothing();
        if same { Err("an old SESSIONID without SESSION".to_owned()) } else { Ok(()) }
    }

    /// A new session means comparing everything anew (P-IMAP 3.4).
    fn hold_nothing(&mut self) {
        self.mailboxes.clear();
        self.cursor = None;
        self.selected = None;
    }

    fn condition(&mut self, condition: &Condition) -> Result<(), String> {
        self.bye |= condition.status == "BYE";
        if let Some(counting) = &mut self.counting {
            counting.hear_condition(condition)?;
        }
        if let Some(validity) = condition.code("UIDVALIDITY").and_then(|number| number.parse().ok()) {
            let held = self.held()?;
            let changed = held.uid_validity.replace(validity).is_some_and(|known| known != validity);
            if changed {
                self.start_afresh();
            }
        }
        if self.wants_cursors
            && let Some(cursor) = condition.code("PIMAPCURSOR")
        {
            self.settle_select()?;
            self.cursor = Some((cursor.to_owned(), self.mailboxes.clone()));
        }
        Ok(())
    }

    /// What SELECT told is complete: a count that shrank without a reason was a lie.
    fn settle_select(&mut self) -> Result<(), String> {
        match self.selecting.as_mut().and_then(|selecting| selecting.shrunk.take()) {
            Some(lie) => Err(lie),
            None => Ok(()),
        }
    }

    fn tagged(&mut self, tag: &str, condition: &Condition) -> Result<(), String> {
        let front = self.in_flight.front().map(|(expected, _)| expected.as_str());
        if front != Some(tag) {
            return Err(format!("answered out of turn, {} is due", front.unwrap_or("nothing")));
        }
        let Some((_, meaning)) = self.in_flight.pop_front() else { return Ok(()) };
        if condition.is_ok() {
            self.opens();
        }
        let unopened = self.opening.take().is_some();
        let mut settled = self.settle_select();
        if let Some(counting) = &mut self.counting {
            counting.hear_condition(condition)?;
        }
        let selecting = self.selecting.take();
        let session_told = self.session_told;
        self.answered_elsewhere(tag, condition.is_ok());
        match meaning {
            Meaning::Login if condition.is_ok() => {
                self.login_done = true;
                if !session_told {
                    // A regular session, as long as its connection.
                    self.hold_nothing();
                    self.session = None;
                }
            }
            Meaning::Leave if condition.is_ok() => self.selected = None,
            Meaning::Logout if condition.is_ok() => {
                self.logged_out = true;
                self.session = None;
                self.hold_nothing();
            }
            Meaning::Select(..) if unopened => {
                if condition.status != "BAD" {
                    self.leaves();
                    // What was told since it was sent may have been of the mailbox that is left already.
                    self.doubt_elsewhere();
                    self.selected = None;
                }
            }
            Meaning::Select(..) if !condition.is_ok() => {
                // RFC 3501 6.3.1: after a failed SELECT no mailbox is selected; BAD changes nothing.
                if let Some(selecting) = selecting {
                    self.mailboxes = selecting.before;
                    self.selected = selecting.selected_before.filter(|_| condition.status == "BAD");
                }
            }
            // Whoever counts is told what STORE left, silent or not (NQ-035).
            Meaning::Numbers { silent: true, .. } if self.counting.is_none() => self.forget_flags(),
            Meaning::Login => {}
            meaning => {
                let selected = matches!(meaning, Meaning::Select(..));
                settled = settled.and(self.cache(selected, tag, condition.is_ok()));
            }
        }
        self.answer_begins();
        settled
    }

    /// After STORE .SILENT the flags are whatever they were: asked for again rather than guessed.
    fn forget_flags(&mut self) {
        if let Ok(held) = self.held() {
            held.rows.iter_mut().for_each(|row| row.flags = None);
        }
    }
}
