//! Terms and statement totals.

use std::collections::BTreeMap;

use defray_pricing::book::{MeteredRate, PriceBook};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::names::{CostCenter, TenantName};
use num_traits::{One, Signed, Zero};

use super::{Q, of_money, of_price, of_quantity, split, ten, to_decimals, whole};

/// By statement.
type Totals = BTreeMap<(CostCenter, TenantName), Q>;

/// To minor units, a half away from zero.
pub(crate) fn half_away(value: &Q, book: &PriceBook) -> Q {
    let scale = ten(book.currency.exponent());
    let scaled = value.abs() * &scale;
    let below = scaled.floor();
    let doubled = (&scaled - &below) * whole(2);
    let rounded = if doubled >= Q::one() { below + Q::one() } else { below };
    rounded * value.signum() / scale
}

/// Exact and rounded totals of every statement, terms included.
pub(crate) fn statements(book: &PriceBook, charges: &[Charge]) -> (Totals, Totals) {
    let mut lines: BTreeMap<&LineKey, (Q, Q)> = BTreeMap::new();
    for charge in charges {
        let line = lines.entry(&charge.key).or_insert_with(|| (Q::zero(), Q::zero()));
        line.0 += charge.quantity.map_or_else(Q::zero, |(quantity, _)| of_quantity(quantity));
        line.1 += of_money(charge.amount);
    }
    let mut exact = Totals::new();
    for (key, (_, amount)) in &lines {
        *exact.entry((key.cost_center.clone(), key.tenant.clone())).or_insert_with(Q::zero) += amount;
    }
    for (cost_center, terms) in &book.editions[0].cost_centers {
        let mine: Vec<(&LineKey, &(Q, Q))> = lines
            .iter()
            .filter(|(key, _)| key.cost_center == *cost_center && !key.tenant.is_reserved())
            .map(|(key, sums)| (*key, sums))
            .collect();
        // What each tenant has under each kind so far: lists, then overrides on top.
        let mut so_far: BTreeMap<(TenantName, Kind), Q> = BTreeMap::new();
        for (key, (_, amount)) in &mine {
            *so_far.entry((key.tenant.clone(), key.kind)).or_insert_with(Q::zero) += amount;
        }
        let mut left = mine;
        for entry in &terms.overrides {
            let MeteredRate::PerUnit(price) = entry.rate else { panic!("worlds have none") };
            let (taken, rest) = left.into_iter().partition(|(key, _)| {
                let classless = key.class.is_none();
                let pool = |key: &LineKey| entry.pool.matches(key.class.as_ref().unwrap().pool.as_str());
                key.kind == entry.kind
                    && key.unit_price.is_some()
                    && entry.item.matches(&key.item)
                    && (classless || pool(key))
            });
            left = rest;
            let taken: Vec<(&LineKey, &(Q, Q))> = taken;
            let mut bases: BTreeMap<TenantName, Q> = BTreeMap::new();
            let mut difference = Q::zero();
            for (key, (quantity, amount)) in taken {
                difference += quantity * (of_price(price) - of_price(key.unit_price.unwrap()));
                *bases.entry(key.tenant.clone()).or_insert_with(Q::zero) += amount;
            }
            for (tenant, part) in spread(&difference, &bases) {
                *exact.get_mut(&(cost_center.clone(), tenant.clone())).unwrap() += &part;
                *so_far.entry((tenant, entry.kind)).or_insert_with(Q::zero) += part;
            }
        }
        let mut bases: BTreeMap<TenantName, Q> = BTreeMap::new();
        for ((tenant, kind), amount) in &so_far {
            let named = terms.percentage_kinds.contains(kind);
            if named || (terms.percentage_kinds.is_empty() && kind.is_direct()) {
                *bases.entry(tenant.clone()).or_insert_with(Q::zero) += amount;
            }
        }
        let percentage = whole(i128::from(terms.percentage)) / ten(9);
        let difference = bases.values().sum::<Q>() * percentage;
        for (tenant, part) in spread(&difference, &bases) {
            *exact.get_mut(&(cost_center.clone(), tenant)).unwrap() += part;
        }
    }
    let rounded = exact.iter().map(|(key, total)| (key.clone(), half_away(total, book))).collect();
    (exact, rounded)
}

/// Cut to nine digits, then split in proportion; evenly where all is zero.
fn spread(difference: &Q, bases: &BTreeMap<TenantName, Q>) -> Vec<(TenantName, Q)> {
    let amount = to_decimals(difference, 9);
    let zero = Q::zero();
    let weights: Vec<Q> = bases.values().map(|base| base.max(&zero).clone()).collect();
    let parts = split(&amount, &weights).or_else(|| split(&amount, &vec![Q::one(); weights.len()]));
    bases.keys().cloned().zip(parts.unwrap_or_default()).collect()
}
