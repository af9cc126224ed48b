//! How a job is run: again after a failure, on demand, to its end, and not against another writer.

use super::*;

fn job(essential: bool) -> Job {
    Job {
        name: "sample",
        every: Duration::from_hours(1),
        retry: Duration::from_millis(1),
        bell: Bell::new(),
        essential,
    }
}

#[tokio::test]
async fn the_last_result_decides_on_readiness_and_a_failure_is_followed_by_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let bench =
        start(folder.path(), &Arc::new(World::default()), "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    let board = Board::new();
    board.expect("sample");
    assert_eq!(board.not_ready(), ["sample: has not run yet"]);
    let (runs, seen) = (Arc::new(AtomicUsize::new(0)), board.clone());
    let counted = Arc::clone(&runs);
    let stop = bench.shared.supervisor.stopping();
    let driven = drive(job(true), board.clone(), bench.shared.clone(), stop.clone(), move || {
        let (run, seen) = (counted.fetch_add(1, Ordering::SeqCst), seen.clone());
        async move {
            if run == 1 {
                assert_eq!(seen.not_ready(), ["sample: nobody answers"]);
            }
            anyhow::ensure!(run > 0, "nobody answers");
            Ok("done".to_owned())
        }
    });
    let ready = async {
        board.ready().await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(driven, ready);
    ended.unwrap();
    let last = board.all()["sample"].clone().unwrap();
    let now: DateTime<Utc> = bench.shared.clock.now();
    assert_eq!((last.outcome, last.last_success), (Ok("done".to_owned()), Some(now)));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    bench.close().await;
}

/// What fails may ring for itself, as an observation that begins its watches anew.
#[tokio::test]
async fn a_bell_does_not_shorten_the_wait_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let bench =
        start(folder.path(), &Arc::new(World::default()), "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    let runs = Arc::new(AtomicUsize::new(0));
    let (counted, stop) = (Arc::clone(&runs), bench.shared.supervisor.stopping());
    let job = Job { retry: Duration::from_millis(100), ..job(false) };
    let bell = job.bell.clone();
    let driven = drive(job, Board::new(), bench.shared.clone(), stop.clone(), move || {
        counted.fetch_add(1, Ordering::SeqCst);
        bell.ring();
        async { anyhow::bail!("another cluster") }
    });
    let ending = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    };
    tokio::join!(driven, ending).0.unwrap();
    let runs = runs.load(Ordering::SeqCst);
    assert!((2..=3).contains(&runs), "at once, after 0.1 and after 0.3 seconds: {runs}");
    bench.close().await;
}

#[tokio::test]
async fn a_run_that_does_not_end_is_left_behind_when_the_daemon_stops() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    let stop = bench.shared.supervisor.stopping();
    stop.cancel();
    let driven = drive(job(true), Board::new(), bench.shared.clone(), stop, std::future::pending);
    tokio::time::timeout(Duration::from_secs(4), driven).await.unwrap().unwrap();
    bench.close().await;
}

#[tokio::test]
async fn a_writer_that_was_replaced_stops_instead_of_trying_again() {
    let folder = tempfile::tempdir().unwrap();
    let bench =
        start(folder.path(), &Arc::new(World::default()), "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    bench.shared.ledger.acquire().await.unwrap();
    let observer = bench.observer.clone();
    let stop = bench.shared.supervisor.stopping();
    let driven = drive(job(false), Board::new(), bench.shared.clone(), stop, move || {
        let observer = observer.clone();
        async move { observer.run().await }
    });
    let told = format!("{:#}", driven.await.unwrap_err());
    assert!(told.contains("another writer has taken over"), "{told}");
    bench.close().await;
}
