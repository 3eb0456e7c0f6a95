//! The set against a `BTreeSet<u32>`, over every operation; sizes; hostile bytes.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Bound;

#[derive(Clone, Debug)]
enum Step {
    Insert(u32),
    Remove(u32),
    InsertRanges(Vec<(u32, u32)>),
    RemoveRanges(Vec<(u32, u32)>),
    /// Every second UID of a stretch: what makes an array or a bitmap.
    InsertEverySecond(u32, u32),
    StoreAndRestore,
}

/// Numbers that crowd where chunks, words and the number space end.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 1u32..300,
        3 => 4_000u32..4_200,
        2 => 8_100u32..8_300,
        1 => 1u32..50_000,
        1 => u32::MAX - 5_000..=u32::MAX,
    ]
}

fn narrow_ranges() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let range = (number(), prop_oneof![0u32..70, 0u32..5_000]);
    prop::collection::vec(range.prop_map(|(first, width)| (first, first.saturating_add(width))), 0..4)
}

fn any_ranges() -> impl Strategy<Value = Vec<(u32, u32)>> {
    prop_oneof![narrow_ranges(), prop::collection::vec((number(), number()), 0..4), Just(vec![(1, u32::MAX)])]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => number().prop_map(Step::Insert),
        3 => number().prop_map(Step::Remove),
        3 => narrow_ranges().prop_map(Step::InsertRanges),
        2 => any_ranges().prop_map(Step::RemoveRanges),
        2 => (number(), 1u32..1_200).prop_map(|(first, count)| Step::InsertEverySecond(first, count)),
        1 => Just(Step::StoreAndRestore),
    ]
}

fn uid(number: u32) -> Uid {
    Uid::new(number).expect("not zero")
}

fn pairs(pairs: &[(u32, u32)]) -> UidRanges {
    UidRanges::from_pairs(pairs.iter().copied())
}

fn numbers(ranges: &UidRanges) -> Vec<u32> {
    ranges.iter().map(Uid::get).collect()
}

fn apply(step: &Step, set: &mut UidSet, oracle: &mut BTreeSet<u32>) {
    match step {
        Step::Insert(n) => assert_eq!(set.insert(uid(*n)), oracle.insert(*n)),
        Step::Remove(n) => assert_eq!(set.remove(uid(*n)), oracle.remove(n)),
        Step::InsertRanges(ranges) => {
            set.insert_ranges(&pairs(ranges)).expect("few");
            oracle.extend(pairs(ranges).iter().map(Uid::get));
        }
        Step::RemoveRanges(ranges) => {
            set.remove_ranges(&pairs(ranges));
            oracle.retain(|n| !pairs(ranges).contains(uid(*n)));
        }
        Step::InsertEverySecond(first, count) => {
            let chosen: Vec<u32> = (0..*count).map(|i| first.saturating_add(2 * i)).collect();
            set.insert_ranges(&UidRanges::from_uids(chosen.iter().copied().map(uid))).expect("few");
            oracle.extend(chosen);
        }
        Step::StoreAndRestore => *set = restored(set),
    }
}

fn restored(set: &UidSet) -> UidSet {
    let mut restored = UidSet::new();
    for id in set.chunk_ids() {
        let bytes = set.encode_chunk(id).expect("listed, hence not empty");
        assert!(bytes.len() <= 1 + Bits::BYTES);
        restored.decode_chunk(id, &bytes).expect("our own bytes");
    }
    restored
}

/// What must hold of the fields themselves.
fn check_invariants(set: &UidSet) {
    let mut before = 0;
    for pair in set.slots.windows(2) {
        assert!(pair[0].id < pair[1].id, "slots out of order");
    }
    for slot in &set.slots {
        let bits = slot.chunk.unpack();
        assert!(slot.count > 0 && slot.count == bits.count(), "count of a slot");
        assert_eq!(slot.before, before, "prefix count");
        assert_eq!(slot.chunk, Chunk::pack(&bits), "form follows from the members");
        assert!(slot.chunk.heap_bytes() <= Bits::BYTES, "never above a bitmap");
        before = slot.end();
    }
}

fn check_against(set: &UidSet, oracle: &BTreeSet<u32>) {
    check_invariants(set);
    assert_eq!(set.len() as usize, oracle.len());
    assert_eq!(set.is_empty(), oracle.is_empty());
    assert_eq!(set.first().map(Uid::get), oracle.first().copied());
    assert_eq!(set.last().map(Uid::get), oracle.last().copied());
    assert!(set.iter().map(Uid::get).eq(oracle.iter().copied()));
    let same = UidRanges::from_uids(oracle.iter().copied().map(uid));
    assert_eq!(set.to_ranges(), same);
    let rebuilt = UidSet::from_ranges(&same).expect("few");
    assert_eq!(*set, rebuilt, "equality is by membership");
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    assert_eq!(hasher.hash_one(set), hasher.hash_one(&rebuilt), "and so is the hash");
    for (position, n) in (1..).zip(oracle) {
        assert_eq!(set.rank(uid(*n)).map(MobileSeq::get), Some(position));
        assert_eq!(MobileSeq::new(position).and_then(|position| set.select(position)), Some(uid(*n)));
    }
    assert_eq!(MobileSeq::new(set.len() + 1).and_then(|position| set.select(position)), None);
    let chunks: BTreeSet<u32> = oracle.iter().map(|n| UidSet::chunk_of(uid(*n))).collect();
    assert!(set.chunk_ids().eq(chunks));
}

fn check_look_ups(set: &UidSet, oracle: &BTreeSet<u32>, n: u32) {
    assert_eq!(set.contains(uid(n)), oracle.contains(&n));
    assert_eq!(set.rank(uid(n)).is_some(), oracle.contains(&n));
    assert_eq!(set.count_below(uid(n)) as usize, oracle.range(..n).count());
    assert_eq!(set.count_through(n) as usize, oracle.range(..=n).count());
    let above = oracle.range((Bound::Excluded(n), Bound::Unbounded)).copied();
    assert!(set.above(Some(uid(n))).map(Uid::get).eq(above));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_oracle(
        steps in prop::collection::vec(step(), 1..16),
        probes in prop::collection::vec(number(), 12),
        ranges in any_ranges(),
        positions in (0u32..400, 0u32..9_000),
    ) {
        let (mut set, mut oracle) = (UidSet::new(), BTreeSet::new());
        for step in &steps {
            apply(step, &mut set, &mut oracle);
            check_invariants(&set);
        }
        check_against(&set, &oracle);
        check_against(&restored(&set), &oracle);
        for probe in probes {
            check_look_ups(&set, &oracle, probe);
        }
        let ranges = pairs(&ranges);
        let within: Vec<u32> = oracle.iter().copied().filter(|n| ranges.contains(uid(*n))).collect();
        prop_assert_eq!(numbers(&set.intersect_ranges(&ranges)), within);
        let (first, last) = (positions.0, positions.0.saturating_add(positions.1));
        let chosen = (1u32..).zip(&oracle).filter(|(at, _)| (first..=last).contains(at)).map(|(_, n)| *n);
        prop_assert_eq!(numbers(&set.at_positions(first, last)), chosen.collect::<Vec<_>>());
    }

    #[test]
    fn difference_agrees_with_the_oracle(
        shared in prop::collection::vec(step(), 0..8),
        left in prop::collection::vec(step(), 0..4),
        right in prop::collection::vec(step(), 0..4),
    ) {
        let (mut a, mut in_a) = (UidSet::new(), BTreeSet::new());
        shared.iter().for_each(|step| apply(step, &mut a, &mut in_a));
        let (mut b, mut in_b) = (a.clone(), in_a.clone());
        left.iter().for_each(|step| apply(step, &mut a, &mut in_a));
        right.iter().for_each(|step| apply(step, &mut b, &mut in_b));
        prop_assert_eq!(numbers(&a.difference(&b)), in_a.difference(&in_b).copied().collect::<Vec<_>>());
        prop_assert_eq!(a == b, in_a == in_b);
    }

    #[test]
    fn stored_bytes_from_anywhere_are_read_or_refused(
        id in prop_oneof![0u32..3, Just(CHUNK_ID_MAX), any::<u32>()],
        form in prop_oneof![Just(RUNS_FORM), Just(BITMAP_FORM), any::<u8>()],
        rest in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(0u8..0x80, 0..40),
            prop::collection::vec(any::<u8>(), Bits::BYTES),
        ],
    ) {
        let before = UidSet::from_ranges(&pairs(&[(1, 3), (5_000, 9_000)])).expect("few");
        let mut set = before.clone();
        let bytes: Vec<u8> = std::iter::once(form).chain(rest).collect();
        match set.decode_chunk(id, &bytes) {
            Ok(()) => {
                check_invariants(&set);
                prop_assert!(!set.iter().any(|uid| UidSet::chunk_of(uid) > CHUNK_ID_MAX));
                let again = set.encode_chunk(id).expect("what was read is there");
                let mut copy = before.clone();
                copy.decode_chunk(id, &again).expect("our own bytes");
                prop_assert_eq!(copy, set);
            }
            Err(damaged) => {
                prop_assert_eq!(damaged.chunk, id);
                prop_assert_eq!(set, before, "untouched");
            }
        }
    }
}

const RUNS_FORM: u8 = 1;
const BITMAP_FORM: u8 = 2;

#[test]
fn damaged_chunks_are_named() {
    let fault = |id, bytes: &[u8]| UidSet::new().decode_chunk(id, bytes).map_err(|damaged| damaged.fault);
    assert_eq!(fault(0, &[]), Err("no bytes"));
    assert_eq!(fault(0, &[9, 1, 1]), Err("an unknown form"));
    assert_eq!(fault(0, &[RUNS_FORM]), Err("an empty chunk is not stored"));
    assert_eq!(fault(1, &[RUNS_FORM, 0]), Err("the bytes end within a run"));
    assert_eq!(fault(1, &[RUNS_FORM, 0, 0x80]), Err("the bytes end within a run"));
    assert_eq!(fault(1, &[RUNS_FORM, 0x80, 0]), Err("a number too long"), "two bytes for a zero");
    assert_eq!(fault(1, &[RUNS_FORM, 0x80, 0x80, 1]), Err("a number too long"));
    assert_eq!(fault(1, &[RUNS_FORM, 1, 0xFF, 0x1F]), Err("a run past the end of the chunk"));
    assert_eq!(fault(1, &[RUNS_FORM, 0xFF, 0x7F, 0xFF, 0x7F]), Err("a run past the end of the chunk"));
    assert_eq!(fault(1, &[BITMAP_FORM, 1]), Err("a bitmap of the wrong size"));
    assert_eq!(fault(0, &[RUNS_FORM, 0, 0]), Err("zero is no UID"));
    assert_eq!(fault(1 << 20, &[RUNS_FORM, 0, 0]), Err("no UID falls in a chunk of that number"));
    assert_eq!(fault((1 << 20) - 1, &[RUNS_FORM, 0xFF, 0x1F, 0]), Ok(()), "UID 4294967295");
}

#[test]
fn a_mailbox_has_its_limit() {
    let everything = pairs(&[(1, u32::MAX)]);
    assert_eq!(UidSet::from_ranges(&everything), Err(TooMany { would_hold: u64::from(u32::MAX) }));

    let mut set = UidSet::from_ranges(&pairs(&[(1, MESSAGES_PER_MAILBOX_MAX)])).expect("just enough");
    assert!(set.is_full());
    let full = set.clone();
    set.insert_ranges(&pairs(&[(1, 10), (77, MESSAGES_PER_MAILBOX_MAX)])).expect("nothing new");
    let one_more = pairs(&[(77, MESSAGES_PER_MAILBOX_MAX + 1)]);
    let would_hold = u64::from(MESSAGES_PER_MAILBOX_MAX) + 1;
    assert_eq!(set.insert_ranges(&one_more), Err(TooMany { would_hold }));
    assert!(!set.insert(uid(MESSAGES_PER_MAILBOX_MAX + 1)));
    assert!(set.decode_chunk(CHUNK_ID_MAX, &[RUNS_FORM, 0, 0]).is_err());
    assert_eq!(set, full, "a refusal changes nothing");

    assert_eq!(set.intersect_ranges(&everything), set.to_ranges());
    set.remove_ranges(&everything);
    assert_eq!(set, UidSet::new());
}

#[test]
fn a_dense_view_is_small() {
    let dense = UidSet::from_ranges(&pairs(&[(1, 100_000)])).expect("few");
    assert!(dense.heap_bytes() <= 2 << 10, "{} bytes without holes", dense.heap_bytes());

    // One message in six was deleted, without any order: the forms that compress order do not help.
    let mut state = 1u64;
    let mut kept = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        !(state >> 33).is_multiple_of(6)
    };
    let mut holed = UidSet::new();
    for uid in (1..).filter_map(Uid::new).filter(|_| kept()).take(100_000) {
        holed.insert(uid);
    }
    assert_eq!(holed.len(), 100_000);
    check_invariants(&holed);
    assert!(holed.heap_bytes() <= 20 << 10, "{} bytes with holes", holed.heap_bytes());
    let stored: usize =
        holed.chunk_ids().filter_map(|id| holed.encode_chunk(id)).map(|bytes| bytes.len()).sum();
    assert!(stored <= 20 << 10, "{stored} bytes stored");
}

#[test]
fn a_sparse_view_costs_by_its_members() {
    let mut sparse = UidSet::new();
    for n in (1..=u32::MAX).step_by(1 << 22) {
        sparse.insert(uid(n));
    }
    assert_eq!(sparse.len(), 1 << 10);
    assert!(sparse.heap_bytes() <= 48 << 10, "{} bytes", sparse.heap_bytes());
    assert_eq!(sparse.intersect_ranges(&pairs(&[(2, u32::MAX)])).len(), (1 << 10) - 1);
    assert_eq!(sparse.at_positions(1_000, u32::MAX).len(), 25);
}

#[test]
fn each_form_is_chosen_where_it_is_cheapest() {
    let form = |members: &mut dyn Iterator<Item = u16>| {
        let mut bits = Bits::EMPTY;
        members.for_each(|offset| bits.fill(offset, offset));
        Chunk::pack(&bits)
    };
    assert!(matches!(form(&mut (0..4096)), Chunk::Runs(_)));
    assert!(matches!(form(&mut (0..256).map(|i| i * 16)), Chunk::Array(_)));
    assert!(matches!(form(&mut (0..257).map(|i| i * 15)), Chunk::Bitmap(_)));
    assert!(matches!(form(&mut (0..4096).filter(|i| i % 32 != 31)), Chunk::Runs(_)));
    assert!(matches!(form(&mut (0..4096).filter(|i| i % 16 != 15)), Chunk::Bitmap(_)));
}
