//! LOGIN and what it says (P-IMAP 5.1.4): new sessions and resumed ones, whose they are, how they end.

use std::thread;

use pimap_tests::dovecot::{PASSWORD, mail};
use pimap_tests::http::Post;
use pimap_tests::imap::Imap;
use pimap_tests::wait::eventually;

use crate::stage::{Stage, line, post, refused, session_id, untagged};

/// PI-001, PI-002, PI-004, PI-005, PI-049.
#[test]
fn a_device_id_makes_the_session_a_p_imap_one() {
    let stage = Stage::new();
    let mut regular = Imap::connect(stage.gateway.address("imap"));
    let reply = regular.ok("LOGIN joe pw");
    assert!(!untagged(&reply).contains("SESSION"), "{}", untagged(&reply));
    regular.ok("SELECT INBOX");
    for command in [
        "XGETPIMAPPREFS (PIMAP_EVENT_FILTER)",
        "XFILTER GET ALL (DESC)",
        "XSETPIMAPPREF PIMAP_INBAND_PUSH ON",
    ] {
        refused(&mut regular, command, "BAD");
    }
    let mut handset = Imap::connect(stage.gateway.address("imap"));
    let reply = handset.ok("LOGIN joe#P1 pw");
    let told = untagged(&reply);
    assert_eq!(told.lines().count(), 1, "only SESSIONID for a new session: {told}");
    session_id(&told);
    handset.ok("XGETPIMAPPREFS (PIMAP_EVENT_FILTER)");
}

/// PI-003, PI-006, PI-008.
#[test]
fn both_spellings_of_a_login_name_resume_the_same_session() {
    let stage = Stage::new();
    let first = untagged(&Imap::connect(stage.gateway.address("imap")).ok("LOGIN joe#P1 pw"));
    let id = session_id(&first);
    for name in ["joe#P1@example.org", "joe@example.org#P1", "joe#P1"] {
        let again = untagged(&Imap::connect(stage.gateway.address("imap")).ok(&format!("LOGIN {name} pw")));
        assert_eq!(again, format!("* SESSION AUTHENTICATED\n* SESSIONID {id}\n"), "{name}");
    }
}

/// PI-007, PI-012, PI-013.
#[test]
fn a_resumed_session_tells_what_happened_before_it_names_itself() {
    let stage = Stage::new();
    stage.deliver(&["one", "two"]);
    let mut web = stage.web();
    let id = session_id(&web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n"));
    // A request without LOGIN after a whole answer: what that said has arrived (F3).
    assert!(web.say("c NOOP\r\n").contains("c OK"));
    stage.deliver(&["three"]);
    let told = stage.post("d LOGIN joe#P1 pw\r\n").text();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["* SESSION SELECTED", "* FOLDER INBOX"], "{told}");
    let place = |wanted: &str| lines.iter().position(|line| *line == wanted).expect(wanted);
    assert!(place("* 3 EXISTS") < place(&format!("* SESSIONID {id}")), "{told}");
    assert!(lines.last().expect("a line").starts_with("d OK"), "{told}");
    assert!(!told.contains("* RESYNC"), "{told}");
}

/// PI-011.
#[test]
fn logout_ends_the_session_and_the_next_login_begins_another() {
    let stage = Stage::new();
    let mut web = stage.web();
    let first = session_id(&web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n"));
    let bye = web.say("c LOGOUT\r\n");
    assert!(line(&bye, "* BYE") < line(&bye, "c OK"));
    let told = web.say("d NOOP\r\n");
    assert!(!told.contains("d OK"), "a cookie of an ended session opens nothing: {told}");
    let fresh = stage.post("e LOGIN joe#P1 pw\r\n").text();
    assert!(!fresh.contains("* SESSION "), "{fresh}");
    assert_ne!(session_id(&fresh), first);
}

/// PI-014.
#[test]
fn events_of_another_mailbox_are_told_when_it_is_selected() {
    let stage = Stage::new();
    stage.deliver(&["one", "two", "three"]);
    let mut handset = stage.client("joe#P1");
    handset.ok("CREATE Work");
    handset.ok("SELECT INBOX");
    handset.ok("SELECT Work");
    let mut other = stage.dovecot.login("joe");
    other.expunge("INBOX", 2);
    stage.deliver(&["four"]);
    let told = untagged(&handset.ok("SELECT INBOX"));
    // The last told view, then its difference: a count of 3, message 2 gone, another one there (F13).
    let order: Vec<&str> =
        told.lines().filter(|line| line.ends_with("EXISTS") || line.ends_with("EXPUNGE")).collect();
    assert_eq!(order, ["* 3 EXISTS", "* 2 EXPUNGE", "* 3 EXISTS"], "{told}");
}

/// PI-015.
#[test]
fn session_ids_and_cookies_are_long_and_never_the_same() {
    let stage = Stage::new();
    let mut seen = std::collections::BTreeSet::new();
    for device in 0..8 {
        let answer = stage.post(&format!("a LOGIN joe#P{device} pw\r\n"));
        let id = session_id(&answer.text());
        // Base32 carries 5 bits a character.
        assert!(id.len() * 5 >= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert!(seen.insert(id));
        let cookie = answer.cookie().expect("a cookie").split_once('=').expect("its value").1.to_owned();
        assert!(cookie.len() * 5 >= 128, "{cookie}");
        assert!(seen.insert(cookie));
    }
}

/// PI-018.
#[test]
fn a_mailbox_with_a_space_is_quoted_where_it_is_named() {
    let stage = Stage::new();
    let mut web = stage.web();
    web.say(
        "a LOGIN joe#P1 pw\r\nb CREATE \"my \\\"dear\\\" mail\"\r\nc SELECT \"my \\\"dear\\\" mail\"\r\n",
    );
    web.say("d NOOP\r\n");
    let told = stage.post("e LOGIN joe#P1 pw\r\n").text();
    assert_eq!(line(&told, "* FOLDER"), "* FOLDER \"my \\\"dear\\\" mail\"");
}

/// PI-019: nothing of a session without its password, neither by name nor by a cookie of another.
#[test]
fn a_wrong_password_reveals_nothing() {
    let stage = Stage::new();
    let id = session_id(&stage.post("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n").text());
    let refused = stage.post("c LOGIN joe#P1 wrong\r\nd NOOP\r\ne SELECT INBOX\r\n");
    let unknown = stage.post("c LOGIN joe#P9 wrong\r\nd NOOP\r\ne SELECT INBOX\r\n");
    assert_eq!(refused.status, 200);
    assert_eq!(refused.cookie(), None);
    assert!(line(&refused.text(), "c NO").contains("[AUTHENTICATIONFAILED]"), "{}", refused.text());
    assert!(!refused.text().contains("e OK") && !refused.text().contains(&id), "{}", refused.text());
    // A device that exists is answered like one that does not (F52).
    assert_eq!(refused.text(), unknown.text());
    // The right password is still accepted afterwards, and the session is untouched.
    assert_eq!(session_id(&stage.post("f LOGIN joe#P1 pw\r\n").text()), id);
}

/// F16: LOGIN wins over a cookie, and nothing of the other session is said.
#[test]
fn the_cookie_of_another_device_is_nothing_beside_a_login() {
    let stage = Stage::new();
    stage.deliver(&["one"]);
    let mut first = stage.web();
    let one = session_id(&first.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n"));
    let answer = post(&first.site, &first.request("c LOGIN ann#P2 pw\r\nd NOOP\r\n"));
    assert_ne!(session_id(&answer.text()), one);
    assert!(!answer.text().contains("FOLDER") && !answer.text().contains("EXISTS"), "{}", answer.text());
    assert!(first.say("e FETCH 1 (UID)\r\n").contains("* 1 FETCH (UID 1"), "the first session goes on");
    let forged =
        Post::new("f NOOP\r\ng SELECT INBOX\r\n").header("Cookie", "PIMAPSESSION=AAAAAAAAAAAAAAAAAAAAAAAAAA");
    let text = post(&first.site, &forged).text();
    assert!(!text.contains("g OK"), "{text}");
}

/// PI-009, PI-010: a mailbox made anew has nothing to do with what the handset holds.
#[test]
fn a_mailbox_made_anew_is_told_as_resync() {
    let stage = Stage::new();
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Work");
    for subject in ["one", "two"] {
        other.append("Work", "", &mail("a@example.org", subject, "x"));
    }
    let mut web = stage.web();
    web.say("a LOGIN joe#P1 pw\r\nb SELECT Work\r\n");
    web.say("c NOOP\r\n");
    other.recreate("Work");
    other.append("Work", "", &mail("a@example.org", "three", "x"));
    let told = web.say("d LOGIN joe#P1 pw\r\n");
    assert!(told.contains("* RESYNC\r\n") && !told.contains("EXISTS"), "{told}");
    // RESYNC is said until a SELECT was answered and acknowledged (F8); numbers mean nothing meanwhile.
    let told = web.say("e LOGIN joe#P1 pw\r\nf STORE 1 +FLAGS (\\Deleted)\r\n");
    assert!(told.contains("* RESYNC\r\n"), "{told}");
    assert!(line(&told, "f ").contains("NO [CLIENTBUG]"), "{told}");
    let told = web.say("g SELECT Work\r\nh FETCH 1:* (UID FLAGS)\r\n");
    assert!(told.contains("* 1 EXISTS") && told.contains("* 1 FETCH (UID 1 FLAGS ("), "{told}");
    assert_eq!(other.truth("Work").messages.len(), 1);
    assert!(!other.truth("Work").messages[0].1.contains("\\deleted"));
    web.say("i NOOP\r\n");
    assert!(!web.say("j LOGIN joe#P1 pw\r\n").contains("* RESYNC"));
}

/// The same while a handset is connected: a live IMAP connection hears BYE, and its session is kept (F8).
#[test]
fn a_mailbox_made_anew_under_a_live_connection_ends_that_connection_alone() {
    let stage = Stage::new();
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Work");
    other.append("Work", "", &mail("a@example.org", "one", "x"));
    let mut handset = Imap::connect(stage.gateway.address("imap"));
    let id = session_id(&untagged(&handset.ok("LOGIN joe#P1 pw")));
    handset.ok("SELECT Work");
    other.recreate("Work");
    let tag = handset.begin("NOOP");
    let mut heard = String::new();
    while let Some(line) = handset.line_within(pimap_tests::wait::PATIENCE) {
        heard.push_str(&String::from_utf8_lossy(&line));
        heard.push('\n');
        if heard.contains(&format!("{tag} OK")) {
            handset.send(b"again NOOP\r\n");
        }
        if heard.contains("* BYE") {
            break;
        }
    }
    assert!(heard.contains("* BYE"), "{heard}");
    let told = untagged(&Imap::connect(stage.gateway.address("imap")).ok("LOGIN joe#P1 pw"));
    assert!(told.contains("* RESYNC"), "{told}");
    assert_eq!(session_id(&told), id);
}

/// A mailbox that another client deleted is gone; the session is not.
#[test]
fn a_deleted_mailbox_does_not_take_the_session_with_it() {
    let stage = Stage::new();
    let mut other = stage.dovecot.login("joe");
    other.ok("CREATE Work");
    other.append("Work", "", &mail("a@example.org", "one", "x"));
    let mut web = stage.web();
    let id = session_id(&web.say("a LOGIN joe#P1 pw\r\nb SELECT Work\r\n"));
    web.say("c NOOP\r\n");
    other.ok("DELETE Work");
    let told = web.say("d LOGIN joe#P1 pw\r\ne FETCH 1 (FLAGS)\r\n");
    assert_eq!(session_id(&told), id);
    assert!(told.contains("* RESYNC") || told.contains("* SESSION AUTHENTICATED"), "{told}");
    assert!(!told.contains("* 1 FETCH"), "{told}");
    let told = web.say("f SELECT Work\r\ng SELECT INBOX\r\n");
    assert!(line(&told, "f ").starts_with("f NO") && line(&told, "g ").starts_with("g OK"), "{told}");
}

/// F14, F15: the newer connection of a device has its session, and two that fight over it are stopped.
#[test]
fn two_handsets_with_one_device_id_cannot_flap_for_ever() {
    let stage = Stage::new();
    let mut held = stage.client("joe#P1");
    held.ok("SELECT INBOX");
    let mut takeovers = 0;
    let refused = (0..10).find_map(|_| {
        // Alive within 30 s: it just answered.
        held.command("NOOP");
        let mut newcomer = Imap::connect(stage.gateway.address("imap"));
        let reply = newcomer.command("LOGIN joe#P1 pw");
        if !reply.condition.is_ok() {
            return Some(reply);
        }
        takeovers += 1;
        let farewell = eventually("the older one is told", || held.line_within(pimap_tests::wait::PATIENCE));
        let farewell = String::from_utf8_lossy(&farewell).into_owned();
        assert!(farewell.starts_with("* BYE [PIMAPTAKEOVER]"), "{farewell}");
        held = newcomer;
        None
    });
    let refused = refused.expect("flapping is bounded");
    assert_eq!(refused.condition.code("INUSE"), Some(""), "{refused:?}");
    assert_eq!(takeovers, 4);
    held.ok("NOOP");
}

/// PI-020: what one device sets is nothing to another of the same user.
#[test]
fn devices_of_one_user_have_views_of_their_own() {
    let stage = Stage::new();
    stage.deliver(&["work one", "fun two", "work three"]);
    let mut first = stage.client("joe#P1");
    first.ok("XFILTER SET WORK \"\" (SUBJECT work)");
    first.ok("XSETPIMAPPREF PIMAP_XFILTER (INBOX V WORK)");
    let mut second = stage.client("joe#P2");
    assert!(untagged(&first.ok("SELECT INBOX")).contains("* 2 EXISTS"));
    assert!(untagged(&second.ok("SELECT INBOX")).contains("* 3 EXISTS"));
    let mut plain = stage.client("joe");
    assert!(untagged(&plain.ok("SELECT INBOX")).contains("* 3 EXISTS"));
}

/// Four people at once: nobody reads what is another's.
#[test]
fn several_users_at_once_get_what_is_theirs() {
    let stage = Stage::new();
    let users = ["ann", "bob", "cid", "dan"];
    for (at, user) in users.iter().enumerate() {
        for _ in 0..=at {
            stage.dovecot.deliver(user, &mail("x@example.org", "hello", user));
        }
    }
    let site = stage.gateway.site();
    let readers = users.into_iter().enumerate().map(|(at, user)| {
        let site = site.clone();
        thread::spawn(move || {
            let body = format!(
                "a LOGIN {user}#P1 {PASSWORD}\r\nb SELECT INBOX\r\nc FETCH 1:* (BODY.PEEK[TEXT])\r\n"
            );
            let text = post(&site, &Post::new(body)).text();
            assert!(text.contains(&format!("* {} EXISTS", at + 1)), "{text}");
            assert_eq!(text.matches(&format!("{user}\r\n")).count(), at + 1, "{text}");
        })
    });
    let readers: Vec<_> = readers.collect();
    readers.into_iter().for_each(|reader| reader.join().expect("a reader"));
}

/// PI-009: what the log cannot hold is told as RESYNC.
#[test]
fn a_log_that_is_full_is_told_as_resync() {
    let stage = Stage::with(|config| config.with("session.log_events_max", 3));
    stage.deliver(&["1", "2", "3", "4", "5", "6"]);
    let mut web = stage.web();
    web.say("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n");
    web.say("c NOOP\r\n");
    let mut other = stage.dovecot.login("joe");
    (1..=6).for_each(|uid| other.flag("INBOX", uid, "+FLAGS (\\Flagged)"));
    eventually("an event too many", || {
        stage.post("d LOGIN joe#P1 pw\r\n").text().contains("* RESYNC\r\n").then_some(())
    });
    let told = web.say("e LOGIN joe#P1 pw\r\nf SELECT INBOX\r\ng FETCH 1:* (FLAGS)\r\n");
    assert_eq!(told.matches("\\Flagged))").count(), 6, "{told}");
}

/// PI-012: a session without a connection lives as long as the operator says, and then ends.
#[test]
fn a_session_left_alone_ends_after_its_time() {
    let stage = Stage::with(|config| config.with("session.retention", "1s"));
    let first = session_id(&stage.post("a LOGIN joe#P1 pw\r\nb SELECT INBOX\r\n").text());
    let admin = pimap_tests::http::Site::plain(stage.gateway.address("admin"));
    eventually("its end", || {
        let metrics = post(&admin, &Post::new("").line("GET", "/metrics")).text();
        metrics.contains("pimap_sessions 0").then_some(())
    });
    let told = stage.post("c LOGIN joe#P1 pw\r\n").text();
    assert!(!told.contains("* SESSION ") && session_id(&told) != first, "{told}");
}

/// PI-060: a view that was changed from elsewhere is not what the handset holds.
#[test]
fn a_view_changed_elsewhere_is_told_as_resync() {
    let stage = Stage::new();
    stage.deliver(&["work one", "fun two", "work three"]);
    let mut web = stage.web();
    let setting = "a LOGIN joe#P1 pw\r\nb XFILTER SET MINE \"\" (SUBJECT work)\r\nc XSETPIMAPPREF PIMAP_XFILTER (INBOX V MINE)\r\n";
    web.say(&format!("{setting}d SELECT INBOX\r\n"));
    web.say("e NOOP\r\n");
    let mut elsewhere = stage.client("joe#P2");
    elsewhere.ok("XFILTER SET MINE \"\" (SUBJECT two)");
    eventually("the new view", || {
        let told = web.say("f LOGIN joe#P1 pw\r\n");
        told.contains("* RESYNC\r\n").then_some(())
    });
    let told = web.say("g LOGIN joe#P1 pw\r\nh SELECT INBOX\r\ni FETCH 1:* (UID)\r\n");
    assert!(told.contains("* 1 FETCH (UID 2)") && !told.contains("* 2 FETCH"), "{told}");
}
