//! The schedule by example, and against an oracle that keeps every call and derives each answer from the
//! whole list.

use super::*;
use crate::budget::Budgets;
use proptest::collection::vec;
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_077_259_200_000);
const FREE: fn(Timestamp) -> Result<(), Timestamp> = |_| Ok(());

fn at(seconds: i64) -> Timestamp {
    START.plus_ms(seconds * 1_000)
}

/// Calls `due` at every deadline up to `until`, as a wheel would; answers are listed with their time in
/// seconds.
fn drive(wake: &mut WakeSchedule, settings: &WakeSettings, until: Timestamp) -> Vec<(i64, Due)> {
    let mut out = Vec::new();
    while let Some(deadline) = wake.next_deadline().filter(|deadline| *deadline <= until) {
        let due = wake.due(settings, deadline, FREE);
        if due != Due::Nothing {
            out.push((deadline.since_ms(START) / 1_000, due));
        }
    }
    out
}

fn send(event_time: Timestamp, repeat: u8) -> Due {
    Due::Send { event_time, repeat }
}

#[test]
fn one_event_without_contact_is_repeated_and_given_up() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    wake.on_event(at(0), &settings, at(0));
    let told = drive(&mut wake, &settings, at(1_000_000));
    let e = at(0);
    let expect = [
        (5, send(e, 0)),
        (15, send(e, 1)),
        (75, send(e, 2)),
        (375, send(e, 3)),
        (2_175, send(e, 4)),
        (3_975, Due::GivenUp),
    ];
    assert_eq!(told, expect);
    assert_eq!(wake.next_deadline(), None);
    wake.on_event(at(9_000), &settings, at(9_000));
    assert_eq!(drive(&mut wake, &settings, at(9_006)), [(9_005, send(at(9_000), 0))]);
}

#[test]
fn events_of_one_window_make_one_notice_and_cannot_keep_it_open() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    for second in 0..5 {
        wake.on_event(at(second), &settings, at(second));
        assert_eq!(wake.due(&settings, at(second), FREE), Due::Nothing);
    }
    assert_eq!(wake.next_deadline(), Some(at(5)));
    assert_eq!(wake.due(&settings, at(5), FREE), send(at(4), 0));
}

#[test]
fn contact_ends_it() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    wake.on_event(at(0), &settings, at(0));
    wake.on_contact();
    assert_eq!(wake.next_deadline(), None);
    assert_eq!(wake.due(&settings, at(100), FREE), Due::Nothing);
    wake.on_event(at(200), &settings, at(200));
    assert_eq!(drive(&mut wake, &settings, at(206)), [(205, send(at(200), 0))]);
    wake.on_contact();
    wake.on_reachable(&settings, at(207));
    assert_eq!(wake.next_deadline(), None);
}

#[test]
fn an_event_while_one_is_outstanding_rearms_but_not_before_the_first_repeat() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    wake.on_event(at(0), &settings, at(0));
    assert_eq!(wake.due(&settings, at(5), FREE), send(at(0), 0));
    wake.on_event(at(6), &settings, at(6));
    assert_eq!(wake.next_deadline(), Some(at(15)));
    // Between late repeats the event does not wait for the next of them.
    assert_eq!(drive(&mut wake, &settings, at(400)).len(), 4);
    wake.on_event(at(1_000), &settings, at(1_000));
    assert_eq!(
        drive(&mut wake, &settings, at(1_016)),
        [(1_005, send(at(1_000), 0)), (1_015, send(at(1_000), 1))]
    );
}

#[test]
fn a_new_address_brings_what_was_given_up() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    wake.on_event(at(0), &settings, at(0));
    assert_eq!(drive(&mut wake, &settings, at(5_000)).last(), Some(&(3_975, Due::GivenUp)));
    wake.on_reachable(&settings, at(5_000));
    assert_eq!(wake.due(&settings, at(5_000), FREE), send(at(0), 0));
    wake.on_refused();
    assert_eq!(wake.next_deadline(), None);
    wake.on_reachable(&settings, at(5_100));
    assert_eq!(wake.next_deadline(), Some(at(5_100)));
}

#[test]
fn the_time_in_a_notice_never_goes_backwards() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::resume(at(50)));
    wake.on_event(at(10), &settings, at(60));
    assert_eq!(wake.due(&settings, at(65), FREE), send(at(50), 0));
    wake.on_contact();
    wake.on_event(at(70), &settings, at(70));
    assert_eq!(wake.due(&settings, at(75), FREE), send(at(70), 0));
    assert_eq!(wake.event_time(), at(70));
}

#[test]
fn a_clock_that_steps_back_loses_no_wake() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    wake.on_event(at(10_000), &settings, at(10_000));
    // An hour or so back: the wheel shows the new time once, and the window is counted from there.
    assert_eq!(wake.due(&settings, at(0), FREE), Due::Nothing);
    assert_eq!(wake.next_deadline(), Some(at(5)));
    assert_eq!(wake.due(&settings, at(5), FREE), send(at(10_000), 0));
    // The same without a call at the step itself: the next event shows the time.
    wake.on_event(at(-9_000), &settings, at(-9_000));
    assert_eq!(wake.next_deadline(), Some(at(-8_990)));
}

#[test]
fn the_destination_can_put_a_notice_off() {
    let (settings, mut wake) = (WakeSettings::default(), WakeSchedule::default());
    let mut destinations = Budgets::new(Rate { burst: 1, interval_ms: 30_000 }, 1, 0);
    assert!(destinations.admit(&"192.0.2.1:9", at(0)).is_ok());
    wake.on_event(at(0), &settings, at(0));
    let mut ask = |now| wake.due(&settings, now, |now| destinations.admit(&"192.0.2.1:9", now));
    assert_eq!(ask(at(5)), Due::Nothing);
    assert_eq!(ask(at(29)), Due::Nothing);
    assert_eq!(ask(at(30)), send(at(0), 0));
    assert_eq!(wake.next_deadline(), Some(at(40)));
}

#[test]
fn a_schedule_is_small() {
    assert!(size_of::<WakeSchedule>() <= 40, "{}", size_of::<WakeSchedule>());
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Event(i64),
    Contact,
    Reachable,
    Refused,
    Due,
}

/// What the oracle remembers.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Past {
    /// An event or a new address, with the time from which a notice is wanted.
    Wanted(Timestamp),
    Sent(Timestamp),
    GivenUp,
}

/// Slow and plain: the whole past since the last contact, all notices ever, all event times ever.
#[derive(Default)]
struct Oracle {
    past: Vec<Past>,
    sent_ever: Vec<Timestamp>,
    event_times: Vec<Timestamp>,
}

impl Oracle {
    fn call(&mut self, call: Call, settings: &WakeSettings, now: Timestamp) -> Due {
        match call {
            Call::Event(lag_ms) => {
                self.event_times.push(now.plus_ms(-lag_ms));
                self.past.push(Past::Wanted(now.plus_ms(settings.window_ms)));
            }
            Call::Contact => self.past.clear(),
            Call::Reachable if !self.past.is_empty() => self.past.push(Past::Wanted(now)),
            Call::Reachable => {}
            Call::Refused if self.deadline(settings).is_some() => self.past.push(Past::GivenUp),
            Call::Refused => {}
            Call::Due => return self.due(settings, now),
        }
        Due::Nothing
    }

    /// Since the last giving-up: the notices sent, and those asked for after the last of them.
    fn current(&self) -> (Vec<Past>, Vec<Timestamp>, Option<Timestamp>) {
        let from = self.past.iter().rposition(|p| *p == Past::GivenUp).map_or(0, |i| i + 1);
        let run = self.past.get(from..).unwrap_or_default().to_vec();
        let last = run.iter().rposition(|p| matches!(p, Past::Sent(_)));
        let wanted = run.iter().skip(last.map_or(0, |i| i + 1));
        let wanted = wanted.filter_map(|p| if let Past::Wanted(t) = p { Some(*t) } else { None }).collect();
        let last_sent = last.and_then(|i| if let Past::Sent(t) = run[i] { Some(t) } else { None });
        (run, wanted, last_sent)
    }

    /// Notices since the last one asked for.
    fn repeats(&self) -> usize {
        let (run, ..) = self.current();
        run.iter().rev().take_while(|p| matches!(p, Past::Sent(_))).count()
    }

    fn deadline(&self, settings: &WakeSettings) -> Option<Timestamp> {
        let (run, wanted, last_sent) = self.current();
        let Some(last_sent) = last_sent else { return wanted.first().copied() };
        let sends = run
            .iter()
            .rposition(|p| matches!(p, Past::Sent(_)))
            .map_or(0, |last| run[..=last].iter().rev().take_while(|p| matches!(p, Past::Sent(_))).count());
        let natural = last_sent.plus_ms(if sends <= REPEATS {
            settings.repeats_ms[sends - 1]
        } else {
            settings.give_up_ms
        });
        let asked = wanted.first().map(|t| (*t).max(last_sent.plus_ms(settings.repeats_ms[0])));
        Some(asked.map_or(natural, |t| t.min(natural)))
    }

    fn due(&mut self, settings: &WakeSettings, now: Timestamp) -> Due {
        if self.deadline(settings).is_none_or(|deadline| now < deadline) {
            return Due::Nothing;
        }
        if self.repeats() > REPEATS {
            self.past.push(Past::GivenUp);
            return Due::GivenUp;
        }
        // A token bucket, filled up from the beginning of time, in thousandths of an interval's share.
        let (interval, burst) =
            (i64::from(settings.per_device.interval_ms), i64::from(settings.per_device.burst));
        let (mut tokens_ms, mut then) = (burst * interval, START);
        for sent in self.sent_ever.iter().chain([&now]) {
            tokens_ms = (tokens_ms + sent.since_ms(then)).min(burst * interval) - interval;
            then = *sent;
        }
        if tokens_ms < 0 {
            return Due::Nothing;
        }
        self.sent_ever.push(now);
        let repeat = self.repeats() as u8;
        self.past.push(Past::Sent(now));
        Due::Send { event_time: self.event_times.iter().copied().max().unwrap_or_default(), repeat }
    }
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => (0i64..100_000).prop_map(Call::Event),
        1 => Just(Call::Contact),
        1 => Just(Call::Reachable),
        1 => Just(Call::Refused),
        12 => Just(Call::Due),
    ]
}

fn settings() -> impl Strategy<Value = WakeSettings> {
    let interval_ms = prop_oneof![Just(1_000u32), Just(20_000), Just(600_000)];
    let window_ms = prop_oneof![Just(0i64), Just(5_000), Just(100_000)];
    (1u16..6, interval_ms, window_ms).prop_map(|(burst, interval_ms, window_ms)| {
        let per_device = Rate { burst, interval_ms };
        WakeSettings { window_ms, per_device, ..WakeSettings::default() }
    })
}

proptest! {
    /// Every answer equals the oracle's, whatever the order of calls.
    #[test]
    fn agrees_with_the_oracle(
        settings in settings(),
        calls in vec((call(), prop_oneof![0i64..3_000, 0i64..60_000, 0i64..2_000_000]), 0..120),
    ) {
        let (mut wake, mut oracle, mut now) = (WakeSchedule::default(), Oracle::default(), START);
        for (call, ms) in calls {
            now = now.plus_ms(ms);
            let mut due = Due::Nothing;
            match call {
                Call::Event(lag_ms) => wake.on_event(now.plus_ms(-lag_ms), &settings, now),
                Call::Contact => wake.on_contact(),
                Call::Reachable => wake.on_reachable(&settings, now),
                Call::Refused => wake.on_refused(),
                Call::Due => due = wake.due(&settings, now, FREE),
            }
            prop_assert_eq!(due, oracle.call(call, &settings, now), "{:?} at {:?}", call, now);
        }
    }

    /// With a clock that goes where it likes: no budget is exceeded, times never go backwards, and what is
    /// owed at the end is sent, given up or put off by a deadline that is not further away than the longest
    /// wait.
    #[test]
    fn budgets_hold_and_wakes_come_under_any_clock(
        settings in settings(),
        calls in vec((call(), -3_000_000i64..3_000_000), 0..120),
    ) {
        let (mut wake, mut now) = (WakeSchedule::default(), START);
        let (mut forward_ms, mut sent, mut last_time) = (0, 0, Timestamp(i64::MIN));
        let mut owed = false;
        for (call, ms) in calls {
            now = now.plus_ms(ms);
            forward_ms += ms.max(0);
            match call {
                Call::Event(lag_ms) => { wake.on_event(now.plus_ms(-lag_ms), &settings, now); owed = true }
                Call::Contact => { wake.on_contact(); owed = false }
                Call::Reachable => wake.on_reachable(&settings, now),
                Call::Refused => { wake.on_refused(); owed = false }
                Call::Due => match wake.due(&settings, now, FREE) {
                    Due::Send { event_time, .. } => {
                        prop_assert!(event_time >= last_time);
                        (last_time, sent, owed) = (event_time, sent + 1, false);
                    }
                    Due::GivenUp => prop_assert!(!owed),
                    Due::Nothing => {}
                },
            }
            let rate = settings.per_device;
            prop_assert!(sent <= i64::from(rate.burst) + forward_ms / i64::from(rate.interval_ms));
        }
        if owed {
            let longest_ms = settings.give_up_ms.max(i64::from(settings.per_device.interval_ms));
            owed = !matches!(wake.due(&settings, now, FREE), Due::Send { .. });
            let mut turns = 0;
            while owed {
                let deadline = wake.next_deadline().expect("a wake is owed");
                prop_assert!(deadline.since_ms(now) <= longest_ms);
                now = now.max(deadline);
                owed = !matches!(wake.due(&settings, now, FREE), Due::Send { .. });
                turns += 1;
                prop_assert!(turns <= 3);
            }
        }
    }
}
