//! A month goes in whole, or not at all.

use defray_pricing::statement::{Line, Reporting, Statement};
use defray_pricing::time::Period;

use super::{MonthRecord, PeriodState};
use crate::backend::{Value, args};
use crate::columns::{
    charge_columns, key_columns, push_charge, push_key, push_money, push_money_or, push_quantity,
};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, WriteGuard, controls};

impl Ledger {
    /// Replaces an open month whole. Under the digest it already has, nothing is written; says whether it
    /// was. A closed one is refused.
    pub async fn put_month(&self, guard: &WriteGuard, month: MonthRecord) -> Result<bool, LedgerError> {
        let period = month.statements.period;
        let mut tx = self.write(guard).await?;
        let version = match current(&mut tx, period).await? {
            None => 1,
            Some((_, PeriodState::Closed | PeriodState::Restated, _)) => {
                return Err(LedgerError::Closed(period));
            }
            Some((_, PeriodState::Open, inputs)) if inputs == month.inputs => return Ok(false),
            Some((version, PeriodState::Open, _)) => version,
        };
        put_version(&mut tx, version, &month).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Writes a version whole, as one that is open.
pub(crate) async fn put_version(
    tx: &mut Transaction,
    version: u32,
    month: &MonthRecord,
) -> Result<(), LedgerError> {
    let name = month.statements.period.to_string();
    clear(tx, &name, version).await?;
    tx.execute(
        "INSERT INTO months (period, version, state, currency, inputs, hours_missing, hours_lost, book_digest) \
         VALUES ($1, $2, 'open', $3, $4, $5, $6, $7) ON CONFLICT (period, version) DO UPDATE SET \
         currency = excluded.currency, inputs = excluded.inputs, hours_missing = excluded.hours_missing, \
         hours_lost = excluded.hours_lost, book_digest = excluded.book_digest",
        args![
            name.as_str(),
            version,
            month.statements.currency.code(),
            month.inputs,
            month.hours_missing,
            month.hours_lost,
            month.book_digest
        ],
    )
    .await?;
    attach(tx, &name, version, month).await?;
    for (n, statement) in (0_i64..).zip(&month.statements.statements) {
        put_statement(tx, &name, version, n, statement).await?;
    }
    let mut rows = Vec::new();
    for (n, charge) in (0_i64..).zip(&month.statements.month_level) {
        let mut row = args![name.as_str(), version, n];
        push_charge(&mut row, charge)?;
        rows.push(row);
    }
    tx.insert(concat!("month_charges (period, version, n, ", charge_columns!(), ")"), rows).await?;
    if let Some(control) = &month.control {
        controls::put_month(tx, &name, version, control).await?;
    }
    Ok(())
}

/// The newest version of a period: its number, state and digest.
pub(crate) async fn current(
    tx: &mut Transaction,
    period: Period,
) -> Result<Option<(u32, PeriodState, defray_pricing::digest::Digest)>, LedgerError> {
    let row = tx
        .fetch_one(
            "SELECT version, state, inputs FROM months WHERE period = $1 ORDER BY version DESC LIMIT 1",
            args![period.to_string()],
        )
        .await?;
    match row {
        None => Ok(None),
        Some(mut row) => Ok(Some((row.number("version")?, row.parse("a state")?, row.digest()?))),
    }
}

async fn clear(tx: &mut Transaction, period: &str, version: u32) -> Result<(), LedgerError> {
    for sql in [
        "DELETE FROM statement_lines WHERE period = $1 AND version = $2",
        "DELETE FROM statements WHERE period = $1 AND version = $2",
        "DELETE FROM month_pools WHERE period = $1 AND version = $2",
        "DELETE FROM month_totals WHERE period = $1 AND version = $2",
        "DELETE FROM month_charges WHERE period = $1 AND version = $2",
        "DELETE FROM month_coverage WHERE period = $1 AND version = $2",
        "DELETE FROM month_books WHERE period = $1 AND version = $2",
    ] {
        tx.execute(sql, args![period, version]).await?;
    }
    Ok(())
}

async fn attach(
    tx: &mut Transaction,
    period: &str,
    version: u32,
    month: &MonthRecord,
) -> Result<(), LedgerError> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (cluster, coverage) in &month.coverage {
        let whole = |minutes: u64| {
            i64::try_from(minutes).map_err(|_| LedgerError::Encode(format!("{minutes} minutes of coverage")))
        };
        rows.push(args![period, version, cluster.as_str(), whole(coverage.minutes)?, whole(coverage.of)?]);
    }
    tx.insert("month_coverage (period, version, cluster, minutes, total_minutes)", rows).await?;
    let labels = (0_i64..)
        .zip(&month.book_versions)
        .map(|(n, label)| args![period, version, n, label.as_str()])
        .collect();
    tx.insert("month_books (period, version, n, label)", labels).await
}

async fn put_statement(
    tx: &mut Transaction,
    period: &str,
    version: u32,
    n: i64,
    statement: &Statement,
) -> Result<(), LedgerError> {
    let mut row = args![period, version, n, statement.cost_center.as_str(), statement.tenant.as_str()];
    push_money(&mut row, statement.exact)?;
    push_money(&mut row, statement.amount)?;
    push_reporting(&mut row, statement.reporting)?;
    tx.insert(
        "statements (period, version, n, cost_center, tenant, exact_units, exact_nanos, exact_attos, \
         amount_units, amount_nanos, amount_attos, reporting_currency, exchange_rate, reporting_units, \
         reporting_nanos, reporting_attos)",
        vec![row],
    )
    .await?;
    let mut rows = Vec::with_capacity(statement.lines.len());
    for (line_n, line) in (0_i64..).zip(&statement.lines) {
        let Line { key, quantity, unit_price, exact, rounding, amount, reporting } = line;
        let mut row = args![period, version, n, line_n];
        push_key(&mut row, key);
        push_quantity(&mut row, *quantity);
        row.push(Value::from(unit_price.map(|price| price.to_string())));
        push_money(&mut row, *exact)?;
        push_money(&mut row, *rounding)?;
        push_money(&mut row, *amount)?;
        push_money_or(&mut row, *reporting)?;
        rows.push(row);
    }
    tx.insert(
        concat!(
            "statement_lines (period, version, statement, n, ",
            key_columns!(),
            ", quantity, unit, unit_price, exact_units, exact_nanos, exact_attos, rounding_units, rounding_nanos, \
             rounding_attos, amount_units, amount_nanos, amount_attos, reporting_units, reporting_nanos, \
             reporting_attos)"
        ),
        rows,
    )
    .await
}

fn push_reporting(row: &mut Vec<Value>, reporting: Option<Reporting>) -> Result<(), LedgerError> {
    let converted = reporting.and_then(|reporting| reporting.converted);
    row.push(Value::from(reporting.map(|reporting| reporting.currency.to_string())));
    row.push(Value::from(converted.map(|converted| converted.rate.to_string())));
    push_money_or(row, converted.map(|converted| converted.amount))
}
