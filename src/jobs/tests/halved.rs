//! An hour in which more than half of the nodes are gone from the metrics and not from Kubernetes.

use super::*;

const SINCE: Option<&str> = Some("2026-10-01T00:00:00Z");

/// A cluster of four nodes, measured for an hour.
async fn four_nodes(folder: &Path, world: &Arc<World>) -> Bench {
    world.nodes_there.store(4, Ordering::SeqCst);
    world.nodes_told.store(4, Ordering::SeqCst);
    let bench = start(folder, world, "2026-10-01T00:00:00Z", SINCE, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    an_hour_later(&bench).await.unwrap();
    assert_eq!(bench.recorded().await.len(), 1);
    bench
}

async fn an_hour_later(bench: &Bench) -> anyhow::Result<String> {
    let minutes = if bench.recorded().await.is_empty() { 65 } else { 60 };
    bench.shared.clock.advance(Duration::from_mins(minutes));
    bench.observer.run().await.unwrap();
    bench.sampler.run().await
}

#[tokio::test]
async fn it_is_parked_with_its_reason_until_the_metrics_are_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = four_nodes(folder.path(), &world).await;
    world.nodes_told.store(1, Ordering::SeqCst);
    let told = an_hour_later(&bench).await.unwrap_err().to_string();
    let expected =
        "its metrics know 1.0 nodes, those of 2026-10-01T00:00:00Z knew 4.0, and Kubernetes has 4.0";
    assert!(told.contains(expected), "{told}");
    let missing = bench.shared.ledger.missing(&Scope::everything()).await.unwrap();
    assert!(missing[0].reason.contains(expected) && missing[0].reason.contains("`accept`"), "{missing:?}");
    an_hour_later(&bench).await.unwrap_err();
    assert_eq!(bench.recorded().await.len(), 1, "the next is held against what was recorded, not parked");
    world.nodes_told.store(4, Ordering::SeqCst);
    an_hour_later(&bench).await.unwrap();
    assert_eq!(bench.recorded().await, hours("2026-10-01T00:00:00Z", "2026-10-01T04:00:00Z"));
    bench.close().await;
}

#[tokio::test]
async fn nodes_that_are_gone_from_kubernetes_too_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = four_nodes(folder.path(), &world).await;
    world.nodes_there.store(1, Ordering::SeqCst);
    bench.observer.run().await.unwrap();
    world.nodes_told.store(1, Ordering::SeqCst);
    an_hour_later(&bench).await.unwrap();
    world.nodes_there.store(3, Ordering::SeqCst);
    an_hour_later(&bench).await.unwrap();
    assert_eq!(bench.recorded().await.len(), 3, "nor is a store parked that never knew more");
    bench.close().await;
}

#[tokio::test]
async fn a_person_can_accept_it_and_those_that_follow_are_like_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let mut bench = four_nodes(folder.path(), &world).await;
    world.nodes_told.store(1, Ordering::SeqCst);
    an_hour_later(&bench).await.unwrap_err();
    bench.sampler.clusters[0].accepted.insert(hour("2026-10-01T01:00:00Z"));
    assert_eq!(bench.sampler.run().await.unwrap(), "c: 1 hours recorded, 0 missing", "at once");
    an_hour_later(&bench).await.unwrap();
    assert_eq!(bench.recorded().await, hours("2026-10-01T00:00:00Z", "2026-10-01T03:00:00Z"));
    bench.close().await;
}

#[tokio::test]
async fn measured_again_an_hour_is_held_against_the_nodes_it_was_recorded_with() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let mut bench = four_nodes(folder.path(), &world).await;
    let first = hour("2026-10-01T00:00:00Z");
    let range = HourRange { from: first, until: first.next() };
    for (told, is_accepted, revision) in [(1, false, 1), (3, false, 2), (1, false, 2), (1, true, 3)] {
        world.nodes_told.store(told, Ordering::SeqCst);
        if is_accepted {
            bench.sampler.clusters[0].accepted.insert(first);
        }
        let (ledger, cluster) = (&bench.shared.ledger, &bench.sampler.clusters[0]);
        let entries = ledger.hours(&Scope::everything(), &cluster.name, range).await.unwrap();
        let entries = entries.into_iter().map(|entry| (entry.hour, entry)).collect();
        let mut answers = Vec::new();
        bench.sampler.again(cluster, &entries, |hour, result| answers.push((hour, result))).await.unwrap();
        assert!(matches!(answers.as_slice(), [(_, Ok(()))]), "it stands, as it was or as it is: {answers:?}");
        let entries = ledger.hours(&Scope::everything(), &cluster.name, range).await.unwrap();
        assert_eq!(entries[0].revision, revision, "{told} nodes");
    }
    bench.close().await;
}
