//! An API server, connected when it is first needed, and anew after it failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use defray_ledger::SeenPod;
use defray_pricing::names::Uid;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::{Mutex, Notify};

use crate::collect::{Finding, kubernetes};
use crate::jobs::{ObjectKind, Observe, Observed, PodNews, Pods};

/// How many resources are told of after one list, so that a fault of all of them holds up no list.
const REPORTS: usize = 50;

/// An API server.
pub(super) struct Objects {
    settings: kubernetes::Settings,
    collector: Mutex<Option<kubernetes::Collector>>,
    wakes: Following<kubernetes::Wake>,
    pods: Following<Result<kubernetes::PodEvent, Finding>>,
    /// Whether the watches still have a connection that was given up.
    outdated: AtomicBool,
    /// What is wrong with the watches that are broken.
    broken: Mutex<BTreeMap<kubernetes::Kind, Finding>>,
    /// What the last lists could not read.
    unread: Mutex<Unread>,
}

/// What cannot be read, and what was said of it where its owners look.
#[derive(Default)]
struct Unread {
    skipped: BTreeSet<kubernetes::Skipped>,
    reported: BTreeSet<kubernetes::Skipped>,
    /// Why nothing can be said there.
    refused: Option<Finding>,
}

/// A watch that is had as long as the connection it was made with.
struct Following<T> {
    stream: Mutex<Option<BoxStream<'static, T>>>,
    renewed: Notify,
}

impl<T> Following<T> {
    fn new() -> Self {
        Self { stream: Mutex::new(None), renewed: Notify::new() }
    }

    async fn next(
        &self,
        objects: &Objects,
        begin: impl Fn(&kubernetes::Collector) -> BoxStream<'static, T>,
    ) -> anyhow::Result<T> {
        let mut stream = self.stream.lock().await;
        loop {
            let following = match stream.as_mut() {
                Some(following) => following,
                None => stream.insert(begin(&objects.collector().await?)),
            };
            tokio::select! {
                next = following.next() => {
                    if let Some(next) = next {
                        return Ok(next);
                    }
                    *stream = None;
                    anyhow::bail!("the watch ended");
                }
                () = self.renewed.notified() => *stream = None,
            }
        }
    }
}

impl Objects {
    pub(super) fn new(settings: kubernetes::Settings) -> Self {
        Self {
            settings,
            collector: Mutex::new(None),
            wakes: Following::new(),
            pods: Following::new(),
            outdated: AtomicBool::new(false),
            broken: Mutex::new(BTreeMap::new()),
            unread: Mutex::new(Unread::default()),
        }
    }

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

    /// Says what broke and what works again, once each.
    async fn tell(&self, wake: &kubernetes::Wake) {
        let mut broken = self.broken.lock().await;
        for (kind, trouble) in &wake.troubles {
            if broken.insert(*kind, trouble.clone()).as_ref() != Some(trouble) {
                tracing::warn!("a watch is broken and tried again by itself: {}", in_words(trouble));
            }
        }
        let troubled = |kind: &kubernetes::Kind| wake.troubles.iter().any(|(other, _)| other == kind);
        for kind in wake.changed.iter().filter(|kind| !troubled(kind)) {
            if let Some(trouble) = broken.remove(kind) {
                tracing::info!("a watch works again: {}", trouble.subject);
            }
        }
    }

    /// Credentials and addresses may have been renewed: after a failure whatever comes next connects anew. The
    /// watches follow once that has answered. If they followed at once, each beginning of theirs would ask for the
    /// next failure.
    async fn answered<T>(&self, answer: Result<T, kubernetes::KubernetesError>) -> anyhow::Result<T> {
        match answer {
            Ok(answer) => {
                if self.outdated.swap(false, Ordering::SeqCst) {
                    self.wakes.renewed.notify_one();
                    self.pods.renewed.notify_one();
                }
                Ok(answer)
            }
            Err(error) => {
                if error.calls_for_a_new_connection() {
                    *self.collector.lock().await = None;
                    self.outdated.store(true, Ordering::SeqCst);
                }
                Err(with_mend(&error))
            }
        }
    }
}

impl Observe for Objects {
    fn observe(&self) -> BoxFuture<'_, anyhow::Result<Observed>> {
        Box::pin(async {
            let collector = self.collector().await?;
            let observing: BoxFuture<'_, Result<kubernetes::Observed, kubernetes::KubernetesError>> =
                Box::pin(collector.observe());
            let observed = self.answered(observing.await).await?;
            let problems: BTreeSet<String> = observed.problems.iter().map(in_words).collect();
            anyhow::ensure!(problems.is_empty(), "{}", problems.into_iter().collect::<Vec<_>>().join("; "));
            self.unread.lock().await.skipped = observed.skipped.iter().cloned().collect();
            let skipped = observed.skipped.iter().map(ToString::to_string).collect();
            let kubernetes::Observed { observation, cluster_uid, .. } = observed;
            let confirmed = self.settings.cluster_uid.is_some();
            Ok(Observed { observation, skipped, cluster_uid, confirmed })
        })
    }

    fn report(&self, at: DateTime<Utc>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Ok(collector) = self.collector().await else { return };
            let mut unread = self.unread.lock().await;
            let Unread { skipped, reported, refused } = &mut *unread;
            // What was mended may break again in the same way.
            reported.retain(|one| skipped.contains(one));
            if !collector.reports() {
                return;
            }
            for one in skipped.difference(&reported.clone()).take(REPORTS) {
                match collector.report(one, at).await {
                    Ok(()) => drop(reported.insert(one.clone())),
                    // The others would fare no better; the next list tries again.
                    Err(finding) => {
                        if refused.as_ref() != Some(&finding) {
                            tracing::warn!("what cannot be read is told here alone: {}", in_words(&finding));
                        }
                        *refused = Some(finding);
                        return;
                    }
                }
            }
            *refused = None;
        })
    }

    fn changed(&self) -> BoxFuture<'_, anyhow::Result<BTreeSet<ObjectKind>>> {
        Box::pin(async {
            loop {
                let wake = self.wakes.next(self, kubernetes::Collector::changes).await?;
                self.tell(&wake).await;
                // A list would fail like the watch; it is made in time whatever the watches do.
                if wake.calls_for_a_list() {
                    return Ok(wake.changed.iter().filter_map(|kind| of(*kind)).collect());
                }
            }
        })
    }
}

impl Pods for Objects {
    fn list(&self, of: Uid) -> BoxFuture<'_, anyhow::Result<Vec<SeenPod>>> {
        Box::pin(async move {
            let collector = self.collector().await?;
            let listing: BoxFuture<'_, Result<Vec<SeenPod>, kubernetes::KubernetesError>> =
                Box::pin(collector.pods(&of));
            self.answered(listing.await).await
        })
    }

    fn next(&self, of: Uid) -> BoxFuture<'_, anyhow::Result<PodNews>> {
        Box::pin(async move {
            Ok(match self.pods.next(self, |collector| collector.pod_changes(&of)).await? {
                Ok(kubernetes::PodEvent::Seen(pod)) => PodNews::Seen(pod),
                Ok(kubernetes::PodEvent::Gone(uid)) => PodNews::Gone(uid),
                Ok(kubernetes::PodEvent::Begun) => PodNews::Begun,
                Err(trouble) => PodNews::Broken(in_words(&trouble)),
            })
        })
    }
}

/// A kind in the words of the jobs; pods have a watch of their own.
const fn of(kind: kubernetes::Kind) -> Option<ObjectKind> {
    match kind {
        kubernetes::Kind::Tenants => Some(ObjectKind::Tenants),
        kubernetes::Kind::Namespaces => Some(ObjectKind::Namespaces),
        kubernetes::Kind::Nodes => Some(ObjectKind::Nodes),
        kubernetes::Kind::Pods => None,
    }
}

fn with_mend(error: &kubernetes::KubernetesError) -> anyhow::Error {
    anyhow::anyhow!("{error} ({})", error.mend())
}

fn in_words(finding: &Finding) -> String {
    let mend = finding.mend.as_ref().map(|mend| format!(" ({mend})")).unwrap_or_default();
    format!("{}: {}{mend}", finding.subject, finding.message)
}
