//! Rates the days whose inputs changed and folds their months again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use chrono::NaiveDate;
use defray_ledger::{LedgerError, MonthRecord, PeriodState, Scope};
use defray_pricing::book::{PriceBook, Problem};
use defray_pricing::digest::Digest;
use defray_pricing::recompute::{Fold, NotRated};
use defray_pricing::recovery::{Recovery, by_pool};
use defray_pricing::time::{HourRange, Period};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Bell, Remarks, Shared, figures, remarks};
use crate::rerate::{
    DayPlan, Entries, Ground, Plans, View, as_planned, charge_day, coverage, emptied, month_digest, versions,
};

/// Rates.
#[derive(Debug, Clone)]
pub struct Rater {
    /// What it works with.
    pub shared: Shared,
    /// What counts.
    pub ground: Ground,
    /// The price book in force.
    pub book: watch::Receiver<Arc<PriceBook>>,
    /// Rung when a month was computed anew.
    pub computed: Bell,
    /// What was already said of the book.
    pub remarks: Remarks,
    /// Cancelled when the daemon stops.
    pub stop: CancellationToken,
}

impl Rater {
    /// Rates every open period.
    pub async fn run(&self) -> anyhow::Result<String> {
        let view = self.view().await?;
        let (mut days, mut months, mut without_book) = (0_u64, 0_u64, 0_usize);
        // Of the latest month: who is gone by now may well have had terms before.
        let mut doubts = Vec::new();
        for period in self.open_periods(&view).await? {
            let done = match self.period(&view, period).await {
                // Somebody closed it meanwhile: nothing of it is rated any more.
                Err(error) if was_closed(&error) => continue,
                done => done.with_context(|| format!("rating {period}"))?,
            };
            days += done.days;
            months += u64::from(done.month);
            without_book += done.without_book;
            doubts = done.doubts;
            if self.stop.is_cancelled() {
                break;
            }
        }
        self.shared.metrics.hours_without_book.set(i64::try_from(without_book)?);
        figures::show(&self.shared, &view.book).await.context("showing the current month as metrics")?;
        self.remarks
            .show(&self.shared, &view, doubts)
            .await
            .context("looking for what the book says of nobody")?;
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
        let book = Arc::clone(&self.book.borrow());
        Ok(self.ground.view(&self.shared.ledger, present, book).await?)
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
        let entries = Arc::new(view.entries(&self.shared.ledger, hours).await?);
        let plans = self.plan(view, period, &entries).await?;
        let rated = self.shared.ledger.day_inputs(&Scope::everything(), period).await?;
        let doubts = remarks::doubts(view, period, &plans.facts);
        let mut done = Done { without_book: plans.without_book, doubts, ..Done::default() };
        let mut revised = false;
        for plan in &plans.days {
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
        self.clear(view, period, &plans.days, &rated).await?;
        done.month = self.month(view, period, plans, &entries).await?;
        Ok(done)
    }

    async fn plan(&self, view: &View, period: Period, entries: &Arc<Entries>) -> anyhow::Result<Plans> {
        let (view, entries) = (view.clone(), Arc::clone(entries));
        let work = move || view.plan(period, &entries);
        Ok(self.shared.supervisor.blocking("plan rating", work).await??)
    }

    /// Rates one day and replaces it; says whether it was written. None if an hour was measured anew since
    /// it was planned.
    async fn day(
        &self,
        view: &View,
        period: Period,
        plan: &DayPlan,
        entries: &Arc<Entries>,
    ) -> anyhow::Result<Option<bool>> {
        let range = view.book.zone.hours_of_day(plan.day);
        let usage = self.shared.ledger.usage_with_digests(&Scope::everything(), range).await?;
        let Some(usage) = as_planned(entries, usage) else { return Ok(None) };
        let (of, by, entries) = (plan.clone(), view.clone(), Arc::clone(entries));
        let work = move || charge_day(&by, &of, period, usage, &entries);
        let day = self.shared.supervisor.blocking("rate day", work).await??;
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
            let empty = emptied(view, period, *day);
            self.shared.ledger.put_day(&self.shared.guard, empty).await?;
        }
        Ok(())
    }

    /// Folds a month, if what it is made from changed; says whether it was written.
    async fn month(
        &self,
        view: &View,
        period: Period,
        plans: Plans,
        entries: &Entries,
    ) -> anyhow::Result<bool> {
        let Plans { days: plans, facts, .. } = plans;
        let ledger = &self.shared.ledger;
        let known = ledger.periods(&Scope::everything(), view.book.zone).await?;
        let folded = known.iter().find(|entry| entry.period == period).and_then(|entry| entry.inputs);
        // A month that was folded once is folded again even when the book reaches none of its hours any
        // more: its days are empty, and so is it.
        if folded.is_none() && plans.iter().all(|plan| plan.hours.is_empty()) {
            return Ok(false);
        }
        let (coverage, unmeasured) = coverage(view, period, entries)?;
        let inputs = month_digest(&view.book, period, &plans, &coverage, unmeasured);
        if folded == Some(inputs) {
            return Ok(false);
        }
        let mut fold = Fold::new(period);
        for plan in &plans {
            for charge in ledger.day_charges(&Scope::everything(), plan.day).await? {
                fold.charge(charge)?;
            }
        }
        let control = ledger.period_control(&Scope::everything(), period).await?;
        let control = control.context("a day was rated without what was paid for in it")?;
        let control = by_pool(control, &view.book, view.book.zone.hours(period))?;
        let (book, paid) = (Arc::clone(&view.book), control.clone());
        let work = move || {
            let statements = fold.finish(&book, &facts)?;
            Recovery::of(&statements, &paid)?;
            Ok::<_, NotRated>(statements)
        };
        let statements = self.shared.supervisor.blocking("fold month", work).await??;
        let book_versions = versions(&view.book, &plans);
        let book_digest = view.book.digest;
        let control = Some(control);
        let month = MonthRecord {
            statements,
            inputs,
            coverage,
            hours_missing: unmeasured.missing,
            hours_lost: unmeasured.lost,
            book_digest,
            book_versions,
            control,
        };
        Ok(ledger.put_month(&self.shared.guard, month).await?)
    }
}

fn was_closed(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LedgerError::Closed(_)))
}

#[derive(Debug, Default)]
struct Done {
    days: u64,
    month: bool,
    without_book: usize,
    doubts: Vec<Problem>,
}
