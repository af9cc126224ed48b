//! Over- and under-recovery: what was charged in a month against what was paid for.
//!
//! A pool in the cost model is recovered to the last digit, and so is what is metered at list price (the
//! list price is taken for the cost) and every fixed amount. So a month's difference comes from pools in the
//! rate model, from service fees, and from what acts on the month: a discount on fully recovered cost is
//! under-recovery and is not charged to anyone else.

use crate::Overflow;
use crate::charge::Kind;
use crate::invariants::Violation;
use crate::money::Money;
use crate::names::ClusterName;
use crate::quantity::Quantity;
use crate::rating::{Control, PoolControl};
use crate::statement::PeriodStatements;

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
    /// The pool, or the book entry that an amount without measured nodes belongs to.
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

fn difference(charged: Money, paid: Option<Money>) -> Result<Option<Money>, Overflow> {
    paid.map(|paid| charged.checked_sub(paid)).transpose()
}
