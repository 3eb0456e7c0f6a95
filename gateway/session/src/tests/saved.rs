//! `$` (RFC 5182): whose it is, what leaves it, and what empties it.

use crate::offer::Selected;
use crate::{Class, Departures, Flush, SessionLog};
use pimap_types::{MailboxName, SessionId, Uid, UidRanges, UidValidity};
use pimap_view::UidSet;

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not zero")
}

fn inbox() -> MailboxName {
    MailboxName::new("INBOX")
}

fn select(log: &mut SessionLog, mailbox: &str, validity: u32) {
    let selected = Selected { mailbox: MailboxName::new(mailbox), read_only: false };
    let live = UidSet::from_ranges(&UidRanges::from_pairs([(1, 5)])).expect("few");
    log.select(selected, UidValidity::new(validity).expect("not zero"), &live, 6);
}

fn selected() -> SessionLog {
    let mut log = SessionLog::new(SessionId("S".to_owned()), 1);
    select(&mut log, "INBOX", 1);
    log
}

fn saved(log: &SessionLog) -> Vec<u32> {
    log.saved().iter().map(Uid::get).collect()
}

#[test]
fn only_what_is_visible_is_saved_and_what_is_expunged_leaves() {
    let mut log = selected();
    assert_eq!(saved(&log), [0; 0]);
    log.save(&UidRanges::from_pairs([(2, 3), (5, 9)]));
    assert_eq!(saved(&log), [2, 3, 5]);
    log.gone(&inbox(), uid(3), Class::Pushed, false);
    assert_eq!(saved(&log), [2, 3, 5], "its removal is untold");
    log.flush(Flush { pushed_only: false, departures: Departures::All });
    assert_eq!(saved(&log), [2, 5]);
    log.save(&UidRanges::from_pairs([(1, 1)]));
    assert_eq!(saved(&log), [1], "the last one saved counts");
    log.save(&UidRanges::new());
    assert_eq!(saved(&log), [0; 0]);
}

#[test]
fn selecting_closing_and_synchronising_empty_it() {
    type Act = fn(&mut SessionLog);
    let acts: [(&str, Act); 5] = [
        ("SELECT of the same", |log| select(log, "INBOX", 1)),
        ("SELECT of another", |log| select(log, "Work", 1)),
        ("CLOSE", |log| log.deselect()),
        ("RESYNC", |log| log.declare_resync(&inbox())),
        ("DELETE", |log| log.forget_mailbox(&inbox())),
    ];
    for (name, act) in acts {
        let mut log = selected();
        log.save(&UidRanges::from_pairs([(1, 5)]));
        act(&mut log);
        assert_eq!(saved(&log), [0; 0], "{name}");
        log.save(&UidRanges::from_pairs([(1, 5)]));
        let is_told = log.selected_told().is_some_and(|(_, told)| !told.resync);
        assert_eq!(saved(&log).is_empty(), !is_told, "{name}, and saved again");
    }
}

#[test]
fn what_is_taken_back_takes_it_along() {
    let mut log = selected();
    let cursor = log.cursor();
    log.arrived(&inbox(), uid(6), &Default::default(), Class::Pushed);
    log.flush(Flush { pushed_only: false, departures: Departures::All });
    log.save(&UidRanges::from_pairs([(1, 6)]));
    log.resume_at(cursor).expect("its own");
    assert_eq!(saved(&log), [0; 0], "the answer that saved it may never have arrived");
}
