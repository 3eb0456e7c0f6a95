//! The battery of every upstream, on those that come quickly: Dovecot whole and cut down, Cyrus, GNU mailutils, and a
//! server with labels.
//!
//! `upstreams_more.rs` holds the same for servers that take more to have. Nothing in here waits for a time to pass;
//! everything waits for something to become true.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "upstreams/battery.rs"]
mod battery;
#[path = "upstreams/labels.rs"]
mod labels;
#[path = "upstreams/stand.rs"]
mod stand;

battery! {
    dovecot: Dovecot,
    dovecot_condstore: DovecotCondstore,
    dovecot_poor: DovecotPoor,
    dovecot_bare: DovecotBare,
    cyrus: Cyrus,
    mailutils: Mailutils,
    gmail: Gmail,
}
