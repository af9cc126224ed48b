//! The current month as metrics: what a dashboard watches and an alert fires on.

use defray_ledger::Scope;
use defray_pricing::book::PriceBook;
use defray_pricing::time::Hour;

use super::Shared;
use crate::telemetry::{PoolLabel, amount};

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
        if control.uncosted == defray_pricing::quantity::Quantity::ZERO {
            paid.get_or_create(&label).set(amount(control.paid.checked_add(control.rated_nodes)?));
        }
        charged.get_or_create(&label).set(amount(control.paid.checked_add(control.rated)?));
    }
    Ok(())
}
