//! Atoms: the parts of filters that upstream evaluates, each once per message (F23). What is asked of it, and what its answers mean.

use crate::account::{Account, Question};
use crate::contract::Carry;
use crate::mirror::Atom;
use crate::verdict::ActiveFilter;
use pimap_types::upstream::{Data, UpstreamFault, UpstreamReply, UpstreamRequest};
use pimap_types::{MailboxName, Ticket};
use std::collections::BTreeSet;

impl Account {
    /// Asks upstream for the atoms of filters that still lack verdicts, one question an atom and burst.
    pub(crate) fn ask_atoms(&mut self, mailbox: &MailboxName) {
        let wanted: Vec<ActiveFilter> = self
            .devices
            .values()
            .filter_map(|d| d.verdicts.get(mailbox))
            .flat_map(|v| v.filters().map(ActiveFilter::clone))
            .collect();
        let Some(mirror) = self.mirrors.get_mut(mailbox).filter(|m| m.uid_validity.is_some()) else { return };
        // Atoms that no filter names any more go, so that filters made and remade leave nothing behind.
        let names = |atom: &Atom, f: &ActiveFilter| {
            atom.charset == f.charset && f.filter.upstream_atoms().contains(&atom.key)
        };
        mirror.atoms.retain(|atom| atom.asked.is_some() || wanted.iter().any(|f| names(atom, f)));
        let mut used = BTreeSet::new();
        for filter in &wanted {
            for key in filter.filter.upstream_atoms() {
                used.insert(mirror.atom(&filter.charset, key));
            }
        }
        for index in used {
            let Some(mirror) = self.mirrors.get(mailbox) else { return };
            let Some(atom) = mirror.atoms.get(index) else { continue };
            let (Some((through, program)), Some(at)) = (mirror.atom_question(atom), mirror.at(mailbox))
            else {
                continue;
            };
            let request = UpstreamRequest::Search(at, atom.charset.clone(), program);
            let ticket = self.ask(request, Carry::Nothing, Question::Atom(mailbox.clone()));
            if let Some(atom) = self.mirrors.get_mut(mailbox).and_then(|m| m.atoms.get_mut(index)) {
                atom.asked = Some((ticket, through));
            }
        }
        self.judge_waiting(mailbox);
    }

    /// Time: what upstream could not say of a message is asked again, and a verdict that was assumed meanwhile is corrected (F24).
    pub(crate) fn ask_atoms_again(&mut self) {
        // Whoever comes back is asked about everything anyway.
        if !self.upstream.up {
            return;
        }
        let now = self.now;
        let due = self.mirrors.iter_mut().filter_map(|(name, m)| m.retry.is_due(now).then(|| name.clone()));
        for mailbox in due.collect::<Vec<_>>() {
            self.ask_atoms(&mailbox);
        }
    }

    /// Upstream's verdicts on an atom.
    pub(crate) fn atom_answered(&mut self, mailbox: &MailboxName, ticket: Ticket, reply: UpstreamReply) {
        self.moved.insert(mailbox.clone());
        let (now, asked_by) = (self.now, self.asked);
        let Some(mirror) = self.mirrors.get_mut(mailbox) else { return };
        let asked_by_it = |atom: &&mut Atom| atom.asked.is_some_and(|(asked, _)| asked == ticket);
        let Some(atom) = mirror.atoms.iter_mut().find(asked_by_it) else { return };
        let Some((asked, through)) = atom.answered() else { return };
        match reply {
            UpstreamReply::Ok(Data::Uids(uids)) => {
                let matching = mirror.uids.intersect_ranges(&uids.intersection(&asked));
                atom.learn(&asked, through, &matching);
                mirror.retry.over();
                self.ask_atoms(mailbox);
            }
            UpstreamReply::Failed(UpstreamFault::UidValidityChanged) => self.sync(mailbox),
            UpstreamReply::Refused { code, .. } if atom.is_final(code.as_deref()) => {
                // The server cannot search for this, and is not asked for ever: what it was asked about passes neither the
                // term nor its opposite. The messages stay hidden, never wrongly shown.
                let there = mirror.uids.intersect_ranges(&asked);
                atom.give_up(&asked, through, &there);
                self.ask_atoms(mailbox);
            }
            UpstreamReply::Ok(_) | UpstreamReply::Refused { .. } | UpstreamReply::Failed(_) => {
                // Asked again with the next burst, by a command that needs it, or in time; commands that wait are told.
                let in_words = !matches!(reply, UpstreamReply::Refused { code: None, .. });
                mirror.retry.later(now, in_words);
                self.sync_faults.insert(mailbox.clone(), (asked_by, UpstreamFault::Unavailable));
            }
        }
    }
}
