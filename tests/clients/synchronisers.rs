//! mbsync and offlineimap: two programs that keep a Maildir and a server alike, both ways, and trust each other's UIDs,
//! flags and deletions for it. A gateway that lies loses a person's mail here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pimap_tests::dovecot::PASSWORD;
use pimap_tests::process::run;

use crate::folders::{Item, at_server, held, in_maildir, maildir, uid};
use crate::place::{Place, Security, everywhere, mail};

/// A program that synchronises `mail/` of the place with all mailboxes of the account.
type Synchronise = fn(&Place<'_>);

/// RFC 3501 as mbsync uses it.
#[test]
fn mbsync_keeps_a_maildir_and_a_mailbox_alike() {
    // It expunges what is marked deleted here.
    everywhere(|place| both_ways(place, mbsync, |inbox| mark(inbox, "three", "ST")));
}

/// RFC 3501 as Python's imaplib with offlineimap's own parsing uses it.
#[test]
fn offlineimap_keeps_a_maildir_and_a_mailbox_alike() {
    // It expunges what is gone from here.
    everywhere(|place| both_ways(place, offlineimap, |inbox| remove(inbox, "three")));
}

fn both_ways(place: &Place<'_>, synchronise: Synchronise, delete_third: fn(&Path)) {
    fs::create_dir(place.scratch.join("mail")).expect("a directory for mail");
    let inbox = place.scratch.join("mail/INBOX");
    let work = place.scratch.join("mail/Work");
    let mut server = place.server();
    server.ok("CREATE Work");
    ["one", "two", "three", "four", "five"].iter().for_each(|subject| place.deliver(subject));
    server.append("Work", "\\Flagged", &mail("plan"));
    server.append("Work", "\\Seen \\Answered", &mail("done"));

    synchronise(place);
    let everything = held(&[("one", ""), ("two", ""), ("three", ""), ("four", ""), ("five", "")]);
    assert_eq!(in_maildir(&inbox), everything);
    assert_eq!(in_maildir(&work), held(&[("plan", "F"), ("done", "RS")]));

    // Changes here.
    mark(&inbox, "one", "S");
    mark(&inbox, "two", "FS");
    delete_third(&inbox);
    put(&inbox, "written here");
    put(&work, "another plan");
    // Changes there.
    server.ok("SELECT INBOX");
    let four = uid(&mut server, "four");
    let five = uid(&mut server, "five");
    server.ok("UNSELECT");
    server.flag("INBOX", five, "+FLAGS (\\Answered)");
    server.expunge("INBOX", four);
    place.deliver("six");

    synchronise(place);
    let told = held(&[("one", "S"), ("two", "FS"), ("five", "R"), ("six", ""), ("written here", "")]);
    let works = held(&[("plan", "F"), ("done", "RS"), ("another plan", "")]);
    for round in ["the changes", "again, with nothing to do"] {
        assert_eq!(at_server(&mut server, "INBOX"), told, "INBOX at the server after {round}");
        assert_eq!(at_server(&mut server, "Work"), works, "Work at the server after {round}");
        assert_eq!(in_maildir(&inbox), told, "INBOX here after {round}");
        assert_eq!(in_maildir(&work), works, "Work here after {round}");
        synchronise(place);
    }
}

#[track_caller]
fn item(path: &Path, subject: &str) -> Item {
    maildir(path).into_iter().find(|item| item.subject == subject).expect(subject)
}

/// Takes a message out of a Maildir.
fn remove(path: &Path, subject: &str) {
    fs::remove_file(item(path, subject).path).expect("a message that is there");
}

/// Gives a message of a Maildir flags, as a mail reader does: by its name.
fn mark(path: &Path, subject: &str, letters: &str) {
    let item = item(path, subject);
    let name = item.path.file_name().expect("a name").to_string_lossy().into_owned();
    let base = name.split_once(":2,").map_or(name.as_str(), |(base, _)| base);
    fs::rename(&item.path, path.join("cur").join(format!("{base}:2,{letters}"))).expect("a new name");
}

/// Puts a new message into a Maildir.
fn put(path: &Path, subject: &str) {
    let name = format!("1141635600.{}.test", subject.replace(' ', "-"));
    fs::write(path.join("new").join(name), mail(subject)).expect("a new message");
}

fn mbsync(place: &Place<'_>) {
    let config = format!(
        "IMAPAccount gateway\nHost localhost\nPort {port}\nUser \"{name}\"\nPass {PASSWORD}\nSSLType IMAPS\n\
         CertificateFile {authority}\n\n\
         IMAPStore far\nAccount gateway\n\n\
         MaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSync All\nSyncState *\n",
        port = place.port(Security::Implicit),
        name = place.login.name,
        authority = place.authority().display(),
        mail = place.scratch.join("mail").display(),
    );
    let config = place.file("mbsyncrc", config.as_bytes());
    run(Command::new("mbsync").arg("-c").arg(config).arg("all"), b"");
}

fn offlineimap(place: &Place<'_>) {
    let directory = |name: &str| -> PathBuf { place.scratch.join(name) };
    let config = format!(
        "[general]\naccounts = test\nmetadata = {metadata}\n\n\
         [Account test]\nlocalrepository = near\nremoterepository = far\n\n\
         [Repository near]\ntype = Maildir\nlocalfolders = {mail}\n\n\
         [Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {port}\nremoteuser = {name}\n\
         remotepass = {PASSWORD}\nssl = no\nstarttls = no\n",
        metadata = directory("metadata").display(),
        mail = directory("mail").display(),
        port = place.port(Security::Cleartext),
        name = place.login.name,
    );
    let config = place.file("offlineimaprc", config.as_bytes());
    run(Command::new("offlineimap").arg("-c").arg(config).args(["-o", "-u", "basic"]), b"");
}
