//! SEARCH, and view filters whose header terms the server evaluates.

use pimap_tests::dovecot::mail;
use pimap_tests::imap::Imap;
use pimap_tests::server::Make;

use crate::stand::{Stand, eventually, untagged};

/// Programs and the UIDs they find among [`letters`].
const PROGRAMS: [(&str, &[u32]); 18] = [
    ("ALL", &[1, 2, 3, 4]),
    ("FROM boss", &[2, 4]),
    ("SUBJECT \"urgent\"", &[2, 3]),
    ("NOT FROM boss UNSEEN", &[1, 3]),
    ("OR SUBJECT urgent FROM boss", &[2, 3, 4]),
    ("FLAGGED", &[4]),
    ("UID 2:3", &[2, 3]),
    ("LARGER 500", &[3]),
    ("SINCE 1-Jan-2000", &[1, 2, 3, 4]),
    ("BEFORE 1-Jan-2000", &[]),
    ("SENTBEFORE 7-Mar-2006", &[1, 2, 3, 4]),
    ("BODY \"wanted words\"", &[3]),
    // Numbers that not every server takes (RFC 3501 9: 32 bits).
    ("LARGER 4294967295", &[]),
    ("NOT LARGER 4294967295", &[1, 2, 3, 4]),
    ("SMALLER 4294967295", &[1, 2, 3, 4]),
    ("OR LARGER 2147483648 SUBJECT urgent", &[2, 3]),
    ("SMALLER 2147483648 FROM boss", &[2, 4]),
    ("UID 4294967295", &[]),
];

fn letters(stand: &Stand) {
    let mut other = stand.other();
    let long = format!("wanted words\r\n{}", "and more of them\r\n".repeat(30));
    for (from, subject, text) in [
        ("friend@example.org", "hello", "x"),
        ("boss@example.org", "urgent matter", "x"),
        ("friend@example.org", "not urgent", &long),
        ("boss@example.org", "calm", "x"),
    ] {
        other.deliver("INBOX", &mail(from, subject, text));
    }
    other.ok("SELECT INBOX");
    other.ok("UID STORE 4 +FLAGS (\\Flagged)");
    other.ok("CLOSE");
}

fn found(client: &mut Imap, command: &str) -> Vec<u32> {
    let told = untagged(&client.ok(command));
    let line =
        told.lines().find_map(|line| line.strip_prefix("* SEARCH")).unwrap_or_else(|| panic!("{told}"));
    line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

/// SEARCH on the whole mailbox, and on a view in its numbers (F28).
pub fn searching(make: Make) {
    let stand = Stand::before(make);
    letters(&stand);
    let mut client = stand.client("joe#P1");
    client.ok("SELECT INBOX");
    for (program, expected) in PROGRAMS {
        assert_eq!(found(&mut client, &format!("UID SEARCH {program}")), expected, "{program}");
    }
    let mut handset = stand.client("joe#P2");
    handset.ok("XFILTER SET LATER \"\" (NOT SUBJECT hello)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V LATER)");
    handset.ok("SELECT INBOX");
    assert_eq!(found(&mut handset, "SEARCH FROM boss"), [1, 3]);
    assert_eq!(found(&mut handset, "UID SEARCH FROM friend"), [3]);
    assert_eq!(found(&mut handset, "SEARCH 2:3 SUBJECT urgent"), [2]);
}

/// A view by header, by flag and by both: what is shown at first, what arrives, what leaves.
pub fn filtering(make: Make) {
    let stand = Stand::before(make);
    letters(&stand);
    let mut handset = stand.client("joe#P1");
    handset.ok("XFILTER SET BOSS \"\" (FROM boss@example.org UNDELETED)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V BOSS)");
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 2 EXISTS"));
    let mut other = stand.other();
    other.deliver("INBOX", &mail("friend@example.org", "hidden", "x"));
    other.deliver("INBOX", &mail("boss@example.org", "shown", "x"));
    let mut heard = String::new();
    eventually("the arrival", || {
        heard += &untagged(&handset.ok("NOOP"));
        heard.contains("* 3 EXISTS").then_some(())
    });
    assert_eq!(
        untagged(&handset.ok("FETCH 1:* (UID)")),
        "* 1 FETCH (UID 2)\n* 2 FETCH (UID 4)\n* 3 FETCH (UID 6)\n"
    );
    other.ok("SELECT INBOX");
    other.ok("UID STORE 4 +FLAGS (\\Deleted)");
    other.ok("LOGOUT");
    eventually("the departure", || {
        heard += &untagged(&handset.ok("NOOP"));
        heard.contains("* 2 EXPUNGE").then_some(())
    });
    assert_eq!(untagged(&handset.ok("FETCH 1:* (UID)")), "* 1 FETCH (UID 2)\n* 2 FETCH (UID 6)\n");
    assert!(!heard.contains("RESYNC"), "{heard}");
}
