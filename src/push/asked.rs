//! What somebody wants pushed now, whatever the schedule says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use defray_pricing::time::Period;

/// Wishes that wait for the next run; to wish twice is to wish once.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Wishes>>);

/// What is wished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    everything: bool,
    periods: BTreeSet<Period>,
}

impl Wishes {
    /// Whether a period is pushed now.
    pub(super) fn include(&self, period: Period) -> bool {
        self.everything || self.periods.contains(&period)
    }
}

impl Asked {
    /// Wishes for one period, or for all.
    pub(super) fn add(&self, period: Option<Period>) {
        let mut wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match period {
            Some(period) => {
                wishes.periods.insert(period);
            }
            None => wishes.everything = true,
        }
    }

    /// Whether anything is wished.
    pub(super) fn is_waiting(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) != Wishes::default()
    }

    /// Takes what is wished; what is wished from then on is for the run after.
    pub(super) fn take(&self) -> Wishes {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what could not be done.
    pub(super) fn give_back(&self, undone: Wishes) {
        let mut wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.everything |= undone.everything;
        wishes.periods.extend(undone.periods);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_taken_once_and_none_is_lost() {
        let (october, november) = ("2026-10".parse().unwrap(), "2026-11".parse().unwrap());
        let asked = Asked::default();
        asked.add(Some(october));
        asked.add(Some(october));
        let taken = asked.take();
        assert!(taken.include(october) && !taken.include(november));
        assert_eq!(asked.take(), Wishes::default());
        // Made while a run is under way that then fails.
        asked.add(None);
        asked.give_back(taken);
        let taken = asked.take();
        assert!(taken.include(october) && taken.include(november));
        asked.add(Some(november));
        let taken = asked.take();
        assert!(!taken.include(october) && taken.include(november));
    }
}
