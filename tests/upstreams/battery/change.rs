//! STORE, COPY, MOVE, APPEND and EXPUNGE, looked at past the gateway.

use pimap_tests::imap::{Imap, Reply};
use pimap_tests::server::Make;

use crate::stand::{Stand, untagged};

/// UIDs there really are.
fn uids(other: &mut Imap, mailbox: &str) -> Vec<u32> {
    other.truth(mailbox).messages.iter().map(|(uid, _)| *uid).collect()
}

/// Subjects of a mailbox, in order.
fn subjects(other: &mut Imap, mailbox: &str) -> Vec<String> {
    other.ok(&format!("EXAMINE \"{mailbox}\""));
    let reply = other.ok("UID SEARCH ALL");
    let empty = !untagged(&reply).chars().any(|c| c.is_ascii_digit());
    let told = if empty {
        String::new()
    } else {
        text_of(&other.ok("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    };
    other.ok("CLOSE");
    // mailutils writes field names in capitals.
    let subject =
        |line: &str| line.to_ascii_lowercase().strip_prefix("subject: ").map(|s| s.trim().to_owned());
    told.lines().filter_map(subject).collect()
}

fn text_of(reply: &Reply) -> String {
    reply.untagged.iter().map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
}

/// STORE in its forms; what other clients see is what was asked for, and nothing else.
pub fn changing_flags(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["one", "two", "three"]);
    let mut client = stand.client("joe#P1");
    client.ok("SELECT INBOX");
    let told = untagged(&client.ok("STORE 1,3 +FLAGS (\\Flagged)"));
    assert_eq!(told.matches("\\Flagged").count(), 2, "{told}");
    client.ok("UID STORE 2 FLAGS (\\Seen \\Answered)");
    let told = untagged(&client.ok("UID STORE 3 -FLAGS.SILENT (\\Flagged)"));
    assert_eq!(told.matches("FETCH").count(), 0, "{told}");
    let told = untagged(&client.ok("FETCH 1:3 (UID FLAGS)"));
    for (number, flags) in [(1, "\\Flagged"), (2, "\\Answered"), (3, "()")] {
        let start = format!("* {number} FETCH");
        assert!(told.lines().any(|line| line.starts_with(&start) && line.contains(flags)), "{told}");
    }
    let mut other = stand.other();
    for (program, expected) in
        [("FLAGGED", [1].as_slice()), ("SEEN", &[2]), ("ANSWERED", &[2]), ("DELETED", &[])]
    {
        let found: Vec<u32> = other.truth_of("INBOX", program).messages.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(found, expected, "{program}");
    }
}

/// COPY, and MOVE whether or not the server has it (NQ-076). Where it can neither move nor expunge by UID, it is refused and
/// everything stays where it was.
pub fn copying_and_moving(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["one", "two", "three"]);
    let archive = stand.server.name("Archive");
    let mut client = stand.client("joe#P1");
    client.ok("SELECT INBOX");
    let copied = client.ok(&format!("COPY 1 \"{archive}\""));
    assert!(copied.condition.code("COPYUID").is_some() || !stand.traits().uid_plus, "{copied:?}");
    let refused = client.command("COPY 1 \"INBOX.Nowhere at all\"");
    assert_eq!(refused.condition.status, "NO", "{refused:?}");
    let moved = client.command(&format!("UID MOVE 2 \"{archive}\""));
    let mut other = stand.other();
    if stand.traits().uid_plus {
        assert!(moved.condition.is_ok(), "{moved:?}");
        assert_eq!(subjects(&mut other, &archive), ["one", "two"]);
        assert_eq!(uids(&mut other, "INBOX"), [1, 3]);
    } else {
        assert_eq!(moved.condition.status, "NO", "{moved:?}");
        assert_eq!(subjects(&mut other, &archive), ["one"]);
        assert_eq!(uids(&mut other, "INBOX"), [1, 2, 3]);
    }
    let there = uids(&mut other, "INBOX").len();
    assert!(untagged(&client.ok("NOOP")).matches("EXPUNGE").count() <= 1);
    assert_eq!(untagged(&client.ok("FETCH 1:* (UID)")).matches("FETCH").count(), there);
}

/// APPEND into the open mailbox and into another one; what was saved can be read at once (F21), under the UID that was told if
/// the server tells it.
pub fn appending(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["one"]);
    let archive = stand.server.name("Archive");
    let mut client = stand.client("joe#P1");
    client.ok("SELECT INBOX");
    for (mailbox, flags) in [("INBOX", "(\\Seen)"), (archive.as_str(), "(\\Flagged \\Seen)")] {
        let mail = pimap_tests::dovecot::mail("joe@example.org", "of my own", "Written here.");
        client.send(format!("a APPEND \"{mailbox}\" {flags} {{{}+}}\r\n", mail.len()).as_bytes());
        client.send(&[&mail[..], b"\r\n"].concat());
        let reply = client.finish("a");
        assert!(reply.condition.is_ok(), "{reply:?}");
        let told = reply.condition.code.first().is_some_and(|word| word == "APPENDUID");
        assert!(told || !stand.traits().uid_plus, "{reply:?}");
    }
    let told = untagged(&client.ok("UID FETCH 2 (FLAGS BODY.PEEK[TEXT])"));
    assert!(told.contains("Written here."), "{told}");
    assert!(told.contains("\\Seen"), "{told}");
    let mut other = stand.other();
    assert_eq!(subjects(&mut other, "INBOX"), ["one", "of my own"]);
    let there = other.truth(&archive).messages;
    assert_eq!(there.len(), 1, "{there:?}");
    assert!(there[0].1.contains("\\flagged"), "{there:?}");
    // The same message again is another one, known by what was there before (NQ-055); servers may count its octets otherwise.
    let letter = pimap_tests::dovecot::mail("joe@example.org", "twice", "Text.");
    let twice = [b"Message-ID: <twice@example.org>\r\n", &letter[..]].concat();
    // Where mailboxes are labels, it is the same.
    for count in if stand.traits().keeps_duplicates { [2, 3] } else { [2, 2] } {
        client.send(format!("b APPEND \"{archive}\" {{{}+}}\r\n", twice.len()).as_bytes());
        client.send(&[&twice[..], b"\r\n"].concat());
        let reply = client.finish("b");
        let there = uids(&mut other, &archive);
        assert!(reply.condition.is_ok() && there.len() == count, "{reply:?} {there:?}");
        let told = reply.condition.code.get(2).map(|uid| uid.parse().expect("a UID"));
        assert!(told.is_none_or(|told| there.last() == Some(&told)), "{told:?} is not the last of {there:?}");
        assert!(told.is_some() || !(stand.traits().uid_plus || make == Make::DovecotBare), "{reply:?}");
    }
    client.send(b"b APPEND Nowhere-at-all {5+}\r\nhello\r\n");
    assert_eq!(client.finish("b").condition.status, "NO");
    client.ok("NOOP");
}

/// EXPUNGE on the whole mailbox; and on a filtered view, where what is hidden stays whatever the server is able to (F20).
pub fn expunging(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["keep", "drop", "hidden", "drop", "keep"]);
    let mut whole = stand.client("joe#WHOLE");
    whole.ok("SELECT INBOX");
    whole.ok("STORE 2 +FLAGS (\\Deleted)");
    assert!(untagged(&whole.ok("EXPUNGE")).contains("* 2 EXPUNGE"));
    let mut other = stand.other();
    assert_eq!(uids(&mut other, "INBOX"), [1, 3, 4, 5]);
    // The hidden one is marked deleted by somebody else.
    other.ok("SELECT INBOX");
    other.ok("UID STORE 3 +FLAGS (\\Deleted)");
    let mut handset = stand.client("joe#P1");
    handset.ok("XFILTER SET SHOWN \"\" (NOT SUBJECT hidden)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V SHOWN)");
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 3 EXISTS"));
    handset.ok("UID STORE 4 +FLAGS (\\Deleted)");
    let reply = handset.command("EXPUNGE");
    let mut other = stand.other();
    if stand.traits().uid_plus {
        assert!(untagged(&reply).contains("* 2 EXPUNGE"), "{reply:?}");
        assert_eq!(uids(&mut other, "INBOX"), [1, 3, 5]);
    } else {
        assert_eq!(
            (reply.condition.status.as_str(), reply.condition.code.first().map(String::as_str)),
            ("NO", Some("CANNOT"))
        );
        assert_eq!(uids(&mut other, "INBOX"), [1, 3, 4, 5]);
    }
    // Without UIDPLUS it is refused, like EXPUNGE.
    assert_eq!(handset.command("CLOSE").condition.is_ok(), stand.traits().uid_plus);
    assert!(uids(&mut other, "INBOX").contains(&3), "closing expunges nothing that is hidden");
}
