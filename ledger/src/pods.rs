//! Pods of virtual clusters: in which virtual namespace each was, when.
//!
//! Kept only where their labels are read from Kubernetes. A watch tells of each as it comes and goes, a complete list
//! of what the watch missed. Pods are many: at 10,000 a day this is 2.2 MB a day, most of it never read again once
//! the metrics store has forgotten their hours. Nothing forgets them yet.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use defray_pricing::names::{ClusterName, Namespace, Uid, VirtualNamespace};
use defray_pricing::ownership::{Origin, Span};
use defray_pricing::time::Hour;

use crate::backend::args;
use crate::instant::{instant, micros};
use crate::ownership::Changes;
use crate::{Ledger, LedgerError, Scope, WriteGuard};

mod life;

/// What is known of a pod of a virtual cluster, on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodFact {
    /// Its host namespace.
    pub namespace: Namespace,
    /// Its name on the host. Another pod may have it later.
    pub name: String,
    /// Where it is shown: its namespace inside the virtual cluster, or the control plane.
    pub virtual_namespace: VirtualNamespace,
}

/// A pod that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenPod {
    /// Its uid on the host.
    pub uid: Uid,
    /// When the API server made it, where it says.
    pub created: Option<DateTime<Utc>>,
    /// What is known of it.
    pub fact: PodFact,
}

/// What a watch saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodChange {
    /// It is there, new or as before.
    Seen {
        /// The pod.
        pod: SeenPod,
        /// When it was seen.
        at: DateTime<Utc>,
    },
    /// It is no more.
    Gone {
        /// Which.
        uid: Uid,
        /// When that was seen.
        at: DateTime<Utc>,
    },
}

impl PodChange {
    const fn uid(&self) -> &Uid {
        match self {
            Self::Seen { pod, .. } => &pod.uid,
            Self::Gone { uid, .. } => uid,
        }
    }
}

impl Ledger {
    /// Takes in what a watch saw, in that order, in one transaction. The same again changes nothing. A pod that is
    /// new holds since it was made, for it was there before it was seen; but not since before the last list. Hours
    /// that settled before that list may be measured already, and what they were made of stays.
    pub async fn follow_pods(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        changes: &[PodChange],
    ) -> Result<Changes, LedgerError> {
        let mut tx = self.write(guard).await?;
        let done = life::apply(&mut tx, cluster, changes).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Takes in a complete list that was begun at `at`. What was known `before` and is not in it is gone; what a
    /// watch brought meanwhile is not touched. Time never goes back.
    pub async fn list_pods(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        at: DateTime<Utc>,
        before: &BTreeSet<Uid>,
        listed: &[SeenPod],
    ) -> Result<Changes, LedgerError> {
        // A list can hold one pod twice. Both are of one moment.
        let listed: BTreeMap<&Uid, &SeenPod> = listed.iter().map(|pod| (&pod.uid, pod)).collect();
        let gone = before.iter().filter(|uid| !listed.contains_key(uid));
        let gone = gone.map(|uid| PodChange::Gone { uid: uid.clone(), at });
        let seen = listed.values().map(|pod| PodChange::Seen { pod: (*pod).clone(), at });
        let changes: Vec<PodChange> = gone.chain(seen).collect();
        let mut tx = self.write(guard).await?;
        if let Some(last) = life::last_list(&mut tx, cluster).await?
            && micros(at) < last
        {
            return Err(LedgerError::ClockWentBack { cluster: cluster.clone(), at, last: instant(last)? });
        }
        let done = life::apply(&mut tx, cluster, &changes).await?;
        tx.execute(
            "INSERT INTO pod_lists (cluster, last) VALUES ($1, $2) \
             ON CONFLICT (cluster) DO UPDATE SET last = excluded.last",
            args![cluster.as_str(), micros(at)],
        )
        .await?;
        tx.commit().await?;
        Ok(done)
    }

    /// The pods of a cluster that are there as far as is known.
    pub async fn pods_now(&self, scope: &Scope, cluster: &ClusterName) -> Result<BTreeSet<Uid>, LedgerError> {
        scope.whole("the pods of a cluster")?;
        let mut tx = self.read().await?;
        let rows = tx
            .fetch("SELECT uid FROM pods WHERE cluster = $1 AND until IS NULL", args![cluster.as_str()])
            .await?;
        rows.into_iter().map(|mut row| row.text().map(Uid::from)).collect()
    }

    /// When all pods of a cluster were last listed.
    pub async fn pods_listed(
        &self,
        scope: &Scope,
        cluster: &ClusterName,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        scope.whole("the pods of a cluster")?;
        let mut tx = self.read().await?;
        life::last_list(&mut tx, cluster).await?.map(instant).transpose()
    }

    /// The pods of a cluster that were there at any moment of an hour, by namespace and name; of one name the last
    /// is the last.
    pub async fn pods(
        &self,
        scope: &Scope,
        cluster: &ClusterName,
        hour: Hour,
    ) -> Result<Vec<Span<PodFact>>, LedgerError> {
        scope.whole("the pods of a cluster")?;
        let mut tx = self.read().await?;
        // What ended in the instant it began was there in it.
        let rows = tx
            .fetch(
                "SELECT uid, n, namespace, name, virtual_namespace, since, until FROM pods \
                 WHERE cluster = $1 AND (until IS NULL OR until >= $2) AND since < $3",
                args![cluster.as_str(), micros(hour.start()), micros(hour.end())],
            )
            .await?;
        let mut spans = Vec::with_capacity(rows.len());
        for mut row in rows {
            let (uid, n) = (Uid::from(row.text()?), row.int()?);
            let fact = life::fact(&mut row)?;
            let (from, until) = (instant(row.int()?)?, row.int_or()?.map(instant).transpose()?);
            let span = Span { cluster: cluster.clone(), uid, from, until, origin: Origin::Observed, fact };
            spans.push((n, span));
        }
        spans.sort_by(|(n, a), (m, b)| {
            let key = |span: &Span<PodFact>| (span.fact.namespace.clone(), span.fact.name.clone(), span.from);
            key(a).cmp(&key(b)).then_with(|| a.uid.cmp(&b.uid)).then_with(|| n.cmp(m))
        });
        Ok(spans.into_iter().map(|(_, span)| span).collect())
    }
}
