//! Why a line that acts on the month is what it is: what was computed for the cost centre, and this tenant's part.

use crate::Overflow;
use crate::charge::Charge;
use crate::money::Money;
use crate::statement::{MonthRule, MonthStep};

/// A part of what was computed for a cost centre: whole x own base / all bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthReason {
    /// By which rule.
    pub rule: MonthRule,
    /// What it comes to for the cost centre.
    pub whole: Money,
    /// What it acts on, of this tenant. What is below zero takes no part.
    pub base: Money,
    /// What it acts on, of all the cost centre's tenants.
    pub bases: Money,
    /// How many tenants that is.
    pub tenants: usize,
    /// This tenant's part.
    pub amount: Money,
}

impl MonthReason {
    pub(super) fn of(charge: &Charge, step: &MonthStep<'_>) -> Result<Self, Overflow> {
        Ok(Self {
            rule: step.rule.clone(),
            whole: Money::from_nanos(step.whole)?,
            base: step.bases.get(&charge.key.tenant).copied().unwrap_or_default(),
            bases: Money::sum(step.bases.values().copied())?,
            tenants: step.bases.len(),
            amount: charge.amount,
        })
    }
}
