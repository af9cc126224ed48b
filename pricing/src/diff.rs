//! Two results of one month, line by line: what another book would have changed.
//!
//! Differences are of rounded amounts, what is absent being zero, so they add up to the differences of the
//! totals. Lines are held against each other by everything but their price: what moved is often just that.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ethnum::U256;

mod reported;
#[cfg(test)]
mod tests;

pub use reported::{Reported, ReportedChange};

use crate::Overflow;
use crate::charge::{Kind, LineKey};
use crate::decimal;
use crate::money::{Currency, Money, UnitPrice};
use crate::names::{CostCenter, TenantName};
use crate::quantity::{Quantity, Unit};
use crate::statement::{Line, PeriodStatements, Statement};
use crate::time::Period;

/// An amount before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Before.
    pub old: Money,
    /// After.
    pub new: Money,
    /// After without before.
    pub difference: Money,
}

impl Change {
    pub(crate) fn of(old: Money, new: Money) -> Result<Self, Overflow> {
        Ok(Self { old, new, difference: new.checked_sub(old)? })
    }
}

/// What two results of a month differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The month.
    pub period: Period,
    /// Of every amount.
    pub currency: Currency,
    /// The totals.
    pub total: Change,
    /// Every cost centre, in order.
    pub cost_centers: Vec<CostCenterDiff>,
    /// Every statement, in order, moved or not.
    pub statements: Vec<StatementDiff>,
}

/// What a cost centre's statements differ in, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostCenterDiff {
    /// The cost centre.
    pub cost_center: CostCenter,
    /// The totals.
    pub change: Change,
    /// The same in its reporting currency, where either book gives it one.
    pub reporting: Option<ReportedChange>,
}

/// What two statements of one tenant on one cost centre differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementDiff {
    /// The cost centre.
    pub cost_center: CostCenter,
    /// The tenant.
    pub tenant: TenantName,
    /// The totals.
    pub change: Change,
    /// The same in the reporting currency of its cost centre, where either book gives it one.
    pub reporting: Option<ReportedChange>,
    /// The lines that moved, in the order of their keys.
    pub lines: Vec<LineDiff>,
}

/// A line that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDiff {
    /// The line, without its price.
    pub key: LineKey,
    /// What it was; none where it is new.
    pub old: Option<Side>,
    /// What it would be; none where it would be gone.
    pub new: Option<Side>,
    /// The rounded amounts.
    pub change: Change,
    /// The same in the reporting currency, where both sides are in one and have its rate.
    pub reporting: Option<Change>,
}

/// A line on one side: several where its price changed within the month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// How much of what.
    pub quantity: Option<(Quantity, Unit)>,
    /// At which prices, in their order.
    pub unit_prices: Vec<UnitPrice>,
    /// The exact amount.
    pub exact: Money,
    /// The rounded amount.
    pub amount: Money,
    /// The amount in the reporting currency; none where there is none, or no rate.
    pub reporting: Option<Money>,
}

impl Side {
    fn add(&mut self, line: &Line) -> Result<(), Overflow> {
        self.quantity = match (self.quantity, line.quantity) {
            (Some((sum, unit)), Some((more, same))) if unit == same => Some((sum.checked_add(more)?, unit)),
            (None, quantity) => quantity,
            (sum, _) => sum,
        };
        self.unit_prices.extend(line.unit_price);
        self.exact = self.exact.checked_add(line.exact)?;
        self.amount = self.amount.checked_add(line.amount)?;
        if let Some(more) = line.reporting {
            self.reporting = Some(self.reporting.unwrap_or_default().checked_add(more)?);
        }
        Ok(())
    }
}

/// Why two results cannot be held against each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// They are in two currencies.
    #[error("one is in {old}, the other in {new}; only amounts of one currency can be compared")]
    TwoCurrencies {
        /// Of the old.
        old: Currency,
        /// Of the new.
        new: Currency,
    },
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// Holds two results of a month against each other.
pub fn diff(old: &PeriodStatements, new: &PeriodStatements) -> Result<Diff, DiffError> {
    if old.currency != new.currency {
        return Err(DiffError::TwoCurrencies { old: old.currency, new: new.currency });
    }
    let mut pairs: BTreeMap<(&CostCenter, &TenantName), [Option<&Statement>; 2]> = BTreeMap::new();
    for (place, statements) in [&old.statements, &new.statements].into_iter().enumerate() {
        for statement in statements {
            let pair = pairs.entry((&statement.cost_center, &statement.tenant)).or_default();
            if let Some(side) = pair.get_mut(place) {
                *side = Some(statement);
            }
        }
    }
    let mut statements = Vec::with_capacity(pairs.len());
    for ((cost_center, tenant), [old, new]) in pairs {
        let amount = |side: Option<&Statement>| side.map_or(Money::ZERO, |statement| statement.amount);
        let change = Change::of(amount(old), amount(new))?;
        let reporting = ReportedChange::of(old, new)?;
        let lines =
            lines(old, new, reporting.as_ref().is_some_and(|reported| reported.difference.is_some()))?;
        let (cost_center, tenant) = (cost_center.clone(), tenant.clone());
        statements.push(StatementDiff { cost_center, tenant, change, reporting, lines });
    }
    let cost_centers = cost_centers(&statements)?;
    let total = Change::of(old.amount, new.amount)?;
    Ok(Diff { period: old.period, currency: old.currency, total, cost_centers, statements })
}

/// Statements come in the order of their cost centres.
fn cost_centers(statements: &[StatementDiff]) -> Result<Vec<CostCenterDiff>, Overflow> {
    let groups = statements.chunk_by(|a, b| a.cost_center == b.cost_center);
    groups
        .filter_map(|group| group.first().map(|first| (first.cost_center.clone(), group)))
        .map(|(cost_center, group)| {
            let old = Money::sum(group.iter().map(|statement| statement.change.old))?;
            let new = Money::sum(group.iter().map(|statement| statement.change.new))?;
            let reporting = ReportedChange::sum(group.iter().map(|statement| statement.reporting.as_ref()))?;
            Ok(CostCenterDiff { cost_center, change: Change::of(old, new)?, reporting })
        })
        .collect()
}

/// The lines that moved. `reported` says whether both sides are in one reporting currency.
fn lines(
    old: Option<&Statement>,
    new: Option<&Statement>,
    reported: bool,
) -> Result<Vec<LineDiff>, Overflow> {
    let mut sides: BTreeMap<LineKey, [Option<Side>; 2]> = BTreeMap::new();
    for (place, statement) in [old, new].into_iter().enumerate() {
        for line in statement.into_iter().flat_map(|statement| &statement.lines) {
            let key = LineKey { unit_price: None, ..line.key.clone() };
            if let Some(side) = sides.entry(key).or_default().get_mut(place) {
                side.get_or_insert_default().add(line)?;
            }
        }
    }
    let mut moved = Vec::new();
    for (key, [old, new]) in sides {
        if old != new {
            let amount = |side: &Option<Side>| side.as_ref().map_or(Money::ZERO, |side| side.amount);
            let change = Change::of(amount(&old), amount(&new))?;
            let converted =
                |side: &Option<Side>| side.as_ref().and_then(|side| side.reporting).unwrap_or_default();
            let reporting = reported.then(|| Change::of(converted(&old), converted(&new))).transpose()?;
            moved.push(LineDiff { key, old, new, change, reporting });
        }
    }
    Ok(moved)
}

impl Diff {
    /// Usage that has a price in the old result and none in the new one, all of it or some.
    pub fn newly_unpriced(&self) -> impl Iterator<Item = &LineDiff> {
        let quantity = |side: &Option<Side>| side.as_ref().and_then(|side| side.quantity).map(|(sum, _)| sum);
        let lines = self.statements.iter().flat_map(|statement| &statement.lines);
        lines.filter(move |line| line.key.kind == Kind::Unpriced && quantity(&line.new) > quantity(&line.old))
    }

    /// Whether a person has to look at it before the new book may come into force: something moved by more than
    /// a threshold, or lost its price, which is a saving for nobody.
    pub fn fails(&self, threshold: Threshold) -> Result<bool, Overflow> {
        Ok(self.newly_unpriced().next().is_some() || !self.above(threshold)?.is_empty())
    }

    /// What moved by more than a threshold, up or down, in whichever currency it is shown: the total (without a
    /// statement), statements.
    pub fn above(&self, threshold: Threshold) -> Result<Vec<Option<&StatementDiff>>, Overflow> {
        let mut above = Vec::new();
        if threshold.is_below(self.total)? {
            above.push(None);
        }
        for statement in &self.statements {
            let reported =
                statement.reporting.as_ref().map(|change| change.exceeds(threshold)).transpose()?;
            if threshold.is_below(statement.change)? || reported == Some(true) {
                above.push(Some(statement));
            }
        }
        Ok(above)
    }
}

/// How much may move before it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// An amount in the currency of the book.
    Amount(Money),
    /// A percentage of what it was, in 1e-9 of the whole.
    Percent(i128),
}

/// 1e-9 of a whole, as digits after the point of a percentage.
const PERCENT_SCALE: u32 = 7;
const WHOLE: u128 = 1_000_000_000;

impl Threshold {
    /// Whether a change is more than it. Of nothing, any change is more than any percentage.
    fn is_below(self, change: Change) -> Result<bool, Overflow> {
        let moved = change.difference.attos().unsigned_abs();
        match self {
            Self::Amount(most) => Ok(moved > most.attos().unsigned_abs()),
            Self::Percent(most) => {
                const WHAT: Overflow = Overflow("percentage of an amount");
                let times = |a: u128, b: u128| U256::from(a).checked_mul(U256::from(b)).ok_or(WHAT);
                Ok(times(moved, WHOLE)? > times(change.old.attos().unsigned_abs(), most.unsigned_abs())?)
            }
        }
    }
}

/// Why a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an amount such as 250 nor a percentage such as 2.5%, both without a sign")]
pub struct NoThreshold(String);

impl FromStr for Threshold {
    type Err = NoThreshold;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NoThreshold(text.to_owned());
        if text.starts_with('-') {
            return Err(refuse());
        }
        match text.strip_suffix('%') {
            Some(percent) => {
                decimal::parse(percent.trim_end(), PERCENT_SCALE).map(Self::Percent).map_err(|_| refuse())
            }
            None => text.parse().map(Self::Amount).map_err(|_| refuse()),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(amount) => write!(f, "{amount}"),
            Self::Percent(percent) => write!(f, "{}%", decimal::format(*percent, PERCENT_SCALE, 0)),
        }
    }
}
