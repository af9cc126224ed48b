//! What becomes of owners while a month runs, from lists in the ledger to amounts on statements. Every namespace uses one
//! core all the time, which costs one euro an hour; hours are counted from the first of October.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use defray::clock::Clock;
use defray::jobs::{Bell, Rater, Remarks, Shared};
use defray::rerate::{Counts, Ground};
use defray::supervise::Supervisor;
use defray::telemetry::Telemetry;
use defray_ledger::{Ledger, Location, Observation, RecordedHour, Scope, WriteGuard};
use defray_pricing::book::{PriceBook, Source};
use defray_pricing::names::{PriceClass, Uid};
use defray_pricing::ownership::{
    NamedBy, NamespaceFact, NamespaceRule, NodeFact, TenancyRules, TenantFact, Timeline,
};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{BillingZone, Hour};
use defray_pricing::usage::{ComputeRow, Minutes, NodeRow, Source as Metrics, UsageHour};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::harness::folder;

const NOW: &str = "2026-11-02T00:00:00Z";
const HOURS: i64 = 6;
/// A service of 744.00 a month is 1.00 an hour in October; a node of `own` costs 5.00 an hour.
const BOOK: &str = "\
version: \"1\"
currency: EUR
effective_from: 2026-01-01
platform_cost_center: CC-P
pools:
  - {pool: own, model: cost, node_hour: \"5\", weights: {cpu: \"1\", memory: \"1\"}}
  - {pool: \"*\", model: rate, cpu_core_hour: \"1\", memory_gib_hour: \"0\"}
services: {kafka: {per_month: \"744\"}}
idle: even
";

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-10-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

/// So many minutes after so many hours.
const fn time(hour: i64, minute: i64) -> i64 {
    hour * 60 + minute
}

fn class(pool: &str) -> PriceClass {
    PriceClass { pool: pool.into(), instance_type: "m5".into(), capacity_type: "on-demand".into() }
}

fn tenant(name: &str, team: &str, cost_center: &str) -> TenantFact {
    TenantFact {
        name: name.to_owned(),
        team: team.into(),
        cost_center: cost_center.into(),
        owner_email: String::new(),
        ad_group: None,
        services: BTreeSet::new(),
        node_pool_size: None,
        node_pool_instance_type: None,
        malformed: None,
    }
}

/// Everything that a cluster's lists show.
#[derive(Default, Clone)]
struct Lists {
    tenants: BTreeMap<&'static str, TenantFact>,
    /// By uid: name and label.
    namespaces: BTreeMap<&'static str, (&'static str, &'static str)>,
    /// By uid: name, and whom it is dedicated to; all of the pool `own`.
    nodes: BTreeMap<&'static str, (&'static str, &'static str)>,
    unreadable: BTreeMap<Uid, String>,
}

impl Lists {
    /// One tenant `a` on CC-1 that owns the namespace `shop` by its label.
    fn usual() -> Self {
        let mut lists = Self::default();
        lists.tenants.insert("t1", tenant("a", "a", "CC-1"));
        lists.namespaces.insert("n1", ("shop", "a"));
        lists
    }

    fn observation(&self) -> Observation {
        let tenants = self.tenants.iter().map(|(uid, fact)| (Uid::from(*uid), fact.clone()));
        let namespaces = self.namespaces.iter().map(|(uid, (name, label))| {
            let labels =
                if label.is_empty() { [].into() } else { [("team".to_owned(), (*label).to_owned())].into() };
            (Uid::from(*uid), NamespaceFact { name: (*name).into(), labels, annotations: BTreeMap::new() })
        });
        let nodes = self.nodes.iter().map(|(uid, (name, tenant))| {
            let fact = NodeFact {
                name: (*name).to_owned(),
                pool: "own".into(),
                instance_type: "m5".into(),
                capacity_type: "on-demand".into(),
                dedicated_to: Some((*tenant).to_owned()),
            };
            (Uid::from(*uid), fact)
        });
        Observation {
            tenants: Some(tenants.collect()),
            namespaces: Some(namespaces.collect()),
            nodes: Some(nodes.collect()),
            unreadable: self.unreadable.clone(),
            created: BTreeMap::new(),
        }
    }
}

struct Story {
    ledger: Ledger,
    guard: WriteGuard,
    folder: TempDir,
    clusters: BTreeSet<&'static str>,
    rules: TenancyRules,
    /// What is used in every hour of every cluster: namespaces, one core each, and a node of `own` if there is one.
    namespaces: Vec<&'static str>,
    own_node: bool,
}

impl Story {
    async fn begin() -> Self {
        let folder = folder();
        let ledger = Ledger::open(&Location::directory(folder.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        let rules = TenancyRules { namespace_labels: vec!["team".to_owned()], ..TenancyRules::default() };
        Self {
            ledger,
            guard,
            folder,
            clusters: BTreeSet::new(),
            rules,
            namespaces: vec!["shop"],
            own_node: false,
        }
    }

    /// A cluster's lists at a time.
    async fn see(&mut self, cluster: &'static str, minutes: i64, lists: &Lists) {
        self.clusters.insert(cluster);
        self.ledger.observe(&self.guard, &cluster.into(), at(minutes), &lists.observation()).await.unwrap();
    }

    /// The daemon stops and another takes over.
    async fn restart(self) -> Self {
        let Self { ledger, guard, folder, clusters, rules, namespaces, own_node } = self;
        ledger.close().await;
        drop((ledger, guard));
        let ledger = Ledger::open(&Location::directory(folder.path())).await.unwrap();
        let guard = ledger.acquire().await.unwrap();
        Self { ledger, guard, folder, clusters, rules, namespaces, own_node }
    }

    fn usage(&self, cluster: &str, hour: Hour) -> UsageHour {
        let one = |text: &str| text.parse::<Quantity>().unwrap();
        let mut usage = UsageHour::empty(cluster.into(), hour);
        let pools: &[&str] = if self.own_node { &["default", "own"] } else { &["default"] };
        usage.nodes = pools
            .iter()
            .map(|pool| NodeRow {
                class: class(pool),
                node_hours: one("1"),
                cpu_capacity: one("8"),
                memory_capacity: one("16"),
                gpu_capacity: BTreeMap::new(),
            })
            .collect();
        for namespace in &self.namespaces {
            let mut row = ComputeRow::zero((*namespace).into(), None, class("default"));
            (row.cpu_request, row.cpu_max) = (one("1"), one("1"));
            usage.compute.push(row);
        }
        usage.coverage = Metrics::ALL.map(|source| (source, Minutes::FULL)).into();
        usage
    }

    /// What each tenant pays on each cost centre for the first hours of the month.
    async fn bill(&self) -> Vec<(String, String, String)> {
        let first = Hour::containing(at(0));
        for cluster in &self.clusters {
            let hours = (0..HOURS).map(|hour| RecordedHour {
                usage: self.usage(cluster, Hour::from_index(first.index() + hour)),
                measured_at: NOW.parse().unwrap(),
            });
            self.ledger.record(&self.guard, hours.collect()).await.unwrap();
        }
        let sources = [Source { name: "book.yaml".to_owned(), text: BOOK.to_owned() }];
        let book = PriceBook::parse(&sources, BillingZone::UTC).unwrap_or_else(|told| panic!("{told:#?}"));
        self.ledger.put_book(&self.guard, book.digest, &sources).await.unwrap();
        let shared = Shared {
            ledger: self.ledger.clone(),
            guard: self.guard.clone(),
            clock: Clock::fixed(NOW.parse().unwrap()),
            metrics: Telemetry::new().metrics,
            supervisor: Supervisor::new(),
        };
        let ground = Ground {
            clusters: self.clusters.iter().map(|cluster| ((*cluster).into(), Counts::default())).collect(),
            tenancy: self.rules.clone(),
            settle: Duration::from_mins(5),
            forms: std::collections::BTreeMap::new(),
        };
        let stop = shared.supervisor.stopping();
        let (_sender, book) = watch::channel(Arc::new(book));
        Rater { shared, ground, book, remarks: Remarks::default(), computed: Bell::new(), stop }
            .run()
            .await
            .unwrap();
        let month =
            self.ledger.month(&Scope::everything(), "2026-10".parse().unwrap()).await.unwrap().unwrap();
        let paid = month.statements.statements.iter();
        paid.map(|one| (one.tenant.to_string(), one.cost_center.to_string(), one.amount.to_string()))
            .collect()
    }

    async fn timeline(&self) -> Timeline {
        self.ledger.timeline(&Scope::everything()).await.unwrap()
    }
}

fn rows(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    expected.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

const NOBODY: &str = "__unassigned__";

#[tokio::test]
async fn a_cost_centre_changed_at_2_20_splits_the_statement_at_that_hour() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    story.see("c", 0, &lists).await;
    lists.tenants.insert("t1", tenant("a", "a", "CC-2"));
    story.see("c", time(2, 20), &lists).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "2"), ("a", "CC-2", "4")]));
}

#[tokio::test]
async fn a_team_that_is_renamed_is_another_tenant_from_that_hour_on_and_a_resource_that_is_renamed_is_not() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    story.see("c", 0, &lists).await;
    // The resource is made again under another name within the hour, for the same team.
    lists.tenants = [("t2", tenant("a-again", "a", "CC-1"))].into();
    story.see("c", time(1, 30), &lists).await;
    lists.tenants = [("t2", tenant("a-again", "alpha", "CC-1"))].into();
    lists.namespaces.insert("n1", ("shop", "alpha"));
    story.see("c", time(4, 10), &lists).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "4"), ("alpha", "CC-1", "2")]));
    let uids: Vec<_> = story.timeline().await.tenants.iter().map(|span| span.uid.to_string()).collect();
    assert_eq!(uids, ["t1", "t2", "t2"]);
}

#[tokio::test]
async fn a_tenant_made_again_under_its_name_is_another_one_with_a_cost_centre_of_its_own() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    story.see("c", 0, &lists).await;
    lists.tenants = [("t9", tenant("a", "a", "CC-9"))].into();
    story.see("c", time(3, 40), &lists).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "3"), ("a", "CC-9", "3")]));
}

#[tokio::test]
async fn what_was_deleted_while_the_daemon_was_down_is_billed_until_it_was_found_gone() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    lists.tenants.insert("t2", tenant("b", "b", "CC-2"));
    lists.namespaces.insert("n2", ("cart", "b"));
    story.namespaces = vec!["cart", "shop"];
    story.see("c", 0, &lists).await;
    story = story.restart().await;
    lists.tenants.remove("t1");
    story.see("c", time(3, 30), &lists).await;
    // Until half past three it may have been there: that hour is its last. What it leaves behind is nobody's.
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "4"), ("b", "CC-2", "6"), (NOBODY, NOBODY, "2")]));
}

#[tokio::test]
async fn a_tenant_that_moves_to_another_cluster_pays_in_both_from_one_resource() {
    let mut story = Story::begin().await;
    let mut here = Lists::usual();
    let mut there = Lists::default();
    story.see("c", 0, &here).await;
    story.see("d", 0, &there).await;
    here.tenants.clear();
    there.tenants.insert("t7", tenant("a", "a", "CC-7"));
    there.namespaces.insert("m1", ("shop", "a"));
    story.see("c", time(2, 10), &here).await;
    story.see("d", time(2, 50), &there).await;
    // In hour 2 the old resource was there last in its cluster, and the new one in its own; then only the new one is
    // anywhere, and the namespace that stayed behind is paid by it. Before, nobody owns `shop` in the other cluster.
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "3"), ("a", "CC-7", "7"), (NOBODY, NOBODY, "2")]));
}

#[tokio::test]
async fn tenants_of_one_name_in_two_clusters_keep_their_cost_centres_apart() {
    let mut story = Story::begin().await;
    story.see("c", 0, &Lists::usual()).await;
    let mut other = Lists::usual();
    other.tenants = [("t1", tenant("a", "a", "CC-2"))].into();
    story.see("d", 0, &other).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "6"), ("a", "CC-2", "6")]));
}

#[tokio::test]
async fn a_namespace_made_again_within_an_hour_is_the_later_owners_for_that_hour() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    lists.tenants.insert("t2", tenant("b", "b", "CC-2"));
    story.see("c", 0, &lists).await;
    lists.namespaces = BTreeMap::new();
    story.see("c", time(2, 15), &lists).await;
    lists.namespaces = [("n2", ("shop", "b"))].into();
    story.see("c", time(2, 45), &lists).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "2"), ("b", "CC-2", "4")]));
}

#[tokio::test]
async fn a_node_replaced_under_its_name_dedicates_its_pool_anew() {
    let mut story = Story::begin().await;
    story.own_node = true;
    let mut lists = Lists::usual();
    lists.tenants.insert("t2", tenant("b", "b", "CC-2"));
    lists.nodes.insert("w1", ("node-1", "a"));
    story.see("c", 0, &lists).await;
    lists.nodes = [("w2", ("node-1", "b"))].into();
    story.see("c", time(4, 30), &lists).await;
    // 6 hours of `shop`, and the node: 4 x 5.00 for a, 2 x 5.00 for b.
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "26"), ("b", "CC-2", "10")]));
    assert_eq!(story.timeline().await.nodes.len(), 2);
}

#[tokio::test]
async fn a_service_is_paid_for_the_hours_at_whose_end_it_was_on_and_a_group_only_splits_the_span() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    story.see("c", 0, &lists).await;
    let fact = |services: &[&str], group: Option<&str>| TenantFact {
        services: services.iter().map(|service| (*service).into()).collect(),
        ad_group: group.map(str::to_owned),
        ..tenant("a", "a", "CC-1")
    };
    for (minutes, services, group) in [
        (time(1, 20), &["kafka"][..], None),
        (time(2, 30), &["kafka"], Some("AKS-a")),
        (time(4, 30), &[], Some("AKS-a")),
    ] {
        lists.tenants.insert("t1", fact(services, group));
        story.see("c", minutes, &lists).await;
    }
    // 6 hours of `shop`; kafka in hours 1, 2 and 3.
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "9")]));
    let spans: Vec<_> = story
        .timeline()
        .await
        .tenants
        .into_iter()
        .map(|span| (span.from, span.until, span.fact.services.len(), span.fact.ad_group))
        .collect();
    let group = Some("AKS-a".to_owned());
    assert_eq!(
        spans,
        [
            (at(0), Some(at(time(1, 20))), 0, None),
            (at(time(1, 20)), Some(at(time(2, 30))), 1, None),
            (at(time(2, 30)), Some(at(time(4, 30))), 1, group.clone()),
            (at(time(4, 30)), None, 0, group),
        ]
    );
}

#[tokio::test]
async fn a_tenant_that_becomes_malformed_pays_on_as_it_was_and_until_it_is_deleted() {
    let mut story = Story::begin().await;
    let mut lists = Lists::usual();
    story.see("c", 0, &lists).await;
    lists.tenants.clear();
    lists.unreadable.insert("t1".into(), "spec.costCenter is missing".to_owned());
    story.see("c", time(1, 10), &lists).await;
    story = story.restart().await;
    story.see("c", time(2, 10), &lists).await;
    lists.unreadable.clear();
    story.see("c", time(4, 10), &lists).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "5"), (NOBODY, NOBODY, "1")]));
}

#[tokio::test]
async fn tenants_that_only_their_namespaces_name_are_billed_on_the_cost_centre_their_labels_say() {
    let mut story = Story::begin().await;
    story.rules = TenancyRules {
        namespace_rules: vec![NamespaceRule::by(NamedBy::Label("team".to_owned()))],
        ..TenancyRules::default()
    };
    story.rules.cost_centers.by_tenant = [("a".into(), "CC-1".into())].into();
    let mut lists = Lists::usual();
    lists.tenants.clear();
    story.see("c", 0, &lists).await;
    lists.namespaces.insert("n1", ("shop", "b"));
    story.see("c", time(2, 30), &lists).await;
    assert_eq!(story.bill().await, rows(&[("a", "CC-1", "2"), ("b", NOBODY, "4")]));
}
