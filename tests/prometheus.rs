//! Usage from a real Prometheus 2, a real Prometheus 3 and a real VictoriaMetrics.
//!
//! History with known truth is written into both; what is measured must be what was true, and the same
//! from both to the last digit.

use std::collections::BTreeMap;

use defray::collect::prometheus::{Collector, Dialect, Measured, NodeDirectory, NoteKind, Settings};
use defray_pricing::names::{ClusterName, PriceClass};
use defray_pricing::time::Hour;
use defray_pricing::usage::{Source, UsageHour};

use crate::harness::{Prometheus, Series, VictoriaMetrics};

mod clusters;
mod foreign;
mod hostile;
mod objects;

/// 2026-09-10T00:00:00Z.
const FIRST: Hour = Hour::from_index(496_944);
const MINUTE: i64 = 60;

/// Unix seconds, so many minutes after the first hour began.
fn at(minutes: i64) -> i64 {
    FIRST.start().timestamp() + minutes * MINUTE
}

fn float(value: i64) -> f64 {
    f64::from(i32::try_from(value).expect("small"))
}

/// A pod with one container on `node-a`, and how long kube-state-metrics saw it run.
#[derive(Clone, Copy)]
struct Pod {
    namespace: &'static str,
    from: i64,
    until: i64,
}

impl Pod {
    fn labels<'a>(self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut all = vec![("namespace", self.namespace), ("pod", "web"), ("uid", "u-1")];
        all.extend_from_slice(more);
        all
    }

    /// Its life as one kube-state-metrics saw it, every 30 seconds and then no more.
    fn state(self, exporter: &str, millicores: i64, bytes: i64) -> Vec<Series> {
        let scrape = [("job", "kube-state-metrics"), ("instance", exporter)];
        let constant = |name: &str, labels: &[(&str, &str)], value: f64| {
            let mut all = self.labels(&scrape);
            all.extend_from_slice(labels);
            Series::new(name, &all)
                .every(30, at(self.from), at(self.until) - 30, |_| value)
                .gone(at(self.until))
        };
        let mut series: Vec<Series> = ["Pending", "Running", "Succeeded", "Failed", "Unknown"]
            .iter()
            .map(|phase| {
                let value = if *phase == "Running" { 1.0 } else { 0.0 };
                constant("kube_pod_status_phase", &[("phase", phase)], value)
            })
            .collect();
        series.push(constant("kube_pod_info", &[("node", "node-a"), ("host_network", "false")], 1.0));
        for (resource, unit, value) in
            [("cpu", "core", float(millicores) / 1000.0), ("memory", "byte", float(bytes))]
        {
            let labels = [("container", "web"), ("node", "node-a"), ("resource", resource), ("unit", unit)];
            series.push(constant("kube_pod_container_resource_requests", &labels, value));
        }
        series
    }
}

/// Labels of a cAdvisor series.
fn container<'a>(namespace: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("namespace", namespace), ("pod", "web"), ("container", "web"), ("node", "node-a")];
    all.extend_from_slice(more);
    all
}

fn cpu(namespace: &str, more: &[(&str, &str)]) -> Series {
    let mut labels = container(namespace, &[("cpu", "total")]);
    labels.extend_from_slice(more);
    Series::new("container_cpu_usage_seconds_total", &labels)
}

fn node() -> NodeDirectory {
    let class = PriceClass { pool: "shared".into(), instance_type: "m5".into(), capacity_type: "".into() };
    NodeDirectory { classes: BTreeMap::from([("node-a".to_owned(), class)]) }
}

fn collector(url: &str, dialect: Dialect) -> Collector {
    Collector::new(Settings { url: url.to_owned(), dialect, ..Settings::default() }).expect("settings")
}

async fn hours(collector: &Collector, count: i64) -> Vec<Measured> {
    let mut hours = Vec::new();
    for index in 0..count {
        let hour = Hour::from_index(FIRST.index() + index);
        let measured = collector.measure(&ClusterName::from("c1"), hour, &node(), None).await;
        hours.push(measured.unwrap_or_else(|error| panic!("{hour}: {error}")));
    }
    hours
}

/// What every cluster has where pods run, for histories that are about something else: of no account.
fn background(history: &[Series]) -> Vec<Series> {
    let has = |name: &str| history.iter().any(|series| format!("{series:?}").contains(name));
    if !has("kube_pod_status_phase") {
        return Vec::new();
    }
    let of_node = [("node", "node-a"), ("resource", "cpu"), ("job", "kube-state-metrics")];
    let request = container("quiet", &[("resource", "cpu")]);
    let sent = [("namespace", "quiet"), ("pod", "web"), ("node", "node-a"), ("interface", "eth0")];
    let service = [("namespace", "default"), ("service", "kubernetes"), ("type", "ClusterIP")];
    let all = [
        ("kube_pod_container_resource_requests", request, 0.0),
        ("container_network_transmit_bytes_total", sent.to_vec(), 0.0),
        ("kube_service_spec_type", service.to_vec(), 1.0),
        ("kube_node_info", of_node[..1].to_vec(), 1.0),
        ("kube_node_status_capacity", of_node.to_vec(), 4.0),
        ("container_cpu_usage_seconds_total", container("quiet", &[("cpu", "total")]), 0.0),
        ("container_memory_working_set_bytes", container("quiet", &[]), 0.0),
    ];
    let missing = all.into_iter().filter(|(name, ..)| !has(name));
    missing.map(|(name, labels, v)| Series::new(name, &labels).every(30, at(-10), at(70), |_| v)).collect()
}

/// Writes history into every kind of store and measures so many hours of it from each: they must agree.
async fn measured(history: &[Series], count: i64) -> Vec<Measured> {
    let (prometheus, three, victoria) =
        tokio::join!(Prometheus::start(), Prometheus::three(), VictoriaMetrics::start());
    let history = [history, &background(history)].concat();
    prometheus.writer().write(&history).await;
    three.writer().write(&history).await;
    victoria.writer().write(&history).await;
    let from_prometheus = hours(&collector(prometheus.url(), Dialect::Prometheus), count).await;
    let from_three = hours(&collector(three.url(), Dialect::Prometheus), count).await;
    let from_victoria = hours(&collector(victoria.url(), Dialect::VictoriaMetrics), count).await;
    for (one, other) in from_prometheus.iter().zip(&from_three) {
        assert_eq!(one, other, "Prometheus 2 (left) and Prometheus 3 (right) disagree");
    }
    for (one, other) in from_prometheus.iter().zip(&from_victoria) {
        assert_eq!(one, other, "Prometheus (left) and VictoriaMetrics (right) disagree");
    }
    let again = hours(&collector(prometheus.url(), Dialect::Prometheus), count).await;
    assert_eq!(from_prometheus, again, "measuring again gives the same hours");
    from_prometheus
}

/// CPU used by a namespace in an hour, in 1e-6 core-hours.
fn cpu_micros(hour: &UsageHour, namespace: &str) -> i64 {
    let rows = hour.compute.iter().filter(|row| row.namespace.as_str() == namespace);
    rows.map(|row| row.cpu_usage.micros()).sum()
}

/// Core-seconds as 1e-6 core-hours.
fn micros(seconds: i64) -> i64 {
    seconds * 1_000_000 / 3600
}

/// Half a core all the time, scraped every 30 seconds: 1800 core-seconds an hour.
fn half_a_core(second: i64) -> f64 {
    float(second - at(-60)) / 2.0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hours_of_a_counter_add_up_to_what_it_counted() {
    // Each namespace is one case; all exist for three hours, begin an hour earlier and end later.
    let steady = cpu("steady", &[]).every(30, at(-60), at(200), half_a_core);
    // No samples from 0:40 to 1:15: what grew meanwhile belongs to the hour of the sample after.
    let gap = cpu("gap", &[]).every(30, at(-60), at(40), half_a_core).every(30, at(75), at(200), half_a_core);
    // Restarted at 0:30 and again at 1:00 sharp: 1800 s, then 30 min at half a core = 900 s, then on.
    let resets = cpu("resets", &[])
        .every(30, at(-60), at(30) - 30, half_a_core)
        .every(30, at(30), at(60) - 30, |second| float(second - at(30)) / 2.0)
        .every(30, at(60), at(200), |second| float(second - at(60)) / 2.0);
    // Ten minutes over the edge of two hours, from 0:55 to 1:05, four cores; the start is known.
    let short = cpu("short", &[("id", "/short")])
        .every(30, at(55) + 15, at(65) - 15, |second| float(second - at(55)) * 4.0)
        .gone(at(65));
    let short_start = Series::new("container_start_time_seconds", &container("short", &[("id", "/short")]))
        .every(30, at(55) + 15, at(65) - 15, |_| float(at(55)))
        .gone(at(65));
    // First seen at 0:20 with 500 s on its counter, and nobody knows since when: the baseline.
    let late = cpu("late", &[]).every(30, at(20), at(200), |second| 500.0 + float(second - at(20)) / 2.0);
    // Seen at 0:10 and not again before 1:30: more than an hour, which is reported, not billed.
    let lost =
        cpu("lost", &[]).every(30, at(-60), at(10), half_a_core).every(30, at(90), at(200), half_a_core);
    let history = [steady, gap, resets, short, short_start, late, lost];
    let hours = measured(&history, 3).await;
    let by_hour = |namespace: &str| -> Vec<i64> {
        hours.iter().map(|hour| cpu_micros(&hour.usage, namespace)).collect()
    };
    // The last sample of an hour is at :59:30 and the one carried in at :59:30 before it.
    assert_eq!(by_hour("steady"), [micros(1800), micros(1800), micros(1800)]);
    // 0:00-0:40 from the sample at 23:59:30 is 2430 s; 0:40-1:59:30 is 4770 s; half of that used.
    assert_eq!(by_hour("gap"), [337_500, 662_500, 500_000]);
    // -0:30 to 29:30 is 900 s; the reset counts from zero and stands at 885 at 59:30; then 1785, then 1800.
    assert_eq!(by_hour("resets"), [micros(900) + 245_833, 495_833, 500_000]);
    // At 0:59:45 the counter stands at 285 s x 4 = 1140, at 1:04:45 at 585 s x 4 = 2340.
    assert_eq!(by_hour("short"), [316_667, 650_000 - 316_667, 0]);
    // From 500 s (138889 millionths, rounded) to 1685 s (468056); then whole hours.
    assert_eq!(by_hour("late"), [468_056 - 138_889, 500_000, 500_000]);
    // -0:30 to 10:00 is 630 s; the gap of 80 minutes = 2400 s is told; 1:30:00-1:59:30 is 1770 s.
    assert_eq!(by_hour("lost"), [87_500, 245_833, 500_000]);
    let told: Vec<Vec<_>> = hours
        .iter()
        .map(|hour| hour.notes.iter().map(|n| (n.kind, n.subject.as_str(), n.quantity.micros())).collect())
        .collect();
    let unseen = (NoteKind::UnseenCpu, "late", 138_889);
    let unmeasured = (NoteKind::UnmeasuredCpu, "lost", 666_667);
    assert_eq!(told, [vec![unseen], vec![unmeasured], vec![]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_rolled_out_within_the_hour_loses_nothing() {
    let mut history = Vec::new();
    let mut state = |exporter: &str, from: i64, until: i64| {
        let exporter = [("job", "kube-state-metrics"), ("instance", exporter), ("node", "node-a")];
        history.push(Series::new("kube_node_info", &exporter).every(30, at(from), at(until) - 30, |_| 1.0));
        history.extend(Pod { namespace: "team", from, until }.state(exporter[1].1, 500, 1 << 30));
    };
    state("10.0.0.1:8080", -10, 30);
    state("10.0.0.2:8080", 30, 70);
    for (instance, from, until) in [("10.0.0.1:10250", -10, 30), ("10.0.0.3:10250", 30, 70)] {
        let of = [("instance", instance)];
        history.push(cpu("team", &of).every(30, at(from), at(until) - 30, half_a_core));
    }
    let hours = measured(&history, 1).await;
    let usage = &hours[0].usage;
    assert_eq!(usage.nodes[0].node_hours.micros(), 1_000_000);
    let row = &usage.compute[0];
    assert_eq!((row.cpu_request.micros(), row.memory_request.micros()), (500_000, 1_000_000));
    assert_eq!(row.cpu_usage.micros(), 500_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_scraped_twice_counts_once() {
    let pod = Pod { namespace: "twice", from: -10, until: 70 };
    let mut history = pod.state("10.0.0.1:8080", 500, 1 << 30);
    history.extend(pod.state("10.0.0.2:8080", 500, 1 << 30));
    let memory = |more: &[(&str, &str)]| {
        Series::new("container_memory_working_set_bytes", &container("twice", more)).every(
            30,
            at(-10),
            at(70),
            |_| float(1 << 29),
        )
    };
    for path in ["/metrics/cadvisor", "/metrics/other"] {
        history.push(cpu("twice", &[("metrics_path", path)]).every(30, at(-10), at(70), half_a_core));
        history.push(memory(&[("metrics_path", path)]));
    }
    // A third job that missed most scrapes, and counts from elsewhere.
    history
        .push(cpu("twice", &[("job", "a")]).every(300, at(-10), at(70), |second| 7.0 + half_a_core(second)));
    // Sums over cgroups and the pause container are never usage.
    let mut pod_cgroup = container("twice", &[("cpu", "total"), ("id", "/pod")]);
    pod_cgroup[2].1 = "";
    history.push(Series::new("container_cpu_usage_seconds_total", &pod_cgroup).every(
        30,
        at(-10),
        at(70),
        half_a_core,
    ));
    pod_cgroup[2].1 = "POD";
    history.push(Series::new("container_cpu_usage_seconds_total", &pod_cgroup).every(
        30,
        at(-10),
        at(70),
        half_a_core,
    ));
    let hours = measured(&history, 1).await;
    let rows = &hours[0].usage.compute;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.cpu_request.micros(), row.cpu_usage.micros()), (500_000, 500_000));
    assert_eq!((row.memory_request.micros(), row.memory_usage.micros()), (1_000_000, 500_000));
    assert_eq!(row.class.pool.as_str(), "shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pods_that_run_count_and_only_while_they_do() {
    let mut history = Vec::new();
    // Runs from 0:00 to 0:45, so that 45 of 60 marks count; asks for two cores.
    let ends = Pod { namespace: "ends", from: 0, until: 45 };
    history.extend(ends.state("ksm", 2000, 1 << 30));
    let memory = container("ends", &[]);
    // cAdvisor's samples have times of their own, so nobody marks their end: they are seen until 0:49.
    history.push(Series::new("container_memory_working_set_bytes", &memory).every(
        30,
        at(0),
        at(45) - 30,
        |_| float(1 << 30),
    ));
    history.push(cpu("ends", &[]).every(30, at(0), at(45) - 30, |_| 0.0));
    let sent = [("namespace", "ends"), ("pod", "web"), ("node", "node-a"), ("interface", "eth0")];
    let sent = Series::new("container_network_transmit_bytes_total", &sent);
    history.push(sent.every(30, at(0), at(45) - 30, |_| 0.0));
    // Waits all hour for a node: it asks, and gets nothing.
    let waits = Pod { namespace: "waits", from: 0, until: 60 };
    for series in waits.state("ksm", 2000, 1 << 30) {
        let text = format!("{series:?}");
        if !text.contains("kube_pod_status_phase") {
            history.push(series);
        }
    }
    let phase = |phase: &'static str, value: f64| {
        let labels = waits.labels(&[("phase", phase), ("job", "kube-state-metrics"), ("instance", "ksm")]);
        Series::new("kube_pod_status_phase", &labels).every(30, at(0), at(60), move |_| value)
    };
    history.push(phase("Pending", 1.0));
    history.push(phase("Running", 0.0));
    let hours = measured(&history, 1).await;
    let usage = &hours[0].usage;
    assert_eq!(usage.compute.len(), 1, "{:?}", usage.compute);
    let row = &usage.compute[0];
    assert_eq!(row.namespace.as_str(), "ends");
    assert_eq!((row.cpu_request.micros(), row.memory_request.micros()), (1_500_000, 750_000));
    assert_eq!((row.cpu_max.micros(), row.memory_usage.micros()), (1_500_000, 750_000));
    assert_eq!(usage.coverage[&Source::KubeStateMetrics].get(), 60);
    assert_eq!(usage.coverage[&Source::Cadvisor].get(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_larger_of_request_and_usage_is_taken_per_container() {
    let mut history = Vec::new();
    for (namespace, millicores) in [("over", 100), ("under", 900)] {
        let pod = Pod { namespace, from: -10, until: 70 };
        history.extend(pod.state("ksm", millicores, 1 << 30));
        history.push(cpu(namespace, &[]).every(30, at(-10), at(70), half_a_core));
    }
    let hours = measured(&history, 1).await;
    let max: Vec<_> = hours[0].usage.compute.iter().map(|row| row.cpu_max.micros()).collect();
    assert_eq!(max, [500_000, 900_000], "used 0.5 of 0.1 requested, and 0.5 of 0.9");
}

/// What each backend must agree on for marks: the last sample of the five minutes before, none if the
/// scraper said that the series is gone, none from a longer gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_has_the_last_sample_of_five_minutes_unless_the_series_is_gone() {
    let info = |node| Series::new("kube_node_info", &[("node", node), ("job", "ksm")]);
    let history = [
        // Nothing from 0:20 to 0:40, and nobody said why: marks 0:21 to 0:24 still look back to 0:20.
        info("node-a").every(30, at(0), at(20), |_| 1.0).every(30, at(40), at(60), |_| 1.0),
        // Gone at 0:30:15.
        info("node-b").every(30, at(0), at(30), |_| 1.0).gone(at(30) + 15),
        // Scraped every two minutes: no mark is missing.
        info("node-c").every(120, at(-2), at(70), |_| 1.0),
    ];
    let hours = measured(&history, 1).await;
    let rows: Vec<_> = hours[0].usage.nodes.iter().map(|row| row.node_hours.micros()).collect();
    let minutes = |minutes: i64| (minutes * 1_000_000 + 30) / 60;
    assert_eq!(rows, [minutes(31) + minutes(60), minutes(45)], "nodes without a pool, then node-a");
    assert_eq!(hours[0].usage.coverage[&Source::KubeStateMetrics].get(), 60);
    assert_eq!(hours[0].usage.coverage[&Source::Cadvisor].get(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_is_missing_and_the_way_to_get_it() {
    let (prometheus, victoria) = tokio::join!(Prometheus::start(), VictoriaMetrics::start());
    let now = defray::clock::Clock::wall().now();
    let second = now.timestamp();
    let recent = |name: &str| Series::new(name, &[("job", "x")]).every(30, second - 600, second, |_| 1.0);
    let nodes = [("node", "a"), ("label_nodepool", "shared")];
    let nodes = Series::new("kube_node_labels", &nodes).every(30, second - 600, second, |_| 1.0);
    let bare = ["kube_pod_labels", "kube_namespace_labels", "kube_node_info"].map(recent);
    prometheus.writer().write(&[&bare[..], &[nodes]].concat()).await;
    let findings = collector(prometheus.url(), Dialect::Prometheus).check(now, false).await;
    let about = |what: &str| {
        let found = findings.iter().find(|finding| finding.subject.ends_with(what));
        found.unwrap_or_else(|| panic!("nothing about {what} in {findings:#?}"))
    };
    for what in ["server", "clock", "dialect", "retention", "kube_node_info", "kube_node_labels"] {
        assert!(about(what).ok, "{:?}", about(what));
    }
    for what in [
        "container_cpu_usage_seconds_total",
        "kube_pod_status_phase",
        "kube_namespace_labels",
        "labels of vClusters",
    ] {
        assert!(!about(what).ok, "{:?}", about(what));
    }
    let mend = |what| about(what).mend.clone().unwrap_or_default();
    assert!(
        mend("kube_namespace_labels")
            .contains("--metric-labels-allowlist=namespaces=[platform.financecore.local/tenant]")
    );
    assert!(about("kube_pod_init_container_resource_requests").message.contains("not billed without it"));
    assert!(mend("container_cpu_usage_seconds_total").contains("/metrics/cadvisor"));
    assert!(mend("kube_pod_status_phase").contains("--metric-allowlist"));
    assert!(mend("labels of vClusters").contains(
        "--metric-labels-allowlist=pods=[vcluster.loft.sh/managed-by,vcluster.loft.sh/namespace,app,release]"
    ));
    let findings = collector(victoria.url(), Dialect::Prometheus).check(now, false).await;
    let dialect = findings.iter().find(|finding| finding.subject.ends_with("dialect")).expect("a finding");
    assert_eq!(dialect.mend.as_deref(), Some("set the dialect to victoria-metrics"));
    let late = now + chrono::TimeDelta::minutes(10);
    let findings = collector(prometheus.url(), Dialect::Prometheus).check(late, false).await;
    assert!(findings.iter().any(|f| !f.ok && f.subject.ends_with("clock")));
    let wrong = format!("{}/nowhere", prometheus.url());
    let findings = collector(&wrong, Dialect::Prometheus).check(now, false).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].mend.as_deref().is_some_and(|mend| mend.contains("no Prometheus query API")));
}

/// What it says that it keeps, and from when on it has anything: so lost hours are told from missing ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_tells_how_far_back_it_reaches() {
    let (two, three, victoria) =
        tokio::join!(Prometheus::start(), Prometheus::three(), VictoriaMetrics::start());
    let node = Series::new("kube_node_info", &[("job", "kube-state-metrics"), ("node", "a")]);
    let history = [node.every(30, at(7), at(180), |_| 1.0)];
    two.writer().write(&history).await;
    three.writer().write(&history).await;
    victoria.writer().write(&history).await;
    let long_before = Hour::from_index(FIRST.index() - 24 * 30);
    for (url, dialect, keeps) in [
        (two.url(), Dialect::Prometheus, Some(3 * 365)),
        (three.url(), Dialect::Prometheus, Some(3 * 365)),
        (victoria.url(), Dialect::VictoriaMetrics, None),
    ] {
        let collector = collector(url, dialect);
        assert_eq!(collector.keeps().await.map(|keeps| keeps.num_days()), keeps, "{url}");
        let first = collector.first_sample(long_before).await.expect("an answer");
        let first = first.map(|first| (first.timestamp() - at(0)).div_euclid(MINUTE));
        assert_eq!(
            first,
            Some(10),
            "{url}: the mark that the sample seven minutes after the hour began stands at"
        );
        let empty = collector.first_sample(Hour::from_index(FIRST.index() + 24 * 30)).await;
        assert_eq!(empty.expect("an answer"), None, "{url}");
    }
}
