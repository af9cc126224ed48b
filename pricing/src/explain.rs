//! From a line back to usage: what each amount of a tenant was made from, told by the engine that made it.
//!
//! A [`Recorder`] listens while a month is rated and keeps what concerns one tenant, by day or by hour. With
//! the statements of that same rating it becomes an [`Explanation`], whose steps are proven to add up to the
//! exact amount of every line: an explanation cannot say something else than the bill. Of others it holds
//! sums and counts, never a name.

use std::collections::BTreeMap;

use crate::Overflow;
use crate::book::{BandRate, MeteredRate, MonthlyAmount};
use crate::charge::{Kind, LineKey};
use crate::decimal::{self, pow10};
use crate::digest::Digest;
use crate::money::{Currency, MONEY_SCALE, Money};
use crate::names::{CostCenter, TenantName};
use crate::quantity::Quantity;
use crate::rating::Paid;
use crate::statement::{Line, MonthRule, PeriodStatements, Statement};
use crate::time::{BillingZone, Hour, Period};

mod conversion;
mod month;
mod recorder;
mod step;

pub use conversion::{Conversion, ConvertedLine, ConvertedTotal};
pub use month::{MonthReason, Split};
pub use recorder::Recorder;
pub use step::{NodeShareSum, Reason, ShareBy, ShareSum, Step, StepKey};

/// What was recorded of what acts on the month.
type Monthly = BTreeMap<LineKey, Vec<MonthReason>>;

/// Why an explanation cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The tenant has no statement.
    #[error("the tenant `{tenant}` has no statement in {period}")]
    NoStatement {
        /// The tenant.
        tenant: TenantName,
        /// The period.
        period: Period,
    },
    /// The steps say something else than the line.
    #[error("the steps of the line `{item}` add up to {steps}, but it is {exact}; please report this")]
    DoesNotAddUp {
        /// The line's item.
        item: String,
        /// The sum of its steps.
        steps: Money,
        /// The exact amount.
        exact: Money,
    },
    /// A sum does not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// An edition of the book that was in force in some of the month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditionInForce {
    /// Its label.
    pub version: String,
    /// From when on.
    pub effective_from: Hour,
}

/// Why a tenant pays what it pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The month.
    pub period: Period,
    /// How many hours it has.
    pub hours: u32,
    /// Of every amount.
    pub currency: Currency,
    /// The zone of every day.
    pub zone: BillingZone,
    /// The tenant.
    pub tenant: TenantName,
    /// Of the price book.
    pub book: Digest,
    /// The editions steps refer to, by place.
    pub editions: Vec<EditionInForce>,
    /// Its statements: one for each cost centre.
    pub statements: Vec<Explained>,
}

/// A statement, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The cost centre.
    pub cost_center: CostCenter,
    /// The sum of the exact amounts of all its lines.
    pub exact: Money,
    /// That, rounded half away from zero, with the rounding line if it has one.
    pub amount: Money,
    /// The same in the reporting currency of its cost centre, if it has one.
    pub reporting: Option<Conversion>,
    /// Its lines, or those that were asked for.
    pub lines: Vec<ExplainedLine>,
    /// Its other lines.
    pub others: Vec<LineKey>,
}

/// A line, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedLine {
    /// The line.
    pub line: Line,
    /// What it adds up from, earliest first; none for what acts on the month.
    pub steps: Vec<Step>,
    /// What it adds up from, for what acts on the month.
    pub month: Vec<MonthReason>,
    /// How the exact amount became whole minor units.
    pub rounding: Rounding,
    /// How it became an amount in the reporting currency; none where there is none, or no rate.
    pub reporting: Option<ConvertedLine>,
}

/// How an exact amount was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounding {
    /// Cut down to whole minor units.
    pub floor: Money,
    /// What that left.
    pub remainder: Money,
    /// Whether the line got one of the minor units that then missed to the statement's total: they go to the
    /// largest remainders.
    pub topped_up: bool,
}

/// Explains a tenant's statements with what was recorded while they were made. `wanted` says which lines.
pub fn explain(
    recorder: Recorder,
    statements: &PeriodStatements,
    wanted: impl Fn(&LineKey) -> bool,
) -> Result<Explanation, ExplainError> {
    let Recorder { tenant, zone, book, editions, mut lines, mut month, .. } = recorder;
    let period = statements.period;
    let own = statements.statements.iter().filter(|statement| statement.tenant == tenant);
    let exponent = statements.currency.exponent();
    let explained = own
        .map(|statement| one(statement, (&mut lines, &mut month), exponent, &wanted))
        .collect::<Result<Vec<Explained>, ExplainError>>()?;
    if explained.is_empty() {
        return Err(ExplainError::NoStatement { tenant, period });
    }
    let (currency, hours) = (statements.currency, zone.hours(period).len());
    Ok(Explanation { period, hours, currency, zone, tenant, book, editions, statements: explained })
}

fn one(
    statement: &Statement,
    (hourly, monthly): (&mut BTreeMap<LineKey, BTreeMap<StepKey, Step>>, &mut Monthly),
    exponent: u32,
    wanted: &impl Fn(&LineKey) -> bool,
) -> Result<Explained, ExplainError> {
    let reporting = Conversion::of(statement)?;
    let (mut lines, mut others) = (Vec::new(), Vec::new());
    for line in &statement.lines {
        let steps: Vec<Step> = hourly.remove(&line.key).unwrap_or_default().into_values().collect();
        let month = monthly.remove(&line.key).unwrap_or_default();
        let amounts = steps.iter().map(|step| step.amount).chain(month.iter().map(|reason| reason.amount));
        let sum = Money::sum(amounts)?;
        if sum != line.exact {
            return Err(ExplainError::DoesNotAddUp {
                item: line.key.item.clone(),
                steps: sum,
                exact: line.exact,
            });
        }
        if wanted(&line.key) {
            let rounding = rounding(line, exponent)?;
            let reporting = reporting.as_ref().map(|conversion| conversion.line(line)).transpose()?.flatten();
            lines.push(ExplainedLine { line: line.clone(), steps, month, rounding, reporting });
        } else {
            others.push(line.key.clone());
        }
    }
    let (cost_center, exact) = (statement.cost_center.clone(), statement.exact);
    Ok(Explained { cost_center, exact, amount: statement.amount, reporting, lines, others })
}

fn rounding(line: &Line, exponent: u32) -> Result<Rounding, Overflow> {
    const WHAT: Overflow = Overflow("rounding");
    let unit = pow10(MONEY_SCALE.checked_sub(exponent).ok_or(WHAT)?);
    let remainder = line.exact.attos().checked_rem_euclid(unit).ok_or(WHAT)?;
    let floor = Money::from_attos(line.exact.attos().checked_sub(remainder).ok_or(WHAT)?);
    let topped_up = line.key.kind != Kind::Rounding && line.amount != floor;
    Ok(Rounding { floor, remainder: Money::from_attos(remainder), topped_up })
}

/// What an amount is paid by, in the words of the book.
pub fn paid_in_words(paid: Paid, currency: &Currency) -> String {
    match paid {
        Paid::NodeHours(price) => format!("{price} a node-hour"),
        Paid::PartOf(amount) => amount_in_words(amount, currency),
    }
}

/// A monthly or yearly amount in words.
pub fn amount_in_words(amount: MonthlyAmount, currency: &Currency) -> String {
    let text = match amount {
        MonthlyAmount::Month { nanos } => Money::from_nanos(nanos).map(|money| (money, "a month")),
        MonthlyAmount::Year { minor } => {
            Money::from_minor(minor, currency.exponent()).map(|money| (money, "a year"))
        }
    };
    text.map_or_else(|overflow| overflow.to_string(), |(money, each)| format!("{money} {each}"))
}

/// A price in the words of the book.
pub fn rate_in_words(rate: MeteredRate, period_hours: u32) -> String {
    match rate {
        MeteredRate::PerUnit(price) => format!("{price} a unit"),
        MeteredRate::PerUnitMonth(price) => {
            format!("{price} a unit and month, over the month's {period_hours} hours")
        }
    }
}

/// What acts on a month, in words.
pub fn rule_in_words(rule: &MonthRule) -> String {
    let percent = |share: i64| {
        let sign = if share > 0 { "+" } else { "" };
        format!("{sign}{} %", decimal::format(i128::from(share), 7, 0))
    };
    let short = |quantity: Quantity| decimal::format(i128::from(quantity.micros()), 6, 0);
    match rule {
        MonthRule::Override { price } => format!("{price} a unit in place of the list price"),
        MonthRule::Band { units, of, cost, rate } => {
            let rate = match rate {
                BandRate::Percentage(share) => format!("{} of what they cost on average", percent(*share)),
                BandRate::Price(MeteredRate::PerUnit(price)) => {
                    format!("{price} each in place of the average")
                }
                BandRate::Price(MeteredRate::PerUnitMonth(price)) => {
                    format!("{price} each and month in place of the average")
                }
            };
            format!("{} of {} units, which cost {cost}, are in this band: {rate}", short(*units), short(*of))
        }
        MonthRule::Percentage(share) => format!("{} of what it acts on", percent(*share)),
        MonthRule::Minimum { least, reached } => {
            format!(
                "the least for the hours in which there was a tenant is {least}, and {reached} was reached"
            )
        }
        MonthRule::Adjustment { date, reason, reference } => format!("{date}, {reference}: {reason}"),
    }
}
