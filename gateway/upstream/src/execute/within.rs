//! OLDER and YOUNGER where the server lacks WITHIN, see [`crate::machine::within`]: a search by days, and the time of the messages that
//! this leaves open.

use super::read::{all_uids, search_plain, unsearchable};
use super::{is_ok, run_for};
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::within::{INTERVALS_MAX, Moment, Program};
use pimap_types::command::FetchItem;
use pimap_types::search::SearchKey;
use pimap_types::set::UidRanges;
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_types::{Timestamp, Uid};
use pimap_wire::client::request::{FetchArgument, Request, SET_BYTES_MAX, UidsArgument, split_set};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The program taken apart, if the server must not see it whole.
pub(super) fn program<'a>(connection: &Connection, key: &'a SearchKey) -> Option<Program<'a>> {
    if connection.announced.has("WITHIN") { None } else { Program::of(key) }
}

/// UID SEARCH. A refusal of a part refuses the whole.
pub(super) async fn search(
    connection: &mut Connection,
    charset: Option<&str>,
    program: &Program<'_>,
) -> Result<UpstreamReply, Fault> {
    if program.intervals.len() > INTERVALS_MAX {
        let text = "too many different intervals in one program: search for its parts".into();
        return Ok(UpstreamReply::Refused { code: Some("LIMIT".into()), text, data: None });
    }
    // One moment for all of the program.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let all = all_uids(connection, u32::MAX).await?;
    let mut younger = BTreeMap::new();
    for seconds in &program.intervals {
        let moment = Moment::ago(now, *seconds);
        let mut found = match search_plain(connection, None, &moment.certainly).await? {
            Ok(found) => found,
            Err(condition) => return Ok(unsearchable(condition)),
        };
        match search_plain(connection, None, &moment.perhaps).await? {
            Ok(open) => found.extend(&received_since(connection, &open, moment.at).await?),
            Err(condition) => return Ok(unsearchable(condition)),
        }
        younger.insert(*seconds, found);
    }
    let mut answers = Vec::new();
    for key in &program.asked {
        match search_plain(connection, charset, key).await? {
            Ok(found) => answers.push(found),
            Err(condition) => return Ok(unsearchable(condition)),
        }
    }
    Ok(UpstreamReply::Ok(Data::Uids(program.found(&all, answers, &younger))))
}

/// Which of these were received at that moment or later.
async fn received_since(
    connection: &mut Connection,
    uids: &UidRanges,
    at: Timestamp,
) -> Result<UidRanges, Fault> {
    let mut found: Vec<Uid> = Vec::new();
    for part in split_set(uids, SET_BYTES_MAX) {
        let items = FetchArgument::Asked(&[FetchItem::InternalDate]);
        let request = Request::UidFetch { uids: UidsArgument::Set(&part), items, changed_since: None };
        let (condition, collected) = run_for(connection, &request).await?;
        connection.notice_besides(&collected, &part);
        if !is_ok(&condition) {
            return Err(Fault::Lost);
        }
        let later = collected.fetched.iter().filter(|(uid, facts)| {
            // A server that says the day and no time is taken to mean its beginning.
            let day = || Some(Timestamp(i64::from(facts.internal_date?.0) * 86_400_000));
            part.contains(**uid) && facts.received.or_else(day).is_some_and(|received| received >= at)
        });
        found.extend(later.map(|(uid, _)| *uid));
    }
    Ok(UidRanges::from_uids(found))
}
