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

const PODS: &str = "pods (cluster, uid, n, namespace, name, managed_by, virtual_namespace, since, until)";
/// Pods looked up by one statement.
const LOOKED_UP: usize = 500;

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

    fn see(&mut self, pod: &SeenPod, at: DateTime<Utc>) {
        let Some(last) = self.spans.last_mut() else {
            // The API server's clock may be ahead of ours.
            return self.begin(&pod.fact, micros(pod.created.map_or(at, |created| created.min(at))));
        };
        let at = micros(at);
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

    fn lose(&mut self, at: DateTime<Utc>) {
        if let Some(last) = self.spans.last_mut()
            && last.until.is_none()
        {
            last.end(micros(at));
        }
    }
}

/// Applies what was seen, in its order.
pub(super) async fn apply(
    tx: &mut Transaction,
    cluster: &ClusterName,
    changes: &[PodChange],
) -> Result<Changes, LedgerError> {
    let mut lives = BTreeMap::new();
    for change in changes {
        lives.entry(change.uid()).or_insert_with(Life::default);
    }
    look_up(tx, cluster, &mut lives).await?;
    for change in changes {
        let life = lives.entry(change.uid()).or_default();
        match change {
            PodChange::Seen { pod, at } => life.see(pod, *at),
            PodChange::Gone { at, .. } => life.lose(*at),
        }
    }
    let (mut begun, mut done) = (Vec::new(), Changes::default());
    for (uid, life) in lives {
        for span in life.spans {
            done.closed = done.closed.saturating_add(u64::from(span.ended));
            if !span.is_stored {
                done.opened = done.opened.saturating_add(1);
                begun.push(row(cluster, uid, span));
            } else if span.ended {
                tx.execute(
                    "UPDATE pods SET until = $4 WHERE cluster = $1 AND uid = $2 AND n = $3",
                    args![cluster.as_str(), uid.as_str(), span.n, span.until],
                )
                .await?;
            }
        }
    }
    tx.insert(PODS, begun).await?;
    Ok(done)
}

fn row(cluster: &ClusterName, uid: &Uid, span: Stretch) -> Vec<Value> {
    args![
        cluster.as_str(),
        uid.as_str(),
        span.n,
        span.fact.namespace.as_str(),
        span.fact.name,
        span.fact.managed_by,
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
    for some in uids.chunks(LOOKED_UP) {
        let mut values = args![cluster.as_str()];
        let mut places = Vec::with_capacity(some.len());
        for uid in some {
            values.push(Value::from(uid.as_str()));
            places.push(format!("${}", values.len()));
        }
        let sql = format!(
            "SELECT uid, n, namespace, name, managed_by, virtual_namespace, since, until FROM pods p \
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

/// The columns `namespace, name, managed_by, virtual_namespace`.
pub(super) fn fact(row: &mut Fields) -> Result<PodFact, LedgerError> {
    Ok(PodFact {
        namespace: Namespace::from(row.text()?),
        name: row.text()?,
        managed_by: row.text_or()?,
        virtual_namespace: VirtualNamespace::from(row.text()?),
    })
}
