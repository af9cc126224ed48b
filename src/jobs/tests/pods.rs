//! Pods are remembered while they are there, and hours wait for it.

use defray_ledger::{PodFact, SeenPod};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::telemetry::ClusterLabel;

/// What an API server lists, and what its watch tells.
struct Podded {
    listed: Mutex<anyhow::Result<Vec<SeenPod>>>,
    news: tokio::sync::Mutex<mpsc::UnboundedReceiver<anyhow::Result<PodNews>>>,
    asked: AtomicUsize,
    /// Cancelled in the instant it tells something.
    stop: Mutex<Option<CancellationToken>>,
}

impl Pods for Podded {
    fn list(&self, of: Uid) -> BoxFuture<'_, anyhow::Result<Vec<SeenPod>>> {
        Box::pin(async move {
            assert_eq!(of, system(), "of the cluster that was recognised");
            self.asked.fetch_add(1, Ordering::SeqCst);
            match &*self.listed.lock().unwrap() {
                Ok(pods) => Ok(pods.clone()),
                Err(reason) => anyhow::bail!("{reason}"),
            }
        })
    }

    fn next(&self, of: Uid) -> BoxFuture<'_, anyhow::Result<PodNews>> {
        Box::pin(async move {
            assert_eq!(of, system(), "of the cluster that was recognised");
            match self.news.lock().await.recv().await {
                Some(news) => {
                    if let Some(stop) = &*self.stop.lock().unwrap() {
                        stop.cancel();
                    }
                    news
                }
                None => std::future::pending().await,
            }
        })
    }
}

/// The uid of the cluster's kube-system.
fn system() -> Uid {
    Uid::from("system")
}

fn pod(name: &str, created: &str) -> SeenPod {
    let fact = PodFact {
        namespace: Namespace::from("vcluster-a"),
        name: name.to_owned(),
        virtual_namespace: "shop".into(),
    };
    SeenPod { uid: Uid::from(format!("uid-{name}")), created: Some(created.parse().unwrap()), fact }
}

/// A bench whose cluster has pods, and what its watch is told by.
async fn podded(
    folder: &Path,
    world: &Arc<World>,
    now: &str,
) -> (Bench, PodKeeper, Arc<Podded>, mpsc::UnboundedSender<anyhow::Result<PodNews>>) {
    let mut bench = start(folder, world, now, None, "2026-10-01").await;
    let (tell, news) = mpsc::unbounded_channel();
    let pods = Arc::new(Podded {
        listed: Mutex::new(Ok(Vec::new())),
        news: tokio::sync::Mutex::new(news),
        asked: AtomicUsize::new(0),
        stop: Mutex::new(None),
    });
    let mut cluster = bench.sampler.clusters[0].clone();
    cluster.pods = Some(Arc::clone(&pods) as Arc<dyn Pods>);
    bench.sampler.clusters = vec![cluster.clone()];
    let keeper = PodKeeper {
        shared: bench.shared.clone(),
        clusters: vec![cluster],
        settle: SETTLE,
        listed: Bell::new(),
        observe: Bell::new(),
        looks: bench.observer.looks.clone(),
        unwritten: Unwritten::default(),
    };
    *world.kube_system.lock().unwrap() = Some(system());
    keeper.looks.recognised(&ClusterName::from("c"), Some(system()));
    (bench, keeper, pods, tell)
}

/// Lets the keeper follow until that holds.
async fn follow_until(keeper: &PodKeeper, holds: impl AsyncFn() -> bool) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let waiting = async {
        for _ in 0..500 {
            if holds().await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let (followed, ()) = tokio::join!(keeper.follow(&keeper.clusters[0], stop.clone()), waiting);
    followed
}

#[tokio::test]
async fn an_hour_waits_until_pods_were_listed_after_it_had_settled() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, pods, _tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    bench.observer.run().await.unwrap();
    assert_eq!(keeper.run().await.unwrap(), "1 lists of pods");
    bench.shared.clock.advance(Duration::from_mins(36));
    assert_eq!(
        keeper.run().await.unwrap(),
        "0 lists of pods",
        "whose they are is not known before it is observed"
    );
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    assert!(bench.recorded().await.is_empty(), "the list is from within the hour");

    *pods.listed.lock().unwrap() = Err(anyhow::anyhow!("forbidden"));
    let told = format!("{:#}", keeper.run().await.unwrap_err());
    assert_eq!(told, "cluster c: forbidden");
    bench.sampler.run().await.unwrap();
    assert!(bench.recorded().await.is_empty());

    // Made in the hour before it was ever seen, and after it.
    *pods.listed.lock().unwrap() =
        Ok(vec![pod("in", "2026-10-01T09:10:00Z"), pod("late", "2026-10-01T10:01:00Z")]);
    assert_eq!(keeper.run().await.unwrap(), "1 lists of pods");
    keeper.listed.rung().await;
    bench.sampler.run().await.unwrap();
    assert_eq!(*world.known.lock().unwrap(), [(hour("2026-10-01T09:00:00Z"), vec!["in".to_owned()])]);

    let asked = pods.asked.load(Ordering::SeqCst);
    assert_eq!(keeper.run().await.unwrap(), "0 lists of pods", "once for every hour");
    assert_eq!(pods.asked.load(Ordering::SeqCst), asked);
    bench.close().await;
}

#[tokio::test]
async fn a_pod_that_is_gone_before_its_hour_is_measured_is_known_to_it_whenever_it_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, pods, tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    bench.observer.run().await.unwrap();
    let short = pod("short", "2026-10-01T09:29:30Z");
    tell.send(Ok(PodNews::Begun)).unwrap();
    tell.send(Ok(PodNews::Seen(short.clone()))).unwrap();
    tell.send(Ok(PodNews::Gone(short.uid.clone()))).unwrap();
    let ledger = bench.shared.ledger.clone();
    let (at, everything) = (hour("2026-10-01T09:00:00Z"), Scope::everything());
    let remembered = async |hour| ledger.pods(&everything, &ClusterName::from("c"), hour).await.unwrap();
    follow_until(&keeper, async || !remembered(at).await.is_empty()).await.unwrap();
    assert_eq!(remembered(at).await[0].until, Some(bench.shared.clock.now()));

    bench.shared.clock.advance(Duration::from_mins(36));
    bench.observer.run().await.unwrap();
    keeper.run().await.unwrap();
    let before = remembered(at).await;
    bench.sampler.run().await.unwrap();
    assert_eq!(*world.known.lock().unwrap(), [(at, vec!["short".to_owned()])]);

    // Days later a watch and a list learn of pods that are said to have been there all the time; the hour is made of
    // what it was made of.
    bench.shared.clock.advance(Duration::from_hours(50));
    let (watched, listed) = (pod("watched", "2026-10-01T09:10:00Z"), pod("listed", "2026-10-01T09:20:00Z"));
    tell.send(Ok(PodNews::Seen(watched.clone()))).unwrap();
    let later = hour("2026-10-03T11:00:00Z");
    follow_until(&keeper, async || !remembered(later).await.is_empty()).await.unwrap();
    *pods.listed.lock().unwrap() = Ok(vec![watched, listed]);
    *world.witness.lock().unwrap() = Some(bench.shared.clock.now());
    bench.observer.run().await.unwrap();
    assert_eq!(keeper.run().await.unwrap(), "1 lists of pods");
    assert_eq!(remembered(later).await.len(), 2);
    assert_eq!(remembered(at).await, before);
    bench.close().await;
}

#[tokio::test]
async fn a_broken_watch_shows_until_it_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, _pods, tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    let label = ClusterLabel { cluster: "c".to_owned() };
    let metrics = bench.shared.metrics.clone();
    let broken = || metrics.pod_watch_broken.get_or_create(&label).get();
    for _ in 0..2 {
        tell.send(Ok(PodNews::Broken("forbidden".to_owned()))).unwrap();
    }
    tell.send(Err(anyhow::anyhow!("nobody answers"))).unwrap();
    let (ledger, everything) = (bench.shared.ledger.clone(), Scope::everything());
    let here = async || ledger.pods_now(&everything, &ClusterName::from("c")).await.unwrap();
    let was_broken = std::cell::Cell::new(false);
    follow_until(&keeper, async || {
        if !was_broken.get() && broken() == 1 {
            was_broken.set(true);
            // While it begins anew it tells already of what is there.
            tell.send(Ok(PodNews::Seen(pod("seen", "2026-10-01T09:00:00Z")))).unwrap();
            tell.send(Ok(PodNews::Begun)).unwrap();
        }
        was_broken.get() && broken() == 0 && !here().await.is_empty()
    })
    .await
    .unwrap();
    assert!(was_broken.get());
    assert_eq!((broken(), here().await), (0, [Uid::from("uid-seen")].into()));
    bench.close().await;
}

/// By a kubeconfig that points elsewhere now, its pods would be another cluster's.
#[tokio::test]
async fn no_pod_is_taken_in_before_its_cluster_was_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, mut keeper, _pods, tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    (keeper.looks, *world.unseen.lock().unwrap()) =
        (Looks::default(), Some("another cluster answers".to_owned()));
    let mut observer = bench.observer.clone();
    observer.looks = keeper.looks.clone();
    tell.send(Ok(PodNews::Begun)).unwrap();
    tell.send(Ok(PodNews::Seen(pod("theirs", "2026-10-01T09:00:00Z")))).unwrap();
    let metrics = bench.shared.metrics.clone();
    let label = ClusterLabel { cluster: "c".to_owned() };
    let (ledger, everything) = (bench.shared.ledger.clone(), Scope::everything());
    let here = async || ledger.pods_now(&everything, &ClusterName::from("c")).await.unwrap();
    let looks = std::cell::Cell::new(0);
    follow_until(&keeper, async || {
        observer.run().await.unwrap_err();
        looks.set(looks.get() + 1);
        looks.get() > 5
    })
    .await
    .unwrap();
    assert_eq!((here().await.len(), metrics.pod_watch_broken.get_or_create(&label).get()), (0, 1));
    assert_eq!(keeper.run().await.unwrap(), "0 lists of pods");
    *world.unseen.lock().unwrap() = None;
    observer.run().await.unwrap();
    follow_until(&keeper, async || !here().await.is_empty()).await.unwrap();
    assert_eq!(here().await, [Uid::from("uid-theirs")].into());
    bench.close().await;
}

#[tokio::test]
async fn a_follower_that_was_replaced_stops() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, _pods, tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    bench.shared.ledger.acquire().await.unwrap();
    tell.send(Ok(PodNews::Seen(pod("seen", "2026-10-01T09:00:00Z")))).unwrap();
    let followed = follow_until(&keeper, async || false);
    let told = tokio::select! {
        followed = followed => followed.unwrap_err().to_string(),
        () = tokio::time::sleep(Duration::from_secs(10)) => panic!("it goes on"),
    };
    assert!(told.contains("another writer has taken over"), "{told}");
    bench.close().await;
}

/// Nothing is measured by what a wrong clock listed: it would look as if everything were known for ever.
#[tokio::test]
async fn a_list_of_the_future_is_refused_and_no_hour_is_measured_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, _pods, _tell) = podded(folder.path(), &world, "2026-10-01T10:06:00Z").await;
    bench.observer.run().await.unwrap();
    let (ahead, cluster) = ("2026-10-07T00:00:00Z".parse().unwrap(), ClusterName::from("c"));
    let none = BTreeSet::new();
    bench.shared.ledger.list_pods(&bench.shared.guard, &cluster, ahead, &none, &[]).await.unwrap();
    let told = format!("{:#}", keeper.run().await.unwrap_err());
    assert!(told.contains("2026-10-07T00:00:00Z") && told.contains("check time synchronisation"), "{told}");
    bench.sampler.run().await.unwrap();
    assert!(bench.recorded().await.is_empty());
    bench.shared.clock.advance(Duration::from_secs(15));
    assert_eq!(format!("{:#}", keeper.run().await.unwrap_err()), told, "said once");
    bench.close().await;
}

/// The same over a ledger that can be written again.
async fn reopened(keeper: PodKeeper, folder: &Path, world: &Arc<World>, now: &str) -> (Bench, PodKeeper) {
    let (clusters, unwritten, looks) = {
        // The rest of it goes: the directory is one daemon's.
        let keeper = keeper;
        (keeper.clusters, keeper.unwritten, keeper.looks)
    };
    let bench = start(folder, world, now, None, "2026-10-01").await;
    let shared = bench.shared.clone();
    let (listed, observe) = (Bell::new(), Bell::new());
    (bench, PodKeeper { shared, clusters, settle: SETTLE, listed, observe, looks, unwritten })
}

/// What is seen while the ledger cannot be written is not lost, and nothing looks as if all were well.
#[tokio::test]
async fn what_cannot_be_written_is_kept_shown_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, _pods, tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    let label = ClusterLabel { cluster: "c".to_owned() };
    let metrics = bench.shared.metrics.clone();
    let broken = || metrics.pod_watch_broken.get_or_create(&label).get();
    bench.close().await;
    tell.send(Ok(PodNews::Begun)).unwrap();
    tell.send(Ok(PodNews::Seen(pod("kept", "2026-10-01T09:29:00Z")))).unwrap();
    follow_until(&keeper, async || broken() == 1).await.unwrap();
    assert_eq!(broken(), 1);

    let (again, mut keeper) = reopened(keeper, folder.path(), &world, "2026-10-01T09:40:00Z").await;
    keeper.shared.metrics = metrics.clone();
    let ledger = again.shared.ledger.clone();
    let (cluster, everything) = (ClusterName::from("c"), Scope::everything());
    let here = async || ledger.pods_now(&everything, &cluster).await.unwrap();
    follow_until(&keeper, async || !here().await.is_empty() && broken() == 0).await.unwrap();
    assert_eq!((broken(), here().await), (0, [Uid::from("uid-kept")].into()));
    let known = ledger.pods(&everything, &cluster, hour("2026-10-01T09:00:00Z")).await.unwrap();
    assert_eq!(known[0].from, "2026-10-01T09:29:00Z".parse::<DateTime<Utc>>().unwrap());
    again.close().await;
}

/// A list is about its moment: what was seen before it is written before it, not in the middle of measured hours.
#[tokio::test]
async fn what_was_seen_before_a_list_is_written_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, pods, tell) = podded(folder.path(), &world, "2026-10-01T09:59:59Z").await;
    // The daemon stops in the instant the pod is seen.
    let stop = CancellationToken::new();
    *pods.stop.lock().unwrap() = Some(stop.clone());
    bench.close().await;
    tell.send(Ok(PodNews::Seen(pod("short", "2026-10-01T09:59:58Z")))).unwrap();
    keeper.follow(&keeper.clusters[0], stop).await.unwrap();

    let (again, keeper) = reopened(keeper, folder.path(), &world, "2026-10-01T10:05:00Z").await;
    again.observer.run().await.unwrap();
    assert_eq!(keeper.run().await.unwrap(), "1 lists of pods");
    let (ledger, cluster) = (&again.shared.ledger, ClusterName::from("c"));
    let known = ledger.pods(&Scope::everything(), &cluster, hour("2026-10-01T09:00:00Z")).await.unwrap();
    let lives: Vec<_> = known.iter().map(|pod| (pod.from.to_rfc3339(), pod.until.is_some())).collect();
    assert_eq!(lives, [("2026-10-01T09:59:58+00:00".to_owned(), true)], "and it is gone by the list");
    again.close().await;
}

#[tokio::test]
async fn what_was_seen_last_is_written_when_the_daemon_stops() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let (bench, keeper, pods, tell) = podded(folder.path(), &world, "2026-10-01T09:30:00Z").await;
    let stop = CancellationToken::new();
    *pods.stop.lock().unwrap() = Some(stop.clone());
    tell.send(Ok(PodNews::Seen(pod("last", "2026-10-01T09:29:00Z")))).unwrap();
    keeper.follow(&keeper.clusters[0], stop).await.unwrap();
    let here = bench.shared.ledger.pods_now(&Scope::everything(), &ClusterName::from("c")).await.unwrap();
    assert_eq!(here, [Uid::from("uid-last")].into());
    bench.close().await;
}
