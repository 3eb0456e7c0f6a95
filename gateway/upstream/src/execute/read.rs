//! Requests about messages that change nothing: facts, SEARCH, FETCH.

use super::{is_ok, open, refused, run_for, wary, within};
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::collect::{Collected, whole_facts};
use crate::machine::forward::Forwarder;
use crate::pool::Pool;
use pimap_types::command::FetchItem;
use pimap_types::number::Uid;
use pimap_types::search::SearchKey;
use pimap_types::set::{SequenceSet, SetNumber, UidRanges};
use pimap_types::upstream::{Data, FetchPiece, MailboxAt, UpstreamReply};
use pimap_types::{Date, MessageFacts, Status};
use pimap_wire::client::frame::Piece;
use pimap_wire::client::request::{FetchArgument, Request, SET_BYTES_MAX, UidsArgument, split_set};
use pimap_wire::client::response::{Condition, FetchFacts, UpstreamResponse};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// Facts of messages of the open mailbox; those that are gone are missing.
pub(crate) async fn fetch_facts(
    connection: &mut Connection,
    uids: &UidRanges,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    let mut facts = BTreeMap::new();
    for part in split_set(uids, SET_BYTES_MAX) {
        facts.extend(facts_of(connection, UidsArgument::Set(&part), Some(&part), None).await?);
    }
    Ok(facts)
}

/// Facts of one FETCH; what concerns messages outside `wanted` is news.
pub(crate) async fn facts_of(
    connection: &mut Connection,
    uids: UidsArgument<'_>,
    wanted: Option<&UidRanges>,
    changed_since: Option<pimap_types::ModSeq>,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    let items = FetchArgument::Facts { mod_seq: connection.condstore || connection.capabilities.condstore };
    told_of(connection, uids, items, |facts| whole_facts(facts).is_some(), wanted, changed_since).await
}

/// Flags of messages; nothing is said of what else facts are.
pub(super) async fn flags_of(
    connection: &mut Connection,
    uids: &UidRanges,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    let items = FetchArgument::Asked(&[FetchItem::Uid, FetchItem::Flags]);
    let whole = |facts: &FetchFacts| facts.flags.is_some();
    told_of(connection, UidsArgument::Set(uids), items, whole, Some(uids), None).await
}

/// What one FETCH of these items says of messages; `whole`: whether that is all of a message.
async fn told_of(
    connection: &mut Connection,
    uids: UidsArgument<'_>,
    items: FetchArgument<'_>,
    whole: fn(&FetchFacts) -> bool,
    wanted: Option<&UidRanges>,
    changed_since: Option<pimap_types::ModSeq>,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    let everything = UidRanges::from_pairs([(1, u32::MAX)]);
    let answered = wanted.unwrap_or(&everything);
    let mut collected =
        fetched(connection, &Request::UidFetch { uids, items, changed_since }, answered).await?;
    let mine = |uid: &Uid| wanted.is_none_or(|w| w.contains(*uid));
    let lacking = collected.fetched.iter().filter(|(uid, f)| mine(uid) && !whole(f)).map(|(uid, _)| *uid);
    let lacking = UidRanges::from_uids(lacking);
    // A server that leaves items out is asked once more; what it still does not say is taken as nothing, so that
    // one odd message does not cost the person all the others.
    for part in split_set(&lacking, SET_BYTES_MAX) {
        let again = Request::UidFetch { uids: UidsArgument::Set(&part), items, changed_since: None };
        for (_, facts) in fetched(connection, &again, &part).await?.fetched {
            collected.absorb(UpstreamResponse::Fetch(facts))?;
        }
    }
    let mut told = BTreeMap::new();
    for (uid, facts) in std::mem::take(&mut collected.fetched) {
        if mine(&uid) {
            told.insert(uid, at_least_something(uid, facts));
        }
    }
    Ok(told)
}

async fn fetched(
    connection: &mut Connection,
    request: &Request<'_>,
    answered: &UidRanges,
) -> Result<Collected, Fault> {
    let (condition, collected) = run_for(connection, request).await?;
    connection.notice_besides(&collected, answered);
    // NO may come with data for all but some messages (RFC 2180 4.1.2); without any it is a failure.
    if !is_ok(&condition) && collected.fetched.is_empty() { Err(Fault::Lost) } else { Ok(collected) }
}

fn at_least_something(uid: Uid, facts: FetchFacts) -> MessageFacts {
    MessageFacts {
        uid,
        flags: facts.flags.unwrap_or_default(),
        internal_date: facts.internal_date.unwrap_or(Date(0)),
        size: facts.size.unwrap_or(0),
        mod_seq: facts.mod_seq.unwrap_or_default(),
    }
}

/// UID SEARCH. A UID set at the top of the program that is too long for a line is searched in parts.
pub(super) async fn search(
    connection: &mut Connection,
    charset: Option<&str>,
    key: &SearchKey,
) -> Result<UpstreamReply, Fault> {
    if let Some(program) = within::program(connection, key) {
        return within::search(connection, charset, &program).await;
    }
    Ok(match search_plain(connection, charset, key).await? {
        Ok(found) => UpstreamReply::Ok(Data::Uids(found)),
        Err(condition) => unsearchable(condition),
    })
}

/// A search that is refused. BAD says that the server does not know such a search, and never will (RFC 3501 7.1.3): unlike a NO
/// without a code, which may be of today.
pub(super) fn unsearchable(condition: Condition) -> UpstreamReply {
    let unknown = condition.status == Status::Bad && condition.code_text.is_none();
    let code_text = if unknown { Some("CANNOT".to_owned()) } else { condition.code_text.clone() };
    refused(Condition { code_text, ..condition }, None)
}

/// A program that the server knows every word of; a refusal comes back.
pub(super) async fn search_plain(
    connection: &mut Connection,
    charset: Option<&str>,
    key: &SearchKey,
) -> Result<Result<UidRanges, Condition>, Fault> {
    if wary::manners(connection).searches_term_by_term {
        return wary::search(connection, charset, key).await;
    }
    let mut found = UidRanges::new();
    for key in parts_of(key) {
        let (condition, collected) = search_once(connection, charset, &key).await?;
        if !is_ok(&condition) {
            return Ok(Err(condition));
        }
        found.extend(&collected.found());
    }
    Ok(Ok(found))
}

pub(super) async fn search_once(
    connection: &mut Connection,
    charset: Option<&str>,
    key: &SearchKey,
) -> Result<(Condition, Collected), Fault> {
    let extended = connection.capabilities.esearch;
    let (condition, collected) = run_for(connection, &Request::UidSearch { extended, charset, key }).await?;
    connection.notice(&collected);
    if is_ok(&condition) && !collected.searched {
        prove_nothing_found(connection, charset, key).await?;
    }
    Ok((condition, collected))
}

/// "OK" without an answer is not "nothing found" (law 1), but some servers mean just that (hoodiecrow): it is believed when
/// the opposite of the program finds every message.
async fn prove_nothing_found(
    connection: &mut Connection,
    charset: Option<&str>,
    key: &SearchKey,
) -> Result<(), Fault> {
    let opposite = SearchKey::Not(Box::new(key.clone()));
    let request = Request::UidSearch { extended: connection.capabilities.esearch, charset, key: &opposite };
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice(&collected);
    let exists = connection.selected.as_ref().map_or(0, |s| s.exists);
    let proved = is_ok(&condition) && exists > 0 && collected.found().len() == u64::from(exists);
    if proved { Ok(()) } else { Err(Fault::Misbehaved) }
}

/// UIDs that a plain SEARCH line of [`UPSTREAM_LINE_BYTES_MAX`] certainly holds.
///
/// [`UPSTREAM_LINE_BYTES_MAX`]: pimap_types::limits::UPSTREAM_LINE_BYTES_MAX
const UIDS_PER_LINE: u32 = 90_000;

/// Slices in which UIDs are asked for at most.
const SLICES_MAX: u32 = 64;

/// All UIDs of the open mailbox. Without ESEARCH a large mailbox is asked for in slices, since all UIDs of it would
/// not fit into one line; and where its UIDs lie so far apart that the slices were many, by a FETCH, which has a line for each.
pub(super) async fn all_uids(connection: &mut Connection, uid_next: u32) -> Result<UidRanges, Fault> {
    let exists = connection.selected.as_ref().map_or(0, |s| s.exists);
    if exists == 0 {
        return Ok(UidRanges::new());
    }
    if wary::manners(connection).searches_term_by_term {
        return search_or_fail(connection, &SearchKey::All).await;
    }
    let sliced = !connection.capabilities.esearch && exists > UIDS_PER_LINE && uid_next > 1;
    if !sliced {
        return search_or_fail(connection, &SearchKey::All).await;
    }
    if uid_next.div_ceil(UIDS_PER_LINE) > SLICES_MAX {
        return fetched_uids(connection).await;
    }
    let mut all = UidRanges::new();
    let mut first = 1_u32;
    while first < uid_next {
        let last = first.saturating_add(UIDS_PER_LINE - 1);
        // The last slice is open, for what has come since UIDNEXT was told.
        let end = if last >= uid_next - 1 { SetNumber::Star } else { SetNumber::Number(last) };
        let slice = SearchKey::Uid(SequenceSet(vec![(SetNumber::Number(first), end)]));
        all.extend(&search_or_fail(connection, &slice).await?);
        first = last.saturating_add(1);
    }
    Ok(all)
}

/// All UIDs by `UID FETCH 1:* (UID)`. The number of answers is bounded like all that is gathered.
async fn fetched_uids(connection: &mut Connection) -> Result<UidRanges, Fault> {
    let items = FetchArgument::Asked(&[FetchItem::Uid]);
    let request = Request::UidFetch { uids: UidsArgument::From(1), items, changed_since: None };
    let everything = UidRanges::from_pairs([(1, u32::MAX)]);
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice_besides(&collected, &everything);
    match is_ok(&condition) {
        true => Ok(UidRanges::from_uids(collected.fetched.keys().copied())),
        false => Err(Fault::Lost),
    }
}

/// A search that the gateway itself needs: a refusal means that nothing is known.
pub(super) async fn search_or_fail(connection: &mut Connection, key: &SearchKey) -> Result<UidRanges, Fault> {
    if wary::manners(connection).searches_term_by_term {
        return wary::search(connection, None, key).await?.map_err(|_| Fault::Lost);
    }
    let (condition, collected) = search_once(connection, None, key).await?;
    if is_ok(&condition) { Ok(collected.found()) } else { Err(Fault::Lost) }
}

/// The search key of a UID set.
pub(super) fn uid_key(set: &UidRanges) -> SearchKey {
    let pairs = set.ranges().iter().map(|(a, b)| (SetNumber::Number(*a), SetNumber::Number(*b)));
    SearchKey::Uid(SequenceSet(pairs.collect()))
}

/// A program as one or several, so that no UID set is too long.
fn parts_of(key: &SearchKey) -> Vec<SearchKey> {
    let keys = match key {
        SearchKey::And(keys) => keys.clone(),
        key => vec![key.clone()],
    };
    let plain = |set: &SequenceSet| set.0.iter().all(|(a, b)| *a != SetNumber::Star && *b != SetNumber::Star);
    let long = keys.iter().position(|k| matches!(k, SearchKey::Uid(set) if plain(set) && set.0.len() > 300));
    let Some(at) = long else { return vec![key.clone()] };
    let mut rest = keys;
    let SearchKey::Uid(set) = rest.remove(at) else { return vec![key.clone()] };
    let parts = split_set(&set.resolve(0), SET_BYTES_MAX);
    let with = |part: &UidRanges| SearchKey::And([vec![uid_key(part)], rest.clone()].concat());
    parts.iter().map(with).collect()
}

/// UID FETCH, streamed. The receiver is waited for before more is read from upstream, so that nothing piles up here.
pub(super) async fn fetch(
    pool: &Pool,
    connection: &mut Connection,
    at: &MailboxAt,
    uids: &UidRanges,
    items: &[FetchItem],
    pieces: &mpsc::Sender<FetchPiece>,
    streamed: &mut bool,
) -> Result<UpstreamReply, Fault> {
    let mut told = Told::default();
    for part in split_set(uids, SET_BYTES_MAX) {
        let mut forwarder = Forwarder::new(part.clone(), items);
        match fetch_part(connection, &part, items, &mut forwarder, pieces, streamed).await {
            Ok((condition, collected)) => {
                told.add(forwarder, &collected);
                if !is_ok(&condition) {
                    return Ok(refused(condition, Some(told.data())));
                }
            }
            Err(Fault::UidTooLate) => {
                // Half a body was read and thrown away: a new connection, and one message at a time from here on.
                let rest = crate::machine::difference::subtract(&part, &forwarder.shown());
                told.add(forwarder, &Collected::default());
                connection.abandon().await;
                *connection = pool.connect().await?;
                open::open_to_fetch(connection, at, items).await?;
                for uid in rest.iter() {
                    let one = UidRanges::one(uid);
                    let mut forwarder = Forwarder::new(one.clone(), items);
                    let (condition, collected) =
                        fetch_part(connection, &one, items, &mut forwarder, pieces, streamed).await?;
                    told.add(forwarder, &collected);
                    if !is_ok(&condition) {
                        return Ok(refused(condition, Some(told.data())));
                    }
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(UpstreamReply::Ok(told.data()))
}

/// What a FETCH reported besides its answer.
#[derive(Default)]
struct Told {
    flags: Vec<pimap_types::upstream::FlagsReport>,
    expunge_issued: bool,
    shown: UidRanges,
}

impl Told {
    fn add(&mut self, forwarder: Forwarder, collected: &Collected) {
        self.shown.extend(&forwarder.shown());
        self.flags.extend(forwarder.into_flags());
        self.expunge_issued |= collected.expunge_issued;
    }

    fn data(self) -> Data {
        Data::Fetched { flags: self.flags, expunge_issued: self.expunge_issued, shown: self.shown }
    }
}

async fn fetch_part(
    connection: &mut Connection,
    uids: &UidRanges,
    items: &[FetchItem],
    forwarder: &mut Forwarder,
    pieces: &mpsc::Sender<FetchPiece>,
    streamed: &mut bool,
) -> Result<(Condition, Collected), Fault> {
    let request = Request::UidFetch {
        uids: UidsArgument::Set(uids),
        items: FetchArgument::Asked(items),
        changed_since: None,
    };
    let (mut collected, mut out) = (Collected::default(), Vec::new());
    if let Some(refused) = connection.send(&request, &mut collected).await? {
        return Ok((refused, collected));
    }
    loop {
        let piece: Piece = tokio::select! {
            biased;
            () = pieces.closed() => return Err(Fault::Cancelled),
            piece = connection.piece() => piece?,
        };
        if forwarder.wants(&piece) {
            forwarder.push(piece, &mut out)?;
            for piece in out.drain(..) {
                *streamed = true;
                pieces.send(piece).await.map_err(|_| Fault::Cancelled)?;
            }
            continue;
        }
        let Some(response) = connection.assemble(piece)? else { continue };
        if let Some(condition) = connection.absorb(response, &mut collected)? {
            connection.notice(&collected);
            connection.news.any |= forwarder.strangers;
            return Ok((condition, collected));
        }
    }
}
