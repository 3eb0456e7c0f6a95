//! Views: which UIDs a handset holds, at which positions, and how that list may change.
//!
//! Holds the ordered UID set that backs every mailbox mirror, verdict set and client view ([`uid_set`]), the way from
//! the numbers a handset writes to UIDs and back ([`translate`]), and threads cut to a view ([`threads`]). Refuses events
//! (the session log renders them), filters (a verdict is somebody else's decision), command syntax, flags, the log, I/O and
//! clocks. In go UIDs, ranges and targets; out come positions, UIDs and counts.

pub mod threads;
pub mod translate;
pub mod uid_set;

pub use translate::BeyondView;
pub use uid_set::{CHUNK_UIDS, ChunkDamaged, TooMany, UidSet};
