//! Pruning, by example and against a recursive oracle.

use super::*;
use proptest::prelude::*;

/// A thread as a tree; places without message are dummies.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Tree {
    message: Option<u32>,
    replies: Vec<Tree>,
}

fn tree(message: impl Into<Option<u32>>, replies: Vec<Tree>) -> Tree {
    Tree { message: message.into(), replies }
}

fn flat(trees: &[Tree]) -> Threads<u32> {
    fn add(tree: &Tree, depth: u32, places: &mut Vec<Place<u32>>) {
        places.push(Place { depth, message: tree.message });
        tree.replies.iter().for_each(|reply| add(reply, depth + 1, places));
    }
    let mut places = Vec::new();
    trees.iter().for_each(|tree| add(tree, 0, &mut places));
    Threads { places }
}

/// RFC 5256 4, REFERENCES step 3, in its own words.
fn oracle(trees: &[Tree], visible: &dyn Fn(u32) -> bool, is_root: bool) -> Vec<Tree> {
    let mut level = Vec::new();
    for Tree { message, replies } in trees {
        let message = message.filter(|message| visible(*message));
        let replies = oracle(replies, visible, false);
        match message {
            None if replies.is_empty() => {}
            None if !is_root || replies.len() == 1 => level.extend(replies),
            message => level.push(Tree { message, replies }),
        }
    }
    level
}

fn pruned(trees: &[Tree], visible: impl Fn(u32) -> bool) -> Threads<u32> {
    prune(&flat(trees), |message| Some(message).filter(|message| visible(*message)))
}

#[test]
fn what_stands_below_moves_up() {
    let leaf = |n| tree(n, vec![]);
    let thread = vec![tree(3, vec![tree(6, vec![tree(4, vec![leaf(23)]), leaf(44)])]), leaf(2)];
    let expected = vec![tree(3, vec![leaf(23), leaf(44)]), leaf(2)];
    assert_eq!(pruned(&thread, |n| n != 6 && n != 4), flat(&expected));
    assert_eq!(pruned(&thread, |n| n > 5), flat(&[tree(6, vec![leaf(23), leaf(44)])]));
    let together = [tree(None, vec![leaf(23), leaf(44)])];
    assert_eq!(pruned(&thread, |n| n > 20), flat(&together), "replies to a hidden message stay together");
    assert_eq!(pruned(&thread, |n| n == 44), flat(&[leaf(44)]));
    assert_eq!(pruned(&thread, |_| false), flat(&[]));
}

#[test]
fn an_ordered_subject_begins_with_a_message() {
    let leaf = |n| tree(n, vec![]);
    let mut threads = pruned(&[tree(1, vec![leaf(5), leaf(6), leaf(7)]), leaf(2)], |n| n != 1);
    begin_with_messages(&mut threads);
    assert_eq!(threads, flat(&[tree(5, vec![leaf(6), leaf(7)]), leaf(2)]));
}

/// A thread may be as deep as its mailbox is large: no step of it recurses.
#[test]
fn depth_costs_no_stack() {
    let places = (0..1_000_000_u32).map(|n| Place { depth: n, message: Some(n) }).collect();
    let pruned = prune(&Threads { places }, |n| Some(n).filter(|n| n % 2 == 1));
    assert_eq!(pruned.places.len(), 500_000);
    assert_eq!(
        pruned.places.last().map(|place| (place.depth, place.message)),
        Some((499_999, Some(999_999)))
    );
}

fn trees() -> impl Strategy<Value = Vec<Tree>> {
    let message = prop_oneof![6 => (0_u32..100).prop_map(Some), 1 => Just(None)];
    let leaf = (0_u32..100).prop_map(|n| tree(n, vec![]));
    let any = leaf.prop_recursive(6, 40, 4, move |inner| {
        (message.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(message, replies)| Tree { message, replies })
    });
    prop::collection::vec(any, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_words_of_the_rfc(trees in trees(), shown in 0_u32..100) {
        let visible = |n: u32| n * 37 % 100 < shown;
        prop_assert_eq!(pruned(&trees, visible), flat(&oracle(&trees, &visible, true)));
    }
}
