//! Who wanted how much of a pool: the billable quantities, by the basis of its price.

use std::collections::BTreeMap;

use super::nodes::{Class, Classes, Price, unsigned};
use crate::Overflow;
use crate::apportion::largest_remainder;
use crate::book::Basis;
use crate::charge::item;
use crate::names::{ClusterName, Namespace, Pool, PriceClass, VirtualNamespace};
use crate::quantity::{Quantity, Unit};
use crate::usage::{QuotaRow, UsageHour};

/// Who wants something, in the order ties are broken in.
pub(super) type Wanter<'a> = (&'a Namespace, Option<&'a VirtualNamespace>);

/// How much somebody wants of a resource.
pub(super) type Wanted<'a> = (Wanter<'a>, Quantity);

/// What is wanted of each resource: each wanter once, in their order.
pub(super) type Demand<'a> = BTreeMap<&'a str, Vec<Wanted<'a>>>;

/// What a resource is counted in.
pub(super) fn unit_of(resource: &str) -> Unit {
    match resource {
        item::CPU => Unit::CoreHours,
        item::MEMORY => Unit::GibHours,
        _ => Unit::GpuHours,
    }
}

/// The billable quantities of a class, without quotas.
pub(super) fn of_class<'a>(class: &Class<'a>, basis: Basis) -> Result<Demand<'a>, Overflow> {
    let mut demand = Demand::new();
    for row in &class.rows {
        let (cpu, memory) = match basis {
            Basis::Request => (row.cpu_request, row.memory_request),
            Basis::Usage => (row.cpu_usage, row.memory_usage),
            Basis::Max | Basis::Quota => (row.cpu_max, row.memory_max),
        };
        let wanter = (&row.namespace, row.virtual_namespace.as_ref());
        let gpus = row.gpu_request.iter().map(|(name, quantity)| (name.as_str(), *quantity));
        for (resource, quantity) in [(item::CPU, cpu), (item::MEMORY, memory)].into_iter().chain(gpus) {
            demand.entry(resource).or_default().push((wanter, quantity));
        }
    }
    demand.values_mut().try_for_each(fold)?;
    Ok(demand)
}

/// Adds up what one wants in several rows. Rows come sorted, mostly with one for each.
fn fold(wanted: &mut Vec<Wanted<'_>>) -> Result<(), Overflow> {
    wanted.sort_by_key(|(wanter, _)| *wanter);
    let mut folded = Ok(());
    wanted.dedup_by(|(wanter, quantity), (before, sum)| {
        let same = wanter == before;
        if same {
            match sum.checked_add(*quantity) {
                Ok(more) => *sum = more,
                Err(overflow) => folded = Err(overflow),
            }
        }
        same
    });
    folded
}

/// The classes of the pool that bills quotas in each cluster: the first shared one whose basis says so.
fn quota_pools<'a>(classes: &Classes<'a>) -> BTreeMap<&'a ClusterName, &'a Pool> {
    let mut pools = BTreeMap::new();
    for ((cluster, class), unit) in classes {
        if bills_quota(unit) {
            pools.entry(*cluster).or_insert(&class.pool);
        }
    }
    pools
}

fn bills_quota(unit: &Class<'_>) -> bool {
    unit.dedicated.is_none() && unit.price.map(Price::basis) == Some(Basis::Quota)
}

/// Each class's billable quantities, quotas in place of usage where the basis says so.
///
/// A quota is the host namespace's: it has no virtual namespace and no class, so it is split over the
/// pool's classes by their capacity, and what was measured of that resource is not billed besides. In an hour
/// in which the pool has neither a node nor a container it is not there: nothing was reserved on it, and
/// there is no class that a line could name.
pub(super) fn of_all<'a>(
    classes: &Classes<'a>,
    usage: &[&'a UsageHour],
) -> Result<BTreeMap<(&'a ClusterName, &'a PriceClass), Demand<'a>>, Overflow> {
    let mut demands = BTreeMap::new();
    for (key, unit) in classes {
        let basis = unit.price.map_or(Basis::Max, Price::basis);
        demands.insert(*key, of_class(unit, basis)?);
    }
    let pools = quota_pools(classes);
    for hour in usage {
        let Some(pool) = pools.get(&hour.cluster) else { continue };
        let units: Vec<_> = classes
            .iter()
            .filter(|((cluster, class), unit)| {
                **cluster == hour.cluster && class.pool == **pool && bills_quota(unit)
            })
            .collect();
        for quota in &hour.quotas {
            for (resource, limit) in [(item::CPU, quota.cpu), (item::MEMORY, quota.memory)] {
                let Some(limit) = limit else { continue };
                bill_quota(&units, &mut demands, resource, quota, limit)?;
            }
        }
    }
    Ok(demands)
}

fn bill_quota<'a>(
    units: &[(&(&'a ClusterName, &'a PriceClass), &Class<'a>)],
    demands: &mut BTreeMap<(&'a ClusterName, &'a PriceClass), Demand<'a>>,
    resource: &'a str,
    quota: &'a QuotaRow,
    limit: Quantity,
) -> Result<(), Overflow> {
    let mut capacity = Vec::new();
    let mut node_hours = Vec::new();
    for (_, unit) in units {
        capacity.push(unit.capacity()?.get(resource).copied().unwrap_or(0));
        node_hours.push(unsigned(unit.node_hours()?)?);
    }
    let whole = i128::from(limit.micros());
    let even = vec![1; units.len()];
    let mut parts = None;
    for weights in [capacity, node_hours, even] {
        parts = match parts {
            Some(parts) => Some(parts),
            None => largest_remainder(whole, &weights)?,
        };
    }
    for ((key, _), part) in units.iter().zip(parts.unwrap_or_default()) {
        let demand = demands.entry(**key).or_default().entry(resource).or_default();
        let from = demand.partition_point(|((namespace, _), _)| *namespace < &quota.namespace);
        let until = demand.partition_point(|((namespace, _), _)| *namespace <= &quota.namespace);
        let part = i64::try_from(part).map_err(|_| Overflow("quota"))?;
        let limit = ((&quota.namespace, None), Quantity::from_micros(part));
        demand.splice(from..until, [limit]);
    }
    Ok(())
}
