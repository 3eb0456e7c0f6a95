//! `$`: the messages that a session last saved by SEARCH RETURN (SAVE) (RFC 5182).
//!
//! In go UIDs of the selected mailbox; out come those of them that are still in the client view. Refuses to outlive the SELECT
//! that it was saved under, or this process: it is not stored, and after a restart it is empty, as it is after a SELECT.

use crate::SessionLog;
use pimap_types::{MailboxName, UidRanges, UidValidity};
use pimap_view::UidSet;

/// A saved result and what its UIDs mean.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Saved {
    mailbox: MailboxName,
    uid_validity: UidValidity,
    uids: UidSet,
}

impl SessionLog {
    /// `$` becomes these messages of the selected mailbox.
    pub fn save(&mut self, uids: &UidRanges) {
        let Some((selected, told)) = self.selected_told() else { return };
        let uid_validity = told.uid_validity;
        // What is not told cannot be saved, which also bounds it.
        let uids = UidSet::from_ranges(&told.view.intersect_ranges(uids)).unwrap_or_default();
        let saved = Saved { mailbox: selected.mailbox.clone(), uid_validity, uids };
        self.saved = Some(saved).filter(|saved| !saved.uids.is_empty()).map(Box::new);
    }

    /// What `$` holds: what was expunged since it was saved has left it.
    pub fn saved(&self) -> UidRanges {
        let (Some(saved), Some((selected, told))) = (&self.saved, self.selected_told()) else {
            return UidRanges::new();
        };
        if saved.mailbox != selected.mailbox || saved.uid_validity != told.uid_validity {
            return UidRanges::new();
        }
        told.view.intersect_ranges(&saved.uids.to_ranges())
    }
}
