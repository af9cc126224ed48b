//! What is said of a price book that is right by itself.

use defray_pricing::astray::Why;

use super::*;
use crate::telemetry::ReasonLabel;

const NAMES: &str = "\
currency: EUR
adjustments:
  - {date: 2026-10-01, reference: N-1, reason: credit, amount: -1, tenant: a}
  - {date: 2026-10-01, reference: N-2, reason: credit, amount: -1, tenant: gone}
  - {date: 2026-10-01, reference: N-3, reason: credit, amount: -1, cost_center: CC-9}
  - {date: 2026-08-01, reference: N-4, reason: credit, amount: -1, tenant: a}
  - {date: 2026-11-01, reference: N-5, reason: credit, amount: -1, tenant: a}
budgets:
  - {tenant: a, from: 2026-10, per_month: 10}
  - {tenant: b, from: 2026-10, per_month: 10}
";

/// The book with and without the names, and how many adjustments go astray for each reason, and doubts.
fn shown(bench: &Bench) -> (Vec<i64>, i64) {
    let metrics = &bench.shared.metrics;
    let astray = Why::ALL
        .map(|why| metrics.adjustments_astray.get_or_create(&ReasonLabel { reason: why.as_str() }).get());
    (astray.to_vec(), metrics.price_book_doubts.get())
}

#[tokio::test]
async fn adjustments_and_budgets_of_nobody_are_shown_while_they_are_in_the_book() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let since = Some("2026-10-01T00:00:00Z");
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", since, "2026-08-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    let (without, prices) = book(&[("2026-08-01", "0.20")]);
    let names = Source { name: "names.yaml".to_owned(), text: NAMES.to_owned() };
    let sources = [prices.clone(), vec![names]].concat();
    let with = PriceBook::parse(&sources, BillingZone::UTC).unwrap();
    *bench.files.lock().unwrap() = (with, sources);
    bench.keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    // November has no statements yet, August never will; `gone` and CC-9 are in no October.
    assert_eq!(shown(&bench), (vec![1, 1, 0, 1, 1], 1));
    // Every adjustment of October is on a statement.
    let (total, ..) = bench.month("2026-10").await.unwrap();
    assert_eq!(total, "1.8");
    bench.rater.run().await.unwrap();
    assert_eq!(shown(&bench), (vec![1, 1, 0, 1, 1], 1), "though nothing is computed anew");
    *bench.files.lock().unwrap() = (without, prices);
    bench.keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!(shown(&bench), (vec![0; 5], 0));
    bench.close().await;
}
