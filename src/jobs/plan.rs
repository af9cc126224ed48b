//! In which order hours are measured, and when again.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use defray_pricing::time::Hour;

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
