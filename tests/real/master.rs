//! A gateway that logs in as master user: the user's own password still decides who may in, and for how long (F42, F50).

use pimap_tests::dovecot::{Dovecot, MASTER, mail};
use pimap_tests::gateway::Config;
use pimap_tests::wait::{Scratch, eventually};

use crate::stage::{Stage, line};

/// One mail in joe's INBOX.
fn stage(change: impl FnOnce(Config) -> Config) -> Stage {
    let dovecot = Dovecot::start();
    dovecot.deliver("joe", &mail("a@example.org", "one", "x"));
    let scratch = Scratch::new("master");
    let file = scratch.join("password");
    std::fs::write(&file, format!("{}\n", MASTER.1)).expect("a password file");
    let mut auth = toml::Table::new();
    for (key, value) in [("mode", "master"), ("user", MASTER.0), ("separator", "*")] {
        auth.insert(key.to_owned(), value.into());
    }
    auth.insert("password_file".to_owned(), file.display().to_string().into());
    Stage::before(dovecot, |config| change(config.with("upstream.auth", auth)))
}

/// F42: the user's own password is asked for all the same.
#[test]
fn a_master_user_does_not_let_anyone_in() {
    let stage = stage(|config| config);
    for (user, password) in [("joe#P1", "wrong"), ("joe#P1", "master-pw"), ("joe*master#P1", "master-pw")] {
        let told = stage.post(&format!("a LOGIN \"{user}\" {password}\r\nb SELECT INBOX\r\n")).text();
        assert!(line(&told, "a ").starts_with("a NO") && !told.contains("b OK"), "{user} {password}: {told}");
    }
    let told = stage.post("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\nc FETCH 1 (BODY[TEXT])\r\n").text();
    assert!(told.contains("* 1 EXISTS") && line(&told, "c ").starts_with("c OK"), "{told}");
}

/// F50: nothing that upstream is asked as master user tells that the password was changed, so a cookie stands for a LOGIN for a
/// time only.
#[test]
fn a_cookie_does_not_outlive_its_login() {
    let stage = stage(|config| config.with("session.login_valid", "2s"));
    let mut web = stage.web();
    let told = web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    assert!(line(&told, "b ").starts_with("b OK"), "{told}");
    let refused = eventually("the end of the login", || {
        let told = web.say("c FETCH 1 (FLAGS)\r\n");
        (!line(&told, "c ").starts_with("c OK")).then_some(told)
    });
    assert!(refused.contains("c NO [AUTHENTICATIONFAILED] no session: log in first"), "{refused}");
    let told = web.say("d LOGIN joe#P1 pw\r\ne FETCH 1 (FLAGS)\r\n");
    assert!(told.contains("* SESSION SELECTED") && line(&told, "e ").starts_with("e OK"), "{told}");
}

/// F50: whoever comes with the password of before and is refused it ends what came of it; the new one finds the session.
#[test]
fn a_refused_password_ends_what_came_of_it() {
    let mut stage = stage(|config| config.with("upstream.accept_cache", "0s"));
    let mut web = stage.web();
    let told = web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    assert!(line(&told, "b ").starts_with("b OK"), "{told}");
    stage.dovecot.reconfigure(|text, directory| {
        let people = directory.join("people");
        // Who looks whether the server is ready has kept the password.
        std::fs::write(&people, "joe:{PLAIN}changed\nready:{PLAIN}pw\n").expect("a file of passwords");
        let first = format!("passdb {{\n  driver = passwd-file\n  args = {}\n", people.display());
        let all = "passdb {\n  driver = static";
        text.replace(all, &format!("{first}  result_failure = return-fail\n}}\n{all}"))
    });
    // The master user is let in as ever.
    let told = eventually("the mail server again", || {
        let told = web.say("c NOOP\r\nd UID FETCH 1 (BODY.PEEK[TEXT])\r\n");
        line(&told, "d ").starts_with("d OK").then_some(told)
    });
    assert!(line(&told, "c ").starts_with("c OK"), "{told}");
    // Another's guess ends nothing.
    let told = stage.post("e LOGIN joe#P2 guess\r\n").text();
    assert!(line(&told, "e ").starts_with("e NO"), "{told}");
    assert!(line(&web.say("f NOOP\r\n"), "f ").starts_with("f OK"));
    let told = stage.post("g LOGIN joe#P2 pw\r\n").text();
    assert!(line(&told, "g ").starts_with("g NO [AUTHENTICATIONFAILED]"), "{told}");
    eventually("the end of the login", || {
        let told = web.say("h NOOP\r\n");
        told.contains("h NO [AUTHENTICATIONFAILED] no session: log in first").then_some(())
    });
    let told = web.say("i LOGIN joe#P1 changed\r\nj FETCH 1 (FLAGS)\r\n");
    assert!(told.contains("* SESSION SELECTED") && line(&told, "j ").starts_with("j OK"), "{told}");
}
