//! Wake-ups of one account's devices (design D10): schedules that the account's tick drives, notices that leave beside it.

use pimap_account::contract::Wake;
use pimap_channels::wake::{Due, WakeSchedule, WakeSettings};
use pimap_channels::{Channels, Outcome};
use pimap_types::notice::Notice;
use pimap_types::{AccountKey, DeviceId, Timestamp};
use std::collections::HashMap;
use tokio::task::JoinSet;

/// The wake-ups of one account.
pub struct Wakes {
    account: AccountKey,
    channels: Channels,
    settings: WakeSettings,
    devices: HashMap<DeviceId, (WakeSchedule, Option<Wake>)>,
    /// Notices on their way. A dead channel keeps them there for a while and blocks nothing.
    leaving: JoinSet<(DeviceId, Outcome)>,
}

impl Wakes {
    /// No wake-up yet.
    pub fn new(account: AccountKey, channels: Channels) -> Self {
        Self {
            account,
            channels,
            settings: WakeSettings::default(),
            devices: HashMap::new(),
            leaving: JoinSet::new(),
        }
    }

    /// Something happened that the device should fetch.
    pub fn on_wake(&mut self, wake: Wake, now: Timestamp) {
        let (schedule, latest) = self.devices.entry(wake.device.clone()).or_default();
        schedule.on_event(wake.event_time, &self.settings, now);
        *latest = Some(wake);
    }

    /// The device was heard of.
    pub fn on_contact(&mut self, device: &DeviceId) {
        if let Some((schedule, _)) = self.devices.get_mut(device) {
            schedule.on_contact();
        }
    }

    /// The device has an address again.
    pub fn on_reachable(&mut self, device: &DeviceId, now: Timestamp) {
        if let Some((schedule, _)) = self.devices.get_mut(device) {
            schedule.on_reachable(&self.settings, now);
        }
    }

    /// Sends what is due.
    pub fn on_tick(&mut self, now: Timestamp) {
        for (device, (schedule, latest)) in &mut self.devices {
            let Some(wake) = latest else { continue };
            match schedule.due(&self.settings, now, |_| Ok(())) {
                Due::Nothing => {}
                Due::GivenUp => crate::metrics::outband(wake.channel, "given_up"),
                Due::Send { event_time, .. } => {
                    let notice = Notice {
                        account: self.account.clone(),
                        device: device.clone(),
                        channel: wake.channel,
                        format: wake.format,
                        address: wake.address.clone(),
                        mail_address: wake.mail_address.clone(),
                        event_time,
                    };
                    let (channels, device) = (self.channels.clone(), device.clone());
                    self.leaving.spawn(async move {
                        let outcome = channels.send(&notice).await;
                        crate::metrics::outband(notice.channel, outcome.as_str());
                        (device, outcome)
                    });
                }
            }
        }
    }

    /// Waits until a notice has left, or has not; pending for ever when none is on its way.
    pub async fn left(&mut self) {
        match self.leaving.join_next().await {
            Some(Ok((device, Outcome::Refused | Outcome::NoAddress))) => {
                if let Some((schedule, _)) = self.devices.get_mut(&device) {
                    schedule.on_refused();
                }
            }
            Some(_) => {}
            None => std::future::pending().await,
        }
    }

    /// Whether any device waits for a notice.
    pub fn is_quiet(&self) -> bool {
        self.leaving.is_empty()
            && self.devices.values().all(|(schedule, _)| schedule.next_deadline().is_none())
    }
}
