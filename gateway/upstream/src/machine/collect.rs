//! Gathers the untagged data that come while one command runs. One data-bearing command runs at a time per connection
//! (F46), so they belong to it or are news; which of the two is for the command's own code to say.

use crate::fault::Fault;
use pimap_types::limits::{LIST_ITEMS_MAX, MESSAGES_PER_MAILBOX_MAX};
use pimap_types::list::Namespaces;
use pimap_types::number::{ModSeq, Uid, UidValidity};
use pimap_types::response::{ListItem, Status};
use pimap_types::set::UidRanges;
use pimap_types::upstream::FlagsReport;
use pimap_types::{Flags, MailboxName, MessageFacts, Threads};
use pimap_wire::client::code::Code;
use pimap_wire::client::response::{Condition, FetchFacts, StatusNumbers, UpstreamResponse};
use std::collections::BTreeMap;

/// Untagged data of one command.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) uid_validity: Option<UidValidity>,
    pub(crate) uid_next: Option<u32>,
    pub(crate) highest_mod_seq: Option<ModSeq>,
    pub(crate) exists: Option<u32>,
    pub(crate) flags: Option<Flags>,
    pub(crate) permanent_flags: Option<(Flags, bool)>,
    /// FETCH data by UID.
    pub(crate) fetched: BTreeMap<Uid, FetchFacts>,
    /// A FETCH came that does not say whose it is.
    pub(crate) nameless: bool,
    /// VANISHED, as pairs in the order they came.
    vanished: Vec<(u32, u32)>,
    /// VANISHED without EARLIER came.
    pub(crate) vanished_now: bool,
    /// How many messages EXPUNGE told of, by number.
    pub(crate) expunged: u32,
    found: Vec<(u32, u32)>,
    /// A SEARCH or ESEARCH came at all: without one an OK says nothing.
    pub(crate) searched: bool,
    /// What a SORT found, in order; none came without it.
    pub(crate) sorted: Option<Vec<Uid>>,
    /// What a THREAD found; none came without it.
    pub(crate) threaded: Option<Threads<Uid>>,
    pub(crate) statuses: Vec<(MailboxName, StatusNumbers)>,
    pub(crate) listed: Vec<(bool, ListItem)>,
    pub(crate) namespaces: Option<Namespaces>,
    /// More mailboxes than may be listed.
    pub(crate) too_many_listed: bool,
    /// COPYUID, once per command that said it.
    pub(crate) copy_uids: Vec<(UidValidity, UidRanges, UidRanges)>,
    pub(crate) append_uid: Option<(UidValidity, UidRanges)>,
    pub(crate) expunge_issued: bool,
    /// MODIFIED came, with what a conditional STORE left alone.
    pub(crate) modified: Option<UidRanges>,
    pub(crate) capability: Option<Vec<String>>,
    pub(crate) enabled: Vec<String>,
}

impl Collected {
    /// Takes an untagged response in.
    pub(crate) fn absorb(&mut self, response: UpstreamResponse) -> Result<(), Fault> {
        let limit = MESSAGES_PER_MAILBOX_MAX as usize;
        match response {
            UpstreamResponse::Untagged(condition) => self.condition(&condition),
            UpstreamResponse::Capability(words) => self.capability = Some(words),
            UpstreamResponse::Enabled(words) => self.enabled = words,
            UpstreamResponse::Exists(n) if n > MESSAGES_PER_MAILBOX_MAX => return Err(Fault::Misbehaved),
            UpstreamResponse::Exists(n) => self.exists = Some(n),
            UpstreamResponse::Expunge(_) => self.expunged = self.expunged.saturating_add(1),
            UpstreamResponse::Vanished { earlier, uids } => {
                self.vanished_now |= !earlier;
                self.vanished.extend_from_slice(uids.ranges());
                self.forget_vanished(&uids);
            }
            UpstreamResponse::Fetch(facts) => self.fetch(facts),
            UpstreamResponse::Search(uids) => {
                self.searched = true;
                self.found.extend(uids.iter().map(|u| (u.get(), u.get())));
            }
            UpstreamResponse::Esearch(_, uids) => {
                self.searched = true;
                self.found.extend_from_slice(uids.ranges());
            }
            UpstreamResponse::Sort(uids) => self.sorted.get_or_insert_default().extend(uids),
            UpstreamResponse::Thread(Threads { places }) => {
                self.threaded.get_or_insert(Threads { places: Vec::new() }).places.extend(places);
            }
            UpstreamResponse::Status(mailbox, numbers) => self.statuses.push((mailbox, numbers)),
            UpstreamResponse::List { subscribed, item, .. } => {
                if self.listed.len() < LIST_ITEMS_MAX {
                    self.listed.push((subscribed, item));
                } else {
                    self.too_many_listed = true;
                }
            }
            UpstreamResponse::Namespace(namespaces) => self.namespaces = Some(namespaces),
            UpstreamResponse::Flags(flags) => self.flags = Some(flags),
            _ => {}
        }
        let sorted = self.sorted.as_ref().map_or(0, Vec::len);
        let threaded = self.threaded.as_ref().map_or(0, |threads| threads.places.len());
        let held = [self.fetched.len(), self.found.len(), self.vanished.len(), self.statuses.len()];
        if held.into_iter().chain([sorted, threaded]).any(|n| n > limit) {
            Err(Fault::Misbehaved)
        } else {
            Ok(())
        }
    }

    /// Takes a status with its code in, tagged or not.
    pub(crate) fn condition(&mut self, condition: &Condition) {
        match condition.code.clone() {
            // RFC 7162 3.2.11: everything so far was of the mailbox open before.
            Some(Code::Closed) => {
                let (capability, enabled) = (self.capability.take(), std::mem::take(&mut self.enabled));
                *self = Collected { capability, enabled, ..Collected::default() };
            }
            Some(Code::UidValidity(validity)) => self.uid_validity = Some(validity),
            Some(Code::UidNext(uid)) => self.uid_next = Some(uid),
            Some(Code::HighestModSeq(mod_seq)) => self.highest_mod_seq = Some(mod_seq),
            Some(Code::NoModSeq) => self.highest_mod_seq = None,
            Some(Code::PermanentFlags(flags, any)) => self.permanent_flags = Some((flags, any)),
            Some(Code::CopyUid(Some(copied))) if condition.status == Status::Ok => {
                self.copy_uids.push(copied)
            }
            Some(Code::AppendUid(validity, Some(uids))) => self.append_uid = Some((validity, uids)),
            Some(Code::ExpungeIssued) => self.expunge_issued = true,
            Some(Code::Modified(uids)) => self.modified.get_or_insert_default().extend(&uids),
            Some(Code::Capability(words)) => self.capability = Some(words),
            _ => {}
        }
    }

    fn fetch(&mut self, facts: FetchFacts) {
        let Some(uid) = facts.uid else {
            self.nameless = true;
            return;
        };
        let known = self.fetched.entry(uid).or_default();
        known.uid = Some(uid);
        known.flags = facts.flags.or(known.flags.take());
        known.mod_seq = facts.mod_seq.or(known.mod_seq);
        known.internal_date = facts.internal_date.or(known.internal_date);
        known.received = facts.received.or(known.received);
        known.size = facts.size.or(known.size);
    }

    /// What vanished after its FETCH is gone.
    fn forget_vanished(&mut self, uids: &UidRanges) {
        if uids.len() >= self.fetched.len() as u64 {
            self.fetched.retain(|uid, _| !uids.contains(*uid));
        } else {
            for uid in uids.iter() {
                self.fetched.remove(&uid);
            }
        }
    }

    /// What a SEARCH found.
    pub(crate) fn found(&self) -> UidRanges {
        UidRanges::from_pairs(self.found.iter().copied())
    }

    /// What vanished, earlier or now.
    pub(crate) fn vanished(&self) -> UidRanges {
        UidRanges::from_pairs(self.vanished.iter().copied())
    }

    /// Flags reported for messages of the set.
    pub(crate) fn flags_of(&self, uids: &UidRanges) -> Vec<FlagsReport> {
        let named = self.fetched.iter().filter(|(uid, _)| uids.contains(**uid));
        named
            .filter_map(|(uid, facts)| {
                let mod_seq = facts.mod_seq.unwrap_or_default();
                facts.flags.clone().map(|flags| FlagsReport { uid: *uid, flags, mod_seq })
            })
            .collect()
    }
}

/// All facts of a message, if all were said.
pub(crate) fn whole_facts(facts: &FetchFacts) -> Option<MessageFacts> {
    Some(MessageFacts {
        uid: facts.uid?,
        flags: facts.flags.clone()?,
        internal_date: facts.internal_date?,
        size: facts.size?,
        mod_seq: facts.mod_seq.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absorb(collected: &mut Collected, lines: &[&str]) {
        for line in lines {
            let response = UpstreamResponse::parse(line.as_bytes()).expect("parses");
            collected.absorb(response).expect("absorbs");
        }
    }

    #[test]
    fn what_came_before_closed_is_of_another_mailbox() {
        let mut collected = Collected::default();
        absorb(&mut collected, &["* 9 EXISTS", "* VANISHED 4", "* OK [CLOSED] x", "* 3 EXISTS"]);
        assert_eq!(collected.exists, Some(3));
        assert!(collected.vanished().is_empty() && !collected.vanished_now);
    }

    #[test]
    fn a_lying_count_is_refused() {
        let response = UpstreamResponse::parse(b"* 1000000000 EXISTS").expect("parses");
        assert_eq!(Collected::default().absorb(response), Err(Fault::Misbehaved));
    }

    #[test]
    fn repeated_fetches_add_up_and_vanished_ones_go() {
        let mut collected = Collected::default();
        let uid = |n| Uid::new(n).expect("not zero");
        let facts = |n, size| FetchFacts { uid: Some(uid(n)), size, ..FetchFacts::default() };
        for facts in [facts(5, Some(3)), facts(5, None), facts(6, Some(1)), FetchFacts::default()] {
            collected.absorb(UpstreamResponse::Fetch(facts)).expect("absorbs");
        }
        assert!(collected.nameless);
        assert_eq!(collected.fetched.get(&uid(5)).and_then(|f| f.size), Some(3));
        absorb(&mut collected, &["* VANISHED 6:4000000000"]);
        assert_eq!(collected.fetched.len(), 1);
    }
}
