//! What exists in the clusters, held against a book: what has no price is told before it blocks a close.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Edition, Model, Policy, PriceBook, Problem};
use crate::money::Currency;
use crate::names::{
    ClusterName, CostCenter, Namespace, Pool, PriceClass, Service, StorageClass, TenantName, TrafficClass,
};
use crate::ownership::{NamespaceState, Owners};
use crate::statement::MonthFacts;
use crate::time::{Hour, HourRange};
use crate::usage::UsageHour;

/// What exists and needs a price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Node price classes.
    pub classes: BTreeSet<(ClusterName, PriceClass)>,
    /// Dedicated pools: they are charged by what their nodes cost, whatever the model.
    pub dedicated: BTreeSet<(ClusterName, Pool)>,
    /// GPU resources, by the price class of their nodes.
    pub gpus: BTreeSet<(ClusterName, PriceClass, String)>,
    /// Storage classes.
    pub storage: BTreeSet<StorageClass>,
    /// Traffic classes.
    pub traffic: BTreeSet<TrafficClass>,
    /// Whether there are load balancers.
    pub load_balancers: bool,
    /// Services that tenants have switched on.
    pub services: BTreeSet<Service>,
    /// Tenants.
    pub tenants: BTreeSet<TenantName>,
    /// Cost centres that had a tenant.
    pub cost_centers: BTreeSet<CostCenter>,
    /// Namespaces and who owns them.
    pub namespaces: BTreeMap<(ClusterName, Namespace), NamespaceState>,
    /// The first hour that counts, where not all do: a book need not reach what is before it.
    pub counts_from: Option<Hour>,
}

impl Seen {
    /// Adds what an hour of usage tells of.
    pub fn add_usage(&mut self, usage: &UsageHour) {
        let cluster = &usage.cluster;
        let classes =
            usage.nodes.iter().map(|row| &row.class).chain(usage.compute.iter().map(|row| &row.class));
        self.classes.extend(classes.map(|class| (cluster.clone(), class.clone())));
        for row in &usage.compute {
            let gpus = row.gpu_request.keys();
            self.gpus.extend(gpus.map(|gpu| (cluster.clone(), row.class.clone(), gpu.clone())));
        }
        self.storage.extend(usage.storage.iter().map(|row| row.class.clone()));
        self.traffic.extend(usage.network.iter().map(|row| row.class.clone()));
        self.load_balancers |= !usage.load_balancers.is_empty();
    }

    /// Whoever existed in a month, and nothing of what was used.
    pub fn people(facts: &MonthFacts) -> Self {
        let (tenants, cost_centers) = (facts.tenants().cloned(), facts.cost_centers().cloned());
        Self { tenants: tenants.collect(), cost_centers: cost_centers.collect(), ..Self::default() }
    }

    /// Adds what the ownership of an hour tells of.
    pub fn add_owners(&mut self, owners: &Owners) {
        self.dedicated.extend(owners.dedicated.keys().cloned());
        for ((_, tenant), state) in &owners.tenants {
            self.tenants.insert(tenant.clone());
            self.cost_centers.insert(state.cost_center.clone());
            self.services.extend(state.services.iter().cloned());
        }
        let namespaces = owners.namespaces.iter();
        self.namespaces.extend(namespaces.map(|(key, state)| (key.clone(), state.clone())));
    }
}

/// Something in which a book does not fit what there was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Misfit {
    /// What, and how to mend it.
    pub problem: Problem,
    /// Whether the month could not be closed: what is used is unpriced, or nobody can be shown an agreed
    /// currency. Everything else is charged, to whom it may not be meant for.
    pub blocks_close: bool,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

/// Collects them.
#[derive(Debug, Default)]
pub(super) struct Misfits(Vec<Misfit>);

impl Misfits {
    pub(super) fn blocks(&mut self, problem: Problem) {
        self.0.push(Misfit { problem, blocks_close: true });
    }

    pub(super) fn is_odd(&mut self, problem: Problem) {
        self.0.push(Misfit { problem, blocks_close: false });
    }

    /// Each once.
    fn into_sorted(mut self) -> Vec<Misfit> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

impl PriceBook {
    /// That the book is in another currency than what was charged so far.
    pub fn other_currency(&self, kept: Currency) -> Option<Problem> {
        if self.currency == kept {
            return None;
        }
        let message = format!("the currency is {}, but what the ledger holds is in {kept}", self.currency);
        let mend = "a ledger has one currency: correct it, or begin another ledger";
        Some(self.places.of_currency(message, mend))
    }

    /// What exists and has no price in an edition that holds from an hour on, or that will: said of the book that
    /// is to take the place of another, which priced it.
    pub fn unpriced_from(&self, seen: &Seen, hour: Hour) -> Vec<Problem> {
        let mut found = Misfits::default();
        for edition in self.in_force(HourRange { from: hour, until: Hour::from_index(i64::MAX) }) {
            check_nodes(edition, seen, &mut found);
            check_metered(edition, seen, &mut found);
        }
        found.0.into_iter().map(|misfit| misfit.problem).collect()
    }

    /// What exists and has no price, and what the book names and does not exist, in the editions that are
    /// in force in some of the hours. Sorted, each problem once.
    pub fn check(&self, seen: &Seen, hours: HourRange) -> Vec<Misfit> {
        let mut found = Misfits::default();
        let from = seen.counts_from.unwrap_or(hours.from).max(hours.from);
        if let Some(first) = self.editions.first()
            && from < hours.until
            && from < first.effective_from
        {
            found.blocks(problem(
                first,
                format!("no price is in force from {from} to {}", first.effective_from),
                "add an edition that begins earlier",
            ));
        }
        for edition in self.in_force(hours) {
            check_nodes(edition, seen, &mut found);
            check_metered(edition, seen, &mut found);
            check_people(edition, seen, &mut found);
        }
        self.check_adjustments(seen, hours, &mut found);
        self.check_rates(seen, hours, &mut found);
        found.into_sorted()
    }

    /// The editions that hold in some of the hours.
    pub(crate) fn in_force(&self, hours: HourRange) -> impl Iterator<Item = &Edition> {
        let starts = self.editions.iter().map(|edition| edition.effective_from);
        let ends = starts.skip(1).map(Some).chain([None]);
        self.editions.iter().zip(ends).filter_map(move |(edition, end)| {
            let begins_in_time = edition.effective_from < hours.until;
            let ends_too_late = end.is_none_or(|end| end > hours.from);
            (!hours.is_empty() && begins_in_time && ends_too_late).then_some(edition)
        })
    }
}

pub(super) fn problem(edition: &Edition, message: String, mend: &str) -> Problem {
    Problem {
        file: format!("price book {}", edition.version),
        line: None,
        column: None,
        path: String::new(),
        message,
        mend: mend.to_owned(),
    }
}

fn check_nodes(edition: &Edition, seen: &Seen, found: &mut Misfits) {
    for (cluster, class) in &seen.classes {
        let Some(price) = edition.pool_price(cluster, class) else {
            if edition.cluster_price(cluster).is_none() {
                found.blocks(problem(
                    edition,
                    format!("the nodes `{class}` in the cluster `{cluster}` have no price"),
                    "add an entry to `pools`, or an amount for the cluster to `clusters`",
                ));
            }
            continue;
        };
        if price.nodes.is_none() && seen.dedicated.contains(&(cluster.clone(), class.pool.clone())) {
            found.blocks(problem(
                edition,
                format!(
                    "the pool `{}` in the cluster `{cluster}` is dedicated, but its nodes have no price",
                    class.pool
                ),
                "add `node_hour` to its entry: a dedicated pool is charged by what its nodes cost",
            ));
        }
    }
    for (cluster, class, gpu) in &seen.gpus {
        let on = format!("`{gpu}` on the nodes `{class}` in the cluster `{cluster}`");
        let pool = edition.pool_price(cluster, class);
        let weights = match pool.map(|price| &price.model) {
            Some(Model::Rate { gpu: prices, .. }) => {
                if !prices.contains_key(gpu) {
                    let mend = "add it to `gpu_hour` of the pool's entry";
                    found.blocks(problem(edition, format!("{on} has no price"), mend));
                }
                continue;
            }
            Some(Model::Cost { weights }) => Some(weights),
            None => edition.cluster_price(cluster).map(|price| &price.weights),
        };
        // A dedicated pool is charged whole, whoever uses what of it.
        let whole = seen.dedicated.contains(&(cluster.clone(), class.pool.clone()));
        if !whole && weights.is_some_and(|weights| !weights.gpu.contains_key(gpu)) {
            let mend = "add it to `gpu` of the weights; a weight of zero is a weight";
            found.is_odd(problem(
                edition,
                format!("{on} has no weight: who uses it pays nothing for it"),
                mend,
            ));
        }
    }
}

fn check_metered(edition: &Edition, seen: &Seen, found: &mut Misfits) {
    let mut tell = |what: String, mend: &str| found.blocks(problem(edition, what, mend));
    for class in seen.storage.iter().filter(|class| edition.storage_rate(class).is_none()) {
        tell(format!("the storage class `{class}` has no price"), "add it to `storage`");
    }
    for class in seen.traffic.iter().filter(|class| edition.network_rate(class).is_none()) {
        tell(format!("the traffic class `{class}` has no price"), "add it to `network`");
    }
    if seen.load_balancers && edition.load_balancer.is_none() {
        tell("load balancers have no price".to_owned(), "add `load_balancer`");
    }
    for service in seen.services.iter().filter(|service| !edition.services.contains_key(*service)) {
        tell(
            format!("the service `{service}` has no price"),
            "add it to `services`; a price of zero is a price",
        );
    }
}

/// Tenants that do not exist, and namespaces that are both somebody's and everybody's.
fn check_people(edition: &Edition, seen: &Seen, found: &mut Misfits) {
    let shared = edition.shared_costs.iter().map(|cost| (cost.name.as_str(), &cost.policy));
    for (name, policy) in shared.chain([("idle", &edition.idle)]) {
        let Policy::Weighted(weights) = policy else { continue };
        for tenant in weights.keys().filter(|tenant| !seen.tenants.contains(*tenant)) {
            let message = format!("`{name}` is shared with `{tenant}`, which is no tenant");
            found.is_odd(problem(edition, message, "correct the name, or remove it from the weights"));
        }
    }
    for ((cluster, namespace), state) in &seen.namespaces {
        let mut sharing =
            edition.shared_costs.iter().filter(|cost| cost.what.selects(namespace, &state.labels));
        if let (Some(first), Some(second)) = (sharing.next(), sharing.next()) {
            let message = format!(
                "the namespace `{namespace}` in the cluster `{cluster}` is shared by `{}` and by `{}`",
                first.name, second.name
            );
            found.is_odd(problem(edition, message, "a namespace is shared once: narrow the selections"));
        }
        let Some(tenant) = &state.tenant else { continue };
        if let Some(cost) = edition.shared_by(namespace, &state.labels) {
            let message = format!(
                "the namespace `{namespace}` in the cluster `{cluster}` belongs to `{tenant}` and is shared by `{}`",
                cost.name
            );
            found.is_odd(problem(edition, message, "a namespace is one or the other: narrow the selection"));
        }
    }
}
