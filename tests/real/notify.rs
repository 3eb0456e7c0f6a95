//! NOTIFY (RFC 5465) and arrivals announced with items, before Dovecot with all its extensions and with none of them.

use pimap_tests::dovecot::{Dovecot, mail};

use crate::stage::{Stage, letter, next, untagged};

/// NQ-002, NQ-005, NQ-011, NQ-012, NQ-013: one connection hears of the selected mailbox and of another, between commands.
#[test]
fn one_connection_hears_of_all_mailboxes() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Work");
    let mut client = stage.client("joe");
    client.ok("SELECT INBOX");
    let reply = client.ok(
        "NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange)) \
         (personal (MessageNew MessageExpunge))",
    );
    let told = untagged(&reply);
    assert!(told.contains("* STATUS Work (MESSAGES 0 UIDNEXT 1 UIDVALIDITY "), "{told}");
    assert!(!told.contains("INBOX"), "of the selected mailbox nothing: {told}");

    stage.deliver(&["two"]);
    assert_eq!(next(&mut client), "* 2 EXISTS");
    let items = next(&mut client);
    assert!(
        items.starts_with("* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT)]") && items.contains("two"),
        "{items}"
    );
    other.flag("INBOX", 1, "+FLAGS (\\Flagged)");
    assert_eq!(next(&mut client), "* 1 FETCH (UID 1 FLAGS (\\\\Flagged))");
    other.expunge("INBOX", 1);
    let gone = next(&mut client);
    let gone = if gone.contains("Deleted") { next(&mut client) } else { gone };
    assert_eq!(gone, "* 1 EXPUNGE");
    stage.dovecot.save("joe", "Work", &letter("three"));
    assert_eq!(next(&mut client), "* STATUS Work (UIDNEXT 2 MESSAGES 1)");
}

/// NQ-001, NQ-014, NQ-015, NQ-016: mailboxes that come, go and are renamed, by others and through the gateway.
#[test]
fn names_and_subscriptions_are_told() {
    let stage = Stage::new();
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Work");
    other.ok("CREATE Work/deep");
    let mut client = stage.client("joe");
    client.ok("NOTIFY SET (personal (MailboxName SubscriptionChange))");
    other.ok("CREATE New");
    // Whether it is unmarked already depends on who has looked at it first.
    let line = next(&mut client).replace(" \\\\UnMarked", "");
    assert_eq!(line, "* LIST (\\\\HasNoChildren) \"/\" New");
    other.ok("SUBSCRIBE New");
    let line = next(&mut client);
    assert!(
        line.starts_with("* LIST (") && line.contains("\\\\Subscribed") && line.ends_with(" New"),
        "{line}"
    );
    other.ok("RENAME Work Play");
    let line = next(&mut client);
    assert!(line.ends_with("\"/\" Play (\"OLDNAME\" (Work))"), "one line, none for what is below: {line}");
    let mut third = stage.client("joe#P1");
    third.ok("DELETE New");
    let line = next(&mut client);
    assert!(line.contains("\\\\NonExistent") && line.ends_with(" New"), "{line}");
    assert_eq!(untagged(&client.ok("CREATE Own")), "");
    assert_eq!(untagged(&client.ok("NOOP")), "");
}

/// NQ-002, NQ-014, NQ-019: before a server without NOTIFY, IDLE, UIDPLUS and CONDSTORE what other devices do through the gateway is
/// told at once, and counts are the device's own.
#[test]
fn a_poor_server_makes_no_difference() {
    let stage = Stage::before(Dovecot::poor(), |config| config);
    stage.dovecot.login("joe").ok("CREATE Work");
    stage.dovecot.save("joe", "Work", &mail("stranger@example.org", "hidden", "Some text."));
    let mut client = stage.client("joe#P1");
    client.ok("XFILTER SET FRIENDS \"\" (FROM friend@)");
    client.ok("XSETPIMAPPREF PIMAP_XFILTER (Work V FRIENDS)");
    let told = untagged(
        &client.ok("NOTIFY SET STATUS (mailboxes Work (MessageNew MessageExpunge)) (personal (MailboxName))"),
    );
    assert!(told.starts_with("* STATUS Work (MESSAGES 0 UIDNEXT 2 UIDVALIDITY "), "{told}");
    let mut third = stage.client("joe");
    third.append("Work", "()", &letter("seen"));
    assert_eq!(next(&mut client), "* STATUS Work (UIDNEXT 3 MESSAGES 1)");
    third.ok("RENAME Work Play");
    let line = next(&mut client);
    assert!(line.ends_with(" Play (\"OLDNAME\" (Work))"), "{line}");
}

/// PI-045: with a push, with IDLE and with an answer, a FETCH stands for EXISTS, and `\Seen` stays away.
#[test]
fn a_new_message_is_fetched_instead_of_counted() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut handset = stage.client("joe#P1");
    handset.ok("XSETPIMAPPREF PIMAP_XFILTER (ALL N ALL)");
    handset.ok("XSETPIMAPPREF PIMAP_INBAND_NEW_FORMAT (BODY[TEXT] FLAGS)");
    handset.ok("SELECT INBOX");
    let tag = handset.begin("IDLE");
    assert!(handset.line().starts_with(b"+"));
    stage.deliver(&["two"]);
    let pushed = next(&mut handset);
    assert!(pushed.starts_with("* 2 FETCH (UID 2 ") && pushed.contains("Some text."), "{pushed}");
    assert!(pushed.contains("FLAGS ()"), "{pushed}");
    handset.send(b"DONE\r\n");
    handset.finish(&tag);

    handset.ok("XSETPIMAPPREF PIMAP_INBAND_PUSH ON");
    stage.deliver(&["three"]);
    assert!(next(&mut handset).starts_with("* 3 FETCH (UID 3 "));
    let rest = untagged(&handset.ok("FETCH 1:* (FLAGS)"));
    assert_eq!(rest.matches("\\\\Seen").count(), 0, "{rest}");
    assert_eq!(rest.lines().count(), 3, "all of them are numbered: {rest}");
}
