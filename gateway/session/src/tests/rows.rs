//! What a session costs in the store and in memory, octet by octet; and rows of the version before.

use super::durable::Rows;
use super::handset::{inbox, seen, set, uid, validity};
use crate::codec::Writer;
use crate::log::SessionLog;
use crate::offer::Selected;
use crate::{Class, Departures, Flush, Mark, Presence};
use pimap_types::{Flag, Flags, SessionId};
use proptest::prelude::*;

fn told(uids: impl IntoIterator<Item = u32>) -> SessionLog {
    let mut log = SessionLog::new(SessionId("A".repeat(26)), 1);
    let selected = Selected { mailbox: inbox(), read_only: false };
    log.select(selected, validity(), &set(uids), 100);
    log
}

/// The octets themselves: whoever changes them gives them a version.
#[test]
fn marks_are_stored_in_these_octets() {
    let mut log = told([66, 67, 128]);
    let labelled = Flags::new(["\\Seen", "$Work", "$Forwarded"].into_iter().filter_map(Flag::parse));
    log.flags_changed(&inbox(), uid(66), &labelled, Class::Pushed);
    log.gone(&inbox(), uid(67), Class::Polled, true);
    log.gone(&inbox(), uid(128), Class::Polled, false);
    log.arrived(&inbox(), uid(130), &seen(false), Class::Pushed);
    log.arrived(&inbox(), uid(131), &seen(true), Class::Polled);
    let rows = Rows::all(&log);
    let first: &[u8] = b"\x03\x02\x0a$Forwarded\x05$Work\x02\x02\x0d\x08\x02\x00\x01\x83\x02";
    let second: &[u8] = b"\x03\x00\x03\x80\x00\x42\x05\x00\x43\x04\x08";
    let expected: [(&[u8], &[u8]); 2] = [(b"INBOX\0\0\0\0\x01", first), (b"INBOX\0\0\0\0\x02", second)];
    assert_eq!(rows.of(b'g'), expected);
    assert_eq!(rows.load().expect("rows that a log wrote"), {
        log.take_rows(b"", &mut Vec::new());
        log
    });
}

/// Design 6: 70 octets of the store for each cached event, keys included. Most of it is for what the store adds to a row.
#[test]
fn an_event_costs_few_octets() {
    let mut log = told(1..=3);
    for n in 4..24 {
        log.arrived(&inbox(), uid(n), &seen(false), Class::Pushed);
    }
    let rows = Rows::all(&log);
    let octets: usize = rows.of(b'g').iter().map(|(key, row)| key.len() + row.len()).sum();
    assert_eq!(octets, 10 + 3 + 20 * 3);
}

/// A session that waits, beside what it has been told of mailboxes.
#[test]
fn a_session_that_waits_is_small() {
    assert!(size_of::<SessionLog>() <= 216, "{}", size_of::<SessionLog>());
    assert!(size_of::<crate::Told>() <= 96, "{}", size_of::<crate::Told>());
    assert!(size_of::<crate::offer::Offer>() <= 144, "{}", size_of::<crate::offer::Offer>());
    let mut log = told(1..=3);
    log.acknowledge(log.position);
    assert_eq!(log.offers.capacity(), 0, "what was acknowledged leaves nothing");
}

/// A mark's row as version 2 wrote it.
fn single(presence: u64, pushed: bool, own: bool, flags: Option<&[&str]>) -> Vec<u8> {
    let mut w = Writer::version(2);
    w.number(presence).flag(pushed).flag(own).flag(flags.is_some());
    if let Some(flags) = flags {
        w.number(flags.len() as u64);
        for flag in flags {
            w.text(flag);
        }
    }
    w.finish()
}

fn single_key(n: u32) -> Vec<u8> {
    [b"mINBOX\0", &n.to_be_bytes()[..]].concat()
}

#[test]
fn marks_of_the_version_before_are_read_and_go_when_their_group_is_written() {
    let mut rows = Rows::all(&told([1, 2, 70]));
    rows.put(&single_key(1), single(0, true, false, Some(&["\\Seen", "$Work"])));
    rows.put(&single_key(2), single(2, false, true, None));
    rows.put(&single_key(71), single(1, true, false, Some(&[])));
    let mut log = rows.load().expect("rows of the version before");
    let marks = log.told(&inbox()).expect("told").marks.clone();
    let labelled = Flags::new(["\\Seen", "$Work"].into_iter().filter_map(Flag::parse));
    assert_eq!(
        marks.into_iter().map(|(uid, mark)| (uid.get(), mark)).collect::<Vec<_>>(),
        [
            (1, Mark { flags: Some(labelled), ..Mark::new(Presence::Same, Class::Pushed) }),
            (2, Mark { own: true, ..Mark::new(Presence::Gone, Class::Polled) }),
            (71, Mark { flags: Some(Flags::default()), ..Mark::new(Presence::Arrived, Class::Pushed) }),
        ]
    );
    assert!(!log.is_dirty(), "reading writes nothing");
    log.arrived(&inbox(), uid(72), &seen(false), Class::Polled);
    rows.commit(&mut log);
    assert_eq!(rows.of(b'm').len(), 2, "those of the other group stay");
    assert_eq!(rows.of(b'g').len(), 1);
    assert_eq!(rows.load().expect("rows of both versions"), log);
    log.flush(Flush { pushed_only: false, departures: Departures::All });
    rows.commit(&mut log);
    assert_eq!((rows.of(b'm').len(), rows.of(b'g').len()), (0, 0));
    assert_eq!(rows.load().expect("rows"), log);
}

#[test]
fn an_erased_session_leaves_no_mark_of_the_version_before() {
    let mut rows = Rows::all(&told([1]));
    rows.put(&single_key(1), single(2, false, true, None));
    let mut log = rows.load().expect("rows");
    rows.erase(&mut log);
    assert_eq!(rows, Rows::default());
}

#[test]
fn a_group_that_nobody_wrote_is_refused() {
    let whole = Rows::all(&told([1]));
    let key = b"gINBOX\0\0\0\0\0";
    let wrong: [&[u8]; 8] = [
        b"\x02\x00\x01\x81\x00",             // another version
        b"\x03\x00\x01\xc1\x00",             // no such presence
        b"\x03\x00\x01\x81\x10",             // no such bit
        b"\x03\x00\x01\x81\x08\x01\x00",     // keywords without flags
        b"\x03\x00\x01\x01\x04\x20",         // no such flag
        b"\x03\x00\x01\x01\x0c\x00\x01\x00", // no such keyword
        b"\x03\x00\x01\x80\x00",             // no such UID
        b"\x03\x00\x01\x81\x00\x00",         // more than it says
    ];
    for row in wrong {
        let mut rows = whole.clone();
        rows.put(key, row.to_vec());
        assert_eq!(rows.load(), None, "{row:x?}");
    }
    let mut rows = whole;
    rows.put(key, b"\x03\x00\x01\x81\x00".to_vec());
    assert!(rows.load().is_some());
}

fn flags() -> impl Strategy<Value = Flags> {
    let words = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "$Junk", "a", "A1", "\\Odd"];
    prop::sample::subsequence(words.to_vec(), 0..words.len())
        .prop_map(|words| Flags::new(words.into_iter().filter_map(Flag::parse)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_is_marked_is_read_back(
        events in prop::collection::vec((1u32..300, 0u8..3, flags(), any::<bool>()), 0..60),
        known in prop::collection::btree_set(1u32..300, 0..100),
    ) {
        let mut log = told(known.iter().copied());
        for (n, kind, flags, yes) in &events {
            let class = if *yes { Class::Pushed } else { Class::Polled };
            match kind {
                0 => log.arrived(&inbox(), uid(*n), flags, class),
                1 => log.gone(&inbox(), uid(*n), class, *yes),
                _ => log.flags_changed(&inbox(), uid(*n), flags, class),
            }
        }
        let rows = Rows::all(&log);
        log.take_rows(b"", &mut Vec::new());
        prop_assert_eq!(rows.load().expect("rows that a log wrote"), log);
    }
}
