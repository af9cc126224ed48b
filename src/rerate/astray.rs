//! The adjustments of a price book that do not reach whom they are for, over all months.

use std::collections::{BTreeMap, BTreeSet};

use defray_ledger::{Ledger, PeriodEntry, PeriodState, Scope};
use defray_pricing::astray::{Standing, Why, astray};
use defray_pricing::book::Problem;
use defray_pricing::time::{Hour, Period};

use super::View;

/// An adjustment that does not reach whom it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stray {
    /// The month it is dated in.
    pub period: Period,
    /// Why.
    pub why: Why,
    /// In words.
    pub problem: Problem,
}

impl View {
    /// Every adjustment of the book that is on no statement, or on one that nobody gets, by month and place.
    pub async fn strays(&self, ledger: &Ledger) -> anyhow::Result<Vec<Stray>> {
        let dated: BTreeSet<Period> =
            self.book.adjustments.iter().map(|entry| Period::of_date(entry.date)).collect();
        if dated.is_empty() {
            return Ok(Vec::new());
        }
        let everything = Scope::everything();
        let periods = ledger.periods(&everything, self.book.zone).await?;
        let known: BTreeMap<Period, PeriodEntry> =
            periods.into_iter().map(|entry| (entry.period, entry)).collect();
        let mut strays = Vec::new();
        for period in dated {
            let month_level = ledger.month_level(&everything, period).await?;
            let closed = known.get(&period).is_some_and(|entry| entry.state != PeriodState::Open);
            let standing = match &month_level {
                Some(month_level) => Standing::Rated { closed, month_level },
                None if self.is_before_everything(period) => Standing::Before,
                None => Standing::Ahead,
            };
            let found = astray(&self.book, period, standing)?;
            let told = found.iter().map(|of| Stray { period, why: of.why, problem: of.problem(&self.book) });
            strays.extend(told);
        }
        strays.sort();
        Ok(strays)
    }

    /// Whether a month was over before the first hour that counts. While none counts yet nobody knows.
    fn is_before_everything(&self, period: Period) -> bool {
        let counted = self.ranges.values().filter(|range| !range.is_empty());
        let first: Option<Hour> = counted.map(|range| range.from).min();
        first.is_some_and(|first| self.book.zone.hours(period).until <= first)
    }
}
