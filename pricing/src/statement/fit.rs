//! Rounding a statement: its total half away from zero, its lines fitted to that.

use std::cmp::Reverse;

use super::Statement;
use crate::Overflow;
use crate::decimal::pow10;
use crate::money::{MONEY_SCALE, Money};

const WHAT: Overflow = Overflow("rounding");

/// Sets a statement's totals and its lines' rounding and amounts.
///
/// Every line is cut down to whole minor units, negative ones too; what then misses to the total goes, one
/// unit each, to the largest remainders, ties to the earlier line.
pub(super) fn fit(statement: &mut Statement, exponent: u32) -> Result<(), Overflow> {
    let scale = MONEY_SCALE.checked_sub(exponent).ok_or(WHAT)?;
    let unit = pow10(scale);
    statement.exact = Money::sum(statement.lines.iter().map(|line| line.exact))?;
    let total = statement.exact.to_minor_half_away(exponent)?;
    statement.amount = Money::from_minor(total, exponent)?;
    let mut missing = total;
    let mut minors = Vec::with_capacity(statement.lines.len());
    let mut remainders = Vec::with_capacity(statement.lines.len());
    for line in &statement.lines {
        let floor = line.exact.attos().checked_div_euclid(unit).ok_or(WHAT)?;
        missing = missing.checked_sub(floor).ok_or(WHAT)?;
        minors.push(floor);
        remainders.push(line.exact.attos().checked_rem_euclid(unit).ok_or(WHAT)?);
    }
    // The floors never exceed the total, and lines with a remainder are never fewer than what is missing.
    let missing = usize::try_from(missing).map_err(|_| WHAT)?;
    let mut order: Vec<usize> = (0..minors.len()).collect();
    order.sort_by_key(|index| (Reverse(remainders.get(*index)), *index));
    for index in order.into_iter().take(missing) {
        let minor = minors.get_mut(index).ok_or(WHAT)?;
        *minor = minor.checked_add(1).ok_or(WHAT)?;
    }
    for (line, minor) in statement.lines.iter_mut().zip(minors) {
        line.amount = Money::from_minor(minor, exponent)?;
        line.rounding = line.amount.checked_sub(line.exact)?;
    }
    Ok(())
}
