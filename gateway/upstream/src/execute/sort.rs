//! SORT and THREAD (RFC 5256), on servers that have them; for others see [`super::order`].

use super::read::uid_key;
use super::{is_ok, refused, run_for, within};
use crate::connection::Connection;
use crate::fault::Fault;
use pimap_types::Threads;
use pimap_types::search::{SearchKey, SortCriterion, ThreadAlgorithm};
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_wire::client::request::{Request, SET_BYTES_MAX, split_set};

/// UID SORT
pub(super) async fn sort(
    connection: &mut Connection,
    criteria: &[SortCriterion],
    charset: &str,
    key: &SearchKey,
) -> Result<UpstreamReply, Fault> {
    // What the server could not be asked for was found before: all is sorted, and the rest left out.
    let found = match within::program(connection, key) {
        None => None,
        Some(program) => match within::search(connection, Some(charset), &program).await? {
            UpstreamReply::Ok(Data::Uids(found)) => Some(found),
            refused => return Ok(refused),
        },
    };
    let key = if found.is_some() { &SearchKey::All } else { key };
    let request = Request::UidSort { criteria, charset, key };
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice(&collected);
    match collected.sorted {
        _ if !is_ok(&condition) => Ok(refused(condition, None)),
        Some(mut uids) => {
            uids.retain(|uid| found.as_ref().is_none_or(|found| found.contains(*uid)));
            Ok(UpstreamReply::Ok(Data::Sorted(uids)))
        }
        // "OK" without an answer is not "nothing found" (law 1).
        None => Err(Fault::Misbehaved),
    }
}

/// UID THREAD
pub(super) async fn thread(
    connection: &mut Connection,
    algorithm: ThreadAlgorithm,
    charset: &str,
    key: &SearchKey,
) -> Result<UpstreamReply, Fault> {
    let found;
    let key = match within::program(connection, key) {
        None => key,
        Some(program) => match within::search(connection, Some(charset), &program).await? {
            UpstreamReply::Ok(Data::Uids(uids)) if uids.is_empty() => {
                return Ok(UpstreamReply::Ok(Data::Threaded(Threads { places: Vec::new() })));
            }
            UpstreamReply::Ok(Data::Uids(uids)) if split_set(&uids, SET_BYTES_MAX).len() == 1 => {
                found = uid_key(&uids);
                &found
            }
            UpstreamReply::Ok(_) => {
                let text = "what this program finds is too scattered: search for its parts".into();
                return Ok(UpstreamReply::Refused { code: Some("LIMIT".into()), text, data: None });
            }
            refused => return Ok(refused),
        },
    };
    let request = Request::UidThread { algorithm, charset, key };
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice(&collected);
    match collected.threaded {
        _ if !is_ok(&condition) => Ok(refused(condition, None)),
        Some(threads) => Ok(UpstreamReply::Ok(Data::Threaded(threads))),
        None => Err(Fault::Misbehaved),
    }
}

/// Whether the server announces what these criteria need.
pub(super) fn can_sort(connection: &Connection, criteria: &[SortCriterion]) -> bool {
    let display = criteria.iter().any(|criterion| criterion.key.is_display());
    connection.announced.has("SORT") && (!display || connection.announced.has("SORT=DISPLAY"))
}

/// Whether the server announces the algorithm.
pub(super) fn can_thread(connection: &Connection, algorithm: ThreadAlgorithm) -> bool {
    connection.announced.has(algorithm.capability())
}
