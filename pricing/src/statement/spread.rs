//! What is computed for a cost centre, split over its statements.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::Overflow;
use crate::apportion::largest_remainder;
use crate::charge::{Charge, Kind, LineKey};
use crate::money::Money;
use crate::names::{CostCenter, TenantName};

/// 1e-18 of the currency in 1e-9 of it.
const ATTOS_PER_NANO: i128 = 1_000_000_000;

/// What falls on each tenant, in 1e-9; none for whom it is nothing.
pub(super) type Parts<'l> = Vec<(&'l TenantName, i128)>;

/// Splits an amount (in 1e-9) in proportion to what it acts on of each tenant; evenly where that is all
/// zero. A base below zero takes no part.
pub(super) fn spread<'l>(
    nanos: i128,
    bases: &BTreeMap<&'l TenantName, Money>,
) -> Result<Parts<'l>, Overflow> {
    let weights: Vec<u128> = bases.values().map(|base| u128::try_from(base.attos()).unwrap_or(0)).collect();
    let parts = match largest_remainder(nanos, &weights)? {
        Some(parts) => parts,
        None => largest_remainder(nanos, &vec![1; weights.len()])?.unwrap_or_default(),
    };
    Ok(bases.keys().copied().zip(parts).filter(|(_, part)| *part != 0).collect())
}

/// What each tenant's own lines differ by, cut to 1e-9 so that the parts add up to the rounded whole, which
/// comes first: every part is cut down, what then misses goes to the largest remainders, ties to the earlier.
pub(super) fn cut<'l>(differences: &BTreeMap<&'l TenantName, Money>) -> Result<(i128, Parts<'l>), Overflow> {
    const WHAT: Overflow = Overflow("cost-centre term");
    let whole = Money::sum(differences.values().copied())?.to_nanos_half_even()?;
    let mut missing = whole;
    let mut parts = Vec::with_capacity(differences.len());
    let mut remainders = Vec::with_capacity(differences.len());
    for (tenant, difference) in differences {
        let floor = difference.attos().checked_div_euclid(ATTOS_PER_NANO).ok_or(WHAT)?;
        missing = missing.checked_sub(floor).ok_or(WHAT)?;
        parts.push((*tenant, floor));
        remainders.push(difference.attos().checked_rem_euclid(ATTOS_PER_NANO).ok_or(WHAT)?);
    }
    // The floors never exceed the whole, and parts with a remainder are never fewer than what is missing.
    let missing = usize::try_from(missing).map_err(|_| WHAT)?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| (Reverse(remainders.get(*index)), *index));
    for index in order.into_iter().take(missing) {
        let (_, part) = parts.get_mut(index).ok_or(WHAT)?;
        *part = part.checked_add(1).ok_or(WHAT)?;
    }
    parts.retain(|(_, part)| *part != 0);
    Ok((whole, parts))
}

/// A charge that acts on the month, of so many 1e-9.
pub(super) fn month_charge(
    cost_center: &CostCenter,
    tenant: &TenantName,
    kind: Kind,
    item: &str,
    nanos: i128,
) -> Result<Charge, Overflow> {
    Ok(Charge {
        key: LineKey {
            cost_center: cost_center.clone(),
            tenant: tenant.clone(),
            cluster: None,
            virtual_namespace: None,
            kind,
            class: None,
            item: item.to_owned(),
            unit_price: None,
        },
        namespace: None,
        quantity: None,
        amount: Money::from_nanos(nanos)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_keeps_its_own_difference_and_the_cuts_add_up_to_the_rounded_whole() {
        let (a, b, c) = (TenantName::from("a"), TenantName::from("b"), TenantName::from("c"));
        let money = |text: &str| text.parse::<Money>().unwrap();
        for (differences, whole, parts) in [
            (["2", "-5", "0"], -3_000_000_000, vec![(&a, 2_000_000_000), (&b, -5_000_000_000)]),
            // The whole is 0.0000000015, half-even 0.000000002: both halves are cut down, the earlier gets one back,
            // and so does the next.
            (["0.0000000005", "0.0000000005", "0.0000000005"], 2, vec![(&a, 1), (&b, 1)]),
            (["-0.0000000005", "-0.0000000005", "0"], -1, vec![(&b, -1)]),
            (["0.0000000007", "-0.0000000007", "0"], 0, vec![(&a, 1), (&b, -1)]),
        ] {
            let [of_a, of_b, of_c] = differences.map(money);
            let differences = BTreeMap::from([(&a, of_a), (&b, of_b), (&c, of_c)]);
            assert_eq!(cut(&differences), Ok((whole, parts)), "{differences:?}");
        }
        assert_eq!(cut(&BTreeMap::new()), Ok((0, Vec::new())));
    }
}
