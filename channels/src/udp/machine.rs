//! The decisions of the UDP channel: who is answered what, and which address a device has (P-IMAP 5.1.6, F37,
//! F52).
//!
//! In: datagrams, the keys that the server found for a device ID, the time. Out: a [`Step`], an [`Answer`],
//! an address. Looking keys up needs the store, so a HELLO passes in two steps: [`Machine::on_datagram`]
//! gives a [`Question`], and [`Machine::on_candidates`] takes it back with what was found. Refuses I/O,
//! clocks and randomness (its seed is given).

use super::registration::{Entry, Name, Table};
use super::{CANDIDATES_MAX, Candidate, Registration, UdpSettings};
use crate::budget::{Budgets, Rate, Used};
use crate::hello::{self, Hello};
use crate::px1::{Key, Sealed};
use pimap_types::{AccountKey, DeviceId, Timestamp};
use std::net::{IpAddr, SocketAddr};

/// Answers to senders that have proved nothing, for each network prefix (F37).
const UNPROVED: Rate = Rate { burst: 1, interval_ms: 1_000 };
/// Prefixes told apart; more share budgets (32 KiB).
const PREFIX_SLOTS: usize = 4_096;
/// Fresh HELLOs of one device, each of which is a write to the store; more: silence.
const FRESH: Rate = Rate { burst: 10, interval_ms: 1_000 };

/// What became of a datagram, for counters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// No HELLO by its form, or from an address that nothing can be sent to: silence.
    NotHello,
    /// No key, or not the right one.
    Invalid,
    /// A HELLO that was accepted before: answered, and moves nothing.
    Replayed,
    /// Fresh and right, but one of too many: silence, nothing moves.
    TooOften,
    /// The device is registered at the address it had.
    Refreshed,
    /// The device is registered at a new address.
    Moved,
    /// No room to look keys up: silence.
    Overload,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 7] = [
        Verdict::NotHello,
        Verdict::Invalid,
        Verdict::Replayed,
        Verdict::TooOften,
        Verdict::Refreshed,
        Verdict::Moved,
        Verdict::Overload,
    ];

    /// A word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::NotHello => "not_hello",
            Verdict::Invalid => "invalid",
            Verdict::Replayed => "replayed",
            Verdict::TooOften => "too_often",
            Verdict::Refreshed => "refreshed",
            Verdict::Moved => "moved",
            Verdict::Overload => "overload",
        }
    }
}

/// What a datagram leads to.
#[derive(PartialEq, Eq, Debug)]
pub enum Step {
    /// Look up the accounts that have this device, and come back to [`Machine::on_candidates`].
    LookUp(Question),
    /// It is settled already.
    Settled(Answer),
}

/// A HELLO that waits for keys.
#[derive(PartialEq, Eq, Debug)]
pub struct Question {
    device: DeviceId,
    sealed: Sealed,
    from: SocketAddr,
    request_bytes: usize,
}

impl Question {
    /// Whose keys are wanted.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }
}

/// What is to be done about a datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// For the counters.
    pub verdict: Verdict,
    /// The datagram's sender.
    pub to: SocketAddr,
    /// What to send there, never longer than the request; `None` is silence.
    pub reply: Option<Vec<u8>>,
    /// Registrations that changed, to be stored before the reply leaves.
    pub bound: Vec<(AccountKey, Registration)>,
}

/// The state of the channel.
#[derive(Debug)]
pub struct Machine {
    /// `host:port`, what a handset learns from OK.
    advertise: String,
    lifetime_ms: i64,
    table: Table,
    prefixes: Budgets,
}

impl Machine {
    /// A machine that knows nobody. `seed` is random, see [`Budgets`].
    pub fn new(settings: &UdpSettings, port: u16, seed: u64) -> Self {
        Self {
            advertise: format!("{}:{port}", settings.advertise_host),
            lifetime_ms: settings.lifetime_ms,
            table: Table::new(settings.registrations_max),
            prefixes: Budgets::new(UNPROVED, PREFIX_SLOTS, seed),
        }
    }

    /// First step: the form. No key is looked up for what cannot be right.
    pub fn on_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Timestamp) -> Step {
        let request_bytes = datagram.len();
        match Hello::parse(datagram).filter(|_| can_be_answered(from)) {
            None => Step::Settled(settled(Verdict::NotHello, from, None)),
            Some(Hello { sealed: None, .. }) => Step::Settled(self.invalid(from, request_bytes, now)),
            Some(Hello { device, sealed: Some(sealed) }) => {
                Step::LookUp(Question { device, sealed, from, request_bytes })
            }
        }
    }

    /// Second step: the keys. Every candidate is tried, so that the time taken does not tell which one
    /// fitted; every one that fits is bound, since the sender has proved its key.
    pub fn on_candidates(&mut self, question: Question, candidates: &[Candidate], now: Timestamp) -> Answer {
        let Question { device, sealed, from, request_bytes } = question;
        let mut answer = settled(Verdict::Invalid, from, None);
        let mut proved_by = None;
        for candidate in candidates.iter().take(CANDIDATES_MAX) {
            let Some(key) = Key::new(&candidate.key).filter(|key| self.is_proved(key, &device, &sealed))
            else {
                continue;
            };
            let (verdict, registration) = self.bind(candidate, &device, &sealed, from, now);
            answer.verdict =
                if answer.verdict == Verdict::Invalid { verdict } else { answer.verdict.max(verdict) };
            answer.bound.extend(registration.map(|r| (candidate.account.clone(), r)));
            proved_by.get_or_insert(key);
        }
        let Some(key) = proved_by else { return self.invalid(from, request_bytes, now) };
        // A replay has proved nothing about its sender: it gets no more answers than a stranger.
        let answered = match answer.verdict {
            Verdict::TooOften => false,
            Verdict::Replayed => self.prefixes.admit(&prefix(from), now).is_ok(),
            _ => true,
        };
        answer.reply = answered.then(|| hello::ok(&self.sealed_address(&key), request_bytes));
        answer
    }

    /// The address of a device whose registration has not ended.
    pub fn address_of(
        &mut self,
        account: &AccountKey,
        device: &DeviceId,
        now: Timestamp,
    ) -> Option<SocketAddr> {
        let name = (account.clone(), device.clone());
        let registration = &self.table.get(&name)?.registration;
        let (address, expires) = (registration.address, registration.expires);
        let latest = now.plus_ms(self.lifetime_ms);
        if expires > latest {
            // The clock stepped back: the address shall not live longer for it.
            let mut entry = self.table.remove(&name)?;
            entry.registration.expires = latest;
            self.table.put(name, entry);
        }
        (now < expires.min(latest)).then_some(address)
    }

    /// What is known of a device, for storing it elsewhere.
    pub fn export(&self, account: &AccountKey, device: &DeviceId) -> Option<&Registration> {
        self.table.get(&(account.clone(), device.clone())).map(|entry| &entry.registration)
    }

    /// Takes in what was stored, without losing what is known.
    pub fn import(&mut self, account: AccountKey, device: DeviceId, stored: &Registration) {
        let name = (account, device);
        let entry = self.known(&name, Some(stored));
        if let Some(entry) = entry {
            self.table.put(name, entry);
        }
    }

    /// Forgets a device that is gone or has another key now.
    pub fn forget(&mut self, account: &AccountKey, device: &DeviceId) {
        self.table.remove(&(account.clone(), device.clone()));
    }

    fn known(&self, name: &Name, stored: Option<&Registration>) -> Option<Entry> {
        match (self.table.get(name), stored) {
            (None, None) => None,
            (None, Some(stored)) => Some(Entry { registration: stored.clone(), hellos_used: Used::NOTHING }),
            (Some(entry), None) => Some(entry.clone()),
            (Some(entry), Some(stored)) => {
                let mut entry = entry.clone();
                if entry.registration != *stored {
                    entry.registration.absorb(stored);
                }
                Some(entry)
            }
        }
    }

    fn bind(
        &mut self,
        candidate: &Candidate,
        device: &DeviceId,
        sealed: &Sealed,
        from: SocketAddr,
        now: Timestamp,
    ) -> (Verdict, Option<Registration>) {
        let name = (candidate.account.clone(), device.clone());
        let known = self.known(&name, candidate.stored.as_ref());
        let moved = known.as_ref().is_none_or(|entry| entry.registration.address != from);
        let mut entry = known.unwrap_or_else(|| Entry {
            registration: Registration::new(from, now),
            hellos_used: Used::NOTHING,
        });
        let verdict = if entry.registration.remembers(sealed) {
            Verdict::Replayed
        } else if FRESH.admit(&mut entry.hellos_used, now).is_err() {
            Verdict::TooOften
        } else {
            entry.registration.address = from;
            entry.registration.expires = now.plus_ms(self.lifetime_ms);
            entry.registration.remember(sealed);
            if moved { Verdict::Moved } else { Verdict::Refreshed }
        };
        let changed =
            matches!(verdict, Verdict::Moved | Verdict::Refreshed).then(|| entry.registration.clone());
        self.table.put(name, entry);
        (verdict, changed)
    }

    /// Whether the sender had the key. CBC lets whoever saw our own answer turn it into a HELLO for a short
    /// device ID, under a new IV; but its last block is then one of the answer's, and the answer is the same
    /// each time, so it is recognised.
    fn is_proved(&self, key: &Key, device: &DeviceId, sealed: &Sealed) -> bool {
        let last = sealed.last_block();
        let ours = self.sealed_address(key).blocks().any(|block| *block == last);
        key.proves(sealed, device.as_str().as_bytes()) && !ours
    }

    fn sealed_address(&self, key: &Key) -> Sealed {
        key.seal_public(self.advertise.as_bytes())
    }

    fn invalid(&mut self, from: SocketAddr, request_bytes: usize, now: Timestamp) -> Answer {
        let reply = hello::invalid(request_bytes).filter(|_| self.prefixes.admit(&prefix(from), now).is_ok());
        settled(Verdict::Invalid, from, reply)
    }
}

fn settled(verdict: Verdict, to: SocketAddr, reply: Option<Vec<u8>>) -> Answer {
    Answer { verdict, to, reply, bound: Vec::new() }
}

/// Source addresses can be anything: an answer to a group or to port 0 is never sent.
fn can_be_answered(from: SocketAddr) -> bool {
    let ip = from.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    from.port() != 0 && !ip.is_multicast() && !ip.is_unspecified() && !broadcast
}

/// The /24 of an IPv4 address, however it is written, and the /64 of an IPv6 one.
fn prefix(from: SocketAddr) -> [u8; 8] {
    match from.ip().to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            // No IPv6 unicast network begins with ff, so the two kinds do not meet.
            [0xFF, a, b, c, 0, 0, 0, 0]
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h, ..] = v6.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

#[cfg(test)]
mod tests;
