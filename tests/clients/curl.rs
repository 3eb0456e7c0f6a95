//! curl: its IMAP over every kind of connection, and its HTTP as the README uses it.

use std::process::Command;

use pimap_tests::dovecot::{Dovecot, PASSWORD};
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::process::run;

use crate::folders::{at_server, held};
use crate::place::{Place, Security, everywhere, mail};

/// curl with the arguments that every call shares.
fn curl(place: &Place<'_>, security: Security, path: &str, arguments: &[&str]) -> String {
    let scheme = if security == Security::Implicit { "imaps" } else { "imap" };
    let url = format!("{scheme}://localhost:{}/{path}", place.port(security));
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "20", "--ipv4"]);
    command.args(["--user", &format!("{}:{PASSWORD}", place.login.name)]);
    command.arg("--cacert").arg(place.authority());
    if security == Security::StartTls {
        command.arg("--ssl-reqd");
    }
    run(command.args(arguments).arg(url), b"")
}

/// PI-048, in part: lists, reads, searches, uploads, flags, expunges; plain, with STARTTLS and with TLS.
#[test]
fn curl_works_with_it() {
    everywhere(|place| {
        ["one", "two", "three"].iter().for_each(|subject| place.deliver(subject));
        for security in [Security::Cleartext, Security::StartTls, Security::Implicit] {
            let list = curl(place, security, "", &[]);
            assert!(list.contains("* LIST") && list.contains("INBOX"), "{list}");
            let text = curl(place, security, "INBOX;UID=2", &[]);
            assert!(text.contains("Subject: two\r\n") && text.contains("The text of two.\r\n"), "{text}");
            let header = curl(place, security, "INBOX;MAILINDEX=3;SECTION=HEADER.FIELDS%20(SUBJECT)", &[]);
            assert_eq!(header.trim(), "Subject: three");
            assert_eq!(curl(place, security, "INBOX?SUBJECT%20two", &[]).trim(), "* SEARCH 2");
        }
        curl(place, Security::Implicit, "", &["--request", "CREATE Work"]);
        let upload = place.file("upload", &mail("uploaded"));
        let upload = upload.display().to_string();
        curl(place, Security::Implicit, "Work", &["--upload-file", &upload]);
        curl(place, Security::StartTls, "Work", &["--upload-file", &upload]);
        curl(place, Security::Cleartext, "INBOX", &["--request", "STORE 1 +FLAGS \\Deleted"]);
        curl(place, Security::Cleartext, "INBOX", &["--request", "EXPUNGE"]);
        let mut server = place.server();
        assert_eq!(at_server(&mut server, "INBOX"), held(&[("two", "S"), ("three", "S")]));
        // curl marks what it uploads as read.
        let uploaded = server.truth("Work").messages;
        assert_eq!(uploaded.len(), 2);
        assert!(uploaded.iter().all(|(_, flags)| flags.contains("\\seen")), "{uploaded:?}");
    });
}

/// Its HTTP, as the README uses it.
#[test]
fn curl_posts_commands() {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    ["one", "two"].iter().for_each(|subject| dovecot.deliver("joe", &mail(subject)));
    let site = format!("http://{}/pimap", gateway.address("http"));
    let arguments = [
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--header",
        "Content-Type: application/vnd.pimap",
        "--data-binary",
        "a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n",
        &site,
    ];
    let told = run(Command::new("curl").args(arguments), b"");
    assert!(told.contains("* SESSIONID ") && told.contains("* 2 EXISTS"), "{told}");
}
