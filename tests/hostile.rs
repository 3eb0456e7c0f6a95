//! Hostile clients: inputs that have broken mail servers before, each against the running gateway.
//!
//! Whatever comes, the answer is bounded, nothing panics, memory does not grow with what a stranger sends, and who stands
//! beside notices nothing.

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "hostile/commands.rs"]
mod commands;
#[path = "hostile/framing.rs"]
mod framing;
#[path = "hostile/siege.rs"]
mod siege;
#[path = "hostile/states.rs"]
mod states;
#[path = "hostile/upstream.rs"]
mod upstream;
