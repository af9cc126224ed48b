//! Reading hours: what was used, and which are there at all.

use std::collections::BTreeSet;

use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};
use defray_pricing::usage::UsageHour;

use super::load;
use crate::backend::args;
use crate::{Ledger, LedgerError, Scope};

impl Ledger {
    /// The current revisions of every cluster, in the order of hour, cluster. Every blob is checked
    /// against its digest.
    pub async fn usage(&self, scope: &Scope, range: HourRange) -> Result<Vec<UsageHour>, LedgerError> {
        Ok(self.usage_with_digests(scope, range).await?.into_iter().map(|(_, usage)| usage).collect())
    }

    /// What [`Ledger::usage`] reads, each with the digest of its content, of one snapshot: an hour may get
    /// another revision between two reads.
    pub async fn usage_with_digests(
        &self,
        scope: &Scope,
        range: HourRange,
    ) -> Result<Vec<(Digest, UsageHour)>, LedgerError> {
        scope.whole("usage")?;
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT h.cluster, h.hour, h.revision, h.digest, h.blob_digest FROM hours h \
                 WHERE h.hour >= $1 AND h.hour < $2 AND h.revision = \
                 (SELECT MAX(n.revision) FROM hours n WHERE n.cluster = h.cluster AND n.hour = h.hour) \
                 ORDER BY h.hour, h.cluster",
                args![range.from.index(), range.until.index()],
            )
            .await?;
        let archive = self.inner.archive.as_ref();
        let mut usage = Vec::with_capacity(rows.len());
        for mut row in rows {
            let (cluster, hour) = (ClusterName::from(row.text()?), Hour::from_index(row.int()?));
            let (revision, content, blob) = (row.number("revision")?, row.digest()?, row.digest()?);
            usage.push((content, load(&mut tx, archive, &cluster, hour, revision, content, blob).await?));
        }
        Ok(usage)
    }

    /// Which hours of a cluster are recorded, and nothing else of them.
    pub async fn recorded_hours(
        &self,
        scope: &Scope,
        cluster: &ClusterName,
        range: HourRange,
    ) -> Result<BTreeSet<Hour>, LedgerError> {
        scope.whole("the list of recorded hours")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT DISTINCT hour FROM hours WHERE cluster = $1 AND hour >= $2 AND hour < $3",
                args![cluster.as_str(), range.from.index(), range.until.index()],
            )
            .await?;
        rows.into_iter().map(|mut row| row.int().map(Hour::from_index)).collect()
    }

    /// From the first recorded hour of a cluster to its last.
    pub async fn recorded_range(
        &self,
        scope: &Scope,
        cluster: &ClusterName,
    ) -> Result<Option<HourRange>, LedgerError> {
        scope.whole("the range of recorded hours")?;
        let row = self
            .read()
            .await?
            .fetch_one("SELECT MIN(hour), MAX(hour) FROM hours WHERE cluster = $1", args![cluster.as_str()])
            .await?;
        let Some(mut row) = row else { return Ok(None) };
        let range = row.int_or()?.zip(row.int_or()?);
        Ok(range.map(|(first, last)| HourRange {
            from: Hour::from_index(first),
            until: Hour::from_index(last).next(),
        }))
    }

    /// The latest hour that is recorded, of whatever cluster, and a cluster that has it.
    pub async fn latest_hour(&self, scope: &Scope) -> Result<Option<(ClusterName, Hour)>, LedgerError> {
        scope.whole("the latest recorded hour")?;
        let row = self
            .read()
            .await?
            .fetch_one("SELECT cluster, hour FROM hours ORDER BY hour DESC, cluster LIMIT 1", args![])
            .await?;
        row.map(|mut row| Ok((ClusterName::from(row.text()?), Hour::from_index(row.int()?)))).transpose()
    }
}
