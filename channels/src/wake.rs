//! When to send a notice to one device (design D10, F36).
//!
//! ```text
//!           event                  window over: Send              10 s, 60 s, 5 min, 30 min: Send
//!   Quiet ─────────► Waiting ─────────────────────► Waiting ──────────────────────┐
//!     ▲             (none sent) ◄────────────────── (some sent) ◄─────────────────┘
//!     │                  ▲       event, reachable       │ no contact after the last
//!     │ contact          └──────────── GivenUp ◄────────┘
//!     └── from anywhere    event, reachable
//! ```
//!
//! In: events, contacts, the time. Out: whether to send now, and when to ask again. A [`WakeSchedule`] is a
//! few numbers and owns no timer, so that one coarse wheel drives thousands of them by
//! [`WakeSchedule::next_deadline`]. Refuses to know what channel is used or whether a datagram arrived: what
//! counts is that the handset makes contact.
//!
//! Clocks: a clock that steps forward makes a wake early. One that steps back cannot lose it: any call that
//! sees a time before the deadline was set moves the deadline along. A wheel that notices such a step calls
//! [`WakeSchedule::due`] once for each schedule.

use crate::budget::{Rate, Used};
use pimap_types::Timestamp;

/// Repeats of a wake that is not followed by contact.
pub const REPEATS: usize = 4;

/// Timing, alike for all devices of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WakeSettings {
    /// From the first event to the notice: what happens meanwhile needs no notice of its own.
    pub window_ms: i64,
    /// From each notice to its repeat.
    pub repeats_ms: [i64; REPEATS],
    /// From the last repeat to giving up.
    pub give_up_ms: i64,
    /// Notices to one device, repeats included; more are put off, not lost.
    pub per_device: Rate,
}

impl Default for WakeSettings {
    fn default() -> Self {
        Self {
            window_ms: 5_000,
            repeats_ms: [10_000, 60_000, 300_000, 1_800_000],
            give_up_ms: 1_800_000,
            per_device: Rate { burst: 10, interval_ms: 60_000 },
        }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a notice that is due is charged to its budgets and must be sent"]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Send a notice.
    Send {
        /// The time to write into it: that of the latest event, never before that of an earlier notice.
        event_time: Timestamp,
        /// 0 for the first notice, 1 to [`REPEATS`] for its repeats.
        repeat: u8,
    },
    /// The last repeat has had no answer: count it. A new event starts over.
    GivenUp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing the handset has not fetched, or could have.
    Quiet,
    /// `deadline` counts.
    Waiting,
    /// Something is left to fetch, and nobody answers.
    GivenUp,
}

/// The wakes of one device.
#[derive(Clone, Debug)]
pub struct WakeSchedule {
    event_time: Timestamp,
    deadline: Timestamp,
    /// When `deadline` was set: a time before it means that the clock stepped back.
    set_at: Timestamp,
    used: Used,
    /// Notices sent since the last event.
    sent: u8,
    phase: Phase,
}

impl Default for WakeSchedule {
    fn default() -> Self {
        Self::resume(Timestamp(i64::MIN))
    }
}

impl WakeSchedule {
    /// A schedule with nothing to tell whose notices will bear no time before `event_time`, as known from
    /// before a restart.
    pub const fn resume(event_time: Timestamp) -> Self {
        let zero = Timestamp(0);
        Self { event_time, deadline: zero, set_at: zero, used: Used::NOTHING, sent: 0, phase: Phase::Quiet }
    }

    /// Something happened that the handset should fetch. While a notice is outstanding a new one comes after
    /// the window too, but never sooner than the first repeat would.
    pub fn on_event(&mut self, event_time: Timestamp, settings: &WakeSettings, now: Timestamp) {
        self.event_time = self.event_time.max(event_time);
        self.arm(now.plus_ms(settings.window_ms), settings, now);
    }

    /// The device has a working address (again), for example by a HELLO: what is outstanding or was given up
    /// need not wait for its repeat. This is not contact, since it fetches nothing.
    pub fn on_reachable(&mut self, settings: &WakeSettings, now: Timestamp) {
        if self.phase != Phase::Quiet {
            self.arm(now, settings, now);
        }
    }

    fn arm(&mut self, wanted: Timestamp, settings: &WakeSettings, now: Timestamp) {
        self.follow_clock(now);
        match self.phase {
            // The window is open already, counted from its first event: a stream of events cannot keep it
            // open.
            Phase::Waiting if self.sent == 0 => return,
            Phase::Waiting => {
                let [soonest, ..] = settings.repeats_ms;
                self.deadline = self.deadline.min(wanted.max(self.set_at.plus_ms(soonest)));
            }
            Phase::Quiet | Phase::GivenUp => self.deadline = wanted,
        }
        (self.phase, self.sent, self.set_at) = (Phase::Waiting, 0, now);
    }

    /// The handset made contact: it has a session stream, or asked for something. Nothing is owed to it.
    pub fn on_contact(&mut self) {
        (self.phase, self.sent) = (Phase::Quiet, 0);
    }

    /// The channel refused the notice for good: repeating it is useless until a new event, or another
    /// address.
    pub fn on_refused(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::GivenUp;
        }
    }

    /// What to do now. `destination` is asked last, and only when a notice would leave: whether the address
    /// it goes to may have one more, or when. A refusal of either budget puts the notice off.
    pub fn due(
        &mut self,
        settings: &WakeSettings,
        now: Timestamp,
        destination: impl FnOnce(Timestamp) -> Result<(), Timestamp>,
    ) -> Due {
        self.follow_clock(now);
        if self.phase != Phase::Waiting || now < self.deadline {
            return Due::Nothing;
        }
        if usize::from(self.sent) > REPEATS {
            self.phase = Phase::GivenUp;
            return Due::GivenUp;
        }
        let permitted = settings.per_device.check(&mut self.used, now).and_then(|()| destination(now));
        if let Err(earliest) = permitted {
            self.deadline = earliest;
            self.set_at = now;
            return Due::Nothing;
        }
        settings.per_device.charge(&mut self.used, now);
        let repeat = self.sent;
        let wait_ms = settings.repeats_ms.get(usize::from(repeat)).copied().unwrap_or(settings.give_up_ms);
        (self.sent, self.deadline, self.set_at) = (repeat + 1, now.plus_ms(wait_ms), now);
        Due::Send { event_time: self.event_time, repeat }
    }

    /// When [`WakeSchedule::due`] is next worth calling; `None`: not before an event.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        (self.phase == Phase::Waiting).then_some(self.deadline)
    }

    /// The time in the last notice, or that the next will have at least; to be kept over a restart.
    pub fn event_time(&self) -> Timestamp {
        self.event_time
    }

    fn follow_clock(&mut self, now: Timestamp) {
        if self.phase == Phase::Waiting && now < self.set_at {
            self.deadline = now.plus_ms(self.deadline.since_ms(self.set_at));
            self.set_at = now;
        }
    }
}

#[cfg(test)]
mod tests;
