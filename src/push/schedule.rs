//! When a report of an open period is said anew: once a day, by the clock on the wall.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use defray_pricing::time::{BillingZone, Hour};

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyAt(NaiveTime);

/// The text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of day")]
pub struct NotATime(pub String);

impl Default for DailyAt {
    /// Before people come to work, after the last hour of the day before has settled.
    fn default() -> Self {
        Self(NaiveTime::from_hms_opt(6, 0, 0).unwrap_or(NaiveTime::MIN))
    }
}

impl FromStr for DailyAt {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let refuse = || NotATime(text.to_owned());
        let (hour, minute) = text.split_once(':').ok_or_else(refuse)?;
        let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !two(hour) || !two(minute) {
            return Err(refuse());
        }
        let number = |part: &str| part.parse().map_err(|_| refuse());
        NaiveTime::from_hms_opt(number(hour)?, number(minute)?, 0).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for DailyAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl DailyAt {
    /// The last scheduled moment at or before an instant.
    pub fn last(self, zone: BillingZone, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = zone.day_of(Hour::containing(now));
        // A day that a zone left out takes its moment from the day after: so look further than yesterday.
        [1, 0, -1, -2]
            .into_iter()
            .filter_map(|days| today.checked_add_signed(TimeDelta::days(days)))
            .filter_map(|day| self.on(zone, day))
            .filter(|moment| *moment <= now)
            .max()
    }

    /// The moment of a local day: the first where clocks are set back, the end of a gap where they are
    /// set forward past it.
    fn on(self, zone: BillingZone, day: NaiveDate) -> Option<DateTime<Utc>> {
        let wanted = day.and_time(self.0);
        // A gap ends on a minute and is no longer than the day that a zone once left out.
        (0..=24 * 60)
            .filter_map(|minutes| wanted.checked_add_signed(TimeDelta::minutes(minutes)))
            .find_map(|local| zone.instants(local).earliest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(zone: &str, at: &str, now: &str) -> String {
        let zone = BillingZone::new(zone).unwrap();
        let moment = at.parse::<DailyAt>().unwrap().last(zone, now.parse().unwrap()).unwrap();
        moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    #[test]
    fn the_moment_counts_from_the_second_it_begins() {
        for (now, expected) in [
            ("2026-10-20T05:59:59Z", "2026-10-19T06:00:00Z"),
            ("2026-10-20T06:00:00Z", "2026-10-20T06:00:00Z"),
            ("2026-10-20T23:59:59Z", "2026-10-20T06:00:00Z"),
            ("2026-10-21T00:00:00Z", "2026-10-20T06:00:00Z"),
        ] {
            assert_eq!(last("UTC", "06:00", now), expected, "{now}");
        }
    }

    #[test]
    fn the_clock_is_the_billing_zones() {
        assert_eq!(last("Europe/Berlin", "06:00", "2026-07-01T04:00:00Z"), "2026-07-01T04:00:00Z");
        assert_eq!(last("Europe/Berlin", "06:00", "2026-12-01T04:59:59Z"), "2026-11-30T05:00:00Z");
        // The local day can be another than the day in UTC, either way.
        assert_eq!(last("Pacific/Auckland", "00:30", "2026-07-01T12:30:00Z"), "2026-07-01T12:30:00Z");
        assert_eq!(last("America/New_York", "23:30", "2026-07-02T03:30:00Z"), "2026-07-02T03:30:00Z");
        assert_eq!(last("America/New_York", "23:30", "2026-07-02T03:29:59Z"), "2026-07-01T03:30:00Z");
    }

    #[test]
    fn a_moment_in_a_gap_is_when_the_clock_jumped_past_it() {
        // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
        assert_eq!(last("Europe/Berlin", "02:30", "2026-03-29T00:59:59Z"), "2026-03-28T01:30:00Z");
        assert_eq!(last("Europe/Berlin", "02:30", "2026-03-29T01:00:00Z"), "2026-03-29T01:00:00Z");
        assert_eq!(last("Europe/Berlin", "02:30", "2026-03-30T00:30:00Z"), "2026-03-30T00:30:00Z");
        // Samoa left out 30 December 2011 and went on with the 31st at 10:00 UTC.
        assert_eq!(last("Pacific/Apia", "06:00", "2011-12-30T10:00:00Z"), "2011-12-30T10:00:00Z");
        assert_eq!(last("Pacific/Apia", "06:00", "2011-12-30T09:59:59Z"), "2011-12-29T16:00:00Z");
    }

    #[test]
    fn a_moment_that_happens_twice_is_the_first() {
        // Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC, so 02:30 is at 00:30 and at 01:30.
        for now in ["2026-10-25T00:30:00Z", "2026-10-25T01:29:59Z", "2026-10-25T01:30:00Z"] {
            assert_eq!(last("Europe/Berlin", "02:30", now), "2026-10-25T00:30:00Z", "{now}");
        }
        assert_eq!(last("Europe/Berlin", "02:30", "2026-10-26T01:30:00Z"), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn there_is_one_moment_a_day_all_year_round() {
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "America/Havana"] {
            for at in ["00:00", "00:30", "02:30", "06:00", "23:59"] {
                let (zone, at) = (BillingZone::new(zone).unwrap(), at.parse::<DailyAt>().unwrap());
                let mut now: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
                let mut found = std::collections::BTreeSet::new();
                for _ in 0..365 * 48 {
                    let moment = at.last(zone, now).unwrap();
                    let age = now.signed_duration_since(moment);
                    assert!(age >= TimeDelta::zero() && age <= TimeDelta::hours(25), "{zone:?} {at} {now}");
                    found.insert(moment);
                    now += TimeDelta::minutes(30);
                }
                assert!((365..=366).contains(&found.len()), "{zone:?} {at}: {}", found.len());
            }
        }
    }

    #[test]
    fn only_a_time_of_day_is_one() {
        for text in ["00:00", "06:00", "23:59"] {
            assert_eq!(text.parse::<DailyAt>().unwrap().to_string(), text);
        }
        for text in ["", "6:00", "24:00", "06:60", "06", "06:00:00", "+6:00", "06:0x", "6 am", "24h"] {
            assert_eq!(text.parse::<DailyAt>(), Err(NotATime(text.to_owned())));
        }
        assert_eq!(DailyAt::default().to_string(), "06:00");
    }
}
