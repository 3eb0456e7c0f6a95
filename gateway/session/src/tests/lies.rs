//! Lies found in the log, each by its shortest way; and the bounds.

use super::durable::{Rows, reload};
use super::handset::{self, Belief, Line, Live, inbox, numbers, seen, set, uid, validity};
use crate::log::Baseline;
use crate::offer::Selected;
use crate::repeat::{Effect, Repeat, RequestKey};
use crate::{Class, Departures, Flush, SessionLog, Wanted};
use pimap_types::command::Cursor;
use pimap_types::{MailboxName, ModSeq, Response, SessionId, Status, Timestamp, limits};

const ALL: Flush = Flush { pushed_only: false, departures: Departures::All };

fn session() -> SessionLog {
    SessionLog::new(SessionId("A".repeat(26)), 1)
}

fn work() -> MailboxName {
    MailboxName::new("Work")
}

fn select(log: &mut SessionLog, mailbox: &MailboxName, live: &[u32]) -> Baseline {
    let selected = Selected { mailbox: mailbox.clone(), read_only: false };
    log.select(selected, validity(), &set(live.iter().copied()), 100)
}

fn selected(log: &SessionLog) -> Option<MailboxName> {
    log.selected.as_ref().map(|selected| selected.mailbox.clone())
}

fn at(log: &SessionLog, position: u64) -> Cursor {
    Cursor { incarnation: log.incarnation, position }
}

/// FETCH shows new flags, its answer is lost, and no event is left of them.
#[test]
fn flags_shown_by_a_lost_fetch_are_told_again() {
    let mut log = session();
    select(&mut log, &inbox(), &[1]);
    log.acknowledge(log.position);
    log.flags_changed(&inbox(), uid(1), &seen(true), Class::Polled);
    log.flags_told(&inbox(), uid(1));
    assert_eq!(log.flush(ALL), [], "told, as far as is known");
    assert!(!log.settle(), "flags are no reason for RESYNC");
    assert!(matches!(&log.flush(ALL)[..], [Response::FetchFlags { flags, .. }] if *flags == seen(true)));
}

/// With cursors offers are kept apart; without a cursor presented the oldest flags came first, and stayed.
#[test]
fn of_flags_told_twice_the_last_are_repeated() {
    let mut log = session();
    select(&mut log, &inbox(), &[1]);
    log.acknowledge(log.position);
    log.use_cursors();
    for (yes, arrival) in [(true, 2), (false, 3)] {
        log.flags_changed(&inbox(), uid(1), &seen(yes), Class::Polled);
        log.arrived(&inbox(), uid(arrival), &seen(false), Class::Polled);
        log.flush(ALL);
    }
    assert_eq!(log.offers.len(), 2, "kept apart");
    log.settle();
    let lines = log.flush(ALL);
    assert!(
        matches!(&lines[..], [Response::Exists(3), Response::FetchFlags { flags, .. }] if flags.is_empty())
    );
}

/// Bodies that were not seen whole before their first command have no hash: one sent twice proves nothing.
#[test]
fn a_body_without_a_hash_may_be_a_repeat() {
    let mut log = session();
    select(&mut log, &inbox(), &[1, 2]);
    log.acknowledge(log.position);
    log.gone(&inbox(), uid(1), Class::Polled, false);
    log.request_begins(None);
    log.remember_request(None);
    assert_eq!(log.flush(ALL).len(), 1);
    log.response_written();
    assert!(log.request_begins(None), "the removal may never have arrived");
    assert!(log.needs_resync(&inbox()));
}

/// A mailbox that goes to RESYNC while another is selected is not spoken of until it is selected itself.
#[test]
fn select_says_resync_that_was_not_said_before() {
    let mut log = session();
    assert_eq!(select(&mut log, &work(), &[1, 2]), Baseline::Fresh { resync: false });
    select(&mut log, &inbox(), &[1]);
    log.acknowledge(log.position);
    log.declare_resync(&work());
    assert_eq!(select(&mut log, &work(), &[1, 3]), Baseline::Fresh { resync: true });
}

/// Of the selected mailbox it was said with LOGIN, or as the first line of the request: a second one would make a
/// handset select for ever.
#[test]
fn select_does_not_repeat_resync_that_was_said() {
    let mut log = session();
    select(&mut log, &inbox(), &[1]);
    assert!(log.settle());
    assert_eq!(select(&mut log, &inbox(), &[1]), Baseline::Fresh { resync: false });
    assert!(log.settle(), "it sticks until that answer is acknowledged (F8)");
    select(&mut log, &inbox(), &[1]);
    log.acknowledge(log.position);
    assert!(!log.needs_resync(&inbox()));
    assert_eq!(select(&mut log, &inbox(), &[1]), Baseline::Continued);
}

/// The handset remembers more mailboxes than the session does.
#[test]
fn a_mailbox_forgotten_is_selected_with_resync() {
    let mut log = session();
    let names: Vec<MailboxName> =
        (0..=limits::MAILBOXES_PER_SESSION_MAX).map(|n| MailboxName::new(&format!("M{n}"))).collect();
    for name in &names {
        assert_eq!(select(&mut log, name, &[1, 2]), Baseline::Fresh { resync: false });
        log.acknowledge(log.position);
    }
    assert_eq!(log.mailboxes().count(), limits::MAILBOXES_PER_SESSION_MAX);
    let log = reload(&session(), log);
    assert_eq!(select(&mut log.clone(), &names[0], &[1, 3]), Baseline::Fresh { resync: true });
}

/// The next UID of a handset that is still in INBOX would name a message of Work.
#[test]
fn a_select_whose_mailbox_goes_to_resync_is_still_taken_back() {
    type Loss = fn(&mut SessionLog);
    let losses: [Loss; 3] = [
        |log| log.declare_resync(&work()),
        |log| log.forget_mailbox(&work()),
        |log| {
            // Old mail turns up: the next SELECT replaces the baseline.
            log.arrived(&work(), uid(1), &seen(false), Class::Polled);
            select(log, &work(), &[1, 2]);
        },
    ];
    for loss in losses {
        let mut log = session();
        log.use_cursors();
        select(&mut log, &inbox(), &[5]);
        let cursor = log.cursor();
        select(&mut log, &work(), &[2]);
        loss(&mut log);
        let mut log = reload(&session(), log);
        log.resume_at(cursor).expect("given");
        assert_eq!(selected(&log), Some(inbox()));
    }
}

/// A message that became urgent while its announcement was unacknowledged is pushed when that is taken back.
#[test]
fn urgency_survives_taking_back() {
    let mut log = session();
    log.use_cursors();
    select(&mut log, &inbox(), &[1]);
    let cursor = log.cursor();
    log.arrived(&inbox(), uid(2), &seen(false), Class::Polled);
    log.flush(ALL);
    log.flags_changed(&inbox(), uid(2), &seen(true), Class::Pushed);
    log.resume_at(cursor).expect("given");
    assert!(log.has_untold(Flush { pushed_only: true, departures: Departures::Held }));
}

/// Law 5: a handset that selects for ever and acknowledges nothing.
#[test]
fn offers_are_bounded_whatever_makes_them() {
    let mut log = session();
    log.use_cursors();
    let early = {
        select(&mut log, &inbox(), &[1]);
        log.cursor()
    };
    for n in 0..2 * limits::OFFERS_UNACKNOWLEDGED_MAX {
        match n % 3 {
            0 => drop(select(&mut log, &inbox(), &[1])),
            1 => drop(select(&mut log, &work(), &[1])),
            _ => log.deselect(),
        }
        assert!(log.offers.len() <= limits::OFFERS_UNACKNOWLEDGED_MAX);
        log.check_invariants().expect("the log's own laws");
    }
    assert!(log.resume_at(early).is_err(), "it reaches back no longer");
    let log = reload(&session(), log);
    let latest = log.cursor();
    assert!(log.clone().resume_at(latest).is_ok());
}

#[test]
fn events_beyond_the_bound_are_resync_and_not_lines() {
    let mut log = session();
    log.use_cursors();
    select(&mut log, &inbox(), &[]);
    let mut told = 0;
    for n in 1..=2 * limits::OFFERS_UNACKNOWLEDGED_MAX as u32 {
        log.arrived(&inbox(), uid(n), &seen(false), Class::Polled);
        told += log.flush(ALL).len();
        assert!(log.offers.len() <= limits::OFFERS_UNACKNOWLEDGED_MAX);
    }
    assert!(told < limits::OFFERS_UNACKNOWLEDGED_MAX);
    assert!(log.needs_resync(&inbox()));
}

/// A FETCH of a thousand messages is one offer, cursors or not; a cursor inside it takes back too much, harmlessly.
#[test]
fn flags_told_by_one_fetch_are_one_offer() {
    let mut log = session();
    log.use_cursors();
    let live: Vec<u32> = (1..=1_000).collect();
    select(&mut log, &inbox(), &live);
    log.acknowledge(log.position);
    for n in &live {
        log.flags_changed(&inbox(), uid(*n), &seen(true), Class::Polled);
    }
    for n in &live {
        log.flags_told(&inbox(), uid(*n));
    }
    assert_eq!(log.offers.len(), 1);
    let inside = at(&log, log.position - 500);
    log.resume_at(inside).expect("given");
    assert_eq!(log.flush(ALL).len(), 1_000);
}

/// Without cursors hours of IDLE are one offer; a removal in it is not forgotten, a message told and told gone is.
#[test]
fn offers_without_cursors_merge() {
    let mut log = session();
    select(&mut log, &inbox(), &[1, 2]);
    log.acknowledge(log.position);
    for n in 3..6 {
        log.arrived(&inbox(), uid(n), &seen(false), Class::Pushed);
        log.flush(ALL);
    }
    assert_eq!(log.offers.len(), 1);
    assert!(log.has_unacknowledged_push());
    let mut repeatable = log.clone();
    assert!(!repeatable.settle());
    assert_eq!(repeatable.flush(ALL), [Response::Exists(5)], "an absolute count (F17)");
    log.gone(&inbox(), uid(4), Class::Polled, false);
    log.flush(ALL);
    assert_eq!(log.offers.len(), 1);
    assert_eq!(log.offers[0].appended_ranges().ranges(), [(3, 3), (5, 5)]);
    let mut log = reload(&session(), log);
    assert!(log.settle(), "a removal may have arrived or not (F9)");
}

/// What an intent and its answer leave behind survives a crash (F45).
#[test]
fn intents_are_durable_before_and_after() {
    let key = RequestKey { hash: [3; 32], named: false, says: None };
    let mut log = session();
    let mut rows = Rows::default();
    rows.commit(&mut log);
    log.remember_intent(key, 0, Timestamp(0));
    rows.commit(&mut log);
    let mut log = rows.load().expect("rows");
    assert_eq!(log.requests.find(key, 0, Timestamp(1)), Repeat::InDoubt);
    log.remember_answer(key, 0, Effect::Answered(Status::Ok, None, "done".into()));
    rows.commit(&mut log);
    let mut log = rows.load().expect("rows");
    assert_eq!(log.requests.find(key, 0, Timestamp(1)), Repeat::Answered(Status::Ok, None, "done".into()));
    log.acknowledge(log.position);
    rows.commit(&mut log);
    assert_eq!(rows.load().expect("rows").requests.find(key, 0, Timestamp(1)), Repeat::New);
}

/// A row of the version before does not say what its requests said: it is read, and only the names are compared.
#[test]
fn requests_of_the_version_before_are_read() {
    let key = RequestKey { hash: [3; 32], named: true, says: Some([4; 16]) };
    let mut log = session();
    log.remember_intent(key, 0, Timestamp(0));
    let mut rows = Rows::all(&log);
    let other = RequestKey { says: Some([5; 16]), ..key };
    assert_eq!(rows.load().expect("rows").requests.find(other, 0, Timestamp(1)), Repeat::Reused);
    let mut row = crate::codec::Writer::version(2);
    row.number(1).bytes(&key.hash).flag(true).signed(0).number(log.position).number(1).number(0).number(0);
    rows.replace(b'q', row.finish());
    let requests = rows.load().expect("rows").requests;
    assert_eq!(requests.find(key, 0, Timestamp(1)), Repeat::InDoubt);
    assert_eq!(requests.find(other, 0, Timestamp(1)), Repeat::InDoubt);
}

#[test]
fn an_erased_session_leaves_no_row() {
    let mut log = session();
    log.remember_intent(RequestKey { hash: [3; 32], named: true, says: Some([4; 16]) }, 0, Timestamp(0));
    select(&mut log, &inbox(), &[1, 5_000]);
    select(&mut log, &work(), &[1]);
    let mut rows = Rows::default();
    rows.commit(&mut log);
    log.arrived(&work(), uid(2), &seen(false), Class::Polled);
    log.gone(&work(), uid(1), Class::Polled, false);
    rows.commit(&mut log);
    let mut left = rows.clone();
    left.erase(&mut log);
    assert_eq!(left, Rows::default());
}

/// Damaged rows are refused, cut anywhere.
#[test]
fn cut_rows_are_refused() {
    let mut log = session();
    log.remember_intent(RequestKey { hash: [3; 32], named: true, says: Some([4; 16]) }, 0, Timestamp(0));
    log.remember_request(Some([9; 32]));
    select(&mut log, &inbox(), &[1, 2, 3]);
    log.gone(&inbox(), uid(2), Class::Pushed, true);
    log.flags_changed(&inbox(), uid(3), &seen(true), Class::Polled);
    log.flush(ALL);
    log.arrived(&inbox(), uid(4), &seen(true), Class::Polled);
    let rows = Rows::all(&log);
    assert!(rows.load().is_some());
    rows.each_cut(|cut| assert!(cut.load().is_none(), "a cut row was taken: {cut:?}"));
}

/// A second handset beside the model: what it holds after a mixed day.
#[test]
fn a_handset_follows_by_lines_alone() {
    let mut log = session();
    let live = Live::from([(1, false), (2, false), (3, false)]);
    let (mut belief, mut lines) = (Belief::Yesterday, Vec::new());
    handset::select(&mut log, &live, 4, &mut lines);
    log.gone(&inbox(), uid(2), Class::Polled, false);
    log.arrived(&inbox(), uid(4), &seen(false), Class::Polled);
    log.flags_changed(&inbox(), uid(3), &seen(true), Class::Polled);
    handset::flush(&mut log, ALL, &mut lines);
    for line in &lines {
        belief.apply(line).expect("a true line");
    }
    assert_eq!(belief, Belief::Knows(vec![(1, Some(false)), (3, Some(true)), (4, None)]));
    assert_eq!(numbers(&log.told(&inbox()).expect("told").view), [1, 3, 4]);
    assert!(matches!(&lines[1..], [Line::Flags { seq: 3, .. }, Line::Expunge(2), Line::Exists(_)]));
}

/// RFC 5465 3.1: what a handset does not want to hear of stays untold, and is told when it does.
#[test]
fn what_is_not_wanted_waits() {
    let mut log = session();
    select(&mut log, &inbox(), &[1, 2, 3]);
    log.flags_changed(&inbox(), uid(1), &seen(true), Class::Polled);
    log.gone(&inbox(), uid(2), Class::Polled, false);
    log.arrived(&inbox(), uid(4), &seen(false), Class::Polled);
    assert!(!log.has_untold_of(ALL, Wanted::NONE));
    assert_eq!(log.flush_wanted(ALL, Wanted::NONE), []);

    let arrivals = Wanted { arrivals: true, ..Wanted::NONE };
    assert_eq!(log.flush_wanted(ALL, arrivals), [Response::Exists(4)]);
    assert!(!log.has_untold_of(ALL, arrivals));
    let lines = log.flush(ALL);
    assert!(matches!(lines[..], [Response::FetchFlags { .. }, Response::Expunge(_)]), "{lines:?}");
    assert!(!log.has_untold(ALL));
    assert_eq!(log.check_invariants(), Ok(()));
}

/// F38, RFC 7162 3.2.10: as long as a change is not told, no mod-sequence at or above it is: whoever kept that would never ask for
/// the change again.
#[test]
fn what_is_not_wanted_keeps_the_mod_sequence_below_it() {
    let mut log = session();
    select(&mut log, &inbox(), &[1, 2, 3]);
    let no_flags = Wanted { flags: false, ..Wanted::ALL };
    log.flags_changed(&inbox(), uid(1), &seen(true), Class::Polled);
    log.withhold(&inbox(), uid(1), ModSeq(9), no_flags);
    let told = |log: &SessionLog| log.known_mod_seq(&inbox(), ModSeq(12));
    assert_eq!(told(&log), ModSeq(9));
    assert_eq!(log.flush_wanted(ALL, no_flags), []);
    assert_eq!(told(&log), ModSeq(9), "an answer that tells nothing of it changes nothing");
    log.gone(&inbox(), uid(2), Class::Polled, false);
    assert!(matches!(log.flush_wanted(ALL, no_flags)[..], [Response::Expunge(_)]));
    assert_eq!(told(&log), ModSeq(9));
    assert!(matches!(log.flush(ALL)[..], [Response::FetchFlags { .. }]));
    assert_eq!(told(&log), ModSeq(12));
}
