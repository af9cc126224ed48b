//! Hours that wait for a cluster that does not answer, and a cluster that is no more.

use super::*;

const SINCE: Option<&str> = Some("2026-10-01T00:00:00Z");

impl Bench {
    async fn missing(&self) -> Vec<(Hour, u32, String)> {
        let missing = self.shared.ledger.missing(&Scope::everything()).await.unwrap();
        missing.into_iter().map(|note| (note.hour, note.tries, note.reason)).collect()
    }

    /// The same jobs, told that the cluster ends with this hour.
    fn until(&mut self, until: &str) {
        let counts = Counts { until: Some(hour(until)), ..self.sampler.clusters[0].counts };
        self.sampler.clusters[0].counts = counts;
        self.observer.clusters[0].counts = counts;
        self.rater.ground.clusters.insert(ClusterName::from("c"), counts);
    }
}

#[tokio::test]
async fn hours_that_wait_for_a_cluster_that_does_not_answer_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-01T02:05:00Z", SINCE, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.shared.clock.advance(Duration::from_hours(2));
    bench.sampler.run().await.unwrap();
    assert_eq!(bench.missing().await, [], "it may be looked at any moment");
    *world.unseen.lock().unwrap() = Some("list nodes: forbidden".to_owned());
    bench.observer.run().await.unwrap_err();
    bench.sampler.run().await.unwrap();
    let missing = bench.missing().await;
    let hours: Vec<_> = missing.iter().map(|(hour, tries, _)| (*hour, *tries)).collect();
    assert_eq!(hours, [(hour("2026-10-01T02:00:00Z"), 0), (hour("2026-10-01T03:00:00Z"), 0)]);
    let reason = &missing[0].2;
    assert!(reason.contains("list nodes: forbidden") && reason.contains("`until`"), "{reason}");
    *world.unseen.lock().unwrap() = None;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    assert_eq!((bench.missing().await, bench.recorded().await.len()), (Vec::new(), 4));
    bench.close().await;
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_ended_and_nothing_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let mut bench = start(folder.path(), &world, "2026-10-01T02:05:00Z", SINCE, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    *world.unseen.lock().unwrap() = Some("nobody answers".to_owned());
    bench.shared.clock.advance(Duration::from_hours(3));
    bench.observer.run().await.unwrap_err();
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!(bench.missing().await.len(), 3);
    assert_eq!(bench.month("2026-10").await.unwrap().1, 3, "missing on the statement too");

    bench.until("2026-10-01T02:00:00Z");
    assert_eq!(bench.observer.run().await.unwrap(), "0 changes of ownership in 1 clusters");
    assert_eq!(bench.sampler.run().await.unwrap(), "c: 0 hours recorded, 0 missing");
    bench.rater.run().await.unwrap();
    assert_eq!((bench.missing().await, bench.recorded().await.len()), (Vec::new(), 2));
    let (amount, missing, _) = bench.month("2026-10").await.unwrap();
    assert_eq!((amount.as_str(), missing), ("0.4", 0), "two node-hours at 0.20");
    bench.close().await;
}

#[tokio::test]
async fn a_cluster_that_ends_is_looked_at_until_its_last_hour_has_settled() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let mut bench = start(folder.path(), &world, "2026-10-01T01:30:00Z", SINCE, "2026-10-01").await;
    bench.until("2026-10-01T02:00:00Z");
    let looked = async || {
        let ledger = &bench.shared.ledger;
        ledger.observed_until(&Scope::everything(), &ClusterName::from("c")).await.unwrap().unwrap()
    };
    for minutes in [0, 33, 10, 10] {
        bench.shared.clock.advance(Duration::from_mins(minutes));
        bench.observer.run().await.unwrap();
        bench.sampler.run().await.unwrap();
    }
    assert_eq!(looked().await.to_rfc3339(), "2026-10-01T02:13:00+00:00");
    assert_eq!(bench.recorded().await, hours("2026-10-01T00:00:00Z", "2026-10-01T02:00:00Z"));
    bench.close().await;
}
