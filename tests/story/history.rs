//! Six hours of history with known truth, as the exporters of a real platform would have left it.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::harness::{Prometheus, Series};

const GIB: f64 = 1_073_741_824.0;
const HOURS: i64 = 6;

/// The six hours: the last ones that have settled when the test begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The first second of the first hour.
    pub(super) start: i64,
    /// The configured delay, so that no further hour settles for a quarter of an hour.
    pub(super) settle_minutes: i64,
    /// The billing zone in which all six hours lie in one month.
    pub(super) zone: &'static str,
}

impl Window {
    pub(super) fn before_now() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the daemon under test has the machine's clock")]
        let now = Utc::now();
        let minute = now.timestamp() / 60 % 60;
        // At this minute of the hour the next hour settles: as far from now as can be chosen.
        let settle_minutes = if minute < 30 { 45 } else { 15 };
        let settled = now.timestamp() - settle_minutes * 60;
        let start = settled - settled.rem_euclid(3600) - HOURS * 3600;
        let month = |second: i64, west: i64| {
            let at = DateTime::from_timestamp(second - west * 3600, 0).expect("a time");
            (at.year(), at.month())
        };
        let end = start + HOURS * 3600;
        // Around the turn of a UTC month it is still the last day of the month twelve hours to the west.
        let zone = if month(start, 0) == month(end, 0) { "UTC" } else { "Etc/GMT+12" };
        Self { start, settle_minutes, zone }
    }

    pub(super) const fn end(&self) -> i64 {
        self.start + HOURS * 3600
    }

    /// Whether no further hour has settled since.
    pub(super) fn stands(&self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "the daemon under test has the machine's clock")]
        let now = Utc::now();
        now.timestamp() - self.settle_minutes * 60 < self.end() + 3600
    }

    fn local_start(&self) -> DateTime<Utc> {
        let west = if self.zone == "UTC" { 0 } else { 12 };
        DateTime::from_timestamp(self.start, 0).expect("a time") - TimeDelta::hours(west)
    }

    /// The billing period they lie in.
    pub(super) fn period(&self) -> String {
        self.local_start().format("%Y-%m").to_string()
    }

    pub(super) fn days_in_period(&self) -> i64 {
        let local = self.local_start();
        let first = |year, month| NaiveDate::from_ymd_opt(year, month, 1).expect("a date");
        let (year, month) = (local.year(), local.month());
        let next = if month == 12 { first(year + 1, 1) } else { first(year, month + 1) };
        (next - first(year, month)).num_days()
    }

    /// When the k-th scrape was: half a minute before the first hour began is the first.
    const fn scrape(&self, k: i64) -> i64 {
        self.start - 30 + 60 * k
    }

    /// The scrapes that happened: those of the second hour between 20:30 and 35:30 did not.
    fn scrapes(from: i64, until: i64) -> impl Iterator<Item = i64> {
        (from..=until).filter(|k| !(81..=96).contains(k))
    }
}

/// The hour that the growth up to the k-th scrape belongs to, counted from one.
const fn hour_of(k: i64) -> i64 {
    (k - 1).div_euclid(60) + 1
}

const LAST: i64 = HOURS * 60;

/// A gauge that stands at `value` in every scrape.
fn gauge(window: &Window, name: &str, labels: &[(&str, &str)], value: f64) -> Series {
    gauge_between(window, name, labels, value, 0, LAST)
}

fn gauge_between(
    window: &Window,
    name: &str,
    labels: &[(&str, &str)],
    value: f64,
    from: i64,
    until: i64,
) -> Series {
    Window::scrapes(from, until)
        .fold(Series::new(name, labels), |series, k| series.at(window.scrape(k), value))
}

/// A counter that has grown by `growth(k)` at the k-th scrape since the one before, from zero again at `reset`.
fn counter(
    window: &Window,
    name: &str,
    labels: &[(&str, &str)],
    reset: Option<i64>,
    growth: impl Fn(i64) -> f64,
) -> Series {
    // It has run for long: where it stands at first says nothing.
    let mut value = 123_456.0;
    let mut series = Series::new(name, labels);
    for k in 0..=LAST {
        if reset == Some(k) {
            value = 0.0;
        }
        if k > 0 {
            value += growth(k);
        }
        if Window::scrapes(k, k).next().is_some() {
            series = series.at(window.scrape(k), value);
        }
    }
    series
}

/// A container that ran all the time.
struct Container {
    namespace: &'static str,
    pod: &'static str,
    node: &'static str,
    cpu_request: f64,
    memory_request: f64,
    memory_use: f64,
    /// Core-seconds since the scrape before.
    growth: fn(i64) -> f64,
    reset: Option<i64>,
}

const CONTAINERS: &[Container] = &[
    Container {
        namespace: "vcluster-devteam-a",
        pod: "api",
        node: "shared-1",
        cpu_request: 2.0,
        memory_request: 4.0,
        memory_use: 3.0,
        growth: |k| match (hour_of(k), k) {
            (1, ..=30) => 150.0,
            (1, _) => 60.0,
            (2, _) => 108.0,
            (3, _) => 135.0,
            (6, 301) => 740.0,
            (6, _) => 140.0,
            _ => 105.0,
        },
        reset: Some(151),
    },
    Container {
        namespace: "vcluster-devteam-b",
        pod: "web",
        node: "shared-2",
        cpu_request: 1.0,
        memory_request: 2.0,
        memory_use: 6.0,
        growth: |_| 12.0,
        reset: None,
    },
    Container {
        namespace: "kube-system",
        pod: "dns",
        node: "shared-2",
        cpu_request: 0.5,
        memory_request: 2.0,
        memory_use: 2.0,
        growth: |_| 30.0,
        reset: None,
    },
    Container {
        namespace: "vcluster-devteam-a",
        pod: "batch",
        node: "dedicated-1",
        cpu_request: 3.0,
        memory_request: 8.0,
        memory_use: 1.0,
        growth: |_| 30.0,
        reset: None,
    },
];

/// Nodes: pool, cores, GiB, the tenant they are dedicated to.
pub(super) const NODES: &[(&str, &str, u32, u32, Option<&str>)] = &[
    ("shared-1", "default", 4, 16, None),
    ("shared-2", "default", 4, 16, None),
    ("dedicated-1", "dedicated", 8, 32, Some("devteam-a")),
];

/// Writes it all, under the uids that Kubernetes gave the pods.
pub(super) async fn write(prometheus: &Prometheus, window: &Window, uids: &BTreeMap<String, String>) {
    let mut all = Vec::new();
    for container in CONTAINERS {
        cadvisor(&mut all, window, container, "kubelet-1");
        state_of_pod(&mut all, window, container, uids, "ksm-1");
    }
    for (node, pool, cores, gib, tenant) in NODES {
        state_of_node(&mut all, window, node, pool, f64::from(*cores), f64::from(*gib), *tenant);
    }
    quiet(&mut all, window);
    ten_minutes(&mut all, window);
    doubled(&mut all, window, uids);
    prometheus.writer().write(&all).await;
}

/// What every cluster has: a Service, and interfaces that here send nothing.
fn quiet(all: &mut Vec<Series>, window: &Window) {
    let service = [
        ("job", "kube-state-metrics"),
        ("instance", "ksm-1"),
        ("namespace", "default"),
        ("service", "kubernetes"),
        ("type", "ClusterIP"),
    ];
    all.push(gauge(window, "kube_service_spec_type", &service, 1.0));
    let interface = [
        ("job", "kubelet"),
        ("endpoint", "kubelet-1"),
        ("instance", "shared-2"),
        ("node", "shared-2"),
        ("namespace", "kube-system"),
        ("pod", "dns"),
        ("interface", "eth0"),
    ];
    all.push(gauge(window, "container_network_transmit_bytes_total", &interface, 0.0));
}

fn cadvisor(all: &mut Vec<Series>, window: &Window, one: &Container, scraper: &str) {
    let labels = [
        ("job", "kubelet"),
        ("endpoint", scraper),
        ("instance", one.node),
        ("node", one.node),
        ("namespace", one.namespace),
        ("pod", one.pod),
        ("container", "main"),
        ("image", "registry.example/main:1"),
    ];
    all.push(counter(window, "container_cpu_usage_seconds_total", &labels, one.reset, one.growth));
    all.push(gauge(window, "container_memory_working_set_bytes", &labels, one.memory_use * GIB));
    let started = f64::from(u32::try_from(window.start - 86_400).expect("this century"));
    all.push(gauge(window, "container_start_time_seconds", &labels, started));
}

fn state_of_pod(
    all: &mut Vec<Series>,
    window: &Window,
    one: &Container,
    uids: &BTreeMap<String, String>,
    scraper: &str,
) {
    let uid = uids.get(one.pod).expect("the pod is in the cluster").as_str();
    let pod = [
        ("job", "kube-state-metrics"),
        ("instance", scraper),
        ("namespace", one.namespace),
        ("pod", one.pod),
        ("uid", uid),
    ];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> { [&pod, more].concat() };
    all.push(gauge(window, "kube_pod_info", &with(&[("node", one.node), ("host_network", "false")]), 1.0));
    for (phase, value) in [("Running", 1.0), ("Pending", 0.0), ("Succeeded", 0.0), ("Failed", 0.0)] {
        all.push(gauge(window, "kube_pod_status_phase", &with(&[("phase", phase)]), value));
    }
    let requests = "kube_pod_container_resource_requests";
    let container = [("container", "main"), ("node", one.node)];
    let cpu = [&container[..], &[("resource", "cpu"), ("unit", "core")]].concat();
    let memory = [&container[..], &[("resource", "memory"), ("unit", "byte")]].concat();
    all.push(gauge(window, requests, &with(&cpu), one.cpu_request));
    all.push(gauge(window, requests, &with(&memory), one.memory_request * GIB));
}

fn state_of_node(
    all: &mut Vec<Series>,
    window: &Window,
    node: &str,
    pool: &str,
    cores: f64,
    gib: f64,
    tenant: Option<&str>,
) {
    let base = [("job", "kube-state-metrics"), ("instance", "ksm-1"), ("node", node)];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> { [&base, more].concat() };
    all.push(gauge(window, "kube_node_info", &base, 1.0));
    all.push(gauge(
        window,
        "kube_node_status_capacity",
        &with(&[("resource", "cpu"), ("unit", "core")]),
        cores,
    ));
    let memory = with(&[("resource", "memory"), ("unit", "byte")]);
    all.push(gauge(window, "kube_node_status_capacity", &memory, gib * GIB));
    let mut labels = base.to_vec();
    labels.push(("label_nodepool", pool));
    labels.extend(tenant.map(|tenant| ("label_tenant", tenant)));
    all.push(gauge(window, "kube_node_labels", &labels, 1.0));
}

/// Scraped ten times in the fourth hour, first at 10:30. It began at 10:00 with nothing used.
fn ten_minutes(all: &mut Vec<Series>, window: &Window) {
    let (first, last) = (191, 200);
    let gone = window.scrape(last + 1);
    let namespace = "vcluster-devteam-b";
    let used = [
        ("job", "kubelet"),
        ("endpoint", "kubelet-1"),
        ("instance", "shared-1"),
        ("node", "shared-1"),
        ("namespace", namespace),
        ("pod", "job"),
        ("container", "main"),
        ("image", "registry.example/job:1"),
    ];
    let cpu = (first..=last).fold(Series::new("container_cpu_usage_seconds_total", &used), |series, k| {
        series.at(window.scrape(k), f64::from(u8::try_from(k - first + 1).expect("ten")) * 90.0)
    });
    let started = f64::from(u32::try_from(window.scrape(first) - 30).expect("this century"));
    let state = [
        ("job", "kube-state-metrics"),
        ("instance", "ksm-1"),
        ("namespace", namespace),
        ("pod", "job"),
        ("uid", "0b0b0b0b-0000-4000-8000-000000000001"),
    ];
    let state_with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> { [&state, more].concat() };
    all.push(cpu.gone(gone));
    let mut add = |name: &str, labels: &[(&str, &str)], value: f64| {
        all.push(gauge_between(window, name, labels, value, first, last).gone(gone));
    };
    add("container_memory_working_set_bytes", &used, 0.6 * GIB);
    add("container_start_time_seconds", &used, started);
    add("kube_pod_info", &state_with(&[("node", "shared-1"), ("host_network", "false")]), 1.0);
    add("kube_pod_status_phase", &state_with(&[("phase", "Running")]), 1.0);
    let container = state_with(&[("container", "main"), ("node", "shared-1")]);
    let requests = "kube_pod_container_resource_requests";
    add(requests, &[&container[..], &[("resource", "cpu"), ("unit", "core")]].concat(), 0.5);
    add(requests, &[&container[..], &[("resource", "memory"), ("unit", "byte")]].concat(), 0.5 * GIB);
}

/// The fifth hour once more, as other scrapers saw it, missing a few scrapes at the start.
fn doubled(all: &mut Vec<Series>, window: &Window, uids: &BTreeMap<String, String>) {
    let mut again = Vec::new();
    for container in CONTAINERS {
        cadvisor(&mut again, window, container, "kubelet-2");
        state_of_pod(&mut again, window, container, uids, "ksm-2");
    }
    let (from, until) = (window.scrape(245), window.scrape(300));
    all.extend(again.into_iter().map(|series| series.between(from, until).gone(until + 60)));
}
