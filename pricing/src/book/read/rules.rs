//! What no entry can see alone: entries that compete, contradict or miss each other.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::part::Part;
use super::{Placed, compete};
use crate::book::{
    Adjustment, Basis, Edition, Model, NodeCost, Pattern, Policy, PoolPrice, SharedCost, SharedWhat, Terms,
};
use crate::charge::Kind;
use crate::names::CostCenter;
use crate::problem::Refused;
use crate::time::{BillingZone, Hour, Period};

/// The more specific first: the pool decides, then the instance type, the capacity type, the cluster.
pub(super) fn by_class(a: &PoolPrice, b: &PoolPrice) -> Ordering {
    specificity(a, b).then_with(|| dimensions(a).cmp(&dimensions(b)))
}

fn specificity(a: &PoolPrice, b: &PoolPrice) -> Ordering {
    dimensions(a)
        .iter()
        .zip(dimensions(b))
        .map(|(a, b)| a.by_specificity(b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn dimensions(entry: &PoolPrice) -> [&Pattern; 4] {
    [&entry.pool, &entry.instance_type, &entry.capacity_type, &entry.cluster]
}

/// The more specific first.
pub(super) fn by_pattern(a: &Pattern, b: &Pattern) -> Ordering {
    a.by_specificity(b).then_with(|| a.cmp(b))
}

/// No price class has two best entries.
pub(super) fn pools_do_not_compete(pools: &[Placed<'_, PoolPrice>]) {
    let group = |entry| dimensions(entry).map(compete::group);
    compete::tell(pools, group, |a, b| {
        let (ours, theirs) = (dimensions(&b.value), dimensions(&a.value));
        if ours == theirs {
            let message = format!("these nodes already have a price in {}", a.at());
            Some((message, "keep one of the two entries"))
        } else if specificity(&a.value, &b.value).is_eq()
            && ours.iter().zip(theirs).all(|(a, b)| a.overlaps(b))
        {
            let message = format!("it is as good as the entry in {} for nodes that both match", a.at());
            Some((message, "make one of them more specific"))
        } else {
            None
        }
    });
}

/// No class of what is metered has two best entries.
pub(super) fn patterns_do_not_compete<T>(entries: &[Placed<'_, T>], what: &str, of: impl Fn(&T) -> &Pattern) {
    compete::tell(
        entries,
        |entry| compete::group(of(entry)),
        |a, b| {
            let (first, second) = (of(&a.value), of(&b.value));
            if first == second {
                let message = format!("the {what} `{second}` already has a price in {}", a.at());
                Some((message, "keep one of the two entries"))
            } else if first.by_specificity(second).is_eq() && first.overlaps(second) {
                let message = format!("`{second}` is as good as `{first}` in {} for what both match", a.at());
                Some((message, "make one of them more specific"))
            } else {
                None
            }
        },
    );
}

/// A name stands for one thing.
pub(super) fn names_differ<T>(entries: &[Placed<'_, T>], what: &str, of: impl Fn(&T) -> &str) {
    compete::tell(entries, &of, |a, b| {
        let message = format!("the {what} `{}` is already given in {}", of(&b.value), a.at());
        Some((message, "keep one of the two entries"))
    });
}

/// A pool has one model, and bills quotas whole or not at all, whatever the types of its nodes.
pub(super) fn pools_have_one_model(pools: &[Placed<'_, PoolPrice>]) {
    // The most specific first: an entry for some types leaves the others of its pools to those after it.
    for (index, some) in pools.iter().enumerate() {
        let [_, instance_type, capacity_type, _] = dimensions(&some.value);
        if instance_type.is_any() && capacity_type.is_any() {
            continue;
        }
        // Each contradiction once for each entry, however many it contradicts.
        let (mut models_told, mut quota_told) = (false, false);
        for rest in pools.iter().skip(index.saturating_add(1)) {
            let [pool, types @ .., cluster] = dimensions(&rest.value);
            if !pool.overlaps(&some.value.pool) || !cluster.overlaps(&some.value.cluster) {
                continue;
            }
            let model = |entry: &PoolPrice| matches!(entry.model, Model::Cost { .. });
            if model(&some.value) != model(&rest.value) {
                if !std::mem::replace(&mut models_told, true) {
                    let message = format!("other nodes of its pool are in the other model ({})", rest.at());
                    some.place.refuse(message, "a pool has one model: make the entries agree");
                }
            } else if (some.value.basis == Basis::Quota) != (rest.value.basis == Basis::Quota)
                && !std::mem::replace(&mut quota_told, true)
            {
                let message = format!("basis `quota` is for some nodes of its pool only ({})", rest.at());
                some.place.refuse(message, "a namespace would be billed twice there: make the entries agree");
            }
            if pool.covers(&some.value.pool)
                && cluster.covers(&some.value.cluster)
                && types.iter().all(|pattern| pattern.is_any())
            {
                // Entries after this one price nothing of those pools.
                break;
            }
        }
    }
}

/// A quota is a namespace's, not a pool's: on two pools it would be billed twice.
pub(super) fn quota_is_for_one_pool(pools: &[Placed<'_, PoolPrice>]) {
    let quota: Vec<_> = pools.iter().filter(|entry| entry.value.basis == Basis::Quota).cloned().collect();
    for entry in quota.iter().filter(|entry| !entry.value.pool.is_exact()) {
        let message = format!("basis `quota` is for one pool, but `{}` may match several", entry.value.pool);
        entry.place.refuse(message, "write the pool's name");
    }
    compete::tell(
        &quota,
        |_| (),
        |a, b| {
            (a.value.pool != b.value.pool && a.value.cluster.overlaps(&b.value.cluster)).then(|| {
                let message = format!("a second pool with basis `quota`; the first is in {}", a.at());
                (message, "quotas can be billed on one pool per cluster only: use `max` here")
            })
        },
    );
}

/// A namespace's cost is shared once.
pub(super) fn namespaces_are_shared_once(costs: &[Placed<'_, SharedCost>]) {
    compete::tell(
        costs,
        |_| (),
        |a, b| {
            let (
                SharedWhat::Namespaces { names: theirs, labels: few },
                SharedWhat::Namespaces { names: ours, labels: many },
            ) = (&a.value.what, &b.value.what)
            else {
                return None;
            };
            let (few, many) = if few.len() > many.len() { (many, few) } else { (few, many) };
            let mend = "a namespace is shared once: keep it in one entry";
            // Whatever carries all the labels of the one carries all of the other.
            if !few.is_empty() && few.iter().all(|(key, value)| many.get(key) == Some(value)) {
                let message =
                    format!("namespaces with these labels are already shared by the entry in {}", a.at());
                return Some((message, mend));
            }
            let twice: Vec<String> = ours
                .iter()
                .filter(|name| theirs.iter().any(|other| other.overlaps(name)))
                .map(|name| format!("`{name}`"))
                .collect();
            (!twice.is_empty()).then(|| {
                let names = twice.join(", ");
                (format!("namespaces like {names} are already shared by the entry in {}", a.at()), mend)
            })
        },
    );
}

/// What is kept needs somebody who keeps it.
pub(super) fn nothing_is_kept_nowhere(
    idle: Option<&Result<Placed<'_, Policy>, Refused>>,
    costs: &[Placed<'_, SharedCost>],
) {
    let idle = idle.and_then(|idle| idle.as_ref().ok()).map(|idle| (&idle.place, &idle.value));
    let costs = costs.iter().map(|cost| (&cost.place, &cost.value.policy));
    for (place, policy) in idle.into_iter().chain(costs) {
        if matches!(policy, Policy::Keep(None)) {
            let mend = "add `platform_cost_center`, or name one: {keep: CC-1}";
            place.refuse("`keep` without a cost centre that keeps it", mend);
        }
    }
}

/// An override on a shared pool in the cost model would move other tenants' shares; one on dedicated pools
/// replaces a price per node-hour, so there must be one.
pub(super) fn overrides_have_list_prices(
    cost_centers: &[Placed<'_, (CostCenter, Terms)>],
    pools: &[Placed<'_, PoolPrice>],
    complete: bool,
) {
    for placed in cost_centers {
        for entry in &placed.value.1.overrides {
            let matching = pools.iter().filter(|pool| pool.value.pool.overlaps(&entry.pool));
            let (any, mend) = match entry.kind {
                Kind::Compute => (has_rate(placed, &entry.pool, matching), "name a pool that has a price"),
                Kind::DedicatedPool => (
                    matching.into_iter().any(|p| matches!(p.value.nodes, Some(NodeCost::PerNodeHour(_)))),
                    "name a pool whose nodes are priced by `node_hour`",
                ),
                _ => continue,
            };
            if !any && complete {
                let message =
                    format!("the override for the pool `{}` matches no entry of `pools`", entry.pool);
                placed.place.refuse(message, mend);
            }
        }
    }
}

/// Whether any entry prices the pools of an override; the first in the cost model is told.
fn has_rate<'p, 'd: 'p>(
    placed: &Placed<'_, (CostCenter, Terms)>,
    pools: &Pattern,
    matching: impl Iterator<Item = &'p Placed<'d, PoolPrice>>,
) -> bool {
    let mut any = false;
    for pool in matching {
        any = true;
        if matches!(pool.value.model, Model::Cost { .. }) {
            let message = format!(
                "the override for the pool `{pools}` would act on a pool in the cost model ({})",
                pool.at()
            );
            placed.place.refuse(message, "overrides are for pools in the model `rate`: name one of those");
            break;
        }
        let [of_pool, rest @ ..] = dimensions(&pool.value);
        if of_pool.covers(pools) && rest.iter().all(|pattern| pattern.is_any()) {
            // Entries after this one price nothing of what the override speaks of.
            break;
        }
    }
    any
}

/// A ledger has one currency.
pub(super) fn one_currency(parts: &[Part<'_>]) {
    let mut given = parts.iter().filter_map(|part| part.currency.as_ref().ok());
    let Some(first) = given.next() else { return };
    for other in given.filter(|other| other.value != first.value) {
        let message = format!("the currency is `{}`, but `{}` in {}", other.value, first.value, first.at());
        other.place.refuse(message, "all prices of a ledger are in one currency");
    }
}

/// A label stands for one edition.
pub(super) fn versions_differ(editions: &[Placed<'_, Edition>]) {
    names_differ(editions, "version", |edition| &edition.version);
}

/// The adjustments of all files, by date and reference. A reference stands for one of them, and each is in a
/// month that the first edition (from the hour `first`) reaches.
pub(super) fn adjustments<'p, 'd: 'p>(
    parts: impl Iterator<Item = &'p Part<'d>>,
    first: Option<Hour>,
    zone: BillingZone,
) -> Vec<Adjustment> {
    let placed: Vec<_> = parts.flat_map(|part| part.adjustments.items.iter().cloned()).collect();
    compete::tell(
        &placed,
        |adjustment| adjustment.reference.as_str(),
        |a, b| {
            let message = format!("the reference `{}` is already given in {}", b.value.reference, a.at());
            Some((message, "if it is not the same adjustment twice, give it a reference of its own"))
        },
    );
    if let Some(first) = first {
        for adjustment in &placed {
            let period = Period::of_date(adjustment.value.date);
            if zone.hours(period).until <= first {
                let message = format!("no prices are in force in {period}, so it would be on no statement");
                adjustment.place.refuse(message, "date it in a month that is charged, or remove it");
            }
        }
    }
    let mut adjustments: Vec<Adjustment> = placed.into_iter().map(|placed| placed.value).collect();
    adjustments.sort_by(|a, b| (a.date, &a.reference).cmp(&(b.date, &b.reference)));
    adjustments
}

/// Terms act once a month, on the whole of it: what [`PriceBook::terms_in`] relies on. Before the first
/// edition nothing is charged, so its terms change nothing wherever it begins.
///
/// [`PriceBook::terms_in`]: crate::book::PriceBook::terms_in
pub(super) fn terms_change_at_period_starts(by_date: &BTreeMap<Hour, Vec<Part<'_>>>, zone: BillingZone) {
    let mut before: BTreeMap<&CostCenter, &Terms> = BTreeMap::new();
    for (from, parts) in by_date {
        let placed: Vec<_> = parts.iter().flat_map(|part| &part.cost_centers.items).collect();
        let now: BTreeMap<&CostCenter, &Terms> =
            placed.iter().map(|placed| (&placed.value.0, &placed.value.1)).collect();
        let first = by_date.keys().next() == Some(from);
        if !first && zone.hours(zone.period_of(*from)).from != *from {
            let mend = "terms change at the start of a billing period: move this to the next one";
            for entry in placed.iter().filter(|e| before.get(&e.value.0) != Some(&&e.value.1)) {
                let message = format!("the terms of `{}` change inside a billing period", entry.value.0);
                entry.place.refuse(message, mend);
            }
            let complete = parts.iter().all(|part| part.cost_centers.complete);
            for name in before.keys().filter(|name| complete && !now.contains_key(*name)) {
                if let Some(part) = parts.first() {
                    let message = format!("the terms of `{name}` end inside a billing period");
                    part.root.refuse(message, mend);
                }
            }
        }
        before = now;
    }
}
