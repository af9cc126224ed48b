//! Why a line that acts on the month is what it is: what was computed for the cost centre, and this tenant's part.

use crate::Overflow;
use crate::charge::Charge;
use crate::money::Money;
use crate::statement::{MonthRule, MonthStep};

/// A part of what was computed for a cost centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthReason {
    /// By which rule.
    pub rule: MonthRule,
    /// What it comes to for the cost centre.
    pub whole: Money,
    /// How that fell on its tenants.
    pub split: Split,
    /// This tenant's part.
    pub amount: Money,
}

/// How something that was computed for a cost centre falls on its tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// It is one tenant's alone.
    Alone,
    /// Each has the difference of its own lines, cut to 1e-9 together with the others'.
    Own {
        /// The difference, exact.
        difference: Money,
    },
    /// Whole x own base / all bases. Who has nothing above zero takes no part, and is in neither.
    Proportional {
        /// What it acts on, of this tenant.
        base: Money,
        /// What it acts on, of everyone who takes part.
        bases: Money,
        /// How many that are.
        tenants: usize,
    },
    /// Nobody has anything above zero that it could act on, so all bear the same.
    Even {
        /// How many tenants there are.
        tenants: usize,
    },
}

impl MonthReason {
    pub(super) fn of(charge: &Charge, step: &MonthStep<'_>) -> Result<Self, Overflow> {
        Ok(Self {
            rule: step.rule.clone(),
            whole: Money::from_nanos(step.whole)?,
            split: Split::of(charge, step)?,
            amount: charge.amount,
        })
    }
}

impl Split {
    fn of(charge: &Charge, step: &MonthStep<'_>) -> Result<Self, Overflow> {
        let own = step.bases.get(&charge.key.tenant).copied().unwrap_or_default();
        if step.bases.is_empty() {
            return Ok(Self::Alone);
        }
        if matches!(step.rule, MonthRule::Override { .. }) {
            return Ok(Self::Own { difference: own });
        }
        let taking: Vec<Money> = step.bases.values().copied().filter(|base| *base > Money::ZERO).collect();
        if taking.is_empty() {
            return Ok(Self::Even { tenants: step.bases.len() });
        }
        let tenants = taking.len();
        Ok(Self::Proportional { base: own, bases: Money::sum(taking)?, tenants })
    }
}
