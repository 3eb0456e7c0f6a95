//! A device: what hangs off (account, device ID) and outlives sessions (P-IMAP 3.1, F52).

use crate::renamed::Identity;
use crate::verdict::Verdicts;
use pimap_session::{SessionLog, takeover::Takeovers};
use pimap_types::preference::{
    Activation, ChannelKind, EventFilter, FilterKind, FilterScope, NewFormat, OutbandFormat,
};
use pimap_types::{Few, MailboxName, Secret, Timestamp, limits};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One device of the account.
pub(crate) struct Device {
    /// Shared with the account's other devices that have the same.
    pub(crate) mail_address: Arc<str>,
    pub(crate) preferences: Preferences,
    /// Active filters by scope: view and notification. No entry: `ALL` and `NONE`.
    pub(crate) activations: BTreeMap<FilterScope, FilterNames>,
    /// What mailboxes with filters of their own were when they were seen first: a mailbox that is the same under another name is known
    /// by it (F19).
    pub(crate) seen: BTreeMap<MailboxName, Identity>,
    /// It set a P-IMAP preference or filter, ever: IDLE is push-only (D15, F30).
    pub(crate) touched: bool,
    pub(crate) key: Option<Secret>,
    pub(crate) notification_id: Option<Box<str>>,
    pub(crate) registration: Option<Box<[u8]>>,
    pub(crate) session: Option<Box<SessionLog>>,
    /// SHA-256 of the current cookie and of the one before it, which lives until the current one is used (F16).
    pub(crate) cookies: [Option<[u8; 32]>; 2],
    /// The password it logged in with last, by number; zero: that is not taken any more.
    pub(crate) credential_epoch: u64,
    /// When it last did so.
    pub(crate) logged_in_at: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) takeovers: Takeovers,
    /// The verdicts of this device's filters, by mailbox.
    pub(crate) verdicts: Few<MailboxName, Box<Verdicts>>,
    /// A wake-up was asked for and the device has not been heard of since.
    pub(crate) waking: bool,
    /// The latest event time told outband: it never goes backwards (digest 17.1).
    pub(crate) event_time: Timestamp,
}

/// The names of an active view and notification filter, where they are set.
pub(crate) type FilterNames = (Option<Arc<str>>, Option<Arc<str>>);

/// The preferences with one value (P-IMAP 5.2.2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Preferences {
    pub(crate) address: Option<Box<str>>,
    pub(crate) channel: ChannelKind,
    pub(crate) inband_push: bool,
    pub(crate) format: OutbandFormat,
    pub(crate) event_filter: EventFilter,
    pub(crate) new_format: NewFormat,
}

impl Device {
    pub(crate) fn new(mail_address: Arc<str>, now: Timestamp) -> Self {
        Self {
            mail_address,
            preferences: Preferences::default(),
            activations: BTreeMap::new(),
            seen: BTreeMap::new(),
            touched: false,
            key: None,
            notification_id: None,
            registration: None,
            session: None,
            cookies: [None, None],
            credential_epoch: 0,
            logged_in_at: now,
            last_seen: now,
            takeovers: Takeovers::default(),
            verdicts: Few::new(),
            waking: false,
            event_time: Timestamp(0),
        }
    }

    /// Mailboxes with filters of their own.
    pub(crate) fn filtered_mailboxes(&self) -> impl Iterator<Item = &MailboxName> {
        self.activations.keys().filter_map(|scope| match scope {
            FilterScope::Mailbox(mailbox) => Some(mailbox),
            FilterScope::AllMailboxes => None,
        })
    }

    /// Whether nothing is hidden in mailboxes without filters of their own.
    pub(crate) fn sees_all_elsewhere(&self) -> bool {
        let all = self.activations.get(&FilterScope::AllMailboxes);
        all.and_then(|names| names.0.as_deref()).is_none_or(|view| view == "ALL")
    }

    /// The names of the filters active for a mailbox: its own, else those for ALL, else the defaults (PI-029).
    pub(crate) fn filter_names(&self, mailbox: &MailboxName) -> (Arc<str>, Arc<str>) {
        let own = self.activations.get(&FilterScope::Mailbox(mailbox.clone()));
        let all = self.activations.get(&FilterScope::AllMailboxes);
        let view = own.and_then(|a| a.0.clone()).or_else(|| all.and_then(|a| a.0.clone()));
        let notification = own.and_then(|a| a.1.clone()).or_else(|| all.and_then(|a| a.1.clone()));
        (view.unwrap_or_else(|| Arc::from("ALL")), notification.unwrap_or_else(|| Arc::from("NONE")))
    }

    /// Sets a filter active. For ALL mailboxes it replaces what single mailboxes had. False: too many.
    pub(crate) fn activate(&mut self, activation: &Activation) -> bool {
        let (view, notification) =
            (activation.kind != FilterKind::Notification, activation.kind != FilterKind::View);
        if activation.scope == FilterScope::AllMailboxes {
            for entry in self.activations.values_mut() {
                if view {
                    entry.0 = None;
                }
                if notification {
                    entry.1 = None;
                }
            }
            self.activations.retain(|_, entry| *entry != (None, None));
        }
        let known = self.activations.contains_key(&activation.scope);
        if !known && self.activations.len() >= limits::ACTIVATIONS_PER_DEVICE_MAX {
            return false;
        }
        let entry = self.activations.entry(activation.scope.clone()).or_default();
        if view {
            entry.0 = Some(activation.filter.clone());
        }
        if notification {
            entry.1 = Some(activation.filter.clone());
        }
        true
    }

    /// Whether a notification filter other than NONE is active for every mailbox.
    pub(crate) fn notifies_everywhere(&self) -> bool {
        let all = self.activations.get(&FilterScope::AllMailboxes).and_then(|a| a.1.as_ref());
        all.is_some_and(|name| &**name != "NONE")
    }

    /// Whether a session is alive for which events are logged, or any notification filter is active.
    pub(crate) fn notifies(&self) -> bool {
        self.session.is_some() && (self.notifies_everywhere() || self.notified_mailboxes().next().is_some())
    }

    /// Mailboxes with a notification filter of their own that is not NONE.
    pub(crate) fn notified_mailboxes(&self) -> impl Iterator<Item = &MailboxName> {
        self.activations.iter().filter_map(|(scope, (_, notification))| match scope {
            FilterScope::Mailbox(mailbox) if notification.as_ref().is_some_and(|n| &**n != "NONE") => {
                Some(mailbox)
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
