//! Amounts per month and year as amounts per hour.

use crate::Overflow;
use crate::apportion::equal_part;
use crate::book::{MeteredRate, MonthlyAmount};
use crate::decimal::pow10;
use crate::money::{SHARE_SCALE, UnitPrice};
use crate::time::Period;

const MONTHS: u32 = 12;

/// Where an hour stands in its billing period.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) period: Period,
    /// How many hours the period has.
    pub(crate) of: u32,
    /// How many of them came before.
    pub(crate) index: u32,
    /// Decimals of the currency.
    pub(crate) exponent: u32,
}

impl Place {
    /// What an hour takes of an amount, in 1e-9: the earliest hours take what does not divide.
    pub(crate) fn part(&self, amount: MonthlyAmount) -> Result<i128, Overflow> {
        equal_part(self.month(amount)?, self.of, self.index)
    }

    /// The amount of the month, in 1e-9: a year is twelve months in minor units, January first.
    fn month(&self, amount: MonthlyAmount) -> Result<i128, Overflow> {
        const WHAT: Overflow = Overflow("amount per year");
        match amount {
            MonthlyAmount::Month { nanos } => Ok(nanos),
            MonthlyAmount::Year { minor } => {
                let month = self.period.month().checked_sub(1).ok_or(WHAT)?;
                let scale = SHARE_SCALE.checked_sub(self.exponent).ok_or(WHAT)?;
                equal_part(minor, MONTHS, month)?.checked_mul(pow10(scale)).ok_or(WHAT)
            }
        }
    }

    /// The price of a unit: a price per unit-month is spread over the period's real hours.
    pub(crate) fn unit_price(&self, rate: MeteredRate) -> Result<UnitPrice, Overflow> {
        per_unit(rate, self.of)
    }
}

/// The price of a unit in a period of so many hours.
pub(crate) fn per_unit(rate: MeteredRate, period_hours: u32) -> Result<UnitPrice, Overflow> {
    match rate {
        MeteredRate::PerUnit(price) => Ok(price),
        MeteredRate::PerUnitMonth(price) => price.per_hour_of(period_hours),
    }
}
