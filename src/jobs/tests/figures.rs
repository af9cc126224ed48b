//! The current month as metrics.

use super::*;
use std::cell::Cell;

use crate::jobs::figures;
use crate::telemetry::{Figures, WhoseLabel};

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
    let label = WhoseLabel { cost_center: String::new(), tenant: "a".to_owned() };
    let shown = |of: &Figures<WhoseLabel>| of.get(&label).map(|figure| figure.to_string());
    assert_eq!(shown(&metrics.budget_used).as_deref(), Some("0.48"));
    assert_eq!(shown(&metrics.budget_forecast).as_deref(), Some("14.88"));
    assert_eq!(shown(&metrics.forecast).as_deref(), Some("148.8"));
    // Whoever scrapes while they are computed anew misses none.
    let done = Cell::new(false);
    let computed = async {
        let book = bench.rater.book.borrow().clone();
        figures::show(&bench.shared, &book).await.unwrap();
        done.set(true);
    };
    let scraped = async {
        while !done.get() {
            assert!(shown(&metrics.budget_used).is_some() && shown(&metrics.budget_forecast).is_some());
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(computed, scraped);
    *bench.files.lock().unwrap() = (without, prices);
    bench.keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!((shown(&metrics.budget_used), shown(&metrics.budget_forecast)), (None, None));
    assert_eq!(shown(&metrics.forecast).as_deref(), Some("148.8"), "a forecast needs no budget");
    bench.close().await;
}
