//! What pools cost and who wanted how much of them.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::book::{Basis, Model, NodeCost, Weights};
use defray_pricing::charge::{Kind, LineKey};
use defray_pricing::money::UnitPrice;
use defray_pricing::names::{ClusterName, Pool, TenantName};
use num_traits::{One, Zero};

use super::{
    BaseRow, Class, Direct, Oracle, Q, Wanted, apportion, of_price, of_quantity, split, ten, to_decimals,
    whole,
};

/// What each class costs, where the book says.
type Costs = BTreeMap<Class, Option<Q>>;

impl Oracle<'_> {
    pub(super) fn entry(&self, (cluster, class): &Class) -> Option<usize> {
        self.edition.pools.iter().position(|entry| {
            entry.pool.matches(class.pool.as_str())
                && entry.instance_type.matches(class.instance_type.as_str())
                && entry.capacity_type.matches(class.capacity_type.as_str())
                && entry.cluster.matches(cluster.as_str())
        })
    }

    pub(super) fn cluster_entry(&self, cluster: &ClusterName) -> Option<usize> {
        self.edition.clusters.iter().position(|entry| entry.cluster == *cluster)
    }

    pub(super) fn capacity(&self, (cluster, class): &Class, resource: &str) -> Q {
        let nodes = self.hour_usage(cluster).map_or(&[][..], |usage| &usage.nodes);
        let of = nodes.iter().filter(|node| node.class == *class).map(|node| match resource {
            "cpu" => of_quantity(node.cpu_capacity),
            "memory" => of_quantity(node.memory_capacity),
            "node" => of_quantity(node.node_hours),
            gpu => node.gpu_capacity.get(gpu).map_or_else(Q::zero, |gpus| of_quantity(*gpus)),
        });
        of.sum()
    }

    pub(super) fn weigh(&self, class: &Class, weights: &Weights) -> BTreeMap<String, Q> {
        let mut worth = BTreeMap::new();
        let all = [("cpu", weights.cpu), ("memory", weights.memory)].into_iter();
        for (resource, weight) in all.chain(weights.gpu.iter().map(|(name, weight)| (name.as_str(), *weight)))
        {
            worth.insert(resource.to_owned(), whole(i128::from(weight)) * self.capacity(class, resource));
        }
        worth
    }

    /// Splits an amount over groups of classes: by weight x capacity, else by node-hours, else not at all.
    pub(super) fn over(
        &self,
        amount: &Q,
        groups: &[Vec<Class>],
        weights: Option<&Weights>,
    ) -> Option<Vec<Q>> {
        let none = Weights::default();
        let sum = |group: &Vec<Class>| -> Q {
            group.iter().flat_map(|class| self.weigh(class, weights.unwrap_or(&none)).into_values()).sum()
        };
        let hours =
            |group: &Vec<Class>| -> Q { group.iter().map(|class| self.capacity(class, "node")).sum() };
        split(amount, &groups.iter().map(sum).collect::<Vec<Q>>())
            .or_else(|| split(amount, &groups.iter().map(hours).collect::<Vec<Q>>()))
    }

    /// What each class costs, none where the book does not say; and what was paid for no node.
    pub(super) fn costs(&self, classes: &BTreeSet<Class>) -> (Costs, Vec<(LineKey, Q)>) {
        let mut costs = BTreeMap::new();
        let mut lost = Vec::new();
        for class in classes {
            let cost = match self.entry(class).map(|place| &self.edition.pools[place].nodes) {
                Some(Some(NodeCost::PerNodeHour(price))) => {
                    Some(of_price(*price) * self.capacity(class, "node"))
                }
                Some(Some(NodeCost::PerMonth(_))) => Some(Q::zero()),
                Some(None) => None,
                None => self.cluster_entry(&class.0).map(|_| Q::zero()),
            };
            costs.insert(class.clone(), cost);
        }
        for (place, entry) in self.edition.pools.iter().enumerate() {
            let Some(NodeCost::PerMonth(amount)) = &entry.nodes else { continue };
            let amount = self.part(*amount);
            let mine: Vec<Class> = classes.iter().filter(|c| self.entry(c) == Some(place)).cloned().collect();
            let groups: Vec<Vec<Class>> = mine.iter().map(|class| vec![class.clone()]).collect();
            let weights = if let Model::Cost { weights } = &entry.model { Some(weights) } else { None };
            if let Some(parts) = self.over(&amount, &groups, weights) {
                costs.extend(mine.into_iter().zip(parts.into_iter().map(Some)));
            } else {
                let cluster = entry.cluster.is_exact().then(|| ClusterName::from(entry.cluster.as_str()));
                lost.push((self.nobodys(cluster, entry.pool.as_str()), amount));
            }
        }
        for cluster in self.clusters() {
            let Some(place) = self.cluster_entry(&cluster) else { continue };
            let entry = &self.edition.clusters[place];
            let amount = self.part(entry.amount);
            let mine: Vec<&Class> =
                classes.iter().filter(|class| class.0 == cluster && self.entry(class).is_none()).collect();
            let mut pools: BTreeMap<&Pool, Vec<Class>> = BTreeMap::new();
            for class in mine {
                pools.entry(&class.1.pool).or_default().push(class.clone());
            }
            let pools: Vec<Vec<Class>> = pools.into_values().collect();
            let Some(parts) = self.over(&amount, &pools, Some(&entry.weights)) else {
                lost.push((self.nobodys(Some(cluster), "(cluster)"), amount));
                continue;
            };
            for (pool, part) in pools.into_iter().zip(parts) {
                let groups: Vec<Vec<Class>> = pool.iter().map(|class| vec![class.clone()]).collect();
                if let Some(parts) = self.over(&part, &groups, Some(&entry.weights)) {
                    costs.extend(pool.into_iter().zip(parts.into_iter().map(Some)));
                }
            }
        }
        (costs, lost)
    }

    pub(super) fn nobodys(&self, cluster: Option<ClusterName>, item: &str) -> LineKey {
        let mut key = self.key(None, &TenantName::unassigned(), Kind::Idle, item);
        key.cluster = cluster;
        key
    }

    /// Every cluster that anything is known of.
    pub(super) fn clusters(&self) -> BTreeSet<ClusterName> {
        let owners = &self.world.owners;
        let named = self.edition.clusters.iter().map(|entry| entry.cluster.clone());
        let mut clusters: BTreeSet<ClusterName> = named.collect();
        clusters.extend(owners.tenants.keys().map(|(cluster, _)| cluster.clone()));
        clusters.extend(owners.namespaces.keys().map(|(cluster, _)| cluster.clone()));
        clusters.extend(owners.dedicated.keys().map(|(cluster, _)| cluster.clone()));
        clusters.extend(self.world.usage.iter().map(|usage| usage.cluster.clone()));
        clusters
    }

    pub(super) fn basis(&self, class: &Class) -> Option<Basis> {
        let own = self.entry(class).map(|place| self.edition.pools[place].basis);
        own.or_else(|| self.cluster_entry(&class.0).map(|place| self.edition.clusters[place].basis))
    }

    pub(super) fn is_dedicated(&self, class: &Class) -> Option<&TenantName> {
        self.world.owners.dedicated.get(&(class.0.clone(), class.1.pool.clone()))
    }

    pub(super) fn wanted(&self, classes: &BTreeSet<Class>, class: &Class) -> Wanted {
        let mut wanted = Wanted::new();
        let Some(usage) = self.hour_usage(&class.0) else { return wanted };
        let basis = self.basis(class).unwrap_or(Basis::Max);
        let quota_class =
            |class: &Class| self.basis(class) == Some(Basis::Quota) && self.is_dedicated(class).is_none();
        let quota_pool = classes.iter().find(|c| c.0 == class.0 && quota_class(c)).map(|c| c.1.pool.clone());
        let bills_quota = quota_class(class) && quota_pool.as_ref() == Some(&class.1.pool);
        for row in usage.compute.iter().filter(|row| row.class == class.1) {
            let (cpu, memory) = match basis {
                Basis::Request => (row.cpu_request, row.memory_request),
                Basis::Usage => (row.cpu_usage, row.memory_usage),
                Basis::Max | Basis::Quota => (row.cpu_max, row.memory_max),
            };
            let quota = usage.quotas.iter().find(|quota| bills_quota && quota.namespace == row.namespace);
            let key = (row.namespace.clone(), row.virtual_namespace.clone());
            if quota.and_then(|quota| quota.cpu).is_none() {
                wanted.entry("cpu".to_owned()).or_default().insert(key.clone(), of_quantity(cpu));
            }
            if quota.and_then(|quota| quota.memory).is_none() {
                wanted.entry("memory".to_owned()).or_default().insert(key.clone(), of_quantity(memory));
            }
            for (gpu, quantity) in &row.gpu_request {
                wanted.entry(gpu.clone()).or_default().insert(key.clone(), of_quantity(*quantity));
            }
        }
        if bills_quota {
            let pool: Vec<&Class> = classes
                .iter()
                .filter(|c| c.0 == class.0 && c.1.pool == class.1.pool && quota_class(c))
                .collect();
            let place = pool.iter().position(|c| *c == class).unwrap();
            for quota in &usage.quotas {
                for (resource, limit) in [("cpu", quota.cpu), ("memory", quota.memory)] {
                    let Some(limit) = limit else { continue };
                    let by = |what: &str| pool.iter().map(|c| self.capacity(c, what)).collect::<Vec<Q>>();
                    let limit = whole(i128::from(limit.micros()));
                    let parts = apportion(&limit, &by(resource))
                        .or_else(|| apportion(&limit, &by("node")))
                        .or_else(|| apportion(&limit, &vec![Q::one(); pool.len()]))
                        .unwrap();
                    let key = (quota.namespace.clone(), None);
                    wanted.entry(resource.to_owned()).or_default().insert(key, &parts[place] / ten(6));
                }
            }
        }
        wanted
    }

    pub(super) fn pools(&mut self) {
        let mut classes: BTreeSet<Class> = BTreeSet::new();
        for usage in &self.world.usage {
            classes.extend(usage.nodes.iter().map(|node| (usage.cluster.clone(), node.class.clone())));
            classes.extend(usage.compute.iter().map(|row| (usage.cluster.clone(), row.class.clone())));
        }
        let (costs, lost) = self.costs(&classes);
        for (key, amount) in lost {
            self.book(key, None, Q::zero(), amount);
        }
        for class in &classes {
            let wanted = self.wanted(&classes, class);
            let cost = costs[class].clone();
            if let Some(tenant) = self.is_dedicated(class).cloned() {
                self.dedicated(class, &tenant, cost, &wanted);
                continue;
            }
            let entry = self.entry(class).map(|place| &self.edition.pools[place]);
            let cluster_weights =
                || self.cluster_entry(&class.0).map(|place| &self.edition.clusters[place].weights);
            match (entry.map(|entry| &entry.model), cost) {
                (Some(Model::Rate { cpu, memory, gpu }), _) => {
                    let price = |resource: &str| match resource {
                        "cpu" => *cpu,
                        "memory" => *memory,
                        name => gpu.get(name).copied(),
                    };
                    self.at_rates(class, &wanted, price);
                }
                (Some(Model::Cost { weights }), Some(cost)) => self.recovered(class, &wanted, weights, &cost),
                (None, Some(cost)) => self.recovered(class, &wanted, cluster_weights().unwrap(), &cost),
                (_, None) => {
                    self.at_rates(class, &wanted, |_| None);
                    let mut key = self.key(Some(&class.0), &TenantName::unassigned(), Kind::Unpriced, "node");
                    key.class = Some(class.1.clone());
                    self.book(key, None, self.capacity(class, "node"), Q::zero());
                }
            }
        }
    }

    pub(super) fn dedicated(&mut self, class: &Class, tenant: &TenantName, cost: Option<Q>, wanted: &Wanted) {
        let kind = if cost.is_some() { Kind::DedicatedPool } else { Kind::Unpriced };
        let mut key = self.key(Some(&class.0), tenant, kind, "node");
        key.class = Some(class.1.clone());
        if let Some(place) = self.entry(class)
            && let Some(NodeCost::PerNodeHour(price)) = &self.edition.pools[place].nodes
        {
            key.unit_price = Some(*price);
        }
        self.book(key, None, self.capacity(class, "node"), cost.clone().unwrap_or_else(Q::zero));
        let Some(cost) = cost else { return };
        let own = |resource: &str| -> Q {
            let rows = wanted.get(resource).into_iter().flatten();
            rows.filter(|((namespace, _), _)| self.bearer(&class.0, namespace).as_ref() == Ok(tenant))
                .map(|(_, quantity)| quantity.clone())
                .sum()
        };
        let (cpu, memory) = (own("cpu"), own("memory"));
        let (cluster, pool) = (class.0.clone(), Some(class.1.pool.clone()));
        self.bases.push(BaseRow { cluster, pool, tenant: tenant.clone(), cost, cpu, memory });
    }

    pub(super) fn at_rates(
        &mut self,
        class: &Class,
        wanted: &Wanted,
        price: impl Fn(&str) -> Option<UnitPrice>,
    ) {
        for (resource, rows) in wanted {
            for ((namespace, inner), quantity) in rows {
                let price = price(resource);
                self.direct(Direct {
                    cluster: &class.0,
                    namespace,
                    inner: inner.clone(),
                    kind: if price.is_some() { Kind::Compute } else { Kind::Unpriced },
                    class: Some(class.1.clone()),
                    item: resource,
                    price,
                    quantity: quantity.clone(),
                    amount: price.map_or_else(Q::zero, of_price) * quantity,
                });
            }
        }
    }

    pub(super) fn recovered(&mut self, class: &Class, wanted: &Wanted, weights: &Weights, cost: &Q) {
        let cost = to_decimals(cost, 9);
        let worth = self.weigh(class, weights);
        let parts = split(&cost, &worth.values().cloned().collect::<Vec<Q>>());
        let mut idle = if parts.is_none() { cost } else { Q::zero() };
        let mut parts: BTreeMap<&String, Q> = worth.keys().zip(parts.into_iter().flatten()).collect();
        for (resource, rows) in wanted {
            let part = parts.remove(resource).unwrap_or_else(Q::zero);
            let used: Q = rows.values().sum();
            let capacity = self.capacity(class, resource);
            let free = if capacity > used { &capacity - &used } else { Q::zero() };
            let mut quantities: Vec<Q> = rows.values().cloned().collect();
            quantities.push(free);
            let Some(mut shares) = split(&part, &quantities) else {
                idle += part;
                continue;
            };
            idle += shares.pop().unwrap();
            for (((namespace, inner), quantity), amount) in rows.iter().zip(shares) {
                self.direct(Direct {
                    cluster: &class.0,
                    namespace,
                    inner: inner.clone(),
                    kind: Kind::Compute,
                    class: Some(class.1.clone()),
                    item: resource,
                    price: None,
                    quantity: quantity.clone(),
                    amount,
                });
            }
        }
        idle += parts.into_values().sum::<Q>();
        *self.idle.entry((class.0.clone(), class.1.pool.clone())).or_insert_with(Q::zero) += idle;
    }
}
