//! A month of charges becomes statements: terms, then rounding, once.

use serde::{Deserialize, Serialize};

use crate::charge::{Charge, LineKey};
use crate::exchange::ExchangeRate;
use crate::money::{Currency, Money, UnitPrice};
use crate::names::{CostCenter, TenantName};
use crate::quantity::{Quantity, Unit};
use crate::time::Period;

mod adjustments;
mod build;
mod facts;
mod fit;
mod lines;
mod spread;
mod terms;
mod trace;

pub use build::{Month, build, build_traced};
pub use facts::MonthFacts;
pub use trace::{MonthRule, MonthStep, MonthTrace, Unheard};

/// A line of a statement. `exact + rounding = amount`, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is.
    pub key: LineKey,
    /// How much of what; none for shares, terms and rounding.
    pub quantity: Option<(Quantity, Unit)>,
    /// The list price, or for cost-model lines and service fees the month's average to 12 decimals.
    pub unit_price: Option<UnitPrice>,
    /// The exact amount.
    pub exact: Money,
    /// What fitting the lines to the statement's total added.
    pub rounding: Money,
    /// Whole minor units.
    pub amount: Money,
    /// Whole minor units of the statement's reporting currency; none where it has none or no rate.
    pub reporting: Option<Money>,
}

/// One tenant on one cost centre for one billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The cost centre.
    pub cost_center: CostCenter,
    /// The tenant.
    pub tenant: TenantName,
    /// Lines in the order of their keys.
    pub lines: Vec<Line>,
    /// The sum of the lines' exact amounts.
    pub exact: Money,
    /// The total: whole minor units, the sum of the lines' amounts.
    pub amount: Money,
    /// The same in the reporting currency of its cost centre, if it has one.
    pub reporting: Option<Reporting>,
}

/// A statement in another currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reporting {
    /// The reporting currency.
    pub currency: Currency,
    /// None while the price book has no rate for the month, which then cannot be closed.
    pub converted: Option<Converted>,
}

/// A statement's total, converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converted {
    /// Units of the reporting currency for a unit of the ledger's.
    pub rate: ExchangeRate,
    /// The exact total times the rate, rounded half away from zero to the minor unit of the reporting
    /// currency; the sum of the lines' reporting amounts.
    pub amount: Money,
}

/// Every statement of a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodStatements {
    /// The period.
    pub period: Period,
    /// The currency of every amount.
    pub currency: Currency,
    /// In the order of cost centre, tenant.
    pub statements: Vec<Statement>,
    /// The sum of the statements' totals, which is the rounded exact total of the period.
    pub amount: Money,
    /// Charges that act on the month (terms): with the days' charges they make the exact amounts.
    pub month_level: Vec<Charge>,
}
