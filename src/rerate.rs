//! What a month is rated from, and rating it from that.
//!
//! Which hours count, who owned what in them and under which digest: decided here alone. The jobs keep what
//! comes of it; the command line and the interface rate again to explain a month or to try another book,
//! and keep nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{HourEntry, Ledger, LedgerError, Scope};
use defray_pricing::book::PriceBook;
use defray_pricing::estimate::Form;
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{TenancyRules, Timeline};
use defray_pricing::time::{Hour, HourRange};

mod again;
mod anew;
mod astray;
mod frozen;
mod month;
mod plan;
mod present;
mod propose;
mod site;
#[cfg(test)]
mod tests;
mod whole;

pub use again::{NotAgain, Question, Rerate, StoredMonth, Unwatched, Watch};
pub use anew::{Anew, charge_day, emptied};
pub use astray::Stray;
pub use frozen::pins;
pub use month::{Unmeasured, coverage, month_digest, versions};
pub use plan::{DayPlan, Plans, as_planned};
pub use present::Present;
pub use propose::Wishes;

/// Which hours of a cluster count, as far as the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The first; none for the first in which it was observed.
    pub since: Option<Hour>,
    /// The first that no longer does; none while it goes on.
    pub until: Option<Hour>,
}

/// What counts, as the configuration says.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The clusters that are measured, and which of their hours count.
    pub clusters: BTreeMap<ClusterName, Counts>,
    /// Which claims make a namespace a tenant's.
    pub tenancy: TenancyRules,
    /// How long after its end an hour is measured.
    pub settle: Duration,
    /// What describes a tenant in a cluster, where it is not what this project ships.
    pub forms: BTreeMap<ClusterName, Form>,
}

/// Everything one look at the ledger rates from, besides usage. Cheap to clone.
#[derive(Debug, Clone)]
pub struct View {
    /// The price book.
    pub book: Arc<PriceBook>,
    /// Who owned what.
    pub timeline: Arc<Timeline>,
    /// Which claims make a namespace a tenant's.
    pub tenancy: Arc<TenancyRules>,
    /// The hours of each cluster that have settled since it counts.
    pub ranges: Arc<BTreeMap<ClusterName, HourRange>>,
    /// The hours of each cluster that no metrics store has any more.
    pub lost: Arc<BTreeMap<ClusterName, BTreeSet<Hour>>>,
}

/// The recorded hours of a period, as far as they count.
pub type Entries = BTreeMap<Hour, BTreeMap<ClusterName, HourEntry>>;

/// The first hour that has not settled: everything before it can be measured.
pub fn settled_until(now: DateTime<Utc>, settle: Duration) -> Hour {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    Hour::containing(now.checked_sub_signed(settle).unwrap_or(DateTime::<Utc>::MIN_UTC))
}

/// When everything before an hour has settled.
pub fn settled_at(until: Hour, settle: Duration) -> DateTime<Utc> {
    let settle = TimeDelta::from_std(settle).unwrap_or(TimeDelta::MAX);
    until.start().checked_add_signed(settle).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The hours of a cluster that count: since the configuration says, else since it was first observed; until it says,
/// else all that have settled. None while it never was observed: without anyone who owns anything, all of it would be
/// nobody's, and be billed so.
pub fn hours_of(cluster: &ClusterName, counts: Counts, timeline: &Timeline, settled: Hour) -> HourRange {
    let observed = timeline.observed_since.get(cluster).map(|at| Hour::containing(*at));
    let until = counts.until.map_or(settled, |until| until.min(settled));
    HourRange { from: observed.map_or(until, |observed| counts.since.unwrap_or(observed)), until }
}

impl Ground {
    /// What there is to rate by a book at a moment.
    pub async fn view(
        &self,
        ledger: &Ledger,
        present: Present,
        book: Arc<PriceBook>,
    ) -> Result<View, LedgerError> {
        let timeline = Arc::new(ledger.timeline(&Scope::everything()).await?);
        let settled = settled_until(present.now, self.settle);
        // What is recorded has settled, even if the clock went back by minutes or the delay was made longer:
        // what was rated once must not leave its day.
        let until = present.recorded_until.map_or(settled, |recorded| settled.max(recorded));
        let ranges = self
            .clusters
            .iter()
            .map(|(name, counts)| (name.clone(), hours_of(name, *counts, &timeline, until)));
        let mut ranges: BTreeMap<ClusterName, HourRange> = ranges.collect();
        for cluster in ledger.clusters(&Scope::everything()).await? {
            if let Entry::Vacant(gone) = ranges.entry(cluster) {
                let range = recorded(ledger, gone.key()).await?;
                gone.insert(range);
            }
        }
        let mut lost: BTreeMap<ClusterName, BTreeSet<Hour>> = BTreeMap::new();
        for note in ledger.missing(&Scope::everything()).await? {
            if note.lost_since.is_some() {
                lost.entry(note.cluster).or_default().insert(note.hour);
            }
        }
        let (tenancy, ranges, lost) = (Arc::new(self.tenancy.clone()), Arc::new(ranges), Arc::new(lost));
        Ok(View { book, timeline, tenancy, ranges, lost })
    }
}

/// From the first recorded hour of a cluster to its last: all that counts of one that the configuration
/// no longer names. What it cost until then is still to be paid.
async fn recorded(ledger: &Ledger, cluster: &ClusterName) -> Result<HourRange, LedgerError> {
    let range = ledger.recorded_range(&Scope::everything(), cluster).await?;
    Ok(range.unwrap_or(HourRange { from: Hour::from_index(0), until: Hour::from_index(0) }))
}

impl View {
    /// The same, rated by another book.
    #[must_use]
    pub fn under(&self, book: Arc<PriceBook>) -> Self {
        Self { book, ..self.clone() }
    }

    /// Whether an hour of a cluster counts.
    pub fn counts(&self, cluster: &ClusterName, hour: Hour) -> bool {
        self.ranges.get(cluster).is_some_and(|range| range.contains(hour))
    }

    /// What is recorded of some hours and counts.
    pub async fn entries(&self, ledger: &Ledger, hours: HourRange) -> Result<Entries, LedgerError> {
        let mut entries = Entries::new();
        for cluster in self.ranges.keys() {
            for entry in ledger.hours(&Scope::everything(), cluster, hours).await? {
                if self.counts(cluster, entry.hour) {
                    entries.entry(entry.hour).or_default().insert(cluster.clone(), entry);
                }
            }
        }
        Ok(entries)
    }
}
