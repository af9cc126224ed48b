//! Who owned what, when: complete lists in, a timeline out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::{NamespaceFact, NodeFact, Origin, Span, TenantFact, Timeline};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::{Fields, args};
use crate::instant::{instant, micros};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope, WriteGuard};

mod assume;

/// The complete lists of one moment; none for a kind that was not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Tenants.
    pub tenants: Option<Vec<(Uid, TenantFact)>>,
    /// Namespaces.
    pub namespaces: Option<Vec<(Uid, NamespaceFact)>>,
    /// Nodes.
    pub nodes: Option<Vec<(Uid, NodeFact)>>,
    /// When the API server made the objects, where it says. What is new in this list began to hold then,
    /// but not before the observation before this one, in which it was not yet seen.
    pub created: BTreeMap<Uid, DateTime<Utc>>,
    /// Objects that exist but cannot be read, as a tenant with a malformed field, and why: absent from the lists,
    /// but not gone. What is known of them still holds; a tenant's says that it does so only for want of better.
    pub unreadable: BTreeMap<Uid, String>,
}

/// Ownership before the first observation, as the metrics store knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Tenants.
    pub tenants: Vec<Span<TenantFact>>,
    /// Namespaces.
    pub namespaces: Vec<Span<NamespaceFact>>,
    /// Nodes.
    pub nodes: Vec<Span<NodeFact>>,
}

/// What an observation or an assumption changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Spans that began.
    pub opened: u64,
    /// Spans that ended.
    pub closed: u64,
}

/// What an observation changed, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// What was assumed of the cluster and ended with its first observation.
    pub assumed: Changes,
    /// Of tenants.
    pub tenants: Changes,
    /// Of namespaces.
    pub namespaces: Changes,
    /// Of nodes.
    pub nodes: Changes,
}

impl Found {
    /// Altogether.
    pub const fn total(&self) -> Changes {
        let mut total = self.assumed;
        total.add(self.tenants);
        total.add(self.namespaces);
        total.add(self.nodes);
        total
    }
}

impl Changes {
    /// Spans that began or ended.
    pub const fn spans(&self) -> u64 {
        self.opened.saturating_add(self.closed)
    }

    const fn add(&mut self, other: Self) {
        self.opened = self.opened.saturating_add(other.opened);
        self.closed = self.closed.saturating_add(other.closed);
    }
}

impl Ledger {
    /// Takes in complete lists: new objects begin a span, absent ones end theirs, changed ones do both.
    /// The same lists again change nothing. Time never goes back.
    pub async fn observe(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        at: DateTime<Utc>,
        observation: &Observation,
    ) -> Result<Found, LedgerError> {
        let mut tx = self.write(guard).await?;
        let (last, assumed) = advance(&mut tx, cluster, at).await?;
        let mut found = Found { assumed, ..Found::default() };
        let moment = Moment { cluster, at, last, observation };
        if let Some(tenants) = &observation.tenants {
            found.tenants = compare(&mut tx, "tenant", &moment, tenants).await?;
        }
        if let Some(namespaces) = &observation.namespaces {
            found.namespaces = compare(&mut tx, "namespace", &moment, namespaces).await?;
        }
        if let Some(nodes) = &observation.nodes {
            found.nodes = compare(&mut tx, "node", &moment, nodes).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// When a cluster was last observed.
    pub async fn observed_until(
        &self,
        scope: &Scope,
        cluster: &ClusterName,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        scope.whole("the timeline of ownership")?;
        let mut tx = self.read().await?;
        last_observed(&mut tx, cluster).await?.map(instant).transpose()
    }

    /// Everything known about who owned what, in every cluster.
    pub async fn timeline(&self, scope: &Scope) -> Result<Timeline, LedgerError> {
        scope.whole("the timeline of ownership")?;
        let mut tx = self.read().await?;
        let mut timeline = Timeline::default();
        for mut row in tx.fetch("SELECT cluster, since FROM observed_clusters", args![]).await? {
            timeline.observed_since.insert(ClusterName::from(row.text()?), instant(row.int()?)?);
        }
        // What changed twice in one instant held for no time.
        let rows = tx
            .fetch(
                "SELECT kind, cluster, uid, since, until, origin, fact FROM spans \
                 WHERE until IS NULL OR until > since ORDER BY cluster, since, uid, id",
                args![],
            )
            .await?;
        for row in rows {
            place(&mut timeline, row)?;
        }
        Ok(timeline)
    }
}

/// One observation, and the one before it.
struct Moment<'a> {
    cluster: &'a ClusterName,
    at: DateTime<Utc>,
    last: Option<DateTime<Utc>>,
    observation: &'a Observation,
}

impl Moment<'_> {
    /// Since when an object that is new holds: since it was made, but not since before it was looked for
    /// and not found; at the first observation, since now.
    fn began(&self, uid: &Uid) -> DateTime<Utc> {
        match (self.last, self.observation.created.get(uid)) {
            (Some(last), Some(created)) => (*created).max(last).min(self.at),
            _ => self.at,
        }
    }
}

async fn last_observed(tx: &mut Transaction, cluster: &ClusterName) -> Result<Option<i64>, LedgerError> {
    let sql = "SELECT last FROM observed_clusters WHERE cluster = $1";
    tx.fetch_one(sql, args![cluster.as_str()]).await?.map(|mut row| row.int()).transpose()
}

/// Moves a cluster's time of observation on. What was assumed of it so far ends where observation begins.
async fn advance(
    tx: &mut Transaction,
    cluster: &ClusterName,
    at: DateTime<Utc>,
) -> Result<(Option<DateTime<Utc>>, Changes), LedgerError> {
    let Some(last) = last_observed(tx, cluster).await? else {
        tx.execute(
            "INSERT INTO observed_clusters (cluster, since, last) VALUES ($1, $2, $2)",
            args![cluster.as_str(), micros(at)],
        )
        .await?;
        let closed = tx
            .execute(
                "UPDATE spans SET until = $2 WHERE cluster = $1 AND until IS NULL AND since <= $2",
                args![cluster.as_str(), micros(at)],
            )
            .await?;
        return Ok((None, Changes { opened: 0, closed }));
    };
    let last = instant(last)?;
    if micros(at) < micros(last) {
        return Err(LedgerError::ClockWentBack { cluster: cluster.clone(), at, last });
    }
    tx.execute(
        "UPDATE observed_clusters SET last = $2 WHERE cluster = $1",
        args![cluster.as_str(), micros(at)],
    )
    .await?;
    Ok((Some(last), Changes::default()))
}

/// What can be known of an object.
trait Fact: Serialize + DeserializeOwned + PartialEq + Sync {
    /// What holds of an object that was as this says and cannot be read any more; none where that is no part of it.
    fn held_over(&self, reason: &str) -> Option<Self>;
}

impl Fact for TenantFact {
    fn held_over(&self, reason: &str) -> Option<Self> {
        Some(Self { malformed: Some(reason.to_owned()), ..self.clone() })
    }
}

impl Fact for NamespaceFact {
    fn held_over(&self, _reason: &str) -> Option<Self> {
        None
    }
}

impl Fact for NodeFact {
    fn held_over(&self, _reason: &str) -> Option<Self> {
        None
    }
}

/// Brings the open spans of one kind in line with a complete list.
async fn compare<F: Fact>(
    tx: &mut Transaction,
    kind: &'static str,
    moment: &Moment<'_>,
    listed: &[(Uid, F)],
) -> Result<Changes, LedgerError> {
    // A list read in pages can hold one object twice; the later page is the newer.
    let listed: BTreeMap<&Uid, &F> = listed.iter().map(|(uid, fact)| (uid, fact)).collect();
    let cluster = moment.cluster.as_str();
    let open = tx
        .fetch(
            "SELECT id, uid, fact FROM spans WHERE kind = $1 AND cluster = $2 AND until IS NULL",
            args![kind, cluster],
        )
        .await?;
    let (mut kept, mut altered, mut ended) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut held_over = Vec::new();
    for mut row in open {
        let (id, uid, fact) = (row.int()?, Uid::from(row.text()?), fact::<F>(&mut row)?);
        match listed.get(&uid) {
            Some(now) if **now == fact => {
                kept.insert(uid);
            }
            Some(_) => {
                altered.insert(uid);
                ended.push(id);
            }
            None => match moment.observation.unreadable.get(&uid) {
                None => ended.push(id),
                Some(reason) => {
                    if let Some(now) = fact.held_over(reason).filter(|now| *now != fact) {
                        held_over.push((uid, now));
                        ended.push(id);
                    }
                }
            },
        }
    }
    let mut changes = Changes::default();
    for id in ended {
        let until = micros(moment.at);
        let closed = tx.execute("UPDATE spans SET until = $2 WHERE id = $1", args![id, until]).await?;
        changes.closed = changes.closed.saturating_add(closed);
    }
    let mut begun = Vec::new();
    for (uid, fact) in listed.into_iter().filter(|(uid, _)| !kept.contains(*uid)) {
        let since = if altered.contains(uid) { moment.at } else { moment.began(uid) };
        let open: Option<i64> = None;
        begun.push(args![kind, cluster, uid.as_str(), micros(since), open, "observed", text(fact)?]);
        changes.opened = changes.opened.saturating_add(1);
    }
    for (uid, fact) in held_over {
        let open: Option<i64> = None;
        begun.push(args![kind, cluster, uid.as_str(), micros(moment.at), open, "observed", text(&fact)?]);
        changes.opened = changes.opened.saturating_add(1);
    }
    tx.insert(SPANS, begun).await?;
    Ok(changes)
}

const SPANS: &str = "spans (kind, cluster, uid, since, until, origin, fact)";

fn text<F: Serialize>(fact: &F) -> Result<String, LedgerError> {
    serde_json::to_string(fact).map_err(|error| LedgerError::Encode(error.to_string()))
}

fn fact<F: DeserializeOwned>(row: &mut Fields) -> Result<F, LedgerError> {
    serde_json::from_str(&row.text()?)
        .map_err(|error| LedgerError::Corrupt(format!("a fact about ownership: {error}")))
}

fn place(timeline: &mut Timeline, mut row: Fields) -> Result<(), LedgerError> {
    match row.text()?.as_str() {
        "tenant" => {
            let span = span(&timeline.observed_since, row)?;
            timeline.tenants.extend(span);
        }
        "namespace" => {
            let span = span(&timeline.observed_since, row)?;
            timeline.namespaces.extend(span);
        }
        "node" => {
            let span = span(&timeline.observed_since, row)?;
            timeline.nodes.extend(span);
        }
        other => return Err(LedgerError::Corrupt(format!("ownership of an unknown kind `{other}`"))),
    }
    Ok(())
}

/// What was assumed holds until observation begins, not longer.
fn span<F: DeserializeOwned>(
    observed_since: &BTreeMap<ClusterName, DateTime<Utc>>,
    mut row: Fields,
) -> Result<Option<Span<F>>, LedgerError> {
    let (cluster, uid) = (ClusterName::from(row.text()?), Uid::from(row.text()?));
    let from = instant(row.int()?)?;
    let mut until = row.int_or()?.map(instant).transpose()?;
    let origin = match row.text()?.as_str() {
        "observed" => Origin::Observed,
        "assumed" => Origin::Assumed,
        other => return Err(LedgerError::Corrupt(format!("ownership of an unknown origin `{other}`"))),
    };
    if origin == Origin::Assumed
        && let Some(since) = observed_since.get(&cluster)
    {
        until = Some(until.map_or(*since, |until| until.min(*since)));
    }
    if until.is_some_and(|until| until <= from) {
        return Ok(None);
    }
    Ok(Some(Span { cluster, uid, from, until, origin, fact: fact(&mut row)? }))
}
