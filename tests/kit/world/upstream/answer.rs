//! What each question does to the mail, and what is answered.

use super::{Upstream, said};
use crate::world::mail::{Mailbox, items};
use crate::world::sort;
use pimap_types::append::AppendPiece;
use pimap_types::command::{FetchItem, ListPattern, StatusItem, StoreChange, StoreMode};
use pimap_types::list;
use pimap_types::response::ListItem;
use pimap_types::search::{SearchKey, ThreadAlgorithm};
use pimap_types::upstream::{
    Data, Delta, Known, MailboxAt, Synced, UpstreamFault, UpstreamReply, UpstreamRequest,
};
use pimap_types::{Flag, Flags, MailboxName, ModSeq, Uid, UidRanges};
use std::collections::BTreeSet;

type Pieces = Vec<(Uid, Vec<u8>)>;

impl Upstream {
    pub(super) fn carry_out(
        &mut self,
        request: UpstreamRequest,
        message: Option<Vec<AppendPiece>>,
    ) -> (UpstreamReply, Pieces) {
        match self.reply_to(request, message) {
            Ok(answer) => answer,
            Err(fault) => (UpstreamReply::Failed(fault), Vec::new()),
        }
    }

    fn reply_to(
        &mut self,
        request: UpstreamRequest,
        message: Option<Vec<AppendPiece>>,
    ) -> Result<(UpstreamReply, Pieces), UpstreamFault> {
        use UpstreamRequest::*;
        let today = self.today;
        let mod_seqs = self.traits.mod_seqs;
        let data = match request {
            Sync { mailbox, known, facts } => {
                let mounted = self.unmounted == 0;
                self.unmounted = self.unmounted.saturating_sub(1);
                let Data::Synced(mut synced) = self.synced(&mailbox, known.as_ref(), facts)? else {
                    return Err(UpstreamFault::Misbehaved);
                };
                if !mounted {
                    synced.delta = Delta::Full { uids: UidRanges::new(), facts: Vec::new() };
                }
                Data::Synced(synced)
            }
            Facts(at, uids) => Data::Facts(self.open(&at)?.facts(|uid, _| contains(&uids, uid), mod_seqs)),
            Search(_, _, program) if self.unsearchable && names_text(&program) => {
                return Ok((refused(Some("CANNOT"), "no search of content"), Vec::new()));
            }
            Search(_, _, program) if names_text(&program) && !self.search_refusals.is_empty() => {
                let code = self.search_refusals.remove(0);
                return Ok((refused(code.as_deref(), "not now"), Vec::new()));
            }
            Search(at, _, program) => Data::Uids(self.open(&at)?.search(&program, today)),
            Thread(_, ThreadAlgorithm::Refs, ..) if !self.traits.sort => {
                return Err(UpstreamFault::Unsupported);
            }
            Sort(at, criteria, _, program) => {
                Data::Sorted(sort::sort(self.open(&at)?, &criteria, &program, today))
            }
            Thread(at, algorithm, _, program) => {
                Data::Threaded(sort::thread(self.open(&at)?, algorithm, &program, today))
            }
            Fetch(at, uids, wanted) => return self.fetch(&at, &uids, &wanted),
            Store(at, uids, change, unchanged_since) => {
                if let Some((mailbox, uid, change)) = self.race.take() {
                    self.other_stores(&mailbox, uid, &change);
                }
                let state = self.open(&at)?;
                let since = unchanged_since.filter(|_| mod_seqs).map_or(u64::MAX, |since| since.0);
                let later = |uid: &Uid| state.messages.get(&uid.get()).is_some_and(|m| m.mod_seq > since);
                let modified = UidRanges::from_uids(uids.iter().filter(later));
                let unchanged = UidRanges::from_uids(uids.iter().filter(|uid| !later(uid)));
                let stored = state.store(&unchanged, &change);
                self.changed(&at.mailbox, &stored);
                Data::Stored { flags: self.open(&at)?.reports(&stored, mod_seqs), modified }
            }
            Copy(at, uids, target) => return self.copy(&at, &uids, &target, false),
            Move(..) if !self.traits.r#move => return Err(UpstreamFault::Unsupported),
            Move(at, uids, target) => return self.copy(&at, &uids, &target, true),
            Expunge { at, uids, all_visible } => self.expunge(&at, &uids, all_visible)?,
            Append(append) => return Ok((self.append(append, message)?, Vec::new())),
            List { subscribed, pattern, .. } => Data::Listed(self.list(subscribed, &pattern)),
            Namespace => {
                let personal = vec![list::Namespace { prefix: String::new(), delimiter: Some('/') }];
                Data::Namespaces(list::Namespaces { personal, ..list::Namespaces::default() })
            }
            Status(mailbox, items) => self.status(&mailbox, &items)?,
            Create(mailbox) => {
                if self.mail.mailboxes.contains_key(&mailbox) {
                    return Ok((refused(None, "it exists"), Vec::new()));
                }
                self.mail.create(&mailbox);
                self.folders_changed(&mailbox, None);
                Data::Done
            }
            Delete(mailbox) => {
                if mailbox.is_inbox() || self.mail.mailboxes.remove(&mailbox).is_none() {
                    return Ok((refused(Some("NONEXISTENT"), "no such mailbox"), Vec::new()));
                }
                self.folders_changed(&mailbox, None);
                Data::Done
            }
            Rename(from, to) => {
                if from.is_inbox() || !self.mail.rename(&from, &to) {
                    return Ok((refused(None, "it cannot be renamed"), Vec::new()));
                }
                self.folders_changed(&to, Some(&from));
                Data::Done
            }
            Subscribe(mailbox) => {
                self.subscribe(&mailbox, true);
                Data::Done
            }
            Unsubscribe(mailbox) => {
                self.subscribe(&mailbox, false);
                Data::Done
            }
        };
        Ok((said(data), Vec::new()))
    }

    /// The mailbox, if it is the one that is meant (F22).
    fn open(&mut self, at: &MailboxAt) -> Result<&mut Mailbox, UpstreamFault> {
        let state = self.mail.mailboxes.get_mut(&at.mailbox);
        let state = state.ok_or_else(|| UpstreamFault::NoSuchMailbox("no such mailbox".to_owned()))?;
        if state.uid_validity == at.uid_validity { Ok(state) } else { Err(UpstreamFault::UidValidityChanged) }
    }

    fn synced(
        &self,
        mailbox: &MailboxName,
        known: Option<&Known>,
        facts: bool,
    ) -> Result<Data, UpstreamFault> {
        let state = self.mail.readable(mailbox)?;
        let mod_seqs = self.traits.mod_seqs;
        let delta = match known.filter(|k| k.uid_validity == state.uid_validity) {
            // Of what is known flags alone, as from a server without mod-sequences.
            Some(known) if known.facts && facts && !mod_seqs => {
                let (had, facts) = (|uid| contains(&known.uids, uid), state.facts(|_, _| true, false));
                let (known, new): (Vec<_>, Vec<_>) = facts.into_iter().partition(|f| had(f.uid.get()));
                Delta::Flags { flags: known.into_iter().map(|f| (f.uid, f.flags)).collect(), facts: new }
            }
            Some(known) if mod_seqs && known.highest_mod_seq.0 > 0 => Delta::Since {
                vanished: UidRanges::from_uids(
                    known.uids.iter().filter(|uid| !state.messages.contains_key(&uid.get())),
                ),
                changed: state.facts(|_, message| message.mod_seq > known.highest_mod_seq.0, true),
            },
            _ => Delta::Full {
                uids: state.uids(),
                facts: if facts { state.facts(|_, _| true, mod_seqs) } else { Vec::new() },
            },
        };
        let flags = Flags::new([Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Seen, Flag::Draft]);
        Ok(Data::Synced(Box::new(Synced {
            uid_validity: state.uid_validity,
            uid_next: state.uid_next,
            highest_mod_seq: ModSeq(if mod_seqs { state.highest } else { 0 }),
            messages: state.messages.len() as u32,
            flags: flags.clone(),
            permanent_flags: (flags, true),
            delta,
        })))
    }

    fn fetch(
        &mut self,
        at: &MailboxAt,
        uids: &UidRanges,
        wanted: &[FetchItem],
    ) -> Result<(UpstreamReply, Pieces), UpstreamFault> {
        let mod_seqs = self.traits.mod_seqs;
        let state = self.open(at)?;
        let there: Vec<u32> = state.messages.keys().copied().filter(|uid| contains(uids, *uid)).collect();
        let mut flags = Vec::new();
        if wanted.iter().any(FetchItem::sets_seen) {
            let unseen: Vec<u32> = there
                .iter()
                .copied()
                .filter(|uid| !state.messages[uid].flags.contains(&Flag::Seen))
                .collect();
            let seen = StoreChange { mode: StoreMode::Add, silent: false, flags: Flags::new([Flag::Seen]) };
            state.store(&UidRanges::from_uids(unseen.iter().filter_map(|uid| Uid::new(*uid))), &seen);
            flags = state.reports(&unseen, mod_seqs);
            self.changed(&at.mailbox, &unseen);
        }
        let state = self.open(at)?;
        let piece =
            |uid: &u32| (Uid::new(*uid).expect("not zero"), items(*uid, &state.messages[uid], wanted));
        let pieces: Pieces = there.iter().map(piece).collect();
        if wanted.contains(&FetchItem::Flags) {
            flags = state.reports(&there, mod_seqs);
        }
        let expunge_issued = uids.iter().any(|uid| !state.messages.contains_key(&uid.get()));
        let shown = UidRanges::from_uids(pieces.iter().map(|(uid, _)| *uid));
        Ok((said(Data::Fetched { flags, expunge_issued, shown }), pieces))
    }

    fn copy(
        &mut self,
        at: &MailboxAt,
        uids: &UidRanges,
        target: &MailboxName,
        moving: bool,
    ) -> Result<(UpstreamReply, Pieces), UpstreamFault> {
        let today = self.today;
        let state = self.open(at)?;
        let there: Vec<u32> = state.messages.keys().copied().filter(|uid| contains(uids, *uid)).collect();
        let copies: Vec<_> = there.iter().map(|uid| state.messages[uid].clone()).collect();
        let Some(to) = self.mail.mailboxes.get_mut(target) else { return Ok((no_target(), Vec::new())) };
        let new: Vec<u32> = copies.into_iter().map(|m| to.deliver(m.text, m.flags, today)).collect();
        let ranges = |uids: &[u32]| UidRanges::from_uids(uids.iter().filter_map(|uid| Uid::new(*uid)));
        let told = (self.traits.uid_plus && !new.is_empty())
            .then(|| (to.uid_validity, ranges(&there), ranges(&new)));
        self.changed(target, &new);
        let mut vanished = UidRanges::new();
        if moving {
            let gone = self.open(at)?.remove(there);
            vanished = ranges(&gone);
            self.vanished(&at.mailbox, &gone);
        }
        Ok((said(Data::Copied { copy_uid: told, vanished }), Vec::new()))
    }

    /// UID EXPUNGE, or EXPUNGE where there is no UIDPLUS and nothing is hidden: that takes all that is `\Deleted`.
    fn expunge(
        &mut self,
        at: &MailboxAt,
        uids: &UidRanges,
        all_visible: bool,
    ) -> Result<Data, UpstreamFault> {
        let selective = self.traits.uid_plus;
        if !selective && !all_visible {
            return self.expunge_by_move(at, uids);
        }
        let state = self.open(at)?;
        let deleted: BTreeSet<u32> =
            state.deleted().into_iter().filter(|uid| !selective || contains(uids, *uid)).collect();
        let gone = state.remove(deleted);
        self.vanished(&at.mailbox, &gone);
        Ok(Data::Expunged(UidRanges::from_uids(gone.into_iter().filter_map(Uid::new))))
    }

    /// What is deleted among these goes to the trash, where there is MOVE and a trash.
    fn expunge_by_move(&mut self, at: &MailboxAt, uids: &UidRanges) -> Result<Data, UpstreamFault> {
        let trash = MailboxName::new("Trash");
        let has_trash = self.attributes(&trash).contains(&"\\Trash".to_owned());
        let exists = self.mail.mailboxes.contains_key(&trash) && at.mailbox != trash;
        if !self.traits.r#move || !has_trash || !exists {
            return Err(UpstreamFault::Unsupported);
        }
        let deleted = self.open(at)?.deleted().into_iter().filter_map(Uid::new);
        let deleted = UidRanges::from_uids(deleted.filter(|uid| uids.contains(*uid)));
        match self.copy(at, &deleted, &trash, true)?.0 {
            UpstreamReply::Ok(Data::Copied { vanished, .. }) => Ok(Data::Expunged(vanished)),
            _ => Err(UpstreamFault::Misbehaved),
        }
    }

    /// LIST and LSUB as RFC 3501 6.3.8 and 6.3.9 have them; a rich server tells children and special uses.
    fn list(&self, subscribed: bool, pattern: &ListPattern) -> Vec<ListItem> {
        let full = match format!("{}{}", pattern.reference, pattern.pattern) {
            full if full.eq_ignore_ascii_case("INBOX") => "INBOX".to_owned(),
            full => full,
        };
        let item = |name: &MailboxName, attributes| ListItem {
            attributes,
            delimiter: Some('/'),
            mailbox: name.clone(),
        };
        if full.is_empty() {
            return vec![ListItem {
                attributes: vec!["\\Noselect".to_owned()],
                delimiter: Some('/'),
                mailbox: MailboxName::new(""),
            }];
        }
        let listed = |name: &&MailboxName| matches(full.as_bytes(), name.as_str().as_bytes());
        if subscribed {
            return self
                .mail
                .subscriptions
                .iter()
                .filter(listed)
                .map(|name| item(name, Vec::new()))
                .collect();
        }
        let names = self.mail.mailboxes.keys();
        names.filter(listed).map(|name| item(name, self.attributes(name))).collect()
    }

    fn attributes(&self, name: &MailboxName) -> Vec<String> {
        if !self.traits.mailboxes {
            return Vec::new();
        }
        let below = format!("{name}/");
        let has_children = self.mail.mailboxes.keys().any(|other| other.as_str().starts_with(&below));
        let children = if has_children { "\\HasChildren" } else { "\\HasNoChildren" };
        let special = ["Drafts", "Sent", "Trash"].contains(&name.as_str()).then(|| format!("\\{name}"));
        [children.to_owned()].into_iter().chain(special).collect()
    }

    fn status(&self, mailbox: &MailboxName, items: &[StatusItem]) -> Result<Data, UpstreamFault> {
        let state = self.mail.readable(mailbox)?;
        let number = |item: &StatusItem| match item {
            StatusItem::Messages => state.messages.len() as u64,
            StatusItem::Recent | StatusItem::AppendLimit => 0,
            StatusItem::UidNext => u64::from(state.uid_next),
            StatusItem::UidValidity => u64::from(state.uid_validity.get()),
            StatusItem::Unseen => {
                state.messages.values().filter(|m| !m.flags.contains(&Flag::Seen)).count() as u64
            }
            StatusItem::HighestModSeq | StatusItem::Deleted => panic!("{item:?} is the gateway's to say"),
            StatusItem::Size => state.messages.values().map(|m| m.text.len() as u64).sum(),
        };
        Ok(Data::Status(items.iter().map(|item| (*item, number(item))).collect()))
    }
}

/// Whether a name matches a LIST pattern, by trying everything.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((wildcard @ (b'*' | b'%'), rest)) => {
            let most = name.iter().position(|byte| *byte == b'/' && *wildcard == b'%').unwrap_or(name.len());
            (0..=most).any(|at| matches(rest, &name[at..]))
        }
        Some((byte, rest)) => name.first() == Some(byte) && matches(rest, &name[1..]),
    }
}

fn contains(uids: &UidRanges, uid: u32) -> bool {
    Uid::new(uid).is_some_and(|uid| uids.contains(uid))
}

pub(super) fn refused(code: Option<&str>, text: &str) -> UpstreamReply {
    UpstreamReply::Refused { code: code.map(str::to_owned), text: text.to_owned(), data: None }
}

pub(super) fn no_target() -> UpstreamReply {
    refused(Some("TRYCREATE"), "no such mailbox")
}

/// Whether a program looks at what only the content of mail tells.
fn names_text(program: &SearchKey) -> bool {
    match program {
        SearchKey::And(keys) => keys.iter().any(names_text),
        SearchKey::Or(a, b) => names_text(a) || names_text(b),
        SearchKey::Not(key) => names_text(key),
        key => matches!(
            key,
            SearchKey::Header(..) | SearchKey::Field(..) | SearchKey::Body(_) | SearchKey::Text(_)
        ),
    }
}
