//! Charge days: rated from their hours and replaced whole.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::NaiveDate;
use defray_pricing::charge::{Charge, LineKey};
use defray_pricing::digest::Digest;
use defray_pricing::forecast::RatedDay;
use defray_pricing::names::{CostCenter, Namespace, TenantName};
use defray_pricing::time::{Hour, Period};

use defray_pricing::money::Money;
use defray_pricing::quantity::{Quantity, Unit};
use defray_pricing::rating::Control;
use sqlx::AssertSqlSafe;

use crate::backend::{Value, args};
use crate::codec::charges as codec;
use crate::columns::{charge_columns, push_charge, read_charge, read_money};
use crate::transaction::Transaction;
use crate::{Ledger, LedgerError, PeriodState, Scope, WriteGuard, controls, months};

/// One local day of charges, hour by hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeDay {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// The billing period it belongs to.
    pub period: Period,
    /// Of everything it was made from: revisions, ownership, book, engine.
    pub inputs: Digest,
    /// The charges of each hour, as they were rated.
    pub hours: Vec<(Hour, Vec<Charge>)>,
    /// In how many of them every cluster that counted was measured.
    pub whole_hours: u32,
    /// What was paid for in all of them.
    pub control: Control,
}

/// A day in the form it is stored in: packing and folding are long work for the processor that no writer waits for.
pub(crate) struct Prepared {
    name: String,
    period: Period,
    inputs: Digest,
    rated: RatedDay,
    control: Control,
    blob: Vec<u8>,
    rows: Vec<Vec<Value>>,
}

impl Prepared {
    pub(crate) fn new(day: ChargeDay) -> Result<Self, LedgerError> {
        let name = day.day.to_string();
        let blob = codec::write(&name, &day.hours)?;
        let rated = RatedDay {
            day: day.day,
            hours: u32::try_from(day.hours.len())
                .map_err(|_| LedgerError::Encode("too many hours".to_owned()))?,
            whole_hours: day.whole_hours,
            until: day.hours.last().map(|(hour, _)| hour.next()),
        };
        let mut rows = Vec::new();
        for (n, charge) in (0_i64..).zip(fold(day.hours.into_iter().flat_map(|(_, charges)| charges))?) {
            let mut row = args![name.as_str(), n];
            push_charge(&mut row, &charge)?;
            rows.push(row);
        }
        Ok(Self { name, period: day.period, inputs: day.inputs, rated, control: day.control, blob, rows })
    }
}

/// Replaces a day, whatever it was.
pub(crate) async fn replace(tx: &mut Transaction, day: Prepared) -> Result<(), LedgerError> {
    let Prepared { name, period, inputs, rated, control, blob, rows } = day;
    tx.execute("DELETE FROM day_charges WHERE day = $1", args![name.as_str()]).await?;
    controls::clear_day(tx, &name).await?;
    tx.execute(
        "INSERT INTO charge_days (day, period, inputs, blob_digest, content) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (day) DO UPDATE SET period = excluded.period, inputs = excluded.inputs, \
         blob_digest = excluded.blob_digest, content = excluded.content",
        args![name.as_str(), period.to_string(), inputs, Digest::of(&blob), blob],
    )
    .await?;
    tx.insert(concat!("day_charges (day, n, ", charge_columns!(), ")"), rows).await?;
    controls::put_day(tx, &name, &rated, &control).await
}

/// One charge of one day: the day's charges of one key and namespace, added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyAmount {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// The charge, folded over the day.
    pub charge: Charge,
}

impl Ledger {
    /// Replaces a day of an open month whole. Under the digest it already has, nothing is written; says whether it
    /// was. A day of a closed month is refused.
    pub async fn put_day(&self, guard: &WriteGuard, day: ChargeDay) -> Result<bool, LedgerError> {
        let day = Prepared::new(day)?;
        let mut tx = self.write(guard).await?;
        let month = months::current(&mut tx, day.period).await?;
        if month.is_some_and(|(_, state, _)| state != PeriodState::Open) {
            return Err(LedgerError::Closed(day.period));
        }
        let known =
            tx.fetch_one("SELECT inputs FROM charge_days WHERE day = $1", args![day.name.as_str()]).await?;
        if let Some(mut row) = known
            && row.digest()? == day.inputs
        {
            return Ok(false);
        }
        replace(&mut tx, day).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Under which digest each day of a period was rated.
    pub async fn day_inputs(
        &self,
        scope: &Scope,
        period: Period,
    ) -> Result<BTreeMap<NaiveDate, Digest>, LedgerError> {
        scope.whole("what days were rated from")?;
        let rows = self
            .read()
            .await?
            .fetch("SELECT day, inputs FROM charge_days WHERE period = $1", args![period.to_string()])
            .await?;
        rows.into_iter().map(|mut row| Ok((row.parse("a day")?, row.digest()?))).collect()
    }

    /// A day's charges folded over its hours, in the order of key, namespace.
    pub async fn day_charges(&self, scope: &Scope, day: NaiveDate) -> Result<Vec<Charge>, LedgerError> {
        let mut values = args![day.to_string()];
        let limit = scope.and_tenant(&mut values);
        let sql = format!(
            concat!("SELECT ", charge_columns!(), " FROM day_charges WHERE day = $1{} ORDER BY n"),
            limit
        );
        let rows = self.read().await?.fetch(AssertSqlSafe(sql), values).await?;
        rows.into_iter().map(|mut row| read_charge(&mut row)).collect()
    }

    /// A day's charges hour by hour, as they were rated; an hour is there even where it has none.
    pub async fn day_hours(
        &self,
        scope: &Scope,
        day: NaiveDate,
    ) -> Result<Vec<(Hour, Vec<Charge>)>, LedgerError> {
        let row = self
            .read()
            .await?
            .fetch_one("SELECT blob_digest, content FROM charge_days WHERE day = $1", args![day.to_string()])
            .await?;
        let Some(mut row) = row else { return Ok(Vec::new()) };
        let (digest, content) = (row.digest()?, row.bytes()?);
        if Digest::of(&content) != digest {
            return Err(LedgerError::Corrupt(format!("the charges of {day} do not match their digest")));
        }
        codec::read(content, |tenant| scope.sees(tenant))
    }

    /// Folded charges of the days `[from, until)`, in the order of day, key, namespace.
    pub async fn daily(
        &self,
        scope: &Scope,
        from: NaiveDate,
        until: NaiveDate,
    ) -> Result<Vec<DailyAmount>, LedgerError> {
        let mut values = args![from.to_string(), until.to_string()];
        let limit = scope.and_tenant(&mut values);
        let sql = format!(
            concat!(
                "SELECT day, ",
                charge_columns!(),
                " FROM day_charges WHERE day >= $1 AND day < $2{} ORDER BY day, n"
            ),
            limit
        );
        let rows = self.read().await?.fetch(AssertSqlSafe(sql), values).await?;
        rows.into_iter()
            .map(|mut row| Ok(DailyAmount { day: row.parse("a day")?, charge: read_charge(&mut row)? }))
            .collect()
    }
}

/// What one tenant was charged on one cost centre on one day, before what acts on the month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyTotal {
    /// The day in the billing zone.
    pub day: NaiveDate,
    /// The tenant.
    pub tenant: TenantName,
    /// The cost centre.
    pub cost_center: CostCenter,
    /// All of it, exact.
    pub amount: Money,
}

impl Ledger {
    /// Totals of the days `[from, until)`, in the order of day, cost centre, tenant.
    pub async fn daily_totals(
        &self,
        scope: &Scope,
        from: NaiveDate,
        until: NaiveDate,
    ) -> Result<Vec<DailyTotal>, LedgerError> {
        let mut values = args![from.to_string(), until.to_string()];
        let limit = scope.and_tenant(&mut values);
        let sql = format!(
            "SELECT day, cost_center, tenant, CAST(SUM(amount_units) AS BIGINT), CAST(SUM(amount_nanos) AS BIGINT), \
             CAST(SUM(amount_attos) AS BIGINT) FROM day_charges WHERE day >= $1 AND day < $2{limit} \
             GROUP BY day, cost_center, tenant ORDER BY day, cost_center, tenant"
        );
        let rows = self.read().await?.fetch(AssertSqlSafe(sql), values).await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(DailyTotal {
                    day: row.parse("a day")?,
                    cost_center: CostCenter::from(row.text()?),
                    tenant: TenantName::from(row.text()?),
                    amount: read_money(&mut row)?,
                })
            })
            .collect()
    }
}

/// How much of what, and what it costs.
type Sum = (Option<(Quantity, Unit)>, Money);

/// Adds up charges of one key and namespace.
pub(crate) fn fold(charges: impl IntoIterator<Item = Charge>) -> Result<Vec<Charge>, LedgerError> {
    let mut sums: BTreeMap<(LineKey, Option<Namespace>), Sum> = BTreeMap::new();
    for Charge { key, namespace, quantity, amount } in charges {
        match sums.entry((key, namespace)) {
            Entry::Vacant(entry) => {
                entry.insert((quantity, amount));
            }
            Entry::Occupied(mut entry) => {
                let (so_far, sum) = *entry.get();
                let quantity = match (so_far, quantity) {
                    (None, None) => None,
                    (Some((a, unit)), Some((b, same))) if unit == same => Some((a.checked_add(b)?, unit)),
                    _ => {
                        let (key, _) = entry.key();
                        let (tenant, kind, item) = (&key.tenant, key.kind, &key.item);
                        return Err(LedgerError::Encode(format!(
                            "charges of {tenant} for {kind} {item} are counted in different units"
                        )));
                    }
                };
                entry.insert((quantity, sum.checked_add(amount)?));
            }
        }
    }
    Ok(sums
        .into_iter()
        .map(|((key, namespace), (quantity, amount))| Charge { key, namespace, quantity, amount })
        .collect())
}
