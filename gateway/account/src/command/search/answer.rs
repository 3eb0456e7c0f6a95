//! What was found, as the handset is told it: visible messages under their numbers, and `$`.

use super::program::Reduced;
use crate::account::Account;
use crate::command::{Progress, ok};
use pimap_types::response::SearchItem;
use pimap_types::search::{ReturnOptions, ThreadAlgorithm};
use pimap_types::{Command, ConnectionId, Response, Tag, Threads, Uid, UidRanges};
use pimap_view::{UidSet, threads, translate};
use std::collections::HashSet;

impl Account {
    /// Tells what was found where no order is to be asked for.
    pub(super) fn answer_found(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        tag: Option<Tag>,
        found: &UidRanges,
    ) -> Progress {
        let (by_uid, returns, counted) = match command {
            Command::Search { by_uid, returns, program, .. } => (*by_uid, returns, program.names_mod_seq()),
            Command::Sort { .. } => {
                self.write(conn, Response::Sort(Vec::new(), None));
                return ok();
            }
            _ => {
                self.write(conn, Response::Thread(Threads { places: Vec::new() }));
                return ok();
            }
        };
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let view = self.numbers(&owner, &mailbox);
        let found = view.intersect_ranges(found);
        let told_of = returns.as_ref().map_or_else(|| found.clone(), |returns| saved_of(returns, &found));
        let mod_seq = if counted { self.highest_of(conn, &mailbox, told_of.iter()) } else { None };
        let Some(returns) = returns else {
            let numbers = match by_uid {
                true => found.iter().map(Uid::get).collect(),
                false => translate::positions(&view, &found),
            };
            self.write(conn, Response::Search(numbers, mod_seq));
            return ok();
        };
        if returns.save
            && let Some(session) = self.session_mut(&owner)
        {
            session.save(&saved_of(returns, &found));
        }
        if let Some(mut items) = items(returns, &view, &found, by_uid) {
            items.extend(mod_seq.map(SearchItem::ModSeq));
            self.write(conn, Response::ExtendedSearch { tag, by_uid, items });
        }
        ok()
    }

    /// Tells upstream's order of what is wanted and visible.
    pub(super) fn answer_sorted(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        reduced: &Reduced,
        sorted: &[Uid],
    ) -> Progress {
        let Command::Sort { by_uid, program, .. } = command else { return Progress::Over };
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let view = self.numbers(&owner, &mailbox);
        let mut name = names(&view, reduced, *by_uid);
        let (told, numbers): (Vec<Uid>, _) =
            sorted.iter().filter_map(|uid| Some((*uid, name(*uid)?))).unzip();
        let counted = program.names_mod_seq();
        let mod_seq = if counted { self.highest_of(conn, &mailbox, told.into_iter()) } else { None };
        self.write(conn, Response::Sort(numbers, mod_seq));
        ok()
    }

    /// Tells upstream's threads, cut to what is wanted and visible.
    pub(super) fn answer_threaded(
        &mut self,
        conn: ConnectionId,
        command: &Command,
        reduced: &Reduced,
        threaded: &Threads<Uid>,
    ) -> Progress {
        let Command::Thread { by_uid, algorithm, .. } = command else { return Progress::Over };
        let Some((owner, mailbox)) = self.selected_of(conn) else { return Progress::Over };
        let view = self.numbers(&owner, &mailbox);
        let mut pruned = threads::prune(threaded, names(&view, reduced, *by_uid));
        if *algorithm == ThreadAlgorithm::OrderedSubject {
            threads::begin_with_messages(&mut pruned);
        }
        self.write(conn, Response::Thread(pruned));
        ok()
    }

    /// A search that was to be saved and failed leaves `$` empty (RFC 5182 2.1).
    pub(in crate::command) fn nothing_saved(&mut self, conn: ConnectionId, command: &Command) {
        if let Command::Search { returns: Some(ReturnOptions { save: true, .. }), .. } = command
            && let Some((owner, _)) = self.selected_of(conn)
            && let Some(session) = self.session_mut(&owner)
        {
            session.save(&UidRanges::new());
        }
    }
}

/// The number under which a message is told, once, if it is wanted and visible.
fn names<'a>(
    view: &'a UidSet,
    reduced: &'a Reduced,
    by_uid: bool,
) -> impl FnMut(Uid) -> Option<u32> + use<'a> {
    let mut told = HashSet::new();
    move |uid| {
        let wanted = reduced.certain.contains(uid) || reduced.open.contains(uid);
        let position = view.rank(uid).filter(|_| wanted && told.insert(uid))?;
        Some(if by_uid { uid.get() } else { position.get() })
    }
}

/// What `$` becomes: with MIN, MAX or PARTIAL alone those, else everything found (RFC 5182 2.4, RFC 9394 3.2).
fn saved_of(returns: &ReturnOptions, found: &UidRanges) -> UidRanges {
    let parts_only =
        (returns.min || returns.max || returns.partial.is_some()) && !returns.all && !returns.count;
    if !parts_only {
        return found.clone();
    }
    let partial = returns.partial.map(|partial| partial.of(found)).unwrap_or_default();
    let first = found.ranges().first().map(|range| range.0).filter(|_| returns.min);
    let last = found.ranges().last().map(|range| range.1).filter(|_| returns.max);
    let ends = first.into_iter().chain(last).map(|uid| (uid, uid));
    UidRanges::from_pairs(ends.chain(partial.ranges().iter().copied()))
}

/// The items of an ESEARCH; none at all when the result was only to be saved.
fn items(returns: &ReturnOptions, view: &UidSet, found: &UidRanges, by_uid: bool) -> Option<Vec<SearchItem>> {
    if *returns == (ReturnOptions { save: true, ..ReturnOptions::default() }) {
        return None;
    }
    let numbered = |uids: &UidRanges| match by_uid {
        true => uids.ranges().to_vec(),
        false => translate::position_ranges(view, uids),
    };
    let numbers = numbered(found);
    let mut items = Vec::new();
    // Of nothing there is no lowest, no highest and no set (RFC 4731 3.1).
    if let (Some((first, _)), Some((_, last))) = (numbers.first(), numbers.last()) {
        items.extend(returns.min.then_some(SearchItem::Min(*first)));
        items.extend(returns.max.then_some(SearchItem::Max(*last)));
        items.extend(returns.all.then(|| SearchItem::All(numbers.clone())));
    }
    items.extend(returns.partial.map(|partial| SearchItem::Partial(partial, numbered(&partial.of(found)))));
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    items.extend(returns.count.then_some(SearchItem::Count(count)));
    Some(items)
}
