//! The gateway's own program before a real Dovecot, with its store on disk: what its users will meet.
//!
//! Each test starts its own server and its own gateway. Nothing in here waits for a time to pass; everything waits for
//! something to become true.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "real/access.rs"]
mod access;
#[path = "real/append.rs"]
mod append;
#[path = "real/authenticate.rs"]
mod authenticate;
#[path = "real/compress.rs"]
mod compress;
#[path = "real/condstore.rs"]
mod condstore;
#[path = "real/hidden.rs"]
mod hidden;
#[path = "real/http.rs"]
mod http;
#[path = "real/mailboxes.rs"]
mod mailboxes;
#[path = "real/master.rs"]
mod master;
#[path = "real/memory.rs"]
mod memory;
#[path = "real/notify.rs"]
mod notify;
#[path = "real/operation.rs"]
mod operation;
#[path = "real/outband.rs"]
mod outband;
#[path = "real/preference.rs"]
mod preference;
#[path = "real/push.rs"]
mod push;
#[path = "real/repeat.rs"]
mod repeat;
#[path = "real/resume.rs"]
mod resume;
#[path = "real/search.rs"]
mod search;
#[path = "real/session.rs"]
mod session;
#[path = "real/stage.rs"]
mod stage;
#[path = "real/tls.rs"]
mod tls;
#[path = "real/upstream.rs"]
mod upstream;
#[path = "real/view.rs"]
mod view;
