//! Letting go of the rows of hours whose months were closed long ago. Digests, coverage and the chain stay; so do
//! statements, whatever their age.

use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;

use crate::archive::FileName;
use crate::backend::args;
use crate::{Ledger, LedgerError, WriteGuard};

/// Revisions let go of in one transaction.
const AT_ONCE: i64 = 500;

impl Ledger {
    /// Lets go of the rows of hours before one that a closed month was made from, if nothing newer was measured of
    /// them since: that waits for a restatement. Says how many revisions.
    pub async fn prune(&self, guard: &WriteGuard, before: Hour) -> Result<u64, LedgerError> {
        let mut pruned = 0_u64;
        loop {
            let mut tx = self.write(guard).await?;
            let rows = tx
                .fetch(
                    "SELECT h.cluster, h.hour, h.revision FROM hours h WHERE h.hour < $1 AND NOT EXISTS \
                     (SELECT 1 FROM pruned_hours p WHERE p.cluster = h.cluster AND p.hour = h.hour AND \
                     p.revision = h.revision) AND (SELECT MAX(c.revision) FROM close_hours c WHERE \
                     c.cluster = h.cluster AND c.hour = h.hour) = (SELECT MAX(n.revision) FROM hours n WHERE \
                     n.cluster = h.cluster AND n.hour = h.hour) ORDER BY h.hour, h.cluster, h.revision LIMIT $2",
                    args![before.index(), AT_ONCE],
                )
                .await?;
            if rows.is_empty() {
                drop(tx);
                self.prune_files(guard).await?;
                return Ok(pruned);
            }
            for mut row in rows {
                let (cluster, hour) = (ClusterName::from(row.text()?), row.int()?);
                let revision: u32 = row.number("revision")?;
                let key = args![cluster.as_str(), hour, revision];
                let into = "INSERT INTO pruned_hours (cluster, hour, revision) VALUES ($1, $2, $3)";
                tx.execute(into, key.clone()).await?;
                let from = "DELETE FROM hour_blobs WHERE cluster = $1 AND hour = $2 AND revision = $3";
                tx.execute(from, key).await?;
                pruned = pruned.saturating_add(1);
            }
            tx.commit().await?;
        }
    }

    /// Removes files of which every hour is pruned.
    async fn prune_files(&self, guard: &WriteGuard) -> Result<(), LedgerError> {
        loop {
            let mut tx = self.write(guard).await?;
            let file = tx
                .fetch_one(
                    "SELECT f.digest, f.day FROM archive_files f WHERE NOT EXISTS (SELECT 1 FROM pruned_files g \
                     WHERE g.digest = f.digest) AND NOT EXISTS (SELECT 1 FROM archived_hours a WHERE \
                     a.digest = f.digest AND NOT EXISTS (SELECT 1 FROM pruned_hours p WHERE p.cluster = a.cluster \
                     AND p.hour = a.hour AND p.revision = a.revision)) ORDER BY f.day, f.digest LIMIT 1",
                    args![],
                )
                .await?;
            let Some(mut row) = file else { return Ok(()) };
            let file = FileName { digest: row.digest()?, day: row.text()? };
            self.archive()?.remove(&file).await?;
            tx.execute("INSERT INTO pruned_files (digest) VALUES ($1)", args![file.digest]).await?;
            tx.commit().await?;
        }
    }
}
