//! The decision against a plain transcription of digest 1.3, in full, and its laws.

use super::*;
use crate::oracle;
use crate::{Filter, compile};
use proptest::prelude::*;

const KINDS: [ChangeKind; 4] =
    [ChangeKind::Arrival, ChangeKind::FlagChange, ChangeKind::Removal, ChangeKind::Ageing];
const EVENT_FILTERS: [EventFilter; 3] = [EventFilter::All, EventFilter::New, EventFilter::None];

/// Digest 1.3 with its refinements and F34, row by row: kind, view before and after, notification before and
/// after (`-` is either), what is told, and the event filters under which it is pushed.
const TRANSCRIPTION: &str = "
    # A message arrives: there is no before.
    arrival  -0 --  nothing  -
    arrival  -1 -0  arrived  -
    arrival  -1 -1  arrived  ALL NEW

    # A message is expunged: there is no after; its last known verdicts count.
    removal  0- --  nothing  -
    removal  1- 0-  gone     -
    removal  1- 1-  gone     ALL

    # Flags change outside the view: not an event.
    flags    00 --  nothing  -
    # A flag brings it into the view: an arrival.
    flags    01 -0  arrived  -
    flags    01 -1  arrived  ALL NEW
    # A flag takes it out of the view: a removal.
    flags    10 0-  gone     -
    flags    10 1-  gone     ALL
    # In the view all along.
    flags    11 00  flags    -
    flags    11 01  flags    ALL NEW
    flags    11 10  flags    ALL
    flags    11 11  flags    ALL

    # A day passes: never pushed, and no event unless the view changes.
    ageing   00 --  nothing  -
    ageing   11 --  nothing  -
    ageing   10 --  gone     -
    ageing   01 --  arrived  -
";

fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Arrival => "arrival",
        ChangeKind::FlagChange => "flags",
        ChangeKind::Removal => "removal",
        ChangeKind::Ageing => "ageing",
    }
}

fn what_word(what: What) -> &'static str {
    match what {
        What::Nothing => "nothing",
        What::Arrived => "arrived",
        What::Gone => "gone",
        What::Flags => "flags",
    }
}

fn changes() -> impl Iterator<Item = Change> {
    KINDS.into_iter().flat_map(|kind| {
        (0..16_u8).map(move |bits| Change {
            kind,
            view_before: bits & 8 != 0,
            view_after: bits & 4 != 0,
            notification_before: bits & 2 != 0,
            notification_after: bits & 1 != 0,
        })
    })
}

fn column_fits(column: &str, before: bool, after: bool) -> bool {
    column.chars().zip([before, after]).all(|(mark, value)| mark == '-' || (mark == '1') == value)
}

#[test]
fn every_change_is_classified_as_the_digest_says() {
    let rows: Vec<Vec<&str>> = TRANSCRIPTION
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.first().is_some_and(|word| *word != "#"))
        .collect();
    assert_eq!(rows.len(), 19);
    for change in changes() {
        let fitting: Vec<_> = rows
            .iter()
            .filter(|row| {
                row[0] == kind_word(change.kind)
                    && column_fits(row[1], change.view_before, change.view_after)
                    && column_fits(row[2], change.notification_before, change.notification_after)
            })
            .collect();
        assert_eq!(fitting.len(), 1, "exactly one row speaks of {change:?}");
        for event_filter in EVENT_FILTERS {
            let decision = decide(change, event_filter);
            let pushed = fitting[0][4..].contains(&event_filter.as_str());
            assert_eq!(what_word(decision.what), fitting[0][3], "{change:?} {event_filter:?}");
            assert_eq!(decision.class == Class::Pushed, pushed, "{change:?} {event_filter:?}");
        }
    }
}

/// PI-038: a message within both filters, each kind of event under each event filter.
#[test]
fn event_filter_new_lets_only_arrivals_through_and_none_nothing() {
    let both = |kind| Change {
        kind,
        view_before: kind != ChangeKind::Arrival,
        view_after: kind != ChangeKind::Removal,
        notification_before: kind != ChangeKind::Arrival,
        notification_after: kind != ChangeKind::Removal,
    };
    let leaves_view = Change { view_after: false, ..both(ChangeKind::FlagChange) };
    use Class::{Polled, Pushed};
    let matrix = [
        (both(ChangeKind::Arrival), [Pushed, Pushed, Polled]),
        (both(ChangeKind::FlagChange), [Pushed, Polled, Polled]),
        (both(ChangeKind::Removal), [Pushed, Polled, Polled]),
        (leaves_view, [Pushed, Polled, Polled]),
    ];
    for (change, classes) in matrix {
        for (event_filter, class) in EVENT_FILTERS.into_iter().zip(classes) {
            assert_eq!(decide(change, event_filter).class, class, "{change:?} {event_filter:?}");
        }
    }
}

/// F34: read on the desktop, so the notification filter UNSEEN flips to no.
#[test]
fn a_message_read_elsewhere_stops_the_phone_ringing() {
    let change = Change {
        kind: ChangeKind::FlagChange,
        view_before: true,
        view_after: true,
        notification_before: true,
        notification_after: false,
    };
    assert_eq!(decide(change, EventFilter::All), Decision { what: What::Flags, class: Class::Pushed });
}

/// PI-033.
#[test]
fn folder_events_are_pushed_whatever_the_filters_say() {
    assert_eq!(folder_event_class(), Class::Pushed);
}

#[test]
fn what_is_pushed_was_or_is_in_the_view_and_passed_the_notification_filter() {
    for change in changes() {
        for event_filter in EVENT_FILTERS {
            let decision = decide(change, event_filter);
            if decision.class == Class::Pushed {
                assert_ne!(decision.what, What::Nothing, "{change:?}");
                assert_ne!(change.kind, ChangeKind::Ageing, "{change:?}");
                let before = change.view_before && change.notification_before;
                let after = change.view_after && change.notification_after;
                assert!(before || after, "{change:?}");
            }
        }
    }
}

proptest! {
    /// View ⊇ notified, on real filters and a real flag change.
    #[test]
    fn a_pushed_message_is_or_was_in_the_view(
        view in oracle::program(), notification in oracle::program(), message in oracle::message(),
        flags in oracle::flags(), today in oracle::days(),
        event_filter in prop::sample::select(EVENT_FILTERS.to_vec()),
    ) {
        let filter = |program| compile::Filter::compile(program).expect("storable");
        let (view, notification): (Filter, Filter) = (filter(&view), filter(&notification));
        let mut after = message.clone();
        after.facts.flags = flags;
        let change = Change {
            kind: ChangeKind::FlagChange,
            view_before: oracle::verdict(&view, &message, today),
            view_after: oracle::verdict(&view, &after, today),
            notification_before: oracle::verdict(&notification, &message, today),
            notification_after: oracle::verdict(&notification, &after, today),
        };
        let decision = decide(change, event_filter);
        prop_assert_eq!(decision.what == What::Nothing, !change.view_before && !change.view_after);
        if decision.class == Class::Pushed {
            prop_assert!(change.view_before || change.view_after);
        }
    }
}
