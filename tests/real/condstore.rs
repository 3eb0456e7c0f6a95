//! CONDSTORE and QRESYNC towards any client, before a server that has them and before one that has nothing (design D4): the gateway
//! counts by itself, and its count outlives it.

use pimap_tests::dovecot::Dovecot;
use pimap_tests::imap::{Imap, Reply};

use crate::stage::{Stage, untagged};

/// A code that must be there, as a number.
#[track_caller]
fn number(reply: &Reply, code: &str) -> u64 {
    let value = reply.code(code).unwrap_or_else(|| panic!("no {code} in\n{}", untagged(reply)));
    value.parse().unwrap_or_else(|_| panic!("{code} {value}"))
}

/// A client that enabled QRESYNC and comes back with what it knew of INBOX.
fn come_back(stage: &Stage, user: &str, known: &str) -> (Imap, Reply) {
    let mut client = stage.client(user);
    client.ok("ENABLE QRESYNC");
    let reply = client.ok(&format!("SELECT INBOX{known}"));
    (client, reply)
}

fn resynchronises(stage: &mut Stage, user: &str, exact_after_restart: bool) {
    stage.deliver(&["one", "two", "three", "four"]);
    let (mut client, reply) = come_back(stage, user, "");
    let (validity, since) = (number(&reply, "UIDVALIDITY"), number(&reply, "HIGHESTMODSEQ"));
    client.ok("LOGOUT");
    let mut other = stage.dovecot.login("joe");
    other.expunge("INBOX", 2);
    other.flag("INBOX", 3, "+FLAGS (\\Flagged)");
    stage.deliver(&["five"]);

    let (mut client, reply) = come_back(stage, user, &format!(" (QRESYNC ({validity} {since}))"));
    let told = untagged(&reply);
    assert!(told.contains("* VANISHED (EARLIER) 2\n"), "{told}");
    let fetched: Vec<&str> = told.lines().filter(|line| line.contains(" FETCH (")).collect();
    assert_eq!(fetched.len(), 2, "{told}");
    assert!(fetched[0].starts_with("* 2 FETCH (UID 3 FLAGS (\\\\Flagged) MODSEQ ("), "{told}");
    assert!(fetched[1].starts_with("* 4 FETCH (UID 5 FLAGS ("), "{told}");
    let since = number(&reply, "HIGHESTMODSEQ");
    // What another client changed a moment ago is not overwritten (RFC 7162 3.1.3).
    other.flag("INBOX", 4, "+FLAGS (\\Answered)");
    let reply = client.ok(&format!("UID STORE 4 (UNCHANGEDSINCE {since}) FLAGS (\\Seen)"));
    assert_eq!(reply.condition.code, ["MODIFIED", "4"], "{:?}", reply.condition);
    let reply = client.ok(&format!("UID STORE 5 (UNCHANGEDSINCE {since}) +FLAGS.SILENT (\\Seen)"));
    assert!(untagged(&reply).contains(" FETCH (UID 5 FLAGS (\\\\Seen) MODSEQ ("), "{}", untagged(&reply));
    let since = number(&client.ok("SELECT INBOX (CONDSTORE)"), "HIGHESTMODSEQ");
    client.ok("LOGOUT");

    stage.gateway.kill();
    stage.gateway.restart();
    other.flag("INBOX", 1, "+FLAGS (\\Flagged)");
    let (_client, reply) = come_back(stage, user, &format!(" (QRESYNC ({validity} {since} 1:5))"));
    let told = untagged(&reply);
    assert!(told.contains("* VANISHED (EARLIER) 2\n"), "{told}");
    assert!(told.contains("* 1 FETCH (UID 1 FLAGS (\\\\Flagged) MODSEQ ("), "{told}");
    let fetched = told.lines().filter(|line| line.contains(" FETCH (")).count();
    // Where upstream counts nothing, nobody knows whose flags changed while the gateway was down: all are told.
    assert_eq!(fetched, if exact_after_restart { 1 } else { 4 }, "{told}");
    assert!(number(&reply, "HIGHESTMODSEQ") > since);
}

/// NQ-036, NQ-037, NQ-035.
#[test]
fn a_regular_client_resynchronises_before_a_rich_server() {
    resynchronises(&mut Stage::new(), "joe", true);
}

/// NQ-036, NQ-037, NQ-035, D4.
#[test]
fn a_device_resynchronises_before_a_poor_server() {
    resynchronises(&mut Stage::before(Dovecot::poor(), |config| config), "joe#P1", false);
}
