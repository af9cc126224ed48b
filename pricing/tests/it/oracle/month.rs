//! Terms, adjustments and statement totals.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use defray_pricing::book::{AdjustmentOn, BandRate, MeteredRate, MonthlyAmount, PriceBook, Terms};
use defray_pricing::charge::{Charge, Kind, LineKey};
use defray_pricing::names::{CostCenter, TenantName};
use defray_pricing::ownership::Owners;
use defray_pricing::time::Period;
use num_traits::{One, Signed, Zero};

use super::{Q, of_money, of_price, of_quantity, split, ten, to_decimals, whole};

/// By statement.
type Totals = BTreeMap<(CostCenter, TenantName), Q>;
type ByTenant = BTreeMap<TenantName, Q>;
/// Quantity and amount.
type Lines = BTreeMap<LineKey, (Q, Q)>;

/// To minor units, a half away from zero.
pub(crate) fn half_away(value: &Q, book: &PriceBook) -> Q {
    let scale = ten(book.currency.exponent());
    let scaled = value.abs() * &scale;
    let below = scaled.floor();
    let doubled = (&scaled - &below) * whole(2);
    let rounded = if doubled >= Q::one() { below + Q::one() } else { below };
    rounded * value.signum() / scale
}

/// Exact and rounded totals of every statement, with what acts on the month.
pub(crate) fn statements(
    book: &PriceBook,
    period: Period,
    hours: &[Owners],
    charges: &[Charge],
) -> (Totals, Totals) {
    let mut lines = Lines::new();
    for charge in charges {
        let line = lines.entry(charge.key.clone()).or_insert_with(|| (Q::zero(), Q::zero()));
        line.0 += charge.quantity.map_or_else(Q::zero, |(quantity, _)| of_quantity(quantity));
        line.1 += of_money(charge.amount);
    }
    let mut exact = Totals::new();
    for (key, (_, amount)) in &lines {
        *exact.entry((key.cost_center.clone(), key.tenant.clone())).or_insert_with(Q::zero) += amount;
    }
    for (cost_center, terms) in &book.editions[0].cost_centers {
        let mine = |key: &LineKey| key.cost_center == *cost_center && !key.tenant.is_reserved();
        let lines: Lines = lines.clone().into_iter().filter(|(key, _)| mine(key)).collect();
        let had = |owners: &&Owners| owners.tenants.values().any(|state| state.cost_center == *cost_center);
        let minimum = terms.minimum_fee.map_or_else(Q::zero, |amount| {
            hours.iter().filter(had).map(|owners| hourly(book, period, amount, owners)).sum()
        });
        let mut tenants: BTreeSet<TenantName> = BTreeSet::new();
        for ((_, tenant), state) in hours.iter().flat_map(|owners| &owners.tenants) {
            if state.cost_center == *cost_center {
                tenants.insert(tenant.clone());
            }
        }
        for (tenant, part) in deal(book, period, terms, &lines, &minimum, &tenants) {
            *exact.entry((cost_center.clone(), tenant)).or_insert_with(Q::zero) += part;
        }
    }
    for (key, part) in adjusted(book, period, hours, &exact) {
        *exact.entry(key).or_insert_with(Q::zero) += part;
    }
    let rounded = exact.iter().map(|(key, total)| (key.clone(), half_away(total, book))).collect();
    (exact, rounded)
}

/// What an hour takes of an amount: of equal parts the earliest are the larger ones.
fn hourly(book: &PriceBook, period: Period, amount: MonthlyAmount, owners: &Owners) -> Q {
    let month = match amount {
        MonthlyAmount::Month { nanos } => whole(nanos),
        MonthlyAmount::Year { minor } => {
            let months = super::apportion(&whole(minor), &vec![Q::one(); 12]).unwrap();
            &months[usize::try_from(period.month()).unwrap() - 1] * ten(9 - book.currency.exponent())
        }
    };
    let hours: Vec<_> = book.zone.hours(period).iter().collect();
    let count = whole(i128::try_from(hours.len()).unwrap());
    let place = hours.iter().position(|hour| *hour == owners.hour).unwrap();
    let below = (&month / &count).floor();
    let left = month - &below * &count;
    let extra = if whole(i128::try_from(place).unwrap()) < left { Q::one() } else { Q::zero() };
    (below + extra) / ten(9)
}

fn price_of(book: &PriceBook, period: Period, rate: MeteredRate) -> Q {
    match rate {
        MeteredRate::PerUnit(price) => of_price(price),
        MeteredRate::PerUnitMonth(price) => {
            to_decimals(&(of_price(price) / whole(i128::from(book.zone.hours(period).len()))), 12)
        }
    }
}

/// What the terms of one cost centre make of its lines, by tenant.
fn deal(
    book: &PriceBook,
    period: Period,
    terms: &Terms,
    lines: &Lines,
    minimum: &Q,
    tenants: &BTreeSet<TenantName>,
) -> ByTenant {
    let mut deal = Deal { agreed: lines.clone(), so_far: BTreeMap::new(), made: ByTenant::new() };
    for (key, (_, amount)) in lines {
        *deal.so_far.entry((key.tenant.clone(), key.kind)).or_insert_with(Q::zero) += amount;
    }
    deal.overrides(book, period, terms, lines.clone());
    deal.tiers(book, period, terms);
    let mut bases = ByTenant::new();
    for ((tenant, kind), amount) in &deal.so_far {
        let named = terms.percentage_kinds.contains(kind);
        if named || (terms.percentage_kinds.is_empty() && kind.is_direct()) {
            *bases.entry(tenant.clone()).or_insert_with(Q::zero) += amount;
        }
    }
    let percentage = whole(i128::from(terms.percentage)) / ten(9);
    deal.term(&(bases.values().sum::<Q>() * percentage), &bases, Kind::Term);
    let mut everything: ByTenant = tenants.iter().map(|tenant| (tenant.clone(), Q::zero())).collect();
    for ((tenant, _), amount) in &deal.so_far {
        *everything.entry(tenant.clone()).or_insert_with(Q::zero) += amount;
    }
    let missing = minimum - everything.values().sum::<Q>();
    if missing.is_positive() {
        deal.term(&missing, &everything, Kind::Term);
    }
    deal.made.retain(|_, part| !part.is_zero());
    deal.made
}

struct Deal {
    /// Each line at the price it is agreed at.
    agreed: Lines,
    /// What each tenant has under each kind so far.
    so_far: BTreeMap<(TenantName, Kind), Q>,
    made: ByTenant,
}

impl Deal {
    fn term(&mut self, difference: &Q, bases: &ByTenant, kind: Kind) {
        self.book(spread(difference, bases), kind);
    }

    fn book(&mut self, parts: Vec<(TenantName, Q)>, kind: Kind) {
        for (tenant, part) in parts {
            *self.made.entry(tenant.clone()).or_insert_with(Q::zero) += &part;
            *self.so_far.entry((tenant, kind)).or_insert_with(Q::zero) += part;
        }
    }

    fn overrides(&mut self, book: &PriceBook, period: Period, terms: &Terms, mut left: Lines) {
        for entry in &terms.overrides {
            let price = price_of(book, period, entry.rate);
            let taken = |key: &LineKey| {
                key.kind == entry.kind
                    && key.unit_price.is_some()
                    && entry.item.matches(&key.item)
                    && key.class.as_ref().is_none_or(|class| entry.pool.matches(class.pool.as_str()))
            };
            let mut own = ByTenant::new();
            for (key, (quantity, amount)) in left.clone().into_iter().filter(|(key, _)| taken(key)) {
                left.remove(&key);
                *own.entry(key.tenant.clone()).or_insert_with(Q::zero) += &quantity * &price - amount;
                self.agreed.get_mut(&key).unwrap().1 = quantity * &price;
            }
            self.book(cut(&own), entry.kind);
        }
    }

    fn tiers(&mut self, book: &PriceBook, period: Period, terms: &Terms) {
        for tier in &terms.tiers {
            let lines = self.agreed.clone().into_iter();
            let counted: Lines =
                lines.filter(|(key, _)| key.kind == tier.kind && tier.item.matches(&key.item)).collect();
            let units: Q = counted.values().map(|(quantity, _)| quantity).sum();
            let cost: Q = counted.values().map(|(_, amount)| amount).sum();
            let mut bases = ByTenant::new();
            for (key, (_, amount)) in counted {
                *bases.entry(key.tenant).or_insert_with(Q::zero) += amount;
            }
            for (place, band) in tier.bands.iter().enumerate() {
                let next = tier.bands.get(place + 1).map(|next| of_quantity(next.above));
                let inside =
                    next.map_or(units.clone(), |next| next.min(units.clone())) - of_quantity(band.above);
                if !inside.is_positive() {
                    continue;
                }
                let average = &cost / &units;
                let other = match band.rate {
                    BandRate::Percentage(share) => &average + &average * whole(i128::from(share)) / ten(9),
                    BandRate::Price(rate) => price_of(book, period, rate),
                };
                self.term(&(inside * (other - average)), &bases, tier.kind);
            }
        }
    }
}

/// What adjustments add to each statement.
fn adjusted(
    book: &PriceBook,
    period: Period,
    hours: &[Owners],
    before: &Totals,
) -> Vec<((CostCenter, TenantName), Q)> {
    let mut made = Vec::new();
    for adjustment in &book.adjustments {
        if Period::of_date(adjustment.date) != period {
            continue;
        }
        let amount = of_money(adjustment.amount);
        match &adjustment.on {
            AdjustmentOn::Tenant(tenant) => {
                let place = cost_center_on(book, hours, tenant, adjustment.date);
                made.push(((place, tenant.clone()), amount));
            }
            AdjustmentOn::CostCenter(cost_center) => {
                let on_it = before.iter().filter(|((place, _), _)| place == cost_center);
                let all: ByTenant =
                    on_it.map(|((_, tenant), total)| (tenant.clone(), total.clone())).collect();
                let mut bases = all.clone();
                bases.retain(|tenant, _| !tenant.is_reserved());
                let states = hours.iter().flat_map(|owners| &owners.tenants);
                for ((_, tenant), _) in states.filter(|(_, state)| state.cost_center == *cost_center) {
                    bases.entry(tenant.clone()).or_insert_with(Q::zero);
                }
                if bases.is_empty() {
                    bases = all;
                }
                if bases.is_empty() {
                    bases.insert(TenantName::unassigned(), Q::zero());
                }
                for (tenant, part) in spread(&amount, &bases) {
                    if !part.is_zero() {
                        made.push(((cost_center.clone(), tenant), part));
                    }
                }
            }
        }
    }
    made
}

fn cost_center_on(book: &PriceBook, hours: &[Owners], tenant: &TenantName, date: NaiveDate) -> CostCenter {
    let mut existed: Vec<_> = hours
        .iter()
        .filter_map(|owners| {
            let first = owners.tenants.iter().find(|((_, name), _)| name == tenant);
            first.map(|(_, state)| (owners.hour, state.cost_center.clone()))
        })
        .collect();
    existed.sort();
    let not_after = existed.iter().rev().find(|(hour, _)| book.zone.day_of(*hour) <= date);
    not_after.or(existed.first()).map_or_else(CostCenter::unassigned, |(_, place)| place.clone())
}

/// Each tenant's own difference, cut to nine digits so that all together are the rounded sum.
fn cut(own: &ByTenant) -> Vec<(TenantName, Q)> {
    let step = ten(9).recip();
    let mut parts: Vec<(TenantName, Q)> =
        own.iter().map(|(tenant, exact)| (tenant.clone(), (exact * ten(9)).floor() * &step)).collect();
    let mut missing = to_decimals(&own.values().sum(), 9) - parts.iter().map(|(_, part)| part).sum::<Q>();
    while missing.is_positive() {
        let lacks = |(tenant, part): &(TenantName, Q)| &own[tenant] - part;
        let most = parts.iter().map(lacks).max().expect("somebody lacks what is missing");
        let first = parts.iter().position(|part| lacks(part) == most).expect("the one that lacks most");
        parts[first].1 += &step;
        missing -= &step;
    }
    parts
}

/// Cut to nine digits, then split in proportion; evenly where all is zero.
fn spread(difference: &Q, bases: &ByTenant) -> Vec<(TenantName, Q)> {
    let amount = to_decimals(difference, 9);
    let zero = Q::zero();
    let weights: Vec<Q> = bases.values().map(|base| base.max(&zero).clone()).collect();
    let parts = split(&amount, &weights).or_else(|| split(&amount, &vec![Q::one(); weights.len()]));
    bases.keys().cloned().zip(parts.unwrap_or_default()).collect()
}
