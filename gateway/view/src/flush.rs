//! The flush order: how the client view follows the live view, one EXISTS or EXPUNGE at a time (digest 5, F24).
//!
//! Holds pure functions on *told*, the UIDs this handset was told and not told gone, and *live*, the UIDs its view
//! filter lets through now. Refuses to decide when something may be told: event filters, command timing (F25) and
//! the release of late verdicts in UID order (F24) are the caller's. In go the two sets; out come the numbers to write.
//!
//! **Law.** Whatever subset of the differences is held back, and however long, the list in the handset equals *told*.
//!
//! **Proof sketch** (after F24). Begin equal. *EXISTS n* makes the handset append n less its length entries; here
//! *told* takes in the lowest live UIDs above its highest, in ascending order: the same append. *EXPUNGE k* makes the
//! handset drop its k-th entry; k is the UID's position in *told* at that moment, and *told* drops it: the same
//! removal. *FETCH k* names the k-th of *told* and changes neither list. So equality holds after every line, provided
//! that
//! - numbers are taken when the line is written, never when the event is logged: each function both gives the number
//!   and changes *told*, so neither can happen alone;
//! - nothing but the session's single writer changes *told*;
//! - a streamed answer freezes *told* until its tagged line (F25);
//! - what is told follows from the two sets as they are, not from a queue of events: a UID that left and came back
//!   while its removal was held back is in neither difference, and nothing is told of it.
//!
//! What EXISTS cannot say: a live UID below the highest of *told* has no place in an append. It is
//! [stale](Pending::stale) until the next SELECT (digest 1.3), or until every told UID above it was told gone: then it
//! can be appended without harm to the numbers, though a handset that only asks for UIDs above the highest it ever saw
//! will not look at it. Releasing verdicts in UID order keeps that rare.

#[cfg(test)]
mod tests;

use crate::{TooMany, UidSet};
use pimap_types::{MobileSeq, Uid, UidRanges};

/// How the client view differs from the live view.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pending {
    /// Told and no longer live: EXPUNGE (or VANISHED) when the time allows.
    pub removals: UidRanges,
    /// Live and above all that was told: EXISTS.
    pub arrivals: UidRanges,
    /// Live, not told, and below the highest told: shown at the next SELECT; a resume with any answers RESYNC.
    pub stale: UidRanges,
}

/// What remains to be told.
pub fn pending(told: &UidSet, live: &UidSet) -> Pending {
    let untold = live.difference(told);
    let highest = told.last().map_or(0, Uid::get);
    let split_at = |range: &(u32, u32)| range.0 < highest;
    // A UID at `highest` is told, hence no untold range straddles it.
    let (stale, arrivals) = untold.ranges().iter().copied().partition::<Vec<_>, _>(split_at);
    Pending {
        removals: told.difference(live),
        arrivals: UidRanges::from_pairs(arrivals),
        stale: UidRanges::from_pairs(stale),
    }
}

/// Tells the arrivals up to and including `up_to`: a pushed message brings along the earlier ones that were held back,
/// since numbers may not be skipped (F26). Gives the EXISTS count to write; none when there is nothing to tell.
pub fn announce_arrivals(told: &mut UidSet, up_to: Uid, live: &UidSet) -> Result<Option<u32>, TooMany> {
    let floor = told.last();
    if floor >= Some(up_to) {
        return Ok(None);
    }
    let above = floor.map_or(1, |floor| floor.get().saturating_add(1));
    let arrivals = live.intersect_ranges(&UidRanges::from_pairs([(above, up_to.get())]));
    if arrivals.is_empty() {
        return Ok(None);
    }
    told.insert_ranges(&arrivals)?;
    Ok(Some(told.len()))
}

/// Tells that a UID is gone. Gives the EXPUNGE number to write; none when the UID was never told (or told gone before),
/// so that a hidden message is not betrayed by its removal (RFC 3501 7.4.1).
pub fn announce_removal(told: &mut UidSet, uid: Uid) -> Option<MobileSeq> {
    let position = told.rank(uid)?;
    told.remove(uid);
    Some(position)
}
