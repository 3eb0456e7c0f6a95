//! Mailboxes that a user may see and not open, before Dovecot with access control lists (RFC 4314).

use std::time::Duration;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::imap::Imap;
use pimap_tests::transcript::show;

use crate::stage::{Stage, letter, next, refused, untagged};

/// Dovecot that obeys `SETACL`, at once.
fn stage() -> Stage {
    let mut dovecot = Dovecot::start();
    dovecot.reconfigure(|text, _| {
        text.replace("$mail_plugins notify", "$mail_plugins notify acl")
            .replace("$mail_plugins imap_zlib", "$mail_plugins imap_zlib imap_acl")
            + "plugin {\n  acl = vfile::cache_secs=0\n}\n"
    });
    Stage::before(dovecot, |config| config)
}

/// NQ-006: of what cannot be looked into, the name is told and no number, and the refusal has the code that says why; of what
/// may not even be seen, nothing. The other mailboxes are told as ever.
#[test]
fn a_mailbox_without_the_right_to_read_is_a_name_and_no_more() {
    let stage = stage();
    let mut other = stage.dovecot.login("joe");
    for name in ["Secret", "Hidden", "Work"] {
        other.ok(&format!("CREATE {name}"));
        stage.dovecot.save("joe", name, &letter("one"));
    }
    other.ok("SETACL Secret owner l");
    other.ok("SETACL Hidden owner a");
    let mut setting = stage.client("joe#P2");
    setting.ok("XFILTER SET FRIENDS \"\" (FROM friend@)");
    setting.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL V FRIENDS)");
    for (count, user) in [(1, "joe"), (2, "joe#P1"), (3, "joe#P2")] {
        let mut client = stage.client(user);
        let listed = untagged(&client.ok("LIST \"\" *"));
        assert!(listed.contains(" Secret\n") && !listed.contains("Hidden"), "{listed}");
        for command in ["SELECT", "EXAMINE"] {
            let said = refused(&mut client, &format!("{command} Secret"), "NO");
            assert!(said.starts_with("[NOPERM] "), "{said}");
            let said = refused(&mut client, &format!("{command} Hidden"), "NO");
            assert!(said.starts_with("[NONEXISTENT] "), "{said}");
        }
        let set = "NOTIFY SET STATUS (mailboxes (Secret Hidden Work) (MessageNew MessageExpunge))";
        let told = untagged(&client.ok(set));
        assert!(told.contains(&format!("* STATUS Work (MESSAGES {count} ")), "{told}");
        assert!(told.contains("* LIST (\\\\NoAccess ") && told.contains(" Secret\n"), "{told}");
        assert!(!told.contains("STATUS Secret") && !told.contains("Hidden"), "{told}");
        stage.dovecot.save("joe", "Work", &letter("one more"));
        let counted = format!("* STATUS Work (UIDNEXT {} MESSAGES {})", count + 2, count + 1);
        assert_eq!(next(&mut client), counted);
    }
    // Counts of a filtered view are made by looking, which is refused; Dovecot itself counts for whoever sees the name.
    let mut filtered = stage.client("joe#P2");
    let said = refused(&mut filtered, "STATUS Secret (MESSAGES)", "NO");
    assert!(said.starts_with("[NOPERM] "), "{said}");

    // What may be read again is there again, with its numbers.
    other.ok("SETACL Secret owner lrwstipekxa");
    assert!(untagged(&filtered.ok("SELECT Secret")).contains("* 1 EXISTS"));
}

/// The next lines, up to one that ends like this.
#[track_caller]
fn until(client: &mut Imap, end: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    while !lines.last().is_some_and(|line| line.ends_with(end)) {
        let line = client.line_within(Duration::from_secs(20));
        lines.push(show(&line.unwrap_or_else(|| panic!("no line that ends in {end:?} after {lines:?}"))));
    }
    lines
}

/// NQ-018: rights that are given and taken while a connection is notified. Dovecot tells nobody of them: they are noticed with the next
/// look, be it at the list of mailboxes or into the mailbox.
#[test]
fn rights_that_change_are_told_with_the_next_look() {
    let stage = stage();
    let mut other = stage.dovecot.login("joe");
    for name in ["Work", "Hidden"] {
        other.ok(&format!("CREATE {name}"));
        stage.dovecot.save("joe", name, &letter("one"));
    }
    other.ok("SETACL Hidden owner a");
    let mut looking = stage.client("joe");
    let mut client = stage.client("joe");
    client.ok("NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))");

    // It may be seen and read: it is there, with what it holds.
    other.ok("SETACL Hidden owner lrwstipekxa");
    other.ok("CREATE Hint");
    let told = until(&mut client, "MESSAGES 1)").join("\n");
    assert!(told.contains(" Hint") && told.contains("* LIST ") && told.contains(" Hidden"), "{told}");
    assert!(told.contains("* STATUS Hidden (UIDVALIDITY ") && !told.contains("NonExistent"), "{told}");
    stage.dovecot.save("joe", "Hidden", &letter("two"));
    until(&mut client, "* STATUS Hidden (UIDNEXT 3 MESSAGES 2)");

    // It may be seen, not read.
    other.ok("SETACL Work owner l");
    let said = refused(&mut looking, "SELECT Work", "NO");
    assert!(said.starts_with("[NOPERM] "), "{said}");
    let told = until(&mut client, " Work").join("\n");
    assert!(told.contains("* LIST (\\\\NoAccess "), "{told}");

    // It may be read again.
    other.ok("SETACL Work owner lrwstipekxa");
    looking.ok("SELECT Work");
    let told = until(&mut client, "MESSAGES 1)").join("\n");
    assert!(told.contains("* LIST (") && !told.contains("NoAccess"), "{told}");

    // It may not even be seen.
    looking.ok("UNSELECT");
    other.ok("SETACL Work owner a");
    other.ok("DELETE Hint");
    let told = until(&mut client, " Work").join("\n");
    assert!(told.contains("NonExistent"), "{told}");
}
