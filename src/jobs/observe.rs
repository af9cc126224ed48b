//! Takes in who exists and who owns what; says what contradicts itself and what could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use defray_ledger::{Found, LedgerError, Scope};
use defray_pricing::names::ClusterName;
use defray_pricing::ownership::{Conflict, Origin, TenancyRules, Timeline, resolve};
use defray_pricing::time::Hour;

use super::{Bell, Cluster, Looks, ObjectKind, Observed, Shared, Watched};
use crate::telemetry::{ClusterLabel, WatchLabel};

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
    /// What the watches told.
    pub watched: Watched,
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
        let found = ledger.observe(&self.shared.guard, &cluster.name, at, &observed.observation).await?;
        self.looks.recognised(&cluster.name, observed.cluster_uid);
        self.compare_with_watches(cluster, at, found);
        let changes = found.total();
        cluster.observe.report(at).await;
        let spans = changes.spans();
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

    /// Counts what the watches ought to have told of and did not: nothing is lost by it but time, and trust in them.
    fn compare_with_watches(&self, cluster: &Cluster, at: DateTime<Utc>, found: Found) {
        let kinds = [
            (ObjectKind::Tenants, found.tenants.spans()),
            (ObjectKind::Namespaces, found.namespaces.spans()),
            (ObjectKind::Nodes, found.nodes.spans()),
        ];
        self.watched.listed(&cluster.name, at, &kinds);
        let count = |kind: ObjectKind, changes: u64| {
            let label = WatchLabel { cluster: cluster.name.to_string(), kind: kind.as_str() };
            self.shared.metrics.watch_missed_changes.get_or_create(&label).inc_by(changes);
        };
        for (kind, _) in kinds {
            count(kind, 0);
        }
        for (kind, changes) in self.watched.missed(&cluster.name, at) {
            count(kind, changes);
            tracing::warn!(
                cluster.name = %cluster.name,
                spans = changes,
                "a list found changes of {} that the watch did not tell of; the list counts, but until the watch \
                 works what changes is known an hour late",
                kind.as_str()
            );
        }
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
                "a resource cannot be read; its last good version stays in force, and what none is known of is \
                 unassigned: {resource}"
            );
        }
    }

    /// Claims that contradict each other in this hour, told once each.
    async fn conflicts(&self) -> anyhow::Result<()> {
        let timeline = self.shared.ledger.timeline(&Scope::everything()).await?;
        self.held_over(&timeline);
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
            tracing::warn!("whose costs these are is in doubt; what is in doubt is unassigned: {conflict}");
        }
        Ok(())
    }

    /// Tenants of which the last good version is in force.
    fn held_over(&self, timeline: &Timeline) {
        for cluster in &self.clusters {
            let spans = timeline.tenants.iter().filter(|span| span.cluster == cluster.name);
            let held = spans.filter(|span| span.until.is_none() && span.fact.malformed.is_some()).count();
            let label = ClusterLabel { cluster: cluster.name.to_string() };
            let held = i64::try_from(held).unwrap_or(i64::MAX);
            self.shared.metrics.tenants_held_over.get_or_create(&label).set(held);
        }
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
        | Conflict::TwoCostCenters { cluster, .. }
        | Conflict::NoCostCenter { cluster, .. }
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
        Conflict::TwoCostCenters { cluster, tenant, claims } => {
            let claims: Vec<String> =
                claims.iter().map(|(center, namespace)| format!("`{center}` by `{namespace}`")).collect();
            format!(
                "in {cluster} the namespaces of `{tenant}` name different cost centres ({}); label them alike",
                claims.join(", ")
            )
        }
        Conflict::NoCostCenter { cluster, tenant } => format!(
            "in {cluster} nothing says on which cost centre `{tenant}` is; label one of its namespaces as \
             tenancy.cost_centers asks, or name it there"
        ),
        Conflict::ReservedName { cluster, resource, team } => {
            format!("in {cluster} the Tenant {resource} asks for the reserved name `{team}`; rename its team")
        }
    }
}
