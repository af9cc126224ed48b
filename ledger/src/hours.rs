//! Measured hours: immutable, numbered revisions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::{Minutes, Source, UsageHour};

use crate::archive::{Archive, FileName};
use crate::backend::args;
use crate::chain::{self, Head};
use crate::codec::usage as codec;
use crate::instant::{instant, micros};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope, WriteGuard};

mod missing;
mod prune;
mod read;

pub use missing::Missing;

/// An hour to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedHour {
    /// What was measured.
    pub usage: UsageHour,
    /// When it was measured: a label, no part of the content.
    pub measured_at: DateTime<Utc>,
}

/// What recording an hour came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// The current revision, from 1.
    pub revision: u32,
    /// Whether this content is new: the same content again is no revision.
    pub changed: bool,
}

/// The current revision of a recorded hour, without its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourEntry {
    /// The hour.
    pub hour: Hour,
    /// The revision, from 1.
    pub revision: u32,
    /// Of the content.
    pub digest: Digest,
    /// For each source, in how many of the 60 minutes it had data.
    pub coverage: BTreeMap<Source, Minutes>,
    /// When it was measured.
    pub measured_at: DateTime<Utc>,
}

impl Ledger {
    /// Records hours, all in one transaction, and clears their notes of being missing.
    pub async fn record(
        &self,
        guard: &WriteGuard,
        hours: Vec<RecordedHour>,
    ) -> Result<Vec<Recorded>, LedgerError> {
        let mut prepared = Vec::with_capacity(hours.len());
        for hour in hours {
            prepared.push(Prepared::new(hour)?);
            // Packing is work for the processor: other tasks get their turn.
            tokio::task::yield_now().await;
        }
        let mut tx = self.write(guard).await?;
        let mut heads: BTreeMap<ClusterName, Head> = BTreeMap::new();
        let mut recorded = Vec::with_capacity(prepared.len());
        for hour in prepared {
            let cluster = hour.usage.cluster.clone();
            let head = match heads.get(&cluster) {
                Some(head) => *head,
                None => chain::head(&mut tx, &cluster).await?,
            };
            let (result, head) = append(&mut tx, hour, head).await?;
            heads.insert(cluster, head);
            recorded.push(result);
        }
        for (cluster, head) in &heads {
            chain::move_head(&mut tx, cluster, *head).await?;
        }
        tx.commit().await?;
        Ok(recorded)
    }

    /// The recorded hours of a cluster, earliest first.
    pub async fn hours(
        &self,
        scope: &Scope,
        cluster: &ClusterName,
        range: HourRange,
    ) -> Result<Vec<HourEntry>, LedgerError> {
        scope.whole("the list of recorded hours")?;
        let mut tx = self.read().await?;
        let mut coverage: BTreeMap<i64, BTreeMap<Source, Minutes>> = BTreeMap::new();
        let rows = tx
            .fetch(
                "SELECT c.hour, c.source, c.minutes FROM hour_coverage c \
                 WHERE c.cluster = $1 AND c.hour >= $2 AND c.hour < $3 AND c.revision = \
                 (SELECT MAX(n.revision) FROM hours n WHERE n.cluster = c.cluster AND n.hour = c.hour)",
                args![cluster.as_str(), range.from.index(), range.until.index()],
            )
            .await?;
        for mut row in rows {
            let (hour, source) = (row.int()?, row.parse("a source")?);
            coverage.entry(hour).or_default().insert(source, codec::minutes(row.int()?)?);
        }
        let rows = tx
            .fetch(
                "SELECT h.hour, h.revision, h.digest, h.measured_at FROM hours h \
                 WHERE h.cluster = $1 AND h.hour >= $2 AND h.hour < $3 AND h.revision = \
                 (SELECT MAX(n.revision) FROM hours n WHERE n.cluster = h.cluster AND n.hour = h.hour) \
                 ORDER BY h.hour",
                args![cluster.as_str(), range.from.index(), range.until.index()],
            )
            .await?;
        rows.into_iter()
            .map(|mut row| {
                let hour = row.int()?;
                Ok(HourEntry {
                    hour: Hour::from_index(hour),
                    revision: row.number("revision")?,
                    digest: row.digest()?,
                    measured_at: instant(row.int()?)?,
                    coverage: coverage.remove(&hour).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Every cluster something was recorded, missed or observed of, in order.
    pub async fn clusters(&self, scope: &Scope) -> Result<Vec<ClusterName>, LedgerError> {
        scope.whole("the list of clusters")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT cluster FROM chain_heads UNION SELECT cluster FROM missing_hours \
                 UNION SELECT cluster FROM observed_clusters ORDER BY 1",
                args![],
            )
            .await?;
        rows.into_iter().map(|mut row| row.text().map(ClusterName::from)).collect()
    }
}

/// An hour in the form it is stored in.
struct Prepared {
    usage: UsageHour,
    measured_at: DateTime<Utc>,
    content: Digest,
    blob: Vec<u8>,
}

impl Prepared {
    fn new(hour: RecordedHour) -> Result<Self, LedgerError> {
        let usage = codec::canonical(hour.usage)?;
        let content = codec::digest(&usage)?;
        let blob = codec::write(&usage)?;
        Ok(Self { usage, measured_at: hour.measured_at, content, blob })
    }
}

/// Appends a revision, unless the current one says the same.
async fn append(tx: &mut Transaction, hour: Prepared, head: Head) -> Result<(Recorded, Head), LedgerError> {
    let Prepared { usage: UsageHour { cluster, hour, coverage, .. }, measured_at, content, blob } = hour;
    tx.execute(
        "DELETE FROM missing_hours WHERE cluster = $1 AND hour = $2",
        args![cluster.as_str(), hour.index()],
    )
    .await?;
    let current = tx
        .fetch_one(
            "SELECT revision, digest FROM hours WHERE cluster = $1 AND hour = $2 ORDER BY revision DESC LIMIT 1",
            args![cluster.as_str(), hour.index()],
        )
        .await?;
    let (current, same) = match current {
        None => (0, false),
        Some(mut row) => (row.number::<u32>("revision")?, row.digest()? == content),
    };
    if same {
        return Ok((Recorded { cluster, hour, revision: current, changed: false }, head));
    }
    let revision = current.checked_add(1).ok_or(defray_pricing::Overflow("revision"))?;
    let head = head.next(&cluster, hour, revision, content);
    tx.execute(
        "INSERT INTO hours (cluster, hour, revision, seq, digest, blob_digest, chain, measured_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            cluster.as_str(),
            hour.index(),
            revision,
            head.seq,
            content,
            Digest::of(&blob),
            head.chain,
            micros(measured_at)
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO hour_blobs (cluster, hour, revision, content) VALUES ($1, $2, $3, $4)",
        args![cluster.as_str(), hour.index(), revision, blob],
    )
    .await?;
    let covered = coverage
        .iter()
        .map(|(source, minutes)| {
            args![cluster.as_str(), hour.index(), revision, source.as_str(), i64::from(minutes.get())]
        })
        .collect();
    tx.insert("hour_coverage (cluster, hour, revision, source, minutes)", covered).await?;
    Ok((Recorded { cluster, hour, revision, changed: true }, head))
}

/// Reads one revision, from wherever it is, and proves that it is what was recorded.
pub(crate) async fn load(
    tx: &mut Transaction,
    archive: Option<&Archive>,
    cluster: &ClusterName,
    hour: Hour,
    revision: u32,
    content: Digest,
    blob: Digest,
) -> Result<UsageHour, LedgerError> {
    if let Some(usage) = load_kept(tx, cluster, hour, revision, content, blob).await? {
        return Ok(usage);
    }
    let damaged = |what: &str| LedgerError::Corrupt(format!("{cluster} {hour} revision {revision}: {what}"));
    let key = args![cluster.as_str(), hour.index(), revision];
    let pruned = "SELECT 1 FROM pruned_hours WHERE cluster = $1 AND hour = $2 AND revision = $3";
    if tx.fetch_one(pruned, key.clone()).await?.is_some() {
        return Err(LedgerError::Pruned { cluster: cluster.clone(), hour });
    }
    let row = tx
        .fetch_one(
            "SELECT f.day, f.digest, a.part FROM archived_hours a JOIN archive_files f ON f.digest = a.digest \
             WHERE a.cluster = $1 AND a.hour = $2 AND a.revision = $3",
            key,
        )
        .await?;
    let mut row = row.ok_or_else(|| damaged("its rows are gone"))?;
    let file = FileName { day: row.text()?, digest: row.digest()? };
    let part = row.number("a part of a file")?;
    let file = archive.ok_or(LedgerError::NoArchive)?.get(&file).await?;
    let usage = codec::read_part(cluster.clone(), hour, file, part)?;
    if codec::digest(&usage)? != content {
        return Err(damaged("its rows in the archive do not match their digest"));
    }
    Ok(usage)
}

/// Reads one revision whose rows are in the database: proves its bytes, then what they say.
pub(crate) async fn load_kept(
    tx: &mut Transaction,
    cluster: &ClusterName,
    hour: Hour,
    revision: u32,
    content: Digest,
    blob: Digest,
) -> Result<Option<UsageHour>, LedgerError> {
    let damaged = |what: &str| LedgerError::Corrupt(format!("{cluster} {hour} revision {revision}: {what}"));
    let row = tx
        .fetch_one(
            "SELECT content FROM hour_blobs WHERE cluster = $1 AND hour = $2 AND revision = $3",
            args![cluster.as_str(), hour.index(), revision],
        )
        .await?;
    let Some(mut row) = row else { return Ok(None) };
    let bytes = row.bytes()?;
    if Digest::of(&bytes) != blob {
        return Err(damaged("its bytes do not match their digest"));
    }
    let usage = codec::read(cluster.clone(), hour, bytes)?;
    if codec::digest(&usage)? != content {
        return Err(damaged("its rows do not match their digest"));
    }
    Ok(Some(usage))
}
