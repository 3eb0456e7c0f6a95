//! The mobile repository as a mailbox of its own: numbers, UIDs, counts, and what enters and leaves it (P-IMAP 1.3, 5.1.2).

use pimap_tests::imap::Imap;
use pimap_tests::wait::eventually;

use crate::stage::{Stage, line, untagged};

/// Ten mails, of which the device sees those that are not read: UIDs 1, 2, 4, 5, 7, 8 and 10.
fn unseen() -> (Stage, Imap, Imap) {
    let stage = Stage::new();
    let subjects: Vec<String> = (1..=10).map(|n| format!("number {n}")).collect();
    stage.deliver(&subjects.iter().map(String::as_str).collect::<Vec<_>>());
    let mut other = stage.dovecot.login("joe");
    other.ok("SELECT INBOX");
    other.ok("UID STORE 3,6,9 +FLAGS (\\Seen)");
    other.ok("UNSELECT");
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET UNREAD \"not read yet\" (UNSEEN)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V UNREAD)");
    (stage, handset, other)
}

/// PI-022 to PI-025.
#[test]
fn numbers_and_counts_are_those_of_the_view_and_uids_those_of_the_server() {
    let (_stage, mut handset, _other) = unseen();
    let told = untagged(&handset.ok("STATUS INBOX (MESSAGES UNSEEN)"));
    assert!(told.contains("MESSAGES 7") && told.contains("UNSEEN 7"), "{told}");
    let told = untagged(&handset.ok("SELECT INBOX"));
    assert!(told.contains("* 7 EXISTS"), "{told}");
    let told = untagged(&handset.ok("FETCH 1:* (UID)"));
    let expected: String = [1, 2, 4, 5, 7, 8, 10]
        .iter()
        .enumerate()
        .map(|(at, uid)| format!("* {} FETCH (UID {uid})\n", at + 1))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(untagged(&handset.ok("FETCH * (UID)")), "* 7 FETCH (UID 10)\n");
    assert_eq!(untagged(&handset.ok("UID FETCH 3,6 (FLAGS)")), "");
    assert_eq!(untagged(&handset.ok("UID FETCH 900:* (UID)")), "* 7 FETCH (UID 10)\n");
    assert_eq!(untagged(&handset.ok("SEARCH SEEN")), "* SEARCH\n");
    assert_eq!(untagged(&handset.ok("UID SEARCH ALL")), "* SEARCH 1 2 4 5 7 8 10\n");
    assert_eq!(untagged(&handset.ok("SEARCH 2:3 SUBJECT number")), "* SEARCH 2 3\n");
    assert_eq!(handset.command("FETCH 8 (UID)").condition.status, "BAD");
}

/// PI-027, PI-039: leaving is EXPUNGE by the number of the view; a new message is EXISTS.
#[test]
fn what_leaves_the_view_is_expunged_from_it() {
    let (stage, mut handset, mut other) = unseen();
    handset.ok("SELECT INBOX");
    other.flag("INBOX", 4, "+FLAGS (\\Seen)");
    let told = eventually("the departure", || {
        Some(untagged(&handset.ok("NOOP"))).filter(|told| told.contains("EXPUNGE"))
    });
    assert_eq!(line(&told, "* 3 EXPUNGE"), "* 3 EXPUNGE");
    stage.deliver(&["new"]);
    eventually("the arrival", || {
        Some(untagged(&handset.ok("NOOP"))).filter(|told| told.contains("* 7 EXISTS"))
    });
    other.flag("INBOX", 10, "+FLAGS (\\Flagged)");
    eventually("the flag", || {
        Some(untagged(&handset.ok("NOOP")))
            .filter(|told| told.contains("* 6 FETCH") && told.contains("\\Flagged"))
    });
}

/// PI-039: an older message that comes into the view has no number until the next SELECT.
#[test]
fn an_older_message_enters_at_the_next_select() {
    let (_stage, mut handset, mut other) = unseen();
    handset.ok("SELECT INBOX");
    other.flag("INBOX", 6, "-FLAGS (\\Seen)");
    // A later change proves that the earlier one has been seen by the gateway.
    other.flag("INBOX", 7, "+FLAGS (\\Flagged)");
    let mut heard = String::new();
    eventually("the later change", || {
        heard.push_str(&untagged(&handset.ok("NOOP")));
        heard.contains("\\Flagged").then_some(())
    });
    assert!(!heard.contains("EXISTS"), "{heard}");
    assert_eq!(untagged(&handset.ok("UID SEARCH ALL")), "* SEARCH 1 2 4 5 7 8 10\n");
    handset.ok("SELECT INBOX");
    assert_eq!(untagged(&handset.ok("UID SEARCH ALL")), "* SEARCH 1 2 4 5 6 7 8 10\n");
}

/// F18: reading takes a message out of the view of unread ones, and does not take it out of the handset's hands.
#[test]
fn a_view_of_unread_mail_can_be_read_in_parts() {
    let (_stage, mut handset, mut other) = unseen();
    handset.ok("SELECT INBOX");
    let told = untagged(&handset.ok("UID FETCH 5 (BODY[]<0.10>)"));
    assert!(told.contains("BODY[]<0>") && !told.contains("EXPUNGE"), "{told}");
    let told = untagged(&handset.ok("UID FETCH 5 (BODY[]<10.10>)"));
    assert!(told.contains("BODY[]<10>") && !told.contains("EXPUNGE"), "{told}");
    eventually("the departure", || {
        Some(untagged(&handset.ok("NOOP"))).filter(|told| told.contains("* 4 EXPUNGE"))
    });
    assert!(other.truth("INBOX").messages[4].1.contains("\\seen"));
}

/// PI-021: filters hide messages, never mailboxes.
#[test]
fn every_repository_has_the_same_mailboxes() {
    let stage = Stage::new();
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE \"Old mail/2005\"");
    let mut handset = stage.client("joe#P1");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V NONE)");
    let names = |client: &mut Imap| {
        let told = untagged(&client.ok("LIST \"\" \"*\""));
        let name = |line: &str| line.split_once("\"/\" ").map(|(_, name)| name.trim_matches('"').to_owned());
        told.lines().filter_map(name).collect::<std::collections::BTreeSet<_>>()
    };
    let there = names(&mut other);
    assert!(there.contains("Old mail/2005") && there.contains("INBOX"), "{there:?}");
    assert_eq!(names(&mut handset), there);
}

/// PI-043, PI-040, PI-041: CAPABILITY before and after LOGIN, in every state.
#[test]
fn capability_is_answered_in_every_state() {
    let stage = Stage::new();
    let mut handset = Imap::connect(stage.gateway.address("imap"));
    let before = untagged(&handset.ok("CAPABILITY"));
    handset.ok("LOGIN joe#P1 pw");
    let authenticated = untagged(&handset.ok("CAPABILITY"));
    handset.ok("SELECT INBOX");
    let selected = untagged(&handset.ok("CAPABILITY"));
    assert_eq!(authenticated, selected);
    for told in [&before, &selected] {
        for word in ["IMAP4rev1", "XPIMAPv1", "XPIMAPPREF", "IDLE"] {
            assert!(told.split_whitespace().any(|known| known == word), "{word} in {told}");
        }
        assert!(!told.contains("XENCRYPTED"), "what is not built in is not announced: {told}");
    }
}

/// PI-028: what was read by UID stays that message, however numbers shift.
#[test]
fn uids_do_not_change_while_numbers_shift() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three", "four"]);
    let mut handset = stage.client("joe#P1");
    handset.ok("SELECT INBOX");
    let subject = |handset: &mut Imap| {
        let told = untagged(&handset.ok("UID FETCH 3 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"));
        assert!(told.contains("Subject: three"), "{told}");
    };
    subject(&mut handset);
    let mut other = stage.dovecot.login("joe");
    other.expunge("INBOX", 1);
    eventually("the removal", || {
        Some(untagged(&handset.ok("NOOP"))).filter(|told| told.contains("* 1 EXPUNGE"))
    });
    subject(&mut handset);
    assert_eq!(untagged(&handset.ok("FETCH 2 (UID)")), "* 2 FETCH (UID 3)\n");
}

/// F21: a handset reads its own writes at once, over however many upstream connections.
#[test]
fn what_a_handset_wrote_it_reads_at_once() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three"]);
    let mut first = stage.client("joe#P1");
    let mut second = stage.client("joe#P2");
    for handset in [&mut first, &mut second] {
        handset.ok("SELECT INBOX");
        handset.ok("FETCH 1:* (FLAGS BODY.PEEK[])");
    }
    for round in 0..25 {
        let (handset, sign) = if round % 2 == 0 { (&mut first, "+") } else { (&mut second, "-") };
        handset.ok("NOOP");
        handset.ok(&format!("UID STORE 2 {sign}FLAGS (\\Flagged)"));
        let found = untagged(&handset.ok("UID SEARCH FLAGGED"));
        assert_eq!(
            line(&found, "* SEARCH"),
            if round % 2 == 0 { "* SEARCH 2" } else { "* SEARCH" },
            "round {round}"
        );
        let uid = handset.append("INBOX", "", b"Subject: mine\r\n\r\nround\r\n");
        let told = untagged(&handset.ok(&format!("UID FETCH {uid} (BODY.PEEK[TEXT])")));
        assert!(told.contains("round"), "round {round}, UID {uid}: {told}");
    }
}

/// F27: the gateway takes \Recent from nobody.
#[test]
fn a_plain_client_beside_the_gateway_keeps_recent() {
    let stage = Stage::new();
    stage.deliver(&["one", "two"]);
    let mut handset = stage.client("joe#P1");
    handset.ok("SELECT INBOX");
    handset.ok("FETCH 1:* (FLAGS BODY.PEEK[])");
    let told = untagged(&stage.dovecot.login("joe").ok("SELECT INBOX"));
    assert!(told.contains("* 2 RECENT"), "{told}");
}

/// RFC 3501 7.1: a client that finds no `\*` among the permanent flags keeps its keywords to itself.
#[test]
fn new_keywords_may_be_tried_and_are_kept() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut client = stage.client("joe");
    let told = untagged(&client.ok("SELECT INBOX"));
    let permanent = line(&told, "* OK [PERMANENTFLAGS (");
    assert!(permanent.contains("\\Seen") && permanent.contains("\\*)]"), "{permanent}");
    let told = untagged(&client.ok("STORE 1 +FLAGS ($Fresh)"));
    assert!(told.contains("$Fresh"), "{told}");
    let mut other = stage.dovecot.login("joe");
    other.ok("EXAMINE INBOX");
    assert!(untagged(&other.ok("FETCH 1 (FLAGS)")).contains("$Fresh"));
    assert!(untagged(&client.ok("EXAMINE INBOX")).contains("[PERMANENTFLAGS ()]"));
}
