//! What is missing before an hour can be measured, and how to mend it.

use chrono::{DateTime, Utc};
use defray_pricing::usage::Source;

use super::Collector;
use super::error::QueryError;
use super::names::{MayBeAbsent, metric_annotation, metric_label};
use super::reach;
use super::settings::Dialect;
use crate::collect::Finding;

/// Clocks that differ by more than this measure hours that are not over.
const SKEW_SECONDS: i64 = 30;
/// Retention below this loses hours in an outage over a long weekend.
const RETENTION_DAYS: i64 = 4;

/// A metric that a quantity needs.
struct Need<'a> {
    source: Source,
    metric: &'a str,
    /// What it feeds.
    feeds: &'static str,
    /// Whether every cluster has it, so that its absence is a fault.
    always: bool,
    /// Where it comes from.
    mend: &'static str,
}

/// Labels of objects, which come only through kube-state-metrics' allowlist.
struct LabelNeed<'a> {
    metric: &'a str,
    /// The option of kube-state-metrics that allows them.
    option: &'static str,
    /// What the allowlist calls the objects.
    objects: &'static str,
    /// The labels, in Kubernetes' spelling.
    keys: Vec<&'a str>,
    /// What the store calls them.
    exported: fn(&str) -> String,
    feeds: &'static str,
}

impl LabelNeed<'_> {
    fn allow(&self) -> String {
        let (option, objects, keys) = (self.option, self.objects, self.keys.join(","));
        format!(
            "start kube-state-metrics with --{option}={objects}=[{keys}] (those of them that are \
             in use); if they are labelled otherwise, configure the labels"
        )
    }

    /// By how many series there are, and whether any carries one of the labels.
    fn finding(&self, series: i64, labelled: bool) -> Finding {
        let (about, feeds) = (subject(self.metric), self.feeds);
        match series {
            0 => {
                let message = format!("no series in the last hour; it feeds {feeds}");
                Finding { mend: Some(self.allow()), ..Finding::fine(about, message) }
            }
            _ if labelled => Finding::fine(about, format!("{series} series in the last hour, with labels")),
            _ => {
                let message =
                    format!("none of {series} series carries a label that is asked for; they feed {feeds}");
                Finding::wrong(about, message, self.allow())
            }
        }
    }
}

const LABELS: &str = "metric-labels-allowlist";
const CADVISOR: &str = "scrape the kubelets' /metrics/cadvisor; if a job or a metric relabelling drops this \
                        metric, keep it; if the metric has another name here, configure it under `names`";
const STATE: &str = "scrape kube-state-metrics with `honor_labels: true`; if it runs with --metric-allowlist \
                     or --resources, add this metric; if it is pinned to a job that is named otherwise, \
                     configure the job";

impl Collector {
    /// Looks at everything that measuring needs: the server, its clock and dialect, every metric; labels of pods
    /// only where these are not read from elsewhere.
    pub async fn check(&self, now: DateTime<Utc>, pods_from_elsewhere: bool) -> Vec<Finding> {
        let url = &self.settings.url;
        let server = match self.client.server_time().await {
            Ok(millis) => millis.div_euclid(1000),
            Err(error) => {
                return vec![Finding::wrong(subject("server"), error.to_string(), mend(&error, url))];
            }
        };
        let mut findings = vec![Finding::fine(subject("server"), format!("{url} answers"))];
        findings.push(skew(server, now));
        findings.push(self.dialect(server).await);
        findings.push(self.retention().await);
        let clusters = self.one_cluster(server).await;
        findings.push(clusters.unwrap_or_else(|error| {
            Finding::wrong(subject("one cluster"), error.to_string(), mend(&error, &self.settings.url))
        }));
        for need in self.needs() {
            findings.push(self.metric(&need, server).await);
        }
        for need in self.label_needs() {
            findings.push(self.labels(&need, server).await);
        }
        findings.push(if pods_from_elsewhere {
            Finding::fine(subject("labels of vClusters"), "not needed: pods are read from Kubernetes")
        } else {
            self.vcluster_labels(server).await
        });
        findings
    }

    fn needs(&self) -> Vec<Need<'_>> {
        let m = &self.settings.names.metrics;
        let usual = |metric| !self.settings.names.absent.contains(&metric);
        let cadvisor =
            |metric, feeds, always| Need { source: Source::Cadvisor, metric, feeds, always, mend: CADVISOR };
        let state = |metric, feeds, always| Need {
            source: Source::KubeStateMetrics,
            metric,
            feeds,
            always,
            mend: STATE,
        };
        vec![
            cadvisor(&m.container_cpu_usage_seconds_total, "CPU usage", true),
            cadvisor(&m.container_memory_working_set_bytes, "memory usage", true),
            cadvisor(
                &m.container_network_transmit_bytes_total,
                "network egress",
                usual(MayBeAbsent::Network),
            ),
            cadvisor(&m.container_start_time_seconds, "the first minutes of new containers", false),
            state(&m.kube_pod_status_phase, "which pods run: without it no request counts", true),
            state(
                &m.kube_pod_container_resource_requests,
                "CPU, memory and GPU requests",
                usual(MayBeAbsent::Requests),
            ),
            state(
                &m.kube_pod_init_container_resource_requests,
                "what init containers and sidecars request, which is not billed without it",
                false,
            ),
            state(
                &m.kube_pod_init_container_info,
                "which init containers are sidecars, which are not billed beside the rest without it",
                false,
            ),
            state(&m.kube_pod_info, "the node of a pod", true),
            state(&m.kube_node_info, "node-hours", true),
            state(&m.kube_node_status_capacity, "the capacity of nodes", true),
            state(&m.kube_persistentvolume_capacity_bytes, "storage", false),
            state(&m.kube_persistentvolume_claim_ref, "whose volumes are", false),
            state(&m.kube_persistentvolume_status_phase, "which volumes are bound", false),
            state(&m.kube_persistentvolume_info, "the storage class of volumes", false),
            state(&m.kube_persistentvolumeclaim_info, "whose and of which class other volumes are", false),
            state(&m.kube_resourcequota, "quotas", false),
            state(&m.kube_service_spec_type, "load balancers", usual(MayBeAbsent::Services)),
            state(&m.kube_tenant_info, "tenants before the first observation", false),
        ]
    }

    async fn metric(&self, need: &Need<'_>, server: i64) -> Finding {
        let about = subject(need.metric);
        match self.count(need.source, need.metric, None, server).await {
            Err(error) => Finding::wrong(about, error.to_string(), mend(&error, &self.settings.url)),
            Ok(0) if need.always => {
                let message = format!("no series in the last hour; it feeds {}", need.feeds);
                Finding::wrong(about, message, need.mend)
            }
            Ok(0) => {
                let message =
                    format!("no series in the last hour; it feeds {}, if this cluster has any", need.feeds);
                Finding { mend: Some(need.mend.to_owned()), ..Finding::fine(about, message) }
            }
            Ok(series) => Finding::fine(about, format!("{series} series in the last hour")),
        }
    }

    async fn count(
        &self,
        source: Source,
        metric: &str,
        label: Option<&str>,
        server: i64,
    ) -> Result<i64, QueryError> {
        let series = self.client.at(&self.queries().any(source, metric, label), server).await?;
        let count = series.first().and_then(|one| one.samples.first());
        Ok(count.map_or(0, |sample| sample.value.as_millis().div_euclid(1000)))
    }

    fn label_needs(&self) -> Vec<LabelNeed<'_>> {
        let names = &self.settings.names;
        let nodes = &names.nodes;
        let of_nodes = [&nodes.pool, &nodes.instance_type, &nodes.capacity_type, &nodes.dedicated_labels];
        let mut needs = vec![
            LabelNeed {
                metric: &names.metrics.kube_namespace_labels,
                option: LABELS,
                objects: "namespaces",
                keys: names.namespace_labels.iter().map(String::as_str).collect(),
                exported: metric_label,
                feeds: "ownership before the first observation",
            },
            LabelNeed {
                metric: &names.metrics.kube_node_labels,
                option: LABELS,
                objects: "nodes",
                keys: of_nodes.into_iter().flatten().map(String::as_str).collect(),
                exported: metric_label,
                feeds: "pools before the first observation",
            },
        ];
        if !names.namespace_annotations.is_empty() {
            needs.push(LabelNeed {
                metric: &names.metrics.kube_namespace_annotations,
                option: "metric-annotations-allowlist",
                objects: "namespaces",
                keys: names.namespace_annotations.iter().map(String::as_str).collect(),
                exported: metric_annotation,
                feeds: "ownership before the first observation",
            });
        }
        needs
    }

    async fn labels(&self, need: &LabelNeed<'_>, server: i64) -> Finding {
        let keys: Vec<String> = need.keys.iter().map(|key| (need.exported)(key)).collect();
        match self.labelled(need.metric, &keys, server).await {
            Ok((series, labelled)) => need.finding(series, labelled),
            Err(error) => {
                Finding::wrong(subject(need.metric), error.to_string(), mend(&error, &self.settings.url))
            }
        }
    }

    /// How many series a metric has, and whether any carries one of these labels.
    async fn labelled(
        &self,
        metric: &str,
        labels: &[String],
        server: i64,
    ) -> Result<(i64, bool), QueryError> {
        let source = Source::KubeStateMetrics;
        let all = self.count(source, metric, None, server).await?;
        if all > 0 {
            for label in labels {
                if self.count(source, metric, Some(label), server).await? > 0 {
                    return Ok((all, true));
                }
            }
        }
        Ok((all, false))
    }

    /// The syncer's labels come only through kube-state-metrics' label allowlist.
    async fn vcluster_labels(&self, server: i64) -> Finding {
        let names = &self.settings.names;
        let metric = &names.metrics.kube_pod_labels;
        let vcluster = &names.vcluster;
        let about = subject("labels of vClusters");
        let keys = [&vcluster.managed_by, &vcluster.namespace, &vcluster.app, &vcluster.release];
        let keys = keys.map(String::as_str);
        let allow = format!(
            "start kube-state-metrics with --metric-labels-allowlist=pods=[{}], or set \
             list_pods of the cluster's kubernetes section; without either, vClusters are not split by virtual \
             namespace",
            keys.join(",")
        );
        let label = metric_label(&vcluster.managed_by);
        let counted = async {
            let synced = self.count(Source::KubeStateMetrics, metric, Some(&label), server).await?;
            Ok((self.labelled(metric, &keys.map(metric_label), server).await?, synced))
        };
        match counted.await {
            Err(error) => {
                let error: QueryError = error;
                Finding::wrong(about, error.to_string(), mend(&error, &self.settings.url))
            }
            Ok(((0, _), _)) => Finding::wrong(about, format!("there is no {metric}"), allow),
            Ok(((pods, false), _)) => {
                let message = format!("none of {pods} pods carries {label} or any other of them");
                Finding::wrong(about, message, allow)
            }
            Ok(((pods, true), 0)) => {
                let message = format!(
                    "none of {pods} pods carries {label}: no vCluster runs here, or the label is not allowed"
                );
                Finding { mend: Some(allow), ..Finding::fine(about, message) }
            }
            Ok((_, synced)) => Finding::fine(about, format!("{synced} pods are synced from vClusters")),
        }
    }

    /// Only VictoriaMetrics knows `now()`; its raw answers need its own dialect.
    async fn dialect(&self, server: i64) -> Finding {
        let about = subject("dialect");
        let configured = self.settings.dialect;
        let is_victoria = self.client.at("vector(now())", server).await.is_ok();
        if is_victoria == (configured == Dialect::VictoriaMetrics) {
            let version = self.version().await.unwrap_or_else(|| "a version it does not tell".to_owned());
            return Finding::fine(about, format!("{configured:?}, {version}"));
        }
        let (is, set) = if is_victoria {
            ("VictoriaMetrics", "victoria-metrics")
        } else {
            ("not VictoriaMetrics", "prometheus, thanos or mimir")
        };
        let message = format!("the server is {is}, the configuration says {configured:?}");
        Finding::wrong(about, message, format!("set the dialect to {set}"))
    }

    async fn version(&self) -> Option<String> {
        let info = self.client.status("api/v1/status/buildinfo").await.ok()?;
        info.pointer("/data/version")?.as_str().map(str::to_owned)
    }

    async fn retention(&self) -> Finding {
        let about = subject("retention");
        let info = self.client.status("api/v1/status/runtimeinfo").await.ok();
        let told = info.as_ref().and_then(|info| info.pointer("/data/storageRetention")?.as_str());
        let Some(told) = told else {
            return Finding::fine(about, "the server does not tell; it must hold what an outage may miss");
        };
        if reach::retention(told).is_some_and(|keeps| keeps.num_days() < RETENTION_DAYS) {
            let mend = format!("keep at least {RETENTION_DAYS} days: --storage.tsdb.retention.time");
            return Finding::wrong(about, format!("{told}: an outage longer than that loses hours"), mend);
        }
        Finding::fine(about, told)
    }
}

fn subject(what: &str) -> String {
    format!("prometheus: {what}")
}

fn skew(server: i64, now: DateTime<Utc>) -> Finding {
    let about = subject("clock");
    let skew = server.saturating_sub(now.timestamp());
    if skew.abs() <= SKEW_SECONDS {
        return Finding::fine(about, format!("{skew} s from ours"));
    }
    let message = format!("the server's clock is {skew} s from ours");
    Finding::wrong(about, message, "run NTP on both machines: hours are measured by the server's clock")
}

/// What to do about a query that gave no answer.
fn mend(error: &QueryError, url: &str) -> String {
    match error {
        QueryError::Unreachable(_) => {
            format!("is {url} right, the server up, and the network policy open for the daemon?")
        }
        QueryError::TimedOut(_) => "raise the timeout, or look why the server is slow".to_owned(),
        QueryError::TooLarge(_) => "raise prometheus.answer_mib, or the server's limit on samples".to_owned(),
        QueryError::Refused { status: 401 | 403, .. } => {
            "configure the header that lets the daemon in (Authorization, or the tenant for Mimir)".to_owned()
        }
        QueryError::Refused { status: 300..=399, .. } => {
            "this is a login page or a redirect: configure the address behind it, and a header to log in"
                .to_owned()
        }
        QueryError::Refused { status: 404, .. } | QueryError::Malformed(_) => format!(
            "{url} is no Prometheus query API: leave out `/api/v1`, but keep a prefix such as `/prometheus`"
        ),
        QueryError::Refused { .. } | QueryError::Failed { .. } => "the server says why".to_owned(),
        QueryError::Partial(_) => {
            "the store answers in part: look at its store nodes; parts are never billed".to_owned()
        }
        QueryError::BadSample { .. } => "find the exporter that writes this".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_fine_only_where_one_is_there() {
        let keys = vec!["team", "stage"];
        let need = LabelNeed {
            option: LABELS,
            exported: metric_label,
            metric: "kube_namespace_labels",
            objects: "namespaces",
            keys,
            feeds: "x",
        };
        let allow = "--metric-labels-allowlist=namespaces=[team,stage]";
        let of = |series, labelled| need.finding(series, labelled);
        assert_eq!((of(3, true).ok, of(3, true).mend), (true, None));
        for (series, ok) in [(3, false), (0, true)] {
            let found = of(series, false);
            assert_eq!(found.ok, ok, "{found:?}");
            assert!(found.mend.is_some_and(|mend| mend.contains(allow)));
        }
    }
}
