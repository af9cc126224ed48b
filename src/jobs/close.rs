//! Closes the months that are due, and measures again what has to be before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use chrono::Days;
use defray_ledger::{ClosedHow, PeriodState, Scope};
use defray_pricing::time::Period;

use super::{Bell, Sampler, Shared};
use crate::closing::{Closer, NotClosed, Obstacle, Order};
use crate::rerate::settled_at;

/// Closes.
#[derive(Debug, Clone)]
pub struct CloseKeeper {
    /// What it works with.
    pub shared: Shared,
    /// What closes.
    pub closer: Closer,
    /// Measures again.
    pub sampler: Sampler,
    /// How many local days after its end a month is closed; none where only people close.
    pub after_days: Option<u32>,
    /// Rung when a month was closed.
    pub closed: Bell,
    /// What was already told.
    pub told: Told,
}

/// What was in the way when it was last told, so that it is told once.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<BTreeMap<Period, Vec<String>>>>);

impl CloseKeeper {
    /// Looks at every open month that is over.
    pub async fn run(&self) -> anyhow::Result<String> {
        let zone = self.closer.rerate.zone;
        let periods = self.shared.ledger.periods(&Scope::everything(), zone).await?;
        let open = periods.iter().filter(|entry| entry.state == PeriodState::Open && entry.inputs.is_some());
        let asked = self.closer.again.asked();
        let (mut closed, mut waiting, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for period in open.map(|entry| entry.period) {
            let is_due = self.is_due(period);
            if !self.is_over(period) || !(is_due || asked.contains(&period)) {
                continue;
            }
            match self.look_at(period, is_due).await {
                Ok(None) => {}
                Ok(Some(obstacles)) if obstacles.is_empty() => closed.push(period.to_string()),
                Ok(Some(obstacles)) => waiting.push((period, obstacles)),
                // The other months are closed all the same.
                Err(error) => failed.push(format!("{error:#}")),
            }
        }
        let obstacles = waiting.iter().map(|(_, obstacles)| obstacles.len()).sum::<usize>();
        self.shared.metrics.close_obstacles.set(i64::try_from(obstacles)?);
        self.tell(&waiting);
        if !closed.is_empty() {
            self.closed.ring();
        }
        anyhow::ensure!(failed.is_empty(), "{}; closed: {}", failed.join("; "), listed(&closed));
        Ok(format!("closed: {}; due and not closed: {}", listed(&closed), waiting.len()))
    }

    /// Measures a month again and closes it if it is due: what was in the way then, nothing if it is closed.
    async fn look_at(&self, period: Period, is_due: bool) -> anyhow::Result<Option<Vec<Obstacle>>> {
        self.measure_again(period).await.with_context(|| format!("measuring {period} again"))?;
        if is_due { self.close(period).await.map(Some) } else { Ok(None) }
    }

    /// Measures once more what has to be before a period is closed, as far as it was not yet.
    pub async fn measure_again(&self, period: Period) -> anyhow::Result<()> {
        let rerate = &self.closer.rerate;
        let hours = rerate.zone.hours(period);
        let month = match rerate.stored(period).await {
            Ok(month) => month,
            Err(error) => return Err(error.into()),
        };
        for (name, due) in self.closer.again.due(hours, &month.entries) {
            let due: BTreeSet<_> = due.into_iter().collect();
            let of = |hour| month.entries.get(hour).and_then(|of| of.get(&name)).cloned();
            let entries = due.iter().filter_map(|hour| of(hour).map(|entry| (*hour, entry))).collect();
            let tell = |hour, result| self.closer.again.tell(&name, hour, result);
            match self.sampler.clusters.iter().find(|cluster| cluster.name == name) {
                Some(cluster) => self.sampler.again(cluster, &entries, tell).await?,
                // Nobody is left to ask: what was measured while it was looked after is all there is.
                None => due.into_iter().for_each(|hour| tell(hour, Ok(()))),
            }
        }
        Ok(())
    }

    /// Says what was in the way; nothing if it is closed.
    async fn close(&self, period: Period) -> anyhow::Result<Vec<Obstacle>> {
        let order = Order { by: "the schedule".to_owned(), how: ClosedHow::Schedule, forced: None };
        match self.closer.close(period, order).await {
            Ok(_) | Err(NotClosed::Already(_)) => Ok(Vec::new()),
            Err(NotClosed::InTheWay { obstacles, .. }) => Ok(obstacles),
            Err(error) => Err(anyhow::Error::new(error).context(format!("closing {period}"))),
        }
    }

    fn is_over(&self, period: Period) -> bool {
        let rerate = &self.closer.rerate;
        rerate.clock.now() >= settled_at(rerate.zone.hours(period).until, rerate.ground.settle)
    }

    /// Whether so many local days have passed since its end.
    fn is_due(&self, period: Period) -> bool {
        let Some(days) = self.after_days else { return false };
        let due = period.next().first_day().checked_add_days(Days::new(u64::from(days)));
        let rerate = &self.closer.rerate;
        due.is_some_and(|day| rerate.clock.now() >= rerate.zone.midnight(day))
    }

    /// Once for what is new; what passes by itself is no news.
    fn tell(&self, waiting: &[(Period, Vec<Obstacle>)]) {
        let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|period, _| waiting.iter().any(|(other, _)| other == period));
        for (period, obstacles) in waiting {
            let lasting = obstacles.iter().filter(|obstacle| !obstacle.passes());
            let lasting: Vec<String> = lasting.map(ToString::to_string).collect();
            if lasting.is_empty() || told.get(period) == Some(&lasting) {
                continue;
            }
            tracing::warn!(
                period = %period,
                close.obstacles = lasting.len(),
                "a month is due and cannot be closed: {}",
                lasting.join("; ")
            );
            told.insert(*period, lasting);
        }
    }
}

fn listed(periods: &[String]) -> String {
    if periods.is_empty() { "none".to_owned() } else { periods.join(", ") }
}
