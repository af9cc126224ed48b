//! Which hours no metrics store has any more. Decided by what the store has, never by how it fails: a store that is
//! down, that holds nothing of the cluster at all, or that holds what was before the hour, is no evidence.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Missing, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;

use super::{Cluster, NotMeasured, Sampler};
use crate::telemetry::ClusterLabel;

/// How long an hour is missed before it is lost, where the store does not say that it no longer keeps it: a store that
/// was lost may be restored.
const GRACE: TimeDelta = TimeDelta::days(1);
/// How often it is looked whether a store reaches back to lost hours after all.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(1);

/// How long each metrics store said that it keeps samples, when it last said so: what matters most while it is down.
#[derive(Debug, Clone, Default)]
pub struct Retentions(Arc<Mutex<BTreeMap<ClusterName, Retention>>>);

#[derive(Debug, Clone, Copy)]
struct Retention {
    keeps: Option<TimeDelta>,
    asked: DateTime<Utc>,
}

impl Retentions {
    /// As long as it is; asked anew once an hour.
    async fn of(&self, cluster: &Cluster, now: DateTime<Utc>) -> Option<TimeDelta> {
        let known = self.lock().get(&cluster.name).copied();
        if let Some(known) = known
            && now - known.asked < TimeDelta::hours(1)
        {
            return known.keeps;
        }
        let keeps = cluster.measure.retention().await.or_else(|| known.and_then(|known| known.keeps));
        // What nobody has answered yet is asked again with the next run.
        if keeps.is_some() {
            self.lock().insert(cluster.name.clone(), Retention { keeps, asked: now });
        }
        keeps
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterName, Retention>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a metrics store has of a cluster, asked at most once in a run.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    first: FirstSample,
    keeps: Option<TimeDelta>,
}

/// The first sample that a store has, looked for from the oldest hour that counts.
#[derive(Debug, Clone, Copy, Default)]
enum FirstSample {
    /// Nobody asked, or nobody answered.
    #[default]
    Unknown,
    None,
    At(DateTime<Utc>),
}

impl Sampler {
    /// Notes an hour as lost, if the store answered and has nothing of it, and that will not change.
    pub(super) async fn judge(
        &self,
        cluster: &Cluster,
        hour: Hour,
        noted: Option<&Missing>,
        (oldest, evidence): (Hour, &mut Evidence),
    ) -> anyhow::Result<()> {
        let now = self.shared.clock.now();
        evidence.keeps = self.retentions.of(cluster, now).await;
        let is_out = evidence.keeps.is_some_and(|keeps| hour.end() + keeps < now);
        let is_old = noted.is_some_and(|note| now - note.first_seen >= GRACE);
        if !is_out && !is_old {
            return Ok(());
        }
        if matches!(evidence.first, FirstSample::Unknown) {
            evidence.first = first_sample(cluster, oldest).await;
        }
        let FirstSample::At(first) = evidence.first else { return Ok(()) };
        if first < hour.end() {
            return Ok(());
        }
        let kept = evidence.keeps.map(|keeps| format!(" and keeps samples for {} hours", keeps.num_hours()));
        let reason = format!(
            "its metrics store has nothing of this hour nor of any before it: it begins at {}{}; if it reaches further \
             back again, the hour is measured by itself",
            first.format("%Y-%m-%dT%H:%M:%SZ"),
            kept.unwrap_or_default()
        );
        let (ledger, guard) = (&self.shared.ledger, &self.shared.guard);
        ledger.note_lost(guard, &cluster.name, &[hour], &reason, now, now + LOOK_AGAIN).await?;
        tracing::error!(cluster.name = %cluster.name, hour.start = %hour, error = reason, "hour lost");
        self.recorded.ring();
        Ok(())
    }

    /// Lost hours to which the store reaches back again are missing, and tried.
    pub(super) async fn look_for_lost(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let (ledger, guard, now) = (&self.shared.ledger, &self.shared.guard, self.shared.clock.now());
        let mut lost = ledger.missing(&Scope::everything()).await?;
        lost.retain(|note| note.cluster == cluster.name && note.lost_since.is_some());
        let Some(oldest) = lost.first().map(|note| note.hour) else { return Ok(()) };
        if lost.iter().all(|note| note.next_try > now) {
            return Ok(());
        }
        let first = match first_sample(cluster, oldest).await {
            FirstSample::Unknown => return Ok(()),
            FirstSample::None => None,
            FirstSample::At(first) => Some(first),
        };
        let is_there = |note: &&Missing| first.is_some_and(|first| first < note.hour.end());
        let found: Vec<Hour> = lost.iter().filter(is_there).map(|note| note.hour).collect();
        if !found.is_empty() {
            let reason = "it was lost, and its metrics store reaches back to it again";
            ledger.note_found(guard, &cluster.name, &found, reason, now).await?;
            tracing::warn!(cluster.name = %cluster.name, hours.found = found.len(), "lost hours are tried again");
            self.recorded.ring();
        }
        Ok(ledger.put_off_lost(guard, &cluster.name, now + LOOK_AGAIN).await?)
    }

    /// How much of the time that the store keeps samples the oldest missing hour has used up.
    pub(super) async fn show_retention(&self, cluster: &Cluster, oldest: Option<Hour>) {
        let label = ClusterLabel { cluster: cluster.name.to_string() };
        let now = self.shared.clock.now();
        let keeps = self.retentions.of(cluster, now).await;
        let used = oldest.zip(keeps).and_then(|(oldest, keeps)| {
            let thousandths = (now - oldest.start()).num_seconds().checked_mul(1000)?;
            thousandths.checked_div(keeps.num_seconds())
        });
        let metric = &self.shared.metrics.retention_used;
        match used.and_then(|used| i32::try_from(used).ok()) {
            Some(used) => {
                metric.get_or_create(&label).set(f64::from(used) / 1000.0);
            }
            None => {
                metric.remove(&label);
            }
        }
    }
}

async fn first_sample(cluster: &Cluster, oldest: Hour) -> FirstSample {
    match cluster.measure.first_sample(oldest).await {
        Ok(first) => first.map_or(FirstSample::None, FirstSample::At),
        Err(NotMeasured { reason, .. }) => {
            tracing::warn!(
                cluster.name = %cluster.name,
                error = reason,
                "cannot tell whether hours are lost"
            );
            FirstSample::Unknown
        }
    }
}
