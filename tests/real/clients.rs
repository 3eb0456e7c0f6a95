//! Stock clients through the gateway with a regular login: it looks like any IMAP server to them.

use std::process::Command;

use pimap_tests::process::run;

use crate::stage::Stage;

const SCRIPT: &str = r#"
import imaplib, sys
imap = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]
ok(imap.login("joe", "pw"))
assert b"INBOX" in b" ".join(ok(imap.list()))
assert ok(imap.select("INBOX")) == [b"2"]
assert ok(imap.search(None, "SUBJECT", "two")) == [b"2"]
body = ok(imap.fetch("1:2", "(UID FLAGS BODY.PEEK[TEXT])"))
assert body[0][1] == b"Some text.\r\n", body
ok(imap.create("Work"))
ok(imap.append("Work", "(\\Seen)", None, b"Subject: three\r\n\r\nHello.\r\n"))
ok(imap.copy("1", "Work"))
ok(imap.store("1", "+FLAGS", "(\\Deleted)"))
assert ok(imap.expunge()) == [b"1"]
ok(imap.close())
assert ok(imap.select("Work", readonly=True)) == [b"2"]
ok(imap.unselect())
ok(imap.noop())
imap.logout()
print("all is well")
"#;

/// PI-048, in part: Python's imaplib.
#[test]
fn pythons_imaplib_works_with_it() {
    let stage = Stage::new();
    stage.deliver(&["one", "two"]);
    let port = stage.gateway.address("imap").port().to_string();
    let told = run(Command::new("python3").args(["-c", SCRIPT, &port]), b"");
    assert_eq!(told, "all is well\n");
    let mut other = stage.dovecot.login("joe");
    assert_eq!(other.truth("INBOX").messages.len(), 1);
    assert_eq!(other.truth("Work").messages.len(), 2);
}

/// curl's IMAP and its HTTP, as the README uses them.
#[test]
fn curl_works_with_it() {
    let stage = Stage::new();
    stage.deliver(&["one", "two"]);
    let imap = format!("imap://{}", stage.gateway.address("imap"));
    let curl = |arguments: &[&str]| {
        run(Command::new("curl").args(["--silent", "--show-error", "--max-time", "20"]).args(arguments), b"")
    };
    assert!(curl(&["--user", "joe:pw", &format!("{imap}/")]).contains("INBOX"));
    let text = curl(&["--user", "joe:pw", &format!("{imap}/INBOX;UID=2")]);
    assert!(text.contains("Subject: two") && text.contains("Some text."), "{text}");
    assert!(curl(&["--user", "joe:pw", &format!("{imap}/INBOX?SUBJECT%20two")]).contains("* SEARCH 2"));
    let site = format!("http://{}/pimap", stage.gateway.address("http"));
    let told = curl(&[
        "--header",
        "Content-Type: application/vnd.pimap",
        "--data-binary",
        "a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n",
        &site,
    ]);
    assert!(told.contains("* SESSIONID ") && told.contains("* 2 EXISTS"), "{told}");
}
