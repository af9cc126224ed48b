//! Which hours have to be measured once more before a month is closed, and which were.
//!
//! Samples come late, and an incomplete hour may be whole by now. What was measured again is remembered only here: a
//! restart measures again, which changes nothing where the answer is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use defray_ledger::HourEntry;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange, Period};
use defray_pricing::usage::Minutes;
use tokio::sync::Notify;

use crate::rerate::Entries;

/// The last hours of a month that are measured again in any case.
const LAST_HOURS: i64 = 48;

/// What was measured again, shared between who measures and who closes.
#[derive(Debug, Clone, Default)]
pub struct Again {
    remembered: Arc<Mutex<Remembered>>,
    asked: Arc<Notify>,
}

/// Why an hour could not be measured again.
pub type NotAgainMeasured = String;

#[derive(Debug, Default)]
struct Remembered {
    /// Nothing can be measured here: what is stored is all there is.
    never: bool,
    done: BTreeSet<(ClusterName, Hour)>,
    failed: BTreeMap<(ClusterName, Hour), NotAgainMeasured>,
    asked: BTreeSet<Period>,
}

/// Hours of one cluster that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) hours: Vec<Hour>,
    /// Why the newest of those that failed did.
    pub(super) reason: Option<NotAgainMeasured>,
}

impl Again {
    /// For numbers that are made up: measuring them again could only say the same.
    pub fn never() -> Self {
        let again = Self::default();
        again.with(|remembered| remembered.never = true);
        again
    }

    fn with<T>(&self, work: impl FnOnce(&mut Remembered) -> T) -> T {
        work(&mut self.remembered.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wants a period measured again, by hand.
    pub fn ask(&self, period: Period) {
        self.with(|remembered| remembered.asked.insert(period));
        self.asked.notify_one();
    }

    /// Waits until somebody asks.
    pub async fn wanted(&self) {
        self.asked.notified().await;
    }

    /// The periods that somebody wants measured again.
    pub fn asked(&self) -> BTreeSet<Period> {
        self.with(|remembered| remembered.asked.clone())
    }

    /// A period needs it no more.
    pub fn settled(&self, period: Period) {
        self.with(|remembered| remembered.asked.remove(&period));
    }

    /// How measuring an hour again went.
    pub fn tell(&self, cluster: &ClusterName, hour: Hour, result: Result<(), NotAgainMeasured>) {
        let key = (cluster.clone(), hour);
        self.with(|remembered| match result {
            Ok(()) => {
                remembered.failed.remove(&key);
                remembered.done.insert(key);
            }
            Err(reason) => {
                remembered.failed.insert(key, reason);
            }
        });
    }

    /// The hours of a period that wait to be measured again, by cluster.
    pub fn due(&self, period: HourRange, entries: &Entries) -> BTreeMap<ClusterName, Vec<Hour>> {
        self.waiting(period, entries).into_iter().map(|(cluster, waiting)| (cluster, waiting.hours)).collect()
    }

    pub(super) fn waiting(&self, period: HourRange, entries: &Entries) -> BTreeMap<ClusterName, Waiting> {
        self.with(|remembered| {
            let mut waiting: BTreeMap<ClusterName, Waiting> = BTreeMap::new();
            if remembered.never {
                return waiting;
            }
            for (cluster, entry) in entries.values().flatten().filter(|(_, entry)| is_wanted(period, entry)) {
                let key = (cluster.clone(), entry.hour);
                if remembered.done.contains(&key) {
                    continue;
                }
                let of = waiting.entry(cluster.clone()).or_default();
                of.hours.push(entry.hour);
                if let Some(reason) = remembered.failed.get(&key) {
                    of.reason = Some(reason.clone());
                }
            }
            waiting
        })
    }
}

fn is_wanted(period: HourRange, entry: &HourEntry) -> bool {
    let is_last = entry.hour.index() >= period.until.index().saturating_sub(LAST_HOURS);
    let is_whole = entry.coverage.values().all(|minutes| *minutes == Minutes::FULL);
    period.contains(entry.hour) && (is_last || !is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: i64, minutes: u8) -> HourEntry {
        HourEntry {
            hour: Hour::from_index(index),
            revision: 1,
            digest: defray_pricing::digest::Digest::of(b""),
            coverage: [(defray_pricing::usage::Source::Cadvisor, Minutes::new(minutes).unwrap())].into(),
            measured_at: Hour::from_index(index).end(),
        }
    }

    #[test]
    fn incomplete_hours_and_the_last_two_days_wait_until_they_were_measured_again() {
        let period = HourRange { from: Hour::from_index(1000), until: Hour::from_index(1720) };
        let hours = [
            entry(999, 1),
            entry(1000, 59),
            entry(1001, 60),
            entry(1671, 60),
            entry(1672, 60),
            entry(1719, 0),
        ];
        let cluster = ClusterName::from("c");
        let entries: Entries =
            hours.into_iter().map(|entry| (entry.hour, [(cluster.clone(), entry)].into())).collect();
        let again = Again::default();
        let due =
            || -> Vec<i64> { again.due(period, &entries).into_values().flatten().map(Hour::index).collect() };
        assert_eq!(due(), [1000, 1672, 1719]);
        again.tell(&cluster, Hour::from_index(1672), Ok(()));
        again.tell(&cluster, Hour::from_index(1719), Err("nobody answers".to_owned()));
        assert_eq!(due(), [1000, 1719]);
        let waiting = &again.waiting(period, &entries)[&cluster];
        assert_eq!(waiting.reason.as_deref(), Some("nobody answers"));
        again.tell(&cluster, Hour::from_index(1719), Ok(()));
        assert_eq!(again.waiting(period, &entries)[&cluster].reason, None);
        assert!(Again::never().due(period, &entries).is_empty());
    }
}
