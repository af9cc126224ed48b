//! A month with all its hours, for an estimate: measured hours stand in for those that were not measured, or that
//! are still to come. In an hour without nodes, who shares them would pay nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use defray_ledger::Scope;
use defray_pricing::digest::Digest;
use defray_pricing::estimate::{Seen, StandIns};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::Owners;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{Minutes, UsageHour};

use super::{DayPlan, Entries, NotAgain, Plans, Rerate, StoredMonth, View, as_planned};

/// Measured hours that stand in for others: the last ones, about a day.
const STAND_INS: usize = 24;

/// Every hour of a month: who owned what, in days as they are rated.
pub(super) struct WholeMonth {
    pub(super) plans: Plans,
    pub(super) hours: Hours,
    pub(super) seen: Seen,
}

/// Which hours were measured, and what stands in for the others.
pub(super) struct Hours {
    measured: BTreeSet<Hour>,
    stand_ins: Vec<(Owners, Vec<UsageHour>)>,
}

impl Hours {
    /// The usage of an hour: its own, or that of the hour that stands in for it.
    pub(super) fn usage<'u>(&self, hour: Hour, own: &'u [UsageHour]) -> Cow<'u, [UsageHour]> {
        match self.stand_in(hour) {
            Some((_, usage)) if !self.measured.contains(&hour) => {
                usage.iter().map(|usage| UsageHour { hour, ..usage.clone() }).collect()
            }
            _ => Cow::Borrowed(own),
        }
    }

    /// By the hour of the day, where they are a whole day.
    fn stand_in(&self, hour: Hour) -> Option<&(Owners, Vec<UsageHour>)> {
        let count = i64::try_from(self.stand_ins.len()).ok().filter(|count| *count > 0)?;
        let place = hour.index().rem_euclid(count);
        self.stand_ins.iter().find(|(owners, _)| owners.hour.index().rem_euclid(count) == place).or_else(
            || {
                // Hours of several days: any of them, always the same.
                self.stand_ins.get(usize::try_from(place).ok()?)
            },
        )
    }
}

impl Rerate {
    /// Fills up a month for a cluster.
    pub(super) async fn whole(
        &self,
        month: &StoredMonth,
        view: &View,
        plans: Plans,
        cluster: &ClusterName,
    ) -> Result<WholeMonth, NotAgain> {
        let period = month.record.statements.period;
        let entries = &month.entries;
        let all = plans.days.into_iter().flat_map(|plan| plan.hours);
        let mut known: BTreeMap<Hour, Owners> = all
            .filter(|owners| is_measured(view, entries, cluster, owners.hour))
            .map(|owners| (owners.hour, owners))
            .collect();
        let (Some(_), hours) = (known.keys().next(), self.zone.hours(period)) else {
            return Err(NotAgain::Unclear(format!(
                "nothing of {period} is measured in the cluster {cluster}, and an estimate is made on what was \
                 measured; name another month"
            )));
        };
        let mut seen = Seen::whole(hours.len());
        seen.hours_known = count(known.len());
        seen.hours_with_gaps = count(known.keys().filter(|hour| has_gap(entries, **hour)).count());
        let mut stand_ins = Vec::new();
        if seen.hours_known < seen.hours {
            let last: Vec<&Owners> = known.values().rev().take(STAND_INS).collect();
            for owners in last.into_iter().rev() {
                let hour = HourRange { from: owners.hour, until: owners.hour.next() };
                let usage = self.ledger.usage_with_digests(&Scope::everything(), hour).await?;
                let day = self.zone.day_of(owners.hour);
                let usage = as_planned(entries, usage).ok_or(NotAgain::Revised(day))?;
                let usage = usage.into_iter().filter(|usage| view.counts(&usage.cluster, usage.hour));
                stand_ins.push((owners.clone(), usage.collect()));
            }
            seen.stand_ins = range(&stand_ins);
        }
        let hours = Hours { measured: known.keys().copied().collect(), stand_ins };
        let days = self.zone.days(period).into_iter().map(|day| {
            let stand_in = |hour| hours.stand_in(hour).map(|(owners, _)| Owners { hour, ..owners.clone() });
            let owners = |hour| known.remove(&hour).or_else(|| stand_in(hour));
            let hours = self.zone.hours_of_day(day).iter().filter_map(owners).collect();
            // Nothing of it is kept, under whatever digest.
            DayPlan { day, inputs: Digest::of_fields([]), hours }
        });
        let plans = Plans { days: days.collect(), facts: plans.facts, without_book: 0 };
        Ok(WholeMonth { plans, hours, seen })
    }
}

/// Whether an hour counts in a cluster and was measured there, and wherever else it counts.
fn is_measured(view: &View, entries: &Entries, cluster: &ClusterName, hour: Hour) -> bool {
    let measured = |cluster| entries.get(&hour).is_some_and(|of| of.contains_key(cluster));
    measured(cluster) && view.ranges.keys().all(|other| !view.counts(other, hour) || measured(other))
}

fn has_gap(entries: &Entries, hour: Hour) -> bool {
    let of = entries.get(&hour).into_iter().flat_map(BTreeMap::values);
    of.flat_map(|entry| entry.coverage.values()).any(|minutes| *minutes < Minutes::FULL)
}

fn range(stand_ins: &[(Owners, Vec<UsageHour>)]) -> Option<StandIns> {
    let (from, until) = (stand_ins.first()?.0.hour, stand_ins.last()?.0.hour.next());
    Some(StandIns { count: count(stand_ins.len()), range: HourRange { from, until } })
}

/// No month has more hours than fit.
fn count(hours: usize) -> u32 {
    u32::try_from(hours).unwrap_or(u32::MAX)
}
