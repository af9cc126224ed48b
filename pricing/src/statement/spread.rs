//! What is computed for a cost centre, split over its statements.

use std::collections::BTreeMap;

use crate::Overflow;
use crate::apportion::largest_remainder;
use crate::charge::{Charge, Kind, LineKey};
use crate::money::Money;
use crate::names::{CostCenter, TenantName};

/// Splits an amount (in 1e-9) in proportion to what it acts on of each tenant; evenly where that is all
/// zero. A base below zero takes no part.
pub(super) fn spread<'l>(
    nanos: i128,
    bases: &BTreeMap<&'l TenantName, Money>,
) -> Result<Vec<(&'l TenantName, i128)>, Overflow> {
    let weights: Vec<u128> = bases.values().map(|base| u128::try_from(base.attos()).unwrap_or(0)).collect();
    let parts = match largest_remainder(nanos, &weights)? {
        Some(parts) => parts,
        None => largest_remainder(nanos, &vec![1; weights.len()])?.unwrap_or_default(),
    };
    Ok(bases.keys().copied().zip(parts).filter(|(_, part)| *part != 0).collect())
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
