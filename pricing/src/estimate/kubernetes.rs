//! Kubernetes quantities, read exactly: `40`, `1500m`, `80Gi`, `1e3`.

use ethnum::I256;

use crate::decimal::{div_half_even_wide, pow10};
use crate::quantity::{QUANTITY_SCALE, Quantity};

/// Bytes of a GiB.
pub const GIB: i128 = 1 << 30;
/// More digits than these, before the point or after it, are no quantity of anything.
const MOST_DIGITS: usize = 30;

/// Suffixes: what they multiply by, and what they divide by. The empty one ends every number.
const SUFFIXES: [(&str, i128, i128); 16] = [
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
    ("n", 1, pow10(9)),
    ("u", 1, pow10(6)),
    ("m", 1, pow10(3)),
    ("k", pow10(3), 1),
    ("M", pow10(6), 1),
    ("G", pow10(9), 1),
    ("T", pow10(12), 1),
    ("P", pow10(15), 1),
    ("E", pow10(18), 1),
    ("", 1, 1),
];

/// A Kubernetes quantity in units of so many (1 for cores, [`GIB`] for bytes), rounded half-even to 1e-6 of the
/// unit. None where it is no such quantity, is below zero, or could not be summed over the hours of a year.
pub fn kubernetes_quantity(text: &str, unit: i128) -> Option<Quantity> {
    let (number, by, over) = split(text)?;
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = I256::from(digits.parse::<i128>().ok()?);
    let times = |factors: [i128; 2]| {
        factors.into_iter().try_fold(I256::ONE, |all, factor| all.checked_mul(I256::from(factor)))
    };
    let numerator = digits.checked_mul(times([by, pow10(QUANTITY_SCALE)])?)?;
    let decimals = u32::try_from(fraction.len()).ok()?;
    let denominator = times([over, pow10(decimals)])?.checked_mul(I256::from(unit))?;
    let micros = div_half_even_wide(numerator, denominator).ok()?;
    (micros <= i128::from(i64::MAX).checked_div(pow10(4))?).then_some(())?;
    i64::try_from(micros).ok().map(Quantity::from_micros)
}

/// The number, what it is multiplied by and what it is divided by.
fn split(text: &str) -> Option<(&str, i128, i128)> {
    if let Some((number, exponent)) = text.split_once(['e', 'E'])
        && !exponent.is_empty()
        && exponent != "i"
    {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let power =
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())??;
        let power = (power <= 30).then(|| pow10(power))?;
        return Some(if exponent.starts_with('-') { (number, 1, power) } else { (number, power, 1) });
    }
    SUFFIXES.iter().find_map(|(suffix, by, over)| Some((text.strip_suffix(suffix)?, *by, *over)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_quantities_are_read_exactly() {
        for (text, unit, micros) in [
            ("40", 1, 40_000_000),
            ("+40", 1, 40_000_000),
            ("1500m", 1, 1_500_000),
            ("1500000u", 1, 1_500_000),
            ("0.25", 1, 250_000),
            (".25", 1, 250_000),
            ("3.", 1, 3_000_000),
            ("1e3", 1, 1_000_000_000),
            ("1E+3", 1, 1_000_000_000),
            ("15e-1", 1, 1_500_000),
            ("80Gi", GIB, 80_000_000),
            ("1Ti", GIB, 1_024_000_000),
            ("512Mi", GIB, 500_000),
            ("1G", GIB, 931_323),
            ("1e9", GIB, 931_323),
            ("0.0001E", GIB, 93_132_257_462),
            ("0", GIB, 0),
        ] {
            assert_eq!(kubernetes_quantity(text, unit), Some(Quantity::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in [
            "",
            ".",
            "m",
            "-1",
            "+-1",
            "1GB",
            "x",
            "1e",
            "1e+",
            "1e++3",
            "e3",
            "1 Gi",
            "1.2.3",
            "1gi",
            "1Ki3",
            "99999999999999P",
            "1e31",
            "1E9E",
            "0x10",
            "1_000",
            "\u{663}",
            "1111111111111111111111111111111",
        ] {
            assert_eq!(kubernetes_quantity(text, 1), None, "{text}");
        }
    }
}
