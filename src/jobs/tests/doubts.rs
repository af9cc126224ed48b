//! What is told rather than believed: another cluster under a known name, a clock that ran ahead, growth
//! that belongs to no hour.

use defray_pricing::ownership::Timeline;

use super::*;

const SINCE: Option<&str> = Some("2026-10-01T00:00:00Z");

impl Bench {
    async fn refusal(&self) -> String {
        format!("{:#}", self.observer.run().await.unwrap_err())
    }

    async fn timeline(&self) -> Timeline {
        self.shared.ledger.timeline(&Scope::everything()).await.unwrap()
    }
}

#[tokio::test]
async fn another_cluster_under_a_known_name_is_refused_until_it_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    *world.kube_system.lock().unwrap() = Some(Uid::from("first"));
    let bench = start(folder.path(), &world, "2026-10-01T00:30:00Z", SINCE, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    let before = bench.timeline().await;
    *world.kube_system.lock().unwrap() = Some(Uid::from("second"));
    bench.shared.clock.advance(Duration::from_hours(1));
    let told = bench.refusal().await;
    assert!(told.contains("uid second") && told.contains("has first since 2026-10-01T00:30:00Z"), "{told}");
    assert!(told.contains("kubernetes.cluster_uid: second"), "{told}");
    assert_eq!(bench.timeline().await, before, "nothing of the first is ended");
    world.confirmed.store(true, Ordering::SeqCst);
    bench.observer.run().await.unwrap();
    world.confirmed.store(false, Ordering::SeqCst);
    bench.shared.clock.advance(Duration::from_hours(1));
    bench.observer.run().await.unwrap();
    *world.kube_system.lock().unwrap() = Some(Uid::from("first"));
    assert!(bench.refusal().await.contains("uid first"), "the first is now the stranger");
    bench.close().await;
}

#[tokio::test]
async fn a_clock_ahead_of_the_metrics_store_is_not_observed_by() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    *world.witness.lock().unwrap() = Some("2026-10-01T00:00:00Z".parse().unwrap());
    let bench = start(folder.path(), &world, "2027-10-01T00:00:00Z", SINCE, "2026-10-01").await;
    let told = bench.refusal().await;
    let clocks = "the clock here says 2027-10-01T00:00:00Z but the metrics store's 2026-10-01T00:00:00Z";
    assert!(told.contains(clocks) && told.contains("set the clock that is wrong"), "{told}");
    assert!(bench.timeline().await.observed_since.is_empty(), "nothing is recorded");
    *world.witness.lock().unwrap() = Some("2027-09-30T23:55:00Z".parse().unwrap());
    bench.observer.run().await.unwrap();
    bench.close().await;
}

#[tokio::test]
async fn at_first_and_after_a_long_silence_the_time_is_doubted_until_somebody_confirms_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World { is_mute: AtomicBool::new(true), ..World::default() });
    let bench = start(folder.path(), &world, "2026-10-01T00:00:00Z", SINCE, "2026-10-01").await;
    let told = bench.refusal().await;
    assert!(told.contains("nothing is observed for the first time until then"), "{told}");
    assert!(bench.timeline().await.observed_since.is_empty(), "nothing is recorded");
    world.is_mute.store(false, Ordering::SeqCst);
    bench.observer.run().await.unwrap();
    world.is_mute.store(true, Ordering::SeqCst);
    bench.shared.clock.advance(Duration::from_hours(24));
    bench.observer.run().await.unwrap();
    bench.shared.clock.advance(Duration::from_hours(25));
    let told = bench.refusal().await;
    assert!(told.contains("last observation was at 2026-10-02T00:00:00Z"), "{told}");
    world.is_mute.store(false, Ordering::SeqCst);
    *world.witness.lock().unwrap() = Some(bench.shared.clock.now());
    bench.observer.run().await.unwrap();
    bench.close().await;
}

#[tokio::test]
async fn growth_that_belongs_to_no_hour_is_counted_once_by_quantity_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let one = |quantity, reason, micros| LeftOut {
        namespace: "vcluster-a".to_owned(),
        quantity,
        reason,
        amount: Quantity::from_micros(micros),
    };
    *world.left_out.lock().unwrap() = vec![
        one(Counted::CpuUsage, Unbillable::Gap, 1_500_000),
        one(Counted::CpuUsage, Unbillable::FirstSeen, 500_000),
        one(Counted::NetworkEgress, Unbillable::Gap, 1_000_000),
    ];
    let bench = start(folder.path(), &world, "2026-10-01T02:05:00Z", SINCE, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    let counted = |quantity, reason| {
        let label = crate::telemetry::LeftOutLabel { cluster: "c".to_owned(), quantity, reason };
        bench.shared.metrics.growth_left_out.get_or_create(&label).get()
    };
    assert_eq!(counted("cpu_core_seconds", "gap"), 2 * 5400, "two hours of 1.5 core-hours");
    assert_eq!(counted("cpu_core_seconds", "first_seen"), 2 * 1800);
    assert_eq!(counted("network_egress_bytes", "gap"), 2 << 30);
    assert_eq!(counted("network_egress_bytes", "first_seen"), 0);

    // A revision of an hour leaves out what the hour left out.
    let again = usage(hour("2026-10-01T00:00:00Z"));
    let mut again = MeasuredHour { usage: again, left_out: world.left_out.lock().unwrap().clone() };
    again.usage.nodes[0].node_hours = Quantity::from_micros(900_000);
    bench.sampler.record(&bench.sampler.clusters[0], again).await.unwrap();
    assert_eq!(counted("cpu_core_seconds", "gap"), 2 * 5400, "told once");
    bench.close().await;
}
