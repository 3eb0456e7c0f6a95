//! The HTTP binding (P-IMAP appendix A, design D11): what a request's head says, how a response's body is made.
//!
//! ```text
//!   request head ─► asked: 4xx, or what the handset asks for
//!   request body ─► exchange (a Link) ─► conversation ─► exchange ─► response (the Body owns the conversation) ─► gzip
//!   the socket   ─► departure: was the response written whole?
//! ```

pub mod asked;
pub mod continuation;
pub mod departure;
pub mod exchange;
pub mod gzip;
pub mod response;
