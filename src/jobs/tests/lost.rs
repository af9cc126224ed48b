//! Hours that the metrics store has forgotten, and those that it may still have.

use super::*;

const SINCE: Option<&str> = Some("2026-10-01T00:00:00Z");
const FIRST: &str = "2026-10-01T03:00:00Z";

/// It has forgotten the first three hours of ten, and holds what came after them.
async fn forgetful(folder: &Path, world: &Arc<World>) -> Bench {
    world.forgotten.lock().unwrap().extend(hours("2026-10-01T00:00:00Z", FIRST));
    *world.first_sample.lock().unwrap() = Some(FIRST.parse().unwrap());
    let bench = start(folder, world, "2026-10-01T10:05:00Z", SINCE, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench
}

impl Bench {
    async fn lost(&self) -> Vec<Hour> {
        let missing = self.shared.ledger.missing(&Scope::everything()).await.unwrap();
        missing.into_iter().filter(|note| note.lost_since.is_some()).map(|note| note.hour).collect()
    }

    async fn hours_later(&self, hours: u64) -> String {
        self.shared.clock.advance(Duration::from_hours(hours));
        self.observer.run().await.unwrap();
        self.sampler.run().await.unwrap()
    }
}

#[tokio::test]
async fn what_is_older_than_the_store_keeps_is_lost_at_once_and_stands_in_the_month() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = forgetful(folder.path(), &world).await;
    *world.keeps.lock().unwrap() = Some(TimeDelta::hours(8));
    let told = bench.sampler.run().await.unwrap();
    assert_eq!(told, "c: 7 hours recorded, 1 missing, 2 lost", "the third may still come");
    assert_eq!(bench.lost().await, hours("2026-10-01T00:00:00Z", "2026-10-01T02:00:00Z"));
    let missing = bench.shared.ledger.missing(&Scope::everything()).await.unwrap();
    let reason = "nothing of this hour nor of any before it: it begins at 2026-10-01T03:00:00Z and keeps samples for 8 \
                  hours";
    assert!(missing[0].reason.contains(reason), "{}", missing[0].reason);
    bench.rater.run().await.unwrap();
    let unmeasured = async || {
        let month = bench.shared.ledger.month(&Scope::everything(), "2026-10".parse().unwrap()).await;
        let month = month.unwrap().unwrap();
        (month.hours_missing, month.hours_lost)
    };
    assert_eq!(unmeasured().await, (1, 2));
    let calls = world.calls.load(Ordering::SeqCst);
    assert_eq!(bench.hours_later(1).await, "c: 1 hours recorded, 0 missing, 3 lost");
    assert_eq!(world.calls.load(Ordering::SeqCst), calls + 2, "what is lost is not tried again");
    bench.rater.run().await.unwrap();
    assert_eq!(unmeasured().await, (0, 3));
    bench.close().await;
}

#[tokio::test]
async fn where_the_store_does_not_say_what_it_keeps_an_hour_is_lost_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = forgetful(folder.path(), &world).await;
    assert_eq!(bench.sampler.run().await.unwrap(), "c: 7 hours recorded, 3 missing");
    assert_eq!(bench.hours_later(23).await, "c: 23 hours recorded, 3 missing");
    assert_eq!(bench.hours_later(7).await, "c: 7 hours recorded, 0 missing, 3 lost");
    bench.close().await;
}

#[tokio::test]
async fn a_store_that_is_down_empty_or_has_what_was_before_loses_nothing() {
    for (down, first) in
        [(true, Some(FIRST)), (false, None), (false, Some("2026-09-30T23:55:00Z")), (false, Some(FIRST))]
    {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(World::default());
        let bench = forgetful(folder.path(), &world).await;
        *world.keeps.lock().unwrap() = Some(TimeDelta::minutes(1));
        *world.first_sample.lock().unwrap() = first.map(|first| first.parse().unwrap());
        world.down.store(down, Ordering::SeqCst);
        for _ in 0..4 {
            drop(bench.sampler.run().await);
            bench.shared.clock.advance(Duration::from_hours(12));
        }
        let expected = if !down && first == Some(FIRST) { 3 } else { 0 };
        assert_eq!(bench.lost().await.len(), expected, "down {down}, first sample {first:?}");
        bench.close().await;
    }
}

#[tokio::test]
async fn a_store_that_reaches_back_again_has_its_lost_hours_measured() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = forgetful(folder.path(), &world).await;
    *world.keeps.lock().unwrap() = Some(TimeDelta::hours(1));
    bench.sampler.run().await.unwrap();
    assert_eq!(bench.lost().await.len(), 3);
    world.forgotten.lock().unwrap().remove(&hour("2026-10-01T02:00:00Z"));
    *world.first_sample.lock().unwrap() = Some("2026-10-01T02:00:00Z".parse().unwrap());
    assert_eq!(
        bench.hours_later(23).await,
        "c: 23 hours recorded, 0 missing, 3 lost",
        "looked for once a day"
    );
    assert_eq!(bench.hours_later(1).await, "c: 2 hours recorded, 0 missing, 2 lost");
    assert_eq!(bench.lost().await, hours("2026-10-01T00:00:00Z", "2026-10-01T02:00:00Z"));
    bench.close().await;
}

#[tokio::test]
async fn the_share_of_retention_that_missing_hours_have_used_is_shown_while_the_store_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    *world.keeps.lock().unwrap() = Some(TimeDelta::hours(20));
    let bench = start(folder.path(), &world, "2026-10-01T10:05:00Z", SINCE, "2026-10-01").await;
    let label = crate::telemetry::ClusterLabel { cluster: "c".to_owned() };
    let share = || bench.shared.metrics.retention_used.get(&label).map(|share| share.get());
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    world.down.store(true, Ordering::SeqCst);
    bench.shared.clock.advance(Duration::from_mins(9 * 60 + 55));
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap_err();
    assert_eq!(share(), Some(0.5), "the oldest began ten hours ago, of twenty");
    world.down.store(false, Ordering::SeqCst);
    bench.shared.clock.advance(Duration::from_mins(10));
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    assert_eq!(share(), None, "nothing is missing");
    bench.close().await;
}

/// Each hour takes ten minutes to measure: six of them, and another is live.
#[tokio::test]
async fn a_live_hour_waits_for_no_more_than_the_one_that_is_being_measured() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-08T00:05:00Z", SINCE, "2026-10-01").await;
    *world.slow.lock().unwrap() = Some((bench.observer.clone(), Duration::from_mins(10)));
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    *world.slow.lock().unwrap() = None;
    let mut clock: DateTime<Utc> = "2026-10-08T00:05:00Z".parse().unwrap();
    let mut live = 0;
    for hour in &*world.measured.lock().unwrap() {
        if hour.end() > "2026-10-08T00:00:00Z".parse::<DateTime<Utc>>().unwrap() {
            let waited = clock - hour.end();
            assert!(waited <= TimeDelta::minutes(15), "{hour} waited for {waited}");
            live += 1;
        }
        clock += TimeDelta::minutes(10);
    }
    assert!(live > 20 && world.measured.lock().unwrap().len() > 7 * 24, "{live} live hours in one run");
    bench.close().await;
}
