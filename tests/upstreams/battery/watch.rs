//! Being told: on a live connection, after a lost radio, after the gateway's sudden end.

use pimap_tests::handset::Kind;
use pimap_tests::imap::Imap;
use pimap_tests::phone::{Phone, Radio};
use pimap_tests::server::Make;

use crate::stand::{Stand, eventually, untagged};

/// An arrival, a flag and an expunge reach a client that idles; how soon depends on what the server tells by itself, and on
/// how often it is asked where it tells nothing (F49).
pub fn pushing(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["one", "two"]);
    let mut client = stand.client("joe");
    client.ok("SELECT INBOX");
    let tag = client.begin("IDLE");
    assert!(client.line().starts_with(b"+"));
    stand.arrive(&["three"]);
    hear(&mut client, "* 3 EXISTS");
    let mut other = stand.other();
    other.ok("SELECT INBOX");
    other.ok("UID STORE 1 +FLAGS (\\Flagged)");
    // mailutils shows others what was changed once the mailbox is left.
    other.ok("SELECT INBOX");
    if stand.traits().tells_flags {
        hear(&mut client, "\\Flagged");
    }
    other.ok("UID STORE 2 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    hear(&mut client, "* 2 EXPUNGE");
    client.send(b"DONE\r\n");
    client.finish(&tag);
    assert_eq!(untagged(&client.ok("FETCH 1:* (UID)")), "* 1 FETCH (UID 1)\n* 2 FETCH (UID 3)\n");
}

fn hear(client: &mut Imap, wanted: &str) {
    let mut heard = Vec::new();
    eventually(wanted, || {
        let line = client.line_within(std::time::Duration::from_millis(200))?;
        heard.push(String::from_utf8_lossy(&line).into_owned());
        heard.last().is_some_and(|line| line.contains(wanted)).then_some(())
    });
}

/// What a client of the account did, as one of the world.
fn change(stand: &Stand, drop: u32, flag: u32) {
    let mut other = stand.other();
    other.ok("SELECT INBOX");
    other.ok(&format!("UID STORE {drop} +FLAGS (\\Deleted)"));
    other.ok("EXPUNGE");
    other.ok(&format!("UID STORE {flag} +FLAGS (\\Flagged)"));
    other.ok("SELECT INBOX");
    other.ok("LOGOUT");
    stand.arrive(&["later"]);
}

/// The phone holds what is there, and was never told otherwise.
fn in_step(stand: &Stand, phone: &mut Phone) {
    let mut differences = Vec::new();
    let same = pimap_tests::wait::within(std::time::Duration::from_secs(20), || {
        phone.say(&["NOOP"], Radio::Good);
        phone.catch_up();
        let truth = stand.other().truth("INBOX");
        differences = phone.handset.replica.compare_selected(&truth);
        differences.is_empty().then_some(())
    });
    assert!(same.is_some(), "{differences:?}\n{}", phone.story());
    assert_eq!(phone.handset.replica.lies(), &[] as &[String], "{}", phone.story());
}

/// The radio is lost, mail changes, the radio is back; with and without cursors.
pub fn resuming(make: Make) {
    let stand = Stand::before(make);
    stand.arrive(&["one", "two", "three", "four"]);
    let mut phones = [stand.phone(Kind::Cookie, "joe#COOKIE"), stand.phone(Kind::Cursor, "joe#CURSOR")];
    for phone in &mut phones {
        assert!(phone.say(&["SELECT INBOX"], Radio::Good));
        phone.catch_up();
    }
    change(&stand, 2, 3);
    for phone in &mut phones {
        phone.say(&["NOOP"], Radio::CutsAnswer(60));
    }
    stand.arrive(&["even later"]);
    phones.iter_mut().for_each(|phone| in_step(&stand, phone));
}

/// The gateway is killed, mail changes, the gateway is back: nobody is told a lie about what happened meanwhile.
pub fn surviving(make: Make) {
    let mut stand = Stand::before(make);
    stand.arrive(&["one", "two", "three", "four"]);
    let mut phones = [stand.phone(Kind::Strict, "joe#STRICT"), stand.phone(Kind::Cursor, "joe#CURSOR")];
    for phone in &mut phones {
        assert!(phone.say(&["SELECT INBOX"], Radio::Good));
        phone.catch_up();
    }
    change(&stand, 1, 2);
    stand.gateway.kill();
    change(&stand, 3, 4);
    stand.gateway.restart();
    phones.iter_mut().for_each(Phone::drop_link);
    phones.iter_mut().for_each(|phone| in_step(&stand, phone));
}
