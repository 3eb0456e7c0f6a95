//! What the gateway knows of a message: facts that filters look at, never content.

use crate::mailbox::Flags;
use crate::number::{ModSeq, Uid};

/// A calendar date without zone or time (RFC 3501 `date`), as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date(pub i32);

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Date {
    /// From year (0..=9999), month 1..=12 and day 1..=31; `None` where the calendar has no such day.
    pub fn from_calendar(year: i32, month: u32, day: u32) -> Option<Date> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        if !(0..=9999).contains(&year) || day == 0 || day > length {
            return None;
        }
        // Days from civil: the year begins in March so that the leap day comes last.
        let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * m as i32 + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(Date(era * 146_097 + day_of_era - 719_468))
    }

    /// Year, month 1..=12, day 1..=31.
    pub fn to_calendar(self) -> (i32, u32, u32) {
        let z = self.0 + 719_468;
        let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let mp = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        (era * 400 + year_of_era + i32::from(month <= 2), month, day)
    }

    /// Reads `1-Jun-2003`, quoted or not being the caller's affair; months in any case.
    pub fn parse(text: &str) -> Option<Date> {
        let mut parts = text.trim().splitn(3, '-');
        let day = parts.next()?.trim().parse().ok()?;
        let name = parts.next()?;
        let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))? as u32 + 1;
        let year = parts.next()?;
        (year.len() == 4).then_some(())?;
        Date::from_calendar(year.parse().ok()?, month, day)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = self.to_calendar();
        write!(f, "{day}-{}-{year:04}", MONTHS[month as usize - 1])
    }
}

/// What filters may look at, as upstream reported it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MessageFacts {
    /// The message's UID.
    pub uid: Uid,
    /// Flags without `\Recent`.
    pub flags: Flags,
    /// The day of INTERNALDATE as the server printed it, its zone disregarded (RFC 3501 6.4.4).
    pub internal_date: Date,
    /// RFC822.SIZE in octets.
    pub size: u32,
    /// MODSEQ, zero where upstream has no CONDSTORE.
    pub mod_seq: ModSeq,
}
