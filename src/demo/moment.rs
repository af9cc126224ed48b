//! Moments of the story, written down as constants.

use chrono::{DateTime, TimeDelta, Utc};
use defray_pricing::time::Hour;

const MINUTES_PER_HOUR: i64 = 60;

/// A minute of UTC, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(i64);

impl Moment {
    /// A date and time of 2026 in UTC.
    pub(super) const fn of_2026(month: usize, day: i64, hour: i64, minute: i64) -> Self {
        /// Days before each month of a year that is no leap year.
        const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        /// From 1970 to 2026: 56 years, 14 of them leap years.
        const DAYS: i64 = 56 * 365 + 14;
        let days = DAYS + BEFORE[month - 1] + day - 1;
        Self((days * 24 + hour) * MINUTES_PER_HOUR + minute)
    }

    /// The hour that holds it.
    pub(super) const fn hour(self) -> Hour {
        Hour::from_index(self.0.div_euclid(MINUTES_PER_HOUR))
    }

    pub(super) fn instant(self) -> DateTime<Utc> {
        self.hour().start() + TimeDelta::minutes(self.0.rem_euclid(MINUTES_PER_HOUR))
    }

    const fn minute(self) -> i64 {
        self.0
    }
}

/// The time in which something exists: from the first moment if it does not say, and for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) from: Option<Moment>,
    pub(super) until: Option<Moment>,
}

impl Life {
    pub(super) const WHOLE: Self = Self { from: None, until: None };

    pub(super) fn holds(self, at: Moment) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Minutes of an hour in which it exists.
    pub(super) fn minutes(self, hour: Hour) -> i64 {
        let start = hour.index() * MINUTES_PER_HOUR;
        let from = self.from.map_or(start, |from| from.minute().max(start));
        let end = start + MINUTES_PER_HOUR;
        let until = self.until.map_or(end, |until| until.minute().min(end));
        (until - from).max(0)
    }
}
