//! What was charged in a month against what was paid for, pool by pool: finance's and the platform's to
//! read, no tenant's.

use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::LedgerError;
use defray_pricing::Overflow;
use defray_pricing::money::Money;
use defray_pricing::names::ClusterName;
use defray_pricing::recovery::{PoolRecovery, Recovery};
use defray_reports::{Month, SCHEMA_VERSION, Status};
use serde::Serialize;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::{Error, State, months};

#[derive(Serialize)]
struct Answer {
    schema_version: &'static str,
    period: String,
    status: &'static str,
    version: u32,
    currency: String,
    demo: bool,
    hours_missing: u64,
    hours_lost: u64,
    coverage: Option<String>,
    /// Null where the book does not say what some nodes cost.
    paid: Option<String>,
    charged: String,
    /// `charged` less `paid`: below zero for under-recovery.
    difference: Option<String>,
    parts: Parts,
    rounding: String,
    billed: String,
    metered: String,
    fixed: String,
    pools: Vec<PoolView>,
}

/// What the difference is made of.
#[derive(Serialize)]
struct Parts {
    pools: Option<String>,
    service_fees: String,
    terms: String,
    adjustments: String,
    cut: String,
}

#[derive(Serialize)]
struct PoolView {
    cluster: Option<String>,
    pool: String,
    paid: Option<String>,
    charged: String,
    difference: Option<String>,
    used: String,
    idle: String,
    at_unit_prices: String,
    node_hours_without_cost: String,
}

/// One month's.
pub(super) async fn month(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path(period): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    if !scope.sees_everything() {
        return Err(LedgerError::OutOfScope("what was paid for").into());
    }
    let asked = months::period(&period)?;
    let place = Place::take(&state).await?;
    let rated = months::rated(&state, &scope, asked).await?;
    let control = rated.record.control.as_ref().ok_or_else(|| not_kept(rated.month.status, period))?;
    let recovery = Recovery::of(&rated.record.statements, control);
    let recovery = recovery.map_err(|violation| Error::Internal(violation.to_string()))?;
    let document = Document {
        content_type: "application/json",
        disposition: None,
        cache: months::cache(rated.month.status),
    };
    let answer = answer(&rated.month, &recovery)?;
    respond(&state, place, &headers, document, move |out| {
        serde_json::to_writer(out, &answer).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

/// A release that did not keep it left this month: an open one is computed anew before long, another never.
fn not_kept(status: Status, period: String) -> Error {
    match status {
        Status::Open => Error::NotRated(period),
        Status::Final | Status::Restated => Error::NotKept(period),
    }
}

fn answer(month: &Month, recovery: &Recovery) -> Result<Answer, Overflow> {
    let pools: Result<Vec<PoolView>, Overflow> = recovery.pools.iter().map(pool).collect();
    let mut of_pools = Some(Money::ZERO);
    for pool in &recovery.pools {
        of_pools = match (of_pools, pool.difference()?) {
            (Some(sum), Some(more)) => Some(sum.checked_add(more)?),
            _ => None,
        };
    }
    Ok(Answer {
        schema_version: SCHEMA_VERSION,
        period: month.period.to_string(),
        status: month.status.as_str(),
        version: month.version,
        currency: month.currency.to_string(),
        demo: month.demo,
        hours_missing: month.hours_missing,
        hours_lost: month.hours_lost,
        coverage: month.whole_coverage()?.ratio(),
        paid: text(recovery.paid),
        charged: recovery.charged.to_string(),
        difference: text(recovery.difference()?),
        parts: Parts {
            pools: text(of_pools),
            service_fees: recovery.service_fees.to_string(),
            terms: recovery.terms.to_string(),
            adjustments: recovery.adjustments.to_string(),
            cut: recovery.cut.to_string(),
        },
        rounding: recovery.rounding.to_string(),
        billed: recovery.billed.format(month.currency.exponent()),
        metered: recovery.metered.to_string(),
        fixed: recovery.fixed.to_string(),
        pools: pools?,
    })
}

fn pool(pool: &PoolRecovery) -> Result<PoolView, Overflow> {
    Ok(PoolView {
        cluster: pool.cluster.as_ref().map(ClusterName::to_string),
        pool: pool.pool.clone(),
        paid: text(pool.paid()?),
        charged: pool.charged()?.to_string(),
        difference: text(pool.difference()?),
        used: pool.control.recovered.to_string(),
        idle: pool.control.idle.to_string(),
        at_unit_prices: pool.control.rated.to_string(),
        node_hours_without_cost: pool.control.uncosted.to_string(),
    })
}

fn text(money: Option<Money>) -> Option<String> {
    money.map(|money| money.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_month_is_said_to_be_computed_anew() {
        for (status, told) in
            [(Status::Open, "try again"), (Status::Final, "is not known"), (Status::Restated, "is not known")]
        {
            let error = not_kept(status, "2026-10".to_owned()).to_string();
            assert!(error.contains("2026-10") && error.contains(told), "{error}");
        }
    }
}
