//! What each day of a period is rated from, under its digest.

use std::collections::BTreeMap;
use std::num::TryFromIntError;

use chrono::NaiveDate;
use defray_pricing::ENGINE_VERSION;
use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Owners, OwnershipIndex};
use defray_pricing::rating::RatedHour;
use defray_pricing::recompute::{self, NotRated};
use defray_pricing::statement::MonthFacts;
use defray_pricing::time::Period;
use defray_pricing::usage::UsageHour;

use super::{Entries, View};

/// What one day is rated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPlan {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// Of everything it is rated from: revisions, ownership, book, engine.
    pub inputs: Digest,
    /// Who owned what in each of its hours that count and that the book reaches; never empty.
    pub hours: Vec<Owners>,
}

/// What a period is rated from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    /// Its days, as far as the book reaches them.
    pub days: Vec<DayPlan>,
    /// Of the owners of all its hours, and so of nothing that the days' digests do not cover.
    pub facts: MonthFacts,
    /// How many of its hours no edition of the book reaches.
    pub without_book: usize,
}

impl DayPlan {
    /// In how many of its hours every cluster that counted was measured.
    pub fn whole_hours(&self, view: &View, entries: &Entries) -> Result<u32, TryFromIntError> {
        let whole = |owners: &&Owners| {
            let measured = |cluster| entries.get(&owners.hour).is_some_and(|of| of.contains_key(cluster));
            view.ranges.keys().all(|cluster| !view.counts(cluster, owners.hour) || measured(cluster))
        };
        self.hours.iter().filter(whole).count().try_into()
    }
}

impl View {
    /// What each day of a period is rated from. Long work for the processor.
    pub fn plan(&self, period: Period, entries: &Entries) -> Result<Plans, serde_json::Error> {
        let book = &self.book;
        let facts = MonthFacts::new(book.zone);
        let mut plans = Plans { days: Vec::new(), facts, without_book: 0 };
        let none = BTreeMap::new();
        let index = OwnershipIndex::new(&self.timeline, &self.tenancy);
        for day in book.zone.days(period) {
            let mut hours = Vec::new();
            let mut fields: Vec<Vec<u8>> = vec![
                ENGINE_VERSION.to_le_bytes().to_vec(),
                book.hourly_digest(book.zone.hours_of_day(day)).as_bytes().to_vec(),
                day.to_string().into_bytes(),
            ];
            for hour in book.zone.hours_of_day(day).iter() {
                let counts = |cluster: &ClusterName| self.counts(cluster, hour);
                if !self.ranges.keys().any(counts) {
                    continue;
                }
                if book.at(hour).is_none() {
                    plans.without_book += 1;
                    continue;
                }
                let mut owners = index.at(hour);
                // Nobody owns anything, has a service or bears a share in a cluster that does not count yet.
                owners.tenants.retain(|(cluster, _), _| counts(cluster));
                owners.namespaces.retain(|(cluster, _), _| counts(cluster));
                owners.dedicated.retain(|(cluster, _), _| counts(cluster));
                owners.assumed.retain(counts);
                plans.facts.add(&owners);
                fields.push(hour.index().to_le_bytes().to_vec());
                fields.push(owners_bytes(&owners)?);
                // Which clusters count decides whether the hour was measured whole.
                let counted: Vec<_> = self.ranges.keys().filter(|cluster| counts(cluster)).collect();
                fields.push(counted.len().to_le_bytes().to_vec());
                fields.extend(counted.iter().map(|cluster| cluster.as_str().as_bytes().to_vec()));
                let measured = entries.get(&hour).unwrap_or(&none);
                // How many clusters follow, so that no hour's fields can be read as the next one's.
                fields.push(measured.len().to_le_bytes().to_vec());
                for (cluster, entry) in measured {
                    fields.push(cluster.as_str().as_bytes().to_vec());
                    fields.push(entry.digest.as_bytes().to_vec());
                }
                hours.push(owners);
            }
            if !hours.is_empty() {
                let inputs = Digest::of_fields(fields.iter().map(Vec::as_slice));
                plans.days.push(DayPlan { day, inputs, hours });
            }
        }
        Ok(plans)
    }
}

/// Everything about the owners of an hour that can move an amount, in their one order.
fn owners_bytes(owners: &Owners) -> Result<Vec<u8>, serde_json::Error> {
    // JSON has no maps with compound keys, so each map is a list of pairs.
    let tenants: Vec<_> = owners.tenants.iter().collect();
    let namespaces: Vec<_> = owners.namespaces.iter().collect();
    let dedicated: Vec<_> = owners.dedicated.iter().collect();
    serde_json::to_vec(&(tenants, namespaces, dedicated, &owners.conflicts, &owners.assumed))
}

/// The usage that was planned with. What was recorded since is left for the next plan, where it counts; if
/// an hour says something else now, there is none.
pub fn as_planned(entries: &Entries, usage: Vec<(Digest, UsageHour)>) -> Option<Vec<UsageHour>> {
    let mut planned = Vec::with_capacity(usage.len());
    for (digest, usage) in usage {
        let Some(entry) = entries.get(&usage.hour).and_then(|of| of.get(&usage.cluster)) else { continue };
        if entry.digest != digest {
            return None;
        }
        planned.push(usage);
    }
    Some(planned)
}

impl DayPlan {
    /// Rates its hours one after the other; usage of hours that do not count is left out.
    pub fn rate(
        &self,
        view: &View,
        usage: Vec<UsageHour>,
        take: impl FnMut(&Owners, RatedHour) -> Result<(), NotRated>,
    ) -> Result<(), NotRated> {
        self.rate_with(view, usage, |owners, usage| recompute::hour(&view.book, owners, usage), take)
    }

    /// The same, by a rating of the caller's own.
    pub fn rate_with(
        &self,
        view: &View,
        usage: Vec<UsageHour>,
        mut rate: impl FnMut(&Owners, &[UsageHour]) -> Result<RatedHour, NotRated>,
        mut take: impl FnMut(&Owners, RatedHour) -> Result<(), NotRated>,
    ) -> Result<(), NotRated> {
        let mut by_hour: BTreeMap<_, Vec<UsageHour>> = BTreeMap::new();
        for usage in usage.into_iter().filter(|usage| view.counts(&usage.cluster, usage.hour)) {
            by_hour.entry(usage.hour).or_default().push(usage);
        }
        for owners in &self.hours {
            let usage = by_hour.remove(&owners.hour).unwrap_or_default();
            take(owners, rate(owners, &usage)?)?;
        }
        Ok(())
    }
}
