//! A month from what is stored: hours of owners and usage become charges, charges become statements.
//!
//! Hours come one after the other and only lines are kept of them, so a month of any size fits. Whoever
//! rates a month goes through here, whether the result is kept or only looked at, so that both say the same.

use std::collections::BTreeMap;

use crate::book::PriceBook;
use crate::charge::{Charge, LineKey};
use crate::invariants::{Violation, check_hour, check_period};
use crate::money::Money;
use crate::ownership::Owners;
use crate::rating::{RatedHour, RatingError, Trace, Untraced, rate_traced};
use crate::statement::{self, MonthFacts, MonthTrace, PeriodStatements, Unheard};
use crate::time::Period;
use crate::usage::UsageHour;

/// Why an hour or a month was not rated. Nothing of it may be kept then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRated {
    /// The engine refused.
    #[error(transparent)]
    Refused(#[from] RatingError),
    /// The result contradicts itself: a fault in this program, found before it is a bill.
    #[error("{0}; please report this")]
    Contradicted(#[from] Violation),
}

impl From<crate::Overflow> for NotRated {
    fn from(overflow: crate::Overflow) -> Self {
        Self::Refused(overflow.into())
    }
}

/// Rates one hour and proves that everything that was paid for is charged, once.
pub fn hour(book: &PriceBook, owners: &Owners, usage: &[UsageHour]) -> Result<RatedHour, NotRated> {
    hour_traced(book, owners, usage, &mut Untraced)
}

/// [`hour`], telling how each charge comes about.
pub fn hour_traced(
    book: &PriceBook,
    owners: &Owners,
    usage: &[UsageHour],
    trace: &mut dyn Trace,
) -> Result<RatedHour, NotRated> {
    let rated = rate_traced(book, owners, usage, trace)?;
    check_hour(&rated)?;
    Ok(rated)
}

/// A month while its hours come in. Their order does not matter.
#[derive(Debug, Clone)]
pub struct Fold {
    period: Period,
    lines: BTreeMap<LineKey, Charge>,
    hours: Money,
}

impl Fold {
    /// A month without hours.
    pub fn new(period: Period) -> Self {
        Self { period, lines: BTreeMap::new(), hours: Money::ZERO }
    }

    /// Adds a charge of one of its hours or days.
    pub fn charge(&mut self, charge: Charge) -> Result<(), NotRated> {
        self.hours = self.hours.checked_add(charge.amount)?;
        self.line(Charge { namespace: None, ..charge })
    }

    fn line(&mut self, charge: Charge) -> Result<(), NotRated> {
        if let Some(line) = self.lines.get_mut(&charge.key) {
            line.absorb(&charge)?;
        } else {
            self.lines.insert(charge.key.clone(), charge);
        }
        Ok(())
    }

    /// Adds what came in of its other hours.
    pub fn join(&mut self, other: Self) -> Result<(), NotRated> {
        self.hours = self.hours.checked_add(other.hours)?;
        other.lines.into_values().try_for_each(|charge| self.line(charge))
    }

    /// The statements, proven to add up. `facts` are of the owners of all its hours.
    pub fn finish(self, book: &PriceBook, facts: &MonthFacts) -> Result<PeriodStatements, NotRated> {
        self.finish_traced(book, facts, &mut Unheard)
    }

    /// [`Fold::finish`], telling how what acts on the month comes about.
    pub fn finish_traced(
        self,
        book: &PriceBook,
        facts: &MonthFacts,
        trace: &mut dyn MonthTrace,
    ) -> Result<PeriodStatements, NotRated> {
        let charges = self.lines.into_values().collect();
        let statements = statement::build_traced(book, self.period, facts, charges, trace)?;
        check_period(&statements, self.hours)?;
        Ok(statements)
    }
}
