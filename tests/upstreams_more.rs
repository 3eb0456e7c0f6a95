//! The battery of every upstream, on servers that take more to have: Courier wants root and a mount namespace, hoodiecrow wants
//! Node.js. `make test-upstreams` brings and runs them.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "upstreams/battery.rs"]
mod battery;
#[path = "upstreams/stand.rs"]
mod stand;
#[path = "upstreams/unicode.rs"]
mod unicode;

battery! {
    courier: Courier,
    hoodiecrow: Hoodiecrow,
}
