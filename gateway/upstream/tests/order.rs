//! SORT and THREAD made of SEARCH and FETCH before a server that has neither (RFC 5256).

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::limits::{ORDERED_BYTES_MAX, ORDERED_MESSAGES_MAX};
use pimap_types::search::{Field, SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
use pimap_types::upstream::*;
use pimap_types::{MailboxName, Uid, UidValidity};
use support::*;

fn here() -> MailboxAt {
    let uid_validity = UidValidity::new(7).expect("not zero");
    MailboxAt { mailbox: MailboxName::new("INBOX"), uid_validity, at_least: 1 }
}

/// Messages 1 to 4: of the third nothing is told, and the fourth is told first, with its texts as literals.
const FETCHED: [&str; 4] = [
    "* 4 FETCH (UID 4 INTERNALDATE \" 4-Feb-2004 10:00:00 +0000\" ENVELOPE (NIL {6}\r\nRe: ab NIL NIL NIL NIL NIL NIL \"<b@x>\" \"<c@x>\") BODY[HEADER.FIELDS (REFERENCES)] {2}\r\n\r\n)",
    "* 1 FETCH (UID 1 INTERNALDATE \" 1-Feb-2004 10:00:00 +0000\" ENVELOPE (NIL \"zz\" NIL NIL NIL NIL NIL NIL NIL \"<a@x>\") BODY[HEADER.FIELDS (REFERENCES)] \"\")",
    "* 3 FETCH (UID 3 ENVELOPE (nonsense) BODY[HEADER.FIELDS (REFERENCES)] NIL)",
    "* 2 FETCH (UID 2 INTERNALDATE \" 3-Feb-2004 10:00:00 +0000\" ENVELOPE (\"5 Feb 2004 10:00\" \"ab\" NIL NIL NIL NIL NIL NIL NIL \"<b@x>\") BODY[HEADER.FIELDS (REFERENCES)] {21}\r\nReferences: <a@x>\r\n\r\n)",
];

async fn server(found: String, fetched: &'static [&'static str]) -> Fake {
    Fake::start("UIDPLUS IDLE", move |said, _, _| match said {
        _ if said.starts_with("UID SEARCH") => Answer::lines(&[&found, "{tag} OK found"]),
        _ if said.starts_with("UID FETCH") => Answer::lines(fetched),
        _ => Answer::Default,
    })
    .await
}

const WHOLE: &[&str] = &[FETCHED[0], FETCHED[1], FETCHED[2], FETCHED[3], "{tag} OK fetched"];

fn sort(key: SortKey) -> UpstreamRequest {
    let criteria = vec![SortCriterion { reverse: false, key }];
    UpstreamRequest::Sort(here(), criteria, "UTF-8".to_owned(), SearchKey::All)
}

fn uids(uids: &[u32]) -> Vec<Uid> {
    uids.iter().copied().filter_map(Uid::new).collect()
}

/// What is found is told whole, whatever the server says of each message.
#[tokio::test]
async fn messages_are_sorted_here() {
    let fake = server("* SEARCH 4 3 2 1".to_owned(), WHOLE).await;
    let account = quiet_account(at_port(fake.port), "joe");
    for (key, order) in [
        (SortKey::Subject, [3, 2, 4, 1]),
        (SortKey::Date, [3, 1, 4, 2]),
        (SortKey::Arrival, [3, 1, 2, 4]),
        (SortKey::Cc, [1, 2, 3, 4]),
    ] {
        assert_eq!(ask(&account, sort(key)).await, UpstreamReply::Ok(Data::Sorted(uids(&order))), "{key:?}");
    }
    assert_eq!(fake.count("UID FETCH 1:4 (UID INTERNALDATE)"), 1, "{:#?}", fake.log());
    assert_eq!(fake.count("UID SORT"), 0);
}

#[tokio::test]
async fn messages_are_threaded_here() {
    let fake = server("* SEARCH 1 2 3 4".to_owned(), WHOLE).await;
    let account = quiet_account(at_port(fake.port), "joe");
    for (algorithm, shape) in [
        (ThreadAlgorithm::References, [(0, 3), (0, 1), (1, 2), (2, 4)]),
        (ThreadAlgorithm::OrderedSubject, [(0, 3), (0, 1), (0, 4), (1, 2)]),
    ] {
        let request = UpstreamRequest::Thread(here(), algorithm, "UTF-8".to_owned(), SearchKey::All);
        let UpstreamReply::Ok(Data::Threaded(threads)) = ask(&account, request).await else {
            panic!("is threaded: {:#?}", fake.log())
        };
        let told: Vec<_> =
            threads.places.iter().map(|place| (place.depth, place.message.map_or(0, Uid::get))).collect();
        assert_eq!(told, shape, "{algorithm:?}");
    }
}

/// What few messages say may be too much as well, and it is not held to be refused afterwards.
#[tokio::test]
async fn too_much_is_refused() {
    let all: String = (1..=1_000).map(|uid| format!(" {uid}")).collect();
    let fake = Fake::start("UIDPLUS IDLE", move |said, _, _| match said {
        _ if said.starts_with("UID SEARCH") => Answer::lines(&[&format!("* SEARCH{all}"), "{tag} OK found"]),
        _ if said.starts_with("UID FETCH") => {
            let subject = "x".repeat(ORDERED_BYTES_MAX / 1_000 + 100);
            let fetched = |uid| {
                format!(
                    "* {uid} FETCH (UID {uid} ENVELOPE (NIL {{{}}}\r\n{subject} NIL NIL NIL NIL NIL NIL NIL NIL))\r\n",
                    subject.len()
                )
            };
            let told: String = (1..=1_000).map(fetched).chain(["{tag} OK fetched\r\n".to_owned()]).collect();
            Answer::Say(told.into_bytes())
        }
        _ => Answer::Default,
    })
    .await;
    let account = quiet_account(at_port(fake.port), "joe");
    let reply = ask(&account, sort(SortKey::Subject)).await;
    assert!(
        matches!(&reply, UpstreamReply::Refused { code: Some(code), .. } if code == "LIMIT"),
        "{reply:?}"
    );
}

/// More than may be put in order is refused before anything is fetched.
#[tokio::test]
async fn too_many_are_refused() {
    let all: String = (1..=ORDERED_MESSAGES_MAX + 1).map(|uid| format!(" {uid}")).collect();
    let fake = server(format!("* SEARCH{all}"), WHOLE).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let reply = ask(&account, sort(SortKey::Size)).await;
    assert!(matches!(reply, UpstreamReply::Refused { code: Some(code), .. } if code == "LIMIT"));
    assert_eq!(fake.count("UID FETCH"), 0);
}

/// A charset that nobody knows is refused without asking; one that matters is the server's affair.
#[tokio::test]
async fn charsets_are_named_where_they_matter() {
    let fake = server("* SEARCH".to_owned(), WHOLE).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let request = |charset: &str, text: &str| {
        let criteria = vec![SortCriterion { reverse: false, key: SortKey::Size }];
        let key = SearchKey::Field(Field::Subject, text.as_bytes().to_vec());
        UpstreamRequest::Sort(here(), criteria, charset.to_owned(), key)
    };
    let reply = ask(&account, request("X-NONE", "a")).await;
    assert!(
        matches!(reply, UpstreamReply::Refused { code: Some(code), .. } if code.starts_with("BADCHARSET ("))
    );
    assert_eq!(fake.count("UID SEARCH"), 0);
    for (text, named) in [("a", 0), ("\u{fc}", 1)] {
        assert_eq!(ask(&account, request("UTF-8", text)).await, UpstreamReply::Ok(Data::Sorted(Vec::new())));
        assert_eq!(fake.count("UID SEARCH CHARSET"), named, "{:#?}", fake.log());
    }
}

/// A FETCH that is refused, or that ends with the connection, gives no order.
#[tokio::test]
async fn what_cannot_be_had_is_not_made_up() {
    let fake = server("* SEARCH 1 2".to_owned(), &["{tag} NO not now"]).await;
    let account = quiet_account(at_port(fake.port), "joe");
    let reply = ask(&account, sort(SortKey::Size)).await;
    assert!(matches!(reply, UpstreamReply::Refused { text, .. } if text == "not now"));
    let fake = server("* SEARCH 1 2".to_owned(), &["* 1 FETCH (UID 1 RFC822.SIZE x)", "{tag} OK"]).await;
    let account = quiet_account(at_port(fake.port), "joe");
    assert_eq!(ask(&account, sort(SortKey::Size)).await, UpstreamReply::Failed(UpstreamFault::Misbehaved));
}
