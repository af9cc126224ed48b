//! A month rated from everything that is recorded now, in the form it would be stored in.

use std::sync::Arc;

use anyhow::Context;
use defray_ledger::{ChargeDay, MonthRecord, Scope};
use defray_pricing::book::PriceBook;
use defray_pricing::rating::Control;
use defray_pricing::recompute::{Fold, NotRated};
use defray_pricing::recovery::Recovery;
use defray_pricing::time::Period;
use defray_pricing::usage::UsageHour;

use super::{
    DayPlan, Entries, NotAgain, Plans, Present, Rerate, View, as_planned, coverage, month_digest, versions,
};

/// A month as it would be stored now.
#[derive(Debug)]
pub struct Anew {
    /// What it is made from, besides usage.
    pub view: View,
    /// What is recorded.
    pub entries: Arc<Entries>,
    /// What each day is rated from.
    pub plans: Plans,
    /// The month.
    pub month: MonthRecord,
    /// Its days, where they are others than those stored.
    pub days: Vec<ChargeDay>,
}

/// Rates a day from the usage that was planned with.
pub fn charge_day(
    view: &View,
    plan: &DayPlan,
    period: Period,
    usage: Vec<UsageHour>,
    entries: &Entries,
) -> anyhow::Result<ChargeDay> {
    let mut hours = Vec::with_capacity(plan.hours.len());
    let mut control = Control::default();
    plan.rate(view, usage, |owners, rated| {
        control.add(&rated.control)?;
        hours.push((owners.hour, rated.charges));
        Ok(())
    })
    .with_context(|| format!("day {}", plan.day))?;
    let whole_hours = plan.whole_hours(view, entries)?;
    let (day, inputs) = (plan.day, plan.inputs);
    Ok(ChargeDay { day, period, inputs, hours, whole_hours, control })
}

impl Rerate {
    /// The month as a book makes it from what is recorded now.
    pub async fn anew(&self, period: Period, book: Arc<PriceBook>) -> Result<Anew, NotAgain> {
        let present = Present::of(&self.ledger, &self.clock).await.map_err(NotAgain::Other)?;
        let view = self.ground.view(&self.ledger, present, book).await?;
        let entries = Arc::new(view.entries(&self.ledger, self.zone.hours(period)).await?);
        let plans = self.plan(&view, period, &entries).await?;
        let stored = self.ledger.day_inputs(&Scope::everything(), period).await?;
        let (mut fold, mut control, mut days) = (Fold::new(period), Control::default(), Vec::new());
        for plan in &plans.days {
            let range = self.zone.hours_of_day(plan.day);
            let usage = self.ledger.usage_with_digests(&Scope::everything(), range).await?;
            let usage = as_planned(&entries, usage).ok_or(NotAgain::Revised(plan.day))?;
            let (by, of, from) = (view.clone(), plan.clone(), Arc::clone(&entries));
            let work = move || -> anyhow::Result<(Fold, ChargeDay)> {
                let day = charge_day(&by, &of, period, usage, &from)?;
                let mut fold = fold;
                for charge in day.hours.iter().flat_map(|(_, charges)| charges) {
                    fold.charge(charge.clone())?;
                }
                Ok((fold, day))
            };
            let rated = self.supervisor.blocking("rate day anew", work).await?.map_err(NotAgain::Other)?;
            fold = rated.0;
            control.add(&rated.1.control).map_err(NotRated::from)?;
            if stored.get(&plan.day) != Some(&plan.inputs) {
                days.push(rated.1);
            }
        }
        let planned = |day: &chrono::NaiveDate| plans.days.iter().any(|plan| plan.day == *day);
        days.extend(stored.keys().filter(|day| !planned(day)).map(|day| emptied(&view, period, *day)));
        let (by, facts, paid) = (Arc::clone(&view.book), plans.facts.clone(), control.clone());
        let work = move || {
            let statements = fold.finish(&by, &facts)?;
            Recovery::of(&statements, &paid)?;
            Ok::<_, NotRated>(statements)
        };
        let statements = self.supervisor.blocking("fold month anew", work).await??;
        let (coverage, unmeasured) = coverage(&view, period, &entries).map_err(NotAgain::Other)?;
        let month = MonthRecord {
            statements,
            inputs: month_digest(&view.book, period, &plans.days, &coverage, unmeasured),
            coverage,
            hours_missing: unmeasured.missing,
            hours_lost: unmeasured.lost,
            book_digest: view.book.digest,
            book_versions: versions(&view.book, &plans.days),
            control: Some(control),
        };
        Ok(Anew { view, entries, plans, month, days })
    }
}

/// A day that was rated once and that the book does not reach any more.
pub fn emptied(view: &View, period: Period, day: chrono::NaiveDate) -> ChargeDay {
    let engine = defray_pricing::ENGINE_VERSION.to_le_bytes();
    let fields = [&engine, view.book.digest.as_bytes().as_slice(), b"nothing is rated"];
    let inputs = defray_pricing::digest::Digest::of_fields(fields);
    ChargeDay { day, period, inputs, hours: Vec::new(), whole_hours: 0, control: Control::default() }
}
