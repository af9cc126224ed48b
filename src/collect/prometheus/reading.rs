//! A sample's value, exact: the digits the server wrote become a whole number without passing a float.

use defray_pricing::Overflow;
use defray_pricing::decimal::{div_half_even, pow10};
use defray_pricing::quantity::Quantity;

/// Digits held after the point. The shortest text of a double of 0.1 or more has at most 17, so nothing
/// that matters is rounded here; rounding to a quantity's digits happens once, in [`Scale`].
const DIGITS: i64 = 18;

/// A finite value of zero or more, as a count of 1e-18.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reading(i128);

/// Why a value was refused. None of these ever becomes a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReading {
    /// `NaN`.
    #[error("not a number")]
    NotANumber,
    /// `+Inf` or `-Inf`.
    #[error("infinite")]
    Infinite,
    /// Below zero; also minus zero, which no counter and no gauge of ours produces.
    #[error("negative")]
    Negative,
    /// Not a decimal number at all.
    #[error("not a decimal number")]
    Syntax,
    /// Larger than is held.
    #[error("too large")]
    TooLarge,
}

impl Reading {
    /// Reads what Prometheus and VictoriaMetrics write: digits, a point, an exponent.
    pub(super) fn parse(text: &str) -> Result<Self, BadReading> {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        match unsigned.to_ascii_lowercase().as_str() {
            "nan" => return Err(BadReading::NotANumber),
            "inf" | "-inf" | "infinity" | "-infinity" => return Err(BadReading::Infinite),
            _ => {}
        }
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
            return Err(BadReading::Syntax);
        }
        if negative {
            return Err(BadReading::Negative);
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Self(0));
        }
        let digits: i128 = digits.parse().map_err(|_| BadReading::TooLarge)?;
        let held = i64::try_from(fraction.len()).map_err(|_| BadReading::TooLarge)?;
        let shift = exponent.checked_add(DIGITS).and_then(|s| s.checked_sub(held));
        shifted(digits, shift.ok_or(BadReading::TooLarge)?)
    }

    /// From a whole number, for tests and constants.
    #[cfg(test)]
    pub(super) fn whole(value: u32) -> Self {
        Self(i128::from(value).saturating_mul(pow10(18)))
    }

    /// Sum, or overflow.
    pub(super) fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_add(other.0).map(Self).ok_or(Overflow("sum of samples"))
    }

    /// Difference, zero where the other is larger.
    pub(super) fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// Seconds since 1970 as milliseconds, fractions cut.
    pub(super) fn as_millis(self) -> i64 {
        self.0.checked_div(pow10(15)).and_then(|ms| i64::try_from(ms).ok()).unwrap_or(i64::MAX)
    }
}

fn parse_exponent(text: &str) -> Result<i64, BadReading> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadReading::Syntax);
    }
    let magnitude: i64 = digits.parse().map_err(|_| BadReading::TooLarge)?;
    Ok(if text.starts_with('-') { magnitude.saturating_neg() } else { magnitude })
}

/// `digits × 10^shift`, half to even where digits fall off.
fn shifted(digits: i128, shift: i64) -> Result<Reading, BadReading> {
    let power = u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX);
    let factor = 10_i128.checked_pow(power);
    match (shift >= 0, factor) {
        (true, Some(factor)) => digits.checked_mul(factor).map(Reading).ok_or(BadReading::TooLarge),
        (true, None) => Err(BadReading::TooLarge),
        (false, Some(factor)) => div_half_even(digits, factor).map(Reading).map_err(|_| BadReading::TooLarge),
        // Fewer than 39 digits shifted by 39 places or more: below half of 1e-18.
        (false, None) => Ok(Reading(0)),
    }
}

/// What one unit of a quantity is, in units of the reading: the one place that rounds readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale(i128);

impl Scale {
    /// As it is.
    #[cfg(test)]
    pub(super) const ONE: Self = Self(1);
    /// CPU seconds to core-hours.
    pub(super) const CORE_SECONDS: Self = Self(3600);
    /// Bytes to GiB.
    pub(super) const BYTES: Self = Self(1 << 30);
    /// The sum of 60 marks to an hour of it: cores, GPUs, existence.
    pub(super) const MARKS: Self = Self(60);
    /// The sum of 60 marks in bytes to GiB-hours.
    pub(super) const BYTE_MARKS: Self = Self(60 << 30);

    /// Rounds half to even to 1e-6 of the unit.
    pub(super) fn quantity(self, reading: Reading) -> Result<Quantity, Overflow> {
        const WHAT: Overflow = Overflow("quantity");
        let unit = self.0.checked_mul(pow10(12)).ok_or(WHAT)?;
        let micros = div_half_even(reading.0, unit)?;
        i64::try_from(micros).map(Quantity::from_micros).map_err(|_| WHAT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str, scale: Scale) -> i64 {
        scale.quantity(Reading::parse(text).unwrap()).unwrap().micros()
    }

    #[test]
    fn reads_every_form_servers_write() {
        for (text, exact) in [
            ("0", 0),
            ("1", 1_000_000_000_000_000_000),
            ("0.25", 250_000_000_000_000_000),
            ("1e-07", 100_000_000_000),
            ("1.5e+09", 1_500_000_000_000_000_000_000_000_000),
            ("2.5E3", 2_500_000_000_000_000_000_000),
            ("0.30000000000000004", 300_000_000_000_000_040),
            ("5e-324", 0),
        ] {
            assert_eq!(Reading::parse(text), Ok(Reading(exact)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for (text, why) in [
            ("NaN", BadReading::NotANumber),
            ("+Inf", BadReading::Infinite),
            ("-Inf", BadReading::Infinite),
            ("Inf", BadReading::Infinite),
            ("-1", BadReading::Negative),
            ("-0", BadReading::Negative),
            ("-1e-9", BadReading::Negative),
            ("", BadReading::Syntax),
            (".", BadReading::Syntax),
            ("1e", BadReading::Syntax),
            ("0x10", BadReading::Syntax),
            ("1,5", BadReading::Syntax),
            ("1 ", BadReading::Syntax),
            ("1e300", BadReading::TooLarge),
            ("1e99999999999999999999", BadReading::TooLarge),
        ] {
            assert_eq!(Reading::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn rounds_once_half_to_even() {
        assert_eq!(micros("3600", Scale::CORE_SECONDS), 1_000_000);
        assert_eq!(micros("0.0018", Scale::CORE_SECONDS), 0, "half of a step goes to even");
        assert_eq!(micros("0.0054", Scale::CORE_SECONDS), 2, "one and a half steps go to even");
        assert_eq!(micros("1073741824", Scale::BYTES), 1_000_000);
        assert_eq!(micros("1", Scale::MARKS), 16_667);
        assert_eq!(micros("64424509440", Scale::BYTE_MARKS), 1_000_000);
    }

    proptest! {
        #[test]
        fn every_double_reads_as_its_own_digits(value in 0.0_f64..1e15) {
            let plain = Reading::parse(&format!("{value}")).unwrap();
            let scientific = Reading::parse(&format!("{value:e}")).unwrap();
            prop_assert_eq!(plain, scientific);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let reading = Reading::parse(&text);
            prop_assert!(reading.is_err() || reading.unwrap().0 >= 0);
        }
    }
}
