//! The parts of an edition, brought together.

use std::collections::BTreeMap;

use super::part::{Part, Several, Single};
use super::{Placed, priced, rules};
use crate::book::{Edition, Model, Policy};
use crate::problem::Refused;
use crate::time::Hour;

/// Makes one edition of the parts that begin in the same hour. Contradictions, doubles and gaps are
/// recorded; none is returned where the edition could not be made whole.
pub(super) fn merge<'d>(from: Hour, parts: &[Part<'d>]) -> Option<Placed<'d, Edition>> {
    let first = parts.first()?;
    let version = one(parts, "version", |part| &part.version);
    if version.is_none() {
        first.root.refuse("`version` is missing", "give the edition a label such as \"2026-10.1\"");
    }
    let platform = one(parts, "platform_cost_center", |part| &part.platform_cost_center);
    let load_balancer = one(parts, "load_balancer", |part| &part.load_balancer);
    let idle = one(parts, "idle", |part| &part.idle);

    let mut pools = all(parts, |part| &part.pools);
    let mut clusters = all(parts, |part| &part.clusters);
    let mut storage = all(parts, |part| &part.storage);
    let mut network = all(parts, |part| &part.network);
    let services = all(parts, |part| &part.services);
    let shared_costs = all(parts, |part| &part.shared_costs);
    let cost_centers = all(parts, |part| &part.cost_centers);

    pools.sort_by(|a, b| rules::by_class(&a.value, &b.value));
    clusters.sort_by(|a, b| a.value.cluster.cmp(&b.value.cluster));
    storage.sort_by(|a, b| rules::by_pattern(&a.value.class, &b.value.class));
    network.sort_by(|a, b| rules::by_pattern(&a.value.class, &b.value.class));

    rules::pools_do_not_compete(&pools);
    rules::pools_have_one_model(&pools);
    rules::quota_is_for_one_pool(&pools);
    rules::names_differ(&clusters, "cluster", |entry| entry.cluster.as_str());
    rules::patterns_do_not_compete(&storage, "storage class", |entry| &entry.class);
    rules::patterns_do_not_compete(&network, "traffic class", |entry| &entry.class);
    rules::names_differ(&services, "service", |(service, _)| service.as_str());
    rules::names_differ(&shared_costs, "shared cost", |cost| &cost.name);
    rules::names_differ(&cost_centers, "cost centre", |(name, _)| name.as_str());
    rules::namespaces_are_shared_once(&shared_costs);
    let complete = parts.iter().all(|part| part.pools.complete);
    rules::overrides_have_list_prices(&cost_centers, &pools, complete);
    if platform.is_none() {
        rules::nothing_is_kept_nowhere(idle.as_ref(), &shared_costs);
    }
    let shares_cost = pools.iter().any(|pool| matches!(pool.value.model, Model::Cost { .. }));
    let idle = match idle {
        None if shares_cost || !clusters.is_empty() => {
            let mend =
                "pools in the cost model have idle capacity: add `idle`, e.g. {proportional: direct_cost}";
            Err(first.root.refuse("`idle` is missing", mend))
        }
        // Without the cost model there is no idle cost, so the policy never acts.
        None => Ok(Policy::Keep(None)),
        Some(idle) => idle.map(|idle| idle.value),
    };
    if pools.is_empty() && clusters.is_empty() && parts.iter().all(is_complete) {
        first.root.refuse("the edition prices no nodes", "add `pools` or `clusters`");
    }

    let edition = Edition {
        version: version?.ok()?.value,
        effective_from: from,
        platform_cost_center: platform.transpose().ok()?.map(|placed| placed.value),
        pools: values(pools),
        clusters: values(clusters),
        storage: values(storage),
        network: values(network),
        load_balancer: load_balancer.transpose().ok()?.map(|placed| placed.value),
        services: values(services).into_iter().collect(),
        shared_costs: values(shared_costs),
        idle: idle.ok()?,
        cost_centers: values(cost_centers).into_iter().collect::<BTreeMap<_, _>>(),
    };
    priced::agreements_have_prices(&edition, parts);
    Some(Placed { place: first.root.clone(), value: edition })
}

fn is_complete(part: &Part<'_>) -> bool {
    part.pools.complete && part.clusters.complete
}

/// What at most one value may be said for: the first, and a problem for each that contradicts it.
fn one<'d, 'p, T: Clone + PartialEq + 'p>(
    parts: &'p [Part<'d>],
    key: &str,
    of: impl Fn(&'p Part<'d>) -> &'p Single<'d, T>,
) -> Single<'d, T>
where
    'd: 'p,
{
    let mut first: Option<&Placed<'d, T>> = None;
    let mut refused: Option<Refused> = None;
    for given in parts.iter().filter_map(|part| of(part).as_ref()) {
        match (given, first) {
            (Err(told), _) => refused = Some(*told),
            (Ok(placed), None) => first = Some(placed),
            (Ok(placed), Some(first)) if placed.value != first.value => {
                contradiction(key, placed, first);
            }
            (Ok(_), Some(_)) => {}
        }
    }
    first.map(|placed| Ok(placed.clone())).or(refused.map(Err))
}

fn contradiction<T>(key: &str, placed: &Placed<'_, T>, first: &Placed<'_, T>) {
    let message = format!("`{key}` contradicts {}, which begins on the same date", first.at());
    placed.place.refuse(message, "files with one `effective_from` are one edition: make them agree");
}

fn all<'d, 'p, T: Clone + 'p>(
    parts: &'p [Part<'d>],
    of: impl Fn(&'p Part<'d>) -> &'p Several<'d, T>,
) -> Vec<Placed<'d, T>>
where
    'd: 'p,
{
    parts.iter().flat_map(|part| of(part).items.iter().cloned()).collect()
}

fn values<T>(placed: Vec<Placed<'_, T>>) -> Vec<T> {
    placed.into_iter().map(|placed| placed.value).collect()
}
