//! The session log in small worlds that are searched whole, and the lies found there, each with a test of its own.

mod durable;
mod handset;
mod http;
mod search;
