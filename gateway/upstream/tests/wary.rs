//! Towards a server without UIDPLUS: nothing is named that is not there, nothing is left open that was changed, no program
//! is sent that is more than a term; and what lacks is not taken for what is gone. GNU mailutils is the model.

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake, WARY};
use pimap_types::search::{Field, SearchKey};
use pimap_types::set::{SequenceSet, SetNumber};
use pimap_types::upstream::*;
use pimap_types::{Flag, MailboxName, UidValidity};
use pimap_upstream::AccountUpstream;
use support::*;

fn here() -> MailboxAt {
    let uid_validity = UidValidity::new(7).expect("not zero");
    MailboxAt { mailbox: MailboxName::new("INBOX"), uid_validity, at_least: 1 }
}

const FACTS: &str = "INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" RFC822.SIZE 9";

fn message(n: u32, flags: &str) -> String {
    format!("* {n} FETCH (UID {n} FLAGS ({flags}) {FACTS})")
}

/// UIDs 1 to 3, of which the second is read; `subject` finds 2 and 3.
async fn poor() -> (Fake, AccountUpstream) {
    let fake = Fake::start(WARY, |said, _, _| {
        if said == "UID SEARCH SUBJECT \"subject\"" {
            return Answer::lines(&["* SEARCH 2 3", "{tag} OK found"]);
        }
        if said.starts_with("UID FETCH 1:*") {
            let lines = [message(1, ""), message(2, "\\Seen"), message(3, "")];
            return Answer::lines(&[&lines[0], &lines[1], &lines[2], "{tag} OK fetched"]);
        }
        Answer::Default
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    (fake, account)
}

fn said(fake: &Fake, beginning: &str) -> Vec<String> {
    let lines = fake.log().into_iter().filter_map(|l| l.split_once(' ').map(|(_, c)| c.to_owned()));
    lines.filter(|command| command.starts_with(beginning)).collect()
}

#[tokio::test]
async fn only_what_is_there_is_named() {
    let (fake, account) = poor().await;
    ask(&account, UpstreamRequest::Store(here(), set(&[(2, 2), (900, 900)]), add(Flag::Flagged), None)).await;
    assert_eq!(said(&fake, "UID STORE"), ["UID STORE 2 +FLAGS (\\Flagged)"]);
    // Nothing at all is said about what is gone.
    let stored =
        ask(&account, UpstreamRequest::Store(here(), set(&[(900, 900)]), add(Flag::Flagged), None)).await;
    assert_eq!(stored, UpstreamReply::Ok(Data::Stored { flags: vec![], modified: set(&[]) }));
    let target = MailboxName::new("Archive");
    ask(&account, UpstreamRequest::Copy(here(), set(&[(900, 900)]), target)).await;
    let (text, _) = fetch(&account, here(), set(&[(900, 950)]), vec![]).await;
    assert_eq!(text, "");
    assert_eq!(said(&fake, "UID STORE").len(), 1);
    assert_eq!((fake.count("UID COPY"), fake.count("UID FETCH")), (0, 0), "{:#?}", fake.log());
}

#[tokio::test]
async fn what_was_changed_is_left_without_expunging() {
    let (fake, account) = poor().await;
    ask(&account, UpstreamRequest::Store(here(), set(&[(2, 2)]), add(Flag::Deleted), None)).await;
    let log = said(&fake, "");
    let stored = log.iter().position(|c| c.starts_with("UID STORE")).expect("stored");
    assert_eq!(log.get(stored + 1).map(String::as_str), Some("EXAMINE \"INBOX\""), "{log:#?}");
    // And every request sees the mailbox as it is then.
    let examined = fake.count("EXAMINE");
    for n in 1..=3 {
        ask(&account, UpstreamRequest::Facts(here(), set(&[(1, 1)]))).await;
        assert_eq!(fake.count("EXAMINE"), examined + n);
    }
    assert_eq!(fake.count("CLOSE") + fake.count("EXPUNGE"), 0);
}

#[tokio::test]
async fn a_program_is_asked_term_by_term() {
    let (fake, account) = poor().await;
    let subject = || SearchKey::Field(Field::Subject, b"subject".to_vec());
    let uids = |first| SearchKey::Uid(SequenceSet(vec![(SetNumber::Number(first), SetNumber::Star)]));
    for (program, expected) in [
        (
            SearchKey::And(vec![uids(2), subject(), SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen)))]),
            set(&[(3, 3)]),
        ),
        (
            SearchKey::Or(Box::new(SearchKey::Not(Box::new(subject()))), Box::new(uids(3))),
            set(&[(1, 1), (3, 3)]),
        ),
        (SearchKey::Flag(Flag::Keyword("$Junk".into())), set(&[])),
    ] {
        let found = data(&account, UpstreamRequest::Search(here(), None, program.clone())).await;
        assert_eq!(found, Data::Uids(expected), "{program:?}");
    }
    assert_eq!(
        said(&fake, "UID SEARCH"),
        ["UID SEARCH SUBJECT \"subject\"", "UID SEARCH SUBJECT \"subject\""]
    );
}

#[tokio::test]
async fn an_answer_that_lacks_messages_is_asked_for_again() {
    let fake = Fake::start(WARY, |said, _, before| {
        if !said.starts_with("UID FETCH 1:*") {
            return Answer::Default;
        }
        let (one, two, three) = (message(1, ""), message(2, ""), message(3, ""));
        match before.iter().filter(|l| l.contains("UID FETCH")).count() {
            1 => Answer::lines(&["{tag} OK nothing"]),
            2 => Answer::lines(&[&one, "{tag} OK some"]),
            _ => Answer::lines(&[&one, &two, &three, "{tag} OK all"]),
        }
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let synced = sync(&account, "INBOX", None, true).await;
    assert!(matches!(&synced.delta, Delta::Full { uids, .. } if *uids == set(&[(1, 3)])), "{synced:?}");
    // A server that never says anything of the messages it counts is not believed to have lost them.
    let fake = Fake::start(WARY, |_, _, _| Answer::Default).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let request = UpstreamRequest::Sync { mailbox: MailboxName::new("INBOX"), known: None, facts: true };
    assert_eq!(ask(&account, request).await, UpstreamReply::Failed(UpstreamFault::Unavailable));
}
