//! What CONDSTORE and QRESYNC add to commands (RFC 7162).

use crate::number::{ModSeq, UidValidity};
use crate::set::UidRanges;

/// Parameters of SELECT and EXAMINE.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct SelectParameters {
    /// `CONDSTORE` (RFC 7162 3.1.8).
    pub condstore: bool,
    /// `QRESYNC (…)` (RFC 7162 3.2.5).
    pub qresync: Option<Qresync>,
}

/// What a handset knows of the mailbox that it selects.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Qresync {
    /// UIDVALIDITY as known; another one: the rest is ignored.
    pub uid_validity: UidValidity,
    /// The mod-sequence up to which it knows everything.
    pub since: ModSeq,
    /// The UIDs that it knows; absent: all below UIDNEXT.
    pub known: Option<UidRanges>,
}

/// `CHANGEDSINCE n` of FETCH.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChangedSince {
    /// Only messages whose mod-sequence is above this.
    pub since: ModSeq,
    /// `VANISHED`: those that are gone are named too (RFC 7162 3.2.6).
    pub vanished: bool,
}
