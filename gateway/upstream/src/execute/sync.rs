//! Brings the owner up to date with a mailbox: by QRESYNC, else by CONDSTORE and the difference of UIDs, else in full.
//!
//! What is told is complete as of EXAMINE; what changed while it was gathered is told again by the next one. A mailbox
//! that seems to have lost most of its messages without a word is looked at twice, the second time on a new connection
//! (F53).

use super::open::{plain, select};
use super::read::{all_uids, facts_of, fetch_facts, flags_of};
use crate::connection::{Connection, Selected};
use crate::fault::Fault;
use crate::machine::collect::Collected;
use crate::machine::difference::{is_suspicious, subtract};
use crate::pool::Pool;
use pimap_types::number::{ModSeq, Uid};
use pimap_types::set::UidRanges;
use pimap_types::upstream::{Data, Delta, Known, Synced, UpstreamReply};
use pimap_types::{MailboxName, MessageFacts};
use pimap_wire::client::request::{Resync, UidsArgument};
use std::collections::BTreeMap;

/// Carries the request out.
pub(super) async fn sync(
    pool: &Pool,
    connection: &mut Connection,
    mailbox: &MailboxName,
    known: Option<&Known>,
    facts: bool,
) -> Result<UpstreamReply, Fault> {
    let known = known.cloned();
    let resync = match &known {
        Some(known) if connection.qresync && known.highest_mod_seq > ModSeq(0) => {
            Resync::Qresync(known.uid_validity, known.highest_mod_seq)
        }
        _ => plain(connection),
    };
    let opened = select(connection, mailbox, true, resync).await?;
    let known = known.filter(|k| Some(k.uid_validity) == opened.uid_validity);
    let has_mod_seqs = opened.highest_mod_seq.is_some_and(|m| m > ModSeq(0));
    let delta = match &known {
        Some(known) if has_mod_seqs && known.highest_mod_seq > ModSeq(0) => {
            if matches!(resync, Resync::Qresync(..)) {
                by_qresync(connection, &opened).await?
            } else {
                by_condstore(pool, connection, known, &opened).await?
            }
        }
        known => in_full(pool, connection, known.as_ref(), &opened, facts).await?,
    };
    let synced = synced(&opened, delta).ok_or(Fault::Misbehaved)?;
    Ok(UpstreamReply::Ok(Data::Synced(Box::new(synced))))
}

fn synced(opened: &Collected, delta: Delta) -> Option<Synced> {
    let flags = opened.flags.clone().unwrap_or_default();
    // EXAMINE may report that nothing can be changed permanently, which is true of EXAMINE and not of the mailbox. `\*` says no
    // more than that a new keyword may be tried (RFC 3501 7.1); what a server makes of it is in its answer to STORE.
    let permanent_flags = match opened.permanent_flags.clone() {
        Some((permanent, any)) if any || !permanent.is_empty() => (permanent, any),
        _ => (flags.clone(), true),
    };
    let (messages, largest) = match &delta {
        Delta::Full { uids, .. } => {
            (u32::try_from(uids.len()).unwrap_or(u32::MAX), uids.ranges().last().map(|r| r.1))
        }
        Delta::Flags { flags, facts } => {
            let largest = flags.last().map(|(uid, _)| uid.get()).max(facts.last().map(|f| f.uid.get()));
            (u32::try_from(flags.len() + facts.len()).unwrap_or(u32::MAX), largest)
        }
        Delta::Since { changed, .. } => (opened.exists.unwrap_or(0), changed.last().map(|f| f.uid.get())),
    };
    // Something may have come between EXAMINE and what was asked after it.
    let uid_next = opened.uid_next.map_or(0, |next| next.max(largest.unwrap_or(0).saturating_add(1)));
    Some(Synced {
        uid_validity: opened.uid_validity?,
        uid_next,
        highest_mod_seq: opened.highest_mod_seq.unwrap_or_default(),
        messages,
        flags,
        permanent_flags,
        delta,
    })
}

/// RFC 7162 3.2.5: EXAMINE itself told what vanished and whose flags changed; sizes and dates are asked for.
async fn by_qresync(connection: &mut Connection, opened: &Collected) -> Result<Delta, Fault> {
    let mut vanished = opened.vanished();
    let named = UidRanges::from_uids(opened.fetched.keys().copied());
    let facts = fetch_facts(connection, &named).await?;
    // Named by EXAMINE and not there any more when asked for.
    vanished.extend(&subtract(&named, &UidRanges::from_uids(facts.keys().copied())));
    Ok(Delta::Since { vanished, changed: facts.into_values().collect() })
}

/// CHANGEDSINCE for flags and arrivals, the set of UIDs for what is gone.
async fn by_condstore(
    pool: &Pool,
    connection: &mut Connection,
    known: &Known,
    opened: &Collected,
) -> Result<Delta, Fault> {
    let exists = opened.exists.unwrap_or(0);
    if opened.highest_mod_seq == Some(known.highest_mod_seq) && u64::from(exists) == known.uids.len() {
        // No change without a higher mod-sequence, no arrival either; and nobody is missing.
        return Ok(Delta::Since { vanished: UidRanges::new(), changed: Vec::new() });
    }
    let mut changed = BTreeMap::new();
    if exists > 0 {
        changed = facts_of(connection, UidsArgument::From(1), None, Some(known.highest_mod_seq)).await?;
    }
    let uids = all_uids_twice(pool, connection, Some(known), opened).await?;
    changed.retain(|uid: &Uid, _| uids.contains(*uid));
    // Arrived since CHANGEDSINCE was answered: they are among the UIDs and must not lack their facts.
    let mut told = known.uids.clone();
    told.extend(&UidRanges::from_uids(changed.keys().copied()));
    changed.extend(fetch_facts(connection, &subtract(&uids, &told)).await?);
    Ok(Delta::Since { vanished: subtract(&known.uids, &uids), changed: changed.into_values().collect() })
}

async fn in_full(
    pool: &Pool,
    connection: &mut Connection,
    known: Option<&Known>,
    opened: &Collected,
    facts: bool,
) -> Result<Delta, Fault> {
    if !facts {
        let uids = all_uids_twice(pool, connection, known, opened).await?;
        return Ok(Delta::Full { uids, facts: Vec::new() });
    }
    if let Some(known) = known.filter(|known| known.facts)
        && let Some(delta) = by_flags(pool, connection, known).await?
    {
        return Ok(delta);
    }
    let all = all_twice(pool, connection, known, Items::Facts).await?;
    let uids = UidRanges::from_uids(all.keys().copied());
    Ok(Delta::Full { uids, facts: all.into_values().collect() })
}

/// Facts of new messages, and of the known ones flags alone: their dates and sizes would be most of what a poor server has to say each
/// time. `None`: not all of them could be had so.
async fn by_flags(pool: &Pool, connection: &mut Connection, known: &Known) -> Result<Option<Delta>, Fault> {
    let all = all_twice(pool, connection, Some(known), Items::Flags).await?;
    let last = known.uids.ranges().last().map_or(0, |range| range.1);
    let (old, new): (Vec<_>, Vec<_>) = all.into_values().partition(|message| message.uid.get() <= last);
    // A message that came back under its UID, or from wherever it was (F53).
    let back = subtract(&UidRanges::from_uids(old.iter().map(|message| message.uid)), &known.uids);
    let mut facts: Vec<MessageFacts> = fetch_facts(connection, &back).await?.into_values().collect();
    if facts.len() as u64 != back.len() {
        return Ok(None);
    }
    facts.extend(new);
    let old = old.into_iter().filter(|message| !back.contains(message.uid));
    Ok(Some(Delta::Flags { flags: old.map(|message| (message.uid, message.flags)).collect(), facts }))
}

/// What is asked of the messages up to the last one that is known.
#[derive(Clone, Copy)]
pub(super) enum Items {
    Facts,
    /// Flags alone.
    Flags,
}

/// All messages; asked again on a new connection if the answer makes too much disappear.
async fn all_twice(
    pool: &Pool,
    connection: &mut Connection,
    known: Option<&Known>,
    items: Items,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    // The last of those that are known (imap-disc 4.3.1).
    let last = known.and_then(|known| known.uids.ranges().last()).map(|range| range.1);
    let all = all_facts(connection, last, items).await?;
    if !suspicious(known, &UidRanges::from_uids(all.keys().copied())) {
        return Ok(all);
    }
    afresh(pool, connection).await?;
    all_facts(connection, last, items).await
}

/// Looks at a mailbox of which fewer messages are named than there are said to be, before that is believed.
const LOOKS_MAX: usize = 4;

/// Facts of all messages. An answer that lacks some is not taken for a mailbox that lost them (law 1): the mailbox is opened
/// again until as many are named as there are, or twice the same. `last` is the last one that is known: what came after it is asked for
/// first.
pub(super) async fn all_facts(
    connection: &mut Connection,
    last: Option<u32>,
    items: Items,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    let mut before = None;
    for _ in 0..LOOKS_MAX {
        // `1:*` on an empty mailbox is an error to some servers.
        let exists = connection.selected.as_ref().map_or(0, |s| s.exists);
        if exists == 0 {
            return Ok(BTreeMap::new());
        }
        let facts = facts_in_order(connection, last, items).await?;
        // What was expunged meanwhile has been counted off.
        let exists = connection.selected.as_ref().map_or(0, |s| s.exists);
        let same = before.as_ref() == Some(&facts) && !facts.is_empty();
        if facts.len() as u64 >= u64::from(exists) || same {
            return Ok(facts);
        }
        before = Some(facts);
        open_again(connection).await?;
    }
    Err(Fault::Lost)
}

/// imap-disc 4.3.1: new messages first, then those up to the last one that is known, whose flags may be others and of which those that
/// are not named are gone.
async fn facts_in_order(
    connection: &mut Connection,
    last: Option<u32>,
    items: Items,
) -> Result<BTreeMap<Uid, MessageFacts>, Fault> {
    let Some((last, next)) = last.and_then(|last| Some((last, last.checked_add(1)?))) else {
        return facts_of(connection, UidsArgument::From(1), None, None).await;
    };
    let mut facts = facts_of(connection, UidsArgument::From(next), None, None).await?;
    // `n:*` names the last message also where that is below n (RFC 3501 6.4.8).
    facts.retain(|uid, _| uid.get() > last);
    let old = UidRanges::from_pairs([(1, last)]);
    facts.extend(match items {
        Items::Facts => facts_of(connection, UidsArgument::Set(&old), Some(&old), None).await?,
        Items::Flags => flags_of(connection, &old).await?,
    });
    Ok(facts)
}

/// Opens the open mailbox again.
async fn open_again(connection: &mut Connection) -> Result<(), Fault> {
    let Some(selected) = connection.selected.clone() else { return Err(Fault::Lost) };
    let resync = plain(connection);
    select(connection, &selected.mailbox, selected.examined, resync).await?;
    let same = |now: &Selected| now.uid_validity == selected.uid_validity;
    if connection.selected.as_ref().is_some_and(same) { Ok(()) } else { Err(Fault::UidValidityChanged) }
}

/// All UIDs; asked again on a new connection if the answer makes too much disappear.
async fn all_uids_twice(
    pool: &Pool,
    connection: &mut Connection,
    known: Option<&Known>,
    opened: &Collected,
) -> Result<UidRanges, Fault> {
    let uid_next = opened.uid_next.unwrap_or(0);
    let uids = all_uids(connection, uid_next).await?;
    if !suspicious(known, &uids) {
        return Ok(uids);
    }
    afresh(pool, connection).await?;
    all_uids(connection, uid_next).await
}

fn suspicious(known: Option<&Known>, uids: &UidRanges) -> bool {
    known.is_some_and(|known| is_suspicious(&known.uids, &subtract(&known.uids, uids)))
}

/// The same mailbox on a new connection.
async fn afresh(pool: &Pool, connection: &mut Connection) -> Result<(), Fault> {
    let Some(before) = connection.selected.clone() else { return Err(Fault::Lost) };
    tracing::warn!("a mailbox has lost most of its messages: looking again on a new connection");
    connection.abandon().await;
    *connection = pool.connect().await?;
    let resync = plain(connection);
    select(connection, &before.mailbox, true, resync).await?;
    match &connection.selected {
        Some(now) if now.uid_validity == before.uid_validity => Ok(()),
        _ => Err(Fault::Lost),
    }
}
