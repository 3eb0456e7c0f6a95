//! Upstream does not take any more what the account logs in with: a password was changed, a token has ended (D7, F50).
//!
//! Nothing can be watched until a handset logs in with something newer, and silence would be taken for "no mail": whoever
//! is connected is told, whoever is not is woken to come and log in. Cookies and session IDs die; sessions and their logs stay.

use crate::account::Account;
use pimap_types::{Code, ConnectionId, DeviceId};

impl Account {
    pub(crate) fn credentials_refused(&mut self) {
        let known = std::mem::replace(&mut self.upstream.refused, true);
        self.upstream.up = false;
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
