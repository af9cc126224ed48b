//! The current month as metrics.

use super::*;
use crate::telemetry::BudgetLabel;

/// 24 hours at 0.20 are all one tenant's: 4.80 of 10, and 744 hours will be 148.80.
#[tokio::test]
async fn what_is_used_of_a_budget_is_shown_while_it_is_in_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let since = Some("2026-10-01T00:00:00Z");
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", since, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    let (without, prices) = book(&[("2026-10-01", "0.20")]);
    let text = "currency: EUR\nbudgets:\n  - {tenant: a, from: 2026-10, per_month: 10}\n".to_owned();
    let sources = [prices.clone(), vec![Source { name: "budgets.yaml".to_owned(), text }]].concat();
    let with = PriceBook::parse(&sources, BillingZone::UTC).unwrap();
    *bench.files.lock().unwrap() = (with, sources);
    bench.keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    let metrics = &bench.shared.metrics;
    let label = BudgetLabel { cost_center: String::new(), tenant: "a".to_owned() };
    let shown = |of: &crate::telemetry::Shares| of.get(&label).map(|share| share.get().to_string());
    assert_eq!(shown(&metrics.budget_used).as_deref(), Some("0.48"));
    assert_eq!(shown(&metrics.budget_forecast).as_deref(), Some("14.88"));
    *bench.files.lock().unwrap() = (without, prices);
    bench.keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!((shown(&metrics.budget_used), shown(&metrics.budget_forecast)), (None, None));
    bench.close().await;
}
