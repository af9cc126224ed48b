//! Hours that could not be measured yet.

use chrono::{DateTime, Utc};
use defray_pricing::names::ClusterName;
use defray_pricing::time::Hour;

use crate::backend::args;
use crate::instant::{instant, micros};
use crate::{Ledger, LedgerError, Scope, WriteGuard};

/// An hour that could not be measured yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The cluster.
    pub cluster: ClusterName,
    /// The hour.
    pub hour: Hour,
    /// Why the last try failed.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it was first missed.
    pub first_seen: DateTime<Utc>,
    /// When to try again.
    pub next_try: DateTime<Utc>,
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
        let recorded = tx
            .fetch_one(
                "SELECT COUNT(*) FROM hours WHERE cluster = $1 AND hour = $2",
                args![cluster.as_str(), hour.index()],
            )
            .await?;
        if let Some(mut row) = recorded
            && row.int()? > 0
        {
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

    /// The hours that could not be measured yet, in the order of cluster, hour.
    pub async fn missing(&self, scope: &Scope) -> Result<Vec<Missing>, LedgerError> {
        scope.whole("the list of missing hours")?;
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT cluster, hour, reason, tries, first_seen, next_try FROM missing_hours ORDER BY cluster, hour",
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
                })
            })
            .collect()
    }
}
