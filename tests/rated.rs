//! A ledger that holds two tenants' first ten hours of October, rated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use defray::clock::Clock;
use defray::jobs::{Bell, Rater, Remarks, Shared};
use defray::rerate::{Counts, Ground};
use defray::supervise::Supervisor;
use defray::telemetry::Telemetry;
use defray_ledger::{Ledger, Observation, RecordedHour, WriteGuard};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::names::{Namespace, PriceClass, Uid};
use defray_pricing::ownership::{NamePattern, NamespaceFact, TenancyRules, TenantFact};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{BillingZone, Hour};
use defray_pricing::usage::{ComputeRow, Minutes, NetworkRow, NodeRow, Source as Metrics, UsageHour};
use tokio::sync::watch;

/// Everything of October has settled by then.
pub(crate) const NOW: &str = "2026-11-02T00:00:00Z";
const TENANTS: [(&str, &str); 2] = [("alpha", "CC-1"), ("beta", "CC-2")];

pub(crate) const BOOK: &str = "\
version: \"1\"
currency: EUR
effective_from: 2026-01-01
platform_cost_center: CC-P
pools: [{pool: \"*\", model: rate, cpu_core_hour: \"0.50\", memory_gib_hour: \"0.10\"}]
network: [{class: \"*\", gib: \"2\"}]
shared_costs: [{name: licence, per_month: \"7440\", policy: even}]
idle: even
";

fn at(hours: i64) -> Hour {
    let first: Hour = "2026-10-01T00:00:00Z".parse().unwrap();
    Hour::from_index(first.index() + hours)
}

fn observation() -> Observation {
    let tenants = TENANTS.map(|(name, cost_center)| {
        let fact = TenantFact {
            name: name.to_owned(),
            team: name.into(),
            cost_center: cost_center.into(),
            owner_email: format!("{name}@bank.example"),
            ad_group: None,
            services: BTreeSet::new(),
            node_pool_size: None,
            node_pool_instance_type: None,
            malformed: None,
        };
        (Uid::from(format!("t-{name}")), fact)
    });
    let namespaces = TENANTS.map(|(name, _)| {
        let fact = NamespaceFact {
            name: Namespace::from(format!("vcluster-{name}")),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        };
        (Uid::from(format!("n-{name}")), fact)
    });
    Observation {
        tenants: Some(tenants.into()),
        namespaces: Some(namespaces.into()),
        nodes: Some(Vec::new()),
        ..Observation::default()
    }
}

/// `alpha` uses two cores and `beta` one, on one node of four; `alpha` sends a GiB.
fn usage(hour: Hour) -> UsageHour {
    let class =
        PriceClass { pool: "default".into(), instance_type: "m5".into(), capacity_type: "on-demand".into() };
    let q = |text: &str| text.parse::<Quantity>().unwrap();
    let mut usage = UsageHour::empty("c".into(), hour);
    usage.nodes.push(NodeRow {
        class: class.clone(),
        node_hours: q("1"),
        cpu_capacity: q("4"),
        memory_capacity: q("16"),
        gpu_capacity: BTreeMap::new(),
    });
    for ((tenant, _), cores) in TENANTS.iter().zip(["2", "1"]) {
        let mut row = ComputeRow::zero(format!("vcluster-{tenant}").into(), None, class.clone());
        (row.cpu_request, row.cpu_max) = (q(cores), q(cores));
        usage.compute.push(row);
    }
    usage.network.push(NetworkRow {
        namespace: "vcluster-alpha".into(),
        virtual_namespace: None,
        class: "all".into(),
        egress: q("1"),
    });
    usage.coverage = Metrics::ALL.map(|source| (source, Minutes::FULL)).into();
    usage
}

/// What counts: the cluster since it was first observed, namespaces by the usual prefix.
pub(crate) fn ground() -> Ground {
    let prefix = NamePattern { prefix: "vcluster-".to_owned(), suffix: String::new() };
    Ground {
        clusters: BTreeMap::from([("c".into(), Counts::default())]),
        tenancy: TenancyRules { namespace_pattern: Some(prefix), ..TenancyRules::default() },
        settle: Duration::from_mins(5),
        forms: BTreeMap::new(),
    }
}

/// The book that everything is rated by, and its file.
pub(crate) fn book() -> (PriceBook, [Source; 1]) {
    book_of(BOOK)
}

fn book_of(text: &str) -> (PriceBook, [Source; 1]) {
    let sources = [Source { name: "book.yaml".to_owned(), text: text.to_owned() }];
    (PriceBook::parse(&sources, BillingZone::UTC).unwrap(), sources)
}

/// Records ten hours and rates them by [`BOOK`].
pub(crate) async fn fill(ledger: &Ledger, ground: Ground) {
    fill_by(ledger, ground, BOOK).await;
}

/// Records ten hours and rates them by another book.
pub(crate) async fn fill_by(ledger: &Ledger, ground: Ground, text: &str) {
    let guard = ledger.acquire().await.unwrap();
    ledger.observe(&guard, &"c".into(), at(0).start(), &observation()).await.unwrap();
    record(ledger, &guard, 0..10).await;
    let (book, sources) = book_of(text);
    ledger.put_book(&guard, book.digest, &sources).await.unwrap();
    let shared = Shared {
        ledger: ledger.clone(),
        guard,
        clock: Clock::fixed(NOW.parse().unwrap()),
        metrics: Telemetry::new().metrics,
        supervisor: Supervisor::new(),
    };
    let stop = shared.supervisor.stopping();
    let (_sender, book) = watch::channel(Arc::new(book));
    let (computed, remarks) = (Bell::new(), Remarks::default());
    Rater { shared, ground, book, computed, remarks, stop }.run().await.unwrap();
}

/// Records an eleventh hour that nothing was computed from yet.
pub(crate) async fn record_late(ledger: &Ledger) {
    let guard = ledger.acquire().await.unwrap();
    record(ledger, &guard, 10..11).await;
}

/// The same by who writes already.
pub(crate) async fn record_late_by(ledger: &Ledger, guard: &WriteGuard) {
    record(ledger, guard, 10..11).await;
}

async fn record(ledger: &Ledger, guard: &WriteGuard, hours: std::ops::Range<i64>) {
    let measured_at = NOW.parse().unwrap();
    let hours = hours.map(|n| RecordedHour { usage: usage(at(n)), measured_at });
    ledger.record(guard, hours.collect()).await.unwrap();
}
