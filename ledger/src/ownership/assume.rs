//! Ownership before the first observation, taken from the metrics store.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use defray_pricing::names::{ClusterName, Uid};
use defray_pricing::ownership::Span;
use serde::Serialize;

use super::{Assumed, Changes, SPANS, text};
use crate::backend::args;
use crate::instant::micros;
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, WriteGuard};

impl Ledger {
    /// Adds assumed spans before the first observation. Where something is known of an object at that time
    /// already, what is known stays: the same spans again change nothing.
    pub async fn assume(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        assumed: &Assumed,
    ) -> Result<Changes, LedgerError> {
        let mut tx = self.write(guard).await?;
        let since = match tx
            .fetch_one("SELECT since FROM observed_clusters WHERE cluster = $1", args![cluster.as_str()])
            .await?
        {
            Some(mut row) => Some(row.int()?),
            None => None,
        };
        let mut changes = Changes::default();
        changes.add(add(&mut tx, "tenant", cluster, since, &assumed.tenants).await?);
        changes.add(add(&mut tx, "namespace", cluster, since, &assumed.namespaces).await?);
        changes.add(add(&mut tx, "node", cluster, since, &assumed.nodes).await?);
        tx.commit().await?;
        Ok(changes)
    }
}

/// `[from, until)` in microseconds; open where there is no end.
type Stretch = (i64, Option<i64>);

fn overlap(a: Stretch, b: Stretch) -> bool {
    b.1.is_none_or(|end| a.0 < end) && a.1.is_none_or(|end| b.0 < end)
}

async fn add<F: Serialize + Sync>(
    tx: &mut Transaction,
    kind: &'static str,
    cluster: &ClusterName,
    observed_since: Option<i64>,
    spans: &[Span<F>],
) -> Result<Changes, LedgerError> {
    if spans.is_empty() {
        return Ok(Changes::default());
    }
    let mut known: BTreeMap<Uid, Vec<Stretch>> = BTreeMap::new();
    let rows = tx
        .fetch(
            "SELECT uid, since, until FROM spans WHERE kind = $1 AND cluster = $2 AND origin = 'assumed'",
            args![kind, cluster.as_str()],
        )
        .await?;
    for mut row in rows {
        let uid = Uid::from(row.text()?);
        known.entry(uid).or_default().push((row.int()?, row.int_or()?));
    }
    let mut ordered: Vec<&Span<F>> = spans.iter().collect();
    ordered.sort_by(|a, b| (a.from, &a.uid).cmp(&(b.from, &b.uid)));
    let mut rows = Vec::new();
    for span in ordered {
        check(cluster, span)?;
        let Some(stretch) = before(micros(span.from), span.until, observed_since) else { continue };
        let others = known.entry(span.uid.clone()).or_default();
        if others.iter().any(|other| overlap(*other, stretch)) {
            continue;
        }
        others.push(stretch);
        rows.push(args![
            kind,
            cluster.as_str(),
            span.uid.as_str(),
            stretch.0,
            stretch.1,
            "assumed",
            text(&span.fact)?
        ]);
    }
    let opened = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    tx.insert(SPANS, rows).await?;
    Ok(Changes { opened, closed: 0 })
}

fn check<F>(cluster: &ClusterName, span: &Span<F>) -> Result<(), LedgerError> {
    let refuse = |reason: String| LedgerError::BadAssumption { cluster: cluster.clone(), reason };
    if span.cluster != *cluster {
        return Err(refuse(format!("{} is of the cluster {}", span.uid, span.cluster)));
    }
    if span.until.is_some_and(|until| until <= span.from) {
        return Err(refuse(format!("{} ends before it begins, at {}", span.uid, span.from)));
    }
    Ok(())
}

/// The part before observation began; none where nothing is left.
fn before(from: i64, until: Option<DateTime<Utc>>, observed_since: Option<i64>) -> Option<Stretch> {
    let until = match (until.map(micros), observed_since) {
        (Some(until), Some(since)) => Some(until.min(since)),
        (until, since) => until.or(since),
    };
    until.is_none_or(|until| from < until).then_some((from, until))
}
