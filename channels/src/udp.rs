//! The UDP channel: handsets register by HELLO and get their notices as datagrams from the same socket.
//!
//! ```text
//!   HELLO ─► machine: parse ─► KeyDirectory: whose keys? ─► machine: judge ─► OK / INVALID / silence
//!                                                             └─► registration ─► KeyDirectory: kept
//!   Notice ─► machine: address? ─► EMN text ─► datagram
//! ```
//!
//! What a datagram's sender gets (F37): nothing that is longer than what was sent; `INVALID ENCRYPTION KEY`
//! as the only answer before a key is proved, and only one a second for each /24 (IPv4) or /64 (IPv6). A
//! HELLO seen before is answered and moves nothing. A registration is void [`UdpSettings::lifetime_ms`] after
//! its HELLO.
//!
//! The decisions are in [`machine`], pure; what is remembered of a device is a [`Registration`];
//! [`transport`] has the socket. Refused for now: the format EXTENDED, and changing the key of a device while
//! both keys live.

pub mod machine;
pub mod registration;
pub mod transport;

pub use registration::Registration;
pub use transport::{KeyDirectory, UdpChannel};

use pimap_types::{AccountKey, Secret, Timestamp};

/// Accounts whose key is tried for one HELLO; the rest are not looked at (F52).
pub const CANDIDATES_MAX: usize = 8;

/// Settings of the channel.
#[derive(Clone, Debug)]
pub struct UdpSettings {
    /// The host by which handsets reach this socket; the port is the socket's. With more than 15 characters
    /// of `host:port` the sealed address takes two blocks, and short HELLOs get a bare `OK`.
    pub advertise_host: String,
    /// How long after its HELLO an address is used.
    pub lifetime_ms: i64,
    /// Registrations held in memory; more: the one whose life ends first goes (its device says HELLO again).
    pub registrations_max: usize,
    /// The clock; tests bring their own.
    pub clock: fn() -> Timestamp,
}

impl UdpSettings {
    /// The defaults: 15 minutes, as NAT mappings are short-lived, and 100 000 registrations.
    pub fn new(advertise_host: &str) -> Self {
        Self {
            advertise_host: advertise_host.to_owned(),
            lifetime_ms: 15 * 60_000,
            registrations_max: 100_000,
            clock: transport::wall_clock,
        }
    }
}

/// An account that has a device of the ID asked for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The account.
    pub account: AccountKey,
    /// The key of its device: 16 raw octets.
    pub key: Secret,
    /// What [`KeyDirectory::on_bound`] was last given for it, if anything.
    pub stored: Option<Registration>,
}
