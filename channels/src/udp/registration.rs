//! What the gateway knows of a device's UDP address, and the bounded table of it.
//!
//! A [`Registration`] goes out to the server's rows and comes back after a restart: it holds the address, its
//! end, and the ciphertexts by which it was made, so that a HELLO recorded by a stranger stays useless over a
//! restart too. Refuses I/O.

use crate::budget::Used;
use crate::px1::{Block, Sealed};
use pimap_types::{AccountKey, DeviceId, Timestamp};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// HELLOs remembered for each device; more: the oldest is forgotten and could be played back once. At one
/// HELLO every ten minutes that is after 42 hours.
pub const HELLOS_REMEMBERED_MAX: usize = 256;

/// A device's address as proved by HELLO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Where its last fresh HELLO came from.
    pub address: SocketAddr,
    /// From when on the address is not used.
    pub expires: Timestamp,
    /// Marks of the HELLOs accepted, oldest first.
    hellos: VecDeque<u64>,
}

/// The mark by which a ciphertext is remembered. The last block stands for the whole
/// ([`Sealed::last_block`]); half of it is enough, since without the key blocks cannot be chosen.
fn mark(sealed: &Sealed) -> u64 {
    let block: Block = sealed.last_block();
    block.first_chunk().map_or(0, |half| u64::from_be_bytes(*half))
}

const ENCODING: u8 = 1;

impl Registration {
    /// A registration that remembers no HELLO yet.
    pub fn new(address: SocketAddr, expires: Timestamp) -> Self {
        Self { address, expires, hellos: VecDeque::new() }
    }

    /// Whether this very ciphertext has been accepted before.
    pub fn remembers(&self, hello: &Sealed) -> bool {
        self.hellos.contains(&mark(hello))
    }

    pub(crate) fn remember(&mut self, hello: &Sealed) {
        self.push(mark(hello));
    }

    fn push(&mut self, mark: u64) {
        if self.hellos.len() >= HELLOS_REMEMBERED_MAX {
            self.hellos.pop_front();
        }
        self.hellos.push_back(mark);
    }

    /// Takes over what another copy knows: the address that ends later, and the HELLOs of both.
    pub(crate) fn absorb(&mut self, other: &Registration) {
        if other.expires > self.expires {
            (self.address, self.expires) = (other.address, other.expires);
        }
        let (mut older, newer) = (other.clone(), std::mem::take(&mut self.hellos));
        older.hellos.retain(|mark| !newer.contains(mark));
        newer.into_iter().for_each(|mark| older.push(mark));
        self.hellos = older.hellos;
    }

    /// The octets to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![ENCODING];
        match self.address {
            SocketAddr::V4(address) => {
                out.push(4);
                out.extend(address.ip().octets());
            }
            SocketAddr::V6(address) => {
                out.push(6);
                out.extend(address.ip().octets());
                out.extend(address.scope_id().to_be_bytes());
            }
        }
        out.extend(self.address.port().to_be_bytes());
        out.extend(self.expires.0.to_be_bytes());
        self.hellos.iter().for_each(|mark| out.extend(mark.to_be_bytes()));
        out
    }

    /// Reads what [`Registration::encode`] wrote; `None` for anything else.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let (&[ENCODING, family], rest) = octets.split_first_chunk()? else { return None };
        let (ip, scope, rest) = match family {
            4 => {
                let (ip, rest) = rest.split_first_chunk::<4>()?;
                (IpAddr::from(Ipv4Addr::from(*ip)), 0, rest)
            }
            6 => {
                let (ip, rest) = rest.split_first_chunk::<16>()?;
                let (scope, rest) = rest.split_first_chunk()?;
                (IpAddr::from(Ipv6Addr::from(*ip)), u32::from_be_bytes(*scope), rest)
            }
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (marks, []) = rest.as_chunks() else { return None };
        let port = u16::from_be_bytes(*port);
        let address = match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, port),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        };
        (marks.len() <= HELLOS_REMEMBERED_MAX).then(|| Self {
            address,
            expires: Timestamp(i64::from_be_bytes(*expires)),
            hellos: marks.iter().map(|mark| u64::from_be_bytes(*mark)).collect(),
        })
    }
}

/// Names a registration: a device ID alone does not, since two accounts may have devices of one ID (F52).
pub(crate) type Name = (AccountKey, DeviceId);

/// A registration with what is not worth storing.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) registration: Registration,
    /// Fresh HELLOs lately.
    pub(crate) hellos_used: Used,
}

/// Registrations by name, at most `capacity`; more: the one whose life ends first goes. Ended ones stay as
/// long as there is room, for what they remember.
#[derive(Debug)]
pub(crate) struct Table {
    capacity: usize,
    entries: HashMap<Name, Entry>,
    by_end: BTreeSet<(Timestamp, Name)>,
}

impl Table {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), entries: HashMap::new(), by_end: BTreeSet::new() }
    }

    pub(crate) fn get(&self, name: &Name) -> Option<&Entry> {
        self.entries.get(name)
    }

    pub(crate) fn remove(&mut self, name: &Name) -> Option<Entry> {
        let entry = self.entries.remove(name)?;
        self.by_end.remove(&(entry.registration.expires, name.clone()));
        Some(entry)
    }

    pub(crate) fn put(&mut self, name: Name, entry: Entry) {
        self.remove(&name);
        while self.entries.len() >= self.capacity {
            let Some((_, first)) = self.by_end.pop_first() else { break };
            self.entries.remove(&first);
        }
        self.by_end.insert((entry.registration.expires, name.clone()));
        self.entries.insert(name, entry);
        debug_assert_eq!(self.entries.len(), self.by_end.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_marks(expires: i64, marks: impl IntoIterator<Item = u64>) -> Registration {
        let mut registration = Registration::new("192.0.2.44:4000".parse().unwrap(), Timestamp(expires));
        marks.into_iter().for_each(|mark| registration.push(mark));
        registration
    }

    #[test]
    fn the_oldest_hello_is_forgotten_first() {
        let registration = with_marks(0, 0..=HELLOS_REMEMBERED_MAX as u64);
        assert_eq!(registration.hellos.len(), HELLOS_REMEMBERED_MAX);
        assert_eq!(registration.hellos.front(), Some(&1));
    }

    #[test]
    fn two_copies_become_one() {
        let (mut here, mut there) = (with_marks(5, [1, 2, 3]), with_marks(9, [1, 4]));
        there.address.set_port(7);
        here.absorb(&there);
        assert_eq!(here.hellos, [4, 1, 2, 3]);
        assert_eq!((here.address.port(), here.expires), (7, Timestamp(9)));
        here.absorb(&with_marks(1, 100..400));
        assert_eq!(here.hellos.len(), HELLOS_REMEMBERED_MAX);
        assert!([4, 1, 2, 3].iter().all(|mark| here.hellos.contains(mark)));
        assert_eq!(here.address.port(), 7);
    }

    #[test]
    fn a_full_table_drops_what_ends_first() {
        let name = |n: usize| (AccountKey::new(&n.to_string()), DeviceId::new("P1").unwrap());
        let entry = |end| Entry { registration: with_marks(end, []), hellos_used: Used::NOTHING };
        let mut table = Table::new(2);
        table.put(name(1), entry(30));
        table.put(name(2), entry(10));
        table.put(name(2), entry(40));
        table.put(name(3), entry(20));
        assert!(table.get(&name(1)).is_none());
        assert!(table.get(&name(2)).is_some() && table.get(&name(3)).is_some());
        assert!(table.remove(&name(3)).is_some() && table.remove(&name(3)).is_none());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(
            ip: IpAddr,
            port: u16,
            scope: u32,
            expires: i64,
            marks in proptest::collection::vec(any::<u64>(), 0..=HELLOS_REMEMBERED_MAX),
        ) {
            let mut registration = with_marks(expires, marks);
            registration.address = match ip {
                IpAddr::V4(_) => SocketAddr::new(ip, port),
                IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
            };
            let mut octets = registration.encode();
            prop_assert_eq!(Registration::decode(&octets), Some(registration));
            octets.pop();
            prop_assert_eq!(Registration::decode(&octets), None);
        }

        #[test]
        fn hostile_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Registration::decode(&octets);
            let _ = Registration::decode(&[&[ENCODING, 6][..], &octets].concat());
        }
    }
}
