//! What the jobs need of a cluster. The seams of the daemon: behind them a metrics store and an API server, or a
//! test's own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Assumed, Observation, PodFact, SeenPod};
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::{Span, Timeline};
use defray_pricing::quantity::Quantity;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;
use futures::future::BoxFuture;

use crate::rerate::{Counts, settled_at};

/// A cluster the jobs look after.
#[derive(Clone)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// Which of its hours count.
    pub counts: Counts,
    /// Hours that a person accepts as they are measured, though their nodes seem to be lost.
    pub accepted: BTreeSet<Hour>,
    /// Its metrics.
    pub measure: Arc<dyn Measure>,
    /// Its objects.
    pub observe: Arc<dyn Observe>,
    /// Its pods, where the metrics store does not know their labels.
    pub pods: Option<Arc<dyn Pods>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("counts", &self.counts)
            .field("pods", &self.pods.is_some())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Whether no hour from now on counts.
    pub fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.counts.until.is_some_and(|until| until.start() <= now)
    }

    /// Whether nothing is to be learned of it any more: its last hour that counts had settled when it was last looked
    /// at. It may be gone.
    pub(super) fn is_over(&self, looked: Option<DateTime<Utc>>, settle: Duration) -> bool {
        let settled = self.counts.until.map(|until| settled_at(until, settle));
        looked.zip(settled).is_some_and(|(looked, settled)| looked >= settled)
    }
}

/// A measured hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredHour {
    /// What was used.
    pub usage: UsageHour,
    /// What is not among it.
    pub left_out: Vec<LeftOut>,
}

impl From<UsageHour> for MeasuredHour {
    fn from(usage: UsageHour) -> Self {
        Self { usage, left_out: Vec::new() }
    }
}

/// Growth of counters that belongs to no one hour and is not billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Of whom.
    pub namespace: String,
    /// Of what.
    pub quantity: Counted,
    /// Why.
    pub reason: Unbillable,
    /// How much, in the unit of the quantity.
    pub amount: Quantity,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// In core-hours.
    CpuUsage,
    /// In GiB.
    NetworkEgress,
}

impl Counted {
    /// Its name in metrics, with the unit that Prometheus asks for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CpuUsage => "cpu_core_seconds",
            Self::NetworkEgress => "network_egress_bytes",
        }
    }

    /// An amount in that unit, in whole ones.
    pub fn base_units(self, amount: Quantity) -> u64 {
        let per_unit: i128 = match self {
            Self::CpuUsage => 3600,
            Self::NetworkEgress => 1 << 30,
        };
        let units = i128::from(amount.micros()).saturating_mul(per_unit).div_euclid(1_000_000);
        u64::try_from(units).unwrap_or(0)
    }
}

/// Why growth belongs to no hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbillable {
    /// It happened across more than an hour without samples.
    Gap,
    /// The counter was seen for the first time and nothing proves that it began since: it is the most that
    /// may have gone unseen.
    FirstSeen,
}

impl Unbillable {
    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::FirstSeen => "first_seen",
        }
    }
}

/// Why an hour was not measured, and what that says about the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotMeasured {
    /// In words.
    pub reason: String,
    /// Nobody would answer for another hour either.
    pub outage: bool,
    /// Not before this moment, where that is known.
    pub not_before: Option<DateTime<Utc>>,
    /// The store answered, whole, and has nothing of the hour.
    pub empty: bool,
}

impl NotMeasured {
    /// A reason that says nothing of other hours nor of other times.
    pub const fn because(reason: String) -> Self {
        Self { reason, outage: false, not_before: None, empty: false }
    }
}

/// What is remembered that measuring an hour needs. Nothing else is asked of anybody but the metrics store: the same
/// samples and the same memory give the same hour.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Which nodes there were, among all that is known about who owned what.
    pub timeline: Arc<Timeline>,
    /// Which pods of virtual clusters there were in that hour, of one name the last one last; none where the metrics
    /// store tells.
    pub pods: Option<Vec<Span<PodFact>>>,
}

/// Measures hours.
pub trait Measure: Send + Sync {
    /// What was used in an hour, given what is remembered of it.
    fn measure(&self, hour: Hour, known: Known) -> BoxFuture<'_, Result<MeasuredHour, NotMeasured>>;

    /// What time it is by the metrics store's clock; none where that cannot be told.
    fn clock(&self) -> BoxFuture<'_, Option<DateTime<Utc>>> {
        Box::pin(std::future::ready(None))
    }

    /// How long the metrics store keeps samples, where it says so.
    fn retention(&self) -> BoxFuture<'_, Option<TimeDelta>> {
        Box::pin(std::future::ready(None))
    }

    /// The first moment of which the metrics store has anything of this cluster, looked for from before this hour on;
    /// none if it has nothing, or cannot tell.
    fn first_sample(&self, _oldest: Hour) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, NotMeasured>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Who owned what in hours before the cluster was observed, as far as the metrics store knows.
    fn assumed(&self, before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>>;
}

/// Lists objects.
pub trait Observe: Send + Sync {
    /// The complete lists of this moment.
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>>;

    /// Says on the resources that the last lists could not read that it is so, once for each cause. What cannot be
    /// said there is no error: whoever observes says it in the log as well.
    fn report(&self, _at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Waits until something may have changed: the kinds of which a watch told so; none where it is simply time.
    fn changed(&self) -> BoxFuture<'_, anyhow::Result<BTreeSet<ObjectKind>>>;
}

/// A kind of object that ownership is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// The resource that describes tenants.
    Tenants,
    /// Namespaces.
    Namespaces,
    /// Nodes.
    Nodes,
}

impl ObjectKind {
    /// Its name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Namespaces => "namespaces",
            Self::Nodes => "nodes",
        }
    }
}

/// Lists and watches pods of virtual clusters.
pub trait Pods: Send + Sync {
    /// All that are there at this moment in the cluster that has this uid; those of another are refused.
    fn list(&self, of: Uid) -> BoxFuture<'_, anyhow::Result<Vec<SeenPod>>>;

    /// Waits for what the watch sees next in the cluster that has this uid. Nothing is lost if nobody waits for a
    /// while.
    fn next(&self, of: Uid) -> BoxFuture<'_, anyhow::Result<PodNews>>;
}

/// What a watch on pods says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodNews {
    /// A pod is there.
    Seen(SeenPod),
    /// A pod is no more.
    Gone(Uid),
    /// Everything that is there has been seen, at the beginning and whenever the watch begins anew.
    Begun,
    /// It does not work, and tries again by itself.
    Broken(String),
}

/// The complete lists of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// What is there.
    pub observation: Observation,
    /// Resources that could not be read, and why.
    pub skipped: Vec<String>,
    /// The uid of the `kube-system` namespace: it is as old as its cluster and never deleted, so it tells clusters
    /// apart.
    pub cluster_uid: Option<Uid>,
    /// Whether the configuration names this very cluster by its uid.
    pub confirmed: bool,
}
