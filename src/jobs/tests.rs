//! The jobs over a real ledger, behind the two seams a metrics store and an API server of the test's own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Assumed, Ledger, Location, Observation, Scope};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::names::{
    CapacityType, ClusterName, CostCenter, InstanceType, Namespace, Pool, PriceClass, TenantName, Uid,
};
use defray_pricing::ownership::{NamePattern, NamespaceFact, NodeFact, TenancyRules, TenantFact};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{BillingZone, Hour, HourRange, Period};
use defray_pricing::usage::{ComputeRow, Minutes, NodeRow, Source as Metrics, UsageHour};
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::rerate::{Counts, Ground};
use crate::telemetry::{PoolLabel, Telemetry};

mod backwards;
mod books;
mod closing;
mod doubts;
mod ends;
mod figures;
mod halved;
mod lost;
mod pods;
mod remarks;
mod runs;
mod watches;

const SETTLE: Duration = Duration::from_mins(5);

/// A cluster with one node, one tenant, and a metrics store that can be down or have forgotten.
#[derive(Default)]
struct World {
    measured: Mutex<Vec<Hour>>,
    down: AtomicBool,
    forgotten: Mutex<BTreeSet<Hour>>,
    calls: AtomicUsize,
    /// The pods that were known of each hour that was measured.
    known: Mutex<Vec<(Hour, Vec<String>)>>,
    left_out: Mutex<Vec<LeftOut>>,
    kube_system: Mutex<Option<Uid>>,
    confirmed: AtomicBool,
    /// How many nodes Kubernetes shows, and how many the metrics know where it is not one.
    nodes_there: AtomicUsize,
    nodes_told: AtomicUsize,
    /// Two Tenants name one team.
    twins: AtomicBool,
    /// What the metrics store says differently by now.
    altered: Mutex<Option<fn(&mut UsageHour)>>,
    /// The metrics store's clock, where it does not go along with ours.
    witness: Mutex<Option<DateTime<Utc>>>,
    /// Nobody says what time it is.
    is_mute: AtomicBool,
    /// How long the metrics store says that it keeps samples, and from when on it has any.
    keeps: Mutex<Option<TimeDelta>>,
    first_sample: Mutex<Option<DateTime<Utc>>>,
    /// Measuring an hour takes so long, and who observes meanwhile.
    slow: Mutex<Option<(Observer, Duration)>>,
    /// Why the API server does not answer.
    unseen: Mutex<Option<String>>,
}

impl Measure for World {
    fn measure(&self, hour: Hour, known: Known) -> BoxFuture<'_, Result<MeasuredHour, NotMeasured>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let refuse = |reason: &str, outage| NotMeasured {
                outage,
                empty: !outage,
                ..NotMeasured::because(reason.to_owned())
            };
            if self.down.load(Ordering::SeqCst) {
                return Err(refuse("nobody answers", true));
            }
            if self.forgotten.lock().unwrap().contains(&hour) {
                return Err(refuse("no data", false));
            }
            self.measured.lock().unwrap().push(hour);
            let slow = self.slow.lock().unwrap().clone();
            if let Some((observer, takes)) = slow {
                observer.shared.clock.advance(takes);
                observer.run().await.unwrap();
            }
            let pods = known.pods.into_iter().flatten().map(|pod| pod.fact.name);
            self.known.lock().unwrap().push((hour, pods.collect()));
            let left_out = self.left_out.lock().unwrap().clone();
            let mut usage = usage(hour);
            if let Some(alter) = *self.altered.lock().unwrap() {
                alter(&mut usage);
            }
            if let told @ 1.. = self.nodes_told.load(Ordering::SeqCst) {
                usage.nodes[0].node_hours = Quantity::from_micros(i64::try_from(told).unwrap() * 1_000_000);
            }
            Ok(MeasuredHour { usage, left_out })
        })
    }

    fn clock(&self) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        Box::pin(async {
            // Never behind ours: nobody is doubted but who is ahead.
            let witness = self.witness.lock().unwrap().unwrap_or(DateTime::<Utc>::MAX_UTC);
            (!self.is_mute.load(Ordering::SeqCst)).then_some(witness)
        })
    }

    fn retention(&self) -> BoxFuture<'_, Option<TimeDelta>> {
        let keeps = *self.keeps.lock().unwrap();
        Box::pin(std::future::ready(keeps.filter(|_| !self.down.load(Ordering::SeqCst))))
    }

    fn first_sample(&self, _oldest: Hour) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, NotMeasured>> {
        Box::pin(std::future::ready(Ok(*self.first_sample.lock().unwrap())))
    }

    fn assumed(&self, _before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>> {
        Box::pin(async { Ok(Assumed::default()) })
    }
}

impl Observe for World {
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>> {
        Box::pin(async {
            if let Some(reason) = &*self.unseen.lock().unwrap() {
                anyhow::bail!("{reason}");
            }
            let mut observation = observation();
            let system = self.kube_system.lock().unwrap().clone().map(|uid| {
                let (name, labels) = (Namespace::from("kube-system"), std::collections::BTreeMap::new());
                (uid, NamespaceFact { name, labels, annotations: std::collections::BTreeMap::new() })
            });
            let cluster_uid = system.as_ref().map(|(uid, _)| uid.clone());
            observation.namespaces.get_or_insert_default().extend(system);
            observation.nodes = Some((0..self.nodes_there.load(Ordering::SeqCst)).map(node).collect());
            if self.twins.load(Ordering::SeqCst) {
                let tenants = observation.tenants.get_or_insert_default();
                let mut twin = tenants[0].1.clone();
                "a-again".clone_into(&mut twin.name);
                tenants.push((Uid::from("t2"), twin));
            }
            let confirmed = self.confirmed.load(Ordering::SeqCst);
            let skipped = vec!["Tenant broken".to_owned()];
            Ok(Observed { observation, skipped, cluster_uid, confirmed })
        })
    }

    fn changed(&self) -> BoxFuture<'_, anyhow::Result<BTreeSet<ObjectKind>>> {
        Box::pin(std::future::pending())
    }
}

fn node(n: usize) -> (Uid, NodeFact) {
    let fact = NodeFact {
        name: format!("node-{n}"),
        pool: Pool::from("default"),
        instance_type: InstanceType::from(""),
        capacity_type: CapacityType::from(""),
        dedicated_to: None,
    };
    (Uid::from(format!("uid-{n}")), fact)
}

fn observation() -> Observation {
    let tenant = TenantFact {
        name: "a".to_owned(),
        team: TenantName::from("a"),
        cost_center: CostCenter::from("CC-1"),
        owner_email: "a@bank.example".to_owned(),
        ad_group: None,
        services: BTreeSet::new(),
        node_pool_size: None,
        node_pool_instance_type: None,
        malformed: None,
    };
    let namespace = NamespaceFact {
        name: Namespace::from("vcluster-a"),
        labels: std::collections::BTreeMap::new(),
        annotations: std::collections::BTreeMap::new(),
    };
    Observation {
        tenants: Some(vec![(Uid::from("t"), tenant)]),
        namespaces: Some(vec![(Uid::from("n"), namespace)]),
        nodes: Some(Vec::new()),
        ..Observation::default()
    }
}

/// One node for the hour, a quarter of it used by the tenant.
pub(super) fn usage(hour: Hour) -> UsageHour {
    let class = PriceClass {
        pool: Pool::from("default"),
        instance_type: InstanceType::from(""),
        capacity_type: CapacityType::from(""),
    };
    let q = Quantity::from_micros;
    let mut usage = UsageHour::empty(ClusterName::from("c"), hour);
    usage.nodes.push(NodeRow {
        class: class.clone(),
        node_hours: q(1_000_000),
        cpu_capacity: q(4_000_000),
        memory_capacity: q(16_000_000),
        gpu_capacity: std::collections::BTreeMap::new(),
    });
    let mut row = ComputeRow::zero(Namespace::from("vcluster-a"), None, class);
    (row.cpu_request, row.cpu_max) = (q(1_000_000), q(1_000_000));
    (row.memory_request, row.memory_max) = (q(4_000_000), q(4_000_000));
    usage.compute.push(row);
    usage.coverage = Metrics::ALL.map(|source| (source, Minutes::FULL)).into();
    usage
}

fn book(editions: &[(&str, &str)]) -> (PriceBook, Vec<Source>) {
    let sources: Vec<Source> = editions
        .iter()
        .map(|(from, price)| Source {
            name: format!("{from}.yaml"),
            text: format!(
                "version: \"{from}\"\ncurrency: EUR\neffective_from: {from}\npools:\n  - {{pool: default, model: cost, \
                 node_hour: \"{price}\", weights: {{cpu: \"0.03\", memory: \"0.005\"}}}}\nidle: even\n"
            ),
        })
        .collect();
    let book = PriceBook::parse(&sources, BillingZone::UTC).unwrap_or_else(|told| panic!("{told:#?}"));
    (book, sources)
}

/// The jobs of one start of the daemon over a directory.
struct Bench {
    shared: Shared,
    sampler: Sampler,
    observer: Observer,
    rater: Rater,
    keeper: BookKeeper,
    files: Arc<Mutex<(PriceBook, Vec<Source>)>>,
}

async fn start(
    folder: &Path,
    world: &Arc<World>,
    now: &str,
    since: Option<&str>,
    first_edition: &str,
) -> Bench {
    let ledger = Ledger::open(&Location::directory(folder)).await.unwrap();
    let guard = ledger.acquire().await.unwrap();
    let shared = Shared {
        ledger,
        guard,
        clock: Clock::fixed(now.parse().unwrap()),
        metrics: Telemetry::new().metrics,
        supervisor: Supervisor::new(),
    };
    let clusters = vec![Cluster {
        name: ClusterName::from("c"),
        counts: Counts { since: since.map(hour), until: None },
        accepted: BTreeSet::new(),
        measure: Arc::clone(world) as Arc<dyn Measure>,
        observe: Arc::clone(world) as Arc<dyn Observe>,
        pods: None,
    }];
    let rules = TenancyRules {
        namespace_pattern: Some(NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() }),
        ..TenancyRules::default()
    };
    let (past, looks) = (KnownPast::default(), Looks::default());
    past.learn(&ClusterName::from("c"));
    let stop = shared.supervisor.stopping();
    let sampler = Sampler {
        shared: shared.clone(),
        clusters: clusters.clone(),
        settle: SETTLE,
        concurrency: 1,
        pause: Duration::ZERO,
        only: None,
        past,
        looks: looks.clone(),
        retentions: Retentions::default(),
        observe: Bell::new(),
        recorded: Bell::new(),
        stop: stop.clone(),
    };
    let observer = Observer {
        shared: shared.clone(),
        clusters: clusters.clone(),
        rules: rules.clone(),
        observed: Vec::new(),
        memory: Memory::default(),
        looks,
        settle: SETTLE,
        watched: Watched::default(),
    };
    let files = Arc::new(Mutex::new(book(&[(first_edition, "0.20")])));
    let (in_force, book) = watch::channel(Arc::new(files.lock().unwrap().0.clone()));
    let now_files = Arc::clone(&files);
    let keeper = BookKeeper {
        shared: shared.clone(),
        read: Arc::new(move || Ok(now_files.lock().unwrap().clone())),
        in_force,
        changed: Bell::new(),
    };
    let counted = clusters.iter().map(|cluster| (cluster.name.clone(), cluster.counts)).collect();
    let forms = std::collections::BTreeMap::new();
    let ground = Ground { clusters: counted, tenancy: rules, settle: SETTLE, forms };
    let (computed, remarks) = (Bell::new(), Remarks::default());
    let rater = Rater { shared: shared.clone(), ground, book, computed, remarks, stop };
    Bench { shared, sampler, observer, rater, keeper, files }
}

fn hour(text: &str) -> Hour {
    text.parse().unwrap()
}

fn hours(from: &str, until: &str) -> Vec<Hour> {
    HourRange { from: hour(from), until: hour(until) }.iter().collect()
}

impl Bench {
    async fn recorded(&self) -> Vec<Hour> {
        let all = HourRange { from: Hour::from_index(0), until: Hour::from_index(1_000_000) };
        let entries =
            self.shared.ledger.hours(&Scope::everything(), &ClusterName::from("c"), all).await.unwrap();
        assert!(entries.iter().all(|entry| entry.revision == 1), "no hour was recorded twice: {entries:?}");
        entries.into_iter().map(|entry| entry.hour).collect()
    }

    /// The month's total and its missing hours.
    async fn month(&self, period: &str) -> Option<(String, u32, Vec<String>)> {
        let period: Period = period.parse().unwrap();
        let month = self.shared.ledger.month(&Scope::everything(), period).await.unwrap()?;
        Some((month.statements.amount.to_string(), month.hours_missing, month.book_versions))
    }

    async fn close(self) {
        self.shared.ledger.close().await;
    }
}

#[tokio::test]
async fn a_backlog_is_measured_newest_first_then_oldest_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench =
        start(folder.path(), &world, "2026-10-03T00:05:00Z", Some("2026-10-01T00:00:00Z"), "2026-10-01")
            .await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    assert_eq!(bench.recorded().await, hours("2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z"));
    let order = world.measured.lock().unwrap().clone();
    assert_eq!(
        order[..3],
        [hour("2026-10-02T23:00:00Z"), hour("2026-10-01T00:00:00Z"), hour("2026-10-01T01:00:00Z")]
    );
    bench.sampler.run().await.unwrap();
    assert_eq!(world.measured.lock().unwrap().len(), 48, "measuring again changes nothing");
    bench.close().await;
}

#[tokio::test]
async fn without_a_beginning_measuring_begins_with_the_first_observation() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-01T10:30:00Z", None, "2026-10-01").await;
    bench.sampler.run().await.unwrap();
    assert!(bench.recorded().await.is_empty());
    bench.observer.run().await.unwrap();
    bench.shared.clock.advance(Duration::from_hours(2));
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    assert_eq!(bench.recorded().await, hours("2026-10-01T10:00:00Z", "2026-10-01T12:00:00Z"));
    bench.close().await;
}

#[tokio::test]
async fn nothing_counts_before_it_is_known_who_owns_anything() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let since = Some("2026-10-01T00:00:00Z");
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", since, "2026-10-01").await;
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert!(bench.recorded().await.is_empty());
    assert_eq!(bench.month("2026-10").await, None, "no statement says that all of it is nobody's");
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!(bench.month("2026-10").await.unwrap().0, "4.8", "24 node-hours at 0.20, all of them");
    bench.close().await;
}

/// What is measured is made of what is known of its nodes: an hour measured before would be another one measured again.
#[tokio::test]
async fn an_hour_waits_until_its_cluster_was_observed_after_it_had_settled() {
    let folder = tempfile::tempdir().unwrap();
    let bench =
        start(folder.path(), &Arc::new(World::default()), "2026-10-01T10:30:00Z", None, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.shared.clock.advance(Duration::from_mins(34));
    bench.observer.run().await.unwrap();
    bench.shared.clock.advance(Duration::from_mins(1));
    bench.sampler.run().await.unwrap();
    assert!(bench.recorded().await.is_empty(), "it was observed a minute before it settled");
    bench.sampler.observe.rung().await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    assert_eq!(bench.recorded().await, [hour("2026-10-01T10:00:00Z")]);
    bench.close().await;
}

#[tokio::test]
async fn an_outage_is_told_few_hours_are_tried_and_all_are_caught_up_with() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench =
        start(folder.path(), &world, "2026-10-03T00:05:00Z", Some("2026-10-01T00:00:00Z"), "2026-10-01")
            .await;
    world.down.store(true, Ordering::SeqCst);
    bench.observer.run().await.unwrap();
    let told = bench.sampler.run().await.unwrap_err().to_string();
    assert!(told.contains("nobody answers"), "{told}");
    assert_eq!(world.calls.load(Ordering::SeqCst), 2, "a store that is down is not asked for every hour");
    let missing = bench.shared.ledger.missing(&Scope::everything()).await.unwrap();
    assert_eq!(
        missing.iter().map(|note| (note.hour, note.tries)).collect::<Vec<_>>(),
        [(hour("2026-10-01T00:00:00Z"), 1), (hour("2026-10-02T23:00:00Z"), 1)]
    );
    world.down.store(false, Ordering::SeqCst);
    bench.shared.clock.advance(Duration::from_mins(2));
    bench.sampler.run().await.unwrap();
    assert_eq!(bench.recorded().await.len(), 48);
    assert!(bench.shared.ledger.missing(&Scope::everything()).await.unwrap().is_empty());
    bench.close().await;
}

#[tokio::test]
async fn a_forgotten_hour_is_missing_and_no_alarm_and_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    world.forgotten.lock().unwrap().insert(hour("2026-10-01T03:00:00Z"));
    let bench =
        start(folder.path(), &world, "2026-10-02T00:05:00Z", Some("2026-10-01T00:00:00Z"), "2026-10-01")
            .await;
    bench.observer.run().await.unwrap();
    let done = bench.sampler.run().await.unwrap();
    assert_eq!(done, "c: 23 hours recorded, 1 missing");
    bench.rater.run().await.unwrap();
    let (_, missing, _) = bench.month("2026-10").await.unwrap();
    assert_eq!(missing, 1);
    let (from, until) = ("2026-10-01".parse().unwrap(), "2026-10-03".parse().unwrap());
    let days = bench.shared.ledger.rated_days(&Scope::everything(), from, until).await.unwrap();
    let known: Vec<_> = days.iter().map(|day| (day.hours, day.whole_hours, day.until)).collect();
    assert_eq!(known, [(24, 23, Some(hour("2026-10-02T00:00:00Z")))]);
    let label = PoolLabel { cluster: "c".to_owned(), pool: "default".to_owned() };
    for of in [&bench.shared.metrics.pool_paid, &bench.shared.metrics.pool_charged] {
        assert_eq!(
            of.get(&label).map(|paid| paid.to_string()).as_deref(),
            Some("4.6"),
            "23 node-hours at 0.20"
        );
    }
    // The newest hour is another matter: people wait for it.
    world.forgotten.lock().unwrap().insert(hour("2026-10-02T00:00:00Z"));
    bench.shared.clock.advance(Duration::from_hours(1));
    bench.observer.run().await.unwrap();
    assert!(bench.sampler.run().await.unwrap_err().to_string().contains("no data"));
    bench.close().await;
}

#[tokio::test]
async fn only_days_whose_inputs_changed_are_rated_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let late = hour("2026-10-02T05:00:00Z");
    world.forgotten.lock().unwrap().insert(late);
    let bench =
        start(folder.path(), &world, "2026-10-04T00:05:00Z", Some("2026-10-01T00:00:00Z"), "2026-10-01")
            .await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    let run = || async { bench.rater.run().await.unwrap() };
    assert_eq!(run().await, "3 days rated, 1 months computed, 0 hours before the first price book");
    // 71 node-hours at 0.20.
    assert_eq!(bench.month("2026-10").await.unwrap(), ("14.2".to_owned(), 1, vec!["2026-10-01".to_owned()]));
    assert_eq!(run().await, "0 days rated, 0 months computed, 0 hours before the first price book");

    world.forgotten.lock().unwrap().clear();
    bench.shared.clock.advance(Duration::from_mins(5));
    bench.sampler.run().await.unwrap();
    assert_eq!(run().await, "1 days rated, 1 months computed, 0 hours before the first price book");
    assert_eq!(bench.month("2026-10").await.unwrap().0, "14.4");

    *bench.files.lock().unwrap() = book(&[("2026-10-01", "0.20"), ("2026-10-03", "0.30")]);
    bench.keeper.run().await.unwrap();
    bench.rater.run().await.unwrap();
    // Two days at 0.20 and one at 0.30, 24 node-hours each.
    let versions = vec!["2026-10-01".to_owned(), "2026-10-03".to_owned()];
    assert_eq!(bench.month("2026-10").await.unwrap(), ("16.8".to_owned(), 0, versions));
    bench.close().await;
}

#[tokio::test]
async fn a_cluster_that_left_the_configuration_is_paid_for_until_its_last_hour() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let since = Some("2026-10-01T00:00:00Z");
    let mut bench = start(folder.path(), &world, "2026-10-03T00:05:00Z", since, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    let before = bench.month("2026-10").await.unwrap();
    assert_eq!(before.0, "9.6", "48 node-hours at 0.20");

    bench.rater.ground.clusters.clear();
    bench.shared.clock.advance(Duration::from_hours(24));
    bench.rater.run().await.unwrap();
    assert_eq!(bench.month("2026-10").await.unwrap(), before, "nothing vanishes and nothing is missing");
    bench.close().await;
}

#[tokio::test]
async fn hours_before_the_first_edition_are_counted_and_not_fatal() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench =
        start(folder.path(), &world, "2026-10-03T00:05:00Z", Some("2026-10-01T00:00:00Z"), "2026-10-02")
            .await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    let done = bench.rater.run().await.unwrap();
    assert_eq!(done, "1 days rated, 1 months computed, 24 hours before the first price book");
    assert_eq!(bench.month("2026-10").await.unwrap().0, "4.8");
    bench.close().await;
}

#[tokio::test]
async fn a_restart_continues_where_the_last_start_ended() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let since = Some("2026-10-01T00:00:00Z");
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", since, "2026-10-01").await;
    bench.sampler.stop.cancel();
    bench.sampler.run().await.unwrap();
    let first = bench.recorded().await.len();
    bench.close().await;
    let bench = start(folder.path(), &world, "2026-10-02T03:05:00Z", since, "2026-10-01").await;
    bench.observer.run().await.unwrap();
    bench.sampler.run().await.unwrap();
    bench.rater.run().await.unwrap();
    assert_eq!(bench.recorded().await, hours("2026-10-01T00:00:00Z", "2026-10-02T03:00:00Z"));
    assert_eq!(
        world.measured.lock().unwrap().len(),
        27,
        "no hour was measured twice; {first} before the restart"
    );
    assert_eq!(bench.month("2026-10").await.unwrap().0, "5.4");
    bench.close().await;
}

#[tokio::test]
async fn a_skipped_resource_is_counted_and_takes_nothing_else_down() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World::default());
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    assert_eq!(bench.observer.run().await.unwrap(), "2 changes of ownership in 1 clusters");
    assert_eq!(bench.observer.run().await.unwrap(), "0 changes of ownership in 1 clusters");
    let label = crate::telemetry::ClusterLabel { cluster: "c".to_owned() };
    assert_eq!(bench.shared.metrics.tenants_skipped.get_or_create(&label).get(), 1);
    bench.close().await;
}

#[tokio::test]
async fn two_tenants_of_one_team_are_a_conflict_that_is_counted_until_one_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(World { twins: AtomicBool::new(true), ..World::default() });
    let bench = start(folder.path(), &world, "2026-10-02T00:05:00Z", None, "2026-10-01").await;
    let label = crate::telemetry::ClusterLabel { cluster: "c".to_owned() };
    let count = || bench.shared.metrics.ownership_conflicts.get_or_create(&label).get();
    bench.observer.run().await.unwrap();
    assert!(count() > 0);
    world.twins.store(false, Ordering::SeqCst);
    bench.observer.run().await.unwrap();
    assert_eq!(count(), 0);
    bench.close().await;
}
