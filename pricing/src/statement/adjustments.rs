//! Corrections by hand, booked where finance will look for them. None is ever dropped.

use std::collections::BTreeMap;

use super::facts::MonthFacts;
use super::lines::Sum;
use super::spread::{month_charge, spread};
use super::terms::Agreement;
use super::trace::{MonthRule, MonthStep, MonthTrace};
use crate::Overflow;
use crate::book::AdjustmentOn;
use crate::charge::{Charge, Kind, LineKey};
use crate::money::Money;
use crate::names::{CostCenter, TenantName};
use crate::rating::RatingError;

/// What each statement of a cost centre comes to.
type Totals<'l> = BTreeMap<&'l CostCenter, BTreeMap<&'l TenantName, Money>>;

/// The adjustments of a period. They act on everything before them (`lines` and `terms`) and not on each
/// other, so their order does not matter.
pub(super) fn charges(
    agreement: &Agreement<'_>,
    lines: &[(LineKey, Sum)],
    terms: &[Charge],
    trace: &mut dyn MonthTrace,
) -> Result<Vec<Charge>, RatingError> {
    let Agreement { book, period, facts, .. } = *agreement;
    let mut dated = book.adjustments_in(period).peekable();
    if dated.peek().is_none() {
        return Ok(Vec::new());
    }
    let totals = totals(lines, terms)?;
    let (nobodys, nobody) = (CostCenter::unassigned(), TenantName::unassigned());
    let mut charges = Vec::new();
    for adjustment in dated {
        let item = adjustment.item_on_statement();
        let nanos = adjustment.amount.to_nanos_half_even()?;
        let rule = MonthRule::Adjustment {
            date: adjustment.date,
            reason: adjustment.reason.clone(),
            reference: adjustment.reference.clone(),
        };
        let (cost_center, bases, parts) = match &adjustment.on {
            AdjustmentOn::Tenant(tenant) => {
                let cost_center = facts.cost_center_on(tenant, adjustment.date).unwrap_or(&nobodys);
                (cost_center, BTreeMap::new(), vec![(tenant, nanos)])
            }
            AdjustmentOn::CostCenter(cost_center) => {
                let bases = statements(&totals, facts, cost_center, &nobody);
                let parts = spread(nanos, &bases)?;
                (cost_center, bases, parts)
            }
        };
        for (tenant, part) in parts {
            let charge = month_charge(cost_center, tenant, Kind::Adjustment, &item, part)?;
            trace.month(&charge, &MonthStep { whole: nanos, bases: &bases, rule: &rule })?;
            charges.push(charge);
        }
    }
    Ok(charges)
}

fn totals<'l>(lines: &'l [(LineKey, Sum)], terms: &'l [Charge]) -> Result<Totals<'l>, Overflow> {
    let lines = lines.iter().map(|(key, sum)| (key, sum.amount));
    let mut totals = Totals::new();
    for (key, amount) in lines.chain(terms.iter().map(|charge| (&charge.key, charge.amount))) {
        let total = totals.entry(&key.cost_center).or_default().entry(&key.tenant).or_insert(Money::ZERO);
        *total = total.checked_add(amount)?;
    }
    Ok(totals)
}

/// The statements that bear what a cost centre is given: its tenants', those without a line too; where it had
/// none that of what is kept on it; else one of `__unassigned__`.
fn statements<'l>(
    totals: &Totals<'l>,
    facts: &'l MonthFacts,
    cost_center: &CostCenter,
    nobody: &'l TenantName,
) -> BTreeMap<&'l TenantName, Money> {
    let all = totals.get(cost_center).cloned().unwrap_or_default();
    let mut tenants: BTreeMap<_, _> =
        facts.tenants_of(cost_center).map(|(tenant, _)| (tenant, Money::ZERO)).collect();
    tenants.extend(all.iter().filter(|(tenant, _)| !tenant.is_reserved()));
    match (tenants.is_empty(), all.is_empty()) {
        (false, _) => tenants,
        (true, false) => all,
        (true, true) => BTreeMap::from([(nobody, Money::ZERO)]),
    }
}
