//! The current month as metrics: what a dashboard watches and an alert fires on.

use std::collections::BTreeSet;

use defray_ledger::Scope;
use defray_pricing::book::{BudgetOf, PriceBook};
use defray_pricing::forecast::ratio;
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{Hour, Period};

use super::Shared;
use crate::outlook;
use crate::telemetry::{BudgetLabel, PoolLabel, amount};

/// Shows what is stored of the month in which the latest ended hour lies.
pub(super) async fn show(shared: &Shared, book: &PriceBook) -> anyhow::Result<()> {
    let period = book.zone.period_of(Hour::containing(shared.clock.now()).previous());
    let control = shared.ledger.month_control(&Scope::everything(), period).await?.unwrap_or_default();
    let (paid, charged) = (&shared.metrics.pool_paid, &shared.metrics.pool_charged);
    // What has left, and last month's pools, are not shown any more.
    paid.clear();
    charged.clear();
    for ((cluster, pool), control) in control.pools {
        let cluster = cluster.map(|cluster| cluster.to_string()).unwrap_or_default();
        let label = PoolLabel { cluster, pool };
        if control.uncosted == Quantity::ZERO {
            paid.get_or_create(&label).set(amount(control.paid.checked_add(control.rated_nodes)?));
        }
        charged.get_or_create(&label).set(amount(control.paid.checked_add(control.rated)?));
    }
    budgets(shared, book, period).await
}

/// Budgets are few, and named in the price book: theirs are the only forecasts that are shown here.
async fn budgets(shared: &Shared, book: &PriceBook, period: Period) -> anyhow::Result<()> {
    let (used, forecast) = (&shared.metrics.budget_used, &shared.metrics.budget_forecast);
    used.clear();
    forecast.clear();
    let of: BTreeSet<BudgetOf> = book.budgets_in(period).map(|budget| budget.of.clone()).collect();
    if of.is_empty() {
        return Ok(());
    }
    let everything = Scope::everything();
    let outlook = outlook::of_month(&shared.ledger, &everything, book.zone, period, of, false).await?;
    let Some(outlook) = outlook else { return Ok(()) };
    for budget in book.budgets_in(period) {
        let Some(ahead) = outlook.of.get(&budget.of) else { continue };
        let label = match &budget.of {
            BudgetOf::CostCenter(name) => {
                BudgetLabel { cost_center: name.to_string(), tenant: String::new() }
            }
            BudgetOf::Tenant(name) => BudgetLabel { cost_center: String::new(), tenant: name.to_string() },
        };
        if let Some(share) = ratio(ahead.so_far, budget.per_month)? {
            used.get_or_create(&label).set(share.parse()?);
        }
        if let Some(expected) = ahead.expected
            && let Some(share) = ratio(expected, budget.per_month)?
        {
            forecast.get_or_create(&label).set(share.parse()?);
        }
    }
    Ok(())
}
