//! The live tests that come with IMAPClient (its package has them, under its own licence; they are run, not copied): whatever they
//! find at Dovecot they find here.

use std::process::Command;

use pimap_tests::dovecot::{Dovecot, PASSWORD};
use pimap_tests::gateway::{Config, Gateway};

use crate::python::packages;

const LIVETEST: &str = include_str!("python/livetest.py");

/// Tests that end otherwise here than at Dovecot, and why.
const OTHERWISE: [(&str, &str); 0] = [];

/// PI-048, in part.
#[test]
fn imapclients_own_tests_find_no_difference() {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    let (wanted, story) = take(dovecot.imap().port(), "direct");
    assert!(wanted.len() > 40, "{story}");
    for name in ["ann", "joe#P1"] {
        let (told, story) = take(gateway.address("imap").port(), name);
        let differs = |(told, wanted): &(&(String, String), &(String, String))| {
            told != wanted && OTHERWISE.iter().all(|(test, _)| *test != told.0)
        };
        let found: Vec<_> = told.iter().zip(&wanted).filter(differs).collect();
        assert!(found.is_empty() && told.len() == wanted.len(), "{name}: {found:#?}\n{story}");
    }
}

/// Each test with how it ended, in order, and all that was said.
fn take(port: u16, user: &str) -> (Vec<(String, String)>, String) {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages()).arg("-W").arg("ignore").arg("-c").arg(LIVETEST);
    let output = command.args([&port.to_string(), user, PASSWORD]).output().expect("python3");
    let story = String::from_utf8_lossy(&output.stderr).into_owned();
    let ended = |line: &str| {
        let (test, ended) = line.split_once(" ... ")?;
        let ended = ended.split(' ').next().unwrap_or_default();
        Some((test.split(' ').next()?.to_owned(), ended.to_owned()))
    };
    (story.lines().filter_map(ended).collect(), story)
}
