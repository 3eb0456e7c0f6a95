//! An APPEND whose answer is lost, or tells no UID: the message is looked for and never sent again.

mod dovecot;
mod fake;
mod support;

use bytes::Bytes;
use fake::{Answer, Fake};
use pimap_types::append::{Append, AppendPart, AppendPiece};
use pimap_types::command::StatusItem;
use pimap_types::upstream::*;
use pimap_types::{Flags, MailboxName, UidValidity};
use pimap_upstream::BodyStream;
use support::*;
use tokio::sync::mpsc;

const MESSAGE: &[u8] = b"Message-ID: <a@b>";

/// UIDVALIDITY and UIDNEXT, as everybody has them here before the message.
const BEFORE: &str = "* STATUS \"Sent\" (UIDNEXT 2 UIDVALIDITY 7)";

/// A server and what it does with an APPEND.
#[derive(Clone, Copy)]
struct Told {
    /// Its capabilities.
    capabilities: &'static str,
    /// What it says of the mailbox before the message.
    before: &'static str,
    /// What it says to the message; nothing: it goes.
    said: Option<&'static str>,
    /// What it finds at the first look, and at the second.
    found: [&'static str; 2],
    /// The size of what it finds.
    size: usize,
}

/// What an APPEND is answered by a server without UIDPLUS that answers its message thus, and finds these.
async fn appended(said: Option<&'static str>, found: &'static str, size: usize) -> (UpstreamReply, Fake) {
    appended_to(Told { capabilities: fake::WARY, before: BEFORE, said, found: [found; 2], size }).await
}

async fn appended_to(told: Told) -> (UpstreamReply, Fake) {
    let Told { capabilities, before, said, found, size } = told;
    let fake = Fake::start(capabilities, move |command, _, log| {
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
            _ if command.starts_with("STATUS \"Sent\" ") => match before {
                "" => Answer::lines(&["{tag} NO not there"]),
                before => Answer::lines(&[before, "{tag} OK told"]),
            },
            _ if command.starts_with("UID SEARCH ")
                && command.contains("HEADER \"Message-ID\" \"<a@b>\"") =>
            {
                let looks = log.iter().filter(|line| line.contains("HEADER")).count();
                Answer::lines(&[found[usize::from(looks > 1)], "{tag} OK found"])
            }
            _ if command.starts_with("UID FETCH 2 ") => Answer::lines(&[&second, "{tag} OK fetched"]),
            _ if command.starts_with("UID FETCH 3 ") => Answer::lines(&[&third, "{tag} OK fetched"]),
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

const IN_DOUBT: UpstreamReply = UpstreamReply::Failed(UpstreamFault::InDoubt);

fn validity() -> UidValidity {
    UidValidity::new(7).expect("not zero")
}

fn at_two() -> UpstreamReply {
    UpstreamReply::Ok(Data::Appended(Some((validity(), set(&[(2, 2)])))))
}

/// NQ-060, F45: one of that size, done; anything else, nobody knows.
#[tokio::test]
async fn an_append_whose_answer_is_lost_is_looked_for() {
    let lost = |found, size| appended(None, found, size);
    let (reply, fake) = lost("* SEARCH 2", 17).await;
    assert_eq!(reply, at_two(), "{:#?}", fake.log());
    for (found, size) in [("* SEARCH 2", 18), ("* SEARCH 2 3", 17), ("{tag} NO not now", 17)] {
        assert_eq!(lost(found, size).await.0, IN_DOUBT, "{found} {size}");
    }
}

/// F45: that it is not there yet does not mean that it will not be; a second look may find it.
#[tokio::test]
async fn an_append_that_is_not_found_stays_in_doubt() {
    let told =
        Told { capabilities: fake::WARY, before: BEFORE, said: None, found: ["* SEARCH"; 2], size: 17 };
    let (never, late) =
        tokio::join!(appended_to(told), appended_to(Told { found: ["* SEARCH", "* SEARCH 2"], ..told }));
    assert_eq!(never.0, IN_DOUBT, "{:#?}", never.1.log());
    assert_eq!(late.0, at_two(), "{:#?}", late.1.log());
}

/// F45: a message that was there before is another one, however alike.
#[tokio::test]
async fn an_older_copy_is_not_taken_for_the_message() {
    let told =
        Told { capabilities: fake::WARY, before: BEFORE, said: None, found: ["* SEARCH 2"; 2], size: 17 };
    let later = "* STATUS \"Sent\" (UIDNEXT 3 UIDVALIDITY 7)";
    let other = "* STATUS \"Sent\" (UIDNEXT 1 UIDVALIDITY 8)";
    // Before it, under another UIDVALIDITY, and where nobody said how it was before.
    for before in [later, other, "", "* STATUS \"Sent\" (UIDVALIDITY 7)"] {
        let (said, silent) = tokio::join!(
            appended_to(Told { before, said: Some("{tag} OK appended"), ..told }),
            appended_to(Told { before, ..told })
        );
        assert_eq!(said.0, UpstreamReply::Ok(Data::Appended(None)), "{before}: {:#?}", said.1.log());
        assert_eq!(silent.0, IN_DOUBT, "{before}: {:#?}", silent.1.log());
    }
    // With the older copy still there the new one is known.
    let both = Told { before: later, found: ["* SEARCH 2 3"; 2], ..told };
    let at_three = UpstreamReply::Ok(Data::Appended(Some((validity(), set(&[(3, 3)])))));
    let (reply, fake) = appended_to(both).await;
    assert_eq!(reply, at_three, "{:#?}", fake.log());
}

/// RFC 4315 3: a server with UIDPLUS may give no APPENDUID; then the message is looked for as without it.
#[tokio::test]
async fn a_server_with_uidplus_may_leave_the_uid_out() {
    let found = "* SEARCH 2";
    let said = Some("{tag} OK appended");
    let told = Told { capabilities: "IDLE", before: BEFORE, said, found: [found; 2], size: 17 };
    let (reply, fake) = appended_to(told).await;
    assert_eq!(reply, at_two(), "{:#?}", fake.log());
    assert_eq!(fake.count("UID SEARCH UID 2:* HEADER"), 1, "{:#?}", fake.log());
    let (reply, fake) = appended_to(Told { said: Some("{tag} OK [APPENDUID 7 3] appended"), ..told }).await;
    assert_eq!(reply, UpstreamReply::Ok(Data::Appended(Some((validity(), set(&[(3, 3)]))))));
    assert_eq!(fake.count("UID SEARCH"), 0, "{:#?}", fake.log());
}

/// RFC 4469: a command whose list of parts is not closed is none, and its line is not ended either.
#[tokio::test]
async fn a_catenate_that_is_not_closed_is_never_completed() {
    let fake = Fake::start("CATENATE", |command, _, _| match command {
        _ if command.starts_with("hello") => Answer::lines(&["{tag} OK appended"]),
        _ if command.starts_with("APPEND") => Answer::Say(b"+ go on\r\n".to_vec()),
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let message = AppendPart::Message { flags: Flags::default(), date: None };
    let parts = vec![message, AppendPart::Catenate, AppendPart::Text { size: 5 }];
    let (sender, octets) = mpsc::channel(2);
    sender.send(AppendPiece::Bytes(Bytes::from_static(b"hello"))).await.expect("room");
    sender.send(AppendPiece::End).await.expect("room");
    let append = Append { mailbox: MailboxName::new("Sent"), parts };
    let reply = account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await;
    assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Cancelled), "{:#?}", fake.log());
}

/// What cannot be written in the middle of a command leaves its connection there: nobody else is given it.
#[tokio::test]
async fn a_command_that_cannot_be_written_to_its_end_takes_its_connection_with_it() {
    let fake = Fake::start("CATENATE", |command, _, _| match command {
        _ if command.starts_with("APPEND") => Answer::Say(b"+ go on\r\n".to_vec()),
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let message = AppendPart::Message { flags: Flags::default(), date: None };
    let parts = vec![message, AppendPart::Catenate, AppendPart::Text { size: 5 }];
    let (sender, octets) = mpsc::channel(2);
    let rest = vec![AppendPart::Url("a\0".into()), AppendPart::Text { size: 5 }];
    for piece in [AppendPiece::Bytes(Bytes::from_static(b"hello")), AppendPiece::Parts(rest)] {
        sender.send(piece).await.expect("room");
    }
    let append = Append { mailbox: MailboxName::new("Sent"), parts };
    let reply = account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await;
    assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Unsupported), "{:#?}", fake.log());
    let status = UpstreamRequest::Status(MailboxName::new("INBOX"), vec![StatusItem::Messages]);
    let reply = ask(&account, status).await;
    assert!(matches!(reply, UpstreamReply::Ok(Data::Status(_))), "{reply:?} {:#?}", fake.log());
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

/// What an APPEND of a message with UTF-8 in its header is answered by a server that answers ENABLE with these lines.
async fn appended_in_utf8(enabled: &'static [&'static str]) -> (UpstreamReply, Fake) {
    let fake = Fake::start("ENABLE UTF8=ACCEPT", move |command, _, _| match command {
        "ENABLE UTF8=ACCEPT" => Answer::lines(enabled),
        _ if command.starts_with("APPEND") || command.contains("UTF8 (~") => Answer::lines(&["+ go on"]),
        _ if command.starts_with("Message-ID") => Answer::lines(&["{tag} OK [APPENDUID 7 2] appended"]),
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let parts = vec![
        AppendPart::Message { flags: Flags::default(), date: None },
        AppendPart::Utf8 { size: MESSAGE.len() as u64 },
    ];
    let (sender, octets) = mpsc::channel(3);
    let rest = [AppendPiece::Parts(vec![AppendPart::EndUtf8]), AppendPiece::End];
    for piece in [AppendPiece::Bytes(Bytes::from_static(MESSAGE))].into_iter().chain(rest) {
        sender.send(piece).await.expect("room");
    }
    let append = Append { mailbox: MailboxName::new("Entw&APw-rfe"), parts };
    let reply = account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await;
    // Whoever comes next is on another connection, and speaks of mailboxes as ever.
    let status = UpstreamRequest::Status(MailboxName::new("Entw&APw-rfe"), vec![StatusItem::Messages]);
    let _ = ask(&account, status).await;
    (reply, fake)
}

/// RFC 6855 4: such a message is for a connection that enabled UTF8=ACCEPT, which nobody else has the use of.
#[tokio::test]
async fn a_message_in_utf_8_goes_over_a_connection_of_its_own() {
    let (reply, fake) = appended_in_utf8(&["* ENABLED UTF8=ACCEPT", "{tag} OK enabled"]).await;
    assert_eq!(reply, at_two(), "{:#?}", fake.log());
    let log = fake.log();
    let connection = |word: &str| {
        let line = log.iter().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{word}: {log:#?}"));
        line.split(' ').next().expect("a number").to_owned()
    };
    let its_own = connection(" ENABLE UTF8=ACCEPT");
    assert_eq!(connection("Entwürfe () UTF8 (~{17}"), its_own);
    assert_eq!(connection("Message-ID: <a@b>)"), its_own);
    assert_ne!(connection("STATUS \"Entw&APw-rfe\""), its_own);
}

#[tokio::test]
async fn a_message_in_utf_8_is_not_sent_where_that_cannot_be_enabled() {
    for answer in [&["* ENABLED", "{tag} OK nothing"][..], &["{tag} NO not now"], &["{tag} BAD what"]] {
        let (reply, fake) = appended_in_utf8(answer).await;
        assert_eq!(reply, UpstreamReply::Failed(UpstreamFault::Unsupported), "{answer:?}");
        assert_eq!(fake.count("APPEND"), 0, "{:#?}", fake.log());
    }
}
