//! Rates the days whose inputs changed and folds their months again.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::NaiveDate;
use defray_ledger::{ChargeDay, Coverage, HourEntry, MonthRecord, PeriodState, Scope};
use defray_pricing::ENGINE_VERSION;
use defray_pricing::book::PriceBook;
use defray_pricing::charge::Charge;
use defray_pricing::digest::Digest;
use defray_pricing::invariants::{Violation, check_hour, check_period};
use defray_pricing::money::Money;
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Owners, OwnershipIndex, TenancyRules, Timeline};
use defray_pricing::rating::{RatingError, rate};
use defray_pricing::statement::{self, MonthFacts, PeriodStatements};
use defray_pricing::time::{Hour, HourRange, Period};
use defray_pricing::usage::UsageHour;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::plan::{hours_of, settled_until};
use super::{Bell, Cluster, Shared};

/// Rates.
#[derive(Debug, Clone)]
pub struct Rater {
    /// What it works with.
    pub shared: Shared,
    /// The clusters that are measured.
    pub clusters: Vec<Cluster>,
    /// Which claims make a namespace a tenant's.
    pub rules: TenancyRules,
    /// How long after its end an hour is measured.
    pub settle: Duration,
    /// The price book in force.
    pub book: watch::Receiver<Arc<PriceBook>>,
    /// Rung when a month was computed anew.
    pub computed: Bell,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
}

/// Everything one run looks at.
struct View {
    book: Arc<PriceBook>,
    timeline: Arc<Timeline>,
    /// The hours of each cluster that have settled since it counts.
    ranges: BTreeMap<ClusterName, HourRange>,
}

/// The recorded hours of a period.
type Entries = BTreeMap<Hour, BTreeMap<ClusterName, HourEntry>>;

/// What one hour of a day is rated from.
struct HourPlan {
    hour: Hour,
    owners: Owners,
}

/// What one day is rated from.
struct DayPlan {
    day: NaiveDate,
    inputs: Digest,
    hours: Vec<HourPlan>,
}

/// What a period is rated from.
struct Plan {
    days: Vec<DayPlan>,
    /// Of the owners of all its hours, and so of nothing that the days' digests do not cover.
    facts: MonthFacts,
    /// How many of its hours no edition of the book reaches.
    without_book: usize,
}

impl Rater {
    /// Rates every open period.
    pub async fn run(&self) -> anyhow::Result<String> {
        let view = self.view().await?;
        let (mut days, mut months, mut without_book) = (0_u64, 0_u64, 0_usize);
        for period in self.open_periods(&view).await? {
            let done = self.period(&view, period).await.with_context(|| format!("rating {period}"))?;
            days += done.days;
            months += u64::from(done.month);
            without_book += done.without_book;
            if self.stop.is_cancelled() {
                break;
            }
        }
        self.shared.metrics.hours_without_book.set(i64::try_from(without_book)?);
        if months > 0 {
            self.computed.ring();
            tracing::info!(days.rated = days, months.computed = months, "rated");
        }
        Ok(format!(
            "{days} days rated, {months} months computed, {without_book} hours before the first price book"
        ))
    }

    async fn view(&self) -> anyhow::Result<View> {
        let present = self.shared.present().await?;
        let timeline = Arc::new(self.shared.ledger.timeline(&Scope::everything()).await?);
        let settled = settled_until(present.now, self.settle);
        // What is recorded has settled, even if the clock went back by minutes or the delay was made longer:
        // what was rated once must not leave its day.
        let until = present.recorded_until.map_or(settled, |recorded| settled.max(recorded));
        let ranges =
            self.clusters.iter().map(|cluster| (cluster.name.clone(), hours_of(cluster, &timeline, until)));
        let mut ranges: BTreeMap<ClusterName, HourRange> = ranges.collect();
        for cluster in self.shared.ledger.clusters(&Scope::everything()).await? {
            if let Entry::Vacant(gone) = ranges.entry(cluster) {
                let range = self.recorded(gone.key()).await?;
                gone.insert(range);
            }
        }
        Ok(View { book: Arc::clone(&self.book.borrow()), ranges, timeline })
    }

    /// From the first recorded hour of a cluster to its last: all that counts of one that the configuration
    /// no longer names. What it cost until then is still to be paid.
    async fn recorded(&self, cluster: &ClusterName) -> anyhow::Result<HourRange> {
        let ever = HourRange { from: Hour::from_index(0), until: Hour::from_index(i64::from(i32::MAX)) };
        let entries = self.shared.ledger.hours(&Scope::everything(), cluster, ever).await?;
        let range = entries.first().zip(entries.last());
        Ok(range.map_or(HourRange { from: ever.from, until: ever.from }, |(first, last)| HourRange {
            from: first.hour,
            until: last.hour.next(),
        }))
    }

    /// From the first hour that counts to the last that has settled, without what is closed.
    async fn open_periods(&self, view: &View) -> anyhow::Result<Vec<Period>> {
        let ranges = view.ranges.values().filter(|range| !range.is_empty());
        let Some(whole) = ranges
            .copied()
            .reduce(|a, b| HourRange { from: a.from.min(b.from), until: a.until.max(b.until) })
        else {
            return Ok(Vec::new());
        };
        let zone = view.book.zone;
        let known = self.shared.ledger.periods(&Scope::everything(), zone).await?;
        let closed: BTreeSet<Period> =
            known.iter().filter(|entry| entry.state != PeriodState::Open).map(|entry| entry.period).collect();
        let last = zone.period_of(whole.until.previous());
        let mut periods = Vec::new();
        let mut period = zone.period_of(whole.from);
        while period <= last {
            if !closed.contains(&period) {
                periods.push(period);
            }
            period = period.next();
        }
        Ok(periods)
    }

    async fn period(&self, view: &View, period: Period) -> anyhow::Result<Done> {
        let hours = view.book.zone.hours(period);
        let entries = self.entries(view, hours).await?;
        let plan = self.plan(view, period, &entries).await?;
        let rated = self.shared.ledger.day_inputs(&Scope::everything(), period).await?;
        let mut done = Done { without_book: plan.without_book, ..Done::default() };
        let mut revised = false;
        for plan in &plan.days {
            if rated.get(&plan.day) == Some(&plan.inputs) {
                continue;
            }
            if self.stop.is_cancelled() {
                return Ok(done);
            }
            match self.day(view, period, plan, &entries).await? {
                Some(written) => done.days += u64::from(written),
                None => revised = true,
            }
        }
        // Recording has asked for another run, which plans with the new revision; the month waits for it.
        if revised {
            return Ok(done);
        }
        self.clear(view, period, &plan.days, &rated).await?;
        done.month = self.month(view, period, plan, &entries).await?;
        Ok(done)
    }

    async fn entries(&self, view: &View, hours: HourRange) -> anyhow::Result<Entries> {
        let mut entries = Entries::new();
        for (cluster, range) in &view.ranges {
            for entry in self.shared.ledger.hours(&Scope::everything(), cluster, hours).await? {
                if range.contains(entry.hour) {
                    entries.entry(entry.hour).or_default().insert(cluster.clone(), entry);
                }
            }
        }
        Ok(entries)
    }

    async fn plan(&self, view: &View, period: Period, entries: &Entries) -> anyhow::Result<Plan> {
        let digests: BTreeMap<Hour, BTreeMap<ClusterName, Digest>> = entries
            .iter()
            .map(|(hour, of)| (*hour, of.iter().map(|(name, entry)| (name.clone(), entry.digest)).collect()))
            .collect();
        let (book, timeline, rules) =
            (Arc::clone(&view.book), Arc::clone(&view.timeline), self.rules.clone());
        let ranges = view.ranges.clone();
        let work = move || plan_days(&book, &timeline, &rules, &ranges, period, &digests);
        Ok(self.shared.supervisor.blocking("plan rating", work).await??)
    }

    /// Rates one day and replaces it; says whether it was written. None if an hour was measured anew since
    /// it was planned.
    async fn day(
        &self,
        view: &View,
        period: Period,
        plan: &DayPlan,
        entries: &Entries,
    ) -> anyhow::Result<Option<bool>> {
        let range = view.book.zone.hours_of_day(plan.day);
        let usage = self.shared.ledger.usage_with_digests(&Scope::everything(), range).await?;
        let Some(usage) = as_planned(entries, usage) else { return Ok(None) };
        let owners: Vec<Owners> = plan.hours.iter().map(|hour| hour.owners.clone()).collect();
        let book = Arc::clone(&view.book);
        let ranges = view.ranges.clone();
        let work = move || rate_day(&book, &owners, usage, &ranges);
        let hours = self.shared.supervisor.blocking("rate day", work).await?;
        let hours = hours.with_context(|| format!("day {}", plan.day))?;
        let day = ChargeDay { day: plan.day, period, inputs: plan.inputs, hours };
        let written = self.shared.ledger.put_day(&self.shared.guard, day).await?;
        self.shared.metrics.days_rated.inc();
        Ok(Some(written))
    }

    /// Empties the days that were rated once and that the book in force no longer reaches.
    async fn clear(
        &self,
        view: &View,
        period: Period,
        plans: &[DayPlan],
        rated: &BTreeMap<NaiveDate, Digest>,
    ) -> anyhow::Result<()> {
        let planned: BTreeSet<NaiveDate> = plans.iter().map(|plan| plan.day).collect();
        for day in rated.keys().filter(|day| !planned.contains(day)) {
            let fields = [view.book.digest.as_bytes().as_slice(), b"nothing is rated"];
            let empty = ChargeDay { day: *day, period, inputs: Digest::of_fields(fields), hours: Vec::new() };
            self.shared.ledger.put_day(&self.shared.guard, empty).await?;
        }
        Ok(())
    }

    /// Folds a month, if what it is made from changed; says whether it was written.
    async fn month(
        &self,
        view: &View,
        period: Period,
        plan: Plan,
        entries: &Entries,
    ) -> anyhow::Result<bool> {
        let Plan { days: plans, facts, .. } = plan;
        let ledger = &self.shared.ledger;
        let known = ledger.periods(&Scope::everything(), view.book.zone).await?;
        let folded = known.iter().find(|entry| entry.period == period).and_then(|entry| entry.inputs);
        // A month that was folded once is folded again even when the book reaches none of its hours any
        // more: its days are empty, and so is it.
        if folded.is_none() && plans.iter().all(|plan| plan.hours.is_empty()) {
            return Ok(false);
        }
        let (coverage, hours_missing) = coverage(view, period, entries)?;
        let inputs = month_digest(&view.book, period, &plans, &coverage, hours_missing);
        if folded == Some(inputs) {
            return Ok(false);
        }
        let mut charges: Vec<Charge> = Vec::new();
        for plan in &plans {
            charges.extend(ledger.day_charges(&Scope::everything(), plan.day).await?);
        }
        let book = Arc::clone(&view.book);
        let work = move || fold(&book, period, &facts, charges);
        let statements = self.shared.supervisor.blocking("fold month", work).await??;
        let book_versions = versions(&view.book, &plans);
        let book_digest = view.book.digest;
        let month = MonthRecord { statements, inputs, coverage, hours_missing, book_digest, book_versions };
        Ok(ledger.put_month(&self.shared.guard, month).await?)
    }
}

/// Why a day or a month was not rated. Nothing of it is written then.
#[derive(Debug, thiserror::Error)]
enum NotRated {
    /// The engine refused.
    #[error(transparent)]
    Refused(#[from] RatingError),
    /// The result contradicts itself: a fault in this program, found before it is a bill.
    #[error("{0}; please report this")]
    Contradicted(#[from] Violation),
}

#[derive(Debug, Default)]
struct Done {
    days: u64,
    month: bool,
    without_book: usize,
}

fn plan_days(
    book: &PriceBook,
    timeline: &Timeline,
    rules: &TenancyRules,
    ranges: &BTreeMap<ClusterName, HourRange>,
    period: Period,
    digests: &BTreeMap<Hour, BTreeMap<ClusterName, Digest>>,
) -> Result<Plan, serde_json::Error> {
    let mut without_book = 0;
    let mut plans = Vec::new();
    let mut facts = MonthFacts::new(book.zone);
    let none = BTreeMap::new();
    let index = OwnershipIndex::new(timeline, rules);
    for day in book.zone.days(period) {
        let mut hours = Vec::new();
        let mut fields: Vec<Vec<u8>> = vec![
            ENGINE_VERSION.to_le_bytes().to_vec(),
            book.digest.as_bytes().to_vec(),
            day.to_string().into_bytes(),
        ];
        for hour in book.zone.hours_of_day(day).iter() {
            let counts = |cluster: &ClusterName| ranges.get(cluster).is_some_and(|r| r.contains(hour));
            if !ranges.keys().any(counts) {
                continue;
            }
            if book.at(hour).is_none() {
                without_book += 1;
                continue;
            }
            let mut owners = index.at(hour);
            // Nobody owns anything, has a service or bears a share in a cluster that does not count yet.
            owners.tenants.retain(|(cluster, _), _| counts(cluster));
            owners.namespaces.retain(|(cluster, _), _| counts(cluster));
            owners.dedicated.retain(|(cluster, _), _| counts(cluster));
            owners.assumed.retain(counts);
            facts.add(&owners);
            fields.push(hour.index().to_le_bytes().to_vec());
            fields.push(owners_bytes(&owners)?);
            let measured = digests.get(&hour).unwrap_or(&none);
            // How many clusters follow, so that no hour's fields can be read as the next one's.
            fields.push(measured.len().to_le_bytes().to_vec());
            for (cluster, digest) in measured {
                fields.push(cluster.as_str().as_bytes().to_vec());
                fields.push(digest.as_bytes().to_vec());
            }
            hours.push(HourPlan { hour, owners });
        }
        if !hours.is_empty() {
            let inputs = Digest::of_fields(fields.iter().map(Vec::as_slice));
            plans.push(DayPlan { day, inputs, hours });
        }
    }
    Ok(Plan { days: plans, facts, without_book })
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
fn as_planned(entries: &Entries, usage: Vec<(Digest, UsageHour)>) -> Option<Vec<UsageHour>> {
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

/// The charges of each hour of a day.
fn rate_day(
    book: &PriceBook,
    owners: &[Owners],
    usage: Vec<UsageHour>,
    ranges: &BTreeMap<ClusterName, HourRange>,
) -> Result<Vec<(Hour, Vec<Charge>)>, NotRated> {
    let mut by_hour: BTreeMap<Hour, Vec<UsageHour>> = BTreeMap::new();
    let counts = |usage: &UsageHour| ranges.get(&usage.cluster).is_some_and(|r| r.contains(usage.hour));
    for usage in usage.into_iter().filter(counts) {
        by_hour.entry(usage.hour).or_default().push(usage);
    }
    let none = Vec::new();
    owners
        .iter()
        .map(|owners| {
            let usage = by_hour.get(&owners.hour).unwrap_or(&none);
            let rated = rate(book, owners, usage)?;
            check_hour(&rated)?;
            Ok((owners.hour, rated.charges))
        })
        .collect()
}

/// The statements of a month, proven to add up.
fn fold(
    book: &PriceBook,
    period: Period,
    facts: &MonthFacts,
    charges: Vec<Charge>,
) -> Result<PeriodStatements, NotRated> {
    let hours = Money::sum(charges.iter().map(|charge| charge.amount)).map_err(RatingError::from)?;
    let statements = statement::build(book, period, facts, charges)?;
    check_period(&statements, hours)?;
    Ok(statements)
}

/// How much of a period each cluster was measured in, and how many of its hours are missing.
fn coverage(
    view: &View,
    period: Period,
    entries: &Entries,
) -> anyhow::Result<(BTreeMap<ClusterName, Coverage>, u32)> {
    let mut coverage = BTreeMap::new();
    let mut missing: u32 = 0;
    let period = view.book.zone.hours(period);
    for (cluster, range) in &view.ranges {
        let (from, until) = (range.from.max(period.from), range.until.min(period.until));
        let hours = HourRange { from, until };
        let mut sum = Coverage { minutes: 0, of: u64::from(hours.len()) * 60 };
        for hour in hours.iter() {
            match entries.get(&hour).and_then(|of| of.get(cluster)) {
                Some(entry) => {
                    let least = entry.coverage.values().min().map_or(0, |minutes| minutes.get());
                    sum.minutes += u64::from(least);
                }
                None => missing = missing.checked_add(1).context("too many missing hours to count")?,
            }
        }
        if !hours.is_empty() {
            coverage.insert(cluster.clone(), sum);
        }
    }
    Ok((coverage, missing))
}

fn month_digest(
    book: &PriceBook,
    period: Period,
    plans: &[DayPlan],
    coverage: &BTreeMap<ClusterName, Coverage>,
    hours_missing: u32,
) -> Digest {
    let mut fields: Vec<Vec<u8>> = vec![
        ENGINE_VERSION.to_le_bytes().to_vec(),
        book.digest.as_bytes().to_vec(),
        period.to_string().into_bytes(),
        hours_missing.to_le_bytes().to_vec(),
    ];
    fields.extend(plans.iter().map(|plan| plan.inputs.as_bytes().to_vec()));
    for (cluster, sum) in coverage {
        fields.push(cluster.as_str().as_bytes().to_vec());
        fields.push([sum.minutes.to_le_bytes(), sum.of.to_le_bytes()].concat());
    }
    Digest::of_fields(fields.iter().map(Vec::as_slice))
}

/// The labels of the editions that were in force, in their order.
fn versions(book: &PriceBook, plans: &[DayPlan]) -> Vec<String> {
    let used: BTreeSet<Hour> = plans
        .iter()
        .flat_map(|plan| &plan.hours)
        .filter_map(|plan| book.at(plan.hour).map(|edition| edition.effective_from))
        .collect();
    let in_force = book.editions.iter().filter(|edition| used.contains(&edition.effective_from));
    in_force.map(|edition| edition.version.clone()).collect()
}

#[cfg(test)]
mod tests;
