//! Python's libraries: the same tour through Dovecot and through the gateway must bring home the same answers.

use std::path::PathBuf;
use std::process::Command;

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::process::run;

use crate::place::{Place, Security, everywhere};

const IMAPLIB: &str = include_str!("python/imaplib_tour.py");
const IMAPCLIENT: &str = include_str!("python/imapclient_tour.py");

/// PI-048, in part: Python's imaplib, plain, with STARTTLS and with TLS.
#[test]
fn pythons_imaplib_sees_no_difference() {
    everywhere(|place| {
        compare(place, IMAPLIB, &[Security::Cleartext, Security::StartTls, Security::Implicit])
    });
}

/// PI-048, in part: IMAPClient.
#[test]
fn imapclient_sees_no_difference() {
    everywhere(|place| compare(place, IMAPCLIENT, &[Security::Cleartext]));
}

/// Takes the tour directly and through the gateway, each time with an account that nobody has used.
fn compare(place: &Place<'_>, tour: &str, securities: &[Security]) {
    let dovecot = &place.dovecot;
    let fresh = |user: String| {
        // Listed in the order in which they were made, which is chance where two connections make them.
        dovecot.settle(&user);
        ["one", "two", "three"].iter().for_each(|subject| dovecot.save(&user, "INBOX", &letter(subject)));
        user
    };
    let authority = dovecot.certificate().certificate.clone();
    let direct = fresh(format!("direct-{}", place.login.user));
    let wanted = take(tour, dovecot.imap().port(), &direct, Security::Cleartext, authority);
    assert!(wanted.ends_with("all is well\n"), "{wanted}");
    for security in securities {
        let user = fresh(format!("{}-{security:?}", place.login.user).to_lowercase());
        let name = place.login.name.replace(place.login.user, &user);
        let told = take(tour, place.port(*security), &name, *security, place.authority());
        for (told, wanted) in told.lines().zip(wanted.lines()) {
            assert_eq!(told, wanted, "{name}");
        }
        assert_eq!(told.lines().count(), wanted.lines().count(), "{name}");
    }
}

fn take(tour: &str, port: u16, name: &str, security: Security, authority: PathBuf) -> String {
    let security = match security {
        Security::Cleartext => "plain",
        Security::StartTls => "starttls",
        Security::Implicit => "tls",
    };
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages()).arg("-c").arg(tour);
    run(command.args([&port.to_string(), name, PASSWORD, security]).arg(authority), b"")
}

/// Where `make setup` puts Python packages that Debian does not have: beside what cargo builds.
pub fn packages() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    // It runs as target/PROFILE/deps/NAME.
    own.ancestors().nth(3).expect("the target directory").join("python")
}

/// The same octets whenever it is made.
fn letter(subject: &str) -> Vec<u8> {
    format!(
        "From: Friend <friend@example.org>\r\nTo: joe@example.org\r\nSubject: {subject}\r\n\
         Date: Mon, 06 Mar 2006 09:00:00 +0000\r\nMessage-ID: <{subject}@example.org>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         The text of {subject}, s\u{e9}.\r\n\
         --b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"a.bin\"\r\n\r\nAAECAw==\r\n--b--\r\n"
    )
    .into_bytes()
}
