//! Remembers where pods of virtual clusters belong, before they are gone.
//!
//! A watch tells of each, a list of what the watch missed. An hour is measured once a list was begun after the hour
//! had settled: all that was there in it is known by then, and nothing that is learned later changes what it was made
//! of. So an hour measured live, after an outage or again is the same.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use defray_ledger::{LedgerError, PodChange, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::observe::of_the_ledger;
use super::runner::is_fatal;
use super::watching::Watching;
use super::{Bell, Cluster, Looks, PodNews, Pods, Shared};
use crate::clock::Clock;
use crate::rerate::{settled_at, settled_until};

/// How long what a watch saw is gathered before it is written.
const GATHER: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1000 });
/// How long a write that failed is waited with.
const RETRY: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 15_000 });
/// How much is gathered at most. The watch waits then, and what it loses meanwhile a list finds.
const MOST: usize = 10_000;

/// Follows pods.
#[derive(Debug, Clone)]
pub struct PodKeeper {
    /// What it works with.
    pub shared: Shared,
    /// The clusters it looks at.
    pub clusters: Vec<Cluster>,
    /// How long after its end an hour is measured.
    pub settle: Duration,
    /// Rung when pods were listed: hours may have waited for it.
    pub listed: Bell,
    /// Rung when a watch broke: whether the cluster still answers is found by looking at it.
    pub observe: Bell,
    /// What came of looking: pods are those of the cluster that was recognised.
    pub looks: Looks,
    /// What was seen and is not written yet.
    pub unwritten: Unwritten,
}

/// What was seen of each cluster's pods and is not written yet.
#[derive(Debug, Clone, Default)]
pub struct Unwritten(Arc<std::sync::Mutex<BTreeMap<ClusterName, Arc<Mutex<Batch>>>>>);

impl Unwritten {
    fn of(&self, cluster: &ClusterName) -> Arc<Mutex<Batch>> {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(batches.entry(cluster.clone()).or_default())
    }
}

/// What was seen of one cluster's pods and is not written yet.
#[derive(Debug, Default)]
struct Batch {
    changes: Vec<PodChange>,
    /// When it is to be written.
    due: Option<Instant>,
}

impl PodKeeper {
    /// Lists the pods of every cluster whose last list is from before its newest settled hour had settled, and that
    /// was observed since.
    pub async fn run(&self) -> anyhow::Result<String> {
        let runs =
            self.clusters.iter().filter_map(|cluster| cluster.pods.as_deref().map(|pods| (cluster, pods)));
        let runs = runs.map(|(cluster, pods)| async move {
            let listed = self.list(cluster, pods).await;
            self.looks.listed(&cluster.name, listed.as_ref().err().map(|error| format!("{error:#}")));
            listed.with_context(|| format!("cluster {}", cluster.name))
        });
        let (mut lists, mut wrong) = (0_u64, Vec::new());
        for result in futures::future::join_all(runs).await {
            match result {
                Ok(listed) => lists += u64::from(listed),
                Err(error) if of_the_ledger(&error) => return Err(error),
                Err(error) => wrong.push(format!("{error:#}")),
            }
        }
        if lists > 0 {
            self.listed.ring();
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(format!("{lists} lists of pods"))
    }

    /// Whether a list was due, and is taken in.
    async fn list(&self, cluster: &Cluster, pods: &dyn Pods) -> anyhow::Result<bool> {
        let (ledger, everything) = (&self.shared.ledger, Scope::everything());
        let now = self.shared.clock.now();
        let due = settled_at(settled_until(now, self.settle), self.settle);
        let last = ledger.pods_listed(&everything, &cluster.name).await?;
        if let Some(last) = last {
            anyhow::ensure!(
                last <= now,
                "pods were listed at {}, which the clock has not reached yet; check time synchronisation: if the \
                 clock is wrong now, set it; if it was ahead then, wait until that moment or restore the backup from \
                 before; pods are not listed and hours are not measured until then",
                last.format("%Y-%m-%dT%H:%M:%SZ")
            );
            if last >= due {
                return Ok(false);
            }
        }
        let Some(of) = self.looks.uid(&cluster.name).filter(|_| !cluster.is_over(last, self.settle)) else {
            return Ok(false);
        };
        // An observation is refused where another cluster answers, or by a clock that ran ahead. So is a list.
        let observed = ledger.observed_until(&everything, &cluster.name).await?;
        if observed.is_none_or(|at| at < due || at > now) {
            return Ok(false);
        }
        let at = {
            let batch = self.unwritten.of(&cluster.name);
            let mut batch = batch.lock().await;
            // What was seen before the list is written before it: after it, hours may be measured from what was.
            self.write(cluster, &mut batch).await.context("what was seen of pods cannot be written")?;
            self.shared.clock.now()
        };
        // In this order: what is known before the list is begun and not in it is gone.
        let before = ledger.pods_now(&everything, &cluster.name).await?;
        let listed = pods.list(of).await?;
        let changes = ledger.list_pods(&self.shared.guard, &cluster.name, at, &before, &listed).await?;
        if changes.opened + changes.closed > 0 {
            tracing::info!(
                cluster.name = %cluster.name,
                pods.came = changes.opened,
                pods.went = changes.closed,
                "the list of pods tells what the watch had not"
            );
        }
        Ok(true)
    }

    /// Writes down what a watch sees, until the daemon stops.
    pub async fn follow(&self, cluster: &Cluster, stop: CancellationToken) -> anyhow::Result<()> {
        let Some(pods) = &cluster.pods else { return Ok(()) };
        let mut watching = Watching::new(&self.shared, cluster.name.as_str());
        // By a wrong way in these could be the pods of another cluster.
        let of = tokio::select! {
            of = self.looks.known(&cluster.name) => of,
            () = stop.cancelled() => return Ok(()),
        };
        let batch = self.unwritten.of(&cluster.name);
        loop {
            let (due, is_full) = {
                let batch = batch.lock().await;
                if batch.changes.is_empty() {
                    // By a list, if not from here.
                    watching.written();
                }
                (batch.due, batch.changes.len() >= MOST)
            };
            let (resume, of) = (watching.resume, of.clone());
            let next = async {
                sleep_until(resume).await;
                pods.next(of).await
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = until(due) => self.flush(cluster, &mut *batch.lock().await, &mut watching).await?,
                news = next, if !is_full => match news {
                    Ok(PodNews::Broken(reason)) => {
                        // Its connection may be what is broken: the next look finds out, and connects anew.
                        if watching.broken(reason) {
                            self.observe.ring();
                        }
                    }
                    Ok(PodNews::Begun) => watching.works(),
                    Ok(PodNews::Seen(pod)) => {
                        batch.lock().await.take(|at| PodChange::Seen { pod, at }, &self.shared.clock);
                    }
                    Ok(PodNews::Gone(uid)) => {
                        batch.lock().await.take(|at| PodChange::Gone { uid, at }, &self.shared.clock);
                    }
                    Err(error) => watching.refused(format!("{error:#}")),
                }
            }
        }
        self.flush(cluster, &mut *batch.lock().await, &mut watching).await
    }

    /// What cannot be written is kept and written later.
    async fn flush(
        &self,
        cluster: &Cluster,
        batch: &mut Batch,
        watching: &mut Watching<'_>,
    ) -> anyhow::Result<()> {
        match self.write(cluster, batch).await.map_err(anyhow::Error::from) {
            Ok(()) => watching.written(),
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                watching.not_written(format!("{error:#}"));
                batch.due = Some(Instant::now() + RETRY);
            }
        }
        Ok(())
    }

    async fn write(&self, cluster: &Cluster, batch: &mut Batch) -> Result<(), LedgerError> {
        if !batch.changes.is_empty() {
            self.shared.ledger.follow_pods(&self.shared.guard, &cluster.name, &batch.changes).await?;
        }
        *batch = Batch::default();
        Ok(())
    }
}

impl Batch {
    fn take(&mut self, change: impl FnOnce(DateTime<Utc>) -> PodChange, clock: &Clock) {
        self.due.get_or_insert_with(|| Instant::now() + GATHER);
        self.changes.push(change(clock.now()));
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Whether what was listed then tells all that was there in an hour. What was listed in the future was by a clock that
/// was wrong.
pub(super) fn tells_of(
    listed: Option<DateTime<Utc>>,
    hour: Hour,
    settle: Duration,
    now: DateTime<Utc>,
) -> bool {
    listed.is_some_and(|listed| listed <= now && listed >= settled_at(hour.next(), settle))
}
