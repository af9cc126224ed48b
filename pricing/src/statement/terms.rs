//! What is agreed with cost centres: each term is a line that holds the difference it makes.
//!
//! In this order, each on the result of those before: price overrides, graduated tiers, a percentage, a
//! minimum fee. None acts on what is kept or unassigned.

use std::collections::BTreeMap;

use ethnum::I256;

use super::facts::MonthFacts;
use super::lines::Sum;
use super::spread::{Parts, cut, month_charge, spread};
use super::trace::{MonthRule, MonthStep, MonthTrace};
use crate::Overflow;
use crate::book::{BandRate, Edition, MonthlyAmount, Override, PriceBook, Terms};
use crate::charge::{Charge, Kind, LineKey, item};
use crate::decimal::{div_half_even_wide, pow10};
use crate::money::{Money, UnitPrice};
use crate::names::{CostCenter, TenantName};
use crate::quantity::Quantity;
use crate::rating::{Place, RatingError, per_unit};
use crate::time::Period;

const WHAT: Overflow = Overflow("cost-centre term");

/// The lines of one cost centre by tenant, without what is kept or unassigned.
type Tenants<'l> = BTreeMap<&'l TenantName, Vec<(&'l LineKey, &'l Sum)>>;

/// What decides the terms of a month, besides its lines.
pub(super) struct Agreement<'m> {
    pub(super) book: &'m PriceBook,
    pub(super) edition: Option<&'m Edition>,
    pub(super) period: Period,
    pub(super) facts: &'m MonthFacts,
}

/// The month-level charges of every cost centre that has terms.
pub(super) fn charges<'l>(
    agreement: &Agreement<'l>,
    lines: &'l [(LineKey, Sum)],
    trace: &mut dyn MonthTrace,
) -> Result<Vec<Charge>, RatingError> {
    let Some(edition) = agreement.edition else { return Ok(Vec::new()) };
    let mut by_cost_center: BTreeMap<&CostCenter, Tenants<'_>> = BTreeMap::new();
    for (key, sum) in lines {
        if edition.cost_centers.contains_key(&key.cost_center) && !key.tenant.is_reserved() {
            let tenants = by_cost_center.entry(&key.cost_center).or_default();
            tenants.entry(&key.tenant).or_default().push((key, sum));
        }
    }
    let period_hours = agreement.book.zone.hours(agreement.period).len();
    let mut charges = Vec::new();
    for (cost_center, terms) in &edition.cost_centers {
        let mut agreed = Agreed {
            cost_center,
            tenants: by_cost_center.remove(cost_center).unwrap_or_default(),
            period_hours,
            overridden: BTreeMap::new(),
            differences: BTreeMap::new(),
            charges: Vec::new(),
            trace: &mut *trace,
        };
        agreed.overrides(terms)?;
        agreed.tiers(terms)?;
        agreed.percentage(terms)?;
        if let Some(amount) = terms.minimum_fee {
            agreed.minimum_fee(agreement, amount)?;
        }
        charges.append(&mut agreed.charges);
    }
    Ok(charges)
}

/// One cost centre while its terms are applied.
struct Agreed<'l, 't> {
    cost_center: &'l CostCenter,
    tenants: Tenants<'l>,
    period_hours: u32,
    /// What the lines cost whose list price is replaced.
    overridden: BTreeMap<&'l LineKey, Money>,
    /// The difference that terms made so far, by tenant and the kind they acted on, in 1e-9.
    differences: BTreeMap<(&'l TenantName, Kind), i128>,
    charges: Vec<Charge>,
    trace: &'t mut dyn MonthTrace,
}

impl<'l> Agreed<'l, '_> {
    /// Unit prices in place of the list's; the first that matches a line holds.
    fn overrides(&mut self, terms: &Terms) -> Result<(), RatingError> {
        for entry in &terms.overrides {
            let price = per_unit(entry.rate, self.period_hours)?;
            let mut differences = BTreeMap::new();
            for (tenant, lines) in &self.tenants {
                for (key, sum) in lines {
                    let (Some(list), Some((quantity, _))) = (key.unit_price, sum.quantity) else { continue };
                    if !entry.acts_on(key) || self.overridden.contains_key(key) {
                        continue;
                    }
                    let by = price.picos().checked_sub(list.picos()).ok_or(WHAT)?;
                    let by = UnitPrice::from_picos(by).times(quantity)?;
                    self.overridden.insert(*key, sum.amount.checked_add(by)?);
                    add(differences.entry(*tenant).or_default(), by)?;
                }
            }
            // The difference is known of every line, so each tenant has that of its own: another's usage, or
            // another's list price, does not move it.
            let (nanos, parts) = cut(&differences)?;
            let rule = MonthRule::Override { price };
            let step = MonthStep { whole: nanos, bases: &differences, rule: &rule };
            self.book(parts, Some(entry.kind), &entry.item_on_statement(), &step)?;
        }
        Ok(())
    }

    /// Bands of a quantity of the whole cost centre, each at its own price or at a percentage of what the
    /// month's units cost on average, overrides included.
    fn tiers(&mut self, terms: &Terms) -> Result<(), RatingError> {
        for tier in &terms.tiers {
            let mut counted = Counted { units: Quantity::ZERO, cost: Money::ZERO };
            let mut bases = BTreeMap::new();
            for (tenant, lines) in &self.tenants {
                for (key, sum) in lines {
                    let Some((quantity, _)) = sum.quantity.filter(|_| tier.acts_on(key)) else { continue };
                    let cost = self.overridden.get(key).copied().unwrap_or(sum.amount);
                    counted.units = counted.units.checked_add(quantity)?;
                    add(&mut counted.cost, cost)?;
                    add(bases.entry(*tenant).or_default(), cost)?;
                }
            }
            for (band, units) in tier.units(counted.units)? {
                let nanos = match band.rate {
                    BandRate::Percentage(share) => counted.by_percentage(units, share)?,
                    BandRate::Price(rate) => counted.by_price(units, per_unit(rate, self.period_hours)?)?,
                };
                let rule = MonthRule::Band { units, of: counted.units, cost: counted.cost, rate: band.rate };
                self.charge(nanos, &bases, Some(tier.kind), &tier.item_on_statement(band), &rule)?;
            }
        }
        Ok(())
    }

    /// A discount or markup on the kinds it names, with the differences made before.
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
        let before = self.differences.iter();
        let before = before.map(|((tenant, kind), nanos)| (*tenant, *kind, Money::from_nanos(*nanos)));
        for (tenant, kind, amount) in lines.chain(before) {
            if acts_on(kind) {
                add(bases.entry(tenant).or_default(), amount?)?;
            }
        }
        let base = Money::sum(bases.values().copied())?;
        let rule = MonthRule::Percentage(terms.percentage);
        self.charge(percent_of(base, terms.percentage)?, &bases, None, item::PERCENTAGE, &rule)
    }

    /// What misses to the least that the month costs, in the hours in which the cost centre had a tenant.
    fn minimum_fee(&mut self, agreement: &Agreement<'l>, amount: MonthlyAmount) -> Result<(), RatingError> {
        let least = least(agreement, self.cost_center, amount)?;
        let had = agreement.facts.tenants_of(self.cost_center);
        let mut bases: BTreeMap<&'l TenantName, Money> =
            had.map(|(tenant, _)| (tenant, Money::ZERO)).collect();
        for (tenant, lines) in &self.tenants {
            let base = bases.entry(*tenant).or_default();
            lines.iter().try_for_each(|(_, sum)| add(base, sum.amount))?;
        }
        for charge in &self.charges {
            // Every charge so far is of a tenant with lines.
            if let Some(base) = bases.get_mut(&charge.key.tenant) {
                add(base, charge.amount)?;
            }
        }
        let everything = Money::sum(bases.values().copied())?;
        let missing = least.checked_sub(everything)?.max(Money::ZERO).to_nanos_half_even()?;
        let rule = MonthRule::Minimum { least, reached: everything };
        self.charge(missing, &bases, None, item::MINIMUM_FEE, &rule)
    }

    /// Charges what a term makes of the cost centre to its statements, and notes the kind it acted on.
    fn charge(
        &mut self,
        nanos: i128,
        bases: &BTreeMap<&'l TenantName, Money>,
        kind: Option<Kind>,
        item: &str,
        rule: &MonthRule,
    ) -> Result<(), RatingError> {
        self.book(spread(nanos, bases)?, kind, item, &MonthStep { whole: nanos, bases, rule })
    }

    fn book(
        &mut self,
        parts: Parts<'l>,
        kind: Option<Kind>,
        item: &str,
        step: &MonthStep<'_>,
    ) -> Result<(), RatingError> {
        for (tenant, part) in parts {
            let charge = month_charge(self.cost_center, tenant, Kind::Term, item, part)?;
            self.trace.month(&charge, step)?;
            self.charges.push(charge);
            if let Some(kind) = kind {
                let sum = self.differences.entry((tenant, kind)).or_default();
                *sum = sum.checked_add(part).ok_or(WHAT)?;
            }
        }
        Ok(())
    }
}

/// The minimum of a month: its part of each hour in which the cost centre had a tenant.
fn least(
    agreement: &Agreement<'_>,
    cost_center: &CostCenter,
    amount: MonthlyAmount,
) -> Result<Money, RatingError> {
    let hours = agreement.book.zone.hours(agreement.period);
    let mut nanos: i128 = 0;
    for hour in agreement.facts.hours_of(cost_center).into_iter().filter(|hour| hours.contains(*hour)) {
        let index = hour.index().checked_sub(hours.from.index()).and_then(|index| u32::try_from(index).ok());
        let place = Place {
            period: agreement.period,
            of: hours.len(),
            index: index.ok_or(WHAT)?,
            exponent: agreement.book.currency.exponent(),
        };
        nanos = nanos.checked_add(place.part(amount)?).ok_or(WHAT)?;
    }
    Ok(Money::from_nanos(nanos)?)
}

fn add(sum: &mut Money, amount: Money) -> Result<(), Overflow> {
    *sum = sum.checked_add(amount)?;
    Ok(())
}

/// What a tier counts: so many units that cost so much.
#[derive(Debug, Clone, Copy)]
struct Counted {
    units: Quantity,
    cost: Money,
}

impl Counted {
    /// A percentage (in 1e-9) of what some of the units cost on average, in 1e-9: rounded once.
    fn by_percentage(self, units: Quantity, share: i64) -> Result<i128, Overflow> {
        // 1e-18 x 1e-6 x 1e-9 over 1e-6, as 1e-9.
        let product = product(&[self.cost.attos(), i128::from(units.micros()), i128::from(share)])?;
        let whole = product_of(self.units, pow10(18))?;
        div_half_even_wide(product, whole)
    }

    /// What some of the units cost at a price, less what they cost on average, in 1e-9: rounded once.
    fn by_price(self, units: Quantity, price: UnitPrice) -> Result<i128, Overflow> {
        // (1e-12 x 1e-6 - 1e-18) x 1e-6 over 1e-6, as 1e-9.
        let difference = product_of(self.units, price.picos())?
            .checked_sub(I256::from(self.cost.attos()))
            .ok_or(WHAT)?
            .checked_mul(I256::from(units.micros()))
            .ok_or(WHAT)?;
        div_half_even_wide(difference, product_of(self.units, pow10(9))?)
    }
}

fn product_of(units: Quantity, by: i128) -> Result<I256, Overflow> {
    product(&[i128::from(units.micros()), by])
}

fn product(factors: &[i128]) -> Result<I256, Overflow> {
    factors.iter().try_fold(I256::ONE, |product, factor| product.checked_mul(I256::from(*factor))).ok_or(WHAT)
}

/// A percentage (in 1e-9) of an amount, half-even to 1e-9 of the currency, in one rounding.
fn percent_of(base: Money, percentage: i64) -> Result<i128, Overflow> {
    // 1e-18 of the currency times 1e-9, as 1e-9 of the currency.
    div_half_even_wide(product(&[base.attos(), i128::from(percentage)])?, I256::from(pow10(18)))
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

    #[test]
    fn a_band_takes_its_units_at_the_average_price_and_rounds_once() {
        let counted =
            |units: &str, cost: &str| Counted { units: units.parse().unwrap(), cost: cost.parse().unwrap() };
        let units = |text: &str| text.parse::<Quantity>().unwrap();
        // A third of 1 EUR has no end, 10 % of it is cut once: 0.0333333333… x 2.
        assert_eq!(counted("3", "1").by_percentage(units("2"), -100_000_000), Ok(-66_666_667));
        assert_eq!(counted("3", "1").by_percentage(units("2"), 100_000_000), Ok(66_666_667));
        // 2 x (0.5 - 1/3).
        let price: UnitPrice = "0.5".parse().unwrap();
        assert_eq!(counted("3", "1").by_price(units("2"), price), Ok(333_333_333));
        // Halves go to the even one: 0.0000000005 and 0.0000000015.
        assert_eq!(counted("2", "0.000000001").by_percentage(units("1"), 1_000_000_000), Ok(0));
        assert_eq!(counted("2", "0.000000003").by_percentage(units("1"), 1_000_000_000), Ok(2));
        // A year of a thousand clusters at a million EUR fits.
        let large = counted("9000000000000", "100000000000000000");
        assert_eq!(
            large.by_percentage(units("4500000000000"), -1_000_000_000),
            Ok(-50_000_000_000_000_000_000_000_000)
        );
    }
}
