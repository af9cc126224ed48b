//! What an edition names and a month knows nothing of: a slip of the pen, or what is still to come.

use super::places::Entry;
use super::{Edition, NodeCost, PoolPrice, PriceBook, Problem, Seen, SharedWhat};
use crate::names::{ClusterName, Pool};
use crate::time::{HourRange, Period};

impl PriceBook {
    /// Clusters, pools, shared namespaces and services that did not occur in the hours. Sorted, each once.
    pub fn unseen(&self, seen: &Seen, hours: HourRange) -> Vec<Problem> {
        let mut unseen = Vec::new();
        for period in self.periods_in(hours) {
            for edition in self.in_force(self.zone.hours(period)) {
                let mut tell = |entry: Entry, message: String, mend: &str| {
                    unseen.push(self.places.of_entry(edition, entry, message, mend));
                };
                nodes(edition, seen, period, &mut tell);
                services(edition, seen, period, &mut tell);
                namespaces(edition, seen, period, &mut tell);
            }
        }
        unseen.sort();
        unseen.dedup();
        unseen
    }
}

type Tell<'t> = dyn FnMut(Entry, String, &str) + 't;

fn nodes(edition: &Edition, seen: &Seen, period: Period, tell: &mut Tell<'_>) {
    const MEND: &str = "correct the name, or remove the entry while there is nothing to pay for";
    for price in edition.clusters.iter().filter(|price| !seen.has_cluster(&price.cluster)) {
        let message = format!(
            "the cluster `{}` did not exist in {period}, and its amount falls to `__unassigned__`",
            price.cluster
        );
        tell(Entry::Cluster(price.cluster.clone()), message, MEND);
    }
    for price in &edition.pools {
        let entry = Entry::of_pool(price);
        if matches!(price.nodes, Some(NodeCost::PerMonth(_))) {
            if !edition.prices_some_of_its_own(price, seen) {
                let message = format!(
                    "it prices no nodes that were there in {period}, and its amount falls to `__unassigned__`"
                );
                tell(entry, message, MEND);
            }
        } else if !price.pool.is_any() && !seen.pools().any(|(cluster, pool)| price.is_for(cluster, pool)) {
            let place =
                price.cluster.name().map(|name| format!(", in the cluster `{name}`")).unwrap_or_default();
            let message = format!("no pool `{}` was there in {period}{place}", price.pool);
            tell(entry, message, "correct the name, or let the price wait for such a pool");
        }
    }
}

fn services(edition: &Edition, seen: &Seen, period: Period, tell: &mut Tell<'_>) {
    for service in edition.services.keys().filter(|service| !seen.services.contains(*service)) {
        let message = format!("no tenant had the service `{service}` switched on in {period}");
        tell(Entry::Service(service.clone()), message, "correct the name, or let the fee wait for a tenant");
    }
}

fn namespaces(edition: &Edition, seen: &Seen, period: Period, tell: &mut Tell<'_>) {
    const MEND: &str = "correct it, or remove it: nothing is shared by it";
    for cost in &edition.shared_costs {
        let SharedWhat::Namespaces { names, labels } = &cost.what else { continue };
        let entry = || Entry::Shared(cost.name.clone());
        for name in names {
            let mut known = seen.namespaces.keys();
            if !known.any(|(_, namespace)| name.matches(namespace.as_str())) {
                tell(entry(), format!("no namespace `{name}` existed in {period}"), MEND);
            }
        }
        let mut states = seen.namespaces.values();
        let labelled = |given: &std::collections::BTreeMap<String, String>| {
            labels.iter().all(|(key, value)| given.get(key) == Some(value))
        };
        if !labels.is_empty() && !states.any(|state| labelled(&state.labels)) {
            let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("`{key}: {value}`")).collect();
            let message = format!("no namespace had the labels {} in {period}", wanted.join(", "));
            tell(entry(), message, MEND);
        }
    }
}

impl Seen {
    fn pools(&self) -> impl Iterator<Item = (&ClusterName, &Pool)> {
        let measured = self.classes.iter().map(|(cluster, class)| (cluster, &class.pool));
        measured.chain(self.dedicated.iter().map(|(cluster, pool)| (cluster, pool)))
    }

    fn has_cluster(&self, name: &ClusterName) -> bool {
        self.pools().map(|(cluster, _)| cluster).any(|cluster| cluster == name)
            || self.namespaces.keys().any(|(cluster, _)| cluster == name)
    }
}

impl PoolPrice {
    fn is_for(&self, cluster: &ClusterName, pool: &Pool) -> bool {
        self.pool.matches(pool.as_str()) && self.cluster.matches(cluster.as_str())
    }
}

impl Edition {
    /// Whether an entry is the best for some nodes that were there.
    fn prices_some_of_its_own(&self, entry: &PoolPrice, seen: &Seen) -> bool {
        let best = |(cluster, class)| self.pool_price(cluster, class);
        seen.classes
            .iter()
            .map(|(cluster, class)| (cluster, class))
            .filter_map(best)
            .any(|best| best == entry)
    }
}
