//! Our tests are tested: golden scenes that say `# reference: dovecot` are played at a real Dovecot, and at the gateway before
//! one, as well as in the modelled world.
//!
//! A scene that only we believe in proves that the gateway does what we think; one that a server by other hands plays
//! alike proves that what we think is IMAP. What two servers may say in different words is made alike first, see
//! [`loose`].

// A failed expectation is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "reference/loose.rs"]
mod loose;
#[path = "reference/play.rs"]
mod play;

use std::path::Path;

use pimap_tests::dovecot::Dovecot;
use pimap_tests::gateway::{Config, Gateway};
use pimap_tests::transcript::Script;

/// Scenes with the head `# reference: dovecot`, by name.
fn scenes() -> Vec<(String, Script)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut scenes = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the golden scenes") {
        let path = entry.expect("a scene").path();
        if path.extension().is_none_or(|extension| extension != "pimap") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("its text");
        let script = Script::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if script.head("reference") == Some("dovecot") {
            scenes.push((path.file_name().expect("a name").to_string_lossy().into_owned(), script));
        }
    }
    scenes.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!scenes.is_empty(), "no scene is marked");
    scenes
}

/// All scenes on one stage; what goes wrong in each is shown.
fn play_all(dovecot: &Dovecot, gateway: Option<&Gateway>) {
    let failures: Vec<String> = scenes()
        .iter()
        .filter_map(|(name, script)| {
            play::play(script, dovecot, gateway).err().map(|error| format!("{name}: {error}"))
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn a_server_by_other_hands_plays_the_scenes_that_are_marked() {
    play_all(&Dovecot::start(), None);
}

#[test]
fn the_gateway_before_it_plays_them_too() {
    let dovecot = Dovecot::start();
    let gateway = Gateway::start(Config::before(&dovecot));
    play_all(&dovecot, Some(&gateway));
}

/// The reference is strict enough to find what is wrong in a scene.
#[test]
fn a_wrong_scene_is_found() {
    let dovecot = Dovecot::start();
    let head = "@ deliver INBOX\nC: a1 LOGIN joe secret\nS: a1 OK ...\n";
    let select = "C: a2 EXAMINE INBOX\nS: * FLAGS (\\\\Answered \\\\Flagged \\\\Deleted \\\\Seen \\\\Draft)\n\
        S: * 1 EXISTS\nS: * OK [UIDVALIDITY 101] x\nS: * OK [UIDNEXT 2] x\nS: * OK [UNSEEN 1] x\nS: a2 OK [READ-ONLY] x\n";
    let right = [
        "C: a3 UID SEARCH ALL\nS: * SEARCH 1\nS: a3 OK x\n",
        "C: a3 FETCH 1 FLAGS\nS: * 1 FETCH (FLAGS ())\nS: a3 OK x\n",
    ];
    let wrong = [
        "C: a3 UID SEARCH ALL\nS: * SEARCH\nS: a3 OK x\n",
        "C: a3 UID SEARCH ALL\nS: * SEARCH 1\nS: a3 NO x\n",
        "C: a3 FETCH 1 FLAGS\nS: * 1 FETCH (FLAGS (\\\\Seen))\nS: a3 OK x\n",
        "C: a3 FETCH 1 FLAGS\nS: a3 OK x\n",
        "C: a3 FETCH 1 FLAGS\nS: * 1 FETCH (FLAGS ())\nS: * 2 EXISTS\nS: a3 OK x\n",
    ];
    let outcome = |end: &str| {
        let script = Script::read(&format!("{head}{select}{end}")).expect("a scene");
        play::play(&script, &dovecot, None)
    };
    right.iter().for_each(|end| assert_eq!(outcome(end), Ok(()), "{end}"));
    wrong.iter().for_each(|end| assert!(outcome(end).is_err(), "{end}"));
}
