//! Ties the collectors to what the jobs need of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use defray_ledger::Assumed;
use defray_pricing::names::{ClusterName, PriceClass, VirtualNamespace};
use defray_pricing::ownership::{Span, Timeline};
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::Mutex;

use crate::collect::{kubernetes, prometheus};
use crate::config;
use crate::jobs::{Cluster, Measure, NotMeasured, Observe, Observed};

/// The clusters of a configuration. Nothing is sent yet: a cluster that cannot be reached is tried when a
/// job needs it, and again until it answers.
pub fn connect(config: &config::Config) -> Result<Vec<Cluster>, anyhow::Error> {
    let connect = |cluster: &config::Cluster| {
        let collector =
            prometheus::Collector::new(cluster.prometheus.settings.clone()).map_err(|problems| {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("cluster {}: prometheus: {}", cluster.name, list.join("; "))
            })?;
        let objects = Arc::new(Objects {
            settings: cluster.kubernetes.clone(),
            collector: Mutex::new(None),
            wakes: Mutex::new(None),
        });
        let pods = cluster.kubernetes.pods.is_some().then(|| Arc::clone(&objects));
        Ok(Cluster {
            name: cluster.name.clone(),
            since: cluster.since.or(config.history.since),
            measure: Arc::new(Metrics { cluster: cluster.name.clone(), collector, pods }),
            observe: objects,
        })
    };
    config.clusters.iter().map(connect).collect()
}

/// A metrics store.
struct Metrics {
    cluster: ClusterName,
    collector: prometheus::Collector,
    /// Where pods of virtual clusters are listed, if the metrics store does not know their labels.
    pods: Option<Arc<Objects>>,
}

impl Measure for Metrics {
    fn measure(&self, hour: Hour, timeline: Arc<Timeline>) -> BoxFuture<'_, Result<UsageHour, NotMeasured>> {
        Box::pin(async move {
            let nodes = directory(&timeline, &self.cluster, hour);
            let pods = match &self.pods {
                None => None,
                Some(objects) => Some(objects.pod_labels().await.map_err(|error| NotMeasured {
                    reason: format!("{error:#}"),
                    outage: true,
                    not_before: None,
                })?),
            };
            let measuring: BoxFuture<'_, Result<prometheus::Measured, prometheus::MeasureError>> =
                Box::pin(self.collector.measure_with(&self.cluster, hour, &nodes, pods.as_ref()));
            let measured = measuring.await.map_err(|error| not_measured(&error))?;
            for note in measured.notes {
                tracing::warn!(
                    cluster.name = %self.cluster,
                    hour.start = %hour,
                    note.subject = note.subject,
                    note.quantity = %note.quantity,
                    "left out of the hour: {:?}",
                    note.kind
                );
            }
            Ok(measured.usage)
        })
    }

    fn assumed(&self, before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>> {
        Box::pin(async move {
            let asking: BoxFuture<'_, Result<Assumed, prometheus::MeasureError>> =
                Box::pin(self.collector.assumed_ownership(&self.cluster, before));
            asking.await.map_err(|error| not_measured(&error))
        })
    }
}

/// What a failure says about the next hour.
fn not_measured(error: &prometheus::MeasureError) -> NotMeasured {
    use prometheus::{MeasureError, QueryError};
    let outage = match error {
        MeasureError::Query { source, .. } => match source {
            QueryError::Unreachable(_) | QueryError::TimedOut(_) => true,
            QueryError::Refused { status, .. } => matches!(status, 401 | 403 | 404 | 429) || *status >= 500,
            _ => false,
        },
        MeasureError::TimedOut { .. } => true,
        MeasureError::Unsettled { .. }
        | MeasureError::NoData(_)
        | MeasureError::Missing { .. }
        | MeasureError::Overflow(_) => false,
    };
    let not_before = match error {
        MeasureError::Unsettled { settled, .. } => Some(*settled),
        _ => None,
    };
    NotMeasured { reason: error.to_string(), outage, not_before }
}

/// The price class of every node that existed in an hour; of nodes known only later, their earliest.
fn directory(timeline: &Timeline, cluster: &ClusterName, hour: Hour) -> prometheus::NodeDirectory {
    let mut known: BTreeMap<&str, (bool, DateTime<Utc>, PriceClass)> = BTreeMap::new();
    for span in timeline.nodes.iter().filter(|span| span.cluster == *cluster) {
        let fact = &span.fact;
        let class = PriceClass {
            pool: fact.pool.clone(),
            instance_type: fact.instance_type.clone(),
            capacity_type: fact.capacity_type.clone(),
        };
        let held = held_in(span, hour);
        match known.get(fact.name.as_str()) {
            // What held in the hour goes before what did not, and the last that held before the others.
            Some((true, from, _)) if !held || *from > span.from => {}
            Some((false, from, _)) if !held && *from <= span.from => {}
            _ => {
                known.insert(&fact.name, (held, span.from, class));
            }
        }
    }
    let classes = known.into_iter().map(|(name, (_, _, class))| (name.to_owned(), class)).collect();
    prometheus::NodeDirectory { classes }
}

fn held_in<T>(span: &Span<T>, hour: Hour) -> bool {
    span.from < hour.end() && span.until.is_none_or(|until| until > hour.start())
}

/// An API server, connected when it is first needed.
struct Objects {
    settings: kubernetes::Settings,
    collector: Mutex<Option<kubernetes::Collector>>,
    wakes: Mutex<Option<BoxStream<'static, kubernetes::Wake>>>,
}

impl Objects {
    async fn collector(&self) -> anyhow::Result<kubernetes::Collector> {
        let mut connected = self.collector.lock().await;
        if let Some(collector) = connected.as_ref() {
            return Ok(collector.clone());
        }
        let collector =
            kubernetes::Collector::connect(self.settings.clone()).await.map_err(|error| with_mend(&error))?;
        *connected = Some(collector.clone());
        Ok(collector)
    }

    async fn pod_labels(&self) -> anyhow::Result<prometheus::PodLabels> {
        let Some(source) = &self.settings.pods else { return Ok(prometheus::PodLabels::default()) };
        let pods = self.collector().await?.pods().await.map_err(|error| with_mend(&error))?;
        let labels = pods.into_iter().map(|pod| {
            let labels = labels_of(source, pod.managed_by, &pod.virtual_namespace);
            ((pod.namespace, pod.name), labels)
        });
        Ok(prometheus::PodLabels { labels: labels.collect() })
    }
}

/// The labels by which measuring tells a synced pod from one of the virtual cluster's own.
fn labels_of(
    source: &kubernetes::PodSource,
    managed_by: Option<String>,
    virtual_namespace: &VirtualNamespace,
) -> BTreeMap<String, String> {
    let Some(manager) = managed_by else {
        let own = source.control_plane_values.first();
        return own.map(|value| (source.control_plane_label.clone(), value.clone())).into_iter().collect();
    };
    BTreeMap::from([
        (source.managed_by.clone(), manager),
        (source.virtual_namespace.clone(), virtual_namespace.to_string()),
    ])
}

impl Observe for Objects {
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>> {
        Box::pin(async {
            let collector = self.collector().await?;
            let observing: BoxFuture<'_, Result<kubernetes::Observed, kubernetes::KubernetesError>> =
                Box::pin(collector.observe());
            let observed = match observing.await {
                Ok(observed) => observed,
                Err(error) => {
                    // Credentials and addresses may have been renewed: connect anew the next time.
                    *self.collector.lock().await = None;
                    return Err(with_mend(&error));
                }
            };
            let problems: BTreeSet<String> = observed.problems.iter().map(in_words).collect();
            anyhow::ensure!(problems.is_empty(), "{}", problems.into_iter().collect::<Vec<_>>().join("; "));
            let skipped = observed.skipped.iter().map(ToString::to_string).collect();
            Ok(Observed { observation: observed.observation, skipped })
        })
    }

    fn changed(&self) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async {
            let mut wakes = self.wakes.lock().await;
            if wakes.is_none() {
                *wakes = Some(self.collector().await?.changes());
            }
            let wake = match wakes.as_mut() {
                Some(stream) => stream.next().await,
                None => None,
            };
            let Some(wake) = wake else {
                *wakes = None;
                anyhow::bail!("the watches ended");
            };
            for trouble in wake.troubles {
                tracing::warn!("a watch is broken and tried again by itself: {}", in_words(&trouble));
            }
            Ok(())
        })
    }
}

fn with_mend(error: &kubernetes::KubernetesError) -> anyhow::Error {
    anyhow::anyhow!("{error} ({})", error.mend())
}

fn in_words(finding: &crate::collect::Finding) -> String {
    let mend = finding.mend.as_ref().map(|mend| format!(" ({mend})")).unwrap_or_default();
    format!("{}: {}{mend}", finding.subject, finding.message)
}

#[cfg(test)]
mod tests {
    use defray_pricing::names::{CapacityType, InstanceType, Pool, Uid};
    use defray_pricing::ownership::{NodeFact, Origin};

    use super::*;

    fn span(name: &str, pool: &str, from: &str, until: Option<&str>) -> Span<NodeFact> {
        Span {
            cluster: ClusterName::from("c"),
            uid: Uid::from(format!("{name}{from}")),
            from: from.parse().unwrap(),
            until: until.map(|until| until.parse().unwrap()),
            origin: Origin::Observed,
            fact: NodeFact {
                name: name.to_owned(),
                pool: Pool::from(pool),
                instance_type: InstanceType::from("m"),
                capacity_type: CapacityType::from(""),
                dedicated_to: None,
            },
        }
    }

    #[test]
    fn a_node_has_the_class_that_held_last_in_the_hour_else_its_earliest() {
        let nodes = vec![
            span("moved", "old", "2026-10-01T00:00:00Z", Some("2026-10-01T10:30:00Z")),
            span("moved", "new", "2026-10-01T10:30:00Z", None),
            span("late", "first", "2026-10-05T00:00:00Z", Some("2026-10-06T00:00:00Z")),
            span("late", "second", "2026-10-06T00:00:00Z", None),
        ];
        let timeline = Timeline { nodes, ..Timeline::default() };
        let pool = |hour: &str, node: &str| {
            let hour: Hour = hour.parse().unwrap();
            let classes = directory(&timeline, &ClusterName::from("c"), hour).classes;
            classes.get(node).map(|class| class.pool.to_string())
        };
        assert_eq!(pool("2026-10-01T09:00:00Z", "moved").as_deref(), Some("old"));
        assert_eq!(pool("2026-10-01T10:00:00Z", "moved").as_deref(), Some("new"));
        assert_eq!(pool("2026-10-01T10:00:00Z", "late").as_deref(), Some("first"));
        assert_eq!(pool("2026-10-07T10:00:00Z", "late").as_deref(), Some("second"));
        assert!(directory(&timeline, &ClusterName::from("other"), Hour::from_index(0)).classes.is_empty());
    }

    #[test]
    fn a_virtual_clusters_own_pods_are_told_by_its_label_and_synced_ones_by_their_namespace() {
        let source = kubernetes::PodSource::default();
        let synced = labels_of(&source, Some("vc".to_owned()), &VirtualNamespace::from("shop"));
        assert_eq!(synced["vcluster.loft.sh/managed-by"], "vc");
        assert_eq!(synced["vcluster.loft.sh/namespace"], "shop");
        let own = labels_of(&source, None, &VirtualNamespace::from(VirtualNamespace::CONTROL_PLANE));
        assert_eq!(own, BTreeMap::from([("app".to_owned(), "vcluster".to_owned())]));
    }
}
