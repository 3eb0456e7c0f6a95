//! Law 2: what the handset cannot see, it cannot touch. Looked at past the gateway.

use pimap_tests::dovecot::{Dovecot, Riches, mail};
use pimap_tests::handset::MailboxTruth;
use pimap_tests::imap::Imap;

use crate::stage::{Stage, refused, untagged};

/// A device that sees only mail of the boss; hidden between are three others, one of them marked deleted.
fn stage(dovecot: Dovecot) -> (Stage, Imap, Imap) {
    let stage = Stage::before(dovecot, |config| config);
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Work");
    for (from, flags) in [
        ("friend@example.org", ""),
        ("boss@example.org", ""),
        ("friend@example.org", "\\Deleted"),
        ("boss@example.org", "\\Seen"),
        ("friend@example.org", "\\Flagged"),
    ] {
        other.append("Work", flags, &mail(from, "hello", "Some text."));
    }
    let mut handset = stage.client("joe#P1");
    handset.ok("XFILTER SET BOSS \"\" (FROM \"boss@example.org\")");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V BOSS)");
    let told = untagged(&handset.ok("SELECT Work"));
    assert!(told.contains("* 2 EXISTS"), "{told}");
    (stage, handset, other)
}

/// UIDs and flags of the hidden ones.
fn hidden(other: &mut Imap, mailbox: &str) -> MailboxTruth {
    other.truth_of(mailbox, "NOT FROM \"boss@example.org\"")
}

/// PI-026.
#[test]
fn expunge_and_close_leave_hidden_mail_alone() {
    for command in ["EXPUNGE", "UID EXPUNGE 1:*", "CLOSE"] {
        let (_stage, mut handset, mut other) = stage(Dovecot::start());
        let before = hidden(&mut other, "Work");
        assert_eq!(before.messages.len(), 3);
        handset.ok("STORE 1 +FLAGS (\\Deleted)");
        handset.ok(command);
        let after = other.truth("Work");
        let uids: Vec<u32> = after.messages.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(uids, [1, 3, 4, 5], "{command}");
        assert_eq!(hidden(&mut other, "Work"), before, "{command}");
    }
}

/// Marks, moves and copies reach what is seen and nothing else.
#[test]
fn marks_moves_and_copies_reach_only_what_is_seen() {
    let (_stage, mut handset, mut other) = stage(Dovecot::start());
    let before = hidden(&mut other, "Work");
    for command in
        ["STORE 1:* +FLAGS (\\Flagged)", "UID STORE 1:* +FLAGS (\\Answered)", "STORE 2:1 -FLAGS (\\Flagged)"]
    {
        let told = untagged(&handset.ok(command));
        assert_eq!(told.matches("FETCH").count(), 2, "{command}: {told}");
    }
    assert_eq!(hidden(&mut other, "Work"), before);
    assert!(
        other.truth_of("Work", "FROM boss").messages.iter().all(|(_, flags)| flags.contains("\\answered"))
    );
    let reply = handset.command("UID STORE 1,3,5 +FLAGS (\\Deleted)");
    assert_eq!(untagged(&reply), "", "hidden UIDs are silently none");
    let reply = handset.command("UID FETCH 1,3,5 (FLAGS BODY[])");
    assert_eq!(untagged(&reply), "");
    assert_eq!(hidden(&mut other, "Work"), before);
    handset.ok("CREATE Elsewhere");
    handset.ok("UID COPY 1:* Elsewhere");
    assert_eq!(other.truth("Elsewhere").messages.len(), 2);
    handset.ok("UID MOVE 1:* Trash");
    assert_eq!(other.truth("Trash").messages.len(), 2);
    assert_eq!(other.truth("Work"), before);
}

/// F19: a mailbox that holds hidden mail is not deleted.
#[test]
fn a_mailbox_with_hidden_mail_is_not_deleted() {
    let (_stage, mut handset, mut other) = stage(Dovecot::start());
    let before = other.truth("Work");
    handset.ok("UNSELECT");
    assert!(refused(&mut handset, "DELETE Work", "NO").contains("[CANNOT]"));
    assert_eq!(other.truth("Work"), before);
    // Without hidden mail it is deleted like any other.
    handset.ok("CREATE Empty");
    handset.ok("DELETE Empty");
}

/// F19: a renamed mailbox keeps its filters.
#[test]
fn a_renamed_mailbox_shows_no_more_than_before() {
    let (_stage, mut handset, mut other) = stage(Dovecot::start());
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V ALL)");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (Work V BOSS)");
    handset.ok("UNSELECT");
    handset.ok("RENAME Work Play");
    let told = untagged(&handset.ok("SELECT Play"));
    assert!(told.contains("* 2 EXISTS"), "{told}");
    assert_eq!(other.truth("Play").messages.len(), 5);
}

/// F20: without UIDPLUS, a server with MOVE and a trash is asked to move what is meant, which is exact too.
#[test]
fn without_uidplus_what_is_expunged_goes_to_the_trash() {
    for command in ["EXPUNGE", "CLOSE"] {
        let riches = Riches::Just("IMAP4rev1 IDLE MOVE SPECIAL-USE");
        let (_stage, mut handset, mut other) = stage(Dovecot::with(&riches));
        let before = hidden(&mut other, "Work");
        handset.ok("STORE 1 +FLAGS (\\Deleted)");
        handset.ok(command);
        let uids: Vec<u32> = other.truth("Work").messages.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(uids, [1, 3, 4, 5], "{command}");
        assert_eq!(hidden(&mut other, "Work"), before, "{command}");
        assert_eq!(other.truth("Trash").messages.len(), 1, "{command}");
    }
}

/// F20: a server that cannot expunge selectively is not asked to.
#[test]
fn without_uidplus_nothing_hidden_is_expunged() {
    let dovecot = Dovecot::with(&pimap_tests::dovecot::Riches::Just("IMAP4rev1 IDLE NAMESPACE"));
    let (_stage, mut handset, mut other) = stage(dovecot);
    let before = uids(&mut other, "Work");
    handset.ok("STORE 1 +FLAGS (\\Deleted)");
    let reply = handset.command("EXPUNGE");
    assert_eq!(reply.condition.code("CANNOT"), Some(""), "{reply:?}");
    assert_eq!(uids(&mut other, "Work"), before, "nothing is gone");
}

/// The UIDs of a mailbox, by commands that every server knows.
fn uids(client: &mut Imap, mailbox: &str) -> Vec<u32> {
    client.ok(&format!("EXAMINE {mailbox}"));
    client.flags_of("1:*").into_iter().map(|(uid, _)| uid).collect()
}
