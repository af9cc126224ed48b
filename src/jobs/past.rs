//! Who owned what before a cluster was first observed, from the metrics store.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use defray_ledger::Scope;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};

use super::{Bell, Cluster, Shared};

/// Assumes past ownership.
#[derive(Debug, Clone)]
pub struct Historian {
    /// What it works with.
    pub shared: Shared,
    /// The clusters it looks at.
    pub clusters: Vec<Cluster>,
    /// Whose past is known.
    pub known: KnownPast,
    /// Rung when a past became known.
    pub learned: Bell,
}

/// The clusters whose past is known, as far as it can be: their past hours may be measured. An hour that was
/// measured before could find its nodes in other pools than one measured after.
#[derive(Debug, Clone, Default)]
pub struct KnownPast(Arc<Mutex<BTreeSet<ClusterName>>>);

impl KnownPast {
    /// Whether a cluster's past is known.
    pub fn holds(&self, cluster: &ClusterName) -> bool {
        self.lock().contains(cluster)
    }

    /// Says that a cluster's past is known.
    pub fn learn(&self, cluster: &ClusterName) {
        self.lock().insert(cluster.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<ClusterName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Historian {
    /// Asks once a start for every cluster that counts since before it was observed.
    pub async fn run(&self) -> anyhow::Result<String> {
        let mut wrong = Vec::new();
        for cluster in self.clusters.iter().filter(|cluster| !self.known.holds(&cluster.name)) {
            match self.cluster(cluster).await.with_context(|| format!("cluster {}", cluster.name))? {
                None => {}
                Some(reason) => wrong.push(format!("cluster {}: {reason}", cluster.name)),
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok("ownership before the first observation is known as far as it can be".to_owned())
    }

    /// Why the past of a cluster is not known yet, if it is not.
    async fn cluster(&self, cluster: &Cluster) -> anyhow::Result<Option<String>> {
        let timeline = self.shared.ledger.timeline(&Scope::everything()).await?;
        let Some(observed) = timeline.observed_since.get(&cluster.name) else {
            // The first observation rings the bell.
            return Ok(None);
        };
        let until = Hour::containing(*observed);
        let before = HourRange { from: cluster.counts.since.unwrap_or(until), until };
        if !before.is_empty() {
            match cluster.measure.assumed(before).await {
                Ok(assumed) => {
                    let ledger = &self.shared.ledger;
                    ledger.assume(&self.shared.guard, &cluster.name, &assumed).await?;
                }
                // Nobody answers: the hours could not be measured either, so both wait.
                Err(failure) if failure.outage => return Ok(Some(failure.reason)),
                Err(failure) => tracing::warn!(
                    cluster.name = %cluster.name,
                    error = failure.reason,
                    "the metrics store does not tell past ownership; the earliest known one is assumed"
                ),
            }
        }
        self.known.learn(&cluster.name);
        self.learned.ring();
        Ok(None)
    }
}
