//! Every version of a month that was closed: the same bytes for ever, each with its SHA-256.

use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::{CloseFile, ClosedMonth, PeriodState, Scope};
use defray_pricing::book::{Adjustment, AdjustmentOn};
use defray_pricing::names::TenantName;
use serde::Serialize;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::query::Query;
use super::{Error, State, files, months, reports};
use crate::month;
use crate::shipped::{Format, Report};

/// One version of one file never changes.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

#[derive(Serialize)]
struct List {
    demo: bool,
    period: String,
    /// Where the period stands now.
    status: &'static str,
    versions: Vec<Version>,
    /// Adjustments of the price book that are dated in this month and wait for a restatement.
    adjustments_waiting: Vec<Waiting>,
}

/// A version that is frozen, in the words of the interface.
#[derive(Serialize)]
pub(super) struct Version {
    period: String,
    #[serde(rename = "version")]
    number: u32,
    status: &'static str,
    closed_at: String,
    closed_by: String,
    closed_how: &'static str,
    forced_reason: Option<String>,
    restate_reason: Option<String>,
    billing_zone: String,
    #[serde(rename = "engine_version")]
    engine: u32,
    hours_missing: u32,
    hours_lost: u32,
    currency: String,
    amount: Option<String>,
    book_digest: String,
    inputs_digest: String,
    previous_digest: String,
    digest: String,
    /// What it changed, line by line, as rounded amounts; empty for the first version.
    deltas: Vec<Delta>,
    files: Vec<File>,
}

#[derive(Serialize)]
struct Delta {
    cost_center: String,
    tenant: String,
    cluster: Option<String>,
    virtual_namespace: Option<String>,
    kind: &'static str,
    pool: Option<String>,
    instance_type: Option<String>,
    capacity_type: Option<String>,
    item: String,
    list_unit_price: Option<String>,
    amount: String,
}

#[derive(Serialize)]
struct File {
    name: String,
    bytes: u64,
    sha256: String,
    /// Whether the version was closed with it; if not, it was kept before it was first sent.
    at_close: bool,
    href: String,
}

/// An adjustment that waits.
#[derive(Serialize)]
pub(super) struct Waiting {
    date: String,
    reference: String,
    reason: String,
    tenant: Option<String>,
    cost_center: Option<String>,
    amount: String,
}

impl Waiting {
    pub(super) fn of(adjustment: &Adjustment) -> Self {
        let (tenant, cost_center) = match &adjustment.on {
            AdjustmentOn::Tenant(name) => (Some(name.to_string()), None),
            AdjustmentOn::CostCenter(name) => (None, Some(name.to_string())),
        };
        Self {
            date: adjustment.date.to_string(),
            reference: adjustment.reference.clone(),
            reason: adjustment.reason.clone(),
            tenant,
            cost_center,
            amount: adjustment.amount.to_string(),
        }
    }
}

/// `{period}/versions`, earliest first.
pub(super) async fn list(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path(period): Path<String>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    let period = months::period(&period)?;
    let place = Place::take(&state).await?;
    let entry = months::entry(&state, &scope, period).await?;
    let mut told = Vec::new();
    for closed in state.ledger.versions(&scope, period).await? {
        told.push(version(&state, &scope, &closed).await?);
    }
    // Whose they are is told with them, so they are for who sees everybody.
    let waiting = match entry.state {
        PeriodState::Closed | PeriodState::Restated if scope.sees_everything() => {
            state.closer.waiting(period).await?
        }
        _ => Vec::new(),
    };
    let list = List {
        demo: state.demo,
        period: period.to_string(),
        status: month::status(entry.state).as_str(),
        versions: told,
        adjustments_waiting: waiting.iter().map(Waiting::of).collect(),
    };
    let document =
        Document { content_type: "application/json", disposition: None, cache: "private, no-cache" };
    respond(&state, place, &headers, document, move |out| {
        serde_json::to_writer(out, &list).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

/// A version with its deltas and the files that are kept of it, as this reader sees them.
pub(super) async fn version(state: &State, scope: &Scope, closed: &ClosedMonth) -> Result<Version, Error> {
    let (period, number) = (closed.period, closed.version);
    let currency = state.ledger.month_currency(scope, period, number).await?;
    let currency = currency.ok_or_else(|| Error::NotRated(period.to_string()))?;
    let deltas = state.ledger.close_deltas(scope, closed).await?;
    let delta = |delta: defray_pricing::restatement::Delta| {
        let key = delta.key;
        let (pool, instance_type, capacity_type) = match key.class {
            Some(class) => (
                Some(class.pool.to_string()),
                Some(class.instance_type.to_string()),
                Some(class.capacity_type.to_string()),
            ),
            None => (None, None, None),
        };
        Delta {
            cost_center: key.cost_center.to_string(),
            tenant: key.tenant.to_string(),
            cluster: key.cluster.map(|name| name.to_string()),
            virtual_namespace: key.virtual_namespace.map(|name| name.to_string()),
            kind: key.kind.as_str(),
            pool,
            instance_type,
            capacity_type,
            item: key.item,
            list_unit_price: key.unit_price.map(|price| price.to_string()),
            amount: delta.amount.format(currency.exponent()),
        }
    };
    let file = |file: CloseFile| File {
        href: format!("/api/v1/periods/{period}/versions/{number}/{}", files::percent_encoded(&file.name)),
        name: file.name,
        bytes: file.length,
        sha256: hex::encode(file.sha256),
        at_close: file.at_close,
    };
    let kept = state.ledger.close_files(scope, closed).await?;
    Ok(Version {
        period: period.to_string(),
        number,
        status: month::status(closed.state()).as_str(),
        closed_at: closed.at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        closed_by: closed.by.clone(),
        closed_how: closed.how.as_str(),
        forced_reason: closed.forced.clone(),
        restate_reason: closed.reason.clone(),
        billing_zone: closed.zone.clone(),
        engine: closed.engine_version,
        hours_missing: closed.hours_missing,
        hours_lost: closed.hours_lost,
        currency: currency.to_string(),
        amount: closed.total.map(|amount| amount.format(currency.exponent())),
        book_digest: closed.book_digest.to_string(),
        inputs_digest: closed.inputs.to_string(),
        previous_digest: closed.previous.to_string(),
        digest: closed.digest.to_string(),
        deltas: deltas.into_iter().map(delta).collect(),
        files: kept.into_iter().map(file).collect(),
    })
}

/// `{period}/versions/{version}/{file}`: a name of the list, or `{tenant}.json`.
pub(super) async fn file(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path((period, number, file)): Path<(String, String, String)>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    let period = months::period(&period)?;
    let missing = || Error::NoSuchVersion { version: number.clone(), period: period.to_string() };
    let wanted: u32 = number.parse().map_err(|_| missing())?;
    let place = Place::take(&state).await?;
    let closed = state.ledger.close_of(&scope, period, wanted).await?.ok_or_else(missing)?;
    if let Some(report) = Report::named(&file) {
        return reports::frozen(&state, place, &scope, &closed, report, &headers, FOR_EVER).await;
    }
    let known = "statement.csv, statement.json, summary.csv and {tenant}.json";
    let tenant = file.strip_suffix(".json").ok_or(Error::NoSuchFile { name: file.clone(), known })?;
    let name = TenantName::from(tenant);
    if !scope.sees(&name) {
        return Err(Error::NoSuchTenant { tenant: tenant.to_owned(), period: period.to_string() });
    }
    let report = Report::statement(Format::Json, [tenant.to_owned()], []);
    let only = Scope::tenants([name].into());
    reports::frozen(&state, place, &only, &closed, report, &headers, FOR_EVER).await
}
