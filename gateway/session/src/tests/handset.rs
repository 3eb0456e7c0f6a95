//! A handset that believes what it is told and nothing else, and what the gateway claims of it.

use crate::SessionLog;
use crate::log::Baseline;
use pimap_types::command::Cursor;
use pimap_types::{Flag, Flags, MailboxName, Response, Uid, UidValidity};
use pimap_view::UidSet;
use std::collections::BTreeMap;

/// The one mailbox of the small worlds.
pub fn inbox() -> MailboxName {
    MailboxName::new("INBOX")
}

pub fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not zero")
}

pub fn validity() -> UidValidity {
    UidValidity::new(7).expect("not zero")
}

pub fn numbers(set: &UidSet) -> Vec<u32> {
    set.iter().map(Uid::get).collect()
}

pub fn set(uids: impl IntoIterator<Item = u32>) -> UidSet {
    let mut set = UidSet::new();
    for n in uids {
        set.insert(uid(n));
    }
    set
}

/// Flags of a message that was seen or not.
pub fn seen(yes: bool) -> Flags {
    Flags::new(yes.then_some(Flag::Seen))
}

/// Messages and whether they are seen: the live view.
pub type Live = BTreeMap<u32, bool>;

/// What reaches the handset as one indivisible thing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Line {
    Resync,
    /// The data of a SELECT, and what a handset that looks (UIDs, flags) sees by them.
    Select {
        view: Vec<(u32, Option<bool>)>,
        resync: bool,
    },
    /// EXISTS, and the UIDs that a handset finds when it asks for those of the new numbers.
    Exists(Vec<u32>),
    Expunge(u32),
    Flags {
        seq: u32,
        uid: u32,
        seen: bool,
    },
    /// A cursor, where it is not the last line (only weakened rules do that).
    Cursor(Cursor),
}

/// What the handset holds of the mailbox.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Belief {
    /// Nothing was told in this session: it has what it cached yesterday, which is wrong.
    Yesterday,
    /// UIDs in the order of their numbers, and whether seen, where it was told.
    Knows(Vec<(u32, Option<bool>)>),
    /// It was told RESYNC.
    Resync,
}

impl Belief {
    /// Applies one line. `Err`: no true gateway can have said that.
    pub fn apply(&mut self, line: &Line) -> Result<(), String> {
        match (line, &mut *self) {
            (Line::Resync, _) => *self = Belief::Resync,
            // Without RESYNC the data continue what was told before (F13): a handset that knows looks at no more than the
            // count, as at any EXISTS.
            (Line::Select { view, resync: false }, Belief::Knows(_)) => {
                self.apply(&Line::Exists(view.iter().map(|(n, _)| *n).collect()))?;
            }
            (Line::Select { view, .. }, _) => *self = Belief::Knows(view.clone()),
            (Line::Cursor(_), _) => {}
            (_, Belief::Yesterday | Belief::Resync) => {}
            (Line::Exists(view), Belief::Knows(list)) => {
                let new =
                    view.get(list.len()..).ok_or_else(|| format!("{} EXISTS to {list:?}", view.len()))?;
                list.extend(new.iter().map(|n| (*n, None)));
            }
            (Line::Expunge(seq), Belief::Knows(list)) => {
                let at = (*seq as usize).checked_sub(1).filter(|at| *at < list.len());
                list.remove(at.ok_or_else(|| format!("{seq} EXPUNGE to {list:?}"))?);
            }
            (Line::Flags { seq, uid, seen }, Belief::Knows(list)) => {
                let entry = (*seq as usize).checked_sub(1).and_then(|at| list.get_mut(at));
                match entry.filter(|(known, _)| known == uid) {
                    Some((_, flags)) => *flags = Some(*seen),
                    None => return Err(format!("{seq} FETCH (UID {uid}) to {list:?}")),
                }
            }
        }
        Ok(())
    }
}

/// What the gateway holds the handset to know after a response.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    /// The client view; none: nothing is selected, or RESYNC is due.
    pub view: Option<Vec<u32>>,
    /// With everything told: the live view less what EXISTS cannot announce.
    pub due: Option<Vec<u32>>,
    /// The true flags.
    pub live: Live,
}

impl Claim {
    /// The claim of a log; `complete`: everything was allowed to be told.
    pub fn of(log: &SessionLog, live: &Live, complete: bool) -> Self {
        let told = log.selected_told().map(|(_, told)| told).filter(|told| !told.resync);
        let due = told.filter(|_| complete).map(|told| {
            let tellable = |n: &&u32| **n > told.told_max || told.view.contains(uid(**n));
            live.keys().filter(tellable).copied().collect()
        });
        Self { view: told.map(|told| numbers(&told.view)), due, live: live.clone() }
    }

    /// Law 1 after a whole response.
    pub fn check(&self, belief: &Belief) -> Result<(), String> {
        let list = match (belief, &self.view) {
            (Belief::Resync, _) | (Belief::Yesterday, None) => return Ok(()),
            (Belief::Yesterday, Some(view)) => {
                return Err(format!("the handset was told nothing, the gateway holds it to know {view:?}"));
            }
            (Belief::Knows(list), None) => {
                return Err(format!("{list:?} is good for nothing, and no RESYNC"));
            }
            (Belief::Knows(list), Some(_)) => list,
        };
        let uids: Vec<u32> = list.iter().map(|(n, _)| *n).collect();
        if Some(&uids) != self.view.as_ref() {
            return Err(format!("the handset has {uids:?}, the client view is {:?}", self.view));
        }
        if self.due.as_ref().is_some_and(|due| *due != uids) {
            return Err(format!("the handset has {uids:?}, the live view less the stale is {:?}", self.due));
        }
        for (n, told) in list {
            match (told, self.live.get(n)) {
                (Some(told), Some(seen)) if told != seen => {
                    return Err(format!("the handset holds {n} to be seen: {told}, it is: {seen}"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Renders a flush for the handset: each EXISTS goes with the view it counts.
pub fn flush(log: &mut SessionLog, flush: crate::Flush, lines: &mut Vec<Line>) {
    let view_of =
        |log: &SessionLog| log.selected_told().map(|(_, told)| numbers(&told.view)).unwrap_or_default();
    let before = view_of(log);
    let responses = log.flush(flush);
    let after = view_of(log);
    let mut departed = false;
    for response in responses {
        lines.push(match response {
            // Before any removal EXISTS repeats the old count, and nothing else has happened to the view (F17).
            Response::Exists(n) if !departed && n as usize == before.len() => Line::Exists(before.clone()),
            Response::Exists(n) => {
                assert_eq!(n as usize, after.len(), "EXISTS counts the client view");
                Line::Exists(after.clone())
            }
            Response::Expunge(seq) => {
                departed = true;
                Line::Expunge(seq.get())
            }
            Response::FetchFlags { seq, uid, flags, .. } => Line::Flags {
                seq: seq.get(),
                uid: uid.expect("UIDs go with flags").get(),
                seen: flags.contains(&Flag::Seen),
            },
            other => panic!("not an event: {other:?}"),
        });
    }
}

/// Selects the mailbox.
pub fn select(log: &mut SessionLog, live: &Live, uid_next: u32, lines: &mut Vec<Line>) {
    let selected = crate::offer::Selected { mailbox: inbox(), read_only: false };
    let baseline = log.select(selected, validity(), &set(live.keys().copied()), uid_next);
    let told = log.told(&inbox()).expect("just selected");
    let view = told.view.iter().map(|u| (u.get(), live.get(&u.get()).copied())).collect();
    lines.push(Line::Select { view, resync: baseline == Baseline::Fresh { resync: true } });
}
