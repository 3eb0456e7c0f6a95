//! SORT and THREAD on servers that lack them: SEARCH finds, FETCH describes in batches, and [`crate::machine::ordering`] orders.

use super::read::{fetch, search};
use super::wary;
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::ordering::threading::{Threadable, TooEntangled, by_references, by_subject};
use crate::machine::ordering::{Sortable, items_to_sort, items_to_thread, sort};
use crate::pool::Pool;
use encoding_rs::Encoding;
use pimap_types::command::FetchItem;
use pimap_types::limits::{
    DESCRIBED_BYTES_MAX, ORDERED_BYTES_MAX, ORDERED_MESSAGES_MAX, PIECES_IN_FLIGHT_MAX,
};
use pimap_types::search::{SearchKey, SortCriterion, ThreadAlgorithm};
use pimap_types::upstream::{Data, FetchPiece, MailboxAt, UpstreamReply};
use pimap_types::{Uid, UidRanges};
use pimap_wire::client::envelope::{Described, described};
use tokio::sync::mpsc;

/// Messages described by one FETCH.
const BATCH: usize = 1_000;

/// UID SORT
pub(super) async fn sorted(
    pool: &Pool,
    connection: &mut Connection,
    at: &MailboxAt,
    criteria: &[SortCriterion],
    (charset, key): (&str, &SearchKey),
) -> Result<UpstreamReply, Fault> {
    let make = |uid, told: &Described| {
        let message = Sortable::new(uid, told, criteria);
        let octets = message.octets();
        (message, octets)
    };
    let items = items_to_sort(criteria);
    Ok(match gathered(pool, connection, at, (charset, key), &items, make).await? {
        Ok(messages) => UpstreamReply::Ok(Data::Sorted(sort(messages, criteria))),
        Err(refused) => refused,
    })
}

/// UID THREAD
pub(super) async fn threaded(
    pool: &Pool,
    connection: &mut Connection,
    at: &MailboxAt,
    algorithm: ThreadAlgorithm,
    (charset, key): (&str, &SearchKey),
) -> Result<UpstreamReply, Fault> {
    let referring = algorithm != ThreadAlgorithm::OrderedSubject;
    let make = |uid, told: &Described| {
        let message = Threadable::new(uid, told, referring);
        let octets = message.octets();
        (message, octets)
    };
    let items = items_to_thread(algorithm);
    let messages = match gathered(pool, connection, at, (charset, key), &items, make).await? {
        Ok(messages) => messages,
        Err(refused) => return Ok(refused),
    };
    if !referring {
        return Ok(UpstreamReply::Ok(Data::Threaded(by_subject(messages))));
    }
    Ok(match by_references(&messages) {
        Ok(threads) => UpstreamReply::Ok(Data::Threaded(threads)),
        Err(TooEntangled) => limit("the references between these messages are too entangled: name fewer"),
    })
}

/// What the program finds. A charset is named to the server only where it matters, since few know more than one.
async fn found(
    connection: &mut Connection,
    charset: &str,
    key: &SearchKey,
) -> Result<Result<UidRanges, UpstreamReply>, Fault> {
    let plain = key.is_ascii();
    if plain && Encoding::for_label(charset.as_bytes()).is_none() {
        let (code, text) = ("BADCHARSET (US-ASCII UTF-8)".to_owned(), "this charset is not known".to_owned());
        return Ok(Err(UpstreamReply::Refused { code: Some(code), text, data: None }));
    }
    Ok(match search(connection, (!plain).then_some(charset), key).await? {
        UpstreamReply::Ok(Data::Uids(found)) if found.len() > ORDERED_MESSAGES_MAX => {
            Err(limit("too many messages to be put in order: name fewer"))
        }
        UpstreamReply::Ok(Data::Uids(found)) => Ok(found),
        refused => Err(refused),
    })
}

fn limit(text: &str) -> UpstreamReply {
    UpstreamReply::Refused { code: Some("LIMIT".to_owned()), text: text.to_owned(), data: None }
}

fn too_much() -> UpstreamReply {
    limit("these messages say too much to be put in order: name fewer")
}

/// Finds messages, asks for the items of each and makes something of them, ascending by UID. What the server says nothing of is taken
/// as having said nothing: it was found, and so it has a place. Or the answer that ends the command.
async fn gathered<M>(
    pool: &Pool,
    connection: &mut Connection,
    at: &MailboxAt,
    (charset, key): (&str, &SearchKey),
    items: &[FetchItem],
    make: impl Fn(Uid, &Described) -> (M, usize),
) -> Result<Result<Vec<M>, UpstreamReply>, Fault> {
    let found: Vec<Uid> = match found(connection, charset, key).await? {
        Ok(found) => found.iter().collect(),
        Err(refused) => return Ok(Err(refused)),
    };
    let (mut messages, mut held) = (Vec::with_capacity(found.len()), 0);
    for batch in found.chunks(BATCH) {
        let uids = wary::nameable(connection, &UidRanges::from_uids(batch.iter().copied())).await?;
        let (pieces, told) = mpsc::channel(PIECES_IN_FLIGHT_MAX);
        let fetched = async {
            // It ends with this, and so does who listens. Nothing reached a handset, so that all may be done again.
            let pieces = pieces;
            fetch(pool, connection, at, &uids, items, &pieces, &mut false).await
        };
        let room = ORDERED_BYTES_MAX.saturating_sub(held);
        let (fetched, told) = tokio::join!(fetched, taken_in(told, room, &make));
        if let refused @ UpstreamReply::Refused { .. } = fetched? {
            return Ok(Err(refused));
        }
        let Some(mut told) = told else { return Ok(Err(too_much())) };
        told.sort_unstable_by_key(|(uid, _)| *uid);
        let mut told = told.into_iter().peekable();
        for uid in batch {
            let known = told.next_if(|(told, _)| told == uid).map(|(_, made)| made);
            let (message, octets) = known.unwrap_or_else(|| make(*uid, &Described::default()));
            messages.push(message);
            held += octets;
        }
        if held > ORDERED_BYTES_MAX {
            return Ok(Err(too_much()));
        }
    }
    Ok(Ok(messages))
}

/// Takes the descriptions of a batch in. Of each message no more is held than it may say, and no more is kept than what is made of it.
/// Nothing: there is no room for all of that; the rest was heard and dropped.
async fn taken_in<M>(
    mut pieces: mpsc::Receiver<FetchPiece>,
    room: usize,
    make: impl Fn(Uid, &Described) -> (M, usize),
) -> Option<Vec<(Uid, (M, usize))>> {
    let (mut made, mut current, mut octets, mut held) = (Vec::new(), None, Vec::new(), 0);
    while let Some(piece) = pieces.recv().await {
        match piece {
            FetchPiece::Start(uid) => {
                current = Some(uid);
                octets.clear();
            }
            FetchPiece::Bytes(piece) => {
                // One octet too many, and it is not read at all.
                let room = (DESCRIBED_BYTES_MAX + 1).saturating_sub(octets.len());
                octets.extend(piece.iter().take(room));
            }
            FetchPiece::End => {
                let whole = octets.len() <= DESCRIBED_BYTES_MAX;
                let told = if whole { described(&octets) } else { None }.unwrap_or_default();
                let Some(uid) = current.take().filter(|_| held <= room) else { continue };
                let (message, octets) = make(uid, &told);
                held += octets;
                made.push((uid, (message, octets)));
            }
        }
    }
    (held <= room).then_some(made)
}
