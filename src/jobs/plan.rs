//! Which hours there are to measure and to rate.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use defray_pricing::ownership::Timeline;
use defray_pricing::time::{Hour, HourRange};

use super::Cluster;

/// The first hour that has not settled: everything before it can be measured.
pub(super) fn settled_until(now: DateTime<Utc>, settle: Duration) -> Hour {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    Hour::containing(now.checked_sub_signed(settle).unwrap_or(DateTime::<Utc>::MIN_UTC))
}

/// The hours of a cluster that count: since the configuration says, else since it was first observed. None
/// while it never was: without anyone who owns anything, all of it would be nobody's, and be billed so.
pub(super) fn hours_of(cluster: &Cluster, timeline: &Timeline, until: Hour) -> HourRange {
    let observed = timeline.observed_since.get(&cluster.name).map(|at| Hour::containing(*at));
    HourRange { from: observed.map_or(until, |observed| cluster.since.unwrap_or(observed)), until }
}

/// What is due, in the order of doing: the newest hour first, because it is what people look at and what a
/// store forgets last but alerts first; then the oldest, which is forgotten first.
pub(super) fn order(due: BTreeSet<Hour>) -> Vec<Hour> {
    let mut hours: Vec<Hour> = due.into_iter().collect();
    if let Some(newest) = hours.pop() {
        hours.insert(0, newest);
    }
    hours
}

/// How long to wait after an hour could not be measured so many times.
pub(super) fn back_off(tries: u32) -> TimeDelta {
    let minutes = 1_i64.checked_shl(tries.min(10)).unwrap_or(i64::MAX);
    TimeDelta::minutes(minutes.min(6 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(text: &str) -> Hour {
        text.parse().unwrap()
    }

    #[test]
    fn an_hour_settles_exactly_at_the_end_of_its_delay() {
        let settle = Duration::from_mins(5);
        let at = |text: &str| settled_until(text.parse().unwrap(), settle);
        assert_eq!(at("2026-10-01T10:04:59Z"), hour("2026-10-01T09:00:00Z"));
        assert_eq!(at("2026-10-01T10:05:00Z"), hour("2026-10-01T10:00:00Z"));
    }

    #[test]
    fn the_newest_goes_first_then_the_oldest() {
        let due: BTreeSet<Hour> = [3, 1, 9, 5].map(Hour::from_index).into();
        assert_eq!(order(due), [9, 1, 3, 5].map(Hour::from_index));
        assert_eq!(order(BTreeSet::new()), []);
    }

    #[test]
    fn the_wait_doubles_up_to_six_hours() {
        let minutes: Vec<i64> =
            [0, 1, 2, 8, 9, 60].iter().map(|tries| back_off(*tries).num_minutes()).collect();
        assert_eq!(minutes, [1, 2, 4, 256, 360, 360]);
    }
}
