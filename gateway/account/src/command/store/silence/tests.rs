//! Whose change a report tells of.

use super::*;
use crate::mirror::Facts;
use crate::mod_seq::ModSeqs;
use pimap_types::{Date, Flag};

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not zero")
}

fn report(n: u32, flags: &[Flag], mod_seq: u64) -> FlagsReport {
    FlagsReport { uid: uid(n), flags: Flags::new(flags.iter().cloned()), mod_seq: ModSeq(mod_seq) }
}

fn store(mode: StoreMode, flag: Flag) -> StoreChange {
    StoreChange { mode, silent: true, flags: Flags::new([flag]) }
}

/// The UIDs of the reports that are the login's own.
fn own(mirror: &Mirror, change: &StoreChange, known: u64, reports: &[FlagsReport]) -> Vec<u32> {
    own_changes(mirror, change, ModSeq(known), reports).iter().map(|report| report.uid.get()).collect()
}

#[test]
fn the_next_mod_sequence_is_the_own_change() {
    let mirror = Mirror::new(ModSeqs::starting(1));
    let change = store(StoreMode::Add, Flag::Seen);
    let seen = [Flag::Seen];
    assert_eq!(own(&mirror, &change, 7, &[report(1, &seen, 8)]), [1]);
    // One for all of them, or one for each, in any order.
    assert_eq!(own(&mirror, &change, 7, &[report(1, &seen, 8), report(2, &seen, 8)]), [1, 2]);
    assert_eq!(own(&mirror, &change, 7, &[report(2, &seen, 9), report(1, &seen, 8)]), [1, 2]);
    // It changed nothing.
    assert_eq!(own(&mirror, &change, 7, &[report(1, &seen, 3)]), [1]);
}

#[test]
fn behind_a_mod_sequence_that_is_not_known_another_client_may_have_changed_it() {
    let mirror = Mirror::new(ModSeqs::starting(1));
    let change = store(StoreMode::Add, Flag::Seen);
    let both = [Flag::Seen, Flag::Flagged];
    assert_eq!(own(&mirror, &change, 7, &[report(1, &both, 9)]), [0; 0]);
    assert_eq!(own(&mirror, &change, 7, &[report(1, &both, 8), report(2, &both, 10)]), [1]);
    assert_eq!(own(&mirror, &change, u64::MAX, &[report(1, &both, u64::MAX)]), [1]);
}

#[test]
fn flags_that_are_kept_say_it_exactly() {
    let mut mirror = Mirror::new(ModSeqs::starting(1));
    let flags = Flags::new([Flag::Answered]);
    let facts = Facts { flags, internal_date: Date(1), size: 1 };
    mirror.facts = Some([(uid(1), facts)].into());
    let told = |mode, flag, flags: &[Flag]| own(&mirror, &store(mode, flag), 0, &[report(1, flags, 0)]);
    assert_eq!(told(StoreMode::Add, Flag::Seen, &[Flag::Answered, Flag::Seen]), [1]);
    assert_eq!(told(StoreMode::Remove, Flag::Answered, &[]), [1]);
    assert_eq!(told(StoreMode::Replace, Flag::Seen, &[Flag::Seen]), [1]);
    // Another client's change stands in the same report.
    assert_eq!(told(StoreMode::Add, Flag::Seen, &[Flag::Answered, Flag::Seen, Flag::Draft]), [0; 0]);
    assert_eq!(told(StoreMode::Remove, Flag::Answered, &[Flag::Draft]), [0; 0]);
    assert_eq!(told(StoreMode::Replace, Flag::Seen, &[Flag::Answered]), [0; 0]);
}
