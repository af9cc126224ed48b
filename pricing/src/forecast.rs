//! What a month will come to: an estimate, by one stated method.
//!
//! Days in which everything was measured count with their exact amounts. Every other hour of the month, still
//! to come or with a gap, is taken to cost what an hour of the last [`WINDOW`] such days did on average: what
//! is missing is not zero. Fixed amounts are part of every day and so of the average. What acts on the month
//! is taken to grow with the amount it stands beside, adjustments are not.
//!
//! Nothing here is ever booked. Amounts are exact decimals all the same, so that an answer is the same each
//! time; averages are cut half-even to 1e-18.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use ethnum::I256;

use crate::Overflow;
use crate::decimal;
use crate::money::Money;
use crate::time::{Hour, HourRange};

/// How many of the last complete days an average is made of.
pub const WINDOW: usize = 7;
/// The method, for whoever reads its result.
pub const METHOD: &str = "exact amounts of the days measured without a gap, and for every other hour of the month the \
    mean hourly amount of the last 7 such days; terms grow with the amount, adjustments do not; an estimate";
/// The days of a month after which its forecast is held against its end.
pub const TEST_DAYS: [u32; 2] = [10, 20];
/// Decimals of a percentage of error, and of a share.
const PERCENT_SCALE: u32 = 2;
const SHARE_SCALE: u32 = 4;

/// How complete a rated day is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatedDay {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// Its rated hours.
    pub hours: u32,
    /// Those of them in which every cluster that counted was measured.
    pub whole_hours: u32,
    /// The first hour after them; none if it has none.
    pub until: Option<Hour>,
}

/// A month as it stands: which days are known, and how many hours are to be estimated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Days without a gap, earliest first, with their hours.
    complete: Vec<(NaiveDate, u32)>,
    /// Hours still to come, and those of days with a gap.
    estimated: u32,
    /// Of those, the ones that are still to come.
    to_come: u32,
}

impl Standing {
    /// Of the rated days of a period, earliest first; with `until`, as if nothing were known of that day and
    /// after.
    pub fn of(period: HourRange, days: &[RatedDay], until: Option<NaiveDate>) -> Result<Self, Overflow> {
        const WHAT: Overflow = Overflow("hours of a forecast");
        let known = days.iter().filter(|day| day.hours > 0 && until.is_none_or(|until| day.day < until));
        let mut standing = Self { complete: Vec::new(), estimated: 0, to_come: period.len() };
        for day in known {
            let rest = day.until.map_or(period, |from| HourRange { from, until: period.until });
            standing.to_come = rest.len();
            if day.whole_hours == day.hours {
                standing.complete.push((day.day, day.hours));
            } else {
                standing.estimated = standing.estimated.checked_add(day.hours).ok_or(WHAT)?;
            }
        }
        standing.estimated = standing.estimated.checked_add(standing.to_come).ok_or(WHAT)?;
        Ok(standing)
    }

    /// Hours whose amount is exact.
    pub fn known_hours(&self) -> u32 {
        self.complete.iter().fold(0, |sum, (_, hours)| sum.saturating_add(*hours))
    }

    /// Hours whose amount is estimated.
    pub const fn estimated_hours(&self) -> u32 {
        self.estimated
    }

    /// Whether all of the month is rated, gaps or not.
    pub const fn is_over(&self) -> bool {
        self.to_come == 0
    }

    /// What the month will come to of something with these daily amounts, before what acts on the month.
    /// None while no day is known without a gap.
    pub fn expect(&self, daily: &BTreeMap<NaiveDate, Money>) -> Result<Option<Money>, Overflow> {
        let amount = |day: &NaiveDate| daily.get(day).copied().unwrap_or(Money::ZERO);
        let known = Money::sum(self.complete.iter().map(|(day, _)| amount(day)))?;
        if self.estimated == 0 {
            return Ok(Some(known));
        }
        let window = self.complete.iter().rev().take(WINDOW);
        let of_window = Money::sum(window.clone().map(|(day, _)| amount(day)))?;
        let hours = window.fold(0_u32, |sum, (_, hours)| sum.saturating_add(*hours));
        if hours == 0 {
            return Ok(None);
        }
        let rest = share(of_window, i128::from(self.estimated), i128::from(hours))?;
        known.checked_add(rest).map(Some)
    }
}

/// What acts on the month, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonthLevel {
    /// What terms changed so far.
    pub terms: Money,
    /// What adjustments changed.
    pub adjustments: Money,
}

impl MonthLevel {
    /// Adds what acts on the month to what is expected without it: terms in proportion to what they were
    /// beside `so_far`, adjustments as they are.
    pub fn add_to(self, expected: Money, so_far: Money) -> Result<Money, Overflow> {
        let terms = if so_far.attos() > 0 && expected.attos() > 0 {
            share(self.terms, expected.attos(), so_far.attos())?
        } else {
            self.terms
        };
        expected.checked_add(terms)?.checked_add(self.adjustments)
    }
}

/// `amount x part / whole`, half-even to 1e-18.
fn share(amount: Money, part: i128, whole: i128) -> Result<Money, Overflow> {
    mul_div(amount.attos(), part, whole).map(Money::from_attos)
}

/// `a x b / c`, half-even; `c` is positive.
fn mul_div(a: i128, b: i128, c: i128) -> Result<i128, Overflow> {
    let product = I256::from(a).checked_mul(I256::from(b)).ok_or(Overflow("forecast"))?;
    decimal::div_half_even_wide(product, I256::from(c))
}

/// How far forecasts were off, on average, in per cent of what came: none of none, nor where nothing came.
pub fn mean_error(forecasts: impl IntoIterator<Item = (Money, Money)>) -> Result<Option<String>, Overflow> {
    const WHAT: Overflow = Overflow("error of a forecast");
    let (mut sum, mut count) = (0_i128, 0_i128);
    for (expected, came) in forecasts {
        if came.is_zero() {
            continue;
        }
        let off = expected.checked_sub(came)?.attos().checked_abs().ok_or(WHAT)?;
        // In 1e-9 of what came.
        let off = mul_div(off, decimal::pow10(9), came.attos().checked_abs().ok_or(WHAT)?)?;
        sum = sum.checked_add(off).ok_or(WHAT)?;
        count = count.checked_add(1).ok_or(WHAT)?;
    }
    if count == 0 {
        return Ok(None);
    }
    // From 1e-9 of the whole to 1e-2 of a per cent.
    let divisor = count.checked_mul(decimal::pow10(5)).ok_or(WHAT)?;
    let percent = decimal::div_half_even(sum, divisor)?;
    Ok(Some(decimal::format(percent, PERCENT_SCALE, PERCENT_SCALE)))
}

/// What share of a whole an amount is, as a decimal with four digits, half-even: `1.0000` is all of it.
/// None of a whole that is zero or less.
pub fn ratio(amount: Money, whole: Money) -> Result<Option<String>, Overflow> {
    if whole.attos() <= 0 {
        return Ok(None);
    }
    let share = mul_div(amount.attos(), decimal::pow10(SHARE_SCALE), whole.attos())?;
    Ok(Some(decimal::format(share, SHARE_SCALE, SHARE_SCALE)))
}
