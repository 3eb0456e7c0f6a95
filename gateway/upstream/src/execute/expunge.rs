//! EXPUNGE of some messages, on servers that can and on servers that cannot (F20).
//!
//! UID EXPUNGE names what it takes. Without UIDPLUS a plain EXPUNGE takes all that is `\Deleted`, which is right only where nothing
//! is hidden. Elsewhere a server with MOVE is asked to move what is meant, and marked, to its `\Trash`: MOVE takes UIDs too (RFC 6851),
//! and a message that another client unmarks in that moment is found there instead of being lost. It keeps its mark, so that the
//! next EXPUNGE of the trash removes it. Never by taking marks off hidden messages and putting them back.

use super::change::{change, r#move};
use super::read::{search_or_fail, uid_key};
use super::{is_ok, mailbox, refused, wary};
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::difference::subtract;
use pimap_types::list::ListPattern;
use pimap_types::search::SearchKey;
use pimap_types::set::UidRanges;
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_types::{Flag, MailboxName};
use pimap_wire::client::request::{Request, SET_BYTES_MAX, split_set};

/// Where the server wants deleted messages to go (RFC 6154), for messages of another mailbox.
pub(super) async fn trash(connection: &mut Connection, of: &MailboxName) -> Result<MailboxName, Fault> {
    if !connection.capabilities.r#move {
        return Err(Fault::Unsupported);
    }
    let everything = ListPattern { reference: String::new(), pattern: "*".into() };
    let listed = mailbox::list(connection, false, &everything, true).await?;
    let UpstreamReply::Ok(Data::Listed(items)) = listed else { return Err(Fault::Unsupported) };
    let is = |attributes: &[String], name: &str| attributes.iter().any(|a| a.eq_ignore_ascii_case(name));
    let usable = |attributes: &[String]| {
        is(attributes, "\\Trash") && !is(attributes, "\\Noselect") && !is(attributes, "\\NonExistent")
    };
    let trash = items.into_iter().find(|item| usable(&item.attributes)).map(|item| item.mailbox);
    trash.filter(|trash| trash != of).ok_or(Fault::Unsupported)
}

/// MOVE of what is `\Deleted` among these.
pub(super) async fn expunge_by_move(
    connection: &mut Connection,
    uids: &UidRanges,
    trash: &MailboxName,
) -> Result<UpstreamReply, Fault> {
    let deleted = search_or_fail(connection, &SearchKey::Flag(Flag::Deleted)).await?;
    let deleted = uids.intersection(&deleted);
    Ok(match r#move(connection, &deleted, trash).await? {
        UpstreamReply::Ok(Data::Copied { vanished, .. }) => UpstreamReply::Ok(Data::Expunged(vanished)),
        UpstreamReply::Refused { code, text, data: Some(Data::Copied { vanished, .. }) } => {
            UpstreamReply::Refused { code, text, data: Some(Data::Expunged(vanished)) }
        }
        other => other,
    })
}

/// UID EXPUNGE; without UIDPLUS a plain EXPUNGE, which the caller has found harmless (F20).
pub(super) async fn expunge(connection: &mut Connection, uids: &UidRanges) -> Result<UpstreamReply, Fault> {
    let selective = connection.capabilities.uid_plus;
    let mut candidates = uids.clone();
    let parts = if selective { split_set(uids, SET_BYTES_MAX) } else { vec![uids.clone()] };
    if !selective {
        candidates.extend(&search_or_fail(connection, &SearchKey::Flag(Flag::Deleted)).await?);
    }
    let (mut vanished, mut refusal) = (UidRanges::new(), None);
    for part in parts {
        let request = if selective { Request::UidExpunge(&part) } else { Request::Expunge };
        let (condition, collected) = change(connection, &request).await?;
        vanished.extend(&collected.vanished());
        connection.notice_besides(&collected, &part);
        if !is_ok(&condition) {
            refusal = Some(condition);
            break;
        }
    }
    if !connection.qresync {
        vanished = gone_of(connection, &candidates).await?;
    }
    Ok(match refusal {
        Some(condition) => refused(condition, Some(Data::Expunged(vanished))),
        None => UpstreamReply::Ok(Data::Expunged(vanished)),
    })
}

/// Which of these are not there any more: for servers that tell expunges by number, which nobody here counts (F47).
pub(super) async fn gone_of(connection: &mut Connection, uids: &UidRanges) -> Result<UidRanges, Fault> {
    if wary::manners(connection).names_only_what_is_there {
        return Ok(subtract(uids, &wary::nameable(connection, uids).await?));
    }
    let mut there = UidRanges::new();
    for part in split_set(uids, SET_BYTES_MAX) {
        there.extend(&search_or_fail(connection, &uid_key(&part)).await?);
    }
    Ok(subtract(uids, &there))
}
