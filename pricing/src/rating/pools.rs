//! The direct cost of pools: dedicated whole, shared by the cost or the rate model.

use super::RatingError;
use super::context::Context;
use super::control::add;
use super::demand::{self, Demand, Wanted, unit_of};
use super::nodes::{self, Class, Cost, Price, Unmeasured, unsigned};
use super::sheet::{Direct, Sheet, count};
use super::trace::{How, NodeShare, Paid};
use crate::Overflow;
use crate::apportion::largest_remainder;
use crate::book::{MeteredRate, Model, PoolPrice, Weights};
use crate::charge::{Charge, Kind, LineKey, item};
use crate::money::{Money, UnitPrice};
use crate::names::{ClusterName, PriceClass, TenantName};
use crate::quantity::{Quantity, Unit};
use crate::usage::UsageHour;

/// A unit of node cost by name.
type Key<'a> = (&'a ClusterName, &'a PriceClass);

/// Charges every pool of the hour.
pub(super) fn charge<'a>(
    context: &Context<'a>,
    usage: &[&'a UsageHour],
    sheet: &mut Sheet<'_, 'a>,
) -> Result<(), RatingError> {
    let (classes, unmeasured) = nodes::classes(context, usage)?;
    let mut demands = demand::of_all(&classes, usage)?;
    for (key, class) in &classes {
        let demand = demands.remove(key).unwrap_or_default();
        match (class.dedicated, class.price, class.cost) {
            (Some(tenant), ..) => dedicated(context, *key, class, tenant, &demand, sheet)?,
            (None, Some(Price::Pool(_, PoolPrice { model: Model::Rate { cpu, memory, gpu }, .. })), cost) => {
                let price = |resource: &str| match resource {
                    item::CPU => *cpu,
                    item::MEMORY => *memory,
                    name => gpu.get(name).copied(),
                };
                rated(*key, class, price, cost, demand, sheet)?;
            }
            (None, Some(price), Some(cost)) => {
                let none = Weights::default();
                shared(*key, class, price.weights().unwrap_or(&none), cost, demand, sheet)?;
            }
            (None, ..) => unpriced(context, *key, class, demand, sheet)?,
        }
    }
    for amount in unmeasured {
        without_nodes(context, amount, sheet)?;
    }
    Ok(())
}

/// A dedicated pool is its tenant's, whole; what others use there costs them nothing.
fn dedicated<'a>(
    context: &Context<'a>,
    key: Key<'a>,
    class: &Class<'a>,
    tenant: &TenantName,
    demand: &Demand<'a>,
    sheet: &mut Sheet<'_, 'a>,
) -> Result<(), RatingError> {
    let node_hours = class.node_hours()?;
    let account = context.account_of(key.0, tenant);
    let line =
        |kind| LineKey { class: Some(key.1.clone()), ..context.line(account, Some(key.0), kind, item::NODE) };
    let scope = (key.0, Some(&key.1.pool));
    let Some(cost) = class.cost else {
        let totals = sheet.control.pool(Some(key.0), key.1.pool.as_str());
        totals.uncosted = totals.uncosted.checked_add(node_hours)?;
        if node_hours != Quantity::ZERO {
            let quantity = Some((node_hours, Unit::NodeHours));
            let key = line(Kind::Unpriced);
            let charge = Charge { key, namespace: None, quantity, amount: Money::ZERO };
            sheet.push(account, charge, &How::NoPrice)?;
        }
        return Ok(());
    };
    let amount = cost.money()?;
    let base = sheet.base(scope, account.tenant);
    add(&mut base.cost, amount)?;
    for (resource, wanted) in demand {
        for ((namespace, _), quantity) in wanted {
            if context.owns(key.0, namespace, account.tenant) {
                count(base, resource, *quantity)?;
            }
        }
    }
    let totals = sheet.control.pool(Some(key.0), key.1.pool.as_str());
    add(&mut totals.paid, amount)?;
    add(&mut totals.recovered, amount)?;
    if node_hours == Quantity::ZERO && amount.is_zero() {
        return Ok(());
    }
    let mut key = line(Kind::DedicatedPool);
    if let Cost::Priced(price, _) = cost {
        key.unit_price = Some(price);
    }
    let quantity = Some((node_hours, Unit::NodeHours));
    let charge = Charge { key, namespace: None, quantity, amount };
    sheet.push(account, charge, &class.paid().map_or(How::NoPrice, How::Nodes))
}

/// Billable usage at list price, whatever the nodes cost.
fn rated<'a>(
    key: Key<'a>,
    class: &Class<'a>,
    price: impl Fn(&str) -> Option<UnitPrice>,
    cost: Option<Cost>,
    demand: Demand<'a>,
    sheet: &mut Sheet<'_, 'a>,
) -> Result<(), RatingError> {
    let mut charged = Money::ZERO;
    for (resource, wanted) in demand {
        let unit_price = price(resource);
        for ((namespace, virtual_namespace), quantity) in wanted {
            let direct = Direct {
                cluster: key.0,
                namespace,
                virtual_namespace,
                kind: Kind::Compute,
                class: Some(key.1),
                item: resource,
                unit_price,
                quantity: (quantity, unit_of(resource)),
                amount: Money::ZERO,
            };
            if let Some(unit_price) = unit_price {
                let amount = unit_price.times(quantity)?;
                add(&mut charged, amount)?;
                let how = How::Price { rate: MeteredRate::PerUnit(unit_price), price: unit_price };
                sheet.direct(Direct { amount, ..direct }, &how)?;
            } else {
                sheet.unpriced(direct)?;
            }
        }
    }
    let totals = sheet.control.pool(Some(key.0), key.1.pool.as_str());
    add(&mut totals.rated, charged)?;
    match cost {
        Some(cost) => add(&mut totals.rated_nodes, cost.money()?)?,
        None => totals.uncosted = totals.uncosted.checked_add(class.node_hours()?)?,
    }
    Ok(())
}

/// The node cost, cut to 1e-9, split over resources, then over billable usage; the rest is idle.
fn shared<'a>(
    key: Key<'a>,
    class: &Class<'a>,
    weights: &Weights,
    cost: Cost,
    mut demand: Demand<'a>,
    sheet: &mut Sheet<'_, 'a>,
) -> Result<(), RatingError> {
    let whole = cost.money()?.to_nanos_half_even()?;
    let mut capacity = class.capacity()?;
    for resource in demand.keys() {
        capacity.entry(resource).or_insert(0);
    }
    let mut worths = Vec::new();
    for (resource, capacity) in &capacity {
        let worth = u128::from(weights.of(resource)).checked_mul(*capacity);
        worths.push(worth.ok_or(Overflow("weight x capacity"))?);
    }
    let split = largest_remainder(whole, &worths)?;
    // No capacity, or none with a weight: all idle.
    let mut idle = if split.is_none() { whole } else { 0 };
    let parts = split.unwrap_or_else(|| vec![0; worths.len()]);
    let paid = class.paid().unwrap_or(Paid::NodeHours(UnitPrice::from_picos(0)));
    let node_hours = class.node_hours()?;
    for (place, ((resource, capacity), part)) in capacity.iter().zip(parts).enumerate() {
        let Some((resource, wanted)) = demand.remove_entry(resource) else {
            idle = idle.checked_add(part).ok_or(Overflow("idle"))?;
            continue;
        };
        let weight = weights.of(resource);
        let (worths, capacity) = (worths.as_slice(), *capacity);
        let of = NodeShare { paid, node_hours, whole, weight, worths, place, part, capacity, wanted: 0 };
        let left = resource_part(key, resource, of, wanted, sheet)?;
        idle = idle.checked_add(left).ok_or(Overflow("idle"))?;
    }
    let waiting = sheet.idle.entry((key.0, &key.1.pool)).or_insert(0);
    *waiting = waiting.checked_add(idle).ok_or(Overflow("idle"))?;
    let totals = sheet.control.pool(Some(key.0), key.1.pool.as_str());
    add(&mut totals.paid, Money::from_nanos(whole)?)?;
    add(&mut totals.idle, Money::from_nanos(idle)?)?;
    Ok(())
}

/// Splits one resource's part over who wanted it, idle last; gives what is idle.
fn resource_part<'a>(
    key: Key<'a>,
    resource: &'a str,
    of: NodeShare<'_>,
    wanted: Vec<Wanted<'a>>,
    sheet: &mut Sheet<'_, 'a>,
) -> Result<i128, RatingError> {
    let NodeShare { part, capacity, .. } = of;
    let mut weights = Vec::with_capacity(wanted.len().saturating_add(1));
    let mut total = 0_u128;
    for (_, quantity) in &wanted {
        let weight = unsigned(*quantity)?;
        total = total.checked_add(weight).ok_or(Overflow("billable quantity"))?;
        weights.push(weight);
    }
    // Usage above capacity is scaled to fit: then nothing is idle.
    weights.push(capacity.saturating_sub(total));
    let Some(shares) = largest_remainder(part, &weights)? else { return Ok(part) };
    let of = NodeShare { wanted: total, ..of };
    let mut left = part;
    for (((namespace, virtual_namespace), quantity), share) in wanted.into_iter().zip(shares) {
        left = left.checked_sub(share).ok_or(Overflow("idle"))?;
        let amount = Money::from_nanos(share)?;
        let direct = Direct {
            cluster: key.0,
            namespace,
            virtual_namespace,
            kind: Kind::Compute,
            class: Some(key.1),
            item: resource,
            unit_price: None,
            quantity: (quantity, unit_of(resource)),
            amount,
        };
        sheet.direct(direct, &How::NodeShare(&of))?;
    }
    let recovered = Money::from_nanos(part.checked_sub(left).ok_or(Overflow("recovered"))?)?;
    add(&mut sheet.control.pool(Some(key.0), key.1.pool.as_str()).recovered, recovered)?;
    Ok(left)
}

/// A pool or class without a price: its usage and its nodes are shown, and block the close.
fn unpriced<'a>(
    context: &Context<'a>,
    key: Key<'a>,
    class: &Class<'a>,
    demand: Demand<'a>,
    sheet: &mut Sheet<'_, 'a>,
) -> Result<(), RatingError> {
    rated(key, class, |_| None, None, demand, sheet)?;
    let node_hours = class.node_hours()?;
    if node_hours != Quantity::ZERO {
        let nobodys = context.unassigned;
        let line = context.line(nobodys, Some(key.0), Kind::Unpriced, item::NODE);
        let key = LineKey { class: Some(key.1.clone()), ..line };
        let quantity = Some((node_hours, Unit::NodeHours));
        sheet.push(nobodys, Charge { key, namespace: None, quantity, amount: Money::ZERO }, &How::NoPrice)?;
    }
    Ok(())
}

/// An amount paid for an hour without measured nodes is nobody's.
fn without_nodes(
    context: &Context<'_>,
    amount: Unmeasured,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), RatingError> {
    let money = Money::from_nanos(amount.nanos)?;
    let totals = sheet.control.pool(amount.cluster.as_ref(), &amount.item);
    add(&mut totals.paid, money)?;
    add(&mut totals.idle, money)?;
    if money.is_zero() {
        return Ok(());
    }
    let nobodys = context.unassigned;
    let key = context.line(nobodys, amount.cluster.as_ref(), Kind::Idle, amount.item);
    sheet.push(nobodys, Charge { key, namespace: None, quantity: None, amount: money }, &How::NoNodes)
}
