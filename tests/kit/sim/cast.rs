//! Who takes part in a run: which handsets and clients, before which kind of upstream, and what may go wrong.

use super::Faults;
use super::phone::Phone;
use crate::handset::{Kind, Road};
use crate::world::rng::Rng;
use crate::world::upstream::Traits;

/// What a run is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cast {
    /// One or two of any kind.
    Mixed,
    /// Handsets that keep mod-sequences: what they could be lied to about shows when views change and they come back often.
    Counting,
    /// Those with CONDSTORE alone.
    Condstore,
    /// Handsets with NOTIFY, and somebody beside them who changes things.
    Notified,
    /// Regular clients of one account, many at once, and one device.
    Crowd,
    /// Two phones with one device ID, each of which believes that it is the device (F15).
    Twins,
}

/// The upstream, of each kind that there is.
pub(super) fn traits(rng: &mut Rng) -> Traits {
    let traits = kind_of_upstream(rng);
    // Connections to spare watch where the watching connection hears of one mailbox only (F48).
    let sparing = traits.idle && !traits.notify && rng.chance(60);
    Traits { spares: usize::from(sparing), ..traits }
}

fn kind_of_upstream(rng: &mut Rng) -> Traits {
    match rng.below(10) {
        // IDLE and nothing else.
        0 | 1 => Traits::POOR,
        // Not even that: it is polled.
        2 => Traits { idle: false, ..Traits::POOR },
        // CONDSTORE without QRESYNC.
        3 => Traits { mod_seqs: true, uid_plus: true, ..Traits::POOR },
        4 => Traits { notify: false, ..Traits::RICH },
        5 => Traits { uid_plus: false, r#move: rng.chance(50), ..Traits::RICH },
        6 => {
            let mod_seqs = rng.chance(50);
            Traits {
                mod_seqs,
                qresync: mod_seqs && rng.chance(50),
                uid_plus: rng.chance(50),
                r#move: true,
                notify: rng.chance(50),
                idle: rng.chance(80),
                mailboxes: true,
                sort: false,
                append: true,
                spares: 0,
            }
        }
        _ => Traits::RICH,
    }
}

impl Cast {
    pub(super) fn draw(rng: &mut Rng) -> Cast {
        match rng.below(100) {
            0..=14 => Cast::Counting,
            15..=21 => Cast::Condstore,
            22..=33 => Cast::Notified,
            34..=43 => Cast::Crowd,
            44..=53 => Cast::Twins,
            _ => Cast::Mixed,
        }
    }

    pub(super) fn faults(self, rng: &mut Rng) -> Faults {
        let counting = matches!(self, Cast::Counting | Cast::Condstore);
        Faults {
            radio: counting || rng.chance(60),
            crashes: rng.chance(40),
            store: rng.chance(20),
            upstream: rng.chance(25),
            watcher: rng.chance(25),
            clock: rng.chance(30),
            filters: counting || rng.chance(60),
            folders: rng.chance(15),
            replaced: rng.chance(15),
        }
    }

    pub(super) fn phones(self, rng: &mut Rng) -> Vec<Phone> {
        let notified = |rng: &mut Rng| {
            let (delayed, counting) = (rng.chance(50), rng.chance(40));
            Kind::Notify { delayed, counting }
        };
        let names_requests = rng.chance(30);
        let device = |kind: Kind, n: usize| {
            let phone = Phone::new(kind, &format!("P{n}"));
            if names_requests { phone.naming_requests() } else { phone }
        };
        let client = |kind: Kind, n: usize| Phone::regular(kind, &format!("R{n}"));
        let many = 1 + usize::from(rng.chance(40));
        match self {
            Cast::Mixed => (0..many)
                .map(|n| {
                    let kind = *rng.pick(&Kind::ALL);
                    let regular = n > 0 && kind.road() == Road::Tcp && rng.chance(30);
                    if regular { client(kind, n) } else { device(kind, n) }
                })
                .collect(),
            Cast::Counting => (0..many).map(|n| device(Kind::Qresync { named: rng.chance(50) }, n)).collect(),
            Cast::Condstore => (0..many).map(|n| device(Kind::Condstore, n)).collect(),
            Cast::Notified => {
                let first = device(notified(rng), 0);
                let other = match rng.below(3) {
                    0 => device(*rng.pick(&Kind::ALL), 1),
                    1 => client(notified(rng), 1),
                    _ => client(Kind::Strict, 1),
                };
                vec![first, other]
            }
            Cast::Twins => (0..2).map(|n| device(*rng.pick(&Kind::ALL), 0).sharing(n)).collect(),
            Cast::Crowd => {
                let stream: Vec<Kind> =
                    Kind::ALL.into_iter().filter(|kind| kind.road() == Road::Tcp).collect();
                let crowd = 2 + rng.below(3);
                let clients = (1..=crowd).map(|n| client(*rng.pick(&stream), n));
                let clients: Vec<Phone> = clients.collect();
                [device(*rng.pick(&Kind::ALL), 0)].into_iter().chain(clients).collect()
            }
        }
    }
}
