//! The UID set covers what is wanted, within its bound.

use super::*;
use pimap_types::Uid;
use pimap_types::search::Field;
use proptest::prelude::*;

fn atom() -> SearchKey {
    SearchKey::Field(Field::From, b"John".to_vec())
}

/// The UID set asked for, checked to stand before the atom.
fn asked(uids: &UidRanges) -> UidRanges {
    match upstream_program(&atom(), uids) {
        Some(SearchKey::And(keys)) => match keys.as_slice() {
            [SearchKey::Uid(set), last] if *last == atom() => set.resolve(u32::MAX),
            other => panic!("not UID set atom: {other:?}"),
        },
        other => panic!("not a list: {other:?}"),
    }
}

#[test]
fn an_atom_is_asked_of_the_uids_wanted() {
    let uids = UidRanges::from_pairs([(5, 5), (7, 9), (4_294_967_295, 4_294_967_295)]);
    assert_eq!(asked(&uids), uids);
}

#[test]
fn of_nothing_nothing_is_asked() {
    assert_eq!(upstream_program(&atom(), &UidRanges::new()), None);
}

#[test]
fn the_smallest_gaps_are_closed_first() {
    let ranges = [(1, 2), (4, 5), (9, 9), (20, 30), (32, 32)];
    assert_eq!(close_smallest_gaps(&ranges, 5), ranges);
    assert_eq!(close_smallest_gaps(&ranges, 4), [(1, 2), (4, 5), (9, 9), (20, 32)]);
    assert_eq!(close_smallest_gaps(&ranges, 3), [(1, 5), (9, 9), (20, 32)]);
    assert_eq!(close_smallest_gaps(&ranges, 2), [(1, 9), (20, 32)]);
    assert_eq!(close_smallest_gaps(&ranges, 1), [(1, 32)]);
}

#[test]
fn a_scattered_mailbox_costs_one_bounded_command() {
    let uids = UidRanges::from_pairs((1..=100_000_u32).map(|n| (n * 40_000, n * 40_000)));
    let covered = asked(&uids);
    assert_eq!(covered.ranges().len(), UPSTREAM_SEARCH_RANGES_MAX);
    assert!(uids.iter().all(|uid| covered.contains(uid)));
}

proptest! {
    #[test]
    fn closing_gaps_loses_no_uid_and_closes_no_larger_gap_than_it_leaves(
        pairs in prop::collection::vec((1..2_000_u32, 0..4_u32), 1..60), ranges_max in 1..20_usize,
    ) {
        let uids = UidRanges::from_pairs(pairs.into_iter().map(|(first, length)| (first, first + length)));
        let covered = close_smallest_gaps(uids.ranges(), ranges_max);
        prop_assert_eq!(covered.len(), uids.ranges().len().min(ranges_max));
        let set = UidRanges::from_pairs(covered.iter().copied());
        prop_assert_eq!(set.ranges(), covered.as_slice());
        prop_assert!(uids.iter().all(|uid| set.contains(uid)));
        let open = covered.windows(2).map(|pair| pair[1].0 - pair[0].1).min();
        let gaps = uids.ranges().windows(2).map(|pair| (pair[0].1, pair[1].0));
        let closed = gaps
            .filter(|(_, next)| Uid::new(next - 1).is_some_and(|uid| set.contains(uid)))
            .map(|(last, next)| next - last)
            .max();
        if let (Some(open), Some(closed)) = (open, closed) {
            prop_assert!(closed <= open);
        }
    }
}
