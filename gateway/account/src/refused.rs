//! Upstream does not take any more what the account logs in with: a password was changed, a token has ended (D7, F50).
//!
//! Nothing can be watched until a handset logs in with something newer, and silence would be taken for "no mail": whoever
//! is connected is told, whoever is not is woken to come and log in. Cookies and session IDs die; sessions and their logs stay.
//!
//! As master user the gateway gets in whatever became of the password: there a login holds for a time only
//! ([`crate::Options::login_valid_ms`]), and a LOGIN that is refused the last good password ends it at once.

use crate::account::Account;
use crate::device::Device;
use pimap_types::{Code, ConnectionId, DeviceId};

impl Account {
    pub(crate) fn credentials_refused(&mut self) {
        self.upstream.up = false;
        self.revoked();
    }

    /// The password is not taken any more. Whether the account is still watched is another matter.
    pub(crate) fn revoked(&mut self) {
        let known = std::mem::replace(&mut self.upstream.refused, true);
        self.kill_cookies(None);
        self.turn_out();
        if known {
            return;
        }
        let now = self.now;
        let waiting: Vec<DeviceId> =
            self.devices.iter().filter(|(_, device)| device.notifies()).map(|(id, _)| id.clone()).collect();
        for id in waiting {
            self.wake(&id, now);
        }
    }

    /// Whether the device's last LOGIN is too long ago for its cookies and session IDs to stand for one.
    pub(crate) fn is_login_old(&self, device: &Device) -> bool {
        let valid = self.options.login_valid_ms;
        valid.is_some_and(|valid| self.now.since_ms(device.logged_in_at) > valid)
    }

    /// Time: cookies whose LOGIN is too long ago go. What is connected goes on, as on any mail server.
    pub(crate) fn expire_logins(&mut self) {
        let old: Vec<DeviceId> = self
            .devices
            .iter()
            .filter(|(_, device)| device.credential_epoch != 0 && self.is_login_old(device))
            .map(|(id, _)| id.clone())
            .collect();
        old.iter().for_each(|id| self.kill_cookies_of(id));
    }

    /// Ends connections that nothing can be told on any more. Those on which a command runs get its answer first.
    pub(crate) fn turn_out(&mut self) {
        if !self.upstream.refused {
            return;
        }
        let over: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, c)| !c.finished && c.running.is_none() && c.is_stream())
            .map(|(conn, _)| *conn)
            .collect();
        for conn in over {
            let code = Code::word("AUTHENTICATIONFAILED");
            self.end_connection(conn, Some(code), "the mail server refuses this login now; log in again");
        }
    }
}
