//! What is peculiar to a server whose mailboxes are labels, as Gmail's are: one message in several mailboxes, EXPUNGE that takes a label
//! away, APPEND that finds the message there already, expunging at once, few connections, and being throttled.

use pimap_tests::dovecot::{PASSWORD, mail};
use pimap_tests::gmail::Gmail;
use pimap_tests::imap::Imap;
use pimap_tests::server::Make;

use crate::stand::{Stand, eventually, untagged};

const ALL_MAIL: &str = "[Gmail]/All Mail";
const TRASH: &str = "[Gmail]/Trash";
const USER: &str = "joe@example.org";

fn stand() -> Stand {
    Stand::before(Make::Gmail)
}

fn gmail(stand: &Stand) -> &Gmail {
    stand.server.gmail().expect("the one with labels")
}

/// A handset that sees what is not hidden, in every mailbox.
fn filtered(stand: &Stand) -> Imap {
    let mut handset = stand.client("joe#P1");
    handset.ok("XFILTER SET SHOWN \"\" (NOT SUBJECT hidden)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V SHOWN)");
    handset
}

fn uids(other: &mut Imap, mailbox: &str) -> Vec<u32> {
    other.truth(mailbox).messages.iter().map(|(uid, _)| *uid).collect()
}

fn append(client: &mut Imap, mailbox: &str, letter: &[u8]) -> (String, Vec<String>) {
    client.send(format!("z APPEND {mailbox} {{{}+}}\r\n", letter.len()).as_bytes());
    client.send(&[letter, b"\r\n"].concat());
    let reply = client.finish("z");
    (untagged(&reply), reply.condition.code)
}

/// One message in INBOX, Work and All Mail has a UID in each. Whether a regular client or a handset with a filter takes it out of
/// INBOX, it stays in the others, and what is hidden keeps its labels.
#[test]
fn deleting_takes_a_label_away() {
    for device in [false, true] {
        let stand = stand();
        stand.arrive(&["hidden", "one", "two"]);
        let mut other = stand.other();
        other.ok("CREATE Work");
        other.ok("SELECT INBOX");
        other.ok("UID COPY 1:3 Work");
        other.ok("UID STORE 1 +FLAGS (\\Deleted)");
        other.ok("UNSELECT");
        let mut client = if device { filtered(&stand) } else { stand.client("joe") };
        let (shown, number) = if device { (2, 1) } else { (3, 2) };
        for mailbox in ["INBOX", "Work", ALL_MAIL] {
            let told = untagged(&client.ok(&format!("SELECT \"{mailbox}\"")));
            assert!(told.contains(&format!("* {shown} EXISTS")), "{mailbox}: {told}");
        }
        let listed = untagged(&client.ok("LIST \"\" *"));
        assert!(listed.contains("\\Trash") && listed.contains("[Gmail]/All Mail"), "{listed}");
        client.ok("SELECT INBOX");
        client.ok("UID STORE 2 +FLAGS (\\Deleted)");
        let told = untagged(&client.ok("UID EXPUNGE 2"));
        assert_eq!(told, format!("* {number} EXPUNGE\n"), "device: {device}");
        assert_eq!(uids(&mut other, "INBOX"), [1, 3], "a hidden message marked by others stays");
        assert_eq!(uids(&mut other, "Work"), [1, 2, 3]);
        assert_eq!(uids(&mut other, ALL_MAIL), [1, 2, 3]);
        // `\Deleted` is of one mailbox alone, other flags are of the message.
        client.ok("UID STORE 3 +FLAGS (\\Flagged)");
        let told = untagged(&client.ok("SELECT Work")) + &untagged(&client.ok("UID FETCH 2:3 (FLAGS)"));
        assert!(told.contains("UID 2 FLAGS ()") && told.contains("UID 3 FLAGS (\\\\Flagged)"), "{told}");
    }
}

/// MOVE changes the label; to the Trash it takes all of them, which who has another of the mailboxes open is told.
#[test]
fn moving_changes_labels() {
    let stand = stand();
    stand.arrive(&["hidden", "one", "two"]);
    let mut other = stand.other();
    other.ok("CREATE Work");
    other.ok("SELECT INBOX");
    other.ok("UID COPY 3 Work");
    other.ok("UNSELECT");
    let (mut handset, mut regular) = (filtered(&stand), stand.client("joe"));
    regular.ok("SELECT Work");
    handset.ok("SELECT INBOX");
    let moved = handset.ok("MOVE 1 Work");
    assert!(untagged(&moved).contains("* 1 EXPUNGE"), "{moved:?}");
    assert_eq!((uids(&mut other, "INBOX"), uids(&mut other, "Work")), (vec![1, 3], vec![1, 2]));
    let moved = handset.ok(&format!("UID MOVE 3 \"{TRASH}\""));
    assert!(untagged(&moved).contains("* 1 EXPUNGE"), "{moved:?}");
    assert_eq!((uids(&mut other, "INBOX"), uids(&mut other, "Work")), (vec![1], vec![2]));
    assert_eq!((uids(&mut other, ALL_MAIL), uids(&mut other, TRASH)), (vec![1, 2], vec![1]));
    let mut heard = String::new();
    eventually("the label that went with it", || {
        heard += &untagged(&regular.ok("NOOP"));
        heard.contains("* 1 EXPUNGE").then_some(())
    });
    // Out of All Mail nothing is moved: it gets the label and stays.
    handset.ok(&format!("SELECT \"{ALL_MAIL}\""));
    handset.ok("MOVE 1 INBOX");
    assert_eq!(uids(&mut other, ALL_MAIL), [1, 2]);
    assert_eq!(uids(&mut other, "INBOX").len(), 2);
    assert!(untagged(&handset.ok("FETCH 1:* (UID)")).contains("* 1 FETCH (UID 2)"));
}

/// The message that is there gets the label: no second one is told of, in the mailbox that is open or in another.
#[test]
fn a_duplicate_is_the_message_that_is_there() {
    let stand = stand();
    let mut handset = filtered(&stand);
    handset.ok("SELECT INBOX");
    let letter = mail("friend@example.org", "again", "Some text.");
    let (mut heard, first) = append(&mut handset, "INBOX", &letter);
    assert_eq!(first.first().map(String::as_str), Some("APPENDUID"), "{first:?}");
    eventually("the message", || {
        heard += &untagged(&handset.ok("NOOP"));
        heard.contains("* 1 EXISTS").then_some(())
    });
    let (told, second) = append(&mut handset, "INBOX", &letter);
    assert_eq!(second, first);
    assert!(!told.contains("EXISTS"), "{told}");
    let (_, labelled) = append(&mut handset, "Archive", &letter);
    assert_eq!(labelled.first().map(String::as_str), Some("APPENDUID"), "{labelled:?}");
    assert_eq!(untagged(&handset.ok("FETCH 1:* (UID)")), "* 1 FETCH (UID 1)\n");
    let mut other = stand.other();
    assert_eq!((uids(&mut other, "INBOX"), uids(&mut other, ALL_MAIL)), (vec![1], vec![1]));
    assert_eq!(uids(&mut other, "Archive"), [1]);
}

/// With "Auto-Expunge on" a mark is the removal: the client is told of it, and nothing else goes.
#[test]
fn what_is_marked_is_expunged_at_once() {
    for device in [false, true] {
        let stand = stand();
        gmail(&stand).set(|habits| habits.auto_expunge = true);
        stand.arrive(&["hidden", "one", "two", "three"]);
        let mut client = if device { filtered(&stand) } else { stand.client("joe") };
        client.ok("SELECT INBOX");
        let mut heard = untagged(&client.ok("UID STORE 3 +FLAGS (\\Deleted)"));
        let gone = if device { "* 2 EXPUNGE" } else { "* 3 EXPUNGE" };
        eventually("the removal", || {
            heard += &untagged(&client.ok("NOOP"));
            heard.contains(gone).then_some(())
        });
        assert_eq!(heard.matches("EXPUNGE").count(), 1, "{heard}");
        client.ok("EXPUNGE");
        let told = untagged(&client.ok("UID FETCH 1:* (UID)"));
        assert_eq!(told.matches("FETCH").count(), if device { 2 } else { 3 }, "{told}");
        let mut other = stand.other();
        assert_eq!(uids(&mut other, "INBOX"), [1, 2, 4]);
        assert_eq!(uids(&mut other, ALL_MAIL), [1, 2, 3, 4]);
    }
}

/// Other programs of the person's hold all connections but two: one watches, the other serves everything. When there is none, LOGIN says
/// "not now", and neither password nor handset is blamed: the next one is served.
#[test]
fn other_programs_hold_the_connections() {
    let stand = stand();
    stand.arrive(&["one", "two"]);
    eventually("the end of all connections", || (gmail(&stand).connections(USER) == 0).then_some(()));
    let mut others: Vec<Imap> = (0..15).map(|_| stand.other()).collect();
    for _ in 0..4 {
        let refused =
            Imap::connect(stand.gateway.address("imap")).command(&format!("LOGIN joe#P1 {PASSWORD}"));
        let code = refused.condition.code.first().map(String::as_str);
        assert_eq!((refused.condition.status.as_str(), code), ("NO", Some("UNAVAILABLE")), "{refused:?}");
    }
    others.truncate(13);
    eventually("two connections that are free", || (gmail(&stand).connections(USER) < 14).then_some(()));
    let mut handset = stand.client("joe#P1");
    handset.ok("SELECT INBOX");
    assert!(untagged(&handset.ok("FETCH 1 (BODY.PEEK[TEXT])")).contains("Some text."));
    handset.ok("UID STORE 1 +FLAGS (\\Flagged)");
    handset.ok("UID COPY 2 Archive");
    assert_eq!(untagged(&handset.ok("SEARCH SUBJECT two")), "* SEARCH 2\n");
    others[0].deliver("INBOX", &mail("friend@example.org", "three", "Some text."));
    let mut heard = String::new();
    eventually("the arrival", || {
        heard += &untagged(&handset.ok("NOOP"));
        heard.contains("* 3 EXISTS").then_some(())
    });
}

/// An OK that says it is late is an OK. Reading that is refused for a day is refused in words, with the message still there, and
/// comes back with the bandwidth.
#[test]
fn throttled_and_exhausted() {
    let stand = stand();
    gmail(&stand).set(|habits| habits.throttled = true);
    stand.arrive(&["hidden", "one", "two"]);
    let mut handset = filtered(&stand);
    assert!(untagged(&handset.ok("SELECT INBOX")).contains("* 2 EXISTS"));
    handset.ok("UID STORE 2 +FLAGS (\\Seen)");
    gmail(&stand).set(|habits| habits.exhausted = true);
    let refused = handset.command("UID FETCH 2:3 (BODY.PEEK[])");
    assert_eq!(refused.condition.status, "NO", "{refused:?}");
    assert!(!untagged(&refused).contains("FETCH"), "{refused:?}");
    assert!(!untagged(&handset.ok("NOOP")).contains("EXPUNGE"));
    gmail(&stand).set(|habits| habits.exhausted = false);
    assert_eq!(untagged(&handset.ok("UID FETCH 2:3 (BODY.PEEK[])")).matches("FETCH").count(), 2);
}

/// Text is found by whole words, by SEARCH and by a filter alike: the view is what that server makes of it (F23).
#[test]
fn text_is_found_by_words() {
    let stand = stand();
    stand.arrive(&["urgent", "urg", "calm"]);
    let mut handset = stand.client("joe#P1");
    handset.ok("SELECT INBOX");
    assert_eq!(untagged(&handset.ok("SEARCH SUBJECT urg")), "* SEARCH 2\n");
    handset.ok("XFILTER SET URG \"\" (SUBJECT urg)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V URG)");
    // The filter of an open mailbox is judged by the server, and what it hides leaves.
    eventually("the view", || {
        handset.ok("NOOP");
        (untagged(&handset.ok("UID FETCH 1:* (UID)")) == "* 1 FETCH (UID 2)\n").then_some(())
    });
    let mut other = stand.client("joe#P2");
    other.ok("XFILTER SET URG \"\" (NOT SUBJECT urg)");
    other.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V URG)");
    assert!(untagged(&other.ok("SELECT INBOX")).contains("* 2 EXISTS"));
}

/// What is announced by a server with labels and not by the gateway is not done either.
#[test]
fn labels_are_not_passed_on() {
    let stand = stand();
    stand.arrive(&["one"]);
    let mut client = stand.client("joe");
    assert!(!untagged(&client.ok("CAPABILITY")).contains("X-GM-EXT-1"));
    client.ok("SELECT INBOX");
    for command in ["FETCH 1 (X-GM-LABELS)", "SEARCH X-GM-RAW one", "STORE 1 +X-GM-LABELS (Work)"] {
        assert_eq!(client.command(command).condition.status, "BAD", "{command}");
    }
}
