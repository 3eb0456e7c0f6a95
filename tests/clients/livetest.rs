//! The live tests that come with IMAPClient (its package has them, under its own licence; they are run, not copied): whatever they
//! find at Dovecot they find here.

use std::process::Command;

use pimap_tests::dovecot::{Dovecot, PASSWORD};
use pimap_tests::gateway::{Config, Gateway};

use crate::python::packages;

const LIVETEST: &str = include_str!("python/livetest.py");

/// Tests that end otherwise here than at Dovecot, and why.
const OTHERWISE: [(&str, &str); 1] = [(
    "test_status",
    "RECENT is 0 in STATUS: recent are messages to a session, and no session has looked (F27)",
)];

/// Tests that log in twice: a device has one connection, and the first one would end (P-IMAP 5.1.4).
const TWO_CONNECTIONS: [&str; 2] = ["test_idle", "test_noop"];

/// PI-048, in part. What fails at Dovecot itself may fail here.
#[test]
fn imapclients_own_tests_find_no_difference() {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    let (direct, through) = (dovecot.imap().port(), gateway.address("imap").port());
    let runs = [(direct, "direct", &[][..]), (through, "ann", &[]), (through, "joe#P1", &TWO_CONNECTIONS)];
    let [wanted, regular, device] = std::thread::scope(|scope| {
        let running = runs.map(|(port, name, without)| scope.spawn(move || take(port, name, without)));
        running.map(|run| run.join().expect("a run"))
    });
    assert!(wanted.0.len() > 40, "{}", wanted.1);
    for (without, (told, story)) in [(&[][..], regular), (&TWO_CONNECTIONS, device)] {
        assert_eq!(told.len(), wanted.0.len(), "{story}");
        for ((test, ended), (expected_test, expected)) in told.iter().zip(&wanted.0) {
            let otherwise =
                OTHERWISE.iter().any(|(name, _)| name == test) || without.contains(&test.as_str());
            assert_eq!(test, expected_test, "{story}");
            assert!(otherwise || ended == expected, "{test} ended with {ended} and not {expected}\n{story}");
        }
    }
}

/// Each test with how it ended, in order, and all that was said.
fn take(port: u16, user: &str, without: &[&str]) -> (Vec<(String, String)>, String) {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages()).arg("-W").arg("ignore").arg("-c").arg(LIVETEST);
    let output = command.args([&port.to_string(), user, PASSWORD]).args(without).output().expect("python3");
    let story = String::from_utf8_lossy(&output.stderr).into_owned();
    let ended = |line: &str| {
        let (test, ended) = line.split_once(" ... ")?;
        let ended = ended.split(' ').next().unwrap_or_default();
        Some((test.split(' ').next()?.to_owned(), ended.to_owned()))
    };
    (story.lines().filter_map(ended).collect(), story)
}
