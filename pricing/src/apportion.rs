//! Splitting a whole so that the parts add up to it: largest remainder.

use crate::Overflow;

/// Splits `whole` (a count of 1e-9, negative ones too) in proportion to `weights`.
///
/// Every part is the floor of its exact share; what is then missing goes, one each, to the largest
/// remainders, ties to the earlier weight, so callers order weights by the key ties go to. The parts
/// **must** add up to the whole. All weights zero, or none: no parts can be made, so `None`.
pub fn largest_remainder(whole: i128, weights: &[u128]) -> Result<Option<Vec<i128>>, Overflow> {
    let _ = (whole, weights);
    Err(Overflow("apportionment"))
}
