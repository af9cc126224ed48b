//! Control totals: what was paid for and charged, of a day and of a month.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use defray_pricing::forecast::RatedDay;
use defray_pricing::names::ClusterName;
use defray_pricing::quantity::Quantity;
use defray_pricing::rating::{Control, PoolControl};
use defray_pricing::time::{Hour, Period};

use crate::backend::{Fields, Value, args};
use crate::columns::{push_money, read_money};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, Scope};

macro_rules! total_columns {
    () => {
        "metered_units, metered_nanos, metered_attos, fixed_units, fixed_nanos, fixed_attos, service_fees_units, \
         service_fees_nanos, service_fees_attos, cut_units, cut_nanos, cut_attos"
    };
}

macro_rules! pool_columns {
    () => {
        "cluster, pool, paid_units, paid_nanos, paid_attos, recovered_units, recovered_nanos, recovered_attos, \
         idle_units, idle_nanos, idle_attos, rated_units, rated_nanos, rated_attos, rated_nodes_units, \
         rated_nodes_nanos, rated_nodes_attos, uncosted"
    };
}

impl Ledger {
    /// How complete each rated day of `[from, until)` is, earliest first. Of days that a release rated which
    /// did not keep it, nothing is told.
    pub async fn rated_days(
        &self,
        _scope: &Scope,
        from: NaiveDate,
        until: NaiveDate,
    ) -> Result<Vec<RatedDay>, LedgerError> {
        let rows = self
            .read()
            .await?
            .fetch(
                "SELECT day, hours, whole_hours, until FROM day_totals WHERE day >= $1 AND day < $2 ORDER BY day",
                args![from.to_string(), until.to_string()],
            )
            .await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(RatedDay {
                    day: row.parse("a day")?,
                    hours: row.number("hours")?,
                    whole_hours: row.number("hours")?,
                    until: row.int_or()?.map(Hour::from_index),
                })
            })
            .collect()
    }

    /// What was paid for and charged in all rated days of a period; none while one of them was rated by a
    /// release that did not keep it.
    pub async fn period_control(
        &self,
        scope: &Scope,
        period: Period,
    ) -> Result<Option<Control>, LedgerError> {
        scope.whole("what was paid for")?;
        let name = period.to_string();
        let mut tx = self.read().await?;
        let unknown = tx
            .fetch(
                "SELECT 1 FROM charge_days c WHERE c.period = $1 AND NOT EXISTS \
                 (SELECT 1 FROM day_totals t WHERE t.day = c.day) LIMIT 1",
                args![name.as_str()],
            )
            .await?;
        if !unknown.is_empty() {
            return Ok(None);
        }
        let totals = tx
            .fetch(
                concat!(
                    "SELECT ",
                    total_columns!(),
                    " FROM day_totals WHERE day IN (SELECT day FROM charge_days WHERE period = $1)"
                ),
                args![name.as_str()],
            )
            .await?;
        let pools = tx
            .fetch(
                concat!(
                    "SELECT ",
                    pool_columns!(),
                    " FROM day_pools WHERE day IN (SELECT day FROM charge_days WHERE period = $1)"
                ),
                args![name],
            )
            .await?;
        sum(totals, pools).map(Some)
    }

    /// What was paid for and charged in the current version of a month; none if it is not computed, or was
    /// by a release that did not keep it.
    pub async fn month_control(&self, scope: &Scope, period: Period) -> Result<Option<Control>, LedgerError> {
        scope.whole("what was paid for")?;
        let name = period.to_string();
        let mut tx = self.read().await?;
        let version = tx
            .fetch_one("SELECT MAX(version) FROM months WHERE period = $1", args![name.as_str()])
            .await?
            .map(|mut row| row.int_or())
            .transpose()?
            .flatten();
        match version.map(u32::try_from) {
            None => Ok(None),
            Some(Ok(version)) => of_month(&mut tx, &name, version).await,
            Some(Err(_)) => Err(LedgerError::Corrupt(format!("{period} has no version that can be"))),
        }
    }
}

/// Replaces those of a day.
pub(crate) async fn put_day(
    tx: &mut Transaction,
    day: &str,
    rated: &RatedDay,
    control: &Control,
) -> Result<(), LedgerError> {
    let RatedDay { day: _, hours, whole_hours, until } = *rated;
    let mut totals = args![day, hours, whole_hours, until.map(Hour::index)];
    push_totals(&mut totals, control)?;
    let into = concat!("day_totals (day, hours, whole_hours, until, ", total_columns!(), ")");
    tx.insert(into, vec![totals]).await?;
    let pools = push_pools(&[Value::from(day)], control)?;
    tx.insert(concat!("day_pools (day, n, ", pool_columns!(), ")"), pools).await
}

/// Those of a day, and how many hours of it were rated; none if a release rated it that did not keep them.
pub(crate) async fn of_day(tx: &mut Transaction, day: &str) -> Result<Option<(i64, Control)>, LedgerError> {
    let hours = tx.fetch_one("SELECT hours FROM day_totals WHERE day = $1", args![day]).await?;
    let Some(hours) = hours.map(|mut row| row.int()).transpose()? else { return Ok(None) };
    let totals =
        tx.fetch(concat!("SELECT ", total_columns!(), " FROM day_totals WHERE day = $1"), args![day]).await?;
    let pools =
        tx.fetch(concat!("SELECT ", pool_columns!(), " FROM day_pools WHERE day = $1"), args![day]).await?;
    Ok(Some((hours, sum(totals, pools)?)))
}

/// Removes those of a day.
pub(crate) async fn clear_day(tx: &mut Transaction, day: &str) -> Result<(), LedgerError> {
    tx.execute("DELETE FROM day_pools WHERE day = $1", args![day]).await?;
    tx.execute("DELETE FROM day_totals WHERE day = $1", args![day]).await?;
    Ok(())
}

/// Adds those of a month.
pub(crate) async fn put_month(
    tx: &mut Transaction,
    period: &str,
    version: u32,
    control: &Control,
) -> Result<(), LedgerError> {
    let mut totals = args![period, version];
    push_totals(&mut totals, control)?;
    tx.insert(concat!("month_totals (period, version, ", total_columns!(), ")"), vec![totals]).await?;
    let pools = push_pools(&[Value::from(period), Value::from(version)], control)?;
    tx.insert(concat!("month_pools (period, version, n, ", pool_columns!(), ")"), pools).await
}

/// Those of a month; none if it was computed by a release that did not keep them.
pub(crate) async fn of_month(
    tx: &mut Transaction,
    period: &str,
    version: u32,
) -> Result<Option<Control>, LedgerError> {
    let totals = tx
        .fetch(
            concat!("SELECT ", total_columns!(), " FROM month_totals WHERE period = $1 AND version = $2"),
            args![period, version],
        )
        .await?;
    if totals.is_empty() {
        return Ok(None);
    }
    let pools = tx
        .fetch(
            concat!("SELECT ", pool_columns!(), " FROM month_pools WHERE period = $1 AND version = $2"),
            args![period, version],
        )
        .await?;
    sum(totals, pools).map(Some)
}

/// All of them as they rest, for a digest.
pub(crate) fn values(control: &Control) -> Result<Vec<Value>, LedgerError> {
    let mut values = Vec::new();
    push_totals(&mut values, control)?;
    values.extend(push_pools(&[], control)?.into_iter().flatten());
    Ok(values)
}

fn push_totals(row: &mut Vec<Value>, control: &Control) -> Result<(), LedgerError> {
    for amount in [control.metered, control.fixed, control.service_fees, control.cut] {
        push_money(row, amount)?;
    }
    Ok(())
}

fn push_pools(key: &[Value], control: &Control) -> Result<Vec<Vec<Value>>, LedgerError> {
    let mut rows = Vec::with_capacity(control.pools.len());
    for (n, ((cluster, pool), totals)) in (0_i64..).zip(&control.pools) {
        let mut row = key.to_vec();
        row.push(Value::from(n));
        row.push(Value::from(cluster.as_ref().map(ClusterName::as_str)));
        row.push(Value::from(pool.as_str()));
        for amount in [totals.paid, totals.recovered, totals.idle, totals.rated, totals.rated_nodes] {
            push_money(&mut row, amount)?;
        }
        row.push(Value::from(totals.uncosted.micros()));
        rows.push(row);
    }
    Ok(rows)
}

fn sum(totals: Vec<Fields>, pools: Vec<Fields>) -> Result<Control, LedgerError> {
    let mut control = Control::default();
    for mut row in totals {
        control.add(&Control {
            pools: BTreeMap::new(),
            metered: read_money(&mut row)?,
            fixed: read_money(&mut row)?,
            service_fees: read_money(&mut row)?,
            cut: read_money(&mut row)?,
        })?;
    }
    for mut row in pools {
        let key = (row.text_or()?.map(ClusterName::from), row.text()?);
        let totals = PoolControl {
            paid: read_money(&mut row)?,
            recovered: read_money(&mut row)?,
            idle: read_money(&mut row)?,
            rated: read_money(&mut row)?,
            rated_nodes: read_money(&mut row)?,
            uncosted: Quantity::from_micros(row.int()?),
        };
        control.add(&Control { pools: BTreeMap::from([(key, totals)]), ..Control::default() })?;
    }
    Ok(control)
}
