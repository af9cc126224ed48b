//! What watches ought to have told.

use super::*;
use crate::telemetry::WatchLabel;

/// The watch of this world never says anything.
#[tokio::test]
async fn what_a_silent_watch_does_not_tell_a_list_finds_within_the_hour_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    let missed = |kind| {
        let label = WatchLabel { cluster: "c".to_owned(), kind };
        bench.shared.metrics.watch_missed_changes.get_or_create(&label).get()
    };
    bench.observer.run().await.unwrap();
    for (twins, told, expected) in [(true, false, 1), (false, true, 1), (true, false, 2)] {
        bench.shared.clock.advance(Duration::from_hours(1));
        world.twins.store(twins, Ordering::SeqCst);
        if told {
            bench.observer.watched.told(&"c".into(), &[ObjectKind::Tenants].into(), bench.shared.clock.now());
        }
        assert_eq!(bench.observer.run().await.unwrap(), "1 changes of ownership in 1 clusters");
        bench.shared.clock.advance(Duration::from_mins(2));
        bench.observer.run().await.unwrap();
        assert_eq!((missed("tenants"), missed("namespaces")), (expected, 0), "told: {told}");
    }
    bench.close().await;
}
