//! A pod that is gone before its hour is measured keeps its virtual namespace, by the daemon's own path.

use std::path::Path;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use defray::app::{App, Setup, check, connect};
use defray::clock::Clock;
use defray::collect::kubernetes::{KubernetesError, PodSource, Settings};
use defray::config::{Config, Environment};
use defray::jobs::{Known, Shared};
use defray::telemetry::{ClusterLabel, JobOutcome};
use defray_ledger::{Ledger, PodFact, RecordedHour, Scope};
use defray_pricing::names::{ClusterName, Uid, VirtualNamespace};
use defray_pricing::ownership::Span;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;
use futures::StreamExt;

use super::{collector, kube_system, settings};
use crate::harness::{ApiServer, Prometheus, Series, Who, eventually, folder};

const BOOK: &str = "version: \"1\"\ncurrency: EUR\neffective_from: 2020-01-01\nidle: even\npools: [{pool: \"*\", model: \
                    rate, cpu_core_hour: \"0.03\", memory_gib_hour: \"0.004\"}]\n";

/// Two hours ago: the metrics store's own clock says that it has settled.
fn an_hour() -> Hour {
    #[expect(clippy::disallowed_methods, reason = "the metrics store has the machine's clock")]
    let now = Utc::now();
    Hour::containing(now - TimeDelta::hours(2))
}

fn configuration(home: &Path, hour: Hour, api: &ApiServer, prometheus: &str, more: &str) -> Config {
    std::fs::create_dir(home.join("ledger")).unwrap();
    std::fs::write(home.join("book.yaml"), BOOK).unwrap();
    let text = format!(
        "price_book: [book.yaml]\nledger: {{location: ledger}}\nhttp: {{listen: '127.0.0.1:0'}}\n\
         history: {{since: '{since}'}}\nclusters:\n- name: c\n  prometheus: {{url: '{url}'}}\n  \
         kubernetes: {{kubeconfig: '{kubeconfig}', list_pods: true, tenants: {{enabled: false}}{more}}}\n",
        since = hour.start().format("%Y-%m-%dT%H:%M:%SZ"),
        url = prometheus,
        kubeconfig = api.kubeconfig(Who::Admin).display(),
    );
    std::fs::write(home.join("defray.yaml"), text).unwrap();
    Config::load(&home.join("defray.yaml"), &Environment::empty())
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Runs the daemon as configured, so many minutes after the hour began, for as long as the story takes.
async fn daemon(config: &Config, hour: Hour, minutes: i64, story: impl AsyncFnOnce(Shared)) {
    let clock = Clock::fixed(hour.start() + TimeDelta::minutes(minutes));
    let setup = Setup { clock, ..Setup::of(config.clone()).unwrap() };
    let app = App::build(setup).await.unwrap_or_else(|error| panic!("{error:?}"));
    let (shared, supervisor) = (app.shared(), app.supervisor());
    let told = async {
        story(shared).await;
        supervisor.stop();
    };
    let (ended, ()) = tokio::join!(Box::pin(app.run()), told);
    ended.unwrap();
}

/// What kube-state-metrics and the kubelet told of the hour: two pods ran from minute 20 to 30, each asking for a core.
/// Of one nothing but its name is told, of the other its labels too.
fn history(hour: Hour, uid: &str) -> Vec<Series> {
    let at = |minute: i64| hour.start().timestamp() + minute * 60;
    let mut all = Vec::new();
    let mut add = |name: &str, labels: &[(&str, &str)], from: i64, until: i64, value: f64| {
        let job = if name.starts_with("container_") { "kubelet" } else { "kube-state-metrics" };
        let labels = [&[("job", job), ("instance", "i")], labels].concat();
        all.push(Series::new(name, &labels).every(30, at(from), at(until) - 30, |_| value).gone(at(until)));
    };
    for (resource, value) in [("cpu", 4.0), ("memory", 16e9)] {
        let labels = [("node", "n"), ("resource", resource), ("unit", "x")];
        add("kube_node_status_capacity", &labels, -10, 70, value);
    }
    add("kube_node_info", &[("node", "n")], -10, 70, 1.0);
    let service = [("namespace", "default"), ("service", "kubernetes"), ("type", "ClusterIP")];
    add("kube_service_spec_type", &service, -10, 70, 1.0);
    for (pod, uid) in [("short-x-shop-x-a", uid), ("told-x-other-x-a", "another")] {
        let own = [("namespace", "vcluster-gone"), ("pod", pod), ("uid", uid)];
        let with = |more: &[(&'static str, &'static str)]| [&own[..], more].concat();
        add("kube_pod_info", &with(&[("node", "n"), ("host_network", "false")]), 20, 30, 1.0);
        add("kube_pod_status_phase", &with(&[("phase", "Running")]), 20, 30, 1.0);
        let request = with(&[("container", "main"), ("node", "n"), ("resource", "cpu"), ("unit", "core")]);
        add("kube_pod_container_resource_requests", &request, 20, 30, 1.0);
        let used = [
            ("namespace", "vcluster-gone"),
            ("pod", pod),
            ("container", "main"),
            ("node", "n"),
            ("image", "i"),
        ];
        add("container_cpu_usage_seconds_total", &used, 20, 30, 0.0);
        add("container_memory_working_set_bytes", &used, 20, 30, 0.0);
        let sent = [("namespace", "vcluster-gone"), ("pod", pod), ("node", "n"), ("interface", "eth0")];
        add("container_network_transmit_bytes_total", &sent, 20, 30, 0.0);
    }
    let labels = [
        ("namespace", "vcluster-gone"),
        ("pod", "told-x-other-x-a"),
        ("label_vcluster_loft_sh_managed_by", "a"),
        ("label_vcluster_loft_sh_namespace", "other"),
    ];
    add("kube_pod_labels", &labels, 20, 30, 1.0);
    all
}

async fn pods(ledger: &Ledger, hour: Hour) -> Vec<Span<PodFact>> {
    let mut pods = ledger.pods(&Scope::everything(), &ClusterName::from("c"), hour).await.unwrap();
    pods.retain(|pod| pod.fact.namespace.as_str() == "vcluster-gone");
    pods
}

/// Virtual namespaces and requested core-hours.
fn rows(usage: &UsageHour) -> Vec<(Option<&str>, i64)> {
    let rows = usage.compute.iter().filter(|row| row.namespace.as_str() == "vcluster-gone");
    rows.map(|row| (row.virtual_namespace.as_ref().map(VirtualNamespace::as_str), row.cpu_request.micros()))
        .collect()
}

async fn recorded(ledger: &Ledger, hour: Hour) -> Option<UsageHour> {
    let range = HourRange { from: hour, until: hour.next() };
    ledger.usage(&Scope::everything(), range).await.unwrap().pop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_gone_before_its_hour_is_measured_keeps_its_virtual_namespace() {
    let (api, prometheus) = tokio::join!(ApiServer::shared(), Prometheus::start());
    let (home, hour) = (folder(), an_hour());
    let config = configuration(home.path(), hour, api, prometheus.url(), "");
    api.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: vcluster-gone}\n").await;
    let findings = check(&config, &Clock::wall()).await;
    let labels = findings.iter().find(|finding| finding.subject.contains("labels of vClusters")).unwrap();
    assert!(labels.ok, "no label allowlist is asked for: {labels:?}");

    // Within the hour it comes and goes, long before anything is measured: only the watch sees it.
    daemon(&config, hour, 25, async |shared| {
        let ledger = shared.ledger;
        eventually("pods are listed", async || {
            ledger.pods_listed(&Scope::everything(), &ClusterName::from("c")).await.unwrap().is_some()
        })
        .await;
        api.apply(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: short-x-shop-x-a, namespace: vcluster-gone, labels: \
             {vcluster.loft.sh/managed-by: a, vcluster.loft.sh/namespace: shop}}\n\
             spec: {containers: [{name: main, image: none}]}\n",
        )
        .await;
        eventually("the pod is remembered", async || pods(&ledger, hour).await.len() == 1).await;
        api.delete("/api/v1/namespaces/vcluster-gone/pods/short-x-shop-x-a?gracePeriodSeconds=0").await;
        eventually("its end is remembered", async || pods(&ledger, hour).await[0].until.is_some()).await;
        assert_eq!(recorded(&ledger, hour).await, None);
        prometheus.writer().write(&history(hour, pods(&ledger, hour).await[0].uid.as_str())).await;
    })
    .await;

    // When the hour is measured nobody but the ledger knows of it. The other one is known by its metrics alone.
    let wanted = [(Some("other"), 166_667), (Some("shop"), 166_667)];
    daemon(&config, hour, 70, async |shared| {
        eventually("the hour is measured", async || recorded(&shared.ledger, hour).await.is_some()).await;
        assert_eq!(rows(&recorded(&shared.ledger, hour).await.unwrap()), wanted);
    })
    .await;

    // Started again, and measured again from what is remembered, it is the same hour.
    daemon(&config, hour, 80, async |shared| {
        let (ledger, everything) = (&shared.ledger, Scope::everything());
        let cluster = connect(&config).unwrap().remove(0);
        let known = Known {
            timeline: std::sync::Arc::new(ledger.timeline(&everything).await.unwrap()),
            pods: Some(ledger.pods(&everything, &cluster.name, hour).await.unwrap()),
        };
        let usage = cluster.measure.measure(hour, known).await.unwrap().usage;
        assert_eq!(rows(&usage), wanted);
        let again = RecordedHour { usage, measured_at: shared.clock.now() };
        let recorded = ledger.record(&shared.guard, vec![again]).await.unwrap().remove(0);
        assert_eq!((recorded.revision, recorded.changed), (1, false));
    })
    .await;
}

/// By a wrong kubeconfig all pods that are known would end, and strangers be taken in.
#[tokio::test]
async fn the_pods_of_another_cluster_are_neither_listed_nor_watched() {
    let api = ApiServer::shared().await;
    api.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: vcluster-strange}\n").await;
    api.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: vcluster-strange, labels: \
         {vcluster.loft.sh/managed-by: a, vcluster.loft.sh/namespace: shop}}\n\
         spec: {containers: [{name: main, image: none}]}\n",
    )
    .await;
    let right = kube_system(api).await;
    for (uid, ours) in [(right, true), (Uid::from("another"), false)] {
        let settings = Settings { pods: Some(PodSource::default()), ..settings(&api.kubeconfig(Who::Admin)) };
        let collector = collector(settings).await;
        let listed = collector.pods(&uid).await;
        assert_eq!(listed.is_ok(), ours, "{listed:?}");
        assert!(ours || matches!(listed, Err(KubernetesError::AnotherCluster { .. })));
        let mut changes = collector.pod_changes(&uid);
        for _ in 0..2 {
            let told = tokio::time::timeout(Duration::from_secs(20), changes.next()).await.unwrap().unwrap();
            assert_eq!(told.is_ok(), ours, "{told:?}");
        }
    }
}

/// What fails is tried less and less often, even where the watches work: their beginning is no reason to try again.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_before_another_cluster_does_not_ask_it_all_the_time() {
    let (api, home, hour) = (ApiServer::shared().await, folder(), an_hour());
    let config = configuration(home.path(), hour, api, "http://127.0.0.1:9", ", cluster_uid: another");
    daemon(&config, hour, 25, async |shared| {
        let failures = |job| {
            let label = JobOutcome { job, outcome: "failure" };
            shared.metrics.job_runs.get_or_create(&label).get()
        };
        eventually("it was observed", async || failures("observe") > 0).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        for job in ["observe", "pods"] {
            assert!(failures(job) <= 2, "{job}: {}", failures(job));
        }
        let broken = ClusterLabel { cluster: "c".to_owned() };
        assert_eq!(shared.metrics.pod_watch_broken.get_or_create(&broken).get(), 1);
    })
    .await;
}
