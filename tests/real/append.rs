//! APPEND in all its forms, through the gateway to Dovecot.

use crate::stage::{Stage, refused, untagged};
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
