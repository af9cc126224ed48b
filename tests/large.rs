//! A large platform's month in a ledger: for whoever wants to measure, or to see that nothing times out.
//!
//! `DEFRAY_LARGE_LEDGER=<directory> cargo test --release --test it large -- --ignored` writes a thousand tenants in
//! five pools for every hour of October, rates them, and leaves a configuration beside the ledger by which the
//! command line and the daemon read it. Nobody measured any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use defray::app::configured_ground;
use defray::clock::Clock;
use defray::config::{Config, Environment};
use defray::jobs::{Bell, Rater, Remarks, Shared};
use defray::supervise::Supervisor;
use defray::telemetry::Telemetry;
use defray_ledger::{Ledger, Location, Observation, RecordedHour, WriteGuard};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::names::{Namespace, PriceClass, Uid};
use defray_pricing::ownership::{NamespaceFact, TenantFact};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{BillingZone, Hour, HourRange};
use defray_pricing::usage::{ComputeRow, Minutes, NodeRow, Source as Metrics, StorageRow, UsageHour};
use tokio::sync::watch;

const TENANTS: i64 = 1_000;
const POOLS: [&str; 5] = ["burst", "default", "gpu", "memory", "spot"];
const BOOK: &str = include_str!("data/large.yaml");

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes a ledger of a gigabyte, for minutes"]
async fn a_large_month_is_written_and_rated() {
    #[expect(clippy::disallowed_methods, reason = "the only thing this is told")]
    let folder = std::env::var_os("DEFRAY_LARGE_LEDGER").expect("DEFRAY_LARGE_LEDGER names a directory");
    let folder = PathBuf::from(folder);
    let config = configure(&folder);
    let ledger = Ledger::open(&Location::directory(folder.join("data"))).await.unwrap();
    let guard = ledger.acquire().await.unwrap();
    let october = BillingZone::UTC.hours("2026-10".parse().unwrap());
    ledger.observe(&guard, &"c".into(), october.from.start(), &observation()).await.unwrap();
    for hour in october.iter() {
        let measured_at = october.until.end();
        ledger.record(&guard, vec![RecordedHour { usage: usage(hour), measured_at }]).await.unwrap();
    }
    rate(&ledger, guard, &config, october).await;
    ledger.close().await;
}

/// Nobody listens on the ports of the cluster: they are reserved.
fn configure(folder: &Path) -> Config {
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let files = [
        ("book.yaml", BOOK),
        ("defray.yaml", include_str!("data/large.defray.yaml")),
        ("kubeconfig", include_str!("data/large.kubeconfig")),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    Config::load(&folder.join("defray.yaml"), &Environment::process()).unwrap()
}

async fn rate(ledger: &Ledger, guard: WriteGuard, config: &Config, october: HourRange) {
    let sources = [Source { name: "book.yaml".to_owned(), text: BOOK.to_owned() }];
    let book = PriceBook::parse(&sources, BillingZone::UTC).unwrap();
    ledger.put_book(&guard, book.digest, &sources).await.unwrap();
    let shared = Shared {
        ledger: ledger.clone(),
        guard,
        clock: Clock::fixed(october.until.end()),
        metrics: Telemetry::new().metrics,
        supervisor: Supervisor::new(),
    };
    let stop = shared.supervisor.stopping();
    let (_sender, book) = watch::channel(Arc::new(book));
    let ground = configured_ground(config);
    Rater { shared, ground, book, computed: Bell::new(), remarks: Remarks::default(), stop }
        .run()
        .await
        .unwrap();
}

fn team(index: i64) -> String {
    format!("team-{index:04}")
}

fn observation() -> Observation {
    let tenants = (0..TENANTS).map(|index| {
        let fact = TenantFact {
            name: team(index),
            team: team(index).into(),
            cost_center: format!("CC-{:03}", index.rem_euclid(100)).into(),
            owner_email: format!("{}@bank.example", team(index)),
            ad_group: None,
            services: BTreeSet::from(["vault".into()]),
            node_pool_size: None,
            node_pool_instance_type: None,
            malformed: None,
        };
        (Uid::from(format!("t-{index}")), fact)
    });
    let namespaces = (0..TENANTS).map(|index| {
        let fact =
            NamespaceFact { name: namespace(index), labels: BTreeMap::new(), annotations: BTreeMap::new() };
        (Uid::from(format!("n-{index}")), fact)
    });
    Observation {
        tenants: Some(tenants.collect()),
        namespaces: Some(namespaces.collect()),
        nodes: Some(Vec::new()),
        ..Observation::default()
    }
}

fn namespace(index: i64) -> Namespace {
    format!("vcluster-{}", team(index)).into()
}

fn class(pool: &str) -> PriceClass {
    PriceClass { pool: pool.into(), instance_type: "m5.2xlarge".into(), capacity_type: "on-demand".into() }
}

/// Another number in every row and hour, the same in every run; a core and four GiB of capacity for each tenant
/// in each pool.
fn usage(hour: Hour) -> UsageHour {
    let mut usage = UsageHour::empty("c".into(), hour);
    let mut seed = hour.index().unsigned_abs();
    let mut next = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Quantity::from_micros(i64::try_from((seed >> 33).rem_euclid(most)).unwrap())
    };
    for index in 0..TENANTS {
        for pool in POOLS {
            let mut row = ComputeRow::zero(namespace(index), None, class(pool));
            (row.cpu_request, row.cpu_usage) = (next(800_000), next(900_000));
            row.cpu_max = row.cpu_request.max(row.cpu_usage);
            (row.memory_request, row.memory_usage) = (next(3_000_000), next(3_500_000));
            row.memory_max = row.memory_request.max(row.memory_usage);
            usage.compute.push(row);
        }
        let (class, capacity) = ("gp3".into(), Quantity::from_micros(50_000_000));
        usage.storage.push(StorageRow {
            namespace: namespace(index),
            virtual_namespace: None,
            class,
            capacity,
        });
    }
    usage.nodes.extend(POOLS.map(|pool| NodeRow {
        class: class(pool),
        node_hours: Quantity::from_micros(TENANTS * 125_000),
        cpu_capacity: Quantity::from_micros(TENANTS * 1_000_000),
        memory_capacity: Quantity::from_micros(TENANTS * 4_000_000),
        gpu_capacity: BTreeMap::new(),
    }));
    usage.canonicalise();
    usage.coverage = Metrics::ALL.map(|source| (source, Minutes::FULL)).into();
    usage
}
