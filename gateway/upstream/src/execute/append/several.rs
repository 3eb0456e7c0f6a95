//! Several messages in one APPEND (RFC 3502) on a server that takes one at a time: one command after the other, and all of them or
//! none as far as the server lets us. If one is refused or given up, those before it, whose UIDs UIDPLUS told, are expunged again; whoever
//! looks meanwhile sees them come and go. Where that cannot be done, or nobody knows whether the last one is there, the whole is in doubt.

use crate::connection::Connection;
use crate::execute::change::store;
use crate::execute::expunge::expunge;
use crate::execute::open::{plain, select};
use crate::fault::Fault;
use crate::pool::Pool;
use pimap_types::append::AppendPart;
use pimap_types::command::{StoreChange, StoreMode};
use pimap_types::upstream::{Data, UpstreamReply};
use pimap_types::{Flag, Flags, MailboxName, UidRanges, UidValidity};

/// Parts up to the next message that begins at `from` or behind, and the rest.
pub(super) fn up_to_next(
    parts: &[AppendPart],
    from: usize,
    one_by_one: bool,
) -> (&[AppendPart], &[AppendPart]) {
    let begins = |part: &AppendPart| one_by_one && matches!(part, AppendPart::Message { .. });
    let next = parts.iter().skip(from).position(begins).map_or(parts.len(), |at| at + from);
    parts.split_at_checked(next).unwrap_or((parts, &[]))
}

/// What a command has appended so far, each time as APPENDUID tells it.
#[derive(Default)]
pub(super) struct Done(Vec<Option<(UidValidity, UidRanges)>>);

impl Done {
    pub(super) fn add(&mut self, uids: Option<(UidValidity, UidRanges)>) {
        self.0.push(uids);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, if all is known and of one mailbox.
    pub(super) fn all(&self) -> Option<(UidValidity, UidRanges)> {
        let mut all: Option<(UidValidity, UidRanges)> = None;
        for one in &self.0 {
            let (validity, uids) = one.as_ref()?;
            let (same, known) = all.get_or_insert_with(|| (*validity, UidRanges::new()));
            if same != validity {
                return None;
            }
            known.extend(uids);
        }
        all
    }

    /// Expunges all of it; whether nothing of it is left.
    pub(super) async fn take_back(&self, pool: &Pool, mailbox: &MailboxName) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some((validity, uids)) = self.all() else { return false };
        let Ok(mut lease) = pool.lease(None, true).await else { return false };
        let Ok(gone) = taken_back(&mut lease.connection, mailbox, validity, &uids).await else {
            return false;
        };
        pool.give_back(lease);
        gone
    }
}

async fn taken_back(
    connection: &mut Connection,
    mailbox: &MailboxName,
    validity: UidValidity,
    uids: &UidRanges,
) -> Result<bool, Fault> {
    if !connection.capabilities.uid_plus {
        return Ok(false);
    }
    let resync = plain(connection);
    select(connection, mailbox, false, resync).await?;
    if connection.selected.as_ref().map(|selected| selected.uid_validity) != Some(validity) {
        return Ok(false);
    }
    let flags = Flags::new([Flag::Deleted]);
    let deleted = StoreChange { mode: StoreMode::Add, silent: false, flags };
    if !matches!(store(connection, uids, &deleted, None).await?, UpstreamReply::Ok(_)) {
        return Ok(false);
    }
    Ok(match expunge(connection, uids).await? {
        UpstreamReply::Ok(Data::Expunged(gone)) => uids.iter().all(|uid| gone.contains(uid)),
        _ => false,
    })
}
