//! Reading what was closed, and what it was closed with.

use defray_pricing::digest::Digest;
use defray_pricing::names::ClusterName;
use defray_pricing::restatement::Delta;
use defray_pricing::time::{Hour, HourRange, Period};
use defray_pricing::usage::UsageHour;
use sqlx::AssertSqlSafe;

use super::{CloseRecord, ClosedMonth, FrozenOwnership, PinnedHour};
use crate::backend::{Fields, args};
use crate::codec::ownership as codec;
use crate::columns::{key_columns, read_key, read_money};
use crate::instant::instant;
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope, hours};

pub(super) const COLUMNS: &str = "period, version, seq, closed_at, closed_by, how, forced_reason, \
     restate_reason, zone, engine_version, hours_missing, total_units, total_nanos, total_attos, inputs, \
     book_digest, ownership_digest, hours_digest, statements_digest, deltas_digest, files_digest, previous, digest, \
     hours_lost";

impl Ledger {
    /// Every close of this ledger, in the order they were made.
    pub async fn closes(&self, scope: &Scope) -> Result<Vec<ClosedMonth>, LedgerError> {
        let mut tx = self.read().await?;
        Ok(cut(scope, all(&mut tx).await?))
    }

    /// Every version of a period that was closed, earliest first.
    pub async fn versions(&self, scope: &Scope, period: Period) -> Result<Vec<ClosedMonth>, LedgerError> {
        let sql = format!("SELECT {COLUMNS} FROM closes WHERE period = $1 ORDER BY version");
        let rows = self.read().await?.fetch(AssertSqlSafe(sql), args![period.to_string()]).await?;
        Ok(cut(scope, rows.into_iter().map(record).collect::<Result<_, _>>()?))
    }

    /// One version of a period, if it is closed.
    pub async fn close_of(
        &self,
        scope: &Scope,
        period: Period,
        version: u32,
    ) -> Result<Option<ClosedMonth>, LedgerError> {
        let found = one(&mut self.read().await?, &period.to_string(), version).await?;
        Ok(cut(scope, found.into_iter().collect()).pop())
    }

    /// Which revision of each hour a version was made from, in the order of cluster, hour.
    pub async fn close_hours(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
    ) -> Result<Vec<PinnedHour>, LedgerError> {
        scope.whole("the list of recorded hours")?;
        pinned(&mut self.read().await?, &version.period.to_string(), version.version).await
    }

    /// Who owned what when a version was closed.
    pub async fn close_ownership(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
    ) -> Result<FrozenOwnership, LedgerError> {
        scope.whole("the timeline of ownership")?;
        ownership(&mut self.read().await?, version).await
    }

    /// What a restatement changed, in the order of the lines; a tenant sees its own. Of a first version nothing.
    pub async fn close_deltas(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
    ) -> Result<Vec<Delta>, LedgerError> {
        deltas(&mut self.read().await?, scope, &version.period.to_string(), version.version).await
    }

    /// The usage a version was made from, in the order of hour, cluster: the revisions it pins, whatever was measured
    /// since. Every blob is checked against its digest.
    pub async fn pinned_usage(
        &self,
        scope: &Scope,
        version: &ClosedMonth,
        range: HourRange,
    ) -> Result<Vec<(Digest, UsageHour)>, LedgerError> {
        scope.whole("usage")?;
        let mut tx = self.read().await?;
        let rows = tx
            .fetch(
                "SELECT h.cluster, h.hour, h.revision, h.digest, h.blob_digest FROM close_hours c \
                 JOIN hours h ON h.cluster = c.cluster AND h.hour = c.hour AND h.revision = c.revision \
                 WHERE c.period = $1 AND c.version = $2 AND c.hour >= $3 AND c.hour < $4 \
                 ORDER BY h.hour, h.cluster",
                args![version.period.to_string(), version.version, range.from.index(), range.until.index()],
            )
            .await?;
        let archive = self.inner.archive.as_ref();
        let mut usage = Vec::with_capacity(rows.len());
        for mut row in rows {
            let (cluster, hour) = (ClusterName::from(row.text()?), Hour::from_index(row.int()?));
            let (revision, content, blob) = (row.number("revision")?, row.digest()?, row.digest()?);
            usage.push((
                content,
                hours::load(&mut tx, archive, &cluster, hour, revision, content, blob).await?,
            ));
        }
        Ok(usage)
    }
}

/// What a period came to is not for who sees a part of it.
fn cut(scope: &Scope, mut versions: Vec<ClosedMonth>) -> Vec<ClosedMonth> {
    if !scope.sees_everything() {
        for ClosedMonth(record) in &mut versions {
            record.total = None;
        }
    }
    versions
}

pub(super) async fn all(tx: &mut Transaction) -> Result<Vec<ClosedMonth>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM closes ORDER BY seq");
    tx.fetch(AssertSqlSafe(sql), args![]).await?.into_iter().map(record).collect()
}

pub(super) async fn one(
    tx: &mut Transaction,
    period: &str,
    version: u32,
) -> Result<Option<ClosedMonth>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM closes WHERE period = $1 AND version = $2");
    tx.fetch_one(AssertSqlSafe(sql), args![period, version]).await?.map(record).transpose()
}

fn record(mut row: Fields) -> Result<ClosedMonth, LedgerError> {
    Ok(ClosedMonth(CloseRecord {
        period: row.parse("a period")?,
        version: row.number("version")?,
        seq: row.number("close")?,
        at: instant(row.int()?)?,
        by: row.text()?,
        how: row.parse("how it was closed")?,
        forced: row.text_or()?,
        reason: row.text_or()?,
        zone: row.text()?,
        engine_version: row.number("engine version")?,
        hours_missing: row.number("missing hours")?,
        total: Some(read_money(&mut row)?),
        inputs: row.digest()?,
        book_digest: row.digest()?,
        ownership: row.digest()?,
        hours: row.digest()?,
        statements: row.digest()?,
        deltas: row.digest()?,
        files: row.digest()?,
        previous: row.digest()?,
        digest: row.digest()?,
        hours_lost: row.number("lost hours")?,
    }))
}

pub(super) async fn pinned(
    tx: &mut Transaction,
    period: &str,
    version: u32,
) -> Result<Vec<PinnedHour>, LedgerError> {
    let rows = tx
        .fetch(
            "SELECT h.cluster, h.hour, h.revision, h.digest FROM close_hours c \
             JOIN hours h ON h.cluster = c.cluster AND h.hour = c.hour AND h.revision = c.revision \
             WHERE c.period = $1 AND c.version = $2 ORDER BY c.cluster, c.hour",
            args![period, version],
        )
        .await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(PinnedHour {
                cluster: ClusterName::from(row.text()?),
                hour: Hour::from_index(row.int()?),
                revision: row.number("revision")?,
                digest: row.digest()?,
            })
        })
        .collect()
}

pub(super) async fn ownership(
    tx: &mut Transaction,
    version: &ClosedMonth,
) -> Result<FrozenOwnership, LedgerError> {
    let damaged = |what: &str| {
        let (period, version) = (version.period, version.version);
        LedgerError::Corrupt(format!("who owned what in {period} version {version}: {what}"))
    };
    let row = tx
        .fetch_one(
            "SELECT blob_digest, content FROM close_ownership WHERE period = $1 AND version = $2",
            args![version.period.to_string(), version.version],
        )
        .await?;
    let mut row = row.ok_or_else(|| damaged("it is gone"))?;
    let (blob, content) = (row.digest()?, row.bytes()?);
    if Digest::of(&content) != blob {
        return Err(damaged("its bytes do not match their digest"));
    }
    let frozen = codec::read(content)?;
    if codec::digest(&codec::rows(&frozen)?) != version.ownership {
        return Err(damaged("its rows do not match their digest"));
    }
    Ok(frozen)
}

pub(super) async fn deltas(
    tx: &mut Transaction,
    scope: &Scope,
    period: &str,
    version: u32,
) -> Result<Vec<Delta>, LedgerError> {
    let mut values = args![period, version];
    let limit = scope.and_tenant(&mut values);
    let sql = format!(
        concat!(
            "SELECT ",
            key_columns!(),
            ", amount_units, amount_nanos, amount_attos FROM close_deltas WHERE period = $1 AND version = $2{} \
             ORDER BY n"
        ),
        limit
    );
    let rows = tx.fetch(AssertSqlSafe(sql), values).await?;
    let delta = |mut row: Fields| Ok(Delta { key: read_key(&mut row)?, amount: read_money(&mut row)? });
    rows.into_iter().map(delta).collect()
}
