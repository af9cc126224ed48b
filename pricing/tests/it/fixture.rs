//! Short ways to write books, owners and usage.

use std::collections::{BTreeMap, BTreeSet};

use defray_pricing::book::{
    Base, Basis, Edition, MeteredPrice, MeteredRate, Model, MonthlyAmount, NodeCost, Pattern, Places, Policy,
    PoolPrice, PriceBook, SharedCost, SharedWhat, Weights,
};
use defray_pricing::charge::{Charge, Kind};
use defray_pricing::digest::Digest;
use defray_pricing::money::{Money, UnitPrice};
use defray_pricing::names::{ClusterName, CostCenter, Namespace, Pool, PriceClass, TenantName};
use defray_pricing::ownership::{NamespaceState, Owners, TenantState};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{BillingZone, Hour};
use defray_pricing::usage::{
    ComputeRow, LoadBalancerRow, NetworkRow, NodeRow, QuotaRow, StorageRow, UsageHour,
};

pub(crate) const CLUSTER: &str = "prod";

pub(crate) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

pub(crate) fn price(text: &str) -> UnitPrice {
    text.parse().unwrap()
}

pub(crate) fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn hour(text: &str) -> Hour {
    text.parse().unwrap()
}

pub(crate) fn pattern(text: &str) -> Pattern {
    text.parse().unwrap()
}

/// A decimal of the currency as a count of 1e-9.
pub(crate) fn nanos(text: &str) -> i128 {
    money(text).to_nanos_half_even().unwrap()
}

pub(crate) fn per_month(text: &str) -> MonthlyAmount {
    MonthlyAmount::Month { nanos: nanos(text) }
}

pub(crate) fn class(pool: &str) -> PriceClass {
    PriceClass { pool: Pool::from(pool), instance_type: "m5".into(), capacity_type: "on-demand".into() }
}

/// An edition with no price at all, from the beginning of time.
pub(crate) fn edition() -> Edition {
    Edition {
        version: "1".to_owned(),
        effective_from: Hour::from_index(0),
        platform_cost_center: Some(CostCenter::from("CC-PLATFORM")),
        pools: Vec::new(),
        clusters: Vec::new(),
        storage: Vec::new(),
        network: Vec::new(),
        load_balancer: None,
        services: BTreeMap::new(),
        shared_costs: Vec::new(),
        idle: Policy::Proportional(Base::DirectCost),
        cost_centers: BTreeMap::new(),
    }
}

pub(crate) fn book(edition: Edition) -> PriceBook {
    book_in("EUR", "UTC", vec![edition])
}

pub(crate) fn book_in(currency: &str, zone: &str, editions: Vec<Edition>) -> PriceBook {
    PriceBook {
        currency: currency.parse().unwrap(),
        zone: BillingZone::new(zone).unwrap(),
        editions,
        adjustments: Vec::new(),
        rates: BTreeMap::new(),
        budgets: Vec::new(),
        places: Places::default(),
        digest: Digest::of(b"test"),
    }
}

pub(crate) fn weights(cpu: &str, memory: &str) -> Weights {
    let nano = |text: &str| u64::try_from(nanos(text)).unwrap();
    Weights { cpu: nano(cpu), memory: nano(memory), gpu: BTreeMap::new() }
}

pub(crate) fn pool(name: &str, nodes: Option<NodeCost>, model: Model) -> PoolPrice {
    PoolPrice {
        pool: pattern(name),
        instance_type: pattern("*"),
        capacity_type: pattern("*"),
        cluster: pattern("*"),
        nodes,
        model,
        basis: Basis::Max,
    }
}

/// A pool in the cost model with the worked example's weights.
pub(crate) fn cost_pool(name: &str, per_node_hour: &str) -> PoolPrice {
    let nodes = Some(NodeCost::PerNodeHour(price(per_node_hour)));
    pool(name, nodes, Model::Cost { weights: weights("0.03", "0.005") })
}

pub(crate) fn rate_pool(name: &str, cpu: &str, memory: &str) -> PoolPrice {
    let model = Model::Rate { cpu: Some(price(cpu)), memory: Some(price(memory)), gpu: BTreeMap::new() };
    pool(name, None, model)
}

pub(crate) fn metered<Class>(class: &str, rate: MeteredRate) -> MeteredPrice<Class> {
    MeteredPrice { class: pattern(class), rate, of: std::marker::PhantomData }
}

pub(crate) fn shared_namespaces(name: &str, namespaces: &[&str], policy: Policy) -> SharedCost {
    let names = namespaces.iter().map(|name| pattern(name)).collect();
    SharedCost {
        name: name.to_owned(),
        what: SharedWhat::Namespaces { names, labels: BTreeMap::new() },
        policy,
    }
}

pub(crate) fn fixed(name: &str, amount: &str, policy: Policy) -> SharedCost {
    SharedCost { name: name.to_owned(), what: SharedWhat::Fixed(per_month(amount)), policy }
}

pub(crate) fn owners(hour: Hour) -> Owners {
    Owners::nobody(hour)
}

/// Adds a tenant of the cluster `prod` on cost centre `CC-<name>` with its namespaces.
pub(crate) fn add_tenant(owners: &mut Owners, name: &str, namespaces: &[&str]) {
    let state =
        TenantState { cost_center: CostCenter::from(format!("CC-{name}")), services: BTreeSet::new() };
    owners.tenants.insert((CLUSTER.into(), name.into()), state);
    for namespace in namespaces {
        add_namespace(owners, namespace, Some(name));
    }
}

pub(crate) fn add_namespace(owners: &mut Owners, namespace: &str, tenant: Option<&str>) {
    let state = NamespaceState { tenant: tenant.map(TenantName::from), labels: BTreeMap::new() };
    owners.namespaces.insert((CLUSTER.into(), namespace.into()), state);
}

pub(crate) fn usage(hour: Hour) -> UsageHour {
    UsageHour::empty(ClusterName::from(CLUSTER), hour)
}

pub(crate) fn nodes(pool: &str, node_hours: &str, cpu: &str, memory: &str) -> NodeRow {
    NodeRow {
        class: class(pool),
        node_hours: quantity(node_hours),
        cpu_capacity: quantity(cpu),
        memory_capacity: quantity(memory),
        gpu_capacity: BTreeMap::new(),
    }
}

/// Usage with `request / usage` for CPU and memory; the maximum is theirs.
pub(crate) fn row(namespace: &str, pool: &str, cpu: (&str, &str), memory: (&str, &str)) -> ComputeRow {
    ComputeRow {
        cpu_request: quantity(cpu.0),
        cpu_usage: quantity(cpu.1),
        cpu_max: quantity(cpu.0).max(quantity(cpu.1)),
        memory_request: quantity(memory.0),
        memory_usage: quantity(memory.1),
        memory_max: quantity(memory.0).max(quantity(memory.1)),
        ..ComputeRow::zero(namespace.into(), None, class(pool))
    }
}

pub(crate) fn volume(namespace: &str, class: &str, capacity: &str) -> StorageRow {
    let (namespace, class) = (namespace.into(), class.into());
    StorageRow { namespace, virtual_namespace: None, class, capacity: quantity(capacity) }
}

pub(crate) fn traffic(namespace: &str, class: &str, egress: &str) -> NetworkRow {
    let (namespace, class) = (namespace.into(), class.into());
    NetworkRow { namespace, virtual_namespace: None, class, egress: quantity(egress) }
}

pub(crate) fn load_balancer(namespace: &str, hours: &str) -> LoadBalancerRow {
    LoadBalancerRow { namespace: namespace.into(), virtual_namespace: None, hours: quantity(hours) }
}

pub(crate) fn quota(namespace: &str, cpu: Option<&str>, memory: Option<&str>) -> QuotaRow {
    QuotaRow { namespace: Namespace::from(namespace), cpu: cpu.map(quantity), memory: memory.map(quantity) }
}

/// The sum of what a tenant is charged under a kind and, if not empty, an item.
pub(crate) fn charged(charges: &[Charge], tenant: &str, kind: Kind, item: &str) -> Money {
    let wanted = charges.iter().filter(|charge| {
        charge.key.tenant.as_str() == tenant
            && charge.key.kind == kind
            && (item.is_empty() || charge.key.item == item)
    });
    Money::sum(wanted.map(|charge| charge.amount)).unwrap()
}

/// The sum of all that a tenant is charged.
pub(crate) fn total(charges: &[Charge], tenant: &str) -> Money {
    let wanted = charges.iter().filter(|charge| charge.key.tenant.as_str() == tenant);
    Money::sum(wanted.map(|charge| charge.amount)).unwrap()
}
