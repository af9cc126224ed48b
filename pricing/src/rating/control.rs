//! Control totals: what an hour cost before it was split, to be held against what was charged.

use std::collections::BTreeMap;

use crate::Overflow;
use crate::money::Money;
use crate::names::ClusterName;
use crate::quantity::Quantity;

/// What was paid for in an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// By cluster (none for an amount that names none) and pool, or the book entry that names it.
    pub pools: BTreeMap<(Option<ClusterName>, String), PoolControl>,
    /// Storage, network and load balancers at list price.
    pub metered: Money,
    /// Fixed shared amounts.
    pub fixed: Money,
    /// Service fees.
    pub service_fees: Money,
    /// What cutting the wholes of shared namespaces to 1e-9 added.
    pub cut: Money,
}

/// What one pool cost, and where that went before shared cost and idle were distributed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolControl {
    /// The cost that must be recovered: cost-model and dedicated nodes, amounts without nodes.
    pub paid: Money,
    /// What usage and the dedicated tenant bear of it.
    pub recovered: Money,
    /// What nobody's usage covers.
    pub idle: Money,
    /// What the rate model charged.
    pub rated: Money,
    /// What nodes in the rate model cost, as far as the book says.
    pub rated_nodes: Money,
    /// Node-hours of which the book does not say what they cost.
    pub uncosted: Quantity,
}

impl Control {
    /// What all charges of the hour must add up to.
    pub fn total(&self) -> Result<Money, Overflow> {
        let pools = self.pools.values().flat_map(|pool| [pool.paid, pool.rated]);
        Money::sum(pools.chain([self.metered, self.fixed, self.service_fees, self.cut]))
    }

    /// Adds those of other hours.
    pub fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        for (key, pool) in &other.pools {
            self.pools.entry(key.clone()).or_default().add(pool)?;
        }
        add(&mut self.metered, other.metered)?;
        add(&mut self.fixed, other.fixed)?;
        add(&mut self.service_fees, other.service_fees)?;
        add(&mut self.cut, other.cut)
    }

    /// The totals of one pool.
    pub(super) fn pool(&mut self, cluster: Option<&ClusterName>, pool: &str) -> &mut PoolControl {
        self.pools.entry((cluster.cloned(), pool.to_owned())).or_default()
    }
}

impl PoolControl {
    /// Adds those of another hour, or of another row.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Overflow> {
        add(&mut self.paid, other.paid)?;
        add(&mut self.recovered, other.recovered)?;
        add(&mut self.idle, other.idle)?;
        add(&mut self.rated, other.rated)?;
        add(&mut self.rated_nodes, other.rated_nodes)?;
        self.uncosted = self.uncosted.checked_add(other.uncosted)?;
        Ok(())
    }
}

/// Adds to a total.
pub(super) fn add(total: &mut Money, amount: Money) -> Result<(), Overflow> {
    *total = total.checked_add(amount)?;
    Ok(())
}
