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

    /// An exact amount times the rate, in 1e-27 of the reporting currency.
    pub(crate) fn times(self, exact: Money) -> Result<I256, Overflow> {
        I256::from(exact.attos()).checked_mul(I256::from(self.0)).ok_or(Overflow("exchange"))
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
    fn a_rate_is_a_decimal_above_zero_with_at_most_nine_digits_after_the_point() {
        for text in ["163.52", "0.000000001", "999999999.999999999", "1"] {
            assert_eq!(text.parse::<ExchangeRate>().unwrap().to_string(), text);
        }
        for text in ["0", "-1.5", "1000000000", "1e3", "", "0.0000000001"] {
            assert!(text.parse::<ExchangeRate>().is_err(), "{text}");
        }
    }
}
