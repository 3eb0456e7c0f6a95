//! What a handset says next, and which messages it means by it.

use crate::handset::{Handset, Kind};
use crate::world::rng::Rng;
use std::collections::BTreeSet;

/// Filters that handsets define, by name; the last is redefined now and then.
pub const CRITERIA: [&str; 8] = [
    "UNSEEN",
    "FLAGGED",
    "UNDELETED",
    "FROM \"anna\"",
    "DAYSBEFORETODAY 1",
    "OR FLAGGED FROM \"anna\"",
    "UNSEEN SUBJECT \"re\"",
    "NOT FLAGGED",
];

/// Names of filters: `F0` to `F7` mean the criteria of that place; `OWN` means whatever it was set to last.
pub const REDEFINED: &str = "OWN";

/// Commands of one request.
#[derive(Debug, Default)]
pub struct Plan {
    /// The commands without tags.
    pub commands: Vec<String>,
    /// UIDs of the selected mailbox that they mean to change.
    pub meant: BTreeSet<u32>,
    /// Something is to be changed whose UID the handset does not know yet.
    pub blindly: bool,
}

/// What may be said.
pub struct Manners<'a> {
    /// Names of mailboxes that there are, or were.
    pub mailboxes: &'a [&'a str],
    /// Filters and preferences may be set.
    pub filters: bool,
    /// Folders may be created and deleted.
    pub folders: bool,
}

/// Chooses the next request.
pub fn plan(handset: &Handset, manners: &Manners<'_>, rng: &mut Rng) -> Plan {
    let mut plan = Plan::default();
    let most = match handset.kind {
        Kind::Strict | Kind::Qresync { .. } | Kind::Condstore | Kind::Notify { .. } => 1,
        Kind::Pipelining { depth } => depth.min(4),
        _ => 4,
    };
    let many = 1 + rng.below(most);
    let mut view = View::of(handset);
    if handset.kind.counts() && manners.filters && rng.chance(15) {
        // Views that change are what it comes back to (F39).
        plan.commands.push(format!("XSETPIMAPPREF PIMAP_XFILTER (INBOX V F{})", rng.below(CRITERIA.len())));
        return plan;
    }
    if let (Some(since), true) = (handset.replica.known_mod_seq(), rng.chance(15)) {
        return counted(&view, since, handset.kind, manners, rng);
    }
    for _ in 0..many {
        let command = match rng.below(100) {
            0..=24 => simple(&mut view, &mut plan, handset.kind, rng),
            25..=39 => select(&mut view, manners, rng),
            40..=84 => on_messages(&mut view, &mut plan, manners, rng),
            85..=94 if manners.filters => setting(manners, rng),
            95..=97 if manners.folders => folder(&view, manners, rng),
            _ => "NOOP".to_owned(),
        };
        plan.commands.push(command);
        if view.over {
            break;
        }
    }
    plan
}

/// What the handset believes while it composes.
struct View {
    selected: Option<String>,
    uids: Vec<Option<u32>>,
    /// Numbers still mean what the handset holds.
    numbers: bool,
    /// They are not used all the same.
    uids_only: bool,
    over: bool,
}

impl View {
    fn of(handset: &Handset) -> View {
        let selected = handset.replica.selected().map(str::to_owned);
        let uids = selected.as_deref().and_then(|name| handset.replica.uids(name));
        let uids_only = handset.kind.speaks_in_uids();
        View { numbers: uids.is_some(), uids_only, uids: uids.unwrap_or_default(), selected, over: false }
    }
}

fn simple(view: &mut View, plan: &mut Plan, kind: Kind, rng: &mut Rng) -> String {
    match rng.below(12) {
        0 if view.selected.is_some() => {
            // CLOSE expunges whatever is visible.
            plan.meant.extend(view.uids.iter().flatten());
            plan.blindly |= !view.numbers || view.uids.contains(&None);
            (view.selected, view.numbers) = (None, false);
            "CLOSE".to_owned()
        }
        1 if view.selected.is_some() => {
            (view.selected, view.numbers) = (None, false);
            "UNSELECT".to_owned()
        }
        2 => "LIST \"\" *".to_owned(),
        3 if rng.chance(20) => {
            view.over = true;
            "LOGOUT".to_owned()
        }
        4 if view.selected.is_some() => "CHECK".to_owned(),
        _ => {
            // On TCP a NOOP tells removals whatever follows: numbers behind it would be a gamble of the handset's own.
            view.numbers &= !matches!(kind, Kind::Pipelining { .. });
            "NOOP".to_owned()
        }
    }
}

fn select(view: &mut View, manners: &Manners<'_>, rng: &mut Rng) -> String {
    let name = *rng.pick(manners.mailboxes);
    if rng.chance(15) {
        return format!("STATUS {name} (MESSAGES UIDNEXT UNSEEN)");
    }
    (view.selected, view.numbers) = (Some(name.to_owned()), false);
    let verb = if rng.chance(15) { "EXAMINE" } else { "SELECT" };
    format!("{verb} {name}")
}

fn on_messages(view: &mut View, plan: &mut Plan, manners: &Manners<'_>, rng: &mut Rng) -> String {
    if view.selected.is_none() {
        return append(manners, rng);
    }
    if !view.numbers || view.uids.is_empty() || rng.chance(25) {
        return match rng.below(5) {
            0 => "UID FETCH 1:* (FLAGS)".to_owned(),
            1 => "UID SEARCH UNSEEN".to_owned(),
            2 if !view.uids_only => "SEARCH FLAGGED".to_owned(),
            3 => append(manners, rng),
            _ => {
                plan.meant.extend(view.uids.iter().flatten());
                plan.blindly |= !view.numbers || view.uids.contains(&None);
                view.numbers = false;
                "EXPUNGE".to_owned()
            }
        };
    }
    let at = rng.below(view.uids.len());
    let uid = view.uids[at];
    let (by_uid, name) = match uid.filter(|_| view.uids_only || rng.chance(40)) {
        Some(uid) => ("UID ", uid),
        None if view.uids_only => return "UID FETCH 1:* (FLAGS)".to_owned(),
        None => ("", at as u32 + 1),
    };
    let mean = |plan: &mut Plan| {
        plan.meant.extend(uid);
        plan.blindly |= uid.is_none();
    };
    match rng.below(12) {
        0 | 1 => format!("{by_uid}FETCH {name} (FLAGS UID)"),
        2 => format!("{by_uid}FETCH {name} BODY[]<0.20>"),
        3 => format!("{by_uid}FETCH {name}:* (UID BODY.PEEK[HEADER])"),
        4 => {
            let to = *rng.pick(manners.mailboxes);
            mean(plan);
            format!("{by_uid}COPY {name} {to}")
        }
        5 => {
            let to = *rng.pick(manners.mailboxes);
            mean(plan);
            view.numbers = false;
            format!("{by_uid}MOVE {name} {to}")
        }
        _ => {
            mean(plan);
            let mode = *rng.pick(&["+", "-", "+", "+", ""]);
            let silent = if rng.chance(20) { ".SILENT" } else { "" };
            let flag = *rng.pick(&["\\Deleted", "\\Seen", "\\Flagged"]);
            format!("{by_uid}STORE {name} {mode}FLAGS{silent} ({flag})")
        }
    }
}

/// What a handset says that counts.
fn counted(view: &View, since: u64, kind: Kind, manners: &Manners<'_>, rng: &mut Rng) -> Plan {
    let mut plan = Plan::default();
    let at = rng.below(view.uids.len().max(1));
    let uid = view.uids.get(at).copied().flatten();
    let command = match rng.below(5) {
        0 if kind.resynchronises() => format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since} VANISHED)"),
        0 | 1 => format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})"),
        2 => format!("STATUS {} (HIGHESTMODSEQ)", rng.pick(manners.mailboxes)),
        3 => format!("UID SEARCH MODSEQ {since}"),
        _ => match uid {
            Some(uid) => {
                plan.meant.insert(uid);
                let flag = *rng.pick(&["\\Seen", "\\Flagged"]);
                format!("UID STORE {uid} (UNCHANGEDSINCE {since}) +FLAGS.SILENT ({flag})")
            }
            None => "UID FETCH 1:* (MODSEQ)".to_owned(),
        },
    };
    plan.commands.push(command);
    plan
}

fn append(manners: &Manners<'_>, rng: &mut Rng) -> String {
    let to = *rng.pick(manners.mailboxes);
    let from = *rng.pick(&["anna", "bert"]);
    let text = format!("From: {from}@example.org\r\nSubject: own\r\n\r\nx NOOP\r\n");
    format!("APPEND {to} (\\Seen) {{{}+}}\r\n{text}", text.len())
}

fn setting(manners: &Manners<'_>, rng: &mut Rng) -> String {
    let name = match rng.below(5) {
        0 => "ALL".to_owned(),
        1 => REDEFINED.to_owned(),
        _ => format!("F{}", rng.below(CRITERIA.len())),
    };
    match rng.below(8) {
        0 => format!("XFILTER SET {REDEFINED} \"\" ({})", rng.pick(&CRITERIA)),
        1 => format!("XSETPIMAPPREF PIMAP_EVENT_FILTER {}", rng.pick(&["ALL", "NEW", "NONE"])),
        2 => format!("XSETPIMAPPREF PIMAP_INBAND_PUSH {}", rng.pick(&["ON", "OFF"])),
        3 => format!("XSETPIMAPPREF PIMAP_OUTBAND_CHANNEL {}", rng.pick(&["SMS", "UDP", "NONE"])),
        _ => {
            let scope = if rng.chance(30) { "ALL" } else { *rng.pick(manners.mailboxes) };
            let kind = *rng.pick(&["V", "V", "N", "B"]);
            let name = if kind == "V" || rng.chance(50) { name } else { "ALL".to_owned() };
            format!("XSETPIMAPPREF PIMAP_XFILTER ({scope} {kind} {name})")
        }
    }
}

fn folder(view: &View, manners: &Manners<'_>, rng: &mut Rng) -> String {
    let name = *rng.pick(manners.mailboxes);
    let other = *rng.pick(manners.mailboxes);
    // Whoever deletes or renames the mailbox it is in is in none afterwards, which nobody tells it: not done here.
    let elsewhere = view.selected.as_deref() != Some(name);
    match rng.below(4) {
        0 if elsewhere => format!("DELETE {name}"),
        1 if elsewhere => format!("RENAME {name} {other}"),
        2 => format!("SUBSCRIBE {name}"),
        _ => format!("CREATE {name}"),
    }
}
