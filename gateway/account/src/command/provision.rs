//! XPROVISION (P-IMAP 5.2.1, digest 9): what a device may set, and where and under which key it is reached.

use super::{Progress, no, ok};
use crate::account::Account;
use pimap_types::preference::ChannelKind;
use pimap_types::{ConnectionId, DeviceId, Response};

/// The search keys of which a filter may be made, as XPROVISION lists them.
const FILTER_KEYS: &str = "ALL ANSWERED BCC BEFORE BODY CC DAYSBEFORETODAY DELETED DRAFT FLAGGED FROM HEADER KEYWORD LARGER \
    NOT ON OR SEEN SENTBEFORE SENTON SENTSINCE SINCE SMALLER SUBJECT TEXT TO UNANSWERED UNDELETED UNDRAFT UNFLAGGED \
    UNKEYWORD UNSEEN";

/// The forms of an arrival, as XPROVISION lists them; any item of FETCH, and any list of them, may be set too (digest 9, 10).
const NEW_FORMATS: &str = "NONE ALL FAST FULL";

impl Account {
    pub(super) fn begin_provision(
        &mut self,
        conn: ConnectionId,
        device: Option<&DeviceId>,
        notification_id: Option<&str>,
    ) -> Progress {
        let own = self.device_of(conn);
        let Some(id) = device.cloned().or(own.clone()) else {
            return no("CANNOT", "name the device: this is a regular IMAP session");
        };
        // Another device of the same account may be provisioned from a regular session only; foreign ones never (PI-054).
        let foreign = own.as_ref().is_some_and(|own| *own != id) || !self.devices.contains_key(&id);
        if foreign {
            return no("CANNOT", "no such device of this account");
        }
        if let Some(text) = notification_id {
            if let Some(d) = self.devices.get_mut(&id) {
                d.notification_id = Some(Box::from(text));
            }
            self.dirty_devices.insert(id.clone());
        }
        let line = |item: &str, values: &str| Response::Xprovision {
            item: item.to_owned(),
            values: values.split_whitespace().map(str::to_owned).collect(),
        };
        let channels: Vec<&str> = self
            .options
            .channels
            .iter()
            .copied()
            .chain([ChannelKind::None])
            .map(ChannelKind::as_str)
            .collect();
        let mut names: Vec<String> = vec!["ALL".into(), "NONE".into()];
        names.extend(self.filters.keys().map(|name| name.to_string()));
        let mut folders: Vec<String> = vec!["INBOX".into()];
        folders.extend(self.mirrors.keys().filter(|m| !m.is_inbox()).map(|m| m.as_str().to_owned()));
        let mut lines = vec![
            line("XFILTER_GET", "DESC CRITERIA"),
            line("XFILTER_SET", FILTER_KEYS),
            line("XPIMAPPREF PIMAP_OUTBAND_CHANNEL", &channels.join(" ")),
            line("XPIMAPPREF PIMAP_INBAND_NEW_FORMAT", NEW_FORMATS),
            line("XPIMAPPREF PIMAP_INBAND_PUSH", "ON OFF"),
            line("XPIMAPPREF PIMAP_OUTBAND_FORMAT", "EMN"),
            line("XPIMAPPREF PIMAP_EVENT_FILTER", "ALL NONE NEW"),
            Response::Xprovision { item: "XPIMAPPREF XFILTER_FOLDER".into(), values: folders },
            line("XPIMAPPREF XFILTER_TYPE", "V N B"),
            Response::Xprovision { item: "XPIMAPPREF XFILTER_NAME".into(), values: names },
        ];
        if let Some((host, port)) = &self.options.udp {
            lines.push(line("PIMAP_UDP_HOST", host));
            lines.push(line("PIMAP_UDP_PORT", &port.to_string()));
            lines.push(line("PIMAP_NOTIFICATION_ADDRESS", host));
            lines.push(line("PIMAP_NOTIFICATION_PORT", &port.to_string()));
        }
        for line in lines {
            self.write(conn, line);
        }
        self.write_key(conn, &id);
        ok()
    }

    /// The device's key, over TLS only (PI-053), made on first asking.
    fn write_key(&mut self, conn: ConnectionId, id: &DeviceId) {
        let may_show = self.connections.get(&conn).is_some_and(|c| c.transport.may_show_key);
        if !may_show || self.options.udp.is_none() {
            return;
        }
        let fresh = self.entropy.device_key();
        let Some(device) = self.devices.get_mut(id) else { return };
        let made = device.key.is_none();
        let key = device.key.get_or_insert(fresh).clone();
        if made {
            self.write_key_row(id, &key);
        }
        let values = vec![base64(key.expose())];
        self.write(conn, Response::Xprovision { item: "PIMAP_ENC_KEY".into(), values });
        let values = vec!["AES".to_owned()];
        self.write(conn, Response::Xprovision { item: "PIMAP_ENC_ALG".into(), values });
    }
}

/// Base64 (RFC 4648 4), of short values.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sextet = (n >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
