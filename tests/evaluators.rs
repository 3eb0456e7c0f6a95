//! Two evaluators of one filter would tell a handset of a mail and then take it back (F23). Here every letter of a corpus is stored on
//! each server that is quickly had, and whatever the gateway decides of it, in a view or in a search, is compared with what the server's
//! own SEARCH says.
//!
//! What each server says is kept in `found/`, and what of it differs in `docs/filters.md`; both are checked here, and written anew with
//! `PIMAP_RECORD=1`.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "evaluators/compare.rs"]
mod compare;
#[path = "evaluators/corpus.rs"]
mod corpus;
#[path = "evaluators/found.rs"]
mod found;
#[path = "evaluators/order.rs"]
mod order;
#[path = "evaluators/table.rs"]
mod table;

use compare::compare;
use pimap_tests::server::Make;

#[test]
fn dovecot() {
    compare(Make::Dovecot, "dovecot");
}

#[test]
fn dovecot_bare() {
    compare(Make::DovecotBare, "dovecot");
}

#[test]
fn cyrus() {
    compare(Make::Cyrus, "cyrus");
}

#[test]
fn mailutils() {
    compare(Make::Mailutils, "mailutils");
}

/// RFC 5256: what the gateway makes of SORT and THREAD itself is what Dovecot makes of them.
#[test]
fn corpus_in_order() {
    order::compare(&order::corpus());
}

#[test]
fn drawn_headers_in_order() {
    for seed in 1..=2 {
        order::compare(&order::drawn(seed, 150));
    }
}

#[test]
fn what_differs_is_documented() {
    table::check();
}
