//! The list of billing periods.

use std::collections::BTreeMap;

use defray_pricing::names::ClusterName;
use defray_pricing::time::{BillingZone, Hour, Period};
use sqlx::AssertSqlSafe;

use super::{PeriodEntry, PeriodState, read};
use crate::backend::args;
use crate::columns::read_money;
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope};

impl Ledger {
    /// Every period that has hours or statements, earliest first.
    pub async fn periods(&self, scope: &Scope, zone: BillingZone) -> Result<Vec<PeriodEntry>, LedgerError> {
        let mut tx = self.read().await?;
        let mut periods = measured(&mut tx, zone).await?;
        let rows = tx
            .fetch(
                "SELECT m.period, m.version, m.state, m.currency, m.inputs, m.hours_missing, m.hours_lost \
                 FROM months m \
                 WHERE m.version = (SELECT MAX(n.version) FROM months n WHERE n.period = m.period)",
                args![],
            )
            .await?;
        for mut row in rows {
            let period: Period = row.parse("a period")?;
            let entry = periods.entry(period).or_insert_with(|| unrated(period, zone));
            entry.version = row.number("version")?;
            entry.state = row.parse("a state")?;
            entry.currency = Some(row.parse("a currency")?);
            entry.inputs = Some(row.digest()?);
            entry.hours_missing = row.number("missing hours")?;
            entry.hours_lost = row.number("lost hours")?;
            entry.amount = Some(defray_pricing::money::Money::ZERO);
            entry.coverage = read::coverage(&mut tx, &period.to_string(), entry.version).await?;
        }
        totals(&mut tx, scope, &mut periods).await?;
        Ok(periods.into_values().collect())
    }
}

fn unrated(period: Period, zone: BillingZone) -> PeriodEntry {
    PeriodEntry {
        period,
        state: PeriodState::Open,
        version: 1,
        currency: None,
        amount: None,
        statements: 0,
        hours: zone.hours(period).len(),
        measured: BTreeMap::new(),
        hours_measured: 0,
        hours_missing: 0,
        hours_lost: 0,
        coverage: BTreeMap::new(),
        inputs: None,
    }
}

/// Periods that have hours. One count per period over an index: a year is twelve.
async fn measured(
    tx: &mut Transaction,
    zone: BillingZone,
) -> Result<BTreeMap<Period, PeriodEntry>, LedgerError> {
    let mut periods = BTreeMap::new();
    let Some(mut row) = tx.fetch_one("SELECT MIN(hour), MAX(hour) FROM hours", args![]).await? else {
        return Ok(periods);
    };
    let (Some(first), Some(last)) = (row.int_or()?, row.int_or()?) else { return Ok(periods) };
    let last = zone.period_of(Hour::from_index(last));
    let mut period = zone.period_of(Hour::from_index(first));
    while period <= last {
        let range = zone.hours(period);
        let rows = tx
            .fetch(
                "SELECT cluster, COUNT(DISTINCT hour) FROM hours WHERE hour >= $1 AND hour < $2 GROUP BY cluster",
                args![range.from.index(), range.until.index()],
            )
            .await?;
        if !rows.is_empty() {
            let mut entry = unrated(period, zone);
            for mut row in rows {
                let cluster = ClusterName::from(row.text()?);
                entry.measured.insert(cluster, row.number("hours")?);
            }
            entry.hours_measured = entry.measured.values().copied().min().unwrap_or(0);
            periods.insert(period, entry);
        }
        period = period.next();
    }
    Ok(periods)
}

/// The totals of the statements in scope.
async fn totals(
    tx: &mut Transaction,
    scope: &Scope,
    periods: &mut BTreeMap<Period, PeriodEntry>,
) -> Result<(), LedgerError> {
    let mut values = args![];
    let limit = scope.and_tenant(&mut values);
    let sql = format!(
        "SELECT s.period, COUNT(*), CAST(SUM(s.amount_units) AS BIGINT), CAST(SUM(s.amount_nanos) AS BIGINT), \
         CAST(SUM(s.amount_attos) AS BIGINT) FROM statements s \
         WHERE s.version = (SELECT MAX(m.version) FROM months m WHERE m.period = s.period){limit} \
         GROUP BY s.period"
    );
    for mut row in tx.fetch(AssertSqlSafe(sql), values).await? {
        let period: Period = row.parse("a period")?;
        if let Some(entry) = periods.get_mut(&period) {
            entry.statements = row.number("statements")?;
            entry.amount = Some(read_money(&mut row)?);
        }
    }
    Ok(())
}
