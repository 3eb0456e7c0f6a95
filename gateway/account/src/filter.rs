//! Named filters of the account, and which are in use where.

use crate::account::Account;
use crate::connection::Owner;
use crate::verdict::{ActiveFilter, Verdicts};
use pimap_filters::Filter;
use pimap_types::search::Criteria;
use pimap_types::{DeviceId, MailboxName};
use std::sync::{Arc, LazyLock};

/// A filter made by XFILTER SET: per account, visible to all its devices (digest 11).
#[derive(Clone)]
pub(crate) struct NamedFilter {
    pub(crate) description: Vec<u8>,
    pub(crate) criteria: Criteria,
    pub(crate) filter: Arc<Filter>,
}

fn unnamed(filter: Filter) -> Arc<ActiveFilter> {
    Arc::new(ActiveFilter { filter: Arc::new(filter), charset: None })
}

impl Account {
    /// A filter by its name, the system's ALL and NONE included; an unknown name (which cannot be activated) hides
    /// everything rather than showing what was meant to be hidden.
    pub(crate) fn active_filter(&self, name: &str) -> Arc<ActiveFilter> {
        if let Some(filter) = Filter::system(name) {
            // Most devices have the same two: they share them.
            static ALL: LazyLock<Arc<ActiveFilter>> = LazyLock::new(|| unnamed(Filter::all()));
            static NONE: LazyLock<Arc<ActiveFilter>> = LazyLock::new(|| unnamed(Filter::none()));
            let shared = if filter.is_all() { &ALL } else { &NONE };
            return Arc::clone(shared);
        }
        match self.filters.get(name) {
            Some(named) => Arc::new(ActiveFilter {
                filter: named.filter.clone(),
                charset: named.criteria.charset.clone(),
            }),
            None => unnamed(Filter::none()),
        }
    }

    /// The device's verdicts on a mailbox, made anew where its filters are others than before.
    pub(crate) fn ensure_verdicts(&mut self, id: &DeviceId, mailbox: &MailboxName) {
        let Some(device) = self.devices.get(id) else { return };
        let (view, notification) = device.filter_names(mailbox);
        let (view, notification) = (self.active_filter(&view), self.active_filter(&notification));
        let Some(device) = self.devices.get_mut(id) else { return };
        let current = device.verdicts.get(mailbox);
        if current.is_some_and(|v| v.view == view && v.notification == notification) {
            return;
        }
        let mut verdicts = Verdicts::new(view, notification);
        if let Some(told) = device.session.as_ref().and_then(|s| s.told(mailbox)).filter(|told| !told.resync)
        {
            // Until everything is evaluated the members are those that the log knows of.
            verdicts.in_view = told.live();
        }
        device.verdicts.insert(mailbox.clone(), Box::new(verdicts));
    }

    /// A named filter changed: devices that use it judge anew, and other devices' sessions are told RESYNC where their view
    /// changes (PI-060).
    pub(crate) fn filter_redefined(&mut self, name: &str, by: &Owner) {
        let ids: Vec<DeviceId> = self.devices.keys().cloned().collect();
        for id in ids {
            let Some(device) = self.devices.get_mut(&id) else { continue };
            let mailboxes: Vec<MailboxName> = device.verdicts.keys().cloned().collect();
            let told: Vec<MailboxName> =
                device.session.iter().flat_map(|s| s.mailboxes().map(|(m, _)| m.clone())).collect();
            let mirrored: Vec<MailboxName> = self.mirrors.keys().cloned().collect();
            for mailbox in mailboxes.iter().chain(&told).chain(&mirrored) {
                let Some(device) = self.devices.get_mut(&id) else { continue };
                let (view, notification) = device.filter_names(mailbox);
                if *view != *name && *notification != *name {
                    continue;
                }
                if *view == *name && Owner::Device(id.clone()) != *by {
                    self.break_truth(&Owner::Device(id.clone()), mailbox, "filter_changed");
                }
                self.judge_anew(&id, mailbox);
            }
        }
    }
}
