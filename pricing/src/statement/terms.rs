//! What is agreed with cost centres: each term is a line that holds the difference it makes.

use std::collections::{BTreeMap, BTreeSet};

use ethnum::U256;

use super::build::{Lines, Sum};
use crate::Overflow;
use crate::apportion::largest_remainder;
use crate::book::{Edition, Override, Terms};
use crate::charge::{Charge, Kind, LineKey, item};
use crate::money::{Money, UnitPrice};
use crate::names::{CostCenter, TenantName};
use crate::rating::{RatingError, per_unit};

const WHAT: Overflow = Overflow("cost-centre term");

/// The lines of one cost centre by tenant, without what is kept or unassigned.
type Tenants<'l> = BTreeMap<&'l TenantName, Vec<(&'l LineKey, &'l Sum)>>;

/// The month-level charges of every cost centre that has terms.
pub(super) fn charges(
    edition: &Edition,
    period_hours: u32,
    lines: &Lines,
) -> Result<Vec<Charge>, RatingError> {
    let mut by_cost_center: BTreeMap<&CostCenter, Tenants<'_>> = BTreeMap::new();
    for (key, sum) in lines {
        if edition.cost_centers.contains_key(&key.cost_center) && !key.tenant.is_reserved() {
            let tenants = by_cost_center.entry(&key.cost_center).or_default();
            tenants.entry(&key.tenant).or_default().push((key, sum));
        }
    }
    let mut charges = Vec::new();
    for (cost_center, tenants) in by_cost_center {
        let Some(terms) = edition.cost_centers.get(cost_center) else { continue };
        let mut agreed = Agreed { cost_center, tenants, overridden: BTreeMap::new(), charges: Vec::new() };
        agreed.overrides(terms, period_hours)?;
        agreed.percentage(terms)?;
        charges.append(&mut agreed.charges);
    }
    charges.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(charges)
}

/// One cost centre while its terms are applied, each on the result of those before.
struct Agreed<'l> {
    cost_center: &'l CostCenter,
    tenants: Tenants<'l>,
    /// The difference that overrides made, by tenant and the kind they acted on, in 1e-9.
    overridden: BTreeMap<(&'l TenantName, Kind), i128>,
    charges: Vec<Charge>,
}

impl<'l> Agreed<'l> {
    /// Unit prices in place of the list's; the first that matches a line holds.
    fn overrides(&mut self, terms: &Terms, period_hours: u32) -> Result<(), RatingError> {
        let mut taken: BTreeSet<&'l LineKey> = BTreeSet::new();
        for entry in &terms.overrides {
            let price = per_unit(entry.rate, period_hours)?;
            let mut difference = Money::ZERO;
            let mut bases = BTreeMap::new();
            for (tenant, lines) in &self.tenants {
                for (key, sum) in lines {
                    let (Some(list), Some((quantity, _))) = (key.unit_price, sum.quantity) else { continue };
                    if !entry.acts_on(key) || !taken.insert(*key) {
                        continue;
                    }
                    let by = price.picos().checked_sub(list.picos()).ok_or(WHAT)?;
                    difference = difference.checked_add(UnitPrice::from_picos(by).times(quantity)?)?;
                    let base = bases.entry(*tenant).or_insert(Money::ZERO);
                    *base = base.checked_add(sum.amount)?;
                }
            }
            let parts = self.split(difference.to_nanos_half_even()?, &bases, &entry.item_on_statement())?;
            for (tenant, part) in parts {
                let sum = self.overridden.entry((tenant, entry.kind)).or_insert(0);
                *sum = sum.checked_add(part).ok_or(WHAT)?;
            }
        }
        Ok(())
    }

    /// A discount or markup on the kinds it names, overrides included.
    fn percentage(&mut self, terms: &Terms) -> Result<(), RatingError> {
        let acts_on = |kind: Kind| {
            if terms.percentage_kinds.is_empty() {
                kind.is_direct()
            } else {
                terms.percentage_kinds.contains(&kind)
            }
        };
        let mut bases: BTreeMap<&'l TenantName, Money> = BTreeMap::new();
        let lines = self
            .tenants
            .iter()
            .flat_map(|(tenant, lines)| lines.iter().map(|(key, sum)| (*tenant, key.kind, Ok(sum.amount))));
        let overridden = self.overridden.iter();
        let overridden =
            overridden.map(|((tenant, kind), nanos)| (*tenant, *kind, Money::from_nanos(*nanos)));
        for (tenant, kind, amount) in lines.chain(overridden) {
            if acts_on(kind) {
                let base = bases.entry(tenant).or_insert(Money::ZERO);
                *base = base.checked_add(amount?)?;
            }
        }
        let base = Money::sum(bases.values().copied())?;
        let _parts = self.split(percent_of(base, terms.percentage)?, &bases, item::PERCENTAGE)?;
        Ok(())
    }

    /// Splits what was computed for the cost centre over its statements, in proportion to the lines the
    /// term acts on; evenly where these are all zero.
    fn split(
        &mut self,
        nanos: i128,
        bases: &BTreeMap<&'l TenantName, Money>,
        item: &str,
    ) -> Result<Vec<(&'l TenantName, i128)>, RatingError> {
        let weights: Vec<u128> =
            bases.values().map(|base| u128::try_from(base.attos()).unwrap_or(0)).collect();
        let parts = match largest_remainder(nanos, &weights)? {
            Some(parts) => parts,
            None => largest_remainder(nanos, &vec![1; weights.len()])?.unwrap_or_default(),
        };
        let parts: Vec<_> = bases.keys().copied().zip(parts).filter(|(_, part)| *part != 0).collect();
        for (tenant, part) in &parts {
            self.charges.push(Charge {
                key: LineKey {
                    cost_center: self.cost_center.clone(),
                    tenant: (*tenant).clone(),
                    cluster: None,
                    virtual_namespace: None,
                    kind: Kind::Term,
                    class: None,
                    item: item.to_owned(),
                    unit_price: None,
                },
                namespace: None,
                quantity: None,
                amount: Money::from_nanos(*part)?,
            });
        }
        Ok(parts)
    }
}

impl Override {
    /// Whether it replaces the list price of a line.
    fn acts_on(&self, key: &LineKey) -> bool {
        self.kind == key.kind
            && self.item.matches(&key.item)
            && key.class.as_ref().is_none_or(|class| self.pool.matches(class.pool.as_str()))
    }

    /// What its line is called.
    fn item_on_statement(&self) -> String {
        match self.kind {
            Kind::Compute | Kind::DedicatedPool => {
                format!("override:{}:{}:{}", self.kind, self.pool, self.item)
            }
            kind => format!("override:{kind}:{}", self.item),
        }
    }
}

/// A percentage (in 1e-9) of an amount, half-even to 1e-9 of the currency, in one rounding.
fn percent_of(base: Money, percentage: i64) -> Result<i128, Overflow> {
    // 1e-18 of the currency times 1e-9, as 1e-9 of the currency.
    const SCALE: U256 = U256::new(1_000_000_000_000_000_000);
    let product = U256::from(base.attos().unsigned_abs())
        .checked_mul(U256::from(u128::from(percentage.unsigned_abs())))
        .ok_or(WHAT)?;
    let floor = product.checked_div(SCALE).ok_or(WHAT)?;
    let rest = product.checked_rem(SCALE).ok_or(WHAT)?;
    let floor = u128::try_from(floor).ok().and_then(|floor| i128::try_from(floor).ok()).ok_or(WHAT)?;
    // Half-even is the same on both sides of zero.
    let up = match rest.cmp(&SCALE.checked_sub(rest).ok_or(WHAT)?) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => floor.checked_rem(2) == Some(1),
    };
    let magnitude = if up { floor.checked_add(1).ok_or(WHAT)? } else { floor };
    if (base.attos() < 0) == (percentage < 0) { Ok(magnitude) } else { magnitude.checked_neg().ok_or(WHAT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_rounded_once_half_to_even() {
        for (base, percentage, nanos) in [
            ("100", -100_000_000, -10_000_000_000),
            ("0.000000005", 100_000_000, 0),
            ("0.000000015", 100_000_000, 2),
            ("-0.000000025", 100_000_000, -2),
            ("-0.000000025", -100_000_000, 2),
            ("123456789012345678", 1_000_000_000, 123_456_789_012_345_678_000_000_000),
            ("7", 0, 0),
        ] {
            assert_eq!(percent_of(base.parse().unwrap(), percentage), Ok(nanos), "{base} x {percentage}");
        }
    }
}
