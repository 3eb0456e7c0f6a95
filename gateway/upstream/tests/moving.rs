//! MOVE towards upstream, by MOVE and without it, with every answer a server may give.

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::upstream::*;
use pimap_types::{MailboxName, UidRanges, UidValidity};
use support::*;

/// The beginning of a command, and what is said to it.
type Said = (&'static str, &'static [&'static str]);

/// What moving 1:2 comes to on a server with these capabilities that answers commands with these beginnings so.
async fn moved(capabilities: &'static str, answers: Vec<Said>) -> (UpstreamReply, Fake) {
    let fake = Fake::start(capabilities, move |command, _, _| {
        let said = answers.iter().find(|(beginning, _)| command.starts_with(beginning));
        said.map_or(Answer::Default, |(_, lines)| Answer::lines(lines))
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let uid_validity = UidValidity::new(7).expect("not zero");
    let at = MailboxAt { mailbox: MailboxName::new("INBOX"), uid_validity, at_least: 1 };
    let reply = ask(&account, UpstreamRequest::Move(at, set(&[(1, 2)]), MailboxName::new("Work"))).await;
    // NQ-073, NQ-076: nothing is named by number, and what others have marked stays.
    for line in fake.log() {
        let command = line.split_once(' ').map_or("", |(_, command)| command);
        let by_number = ["EXPUNGE", "CLOSE", "STORE", "COPY", "MOVE", "FETCH", "SEARCH"];
        assert!(!by_number.iter().any(|word| command.starts_with(word)), "{line}");
    }
    (reply, fake)
}

fn copied(sources: &[(u32, u32)], vanished: &[(u32, u32)]) -> Data {
    let target = sources.iter().map(|(a, b)| (a + 4, b + 4));
    let validity = UidValidity::new(9).expect("not zero");
    let copy_uid = Some((validity, set(sources), UidRanges::from_pairs(target)));
    Data::Copied { copy_uid, vanished: set(vanished) }
}

const COPIED: (&str, &[&str]) = ("UID COPY 1:2 \"Work\"", &["{tag} OK [COPYUID 9 1:2 5:6] copied"]);
const STORED: (&str, &[&str]) = ("UID STORE 1:2 +FLAGS (\\Deleted)", &["{tag} OK stored"]);
const GONE: (&str, &[&str]) = ("UID SEARCH", &["* SEARCH", "{tag} OK found"]);

/// NQ-076.
#[tokio::test]
async fn without_move_messages_are_copied_marked_and_expunged_by_uid() {
    let (reply, fake) = moved("UIDPLUS", vec![COPIED, STORED, GONE]).await;
    assert_eq!(reply, UpstreamReply::Ok(copied(&[(1, 2)], &[(1, 2)])), "{:#?}", fake.log());
    let steps = ["UID COPY", "UID STORE", "UID EXPUNGE"];
    let order: Vec<usize> =
        steps.iter().filter_map(|step| fake.log().iter().position(|line| line.contains(step))).collect();
    assert!(order.len() == 3 && order.is_sorted(), "{:#?}", fake.log());
}

/// NQ-061, NQ-072: whatever step fails, each message is still somewhere, and no later step is begun.
#[tokio::test]
async fn a_step_that_fails_ends_the_move() {
    let (reply, fake) = moved("UIDPLUS", vec![("UID COPY", &["{tag} NO [OVERQUOTA] full"])]).await;
    assert!(
        matches!(&reply, UpstreamReply::Refused { code: Some(code), .. } if code == "OVERQUOTA"),
        "{reply:?}"
    );
    assert_eq!((fake.count("UID STORE"), fake.count("UID EXPUNGE")), (0, 0));
    let (reply, fake) = moved("UIDPLUS", vec![COPIED, ("UID STORE", &["{tag} NO read-only"])]).await;
    let UpstreamReply::Refused { data: Some(data), .. } = reply else { panic!("{reply:?}") };
    assert_eq!((data, fake.count("UID EXPUNGE")), (copied(&[(1, 2)], &[]), 0));
    let refused: Said = ("UID EXPUNGE", &["{tag} NO not now"]);
    let there: Said = ("UID SEARCH", &["* SEARCH 1 2", "{tag} OK found"]);
    let (reply, _) = moved("UIDPLUS", vec![COPIED, STORED, refused, there]).await;
    let UpstreamReply::Refused { data: Some(data), .. } = reply else { panic!("{reply:?}") };
    assert_eq!(data, copied(&[(1, 2)], &[]));
}

/// NQ-074: a NO does not mean that nothing was moved (RFC 6851 3.3): what left is looked for.
#[tokio::test]
async fn a_refused_move_may_have_moved_something() {
    let half: Said =
        ("UID MOVE", &["* OK [COPYUID 9 1 5] moved", "* 1 EXPUNGE", "{tag} NO [OVERQUOTA] full"]);
    let rest: Said = ("UID SEARCH", &["* SEARCH 2", "{tag} OK found"]);
    let (reply, _) = moved("MOVE UIDPLUS", vec![half, rest]).await;
    let UpstreamReply::Refused { data: Some(data), .. } = reply else { panic!("{reply:?}") };
    assert_eq!(data, copied(&[(1, 1)], &[(1, 1)]));
}

const MOVED: &str = "* OK [COPYUID 9 1:2 5:6] moved";

/// NQ-075: what left is told by VANISHED, or by number.
#[tokio::test]
async fn what_left_is_told_in_either_form() {
    let by_number: Said = ("UID MOVE", &[MOVED, "* 1 EXPUNGE", "* 1 EXPUNGE", "{tag} OK moved"]);
    let (reply, _) = moved("MOVE UIDPLUS", vec![by_number]).await;
    assert_eq!(reply, UpstreamReply::Ok(copied(&[(1, 2)], &[(1, 2)])));
    let enabled: Said = ("ENABLE", &["* ENABLED QRESYNC CONDSTORE", "{tag} OK enabled"]);
    let by_uid: Said = ("UID MOVE", &[MOVED, "* VANISHED 1:2", "{tag} OK moved"]);
    let (reply, fake) = moved("MOVE UIDPLUS ENABLE CONDSTORE QRESYNC", vec![enabled, by_uid]).await;
    assert_eq!(reply, UpstreamReply::Ok(copied(&[(1, 2)], &[(1, 2)])), "{:#?}", fake.log());
}

/// Where mailboxes are labels, what is moved out of All Mail is copied and stays: only what is told to be expunged is taken at its word.
#[tokio::test]
async fn what_stays_although_it_arrived_is_not_told_to_be_gone() {
    let stays: Said = ("UID MOVE", &[MOVED, "* 1 EXPUNGE", "{tag} OK moved"]);
    let rest: Said = ("UID SEARCH", &["* SEARCH 2", "{tag} OK found"]);
    let (reply, _) = moved("MOVE UIDPLUS", vec![stays, rest]).await;
    assert_eq!(reply, UpstreamReply::Ok(copied(&[(1, 2)], &[(1, 1)])));
}
