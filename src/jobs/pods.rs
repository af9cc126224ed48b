//! Remembers where pods of virtual clusters belong, before they are gone.
//!
//! A watch tells of each, a list of what the watch missed. An hour is measured once a list was begun after the hour
//! had settled: all that was there in it is known by then, and nothing that is learned later changes what it was made
//! of. So an hour measured live, after an outage or again is the same.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use defray_ledger::{PodChange, Scope};
use defray_pricing::time::Hour;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::observe::of_the_ledger;
use super::runner::is_fatal;
use super::watching::Watching;
use super::{Bell, Cluster, PodNews, Pods, Shared};
use crate::rerate::{settled_at, settled_until};

/// How long what a watch saw is gathered before it is written.
const GATHER: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1000 });
/// How long a write that failed is waited with.
const RETRY: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 15 });
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
}

/// What was seen and is not written yet.
#[derive(Debug)]
struct Batch {
    changes: Vec<PodChange>,
    due: Instant,
    is_refused: bool,
}

impl PodKeeper {
    /// Lists the pods of every cluster whose last list is from before its newest settled hour had settled.
    pub async fn run(&self) -> anyhow::Result<String> {
        let runs =
            self.clusters.iter().filter_map(|cluster| cluster.pods.as_deref().map(|pods| (cluster, pods)));
        let runs = runs.map(|(cluster, pods)| async move {
            self.list(cluster, pods).await.with_context(|| format!("cluster {}", cluster.name))
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
        let newest = settled_until(self.shared.clock.now(), self.settle);
        let last = ledger.pods_listed(&everything, &cluster.name).await?;
        if last.is_some_and(|last| last >= settled_at(newest, self.settle)) {
            return Ok(false);
        }
        // In this order: what is known before the list is begun and not in it is gone.
        let before = ledger.pods_now(&everything, &cluster.name).await?;
        let at = self.shared.clock.now();
        let listed = pods.list().await?;
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
        let mut batch = Batch { changes: Vec::new(), due: Instant::now(), is_refused: false };
        loop {
            let resume = watching.resume;
            let next = async {
                sleep_until(resume).await;
                pods.next().await
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(batch.due), if !batch.changes.is_empty() => self.write(cluster, &mut batch).await?,
                news = next, if batch.changes.len() < MOST => match news {
                    Ok(PodNews::Broken(reason)) => watching.broken(reason),
                    Err(error) => watching.refused(format!("{error:#}")),
                    Ok(seen) => {
                        watching.works();
                        batch.take(seen, self.shared.clock.now());
                    }
                }
            }
        }
        if batch.changes.is_empty() { Ok(()) } else { self.write(cluster, &mut batch).await }
    }

    /// What cannot be written is kept and written later.
    async fn write(&self, cluster: &Cluster, batch: &mut Batch) -> anyhow::Result<()> {
        let written = self.shared.ledger.follow_pods(&self.shared.guard, &cluster.name, &batch.changes).await;
        match written.map_err(anyhow::Error::from) {
            Ok(_) => {
                batch.changes.clear();
                batch.is_refused = false;
            }
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                if !batch.is_refused {
                    tracing::warn!(
                        cluster.name = %cluster.name,
                        error = format!("{error:#}"),
                        "what was seen of pods cannot be written and is tried again"
                    );
                }
                batch.is_refused = true;
                batch.due = Instant::now() + RETRY;
            }
        }
        Ok(())
    }
}

impl Batch {
    fn take(&mut self, news: PodNews, at: DateTime<Utc>) {
        let change = match news {
            PodNews::Seen(pod) => PodChange::Seen { pod, at },
            PodNews::Gone(uid) => PodChange::Gone { uid, at },
            PodNews::Begun | PodNews::Broken(_) => return,
        };
        if self.changes.is_empty() {
            self.due = Instant::now() + GATHER;
        }
        self.changes.push(change);
    }
}

/// Whether all pods that were there in an hour are known.
pub(super) fn tells_of(listed: Option<DateTime<Utc>>, hour: Hour, settle: Duration) -> bool {
    listed.is_some_and(|listed| listed >= settled_at(hour.next(), settle))
}
