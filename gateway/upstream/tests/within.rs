//! OLDER and YOUNGER towards servers that lack WITHIN (RFC 5032).

mod dovecot;
mod fake;
mod support;

use fake::{Answer, Fake};
use pimap_types::search::{SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
use pimap_types::upstream::*;
use pimap_types::{Flag, MailboxName, Timestamp, Uid, UidValidity};
use std::time::{SystemTime, UNIX_EPOCH};
use support::*;

fn here() -> MailboxAt {
    let uid_validity = UidValidity::new(7).expect("not zero");
    MailboxAt { mailbox: MailboxName::new("INBOX"), uid_validity, at_least: 1 }
}

/// INTERNALDATE of so many hours ago, as written in a zone that is so many hours east.
fn hours_ago(hours: i64, east: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let local = now + (east - hours) * 3_600;
    let day = Timestamp(local * 1_000).date(0);
    let (hour, minute, second) = (local / 3_600 % 24, local / 60 % 60, local % 60);
    let sign = if east < 0 { '-' } else { '+' };
    format!("{day:>11} {hour:02}:{minute:02}:{second:02} {sign}{:02}00", east.abs())
}

/// Three messages, all of which lie within the margin: one of 2 hours ago in the far west, one of 5 in the far east, one of 30.
async fn server(capabilities: &'static str) -> Fake {
    let dates = [hours_ago(2, -11), hours_ago(5, 13), hours_ago(30, 0)];
    Fake::start(capabilities, move |said, _, _| {
        let message = |n: usize| format!("* {n} FETCH (UID {n} INTERNALDATE \"{}\")", dates[n - 1]);
        match said {
            _ if said.starts_with("UID SEARCH SINCE") && !said.contains("NOT") => {
                Answer::lines(&["* SEARCH", "{tag} OK nothing"])
            }
            "UID SEARCH SEEN" => Answer::lines(&["* SEARCH 1 3", "{tag} OK found"]),
            _ if said.starts_with("UID SEARCH NOT SINCE") => {
                Answer::lines(&["* SEARCH 1 2 3", "{tag} OK the opposite"])
            }
            _ if said.starts_with("UID FETCH") => {
                Answer::lines(&[&message(1), &message(2), &message(3), "{tag} OK fetched"])
            }
            _ if said.starts_with("UID SORT") => Answer::lines(&["* SORT 3 2 1", "{tag} OK sorted"]),
            _ if said.starts_with("UID THREAD") => Answer::lines(&["* THREAD (1)(2)", "{tag} OK threaded"]),
            _ => Answer::Default,
        }
    })
    .await
}

const HOUR: u32 = 3_600;

#[tokio::test]
async fn the_time_decides_where_the_day_does_not() {
    let fake = server("X-NOTHING").await;
    let account = quiet_account(at_port(fake.port), "joe");
    let seen = || SearchKey::Flag(Flag::Seen);
    for (key, expected) in [
        (SearchKey::Younger(3 * HOUR), &[1][..]),
        (SearchKey::Younger(6 * HOUR), &[1, 2]),
        (SearchKey::Older(6 * HOUR), &[3]),
        (SearchKey::Older(HOUR), &[1, 2, 3]),
        (SearchKey::And(vec![seen(), SearchKey::Older(3 * HOUR)]), &[3]),
        (SearchKey::Or(Box::new(seen()), Box::new(SearchKey::Younger(6 * HOUR))), &[1, 2, 3]),
    ] {
        let found = data(&account, UpstreamRequest::Search(here(), None, key.clone())).await;
        assert_eq!(found, Data::Uids(set(&expected.iter().map(|n| (*n, *n)).collect::<Vec<_>>())), "{key:?}");
    }
    assert!(fake.log().iter().all(|line| !line.contains("OLDER") && !line.contains("YOUNGER")));
}

/// A server that knows the words is asked in them.
#[tokio::test]
async fn a_server_with_within_is_asked() {
    let fake = server("WITHIN").await;
    let account = quiet_account(at_port(fake.port), "joe");
    data(&account, UpstreamRequest::Search(here(), None, SearchKey::Younger(60))).await;
    assert_eq!((fake.count("UID SEARCH YOUNGER 60"), fake.count("UID FETCH")), (1, 0), "{:#?}", fake.log());
}

/// SORT and THREAD on a server that has them and lacks WITHIN.
#[tokio::test]
async fn sort_and_thread_leave_out_what_is_not_found() {
    let fake = server("SORT THREAD=REFERENCES").await;
    let account = quiet_account(at_port(fake.port), "joe");
    let criteria = vec![SortCriterion { reverse: false, key: SortKey::Arrival }];
    let younger = || SearchKey::Younger(6 * HOUR);
    let sorted = data(&account, UpstreamRequest::Sort(here(), criteria, "UTF-8".into(), younger())).await;
    assert_eq!(sorted, Data::Sorted([2, 1].into_iter().filter_map(Uid::new).collect()));
    let thread = UpstreamRequest::Thread(here(), ThreadAlgorithm::References, "UTF-8".into(), younger());
    assert!(matches!(data(&account, thread).await, Data::Threaded(_)));
    assert!(
        fake.log().iter().any(|line| line.contains("UID THREAD REFERENCES \"UTF-8\" UID 1:2")),
        "{:#?}",
        fake.log()
    );
}

/// Each interval costs questions: more of them than anybody means are refused before anything is asked.
#[tokio::test]
async fn a_program_of_many_intervals_is_refused() {
    let fake = server("X-NOTHING").await;
    let account = quiet_account(at_port(fake.port), "joe");
    let key = SearchKey::And((1..=17).map(SearchKey::Older).collect());
    let reply = ask(&account, UpstreamRequest::Search(here(), None, key)).await;
    assert!(matches!(reply, UpstreamReply::Refused { code: Some(code), .. } if code == "LIMIT"));
    assert_eq!(fake.count("UID SEARCH"), 0);
}
