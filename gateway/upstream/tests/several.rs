//! Several messages in one APPEND (RFC 3502) before a server that takes one at a time: all of them, or none, or in doubt.

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

fn begins(size: u64) -> Vec<AppendPart> {
    let message = AppendPart::Message { flags: Flags::default(), date: None };
    vec![message, AppendPart::Literal { size, binary: false }]
}

fn bytes(octets: &'static [u8]) -> AppendPiece {
    AppendPiece::Bytes(Bytes::from_static(octets))
}

/// A server that answers the messages `one`, `two` and `six` as told; nothing: it goes. What it appended stays after UID EXPUNGE
/// where it `keeps` it.
async fn server(capabilities: &'static str, answers: [Option<&'static str>; 3], keeps: bool) -> Fake {
    Fake::start(capabilities, move |said, _, log| {
        let answer = |at: usize| answers[at].map_or_else(|| Answer::close(""), |line| Answer::lines(&[line]));
        match said {
            "one" => answer(0),
            "two" => answer(1),
            "six" => answer(2),
            _ if said.starts_with("APPEND") => Answer::lines(&["+ go on"]),
            _ if said.starts_with("SELECT") => {
                Answer::lines(&["* 2 EXISTS", "* OK [UIDVALIDITY 7] x", "{tag} OK open"])
            }
            _ if said.starts_with("UID SEARCH")
                && !keeps
                && log.iter().any(|line| line.contains("UID EXPUNGE")) =>
            {
                Answer::lines(&["* SEARCH", "{tag} OK found"])
            }
            _ if said.starts_with("UID SEARCH NOT") => {
                Answer::lines(&["* SEARCH 1 2", "{tag} OK the opposite"])
            }
            _ if said.starts_with("UID SEARCH") => Answer::lines(&["* SEARCH 4 5 6", "{tag} OK found"]),
            _ if said.starts_with("UID STORE") || said.starts_with("UID EXPUNGE") => {
                Answer::lines(&["{tag} OK done"])
            }
            _ => Answer::Default,
        }
    })
    .await
}

const TOLD: [Option<&str>; 3] = [
    Some("{tag} OK [APPENDUID 7 4] appended"),
    Some("{tag} OK [APPENDUID 7 5] appended"),
    Some("{tag} OK [APPENDUID 7 6] appended"),
];

/// Three messages, the last pieces of them replaced by `last`.
async fn three(fake: &Fake, last: Vec<AppendPiece>) -> UpstreamReply {
    let account = quiet_account(at_port(fake.port), "joe");
    let (sender, octets) = mpsc::channel(16);
    let next = || AppendPiece::Parts(begins(3));
    for piece in [bytes(b"one"), next(), bytes(b"two"), next()].into_iter().chain(last) {
        sender.send(piece).await.expect("room");
    }
    drop(sender);
    let append = Append { mailbox: MailboxName::new("Sent"), parts: begins(3) };
    account.run(UpstreamRequest::Append(append), BodyStream::Append(octets)).await
}

fn whole() -> Vec<AppendPiece> {
    vec![bytes(b"six"), AppendPiece::End]
}

fn at(uids: &[(u32, u32)]) -> UpstreamReply {
    let validity = UidValidity::new(7).expect("not zero");
    UpstreamReply::Ok(Data::Appended(Some((validity, set(uids)))))
}

const IN_DOUBT: UpstreamReply = UpstreamReply::Failed(UpstreamFault::InDoubt);

#[tokio::test]
async fn all_are_appended_one_by_one_where_it_must_be() {
    let fake = server("UIDPLUS", TOLD, false).await;
    assert_eq!(three(&fake, whole()).await, at(&[(4, 6)]), "{:#?}", fake.log());
    assert_eq!((fake.count("APPEND"), fake.count("UID EXPUNGE")), (3, 0));
}

/// One is refused, or given up on the way: those before it are taken back, by their UIDs.
#[tokio::test]
async fn those_before_a_refused_one_are_taken_back() {
    let full = [TOLD[0], TOLD[1], Some("{tag} NO [OVERQUOTA] full")];
    let fake = server("UIDPLUS", full, false).await;
    let code = Some("OVERQUOTA".to_owned());
    let refused = UpstreamReply::Refused { code, text: "full".to_owned(), data: None };
    assert_eq!(three(&fake, whole()).await, refused, "{:#?}", fake.log());
    assert_eq!(fake.count("UID EXPUNGE 4:5"), 1, "{:#?}", fake.log());
    let given_up = AppendPiece::Refused { code: "BADURL".to_owned(), text: "no".to_owned() };
    for (last, cancelled) in [(vec![given_up], false), (vec![bytes(b"si")], true), (Vec::new(), true)] {
        let fake = server("UIDPLUS", TOLD, false).await;
        let reply = three(&fake, last).await;
        assert_eq!(reply == UpstreamReply::Failed(UpstreamFault::Cancelled), cancelled, "{reply:?}");
        assert!(cancelled || matches!(reply, UpstreamReply::Refused { .. }), "{reply:?}");
        assert_eq!(fake.count("UID EXPUNGE 4:5"), 1, "{:#?}", fake.log());
    }
}

/// What cannot be taken back stays, and is not denied.
#[tokio::test]
async fn what_stays_is_in_doubt() {
    let no = Some("{tag} NO not now");
    let untold = [TOLD[0], Some("{tag} OK appended"), no];
    let elsewhere = [Some("{tag} OK [APPENDUID 8 4] appended"), TOLD[1], no];
    for (answers, keeps) in [([TOLD[0], TOLD[1], no], true), (untold, false), (elsewhere, false)] {
        let fake = server("UIDPLUS", answers, keeps).await;
        assert_eq!(three(&fake, whole()).await, IN_DOUBT, "{:#?}", fake.log());
    }
}

/// F45: the connection goes after the last octet of the second message. Whether it is there nobody knows, and nothing is repeated.
#[tokio::test]
async fn a_lost_answer_leaves_all_in_doubt() {
    let fake = server("UIDPLUS", [TOLD[0], None, None], false).await;
    assert_eq!(three(&fake, whole()).await, IN_DOUBT, "{:#?}", fake.log());
    assert_eq!((fake.count("APPEND"), fake.count("UID EXPUNGE")), (2, 0), "{:#?}", fake.log());
}
