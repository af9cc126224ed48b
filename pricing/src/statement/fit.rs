//! Rounding a statement: its total half away from zero, its lines fitted to that.

use ethnum::I256;

use super::{Converted, Statement};
use crate::Overflow;
use crate::apportion;
use crate::decimal::pow10;
use crate::exchange::{ExchangeRate, PRODUCT_SCALE};
use crate::money::{Currency, MONEY_SCALE, Money};

const WHAT: Overflow = Overflow("rounding");

/// Sets a statement's totals and its lines' rounding and amounts.
pub(super) fn fit(statement: &mut Statement, exponent: u32) -> Result<(), Overflow> {
    statement.exact = Money::sum(statement.lines.iter().map(|line| line.exact))?;
    let exact: Vec<I256> = statement.lines.iter().map(|line| I256::from(line.exact.attos())).collect();
    let (total, minors) = fitted(&exact, unit(MONEY_SCALE, exponent)?)?;
    statement.amount = Money::from_minor(total, exponent)?;
    for (line, minor) in statement.lines.iter_mut().zip(minors) {
        line.amount = Money::from_minor(minor, exponent)?;
        line.rounding = line.amount.checked_sub(line.exact)?;
    }
    Ok(())
}

/// Converts each line's exact amount and rounds the results as a statement is rounded: gives the total and
/// sets the lines' reporting amounts.
pub(super) fn convert(
    statement: &mut Statement,
    rate: ExchangeRate,
    currency: Currency,
) -> Result<Converted, Overflow> {
    let exponent = currency.exponent();
    let exact: Result<Vec<I256>, Overflow> =
        statement.lines.iter().map(|line| rate.times(line.exact).map(|product| product.0)).collect();
    let (total, minors) = fitted(&exact?, unit(PRODUCT_SCALE, exponent)?)?;
    for (line, minor) in statement.lines.iter_mut().zip(minors) {
        line.reporting = Some(Money::from_minor(minor, exponent)?);
    }
    Ok(Converted { rate, amount: Money::from_minor(total, exponent)? })
}

/// A minor unit, in `10^-scale`.
fn unit(scale: u32, exponent: u32) -> Result<I256, Overflow> {
    scale.checked_sub(exponent).map(|digits| I256::from(pow10(digits))).ok_or(WHAT)
}

/// The total of exact amounts in whole units, half away from zero, and the amounts in whole units.
fn fitted(exact: &[I256], unit: I256) -> Result<(i128, Vec<i128>), Overflow> {
    let sum = exact.iter().try_fold(I256::ZERO, |sum, amount| sum.checked_add(*amount)).ok_or(WHAT)?;
    let total = half_away(sum, unit)?;
    Ok((total, apportion::fit(total, exact, unit)?))
}

/// `sum / unit` rounded half away from zero.
fn half_away(sum: I256, unit: I256) -> Result<i128, Overflow> {
    let quotient = sum.checked_div(unit).ok_or(WHAT)?;
    let rest = sum.checked_rem(unit).and_then(I256::checked_abs).ok_or(WHAT)?;
    let up = rest >= unit.checked_sub(rest).ok_or(WHAT)?;
    let rounded = if up { quotient.checked_add(sum.signum()).ok_or(WHAT)? } else { quotient };
    i128::try_from(rounded).map_err(|_| WHAT)
}
