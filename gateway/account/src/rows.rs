//! The account as rows of the store: what must outlive a crash (design D6).
//!
//! `f/` filter · `d/` device · `s/` device NUL session row · `m/` mailbox NUL, then `h`, a chunk, or a row of its mod-sequences ·
//! `q` where mod-sequences go on · `secret/key/` device.
//! Rows under `secret/` are sealed by the driver; those it keeps for itself there are passed over.

use crate::account::{Account, Damaged};
use crate::contract::{Count, Options, Output};
use crate::device::Device;
use crate::entropy::sha256;
use crate::filter::NamedFilter;
use crate::mirror::Mirror;
use crate::mod_seq::ModSeqs;
use crate::renamed::Identity;
use pimap_filters::Filter;
use pimap_session::SessionLog;
use pimap_session::codec::{Reader, Writer};
use pimap_session::rows::{read_flags, write_flags};
use pimap_types::preference::{ChannelKind, EventFilter, FilterScope, OutbandFormat};
use pimap_types::rows::{IndexChange, IndexKey, Rows};
use pimap_types::{AccountKey, DeviceId, MailboxName, ModSeq, Secret, Timestamp, UidValidity};
use pimap_wire::decode::parse_new_format;
use std::collections::BTreeMap;
use std::sync::Arc;

const VERSION: u8 = 1;

const MOD_SEQ_MARK: &[u8] = b"q";

/// A row's key and value.
type RowSlice<'a> = (&'a [u8], &'a [u8]);

impl Account {
    /// An account as stored. With `doubt` the store may be older than what handsets were told (F44): every session is told
    /// RESYNC and gets a new incarnation. The first `step` (a `Tick`) emits what the restart requires (Watch, Wake).
    pub fn load(
        key: AccountKey,
        options: Arc<Options>,
        seed: [u8; 32],
        rows: &Rows,
        doubt: bool,
    ) -> Result<Self, Damaged> {
        let mut account = Account::new(key, options, seed);
        let mut sessions: BTreeMap<DeviceId, Vec<RowSlice>> = BTreeMap::new();
        for (key, row) in rows {
            let damaged = || Damaged(format!("row {:?}", String::from_utf8_lossy(key)));
            if let Some(rest) = key.strip_prefix(b"s/") {
                let (device, rest) = split(rest).ok_or_else(damaged)?;
                sessions.entry(device_id(device).ok_or_else(damaged)?).or_default().push((rest, row));
            } else {
                account.load_row(key, row).ok_or_else(damaged)?;
            }
        }
        for (id, rows) in sessions {
            let damaged = || Damaged(format!("session of {id}"));
            let log = SessionLog::load(rows.into_iter()).ok_or_else(damaged)?;
            account.devices.get_mut(&id).ok_or_else(damaged)?.session = Some(Box::new(log));
        }
        if doubt {
            for device in account.devices.values_mut() {
                let incarnation = account.entropy.incarnation();
                if let Some(session) = &mut device.session {
                    session.declare_resync_everywhere(incarnation);
                }
            }
        }
        let sessions = account.devices.values().filter(|d| d.session.is_some()).count();
        account.count(Count::Sessions(i64::try_from(sessions).unwrap_or(i64::MAX)));
        account.just_loaded = true;
        Ok(account)
    }

    fn load_row(&mut self, key: &[u8], row: &[u8]) -> Option<()> {
        if let Some(name) = key.strip_prefix(b"f/") {
            let name: Arc<str> = Arc::from(std::str::from_utf8(name).ok()?);
            self.filters.insert(name, read_filter(row)?);
        } else if let Some(id) = key.strip_prefix(b"d/") {
            let mut device = read_device(row)?;
            let id = device_id(id)?;
            device.mail_address = self.shared_address(&device.mail_address);
            device.key = self.devices.remove(&id).and_then(|known| known.key);
            self.devices.insert(id, Box::new(device));
        } else if let Some(id) = key.strip_prefix(b"secret/key/") {
            // Keys sort behind devices, so the device is there.
            self.devices.get_mut(&device_id(id)?)?.key = Some(Secret::new(row));
        } else if let Some(rest) = key.strip_prefix(b"m/") {
            let (mailbox, rest) = split(rest)?;
            let mailbox = MailboxName::new(std::str::from_utf8(mailbox).ok()?);
            let unknown = || Mirror::new(ModSeqs::starting(0));
            let mirror = self.mirrors.entry(mailbox).or_insert_with(unknown);
            match rest.split_first()? {
                (b'q' | b'c', _) => mirror.mod_seqs.read_row(rest, row)?,
                (b'h', []) => read_mirror(row, mirror)?,
                (b'v', id) => {
                    mirror.uids.decode_chunk(u32::from_be_bytes(id.try_into().ok()?), row).ok()?;
                }
                _ => return None,
            }
        } else if key == MOD_SEQ_MARK {
            self.mod_seq_mark = Reader::version(row, VERSION)?.number()?;
        }
        Some(())
    }

    /// Everything that changed during a step, as rows of its batch.
    pub(crate) fn write_rows(&mut self) {
        for id in std::mem::take(&mut self.dirty_devices) {
            let row = self.devices.get(&id).map(|device| device_row(device));
            self.outbox.row(device_key(b"d/", &id), row);
        }
        for (id, device) in &mut self.devices {
            if let Some(session) = device.session.as_mut().filter(|session| session.is_dirty()) {
                session.take_rows(&session_prefix(id), self.outbox.rows());
            }
        }
        for (mailbox, chunks) in std::mem::take(&mut self.dirty_mirrors) {
            // Mirrors that only regular sessions use need not outlive them.
            let kept = self.is_kept(&mailbox);
            let mirror = self.mirrors.get(&mailbox).filter(|m| kept && m.uid_validity.is_some());
            self.outbox.row(mirror_key(&mailbox, None), mirror.map(mirror_row));
            for chunk in chunks {
                let row = mirror.and_then(|m| m.uids.encode_chunk(chunk));
                self.outbox.row(mirror_key(&mailbox, Some(chunk)), row);
            }
            if let Some(mirror) = self.mirrors.get_mut(&mailbox) {
                for (key, row) in mirror.mod_seqs.take_rows() {
                    self.outbox.row(mod_seq_key(&mailbox, &key), row);
                }
            }
        }
    }

    /// Where mod-sequences go on when a counter is dropped.
    pub(crate) fn write_mod_seq_mark(&mut self) {
        let mut w = Writer::version(VERSION);
        w.number(self.mod_seq_mark);
        self.outbox.row(MOD_SEQ_MARK.to_vec(), Some(w.finish()));
    }

    /// The mod-sequences of a mailbox are dropped with their rows.
    pub(crate) fn forget_mod_seq_rows(&mut self, mailbox: &MailboxName, keys: Vec<Vec<u8>>) {
        for key in keys {
            self.outbox.row(mod_seq_key(mailbox, &key), None);
        }
    }

    /// Whether a mirror is stored: a device's session has been told of the mailbox, a filter notifies of it, or a handset knows its
    /// mod-sequences and may come back with one.
    fn is_kept(&self, mailbox: &MailboxName) -> bool {
        let counted = self.mirrors.get(mailbox).is_some_and(|m| m.mod_seqs.used().is_some());
        counted
            || self.devices.values().any(|device| {
                let told = device.session.as_ref().is_some_and(|s| s.told(mailbox).is_some());
                told || device.notifies_everywhere() || device.notified_mailboxes().any(|m| m == mailbox)
            })
    }

    /// A mailbox that becomes one of a device's is stored whole from now on.
    pub(crate) fn keep_mirror(&mut self, mailbox: &MailboxName) {
        if let Some(mirror) = self.mirrors.get(mailbox) {
            let chunks: Vec<u32> = mirror.uids.chunk_ids().collect();
            self.dirty_mirrors.entry(mailbox.clone()).or_default().extend(chunks);
        }
    }

    pub(crate) fn write_filter_row(&mut self, name: &str, filter: &NamedFilter) {
        let mut w = Writer::version(VERSION);
        w.bytes(&filter.description).bytes(&filter.criteria.source);
        w.optional_text(filter.criteria.charset.as_deref());
        self.outbox.row([b"f/", name.as_bytes()].concat(), Some(w.finish()));
    }

    pub(crate) fn write_key_row(&mut self, id: &DeviceId, key: &Secret) {
        self.outbox.row(device_key(b"secret/key/", id), Some(key.expose().to_vec()));
    }

    /// A session ended: its rows and cookies go.
    pub(crate) fn forget_session_rows(
        &mut self,
        id: &DeviceId,
        mut session: Box<SessionLog>,
        cookies: [Option<[u8; 32]>; 2],
    ) {
        session.erase(&session_prefix(id), self.outbox.rows());
        let name = IndexKey::Session(sha256(session.id.0.as_bytes()));
        self.outbox.index(IndexChange { key: name, present: false });
        for cookie in cookies.into_iter().flatten() {
            self.outbox.index(IndexChange { key: IndexKey::Cookie(cookie), present: false });
        }
    }

    /// Upstream refuses the password, or another one is in use now (`epoch`): cookies and session IDs that came of it die with
    /// it (F50), until the device logs in.
    pub(crate) fn kill_cookies(&mut self, epoch: Option<u64>) {
        let of_another = |device: &Device| Some(device.credential_epoch) != epoch;
        let others: Vec<DeviceId> =
            self.devices.iter().filter(|(_, d)| of_another(d)).map(|(id, _)| id.clone()).collect();
        others.iter().for_each(|id| self.kill_cookies_of(id));
    }

    /// The same for one device.
    pub(crate) fn kill_cookies_of(&mut self, id: &DeviceId) {
        let Some(device) = self.devices.get_mut(id) else { return };
        if std::mem::take(&mut device.credential_epoch) != 0 {
            self.dirty_devices.insert(id.clone());
        }
        for cookie in std::mem::take(&mut device.cookies).into_iter().flatten() {
            self.outbox.index(IndexChange { key: IndexKey::Cookie(cookie), present: false });
            self.dirty_devices.insert(id.clone());
        }
    }

    /// A device proved its key by HELLO.
    pub(crate) fn registered(&mut self, id: &DeviceId, registration: Vec<u8>) {
        let Some(device) = self.devices.get_mut(id) else { return };
        device.registration = Some(registration.into_boxed_slice());
        self.dirty_devices.insert(id.clone());
        // HELLO says where the device is; what it has missed it learns by coming back. A wake-up that was under way goes on.
        self.outbox.push(Output::Count(Count::Command("HELLO", "ok")));
    }
}

fn device_id(bytes: &[u8]) -> Option<DeviceId> {
    DeviceId::new(std::str::from_utf8(bytes).ok()?)
}

fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.iter().position(|b| *b == 0)?;
    Some((&rest[..end], &rest[end + 1..]))
}

fn device_key(kind: &[u8], id: &DeviceId) -> Vec<u8> {
    [kind, id.as_str().as_bytes()].concat()
}

fn session_prefix(id: &DeviceId) -> Vec<u8> {
    [b"s/", id.as_str().as_bytes(), &[0]].concat()
}

fn mirror_key(mailbox: &MailboxName, chunk: Option<u32>) -> Vec<u8> {
    let mut key = [b"m/", mailbox.as_str().as_bytes(), &[0]].concat();
    match chunk {
        None => key.push(b'h'),
        Some(chunk) => {
            key.push(b'v');
            key.extend_from_slice(&chunk.to_be_bytes());
        }
    }
    key
}

fn mod_seq_key(mailbox: &MailboxName, key: &[u8]) -> Vec<u8> {
    [b"m/", mailbox.as_str().as_bytes(), &[0], key].concat()
}

fn mirror_row(mirror: &Mirror) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    w.number(mirror.uid_validity.map_or(0, |v| v.get()).into());
    w.number(mirror.uid_next.into()).number(mirror.highest.0);
    write_flags(&mut w, &mirror.flags);
    write_flags(&mut w, &mirror.permanent.0);
    w.flag(mirror.permanent.1);
    w.finish()
}

fn read_mirror(row: &[u8], mirror: &mut Mirror) -> Option<()> {
    let mut r = Reader::version(row, VERSION)?;
    mirror.uid_validity = UidValidity::new(r.small()?);
    mirror.uid_next = r.small()?;
    mirror.highest = ModSeq(r.number()?);
    mirror.flags = read_flags(&mut r)?;
    mirror.permanent = (read_flags(&mut r)?, r.flag()?);
    r.at_end().then_some(())
}

fn read_filter(row: &[u8]) -> Option<NamedFilter> {
    let mut r = Reader::version(row, VERSION)?;
    let description = r.bytes()?.to_vec();
    let source = r.bytes()?;
    let charset = r.optional_text()?;
    let criteria = pimap_wire::search::parse_criteria(source, charset).ok()?;
    let filter = Arc::new(Filter::compile(&criteria.key).ok()?);
    r.at_end().then_some(NamedFilter { description, criteria, filter })
}

fn device_row(device: &Device) -> Vec<u8> {
    let mut w = Writer::version(VERSION);
    let p = &device.preferences;
    w.text(&device.mail_address).optional_text(p.address.as_deref());
    w.text(p.channel.as_str()).flag(p.inband_push).flag(p.format == OutbandFormat::Extended);
    w.text(p.event_filter.as_str()).flag(device.touched);
    w.optional_text(device.notification_id.as_deref());
    w.bytes(device.registration.as_deref().unwrap_or_default());
    for cookie in &device.cookies {
        w.bytes(cookie.as_ref().map_or(&[], |hash| &hash[..]));
    }
    w.number(device.credential_epoch).signed(device.last_seen.0).signed(device.event_time.0);
    w.number(device.activations.len() as u64);
    for (scope, (view, notification)) in &device.activations {
        w.optional_text(match scope {
            FilterScope::AllMailboxes => None,
            FilterScope::Mailbox(mailbox) => Some(mailbox.as_str()),
        });
        w.optional_text(view.as_deref()).optional_text(notification.as_deref());
    }
    w.text(p.new_format.as_str()).signed(device.logged_in_at.0);
    w.number(device.seen.len() as u64);
    for (mailbox, identity) in &device.seen {
        w.text(mailbox.as_str()).number(identity.uid_validity.get().into()).number(identity.uid_next.into());
    }
    w.finish()
}

fn read_device(row: &[u8]) -> Option<Device> {
    let mut r = Reader::version(row, VERSION)?;
    let mut device = Device::new(Arc::from(r.text()?), Timestamp(0));
    device.preferences.address = r.optional_text()?.map(Box::from);
    device.preferences.channel = ChannelKind::parse(r.text()?)?;
    device.preferences.inband_push = r.flag()?;
    device.preferences.format = if r.flag()? { OutbandFormat::Extended } else { OutbandFormat::Emn };
    let word = r.text()?;
    device.preferences.event_filter =
        [EventFilter::All, EventFilter::New, EventFilter::None].into_iter().find(|f| f.as_str() == word)?;
    device.touched = r.flag()?;
    device.notification_id = r.optional_text()?.map(Box::from);
    let registration = r.bytes()?;
    device.registration = (!registration.is_empty()).then(|| Box::from(registration));
    for cookie in &mut device.cookies {
        let hash = r.bytes()?;
        *cookie = if hash.is_empty() { None } else { Some(hash.try_into().ok()?) };
    }
    device.credential_epoch = r.number()?;
    device.last_seen = Timestamp(r.signed()?);
    device.event_time = Timestamp(r.signed()?);
    for _ in 0..r.number()? {
        let scope = r.optional_text()?;
        let scope = scope.map_or(FilterScope::AllMailboxes, |m| FilterScope::Mailbox(MailboxName::new(m)));
        let names = (r.optional_text()?.map(Arc::from), r.optional_text()?.map(Arc::from));
        device.activations.insert(scope, names);
    }
    if !r.at_end() {
        // Rows written before there were formats end here.
        device.preferences.new_format = parse_new_format(r.text()?)?;
    }
    if !r.at_end() {
        // Of rows written before this was, it is not known: a login of long ago.
        device.logged_in_at = Timestamp(r.signed()?);
        for _ in 0..r.number()? {
            let mailbox = MailboxName::new(r.text()?);
            let uid_validity = UidValidity::new(u32::try_from(r.number()?).ok()?)?;
            let uid_next = u32::try_from(r.number()?).ok()?;
            device.seen.insert(mailbox, Identity { uid_validity, uid_next });
        }
    }
    r.at_end().then_some(device)
}
