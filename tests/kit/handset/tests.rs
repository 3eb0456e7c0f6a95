//! The replica on hand-written conversations, true ones and lies.

use super::*;
use crate::response::flags;

mod more;

fn truth(uids: &[(u32, &str)]) -> Truth {
    let messages = uids.iter().map(|(uid, list)| (*uid, flags(list.as_bytes()))).collect();
    Truth::from([("INBOX".to_owned(), MailboxTruth { uid_validity: 7, messages })])
}

fn text(request: &Request) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

fn exchange(handset: &mut Handset, request: &Request, answer: &str) {
    assert!(!request.body.is_empty());
    // Cut everywhere: nothing may depend on how the octets come.
    for octet in answer.as_bytes().chunks(1) {
        handset.hear(octet);
    }
    handset.finished();
}

const SELECTED: &str = "* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] valid\r\n";
const FETCHED: &str =
    "* 1 FETCH (UID 11 FLAGS ())\r\n* 2 FETCH (UID 12 FLAGS (\\Seen))\r\n* 3 FETCH (UID 15 FLAGS ())\r\n";

/// A handset that has INBOX with UIDs 11, 12 and 15 selected, after tag A3.
fn in_inbox(kind: Kind) -> Handset {
    let mut handset = Handset::new(kind, "joe#P1", "pw");
    let login = handset.catch_up().expect("LOGIN");
    assert_eq!(text(&login), "A1 LOGIN joe#P1 pw\r\n");
    exchange(&mut handset, &login, "* SESSIONID s1\r\nA1 OK done\r\n");
    handset.keep_cookie("k=1");
    if kind == Kind::LoginEachPost {
        return handset;
    }
    assert_eq!(handset.catch_up(), None);
    let select = handset.request(&["SELECT INBOX"]);
    let cursor = if kind == Kind::Cursor { "* OK [PIMAPCURSOR i.1] so far\r\n" } else { "" };
    // A pipelining handset's NOOPs are answered as well.
    let extra: String =
        (3..=text(&select).lines().count() + 1).map(|n| format!("A{n} OK done\r\n")).collect();
    exchange(&mut handset, &select, &format!("{SELECTED}{cursor}A2 OK done\r\n{extra}"));
    let fetch = handset.catch_up().expect("what it lacks");
    assert!(text(&fetch).contains("UID FETCH 1:* (UID FLAGS)"), "{}", text(&fetch));
    let cursor = if kind == Kind::Cursor { "* OK [PIMAPCURSOR i.2] so far\r\n" } else { "" };
    let tags: Vec<String> =
        text(&fetch).lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let answers: String = tags.iter().map(|tag| format!("{tag} OK done\r\n")).collect();
    exchange(&mut handset, &fetch, &format!("{FETCHED}{cursor}{answers}"));
    assert_eq!(handset.catch_up(), None);
    let real = truth(&[(11, ""), (12, "\\Seen"), (15, "")]);
    assert_eq!(handset.replica.compare(&real), Vec::<String>::new());
    handset
}

#[test]
fn every_kind_gets_into_step() {
    // Those that count or are notified say more; see below.
    let more = |kind: &Kind| kind.counts() || kind.notify().is_some();
    for kind in Kind::ALL.into_iter().filter(|kind| !more(kind)) {
        in_inbox(kind);
    }
}

const COUNTED: &str = "* OK [HIGHESTMODSEQ 90] known\r\n";

/// A handset with QRESYNC that cached UIDs 11, 12 and 15 at mod-sequence 90, and lost its connection.
fn with_cache(named: bool) -> (Handset, String) {
    let mut handset = Handset::new(Kind::Qresync { named }, "joe#P1", "pw");
    let login = handset.request(&["SELECT INBOX"]);
    assert_eq!(text(&login), "A1 LOGIN joe#P1 pw\r\nA2 ENABLE QRESYNC\r\nA3 SELECT INBOX\r\n");
    let answer = format!(
        "* SESSIONID s1\r\nA1 OK done\r\n* ENABLED QRESYNC\r\nA2 OK done\r\n{SELECTED}{COUNTED}A3 OK done\r\n"
    );
    exchange(&mut handset, &login, &answer);
    let fetch = handset.catch_up().expect("what it lacks");
    exchange(&mut handset, &fetch, &format!("{FETCHED}A4 OK done\r\n"));
    handset.broken();
    let again = handset.catch_up().expect("LOGIN");
    (handset, text(&again))
}

#[test]
fn a_handset_with_qresync_comes_back_by_its_cache() {
    let (_, again) = with_cache(true);
    assert!(again.ends_with("A7 SELECT INBOX (QRESYNC (7 90 11,12,15))\r\n"), "{again}");
    let (mut handset, again) = with_cache(false);
    assert!(again.ends_with("A7 SELECT INBOX (QRESYNC (7 90))\r\n"), "{again}");
    handset.hear(b"* SESSIONID s2\r\nA5 OK done\r\n* ENABLED QRESYNC\r\nA6 OK done\r\n");
    handset.hear(b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [HIGHESTMODSEQ 99] known\r\n");
    handset.hear(b"* VANISHED (EARLIER) 1:10,12,14\r\n");
    handset.hear(
        b"* 1 FETCH (UID 11 FLAGS (\\Seen) MODSEQ (95))\r\n* 3 FETCH (UID 16 FLAGS () MODSEQ (104))\r\n",
    );
    handset.hear(b"A7 OK done\r\n");
    handset.finished();
    let real = truth(&[(11, "\\Seen"), (15, ""), (16, "")]);
    assert_eq!(handset.replica.compare(&real), Vec::<String>::new());
    // HIGHESTMODSEQ counts though a higher MODSEQ was seen (NQ-046).
    assert_eq!(handset.replica.known_mod_seq(), Some(99));
    let noop = handset.request(&["NOOP"]);
    exchange(
        &mut handset,
        &noop,
        "* VANISHED 15\r\n* 1 FETCH (UID 11 FLAGS () MODSEQ (105))\r\nA8 OK done\r\n",
    );
    assert_eq!(handset.replica.compare(&truth(&[(11, ""), (16, "")])), Vec::<String>::new());
    assert_eq!(handset.replica.known_mod_seq(), Some(105));
}

#[test]
fn a_handset_with_qresync_notices_what_it_is_not_told() {
    let resumed = "* SESSIONID s2\r\nA5 OK done\r\n* ENABLED QRESYNC\r\nA6 OK done\r\n";
    let selected = "* OK [UIDVALIDITY 7] valid\r\n* OK [HIGHESTMODSEQ 99] known\r\n";
    let real = truth(&[(11, "\\Seen"), (15, "")]);
    for (name, told) in [
        ("a departure", "* 2 EXISTS\r\n* 1 FETCH (UID 11 FLAGS (\\Seen) MODSEQ (95))\r\n"),
        ("a flag", "* 2 EXISTS\r\n* VANISHED (EARLIER) 12\r\n"),
        ("that it vanished now", "* 3 EXISTS\r\n* VANISHED 12\r\n"),
        (
            "its place",
            "* 2 EXISTS\r\n* VANISHED (EARLIER) 12\r\n* 2 FETCH (UID 11 FLAGS (\\Seen) MODSEQ (95))\r\n",
        ),
    ] {
        let (mut handset, _) = with_cache(false);
        handset.hear(format!("{resumed}{selected}{told}A7 OK done\r\n").as_bytes());
        handset.finished();
        assert!(!handset.replica.compare(&real).is_empty(), "{name} goes unnoticed");
    }
    let (mut handset, _) = with_cache(false);
    handset.hear(
        format!("{resumed}* 2 EXISTS\r\n{selected}* VANISHED (EARLIER) 12\r\nA7 OK done\r\n").as_bytes(),
    );
    handset.finished();
    let noop = handset.request(&["NOOP"]);
    exchange(&mut handset, &noop, "* VANISHED 14\r\nA8 OK done\r\n");
    assert!(handset.replica.lies().iter().any(|lie| lie.contains("NQ-039")), "{:?}", handset.replica.lies());
}

#[test]
fn events_are_applied_and_a_missing_one_is_seen() {
    let mut handset = in_inbox(Kind::Strict);
    let noop = handset.request(&["NOOP"]);
    exchange(
        &mut handset,
        &noop,
        "* 1 EXPUNGE\r\n* 4 EXISTS\r\n* 1 FETCH (FLAGS (\\Flagged))\r\nA4 OK done\r\n",
    );
    let missing = handset.catch_up().expect("two unknown messages");
    assert_eq!(text(&missing), "A5 FETCH 3:4 (UID FLAGS)\r\n");
    let answer = "* 3 FETCH (UID 16 FLAGS ())\r\n* 4 FETCH (UID 17 FLAGS ())\r\nA5 OK done\r\n";
    exchange(&mut handset, &missing, answer);
    let real = truth(&[(12, "\\Flagged"), (15, ""), (16, ""), (17, "")]);
    assert_eq!(handset.replica.compare(&real), Vec::<String>::new());
    assert_eq!(handset.replica.compare_selected(&real["INBOX"]), Vec::<String>::new());
    for wrong in [
        truth(&[(12, "\\Flagged"), (15, ""), (16, "")]),
        truth(&[(12, ""), (15, ""), (16, ""), (17, "")]),
        truth(&[(12, "\\Flagged"), (14, ""), (16, ""), (17, "")]),
        Truth::new(),
    ] {
        assert_eq!(handset.replica.compare(&wrong).len(), 1, "{wrong:?}");
    }
}

#[test]
fn claims_that_cannot_be_true_are_lies() {
    for (lie, command) in [
        ("* 2 EXISTS\r\n", "NOOP"),
        ("* 4 EXPUNGE\r\n", "NOOP"),
        ("* 0 EXPUNGE\r\n", "NOOP"),
        ("* 1 EXPUNGE\r\n", "FETCH 1 (FLAGS)"),
        ("* 1 EXPUNGE\r\n", "STORE 1 +FLAGS (\\Seen)"),
        ("* 4 FETCH (FLAGS ())\r\n", "NOOP"),
        ("* 2 FETCH (UID 13)\r\n", "NOOP"),
        ("* SESSIONID s1\r\n", "NOOP"),
        ("* SESSION SELECTED\r\n", "NOOP"),
        ("* FOLDER INBOX\r\n", "NOOP"),
        ("X9 OK done\r\n", "NOOP"),
        ("* 1 FETCH (FLAGS\r\n", "NOOP"),
    ] {
        let mut handset = in_inbox(Kind::Strict);
        let request = handset.request(&[command]);
        exchange(&mut handset, &request, &format!("{lie}A4 OK done\r\n"));
        assert_eq!(handset.replica.lies().len(), 1, "{lie:?} during {command}: {:?}", handset.replica.lies());
    }
}

#[test]
fn expunge_outside_a_command_is_a_lie_and_inside_idle_is_not() {
    let mut handset = in_inbox(Kind::Strict);
    handset.hear(b"* 4 EXISTS\r\n");
    assert!(handset.replica.lies().is_empty());
    let idle = handset.request(&["IDLE"]);
    assert_eq!(text(&idle), "A4 IDLE\r\n");
    handset.hear(b"+ idling\r\n* 4 EXPUNGE\r\n");
    handset.replica.expect_answers(b"DONE\r\n");
    handset.hear(b"A4 OK done\r\n");
    handset.finished();
    assert!(handset.replica.lies().is_empty(), "{:?}", handset.replica.lies());
    handset.hear(b"* 1 EXPUNGE\r\n");
    assert_eq!(handset.replica.lies().len(), 1);
}

#[test]
fn an_answer_that_leaves_a_command_open_is_a_lie_unless_bye_was_said() {
    let mut handset = in_inbox(Kind::Cookie);
    let request = handset.request(&["NOOP", "NOOP"]);
    exchange(&mut handset, &request, "A4 OK done\r\n");
    assert_eq!(handset.replica.lies().len(), 1);
    let mut handset = in_inbox(Kind::Cookie);
    let request = handset.request(&["NOOP", "NOOP"]);
    exchange(&mut handset, &request, "A4 OK done\r\n* BYE going down\r\n");
    assert!(handset.replica.lies().is_empty());
}

#[test]
fn without_a_cursor_a_break_is_followed_by_login_and_resync_by_select() {
    for kind in [Kind::Strict, Kind::Cookie, Kind::SharedHop] {
        let mut handset = in_inbox(kind);
        handset.request(&["NOOP"]);
        handset.hear(b"* 1 EXPUNGE\r\n* 2 EXP");
        assert_eq!(handset.broken(), None);
        assert_eq!(handset.replica.uids("INBOX"), Some(vec![Some(12), Some(15)]), "what came is kept");
        let login = handset.catch_up().expect("LOGIN");
        assert_eq!(text(&login), "A5 LOGIN joe#P1 pw\r\n");
        let answer = "* SESSION SELECTED\r\n* FOLDER INBOX\r\n* RESYNC\r\n* SESSIONID s1\r\nA5 OK done\r\n";
        exchange(&mut handset, &login, answer);
        assert!(handset.replica.must_resync("INBOX"));
        assert_eq!(
            handset.replica.compare(&truth(&[])),
            Vec::<String>::new(),
            "told RESYNC, it believes nothing"
        );
        assert_eq!(text(&handset.catch_up().expect("SELECT")), "A6 SELECT INBOX\r\n");
        handset.hear(b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\nA6 OK done\r\n");
        handset.finished();
        assert_eq!(handset.replica.uids("INBOX"), Some(vec![None]));
    }
}

#[test]
fn what_follows_the_last_cursor_is_provisional() {
    let mut handset = in_inbox(Kind::Cursor);
    let request = handset.request(&["NOOP"]);
    assert_eq!(request.ack.as_deref(), Some("i.2"));
    handset.hear(b"* 1 EXPUNGE\r\n* OK [PIMAPCURSOR i.3] so far\r\n* 1 EXPUNGE\r\n* 1 EXP");
    assert_eq!(handset.broken(), None);
    assert_eq!(handset.replica.uids("INBOX"), Some(vec![Some(12), Some(15)]));
    let next = handset.request(&["NOOP"]);
    assert_eq!((next.ack.as_deref(), text(&next).as_str()), (Some("i.3"), "A5 NOOP\r\n"), "no LOGIN is owed");
    // A gateway that takes the second removal for told lies.
    exchange(&mut handset, &next, "A5 OK done\r\n");
    let lied = handset.replica.compare(&truth(&[(15, "")]));
    assert_eq!(lied.first().map(String::as_str), Some("INBOX: 2 messages held, 1 really there"));
}

#[test]
fn resync_is_not_forgotten_by_going_back_to_a_cursor() {
    let mut handset = in_inbox(Kind::Cursor);
    let request = handset.request(&["NOOP"]);
    exchange(&mut handset, &request, "* RESYNC\r\nA4 OK done\r\n");
    let select = handset.catch_up().expect("SELECT");
    assert_eq!((select.ack.as_deref(), text(&select).as_str()), (Some("i.2"), "A5 SELECT INBOX\r\n"));
    assert!(handset.broken().is_none());
    assert!(handset.replica.must_resync("INBOX"));
    assert_eq!(
        text(&handset.catch_up().expect("LOGIN")),
        "A6 LOGIN joe#P1 pw\r\n",
        "which mailbox is selected?"
    );
}

#[test]
fn a_first_login_that_was_lost_leaves_nothing_to_believe() {
    let mut handset = Handset::new(Kind::Strict, "joe#P1", "pw");
    handset.request(&["SELECT INBOX"]);
    handset.broken();
    let login = handset.catch_up().expect("LOGIN");
    let answer = "* SESSION SELECTED\r\n* FOLDER INBOX\r\n* 5 EXISTS\r\n* SESSIONID s1\r\nA3 OK done\r\n";
    exchange(&mut handset, &login, answer);
    assert_eq!(text(&handset.catch_up().expect("SELECT")), "A4 SELECT INBOX\r\n");
    assert!(handset.replica.lies().is_empty(), "{:?}", handset.replica.lies());
}

#[test]
fn a_lost_select_leaves_the_old_holdings() {
    let mut handset = in_inbox(Kind::Strict);
    handset.request(&["SELECT Work"]);
    handset.hear(b"* 70 EXISTS\r\n");
    handset.broken();
    assert_eq!(handset.replica.selected(), Some("INBOX"));
    assert_eq!(handset.replica.uids("Work"), None);
    assert_eq!(handset.replica.uids("INBOX").map(|uids| uids.len()), Some(3));
    // F7: the gateway takes Work for told, so it must say RESYNC, or this is found out.
    let login = handset.catch_up().expect("LOGIN");
    let answer = "* SESSION SELECTED\r\n* FOLDER Work\r\n* SESSIONID s1\r\nA5 OK done\r\n";
    exchange(&mut handset, &login, answer);
    assert!(handset.replica.must_resync("Work"), "it never heard of Work");
}

#[test]
fn select_of_a_known_mailbox_tells_what_was_held_then_the_changes() {
    let mut handset = in_inbox(Kind::Strict);
    let request = handset.request(&["SELECT INBOX"]);
    exchange(&mut handset, &request, &format!("{SELECTED}* 2 EXPUNGE\r\n* 3 EXISTS\r\nA4 OK done\r\n"));
    assert_eq!(handset.replica.uids("INBOX"), Some(vec![Some(11), Some(15), None]));
    let request = handset.request(&["SELECT INBOX"]);
    exchange(&mut handset, &request, "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\nA5 OK done\r\n");
    assert_eq!(handset.replica.lies().len(), 1, "fewer than held, without a word");
}

#[test]
fn select_with_resync_or_a_new_uidvalidity_starts_afresh() {
    for reason in ["* OK [UIDVALIDITY 8] new", "* OK [UIDVALIDITY 7] valid\r\n* RESYNC"] {
        let mut handset = in_inbox(Kind::Strict);
        let request = handset.request(&["SELECT INBOX"]);
        exchange(&mut handset, &request, &format!("* 2 EXISTS\r\n{reason}\r\nA4 OK done\r\n"));
        assert!(handset.replica.lies().is_empty(), "{:?}", handset.replica.lies());
        assert_eq!(handset.replica.uids("INBOX"), Some(vec![None, None]));
    }
}

#[test]
fn a_failed_select_leaves_no_mailbox_selected() {
    let mut handset = in_inbox(Kind::Strict);
    let request = handset.request(&["SELECT Nowhere", "NOOP"]);
    exchange(&mut handset, &request, "A4 NO no such mailbox\r\n* 1 EXPUNGE\r\nA5 OK done\r\n");
    assert_eq!(handset.replica.selected(), None);
    assert_eq!(handset.replica.lies().len(), 1, "an EXPUNGE of no mailbox");
}

#[test]
fn another_session_than_the_one_held_forgets() {
    let mut handset = in_inbox(Kind::Strict);
    handset.broken();
    let login = handset.catch_up().expect("LOGIN");
    exchange(&mut handset, &login, "* SESSIONID s2\r\nA4 OK done\r\n");
    assert_eq!((handset.replica.uids("INBOX"), handset.replica.session()), (None, Some("s2")));
    handset.broken();
    let login = handset.catch_up().expect("LOGIN");
    exchange(&mut handset, &login, "* SESSION AUTHENTICATED\r\n* SESSIONID s9\r\nA5 OK done\r\n");
    assert_eq!((handset.replica.lies().len(), handset.replica.session()), (0, Some("s9")));
}

#[test]
fn logout_ends_the_session_and_the_next_request_logs_in() {
    let mut handset = in_inbox(Kind::Cookie);
    let request = handset.request(&["LOGOUT"]);
    assert_eq!(request.cookie.as_deref(), Some("k=1"));
    exchange(&mut handset, &request, "* BYE bye\r\nA4 OK done\r\n");
    let next = handset.request(&["NOOP"]);
    assert_eq!((text(&next).as_str(), next.cookie), ("A5 LOGIN joe#P1 pw\r\nA6 NOOP\r\n", None));
}

#[test]
fn a_repeating_library_hides_the_first_answer() {
    let mut handset = in_inbox(Kind::RetryingLibrary);
    let request = handset.request(&["NOOP"]);
    handset.hear(b"* 1 EXPUNGE\r\n");
    assert_eq!(handset.broken(), Some(request.clone()), "the same octets");
    exchange(&mut handset, &request, "* 1 EXPUNGE\r\nA4 OK done\r\n");
    assert_eq!(handset.replica.compare(&truth(&[(12, "\\Seen"), (15, "")])), Vec::<String>::new());
    handset.request(&["NOOP"]);
    assert!(handset.broken().is_some());
    assert_eq!(handset.broken(), None, "it repeats once");
    assert_eq!(text(&handset.catch_up().expect("LOGIN")), "A6 LOGIN joe#P1 pw\r\n");
}

#[test]
fn pipelining_fills_the_packet_and_each_answer_counts_for_its_command() {
    let mut handset = in_inbox(Kind::Pipelining { depth: 2 });
    let request = handset.request(&["UID FETCH 11 (FLAGS)"]);
    assert_eq!(text(&request).lines().count(), 2);
    let tag: u32 = text(&request)[1..2].parse().expect("a tag");
    let answer = format!("A{tag} OK done\r\n* 1 EXPUNGE\r\nA{} OK done\r\n", tag + 1);
    exchange(&mut handset, &request, &answer);
    assert!(handset.replica.lies().is_empty(), "{:?}", handset.replica.lies());
}

#[test]
fn a_silent_store_is_asked_for_and_a_regular_session_ends_with_its_connection() {
    let mut handset = in_inbox(Kind::Strict);
    let request = handset.request(&["STORE 1 +FLAGS.SILENT (\\Seen)"]);
    exchange(&mut handset, &request, "A4 OK done\r\n");
    assert_eq!(text(&handset.catch_up().expect("flags")), "A5 UID FETCH 1:* (UID FLAGS)\r\n");
    handset.broken();
    let login = handset.catch_up().expect("LOGIN");
    exchange(&mut handset, &login, "A6 OK regular\r\n");
    assert_eq!((handset.replica.uids("INBOX"), handset.replica.selected()), (None, None));
}

#[test]
fn names_and_passwords_are_quoted_when_they_must_be() {
    let mut handset = Handset::new(Kind::Strict, "joe smith#P1", "p\"w\\");
    assert_eq!(text(&handset.request(&[])), "A1 LOGIN \"joe smith#P1\" \"p\\\"w\\\\\"\r\n");
}
