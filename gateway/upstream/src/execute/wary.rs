//! The detours on the way to a server that is not taken at its word, see [`crate::machine::manners`]. On any other these
//! do nothing and cost nothing.

use super::read::search_once;
use super::{is_ok, open, sync};
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::manners::{Manners, Terms};
use pimap_types::search::SearchKey;
use pimap_types::set::UidRanges;
use pimap_wire::client::response::Condition;

/// How the server of this connection is talked to.
pub(super) fn manners(connection: &Connection) -> Manners {
    Manners::towards(&connection.capabilities)
}

/// Those of the UIDs that may be named: the ones there are.
pub(super) async fn nameable(connection: &mut Connection, uids: &UidRanges) -> Result<UidRanges, Fault> {
    if !manners(connection).names_only_what_is_there {
        return Ok(uids.clone());
    }
    let (condition, collected) = search_once(connection, None, &SearchKey::All).await?;
    if !is_ok(&condition) {
        return Err(Fault::Lost);
    }
    Ok(uids.intersection(&collected.found()))
}

/// After a change: leaves the mailbox by opening it anew, which keeps and shows the change. Never by CLOSE, which would
/// expunge (law 2).
pub(super) async fn keep(connection: &mut Connection) -> Result<(), Fault> {
    let Some(selected) = connection.selected.clone().filter(|s| !s.examined) else { return Ok(()) };
    if manners(connection).opens_anew {
        let resync = open::plain(connection);
        open::select(connection, &selected.mailbox, true, resync).await?;
    }
    Ok(())
}

/// A program whose terms are asked one by one; the answer of a term that was refused comes back.
pub(super) async fn search(
    connection: &mut Connection,
    charset: Option<&str>,
    key: &SearchKey,
) -> Result<Result<UidRanges, Condition>, Fault> {
    let mut answers = Vec::new();
    for term in Terms::of(key).asked {
        let (condition, collected) = search_once(connection, charset, &term).await?;
        if !is_ok(&condition) {
            return Ok(Err(condition));
        }
        answers.push(collected.found());
    }
    let facts = sync::all_facts(connection, None, sync::Items::Facts).await?;
    Ok(Ok(Terms::found(key, answers, &facts)))
}
