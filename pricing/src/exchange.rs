//! Exchange rates, and the one conversion they are for.
//!
//! An exact amount has eighteen decimals and a rate nine, so a product has twenty-seven: it is kept whole in
//! 256 bits and cut nowhere until a statement is rounded.

use std::fmt;
use std::str::FromStr;

use ethnum::I256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Overflow;
use crate::decimal;
use crate::money::{MONEY_SCALE, Money, serde_as_text};

/// Decimals of an exchange rate.
pub const RATE_SCALE: u32 = 9;
/// Decimals of an amount times a rate.
pub(crate) const PRODUCT_SCALE: u32 = MONEY_SCALE + RATE_SCALE;
const WHAT: Overflow = Overflow("exchange");
/// No rate is as large as this many reporting units for a unit of the book.
const MOST: i128 = decimal::pow10(9);

/// How many units of a reporting currency a unit of the book's currency is worth, in 1e-9. Above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeRate(i64);

/// The text is no exchange rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// It is no number that is held exactly.
    #[error(transparent)]
    Decimal(#[from] decimal::DecimalError),
    /// Zero, negative or absurd.
    #[error("`{0}` is not above zero and below 1000000000")]
    OutOfRange(String),
}

impl ExchangeRate {
    /// The count of 1e-9.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// An exact amount times the rate.
    pub(crate) fn times(self, exact: Money) -> Result<Product, Overflow> {
        I256::from(exact.attos()).checked_mul(I256::from(self.0)).map(Product).ok_or(WHAT)
    }
}

/// An exact amount in a reporting currency, with all its decimals: a count of 1e-27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Product(pub(crate) I256);

impl Product {
    /// The sum of some.
    pub(crate) fn sum(products: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        let add = |sum: I256, product: Self| sum.checked_add(product.0);
        products.into_iter().try_fold(I256::ZERO, add).map(Self).ok_or(WHAT)
    }

    /// Cut down to whole minor units, and what that leaves.
    pub(crate) fn cut(self, exponent: u32) -> Result<(Money, Self), Overflow> {
        let unit = PRODUCT_SCALE.checked_sub(exponent).map(|digits| I256::from(decimal::pow10(digits)));
        let unit = unit.ok_or(WHAT)?;
        let remainder = self.0.checked_rem_euclid(unit).ok_or(WHAT)?;
        let floor = self.0.checked_div_euclid(unit).and_then(|floor| i128::try_from(floor).ok());
        Ok((Money::from_minor(floor.ok_or(WHAT)?, exponent)?, Self(remainder)))
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: usize = 27;
        let one = I256::from(decimal::pow10(PRODUCT_SCALE)).unsigned_abs();
        let magnitude = self.0.unsigned_abs();
        let units = magnitude.checked_div(one).ok_or(fmt::Error)?;
        let rest = magnitude.checked_rem(one).ok_or(fmt::Error)?.to_string();
        let rest = format!("{rest:0>WIDTH$}");
        let sign = if self.0 < I256::ZERO { "-" } else { "" };
        match rest.trim_end_matches('0') {
            "" => write!(f, "{sign}{units}"),
            decimals => write!(f, "{sign}{units}.{decimals}"),
        }
    }
}

impl fmt::Display for ExchangeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(i128::from(self.0), RATE_SCALE, 0))
    }
}

impl FromStr for ExchangeRate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let nanos = decimal::parse(text, RATE_SCALE)?;
        match i64::try_from(nanos) {
            Ok(rate) if nanos > 0 && nanos < MOST.saturating_mul(decimal::pow10(RATE_SCALE)) => {
                Ok(Self(rate))
            }
            _ => Err(RateError::OutOfRange(text.to_owned())),
        }
    }
}

serde_as_text!(ExchangeRate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_keeps_and_shows_every_decimal_and_is_cut_down_below_zero_too() {
        for (exact, rate, exponent, product, floor, remainder) in [
            ("10.004", "163.52", 0, "1635.85408", "1635", "0.85408"),
            ("-0.005", "0.3345", 3, "-0.0016725", "-0.002", "0.0003275"),
            ("-3", "1", 2, "-3", "-3", "0"),
            ("0.000000000000000001", "0.000000001", 2, TINY, "0", TINY),
        ] {
            let rate: ExchangeRate = rate.parse().unwrap();
            let times = rate.times(exact.parse().unwrap()).unwrap();
            assert_eq!(times.to_string(), product);
            let (whole, rest) = times.cut(exponent).unwrap();
            assert_eq!((whole.to_string(), rest.to_string()), (floor.to_owned(), remainder.to_owned()));
        }
    }

    const TINY: &str = "0.000000000000000000000000001";

    #[test]
    fn a_rate_is_a_decimal_above_zero_with_at_most_nine_digits_after_the_point() {
        for text in ["163.52", "0.000000001", "999999999.999999999", "1"] {
            assert_eq!(text.parse::<ExchangeRate>().unwrap().to_string(), text);
        }
        for text in ["0", "-1.5", "1000000000", "1e3", "", "0.0000000001"] {
            assert!(text.parse::<ExchangeRate>().is_err(), "{text}");
        }
    }
}
