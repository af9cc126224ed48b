//! What is computed for a cost centre, split over its statements.

use std::collections::BTreeMap;

use ethnum::I256;

use crate::Overflow;
use crate::apportion::{fit, largest_remainder};
use crate::charge::{Charge, Kind, LineKey};
use crate::money::{ATTOS_PER_NANO, Money};
use crate::names::{CostCenter, TenantName};

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
/// comes first.
pub(super) fn cut<'l>(differences: &BTreeMap<&'l TenantName, Money>) -> Result<(i128, Parts<'l>), Overflow> {
    let whole = Money::sum(differences.values().copied())?.to_nanos_half_even()?;
    let exact: Vec<I256> = differences.values().map(|difference| I256::from(difference.attos())).collect();
    let parts = fit(whole, &exact, I256::from(ATTOS_PER_NANO))?;
    Ok((whole, differences.keys().copied().zip(parts).filter(|(_, part)| *part != 0).collect()))
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
