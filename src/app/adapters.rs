//! Ties the collectors to what the jobs need of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Assumed, PodFact};
use defray_pricing::names::{ClusterName, PriceClass};
use defray_pricing::ownership::{Origin, Span, Timeline};
use defray_pricing::time::{Hour, HourRange};
use futures::future::BoxFuture;

use crate::collect::prometheus;
use crate::config;
use crate::jobs::{Cluster, Counted, Known, LeftOut, Measure, MeasuredHour, NotMeasured, Pods, Unbillable};

mod objects;

use objects::Objects;

/// The clusters of a configuration. Nothing is sent yet: a cluster that cannot be reached is tried when a
/// job needs it, and again until it answers.
pub fn connect(config: &config::Config) -> Result<Vec<Cluster>, anyhow::Error> {
    let connect = |cluster: &config::Cluster| {
        let collector =
            prometheus::Collector::new(cluster.prometheus.settings.clone()).map_err(|problems| {
                let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("cluster {}: prometheus: {}", cluster.name, list.join("; "))
            })?;
        let objects = Arc::new(Objects::new(cluster.kubernetes.clone()));
        let pods = cluster.kubernetes.pods.is_some().then(|| Arc::clone(&objects) as Arc<dyn Pods>);
        Ok(Cluster {
            name: cluster.name.clone(),
            counts: config.counts(cluster),
            accepted: cluster.accept.clone(),
            measure: Arc::new(Metrics { cluster: cluster.name.clone(), collector }),
            observe: objects,
            pods,
        })
    };
    config.clusters.iter().map(connect).collect()
}

/// A metrics store.
struct Metrics {
    cluster: ClusterName,
    collector: prometheus::Collector,
}

impl Measure for Metrics {
    fn measure(&self, hour: Hour, known: Known) -> BoxFuture<'_, Result<MeasuredHour, NotMeasured>> {
        Box::pin(async move {
            let nodes = directory(&known.timeline, &self.cluster, hour);
            let pods = known.pods.map(placed);
            let measuring: BoxFuture<'_, Result<prometheus::Measured, prometheus::MeasureError>> =
                Box::pin(self.collector.measure(&self.cluster, hour, &nodes, pods.as_ref()));
            let measured = measuring.await.map_err(|error| not_measured(&error))?;
            let left_out = measured.notes.into_iter().map(left_out).collect();
            Ok(MeasuredHour { usage: measured.usage, left_out })
        })
    }

    fn clock(&self) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        Box::pin(self.collector.clock())
    }

    fn retention(&self) -> BoxFuture<'_, Option<TimeDelta>> {
        Box::pin(self.collector.keeps())
    }

    fn first_sample(&self, oldest: Hour) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, NotMeasured>> {
        Box::pin(
            async move { self.collector.first_sample(oldest).await.map_err(|error| not_measured(&error)) },
        )
    }

    fn assumed(&self, before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>> {
        Box::pin(async move {
            let asking: BoxFuture<'_, Result<Assumed, prometheus::MeasureError>> =
                Box::pin(self.collector.assumed_ownership(&self.cluster, before));
            asking.await.map_err(|error| not_measured(&error))
        })
    }
}

fn left_out(note: prometheus::Note) -> LeftOut {
    use prometheus::NoteKind;
    let (quantity, reason) = match note.kind {
        NoteKind::UnmeasuredCpu => (Counted::CpuUsage, Unbillable::Gap),
        NoteKind::UnmeasuredEgress => (Counted::NetworkEgress, Unbillable::Gap),
        NoteKind::UnseenCpu => (Counted::CpuUsage, Unbillable::FirstSeen),
        NoteKind::UnseenEgress => (Counted::NetworkEgress, Unbillable::FirstSeen),
    };
    LeftOut { namespace: note.subject, quantity, reason, amount: note.quantity }
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
        | MeasureError::Dropped { .. }
        | MeasureError::Overflow(_) => false,
    };
    let not_before = match error {
        MeasureError::Unsettled { settled, .. } => Some(*settled),
        _ => None,
    };
    let empty = matches!(error, MeasureError::NoData(_));
    NotMeasured { reason: error.to_string(), outage, not_before, empty }
}

/// What a span has to do with an hour, in the order in which it is believed about a node's class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It was there when the cluster was first observed, and nobody looked in the hour.
    Assumed,
    /// It was seen and is gone: exporters go on telling of a node for minutes.
    Gone,
    /// It held in the hour.
    Held,
}

/// The price class of every node that existed in an hour. What is learned of nodes once the hour can have been
/// measured is nothing it is made of: measured again it would be another.
fn directory(timeline: &Timeline, cluster: &ClusterName, hour: Hour) -> prometheus::NodeDirectory {
    let first = timeline.observed_since.get(cluster).copied();
    let mut known: BTreeMap<&str, (Standing, DateTime<Utc>, PriceClass)> = BTreeMap::new();
    for span in timeline.nodes.iter().filter(|span| span.cluster == *cluster) {
        let Some(standing) = standing(span, hour, first) else { continue };
        let fact = &span.fact;
        // Of spans that say as much, the last.
        if known
            .get(fact.name.as_str())
            .is_some_and(|(other, from, _)| (*other, *from) > (standing, span.from))
        {
            continue;
        }
        let class = PriceClass {
            pool: fact.pool.clone(),
            instance_type: fact.instance_type.clone(),
            capacity_type: fact.capacity_type.clone(),
        };
        known.insert(&fact.name, (standing, span.from, class));
    }
    let classes = known.into_iter().map(|(name, (_, _, class))| (name.to_owned(), class)).collect();
    prometheus::NodeDirectory { classes }
}

/// Where pods belonged, by name.
fn placed(pods: Vec<Span<PodFact>>) -> prometheus::PodDirectory {
    let mut directory = prometheus::PodDirectory::default();
    for Span { uid, fact, .. } in pods {
        let had_it = directory.pods.entry((fact.namespace, fact.name)).or_default();
        had_it.push(prometheus::PlacedPod { uid, virtual_namespace: fact.virtual_namespace });
    }
    directory
}

/// `first` is when the cluster was first observed.
fn standing<T>(span: &Span<T>, hour: Hour, first: Option<DateTime<Utc>>) -> Option<Standing> {
    let held_at = |from, until| span.from < until && span.until.is_none_or(|end| end > from);
    if held_at(hour.start(), hour.end()) {
        return Some(Standing::Held);
    }
    if span.origin == Origin::Observed && span.from < hour.end() {
        return Some(Standing::Gone);
    }
    let first = first.filter(|first| hour.end() <= *first)?;
    let there = span.from <= first && span.until.is_none_or(|end| end > first);
    there.then_some(Standing::Assumed)
}

#[cfg(test)]
mod tests {
    use defray_pricing::names::{CapacityType, InstanceType, Pool, Uid};
    use defray_pricing::ownership::NodeFact;

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

    /// A cluster that is observed since ten o'clock.
    fn observed(nodes: Vec<Span<NodeFact>>) -> Timeline {
        let since = "2026-10-01T10:00:00Z".parse().unwrap();
        let observed_since = [(ClusterName::from("c"), since)].into();
        Timeline { nodes, observed_since, ..Timeline::default() }
    }

    fn pool(timeline: &Timeline, hour: &str, node: &str) -> Option<String> {
        let classes = directory(timeline, &ClusterName::from("c"), hour.parse().unwrap()).classes;
        classes.get(node).map(|class| class.pool.to_string())
    }

    #[test]
    fn a_node_has_the_class_that_held_last_in_the_hour_else_before_anything_was_observed_its_first() {
        let timeline = observed(vec![
            span("moved", "old", "2026-10-01T10:00:00Z", Some("2026-10-01T12:30:00Z")),
            span("moved", "new", "2026-10-01T12:30:00Z", None),
            span("gone", "a", "2026-10-01T10:00:00Z", Some("2026-10-01T11:59:58Z")),
            span("later", "b", "2026-10-05T00:00:00Z", None),
        ]);
        for (hour, node, expected) in [
            ("2026-10-01T09:00:00Z", "moved", Some("old")),
            ("2026-10-01T11:00:00Z", "moved", Some("old")),
            ("2026-10-01T12:00:00Z", "moved", Some("new")),
            ("2026-10-01T12:00:00Z", "gone", Some("a")),
            ("2026-10-01T09:00:00Z", "later", None),
            ("2026-10-05T00:00:00Z", "later", Some("b")),
        ] {
            assert_eq!(pool(&timeline, hour, node).as_deref(), expected, "{node} at {hour}");
        }
        let other = ClusterName::from("other");
        assert!(directory(&timeline, &other, Hour::from_index(0)).classes.is_empty());
    }

    /// A node that nobody knew when its hour was measured, as one whose labels came late.
    #[test]
    fn what_is_learned_of_a_node_later_is_nothing_an_hour_was_made_of() {
        let early = span("early", "a", "2026-10-01T10:00:00Z", None);
        let before = observed(vec![early.clone()]);
        let after = observed(vec![early, span("late", "b", "2026-10-01T14:00:00Z", None)]);
        for hour in ["2026-10-01T08:00:00Z", "2026-10-01T10:00:00Z", "2026-10-01T13:00:00Z"] {
            let of = |timeline| directory(timeline, &ClusterName::from("c"), hour.parse().unwrap());
            assert_eq!(of(&before), of(&after), "{hour}");
        }
    }

    #[test]
    fn pods_of_one_name_stay_in_the_order_they_had_it() {
        let pod = |uid: &str, name: &str, inside: &str| Span {
            cluster: ClusterName::from("c"),
            uid: Uid::from(uid),
            from: "2026-10-01T00:00:00Z".parse().unwrap(),
            until: None,
            origin: Origin::Observed,
            fact: PodFact {
                namespace: "vcluster-a".into(),
                name: name.to_owned(),
                virtual_namespace: inside.into(),
            },
        };
        let directory = placed(vec![pod("u9", "db-0", "x"), pod("u1", "db-0", "y"), pod("u5", "web", "x")]);
        let inside = |name: &str| -> Vec<(&str, &str)> {
            let had_it = &directory.pods[&("vcluster-a".into(), name.to_owned())];
            had_it.iter().map(|pod| (pod.uid.as_str(), pod.virtual_namespace.as_str())).collect()
        };
        assert_eq!(inside("db-0"), [("u9", "x"), ("u1", "y")]);
        assert_eq!(inside("web"), [("u5", "x")]);
    }
}
