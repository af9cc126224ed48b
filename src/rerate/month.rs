//! What a month is folded from, besides its days.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use defray_ledger::Coverage;
use defray_pricing::ENGINE_VERSION;
use defray_pricing::book::PriceBook;
use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange, Period};

use super::{DayPlan, Entries, View};

/// Hours that count and are not recorded, summed over clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unmeasured {
    /// They may still be measured.
    pub missing: u32,
    /// No metrics store has them any more.
    pub lost: u32,
}

/// How much of a period each cluster was measured in, and how many of its hours were not.
pub fn coverage(
    view: &View,
    period: Period,
    entries: &Entries,
) -> anyhow::Result<(BTreeMap<ClusterName, Coverage>, Unmeasured)> {
    let mut coverage = BTreeMap::new();
    let mut unmeasured = Unmeasured::default();
    let period = view.book.zone.hours(period);
    for (cluster, range) in &*view.ranges {
        let (from, until) = (range.from.max(period.from), range.until.min(period.until));
        let hours = HourRange { from, until };
        let mut sum = Coverage { minutes: 0, of: u64::from(hours.len()) * 60 };
        for hour in hours.iter() {
            if let Some(entry) = entries.get(&hour).and_then(|of| of.get(cluster)) {
                let least = entry.coverage.values().min().map_or(0, |minutes| minutes.get());
                sum.minutes += u64::from(least);
                continue;
            }
            let is_lost = view.lost.get(cluster).is_some_and(|lost| lost.contains(&hour));
            let count = if is_lost { &mut unmeasured.lost } else { &mut unmeasured.missing };
            *count = count.checked_add(1).context("too many missing hours to count")?;
        }
        if !hours.is_empty() {
            coverage.insert(cluster.clone(), sum);
        }
    }
    Ok((coverage, unmeasured))
}

/// Of everything a month is made from.
pub fn month_digest(
    book: &PriceBook,
    period: Period,
    plans: &[DayPlan],
    coverage: &BTreeMap<ClusterName, Coverage>,
    unmeasured: Unmeasured,
) -> Digest {
    let mut fields: Vec<Vec<u8>> = vec![
        ENGINE_VERSION.to_le_bytes().to_vec(),
        book.digest.as_bytes().to_vec(),
        period.to_string().into_bytes(),
        unmeasured.missing.to_le_bytes().to_vec(),
    ];
    fields.extend(plans.iter().map(|plan| plan.inputs.as_bytes().to_vec()));
    for (cluster, sum) in coverage {
        fields.push(cluster.as_str().as_bytes().to_vec());
        fields.push([sum.minutes.to_le_bytes(), sum.of.to_le_bytes()].concat());
    }
    // Months from before there were any keep their digest.
    if unmeasured.lost > 0 {
        fields.push(unmeasured.lost.to_le_bytes().to_vec());
    }
    Digest::of_fields(fields.iter().map(Vec::as_slice))
}

/// The labels of the editions that were in force, in their order.
pub fn versions(book: &PriceBook, plans: &[DayPlan]) -> Vec<String> {
    let used: BTreeSet<Hour> = plans
        .iter()
        .flat_map(|plan| &plan.hours)
        .filter_map(|owners| book.at(owners.hour).map(|edition| edition.effective_from))
        .collect();
    let in_force = book.editions.iter().filter(|edition| used.contains(&edition.effective_from));
    in_force.map(|edition| edition.version.clone()).collect()
}
