//! The count never misses a change, never goes back, and never grows beyond its bound.

use super::*;

const SELDOM: i64 = 1_000;

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not zero")
}

fn ranges(pairs: &[(u32, u32)]) -> UidRanges {
    UidRanges::from_pairs(pairs.iter().copied())
}

/// A counter that a handset was told of.
fn told() -> ModSeqs {
    let mut mod_seqs = ModSeqs::starting(1_000);
    assert!(mod_seqs.tell(Timestamp(5), SELDOM));
    mod_seqs
}

/// What is stored, read back.
fn stored(rows: &BTreeMap<Vec<u8>, Vec<u8>>) -> ModSeqs {
    let mut read = ModSeqs::starting(0);
    for (key, row) in rows {
        read.read_row(key, row).expect("a whole row");
    }
    read
}

fn take(mod_seqs: &mut ModSeqs, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    for (key, row) in mod_seqs.take_rows() {
        match row {
            Some(row) => drop(rows.insert(key, row)),
            None => drop(rows.remove(&key)),
        }
    }
}

#[test]
fn what_changed_since_is_told_and_nothing_else() {
    let mut mod_seqs = told();
    let view = ranges(&[(1, 9)]);
    let before = mod_seqs.highest();
    assert!(mod_seqs.changed_since(before, &view).is_empty());
    mod_seqs.touch(uid(4));
    let between = mod_seqs.highest();
    mod_seqs.touch(uid(7));
    mod_seqs.left(uid(9));
    mod_seqs.touch(uid(30));
    assert_eq!(mod_seqs.changed_since(before, &view), ranges(&[(4, 4), (7, 7)]));
    assert_eq!(mod_seqs.changed_since(between, &view), ranges(&[(7, 7)]));
    assert!(mod_seqs.changed_since(mod_seqs.highest(), &view).is_empty());
    // A number below all that is kept means everything, and so does one of another life.
    assert_eq!(mod_seqs.changed_since(ModSeq(before.0 - 1), &view), view);
    assert_eq!((mod_seqs.of(uid(4)), mod_seqs.of(uid(1))), (between, before));
}

#[test]
fn a_departure_is_a_change_of_the_mailbox() {
    let mut mod_seqs = told();
    for change in [ModSeqs::left_a_view, |m: &mut ModSeqs| m.left(uid(1)), ModSeqs::forget] {
        let before = mod_seqs.highest();
        change(&mut mod_seqs);
        assert!(mod_seqs.highest() > before);
    }
}

#[test]
fn what_comes_into_a_view_together_has_one_value() {
    let mut mod_seqs = told();
    let before = mod_seqs.highest();
    mod_seqs.entered(&ranges(&[(3, 5)]));
    assert_eq!(mod_seqs.highest().0, before.0 + 1);
    assert_eq!(mod_seqs.changed_since(before, &ranges(&[(1, 9)])), ranges(&[(3, 5)]));
    // Too many to keep: everything counts as changed.
    mod_seqs.entered(&ranges(&[(1, 100_000)]));
    assert_eq!(mod_seqs.changed_since(before, &ranges(&[(1, 2)])), ranges(&[(1, 2)]));
    assert!(mod_seqs.changed.is_empty());
}

#[test]
fn the_floor_rises_and_nothing_is_missed() {
    let mut mod_seqs = told();
    let many = MOD_SEQS_PER_MAILBOX_MAX as u32 * 3;
    let all = ranges(&[(1, many)]);
    let mut known = Vec::new();
    for n in 1..=many {
        known.push((n, mod_seqs.highest()));
        mod_seqs.touch(uid(n));
        assert!(mod_seqs.changed.len() <= MOD_SEQS_PER_MAILBOX_MAX);
    }
    for (first, since) in known.into_iter().step_by(97) {
        let changed = mod_seqs.changed_since(since, &all);
        // Everything from `first` on changed since; more may be named, never less.
        assert_eq!(changed.intersection(&ranges(&[(first, many)])), ranges(&[(first, many)]));
        assert!((first..=many).step_by(501).all(|n| mod_seqs.of(uid(n)) > since || since.0 < mod_seqs.floor));
    }
}

#[test]
fn nothing_is_kept_or_stored_before_a_handset_is_told() {
    let mut mod_seqs = ModSeqs::starting(7);
    (1..=50).for_each(|n| mod_seqs.touch(uid(n)));
    assert!(mod_seqs.changed.is_empty() && mod_seqs.take_rows().is_empty());
    let before = mod_seqs.highest();
    assert!(mod_seqs.tell(Timestamp(0), SELDOM));
    assert!(!mod_seqs.tell(Timestamp(1), SELDOM));
    mod_seqs.touch(uid(3));
    assert_eq!(mod_seqs.changed_since(before, &ranges(&[(1, 50)])), ranges(&[(3, 3)]));
    assert_eq!(mod_seqs.take_rows().len(), 2, "the counter, and the row of UID 3");
    assert!(mod_seqs.take_rows().is_empty());
    // How long ago it was used is stored seldom.
    mod_seqs.tell(Timestamp(SELDOM - 1), SELDOM);
    assert!(mod_seqs.take_rows().is_empty());
    mod_seqs.tell(Timestamp(SELDOM), SELDOM);
    assert_eq!(mod_seqs.take_rows().len(), 1);
}

#[test]
fn it_goes_on_from_its_rows() {
    let (mut mod_seqs, mut rows) = (told(), BTreeMap::new());
    for n in [1, 63, 64, 200, u32::MAX] {
        mod_seqs.touch(uid(n));
        take(&mut mod_seqs, &mut rows);
    }
    mod_seqs.left(uid(64));
    take(&mut mod_seqs, &mut rows);
    let read = stored(&rows);
    assert_eq!(
        (read.highest, read.floor, &read.changed),
        (mod_seqs.highest, mod_seqs.floor, &mod_seqs.changed)
    );
    assert_eq!(read.used(), Some(Timestamp(5)));
    assert!(!rows.contains_key([b"c".as_slice(), &1_u32.to_be_bytes()].concat().as_slice()));
    let keys = read.all_keys();
    assert!(rows.keys().all(|key| keys.contains(key)), "whatever is stored can be deleted");
    mod_seqs.disuse();
    take(&mut mod_seqs, &mut rows);
    assert!(rows.is_empty() && mod_seqs.highest() > read.highest());
}

#[test]
fn damaged_rows_are_refused() {
    let mut mod_seqs = told();
    mod_seqs.touch(uid(5));
    for (key, row) in mod_seqs.take_rows() {
        let row = row.expect("written");
        for cut in 0..row.len() {
            let whole = cut == 1 && key[0] == b'c';
            let read = ModSeqs::starting(0).read_row(&key, &row[..cut]);
            assert_eq!(read.is_some(), whole, "{key:?} cut at {cut}");
        }
    }
}

#[test]
fn it_ends_at_63_bits() {
    let mut mod_seqs = ModSeqs::starting(u64::MAX);
    mod_seqs.tell(Timestamp(0), SELDOM);
    mod_seqs.touch(uid(1));
    assert_eq!(mod_seqs.highest(), ModSeq(i64::MAX as u64));
}

#[test]
fn vanished_is_what_is_known_and_not_visible() {
    let visible = UidSet::from_ranges(&ranges(&[(2, 3), (7, 7)])).expect("few");
    assert_eq!(vanished(&ranges(&[(1, 8)]), &visible), ranges(&[(1, 1), (4, 6), (8, 8)]));
    assert!(vanished(&ranges(&[(2, 2)]), &visible).is_empty());
    assert!(vanished(&UidRanges::new(), &visible).is_empty());
}
