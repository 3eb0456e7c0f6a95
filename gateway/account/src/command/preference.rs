//! XSETPIMAPPREF, XGETPIMAPPREFS and XFILTER (P-IMAP 5.2.2, 5.2.3; digest 10, 11).

use super::{Progress, no, ok};
use crate::account::Account;
use crate::connection::Owner;
use crate::filter::NamedFilter;
use pimap_filters::Filter;
use pimap_types::preference::{
    Activation, ChannelKind, FilterScope, OutbandFormat, PreferenceName, PreferenceSetting,
};
use pimap_types::response::PreferenceValue;
use pimap_types::search::Criteria;
use pimap_types::{Code, ConnectionId, MailboxName, Response, Status, limits};
use std::sync::Arc;

impl Account {
    pub(super) fn begin_set_preference(
        &mut self,
        conn: ConnectionId,
        setting: &PreferenceSetting,
    ) -> Progress {
        let Some(id) = self.device_of(conn) else { return Progress::Over };
        if let PreferenceSetting::Xfilter(activation) = setting {
            return self.activate(conn, activation);
        }
        let channels = self.options.channels.clone();
        let Some(device) = self.devices.get_mut(&id) else { return Progress::Over };
        let preferences = &mut device.preferences;
        match setting {
            PreferenceSetting::OutbandAddress(address) => {
                if !fits(preferences.channel, address) {
                    return no("CANNOT", "not an address of the outband channel");
                }
                preferences.address = (!address.is_empty()).then(|| address.clone().into_boxed_str());
            }
            PreferenceSetting::OutbandChannel(channel) => {
                if *channel != ChannelKind::None && !channels.contains(channel) {
                    return no("CANNOT", "this channel is not offered; XPROVISION lists those that are");
                }
                preferences.channel = *channel;
            }
            PreferenceSetting::InbandNewFormat(format) => preferences.new_format = format.clone(),
            PreferenceSetting::InbandPush(on) => preferences.inband_push = *on,
            PreferenceSetting::OutbandFormat(OutbandFormat::Extended) => {
                return no("CANNOT", "EXTENDED is not offered; XPROVISION lists what is");
            }
            PreferenceSetting::OutbandFormat(format) => preferences.format = *format,
            PreferenceSetting::EventFilter(filter) => preferences.event_filter = *filter,
            PreferenceSetting::Unsupported(_) => return no("CANNOT", "this value is not supported"),
            PreferenceSetting::Xfilter(_) => {}
        }
        device.touched = true;
        self.dirty_devices.insert(id);
        ok()
    }

    /// Sets a named filter active for a mailbox, or for all (PI-031, PI-059).
    fn activate(&mut self, conn: ConnectionId, activation: &Activation) -> Progress {
        let Some(id) = self.device_of(conn) else { return Progress::Over };
        let known =
            Filter::system(&activation.filter).is_some() || self.filters.contains_key(&activation.filter);
        if !known {
            return no("CANNOT", "no such filter; make it by XFILTER SET");
        }
        let Some(device) = self.devices.get_mut(&id) else { return Progress::Over };
        if !device.activate(activation) {
            return no("LIMIT", "too many active filters");
        }
        device.touched = true;
        self.dirty_devices.insert(id.clone());
        let concerned: Vec<MailboxName> = match &activation.scope {
            FilterScope::Mailbox(mailbox) => vec![mailbox.clone()],
            FilterScope::AllMailboxes => self.mirrors.keys().cloned().collect(),
        };
        for mailbox in concerned {
            self.judge_anew(&id, &mailbox);
        }
        ok()
    }

    /// The device's filters on a mailbox changed: it is judged anew where it is known, and looked at where facts lack.
    pub(crate) fn judge_anew(&mut self, id: &pimap_types::DeviceId, mailbox: &MailboxName) {
        self.view_in_doubt(id, mailbox);
        self.ensure_verdicts(id, mailbox);
        if self.mirrors.contains_key(mailbox) {
            let needs =
                self.devices.get(id).and_then(|d| d.verdicts.get(mailbox)).is_some_and(|v| v.needs_facts());
            if needs && self.mirrors.get(mailbox).is_some_and(|m| m.facts.is_none()) {
                self.sync(mailbox);
            }
            self.ask_atoms(mailbox);
        }
    }

    pub(super) fn begin_get_preferences(&mut self, conn: ConnectionId, names: &[PreferenceName]) -> Progress {
        let Some(device) = self.device_of(conn).and_then(|id| self.devices.get(&id)) else {
            return Progress::Over;
        };
        let mut pairs = Vec::new();
        let p = &device.preferences;
        let word = |w: &'static str| PreferenceValue::Word(w.into());
        for name in names {
            let value = match name {
                PreferenceName::OutbandAddress => p
                    .address
                    .clone()
                    .map_or(PreferenceValue::Nil, |address| PreferenceValue::Text(address.into())),
                PreferenceName::OutbandChannel => word(p.channel.as_str()),
                PreferenceName::InbandNewFormat => PreferenceValue::Items(p.new_format.as_str().into()),
                PreferenceName::InbandPush => word(if p.inband_push { "ON" } else { "OFF" }),
                PreferenceName::OutbandFormat => word(match p.format {
                    OutbandFormat::Emn => "EMN",
                    OutbandFormat::Extended => "EXTENDED",
                }),
                PreferenceName::EventFilter => word(p.event_filter.as_str()),
                PreferenceName::Xfilter => {
                    let activations = activations(device);
                    pairs.extend(activations.into_iter().map(|value| (name.as_str(), value)));
                    continue;
                }
            };
            pairs.push((name.as_str(), value));
        }
        self.write(conn, Response::Preferences(pairs));
        ok()
    }

    pub(super) fn begin_filter_get(
        &mut self,
        conn: ConnectionId,
        name: &Arc<str>,
        description: bool,
        criteria: bool,
    ) -> Progress {
        let (stored_description, source) = match (&**name, self.filters.get(name)) {
            ("ALL", _) => (b"every message".to_vec(), b"ALL".to_vec()),
            ("NONE", _) => (b"no message".to_vec(), b"NOT ALL".to_vec()),
            (_, Some(named)) => (named.description.clone(), named.criteria.source.clone()),
            (_, None) => return no("NONEXISTENT", "no such filter"),
        };
        let response = Response::Filter {
            name: name.clone(),
            description: description.then_some(stored_description),
            criteria: criteria.then_some(source),
        };
        self.write(conn, response);
        ok()
    }

    pub(super) fn begin_filter_set(
        &mut self,
        conn: ConnectionId,
        name: &Arc<str>,
        description: &[u8],
        criteria: &Criteria,
    ) -> Progress {
        let Some(id) = self.device_of(conn) else { return Progress::Over };
        if Filter::system(name).is_some() {
            return no("CANNOT", "ALL and NONE are the system's");
        }
        let over = name.len() > limits::FILTER_NAME_BYTES_MAX
            || description.len() > limits::FILTER_DESCRIPTION_BYTES_MAX
            || criteria.source.len() > limits::FILTER_CRITERIA_BYTES_MAX;
        if over {
            return no("LIMIT", "name, description or criteria are too long");
        }
        let filter = match Filter::compile(&criteria.key) {
            Ok(filter) => Arc::new(filter),
            Err(refused) => {
                let ending = crate::connection::Ending::new(
                    Status::No,
                    Some(Code::word("CANNOT")),
                    refused.to_string(),
                );
                return Progress::End(ending);
            }
        };
        let full = self.filters.len() >= limits::NAMED_FILTERS_PER_ACCOUNT_MAX;
        if full && !self.filters.contains_key(name) {
            return no("LIMIT", "too many filters");
        }
        let named = NamedFilter { description: description.to_vec(), criteria: criteria.clone(), filter };
        self.write_filter_row(name, &named);
        let redefined = self.filters.insert(name.clone(), named).is_some();
        if let Some(device) = self.devices.get_mut(&id) {
            device.touched = true;
        }
        self.dirty_devices.insert(id.clone());
        if redefined {
            self.filter_redefined(name, &Owner::Device(id));
        }
        ok()
    }
}

/// The active filters as XGETPIMAPPREFS shows them; a fresh device's defaults are ALL and NONE for all (PI-029).
fn activations(device: &crate::device::Device) -> Vec<PreferenceValue> {
    let (mut all_view, mut all_notification): (Arc<str>, Arc<str>) = (Arc::from("ALL"), Arc::from("NONE"));
    if let Some((view, notification)) = device.activations.get(&FilterScope::AllMailboxes) {
        all_view = view.clone().unwrap_or(all_view);
        all_notification = notification.clone().unwrap_or(all_notification);
    }
    let mut values = Vec::new();
    show(&mut values, None, Some(&all_view), Some(&all_notification));
    for (scope, (view, notification)) in &device.activations {
        if let FilterScope::Mailbox(mailbox) = scope {
            show(&mut values, Some(mailbox), view.as_ref(), notification.as_ref());
        }
    }
    values
}

fn show(
    values: &mut Vec<PreferenceValue>,
    mailbox: Option<&MailboxName>,
    view: Option<&Arc<str>>,
    notification: Option<&Arc<str>>,
) {
    let value = |kind: &'static str, name: &Arc<str>| {
        PreferenceValue::Activation(mailbox.cloned(), kind, name.clone())
    };
    match (view, notification) {
        (Some(view), Some(notification)) if view == notification => values.push(value("B", view)),
        _ => {
            values.extend(view.map(|name| value("V", name)));
            values.extend(notification.map(|name| value("N", name)));
        }
    }
}

/// Whether an address is one of the channel's (PI-061). Any may be set before a channel is.
fn fits(channel: ChannelKind, address: &str) -> bool {
    if address.is_empty() {
        return true;
    }
    let number = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let mail = |text: &str| {
        text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
    };
    match channel {
        ChannelKind::None | ChannelKind::Udp | ChannelKind::Jms => true,
        ChannelKind::Sms | ChannelKind::GsmSms | ChannelKind::WapPush | ChannelKind::WapWdp => {
            number(address)
        }
        ChannelKind::Mms => number(address) || mail(address),
        ChannelKind::Sip => {
            ["sip:", "sips:"].iter().any(|scheme| address.starts_with(scheme) && mail(address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChannelKind, fits};

    #[test]
    fn an_address_is_one_of_the_channels_form() {
        let cases = [
            (ChannelKind::Sms, "13335559999", true),
            (ChannelKind::Sms, "+4915112345678", true),
            (ChannelKind::Sms, "abc", false),
            (ChannelKind::GsmSms, "12", false),
            (ChannelKind::Mms, "joe@example.org", true),
            (ChannelKind::Mms, "joe@", false),
            (ChannelKind::Sip, "sip:joe@example.org", true),
            (ChannelKind::Sip, "joe@example.org", false),
            (ChannelKind::Udp, "anything", true),
            (ChannelKind::Sms, "", true),
        ];
        for (channel, address, is_one) in cases {
            assert_eq!(fits(channel, address), is_one, "{channel:?} {address}");
        }
    }
}
