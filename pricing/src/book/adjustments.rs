//! Corrections by hand: credits and charges that no rule makes.

use chrono::NaiveDate;

use crate::money::Money;
use crate::names::{CostCenter, TenantName};

/// A credit or a charge, once.
///
/// It belongs to the book, not to an edition: its own date says which month it is in. While that month is
/// closed it stays in the book and waits for a restatement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// A day of the billing zone.
    pub date: NaiveDate,
    /// Finance's own number for it, such as that of a credit note. No two adjustments have the same.
    pub reference: String,
    /// Why.
    pub reason: String,
    /// Who gets it.
    pub on: AdjustmentOn,
    /// Whole minor units; a credit is negative.
    pub amount: Money,
}

/// Who gets an adjustment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdjustmentOn {
    /// A tenant, on the cost centre it had at the last hour it existed that day.
    Tenant(TenantName),
    /// A cost centre, over its statements.
    CostCenter(CostCenter),
}

impl Adjustment {
    /// What its line is called.
    pub fn item_on_statement(&self) -> String {
        format!("{}: {}", self.reference, self.reason)
    }
}
