//! What was seen of pods becomes spans that begin and end.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use defray_pricing::names::{ClusterName, Namespace, Uid, VirtualNamespace};
use sqlx::AssertSqlSafe;

use super::{PodChange, PodFact, SeenPod};
use crate::backend::{Fields, Value, args};
use crate::error::LedgerError;
use crate::instant::micros;
use crate::ownership::Changes;
use crate::transaction::Transaction;

const PODS: &str = "pods (cluster, uid, n, namespace, name, virtual_namespace, since, until)";
/// Pods looked up or ended by one statement.
const AT_ONCE: usize = 500;

/// The latest span that is stored of a pod, and those that follow it.
#[derive(Debug, Default)]
struct Life {
    spans: Vec<Stretch>,
}

#[derive(Debug)]
struct Stretch {
    n: i64,
    fact: PodFact,
    since: i64,
    until: Option<i64>,
    is_stored: bool,
    /// Whether it ended only now.
    ended: bool,
}

impl Stretch {
    /// A clock that went back since it began makes it no shorter than nothing.
    fn end(&mut self, at: i64) {
        self.until = Some(at.max(self.since));
        self.ended = true;
    }
}

impl Life {
    fn begin(&mut self, fact: &PodFact, since: i64) {
        let n = self.spans.last().map_or(1, |last| last.n.saturating_add(1));
        let (fact, until) = (fact.clone(), None);
        self.spans.push(Stretch { n, fact, since, until, is_stored: false, ended: false });
    }

    /// `listed` is when all pods were last listed.
    fn see(&mut self, pod: &SeenPod, at: i64, listed: Option<i64>) {
        let Some(last) = self.spans.last_mut() else {
            let made = pod.created.map_or(at, micros);
            // The API server's clock may be ahead of ours.
            return self.begin(&pod.fact, listed.map_or(made, |listed| made.max(listed)).min(at));
        };
        match last.until {
            None if last.fact == pod.fact => {}
            None => {
                last.end(at);
                let since = at.max(last.since);
                self.begin(&pod.fact, since);
            }
            // A list that was begun before a watch saw it go may still hold it.
            Some(until) if at <= until => {}
            Some(_) => self.begin(&pod.fact, at),
        }
    }

    fn lose(&mut self, at: i64) {
        if let Some(last) = self.spans.last_mut()
            && last.until.is_none()
        {
            last.end(at);
        }
    }
}

/// Applies what was seen, in its order.
pub(super) async fn apply(
    tx: &mut Transaction,
    cluster: &ClusterName,
    changes: &[PodChange],
) -> Result<Changes, LedgerError> {
    let listed = last_list(tx, cluster).await?;
    let mut lives = BTreeMap::new();
    for change in changes {
        lives.entry(change.uid()).or_insert_with(Life::default);
    }
    look_up(tx, cluster, &mut lives).await?;
    // Hours that had settled by the last list may be measured, so a clock that went back since moves nothing in them.
    let at = |at: &DateTime<Utc>| listed.map_or(micros(*at), |listed| micros(*at).max(listed));
    for change in changes {
        let life = lives.entry(change.uid()).or_default();
        match change {
            PodChange::Seen { pod, at: seen } => life.see(pod, at(seen), listed),
            PodChange::Gone { at: gone, .. } => life.lose(at(gone)),
        }
    }
    let (mut begun, mut ended, mut done) = (Vec::new(), Vec::new(), Changes::default());
    for (uid, life) in lives {
        for span in life.spans {
            done.closed = done.closed.saturating_add(u64::from(span.ended));
            if !span.is_stored {
                done.opened = done.opened.saturating_add(1);
                begun.push(row(cluster, uid, span));
            } else if span.ended {
                ended.push(args![uid.as_str(), span.n, span.until]);
            }
        }
    }
    end(tx, cluster, ended).await?;
    tx.insert(PODS, begun).await?;
    Ok(done)
}

/// When all pods of a cluster were last listed.
pub(super) async fn last_list(
    tx: &mut Transaction,
    cluster: &ClusterName,
) -> Result<Option<i64>, LedgerError> {
    let row = tx.fetch_one("SELECT last FROM pod_lists WHERE cluster = $1", args![cluster.as_str()]).await?;
    row.map(|mut row| row.int()).transpose()
}

/// Ends spans: which pod, which of its spans, when.
async fn end(tx: &mut Transaction, cluster: &ClusterName, ended: Vec<Vec<Value>>) -> Result<(), LedgerError> {
    let mut ended = ended.into_iter().peekable();
    while ended.peek().is_some() {
        let (mut values, mut rows) = (args![cluster.as_str()], Vec::new());
        for row in ended.by_ref().take(AT_ONCE) {
            let places: Vec<_> = (1..=row.len()).map(|n| format!("${}", values.len() + n)).collect();
            rows.push(format!("({})", places.join(", ")));
            values.extend(row);
        }
        let sql = format!(
            "UPDATE pods SET until = ended.column3 FROM (VALUES {}) AS ended \
             WHERE pods.cluster = $1 AND pods.uid = ended.column1 AND pods.n = ended.column2",
            rows.join(", ")
        );
        tx.execute(AssertSqlSafe(sql), values).await?;
    }
    Ok(())
}

fn row(cluster: &ClusterName, uid: &Uid, span: Stretch) -> Vec<Value> {
    args![
        cluster.as_str(),
        uid.as_str(),
        span.n,
        span.fact.namespace.as_str(),
        span.fact.name,
        span.fact.virtual_namespace.as_str(),
        span.since,
        span.until,
    ]
}

/// Fills in the latest span that is stored of each.
async fn look_up(
    tx: &mut Transaction,
    cluster: &ClusterName,
    lives: &mut BTreeMap<&Uid, Life>,
) -> Result<(), LedgerError> {
    let uids: Vec<Uid> = lives.keys().map(|uid| (*uid).clone()).collect();
    for some in uids.chunks(AT_ONCE) {
        let mut values = args![cluster.as_str()];
        let mut places = Vec::with_capacity(some.len());
        for uid in some {
            values.push(Value::from(uid.as_str()));
            places.push(format!("${}", values.len()));
        }
        let sql = format!(
            "SELECT uid, n, namespace, name, virtual_namespace, since, until FROM pods p \
             WHERE cluster = $1 AND uid IN ({}) \
             AND n = (SELECT MAX(n) FROM pods q WHERE q.cluster = p.cluster AND q.uid = p.uid)",
            places.join(", ")
        );
        for mut row in tx.fetch(AssertSqlSafe(sql), values).await? {
            let (uid, n) = (Uid::from(row.text()?), row.int()?);
            let fact = fact(&mut row)?;
            let (since, until) = (row.int()?, row.int_or()?);
            if let Some(life) = lives.get_mut(&uid) {
                life.spans.push(Stretch { n, fact, since, until, is_stored: true, ended: false });
            }
        }
    }
    Ok(())
}

/// The columns `namespace, name, virtual_namespace`.
pub(super) fn fact(row: &mut Fields) -> Result<PodFact, LedgerError> {
    Ok(PodFact {
        namespace: Namespace::from(row.text()?),
        name: row.text()?,
        virtual_namespace: VirtualNamespace::from(row.text()?),
    })
}
