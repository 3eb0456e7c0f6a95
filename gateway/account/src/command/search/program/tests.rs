//! Programs reduced, against a slow oracle that looks at one visible message after the other.

use super::*;
use pimap_filters::upstream_program;
use pimap_types::{Date, Uid};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A mailbox as upstream has it: the flags of each message, hidden ones included.
type Mailbox = BTreeMap<u32, BTreeSet<Flag>>;

/// A session's side of a case.
#[derive(Clone, Debug)]
struct Session {
    view: Vec<u32>,
    saved: Vec<u32>,
    recent_from: u32,
}

fn ranges(uids: impl IntoIterator<Item = u32>) -> UidRanges {
    UidRanges::from_pairs(uids.into_iter().map(|uid| (uid, uid)))
}

fn plain(uids: &UidRanges) -> Vec<u32> {
    uids.iter().map(Uid::get).collect()
}

fn number(n: &SetNumber, star: u32) -> u32 {
    match n {
        SetNumber::Number(n) => *n,
        SetNumber::Star => star,
    }
}

/// Whether a set names a number, taken at its word (RFC 3501 9).
fn names(set: &SequenceSet, wanted: u32, star: u32) -> bool {
    let within = |(a, b): &(SetNumber, SetNumber)| {
        let (a, b) = (number(a, star), number(b, star));
        (a.min(b)..=a.max(b)).contains(&wanted)
    };
    set.0.iter().any(within)
}

/// The oracle. Without a session it is upstream, where numbers and marks of a session mean nothing.
fn meets(key: &SearchKey, uid: u32, flags: &BTreeSet<Flag>, last: u32, session: Option<&Session>) -> bool {
    let part = |key: &SearchKey| meets(key, uid, flags, last, session);
    let here = || session.expect("upstream is never asked for what only the session knows");
    match key {
        SearchKey::All => true,
        SearchKey::And(keys) => keys.iter().all(part),
        SearchKey::Or(a, b) => part(a) || part(b),
        SearchKey::Not(key) => !part(key),
        SearchKey::Flag(flag) => flags.contains(flag),
        SearchKey::Uid(set) => names(set, uid, last),
        SearchKey::Sequence(set) => {
            let view = &here().view;
            let position = view.iter().position(|u| *u == uid).expect("a visible message") + 1;
            names(set, position as u32, view.len() as u32)
        }
        SearchKey::Saved => here().saved.contains(&uid),
        SearchKey::Recent => here().recent_from > 0 && uid >= here().recent_from,
        SearchKey::Old => !(here().recent_from > 0 && uid >= here().recent_from),
        SearchKey::New => part(&SearchKey::Recent) && !flags.contains(&Flag::Seen),
        other => panic!("{other:?} is in no case"),
    }
}

fn reduced(program: &SearchKey, session: &Session) -> Result<Reduced, Irreducible> {
    let view = UidSet::from_ranges(&ranges(session.view.iter().copied())).expect("few");
    let saved = ranges(session.saved.iter().copied());
    let known = Known {
        view: &view,
        saved: &saved,
        recent_from: session.recent_from,
        mod_seqs: &ModSeqs::starting(1),
        synchronised: true,
    };
    reduce(program, &known)
}

/// What upstream finds.
fn searched(mailbox: &Mailbox, program: &SearchKey) -> UidRanges {
    let last = mailbox.keys().next_back().copied().unwrap_or(0);
    let found = mailbox.iter().filter(|(uid, flags)| meets(program, **uid, flags, last, None));
    ranges(found.map(|(uid, _)| *uid))
}

fn flags() -> impl Strategy<Value = BTreeSet<Flag>> {
    let some = prop::sample::select(vec![Flag::Seen, Flag::Flagged, Flag::Answered]);
    prop::collection::btree_set(some, 0..3)
}

fn set() -> impl Strategy<Value = SequenceSet> {
    let number = || prop_oneof![5 => (1_u32..60).prop_map(SetNumber::Number), 1 => Just(SetNumber::Star)];
    prop::collection::vec((number(), number()), 1..4).prop_map(SequenceSet)
}

/// Positions that every view of the cases has, or hardly any.
fn positions() -> impl Strategy<Value = SequenceSet> {
    let number = || {
        prop_oneof![
            9 => (1_u32..4).prop_map(SetNumber::Number),
            4 => Just(SetNumber::Star),
            1 => Just(SetNumber::Number(30)),
        ]
    };
    prop::collection::vec((number(), number()), 1..3).prop_map(SequenceSet)
}

fn program() -> impl Strategy<Value = SearchKey> {
    let leaf = prop_oneof![
        1 => Just(SearchKey::All),
        4 => prop::sample::select(vec![Flag::Seen, Flag::Flagged, Flag::Answered]).prop_map(SearchKey::Flag),
        3 => set().prop_map(SearchKey::Uid),
        3 => positions().prop_map(SearchKey::Sequence),
        2 => Just(SearchKey::Saved),
        1 => prop::sample::select(vec![SearchKey::Recent, SearchKey::Old, SearchKey::New]),
    ];
    leaf.prop_recursive(5, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(SearchKey::And),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|key| SearchKey::Not(Box::new(key))),
        ]
    })
}

fn case() -> impl Strategy<Value = (Mailbox, Session)> {
    let message = (1_u32..60, flags());
    let mailbox = prop::collection::vec(message, 0..30).prop_map(|all| all.into_iter().collect::<Mailbox>());
    let chosen = |uids: &[u32], picks: &[bool]| -> Vec<u32> {
        uids.iter().zip(picks).filter(|(_, pick)| **pick).map(|(uid, _)| *uid).collect()
    };
    let picks = || prop::collection::vec(any::<bool>(), 30);
    (mailbox, picks(), picks(), 0_u32..60).prop_map(move |(mailbox, shown, kept, recent_from)| {
        let uids: Vec<u32> = mailbox.keys().copied().collect();
        let view = chosen(&uids, &shown);
        let saved = chosen(&view, &kept);
        (mailbox, Session { view, saved, recent_from })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    /// F28: whatever is asked upstream and whatever is known here, the answer is what a server would give that holds the
    /// visible messages and no others.
    #[test]
    fn answers_are_those_of_the_visible_messages((mailbox, session) in case(), program in program()) {
        let reduced = reduced(&program, &session).expect("reduces");
        let last = session.view.last().copied().unwrap_or(0);
        let right = session.view.iter().filter(|uid| {
            meets(&program, **uid, &mailbox[*uid], last, Some(&session))
        });
        let right: Vec<u32> = right.copied().collect();
        prop_assert!(reduced.certain.intersection(&reduced.open).is_empty());
        prop_assert_eq!(plain(&reduced.found(&searched(&mailbox, &reduced.key))), right.clone());
        // The same with the question as it is sent, which says where to look.
        let found = upstream_program(&reduced.key, &reduced.open).map(|question| searched(&mailbox, &question));
        prop_assert_eq!(plain(&reduced.found(&found.unwrap_or_default())), right);
    }
}

fn session(view: &[u32]) -> Session {
    Session { view: view.to_vec(), saved: vec![view[0]], recent_from: 0 }
}

#[test]
fn what_the_session_knows_is_not_asked() {
    let odd: Vec<u32> = (1..200).step_by(2).collect();
    let hidden = SequenceSet(vec![(SetNumber::Number(2), SetNumber::Number(2))]);
    let body = || SearchKey::Body(b"x".to_vec());
    for (program, found) in [
        (SearchKey::All, odd.clone()),
        (SearchKey::Saved, vec![1]),
        (SearchKey::And(vec![SearchKey::Uid(hidden.clone()), body()]), vec![]),
        (SearchKey::And(vec![body(), SearchKey::Recent]), vec![]),
        (SearchKey::Or(Box::new(SearchKey::All), Box::new(body())), odd.clone()),
    ] {
        let reduced = reduced(&program, &session(&odd)).expect("reduces");
        assert!(reduced.open.is_empty(), "{program:?} asks {:?}", reduced.key);
        assert_eq!(plain(&reduced.certain), found, "{program:?}");
    }
}

/// Programs go upstream as they were written where nothing is to be rewritten: small servers are tested with those.
#[test]
fn what_upstream_decides_alone_is_left_as_it_is() {
    let flag = |flag| Box::new(SearchKey::Flag(flag));
    for program in [
        SearchKey::Or(flag(Flag::Seen), Box::new(SearchKey::Not(flag(Flag::Flagged)))),
        SearchKey::And(vec![SearchKey::On(Date(7)), SearchKey::Not(flag(Flag::Seen))]),
        SearchKey::Not(Box::new(SearchKey::And(vec![*flag(Flag::Seen), SearchKey::Body(b"x".to_vec())]))),
    ] {
        assert_eq!(reduced(&program, &session(&[1, 2, 9])).map(|reduced| reduced.key), Ok(program));
    }
}

/// peers.md 5.2 (8), F28: sets that would not fit into a command are kept here as long as one program can say the rest.
#[test]
fn scattered_sets_cost_no_long_command() {
    let view: Vec<u32> = (1..4_000).collect();
    let scattered = Session { saved: (1..4_000).step_by(2).collect(), ..session(&view) };
    let (saved, seen) = (|| SearchKey::Saved, || SearchKey::Flag(Flag::Seen));
    let or = |a, b| SearchKey::Or(Box::new(a), Box::new(b));
    for program in [
        SearchKey::And(vec![saved(), seen()]),
        or(saved(), seen()),
        SearchKey::Not(Box::new(SearchKey::And(vec![seen(), saved()]))),
        SearchKey::And(vec![or(saved(), seen()), saved()]),
    ] {
        assert!(
            reduced(&program, &scattered).is_ok_and(|r| !matches!(r.key, SearchKey::Uid(_))),
            "{program:?}"
        );
    }
    let flagged = SearchKey::Flag(Flag::Flagged);
    let both = SearchKey::And(vec![or(saved(), seen()), flagged]);
    assert_eq!(reduced(&both, &scattered), Err(Irreducible::TooScattered));
    assert!(reduced(&both, &session(&view)).is_ok());
}

#[test]
fn numbers_mean_nothing_before_the_mailbox_is_synchronised() {
    let view = UidSet::from_ranges(&ranges([3, 4])).expect("few");
    let known = Known {
        view: &view,
        saved: &UidRanges::new(),
        recent_from: 0,
        mod_seqs: &ModSeqs::starting(1),
        synchronised: false,
    };
    let first = SequenceSet(vec![(SetNumber::Number(1), SetNumber::Number(1))]);
    for key in [SearchKey::Sequence(first.clone()), SearchKey::Saved] {
        let program = SearchKey::Not(Box::new(key));
        assert_eq!(reduce(&program, &known), Err(Irreducible::Unsynchronised));
    }
    assert!(reduce(&SearchKey::Uid(first), &known).is_ok());
}
