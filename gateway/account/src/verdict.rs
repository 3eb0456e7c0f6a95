//! Verdicts: which messages of a mailbox pass one device's view and notification filters. The stored verdict is the only
//! authority (F23); arrivals get theirs in UID order (F24).

use crate::mirror::{Atom, Mirror};
use pimap_filters::Filter;
use pimap_types::search::SearchKey;
use pimap_types::{Date, Flags, MessageFacts, ModSeq, Timestamp, Uid, UidRanges};
use pimap_view::UidSet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A verdict later than this counts as "in view, polled" and is corrected by a removal (F24), ms.
pub(crate) const VERDICT_LATE_MS: i64 = 5_000;

/// A filter in use, with the charset in which upstream is asked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ActiveFilter {
    pub(crate) filter: Arc<Filter>,
    pub(crate) charset: Option<String>,
}

impl ActiveFilter {
    pub(crate) fn is_trivial(&self) -> bool {
        self.filter.is_all() || self.filter.is_none()
    }

    /// The filter with its atoms at hand; `None` while one of them is not known at all.
    pub(crate) fn prepare<'a>(&'a self, mirror: &'a Mirror) -> Option<Judge<'a>> {
        let find = |key: &SearchKey| mirror.atoms.iter().find(|a| a.key == *key && a.charset == self.charset);
        let atoms = match self.is_trivial() {
            true => Vec::new(),
            false => self.filter.upstream_atoms().iter().map(find).collect::<Option<_>>()?,
        };
        Some(Judge { filter: &self.filter, trivial: self.is_trivial().then(|| self.filter.is_all()), atoms })
    }

    /// The verdict; `None` while something needed is unknown.
    pub(crate) fn verdict(&self, mirror: &Mirror, uid: Uid, today: Date) -> Option<bool> {
        self.prepare(mirror)?.verdict(mirror, uid, today)
    }
}

/// A filter ready to judge many messages.
pub(crate) struct Judge<'a> {
    filter: &'a Filter,
    /// The verdict on whatever message.
    trivial: Option<bool>,
    /// The atoms that upstream evaluates, in the filter's order.
    atoms: Vec<&'a Atom>,
}

impl Judge<'_> {
    /// The verdict; `None` while something needed is unknown.
    pub(crate) fn verdict(&self, mirror: &Mirror, uid: Uid, today: Date) -> Option<bool> {
        if self.trivial.is_some() {
            return self.trivial;
        }
        if self.atoms.iter().any(|atom| atom.through < uid.get()) {
            return None;
        }
        let facts = if self.filter.needs_facts() { mirror.facts_of(uid)? } else { nameless(uid) };
        let matched = |index: usize| self.atoms.get(index).and_then(|atom| atom.answer(uid));
        Some(self.filter.evaluate(&facts, &matched, today))
    }
}

/// A message of which a filter without fact atoms needs nothing.
fn nameless(uid: Uid) -> MessageFacts {
    MessageFacts { uid, flags: Flags::default(), internal_date: Date(0), size: 0, mod_seq: ModSeq(0) }
}

/// One device's verdicts on one mailbox.
#[derive(Clone)]
pub(crate) struct Verdicts {
    pub(crate) view: Arc<ActiveFilter>,
    pub(crate) notification: Arc<ActiveFilter>,
    /// Members of the mobile repository; unused while the view filter is trivial.
    pub(crate) in_view: UidSet,
    /// Messages that pass the notification filter; unused while it is trivial.
    pub(crate) notified: UidSet,
    /// Every message of the mirror outside `queue` has its verdict.
    pub(crate) ready: bool,
    /// It had, under these very filters, whenever that was last: the members are those of before what is judged anew.
    pub(crate) judged: bool,
    /// What is awaited; nothing, most of the time (D16).
    awaited: Option<Box<Awaited>>,
}

/// Arrivals whose verdicts are not there.
#[derive(Clone)]
pub(crate) struct Awaited {
    /// Those whose verdict is awaited, and since when.
    pub(crate) queue: BTreeMap<Uid, Timestamp>,
    /// Taken into the view because their verdict was late.
    pub(crate) assumed: UidSet,
    /// Those in `queue` that the device's own commands caused.
    pub(crate) own: UidSet,
}

impl Awaited {
    const NOTHING: Self = Self { queue: BTreeMap::new(), assumed: UidSet::new(), own: UidSet::new() };
}

impl Verdicts {
    pub(crate) fn new(view: Arc<ActiveFilter>, notification: Arc<ActiveFilter>) -> Self {
        Self {
            view,
            notification,
            in_view: UidSet::new(),
            notified: UidSet::new(),
            ready: false,
            judged: false,
            awaited: None,
        }
    }

    /// What is awaited.
    pub(crate) fn awaited(&self) -> &Awaited {
        static NOTHING: Awaited = Awaited::NOTHING;
        self.awaited.as_deref().unwrap_or(&NOTHING)
    }

    /// Whether room is held for what is awaited.
    #[cfg(test)]
    pub(crate) fn awaits(&self) -> bool {
        self.awaited.is_some()
    }

    /// What is awaited, to be added to.
    pub(crate) fn await_more(&mut self) -> &mut Awaited {
        self.awaited.get_or_insert_with(|| Box::new(Awaited::NOTHING))
    }

    /// Takes the first out of the queue if it is awaited for too long.
    pub(crate) fn take_late(&mut self, is_late: impl Fn(Timestamp) -> bool) -> Option<Uid> {
        let entry = self.awaited.as_mut()?.queue.first_entry().filter(|entry| is_late(*entry.get()))?;
        Some(entry.remove_entry().0)
    }

    /// A message of the queue got its verdict. True: the device's own command had brought it.
    pub(crate) fn is_judged(&mut self, uid: Uid) -> bool {
        let Some(awaited) = &mut self.awaited else { return false };
        awaited.queue.remove(&uid);
        let own = awaited.own.remove(uid);
        self.await_less();
        own
    }

    /// A message that was taken into the view got its verdict.
    pub(crate) fn is_corrected(&mut self, uid: Uid) {
        if let Some(awaited) = &mut self.awaited {
            awaited.assumed.remove(uid);
        }
        self.await_less();
    }

    fn await_less(&mut self) {
        self.awaited.take_if(|a| a.queue.is_empty() && a.assumed.is_empty() && a.own.is_empty());
    }

    pub(crate) fn filters(&self) -> [&ActiveFilter; 2] {
        [&*self.view, &*self.notification]
    }

    pub(crate) fn needs_facts(&self) -> bool {
        self.filters().iter().any(|f| !f.is_trivial() && f.filter.needs_facts())
    }

    pub(crate) fn views(&self, mirror: &Mirror, uid: Uid) -> bool {
        if self.view.filter.is_all() {
            return mirror.uids.contains(uid) && !self.awaited().queue.contains_key(&uid);
        }
        !self.view.filter.is_none() && self.in_view.contains(uid)
    }

    pub(crate) fn notifies(&self, uid: Uid) -> bool {
        if self.notification.filter.is_all() {
            return true;
        }
        !self.notification.filter.is_none() && self.notified.contains(uid)
    }

    /// Both verdicts of a message, where all is known.
    pub(crate) fn judge(&self, mirror: &Mirror, uid: Uid, today: Date) -> Option<(bool, bool)> {
        Some((self.view.verdict(mirror, uid, today)?, self.notification.verdict(mirror, uid, today)?))
    }

    /// Stores a verdict.
    pub(crate) fn record(&mut self, uid: Uid, view: bool, notification: bool) {
        let set = |members: &mut UidSet, filter: &ActiveFilter, passes: bool| {
            if filter.is_trivial() {
                return;
            }
            if passes {
                members.insert(uid)
            } else {
                members.remove(uid)
            };
        };
        set(&mut self.in_view, &self.view, view);
        set(&mut self.notified, &self.notification, notification);
    }

    /// Judges every message of the mirror, under the filters of `self`; `None` while something needed is unknown.
    pub(crate) fn judge_all(&self, mirror: &Mirror, today: Date) -> Option<Verdicts> {
        let mut fresh = Verdicts::new(self.view.clone(), self.notification.clone());
        // Of an empty mailbox nothing needs to be known.
        let trivial = self.filters().iter().all(|filter| filter.is_trivial());
        if !(trivial || mirror.uids.is_empty()) {
            let (view, notification) = (self.view.prepare(mirror)?, self.notification.prepare(mirror)?);
            let (mut in_view, mut notified) = (UidRanges::new(), UidRanges::new());
            for uid in mirror.uids.iter() {
                if view.verdict(mirror, uid, today)? {
                    in_view.insert(uid);
                }
                if notification.verdict(mirror, uid, today)? {
                    notified.insert(uid);
                }
            }
            // Neither can be more than the mirror holds. A trivial filter needs no members.
            let members = |filter: &ActiveFilter, passing: &UidRanges| match filter.is_trivial() {
                true => UidSet::new(),
                false => UidSet::from_ranges(passing).unwrap_or_default(),
            };
            fresh.in_view = members(&self.view, &in_view);
            fresh.notified = members(&self.notification, &notified);
        }
        (fresh.ready, fresh.judged) = (true, true);
        Some(fresh)
    }

    /// The message is gone.
    pub(crate) fn forget(&mut self, uid: Uid) {
        self.in_view.remove(uid);
        self.notified.remove(uid);
        if let Some(awaited) = &mut self.awaited {
            awaited.queue.remove(&uid);
            awaited.assumed.remove(uid);
        }
        self.await_less();
    }

    /// The live view of the device.
    pub(crate) fn live<'a>(&'a self, mirror: &'a Mirror) -> std::borrow::Cow<'a, UidSet> {
        use std::borrow::Cow;
        if !self.view.filter.is_all() {
            return Cow::Borrowed(&self.in_view);
        }
        let queue = &self.awaited().queue;
        if queue.is_empty() {
            return Cow::Borrowed(&mirror.uids);
        }
        let mut live = mirror.uids.clone();
        for uid in queue.keys() {
            live.remove(*uid);
        }
        Cow::Owned(live)
    }
}
