//! What the jobs need of a cluster. The two seams of the daemon: behind them a metrics store and an API
//! server, or a test's own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use defray_ledger::{Assumed, Observation};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::Timeline;
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
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name)
            .field("since", &self.since)
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

/// Measures hours.
pub trait Measure: Send + Sync {
    /// What was used in an hour, given which nodes there were.
    fn measure(&self, hour: Hour, timeline: Arc<Timeline>) -> BoxFuture<'_, Result<UsageHour, NotMeasured>>;

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

/// The complete lists of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// What is there.
    pub observation: Observation,
    /// Resources that could not be read, and why.
    pub skipped: Vec<String>,
}
