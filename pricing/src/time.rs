//! Time: the UTC hour is the atom, a billing period is a calendar month of them in the billing zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::serde_as_text;

const SECONDS_PER_HOUR: i64 = 3600;

/// The UTC hour `[h, h+1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    /// From a count of hours since 1970-01-01T00:00:00Z.
    pub const fn from_index(hours: i64) -> Self {
        Self(hours)
    }

    /// Hours since 1970-01-01T00:00:00Z.
    pub const fn index(self) -> i64 {
        self.0
    }

    /// The hour that holds an instant.
    pub fn containing(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp().div_euclid(SECONDS_PER_HOUR))
    }

    /// Its first instant.
    pub fn start(self) -> DateTime<Utc> {
        // Hours come from instants and periods, so they stay inside chrono's range of 260,000 years.
        self.0
            .checked_mul(SECONDS_PER_HOUR)
            .and_then(|s| Utc.timestamp_opt(s, 0).single())
            .unwrap_or(if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC })
    }

    /// The first instant after it.
    pub fn end(self) -> DateTime<Utc> {
        self.next().start()
    }

    /// The hour after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The hour before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start().format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

/// The text is not the start of a full UTC hour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the start of a full UTC hour such as 2026-10-01T00:00:00Z")]
pub struct NotAnHour(pub String);

impl FromStr for Hour {
    type Err = NotAnHour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotAnHour(text.to_owned());
        let instant = DateTime::parse_from_rfc3339(text).map_err(|_| refuse())?.with_timezone(&Utc);
        let hour = Self::containing(instant);
        if hour.start() == instant { Ok(hour) } else { Err(refuse()) }
    }
}

/// Hours `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HourRange {
    /// The first hour.
    pub from: Hour,
    /// The first hour after.
    pub until: Hour,
}

impl HourRange {
    /// How many hours.
    pub fn len(self) -> u32 {
        u32::try_from(self.until.0.saturating_sub(self.from.0)).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.until <= self.from
    }

    /// Whether an hour is one of them.
    pub fn contains(self, hour: Hour) -> bool {
        self.from <= hour && hour < self.until
    }

    /// Each hour, earliest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Hour> {
        (self.from.0..self.until.0).map(Hour)
    }
}

/// A billing period: a calendar month, written `2026-10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    year: i32,
    month: u32,
}

impl Period {
    /// The month a local date lies in.
    pub fn of_date(date: NaiveDate) -> Self {
        Self { year: date.year(), month: date.month() }
    }

    /// The calendar year.
    pub const fn year(self) -> i32 {
        self.year
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u32 {
        self.month
    }

    /// Its first local day.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or(NaiveDate::MAX)
    }

    /// The month after.
    #[must_use]
    pub fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year.saturating_add(1), month: 1 }
        } else {
            Self { year: self.year, month: self.month.saturating_add(1) }
        }
    }

    /// The month before.
    #[must_use]
    pub fn previous(self) -> Self {
        if self.month == 1 {
            Self { year: self.year.saturating_sub(1), month: 12 }
        } else {
            Self { year: self.year, month: self.month.saturating_sub(1) }
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The text is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a billing period such as 2026-10")]
pub struct NotAPeriod(pub String);

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotAPeriod(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(refuse)?;
        let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(refuse());
        }
        let period =
            Self { year: year.parse().map_err(|_| refuse())?, month: month.parse().map_err(|_| refuse())? };
        if (1..=12).contains(&period.month) && period.year >= 1970 { Ok(period) } else { Err(refuse()) }
    }
}

/// The zone in which months begin: one whose month boundaries fall on full UTC hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillingZone(chrono_tz::Tz);

/// The years for which a billing zone is proven to have months of whole hours.
const PROVEN_YEARS: std::ops::RangeInclusive<i32> = 2000..=2040;

/// Why a zone cannot be billed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// Not in the IANA database.
    #[error("`{0}` is not an IANA time zone such as Europe/Berlin")]
    Unknown(String),
    /// A month would begin inside a UTC hour.
    #[error(
        "in {zone} the month {period} begins at {start}, inside a UTC hour; hours are never split, so choose a \
             zone with whole-hour offsets, for example UTC"
    )]
    SplitsAnHour {
        /// The zone.
        zone: String,
        /// The first month that does.
        period: Period,
        /// When that month begins.
        start: DateTime<Utc>,
    },
}

impl BillingZone {
    /// UTC, the default.
    pub const UTC: Self = Self(chrono_tz::Tz::UTC);

    /// The zone of that IANA name, if every month from 2000 to 2040 begins on a full UTC hour in it.
    pub fn new(name: &str) -> Result<Self, ZoneError> {
        let zone = Self(name.parse().map_err(|_| ZoneError::Unknown(name.to_owned()))?);
        for year in PROVEN_YEARS {
            for month in 1..=12 {
                let period = Period { year, month };
                let start = zone.midnight(period.first_day());
                if Hour::containing(start).start() != start {
                    return Err(ZoneError::SplitsAnHour { zone: name.to_owned(), period, start });
                }
            }
        }
        Ok(zone)
    }

    /// Its IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The first instant of a local day. Where midnight happens twice it is the first, where it does
    /// not happen it is the moment the clock jumped past it.
    pub fn midnight(self, date: NaiveDate) -> DateTime<Utc> {
        // Minute by minute is slow but only ever runs through a gap of at most a day, and never lies.
        let mut local = date.and_time(chrono::NaiveTime::MIN);
        for _ in 0..=(24 * 60) {
            if let Some(instant) = self.0.from_local_datetime(&local).earliest() {
                return instant.with_timezone(&Utc);
            }
            local = local.checked_add_signed(chrono::TimeDelta::minutes(1)).unwrap_or(local);
        }
        Utc.from_utc_datetime(&local)
    }

    /// The instants that a local clock shows a time at: none in a gap, two when clocks are set back.
    pub fn instants(self, local: chrono::NaiveDateTime) -> MappedLocalTime<DateTime<Utc>> {
        self.0.from_local_datetime(&local).map(|instant| instant.with_timezone(&Utc))
    }

    /// The hours of a billing period.
    pub fn hours(self, period: Period) -> HourRange {
        HourRange {
            from: Hour::containing(self.midnight(period.first_day())),
            until: Hour::containing(self.midnight(period.next().first_day())),
        }
    }

    /// The local day an hour begins in.
    pub fn day_of(self, hour: Hour) -> NaiveDate {
        hour.start().with_timezone(&self.0).date_naive()
    }

    /// The billing period an hour belongs to.
    pub fn period_of(self, hour: Hour) -> Period {
        Period::of_date(self.day_of(hour))
    }

    /// The hours that begin in a local day.
    pub fn hours_of_day(self, date: NaiveDate) -> HourRange {
        // An hour that straddles midnight belongs to the day it begins in.
        let first = |day: NaiveDate| {
            let start = self.midnight(day);
            let hour = Hour::containing(start);
            if hour.start() == start { hour } else { hour.next() }
        };
        HourRange { from: first(date), until: first(date.succ_opt().unwrap_or(date)) }
    }

    /// Every local day of a period, in order.
    pub fn days(self, period: Period) -> Vec<NaiveDate> {
        let mut days: Vec<NaiveDate> = self.hours(period).iter().map(|hour| self.day_of(hour)).collect();
        days.dedup();
        days
    }
}

serde_as_text!(Hour, Period);

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, period: &str) -> u32 {
        BillingZone::new(zone).unwrap().hours(period.parse().unwrap()).len()
    }

    #[test]
    fn months_have_the_hours_they_have() {
        assert_eq!(hours("UTC", "2026-10"), 744);
        assert_eq!(hours("Europe/Berlin", "2026-10"), 745);
        assert_eq!(hours("Europe/Berlin", "2026-03"), 743);
        assert_eq!(hours("UTC", "2026-02"), 672);
        assert_eq!(hours("UTC", "2028-02"), 696);
        assert_eq!(hours("Africa/Casablanca", "2029-02"), 671);
    }

    #[test]
    fn zones_that_split_an_hour_are_refused() {
        for zone in ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"] {
            assert!(matches!(BillingZone::new(zone), Err(ZoneError::SplitsAnHour { .. })), "{zone}");
        }
        assert!(matches!(BillingZone::new("Mars/Olympus"), Err(ZoneError::Unknown(_))));
    }

    #[test]
    fn every_zone_tiles_the_years_without_gap_or_overlap() {
        for zone in chrono_tz::TZ_VARIANTS {
            let Ok(zone) = BillingZone::new(zone.name()) else { continue };
            let mut period: Period = "2000-01".parse().unwrap();
            while period.year() <= 2040 {
                let range = zone.hours(period);
                assert_eq!(range.until, zone.hours(period.next()).from, "{} {period}", zone.name());
                assert!((640..=760).contains(&range.len()), "{} {period}: {}", zone.name(), range.len());
                assert_eq!(zone.period_of(range.from), period, "{}", zone.name());
                assert_eq!(zone.period_of(range.until.previous()), period, "{}", zone.name());
                period = period.next();
            }
        }
    }

    #[test]
    fn days_tile_a_month() {
        for zone in ["UTC", "Europe/Berlin", "America/Havana", "Africa/Cairo"] {
            let zone = BillingZone::new(zone).unwrap();
            for period in ["2026-10", "2026-11", "2026-03", "2014-08"] {
                let period: Period = period.parse().unwrap();
                let mut next = zone.hours(period).from;
                for day in zone.days(period) {
                    let range = zone.hours_of_day(day);
                    assert_eq!(range.from, next, "{} {day}", zone.name());
                    next = range.until;
                }
                assert_eq!(next, zone.hours(period).until);
            }
        }
    }

    #[test]
    fn text_round_trips() {
        let hour: Hour = "2026-10-01T05:00:00Z".parse().unwrap();
        assert_eq!(hour.to_string(), "2026-10-01T05:00:00Z");
        assert!("2026-10-01T05:30:00Z".parse::<Hour>().is_err());
        for text in ["2026-13", "2026-1", "26-10", "2026-10-01", "2026/10", ""] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
