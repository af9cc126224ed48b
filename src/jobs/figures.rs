//! The current month as metrics: what a dashboard watches and an alert fires on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use defray_ledger::Scope;
use defray_pricing::book::{BudgetOf, PriceBook};
use defray_pricing::forecast::ratio;
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{Hour, Period};

use super::Shared;
use crate::outlook::{self, Outlook};
use crate::telemetry::{PoolLabel, WhoseLabel, amount};

/// More forecasts than these are not shown, for each is a series in whatever scrapes: the largest are.
const MOST_FORECASTS: usize = 2_000;

/// What is shown of tenants and cost centres.
#[derive(Debug, Default)]
struct Ahead {
    used: BTreeMap<WhoseLabel, f64>,
    of_budget: BTreeMap<WhoseLabel, f64>,
    forecast: BTreeMap<WhoseLabel, f64>,
    left_out: usize,
}

/// Shows what is stored of the month in which the latest ended hour lies.
pub(super) async fn show(shared: &Shared, book: &PriceBook) -> anyhow::Result<()> {
    let period = book.zone.period_of(Hour::containing(shared.clock.now()).previous());
    let control = shared.ledger.month_control(&Scope::everything(), period).await?.unwrap_or_default();
    let (mut paid, mut charged) = (BTreeMap::new(), BTreeMap::new());
    for ((cluster, pool), control) in control.pools {
        let cluster = cluster.map(|cluster| cluster.to_string()).unwrap_or_default();
        let label = PoolLabel { cluster, pool };
        if control.uncosted == Quantity::ZERO {
            paid.insert(label.clone(), amount(control.paid.checked_add(control.rated_nodes)?));
        }
        charged.insert(label, amount(control.paid.checked_add(control.rated)?));
    }
    let ahead = ahead(shared, book, period).await?;
    // After everything that takes time or can fail: what has left is not shown any more, and nothing else is
    // missing meanwhile.
    let metrics = &shared.metrics;
    metrics.pool_paid.replace(paid);
    metrics.pool_charged.replace(charged);
    metrics.budget_used.replace(ahead.used);
    metrics.budget_forecast.replace(ahead.of_budget);
    metrics.forecast.replace(ahead.forecast);
    metrics.forecasts_left_out.set(i64::try_from(ahead.left_out)?);
    Ok(())
}

async fn ahead(shared: &Shared, book: &PriceBook, period: Period) -> anyhow::Result<Ahead> {
    let budgeted: BTreeSet<BudgetOf> = book.budgets_in(period).map(|budget| budget.of.clone()).collect();
    let everything = Scope::everything();
    let outlook = outlook::of_month(&shared.ledger, &everything, book.zone, period, budgeted, false).await?;
    let Some(outlook) = outlook else { return Ok(Ahead::default()) };
    let (forecast, left_out) = forecasts(&outlook, MOST_FORECASTS);
    let mut ahead = Ahead { forecast, left_out, ..Ahead::default() };
    for budget in book.budgets_in(period) {
        let Some(of) = outlook.of.get(&budget.of) else { continue };
        if let Some(share) = ratio(of.so_far, budget.per_month)? {
            ahead.used.insert(label(&budget.of), share.parse()?);
        }
        if let Some(expected) = of.expected
            && let Some(share) = ratio(expected, budget.per_month)?
        {
            ahead.of_budget.insert(label(&budget.of), share.parse()?);
        }
    }
    Ok(ahead)
}

/// The largest forecasts, and how many more there are.
fn forecasts(outlook: &Outlook, most: usize) -> (BTreeMap<WhoseLabel, f64>, usize) {
    let known = outlook.of.iter().filter_map(|(of, ahead)| Some((of, ahead.expected?)));
    let mut forecasts: Vec<_> = known.collect();
    forecasts.sort_by_key(|(of, expected)| (Reverse(*expected), *of));
    let left_out = forecasts.len().saturating_sub(most);
    let shown = forecasts.into_iter().take(most);
    (shown.map(|(of, expected)| (label(of), amount(expected))).collect(), left_out)
}

fn label(of: &BudgetOf) -> WhoseLabel {
    match of {
        BudgetOf::CostCenter(name) => WhoseLabel { cost_center: name.to_string(), tenant: String::new() },
        BudgetOf::Tenant(name) => WhoseLabel { cost_center: String::new(), tenant: name.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use defray_pricing::money::Money;

    use super::*;
    use crate::outlook::Ahead;

    #[test]
    fn of_very_many_forecasts_the_largest_are_shown_and_the_rest_are_counted() {
        let ahead = |expected: Option<&str>| Ahead {
            so_far: Money::ZERO,
            expected: expected.map(|amount| amount.parse().unwrap()),
            errors: Vec::new(),
        };
        let tenant = |name: &str| BudgetOf::Tenant(name.into());
        let outlook = Outlook {
            currency: "EUR".parse().unwrap(),
            known_hours: 1,
            estimated_hours: 0,
            of: [
                (tenant("a"), ahead(Some("1"))),
                (tenant("b"), ahead(Some("3"))),
                (tenant("c"), ahead(None)),
                (BudgetOf::CostCenter("CC-1".into()), ahead(Some("4"))),
            ]
            .into(),
            total: ahead(None),
            tested: Vec::new(),
        };
        let (shown, left_out) = forecasts(&outlook, 2);
        let of = |cost_center: &str, tenant: &str| WhoseLabel {
            cost_center: cost_center.to_owned(),
            tenant: tenant.to_owned(),
        };
        assert_eq!(shown, [(of("CC-1", ""), 4.0), (of("", "b"), 3.0)].into());
        assert_eq!(left_out, 1, "what has no forecast is none that is left out");
        assert_eq!(forecasts(&outlook, 3).1, 0);
    }
}
