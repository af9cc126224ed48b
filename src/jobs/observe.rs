//! Takes in who exists and who owns what; says what contradicts itself and what could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{LedgerError, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Conflict, Origin, TenancyRules, Timeline, resolve};
use defray_pricing::time::Hour;

use super::{Bell, Cluster, Looks, Observed, Shared};
use crate::telemetry::ClusterLabel;

/// How far our clock may be ahead of the metrics store's.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// How long after the last observation the next is believed even if nobody can confirm the time.
const UNCONFIRMED: TimeDelta = TimeDelta::days(1);
/// The namespace by whose uid clusters are told apart.
const KUBE_SYSTEM: &str = "kube-system";

/// Observes ownership.
#[derive(Debug, Clone)]
pub struct Observer {
    /// What it works with.
    pub shared: Shared,
    /// The clusters it looks at.
    pub clusters: Vec<Cluster>,
    /// Which claims make a namespace a tenant's.
    pub rules: TenancyRules,
    /// Rung when a cluster was observed.
    pub observed: Vec<Bell>,
    /// What was already told.
    pub memory: Memory,
    /// What came of it.
    pub looks: Looks,
    /// How long after its end an hour is measured.
    pub settle: Duration,
}

/// What was already said, so that it is said once.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
struct Remembered {
    skipped: BTreeMap<ClusterName, BTreeSet<String>>,
    conflicts: BTreeSet<String>,
}

impl Observer {
    /// Lists every cluster, side by side. One that does not answer keeps no other from being observed.
    pub async fn run(&self) -> anyhow::Result<String> {
        let known = &self.shared.ledger.timeline(&Scope::everything()).await?;
        let runs = self.clusters.iter().map(|cluster| async move {
            let result = self.cluster(cluster, known).await;
            if let Err(error) = &result {
                self.looks.not_observed(&cluster.name, format!("{error:#}"));
            }
            result.with_context(|| format!("cluster {}", cluster.name))
        });
        let results = futures::future::join_all(runs).await;
        self.conflicts().await?;
        let mut sum = 0;
        let mut wrong = Vec::new();
        for result in results {
            match result {
                Ok(spans) => sum += spans,
                // A ledger that must not be written is no matter of one cluster.
                Err(error) if of_the_ledger(&error) => return Err(error),
                Err(error) => wrong.push(format!("{error:#}")),
            }
        }
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(format!("{sum} changes of ownership in {} clusters", self.clusters.len()))
    }

    async fn cluster(&self, cluster: &Cluster, known: &Timeline) -> anyhow::Result<u64> {
        let last = self.shared.ledger.observed_until(&Scope::everything(), &cluster.name).await?;
        if cluster.is_over(last, self.settle) {
            return Ok(0);
        }
        // The moment before listing: what the lists show held then or began meanwhile.
        let at = self.shared.clock.now();
        let observed = cluster.observe.observe().await?;
        recognise(cluster, known, &observed)?;
        // After the lists: of a cluster that does not answer that is what is told.
        self.plausible(cluster, last).await?;
        self.tell_skipped(cluster, observed.skipped);
        let ledger = &self.shared.ledger;
        let changes = ledger.observe(&self.shared.guard, &cluster.name, at, &observed.observation).await?;
        self.looks.recognised(&cluster.name, observed.cluster_uid);
        let spans = changes.opened + changes.closed;
        if spans > 0 {
            tracing::info!(
                cluster.name = %cluster.name,
                spans.opened = changes.opened,
                spans.closed = changes.closed,
                "ownership changed"
            );
        }
        self.observed.iter().for_each(Bell::ring);
        Ok(spans)
    }

    /// Refuses a clock that ran ahead: what is observed by it could not be followed by anything until that
    /// time has come. The metrics store's clock is the witness; without one the first time and a long silence are
    /// doubted.
    async fn plausible(&self, cluster: &Cluster, last: Option<DateTime<Utc>>) -> anyhow::Result<()> {
        let witness = cluster.measure.clock().await;
        let now = self.shared.clock.now();
        let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        if let Some(theirs) = witness {
            anyhow::ensure!(
                now.signed_duration_since(theirs) <= AHEAD,
                "the clock here says {} but the metrics store's {}; nothing is observed until they agree: set the \
                 clock that is wrong, and look at time synchronisation on both machines",
                text(now),
                text(theirs),
            );
            return Ok(());
        }
        let Some(last) = last else {
            anyhow::bail!(
                "the clock says {}; whether it is right is not known until the metrics store answers, and nothing is \
                 observed for the first time until then",
                text(now)
            );
        };
        anyhow::ensure!(
            now.signed_duration_since(last) <= UNCONFIRMED,
            "the clock says {} and the last observation was at {}; whether the clock jumped is not known until \
             the metrics store answers, and nothing is observed until then",
            text(now),
            text(last),
        );
        Ok(())
    }

    fn tell_skipped(&self, cluster: &Cluster, skipped: Vec<String>) {
        let label = ClusterLabel { cluster: cluster.name.to_string() };
        let count = i64::try_from(skipped.len()).unwrap_or(i64::MAX);
        self.shared.metrics.tenants_skipped.get_or_create(&label).set(count);
        let skipped: BTreeSet<String> = skipped.into_iter().collect();
        let before = self.remembered().skipped.insert(cluster.name.clone(), skipped.clone());
        for resource in skipped.difference(&before.unwrap_or_default()) {
            tracing::warn!(
                cluster.name = %cluster.name,
                "skipped a resource that cannot be read; what it would own is unassigned: {resource}"
            );
        }
    }

    /// Claims that contradict each other in this hour, told once each.
    async fn conflicts(&self) -> anyhow::Result<()> {
        let timeline = self.shared.ledger.timeline(&Scope::everything()).await?;
        let owners = resolve(&timeline, &self.rules, Hour::containing(self.shared.clock.now()));
        for cluster in &self.clusters {
            let count =
                owners.conflicts.iter().filter(|conflict| cluster_of(conflict) == &cluster.name).count();
            let label = ClusterLabel { cluster: cluster.name.to_string() };
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.shared.metrics.ownership_conflicts.get_or_create(&label).set(count);
        }
        let told: BTreeSet<String> = owners.conflicts.iter().map(describe).collect();
        let before = std::mem::replace(&mut self.remembered().conflicts, told.clone());
        for conflict in told.difference(&before) {
            tracing::warn!("claims contradict each other; what they claim is unassigned: {conflict}");
        }
        Ok(())
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.memory.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a cluster that answers under another's name: its lists would end all that is known of the other.
fn recognise(cluster: &Cluster, known: &Timeline, observed: &Observed) -> anyhow::Result<()> {
    if observed.confirmed {
        return Ok(());
    }
    let spans = known.namespaces.iter().filter(|span| {
        span.cluster == cluster.name
            && span.origin == Origin::Observed
            && span.fact.name.as_str() == KUBE_SYSTEM
    });
    let last = spans.max_by_key(|span| span.from);
    let (Some(found), Some(span)) = (&observed.cluster_uid, last) else { return Ok(()) };
    anyhow::ensure!(
        *found == span.uid,
        "another cluster answers: its namespace kube-system has the uid {found}, that of {} has {} since {}; point \
         this name at its own API server again, or give the new cluster a name of its own; if it was made anew and \
         is to go on under this name, say so with kubernetes.cluster_uid: {found}",
        cluster.name,
        span.uid,
        span.from.format("%Y-%m-%dT%H:%M:%SZ"),
    );
    Ok(())
}

/// Whether the ledger refused, and would refuse any cluster. When a cluster was last observed is its own.
pub(super) fn of_the_ledger(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<LedgerError>())
        .any(|refusal| !matches!(refusal, LedgerError::ClockWentBack { .. }))
}

fn cluster_of(conflict: &Conflict) -> &ClusterName {
    match conflict {
        Conflict::TwoTenantsOneTeam { cluster, .. }
        | Conflict::TwoOwnersOneNamespace { cluster, .. }
        | Conflict::TwoOwnersOnePool { cluster, .. }
        | Conflict::OwnedAndShared { cluster, .. }
        | Conflict::TwoSharedCosts { cluster, .. }
        | Conflict::ReservedName { cluster, .. } => cluster,
    }
}

/// In words, with the way to mend it.
fn describe(conflict: &Conflict) -> String {
    match conflict {
        Conflict::TwoTenantsOneTeam { cluster, team, resources } => format!(
            "in {cluster} the Tenants {} all name the team `{team}`; give each a team of its own",
            resources.join(", ")
        ),
        Conflict::TwoOwnersOneNamespace { cluster, namespace, claims } => {
            let claims: Vec<String> =
                claims.iter().map(|(tenant, rule)| format!("`{tenant}` by {rule}")).collect();
            format!(
                "in {cluster} the namespace `{namespace}` is claimed for {}; withdraw all but one",
                claims.join(" and ")
            )
        }
        Conflict::TwoOwnersOnePool { cluster, pool, claims } => format!(
            "in {cluster} the nodes of the pool `{pool}` are dedicated to different tenants ({}); label them alike",
            claims.join(", ")
        ),
        Conflict::OwnedAndShared { cluster, namespace, tenant, shared_cost } => format!(
            "in {cluster} the namespace `{namespace}` is owned by `{tenant}` and shared by the price book's \
             `{shared_cost}`; take it out of one of them"
        ),
        Conflict::TwoSharedCosts { cluster, namespace, shared_costs } => format!(
            "in {cluster} the namespace `{namespace}` is shared by the price book's {}; a namespace is shared once: \
             narrow all selections but one",
            shared_costs.join(" and ")
        ),
        Conflict::ReservedName { cluster, resource, team } => {
            format!("in {cluster} the Tenant {resource} asks for the reserved name `{team}`; rename its team")
        }
    }
}
