//! Over- and under-recovery: what was charged in a month against what was paid for.
//!
//! A pool in the cost model is recovered to the last digit, and so is what is metered at list price (the
//! list price is taken for the cost) and every fixed amount. So a month's difference comes from pools in the
//! rate model, from service fees, and from what acts on the month: a discount on fully recovered cost is
//! under-recovery and is not charged to anyone else.

use std::collections::BTreeSet;

use crate::Overflow;
use crate::book::{NodeCost, PoolPrice, PriceBook};
use crate::charge::Kind;
use crate::invariants::Violation;
use crate::money::Money;
use crate::names::ClusterName;
use crate::quantity::Quantity;
use crate::rating::{Control, PoolControl};
use crate::statement::PeriodStatements;
use crate::time::HourRange;

/// What was charged in a month against what was paid for, each part exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// By cluster and pool.
    pub pools: Vec<PoolRecovery>,
    /// Storage, network and load balancers: charged at list price, which is taken for their cost.
    pub metered: Money,
    /// Fixed shared amounts, charged whole.
    pub fixed: Money,
    /// Service fees: charged, and no cost stands against them.
    pub service_fees: Money,
    /// What terms of cost centres changed.
    pub terms: Money,
    /// What adjustments changed.
    pub adjustments: Money,
    /// What cutting the wholes of shared namespaces to 1e-9 changed.
    pub cut: Money,
    /// What was paid for; none where the book does not say what some nodes cost.
    pub paid: Option<Money>,
    /// What was charged, exactly: the sum of the statements before rounding.
    pub charged: Money,
    /// What rounding the period changed.
    pub rounding: Money,
    /// What was billed: the sum of the statements.
    pub billed: Money,
}

/// What one pool cost and what was charged for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRecovery {
    /// The cluster; none for an amount that names none.
    pub cluster: Option<ClusterName>,
    /// The pool, or the book entry for several that an amount without measured nodes belongs to.
    pub pool: String,
    /// Its control totals.
    pub control: PoolControl,
}

impl PoolRecovery {
    /// What its nodes cost; none where the book does not say so for all of them.
    pub fn paid(&self) -> Result<Option<Money>, Overflow> {
        if self.control.uncosted != Quantity::ZERO {
            return Ok(None);
        }
        self.control.paid.checked_add(self.control.rated_nodes).map(Some)
    }

    /// What was charged for it: by usage and to its tenant, as idle, and at unit prices.
    pub fn charged(&self) -> Result<Money, Overflow> {
        self.control.paid.checked_add(self.control.rated)
    }

    /// What was charged beyond its cost; below zero for under-recovery.
    pub fn difference(&self) -> Result<Option<Money>, Overflow> {
        difference(self.charged()?, self.paid()?)
    }
}

impl Recovery {
    /// Holds a month's statements against the control totals of all its hours. The two must tell of the
    /// same money.
    pub fn of(month: &PeriodStatements, control: &Control) -> Result<Self, Violation> {
        let of_kind = |kind: Kind| {
            let charges = month.month_level.iter().filter(move |charge| charge.key.kind == kind);
            Money::sum(charges.map(|charge| charge.amount))
        };
        let charged = Money::sum(month.statements.iter().map(|statement| statement.exact))?;
        let month_level = Money::sum(month.month_level.iter().map(|charge| charge.amount))?;
        let (parts, whole) = (control.total()?.checked_add(month_level)?, charged);
        if parts != whole {
            let of = "control totals and terms against statements".to_owned();
            return Err(Violation::DoesNotAddUp { period: month.period, of, parts, whole });
        }
        let pools: Vec<PoolRecovery> = control
            .pools
            .iter()
            .map(|((cluster, pool), control)| PoolRecovery {
                cluster: cluster.clone(),
                pool: pool.clone(),
                control: *control,
            })
            .collect();
        let mut paid = Some(control.metered.checked_add(control.fixed)?);
        for pool in &pools {
            paid = match (paid, pool.paid()?) {
                (Some(sum), Some(more)) => Some(sum.checked_add(more)?),
                _ => None,
            };
        }
        Ok(Self {
            pools,
            metered: control.metered,
            fixed: control.fixed,
            service_fees: control.service_fees,
            terms: of_kind(Kind::Term)?,
            adjustments: of_kind(Kind::Adjustment)?,
            cut: control.cut,
            paid,
            charged,
            rounding: month.amount.checked_sub(charged)?,
            billed: month.amount,
        })
    }

    /// What was charged beyond what was paid for, before rounding; below zero for under-recovery.
    pub fn difference(&self) -> Result<Option<Money>, Overflow> {
        difference(self.charged, self.paid)
    }
}

/// Control totals with one row for each pool: what was paid for a pool in hours without measured nodes stands
/// under the entry of the book that says so (its pattern, and the cluster it names), and is that pool's as long
/// as the entry is for one pool only. An entry for several keeps a row of its own, for nobody can say which of
/// them it was paid for.
pub fn by_pool(mut control: Control, book: &PriceBook, hours: HourRange) -> Result<Control, Overflow> {
    let entries: BTreeSet<(Option<ClusterName>, &str)> = book
        .in_force(hours)
        .flat_map(|edition| &edition.pools)
        .filter(|entry| matches!(entry.nodes, Some(NodeCost::PerMonth(_))))
        .map(|entry| (entry.cluster.name().map(ClusterName::from), entry.pool.as_str()))
        .collect();
    for (cluster, pattern) in entries {
        let row = (cluster, pattern.to_owned());
        let mut pools = control.pools.keys().filter(|(cluster, pool)| {
            cluster.as_ref().is_some_and(|cluster| is_of(book, hours, &row, cluster, pool))
        });
        let (Some(only), None) = (pools.next().cloned(), pools.next()) else { continue };
        if only != row
            && let Some(totals) = control.pools.remove(&row)
        {
            control.pools.entry(only).or_default().add(&totals)?;
        }
    }
    Ok(control)
}

/// Whether a pool of a cluster is priced by the entries that a row stands for, in some edition.
fn is_of(
    book: &PriceBook,
    hours: HourRange,
    (named, pattern): &(Option<ClusterName>, String),
    cluster: &ClusterName,
    pool: &str,
) -> bool {
    book.in_force(hours).any(|edition| {
        let mut matching = edition
            .pools
            .iter()
            .filter(|entry| entry.pool.matches(pool) && entry.cluster.matches(cluster.as_str()));
        // Those after one for all types of its nodes price nothing of it.
        let last =
            matching.clone().position(|entry| entry.instance_type.is_any() && entry.capacity_type.is_any());
        let count = last.map_or(usize::MAX, |last| last.saturating_add(1));
        let of_row = |entry: &PoolPrice| {
            entry.pool.as_str() == pattern && entry.cluster.name() == named.as_ref().map(ClusterName::as_str)
        };
        matching.by_ref().take(count).any(of_row)
    })
}

fn difference(charged: Money, paid: Option<Money>) -> Result<Option<Money>, Overflow> {
    paid.map(|paid| charged.checked_sub(paid)).transpose()
}
