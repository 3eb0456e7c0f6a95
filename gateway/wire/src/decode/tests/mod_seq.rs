//! CONDSTORE and QRESYNC in commands (RFC 7162 7): strictly by the grammar, since a number misread is a change missed.

use super::*;
use pimap_types::command::FetchModifiers;
use pimap_types::mod_seq::{ChangedSince, Qresync, SelectParameters};
use pimap_types::search::PartialRange;
use pimap_types::{ModSeq, UidRanges, UidValidity};

fn select(parameters: SelectParameters) -> Command {
    Command::Select { mailbox: mailbox("a"), read_only: false, parameters }
}

fn qresync(since: u64, known: Option<&[(u32, u32)]>) -> SelectParameters {
    let uid_validity = UidValidity::new(67_890_007).expect("not zero");
    let known = known.map(|pairs| UidRanges::from_pairs(pairs.iter().copied()));
    SelectParameters {
        condstore: false,
        qresync: Some(Qresync { uid_validity, since: ModSeq(since), known }),
    }
}

#[test]
fn select_with_what_is_known() {
    check("SELECT a (condstore)", select(SelectParameters { condstore: true, qresync: None }));
    check("SELECT a (QRESYNC (67890007 1))", select(qresync(1, None)));
    let known: &[(u32, u32)] = &[(41, 211), (214, 541)];
    check(
        "SELECT a (QRESYNC (67890007 90060115194045000 41:211,214:541))",
        select(qresync(90_060_115_194_045_000, Some(known))),
    );
    check(
        "SELECT a (QRESYNC (67890007 9 (1,3:4 7,11:12)) CONDSTORE)",
        select(SelectParameters { condstore: true, ..qresync(9, None) }),
    );
    check("SELECT a (QRESYNC (67890007 9 541:214 (1 7)))", select(qresync(9, Some(&[(214, 541)]))));
    check("SELECT a (QRESYNC (67890007 9223372036854775807))", select(qresync(i64::MAX as u64, None)));
    refused(
        Status::Bad,
        &[
            "SELECT a CONDSTORE",
            "SELECT a (CONDSTORE",
            "SELECT a (CONDSTORE) (CONDSTORE)",
            "SELECT a (QRESYNC)",
            "SELECT a (QRESYNC 67890007 9)",
            "SELECT a (QRESYNC ())",
            "SELECT a (QRESYNC (0 9))",
            "SELECT a (QRESYNC (67890007))",
            "SELECT a (QRESYNC (67890007 0))",
            "SELECT a (QRESYNC (67890007 9223372036854775808))",
            "SELECT a (QRESYNC (67890007 18446744073709551616))",
            "SELECT a (QRESYNC (67890007 9 1:*))",
            "SELECT a (QRESYNC (67890007 9 (1:* 1:5)))",
            "SELECT a (QRESYNC (67890007 9 (1:2 1:3)))",
            "SELECT a (QRESYNC (67890007 9 (1:2)))",
            "SELECT a (QRESYNC (67890007 9) QRESYNC (67890007 9))",
            "SELECT a (QRESYNC (67890007 9 1:2 (1 1) 3))",
            "SELECT a (ANNOTATE)",
        ],
    );
}

#[test]
fn fetch_and_store_with_conditions() {
    use FetchItem::{Flags as FetchFlags, ModSeq as FetchModSeq};
    let (uids, numbers) = (Target::Uids(set(&[(1, 0)])), Target::Mobile(set(&[(1, 1)])));
    let none = FetchModifiers::default();
    let changed = |since, vanished| Some(ChangedSince { since: ModSeq(since), vanished });
    let since = |since, vanished| FetchModifiers { changed: changed(since, vanished), ..none };
    check("FETCH 1 MODSEQ", Command::Fetch(numbers.clone(), vec![FetchModSeq], none));
    let partial = Some(PartialRange { first: 1, last: 30, from_end: true });
    check(
        "UID FETCH 1:* FLAGS (PARTIAL -1:-30)",
        Command::Fetch(uids.clone(), vec![FetchFlags], FetchModifiers { partial, ..none }),
    );
    // The text is about UID FETCH, the grammar about both.
    check(
        "FETCH 1 FLAGS (PARTIAL -1:-30)",
        Command::Fetch(numbers.clone(), vec![FetchFlags], FetchModifiers { partial, ..none }),
    );
    for order in ["PARTIAL -1:-30 CHANGEDSINCE 5", "changedsince 5 partial -1:-30"] {
        check(
            &format!("UID FETCH 1:* FLAGS ({order})"),
            Command::Fetch(
                uids.clone(),
                vec![FetchFlags],
                FetchModifiers { partial, changed: changed(5, false) },
            ),
        );
    }
    check(
        "FETCH 1 (FLAGS modseq) (CHANGEDSINCE 5)",
        Command::Fetch(numbers.clone(), vec![FetchFlags, FetchModSeq], since(5, false)),
    );
    for order in ["CHANGEDSINCE 5 VANISHED", "vanished changedsince 5"] {
        check(
            &format!("UID FETCH 1:* FLAGS ({order})"),
            Command::Fetch(uids.clone(), vec![FetchFlags], since(5, true)),
        );
    }
    let seen = StoreChange { mode: StoreMode::Add, silent: false, flags: Flags::new([Flag::Seen]) };
    for (text, value) in [("0", 0), ("9223372036854775807", i64::MAX as u64)] {
        check(
            &format!("STORE 1 (UNCHANGEDSINCE {text}) +FLAGS (\\Seen)"),
            Command::Store(numbers.clone(), seen.clone(), Some(ModSeq(value))),
        );
    }
    refused(
        Status::Bad,
        &[
            "FETCH 1 FLAGS ()",
            "FETCH 1 FLAGS (CHANGEDSINCE)",
            "FETCH 1 FLAGS (CHANGEDSINCE 0)",
            "FETCH 1 FLAGS (CHANGEDSINCE -1)",
            "FETCH 1 FLAGS (CHANGEDSINCE 5) x",
            "FETCH 1 FLAGS (CHANGEDSINCE 5 CHANGEDSINCE 6)",
            "FETCH 1 FLAGS (CHANGEDSINCE 5 VANISHED)",
            "UID FETCH 1 FLAGS (VANISHED)",
            "UID FETCH 1 FLAGS (PARTIAL)",
            "UID FETCH 1 FLAGS (PARTIAL 0:2)",
            "UID FETCH 1 FLAGS (PARTIAL 1:2 PARTIAL 3:4)",
            "UID FETCH 1 FLAGS (PARTIAL 1:2 VANISHED)",
            "STORE 1 (UNCHANGEDSINCE) FLAGS (a)",
            "STORE 1 (UNCHANGEDSINCE 5)",
            "STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS (a)",
            "STORE 1 (CHANGEDSINCE 5) FLAGS (a)",
            "STORE 1 () FLAGS (a)",
        ],
    );
}

#[test]
fn search_by_mod_sequence() {
    for arguments in ["620162338", "\"/flags/\\\\draft\" all 620162338", "\"/flags/x\" PRIV 620162338"] {
        let searched = decoded(format!("SEARCH MODSEQ {arguments}").as_bytes());
        let wanted = SearchKey::ModSeq(ModSeq(620_162_338));
        assert!(
            matches!(&searched, Ok(Command::Search { program, .. }) if *program == wanted),
            "{arguments}"
        );
    }
    refused(
        Status::Bad,
        &[
            "SEARCH MODSEQ",
            "SEARCH MODSEQ x",
            "SEARCH MODSEQ \"/comment\" all 5",
            "SEARCH MODSEQ \"/flags/x\" 5",
            "SEARCH MODSEQ \"/flags/x\" mine 5",
            "SEARCH MODSEQ 9223372036854775808",
        ],
    );
}
