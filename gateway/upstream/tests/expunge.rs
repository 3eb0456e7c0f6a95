//! EXPUNGE of some messages towards a server without UIDPLUS (F20).

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::upstream::*;
use pimap_types::{MailboxName, UidValidity};
use support::*;

const MOVES: &str = "X-NO-UIDPLUS MOVE";

/// What expunging 1:2 of a mailbox comes to, of which 2 and 3 are marked and something is hidden.
async fn expunged(
    mailbox: &str,
    capabilities: &'static str,
    listed: &'static str,
    moved: &'static str,
) -> (UpstreamReply, Fake) {
    let fake = Fake::start(capabilities, move |said, _, before| match said {
        // A server that is not trusted with a program: everything first.
        "UID SEARCH ALL" if before.iter().any(|line| line.contains("UID MOVE")) && moved.contains("OK") => {
            Answer::lines(&["* SEARCH 1 3", "{tag} OK found"])
        }
        _ if said.starts_with("CAPABILITY") => {
            Answer::Say(format!("* CAPABILITY IMAP4rev1 {capabilities}\r\n{{tag}} OK done\r\n").into())
        }
        _ if said.starts_with("UID FETCH 1:*") => {
            let facts = "INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9)";
            let of = |n: u32, flags: &str| format!("* {n} FETCH (UID {n} FLAGS ({flags}) {facts}");
            let lines = [of(1, ""), of(2, "\\Deleted"), of(3, "\\Deleted")];
            Answer::lines(&[&lines[0], &lines[1], &lines[2], "{tag} OK fetched"])
        }
        _ if said.starts_with("LIST") => Answer::lines(&[listed, "{tag} OK listed"]),
        _ if said.starts_with("UID MOVE") => Answer::lines(&[moved]),
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let uid_validity = UidValidity::new(7).expect("not zero");
    let at = MailboxAt { mailbox: MailboxName::new(mailbox), uid_validity, at_least: 1 };
    let request = UpstreamRequest::Expunge { at, uids: set(&[(1, 2)]), all_visible: false };
    let reply = ask(&account, request).await;
    // Whatever comes of it, nothing is expunged by a command that names nothing, and no mark is touched.
    for word in ["EXPUNGE", "CLOSE", "UID STORE", "UID EXPUNGE"] {
        assert_eq!(fake.count(word), 0, "{:#?}", fake.log());
    }
    (reply, fake)
}

const TRASH: &str = "* LIST (\\HasNoChildren \\Trash) \"/\" Bin";

/// Only what is marked, and only what was named.
#[tokio::test]
async fn what_is_marked_among_those_named_is_moved_to_the_trash() {
    let (reply, fake) = expunged("INBOX", MOVES, TRASH, "{tag} OK moved").await;
    assert_eq!(reply, UpstreamReply::Ok(Data::Expunged(set(&[(2, 2)]))), "{:#?}", fake.log());
    let moves: Vec<String> = fake.log().into_iter().filter(|line| line.contains("UID MOVE")).collect();
    assert!(moves.len() == 1 && moves[0].ends_with("UID MOVE 2 \"Bin\""), "{moves:?}");
}

/// A refusal is the handset's to hear, and nothing is gone.
#[tokio::test]
async fn a_refused_move_expunges_nothing() {
    let (reply, fake) = expunged("INBOX", MOVES, TRASH, "{tag} NO [OVERQUOTA] full").await;
    let UpstreamReply::Refused { code, data, .. } = reply else { panic!("{:#?}", fake.log()) };
    assert_eq!((code.as_deref(), data), (Some("OVERQUOTA"), Some(Data::Expunged(set(&[])))));
}

/// No MOVE, no trash, a trash that cannot be used, or the trash itself: nothing is done at all.
#[tokio::test]
async fn where_there_is_nowhere_to_go_nothing_is_done() {
    for (mailbox, capabilities, listed) in [
        ("INBOX", "X-NO-UIDPLUS", TRASH),
        ("INBOX", MOVES, "* LIST () \"/\" Trash"),
        ("INBOX", MOVES, "* LIST (\\Trash \\Noselect) \"/\" Bin"),
        ("Bin", MOVES, TRASH),
    ] {
        let (reply, fake) = expunged(mailbox, capabilities, listed, "{tag} OK moved").await;
        assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Unsupported), "{:#?}", fake.log());
        assert_eq!(fake.count("UID MOVE"), 0);
    }
}
