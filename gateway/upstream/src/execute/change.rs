//! Requests that change mail. From the moment the first of their commands is sent until the last is answered the connection is in doubt:
//! if it is lost meanwhile, the change may have happened (F45).

use super::expunge::{expunge, gone_of};
use super::{is_ok, open, refused, run_for};
use crate::connection::Connection;
use crate::fault::Fault;
use crate::machine::collect::Collected;
use crate::machine::difference::subtract;
use crate::pool::Pool;
use crate::pool::doors::Bar;
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::set::UidRanges;
use pimap_types::upstream::{Data, FlagsReport, UpstreamReply, UpstreamRequest};
use pimap_types::{Flag, Flags, MailboxName, ModSeq};
use pimap_wire::client::request::{Request, SET_BYTES_MAX, split_set};
use pimap_wire::client::response::Condition;

/// Runs a command that changes something.
pub(super) async fn change(
    connection: &mut Connection,
    request: &Request<'_>,
) -> Result<(Condition, Collected), Fault> {
    // Whether it can be written at all is found out before anything is in doubt.
    request.encode(0)?;
    connection.in_doubt = true;
    run_for(connection, request).await
}

/// UID STORE. What a conditional one left alone may be reported too, with flags that are not of its making: that is news.
pub(super) async fn store(
    connection: &mut Connection,
    uids: &UidRanges,
    change_to: &StoreChange,
    unchanged_since: Option<ModSeq>,
) -> Result<UpstreamReply, Fault> {
    let unchanged_since = unchanged_since.filter(|_| connection.capabilities.condstore);
    let (mut flags, mut modified): (Vec<FlagsReport>, _) = (Vec::new(), UidRanges::new());
    for part in split_set(uids, SET_BYTES_MAX) {
        let request = Request::UidStore(&part, change_to, unchanged_since);
        let (condition, collected) = change(connection, &request).await?;
        let left = collected.modified.as_ref().filter(|_| unchanged_since.is_some());
        let done = left.map_or_else(|| part.clone(), |left| subtract(&part, left));
        modified.extend(&subtract(&part, &done));
        flags.extend(collected.flags_of(&done));
        connection.notice_besides(&collected, &done);
        // RFC 7162 3.1.3: NO with MODIFIED has done what it could, where some of the messages are gone.
        if !is_ok(&condition) && left.is_none() {
            return Ok(refused(condition, Some(Data::Stored { flags, modified })));
        }
    }
    Ok(UpstreamReply::Ok(Data::Stored { flags, modified }))
}

/// COPYUID over all parts of a copy; lost as soon as one part says nothing.
struct CopyUids(Option<Vec<(pimap_types::UidValidity, UidRanges, UidRanges)>>);

impl CopyUids {
    fn add(&mut self, collected: &Collected) {
        match &mut self.0 {
            Some(all) if !collected.copy_uids.is_empty() => all.extend(collected.copy_uids.iter().cloned()),
            _ => self.0 = None,
        }
    }

    /// One pair of sets. Parts were sent in ascending order, so targets ascend too; where they do not, or UIDVALIDITY
    /// changed between, the pairing would be wrong and is not told.
    fn joined(&self) -> Option<(pimap_types::UidValidity, UidRanges, UidRanges)> {
        let all = self.0.as_ref()?;
        let mut parts = all.iter();
        let (validity, mut source, mut target) = parts.next()?.clone();
        for (v, s, t) in parts {
            let above = |a: &UidRanges, b: &UidRanges| matches!((a.ranges().last(), b.ranges().first()), (Some(last), Some(first)) if last.1 < first.0);
            if *v != validity || !above(&source, s) || !above(&target, t) {
                return None;
            }
            source.extend(s);
            target.extend(t);
        }
        Some((validity, source, target))
    }

    fn sources(&self) -> Option<UidRanges> {
        let mut sources = UidRanges::new();
        self.0.as_ref()?.iter().for_each(|(_, source, _)| sources.extend(source));
        Some(sources)
    }
}

/// UID COPY.
pub(super) async fn copy(
    connection: &mut Connection,
    uids: &UidRanges,
    target: &MailboxName,
) -> Result<UpstreamReply, Fault> {
    let mut copied = CopyUids(Some(Vec::new()));
    for part in split_set(uids, SET_BYTES_MAX) {
        let (condition, collected) = change(connection, &Request::UidCopy(&part, target)).await?;
        connection.notice(&collected);
        if !is_ok(&condition) {
            // A refused COPY copies nothing (RFC 3501 6.4.7); what earlier parts copied is there.
            let data =
                copied.joined().map(|c| Data::Copied { copy_uid: Some(c), vanished: UidRanges::new() });
            return Ok(refused(condition, data));
        }
        copied.add(&collected);
    }
    Ok(UpstreamReply::Ok(Data::Copied { copy_uid: copied.joined(), vanished: UidRanges::new() }))
}

/// UID MOVE. What left is told by VANISHED, else by COPYUID, else by looking. COPYUID names what arrived; where mailboxes are labels, what is
/// moved out of All Mail stays there as well, and is not told to be expunged.
pub(super) async fn r#move(
    connection: &mut Connection,
    uids: &UidRanges,
    target: &MailboxName,
) -> Result<UpstreamReply, Fault> {
    let (mut moved, mut vanished, mut refusal) = (CopyUids(Some(Vec::new())), UidRanges::new(), None);
    let mut expunged = 0_u64;
    for part in split_set(uids, SET_BYTES_MAX) {
        let (condition, collected) = change(connection, &Request::UidMove(&part, target)).await?;
        vanished.extend(&collected.vanished());
        expunged += u64::from(collected.expunged);
        connection.notice_besides(&collected, &part);
        moved.add(&collected);
        if !is_ok(&condition) {
            // RFC 6851 3.3: some messages may have been moved although it says NO.
            refusal = Some(condition);
            break;
        }
    }
    if !connection.qresync {
        vanished = match moved.sources().filter(|sources| refusal.is_none() && expunged >= sources.len()) {
            Some(sources) => sources,
            None => gone_of(connection, uids).await?,
        };
    }
    let data = Data::Copied { copy_uid: moved.joined(), vanished: vanished.intersection(uids) };
    Ok(match refusal {
        Some(condition) => refused(condition, Some(data)),
        None => UpstreamReply::Ok(data),
    })
}

/// MOVE for a server without it: copied, then marked, then expunged by UID, never by a plain EXPUNGE (NQ-076). Whatever step
/// fails, each message is still in one mailbox at least.
pub(super) async fn move_by_copy(
    connection: &mut Connection,
    uids: &UidRanges,
    target: &MailboxName,
) -> Result<UpstreamReply, Fault> {
    let copy_uid = match copy(connection, uids, target).await? {
        UpstreamReply::Ok(Data::Copied { copy_uid, .. }) => copy_uid,
        refused => return Ok(refused),
    };
    // What was gone before it could be copied is not marked either.
    let copied = copy_uid.as_ref().map_or_else(|| uids.clone(), |(_, sources, _)| sources.clone());
    let told = |vanished| Some(Data::Copied { copy_uid: copy_uid.clone(), vanished });
    let deleted = Flags::new([Flag::Deleted]);
    let mark = StoreChange { mode: StoreMode::Add, silent: false, flags: deleted };
    if let UpstreamReply::Refused { code, text, .. } = store(connection, &copied, &mark, None).await? {
        return Ok(UpstreamReply::Refused { code, text, data: told(UidRanges::new()) });
    }
    Ok(match expunge(connection, &copied).await? {
        UpstreamReply::Refused { code, text, data: Some(Data::Expunged(gone)) } => {
            UpstreamReply::Refused { code, text, data: told(gone) }
        }
        UpstreamReply::Ok(Data::Expunged(gone)) => {
            UpstreamReply::Ok(Data::Copied { copy_uid: copy_uid.clone(), vanished: gone.intersection(uids) })
        }
        other => other,
    })
}

/// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.
pub(super) async fn mailbox(
    pool: &Pool,
    connection: &mut Connection,
    request: &UpstreamRequest,
) -> Result<UpstreamReply, Fault> {
    let command = match request {
        UpstreamRequest::Create(mailbox) => Request::Create(mailbox),
        UpstreamRequest::Delete(mailbox) => Request::Delete(mailbox),
        UpstreamRequest::Rename(from, to) => Request::Rename(from, to),
        UpstreamRequest::Subscribe(mailbox) => Request::Subscribe(mailbox),
        UpstreamRequest::Unsubscribe(mailbox) => Request::Unsubscribe(mailbox),
        _ => return Err(Fault::Unsupported),
    };
    let bar = match request {
        UpstreamRequest::Create(mailbox) | UpstreamRequest::Delete(mailbox) => {
            Some(Bar::new([mailbox], false))
        }
        UpstreamRequest::Rename(from, to) => Some(Bar::new([from, to], true)),
        _ => None,
    };
    let _shut = match bar {
        None => None,
        Some(bar) => {
            let shut = pool.shut(bar).await;
            let opened = connection.selected.as_ref().map(|s| s.mailbox.clone());
            if let Some(mailbox) = opened.filter(|mailbox| shut.bars(mailbox)) {
                open::leave(connection, &mailbox).await?;
            }
            Some(shut)
        }
    };
    let (condition, collected) = change(connection, &command).await?;
    connection.notice(&collected);
    if let UpstreamRequest::Delete(mailbox) | UpstreamRequest::Rename(mailbox, _) = request {
        pool.forget(mailbox);
        if connection.selected.as_ref().is_some_and(|s| s.mailbox == *mailbox) {
            // Whatever it has open now, it is not what the name means.
            connection.selected = None;
        }
    }
    Ok(if is_ok(&condition) { UpstreamReply::Ok(Data::Done) } else { refused(condition, None) })
}
