//! Recorded hours: the chain over them, and the rows of each.

use std::collections::BTreeMap;

use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;
use defray_pricing::usage::{Minutes, Source};

use super::{Fault, found};
use crate::archive::Archive;
use crate::backend::args;
use crate::chain::{self, Reach};
use crate::codec::usage::minutes;
use crate::error::LedgerError;
use crate::hours::load;
use crate::transaction::Transaction;

/// Revisions whose entries are read at once.
const PAGE: i64 = 500;

/// Says how many revisions there are, and how many of them by their digest only.
pub(super) async fn inspect(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    faults: &mut Vec<Fault>,
) -> Result<(u64, u64), LedgerError> {
    let (mut read, mut pruned) = (0_u64, 0_u64);
    for cluster in chain::clusters(tx).await? {
        let followed = chain::verify_cluster(tx, archive, &cluster, Reach::Links).await;
        found(followed, faults, || format!("the chain of {cluster}"))?;
        let mut after = 0;
        loop {
            let entries = entries(tx, &cluster, after).await?;
            let Some(last) = entries.last() else { break };
            after = last.seq;
            for entry in entries {
                let same = one(tx, archive, &cluster, &entry).await;
                read = read.saturating_add(1);
                if matches!(same, Err(LedgerError::Pruned { .. })) {
                    pruned = pruned.saturating_add(1);
                    continue;
                }
                found(same, faults, || format!("{cluster} {} revision {}", entry.hour, entry.revision))?;
            }
        }
    }
    Ok((read, pruned))
}

struct Entry {
    seq: i64,
    hour: Hour,
    revision: u32,
    content: defray_pricing::digest::Digest,
    blob: defray_pricing::digest::Digest,
}

async fn entries(tx: &mut Transaction, cluster: &ClusterName, after: i64) -> Result<Vec<Entry>, LedgerError> {
    let rows = tx
        .fetch(
            "SELECT seq, hour, revision, digest, blob_digest FROM hours WHERE cluster = $1 AND seq > $2 \
             ORDER BY seq LIMIT $3",
            args![cluster.as_str(), after, PAGE],
        )
        .await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(Entry {
                seq: row.int()?,
                hour: Hour::from_index(row.int()?),
                revision: row.number("revision")?,
                content: row.digest()?,
                blob: row.digest()?,
            })
        })
        .collect()
}

/// Its rows are what was recorded, and its entry of coverage says what they say.
async fn one(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    cluster: &ClusterName,
    entry: &Entry,
) -> Result<(), LedgerError> {
    let usage = load(tx, archive, cluster, entry.hour, entry.revision, entry.content, entry.blob).await?;
    let rows = tx
        .fetch(
            "SELECT source, minutes FROM hour_coverage WHERE cluster = $1 AND hour = $2 AND revision = $3",
            args![cluster.as_str(), entry.hour.index(), entry.revision],
        )
        .await?;
    let mut covered: BTreeMap<Source, Minutes> = BTreeMap::new();
    for mut row in rows {
        covered.insert(row.parse("a source")?, minutes(row.int()?)?);
    }
    if covered == usage.coverage {
        return Ok(());
    }
    Err(LedgerError::Corrupt("its coverage is not what was recorded with its rows".to_owned()))
}
