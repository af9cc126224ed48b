//! Splitting a whole so that the parts add up to it: largest remainder.

use std::cmp::Reverse;

use ethnum::{I256, U256};

use crate::Overflow;

const WHAT: Overflow = Overflow("apportionment");

/// Splits `whole` (a count of 1e-9, negative ones too) in proportion to `weights`.
///
/// Every part is the floor of its exact share; what is then missing goes, one each, to the largest
/// remainders, ties to the earlier weight, so callers order weights by the key ties go to. The parts
/// **must** add up to the whole. All weights zero, or none: no parts can be made, so `None`.
pub fn largest_remainder(whole: i128, weights: &[u128]) -> Result<Option<Vec<i128>>, Overflow> {
    let total = weights
        .iter()
        .try_fold(U256::ZERO, |sum, weight| sum.checked_add(U256::from(*weight)))
        .ok_or(WHAT)?;
    if total == U256::ZERO {
        return Ok(None);
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut missing = whole;
    for weight in weights {
        let (part, remainder) = floor_share(whole, *weight, total)?;
        missing = missing.checked_sub(part).ok_or(WHAT)?;
        parts.push(part);
        remainders.push(remainder);
    }
    hand_out(missing, &mut parts, &remainders)?;
    Ok(Some(parts))
}

/// Cuts exact amounts to whole units so that they add up to `total`, which is their sum rounded to a unit.
///
/// Every amount is cut down, negative ones too; what then misses to the total goes, one unit each, to the
/// largest remainders, ties to the earlier.
pub fn fit(total: i128, exact: &[I256], unit: I256) -> Result<Vec<i128>, Overflow> {
    let mut missing = total;
    let mut units = Vec::with_capacity(exact.len());
    let mut remainders = Vec::with_capacity(exact.len());
    for amount in exact {
        let floor = i128::try_from(amount.checked_div_euclid(unit).ok_or(WHAT)?).map_err(|_| WHAT)?;
        missing = missing.checked_sub(floor).ok_or(WHAT)?;
        units.push(floor);
        remainders.push(amount.checked_rem_euclid(unit).ok_or(WHAT)?);
    }
    hand_out(missing, &mut units, &remainders)?;
    Ok(units)
}

/// Gives one each of what is missing to the largest remainders, ties to the earlier. Parts that were cut down
/// never exceed their whole, and those with a remainder are never fewer than what is missing.
fn hand_out<Remainder: Ord>(
    missing: i128,
    parts: &mut [i128],
    remainders: &[Remainder],
) -> Result<(), Overflow> {
    if missing == 0 {
        return Ok(());
    }
    let missing = usize::try_from(missing).map_err(|_| WHAT)?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Who is among them matters, not in which order: no need to sort.
    if missing < order.len() {
        order.select_nth_unstable_by_key(missing, |index| (Reverse(remainders.get(*index)), *index));
    }
    for index in order.into_iter().take(missing) {
        let part = parts.get_mut(index).ok_or(WHAT)?;
        *part = part.checked_add(1).ok_or(WHAT)?;
    }
    Ok(())
}

/// Splits `whole` into `count` equal parts, earlier ones taking what is left over, and gives part `index`.
pub fn equal_part(whole: i128, count: u32, index: u32) -> Result<i128, Overflow> {
    let parts = i128::from(count);
    let floor = whole.checked_div_euclid(parts).ok_or(WHAT)?;
    let left = whole.checked_rem_euclid(parts).ok_or(WHAT)?;
    if i128::from(index) < left { floor.checked_add(1).ok_or(WHAT) } else { Ok(floor) }
}

/// `whole x weight / total` rounded down, and what that leaves, as a numerator over `total`.
fn floor_share(whole: i128, weight: u128, total: U256) -> Result<(i128, U256), Overflow> {
    let magnitude = whole.unsigned_abs();
    // 128 bits are enough for nearly every share, and many times quicker.
    let narrow = if *total.high() == 0 { magnitude.checked_mul(weight) } else { None };
    let (quotient, rest) = if let Some(product) = narrow {
        let total = *total.low();
        let quotient = product.checked_div(total).ok_or(WHAT)?;
        (quotient, U256::from(product.checked_rem(total).ok_or(WHAT)?))
    } else {
        // Below 2^255: a magnitude is at most 2^127, a weight below 2^128.
        let product = U256::from(magnitude).checked_mul(U256::from(weight)).ok_or(WHAT)?;
        let quotient = product.checked_div(total).ok_or(WHAT)?;
        (u128::try_from(quotient).map_err(|_| WHAT)?, product.checked_rem(total).ok_or(WHAT)?)
    };
    let quotient = i128::try_from(quotient).map_err(|_| WHAT)?;
    if whole >= 0 {
        return Ok((quotient, rest));
    }
    let negated = quotient.checked_neg().ok_or(WHAT)?;
    if rest == U256::ZERO {
        Ok((negated, rest))
    } else {
        Ok((negated.checked_sub(1).ok_or(WHAT)?, total.checked_sub(rest).ok_or(WHAT)?))
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn remainders_decide_and_ties_go_to_the_earlier() {
        for (whole, weights, parts) in [
            (10, vec![1, 1, 1], vec![4, 3, 3]),
            (-10, vec![1, 1, 1], vec![-3, -3, -4]),
            (7, vec![0, 3, 0, 3], vec![0, 4, 0, 3]),
            (240_000_000, vec![80_000_000, 60_000_000], vec![137_142_857, 102_857_143]),
            (-1, vec![5], vec![-1]),
            (0, vec![1, 2], vec![0, 0]),
        ] {
            assert_eq!(largest_remainder(whole, &weights), Ok(Some(parts)), "{whole} over {weights:?}");
        }
        assert_eq!(largest_remainder(5, &[]), Ok(None));
        assert_eq!(largest_remainder(5, &[0, 0]), Ok(None));
    }

    #[test]
    fn the_largest_numbers_split_exactly() {
        let parts = largest_remainder(i128::MAX, &[u128::MAX, u128::MAX, 1]).unwrap().unwrap();
        assert_eq!(parts.iter().sum::<i128>(), i128::MAX);
        assert_eq!(largest_remainder(i128::MIN, &[u128::MAX]), Err(WHAT), "2^127 has no positive twin");
    }

    #[test]
    fn equal_parts_are_the_largest_remainders_of_equal_weights() {
        for whole in [-1000, -1, 0, 1, 95_000_000_000_000, 743] {
            let split = largest_remainder(whole, &[1; 745]).unwrap().unwrap();
            let direct: Vec<i128> = (0..745).map(|index| equal_part(whole, 745, index).unwrap()).collect();
            assert_eq!(split, direct, "{whole}");
        }
    }

    proptest! {
        #[test]
        fn parts_add_up_and_none_is_a_whole_unit_off(
            whole in -1_000_000_000_000_i128..1_000_000_000_000,
            weights in proptest::collection::vec(0_u128..1_000_000_000, 1..12),
        ) {
            let total: u128 = weights.iter().sum();
            prop_assume!(total > 0);
            let parts = largest_remainder(whole, &weights).unwrap().unwrap();
            prop_assert_eq!(parts.iter().sum::<i128>(), whole);
            for (part, weight) in parts.iter().zip(&weights) {
                let exact = whole * i128::try_from(*weight).unwrap();
                let off = (part * i128::try_from(total).unwrap() - exact).unsigned_abs();
                prop_assert!(off < total, "{} of {} is off by {}/{}", weight, total, off, total);
            }
        }

        #[test]
        fn wide_and_narrow_arithmetic_agree(
            whole in -1_000_000_000_000_i128..1_000_000_000_000,
            weights in proptest::collection::vec(0_u128..1_000_000_000, 1..8),
        ) {
            let scaled: Vec<u128> = weights.iter().map(|weight| weight << 90).collect();
            prop_assert_eq!(largest_remainder(whole, &weights), largest_remainder(whole, &scaled));
        }
    }
}
