//! What stays when the clock or the price book goes back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use defray_ledger::{DailyAmount, MonthRecord};
use defray_pricing::digest::Digest;

use super::*;

impl Bench {
    /// What the days and the month of a period are, and what they were made from.
    async fn rated(&self, period: &str) -> (BTreeMap<NaiveDate, Digest>, Vec<DailyAmount>, MonthRecord) {
        let (ledger, everything) = (&self.shared.ledger, Scope::everything());
        let period: Period = period.parse().unwrap();
        let (first, after) = (period.first_day(), period.next().first_day());
        (
            ledger.day_inputs(&everything, period).await.unwrap(),
            ledger.daily(&everything, first, after).await.unwrap(),
            ledger.month(&everything, period).await.unwrap().unwrap(),
        )
    }
}

/// A cluster whose API server does not answer.
struct Silent;

impl Observe for Silent {
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>> {
        Box::pin(async { anyhow::bail!("nobody answers") })
    }

    fn changed(&self) -> BoxFuture<'_, anyhow::Result<BTreeSet<ObjectKind>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_clock_in_the_past_is_refused_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let since = Some("2026-10-01T00:00:00Z");
    let bench = start(folder.path(), &world, "2026-10-01T12:05:00Z", since, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    let before = (bench.recorded().await, bench.rated("2026-10").await);
    bench.close().await;
    let bench = start(folder.path(), &world, "2026-10-01T06:05:00Z", since, "2026-10-01").await;
    for refused in [bench.sampler.run().await, bench.rater.run().await] {
        let told = format!("{:#}", refused.unwrap_err());
        assert!(
            told.contains("check time synchronisation") && told.contains("2026-10-01T11:00:00Z"),
            "{told}"
        );
    }
    let told = format!("{:#}", bench.observer.run().await.unwrap_err());
    assert!(told.contains("the clock went back"), "{told}");
    assert_eq!((bench.recorded().await, bench.rated("2026-10").await), before);
    bench.close().await;
    // By minutes: the last hour is over, but by this clock it has not settled.
    let bench = start(folder.path(), &world, "2026-10-01T12:02:00Z", since, "2026-10-01").await;
    let done = bench.rater.run().await.unwrap();
    assert_eq!(done, "0 days rated, 0 months computed, 0 hours before the first price book");
    assert_eq!(bench.rated("2026-10").await, before.1);
    bench.close().await;
}

#[tokio::test]
async fn a_cluster_whose_clock_went_back_hides_no_other_that_went_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-01T12:05:00Z", None, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.close().await;
    let mut bench = start(folder.path(), &world, "2026-10-01T12:04:00Z", None, "2026-10-01").await;
    let mut silent = bench.observer.clusters[0].clone();
    (silent.name, silent.observe) = (ClusterName::from("d"), Arc::new(Silent));
    bench.observer.clusters.push(silent);
    let told = format!("{:#}", bench.observer.run().await.unwrap_err());
    assert!(told.contains("cluster c: ") && told.contains("the clock went back"), "{told}");
    assert!(told.contains("cluster d: nobody answers"), "{told}");
    assert!(told.contains("if the clock is wrong now") && told.contains("if it was wrong then"), "{told}");
    bench.close().await;
}

#[tokio::test]
async fn a_month_that_no_edition_reaches_any_more_is_empty_in_its_statements_as_in_its_days() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench =
        start(folder.path(), &world, "2026-10-03T00:05:00Z", Some("2026-10-01T00:00:00Z"), "2026-10-01")
            .await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!(bench.month("2026-10").await.unwrap().0, "9.6");
    *bench.files.lock().unwrap() = book(&[("2026-11-01", "0.20")]);
    bench.keeper.run().await.unwrap();
    let done = bench.rater.run().await.unwrap();
    assert_eq!(done, "0 days rated, 1 months computed, 48 hours before the first price book");
    let (_, daily, month) = bench.rated("2026-10").await;
    assert_eq!((daily, month.statements.statements.len()), (Vec::new(), 0));
    assert_eq!(bench.month("2026-10").await.unwrap(), ("0".to_owned(), 0, Vec::new()));
    let again = bench.rater.run().await.unwrap();
    assert_eq!(again, "0 days rated, 0 months computed, 48 hours before the first price book");
    bench.close().await;
}
