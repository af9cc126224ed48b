//! Decimal strings in and out, exactly. Everything that is written as digits passes here.

use ethnum::I256;

use crate::Overflow;

/// Why a decimal string was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not `-?digits[.digits]`.
    #[error("`{0}` is not a plain decimal number (digits, at most one point, no exponent, no separators)")]
    Syntax(String),
    /// More fractional digits than are held.
    #[error("`{text}` has more than {scale} digits after the point")]
    TooPrecise {
        /// The offending text.
        text: String,
        /// The digits that are held.
        scale: u32,
    },
    /// Larger than is held.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// `10^exponent`; exponents used here are at most 18, so it always fits.
pub const fn pow10(exponent: u32) -> i128 {
    10_i128.pow(exponent)
}

/// Reads `text` as a count of `10^-scale`. Refuses what it would have to round.
pub fn parse(text: &str, scale: u32) -> Result<i128, DecimalError> {
    let syntax = || DecimalError::Syntax(text.to_owned());
    let too_large = || DecimalError::TooLarge(text.to_owned());
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || fraction.is_some_and(|f| !plain(f)) {
        return Err(syntax());
    }
    let fraction = fraction.unwrap_or("").trim_end_matches('0');
    let held = u32::try_from(fraction.len()).map_err(|_| too_large())?;
    let Some(missing) = scale.checked_sub(held) else {
        return Err(DecimalError::TooPrecise { text: text.to_owned(), scale });
    };
    let whole: i128 = whole.parse().map_err(|_| too_large())?;
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| too_large())? };
    let value = whole
        .checked_mul(pow10(scale))
        .and_then(|w| fraction.checked_mul(pow10(missing)).and_then(|f| w.checked_add(f)))
        .ok_or_else(too_large)?;
    if negative { value.checked_neg().ok_or_else(too_large) } else { Ok(value) }
}

/// Writes `value` (a count of `10^-scale`) with between `min_fraction` and `scale` digits after the
/// point, trailing zeros cut.
pub fn format(value: i128, scale: u32, min_fraction: u32) -> String {
    let unit = pow10(scale).unsigned_abs();
    let magnitude = value.unsigned_abs();
    let whole = magnitude.checked_div(unit).unwrap_or(0);
    let fraction = magnitude.checked_rem(unit).unwrap_or(0);
    let width = usize::try_from(scale).unwrap_or(0);
    let keep = usize::try_from(min_fraction).unwrap_or(0);
    let mut digits = if scale == 0 { String::new() } else { format!("{fraction:0width$}") };
    while digits.len() > keep && digits.ends_with('0') {
        digits.pop();
    }
    let sign = if value < 0 { "-" } else { "" };
    if digits.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{digits}") }
}

/// `numerator / denominator` rounded half to even. The denominator must be positive.
pub fn div_half_even(numerator: i128, denominator: i128) -> Result<i128, Overflow> {
    const WHAT: Overflow = Overflow("rounding division");
    if denominator <= 0 {
        return Err(WHAT);
    }
    let floor = numerator.checked_div_euclid(denominator).ok_or(WHAT)?;
    let rest = numerator.checked_rem_euclid(denominator).ok_or(WHAT)?;
    // rest < denominator, so denominator - rest cannot overflow; comparing both avoids doubling.
    let up = match rest.cmp(&denominator.checked_sub(rest).ok_or(WHAT)?) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => floor.checked_rem_euclid(2).ok_or(WHAT)? == 1,
    };
    if up { floor.checked_add(1).ok_or(WHAT) } else { Ok(floor) }
}

/// [`div_half_even`] for products that do not fit 128 bits. The denominator must be positive.
pub fn div_half_even_wide(numerator: I256, denominator: I256) -> Result<i128, Overflow> {
    const WHAT: Overflow = Overflow("rounding division");
    if denominator <= I256::ZERO {
        return Err(WHAT);
    }
    let floor = numerator.checked_div_euclid(denominator).ok_or(WHAT)?;
    let rest = numerator.checked_rem_euclid(denominator).ok_or(WHAT)?;
    let floor = i128::try_from(floor).map_err(|_| WHAT)?;
    let up = match rest.cmp(&denominator.checked_sub(rest).ok_or(WHAT)?) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => floor.checked_rem_euclid(2).ok_or(WHAT)? == 1,
    };
    if up { floor.checked_add(1).ok_or(WHAT) } else { Ok(floor) }
}

/// `numerator / denominator` rounded half away from zero. The denominator must be positive.
pub fn div_half_away(numerator: i128, denominator: i128) -> Result<i128, Overflow> {
    const WHAT: Overflow = Overflow("rounding division");
    if denominator <= 0 {
        return Err(WHAT);
    }
    let quotient = numerator.checked_div(denominator).ok_or(WHAT)?;
    let rest = numerator.checked_rem(denominator).ok_or(WHAT)?.checked_abs().ok_or(WHAT)?;
    if rest >= denominator.checked_sub(rest).ok_or(WHAT)? {
        quotient.checked_add(numerator.signum()).ok_or(WHAT)
    } else {
        Ok(quotient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_exactly() {
        for (text, scale, value) in [
            ("0", 6, 0),
            ("1.5", 6, 1_500_000),
            ("-0.000001", 6, -1),
            ("95000", 9, 95_000_000_000_000),
            ("1.50", 1, 15),
        ] {
            assert_eq!(parse(text, scale), Ok(value), "{text}");
        }
        assert_eq!(format(1_500_000, 6, 0), "1.5");
        assert_eq!(format(1_500_000, 6, 6), "1.500000");
        assert_eq!(format(-1, 6, 2), "-0.000001");
        assert_eq!(format(7, 0, 0), "7");
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for text in ["", "-", ".5", "5.", "1e3", "1,5", "1 000", "+1", "0x1", "1.2.3", "NaN", "--1"] {
            assert!(matches!(parse(text, 6), Err(DecimalError::Syntax(_))), "{text}");
        }
        assert!(matches!(parse("0.1234567", 6), Err(DecimalError::TooPrecise { .. })));
        assert!(matches!(parse(&"9".repeat(40), 6), Err(DecimalError::TooLarge(_))));
    }

    #[test]
    fn halves_go_to_even_or_away() {
        for (n, even, away) in
            [(5, 2, 3), (15, 8, 8), (-5, -2, -3), (-15, -8, -8), (4, 2, 2), (6, 3, 3), (7, 4, 4)]
        {
            assert_eq!(div_half_even(n, 2), Ok(even), "{n}/2 to even");
            assert_eq!(div_half_away(n, 2), Ok(away), "{n}/2 away");
        }
        assert_eq!(div_half_even(1, 3), Ok(0));
        assert_eq!(div_half_away(-2, 3), Ok(-1));
        assert!(div_half_even(1, 0).is_err());
    }
}
