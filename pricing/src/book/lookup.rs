//! Which entry of an edition prices what.

use std::collections::BTreeMap;

use super::{
    ClusterPrice, Edition, MeteredPrice, MeteredRate, Model, NodeCost, Override, Pattern, Policy, PoolPrice,
    PriceBook, SharedCost, SharedWhat, Terms, Tier, Weights,
};
use crate::charge::{Kind, item};
use crate::exchange::ExchangeRate;
use crate::money::Currency;
use crate::names::{ClusterName, CostCenter, Namespace, PriceClass, StorageClass, TrafficClass};
use crate::time::{Hour, Period};

impl PoolPrice {
    /// Whether it prices a class in a cluster.
    pub fn matches(&self, cluster: &ClusterName, class: &PriceClass) -> bool {
        self.pool.matches(class.pool.as_str())
            && self.instance_type.matches(class.instance_type.as_str())
            && self.capacity_type.matches(class.capacity_type.as_str())
            && self.cluster.matches(cluster.as_str())
    }
}

impl PriceBook {
    /// The rate at which a month is converted into a reporting currency.
    pub fn rate(&self, currency: Currency, period: Period) -> Option<ExchangeRate> {
        self.rates.get(&currency)?.get(&period).copied()
    }

    /// The book as if one of its editions had always been in force and no other; none if it has no such.
    #[must_use]
    pub fn as_if_always(&self, version: &str) -> Option<Self> {
        let edition = self.editions.iter().find(|edition| edition.version == version)?;
        let always = Edition { effective_from: Hour::from_index(i64::MIN), ..edition.clone() };
        Some(Self { editions: vec![always], ..self.clone() })
    }
}

impl Edition {
    /// The price of a node price class, if it has one of its own.
    pub fn pool_price(&self, cluster: &ClusterName, class: &PriceClass) -> Option<&PoolPrice> {
        self.pools.iter().find(|entry| entry.matches(cluster, class))
    }

    /// The amount that pays for the pools of a cluster without a price of their own.
    pub fn cluster_price(&self, cluster: &ClusterName) -> Option<&ClusterPrice> {
        self.clusters.iter().find(|entry| entry.cluster == *cluster)
    }

    /// The price of a storage class.
    pub fn storage_rate(&self, class: &StorageClass) -> Option<MeteredRate> {
        metered(&self.storage, class.as_str())
    }

    /// The price of a traffic class.
    pub fn network_rate(&self, class: &TrafficClass) -> Option<MeteredRate> {
        metered(&self.network, class.as_str())
    }

    /// The shared cost that a namespace belongs to, by the order of the book.
    pub fn shared_by(&self, namespace: &Namespace, labels: &BTreeMap<String, String>) -> Option<&SharedCost> {
        self.shared_costs.iter().find(|cost| cost.what.selects(namespace, labels))
    }

    /// Whether it has a price for anything that a tier counts.
    pub fn prices_some_of(&self, tier: &Tier) -> bool {
        match tier.kind {
            Kind::Compute => {
                let resource = tier.item.as_str();
                self.pools.iter().any(|entry| entry.model.prices(resource))
                    || self.clusters.iter().any(|entry| entry.weights.knows(resource))
            }
            Kind::Storage => self.storage.iter().any(|entry| entry.class.overlaps(&tier.item)),
            Kind::Network => self.network.iter().any(|entry| entry.class.overlaps(&tier.item)),
            Kind::LoadBalancer => self.load_balancer.is_some(),
            _ => false,
        }
    }

    /// Whether it has a list price for anything whose price an override replaces.
    pub fn has_list_price_of(&self, entry: &Override) -> bool {
        let mut pools = self.pools.iter().filter(|pool| pool.pool.overlaps(&entry.pool));
        match entry.kind {
            Kind::Compute => pools.any(|pool| pool.model.has_rate(&entry.item)),
            Kind::DedicatedPool => {
                entry.item.matches(item::NODE)
                    && pools.any(|pool| matches!(pool.nodes, Some(NodeCost::PerNodeHour(_))))
            }
            Kind::Storage => self.storage.iter().any(|price| price.class.overlaps(&entry.item)),
            Kind::Network => self.network.iter().any(|price| price.class.overlaps(&entry.item)),
            Kind::LoadBalancer => entry.item.matches(item::LOAD_BALANCER) && self.load_balancer.is_some(),
            _ => false,
        }
    }

    /// The cost centres that something is kept on.
    pub fn keepers(&self) -> impl Iterator<Item = &CostCenter> {
        let policies = self.shared_costs.iter().map(|cost| &cost.policy).chain([&self.idle]);
        let named = policies.filter_map(|policy| match policy {
            Policy::Keep(named) => named.as_ref(),
            Policy::Even | Policy::Proportional(_) | Policy::Weighted(_) => None,
        });
        named.chain(&self.platform_cost_center)
    }

    /// What is agreed with a cost centre.
    pub fn terms(&self, cost_center: &CostCenter) -> Option<&Terms> {
        self.cost_centers.get(cost_center)
    }
}

impl Model {
    /// Whether some resource like this has a unit price.
    fn has_rate(&self, like: &Pattern) -> bool {
        let Self::Rate { cpu, memory, gpu } = self else { return false };
        let cores = [(item::CPU, cpu.is_some()), (item::MEMORY, memory.is_some())];
        cores.into_iter().any(|(name, priced)| priced && like.matches(name))
            || gpu.keys().any(|name| like.matches(name))
    }

    /// Whether a resource is charged, be it at zero.
    fn prices(&self, resource: &str) -> bool {
        match self {
            Self::Cost { weights } => weights.knows(resource),
            Self::Rate { cpu, memory, gpu } => match resource {
                item::CPU => cpu.is_some(),
                item::MEMORY => memory.is_some(),
                name => gpu.contains_key(name),
            },
        }
    }
}

impl Weights {
    /// Whether a resource has a weight, be it zero.
    fn knows(&self, resource: &str) -> bool {
        matches!(resource, item::CPU | item::MEMORY) || self.gpu.contains_key(resource)
    }
}

impl SharedWhat {
    /// Whether a namespace is part of it: by name, or by all of the labels.
    pub fn selects(&self, namespace: &Namespace, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Namespaces { names, labels: wanted } => {
                names.iter().any(|name| name.matches(namespace.as_str()))
                    || (!wanted.is_empty()
                        && wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
            }
        }
    }
}

fn metered<Class>(entries: &[MeteredPrice<Class>], class: &str) -> Option<MeteredRate> {
    entries.iter().find(|entry| entry.class.matches(class)).map(|entry| entry.rate)
}
