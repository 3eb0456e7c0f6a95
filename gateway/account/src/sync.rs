//! Keeping mirrors up to date: when to ask upstream, and when a mailbox is ready for a command (design D2, D3).

use crate::account::{Account, Question};
use crate::connection::{Ending, Owner};
use crate::contract::{Carry, Count, Output};
use crate::mirror::Mirror;
use pimap_filters::ChangeKind;
use pimap_types::upstream::{Data, UpstreamEvent, UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_types::{Code, DeviceId, MailboxName, Status, Ticket, Uid};
use pimap_view::UidSet;
use std::borrow::Cow;

/// Whether a mailbox can serve a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    /// The mirror is fresh enough and every verdict is there.
    Ready,
    /// A question is under way; the command is parked.
    Waiting,
    /// It cannot be had.
    Failed(UpstreamFault),
}

impl Account {
    /// Whether the mailbox is as fresh as a synchronisation asked for after question number `since`, with verdicts for the
    /// owner; asks for what is missing.
    pub(crate) fn readiness(&mut self, owner: &Owner, mailbox: &MailboxName, since: u64) -> Readiness {
        if let Some((asked, fault)) = self.sync_faults.get(mailbox)
            && *asked > since
        {
            return Readiness::Failed(fault.clone());
        }
        if let Owner::Device(id) = owner {
            self.ensure_verdicts(id, mailbox);
        }
        let fresh =
            self.mirrors.get(mailbox).is_some_and(|m| m.synced_by > since && m.uid_validity.is_some());
        if !fresh || self.lacks_facts(mailbox) {
            let syncing = self.mirrors.get(mailbox).and_then(|m| m.syncing);
            if syncing.is_none_or(|(_, asked)| asked <= since) {
                self.sync(mailbox);
            }
            return Readiness::Waiting;
        }
        let Owner::Device(id) = owner else { return Readiness::Ready };
        self.ask_atoms(mailbox);
        let Some(verdicts) = self.devices.get(id).and_then(|d| d.verdicts.get(mailbox)) else {
            return Readiness::Waiting;
        };
        if verdicts.ready && verdicts.awaited().queue.is_empty() {
            Readiness::Ready
        } else {
            Readiness::Waiting
        }
    }

    /// The live view of an owner; `None` while its verdicts are not all there.
    pub(crate) fn live_if_ready(&self, owner: &Owner, mailbox: &MailboxName) -> Option<Cow<'_, UidSet>> {
        let mirror = self.mirrors.get(mailbox)?;
        match owner {
            Owner::Regular(_) => Some(Cow::Borrowed(&mirror.uids)),
            Owner::Device(id) => {
                let verdicts = self.devices.get(id)?.verdicts.get(mailbox)?;
                verdicts.ready.then(|| verdicts.live(mirror))
            }
        }
    }

    fn facts_wanted(&self, mailbox: &MailboxName) -> bool {
        // Without CONDSTORE, or in a mailbox without mod-sequences, flags of everything are kept, since nothing else tells what
        // changed (D2). Before the watcher has said which it is, the mailbox itself shows it.
        let countless = |mirror: &Mirror| mirror.uid_validity.is_some() && mirror.highest.0 == 0;
        !self.upstream.mod_seqs
            || self.mirrors.get(mailbox).is_some_and(countless)
            || self.devices.values().any(|d| d.verdicts.get(mailbox).is_some_and(|v| v.needs_facts()))
    }

    fn lacks_facts(&self, mailbox: &MailboxName) -> bool {
        let kept = self.mirrors.get(mailbox).is_some_and(|m| m.facts.is_some());
        !kept && self.facts_wanted(mailbox)
    }

    /// Asks for a synchronisation, or notes that another is wanted after the one under way.
    pub(crate) fn sync(&mut self, mailbox: &MailboxName) {
        if !self.mirrors.contains_key(mailbox) && self.is_heeded(mailbox) {
            // Or what comes into it would be judged for nobody.
            for id in self.devices.keys().cloned().collect::<Vec<DeviceId>>() {
                self.ensure_verdicts(&id, mailbox);
            }
        }
        // After a restart nobody has judged what a session was told of a mailbox that it has left: new flags there are its news all the
        // same (PI-014).
        let told = |device: &crate::device::Device| {
            device.session.as_ref().is_some_and(|session| session.told(mailbox).is_some())
        };
        let unjudged = self.devices.iter().filter(|(_, d)| !d.verdicts.contains_key(mailbox) && told(d));
        for id in unjudged.map(|(id, _)| id.clone()).collect::<Vec<DeviceId>>() {
            self.ensure_verdicts(&id, mailbox);
        }
        let facts = self.facts_wanted(mailbox);
        let mod_seqs = self.new_mod_seqs();
        let mirror = self.mirrors.entry(mailbox.clone()).or_insert_with(|| Mirror::new(mod_seqs));
        if mirror.syncing.is_some() {
            mirror.sync_again = true;
            return;
        }
        let known = mirror.known(facts);
        let request = UpstreamRequest::Sync { mailbox: mailbox.clone(), known, facts };
        let ticket = self.ask(request, Carry::Nothing, Question::Sync(mailbox.clone()));
        if let Some(mirror) = self.mirrors.get_mut(mailbox) {
            mirror.asked(ticket, self.asked);
        }
    }

    /// A synchronisation was answered.
    pub(crate) fn synced(&mut self, mailbox: &MailboxName, ticket: Ticket, reply: UpstreamReply) {
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        let Some((_, asked)) = mirror.syncing.take_if(|(asked, _)| *asked == ticket) else { return };
        if let UpstreamReply::Ok(Data::Synced(synced)) = &reply
            && self.is_suspect(mailbox, synced)
        {
            return;
        }
        self.moved.insert(mailbox.clone());
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        let again = std::mem::take(&mut mirror.sync_again);
        match reply {
            UpstreamReply::Ok(Data::Synced(synced)) => {
                self.sync_faults.remove(mailbox);
                if self.apply_synced(mailbox, *synced) {
                    if let Some(mirror) = self.mirrors.get_mut(mailbox) {
                        mirror.synced_by = asked;
                    }
                } else {
                    return self.sync(mailbox);
                }
            }
            UpstreamReply::Ok(_) => self.sync_failed(mailbox, asked, UpstreamFault::Misbehaved),
            UpstreamReply::Refused { text, .. } => {
                self.sync_failed(mailbox, asked, UpstreamFault::NoSuchMailbox(text));
            }
            UpstreamReply::Failed(fault) => self.sync_failed(mailbox, asked, fault),
        }
        let overtaken = self.mirrors.get_mut(mailbox).is_some_and(|m| std::mem::take(&mut m.sync_again));
        if again || overtaken {
            self.sync(mailbox);
        }
        self.ask_atoms(mailbox);
        self.suspicion_settled(mailbox);
    }

    fn sync_failed(&mut self, mailbox: &MailboxName, asked: u64, fault: UpstreamFault) {
        if is_gone(&fault) {
            // It may be gone, or only be refused for now. Nobody can tell any more what happens in it, so sessions that know it
            // are told RESYNC; that it is gone for good they learn when they come to it again.
            for owner in self.owners() {
                self.break_truth(&owner, mailbox, "gone");
            }
            self.drop_mirror(mailbox);
        }
        self.sync_faults.insert(mailbox.clone(), (asked, fault));
    }

    /// A fact from the watching connection.
    pub(crate) fn upstream_event(&mut self, event: UpstreamEvent) {
        match event {
            UpstreamEvent::Back { notify, mod_seqs, announced, .. } => {
                let delimiter = self.upstream.delimiter;
                self.upstream = crate::account::Upstream {
                    up: true,
                    notify,
                    mod_seqs,
                    refused: false,
                    announced,
                    delimiter,
                };
                self.sync_faults.clear();
                for mailbox in self.watched() {
                    self.sync(&mailbox);
                }
            }
            UpstreamEvent::Lost => self.upstream.up = false,
            UpstreamEvent::Missed => self.outbox.push(Output::Count(Count::WatchMissed)),
            UpstreamEvent::CredentialsRefused => {
                self.credentials_refused();
            }
            UpstreamEvent::Changed { mailbox, uid_validity, facts } => {
                if self.is_mirrored(&mailbox, uid_validity) {
                    let facts = self.without_gap(&mailbox, facts);
                    self.apply_changed(&mailbox, facts, None, ChangeKind::FlagChange);
                }
            }
            UpstreamEvent::Vanished { mailbox, uid_validity, uids } => {
                if self.is_mirrored(&mailbox, uid_validity) {
                    self.apply_gone(&mailbox, &uids, None);
                    // Verdicts may have waited for nothing but what is gone.
                    self.judge_waiting(&mailbox);
                }
            }
            UpstreamEvent::Status { mailbox, uid_validity, uid_next, messages, highest_mod_seq } => {
                let Some(mirror) = self.mirrors.get(&mailbox) else {
                    // It was gone or refused once, or is new: its news matter all the same.
                    return self.mailbox_appeared(&mailbox);
                };
                let applied = mirror.echoes.values().max().copied().unwrap_or_default().max(mirror.highest);
                let same = uid_validity.is_none_or(|v| mirror.uid_validity == Some(v))
                    && uid_next.is_some_and(|n| n == mirror.uid_next)
                    && messages.is_some_and(|n| n == mirror.uids.len())
                    && highest_mod_seq.is_none_or(|m| m <= applied);
                if !same && self.watched().contains(&mailbox) {
                    self.sync(&mailbox);
                }
            }
            UpstreamEvent::Mailbox { item, old_name } => self.folder_event(&item, old_name.as_ref()),
        }
    }

    /// What was reported, up to the first message that does not follow what is known: those in between may be there and are found
    /// out first, since nobody could be told of them after it (RFC 3501 2.3.1.1).
    fn without_gap(
        &mut self,
        mailbox: &MailboxName,
        mut facts: Vec<pimap_types::MessageFacts>,
    ) -> Vec<pimap_types::MessageFacts> {
        let Some(mirror) = self.mirrors.get(mailbox) else { return facts };
        let mut next = mirror.uid_next;
        let mut gap = false;
        facts.retain(|facts| {
            let uid = facts.uid.get();
            if uid == next {
                next = next.saturating_add(1);
            }
            gap |= uid > next;
            uid < next
        });
        if gap {
            self.sync(mailbox);
        }
        facts
    }

    /// Events of a mailbox under another UIDVALIDITY than the mirror's mean: look again.
    fn is_mirrored(&mut self, mailbox: &MailboxName, uid_validity: pimap_types::UidValidity) -> bool {
        let Some(mirror) = self.mirrors.get(mailbox) else {
            if self.watched().contains(mailbox) {
                self.sync(mailbox);
            }
            return false;
        };
        match mirror.uid_validity {
            Some(known) if known == uid_validity => true,
            _ => {
                self.sync(mailbox);
                false
            }
        }
    }

    /// A mirror goes, with its rows and what was judged of it.
    pub(crate) fn drop_mirror(&mut self, mailbox: &MailboxName) {
        self.note_identities();
        if let Some(mirror) = self.mirrors.remove(mailbox) {
            self.dirty_mirrors.entry(mailbox.clone()).or_default().extend(mirror.uids.chunk_ids());
            self.drop_mod_seqs(mailbox, &mirror.mod_seqs);
        }
        for device in self.devices.values_mut() {
            device.verdicts.remove(mailbox);
        }
    }

    /// Mirrors that nobody needs any more are dropped, with their rows.
    pub(crate) fn drop_unneeded_mirrors(&mut self) {
        let mut needed = self.watched();
        for owner in self.owners() {
            needed.extend(self.session(&owner).iter().flat_map(|s| s.mailboxes().map(|(m, _)| m.clone())));
        }
        needed.extend(self.mailboxes_counted());
        // A command that runs, parked or asking upstream, finds its mailbox as it left it.
        needed.extend(self.connections.values().filter_map(|c| c.running.as_ref()?.mailbox().cloned()));
        let unneeded: Vec<MailboxName> = self
            .mirrors
            .iter()
            .filter(|(name, m)| !needed.contains(*name) && m.syncing.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for mailbox in unneeded {
            self.drop_mirror(&mailbox);
        }
        // STATUS and DELETE ask for the filters of any name that a handset thinks of: what is judged nowhere goes (law 5).
        for device in self.devices.values_mut() {
            device.verdicts.retain(|mailbox, _| self.mirrors.contains_key(mailbox));
        }
        self.sync_faults.retain(|mailbox, _| needed.contains(mailbox));
        self.suspects.retain(|mailbox, _| self.mirrors.contains_key(mailbox));
    }

    /// The flags of a message as far as the mirror keeps them.
    pub(crate) fn flags_of(&self, mailbox: &MailboxName, uid: Uid) -> pimap_types::Flags {
        let facts = self.mirrors.get(mailbox).and_then(|m| m.facts_of(uid));
        facts.map(|f| f.flags).unwrap_or_default()
    }
}

/// Whether a fault means that the mailbox is not there for this user.
pub(crate) fn is_gone(fault: &UpstreamFault) -> bool {
    matches!(fault, UpstreamFault::NoSuchMailbox(_) | UpstreamFault::NoAccess(_))
}

/// The tagged answer for a fault: whose it is, and what to do about it.
pub(crate) fn ending_of(fault: &UpstreamFault) -> Ending {
    let no = |code: &'static str, text: &'static str| Ending::new(Status::No, Some(Code::word(code)), text);
    match fault {
        UpstreamFault::Unavailable => no("UNAVAILABLE", "the mail server cannot be reached; try again later"),
        UpstreamFault::InDoubt => {
            no("PIMAPINDOUBT", "the connection to the mail server broke; it may or may not have been done")
        }
        UpstreamFault::UidValidityChanged => {
            no("UNAVAILABLE", "the mailbox was replaced on the mail server; nothing was done")
        }
        UpstreamFault::NoSuchMailbox(text) => {
            Ending::new(Status::No, Some(Code::word("NONEXISTENT")), text.clone())
        }
        UpstreamFault::NoAccess(text) => Ending::new(Status::No, Some(Code::word("NOPERM")), text.clone()),
        UpstreamFault::CredentialsRefused => {
            no("AUTHENTICATIONFAILED", "the mail server refuses this login now; log in again")
        }
        UpstreamFault::Unsupported => no("CANNOT", "the mail server cannot do this selectively"),
        UpstreamFault::Cancelled => no("UNAVAILABLE", "cancelled"),
        UpstreamFault::Misbehaved => no("SERVERBUG", "the mail server broke the protocol"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
