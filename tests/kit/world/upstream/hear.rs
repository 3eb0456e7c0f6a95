//! What connections that watch hear: the watching connection of one mailbox or, by NOTIFY, of all; connections to spare of a
//! mailbox each (F48); and what is found out by asking.

use super::{Upstream, look_at};
use pimap_types::command::StoreChange;
use pimap_types::response::ListItem;
use pimap_types::upstream::UpstreamEvent;
use pimap_types::{MailboxName, ModSeq, Uid, UidRanges};

/// Which connection hears of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ear {
    First,
    Spare,
}

impl Upstream {
    /// Messages came or changed.
    pub fn changed(&mut self, mailbox: &MailboxName, uids: &[u32]) {
        if !self.watching || uids.is_empty() {
            return;
        }
        let heard = self.ear(mailbox).zip(self.mail.mailboxes.get(mailbox));
        let Some((ear, state)) = heard else { return self.elsewhere(mailbox) };
        let facts = state.facts(|uid, _| uids.contains(&uid), self.traits.mod_seqs);
        let (mailbox, uid_validity) = (mailbox.clone(), state.uid_validity);
        // A server that speaks in numbers only lets the watcher say "look now" (F47); flags come with their UID here.
        self.tell_open(ear, UpstreamEvent::Changed { mailbox, uid_validity, facts });
    }

    /// Messages are gone.
    pub fn vanished(&mut self, mailbox: &MailboxName, uids: &[u32]) {
        if !self.watching || uids.is_empty() {
            return;
        }
        let heard = self.ear(mailbox).zip(self.mail.mailboxes.get(mailbox));
        let Some((ear, state)) = heard else { return self.elsewhere(mailbox) };
        if !self.traits.qresync {
            return self.tell_open(ear, look_at(mailbox.clone()));
        }
        let uids = UidRanges::from_uids(uids.iter().filter_map(|uid| Uid::new(*uid)));
        let (mailbox, uid_validity) = (mailbox.clone(), state.uid_validity);
        self.tell_open(ear, UpstreamEvent::Vanished { mailbox, uid_validity, uids });
    }

    /// Mailboxes were created, renamed or deleted.
    pub fn folders_changed(&mut self, mailbox: &MailboxName, old_name: Option<&MailboxName>) {
        let opened =
            [Some(mailbox), old_name].contains(&self.watch.first.as_ref()) && self.watch.first.is_some();
        if self.watching && self.traits.notify {
            let exists = self.mail.mailboxes.contains_key(mailbox);
            let attributes = if exists { Vec::new() } else { vec!["\\NonExistent".to_owned()] };
            let item = ListItem { attributes, delimiter: Some('/'), mailbox: mailbox.clone() };
            self.events.push_back(UpstreamEvent::Mailbox { item, old_name: old_name.cloned() });
        }
        for name in [Some(mailbox), old_name].into_iter().flatten() {
            self.rest_spare(name);
        }
        if self.watching && opened {
            // The server closes a mailbox that is replaced under a connection.
            self.watching = false;
            self.events.push_back(UpstreamEvent::Lost);
            self.connect_watcher();
        } else if self.mail.mailboxes.contains_key(mailbox) {
            self.elsewhere(mailbox);
        }
    }

    /// Another client changes a message's flags.
    pub fn other_stores(&mut self, mailbox: &MailboxName, uid: u32, change: &StoreChange) {
        let Some(state) = self.mail.mailboxes.get_mut(mailbox) else { return };
        let stored = state.store(&UidRanges::from_pairs([(uid, uid)]), change);
        self.changed(mailbox, &stored);
    }

    /// Somebody subscribes to a mailbox, or no longer.
    pub fn subscribe(&mut self, mailbox: &MailboxName, subscribed: bool) {
        match subscribed {
            true => self.mail.subscriptions.insert(mailbox.clone()),
            false => self.mail.subscriptions.remove(mailbox),
        };
        if self.watching && self.traits.notify {
            let attributes = if subscribed { vec!["\\Subscribed".to_owned()] } else { Vec::new() };
            let item = ListItem { attributes, delimiter: Some('/'), mailbox: mailbox.clone() };
            self.events.push_back(UpstreamEvent::Mailbox { item, old_name: None });
        }
    }

    /// The right to look into a mailbox is taken away, or given back.
    pub fn deny(&mut self, mailbox: &MailboxName, denied: bool) {
        match denied {
            true => self.mail.denied.insert(mailbox.clone()),
            false => self.mail.denied.remove(mailbox),
        };
        // All that a server can say is that something is different there.
        if self.watching {
            self.events.push_back(look_at(mailbox.clone()));
        }
    }

    /// An event of a mailbox that is open on a connection that watches: at once, or with its next NOOP.
    fn tell_open(&mut self, ear: Ear, event: UpstreamEvent) {
        match ear {
            Ear::Spare => self.spare_events.push_back(event),
            Ear::First if self.traits.idle || self.traits.notify => self.events.push_back(event),
            Ear::First => self.unheard.push(event),
        }
    }

    fn ear(&self, mailbox: &MailboxName) -> Option<Ear> {
        if self.watch.first.as_ref() == Some(mailbox) {
            return Some(Ear::First);
        }
        self.spares.get(mailbox).is_some_and(|held| *held).then_some(Ear::Spare)
    }

    fn elsewhere(&mut self, mailbox: &MailboxName) {
        if !self.watching || !(self.watch.all || self.watch.mailboxes.contains(mailbox)) {
            return;
        }
        if self.traits.notify {
            let event = self.status_event(mailbox);
            self.events.push_back(event);
        } else {
            self.unpolled.insert(mailbox.clone());
        }
    }

    /// Every watched mailbox is looked at, whatever its numbers are.
    pub fn audit(&mut self) {
        if self.watching {
            let looks: Vec<UpstreamEvent> = self.watch.mailboxes.iter().cloned().map(look_at).collect();
            self.events.extend(looks);
        }
    }

    // === connections to spare (F48) ===

    /// The most important mailboxes beside the first get a connection each, as far as there are any to spare.
    pub(super) fn assign_spares(&mut self) {
        let can = self.watching && self.traits.idle && !self.traits.notify;
        let most = if can { self.traits.spares } else { 0 };
        let other = |mailbox: &&MailboxName| Some(*mailbox) != self.watch.first.as_ref();
        let wanted: Vec<MailboxName> =
            self.watch.mailboxes.iter().filter(other).take(most).cloned().collect();
        self.spares.retain(|mailbox, _| wanted.contains(mailbox));
        for mailbox in wanted {
            self.spares.entry(mailbox).or_insert(false);
        }
        self.begin_spares();
    }

    /// Connections to spare that rested open their mailboxes, which tells the numbers there.
    pub fn begin_spares(&mut self) {
        let resting: Vec<MailboxName> =
            self.spares.iter().filter(|(_, held)| !**held).map(|(name, _)| name.clone()).collect();
        for mailbox in resting.into_iter().filter(|name| self.mail.mailboxes.contains_key(name)) {
            let event = self.status_event(&mailbox);
            self.spare_events.push_back(event);
            self.spares.insert(mailbox, true);
        }
    }

    /// A command needs the connection that a mailbox is watched on: what happens there meanwhile is found by asking.
    pub fn rest_spare(&mut self, mailbox: &MailboxName) {
        if let Some(held) = self.spares.get_mut(mailbox) {
            *held = false;
            self.unpolled.insert(mailbox.clone());
        }
    }

    /// What the connections to spare heard next.
    pub fn next_spare_event(&mut self) -> Option<UpstreamEvent> {
        self.spare_events.pop_front()
    }

    /// Mailboxes that have a connection to spare.
    pub fn spared(&self) -> Vec<MailboxName> {
        self.spares.keys().cloned().collect()
    }

    pub(super) fn lose_spares(&mut self) {
        self.spares.clear();
        self.spare_events.clear();
    }

    pub(super) fn status_event(&self, mailbox: &MailboxName) -> UpstreamEvent {
        let Some(state) = self.mail.mailboxes.get(mailbox) else { return look_at(mailbox.clone()) };
        UpstreamEvent::Status {
            mailbox: mailbox.clone(),
            uid_validity: Some(state.uid_validity),
            uid_next: Some(state.uid_next),
            messages: Some(state.messages.len() as u32),
            highest_mod_seq: self.traits.mod_seqs.then_some(ModSeq(state.highest)),
        }
    }
}
