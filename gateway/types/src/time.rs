//! Points in time as plain numbers: deciding rooms get them with their input and never ask a clock.

use crate::message::Date;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This point moved by `ms` milliseconds.
    pub const fn plus_ms(self, ms: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }
    /// Milliseconds from `earlier` to this point; negative when the clock stepped back.
    pub const fn since_ms(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
    /// The calendar day in a zone that is `offset_minutes` east of UTC.
    pub const fn date(self, offset_minutes: i32) -> Date {
        Date(((self.0 + offset_minutes as i64 * 60_000).div_euclid(86_400_000)) as i32)
    }
}
