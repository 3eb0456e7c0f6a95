//! Handsets with CONDSTORE alone, and with NOTIFY.

use super::*;

const COUNTED: &str = "* OK [HIGHESTMODSEQ 90] known\r\n";

/// One with CONDSTORE alone that cached UIDs 11, 12 and 15 at mod-sequence 90, lost its connection and selects anew, where 12 is gone
/// and 16 is new.
fn compares(changed: &str) -> Handset {
    let mut handset = Handset::new(Kind::Condstore, "joe#P1", "pw");
    let login = handset.request(&["SELECT INBOX"]);
    assert_eq!(text(&login), "A1 LOGIN joe#P1 pw\r\nA2 SELECT INBOX (CONDSTORE)\r\n");
    let told = format!("* SESSIONID s1\r\nA1 OK done\r\n{SELECTED}{COUNTED}A2 OK done\r\n");
    exchange(&mut handset, &login, &told);
    let fetch = handset.catch_up().expect("what it lacks");
    exchange(&mut handset, &fetch, &format!("{FETCHED}A3 OK done\r\n"));
    assert_eq!(handset.catch_up(), None);
    assert_eq!(handset.broken(), None);
    let again = handset.catch_up().expect("LOGIN");
    assert!(text(&again).ends_with("A5 SELECT INBOX (CONDSTORE)\r\n"), "{}", text(&again));
    let counted = "* OK [HIGHESTMODSEQ 95] known\r\n";
    exchange(
        &mut handset,
        &again,
        &format!(
            "* SESSION AUTHENTICATED\r\n* SESSIONID s1\r\nA4 OK done\r\n{SELECTED}{counted}A5 OK done\r\n"
        ),
    );
    let uids = handset.catch_up().expect("the UIDs");
    assert_eq!(text(&uids), "A6 UID FETCH 1:* (UID)\r\n");
    let told = "* 1 FETCH (UID 11)\r\n* 2 FETCH (UID 15)\r\n* 3 FETCH (UID 16)\r\nA6 OK done\r\n";
    exchange(&mut handset, &uids, told);
    let since = handset.catch_up().expect("what changed");
    assert_eq!(text(&since), "A7 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 90)\r\n");
    exchange(&mut handset, &since, &format!("{changed}A7 OK done\r\n"));
    handset
}

#[test]
fn condstore_comes_back_by_what_it_cached_and_what_changed() {
    let mut handset = compares(
        "* 1 FETCH (UID 11 FLAGS (\\Flagged) MODSEQ (95))\r\n* 3 FETCH (UID 16 FLAGS () MODSEQ (94))\r\n",
    );
    assert_eq!((handset.catch_up(), handset.replica.known_mod_seq()), (None, Some(95)));
    let real = truth(&[(11, "\\Flagged"), (15, ""), (16, "")]);
    assert_eq!(handset.replica.compare(&real), Vec::<String>::new());
    // A change that CHANGEDSINCE left out is believed not to have happened.
    let handset = compares("* 3 FETCH (UID 16 FLAGS () MODSEQ (94))\r\n");
    assert_eq!(handset.replica.compare(&real).len(), 1, "{:?}", handset.replica.compare(&real));
}

fn notified(delayed: bool) -> Handset {
    let mut handset = Handset::new(Kind::Notify { delayed, counting: false }, "joe", "pw");
    let login = handset.catch_up().expect("LOGIN");
    assert!(text(&login).contains("\r\nA2 NOTIFY SET STATUS ("), "{}", text(&login));
    let told = "A1 OK done\r\n* STATUS INBOX (MESSAGES 3 UIDNEXT 16 UIDVALIDITY 7)\r\n\
                * STATUS Work (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 8)\r\nA2 OK done\r\n";
    exchange(&mut handset, &login, told);
    let select = handset.request(&["SELECT INBOX"]);
    exchange(&mut handset, &select, &format!("{SELECTED}A3 OK done\r\n"));
    handset
}

fn elsewhere(handset: &Handset, name: &str, messages: u32) -> Option<String> {
    let messages = (1..=messages).map(|uid| (uid, flags(b"()"))).collect();
    handset.replica.compare_elsewhere(name, &MailboxTruth { uid_validity: 8, messages })
}

#[test]
fn whoever_is_notified_counts_what_it_does_not_look_at() {
    let mut handset = notified(true);
    assert_eq!(elsewhere(&handset, "Work", 2), None);
    handset.hear(b"* STATUS Work (MESSAGES 3 UIDNEXT 4)\r\n");
    assert_eq!(elsewhere(&handset, "Work", 3), None);
    assert!(elsewhere(&handset, "Work", 2).is_some(), "one too many");
    // What it puts there itself it is not told of: it asks.
    let copy = handset.request(&["UID COPY 11 Work"]);
    exchange(&mut handset, &copy, "A4 OK done\r\n");
    assert_eq!(handset.replica.in_doubt(), ["Work"]);
    let ask = handset.request(&["STATUS Work (MESSAGES)"]);
    exchange(&mut handset, &ask, "* STATUS Work (MESSAGES 4)\r\nA5 OK done\r\n");
    assert_eq!((handset.replica.in_doubt(), elsewhere(&handset, "Work", 4)), (Vec::new(), None));
    // What it leaves it knows; what is deleted it does not count.
    let leave = handset.request(&["UNSELECT"]);
    exchange(&mut handset, &leave, "A6 OK done\r\n");
    assert_eq!(elsewhere(&handset, "INBOX", 3), None);
    handset.hear(b"* LIST (\\NonExistent) \"/\" Work\r\n");
    assert_eq!(elsewhere(&handset, "Work", 0), None);
    assert_eq!(handset.replica.lies(), Vec::<String>::new());
    handset.hear(b"* STATUS INBOX (MESSAGES 3 UIDNEXT 9)\r\n");
    assert_eq!(handset.replica.lies().len(), 1, "UIDNEXT never goes back");
}

#[test]
fn removals_come_between_commands_only_to_whoever_said_so() {
    for delayed in [true, false] {
        let mut handset = notified(delayed);
        handset.hear(b"* 2 EXPUNGE\r\n");
        assert_eq!(handset.replica.lies().is_empty(), !delayed);
    }
    let mut strict = in_inbox(Kind::Strict);
    strict.hear(b"* STATUS Work (MESSAGES 3)\r\n* 1 EXPUNGE\r\n");
    assert_eq!(strict.replica.lies().len(), 1);
}
