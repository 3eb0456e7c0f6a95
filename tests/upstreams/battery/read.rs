//! LOGIN, SELECT and FETCH: the same as the server itself would say.

use pimap_tests::server::Make;

use crate::stand::{Stand, untagged};

/// A mail with parts, an attachment and a header that is folded.
const PARTS: &str = "From: Friend <friend@example.org>\r\nTo: joe@example.org, ann@example.org\r\n\
    Subject: with parts\r\n and a fold\r\nDate: Mon, 06 Mar 2006 09:00:00 +0000\r\nMessage-ID: <parts@example.org>\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n--b1\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\r\nThe text.\r\nIn two lines.\r\n--b1\r\n\
    Content-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQF\r\n\
    --b1--\r\n";

/// What is asked for, of all messages of INBOX.
const ASKED: [&str; 9] = [
    "(UID FLAGS)",
    "(UID RFC822.SIZE INTERNALDATE)",
    "(UID ENVELOPE)",
    "(UID BODYSTRUCTURE)",
    "(UID BODY.PEEK[])",
    "(UID BODY.PEEK[]<10.25>)",
    "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])",
    "(UID BODY.PEEK[1])",
    "(UID BODY.PEEK[TEXT]<0.4> FLAGS)",
];

/// NQ-022: everything is asked for by UID, and what comes back has the numbers of the mailbox.
pub fn reading(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["one", "two"]);
    let mut direct = stand.other();
    direct.deliver("INBOX", PARTS.as_bytes());
    direct.ok("EXAMINE INBOX");
    for user in ["joe#P1", "joe"] {
        let mut client = stand.client(user);
        let told = untagged(&client.ok("SELECT INBOX"));
        assert!(told.contains("* 3 EXISTS"), "{user}: {told}");
        for items in ASKED {
            let (here, there) =
                (client.ok(&format!("FETCH 1:3 {items}")), direct.ok(&format!("UID FETCH 1:3 {items}")));
            assert_eq!(fetched(&untagged(&here)), fetched(&untagged(&there)), "{user}: {items}");
        }
        assert_eq!(untagged(&client.ok("UID FETCH 900 (FLAGS)")), "", "{user}");
        // Numbers have 32 bits; a server may read them with fewer.
        for (octets, whole) in [("0.4294967295", true), ("2147483648.4294967295", false)] {
            let told = untagged(&client.ok(&format!("FETCH 1 (BODY.PEEK[TEXT]<{octets}>)")));
            assert!(
                told.contains("BODY[TEXT]<") && told.contains("Some text.") == whole,
                "{user}: {octets}: {told}"
            );
        }
    }
    // Reading sets \Seen, peeking did not.
    let mut client = stand.client("joe#P1");
    client.ok("SELECT INBOX");
    assert!(!untagged(&client.ok("FETCH 1:3 (FLAGS)")).contains("\\Seen"));
    assert!(untagged(&client.ok("FETCH 2 (BODY[TEXT])")).contains("Some text."));
    direct.ok("CLOSE");
    let seen: Vec<u32> =
        stand.other().truth_of("INBOX", "SEEN").messages.iter().map(|(uid, _)| *uid).collect();
    assert_eq!(seen, [2]);
}

/// FETCH lines without what differs for good reason: the order of items, and \Recent, which belongs to one session alone.
fn fetched(text: &str) -> Vec<String> {
    let lines = text.replace("\\\\Recent ", "").replace(" \\\\Recent", "").replace("\\\\Recent", "");
    let mut lines: Vec<String> = lines
        .lines()
        .filter(|line| line.contains("FETCH"))
        .map(|line| {
            let mut octets: Vec<char> = line.chars().filter(|c| !c.is_whitespace()).collect();
            octets.sort_unstable();
            octets.into_iter().collect()
        })
        .collect();
    lines.sort();
    lines
}
