//! Names in both spellings, and what upstream is asked for a pattern.

use super::*;
use crate::listing::is_match;
use proptest::prelude::*;

fn taken_in(mut command: Command) -> Command {
    take_in(&mut command);
    command
}

#[test]
fn names_come_in_as_utf_8_and_go_upstream_in_modified_utf_7() {
    let name = |name: &str| MailboxName::new(name);
    for (written, inside) in [
        ("Entwürfe", "Entw&APw-rfe"),
        ("R&D", "R&-D"),
        // What looks like modified UTF-7 is none here.
        ("&APw-", "&-APw-"),
        ("inbox", "INBOX"),
        ("台北/日本語", "&U,BTFw-/&ZeVnLIqe-"),
        ("😀", "&2D3eAA-"),
    ] {
        assert_eq!(taken_in(Command::Delete(name(written))), Command::Delete(name(inside)), "{written}");
        let told = told(Response::Folder(name(inside)));
        assert_eq!(told, Response::Folder(name(written)));
    }
}

#[test]
fn names_that_no_mailbox_can_have_stay_beyond_ascii() {
    let stays = |written: &str| {
        let command = Command::Create(MailboxName::new(written));
        taken_in(command.clone()) == command
    };
    assert!(stays("line\u{2028}break") && stays("paragraph\u{2029}break") && stays("next\u{85}line"));
    assert!(stays("e\u{301}t\u{e9}"), "not in NFC");
    assert!(stays(&"ä a".repeat(300)), "too long in its other spelling");
    assert!(!stays("\u{e9}t\u{e9}"));
    // What is there already can be opened, renamed and deleted whatever form it has.
    let old = || MailboxName::new("e\u{301}");
    assert_ne!(taken_in(Command::Delete(old())), Command::Delete(old()));
    let Command::Rename(from, to) = taken_in(Command::Rename(old(), old())) else { panic!("a RENAME") };
    assert_eq!((from.as_str(), to), ("e&AwE-", old()));
}

#[test]
fn a_pattern_beyond_ascii_asks_for_more_and_never_for_less() {
    let asked = |reference: &str, pattern: &str| {
        let ListPattern { reference, pattern } = wider(reference, pattern);
        (reference, pattern)
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(asked("", "%"), pair("", "%"));
    assert_eq!(asked("R&D/", "A*"), pair("R&-D/", "A*"));
    assert_eq!(asked("", "gr%ü"), pair("", "gr%*"));
    assert_eq!(asked("", "gr*ü"), pair("", "gr**"));
    assert_eq!(asked("ü/", "x"), pair("", "*"));
}

proptest! {
    /// Whatever a pattern means among readable names, upstream's list of the other spelling holds it.
    #[test]
    fn what_is_meant_is_among_what_is_asked_for(
        name in "[aü&A/]{1,8}", pattern in "[aü&A/%*]{1,6}", reference in "(a/|ü/)?",
    ) {
        let whole = format!("{reference}{pattern}");
        if is_match(&whole, &name, Some('/')) {
            let asked = wider(&reference, &pattern);
            let asked = format!("{}{}", asked.reference, asked.pattern);
            prop_assert!(is_match(&asked, &utf7::encode(&name), Some('/')), "{asked}");
        }
    }
}
