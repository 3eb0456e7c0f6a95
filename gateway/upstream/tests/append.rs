//! An APPEND whose answer is lost, or tells no UID: the message is looked for and never sent again.

mod dovecot;
mod fake;
mod support;

use bytes::Bytes;
use fake::{Answer, Fake};
use pimap_types::append::{Append, AppendPart, AppendPiece};
use pimap_types::upstream::*;
use pimap_types::{Flags, MailboxName, UidValidity};
use pimap_upstream::BodyStream;
use support::*;
use tokio::sync::mpsc;

const MESSAGE: &[u8] = b"Message-ID: <a@b>";

/// What an APPEND is answered by a server that answers its message thus, and finds these.
async fn appended(said: Option<&'static str>, found: &'static str, size: usize) -> (UpstreamReply, Fake) {
    let fake = Fake::start(fake::WARY, move |command, _, _| {
        let fact = |uid: u32, size: usize| {
            let date = "\" 1-Feb-2004 10:00:00 +0000\"";
            format!("* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE {date} RFC822.SIZE {size})")
        };
        let (first, second, third) = (fact(1, 1), fact(2, size), fact(3, size));
        match command {
            _ if command.starts_with("APPEND") => Answer::lines(&["+ go on"]),
            _ if command.starts_with("Message-ID") => match said {
                Some(line) => Answer::lines(&[line]),
                None => Answer::close(""),
            },
            "UID SEARCH HEADER \"Message-ID\" \"<a@b>\"" => Answer::lines(&[found, "{tag} OK found"]),
            _ if command.starts_with("UID FETCH 2 ") => Answer::lines(&[&second, "{tag} OK fetched"]),
            // A server without UIDPLUS is not taken at its word: it is asked for everything.
            _ if command.starts_with("UID FETCH 1:* ") => {
                Answer::lines(&[&first, &second, &third, "{tag} OK fetched"])
            }
            _ => Answer::Default,
        }
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let parts = vec![
        AppendPart::Message { flags: Flags::default(), date: None },
        AppendPart::Literal { size: MESSAGE.len() as u64, binary: false },
    ];
    let (sender, octets) = mpsc::channel(2);
    sender.send(AppendPiece::Bytes(Bytes::from_static(MESSAGE))).await.expect("room");
    sender.send(AppendPiece::End).await.expect("room");
    let append = Append { mailbox: MailboxName::new("Sent"), parts };
    let reply = account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await;
    assert_eq!(fake.count("APPEND"), 1, "{:#?}", fake.log());
    assert!(fake.log().iter().all(|line| !line.contains("SELECT")), "EXAMINE leaves \\Recent alone (F27)");
    (reply, fake)
}

fn at_two() -> UpstreamReply {
    let validity = UidValidity::new(7).expect("not zero");
    UpstreamReply::Ok(Data::Appended(Some((validity, set(&[(2, 2)])))))
}

/// NQ-060, F45: none there, not done; one of that size, done; anything else, nobody knows.
#[tokio::test]
async fn an_append_whose_answer_is_lost_is_looked_for() {
    let lost = |found, size| appended(None, found, size);
    let (reply, fake) = lost("* SEARCH", 17).await;
    assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Unavailable), "{:#?}", fake.log());
    let (reply, fake) = lost("* SEARCH 2", 17).await;
    assert_eq!(reply, at_two(), "{:#?}", fake.log());
    for (found, size) in [("* SEARCH 2", 18), ("* SEARCH 2 3", 17), ("{tag} NO not now", 17)] {
        assert_eq!(
            lost(found, size).await.0,
            UpstreamReply::Failed(UpstreamFault::InDoubt),
            "{found} {size}"
        );
    }
}

/// NQ-055: where the server tells no UID, a Message-ID that one message has tells it, and one that several have does not.
#[tokio::test]
async fn a_message_id_tells_the_uid_unless_several_messages_have_it() {
    let ok = |found, size| appended(Some("{tag} OK appended"), found, size);
    let (reply, fake) = ok("* SEARCH 2", 17).await;
    assert_eq!(reply, at_two(), "{:#?}", fake.log());
    for (found, size) in [("* SEARCH 2 3", 17), ("* SEARCH", 17), ("* SEARCH 2", 18), ("{tag} BAD what", 17)]
    {
        assert_eq!(ok(found, size).await.0, UpstreamReply::Ok(Data::Appended(None)), "{found} {size}");
    }
    let (reply, _) = appended(Some("{tag} NO full"), "* SEARCH 2", 17).await;
    assert!(matches!(reply, UpstreamReply::Refused { .. }), "{reply:?}");
}
