//! SORT and THREAD (RFC 5256), on servers that have them.

use super::{is_ok, refused, run_for};
use crate::connection::Connection;
use crate::fault::Fault;
use pimap_types::search::{SearchKey, SortCriterion, ThreadAlgorithm};
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_wire::client::request::Request;

/// UID SORT
pub(super) async fn sort(
    connection: &mut Connection,
    criteria: &[SortCriterion],
    charset: &str,
    key: &SearchKey,
) -> Result<UpstreamReply, Fault> {
    let request = Request::UidSort { criteria, charset, key };
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice(&collected);
    match collected.sorted {
        _ if !is_ok(&condition) => Ok(refused(condition, None)),
        Some(uids) => Ok(UpstreamReply::Ok(Data::Sorted(uids))),
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
