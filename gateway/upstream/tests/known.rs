//! What is known of a mailbox need not be told again: a server without mod-sequences is asked for flags alone (design D3).

mod dovecot;
mod fake;
mod support;

use dovecot::Dovecot;
use fake::{Answer, Fake};
use pimap_types::upstream::*;
use pimap_types::{Flag, Flags, ModSeq, UidValidity};
use support::*;

/// Everything known, with its dates and sizes.
fn kept(synced: &Synced) -> Known {
    Known { facts: true, ..known(synced) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poor_server_is_asked_for_the_flags_of_what_is_kept() {
    let server = Dovecot::start_poor();
    server.save_some("joe", "INBOX", 3);
    let account = account(&server, "joe");
    let first = sync(&account, "INBOX", None, true).await;
    server.doveadm(&["expunge", "-u", "joe", "mailbox", "INBOX", "uid", "2"]);
    server.doveadm(&["flags", "add", "-u", "joe", "\\Flagged", "mailbox", "INBOX", "uid", "3"]);
    server.save_some("joe", "INBOX", 1);
    let later = sync(&account, "INBOX", Some(kept(&first)), true).await;
    let Delta::Flags { flags, facts } = &later.delta else { panic!("flags: {later:?}") };
    let told: Vec<(u32, bool)> =
        flags.iter().map(|(uid, f)| (uid.get(), f.contains(&Flag::Flagged))).collect();
    assert_eq!(told, [(1, false), (3, true)]);
    assert_eq!(uids(facts), [4]);
    assert!(facts[0].size > 10 && facts[0].internal_date.0 > 10_000);
    assert_eq!((later.messages, later.uid_next), (3, 5));
}

/// A message came back under a UID between those that are known, and the FETCH of it is not answered: it is not taken for gone (law 1),
/// but everything is asked for.
#[tokio::test]
async fn what_came_back_and_is_not_told_of_is_not_taken_for_gone() {
    let facts = |n: u32| {
        format!(
            "* {n} FETCH (UID {n} FLAGS (\\Seen) INTERNALDATE \"01-Jan-2026 00:00:00 +0000\" RFC822.SIZE 9)"
        )
    };
    let fake = Fake::start("", move |said, _, _| {
        let lines: Vec<String> = match said {
            said if said.starts_with("EXAMINE") => vec![
                "* 3 EXISTS".to_owned(),
                "* OK [UIDVALIDITY 7] x".to_owned(),
                "* OK [UIDNEXT 4] x".to_owned(),
            ],
            "UID FETCH 1:3 (UID FLAGS)" => {
                (1..=3).map(|n| format!("* {n} FETCH (UID {n} FLAGS ())")).collect()
            }
            said if said.starts_with("UID FETCH 1:3 ") => (1..=3).map(facts).collect(),
            said if said.starts_with("UID FETCH 4:* ") => vec![facts(3)],
            said if said.starts_with("UID FETCH 2 ") => Vec::new(),
            _ => return Answer::Default,
        };
        let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["{tag} OK done"]).collect();
        Answer::lines(&lines)
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let uid_validity = UidValidity::new(7).expect("not zero");
    let known = Known { uid_validity, highest_mod_seq: ModSeq(0), uids: set(&[(1, 1), (3, 3)]), facts: true };
    let synced = sync(&account, "INBOX", Some(known), true).await;
    let Delta::Full { uids: all, facts } = &synced.delta else { panic!("in full: {synced:?}") };
    assert_eq!((all, uids(facts)), (&set(&[(1, 3)]), vec![1, 2, 3]));
    assert!(facts.iter().all(|f| f.flags == Flags::new([Flag::Seen])));
}

/// The mailbox was replaced: nothing that is kept is of these messages.
#[tokio::test(flavor = "multi_thread")]
async fn under_another_uidvalidity_everything_is_told() {
    let server = Dovecot::start_poor();
    server.save_some("joe", "INBOX", 2);
    let account = account(&server, "joe");
    let first = sync(&account, "INBOX", None, true).await;
    let other = UidValidity::new(first.uid_validity.get() ^ 1).expect("not zero");
    let later = sync(&account, "INBOX", Some(Known { uid_validity: other, ..kept(&first) }), true).await;
    assert_eq!(later.delta, first.delta);
    assert!(matches!(&later.delta, Delta::Full { facts, .. } if facts.len() == 2));
}
