//! Hours that could not be measured yet, and those that never will be.

use chrono::{DateTime, Utc};
use defray_pricing::names::ClusterName;
use defray_pricing::time::{Hour, HourRange};

use crate::backend::args;
use crate::instant::{instant, micros};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope, WriteGuard};

/// An hour that is over and not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// Why the last try failed; of a lost hour, why it is known to be lost.
    pub reason: String,
    /// How often it was tried; never, of one that waits until its cluster or its pods are looked at.
    pub tries: u32,
    /// When it was first missed.
    pub first_seen: DateTime<Utc>,
    /// When to try again; of a lost hour, when to look whether a metrics store has it after all.
    pub next_try: DateTime<Utc>,
    /// Since when it is known that no metrics store has it any more; none while it may still be measured.
    pub lost_since: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Notes that an hour could not be measured; recording it clears the note. An hour that is recorded
    /// gets none: only its next revision is awaited.
    pub async fn note_missing(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        hour: Hour,
        reason: &str,
        at: DateTime<Utc>,
        next_try: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        if is_recorded(&mut tx, cluster, hour).await? {
            return Ok(());
        }
        tx.execute(
            "INSERT INTO missing_hours (cluster, hour, reason, tries, first_seen, next_try) \
             VALUES ($1, $2, $3, 1, $4, $5) ON CONFLICT (cluster, hour) DO UPDATE SET \
             reason = excluded.reason, tries = missing_hours.tries + 1, next_try = excluded.next_try",
            args![cluster.as_str(), hour.index(), reason, micros(at), micros(next_try)],
        )
        .await?;
        tx.commit().await
    }

    /// Notes that no metrics store has these missing hours any more, and why that is known, all in one transaction.
    /// What is recorded, or was never missed, is not lost.
    pub async fn note_lost(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        hours: &[Hour],
        reason: &str,
        at: DateTime<Utc>,
        look_again: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        for hour in hours {
            tx.execute(
                "UPDATE missing_hours SET reason = $3, lost_since = $4, next_try = $5 \
                 WHERE cluster = $1 AND hour = $2 AND lost_since IS NULL",
                args![cluster.as_str(), hour.index(), reason, micros(at), micros(look_again)],
            )
            .await?;
        }
        tx.commit().await
    }

    /// Notes that a metrics store reaches back to these lost hours: they are missing again, and tried at once.
    pub async fn note_found(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        hours: &[Hour],
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        for hour in hours {
            tx.execute(
                "UPDATE missing_hours SET reason = $3, lost_since = NULL, next_try = $4 \
                 WHERE cluster = $1 AND hour = $2 AND lost_since IS NOT NULL",
                args![cluster.as_str(), hour.index(), reason, micros(at)],
            )
            .await?;
        }
        tx.commit().await
    }

    /// Notes why hours cannot even be tried yet, all in one transaction. A reason that was noted before is replaced;
    /// how often an hour was tried stays.
    pub async fn note_waiting(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        hours: &[Hour],
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        for hour in hours {
            if is_recorded(&mut tx, cluster, *hour).await? {
                continue;
            }
            tx.execute(
                "INSERT INTO missing_hours (cluster, hour, reason, tries, first_seen, next_try) \
                 VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT (cluster, hour) DO UPDATE SET reason = excluded.reason",
                args![cluster.as_str(), hour.index(), reason, micros(at)],
            )
            .await?;
        }
        tx.commit().await
    }

    /// Says when to look again whether a metrics store has any lost hour of a cluster after all.
    pub async fn put_off_lost(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        look_again: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        tx.execute(
            "UPDATE missing_hours SET next_try = $2 WHERE cluster = $1 AND lost_since IS NOT NULL",
            args![cluster.as_str(), micros(look_again)],
        )
        .await?;
        tx.commit().await
    }

    /// Forgets the notes on hours that do not count.
    pub async fn forget_missing(
        &self,
        guard: &WriteGuard,
        cluster: &ClusterName,
        counted: HourRange,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write(guard).await?;
        tx.execute(
            "DELETE FROM missing_hours WHERE cluster = $1 AND (hour < $2 OR hour >= $3)",
            args![cluster.as_str(), counted.from.index(), counted.until.index()],
        )
        .await?;
        tx.commit().await
    }

    /// The hours that are over and not recorded, in the order of cluster, hour.
    pub async fn missing(&self, scope: &Scope) -> Result<Vec<Missing>, LedgerError> {
        scope.whole("the list of missing hours")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT cluster, hour, reason, tries, first_seen, next_try, lost_since FROM missing_hours \
                 ORDER BY cluster, hour",
                args![],
            )
            .await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(Missing {
                    cluster: ClusterName::from(row.text()?),
                    hour: Hour::from_index(row.int()?),
                    reason: row.text()?,
                    tries: row.number("tries")?,
                    first_seen: instant(row.int()?)?,
                    next_try: instant(row.int()?)?,
                    lost_since: row.int_or()?.map(instant).transpose()?,
                })
            })
            .collect()
    }
}

async fn is_recorded(tx: &mut Transaction, cluster: &ClusterName, hour: Hour) -> Result<bool, LedgerError> {
    let sql = "SELECT COUNT(*) FROM hours WHERE cluster = $1 AND hour = $2";
    let row = tx.fetch_one(sql, args![cluster.as_str(), hour.index()]).await?;
    Ok(row.map(|mut row| row.int()).transpose()?.is_some_and(|count| count > 0))
}
