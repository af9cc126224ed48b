//! The monthly statement: whole, summed up, and of one tenant.
//!
//! An open month is written anew for whoever asks. Of a closed one the same bytes are sent for ever: what was not
//! stored when it was closed is stored before it is first sent.

use axum::extract::{Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use defray_ledger::{ClosedMonth, PeriodEntry, PeriodState, Scope};
use defray_pricing::names::TenantName;
use defray_reports::Month;

use super::access::Reader;
use super::body::{Document, Place, respond};
use super::months::{self, Rated};
use super::query::Query;
use super::{Error, State, files};
use crate::month;
use crate::shipped::{Format, Report};

/// `{period}.csv` and `{period}.json`.
pub(super) async fn month(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path(file): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Error> {
    let (tenants, cost_centers) = (query.each("tenant"), query.each("cost_center"));
    query.finish()?;
    let unknown = || Error::NoSuchFile { name: file.clone(), known: "{period}.csv and {period}.json" };
    let (period, format) = file.rsplit_once('.').ok_or_else(unknown)?;
    let format = match format {
        "csv" => Format::Csv,
        "json" => Format::Json,
        _ => return Err(unknown()),
    };
    newest(&state, &scope, period, Report::statement(format, tenants, cost_centers), &headers).await
}

/// `{period}/summary.csv` and `{period}/{tenant}.json`.
pub(super) async fn part(
    Reader(scope): Reader,
    Extract(state): Extract<State>,
    Path((period, file)): Path<(String, String)>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Error> {
    query.finish()?;
    if file == "summary.csv" {
        return newest(&state, &scope, &period, Report::summary(), &headers).await;
    }
    let known = "summary.csv and {tenant}.json";
    let tenant = file.strip_suffix(".json").ok_or(Error::NoSuchFile { name: file.clone(), known })?;
    let name = TenantName::from(tenant);
    if !scope.sees(&name) {
        let period = months::period(&period)?.to_string();
        return Err(Error::NoSuchTenant { tenant: tenant.to_owned(), period });
    }
    let report = Report::statement(Format::Json, [tenant.to_owned()], []);
    newest(&state, &Scope::tenants([name].into()), &period, report, &headers).await
}

/// A report of the newest version of a period, whether it still moves or not.
async fn newest(
    state: &State,
    scope: &Scope,
    period: &str,
    report: Report,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let period = months::period(period)?;
    let place = Place::take(state).await?;
    let entry = months::entry(state, scope, period).await?;
    if entry.state != PeriodState::Open {
        let closed = state.ledger.close_of(scope, period, entry.version).await?;
        let closed = closed.ok_or_else(|| Error::NotRated(period.to_string()))?;
        // The same address serves the next version one day, so it is kept but asked for.
        return frozen(state, place, scope, &closed, report, headers, "private, no-cache").await;
    }
    let rated = rated(state, scope, &entry).await?;
    has_any(&report, &rated)?;
    let Month { period, status, version, demo, .. } = rated.month;
    let document = document(&report, &report.download(period, status, version, demo), months::cache(status));
    let definitions = state.definitions();
    respond(state, place, headers, document, move |out| {
        Ok(report.write(&definitions, &rated.month, &rated.record.statements.statements, out)?)
    })
    .await
}

async fn rated(state: &State, scope: &Scope, entry: &PeriodEntry) -> Result<Rated, Error> {
    let record = state.ledger.month_version(scope, entry.period, entry.version).await?;
    let record = record.ok_or_else(|| Error::NotRated(entry.period.to_string()))?;
    let month = month::facts(entry, &record, state.zone, state.demo);
    Ok(Rated { month, record })
}

/// A report of a closed version: the bytes that are kept of it, which are those that were first sent.
pub(super) async fn frozen(
    state: &State,
    place: Place,
    scope: &Scope,
    closed: &ClosedMonth,
    report: Report,
    headers: &HeaderMap,
    cache: &'static str,
) -> Result<Response, Error> {
    let content = match state.ledger.close_file(scope, closed, &report.file()).await? {
        Some((_, content)) => content,
        None => keep(state, scope, closed, &report).await?,
    };
    let status = month::status(closed.state());
    let name = report.download(closed.period, status, closed.version, state.demo);
    let document = document(&report, &name, cache);
    respond(state, place, headers, document, move |out| {
        out.write_all(&content).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

/// Writes a variant that nobody asked for before, and keeps it before it is sent.
async fn keep(state: &State, scope: &Scope, closed: &ClosedMonth, report: &Report) -> Result<Vec<u8>, Error> {
    let (period, version) = (closed.period, closed.version);
    let record = state.ledger.month_version(scope, period, version).await?;
    let record = record.ok_or_else(|| Error::NotRated(period.to_string()))?;
    let month = month::of_version(period, closed.state(), version, &record, state.zone, state.demo);
    let rated = Rated { month, record };
    has_any(report, &rated)?;
    let (definitions, report) = (state.definitions(), report.clone());
    let work = move || report.rendered(&definitions, &rated.month, &rated.record);
    let written = state.supervisor.blocking("write report", work).await;
    let file = written.map_err(|ended| Error::Internal(ended.to_string()))??;
    let (_, content) = state.ledger.keep_file(scope, closed, file).await?;
    Ok(content)
}

fn has_any(report: &Report, rated: &Rated) -> Result<(), Error> {
    if report.takes_all() || report.has_any(&rated.record.statements.statements) {
        return Ok(());
    }
    Err(Error::NoSuchTenant { tenant: report.of().join(" / "), period: rated.month.period.to_string() })
}

fn document(report: &Report, name: &str, cache: &'static str) -> Document {
    let disposition = if report.is_csv() { files::saved(name) } else { files::shown(name) };
    Document { content_type: report.content_type(), disposition: Some(disposition), cache }
}
