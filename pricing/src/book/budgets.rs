//! Budgets: what somebody means to spend a month.

use std::fmt;

use crate::money::Money;
use crate::names::{CostCenter, TenantName};
use crate::time::Period;

use super::PriceBook;

/// An amount a month, for some months. It belongs to the book, not to an edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Whose.
    pub of: BudgetOf,
    /// The first month.
    pub from: Period,
    /// The first month after; none for good.
    pub until: Option<Period>,
    /// In the book's currency: whole minor units, above zero.
    pub per_month: Money,
}

/// Whose a budget is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetOf {
    /// A cost centre's, over all its statements.
    CostCenter(CostCenter),
    /// A tenant's, on whatever cost centre.
    Tenant(TenantName),
}

impl fmt::Display for BudgetOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CostCenter(name) => write!(f, "cost centre `{name}`"),
            Self::Tenant(name) => write!(f, "tenant `{name}`"),
        }
    }
}

impl Budget {
    /// Whether it holds in a month.
    pub fn holds_in(&self, period: Period) -> bool {
        self.from <= period && self.until.is_none_or(|until| period < until)
    }

    /// Whether there is a month in which both hold.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let ends_after = |a: &Self, b: &Self| a.until.is_none_or(|until| b.from < until);
        self.of == other.of && ends_after(self, other) && ends_after(other, self)
    }
}

impl PriceBook {
    /// The budgets of a month, at most one of each tenant and cost centre.
    pub fn budgets_in(&self, period: Period) -> impl Iterator<Item = &Budget> {
        self.budgets.iter().filter(move |budget| budget.holds_in(period))
    }
}
