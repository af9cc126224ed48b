//! Folding a period's charges, then terms, then rounding.

use super::fit::{convert, fit};
use super::lines::{Lines, Sum};
use super::terms::Agreement;
use super::{
    Line, MonthFacts, MonthTrace, PeriodStatements, Reporting, Statement, Unheard, adjustments, terms,
};
use crate::Overflow;
use crate::book::{Edition, PriceBook};
use crate::charge::{Charge, Kind, LineKey, item};
use crate::money::{Money, UnitPrice};
use crate::names::{CostCenter, TenantName};
use crate::rating::RatingError;
use crate::time::Period;

/// Folds a period's charges into lines, adds what acts on the month, rounds once.
///
/// `facts` are of the owners of every hour of the period: those without a charge too.
pub fn build(
    book: &PriceBook,
    period: Period,
    facts: &MonthFacts,
    charges: Vec<Charge>,
) -> Result<PeriodStatements, RatingError> {
    build_traced(book, period, facts, charges, &mut Unheard)
}

/// [`build`], telling how what acts on the month comes about.
pub fn build_traced(
    book: &PriceBook,
    period: Period,
    facts: &MonthFacts,
    charges: Vec<Charge>,
    trace: &mut dyn MonthTrace,
) -> Result<PeriodStatements, RatingError> {
    let mut month = Month::new(book, period);
    for charge in charges {
        month.add(charge)?;
    }
    month.finish_traced(facts, trace)
}

/// A month while its charges come in: it keeps lines, never hours.
#[derive(Debug)]
pub struct Month<'b> {
    book: &'b PriceBook,
    period: Period,
    lines: Lines,
}

impl<'b> Month<'b> {
    /// A month without charges.
    pub fn new(book: &'b PriceBook, period: Period) -> Self {
        Self { book, period, lines: Lines::default() }
    }

    /// Adds a charge of one of its hours or days. Their order changes nothing but the time it takes: sorted, as
    /// hours are rated, is quickest.
    pub fn add(&mut self, charge: Charge) -> Result<(), RatingError> {
        self.lines.add(charge)
    }

    /// Adds what acts on the month and rounds: the statements.
    pub fn finish(self, facts: &MonthFacts) -> Result<PeriodStatements, RatingError> {
        self.finish_traced(facts, &mut Unheard)
    }

    fn finish_traced(
        mut self,
        facts: &MonthFacts,
        trace: &mut dyn MonthTrace,
    ) -> Result<PeriodStatements, RatingError> {
        let edition = self.book.terms_in(self.book.zone.hours(self.period));
        let agreement = Agreement { book: self.book, edition, period: self.period, facts };
        let month_level = month_level(&agreement, self.lines.sorted(), trace)?;
        for charge in &month_level {
            self.lines.add(charge.clone())?;
        }
        let exponent = self.book.currency.exponent();
        let mut statements: Vec<Statement> = Vec::new();
        for (key, sum) in self.lines.into_sorted() {
            let line = line(key, sum)?;
            match statements.last_mut() {
                Some(last) if last.cost_center == line.key.cost_center && last.tenant == line.key.tenant => {
                    last.lines.push(line);
                }
                _ => statements.push(Statement {
                    cost_center: line.key.cost_center.clone(),
                    tenant: line.key.tenant.clone(),
                    lines: vec![line],
                    exact: Money::ZERO,
                    amount: Money::ZERO,
                    reporting: None,
                }),
            }
        }
        for statement in &mut statements {
            fit(statement, exponent)?;
        }
        let amount = round_period(&mut statements, edition, exponent)?;
        for statement in &mut statements {
            report(self.book, edition, self.period, statement)?;
        }
        Ok(PeriodStatements {
            period: self.period,
            currency: self.book.currency,
            statements,
            amount,
            month_level,
        })
    }
}

/// Shows a statement in the reporting currency of its cost centre.
fn report(
    book: &PriceBook,
    edition: Option<&Edition>,
    period: Period,
    statement: &mut Statement,
) -> Result<(), Overflow> {
    let terms = edition.and_then(|edition| edition.terms(&statement.cost_center));
    let Some(currency) = terms.and_then(|terms| terms.reporting_currency) else { return Ok(()) };
    let rate = book.rate(currency, period);
    let converted = rate.map(|rate| convert(statement, rate, currency)).transpose()?;
    statement.reporting = Some(Reporting { currency, converted });
    Ok(())
}

/// The charges of what acts on the month, in the order of their keys: terms, then adjustments.
fn month_level(
    agreement: &Agreement<'_>,
    lines: &[(LineKey, Sum)],
    trace: &mut dyn MonthTrace,
) -> Result<Vec<Charge>, RatingError> {
    let mut charges = terms::charges(agreement, lines, trace)?;
    let adjustments = adjustments::charges(agreement, lines, &charges, trace)?;
    charges.extend(adjustments);
    charges.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(charges)
}

/// A line before it is fitted: without a list price it shows the average one.
fn line(key: LineKey, sum: Sum) -> Result<Line, Overflow> {
    let unit_price = match (key.unit_price, sum.quantity) {
        _ if key.kind == Kind::Unpriced => None,
        (Some(list), _) => Some(list),
        (None, Some((quantity, _))) => UnitPrice::average(sum.amount, quantity)?,
        (None, None) => None,
    };
    Ok(Line {
        key,
        quantity: sum.quantity,
        unit_price,
        exact: sum.amount,
        rounding: Money::ZERO,
        amount: Money::ZERO,
        reporting: None,
    })
}

/// The period's total is the rounded exact one; what the statements differ from it is one line.
fn round_period(
    statements: &mut Vec<Statement>,
    edition: Option<&Edition>,
    exponent: u32,
) -> Result<Money, RatingError> {
    let exact = Money::sum(statements.iter().map(|statement| statement.exact))?;
    let rounded = Money::sum(statements.iter().map(|statement| statement.amount))?;
    let amount = Money::from_minor(exact.to_minor_half_away(exponent)?, exponent)?;
    let difference = amount.checked_sub(rounded)?;
    if difference.is_zero() {
        return Ok(amount);
    }
    let (cost_center, tenant) = match edition.and_then(|edition| edition.platform_cost_center.clone()) {
        Some(cost_center) => (cost_center, TenantName::platform()),
        None => (CostCenter::unassigned(), TenantName::unassigned()),
    };
    let place = statements
        .binary_search_by(|other| (&other.cost_center, &other.tenant).cmp(&(&cost_center, &tenant)));
    let place = place.unwrap_or_else(|place| {
        statements.insert(
            place,
            Statement {
                cost_center: cost_center.clone(),
                tenant: tenant.clone(),
                lines: Vec::new(),
                exact: Money::ZERO,
                amount: Money::ZERO,
                reporting: None,
            },
        );
        place
    });
    let statement = statements.get_mut(place).ok_or(Overflow("rounding line"))?;
    let line = Line {
        key: LineKey {
            cost_center,
            tenant,
            cluster: None,
            virtual_namespace: None,
            kind: Kind::Rounding,
            class: None,
            item: item::ROUNDING.to_owned(),
            unit_price: None,
        },
        quantity: None,
        unit_price: None,
        exact: Money::ZERO,
        rounding: difference,
        amount: difference,
        reporting: None,
    };
    let at = statement.lines.partition_point(|other| other.key < line.key);
    statement.lines.insert(at, line);
    statement.amount = statement.amount.checked_add(difference)?;
    Ok(amount)
}
