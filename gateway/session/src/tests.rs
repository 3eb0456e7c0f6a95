//! The session log in small worlds that are searched whole, and the lies found there, each with a test of its own.

mod days;
mod durable;
mod flush;
mod handset;
mod http;
mod lies;
mod rows;
mod saved;
mod search;
mod tcp;
