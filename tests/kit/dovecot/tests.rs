//! The fixture starts, takes mail, shows it, does without what it is told to do without, and ends.

use super::*;
use crate::response::{Response, flags};
use crate::wait::eventually;

#[test]
fn dovecot_takes_mail_and_shows_it() {
    let dovecot = Dovecot::start();
    dovecot.deliver("joe", &mail("bob@example.org", "first", ".a line that begins with a dot\r\n."));
    dovecot.save("joe", "Sent", &mail("joe@example.org", "second", "text"));
    let mut imap = dovecot.login("joe");
    let inbox = imap.truth("INBOX");
    assert_eq!(inbox.messages, [(1, flags(b"()"))]);
    assert_eq!(imap.truth("Sent").messages.len(), 1);
    imap.ok("EXAMINE INBOX");
    let body = imap.ok("FETCH 1 (BODY.PEEK[TEXT])");
    let text = body.responses().find_map(|response| match response {
        Response::Fetch(1, fetched) => fetched.items.get("BODY[TEXT]").cloned(),
        _ => None,
    });
    assert_eq!(text.as_deref(), Some(&b".a line that begins with a dot\r\n.\r\n"[..]));
}

#[test]
fn the_plain_client_changes_what_the_truth_then_shows() {
    let dovecot = Dovecot::start();
    let mut imap = dovecot.login("joe");
    let first = imap.append("INBOX", "\\Seen", &mail("a@example.org", "a", "a"));
    let second = imap.append("INBOX", "", &mail("b@example.org", "b", "b"));
    imap.flag("INBOX", second, "+FLAGS (\\Flagged $Junk)");
    assert_eq!(
        imap.truth("INBOX").messages,
        [(first, flags(b"(\\Seen)")), (second, flags(b"(\\Flagged $junk)"))]
    );
    assert_eq!(imap.truth_of("INBOX", "FLAGGED").messages.len(), 1);
    imap.expunge("INBOX", first);
    assert_eq!(imap.truth("INBOX").messages.len(), 1);
    imap.ok("CREATE Work");
    imap.append("Work", "", &mail("c@example.org", "c", "c"));
    imap.recreate("Work");
    assert!(imap.truth("Work").messages.is_empty());
}

#[test]
fn a_poor_dovecot_announces_little_and_a_stopped_one_comes_back() {
    let announced = |dovecot: &Dovecot| {
        let untagged = dovecot.login("joe").ok("CAPABILITY").untagged;
        String::from_utf8_lossy(&untagged.concat()).into_owned()
    };
    let mut poor = Dovecot::poor();
    assert_eq!(announced(&poor), "* CAPABILITY IMAP4rev1 IDLE UIDPLUS NAMESPACE");
    poor.deliver("joe", &mail("bob@example.org", "kept", "text"));
    poor.stop();
    assert!(std::net::TcpStream::connect(poor.imap()).is_err());
    poor.resume();
    assert_eq!(poor.login("joe").truth("INBOX").messages.len(), 1);
    let some = Dovecot::with(&Riches::Just("IMAP4rev1 CONDSTORE"));
    assert_eq!(announced(&some), "* CAPABILITY IMAP4rev1 CONDSTORE");
}

#[test]
fn a_master_user_gets_in_and_a_wrong_password_does_not() {
    let dovecot = Dovecot::start();
    let mut imap = Imap::connect(dovecot.imap());
    assert_eq!(imap.command("LOGIN joe wrong").condition.status, "NO");
    assert!(imap.command("LOGIN joe*master master-pw").condition.is_ok());
    assert_eq!(PASSWORD, "pw");
}

#[test]
fn an_idle_client_hears_of_a_delivery_and_of_a_kick() {
    let dovecot = Dovecot::start();
    let mut imap = dovecot.login("joe");
    imap.ok("SELECT INBOX");
    imap.begin("IDLE");
    assert!(imap.line().starts_with(b"+ "));
    dovecot.deliver("joe", &mail("bob@example.org", "push", "text"));
    eventually("EXISTS in IDLE", || (imap.line() == b"* 1 EXISTS").then_some(()));
    dovecot.kick("joe");
    eventually("the end of the connection", || {
        imap.line_within(Duration::from_secs(5)).is_none().then_some(())
    });
}
