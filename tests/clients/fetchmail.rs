//! fetchmail: takes mail away.

use std::process::Command;

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::process::run;

use crate::folders::{at_server, held};
use crate::place::{Security, everywhere};

/// It fetches what is new, hands it on and deletes it.
#[test]
fn fetchmail_takes_the_mail_away() {
    everywhere(|place| {
        ["one", "two", "three"].iter().for_each(|subject| place.deliver(subject));
        let mut server = place.server();
        let taken = place.scratch.join("taken");
        let config = format!(
            "poll localhost service {port} proto imap auth password user \"{name}\" password \"{PASSWORD}\"\n\
             ssl sslcertck sslcertfile {authority} mda \"cat >>{taken}\"\n",
            port = place.port(Security::Implicit),
            name = place.login.name,
            authority = place.authority().display(),
            taken = taken.display(),
        );
        let config = place.file("fetchmailrc", config.as_bytes());
        let mut command = Command::new("fetchmail");
        command.env("FETCHMAILHOME", place.scratch.path()).arg("-f").arg(config);
        run(&mut command, b"");
        let text = std::fs::read_to_string(taken).expect("what it took");
        for subject in ["one", "two", "three"] {
            assert!(text.contains(&format!("The text of {subject}.")), "{text}");
        }
        assert_eq!(at_server(&mut server, "INBOX"), held(&[]));
    });
}
