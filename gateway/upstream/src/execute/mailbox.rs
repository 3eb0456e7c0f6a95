//! Requests about whole mailboxes that change nothing: LIST, LSUB, NAMESPACE, STATUS.

use super::read::{search_or_fail, uid_key};
use super::{is_ok, open, refused, run_for};
use crate::connection::Connection;
use crate::fault::Fault;
use pimap_types::list::{ListPattern, Namespace, Namespaces, StatusItem};
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_types::{MailboxName, UidRanges, UidValidity};
use pimap_wire::client::request::{ListReturns, Request};
use pimap_wire::client::response::{Condition, StatusNumbers};

/// LIST or LSUB.
pub(super) async fn list(
    connection: &mut Connection,
    subscribed: bool,
    pattern: &ListPattern,
    extended: bool,
) -> Result<UpstreamReply, Fault> {
    let has = |word| connection.announced.has(word);
    let returns = match extended && !subscribed && has("LIST-EXTENDED") {
        true if has("SPECIAL-USE") => ListReturns::ChildrenAndUse,
        true => ListReturns::Children,
        false => ListReturns::Nothing,
    };
    let request = Request::List { subscribed, pattern, returns };
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice(&collected);
    if collected.too_many_listed {
        let text = "more mailboxes than can be listed at once".into();
        return Ok(UpstreamReply::Refused { code: Some("LIMIT".into()), text, data: None });
    }
    let items = collected.listed.into_iter().filter(|(lsub, _)| *lsub == subscribed);
    let data = Data::Listed(items.map(|(_, item)| item).collect());
    Ok(if is_ok(&condition) { UpstreamReply::Ok(data) } else { refused(condition, Some(data)) })
}

/// STATUS as a request of the owner.
pub(super) async fn status_reply(
    connection: &mut Connection,
    mailbox: &MailboxName,
    items: &[StatusItem],
) -> Result<UpstreamReply, Fault> {
    let (condition, numbers) = status(connection, mailbox, items, false).await?;
    if !is_ok(&condition) {
        return Ok(refused(condition, None));
    }
    let numbers = numbers.ok_or(Fault::Misbehaved)?;
    let value = |item: &StatusItem| match item {
        StatusItem::Messages => numbers.messages.map(u64::from),
        StatusItem::Recent => numbers.recent.map(u64::from),
        StatusItem::UidNext => numbers.uid_next.map(u64::from),
        StatusItem::UidValidity => numbers.uid_validity.map(|v| v.get().into()),
        StatusItem::Unseen => numbers.unseen.map(u64::from),
        StatusItem::HighestModSeq => None,
        StatusItem::Size => numbers.size,
        // Counted by the gateway itself.
        StatusItem::Deleted => None,
        // What may be appended is the gateway's to say.
        StatusItem::AppendLimit => None,
    };
    Ok(UpstreamReply::Ok(Data::Status(items.iter().filter_map(|i| value(i).map(|n| (*i, n))).collect())))
}

/// NAMESPACE. A server without it has one, whose delimiter `LIST "" ""` tells (RFC 3501 6.3.8).
pub(super) async fn namespace(connection: &mut Connection) -> Result<UpstreamReply, Fault> {
    if connection.announced.has("NAMESPACE") {
        let (condition, collected) = run_for(connection, &Request::Namespace).await?;
        connection.notice(&collected);
        return match collected.namespaces {
            _ if !is_ok(&condition) => Ok(refused(condition, None)),
            Some(namespaces) => Ok(UpstreamReply::Ok(Data::Namespaces(namespaces))),
            None => Err(Fault::Misbehaved),
        };
    }
    let pattern = ListPattern { reference: String::new(), pattern: String::new() };
    let request = Request::List { subscribed: false, pattern: &pattern, returns: ListReturns::Nothing };
    let (condition, collected) = run_for(connection, &request).await?;
    connection.notice(&collected);
    if !is_ok(&condition) {
        return Ok(refused(condition, None));
    }
    let delimiter = collected.listed.first().and_then(|(_, root)| root.delimiter);
    let personal = vec![Namespace { prefix: String::new(), delimiter }];
    Ok(UpstreamReply::Ok(Data::Namespaces(Namespaces { personal, ..Namespaces::default() })))
}

/// STATUS of one mailbox.
pub(crate) async fn status(
    connection: &mut Connection,
    mailbox: &MailboxName,
    items: &[StatusItem],
    mod_seq: bool,
) -> Result<(Condition, Option<StatusNumbers>), Fault> {
    open::leave(connection, mailbox).await?;
    let (condition, collected) = run_for(connection, &Request::Status { mailbox, items, mod_seq }).await?;
    connection.notice(&collected);
    let mine = collected.statuses.iter().rev().find(|(name, _)| name == mailbox);
    Ok((condition, mine.map(|(_, numbers)| *numbers)))
}

/// Whether any of these UIDs is there now. The mailbox is opened anew: what is open already may not have been told.
pub(crate) async fn holds_any(
    connection: &mut Connection,
    mailbox: &MailboxName,
    uid_validity: UidValidity,
    uids: &UidRanges,
) -> Result<bool, Fault> {
    let resync = open::plain(connection);
    let opened = open::select(connection, mailbox, true, resync).await?;
    if opened.uid_validity != Some(uid_validity) {
        return Err(Fault::UidValidityChanged);
    }
    let found = search_or_fail(connection, &uid_key(uids)).await?;
    Ok(!found.intersection(uids).ranges().is_empty())
}
