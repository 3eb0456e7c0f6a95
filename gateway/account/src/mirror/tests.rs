//! Atoms, and messages that come back under their UIDs.

use super::*;

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not zero")
}

fn ranges(pairs: &[(u32, u32)]) -> UidRanges {
    UidRanges::from_pairs(pairs.iter().copied())
}

/// An atom of a mailbox of ten messages, all of which it matches.
fn atom() -> Atom {
    let mut mirror = Mirror::new(ModSeqs::starting(1));
    let index = mirror.atom(&None, &SearchKey::All);
    let mut atom = mirror.atoms.swap_remove(index);
    atom.learn(&ranges(&[(1, 10)]), 10, &ranges(&[(1, 10)]));
    atom
}

/// A message that came back may be another one: nothing is known of it, and what is said of it then is what counts.
#[test]
fn a_message_that_comes_back_is_asked_about_again() {
    let mut atom = atom();
    atom.forget(uid(4));
    atom.arrived(uid(4));
    assert_eq!(atom.through, 3);
    atom.asked = Some((Ticket(1), 10));
    let (asked, through) = atom.answered().expect("it is asked");
    assert_eq!(asked, ranges(&[(4, 10)]));
    atom.learn(&asked, through, &ranges(&[(4, 6)]));
    assert_eq!((atom.through, atom.answer(uid(3)), atom.answer(uid(4))), (10, Some(true), Some(true)));
    assert_eq!(atom.answer(uid(7)), Some(false), "what it matched before is not what it matches");
}

/// The question under way was asked before the message was there: its answer says nothing of it.
#[test]
fn a_question_that_a_message_came_under_is_void() {
    let mut atom = atom();
    atom.asked = Some((Ticket(1), 20));
    atom.arrived(uid(21));
    assert_eq!((atom.asked, atom.through), (Some((Ticket(1), 20)), 10), "it is above the question");
    atom.arrived(uid(15));
    assert_eq!((atom.asked, atom.through), (None, 10));
    atom.asked = Some((Ticket(2), 21));
    atom.arrived(uid(2));
    assert_eq!((atom.asked, atom.through), (None, 1));
}

/// What a server would not say once it may say the next time, and the other way round.
#[test]
fn the_last_word_counts() {
    let mut atom = atom();
    atom.give_up(&ranges(&[(1, 10)]), 10, &ranges(&[(1, 10)]));
    assert_eq!(atom.answer(uid(1)), None);
    atom.learn(&ranges(&[(1, 10)]), 10, &ranges(&[(1, 1)]));
    assert_eq!((atom.answer(uid(1)), atom.answer(uid(2))), (Some(true), Some(false)));
}

/// Trouble that passes is not the last word; what has no reason is believed when it is said again and again, until it is taken back.
#[test]
fn a_refusal_is_final_by_its_code() {
    let mut atom = atom();
    for passing in ["UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "unavailable for now"] {
        assert!((0..9).all(|_| !atom.is_final(Some(passing))), "{passing}");
    }
    for lasting in ["CANNOT", "BADCHARSET (UTF-8)", "NOPERM", ""] {
        assert!(atom.is_final(Some(lasting)), "{lasting}");
    }
    assert_eq!([(); 4].map(|()| atom.is_final(None)), [false, false, true, true]);
    atom.learn(&ranges(&[(1, 10)]), 10, &ranges(&[]));
    assert!(!atom.is_final(None));
}

/// A mirror that keeps facts of messages 1 to 3.
fn kept() -> Mirror {
    let mut mirror = Mirror::new(ModSeqs::starting(1));
    mirror.uid_validity = UidValidity::new(7);
    mirror.uids.insert_ranges(&ranges(&[(1, 3)])).expect("few");
    mirror.facts = Some(BTreeMap::new());
    for n in 1..=3 {
        mirror.keep(&facts(n, Flags::default()));
    }
    mirror
}

fn facts(n: u32, flags: Flags) -> MessageFacts {
    MessageFacts { uid: uid(n), flags, internal_date: Date(5), size: n, mod_seq: ModSeq(0) }
}

/// Of what is kept flags alone are told; what has gone since then is not there, and what is not kept cannot be made up.
#[test]
fn flags_are_completed_by_what_is_kept() {
    let mut mirror = kept();
    assert!(mirror.known(true).is_some_and(|known| known.facts));
    mirror.asked(Ticket(1), 1);
    let seen = Flags::new([pimap_types::Flag::Seen]);
    let told = vec![(uid(1), seen.clone()), (uid(3), Flags::default())];
    let (uids, whole) =
        mirror.completed(told.clone(), vec![facts(9, Flags::default())]).expect("all is kept");
    assert_eq!(uids, ranges(&[(1, 1), (3, 3), (9, 9)]));
    assert_eq!(whole, [facts(1, seen.clone()), facts(3, Flags::default()), facts(9, Flags::default())]);
    // It went while the question was under way, and its facts with it.
    mirror.facts.as_mut().expect("kept").remove(&uid(3));
    assert_eq!(mirror.completed(told.clone(), Vec::new()), None);
    mirror.gone_since.insert(uid(3));
    assert_eq!(mirror.completed(told, Vec::new()).expect("all is kept").1, [facts(1, seen)]);
    assert!(mirror.known(true).is_some_and(|known| !known.facts), "not of all");
}
