//! What the watching connection's responses mean.
//!
//! In: responses, in order. Out: [`UpstreamEvent`]s, and what has to be asked: facts of messages that were named without them.
//! Sequence numbers are not kept: a server that speaks in them only (no QRESYNC) makes this say "look now", and the owner's next
//! catch-up computes the difference (F47). New mail is found by UID, never by the count: one delivery and one
//! expunge between two looks leave EXISTS as it was.

use crate::fault::Fault;
use crate::machine::collect::whole_facts;
use pimap_types::number::{ModSeq, Uid, UidValidity};
use pimap_types::set::UidRanges;
use pimap_types::upstream::{UpstreamEvent, WatchList};
use pimap_types::{MailboxName, MessageFacts};
use pimap_wire::client::code::Code;
use pimap_wire::client::response::{StatusNumbers, UpstreamResponse};
use std::collections::{BTreeMap, HashMap};

/// Mailboxes whose last told numbers are remembered; beyond it repeats are passed on.
const NUMBERS_KEPT_MAX: usize = 20_000;
/// Messages whose facts are asked for at once; more: one "look now" instead.
const WANTED_MAX: usize = 4_096;

/// The mailbox open on the watching connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Open {
    pub(crate) mailbox: MailboxName,
    pub(crate) uid_validity: UidValidity,
    /// The lowest UID a new message can have; zero where upstream did not say.
    pub(crate) uid_next: u32,
}

/// What must be asked of upstream before more can be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Facts of what has arrived from this UID on.
    Arrivals(u32),
    /// Facts of these.
    Facts(UidRanges),
}

/// The interpreter of one watching connection.
#[derive(Default)]
pub(crate) struct Watching {
    /// NOTIFY is set: new messages come with their facts, other mailboxes with STATUS.
    pub(crate) notify: bool,
    open: Option<Open>,
    /// Messages as far as was told, to notice that some are gone without a word.
    exists: u32,
    list: WatchList,
    numbers: HashMap<MailboxName, StatusNumbers>,
    changed: BTreeMap<Uid, MessageFacts>,
    wanted: Vec<(u32, u32)>,
    arrivals: bool,
    look: bool,
}

impl Watching {
    /// Another mailbox is open, or none.
    pub(crate) fn open(&mut self, open: Option<Open>) {
        self.open = open;
        self.exists = 0;
        self.changed.clear();
        self.wanted.clear();
        (self.arrivals, self.look) = (false, false);
    }

    /// So many messages are in it, as it was opened.
    pub(crate) fn holds(&mut self, exists: u32) {
        self.exists = exists;
    }

    /// The mailbox that is open.
    pub(crate) fn opened(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// Other mailboxes matter.
    pub(crate) fn watch(&mut self, list: WatchList) {
        self.list = list;
    }

    /// Takes a response in.
    pub(crate) fn on_response(
        &mut self,
        response: UpstreamResponse,
        out: &mut Vec<UpstreamEvent>,
    ) -> Result<(), Fault> {
        match response {
            // Only the end of the connection makes NOTIFY begin anew (RFC 5465 5.8).
            UpstreamResponse::Untagged(c) if c.code == Some(Code::NotificationOverflow) => {
                return Err(Fault::Overflowed);
            }
            UpstreamResponse::Bye(_) => return Err(Fault::Lost),
            UpstreamResponse::Preauth => return Err(Fault::Misbehaved),
            UpstreamResponse::Exists(exists) if self.open.is_some() => {
                self.arrivals = true;
                // A count that goes down and no EXPUNGE that says what is gone: a lie, or a removal that was not told.
                self.look |= exists < std::mem::replace(&mut self.exists, exists);
            }
            UpstreamResponse::Expunge(_) => {
                self.exists = self.exists.saturating_sub(1);
                self.look = true;
            }
            UpstreamResponse::Vanished { earlier: false, uids } => self.vanished(uids, out),
            UpstreamResponse::Fetch(facts) => match (facts.uid, whole_facts(&facts)) {
                (None, _) => self.look = true,
                (Some(_), Some(facts)) => self.on_facts(facts),
                (Some(uid), None) => self.wanted.push((uid.get(), uid.get())),
            },
            UpstreamResponse::Status(mailbox, numbers) => self.status(mailbox, numbers, out),
            UpstreamResponse::List { subscribed: false, item, old_name } => {
                out.push(UpstreamEvent::Mailbox { item, old_name });
            }
            _ => {}
        }
        Ok(())
    }

    /// Facts of a message, come unasked or on asking.
    pub(crate) fn on_facts(&mut self, facts: MessageFacts) {
        let Some(open) = &mut self.open else { return };
        if facts.uid.get() >= open.uid_next && open.uid_next > 0 {
            open.uid_next = facts.uid.get().saturating_add(1);
            self.arrivals = false;
        }
        self.changed.insert(facts.uid, facts);
    }

    /// Nothing more is buffered: tells what came together.
    pub(crate) fn settle(&mut self, out: &mut Vec<UpstreamEvent>) {
        let Some(open) = &self.open else { return };
        let (mailbox, uid_validity) = (open.mailbox.clone(), open.uid_validity);
        if !self.changed.is_empty() {
            let facts = std::mem::take(&mut self.changed).into_values().collect();
            out.push(UpstreamEvent::Changed { mailbox: mailbox.clone(), uid_validity, facts });
        }
        if self.wanted.len() > WANTED_MAX {
            self.wanted.clear();
            self.look = true;
        }
        if self.arrivals && open.uid_next == 0 {
            self.arrivals = false;
            self.look = true;
        }
        if std::mem::take(&mut self.look) {
            out.push(look_at(mailbox));
        }
    }

    /// What must be asked. With NOTIFY, arrivals tell their facts by themselves right after EXISTS; the caller gives them a
    /// moment before it asks.
    pub(crate) fn due(&self) -> Option<Due> {
        if !self.wanted.is_empty() {
            return Some(Due::Facts(UidRanges::from_pairs(self.wanted.iter().copied())));
        }
        let open = self.open.as_ref()?;
        // Where upstream does not say UIDNEXT, arrivals are for the owner to look at: see `settle`. Zero is no UID.
        (self.arrivals && open.uid_next > 0).then_some(Due::Arrivals(open.uid_next))
    }

    /// What was due has been asked; answers came through [`Watching::on_facts`].
    pub(crate) fn asked(&mut self, due: &Due) {
        match due {
            Due::Arrivals(_) => self.arrivals = false,
            Due::Facts(_) => self.wanted.clear(),
        }
    }

    fn vanished(&mut self, uids: UidRanges, out: &mut Vec<UpstreamEvent>) {
        self.exists = self.exists.saturating_sub(u32::try_from(uids.len()).unwrap_or(u32::MAX));
        self.changed.retain(|uid, _| !uids.contains(*uid));
        self.wanted.retain(|(first, _)| Uid::new(*first).is_some_and(|uid| !uids.contains(uid)));
        if let Some(open) = &self.open {
            let (mailbox, uid_validity) = (open.mailbox.clone(), open.uid_validity);
            out.push(UpstreamEvent::Vanished { mailbox, uid_validity, uids });
        }
    }

    /// Servers repeat the numbers of mailboxes that did not change; those are not told again.
    fn status(&mut self, mailbox: MailboxName, numbers: StatusNumbers, out: &mut Vec<UpstreamEvent>) {
        if !(self.list.all || self.list.mailboxes.contains(&mailbox)) {
            return;
        }
        let room = self.numbers.len() < NUMBERS_KEPT_MAX || self.numbers.contains_key(&mailbox);
        let before = if room { self.numbers.insert(mailbox.clone(), numbers) } else { None };
        if before != Some(numbers) {
            out.push(status_event(mailbox, numbers));
        }
    }
}

/// A STATUS as an event.
pub(crate) fn status_event(mailbox: MailboxName, numbers: StatusNumbers) -> UpstreamEvent {
    let StatusNumbers { messages, uid_next, uid_validity, highest_mod_seq, .. } = numbers;
    // Zero says "none kept", which is no number to compare with.
    let highest_mod_seq = highest_mod_seq.filter(|m| *m > ModSeq(0));
    UpstreamEvent::Status { mailbox, uid_validity, uid_next, messages, highest_mod_seq }
}

/// "Look now", without numbers to compare.
pub(crate) fn look_at(mailbox: MailboxName) -> UpstreamEvent {
    status_event(mailbox, StatusNumbers::default())
}

#[cfg(test)]
mod tests;
