//! UTF8=ACCEPT (RFC 6855) before a real server that announces it: Courier alone does, of those that are tested.

use pimap_tests::server::Make;

use crate::stand::{Stand, untagged};

/// Mailboxes are named and made in UTF-8, a message with UTF-8 in its header is appended, found and read.
#[test]
fn names_searches_and_messages_are_utf8() {
    let stand = Stand::before(Make::Courier);
    let mut client = stand.client("joe");
    assert!(untagged(&client.ok("CAPABILITY")).contains("UTF8=ACCEPT"));
    assert!(untagged(&client.ok("ENABLE UTF8=ACCEPT")).contains("* ENABLED UTF8=ACCEPT"));
    client.ok("CREATE \"INBOX.Entwürfe\"");
    let listed = client.ok("LIST \"\" *");
    let named = |line: &Vec<u8>| String::from_utf8_lossy(line).contains("INBOX.Entwürfe");
    assert!(listed.untagged.iter().any(named), "{}", untagged(&listed));
    let letter =
        "From: friend@example.org\r\nSubject: Grüße\r\nMessage-ID: <utf8@example.org>\r\n\r\nÜbrigens.\r\n";
    client.send(format!("z APPEND \"INBOX.Entwürfe\" UTF8 (~{{{}+}}\r\n", letter.len()).as_bytes());
    client.send(format!("{letter})\r\n").as_bytes());
    let reply = client.finish("z");
    assert!(reply.condition.is_ok(), "{reply:?}");
    let opened = untagged(&client.ok("SELECT \"INBOX.Entwürfe\""));
    assert!(opened.contains("* 1 EXISTS"), "{opened}");
    let found = untagged(&client.ok("SEARCH SUBJECT \"Grüße\""));
    let read = client.ok("UID FETCH 1 (BODY.PEEK[])");
    assert_eq!(found, "* SEARCH 1\n");
    assert!(untagged(&read).contains("Message-ID: <utf8@example.org>"), "{}", untagged(&read));
    // Past the gateway, by the name that everybody else has for it.
    let mut other = stand.other();
    assert_eq!(other.truth("INBOX.Entw&APw-rfe").messages.len(), 1);
}
