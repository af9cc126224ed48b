//! A month as it was last computed, cut down to who asks.

use std::collections::BTreeMap;

use defray_pricing::charge::Charge;
use defray_pricing::exchange::RateError;
use defray_pricing::money::{Currency, Money, UnknownCurrency};
use defray_pricing::names::{ClusterName, CostCenter, TenantName};
use defray_pricing::statement::{Converted, Line, PeriodStatements, Reporting, Statement};
use defray_pricing::time::Period;
use sqlx::AssertSqlSafe;

use super::write::current;
use super::{Coverage, MonthRecord};
use crate::backend::{Fields, args};
use crate::columns::{
    charge_columns, key_columns, read_charge, read_key, read_money, read_money_or, read_price, read_quantity,
};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope, controls};

impl Ledger {
    /// The current version of a month; a tenant sees its own statements and their total.
    pub async fn month(&self, scope: &Scope, period: Period) -> Result<Option<MonthRecord>, LedgerError> {
        let mut tx = self.read().await?;
        match current(&mut tx, period).await? {
            Some((version, ..)) => load(&mut tx, scope, period, version).await,
            None => Ok(None),
        }
    }

    /// The currency of a version of a month.
    pub async fn month_currency(
        &self,
        _scope: &Scope,
        period: Period,
        version: u32,
    ) -> Result<Option<Currency>, LedgerError> {
        let sql = "SELECT currency FROM months WHERE period = $1 AND version = $2";
        let row = self.read().await?.fetch_one(sql, args![period.to_string(), version]).await?;
        row.map(|mut row| row.parse("a currency")).transpose()
    }

    /// One version of a month, cut down alike.
    pub async fn month_version(
        &self,
        scope: &Scope,
        period: Period,
        version: u32,
    ) -> Result<Option<MonthRecord>, LedgerError> {
        load(&mut self.read().await?, scope, period, version).await
    }
}

pub(crate) async fn load(
    tx: &mut Transaction,
    scope: &Scope,
    period: Period,
    version: u32,
) -> Result<Option<MonthRecord>, LedgerError> {
    let name = period.to_string();
    let row = tx
        .fetch_one(
            "SELECT currency, inputs, hours_missing, hours_lost, book_digest FROM months \
             WHERE period = $1 AND version = $2",
            args![name.as_str(), version],
        )
        .await?;
    let Some(mut row) = row else { return Ok(None) };
    let currency = row.parse("a currency")?;
    let (inputs, hours_missing) = (row.digest()?, row.number("missing hours")?);
    let (hours_lost, book_digest) = (row.number("lost hours")?, row.digest()?);
    let statements = statements(tx, scope, &name, version).await?;
    let amount = Money::sum(statements.iter().map(|statement| statement.amount))?;
    let month_level = month_level(tx, scope, &name, version).await?;
    let control = if scope.sees_everything() { controls::of_month(tx, &name, version).await? } else { None };
    Ok(Some(MonthRecord {
        statements: PeriodStatements { period, currency, statements, amount, month_level },
        inputs,
        coverage: coverage(tx, &name, version).await?,
        hours_missing,
        hours_lost,
        book_digest,
        book_versions: books(tx, &name, version).await?,
        control,
    }))
}

impl Ledger {
    /// What acts on a month as a whole, such as terms and adjustments, in its current version; none while it was
    /// never computed. A small part of the month, for who looks at many.
    pub async fn month_level(
        &self,
        scope: &Scope,
        period: Period,
    ) -> Result<Option<Vec<Charge>>, LedgerError> {
        let mut tx = self.read().await?;
        let Some((version, ..)) = current(&mut tx, period).await? else { return Ok(None) };
        month_level(&mut tx, scope, &period.to_string(), version).await.map(Some)
    }
}

pub(crate) async fn statements(
    tx: &mut Transaction,
    scope: &Scope,
    period: &str,
    version: u32,
) -> Result<Vec<Statement>, LedgerError> {
    let mut lines = lines(tx, scope, period, version).await?;
    let mut values = args![period, version];
    let limit = scope.and_tenant(&mut values);
    let sql = format!(
        "SELECT n, cost_center, tenant, exact_units, exact_nanos, exact_attos, amount_units, amount_nanos, \
         amount_attos, reporting_currency, exchange_rate, reporting_units, reporting_nanos, reporting_attos \
         FROM statements WHERE period = $1 AND version = $2{limit} ORDER BY n"
    );
    let rows = tx.fetch(AssertSqlSafe(sql), values).await?;
    rows.into_iter()
        .map(|mut row| {
            let n = row.int()?;
            Ok(Statement {
                cost_center: CostCenter::from(row.text()?),
                tenant: TenantName::from(row.text()?),
                exact: read_money(&mut row)?,
                amount: read_money(&mut row)?,
                reporting: read_reporting(&mut row)?,
                lines: lines.remove(&n).unwrap_or_default(),
            })
        })
        .collect()
}

async fn lines(
    tx: &mut Transaction,
    scope: &Scope,
    period: &str,
    version: u32,
) -> Result<BTreeMap<i64, Vec<Line>>, LedgerError> {
    let mut values = args![period, version];
    let limit = scope.and_tenant(&mut values);
    let sql = format!(
        concat!(
            "SELECT statement, ",
            key_columns!(),
            ", quantity, unit, unit_price, exact_units, exact_nanos, exact_attos, rounding_units, rounding_nanos, \
             rounding_attos, amount_units, amount_nanos, amount_attos, reporting_units, reporting_nanos, \
             reporting_attos FROM statement_lines \
             WHERE period = $1 AND version = $2{} ORDER BY statement, n"
        ),
        limit
    );
    let mut lines: BTreeMap<i64, Vec<Line>> = BTreeMap::new();
    for mut row in tx.fetch(AssertSqlSafe(sql), values).await? {
        let statement = row.int()?;
        lines.entry(statement).or_default().push(Line {
            key: read_key(&mut row)?,
            quantity: read_quantity(&mut row)?,
            unit_price: read_price(&mut row)?,
            exact: read_money(&mut row)?,
            rounding: read_money(&mut row)?,
            amount: read_money(&mut row)?,
            reporting: read_money_or(&mut row)?,
        });
    }
    Ok(lines)
}

fn read_reporting(row: &mut Fields) -> Result<Option<Reporting>, LedgerError> {
    let damaged =
        |error: &dyn std::fmt::Display| LedgerError::Corrupt(format!("a reporting currency: {error}"));
    let (currency, rate, amount) = (row.text_or()?, row.text_or()?, read_money_or(row)?);
    let Some(currency) = currency else { return Ok(None) };
    let currency = currency.parse().map_err(|error: UnknownCurrency| damaged(&error))?;
    let converted = match (rate, amount) {
        (None, None) => None,
        (Some(rate), Some(amount)) => {
            let rate = rate.parse().map_err(|error: RateError| damaged(&error))?;
            Some(Converted { rate, amount })
        }
        _ => return Err(damaged(&"a rate without an amount, or an amount without a rate")),
    };
    Ok(Some(Reporting { currency, converted }))
}

async fn month_level(
    tx: &mut Transaction,
    scope: &Scope,
    period: &str,
    version: u32,
) -> Result<Vec<Charge>, LedgerError> {
    let mut values = args![period, version];
    let limit = scope.and_tenant(&mut values);
    let sql = format!(
        concat!(
            "SELECT ",
            charge_columns!(),
            " FROM month_charges WHERE period = $1 AND version = $2{} ORDER BY n"
        ),
        limit
    );
    let rows = tx.fetch(AssertSqlSafe(sql), values).await?;
    rows.into_iter().map(|mut row| read_charge(&mut row)).collect()
}

pub(super) async fn coverage(
    tx: &mut Transaction,
    period: &str,
    version: u32,
) -> Result<BTreeMap<ClusterName, Coverage>, LedgerError> {
    let rows = tx
        .fetch(
            "SELECT cluster, minutes, total_minutes FROM month_coverage WHERE period = $1 AND version = $2",
            args![period, version],
        )
        .await?;
    rows.into_iter()
        .map(|mut row| {
            let cluster = ClusterName::from(row.text()?);
            Ok((cluster, Coverage { minutes: row.number("minutes")?, of: row.number("minutes")? }))
        })
        .collect()
}

async fn books(tx: &mut Transaction, period: &str, version: u32) -> Result<Vec<String>, LedgerError> {
    let rows = tx
        .fetch(
            "SELECT label FROM month_books WHERE period = $1 AND version = $2 ORDER BY n",
            args![period, version],
        )
        .await?;
    rows.into_iter().map(|mut row| row.text()).collect()
}
