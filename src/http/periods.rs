//! Every billing period: where it stands, what it comes to, how complete it is.

use std::collections::BTreeMap;

use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::{PeriodEntry, PeriodState};
use defray_pricing::Overflow;
use defray_reports::Coverage;
use serde::Serialize;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::{Error, State};
use crate::month;

#[derive(Serialize)]
struct List {
    demo: bool,
    billing_zone: &'static str,
    items: Vec<Item>,
    /// Always null: a list of months fits one page. It is there so that clients can follow it one day.
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Item {
    period: String,
    period_start: String,
    period_end: String,
    status: &'static str,
    version: u32,
    currency: Option<String>,
    amount: Option<String>,
    statements: u32,
    hours: u32,
    hours_measured: BTreeMap<String, u32>,
    hours_missing: u32,
    hours_lost: u32,
    coverage: Option<String>,
    coverage_by_cluster: BTreeMap<String, Option<String>>,
    links: BTreeMap<&'static str, String>,
}

/// Every period, newest first.
pub(super) async fn list(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    let place = Place::take(&state).await?;
    let periods = state.ledger.periods(&scope, state.zone).await?;
    let items: Result<Vec<Item>, Overflow> = periods.iter().rev().map(|entry| item(&state, entry)).collect();
    let list = List { demo: state.demo, billing_zone: state.zone.name(), items: items?, next_cursor: None };
    let document =
        Document { content_type: "application/json", disposition: None, cache: "private, no-cache" };
    respond(&state, place, &headers, document, move |out| {
        serde_json::to_writer(out, &list).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

/// Coverage of all clusters together.
pub(super) fn coverage(entry: &PeriodEntry) -> Result<Option<String>, Overflow> {
    let all = entry.coverage.values().map(|coverage| month::covered(*coverage));
    Ok(all.into_iter().try_fold(Coverage::default(), Coverage::checked_add)?.ratio())
}

fn item(state: &State, entry: &PeriodEntry) -> Result<Item, Overflow> {
    let period = entry.period;
    let hours = state.zone.hours(period);
    let mut links = BTreeMap::from([
        ("csv", format!("/api/v1/reports/{period}.csv")),
        ("json", format!("/api/v1/reports/{period}.json")),
        ("summary", format!("/api/v1/reports/{period}/summary.csv")),
    ]);
    if entry.state != PeriodState::Open {
        links.insert("versions", format!("/api/v1/periods/{period}/versions"));
    }
    Ok(Item {
        period: period.to_string(),
        period_start: hours.from.to_string(),
        period_end: hours.until.to_string(),
        status: month::status(entry.state).as_str(),
        version: entry.version,
        currency: entry.currency.map(|currency| currency.to_string()),
        amount: entry.amount.zip(entry.currency).map(|(amount, currency)| amount.format(currency.exponent())),
        statements: entry.statements,
        hours: entry.hours,
        hours_measured: entry.measured.iter().map(|(name, hours)| (name.to_string(), *hours)).collect(),
        hours_missing: entry.hours_missing,
        hours_lost: entry.hours_lost,
        coverage: coverage(entry)?,
        coverage_by_cluster: entry
            .coverage
            .iter()
            .map(|(name, coverage)| (name.to_string(), month::covered(*coverage).ratio()))
            .collect(),
        links: if entry.amount.is_some() { links } else { BTreeMap::new() },
    })
}
