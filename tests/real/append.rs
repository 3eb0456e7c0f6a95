//! APPEND in all its forms, through the gateway to Dovecot.

use crate::stage::{Stage, refused, untagged};
use pimap_tests::dovecot::{Dovecot, Riches};
use pimap_tests::transcript::show;

/// RFC 3502, RFC 4469, RFC 3516, RFC 4315.
#[test]
fn messages_are_appended_in_every_form() {
    let stage = Stage::new();
    stage.deliver(&["one", "two"]);
    let mut client = stage.client("joe");
    let capability = untagged(&client.ok("CAPABILITY"));
    for word in ["MULTIAPPEND", "CATENATE", "BINARY", "LITERAL+"] {
        assert!(capability.split_whitespace().any(|has| has == word), "{capability}");
    }
    let head = "Subject: x\r\n\r\n";
    let two = client.ok(&format!("APPEND Sent (\\Seen) {{17+}}\r\n{head}abc {{17+}}\r\n{head}def"));
    assert!(format!("{:?}", two.condition).contains("\"1:2\""), "{:?}", two.condition);
    // Synchronizing literals, one after the other.
    let tag = client.begin(&format!("APPEND Sent {{{}}}", head.len()));
    assert!(client.line().starts_with(b"+"));
    client.send(format!("{head} (\\Flagged) {{{}}}\r\n", head.len()).as_bytes());
    assert!(client.line().starts_with(b"+"));
    client.send(format!("{head}\r\n").as_bytes());
    assert!(client.finish(&tag).condition.is_ok());
    // The header of what is there, and a new text.
    client.ok("SELECT INBOX");
    let parts = "APPEND Sent CATENATE (URL \"/INBOX/;UID=2/;SECTION=HEADER\" TEXT {5+}\r\nabout URL \"/INBOX/;UID=1/;SECTION=TEXT\")";
    client.ok(parts);
    refused(&mut client, "APPEND Sent CATENATE (URL \"/INBOX/;UID=9\")", "NO");
    client.ok("SELECT Sent");
    let read = client.ok("FETCH 5 (BINARY.SIZE[1] BINARY.PEEK[1] BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
    let text: String = read.untagged.iter().map(|line| show(line)).collect();
    assert!(text.contains("Subject: two") && text.contains("aboutSome text."), "{text}");
    assert!(text.contains("BINARY.SIZE[1]") && text.contains("BINARY[1]"), "{text}");
    let flags = client.flags_of("1:4");
    let flags: Vec<String> = flags.iter().map(|(uid, flags)| format!("{uid} {flags:?}")).collect();
    assert_eq!(flags.len(), 4, "{flags:?}");
}

/// RFC 3502 before a Dovecot that announces UIDPLUS and no MULTIAPPEND: all messages, or none. Without UIDPLUS nothing is begun.
#[test]
fn several_messages_are_appended_one_by_one() {
    let stage = Stage::before(Dovecot::poor(), |config| config);
    let mut client = stage.client("joe");
    let capability = untagged(&client.ok("CAPABILITY"));
    assert!(capability.split_whitespace().any(|has| has == "MULTIAPPEND"), "{capability}");
    let two = client.ok("APPEND Sent (\\Seen) {5+}\r\nA: b\n (\\Flagged) {5+}\r\nC: d\n");
    assert!(format!("{:?}", two.condition).contains("\"1:2\""), "{:?}", two.condition);
    // The third is larger than any that may be appended.
    let reply = refused(&mut client, "APPEND Sent {5+}\r\nA: b\n {5+}\r\nC: d\n {999999999}", "NO");
    assert!(reply.contains("TOOBIG"), "{reply}");
    let mut direct = stage.dovecot.login("joe");
    assert_eq!(untagged(&direct.ok("STATUS Sent (MESSAGES)")).trim(), "* STATUS Sent (MESSAGES 2)");
    client.ok("SELECT Sent");
    let flags: Vec<String> = client.flags_of("1:*").iter().map(|(_, flags)| format!("{flags:?}")).collect();
    assert!(flags.len() == 2 && flags[0].contains("seen") && flags[1].contains("flagged"), "{flags:?}");
    let stage = Stage::before(Dovecot::with(&Riches::Just("IMAP4rev1")), |config| config);
    let mut client = stage.client("joe");
    assert!(!untagged(&client.ok("CAPABILITY")).contains("MULTIAPPEND"));
    refused(&mut client, "APPEND Sent {5+}\r\nA: b\n {5+}\r\nC: d\n", "NO");
    let mut direct = stage.dovecot.login("joe");
    assert_eq!(untagged(&direct.ok("STATUS Sent (MESSAGES)")).trim(), "* STATUS Sent (MESSAGES 0)");
}
