//! A session log as rows of the store: one row per thing that changes by itself, so that a commit writes what changed and
//! no more.
//!
//! Under the session's prefix: `h` head · `t` mailbox · `v` mailbox chunk · `g` mailbox group of marks · `o` position ·
//! `q` requests. Mailbox names are followed by a NUL, which no mailbox name holds.
//!
//! Every row begins with its version, and what the version before wrote is read: up to version 2 there was a row `m` mailbox
//! UID for each mark. Such rows stay as they are until a mark beside them changes, so that no batch is the larger for it.

mod marks;

use crate::codec::{Reader, Writer};
use crate::log::{LastRequest, SessionLog};
use crate::mark::Class;
use crate::offer::{BaselineKind, Offer, Selected};
use crate::repeat::{Effect, Record, RequestKey, Requests};
use crate::told::Told;
use marks::{group_row, read_group, read_single};
use pimap_types::rows::RowChange;
use pimap_types::{Few, Flag, Flags, MailboxName, ModSeq, SessionId, Status, Timestamp, Uid, UidValidity};
use pimap_view::UidSet;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) use marks::group_of;

const VERSION: u8 = 2;
/// Of the row of requests, which says since 3 what each of them said. Before, nobody knew.
const REQUESTS_VERSION: u8 = 3;

/// A row of a session, or a few that change together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Part {
    Head,
    Requests,
    Told(MailboxName),
    Chunk(MailboxName, u32),
    /// A group of marks.
    Marks(MailboxName, u32),
    Offer(u64),
}

/// What changed since the rows were last taken.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Dirty(BTreeSet<Part>);

impl Dirty {
    /// Positions, what is selected, or what else the head says.
    pub(crate) fn head(&mut self) {
        self.0.insert(Part::Head);
    }

    /// The requests remembered.
    pub(crate) fn requests(&mut self) {
        self.0.insert(Part::Requests);
    }

    /// What is told of a mailbox as a whole.
    pub(crate) fn told(&mut self, mailbox: &MailboxName) {
        self.0.insert(Part::Told(mailbox.clone()));
    }

    /// An offer came, changed or went.
    pub(crate) fn offer(&mut self, position: u64) {
        self.0.insert(Part::Offer(position));
    }

    /// A mark came, changed or went.
    pub(crate) fn mark(&mut self, mailbox: &MailboxName, uid: Uid) {
        self.0.insert(Part::Marks(mailbox.clone(), group_of(uid)));
    }

    /// The view around a UID, and its mark, changed.
    pub(crate) fn uid(&mut self, mailbox: &MailboxName, uid: Uid) {
        self.0.insert(Part::Chunk(mailbox.clone(), UidSet::chunk_of(uid)));
        self.mark(mailbox, uid);
    }

    /// A whole view and its marks go.
    pub(crate) fn view_dropped(&mut self, mailbox: &MailboxName, told: &Told) {
        self.view_set(mailbox, &told.view);
        for uid in told.marks.keys() {
            self.mark(mailbox, *uid);
        }
    }

    /// A whole view is set.
    pub(crate) fn view_set(&mut self, mailbox: &MailboxName, view: &UidSet) {
        self.0.extend(view.chunk_ids().map(|id| Part::Chunk(mailbox.clone(), id)));
    }
}

/// Marks that still have rows of their own, of version 2, by group: they go when the group's row is first written.
pub(crate) type Singles = BTreeMap<(MailboxName, u32), Vec<Uid>>;

impl SessionLog {
    /// Whether [`SessionLog::take_rows`] would give any.
    pub fn is_dirty(&self) -> bool {
        !self.dirty.0.is_empty()
    }

    /// The rows that changed since the last call, under `prefix`.
    pub fn take_rows(&mut self, prefix: &[u8], rows: &mut Vec<RowChange>) {
        for part in std::mem::take(&mut self.dirty).0 {
            let (kind, mailbox, rest, row) = match &part {
                Part::Head => (b'h', None, Vec::new(), Some(self.head_row())),
                Part::Requests => (b'q', None, Vec::new(), Some(requests_row(&self.requests))),
                Part::Told(mailbox) => {
                    (b't', Some(mailbox), Vec::new(), self.mailboxes.get(mailbox).map(told_row))
                }
                Part::Chunk(mailbox, chunk) => {
                    let row = self.mailboxes.get(mailbox).and_then(|told| told.view.encode_chunk(*chunk));
                    (b'v', Some(mailbox), chunk.to_be_bytes().to_vec(), row)
                }
                Part::Marks(mailbox, group) => {
                    for uid in self.no_singles(mailbox, *group) {
                        rows.push((key(prefix, b'm', Some(mailbox), &uid.get().to_be_bytes()), None));
                    }
                    let row = self.mailboxes.get(mailbox).and_then(|told| group_row(&told.marks, *group));
                    (b'g', Some(mailbox), group.to_be_bytes().to_vec(), row)
                }
                Part::Offer(position) => {
                    let row = self.offers.iter().find(|offer| offer.position == *position).map(offer_row);
                    (b'o', None, position.to_be_bytes().to_vec(), row)
                }
            };
            rows.push((key(prefix, kind, mailbox, &rest), row));
        }
    }

    /// The UIDs of a group whose marks had rows of their own until now.
    fn no_singles(&mut self, mailbox: &MailboxName, group: u32) -> Vec<Uid> {
        let Some(singles) = &mut self.singles else { return Vec::new() };
        let uids = singles.remove(&(mailbox.clone(), group)).unwrap_or_default();
        self.singles.take_if(|singles| singles.is_empty());
        uids
    }

    /// The session ends: every row of it is deleted.
    pub fn erase(&mut self, prefix: &[u8], rows: &mut Vec<RowChange>) {
        let mut written = std::mem::take(&mut self.dirty);
        self.offers.iter().for_each(|offer| written.offer(offer.position));
        for (mailbox, told) in self.mailboxes.iter() {
            written.view_dropped(mailbox, told);
            written.told(mailbox);
        }
        self.mailboxes.clear();
        self.offers.clear();
        self.dirty = written;
        self.take_rows(prefix, rows);
        for kind in [b'h', b'q'] {
            rows.push((key(prefix, kind, None, &[]), None));
        }
    }

    /// Reads a log back from its rows (keys without the prefix, in any order). `None`: damaged, or no head among them.
    pub fn load<'a>(rows: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<Self> {
        let mut log: Option<SessionLog> = None;
        let (mut mailboxes, mut offers) = (Few::<MailboxName, Told>::new(), BTreeMap::new());
        let (mut chunks, mut marks, mut requests) = (Vec::new(), Vec::new(), Requests::default());
        let mut singles = Singles::new();
        for (key, row) in rows {
            let (kind, rest) = key.split_first()?;
            match kind {
                b'h' => log = Some(read_head(row)?),
                b'q' => requests = read_requests(row)?,
                b'o' => drop(offers.insert(u64::from_be_bytes(rest.try_into().ok()?), read_offer(row)?)),
                b't' => drop(mailboxes.insert(split_mailbox(rest)?.0, read_told(row)?)),
                b'v' => chunks.push((split_mailbox(rest)?, row)),
                b'g' | b'm' => marks.push((*kind, split_mailbox(rest)?, row)),
                _ => return None,
            }
        }
        for ((mailbox, id), row) in chunks {
            let id = u32::from_be_bytes(id.try_into().ok()?);
            mailboxes.get_mut(&mailbox)?.view.decode_chunk(id, row).ok()?;
        }
        for (kind, (mailbox, number), row) in marks {
            let number = u32::from_be_bytes(number.try_into().ok()?);
            let told = mailboxes.get_mut(&mailbox)?;
            if kind == b'g' {
                read_group(row, number, &mut told.marks)?;
            } else {
                let uid = Uid::new(number)?;
                told.marks.insert(uid, read_single(row)?);
                singles.entry((mailbox, group_of(uid))).or_default().push(uid);
            }
        }
        let mut log = log?;
        log.mailboxes = mailboxes;
        log.offers = offers.into_values().collect::<VecDeque<_>>();
        log.requests = requests;
        log.singles = Some(singles).filter(|singles| !singles.is_empty()).map(Box::new);
        log.check_invariants().ok()?;
        Some(log)
    }

    fn head_row(&self) -> Vec<u8> {
        let mut w = Writer::version(VERSION);
        w.text(&self.id.0)
            .number(self.incarnation)
            .number(self.position)
            .number(self.acked)
            .flag(self.cursors)
            .flag(self.forgot);
        write_selected(&mut w, self.selected.as_ref());
        w.flag(self.last_request.is_some());
        if let Some(last) = &self.last_request {
            w.bytes(last.body.as_ref().map_or(&[], |hash| &hash[..])).flag(last.clean);
            write_selected(&mut w, last.selected.as_ref());
        }
        w.flag(self.condstore).flag(self.qresync);
        w.finish()
    }
}

fn read_head(row: &[u8]) -> Option<SessionLog> {
    let mut r = Reader::version(row, VERSION)?;
    let mut log = SessionLog::new(SessionId(r.text()?.to_owned()), r.number()?);
    log.position = r.number()?;
    log.acked = r.number()?;
    log.cursors = r.flag()?;
    log.forgot = r.flag()?;
    log.selected = read_selected(&mut r)?;
    if r.flag()? {
        let body = r.bytes()?;
        let body = if body.is_empty() { None } else { Some(body.try_into().ok()?) };
        let (clean, selected) = (r.flag()?, read_selected(&mut r)?);
        log.last_request = Some(Box::new(LastRequest { body, clean, selected }));
    }
    log.condstore = r.flag()?;
    log.qresync = r.flag()?;
    log.dirty = Dirty::default();
    r.at_end().then_some(log)
}

fn key(prefix: &[u8], kind: u8, mailbox: Option<&MailboxName>, rest: &[u8]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    key.push(kind);
    if let Some(mailbox) = mailbox {
        key.extend_from_slice(mailbox.as_str().as_bytes());
        key.push(0);
    }
    key.extend_from_slice(rest);
    key
}

fn split_mailbox(rest: &[u8]) -> Option<(MailboxName, &[u8])> {
    let end = rest.iter().position(|b| *b == 0)?;
    Some((MailboxName::new(std::str::from_utf8(&rest[..end]).ok()?), &rest[end + 1..]))
}

fn write_selected(w: &mut Writer, selected: Option<&Selected>) {
    w.flag(selected.is_some());
    if let Some(selected) = selected {
        w.text(selected.mailbox.as_str()).flag(selected.read_only);
    }
}

fn read_selected(r: &mut Reader) -> Option<Option<Selected>> {
    if !r.flag()? {
        return Some(None);
    }
    let mailbox = MailboxName::new(r.text()?);
    Some(Some(Selected { mailbox, read_only: r.flag()? }))
}

fn told_row(told: &Told) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.number(told.uid_validity.get().into()).number(told.told_max.into());
    w.flag(told.resync).flag(told.repeat_exists);
    w.number(told.recent_from.into()).number(told.recent_next.into()).number(told.selected_at);
    write_mod_seq(&mut w, told.withheld_from);
    w.finish()
}

fn read_told(row: &[u8]) -> Option<Told> {
    let mut r = Reader::version(row, VERSION)?;
    let mut told = Told::fresh(UidValidity::new(r.small()?)?, &UidSet::new(), 0);
    told.told_max = r.small()?;
    told.resync = r.flag()?;
    told.repeat_exists = r.flag()?;
    told.recent_from = r.small()?;
    told.recent_next = r.small()?;
    told.selected_at = r.number()?;
    told.withheld_from = read_mod_seq(&mut r)?;
    r.at_end().then_some(told)
}

/// Zero stands for none, as everywhere.
fn write_mod_seq(w: &mut Writer, mod_seq: Option<ModSeq>) {
    w.number(mod_seq.map_or(0, |ModSeq(n)| n));
}

fn read_mod_seq(r: &mut Reader) -> Option<Option<ModSeq>> {
    let n = r.number()?;
    Some((n > 0).then_some(ModSeq(n)))
}

/// Writes flags.
pub fn write_flags(w: &mut Writer, flags: &Flags) {
    w.number(flags.iter().count() as u64);
    for flag in flags.iter() {
        w.text(flag.as_str());
    }
}

/// Reads flags.
pub fn read_flags(r: &mut Reader) -> Option<Flags> {
    let count = r.number()?;
    let flags: Option<Vec<Flag>> = (0..count).map(|_| Flag::parse(r.text()?)).collect();
    flags.map(Flags::new)
}

fn write_class(w: &mut Writer, class: Class) {
    w.flag(class == Class::Pushed);
}

fn read_class(r: &mut Reader) -> Option<Class> {
    Some(if r.flag()? { Class::Pushed } else { Class::Polled })
}

fn offer_row(offer: &Offer) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.number(offer.position).optional_text(offer.mailbox.as_ref().map(MailboxName::as_str));
    write_selected(&mut w, offer.selected_before.as_ref());
    w.number(match offer.baseline {
        BaselineKind::None => 0,
        BaselineKind::Continued => 1,
        BaselineKind::First => 2,
        BaselineKind::Replaced => 3,
    });
    w.number(offer.told_max_before.into());
    for list in [&offer.appended, &offer.removed] {
        w.number(list.len() as u64);
        for (uid, class) in list {
            w.number(uid.get().into());
            write_class(&mut w, *class);
        }
    }
    w.number(offer.flags.len() as u64);
    for (uid, flags, class) in &offer.flags {
        w.number(uid.get().into());
        write_flags(&mut w, flags);
        write_class(&mut w, *class);
    }
    write_mod_seq(&mut w, offer.withheld_from);
    w.finish()
}

fn read_offer(row: &[u8]) -> Option<Offer> {
    let mut r = Reader::version(row, VERSION)?;
    let position = r.number()?;
    let mailbox = r.optional_text()?.map(MailboxName::new);
    let selected_before = read_selected(&mut r)?;
    let baseline = match r.number()? {
        0 => BaselineKind::None,
        1 => BaselineKind::Continued,
        2 => BaselineKind::First,
        3 => BaselineKind::Replaced,
        _ => return None,
    };
    let told_max_before = r.small()?;
    let mut list = || -> Option<Vec<(Uid, Class)>> {
        let count = r.number()?;
        (0..count).map(|_| Some((Uid::new(r.small()?)?, read_class(&mut r)?))).collect()
    };
    let (appended, removed) = (list()?, list()?);
    let count = r.number()?;
    let flags: Option<Vec<_>> =
        (0..count).map(|_| Some((Uid::new(r.small()?)?, read_flags(&mut r)?, read_class(&mut r)?))).collect();
    let offer = Offer {
        position,
        mailbox,
        selected_before,
        baseline,
        told_max_before,
        appended,
        removed,
        flags: flags?,
        withheld_from: read_mod_seq(&mut r)?,
    };
    r.at_end().then_some(offer)
}

fn requests_row(requests: &Requests) -> Vec<u8> {
    let mut w = Writer::version(REQUESTS_VERSION);
    w.number(requests.records.len() as u64);
    for record in &requests.records {
        w.bytes(&record.key.hash).flag(record.key.named);
        w.bytes(record.key.says.as_ref().map_or(&[], |says| &says[..]))
            .signed(record.at.0)
            .number(record.position);
        w.number(record.effects.len() as u64);
        for (index, effect) in &record.effects {
            w.number((*index).into());
            match effect {
                Effect::Intended => drop(w.number(0)),
                Effect::Answered(status, code, text) => {
                    w.number(match status {
                        Status::Ok => 1,
                        Status::No => 2,
                        Status::Bad => 3,
                    });
                    w.optional_text(code.as_deref()).text(text);
                }
            }
        }
    }
    w.finish()
}

fn read_requests(row: &[u8]) -> Option<Requests> {
    let (mut r, says_what) = match Reader::version(row, REQUESTS_VERSION) {
        Some(r) => (r, true),
        None => (Reader::version(row, VERSION)?, false),
    };
    let mut requests = Requests::default();
    for _ in 0..r.number()? {
        let (hash, named) = (r.bytes()?.try_into().ok()?, r.flag()?);
        let says = match if says_what { r.bytes()? } else { &[] } {
            [] => None,
            says => Some(says.try_into().ok()?),
        };
        let key = RequestKey { hash, named, says };
        let (at, position) = (Timestamp(r.signed()?), r.number()?);
        let mut effects = Vec::new();
        for _ in 0..r.number()? {
            let index = r.small()?;
            let status = match r.number()? {
                0 => {
                    effects.push((index, Effect::Intended));
                    continue;
                }
                1 => Status::Ok,
                2 => Status::No,
                3 => Status::Bad,
                _ => return None,
            };
            let code = r.optional_text()?.map(str::to_owned);
            effects.push((index, Effect::Answered(status, code, r.text()?.to_owned())));
        }
        requests.records.push_back(Record { key, at, position, effects });
    }
    r.at_end().then_some(requests)
}
