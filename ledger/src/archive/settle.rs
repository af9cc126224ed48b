//! Moving a settled day out of the database.
//!
//! The rows of its hours are written to one file, read back, and only then leave the database, in the transaction
//! that enters the file into the catalogue. Stopped before that, both are there: the file was announced, and
//! is swept or entered later. The digests of hours, and the chain over them, stay in the database for good.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;

use super::{Archive, FileName};
use crate::backend::args;
use crate::codec::usage as codec;
use crate::instant::micros;
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, WriteGuard};

/// Hours of a day in UTC.
const DAY: i64 = 24;

/// A day that is now in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedDay {
    /// The cluster.
    pub cluster: ClusterName,
    /// The day, in UTC.
    pub day: String,
    /// How many revisions of its hours went there.
    pub revisions: u64,
    /// The file.
    pub file: String,
}

/// A day as it goes into the archive.
pub(super) struct Packed {
    cluster: ClusterName,
    pub(super) file: FileName,
    pub(super) content: Bytes,
    /// In the order of their parts in the file.
    revisions: Vec<(Hour, u32)>,
}

impl Ledger {
    /// Moves the oldest day that is over before an hour and has all of its hours recorded into the archive. None
    /// if there is none left.
    pub async fn archive_next(
        &self,
        guard: &WriteGuard,
        before: Hour,
        at: DateTime<Utc>,
    ) -> Result<Option<ArchivedDay>, LedgerError> {
        let archive = self.archive()?;
        let Some(packed) = self.pack(before).await? else { return Ok(None) };
        self.announce(guard, &packed.file, at).await?;
        archive.put(&packed.file, &packed.content).await?;
        self.enter(guard, &packed).await?;
        Ok(Some(ArchivedDay {
            cluster: packed.cluster,
            day: packed.file.day.clone(),
            revisions: u64::try_from(packed.revisions.len()).unwrap_or(u64::MAX),
            file: packed.file.to_string(),
        }))
    }

    pub(crate) fn archive(&self) -> Result<&Archive, LedgerError> {
        self.inner.archive.as_ref().ok_or(LedgerError::NoArchive)
    }

    /// The oldest day to be moved, as a file; proven to hold what the database holds.
    pub(super) async fn pack(&self, before: Hour) -> Result<Option<Packed>, LedgerError> {
        let mut tx = self.read().await?;
        let Some((cluster, day)) = next(&mut tx, before).await? else { return Ok(None) };
        let from = day.saturating_mul(DAY);
        let rows = tx
            .fetch(
                "SELECT h.hour, h.revision, h.digest, h.blob_digest FROM hours h JOIN hour_blobs b \
                 ON b.cluster = h.cluster AND b.hour = h.hour AND b.revision = h.revision \
                 WHERE h.cluster = $1 AND h.hour >= $2 AND h.hour < $3 ORDER BY h.hour, h.revision",
                args![cluster.as_str(), from, from.saturating_add(DAY)],
            )
            .await?;
        let (mut revisions, mut hours, mut digests) = (Vec::new(), Vec::new(), Vec::new());
        for mut row in rows {
            let (hour, revision) = (Hour::from_index(row.int()?), row.number("revision")?);
            let (content, blob) = (row.digest()?, row.digest()?);
            hours.push((
                revision,
                crate::hours::load(&mut tx, None, &cluster, hour, revision, content, blob).await?,
            ));
            revisions.push((hour, revision));
            digests.push(content);
            tokio::task::yield_now().await;
        }
        drop(tx);
        let content = Bytes::from(codec::write_day(&hours)?);
        for (part, ((hour, _), digest)) in revisions.iter().zip(digests).enumerate() {
            let read = codec::read_part(cluster.clone(), *hour, content.clone(), part)?;
            if codec::digest(&read)? != digest {
                return Err(LedgerError::Encode(format!(
                    "{cluster} {hour} does not come back out of a day's file"
                )));
            }
            tokio::task::yield_now().await;
        }
        let day = Hour::from_index(from).start().date_naive().to_string();
        let file = FileName { day, digest: Digest::of(&content) };
        Ok(Some(Packed { cluster, file, content, revisions }))
    }

    /// Notes that a file is about to be written: whatever comes of it, it can be found again.
    pub(super) async fn announce(
        &self,
        guard: &WriteGuard,
        file: &FileName,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        tx.execute(
            "INSERT INTO archive_intents (digest, day, since) VALUES ($1, $2, $3) \
             ON CONFLICT (digest) DO UPDATE SET since = excluded.since",
            args![file.digest, file.day.as_str(), micros(at)],
        )
        .await?;
        tx.commit().await
    }

    /// Enters a file that was read back, and lets go of the rows that are in it.
    pub(super) async fn enter(&self, guard: &WriteGuard, packed: &Packed) -> Result<(), LedgerError> {
        let (cluster, digest) = (packed.cluster.as_str(), packed.file.digest);
        let bytes = i64::try_from(packed.content.len()).map_err(|_| defray_pricing::Overflow("bytes"))?;
        let mut tx = self.write(guard).await?;
        tx.execute(
            "INSERT INTO archive_files (digest, cluster, day, bytes) VALUES ($1, $2, $3, $4)",
            args![digest, cluster, packed.file.day.as_str(), bytes],
        )
        .await?;
        let parts = (0_i64..).zip(&packed.revisions);
        let rows =
            parts.map(|(part, (hour, revision))| args![cluster, hour.index(), *revision, digest, part]);
        tx.insert("archived_hours (cluster, hour, revision, digest, part)", rows.collect()).await?;
        for (hour, revision) in &packed.revisions {
            let gone = tx
                .execute(
                    "DELETE FROM hour_blobs WHERE cluster = $1 AND hour = $2 AND revision = $3",
                    args![cluster, hour.index(), *revision],
                )
                .await?;
            if gone != 1 {
                return Err(LedgerError::Corrupt(format!(
                    "{cluster} {hour}: its rows went while they were archived"
                )));
            }
        }
        tx.execute("DELETE FROM archive_intents WHERE digest = $1", args![digest]).await?;
        tx.commit().await
    }
}

/// The oldest day of a cluster, in days since 1970, that has rows in the database, and none missing since the
/// cluster's first recorded hour.
async fn next(tx: &mut Transaction, before: Hour) -> Result<Option<(ClusterName, i64)>, LedgerError> {
    let whole_days = before.index().div_euclid(DAY).saturating_mul(DAY);
    let row = tx
        .fetch_one(
            "SELECT d.cluster, d.day FROM (SELECT cluster, hour / 24 AS day FROM hour_blobs WHERE hour < $1 \
             GROUP BY cluster, hour / 24) d WHERE (SELECT COUNT(DISTINCT h.hour) FROM hours h \
             WHERE h.cluster = d.cluster AND h.hour >= d.day * 24 AND h.hour < d.day * 24 + 24) = \
             (SELECT CASE WHEN MIN(f.hour) > d.day * 24 THEN d.day * 24 + 24 - MIN(f.hour) ELSE 24 END \
             FROM hours f WHERE f.cluster = d.cluster) ORDER BY d.day, d.cluster LIMIT 1",
            args![whole_days],
        )
        .await?;
    row.map(|mut row| Ok((ClusterName::from(row.text()?), row.int()?))).transpose()
}
