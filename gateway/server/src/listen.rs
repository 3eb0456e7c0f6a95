//! Listeners: sockets in, conversations out.

pub mod admin;
pub mod http;
pub mod socket;
pub mod tcp;
pub mod tls;
