//! Money and prices, exact to the last digit.
//!
//! A price has at most twelve decimals (nine in a book, twelve when an amount per month is spread over
//! hours) and a quantity six, so a product has at most eighteen: money is a whole number of 1e-18 of the
//! currency in 128 bits. That holds 170 million million million units, so a yen total fits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Overflow;
use crate::decimal::{self, DecimalError};
use crate::quantity::Quantity;

/// Digits after the point that [`Money`] holds.
pub const MONEY_SCALE: u32 = 18;
/// Digits after the point to which a whole is cut before it is shared out.
pub const SHARE_SCALE: u32 = 9;
pub(crate) const ATTOS_PER_NANO: i128 = decimal::pow10(9);
const NANOS_PER_UNIT: i128 = decimal::pow10(9);

/// An exact amount in the currency of the ledger; negative for credits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From a count of 1e-18.
    pub const fn from_attos(attos: i128) -> Self {
        Self(attos)
    }

    /// The count of 1e-18.
    pub const fn attos(self) -> i128 {
        self.0
    }

    /// From a count of 1e-9, the grain of everything that is shared out.
    pub fn from_nanos(nanos: i128) -> Result<Self, Overflow> {
        nanos.checked_mul(ATTOS_PER_NANO).map(Self).ok_or(Overflow("money"))
    }

    /// Rounded half-even to 1e-9, as a count of 1e-9: what a whole is before it is split.
    pub fn to_nanos_half_even(self) -> Result<i128, Overflow> {
        decimal::div_half_even(self.0, ATTOS_PER_NANO)
    }

    /// From whole minor units (cents where `exponent` is 2).
    pub fn from_minor(minor: i128, exponent: u32) -> Result<Self, Overflow> {
        let scale = MONEY_SCALE.checked_sub(exponent).ok_or(Overflow("minor units"))?;
        minor.checked_mul(decimal::pow10(scale)).map(Self).ok_or(Overflow("money"))
    }

    /// Rounded half away from zero to minor units: how a statement's total is made.
    pub fn to_minor_half_away(self, exponent: u32) -> Result<i128, Overflow> {
        let scale = MONEY_SCALE.checked_sub(exponent).ok_or(Overflow("minor units"))?;
        decimal::div_half_away(self.0, decimal::pow10(scale))
    }

    /// Sum, or overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow("money"))
    }

    /// Difference, or overflow.
    pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow("money"))
    }

    /// The sum of many, or overflow.
    pub fn sum(items: impl IntoIterator<Item = Self>) -> Result<Self, Overflow> {
        items.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Whether this is nothing at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// As three whole numbers that a database can sum exactly: units, 1e-9 and 1e-18, each with the sign
    /// of the amount and the last two below 1e9 in magnitude.
    pub fn to_parts(self) -> Result<(i64, i64, i64), Overflow> {
        const WHAT: Overflow = Overflow("money at rest");
        let nanos = self.0.checked_div(ATTOS_PER_NANO).ok_or(WHAT)?;
        let attos = self.0.checked_rem(ATTOS_PER_NANO).ok_or(WHAT)?;
        let units = nanos.checked_div(NANOS_PER_UNIT).ok_or(WHAT)?;
        let nanos = nanos.checked_rem(NANOS_PER_UNIT).ok_or(WHAT)?;
        let narrow = |n: i128| i64::try_from(n).map_err(|_| WHAT);
        Ok((narrow(units)?, narrow(nanos)?, narrow(attos)?))
    }

    /// The inverse of [`Money::to_parts`], also of sums of parts.
    pub fn from_parts(units: i64, nanos: i64, attos: i64) -> Result<Self, Overflow> {
        i128::from(units)
            .checked_mul(NANOS_PER_UNIT)
            .and_then(|n| n.checked_add(i128::from(nanos)))
            .and_then(|n| n.checked_mul(ATTOS_PER_NANO))
            .and_then(|n| n.checked_add(i128::from(attos)))
            .map(Self)
            .ok_or(Overflow("money at rest"))
    }

    /// With exactly `exponent` digits after the point where the amount is a whole number of minor
    /// units, with more where it is not: never rounds.
    pub fn format(self, exponent: u32) -> String {
        decimal::format(self.0, MONEY_SCALE, exponent)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format(0))
    }
}

impl FromStr for Money {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decimal::parse(text, MONEY_SCALE).map(Self)
    }
}

/// Prices have at most this many decimals.
pub const PRICE_SCALE: u32 = 12;

/// A price per unit of a quantity, in 1e-12 of the currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPrice(i128);

impl UnitPrice {
    /// From a count of 1e-12.
    pub const fn from_picos(picos: i128) -> Self {
        Self(picos)
    }

    /// The count of 1e-12.
    pub const fn picos(self) -> i128 {
        self.0
    }

    /// `quantity x price`, exact.
    pub fn times(self, quantity: Quantity) -> Result<Money, Overflow> {
        self.0.checked_mul(i128::from(quantity.micros())).map(Money).ok_or(Overflow("quantity x price"))
    }

    /// What one unit cost on average, half-even to 1e-12; none for a zero quantity.
    pub fn average(amount: Money, quantity: Quantity) -> Result<Option<Self>, Overflow> {
        if quantity == Quantity::ZERO {
            return Ok(None);
        }
        let (amount, micros) = if quantity.micros() < 0 {
            (
                amount.0.checked_neg().ok_or(Overflow("average price"))?,
                i128::from(quantity.micros()).checked_neg(),
            )
        } else {
            (amount.0, Some(i128::from(quantity.micros())))
        };
        // attos / micros = picos: the scales (18 - 6) already meet.
        decimal::div_half_even(amount, micros.ok_or(Overflow("average price"))?).map(|p| Some(Self(p)))
    }

    /// A price per month as a price per hour: half-even to twelve decimals over the period's real hours.
    pub fn per_hour_of(self, period_hours: u32) -> Result<Self, Overflow> {
        decimal::div_half_even(self.0, i128::from(period_hours)).map(Self)
    }
}

impl fmt::Display for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0, PRICE_SCALE, 0))
    }
}

impl FromStr for UnitPrice {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decimal::parse(text, PRICE_SCALE).map(Self)
    }
}

/// An ISO 4217 currency: its code and how many decimals its minor unit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    exponent: u8,
}

/// Active ISO 4217 codes whose minor unit is not 1/100.
const EXPONENTS: &[(&str, u8)] = &[
    ("BIF", 0),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("ISK", 0),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("PYG", 0),
    ("RWF", 0),
    ("UGX", 0),
    ("UYI", 0),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
    ("BHD", 3),
    ("IQD", 3),
    ("JOD", 3),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("TND", 3),
    ("CLF", 4),
    ("UYW", 4),
];

/// Active ISO 4217 codes with a minor unit of 1/100.
const CENTS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS \
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD \
NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP \
SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

impl Currency {
    /// The three-letter code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Decimals of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(&self) -> u32 {
        u32::from(self.exponent)
    }
}

/// The text is no active ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an active ISO 4217 currency code such as EUR, USD or JPY")]
pub struct UnknownCurrency(pub String);

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownCurrency(text.to_owned());
        let cents = CENTS.split(' ').map(|code| (code, 2));
        let mut known = EXPONENTS.iter().copied().chain(cents);
        let (code, exponent) = known.find(|(code, _)| *code == text).ok_or_else(unknown)?;
        Ok(Self { code, exponent })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

macro_rules! serde_as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use serde_as_text;
serde_as_text!(Money, UnitPrice, Currency);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip_with_their_sign() {
        for text in
            ["0", "1.5", "-1.5", "0.000000000000000001", "-0.000000001", "123456789012.123456789123456789"]
        {
            let money: Money = text.parse().unwrap();
            let (u, n, a) = money.to_parts().unwrap();
            assert_eq!(Money::from_parts(u, n, a), Ok(money), "{text}");
            assert_eq!(money.to_string(), text);
        }
    }

    #[test]
    fn a_statement_total_rounds_half_away_from_zero() {
        let minor =
            |text: &str, exponent| text.parse::<Money>().unwrap().to_minor_half_away(exponent).unwrap();
        assert_eq!(minor("0.005", 2), 1);
        assert_eq!(minor("-0.005", 2), -1);
        assert_eq!(minor("0.004999999999999999", 2), 0);
        assert_eq!(minor("0.5", 0), 1);
        assert_eq!(minor("0.0005", 3), 1);
    }

    #[test]
    fn minor_units_follow_iso_4217() {
        for (code, exponent) in [("EUR", 2), ("JPY", 0), ("KWD", 3), ("IDR", 2)] {
            assert_eq!(code.parse::<Currency>().unwrap().exponent(), exponent);
        }
        for code in ["eur", "EURO", "XXX", "", "€"] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }

    #[test]
    fn average_price_has_twelve_decimals() {
        let amount: Money = "1".parse().unwrap();
        let three = Quantity::from_micros(3_000_000);
        assert_eq!(UnitPrice::average(amount, three).unwrap().unwrap().to_string(), "0.333333333333");
        assert_eq!(UnitPrice::average(amount, Quantity::ZERO), Ok(None));
    }
}
