//! Adjustments that do not reach whom they are for. None is ever dropped, and none in silence.
//!
//! An adjustment is on the statements of the month it is dated in. While there are none, or while the month is
//! closed without it, it is on no statement and waits in the book; where the month knows neither its tenant nor
//! its cost centre it is on one that nobody gets.

use std::fmt;

use crate::Overflow;
use crate::book::{Adjustment, AdjustmentOn, PriceBook, Problem};
use crate::charge::{Charge, Kind};
use crate::money::Money;
use crate::names::{CostCenter, TenantName};
use crate::time::Period;

/// An adjustment that does not reach whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Astray<'b> {
    /// The adjustment.
    pub adjustment: &'b Adjustment,
    /// Why it does not.
    pub why: Why,
}

/// Why an adjustment does not reach whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Its month has no statements yet, or none that were computed since the book has it.
    NotYet,
    /// No hour of its month counts, and none will: it was over before the first that does.
    NeverMeasured,
    /// Its month was closed without it.
    Closed,
    /// Its tenant did not exist in the month: it is on a statement of `__unassigned__`.
    NoTenant,
    /// Its cost centre had no statement in the month: `__unassigned__` has it there.
    NoStatement,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NotYet, Self::NeverMeasured, Self::Closed, Self::NoTenant, Self::NoStatement];

    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotYet => "not_yet",
            Self::NeverMeasured => "never_measured",
            Self::Closed => "closed",
            Self::NoTenant => "no_tenant",
            Self::NoStatement => "no_statement",
        }
    }

    /// Whether somebody has to do something about it; a month that is still to come does not need that.
    pub const fn is_wrong(self) -> bool {
        !matches!(self, Self::NotYet)
    }

    const fn mend(self) -> &'static str {
        match self {
            Self::NotYet => "it will be, once the month is rated by this book",
            Self::NeverMeasured => "date it in a month that is charged",
            Self::Closed => "restate the month, or date it in an open one",
            Self::NoTenant => "correct the name, or give it to a cost centre",
            Self::NoStatement => "correct the name",
        }
    }
}

/// Where a month stands that adjustments are dated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'m> {
    /// It has no statements yet.
    Ahead,
    /// It was over before the first hour that counts.
    Before,
    /// It has statements.
    Rated {
        /// Whether it is closed, so that they change by a restatement only.
        closed: bool,
        /// What acts on the month, in the version that holds.
        month_level: &'m [Charge],
    },
}

/// The adjustments dated in a month that do not reach whom they are for, by date and reference.
pub fn astray<'b>(
    book: &'b PriceBook,
    period: Period,
    standing: Standing<'_>,
) -> Result<Vec<Astray<'b>>, Overflow> {
    let mut found = Vec::new();
    for adjustment in book.adjustments_in(period) {
        let why = match standing {
            Standing::Ahead => Some(Why::NotYet),
            Standing::Before => Some(Why::NeverMeasured),
            Standing::Rated { closed, month_level } => booked(adjustment, closed, month_level)?,
        };
        found.extend(why.map(|why| Astray { adjustment, why }));
    }
    Ok(found)
}

/// What is wrong with how an adjustment is booked in a month, if anything is.
fn booked(adjustment: &Adjustment, closed: bool, month_level: &[Charge]) -> Result<Option<Why>, Overflow> {
    let item = adjustment.item_on_statement();
    let its = |charge: &&Charge| charge.key.kind == Kind::Adjustment && charge.key.item == item;
    let of_whom = |charge: &&Charge| match &adjustment.on {
        AdjustmentOn::Tenant(name) => charge.key.tenant == *name,
        AdjustmentOn::CostCenter(name) => charge.key.cost_center == *name,
    };
    let charges: Vec<&Charge> = month_level.iter().filter(its).filter(of_whom).collect();
    // What a closed month has of it is what the book said then.
    if Money::sum(charges.iter().map(|charge| charge.amount))? != adjustment.amount {
        return Ok(Some(if closed { Why::Closed } else { Why::NotYet }));
    }
    let nobodys = |charge: &&Charge| match &adjustment.on {
        AdjustmentOn::Tenant(_) => charge.key.cost_center == CostCenter::unassigned(),
        AdjustmentOn::CostCenter(_) => charge.key.tenant == TenantName::unassigned(),
    };
    Ok(charges.iter().any(nobodys).then_some(match &adjustment.on {
        AdjustmentOn::Tenant(_) => Why::NoTenant,
        AdjustmentOn::CostCenter(_) => Why::NoStatement,
    }))
}

impl PriceBook {
    /// The adjustments dated in a month.
    pub fn adjustments_in(&self, period: Period) -> impl Iterator<Item = &Adjustment> {
        self.adjustments.iter().filter(move |entry| Period::of_date(entry.date) == period)
    }
}

impl Astray<'_> {
    /// In words, with the place where the book says it.
    pub fn problem(&self, book: &PriceBook) -> Problem {
        book.places.of_adjustment(&self.adjustment.reference, self.to_string(), self.why.mend())
    }
}

impl fmt::Display for Astray<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Adjustment { date, reference, on, .. } = self.adjustment;
        let period = Period::of_date(*date);
        write!(f, "the adjustment `{reference}` of {date} ")?;
        match (self.why, on) {
            (Why::NotYet, _) => write!(f, "is not on the statements of {period} yet"),
            (Why::NeverMeasured, _) => {
                write!(f, "is on no statement: {period} was over before the first hour that counts")
            }
            (Why::Closed, _) => {
                write!(
                    f,
                    "is on no statement: {period} was closed without it, and it waits for a restatement"
                )
            }
            (_, AdjustmentOn::Tenant(name)) => write!(
                f,
                "is on a statement that nobody gets: `{name}` did not exist in {period}, so it fell to `__unassigned__`"
            ),
            (_, AdjustmentOn::CostCenter(name)) => write!(
                f,
                "is on a statement that nobody gets: the cost centre `{name}` had no tenant in {period}, so it fell to \
                 `__unassigned__`"
            ),
        }
    }
}
