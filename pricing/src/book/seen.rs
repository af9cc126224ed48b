//! What exists in the clusters, held against a book: what has no price is told before it blocks a close.

use std::collections::{BTreeMap, BTreeSet};

use super::{AdjustmentOn, Edition, Model, Policy, PriceBook, Problem};
use crate::money::Currency;
use crate::names::{
    ClusterName, CostCenter, Namespace, Pool, PriceClass, Service, StorageClass, TenantName, TrafficClass,
};
use crate::ownership::{NamespaceState, Owners};
use crate::time::{HourRange, Period};
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

impl PriceBook {
    /// What exists and has no price, and what the book names and does not exist, in the editions that are
    /// in force in some of the hours. Sorted, each problem once.
    pub fn check(&self, seen: &Seen, hours: HourRange) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(first) = self.editions.first()
            && !hours.is_empty()
            && hours.from < first.effective_from
        {
            problems.push(problem(
                first,
                format!("no price is in force from {} to {}", hours.from, first.effective_from),
                "add an edition that begins earlier",
            ));
        }
        for edition in self.in_force(hours) {
            check_nodes(edition, seen, &mut problems);
            check_metered(edition, seen, &mut problems);
            check_people(edition, seen, &mut problems);
        }
        self.check_adjustments(seen, hours, &mut problems);
        self.check_rates(seen, hours, &mut problems);
        problems.sort();
        problems.dedup();
        problems
    }

    /// Adjustments of those days for tenants that do not exist: they are shown on nobody's cost centre.
    fn check_adjustments(&self, seen: &Seen, hours: HourRange, problems: &mut Vec<Problem>) {
        let (from, until) = (self.zone.day_of(hours.from), self.zone.day_of(hours.until.previous()));
        for adjustment in self.adjustments.iter().filter(|entry| (from..=until).contains(&entry.date)) {
            if let AdjustmentOn::Tenant(tenant) = &adjustment.on
                && !seen.tenants.contains(tenant)
            {
                let reference = &adjustment.reference;
                problems.push(Problem {
                    file: "price book".to_owned(),
                    line: None,
                    column: None,
                    path: String::new(),
                    message: format!("the adjustment `{reference}` is for `{tenant}`, which is no tenant"),
                    mend: "correct the name, or give it to a cost centre".to_owned(),
                });
            }
        }
    }

    /// Months without the rate of a reporting currency cannot be closed, if anyone has a statement in it.
    fn check_rates(&self, seen: &Seen, hours: HourRange, problems: &mut Vec<Problem>) {
        let mut period = self.zone.period_of(hours.from);
        while !hours.is_empty() && self.zone.hours(period).from < hours.until {
            if let Some(edition) = self.terms_in(self.zone.hours(period)) {
                let booked = self.booked_on(seen, period);
                for (currency, cost_centers) in self.missing_rates(edition, period, &booked) {
                    let message = format!(
                        "{currency} has no exchange rate for {period}, in which it is the reporting currency of {}",
                        cost_centers.join(", ")
                    );
                    let mend = format!("add it: currencies: {{{currency}: {{{period}: …}}}}");
                    problems.push(problem(edition, message, &mend));
                }
            }
            period = period.next();
        }
    }

    /// The reporting currencies that a month has no rate for, with those that want them.
    fn missing_rates<'b>(
        &self,
        edition: &'b Edition,
        period: Period,
        booked: &BTreeSet<&CostCenter>,
    ) -> BTreeMap<Currency, Vec<&'b str>> {
        let mut missing: BTreeMap<Currency, Vec<&str>> = BTreeMap::new();
        for (cost_center, terms) in &edition.cost_centers {
            if let Some(currency) = terms.reporting_currency
                && self.rate(currency, period).is_none()
                && booked.contains(cost_center)
            {
                missing.entry(currency).or_default().push(cost_center.as_str());
            }
        }
        missing
    }

    /// The cost centres that something can be booked on in a month: their tenants', what is kept on them,
    /// what they are given by hand.
    fn booked_on<'b>(&'b self, seen: &'b Seen, period: Period) -> BTreeSet<&'b CostCenter> {
        let mut booked: BTreeSet<&CostCenter> = seen.cost_centers.iter().collect();
        for edition in self.in_force(self.zone.hours(period)) {
            booked.extend(edition.keepers());
        }
        let dated = self.adjustments.iter().filter(|entry| Period::of_date(entry.date) == period);
        booked.extend(dated.filter_map(|entry| match &entry.on {
            AdjustmentOn::CostCenter(cost_center) => Some(cost_center),
            AdjustmentOn::Tenant(_) => None,
        }));
        booked
    }

    /// The editions that hold in some of the hours.
    pub(super) fn in_force(&self, hours: HourRange) -> impl Iterator<Item = &Edition> {
        let starts = self.editions.iter().map(|edition| edition.effective_from);
        let ends = starts.skip(1).map(Some).chain([None]);
        self.editions.iter().zip(ends).filter_map(move |(edition, end)| {
            let begins_in_time = edition.effective_from < hours.until;
            let ends_too_late = end.is_none_or(|end| end > hours.from);
            (!hours.is_empty() && begins_in_time && ends_too_late).then_some(edition)
        })
    }
}

fn problem(edition: &Edition, message: String, mend: &str) -> Problem {
    Problem {
        file: format!("price book {}", edition.version),
        line: None,
        column: None,
        path: String::new(),
        message,
        mend: mend.to_owned(),
    }
}

fn check_nodes(edition: &Edition, seen: &Seen, problems: &mut Vec<Problem>) {
    for (cluster, class) in &seen.classes {
        let Some(price) = edition.pool_price(cluster, class) else {
            if edition.cluster_price(cluster).is_none() {
                problems.push(problem(
                    edition,
                    format!("the nodes `{class}` in the cluster `{cluster}` have no price"),
                    "add an entry to `pools`, or an amount for the cluster to `clusters`",
                ));
            }
            continue;
        };
        if price.nodes.is_none() && seen.dedicated.contains(&(cluster.clone(), class.pool.clone())) {
            problems.push(problem(
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
                    problems.push(problem(edition, format!("{on} has no price"), mend));
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
            problems.push(problem(
                edition,
                format!("{on} has no weight: who uses it pays nothing for it"),
                mend,
            ));
        }
    }
}

fn check_metered(edition: &Edition, seen: &Seen, problems: &mut Vec<Problem>) {
    let mut tell = |what: String, mend: &str| problems.push(problem(edition, what, mend));
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
fn check_people(edition: &Edition, seen: &Seen, problems: &mut Vec<Problem>) {
    let shared = edition.shared_costs.iter().map(|cost| (cost.name.as_str(), &cost.policy));
    for (name, policy) in shared.chain([("idle", &edition.idle)]) {
        let Policy::Weighted(weights) = policy else { continue };
        for tenant in weights.keys().filter(|tenant| !seen.tenants.contains(*tenant)) {
            let message = format!("`{name}` is shared with `{tenant}`, which is no tenant");
            problems.push(problem(edition, message, "correct the name, or remove it from the weights"));
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
            problems.push(problem(edition, message, "a namespace is shared once: narrow the selections"));
        }
        let Some(tenant) = &state.tenant else { continue };
        if let Some(cost) = edition.shared_by(namespace, &state.labels) {
            let message = format!(
                "the namespace `{namespace}` in the cluster `{cluster}` belongs to `{tenant}` and is shared by `{}`",
                cost.name
            );
            problems.push(problem(edition, message, "a namespace is one or the other: narrow the selection"));
        }
    }
}
