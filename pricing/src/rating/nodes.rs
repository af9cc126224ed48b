//! What the nodes of an hour cost, by cluster and price class.

use std::collections::BTreeMap;

use super::RatingError;
use super::context::Context;
use super::trace::Paid;
use crate::Overflow;
use crate::apportion::largest_remainder;
use crate::book::{Basis, ClusterPrice, Edition, Model, NodeCost, PoolPrice, Weights};
use crate::charge::item;
use crate::money::{Money, UnitPrice};
use crate::names::{ClusterName, Pool, PriceClass, TenantName};
use crate::quantity::Quantity;
use crate::usage::{ComputeRow, NodeRow, UsageHour};

/// What prices a class.
#[derive(Debug, Clone, Copy)]
pub(super) enum Price<'a> {
    /// An entry for pools, by its place in the edition.
    Pool(usize, &'a PoolPrice),
    /// An amount for the cluster.
    Cluster(&'a ClusterPrice),
}

impl<'a> Price<'a> {
    fn of(edition: &'a Edition, cluster: &ClusterName, class: &PriceClass) -> Option<Self> {
        let pool = edition.pools.iter().enumerate().find(|(_, price)| price.matches(cluster, class));
        pool.map(|(place, price)| Self::Pool(place, price))
            .or_else(|| edition.cluster_price(cluster).map(Self::Cluster))
    }

    /// The relative worth of resources; none in the rate model.
    pub(super) fn weights(self) -> Option<&'a Weights> {
        match self {
            Self::Pool(_, PoolPrice { model: Model::Cost { weights }, .. }) => Some(weights),
            Self::Pool(..) => None,
            Self::Cluster(price) => Some(&price.weights),
        }
    }

    pub(super) fn basis(self) -> Basis {
        match self {
            Self::Pool(_, price) => price.basis,
            Self::Cluster(price) => price.basis,
        }
    }
}

/// What the nodes of a unit cost in the hour.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cost {
    /// Node-hours times a list price.
    Priced(UnitPrice, Money),
    /// A part of an amount, in 1e-9.
    Part(i128),
}

impl Cost {
    pub(super) fn money(self) -> Result<Money, Overflow> {
        match self {
            Self::Priced(_, money) => Ok(money),
            Self::Part(nanos) => Money::from_nanos(nanos),
        }
    }
}

/// The unit of node cost: a cluster's price class in the hour, with all that ran on it.
#[derive(Debug, Default)]
pub(super) struct Class<'a> {
    pub(super) nodes: Vec<&'a NodeRow>,
    pub(super) rows: Vec<&'a ComputeRow>,
    pub(super) price: Option<Price<'a>>,
    pub(super) cost: Option<Cost>,
    pub(super) dedicated: Option<&'a TenantName>,
}

impl<'a> Class<'a> {
    pub(super) fn node_hours(&self) -> Result<Quantity, Overflow> {
        Quantity::sum(self.nodes.iter().map(|node| node.node_hours))
    }

    /// Capacity of each resource, in 1e-6, in the order of their names.
    pub(super) fn capacity(&self) -> Result<BTreeMap<&'a str, u128>, Overflow> {
        let mut capacity = BTreeMap::from([(item::CPU, 0), (item::MEMORY, 0)]);
        for node in &self.nodes {
            let gpus = node.gpu_capacity.iter().map(|(name, quantity)| (name.as_str(), *quantity));
            let cores = [(item::CPU, node.cpu_capacity), (item::MEMORY, node.memory_capacity)];
            for (resource, quantity) in cores.into_iter().chain(gpus) {
                let sum = capacity.entry(resource).or_insert(0_u128);
                *sum = sum.checked_add(unsigned(quantity)?).ok_or(Overflow("capacity"))?;
            }
        }
        Ok(capacity)
    }

    /// How its nodes are paid for, if the book says.
    pub(super) fn paid(&self) -> Option<Paid> {
        match self.price? {
            Price::Pool(_, price) => price.nodes.as_ref().map(|nodes| match nodes {
                NodeCost::PerNodeHour(price) => Paid::NodeHours(*price),
                NodeCost::PerMonth(amount) => Paid::PartOf(*amount),
            }),
            Price::Cluster(price) => Some(Paid::PartOf(price.amount)),
        }
    }

    fn worth(&self) -> Result<u128, Overflow> {
        let Some(weights) = self.price.and_then(Price::weights) else { return Ok(0) };
        self.capacity()?.into_iter().try_fold(0_u128, |sum, (resource, capacity)| {
            let worth = u128::from(weights.of(resource)).checked_mul(capacity);
            worth.and_then(|worth| sum.checked_add(worth)).ok_or(Overflow("weight x capacity"))
        })
    }
}

impl Weights {
    /// The relative worth of a resource.
    pub(super) fn of(&self, resource: &str) -> u64 {
        match resource {
            item::CPU => self.cpu,
            item::MEMORY => self.memory,
            gpu => self.gpu.get(gpu).copied().unwrap_or(0),
        }
    }
}

/// A quantity as a weight; what was measured is never negative.
pub(super) fn unsigned(quantity: Quantity) -> Result<u128, Overflow> {
    u128::try_from(quantity.micros()).map_err(|_| Overflow("negative quantity"))
}

/// An amount that was paid although no node it pays for was measured.
#[derive(Debug)]
pub(super) struct Unmeasured {
    pub(super) cluster: Option<ClusterName>,
    pub(super) item: String,
    pub(super) nanos: i128,
}

/// All classes of an hour, in the order ties are broken in.
pub(super) type Classes<'a> = BTreeMap<(&'a ClusterName, &'a PriceClass), Class<'a>>;

/// The classes of an hour with what they cost, and what was paid for none of them.
pub(super) fn classes<'a>(
    context: &Context<'a>,
    usage: &[&'a UsageHour],
) -> Result<(Classes<'a>, Vec<Unmeasured>), RatingError> {
    let mut classes = Classes::new();
    for hour in usage {
        for node in &hour.nodes {
            classes.entry((&hour.cluster, &node.class)).or_default().nodes.push(node);
        }
        for row in &hour.compute {
            classes.entry((&hour.cluster, &row.class)).or_default().rows.push(row);
        }
    }
    let dedicated: BTreeMap<(&ClusterName, &Pool), &TenantName> =
        context.owners.dedicated.iter().map(|((cluster, pool), tenant)| ((cluster, pool), tenant)).collect();
    for ((cluster, class), unit) in &mut classes {
        unit.price = Price::of(context.edition, cluster, class);
        unit.dedicated = dedicated.get(&(*cluster, &class.pool)).copied();
        unit.cost = match unit.price {
            Some(Price::Pool(_, PoolPrice { nodes: Some(NodeCost::PerNodeHour(price)), .. })) => {
                Some(Cost::Priced(*price, price.times(unit.node_hours()?)?))
            }
            // A class that only usage tells of takes no part of an amount.
            Some(
                Price::Pool(_, PoolPrice { nodes: Some(NodeCost::PerMonth(_)), .. }) | Price::Cluster(_),
            ) => Some(Cost::Part(0)),
            Some(Price::Pool(_, PoolPrice { nodes: None, .. })) | None => None,
        };
    }
    let mut unmeasured = Vec::new();
    pool_amounts(context, &mut classes, &mut unmeasured)?;
    cluster_amounts(context, &mut classes, &mut unmeasured)?;
    Ok((classes, unmeasured))
}

/// Splits each entry's amount over the classes it prices.
fn pool_amounts<'a>(
    context: &Context<'a>,
    classes: &mut Classes<'a>,
    unmeasured: &mut Vec<Unmeasured>,
) -> Result<(), RatingError> {
    for (place, entry) in context.edition.pools.iter().enumerate() {
        let Some(NodeCost::PerMonth(amount)) = &entry.nodes else { continue };
        let nanos = context.place.part(*amount)?;
        let priced = |unit: &Class<'_>| matches!(unit.price, Some(Price::Pool(by, _)) if by == place);
        let mut units: Vec<&mut Class<'a>> = classes.values_mut().filter(|unit| priced(unit)).collect();
        if !split_over(nanos, &mut units)? {
            let cluster = entry.cluster.name().map(ClusterName::from);
            unmeasured.push(Unmeasured { cluster, item: entry.pool.as_str().to_owned(), nanos });
        }
    }
    Ok(())
}

/// Splits each cluster's amount over its pools without a price of their own, then over their classes.
fn cluster_amounts<'a>(
    context: &Context<'a>,
    classes: &mut Classes<'a>,
    unmeasured: &mut Vec<Unmeasured>,
) -> Result<(), RatingError> {
    for price in &context.edition.clusters {
        let nanos = context.place.part(price.amount)?;
        let mut pools: BTreeMap<&Pool, Vec<&mut Class<'a>>> = BTreeMap::new();
        for ((of, class), unit) in classes.iter_mut() {
            if **of == price.cluster && matches!(unit.price, Some(Price::Cluster(_))) {
                pools.entry(&class.pool).or_default().push(unit);
            }
        }
        let mut pools: Vec<Vec<&mut Class<'a>>> = pools.into_values().collect();
        let mut worths = Vec::new();
        for units in &pools {
            worths.push(worth(units.iter().map(|unit| &**unit))?);
        }
        let Some(parts) = split_by(nanos, &worths)? else {
            let item = item::CLUSTER.to_owned();
            unmeasured.push(Unmeasured { cluster: Some(price.cluster.clone()), item, nanos });
            continue;
        };
        for (units, part) in pools.iter_mut().zip(parts) {
            // Says no only of pools without nodes, which took no part above.
            let _given = split_over(part, units)?;
        }
    }
    Ok(())
}

/// What some classes weigh when an amount is split: weight x capacity, else their node-hours.
#[derive(Debug, Clone, Copy, Default)]
struct Worth {
    capacity: u128,
    node_hours: u128,
}

fn worth<'u, 'a: 'u>(units: impl Iterator<Item = &'u Class<'a>>) -> Result<Worth, Overflow> {
    let mut worth = Worth::default();
    for unit in units {
        worth.capacity = worth.capacity.checked_add(unit.worth()?).ok_or(Overflow("weight x capacity"))?;
        let node_hours = unsigned(unit.node_hours()?)?;
        worth.node_hours = worth.node_hours.checked_add(node_hours).ok_or(Overflow("node-hours"))?;
    }
    Ok(worth)
}

fn split_by(nanos: i128, worths: &[Worth]) -> Result<Option<Vec<i128>>, Overflow> {
    let capacities: Vec<u128> = worths.iter().map(|worth| worth.capacity).collect();
    if let Some(parts) = largest_remainder(nanos, &capacities)? {
        return Ok(Some(parts));
    }
    let node_hours: Vec<u128> = worths.iter().map(|worth| worth.node_hours).collect();
    largest_remainder(nanos, &node_hours)
}

/// Gives each class its part; says whether there was any to give to.
fn split_over(nanos: i128, units: &mut [&mut Class<'_>]) -> Result<bool, Overflow> {
    let mut worths = Vec::new();
    for unit in units.iter() {
        worths.push(worth(std::iter::once(&**unit))?);
    }
    let Some(parts) = split_by(nanos, &worths)? else { return Ok(false) };
    for (unit, part) in units.iter_mut().zip(parts) {
        unit.cost = Some(Cost::Part(part));
    }
    Ok(true)
}
