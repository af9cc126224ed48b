//! From the book's currency to a reporting currency: exact amount x rate, rounded as a statement is.

use crate::Overflow;
use crate::exchange::{ExchangeRate, Product};
use crate::money::{Currency, Money};
use crate::statement::{Line, Statement};
use crate::time::Period;

/// A statement in the reporting currency of its cost centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The reporting currency.
    pub currency: Currency,
    /// None while the book has no rate for the month.
    pub converted: Option<ConvertedTotal>,
}

/// A statement's total on its way into another currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertedTotal {
    /// Units of the reporting currency for a unit of the book's.
    pub rate: ExchangeRate,
    /// The exact total x the rate.
    pub exact: Product,
    /// That, rounded half away from zero.
    pub amount: Money,
}

/// A line on its way into another currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvertedLine {
    /// The exact amount x the rate.
    pub exact: Product,
    /// Cut down to whole minor units of the reporting currency.
    pub floor: Money,
    /// What that left.
    pub remainder: Product,
    /// Whether it got one of the minor units that then missed to the converted total.
    pub topped_up: bool,
    /// Whole minor units of the reporting currency.
    pub amount: Money,
}

impl Conversion {
    /// What there is to say of a statement; none where its cost centre has no reporting currency.
    pub(super) fn of(statement: &Statement) -> Result<Option<Self>, Overflow> {
        let Some(reporting) = statement.reporting else { return Ok(None) };
        let converted = reporting.converted.map(|converted| {
            let products = statement.lines.iter().map(|line| converted.rate.times(line.exact));
            let exact = Product::sum(products.collect::<Result<Vec<Product>, Overflow>>()?)?;
            Ok::<_, Overflow>(ConvertedTotal { rate: converted.rate, exact, amount: converted.amount })
        });
        Ok(Some(Self { currency: reporting.currency, converted: converted.transpose()? }))
    }

    /// One of the statement's lines; none where there is no rate.
    pub(super) fn line(&self, line: &Line) -> Result<Option<ConvertedLine>, Overflow> {
        let (Some(converted), Some(amount)) = (self.converted, line.reporting) else { return Ok(None) };
        let exact = converted.rate.times(line.exact)?;
        let (floor, remainder) = exact.cut(self.currency.exponent())?;
        Ok(Some(ConvertedLine { exact, floor, remainder, topped_up: amount != floor, amount }))
    }

    /// Where the price book says the rate.
    pub fn source(&self, period: Period) -> String {
        format!("currencies.{}.{period}", self.currency)
    }
}
