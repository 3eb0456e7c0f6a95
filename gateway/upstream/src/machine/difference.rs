//! What two sets of UIDs say about a mailbox.

use pimap_types::set::UidRanges;

/// The UIDs of `a` that are not in `b`.
pub(crate) fn subtract(a: &UidRanges, b: &UidRanges) -> UidRanges {
    let mut left = Vec::new();
    let mut cuts = b.ranges().iter().copied().peekable();
    for (mut first, last) in a.ranges().iter().copied() {
        let mut whole = false;
        while let Some((from, to)) = cuts.peek().copied() {
            if to < first {
                cuts.next();
                continue;
            }
            if from > last {
                break;
            }
            if from > first {
                left.push((first, from - 1));
            }
            if to >= last {
                whole = true;
                break;
            }
            first = to + 1;
            cuts.next();
        }
        if !whole {
            left.push((first, last));
        }
    }
    UidRanges::from_pairs(left)
}

/// Whether so many known messages are gone, without upstream having said so in words, that a second look on a fresh
/// connection is due (F53): a mailbox whose disk is not mounted looks empty too.
pub(crate) fn is_suspicious(known: &UidRanges, gone: &UidRanges) -> bool {
    gone.len() > 20 && gone.len() > known.len() / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use pimap_types::Uid;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(uids: &BTreeSet<u32>) -> UidRanges {
        UidRanges::from_uids(uids.iter().filter_map(|n| Uid::new(*n)))
    }

    proptest! {
        #[test]
        fn subtracting_is_what_it_is_for_plain_sets(
            a in proptest::collection::btree_set(1u32..80, 0..60),
            b in proptest::collection::btree_set(1u32..80, 0..60),
        ) {
            let expect: BTreeSet<u32> = a.difference(&b).copied().collect();
            prop_assert_eq!(subtract(&set(&a), &set(&b)), set(&expect));
        }
    }

    #[test]
    fn the_far_end_of_the_numbers() {
        let all = UidRanges::from_pairs([(1, u32::MAX)]);
        assert_eq!(subtract(&all, &all), UidRanges::new());
        let most = UidRanges::from_pairs([(2, u32::MAX)]);
        assert_eq!(subtract(&all, &most), UidRanges::from_pairs([(1, 1)]));
        assert!(is_suspicious(&UidRanges::from_pairs([(1, 40)]), &UidRanges::from_pairs([(1, 21)])));
        assert!(!is_suspicious(&UidRanges::from_pairs([(1, 20)]), &UidRanges::from_pairs([(1, 20)])));
    }
}
