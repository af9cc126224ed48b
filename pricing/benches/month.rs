//! How fast a month is rated, and in how much memory.
//!
//! `cargo bench -p defray-pricing` rates October 2026 of a cluster with five pools, in which every tenant has
//! a row in each: with 1,000 tenants that are 3.7 million rows. Usage is streamed: one hour is in memory at a
//! time, beside the lines of the month. It is no test: nothing fails when a machine is slow.

use std::collections::BTreeMap;

use defray_pricing::book::{PriceBook, Source};
use defray_pricing::names::{ClusterName, CostCenter, Namespace, Pool, PriceClass, TenantName};
use defray_pricing::ownership::{NamespaceState, Owners, TenantState};
use defray_pricing::quantity::Quantity;
use defray_pricing::rating::rate;
use defray_pricing::statement::{Month, MonthFacts, PeriodStatements};
use defray_pricing::time::{BillingZone, Hour, Period};
use defray_pricing::usage::{ComputeRow, NodeRow, StorageRow, UsageHour};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const CLUSTER: &str = "prod";
const POOLS: [&str; 5] = ["burst", "default", "gpu", "memory", "spot"];

fn main() {
    divan::main();
}

/// A tenth, the whole, and ten times a large platform.
#[divan::bench(args = [100, 1_000, 10_000], sample_count = 3, sample_size = 1)]
fn rate_a_month(bencher: Bencher<'_, '_>, tenants: u32) {
    let period: Period = october();
    let hours = BillingZone::UTC.hours(period).len();
    let rows = u64::from(tenants).saturating_mul(u64::from(hours)).saturating_mul(5);
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| Platform::new(tenants))
        .bench_local_refs(|platform| platform.month(period));
}

#[expect(clippy::expect_used, reason = "a constant that is a month")]
fn october() -> Period {
    "2026-10".parse().expect("a month")
}

/// A platform of so many tenants, and an hour of it that is filled anew for every hour.
struct Platform {
    book: PriceBook,
    owners: Owners,
    usage: UsageHour,
}

impl Platform {
    #[expect(clippy::expect_used, reason = "the book stands below; a benchmark that cannot run says so")]
    fn new(tenants: u32) -> Self {
        let source = Source { name: "bench.yaml".to_owned(), text: BOOK.to_owned() };
        let book = PriceBook::parse(&[source], BillingZone::UTC).expect("a book");
        let hour = Hour::from_index(0);
        let mut usage = UsageHour::empty(ClusterName::from(CLUSTER), hour);
        let mut owners = Owners::nobody(hour);
        for index in 0..tenants {
            let tenant = TenantName::from(format!("team-{index:05}"));
            let cost_center = CostCenter::from(format!("CC-{:03}", index.rem_euclid(100)));
            let namespace = Namespace::from(format!("vcluster-team-{index:05}"));
            let key = (ClusterName::from(CLUSTER), tenant.clone());
            owners.tenants.insert(key, TenantState { cost_center, services: ["vault".into()].into() });
            let state = NamespaceState { tenant: Some(tenant), labels: BTreeMap::new() };
            owners.namespaces.insert((ClusterName::from(CLUSTER), namespace.clone()), state);
            usage.compute.extend(POOLS.map(|pool| ComputeRow::zero(namespace.clone(), None, class(pool))));
            let (class, capacity) = ("gp3".into(), Quantity::from_micros(50_000_000));
            usage.storage.push(StorageRow { namespace, virtual_namespace: None, class, capacity });
        }
        // A core and four GiB of capacity for each tenant in each pool.
        let capacity = Quantity::from_micros(i64::from(tenants).saturating_mul(1_000_000));
        let memory = Quantity::from_micros(capacity.micros().saturating_mul(4));
        usage.nodes.extend(POOLS.map(|pool| NodeRow {
            class: class(pool),
            node_hours: Quantity::from_micros(capacity.micros().div_euclid(8)),
            cpu_capacity: capacity,
            memory_capacity: memory,
            gpu_capacity: BTreeMap::new(),
        }));
        usage.canonicalise();
        Self { book, owners, usage }
    }

    #[expect(clippy::expect_used, reason = "a benchmark that cannot run says so")]
    fn month(&mut self, period: Period) -> PeriodStatements {
        let mut month = Month::new(&self.book, period);
        let mut facts = MonthFacts::new(self.book.zone);
        for hour in self.book.zone.hours(period).iter() {
            self.owners.hour = hour;
            measure(&mut self.usage, hour);
            facts.add(&self.owners);
            let rated = rate(&self.book, &self.owners, std::slice::from_ref(&self.usage)).expect("rated");
            for charge in rated.charges {
                month.add(charge).expect("added");
            }
        }
        month.finish(&facts).expect("statements")
    }
}

fn class(pool: &str) -> PriceClass {
    PriceClass {
        pool: Pool::from(pool),
        instance_type: "m5.2xlarge".into(),
        capacity_type: "on-demand".into(),
    }
}

/// Another number in every row and hour, the same in every run.
fn measure(usage: &mut UsageHour, hour: Hour) {
    usage.hour = hour;
    let mut seed = hour.index().unsigned_abs();
    let mut next = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Quantity::from_micros(i64::try_from((seed >> 33).rem_euclid(most)).unwrap_or(0))
    };
    for row in &mut usage.compute {
        row.cpu_request = next(800_000);
        row.cpu_usage = next(900_000);
        row.cpu_max = row.cpu_request.max(row.cpu_usage);
        row.memory_request = next(3_000_000);
        row.memory_usage = next(3_500_000);
        row.memory_max = row.memory_request.max(row.memory_usage);
    }
}

const BOOK: &str = r#"
version: "1"
currency: EUR
effective_from: 2026-10-01
platform_cost_center: CC-PLATFORM
pools:
  - {pool: default, model: cost, node_hour: "0.20", weights: {cpu: "0.03", memory: "0.005"}}
  - {pool: gpu, model: cost, node_hour: "2.90", weights: {cpu: "0.03", memory: "0.005"}}
  - {pool: memory, model: cost, per_month: "9000", weights: {cpu: "0.03", memory: "0.005"}}
  - {pool: burst, model: rate, cpu_core_hour: "0.031", memory_gib_hour: "0.004"}
  - {pool: spot, model: rate, cpu_core_hour: "0.011", memory_gib_hour: "0.001"}
storage: [{class: "*", gib_month: "0.08"}]
services: {vault: {per_month: "120"}}
shared_costs:
  - {name: licence, per_year: "12000", policy: even}
  - {name: support, per_month: "500", policy: {proportional: direct_cost}}
idle: {proportional: direct_cost}
cost_centers: [{cost_center: CC-007, discount: "12.5%"}]
"#;
