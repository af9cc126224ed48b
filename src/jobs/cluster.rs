//! What the jobs need of a cluster. The seams of the daemon: behind them a metrics store and an API server, or a
//! test's own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use defray_ledger::{Assumed, Observation, PodFact, SeenPod};
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::{Span, Timeline};
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;
use futures::future::BoxFuture;

/// A cluster the jobs look after.
#[derive(Clone)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// The first hour to measure; none for the first in which it was observed.
    pub since: Option<Hour>,
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
            .field("since", &self.since)
            .field("pods", &self.pods.is_some())
            .finish_non_exhaustive()
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
    fn measure(&self, hour: Hour, known: Known) -> BoxFuture<'_, Result<UsageHour, NotMeasured>>;

    /// Who owned what in hours before the cluster was observed, as far as the metrics store knows.
    fn assumed(&self, before: HourRange) -> BoxFuture<'_, Result<Assumed, NotMeasured>>;
}

/// Lists objects.
pub trait Observe: Send + Sync {
    /// The complete lists of this moment.
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>>;

    /// Waits until something may have changed.
    fn changed(&self) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// Lists and watches pods of virtual clusters.
pub trait Pods: Send + Sync {
    /// All that are there at this moment.
    fn list(&self) -> BoxFuture<'_, anyhow::Result<Vec<SeenPod>>>;

    /// Waits for what the watch sees next. Nothing is lost if nobody waits for a while.
    fn next(&self) -> BoxFuture<'_, anyhow::Result<PodNews>>;
}

/// What a watch on pods says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodNews {
    /// A pod is there.
    Seen(SeenPod),
    /// A pod is no more.
    Gone(Uid),
    /// Everything that is there has been seen.
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
}
