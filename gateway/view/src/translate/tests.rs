//! Sequence sets against a view with holes, and against an oracle that walks plain lists.

use super::*;
use SetNumber::{Number, Star};
use pimap_types::Uid;
use proptest::prelude::*;

fn view(uids: &[u32]) -> UidSet {
    UidSet::from_ranges(&UidRanges::from_uids(uids.iter().copied().filter_map(Uid::new))).expect("few")
}

fn numbers(ranges: &UidRanges) -> Vec<u32> {
    ranges.iter().map(Uid::get).collect()
}

fn mobile(view: &UidSet, set: &[(SetNumber, SetNumber)]) -> Result<Vec<u32>, BeyondView> {
    resolve(&Target::Mobile(SequenceSet(set.to_vec())), view, &UidRanges::new()).map(|uids| numbers(&uids))
}

fn by_uid(view: &UidSet, set: &[(SetNumber, SetNumber)]) -> Vec<u32> {
    let target = Target::Uids(SequenceSet(set.to_vec()));
    numbers(&resolve(&target, view, &UidRanges::new()).expect("UID forms never reach beyond"))
}

#[test]
fn positions_are_of_the_view() {
    let view = view(&[4, 7, 9, 5_000]);
    assert_eq!(mobile(&view, &[(Number(2), Number(2))]), Ok(vec![7]));
    assert_eq!(mobile(&view, &[(Star, Star)]), Ok(vec![5_000]), "the last mobile message (PI-025)");
    assert_eq!(mobile(&view, &[(Star, Number(3))]), Ok(vec![9, 5_000]));
    assert_eq!(mobile(&view, &[(Number(4), Number(1)), (Number(2), Number(2))]), Ok(vec![4, 7, 9, 5_000]));
    let beyond = Err(BeyondView { messages: 4 });
    assert_eq!(mobile(&view, &[(Number(5), Number(5))]), beyond);
    assert_eq!(mobile(&view, &[(Number(1), Number(1)), (Number(5), Star)]), beyond);
    assert_eq!(mobile(&view, &[(Number(1), Number(u32::MAX))]), beyond);
    assert_eq!(mobile(&view, &[(Number(0), Number(1))]), beyond, "there is no message 0");
}

#[test]
fn an_empty_view_has_no_position() {
    let empty = Err(BeyondView { messages: 0 });
    assert_eq!(mobile(&UidSet::new(), &[(Number(1), Number(1))]), empty);
    assert_eq!(mobile(&UidSet::new(), &[(Star, Star)]), empty);
    assert_eq!(mobile(&UidSet::new(), &[(Number(1), Star)]), empty);
    assert_eq!(by_uid(&UidSet::new(), &[(Number(1), Star)]), [0; 0]);
}

#[test]
fn uids_outside_the_view_are_passed_over() {
    let view = view(&[4, 7, 9, 5_000]);
    assert_eq!(by_uid(&view, &[(Number(1), Number(8))]), [4, 7]);
    assert_eq!(by_uid(&view, &[(Number(5), Number(6)), (Number(8), Number(8))]), [0; 0]);
    assert_eq!(by_uid(&view, &[(Number(1), Number(u32::MAX))]), [4, 7, 9, 5_000]);
    assert_eq!(by_uid(&view, &[(Number(6_000), Star)]), [5_000], "RFC 3501 6.4.8");
    assert_eq!(by_uid(&view, &[(Star, Number(u32::MAX))]), [5_000]);
    assert_eq!(by_uid(&view, &[(Number(8), Star)]), [9, 5_000]);
    assert_eq!(by_uid(&view, &[(Number(6_000), Number(7_000))]), [0; 0]);
}

#[test]
fn results_become_positions() {
    let view = view(&[4, 7, 9, 5_000]);
    assert_eq!(positions(&view, &UidRanges::from_pairs([(7, 9), (5_000, u32::MAX)])), [2, 3, 4]);
    assert_eq!(positions(&view, &UidRanges::from_pairs([(1, u32::MAX)])), [1, 2, 3, 4]);
    assert_eq!(positions(&view, &UidRanges::from_pairs([(5, 6), (6_000, 7_000)])), [0; 0]);
}

#[test]
fn what_was_saved_is_of_the_view() {
    let saved = UidRanges::from_pairs([(1, 7), (5_000, 6_000)]);
    for by_uid in [false, true] {
        let named = resolve(&Target::Saved { by_uid }, &view(&[4, 7, 9, 5_000]), &saved);
        assert_eq!(named.map(|uids| numbers(&uids)), Ok(vec![4, 7, 5_000]));
    }
}

#[test]
fn hidden_uids_do_not_part_a_span() {
    let view = view(&[4, 7, 9, 5_000]);
    let spans = |pairs: &[(u32, u32)]| spans(&view, &UidRanges::from_pairs(pairs.iter().copied()));
    assert_eq!(spans(&[(4, 4), (7, 7), (5_000, 5_000)]).ranges(), [(4, 7), (5_000, 5_000)]);
    assert_eq!(spans(&[(7, u32::MAX)]).ranges(), [(7, 5_000)]);
    assert_eq!(spans(&[(5, 6), (10, 20)]).ranges(), [], "nothing of the view");
}

fn set_number(largest: u32) -> impl Strategy<Value = SetNumber> {
    prop_oneof![4 => (1..=largest).prop_map(Number), 1 => Just(Star)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_plain_lists(
        uids in prop::collection::btree_set(1u32..40, 0..20),
        set in prop::collection::vec((set_number(45), set_number(22)), 1..4),
    ) {
        let list: Vec<u32> = uids.iter().copied().collect();
        let told = view(&list);
        let names = |star: u32, n: u32| set.iter().any(|(a, b)| {
            let value = |number: &SetNumber| if let Number(n) = number { *n } else { star };
            let (a, b) = (value(a), value(b));
            (a.min(b)..=a.max(b)).contains(&n)
        });
        let highest = list.last().copied().unwrap_or(0);
        let expected: Vec<u32> = list.iter().copied().filter(|uid| names(highest, *uid)).collect();
        prop_assert_eq!(by_uid(&told, &set), expected);

        let size = list.len() as u32;
        let beyond = size == 0 || set.iter().any(|(a, b)| [a, b].iter().any(|n| matches!(n, Number(n) if *n > size)));
        let at: Vec<u32> = (1..=size).filter(|position| names(size, *position)).collect();
        match mobile(&told, &set) {
            Err(error) => prop_assert!(beyond && error.messages == size),
            Ok(found) => {
                prop_assert!(!beyond);
                let expected: Vec<u32> = at.iter().map(|position| list[*position as usize - 1]).collect();
                prop_assert_eq!(&found, &expected);
                let back = positions(&told, &UidRanges::from_uids(found.into_iter().filter_map(Uid::new)));
                prop_assert_eq!(back, at);
            }
        }
    }
}
