//! Preferences of a device (P-IMAP 5.2.2) and activations of filters.

use crate::command::FetchItem;
use crate::mailbox::MailboxName;
use std::sync::Arc;

/// The name of a preference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PreferenceName {
    /// `PIMAP_OUTBAND_ADDRESS`
    OutbandAddress,
    /// `PIMAP_OUTBAND_CHANNEL`
    OutbandChannel,
    /// `PIMAP_INBAND_NEW_FORMAT` (alias `PIMAP_IN-BAND_NEW_FORMAT`)
    InbandNewFormat,
    /// `PIMAP_INBAND_PUSH`
    InbandPush,
    /// `PIMAP_OUTBAND_FORMAT`
    OutbandFormat,
    /// `PIMAP_EVENT_FILTER`
    EventFilter,
    /// `PIMAP_XFILTER` (alias `XFILTER`)
    Xfilter,
}

impl PreferenceName {
    /// All seven, in the order of P-IMAP 5.2.2.
    pub const ALL: [PreferenceName; 7] = [
        PreferenceName::OutbandAddress,
        PreferenceName::OutbandChannel,
        PreferenceName::InbandNewFormat,
        PreferenceName::InbandPush,
        PreferenceName::OutbandFormat,
        PreferenceName::EventFilter,
        PreferenceName::Xfilter,
    ];
    /// The name as emitted.
    pub const fn as_str(self) -> &'static str {
        match self {
            PreferenceName::OutbandAddress => "PIMAP_OUTBAND_ADDRESS",
            PreferenceName::OutbandChannel => "PIMAP_OUTBAND_CHANNEL",
            PreferenceName::InbandNewFormat => "PIMAP_INBAND_NEW_FORMAT",
            PreferenceName::InbandPush => "PIMAP_INBAND_PUSH",
            PreferenceName::OutbandFormat => "PIMAP_OUTBAND_FORMAT",
            PreferenceName::EventFilter => "PIMAP_EVENT_FILTER",
            PreferenceName::Xfilter => "PIMAP_XFILTER",
        }
    }
}

/// One XSETPIMAPPREF, parsed. Values that the draft does not know are kept as [`PreferenceSetting::Unsupported`] where the
/// grammar is right, so that the answer is NO and not BAD.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum PreferenceSetting {
    /// An address in the channel's form.
    OutbandAddress(String),
    /// A channel.
    OutbandChannel(ChannelKind),
    /// The format of an arrival.
    InbandNewFormat(NewFormat),
    /// `ON` or `OFF`.
    InbandPush(bool),
    /// `EMN` or `EXTENDED`.
    OutbandFormat(OutbandFormat),
    /// `ALL`, `NEW` or `NONE`.
    EventFilter(EventFilter),
    /// Activates a named filter for a mailbox.
    Xfilter(Activation),
    /// A legal form whose value is not one the gateway knows: tagged NO.
    Unsupported(PreferenceName),
}

/// The outband channel of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum ChannelKind {
    /// Nothing is sent outband.
    #[default]
    None,
    /// A datagram to the address learned from HELLO.
    Udp,
    /// A text message.
    Sms,
    /// A binary text message (draft -12).
    GsmSms,
    /// WAP push.
    WapPush,
    /// A WDP datagram (draft -12).
    WapWdp,
    /// A multimedia message.
    Mms,
    /// A message broker.
    Jms,
    /// A SIP MESSAGE.
    Sip,
}

impl ChannelKind {
    /// The value's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChannelKind::None => "NONE",
            ChannelKind::Udp => "UDP",
            ChannelKind::Sms => "SMS",
            ChannelKind::GsmSms => "GSMSMS",
            ChannelKind::WapPush => "WAP_PUSH",
            ChannelKind::WapWdp => "WAPWDP",
            ChannelKind::Mms => "MMS",
            ChannelKind::Jms => "JMS",
            ChannelKind::Sip => "SIP",
        }
    }
    /// Reads the value's word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        use ChannelKind::*;
        [None, Udp, Sms, GsmSms, WapPush, WapWdp, Mms, Jms, Sip]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }
}

/// How a new message is announced inband (P-IMAP 5.2.2 [3]).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum NewFormat {
    /// `NONE`: by EXISTS.
    #[default]
    None,
    /// By a FETCH with these items instead of EXISTS.
    Items {
        /// The value as it was set, in canonical spelling: `ALL`, `FAST`, `FULL`, one item, or a list.
        text: Arc<str>,
        /// What it means.
        items: Arc<[FetchItem]>,
    },
}

impl NewFormat {
    /// The value's text.
    pub fn as_str(&self) -> &str {
        match self {
            NewFormat::None => "NONE",
            NewFormat::Items { text, .. } => text,
        }
    }
}

/// The payload of an outband notice (P-IMAP B.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum OutbandFormat {
    /// OMA Email Notification: something happened.
    #[default]
    Emn,
    /// The draft's encrypted notice.
    Extended,
}

/// Which kinds of change are pushed (P-IMAP 3.1.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum EventFilter {
    /// Arrivals, flag changes and removals.
    All,
    /// Arrivals only.
    #[default]
    New,
    /// Nothing.
    None,
}

impl EventFilter {
    /// The value's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventFilter::All => "ALL",
            EventFilter::New => "NEW",
            EventFilter::None => "NONE",
        }
    }
}

/// Which of a mailbox's two filters an activation sets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FilterKind {
    /// `V`: view.
    View,
    /// `N`: notification.
    Notification,
    /// `B`: both.
    Both,
}

/// Where an activation applies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FilterScope {
    /// The atom `ALL`: every mailbox, future ones too (digest OA-09).
    AllMailboxes,
    /// One mailbox; a quoted `"ALL"` is one.
    Mailbox(MailboxName),
}

/// `(mailbox kind filter-name)`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Activation {
    /// Where.
    pub scope: FilterScope,
    /// Which of the two.
    pub kind: FilterKind,
    /// The filter's name; `ALL` and `NONE` are the system's.
    pub filter: Arc<str>,
}
