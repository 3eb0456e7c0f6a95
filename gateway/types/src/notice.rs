//! What is handed to outband channels: who to wake, never mail content.

use crate::ids::{AccountKey, DeviceId};
use crate::preference::{ChannelKind, OutbandFormat};
use crate::time::Timestamp;

/// A wake-up for one device (design D10). Losing, repeating or reordering it costs only delay.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notice {
    /// The account.
    pub account: AccountKey,
    /// The device.
    pub device: DeviceId,
    /// How to reach it.
    pub channel: ChannelKind,
    /// The form of the payload.
    pub format: OutbandFormat,
    /// The address set by preference; unused by UDP.
    pub address: Option<String>,
    /// The account's mail address, for `mailat:` (P-IMAP B.2).
    pub mail_address: String,
    /// When the event happened; never goes backwards for a device.
    pub event_time: Timestamp,
}
